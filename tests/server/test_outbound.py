"""Calls placed over REST, in every dialect: how each ends, and what the application is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.calls.making import FakeApplication
from tests.server.site import DIALECTS, SPEAKS, Site, loud_seconds

from ringback.calls.control import CallRequest
from ringback.calls.events import CallEvent
from ringback.calls.record import CallRecord
from ringback.calls.verbs import Target
from ringback.sip.inbound import InboundCall
from ringback.store.records import CallFilter, CallRow
from ringback.testing.softphone import Softphone
from ringback.webhooks.delivery import Delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAML = SPEAKS["laml"]


def address_of(phone: Softphone) -> str:
    return f"sip:bob@{phone.listening.partition(':')[2]}"


async def last_row(site: Site) -> CallRow:
    """The newest call, once everything about it is durable."""
    await site.server.settled()
    [row] = await site.server.store.calls(CallFilter(), limit=1)
    return row


@pytest.fixture
def phone(site: Site) -> Softphone:
    """Somebody elsewhere, called by SIP URI."""
    return site.server.phone("bob", "")


ANSWERED = {
    "laml": ["initiated", "ringing", "in-progress", "completed"],
    "twilio": ["initiated", "ringing", "in-progress", "completed"],
    "callapi": ["initiated", "ringing", "in-progress", "completed"],
    "jambonz": ["trying", "ringing", "in-progress", "completed"],
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_answered(site: Site, phone: Softphone, dialect: str) -> None:
    tone = site.tone("/tone.wav", 0.3)
    speaks = SPEAKS[dialect]
    site.reply(dialect, "voice", speaks.play(tone), speaks.hang_up())
    async with phone:
        await site.create(dialect, address_of(phone))
        call = await phone.incoming()
        call.ring()
        await asyncio.sleep(0.05)
        call.answer()
        assert await call.ended() == "remote"
    assert loud_seconds(call.heard()) > 0.2
    assert await site.statuses(dialect) == ANSWERED[dialect]
    assert (await last_row(site)).status == "completed"


@pytest.mark.parametrize(
    ("status", "row", "told"),
    [
        (486, "busy", {"": "busy"}),
        (600, "busy", {"": "busy"}),
        (603, "declined", {"": "busy", "laml": "no-answer", "twilio": "no-answer"}),
        (404, "failed", {"": "failed"}),
        (480, "unavailable", {"": "failed", "laml": "no-answer", "twilio": "no-answer"}),
        (503, "failed", {"": "failed"}),
    ],
)
async def test_refused(site: Site, phone: Softphone, status: int, row: str, told: dict[str, str]) -> None:
    async with phone:
        for dialect in DIALECTS:
            await site.create(dialect, address_of(phone))
            (await phone.incoming()).reject(status)
            last = (await site.statuses(dialect))[-1]
            assert last == told.get(dialect, told[""]), dialect
            stored = await last_row(site)
            assert (stored.status, stored.sip_status, stored.ended_by) == (row, status, "remote")
            assert str(status) in stored.cause


TIMEOUTS = {"laml": "Timeout", "twilio": "Timeout", "callapi": "Timeout", "jambonz": "timeout"}


async def test_nobody_answers(site: Site, phone: Softphone) -> None:
    """All dialects at once: each phone rings for a second and is then left alone."""
    async with phone:
        for dialect in DIALECTS:
            await site.create(dialect, address_of(phone), **{TIMEOUTS[dialect]: 1})
        calls = [await phone.incoming() for _ in DIALECTS]
        for call in calls:
            call.ring()
        assert [await call.ended() for call in calls] == ["remote"] * len(calls)
    for dialect in DIALECTS:
        assert (await site.statuses(dialect))[-1] == "no-answer"
    for row in await site.server.store.calls(CallFilter(), limit=len(DIALECTS)):
        assert (row.status, row.cause) == ("no-answer", "no answer within 1 s")


CANCEL: dict[str, dict[str, Any]] = {
    "laml": {"Status": "canceled"},
    "twilio": {"Status": "canceled"},
    "callapi": {"Status": "canceled"},
    "jambonz": {"call_status": "no-answer"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_cancelled_before_the_answer(site: Site, phone: Softphone, dialect: str) -> None:
    async with phone:
        sid = await site.create(dialect, address_of(phone))
        call = await phone.incoming()
        call.ring()
        method = "PUT" if dialect == "jambonz" else "POST"
        status, body = await site.request(method, dialect, f"Calls/{sid}", **CANCEL[dialect])
        assert status in (200, 202), body
        assert await call.ended() == "remote"
    row = await last_row(site)
    assert row.status == ("no-answer" if dialect == "jambonz" else "canceled")
    assert row.ended_by == "control"
    assert not [asked for asked in site.app.asked if asked.path == f"/{dialect}/voice"]


@pytest.mark.parametrize(
    ("to", "cause"),
    [
        pytest.param("sip:bob@127.0.0.1:9", "", id="a port where nobody listens"),
        pytest.param(
            "sip:bob@nowhere.invalid", "the target's name has no address", id="a name without address"
        ),
    ],
)
async def test_nobody_is_there(site: Site, to: str, cause: str) -> None:
    sid = await site.create("laml", to, Timeout=2)
    assert (await site.statuses("laml"))[-1] in ("failed", "no-answer")
    row = await last_row(site)
    assert row.status in ("failed", "no-answer")
    assert cause in row.cause
    assert (await site.call("laml", sid))["status"] in ("failed", "no-answer")


class Silent(FakeApplication):
    """Wants no callbacks."""

    def deliveries(self, event: CallEvent, call: CallRecord) -> list[Delivery]:
        return []


async def test_header_fields_that_cannot_be_sent_end_the_call(site: Site, phone: Softphone) -> None:
    """Dialects refuse them before; what slips through must not leave a call queued for ever."""
    async with phone:
        target = Target(kind="sip", address=address_of(phone), headers=(("X-Note", "two\r\nlines"),))
        request = CallRequest(
            account=site.account,
            application=Silent(),
            to=target,
            to_shown="bob",
            from_="+14155550100",
        )
        await site.server.switchboard.create(request)
        row = await last_row(site)
    assert (row.status, row.ended_by) == ("failed", "server")
    assert "header field" in row.cause


async def test_an_answer_without_anything_usable_ends_the_call(site: Site, phone: Softphone) -> None:
    answer = (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 x.example\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
    async with phone:
        await site.create("laml", address_of(phone))
        call = await phone.incoming()
        assert isinstance(call.session, InboundCall)
        call.session.answer(answer)
        assert await call.ended() == "remote"
    row = await last_row(site)
    assert row.status == "failed"
    assert "x.example" in row.cause


async def test_a_time_limit_ends_it(site: Site, phone: Softphone) -> None:
    site.reply("laml", "voice", LAML.gather("/laml/digits", keys=1, timeout=60))
    async with phone:
        await site.create("laml", address_of(phone), TimeLimit=1)
        call = await phone.incoming()
        call.answer()
        assert await call.ended() == "remote"
    row = await last_row(site)
    assert (row.status, row.ended_by, row.cause) == ("completed", "server", "the time limit passed")


async def test_digits_are_sent_at_the_answer_before_the_application_is_asked(
    site: Site, phone: Softphone
) -> None:
    site.reply("laml", "voice", LAML.hang_up())
    async with phone:
        await site.create("laml", address_of(phone), SendDigits="12#")
        call = await phone.incoming()
        call.answer()
        await call.ended()
    assert call.audio.events_heard == ["1", "2", "#"]


async def test_markup_in_the_request_runs_without_asking(site: Site, phone: Softphone) -> None:
    fields = {"From": "+14155550100", "Twiml": "<Response><Hangup/></Response>"}
    async with phone:
        status, body = await site.post("twilio", "Calls", To=address_of(phone), **fields)
        assert status == 201, body
        call = await phone.incoming()
        call.answer()
        await call.ended()
    assert not [asked for asked in site.app.asked if "voice" in asked.path]


async def test_a_callee_who_hangs_up(site: Site, phone: Softphone) -> None:
    site.reply("laml", "voice", LAML.gather("/laml/digits", keys=1, timeout=60))
    async with phone:
        await site.create("laml", address_of(phone))
        call = await phone.incoming()
        call.answer()
        await site.app.request("/laml/voice")
        call.hang_up()
        assert (await site.statuses("laml"))[-1] == "completed"
    assert (await last_row(site)).ended_by == "remote"
