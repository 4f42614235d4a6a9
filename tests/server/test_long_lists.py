"""Long lists over REST are made in slices: no call waits until somebody's list is done."""

from __future__ import annotations

import asyncio
import contextlib
import pkgutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from tests.store.making import event, recording, row
from tests.world import World

from ringback.calls.verbs import RecordingPlan
from ringback.net import slices

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 40
SIZE = {"PageSize": str(MANY)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A server that knows many calls."""
    async with World.running(tmp_path_factory.mktemp("lists") / "data") as world:
        now = time.time()
        ended = {"status": "completed", "created_at": now, "updated_at": now, "ended_at": now}
        owner = {"account_id": str(world.account.id), "dialect": "laml", **ended}
        store = world.server.store
        await asyncio.gather(*(store.append(event(n, row=row(n, **owner))) for n in range(MANY)))
        kept = {"account_id": str(world.account.id), "dialect": "laml", "plan": RECORDED}
        await asyncio.gather(*(store.put_recording(recording(n, call=n, **kept)) for n in range(MANY)))
        yield world


class Turns:
    """Counts the event loop's turns."""

    def __init__(self) -> None:
        self.now = 0

    @classmethod
    @asynccontextmanager
    async def counted(cls) -> AsyncIterator[Turns]:
        turns = cls()
        counting = asyncio.create_task(turns._count())
        try:
            yield turns
        finally:
            counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await counting

    async def _count(self) -> None:
        while True:
            self.now += 1
            await asyncio.sleep(0)

    def of(self, work: Callable[..., Any], into: list[int]) -> Callable[..., Any]:
        """The same work, which notes in which turn it was done."""

        def noting(*given: Any, **named: Any) -> Any:
            into.append(self.now)
            return work(*given, **named)

        return noting


RECORDED = msgspec.to_builtins(RecordingPlan())

STEPS = [
    *((flavour, "ringback.calls.switchboard.from_row") for flavour in ("twilio", "jambonz", "callapi")),
    ("signalwire", "ringback.dialects.laml.resources.View.call"),
    ("twilio", "ringback.dialects.laml.resources.View.call"),
    ("jambonz", "ringback.dialects.jambonz.callrest.call_resource"),
    ("callapi", "ringback.dialects.callapi.listing.call_resource"),
    ("callapi", "ringback.dialects.callapi.represent._object"),
    ("callapi-xml", "ringback.dialects.callapi.represent._element"),
]


@pytest.mark.parametrize(("flavour", "step"), STEPS)
async def test_each_slice_is_in_a_turn_of_its_own(
    world: World, flavour: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    done: list[int] = []
    rest = world.rest(flavour.removesuffix("-xml"))
    path = rest.calls.removesuffix(".json") if flavour.endswith("-xml") else rest.calls
    async with Turns.counted() as turns:
        monkeypatch.setattr(step, turns.of(pkgutil.resolve_name(step), done))
        reply = await rest.request("GET", path, params=SIZE)
    assert reply.status == 200
    assert all(reply.text.count(UUID(int=1000 + n).hex[-12:]) for n in range(MANY))
    assert len(set(done)) >= MANY


OTHER_LISTS = [
    ("signalwire", "Recordings", SIZE, "ringback.dialects.laml.recordings.resource"),
    ("callapi", "Recordings.json", SIZE, "ringback.dialects.callapi.recordings._resource"),
    ("jambonz", "RecentCalls", {"page": "1", "count": str(MANY)}, "ringback.dialects.jambonz.recents.cdr"),
]


@pytest.mark.parametrize(("flavour", "name", "query", "step"), OTHER_LISTS)
async def test_other_lists_are_made_so_too(
    world: World, flavour: str, name: str, query: dict[str, str], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    done: list[int] = []
    rest = world.rest(flavour)
    async with Turns.counted() as turns:
        monkeypatch.setattr(step, turns.of(pkgutil.resolve_name(step), done))
        reply = await rest.request("GET", f"{rest.base}/{name}", params=query)
    assert reply.status == 200
    assert len(set(done)) >= MANY
