"""The Refer verb: a far end is asked to call somebody else, and says how that went."""

from __future__ import annotations

import asyncio

import pytest
from tests.calls.making import FakeApplication
from tests.patience import PATIENCE
from tests.server.site import Site

from ringback.calls.application import Document
from ringback.calls.control import CallRequest
from ringback.calls.events import CallEvent, ReferProgress, VerbEnded
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord
from ringback.calls.verbs import HangUp, Hook, Refer, Target, Verb
from ringback.sip.incoming import IncomingRequest
from ringback.sip.referral import SIPFRAG, sipfrag
from ringback.testing.kit import DEVICE
from ringback.testing.softphone import PhoneCall, Softphone
from ringback.webhooks.delivery import Delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOOK = Hook(url="http://app.example/progress")


class Watched(FakeApplication):
    """Wants no callbacks; `ended` brings the outcome of each verb."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: asyncio.Queue[Outcome] = asyncio.Queue()

    def deliveries(self, event: CallEvent, call: CallRecord) -> list[Delivery]:
        return []

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        super().notify(event, call)
        if isinstance(event, VerbEnded) and event.verb == "Refer":
            self.ended.put_nowait(event.outcome)

    @property
    def progress(self) -> list[tuple[int, Hook | None]]:
        return [(event.sip_status, event.hook) for event in self.told if isinstance(event, ReferProgress)]


async def asked(site: Site, phone: Softphone, verb: Verb) -> tuple[Watched, PhoneCall, IncomingRequest]:
    """Call a phone and send it a REFER: the application, the call at the phone, and the REFER."""
    application = Watched()
    await phone.register()
    await site.server.switchboard.create(
        CallRequest(
            account=site.account,
            application=application,
            to=Target(kind="client", address=DEVICE),
            to_shown=DEVICE,
            from_="+14155550100",
            document=Document(verbs=(verb,), application=application, at_end=HangUp()),
        )
    )
    call = await phone.incoming()
    call.answer()
    return application, call, await asyncio.wait_for(call.requests.get(), PATIENCE)


async def told(call: PhoneCall, status: int, state: str = "active;expires=60") -> int:
    """Send a NOTIFY, and return the status that it was answered with."""
    headers = [("Event", "refer"), ("Subscription-State", state)]
    response = await call.session.send_request("NOTIFY", headers, sipfrag(status), SIPFRAG)
    return response.status


async def test_a_far_end_that_transfers(site: Site) -> None:
    async with site.server.phone() as phone:
        verb = Refer(refer_to="+14155550177", progress=HOOK, headers=(("X-Order", "7"),))
        application, call, refer = await asked(site, phone, verb)
        headers = refer.request.headers
        host = call.session.local.uri.host
        assert headers.get("Refer-To") == f"<sip:+14155550177@{host}:{call.session.local.uri.port}>"
        assert "+14155550100@" in (headers.get("Referred-By") or "")
        assert headers.get("X-Order") == "7"
        refer.reply(202)
        assert await told(call, 100) == 200
        assert await told(call, 180) == 200
        assert await told(call, 200, "terminated;reason=noresource") == 200
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
        await call.ended()
    assert outcome == Outcome(sip_status=202, sip_reason="Accepted", notified_status=200)
    assert application.progress == [(100, HOOK), (180, HOOK), (200, HOOK)]


async def test_a_far_end_that_refuses(site: Site) -> None:
    async with site.server.phone() as phone:
        application, call, refer = await asked(site, phone, Refer(refer_to="sip:carol@192.0.2.9"))
        assert refer.request.headers.get("Refer-To") == "<sip:carol@192.0.2.9>"
        refer.reply(603)
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
        await call.ended()
    assert (outcome.end, outcome.sip_status, outcome.notified_status) == (EndOfVerb.FAILED, 603, None)


async def test_a_far_end_that_hangs_up_once_it_is_transferred(site: Site) -> None:
    async with site.server.phone() as phone:
        application, call, refer = await asked(site, phone, Refer(refer_to="sip:carol@192.0.2.9"))
        refer.reply(202)
        assert await told(call, 180) == 200
        call.hang_up()
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
    assert (outcome.end, outcome.sip_status, outcome.notified_status) == (EndOfVerb.HUNG_UP, 202, 180)


async def test_a_far_end_that_never_says(site: Site) -> None:
    async with site.server.phone() as phone:
        verb = Refer(refer_to="sip:carol@192.0.2.9", timeout=0.1)
        application, call, refer = await asked(site, phone, verb)
        refer.reply(202)
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
        await call.ended()
    assert (outcome.end, outcome.sip_status, outcome.notified_status) == (EndOfVerb.TIMEOUT, 202, None)


async def test_a_notify_of_something_else_is_refused(site: Site) -> None:
    async with site.server.phone() as phone:
        application, call, refer = await asked(site, phone, Refer(refer_to="sip:carol@192.0.2.9"))
        refer.reply(202)
        response = await call.session.send_request("NOTIFY", [("Event", "presence")])
        assert response.status == 489
        assert await told(call, 503, "terminated") == 200
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
        await call.ended()
    assert outcome.notified_status == 503


@pytest.mark.parametrize("refer_to", ["sip:", "sip:a b@c", "a b@c"])
async def test_an_address_that_is_none(site: Site, refer_to: str) -> None:
    application = Watched()
    async with site.server.phone() as phone:
        await phone.register()
        await site.server.switchboard.create(
            CallRequest(
                account=site.account,
                application=application,
                to=Target(kind="client", address=DEVICE),
                to_shown=DEVICE,
                from_="+14155550100",
                document=Document(
                    verbs=(Refer(refer_to=refer_to),), application=application, at_end=HangUp()
                ),
            )
        )
        call = await phone.incoming()
        call.answer()
        outcome = await asyncio.wait_for(application.ended.get(), PATIENCE)
        await call.ended()
    assert outcome.end is EndOfVerb.FAILED
    assert outcome.sip_status is None
