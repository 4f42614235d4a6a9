"""A connected party asks for a transfer: blind, attended, decided by the application, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import pytest_asyncio
from tests.patience import PATIENCE
from tests.server.neutral import HANG_UP, HOOK, Neutral, callee, live_call, talk
from tests.server.site import NUMBERS, Site

from ringback.calls.application import Action, Referred
from ringback.calls.events import CallEnded
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, Configure, Dial, Pause, Target, Verb
from ringback.dialects.laml import Laml
from ringback.sip.referral import Replaces, read_sipfrag
from ringback.sip.uri import Uri
from ringback.testing.kit import DEVICE
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
ALICE = Callee(target=Target(kind="client", address=DEVICE), shown=DEVICE)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Neutral:
    """Answers for every inbound call."""
    application = Neutral()
    monkeypatch.setattr(Laml, "application", lambda *_: application)
    return application


@pytest_asyncio.fixture(loop_scope="module")
async def phones(site: Site) -> AsyncIterator[tuple[Softphone, Softphone, Softphone]]:
    """A caller from outside, a registered device, and somebody outside to be transferred to."""
    may_dial_out(site, True)
    async with (
        site.caller() as caller,
        site.server.phone() as alice,
        site.server.phone("carol", "") as carol,
    ):
        await alice.register()
        yield caller, alice, carol


Phones = tuple[Softphone, Softphone, Softphone]


def may_dial_out(site: Site, may: bool) -> None:
    """Whether the account's devices reach what is not of the house."""
    site.server.directory.put(msgspec.structs.replace(site.account, devices_dial_out=may))


def at(phone: Softphone) -> Uri:
    """Where a phone is reached."""
    return Uri.parse(f"sip:{phone.username}@{phone.listening.partition(':')[2]}")


def dialog_of(call: PhoneCall) -> Replaces:
    """A call of the phone's as its far end sees it."""
    session = call.session
    return Replaces(
        call_id=session.call_id, to_tag=session.remote.tag or "", from_tag=session.local.tag or ""
    )


