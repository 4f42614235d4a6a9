"""Carriers: several gateways, who is asserted to call, limits, and what comes from them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import rest_client
from tests.server.site import NUMBERS, SPEAKS, Site, site_settings

from ringback.config.tables import AccountTable, GatewayTable, TrunkTable
from ringback.routing.directory import Trunk
from ringback.sip.auth_server import DigestServer
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.inbound import InboundCall
from ringback.store.records import CallFilter
from ringback.testing.kit import TOKEN, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

FROM_CARRIER = TrunkTable(name="local", account="test", inbound_from=("127.0.0.0/8",))


@contextlib.asynccontextmanager
async def site(data: Path, *trunks: TrunkTable, **account: Any) -> AsyncIterator[Site]:
    async with WebApp() as app, rest_client() as rest:
        settings = site_settings(
            app, data, trunk=trunks, account=(AccountTable(name="test", token=TOKEN, **account),)
        )
        async with RunningServer(settings) as server:
            yield Site(app, server, rest)


def gateway(name: str = "gateway") -> Softphone:
    """A gateway of a carrier, which answers or not as a person would."""
    return Softphone(name, server="127.0.0.1:9")


def address(phone: Softphone) -> str:
    return phone.listening.partition(":")[2]


@contextlib.contextmanager
def silence() -> Iterator[str]:
    """The address of a gateway that takes everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{quiet.getsockname()[1]}"


def trunk(*hosts: str, **fields: Any) -> TrunkTable:
    gateways = tuple(GatewayTable(host=host, priority=place) for place, host in enumerate(hosts))
    return TrunkTable(**{"name": "carrier", "account": "test", "gateways": gateways, **fields})


async def create(site: Site, number: str = "+493012345678", **fields: Any) -> str:
    site.reply("laml", "voice", "<Hangup/>")
    values = {"From": "+14155550100", "To": number, "Url": f"{site.app.url}/laml/voice", **fields}
    status, body = await site.post("laml", "Calls", **values)
    assert status in (200, 201), body
    return str(body["sid"])


def header(call: PhoneCall, name: str) -> str | None:
    assert call.invite is not None
    return call.invite.headers.get(name)


# -- fail-over


async def test_a_gateway_that_cannot_is_followed_by_the_next(data: Path) -> None:
    async with (
        gateway() as first,
        gateway() as second,
        site(data, trunk(address(first), address(second))) as here,
    ):
        sid = await create(here)
        refused = await first.incoming()
        refused.reject(503)
        taken = await second.incoming()
        taken.answer()
        await taken.ended()
        await here.server.settled()
        call = await here.call("laml", sid)
        assert call["status"] == "completed"
        kinds = [event.kind for event in await here.server.store.events(sid)]
        assert kinds.count("call.rerouted") == 1


async def test_one_that_says_nothing_is_passed_over_and_left_alone_for_a_while(data: Path) -> None:
    with silence() as quiet:
        async with gateway() as second, site(data, trunk(quiet, address(second), answer_seconds=1.0)) as here:
            for _ in range(2):
                await create(here)
                taken = await second.incoming()
                taken.answer()
                await taken.ended()
                await here.server.settled()
            configured = here.server.directory.all(Trunk)[0]
            state = here.server.telephony.gateways.state(configured, configured.gateways[0])
            assert state is not None
            assert not state.up
            assert here.server.telephony.gateways.up(configured, configured.gateways[1])


async def test_the_next_trunk_takes_what_the_first_cannot(data: Path) -> None:
    async with gateway() as first, gateway() as second:
        trunks = (trunk(address(first), name="one"), trunk(address(second), name="two"))
        async with site(data, *trunks) as here:
            await create(here)
            (await first.incoming()).reject(500)
            (await second.incoming()).reject(486)
            await here.server.settled()
            [row] = await here.server.store.calls(CallFilter(), limit=1)
            assert (row.status, row.trunk_name) == ("busy", "two")


