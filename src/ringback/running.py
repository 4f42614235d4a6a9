"""Which server runs on this data directory, and where: how the other commands find it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ringback.store.privacy import data_folder

_FILE = "server.json"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A running server: its process, and the ports it really got."""

    http: str
    sip: tuple[str, ...]
    source: str
    """Where its settings come from."""
    pid: int = msgspec.field(default_factory=os.getpid)
    key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    """Whoever can read this file may steer the server."""

    @contextlib.contextmanager
    def announced(self, data: Path) -> Iterator[None]:
        """Say so in the data directory, until the block ends."""
        file = data / _FILE
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.encode(self))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


class DataInUse(OSError):
    """Another server runs on this data directory."""


@contextlib.contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Be the only server on the data directory, until the block ends. Raises DataInUse."""
    data_folder(data)
    with os.fdopen(os.open(data / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = running_server(data)
            by = f" by process {holder.pid}" if holder else ""
            raise DataInUse(f"{data} is in use{by}: set another one with server.data") from error
        yield


def out_of_reach(data: Path) -> bool:
    """Whether this user may not look into the data directory: then a server may run there unseen."""
    try:
        return data.is_dir() and not os.access(data, os.R_OK | os.X_OK)
    except PermissionError:
        return True


def running_server(data: Path) -> Running | None:
    """The server that runs on this data directory; None if there is none."""
    try:
        found = msgspec.json.decode((data / _FILE).read_bytes(), type=Running)
        os.kill(found.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return found
