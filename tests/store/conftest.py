"""A store on a fresh database: SQLite, and PostgreSQL where a server can be started."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from ringback.store import Store


def _postgres_programs() -> Path | None:
    for directory in [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        Path("/usr/local/bin"),
    ]:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    return None


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; the account that its package made, or nobody, will do."""
    if os.getuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


class _Cluster:
    """A PostgreSQL server of our own, on a socket in its own directory."""

    def __init__(self, programs: Path, directory: Path, user: str) -> None:
        self._programs = programs
        self._directory = directory
        self._user = user

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(
            command,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
            user=self._user if os.getuid() == 0 else None,
        )

    def start(self) -> None:
        data = str(self._directory / "db")
        self._run("initdb", "-D", data, "-U", "ringback", "-A", "trust", "-E", "UTF8")
        options = f"-c listen_addresses= -c unix_socket_directories={self._directory} -c fsync=off"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._directory / "db"), "-m", "immediate", "-w", "stop")

    def create(self) -> str:
        """A new database; its URL."""
        import psycopg

        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(
            host=str(self._directory), user="ringback", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://ringback@/{name}?host={self._directory}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes fresh PostgreSQL databases; skips where that is impossible."""
    pytest.importorskip("psycopg", reason="PostgreSQL is not tested: psycopg is not installed")
    programs, user = _postgres_programs(), _unprivileged()
    if programs is None or user is None:
        pytest.skip("PostgreSQL is not tested: no server programs were found")
    # Socket paths are short, and the server's user has to get there: not below pytest's own directory.
    directory = Path(tempfile.mkdtemp(prefix="ringback-pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(directory, user)
        cluster = _Cluster(programs, directory, user)
        cluster.start()
        try:
            yield cluster.create
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return "sqlite"
    make: Callable[[], str] = request.getfixturevalue("postgres")
    return make()


@pytest.fixture
async def store(url: str, data: Path) -> AsyncIterator[Store]:
    """An open store, on each kind of database in turn."""
    opened = await Store.open(url, data)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(data: Path) -> AsyncIterator[Store]:
    """An open store on SQLite."""
    opened = await Store.open("sqlite", data)
    yield opened
    await opened.close()
