"""The data directory and what is in it are for nobody but the user that the server runs as."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.making import call_id

from ringback.config import demonstration
from ringback.running import exclusive, out_of_reach
from ringback.store import Store
from ringback.store.errors import StoreError
from ringback.store.privacy import data_folder, own_folder, read_by_others


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _generous() -> Iterator[None]:
    """What the user's shell would let others read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(data: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in data.iterdir()}


def leave_open(data: Path) -> None:
    """As earlier versions did."""
    data.chmod(0o755)
    for file in data.iterdir():
        file.chmod(0o644)
    (data / "lock").unlink()


async def use(data: Path) -> dict[str, int]:
    with exclusive(data):
        async with await Store.open("sqlite", data) as store:
            store.trace(call_id(), 1.0, "sip", b"INVITE")
            await store.traces(call_id())
            return modes(data)


async def test_it_is_made_for_us_alone(data: Path) -> None:
    found = await use(data)
    assert mode(data) == 0o700
    databases = ("ringback.sqlite", "trace.sqlite")
    assert {"lock", *databases, *(f"{name}-wal" for name in databases)} <= set(found)
    assert set(found.values()) == {0o600}


async def test_one_that_was_open_is_closed(data: Path) -> None:
    await use(data)
    leave_open(data)
    found = await use(data)
    assert mode(data) == 0o700
    assert set(found.values()) == {0o600}
    assert not read_by_others(data)


def test_a_folder_with_other_things_in_it_stays_as_it_is(data: Path) -> None:
    data.mkdir(mode=0o755)
    (data / "thesis.tex").touch()
    data_folder(data)
    assert mode(data) == 0o755
    assert read_by_others(data)


def test_what_is_everybodys_stays_everybodys(data: Path) -> None:
    data.mkdir()
    data.chmod(0o1777)
    data_folder(data)
    assert mode(data) == 0o1777


def test_folders_within_it(data: Path) -> None:
    own_folder(data / "recordings")
    assert mode(data / "recordings") == 0o700
    (data / "recordings").chmod(0o755)
    own_folder(data / "recordings")
    assert mode(data / "recordings") == 0o700


def test_the_token_of_the_demonstration(data: Path) -> None:
    demonstration({"RINGBACK_SERVER__DATA": str(data)}, "http://h")
    assert (mode(data), mode(data / "account.toml")) == (0o700, 0o600)


async def test_a_file_in_its_place_is_said(data: Path) -> None:
    await asyncio.to_thread(data.touch)
    with pytest.raises(StoreError, match="cannot be used"):
        await Store.open("sqlite", data)
    assert not out_of_reach(data)
