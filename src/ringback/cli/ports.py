"""Ports that cannot be had: which, why or by whom, and the next free ones."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from ringback.config import Settings
from ringback.sip.flow import join_host_port, parse_listen

_TABLES = {"tcp": ("/proc/net/tcp", "/proc/net/tcp6"), "udp": ("/proc/net/udp", "/proc/net/udp6")}
_TCP_LISTEN = "0A"


def taken_ports(settings: Settings) -> list[str]:
    """The configured ports that somebody holds now, as `tcp:127.0.0.1:8080`.

    RTP needs one pair of its range: only where each pair is taken does the first one's port stand here.
    """
    wanted = [text for _, text in _wanted(settings)]
    return [text for text in wanted if _is_taken(text)] + _taken_rtp(*settings.server.rtp_range)


def unusable_addresses(settings: Settings) -> list[tuple[str, str]]:
    """The configured addresses that we could not listen at, though nobody has them: key, address and why;
    and what to do.

    Those of other machines, most of all; and ports that this user may not have. RTP is tried at any port.
    """
    host, _, _ = settings.server.rtp_range
    rtp = ("server.rtp", f"udp:{_bracketed(host)}:0")
    found = []
    for key, text in (*_wanted(settings), rtp):
        error = _refusal(text)
        if error is not None and error.errno != errno.EADDRINUSE:
            where = host if key == "server.rtp" else text
            denied = error.errno in (errno.EACCES, errno.EPERM)
            advice = "set a port from 1024 on" if denied else "set an address of this machine"
            found.append((f"{key}: {where} cannot be bound: {error.strerror}", advice))
    return found


def next_free(text: str, *, tries: int = 200) -> str:
    """The same place on this or the next free port; TCP and UDP of a port go together."""
    flow = parse_listen(text)
    for port in range(flow.local_port, min(flow.local_port + tries, 65536)):
        places = [f"{kind}:{join_host_port(flow.local_host, port)}" for kind in ("tcp", "udp")]
        if all(_refusal(place) is None for place in places):
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


def _wanted(settings: Settings) -> list[tuple[str, str]]:
    """Each key of `[server]` with a place to listen at, and that place; RTP aside."""
    server = settings.server
    found = [("server.http", server.http_address), ("server.https", server.https_address)]
    web = [(key, *address) for key, address in found if address is not None]
    return [
        *((key, f"tcp:{_bracketed(host)}:{port}") for key, host, port in web),
        *(("server.sip", text) for text in server.sip),
    ]


def _bracketed(host: str) -> str:
    return join_host_port(host, None)


def _taken_rtp(host: str, first: int, last: int) -> list[str]:
    found: list[str] = []
    for port in range(first + first % 2, last, 2):
        pair = (f"udp:{join_host_port(host, each)}" for each in (port, port + 1))
        taken = [text for text in pair if _is_taken(text)]
        if not taken:
            return []
        found += taken
    return found[:1]


def _is_taken(text: str) -> bool:
    error = _refusal(text)
    return error is not None and error.errno == errno.EADDRINUSE


def _refusal(text: str) -> OSError | None:
    """Why the port cannot be bound; None when it can be."""
    flow = parse_listen(text)
    family = socket.AF_INET6 if ":" in flow.local_host else socket.AF_INET
    kind = socket.SOCK_STREAM if flow.transport == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(family, kind) as probe:
            if flow.transport == "tcp":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((flow.local_host, flow.local_port))
    except OSError as error:
        return error
    return None


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
