"""Inbound calls through a whole server: the same conversation in each dialect, and how else it may go."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.site import DIALECTS, NUMBERS, SPEAKS, Site, loud_seconds

from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOLD = {
    "laml": ["completed"],
    "twilio": ["completed"],
    "jambonz": ["trying", "in-progress", "completed"],
    "callapi": ["completed"],
}


async def converse(site: Site, dialect: str) -> None:
    speaks = SPEAKS[dialect]
    prompt = site.tone(f"/{dialect}/tone.wav", 0.6)
    site.reply(dialect, "voice", speaks.gather(f"/{dialect}/digits", speaks.play(prompt), keys=2))
    site.reply(dialect, "digits", speaks.play(prompt), speaks.hang_up())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        await call.answered()
        await call.silence(0.2)
        await call.press("42")
        assert await call.ended() == "remote"
    asked = await site.app.request(f"/{dialect}/digits")
    assert speaks.digits(asked) == "42"
    assert 1.0 < loud_seconds(call.heard()) < 1.5, "two prompts of 0.6 s each"


async def test_a_caller_hears_presses_and_is_told_in_every_dialect(site: Site) -> None:
    await asyncio.gather(*(converse(site, dialect) for dialect in DIALECTS))
    for dialect in DIALECTS:
        told = await site.statuses(dialect)
        assert [status for status in told if status in TOLD[dialect]] == TOLD[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_busy_rejection_is_486_and_nothing_is_answered(site: Site, dialect: str) -> None:
    site.reply(dialect, "voice", SPEAKS[dialect].reject_busy())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        with pytest.raises(CallFailed) as refused:
            await call.answered()
    assert refused.value.status == 486
    told = {"jambonz": "failed"}.get(dialect, "busy")
    assert (await site.statuses(dialect))[-1] == told


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_redirect_leads_on(site: Site, dialect: str) -> None:
    speaks = SPEAKS[dialect]
    site.reply(dialect, "voice", speaks.redirect(f"{site.app.url}/{dialect}/next"))
    site.reply(dialect, "next", speaks.pause(1), speaks.hang_up())
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        await site.app.request(f"/{dialect}/next")
        await call.ended()