async def test_what_a_person_says_ends_the_search(data: Path) -> None:
    async with (
        gateway() as first,
        gateway() as second,
        site(data, trunk(address(first), address(second))) as here,
    ):
        sid = await create(here)
        (await first.incoming()).reject(486)
        await here.server.settled()
        assert (await here.call("laml", sid))["status"] == "busy"
        with pytest.raises(TimeoutError):
            await second.incoming(0.1)


class DemandingGateway:
    """A gateway that wants a digest, and then is busy."""

    def __init__(self) -> None:
        self._digest = DigestServer(
            "carrier.example",
            {"us": "secret"}.get,
            asyncio.get_running_loop().time,
            algorithms=("SHA-256", "MD5"),
        )
        self.endpoint = SipEndpoint(on_invitation=self._invited)
        self.users: list[str | None] = []

    def _invited(self, call: InboundCall) -> None:
        rows = call.request.headers.get_all("Proxy-Authorization")
        user = self._digest.verify(rows, "INVITE", call.request.uri).username
        self.users.append(user)
        if user is None:
            call.reject(407, headers=[("Proxy-Authenticate", v) for v in self._digest.challenges()])
        else:
            call.reject(486)


async def test_a_gateway_may_demand_a_digest(data: Path) -> None:
    demanding = DemandingGateway()
    await demanding.endpoint.start(["udp:127.0.0.1:0"])
    try:
        host = demanding.endpoint.listening[0].partition(":")[2]
        async with site(data, trunk(host, username="us", password="secret")) as here:
            sid = await create(here)
            await here.server.settled()
            assert (await here.call("laml", sid))["status"] == "busy"
    finally:
        await demanding.endpoint.stop(1.0)
    assert demanding.users == [None, "us"]


# -- what is said


async def test_numbers_and_callers_are_written_as_the_carrier_wants_them(data: Path) -> None:
    async with gateway() as carrier:
        wanted = trunk(
            address(carrier),
            number_format="e164",
            strip="49",
            prefix="0",
            caller_id="pai",
            identity="+14155550100",
        )
        async with site(data, wanted) as here:
            await create(here, From="+14155550142")
            call = await carrier.incoming()
            assert call.invite is not None
            assert call.invite.uri.user == "03012345678"
            assert call.invite.from_.uri.user == "14155550142"
            assert header(call, "P-Asserted-Identity") == "<sip:14155550100@127.0.0.1>"
            call.reject()
            await create(here, From="anonymous")
            hidden = await carrier.incoming()
            assert hidden.invite is not None
            assert str(hidden.invite.from_.uri) == "sip:anonymous@anonymous.invalid"
            assert header(hidden, "Privacy") == "id"
            assert header(hidden, "P-Asserted-Identity") == "<sip:14155550100@127.0.0.1>"
            hidden.reject()
            await here.server.settled()


async def test_a_call_that_is_passed_on_says_by_whom(data: Path) -> None:
    async with (
        gateway() as carrier,
        site(data, trunk(address(carrier), diversion=True), FROM_CARRIER) as here,
    ):
        here.reply("laml", "voice", "<Dial>+493012345678</Dial>")
        async with here.caller("+14155550142") as phone:
            mine = await phone.call(NUMBERS["laml"])
            call = await carrier.incoming()
            assert header(call, "Diversion") == f"<sip:{NUMBERS['laml']}@127.0.0.1>;reason=unconditional"
            assert call.invite is not None
            assert call.invite.from_.uri.user == "+14155550142"
            call.reject()
            mine.hang_up()
            await here.server.settled()


# -- from the carrier


