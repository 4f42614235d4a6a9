"""Calls whose application fails: many at once, and how each ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from aiohttp import web
from tests.patience import PATIENCE
from tests.world import World

from ringback.testing.kit import Answer, Asked
from ringback.testing.softphone import PhoneCall


class Outcome(NamedTuple):
    """What a failure comes to."""

    sip_status: int
    """The caller's final response; 200 where the call was answered and then ended by us."""
    status: str
    """The call's neutral status."""
    code: str
    """Of the note on the call's time line that says why; empty for none."""


def reply(
    body: str | bytes = b"", kind: str = "text/xml", status: int = 200, **headers: str
) -> Callable[[Asked], web.Response]:
    """An answer of any kind."""
    data = body.encode() if isinstance(body, str) else body

    def answer(_: Asked) -> web.Response:
        return web.Response(body=data, status=status, headers={"Content-Type": kind, **headers})

    return answer


def json(body: str) -> Callable[[Asked], web.Response]:
    """An answer in JSON, or what claims to be it."""
    return reply(body, "application/json")


async def spoken_to(call: PhoneCall) -> None:
    """Wait until something else than silence is heard: an apology need not be heard out."""
    async with asyncio.timeout(PATIENCE):
        while not np.any(np.abs(call.heard()) > 500):
            await call.audio.arrival()


async def outcomes(
    world: World, flavour: str, answers: Mapping[str, Answer], *, kind: str = ""
) -> dict[str, Outcome]:
    """Call a number for each answer, all at once; how each call ended."""
    ended = await asyncio.gather(*(_outcome(world, flavour, answer, kind) for answer in answers.values()))
    return dict(zip(answers, ended, strict=True))


async def _outcome(world: World, flavour: str, answer: Answer, kind: str) -> Outcome:
    number = world.number(flavour, answer, kind=kind)
    async with world.server.phone() as phone:
        call = await phone.call(number)
        who = await call.ended()
        assert who in ("failed", "remote")
    await world.server.settled()
    record = await world.record(call)
    assert record.sip_status == call.status
    assert record.cause
    notes = [note for note in await world.notes(record.id) if note.level != "info"]
    return Outcome(call.status, str(record.status), notes[-1].code if notes else "")
