"""Nobody reaches a carrier past its trunk: by transfer, redirection, a Path, a proxy, a name of his own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.server.site import NUMBERS, Site, site_settings
from tests.server.wire import Wire, answering, wire

from ringback.config.tables import AccountTable, TrunkTable
from ringback.sip.headers import Headers
from ringback.sip.message import Request
from ringback.sip.uri import Uri
from ringback.store.records import CallFilter
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, RunningServer, WebApp
from ringback.testing.softphone import PhoneCall

PREMIUM = "+19005550100"


@contextlib.asynccontextmanager
async def house(
    data: Path, carrier: Wire, account: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Site]:
    """A server whose account has a carrier that knows us by password, and callers from outside."""
    trunks = (
        TrunkTable(name="local", account="test", inbound_from=("127.0.0.0/8",)),
        TrunkTable(
            name="carrier",
            account="test",
            host=carrier.address,
            username="us",
            password="secret",
            caller_id="pai",
            number_format="e164",
            max_calls=1,
        ),
    )
    accounts = (
        AccountTable(name="test", token=TOKEN, **(account or {})),
        AccountTable(name="other", token="other"),
    )
    async with WebApp() as app, aiohttp.ClientSession() as rest:
        settings = site_settings(app, data, trunk=trunks, account=accounts, **changes)
        async with RunningServer(settings) as server:
            yield Site(app, server, rest)


async def dialled(here: Site, document: str, dialect: str = "twilio", caller: str = "+14155559999") -> None:
    """Call the application, which answers with this document, and wait until everything is over."""
    here.app.reply(f"/{dialect}/voice", document)
    async with here.caller(caller) as phone:
        call = await phone.call(NUMBERS[dialect])
        with contextlib.suppress(Exception):
            await call.ended(10)
        await here.server.settled()


# -- transfers


@contextlib.asynccontextmanager
async def talking(here: Site) -> AsyncIterator[PhoneCall]:
    """One device that has called another."""
    async with here.server.phone() as alice, here.server.phone("bob", "builder") as bob:
        await bob.register()
        call = await alice.call("bob")
        called = await bob.incoming(5)
        called.answer()
        await call.answered()
        yield call
        call.hang_up()
        await called.ended(10)


async def refer(call: PhoneCall, to: str) -> int:
    return (await call.session.send_request("REFER", [("Refer-To", f"<{to}>")])).status


async def test_a_device_transfers_nobody_to_the_carrier(tmp_path: Path) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here, talking(here) as call:
        for port in ("", ";transport=tcp"):
            assert await refer(call, f"sip:{PREMIUM}@{carrier.address}{port}") == 403
        assert await refer(call, "sip:eve@198.51.100.1") == 403
        assert carrier.requests == []


async def test_a_device_that_may_dial_out_transfers_over_the_trunk(tmp_path: Path) -> None:
    account = {"devices_dial_out": True}
    async with wire(answering(486)) as carrier, house(tmp_path, carrier, account) as here:
        async with talking(here) as call:
            assert await refer(call, f"sip:{PREMIUM}@{carrier.address}") == 202
            await call.ended(10)
        await here.server.settled()
        [invite] = carrier.invites
        assert invite.uri.user == PREMIUM.removeprefix("+")  # as the trunk wants it
        assert {row.trunk_name for row in await calls(here) if row.direction == "outbound-dial"} >= {
            "carrier"
        }


async def calls(here: Site) -> list[Any]:

    return list(await here.server.store.calls(CallFilter(), limit=50))


# -- SIP URIs of applications


@pytest.mark.parametrize("dialect", ["twilio", "callapi"])
async def test_an_application_reaches_the_carrier_through_its_trunk(tmp_path: Path, dialect: str) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here:
        uri = f"sip:{PREMIUM}@{carrier.address}"
        await dialled(here, f"<Response><Dial><Sip>{uri}</Sip></Dial></Response>", dialect)
        [invite] = carrier.invites
        assert invite.uri.user == PREMIUM.removeprefix("+")


async def test_the_carrier_of_another_account_is_out_of_reach(tmp_path: Path) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here:
        others = here.server.directory.all(type(here.account))[1]
        fields = {
            "From": "+14155550100",
            "To": f"sip:{PREMIUM}@{carrier.address}",
            "Url": f"{here.app.url}/laml/voice",
        }
        status, body = await here.request("POST", "laml", "Calls", token="other", account=others, **fields)
        assert status == 400, body
        assert carrier.requests == []


# -- redirections


@pytest.mark.parametrize("user", [PREMIUM, "alice"])
async def test_a_device_redirects_nobody_to_the_carrier(tmp_path: Path, user: str) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here, wire() as alice:
        alice.answer = answering(302, ("Contact", f"<sip:{user}@{carrier.address}>"))
        answer = await alice.ask(here.server.sip_address, register(here, alice), DEVICE, DEVICE_PASSWORD)
        assert answer.status == 200
        await dialled(here, f"<Response><Dial><Client>{DEVICE}</Client></Dial></Response>")
        assert len(alice.invites) == 1
        assert carrier.requests == []
        assert [row.sip_status for row in await calls(here) if row.direction == "outbound-dial"] == [302]


def register(here: Site, phone: Wire, contact: str = "", *more: tuple[str, str]) -> Request:
    """A REGISTER of the device, to be sent."""
    domain = here.server.sip_address
    head = {
        "Max-Forwards": "70",
        "From": f"<sip:{DEVICE}@{domain}>;tag=a",
        "To": f"<sip:{DEVICE}@{domain}>",
        "Call-ID": f"register-{phone.address}",
        "CSeq": "1 REGISTER",
        "Contact": contact or f"<sip:{DEVICE}@{phone.address}>",
        "Expires": "300",
        "Supported": "path",
    }
    return request("REGISTER", f"sip:{domain}", [*head.items(), *more])


def request(method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b"") -> Request:

    made = Headers()
    for name, value in headers:
        made.add(name, value)
    return Request(method, Uri.parse(uri), made, body)


# -- proxies


async def test_a_proxy_that_an_application_names_gets_no_digest_of_the_trunk(tmp_path: Path) -> None:
    challenge = ("Proxy-Authenticate", 'Digest realm="evil", nonce="n1", algorithm=MD5, qop="auth"')
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here:
        async with wire(answering(407, challenge)) as evil:
            target = {"type": "phone", "number": PREMIUM}
            document: Any = [{"verb": "dial", "target": [target], "proxy": f"sip:{evil.address}"}]
            await dialled(here, document, "jambonz")
            [invite] = evil.invites
            assert "Proxy-Authorization" not in invite.headers
        assert carrier.requests == []
        document = [{"verb": "dial", "target": [target], "proxy": f"sip:{carrier.address}"}]
        await dialled(here, document, "jambonz")
        assert carrier.requests == []
