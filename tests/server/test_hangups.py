"""A caller may hang up whatever the call is doing: it ends there, and the application is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.server.site import NUMBERS, SPEAKS, Site

from ringback.calls.timeline import lines_of
from ringback.store.records import CallFilter

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]
ANSWER = LAML.pause(1)


def moments(site: Site) -> dict[str, list[Any]]:
    """What the call does when the caller hangs up half a second after the answer."""
    long = site.tone("/long.wav", 30.0)
    return {
        "while it speaks": [LAML.say("one two three four five six seven eight nine ten " * 5)],
        "while it plays": [LAML.play(long)],
        "in an endless loop": [LAML.play(site.tone("/short.wav", 0.1), loop=0)],
        "in a pause": [LAML.play(site.tone("/short.wav", 0.1)), LAML.pause(60)],
        "while keys are collected": [LAML.gather("/laml/digits", LAML.play(long), keys=4)],
        "while nothing is pressed": [LAML.gather("/laml/digits", keys=4, timeout=60)],
        "while keys are sent": ['<Play digits="1W2W3W4W5W6"/>'],
        "while the application thinks": [
            LAML.play(site.tone("/short.wav", 0.1)),
            LAML.redirect(f"{site.app.url}/laml/slow"),
        ],
        "while audio is fetched": [LAML.play(f"{site.app.url}/slow.wav")],
    }


WHEN = (
    "while it speaks", "while it plays", "in an endless loop", "in a pause", "while keys are collected",
    "while nothing is pressed", "while keys are sent", "while the application thinks",
    "while audio is fetched",
)  # fmt: skip


async def think(_: object) -> str:
    await asyncio.sleep(30)
    return "<Response/>"


async def hang_up_after(site: Site, seconds: float) -> None:
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        await call.hears(seconds)
        call.hang_up()


async def test_it_ends_there_and_the_application_is_told(site: Site) -> None:
    """All of them at once: each call gets its document in turn."""
    documents = moments(site)
    assert tuple(documents) == WHEN
    site.app.reply("/laml/slow", think)
    site.app.reply("/slow.wav", think)
    site.app.reply("/laml/voice", *(LAML.document(*verbs, LAML.say("never")) for verbs in documents.values()))
    await asyncio.gather(*(hang_up_after(site, 0.5) for _ in WHEN))
    assert await site.statuses("laml") == ["completed"] * len(WHEN)
    assert not [asked for asked in site.app.asked if asked.path == "/laml/digits"]
    for row in await site.server.store.calls(CallFilter(), limit=len(WHEN)):
        assert (row.cause, row.ended_by) == ("the far end hung up", "remote")
        assert row.answered_at is not None
        texts = [line.text for line in await lines_of(site.server.store, row.id)]
        assert not any("never" in text for text in texts), "nothing runs after the end"


async def test_a_bye_with_a_reason_leaves_its_headers(site: Site) -> None:
    site.reply("laml", "voice", LAML.gather("/laml/digits", keys=1, timeout=30))
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["laml"])
        await call.answered()
        call.session.bye([("Reason", "Q.850;cause=16")])
        await site.server.switchboard.idle()
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    assert ["Reason", "Q.850;cause=16"] in row.extra["end_headers"]