class Statuses(list[int]):
    """What NOTIFYs brought so far."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def take(self, status: int) -> None:
        self.append(status)
        self._more.set()

    async def told(self, status: int) -> None:
        """Wait until this one is among them."""
        async with asyncio.timeout(PATIENCE):
            while status not in self:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def reports(call: PhoneCall) -> AsyncIterator[Statuses]:
    """The statuses that NOTIFYs bring, while the block lasts."""
    statuses = Statuses()

    async def listen() -> None:
        while True:
            incoming = await call.requests.get()
            told = read_sipfrag(incoming.request.body)
            assert incoming.request.headers.get("Event") == "refer"
            assert told is not None
            statuses.take(told[0])
            incoming.reply(200)

    listening = asyncio.get_running_loop().create_task(listen())
    try:
        yield statuses
    finally:
        listening.cancel()


async def refer(call: PhoneCall, to: Uri, *headers: tuple[str, str]) -> int:
    """Ask to be transferred; the status that this is answered with."""
    return (await call.transfer(str(to), *headers)).status


async def connected(
    app: Neutral, caller: Softphone, alice: Softphone, *verbs: Verb
) -> tuple[PhoneCall, PhoneCall]:
    """The caller's call and the device's, connected by a Dial."""
    app.answer("new-call", *(verbs or (Dial(callees=(ALICE,), action=HOOK),)), HANG_UP)
    call = await caller.call(NUMBER)
    called = await alice.incoming()
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    return call, called


async def test_a_device_transfers_the_caller(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    async with reports(called) as statuses:
        assert await refer(called, at(carol), ("Referred-By", "<sip:alice@example.com>")) == 202
        third = await carol.incoming()
        assert third.session.request.headers.get("Referred-By") == "<sip:alice@example.com>"
        third.ring()
        await statuses.told(180)
        third.answer()
        assert await called.ended() == "remote"
        assert statuses == [100, 180, 200]
    await talk(call, third)
    third.hang_up()
    assert await call.ended() == "remote"
    await site.server.settled()
    assert not [ask for ask, _ in app.asked if isinstance(ask, Action)]
    assert app.ends()[DEVICE].cause == "it transferred the other party"


async def test_a_device_that_hangs_up_at_once_has_transferred_all_the_same(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    assert await refer(called, at(carol)) == 202
    called.hang_up()
    third = await carol.incoming()
    third.answer()
    await talk(call, third)
    call.hang_up()
    assert await third.ended() == "remote"


async def test_a_device_transfers_to_a_number_of_the_house(site: Site, app: Neutral, phones: Phones) -> None:
    """What it names at our domain is what it would get by calling it: here an application."""
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    app.answer("new-call", Dial(callees=(callee(carol),)), HANG_UP)
    async with reports(called) as statuses:
        assert await refer(called, Uri.parse(f"sip:{NUMBER}@{site.server.sip_address}")) == 202
        third = await carol.incoming()
        third.answer()
        assert await called.ended() == "remote"
        assert statuses == [100, 200]
    await talk(call, third)
    third.hang_up()
    assert await call.ended() == "remote"


async def test_a_device_transfers_nobody_to_where_it_may_not_call(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, alice, carol = phones
    may_dial_out(site, False)
    call, called = await connected(app, caller, alice)
    assert await refer(called, Uri.parse(f"sip:+19005550100@{site.server.sip_address}")) == 404
    assert await refer(called, at(carol)) == 403
    await talk(call, called)
    call.hang_up()
    await called.ended()


async def test_after_a_transfer_that_fails_the_two_are_connected_again(
    site: Site, app: Neutral, phones: Phones
) -> None:
    """What would have followed the Dial does not run; the next try may succeed."""
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    for status in (486, 603):
        async with reports(called) as statuses:
            assert await refer(called, at(carol)) == 202
            (await carol.incoming()).reject(status)
            await statuses.told(status)
            assert statuses == [100, status]
        await talk(call, called)
    assert await refer(called, at(carol)) == 202
    third = await carol.incoming()
    third.answer()
    assert await called.ended() == "remote"
    await talk(call, third)
    call.hang_up()
    assert await third.ended() == "remote"
    await site.server.settled()
    assert not [ask for ask, _ in app.asked if isinstance(ask, Action)]


async def test_a_caller_gets_back_whom_it_could_not_transfer(
    site: Site, app: Neutral, phones: Phones
) -> None:
    bob, alice, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob, "bob"),), action=HOOK), HANG_UP)
    call = await alice.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    async with reports(call) as statuses:
        assert await refer(call, at(carol)) == 202
        (await carol.incoming()).reject(480)
        await statuses.told(480)
    await talk(call, called)
    call.hang_up()
    assert await called.ended() == "remote"


async def test_nobody_is_left_for_whom_a_transfer_fails(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    assert await refer(called, at(carol)) == 202
    third = await carol.incoming()
    called.hang_up()
    await app.event(CallEnded)
    third.reject(486)
    assert await call.ended() == "remote"
    await site.server.settled()
    assert app.ends()[NUMBER].cause == "the target of its transfer cannot be had"


async def test_a_redirect_ends_a_transfer_under_way(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    app.answer("redirect", Pause(seconds=60))
    async with reports(called) as statuses:
        assert await refer(called, at(carol)) == 202
        third = await carol.incoming()
        live = live_call(site.server, NUMBER)
        await site.server.switchboard.redirect(live.record.account_id, live.record.id, hook=HOOK)
        assert await called.ended() == "remote"
        assert statuses == [100, 487]
    await third.ended()
    call.hang_up()


async def test_the_device_that_called_transfers_whom_it_called(
    site: Site, app: Neutral, phones: Phones
) -> None:
    bob, alice, carol = phones
    app.answer("new-call", Dial(callees=(callee(bob, "bob"),), action=HOOK), HANG_UP)
    call = await alice.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    async with reports(call) as statuses:
        assert await refer(call, at(carol)) == 202
        third = await carol.incoming()
        third.answer()
        assert await call.ended() == "remote"
        assert statuses == [100, 200]
    await talk(called, third)
    called.hang_up()
    assert await third.ended() == "remote"


async def test_a_device_consults_and_transfers(site: Site, app: Neutral, phones: Phones) -> None:
    """The caller's Dial goes on with the new party, and ends with it."""
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    app.answer("new-call", Dial(callees=(callee(carol),)), HANG_UP)
    second = await alice.call(NUMBER)
    third = await carol.incoming()
    third.answer()
    await asyncio.gather(second.answered(), talk(second, third))
    async with reports(called) as statuses:
        assert await refer(called, dialog_of(second).within(at(carol))) == 202
        assert await called.ended() == "remote"
        assert await second.ended() == "remote"
        assert statuses == [100, 200]
    await talk(call, third)
    third.hang_up()
    question = await app.question("action")
    assert isinstance(question, Action)
    assert question.outcome.bridged
    assert await call.ended() == "remote"
    await site.server.settled()
    assert question.outcome.callee == app.ends()["carol"].id


