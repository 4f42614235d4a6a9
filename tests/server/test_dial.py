"""Dial with real telephones: who is called, who is connected, what either hears, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.server.neutral import HANG_UP, HOOK, Neutral, callee, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Action
from ringback.calls.events import Bridged, CallRinging, Unbridged
from ringback.calls.outcome import EndOfVerb
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Dial
from ringback.dialects.laml import Laml
from ringback.testing.softphone import Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Neutral:
    """Answers for every inbound call."""
    application = Neutral()
    monkeypatch.setattr(Laml, "application", lambda *_: application)
    return application


@pytest_asyncio.fixture(loop_scope="module")
async def phones(site: Site) -> AsyncIterator[tuple[Softphone, Softphone, Softphone]]:
    """A caller and two that are called."""
    async with (
        site.caller() as caller,
        site.server.phone("bob", "") as bob,
        site.server.phone("carol", "") as carol,
    ):
        yield caller, bob, carol


Phones = tuple[Softphone, Softphone, Softphone]
NUMBER = NUMBERS["laml"]


async def test_two_are_connected_and_hear_each_other(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), action=HOOK), HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming(5)
    called.ring()
    await app.event(CallRinging)
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    called.hang_up()
    assert await call.ended(10) == "remote"
    await site.server.settled()
    [outcome] = app.outcomes()
    leg = app.ends()["bob"]
    assert (outcome.end, outcome.callee_status, outcome.bridged) == (EndOfVerb.DONE, "completed", True)
    assert (outcome.callee, outcome.sip_status, outcome.sip_call_id) == (leg.id, 200, leg.sip_call_id)
    parent = app.ends()[NUMBER]
    assert (leg.parent_id, leg.direction) == (parent.id, Direction.OUTBOUND_DIAL)
    assert (leg.from_, leg.status, leg.ended_by) == (parent.from_, CallStatus.COMPLETED, "remote")
    bridged = [(type(e), r.id, e.other) for e, r in app.told if isinstance(e, Bridged | Unbridged)]
    assert bridged == [
        (Bridged, parent.id, leg.id),
        (Bridged, leg.id, parent.id),
        (Unbridged, parent.id, leg.id),
    ]
    question = await app.question("action")
    assert isinstance(question, Action)
    assert question.outcome == outcome
