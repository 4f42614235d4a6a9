"""The data directory is for the user that the server runs as: it holds callbacks with their credentials."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600
_OTHERS = 0o077
_OURS = frozenset(
    {"account.toml", "audio-cache", "lock", "recordings", "ringback.toml", "server.json", "tls"}
)
_OUR_DATABASES = ("ringback.sqlite", "trace.sqlite")


def data_folder(path: Path) -> None:
    """Make the data directory, readable by nobody else. One that is there is closed to others, too, unless
    something in it is not ours: who put that there may want it read. Raises OSError."""
    try:
        path.mkdir(parents=True, mode=_FOLDER)
    except FileExistsError:
        if all(_is_ours(name) for name in os.listdir(path)):
            _close(path, _FOLDER)


def own_folder(path: Path) -> None:
    """Make a folder within the data directory, readable by nobody else, whatever it was. Raises OSError."""
    try:
        path.mkdir(parents=True, mode=_FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise
        _close(path, _FOLDER)


def own_database(path: Path) -> None:
    """Make an SQLite file, empty where there is none, that nobody else reads; its journals follow its mode.

    What is there is never opened: closing it would take away the locks that SQLite has on it in this process.
    Raises OSError.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE))
    except FileExistsError:
        for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            with contextlib.suppress(FileNotFoundError):
                _close(each, _FILE)


def read_by_others(path: Path) -> bool:
    """Whether users other than its owner get at a folder or file; not where there is none."""
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_OUR_DATABASES)


def _close(path: Path, mode: int) -> None:
    """Only what belongs to our user can be closed; a sticky folder, such as /tmp, is everybody's."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not found.st_mode & stat.S_ISVTX:
        path.chmod(mode)