async def test_a_device_that_called_both_leaves_them_connected(
    site: Site, app: Neutral, phones: Phones
) -> None:
    bob, alice, carol = phones
    calls = []
    for phone in (bob, carol):
        app.answer("new-call", Dial(callees=(callee(phone, phone.username),)), HANG_UP)
        call = await alice.call(NUMBER)
        called = await phone.incoming()
        called.answer()
        await asyncio.gather(call.answered(), talk(call, called))
        calls.append((call, called))
    (first, to_bob), (second, to_carol) = calls
    async with reports(first) as statuses:
        assert await refer(first, dialog_of(second).within(at(carol))) == 202
        await asyncio.gather(first.ended(), second.ended())
        assert statuses == [100, 200]
    await talk(to_bob, to_carol)
    to_carol.hang_up()
    assert await to_bob.ended() == "remote"


async def test_the_application_decides(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, carol = phones
    app.answer("refer", Dial(callees=(callee(carol),)), HANG_UP)
    call, called = await connected(app, caller, alice, Dial(callees=(ALICE,), refer_hook=HOOK))
    async with reports(called) as statuses:
        assert await refer(called, Uri.parse("sip:sales@example.com"), ("X-Why", "lunch")) == 202
        assert await called.ended() == "remote"
        assert statuses == [100, 200]
    third = await carol.incoming()
    third.answer()
    await talk(call, third)
    third.hang_up()
    await call.ended()
    question = await app.question("refer")
    assert isinstance(question, Referred)
    assert (question.refer_to, question.refer_to_user) == ("sip:sales@example.com", "sales")
    assert ("X-Why", "lunch") in question.headers


async def test_the_application_declines(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, _ = phones
    verbs = Configure(refer_hook=HOOK), Dial(callees=(ALICE,))
    call, called = await connected(app, caller, alice, *verbs)
    assert await refer(called, Uri.parse("sip:sales@example.com")) == 603
    await talk(call, called)
    call.hang_up()
    await called.ended()


async def test_strangers_do_not_transfer(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    assert await refer(call, at(carol)) == 403
    assert (await called.session.send_request("REFER", [("Refer-To", "nonsense")])).status == 400
    await talk(call, called)
    call.hang_up()
    await called.ended()


async def test_both_gone_while_it_is_decided(site: Site, app: Neutral, phones: Phones) -> None:
    """Nothing is left up."""
    caller, alice, carol = phones
    call, called = await connected(app, caller, alice)
    assert await refer(called, at(carol)) == 202
    third = await carol.incoming()
    call.hang_up()
    await third.ended()
    await called.ended()
    await site.server.settled()
    ended = [record.status for event, record in app.told if isinstance(event, CallEnded)]
    assert sorted(ended) == [CallStatus.CANCELED, CallStatus.COMPLETED, CallStatus.COMPLETED]


def in_place_of(call: PhoneCall) -> tuple[tuple[str, str], ...]:
    """The header fields of an INVITE that takes a call's place."""
    return (("Replaces", str(dialog_of(call))),)


async def test_another_device_takes_the_call_over(site: Site, app: Neutral, phones: Phones) -> None:
    """The caller's Dial goes on with it."""
    caller, alice, _ = phones
    call, called = await connected(app, caller, alice)
    async with site.server.phone() as desk:
        taken = await desk.call("alice", headers=in_place_of(called))
        assert await called.ended() == "remote"
        await talk(call, taken)
        taken.hang_up()
        question = await app.question("action")
        assert question.outcome.bridged
        assert await call.ended() == "remote"


async def test_another_device_takes_the_callers_place(site: Site, app: Neutral, phones: Phones) -> None:
    bob, alice, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob, "bob"),)), HANG_UP)
    call = await alice.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    async with site.server.phone() as desk:
        taken = await desk.call("bob", headers=in_place_of(call))
        assert await call.ended() == "remote"
        await talk(taken, called)
        called.hang_up()
        assert await taken.ended() == "remote"


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        ("nobody@192.0.2.1;to-tag=1;from-tag=2", 481),
        ("nonsense", 400),
    ],
)
async def test_a_call_that_cannot_be_taken_over(
    site: Site, app: Neutral, phones: Phones, replaces: str, status: int
) -> None:
    _, alice, _ = phones
    call = await alice.call(NUMBER, headers=(("Replaces", replaces),))
    with pytest.raises(CallFailed) as caught:
        await call.answered()
    assert caught.value.status == status


async def test_who_may_not_take_a_call_over(site: Site, app: Neutral, phones: Phones) -> None:
    caller, alice, _ = phones
    call, called = await connected(app, caller, alice)
    for phone, replaces, status in (
        (caller, in_place_of(called), 403),
        (alice, (("Replaces", f"{dialog_of(called)};early-only"),), 486),
    ):
        second = await phone.call(NUMBER, headers=replaces)
        with pytest.raises(CallFailed) as caught:
            await second.answered()
        assert caught.value.status == status
    await talk(call, called)
    call.hang_up()
    await called.ended()
