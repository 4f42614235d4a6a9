"""Ports that are taken: which, by whom, and the next free ones."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from ringback.config import Settings
from ringback.sip.flow import join_host_port, parse_listen

_TABLES = {"tcp": ("/proc/net/tcp", "/proc/net/tcp6"), "udp": ("/proc/net/udp", "/proc/net/udp6")}
_TCP_LISTEN = "0A"


def taken_ports(settings: Settings) -> list[str]:
    """The configured ports that cannot be bound now, as `tcp:127.0.0.1:8080`."""
    host, port = settings.server.http_address
    wanted = [f"tcp:{join_host_port(host, port)}", *settings.server.sip]
    return [text for text in wanted if not _is_free(text)]


def next_free(text: str, *, tries: int = 200) -> str:
    """The same place on this or the next free port; TCP and UDP of a port go together."""
    flow = parse_listen(text)
    for port in range(flow.local_port, min(flow.local_port + tries, 65536)):
        places = [f"{kind}:{join_host_port(flow.local_host, port)}" for kind in ("tcp", "udp")]
        if all(_is_free(place) for place in places):
            return f"{flow.transport}:{join_host_port(flow.local_host, port)}"
    return f"{flow.transport}:{join_host_port(flow.local_host, 0)}"


def holder_of(text: str) -> str | None:
    """The process that holds a port, as `name (pid 123)`; None where that cannot be seen."""
    flow = parse_listen(text)
    inodes = {
        f"socket:[{inode}]"
        for table in _TABLES[flow.transport]
        for inode in _inodes(table, flow.local_port, flow.transport)
    }
    for process in Path("/proc").iterdir() if inodes else ():
        if process.name.isdigit() and _holds(process, inodes):
            name = (process / "comm").read_text().strip()
            return f"{name} (pid {process.name})"
    return None


def _is_free(text: str) -> bool:
    flow = parse_listen(text)
    family = socket.AF_INET6 if ":" in flow.local_host else socket.AF_INET
    kind = socket.SOCK_STREAM if flow.transport == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as probe:
        if flow.transport == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((flow.local_host, flow.local_port))
        except OSError:
            return False
    return True


def _inodes(table: str, port: int, transport: str) -> list[str]:
    try:
        rows = Path(table).read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in rows:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and (transport == "udp" or fields[3] == _TCP_LISTEN):
            found.append(fields[9])
    return found


def _holds(process: Path, inodes: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(descriptor) in inodes:
                    return True
    return False