async def test_who_calls_and_what_is_called_are_where_the_carrier_puts_them(data: Path) -> None:
    inbound = TrunkTable(
        name="local",
        account="test",
        inbound_from=("127.0.0.0/8",),
        called_from="p-called-party-id",
        trust_identity=True,
        application="laml",
    )
    async with site(data, inbound) as here:
        here.reply("laml", "voice", "<Hangup/>")
        headers = (
            ("P-Called-Party-ID", "<tel:+1-415-555-0199>"),
            ("P-Asserted-Identity", '"Bob" <sip:+14155550142@carrier>'),
        )
        async with here.caller("anything") as phone:
            call = await phone.call("pilot", headers=headers)
            await call.ended()
            asked = await here.app.request("/laml/voice")
            assert asked.fields["From"] == "+14155550142"
            assert asked.fields["To"] == "+14155550199"
        async with here.caller("anonymous") as phone:
            call = await phone.call("+14155550177")
            await call.ended()
            asked = await here.app.request("/laml/voice")
            assert (asked.fields["From"], asked.fields["To"]) == ("anonymous", "+14155550177")
        await here.server.settled()


# -- limits


async def test_a_trunk_takes_so_many_calls_at_once(data: Path) -> None:
    limited = TrunkTable(name="local", account="test", inbound_from=("127.0.0.0/8",), max_calls=1)
    async with site(data, limited) as here:
        here.reply("laml", "voice", SPEAKS["laml"].gather("/laml/digits", keys=1, timeout=60))
        async with here.caller() as phone:
            first = await phone.call(NUMBERS["laml"])
            await first.answered()
            with pytest.raises(CallFailed) as refused:
                await (await phone.call(NUMBERS["laml"])).answered()
            assert (refused.value.status, refused.value.reason) == (503, "Maximum Calls In Progress")
            first.hang_up()
            await here.server.settled()
            third = await phone.call(NUMBERS["laml"])
            await third.answered()
            third.hang_up()
            await here.server.settled()
    assert not here.server.limits.calls


async def test_an_account_begins_so_many_calls_a_second(data: Path) -> None:
    async with site(data, FROM_CARRIER, calls_per_second=0.001) as here:
        here.reply("laml", "voice", "<Hangup/>")
        async with here.caller() as phone:
            await (await phone.call(NUMBERS["laml"])).ended()
            with pytest.raises(CallFailed) as refused:
                await (await phone.call(NUMBERS["laml"])).answered()
            assert (refused.value.status, refused.value.reason) == (503, "Call Rate Exceeded")
        await here.server.settled()


async def test_calls_created_by_rest_wait_for_their_turn(data: Path) -> None:
    async with (
        gateway() as carrier,
        site(data, trunk(address(carrier), max_calls=1), max_queued=2) as here,
    ):
        sids = [await create(here, f"+49301234567{last}") for last in range(3)]
        first = await carrier.incoming()
        assert [(await here.call("laml", sid))["status"] for sid in sids[1:]] == ["queued", "queued"]
        # No more may wait.
        values = {"From": "+14155550100", "To": "+493012345679", "Url": f"{here.app.url}/laml/voice"}
        status, body = await here.post("laml", "Calls", **values)
        assert status >= 400, body
        # One that waits can be called off; the next has its turn when a call ends.
        status, body = await here.post("laml", f"Calls/{sids[1]}", Status="canceled")
        assert status == 200, body
        first.reject()
        third = await carrier.incoming()
        assert third.invite is not None
        assert third.invite.uri.user == "+493012345672"
        third.reject()
        await here.server.settled()
        statuses = [(await here.call("laml", sid))["status"] for sid in sids]
        assert statuses == ["busy", "canceled", "busy"]


async def test_a_dialled_leg_over_the_limit_fails(data: Path) -> None:
    async with (
        gateway() as carrier,
        site(data, trunk(address(carrier), max_calls=1), FROM_CARRIER) as here,
    ):
        await create(here)
        blocking = await carrier.incoming()
        here.reply("laml", "voice", '<Dial action="/laml/after">+493012345678</Dial>')
        here.reply("laml", "after", "<Hangup/>")
        async with here.caller() as phone:
            mine = await phone.call(NUMBERS["laml"])
            asked = await here.app.request("/laml/after")
            assert asked.fields["DialCallStatus"] == "failed"
            mine.hang_up()
        blocking.reject()
        await here.server.settled()
