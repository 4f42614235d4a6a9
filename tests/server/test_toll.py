"""Nobody reaches a carrier past its trunk: by transfer, redirection, a Path, a proxy, a name of his own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.patience import PATIENCE, rest_client
from tests.server.site import NUMBERS, Site, site_settings
from tests.server.wire import Wire, answering, wire

from ringback.config.tables import AccountTable, CallsSection, ClientTable, DevicesSection, TrunkTable
from ringback.sip.headers import Headers
from ringback.sip.message import Request
from ringback.sip.uri import Uri
from ringback.store.records import CallFilter
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, RunningServer, WebApp
from ringback.testing.softphone import CallFailed, PhoneCall

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
    async with WebApp() as app, rest_client() as rest:
        settings = site_settings(app, data, trunk=trunks, account=accounts, **changes)
        async with RunningServer(settings) as server:
            yield Site(app, server, rest)


async def dialled(here: Site, document: str, dialect: str = "twilio", caller: str = "+14155559999") -> None:
    """Call the application, which answers with this document, and wait until everything is over."""
    here.app.reply(f"/{dialect}/voice", document)
    async with here.caller(caller) as phone:
        call = await phone.call(NUMBERS[dialect])
        with contextlib.suppress(Exception):
            await call.ended()
        await here.server.settled()


# -- transfers


@contextlib.asynccontextmanager
async def talking(here: Site) -> AsyncIterator[PhoneCall]:
    """One device that has called another."""
    async with here.server.phone() as alice, here.server.phone("bob", "builder") as bob:
        await bob.register()
        call = await alice.call("bob")
        called = await bob.incoming()
        called.answer()
        await call.answered()
        yield call
        call.hang_up()
        await called.ended()


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
            await asyncio.wait_for(carrier.invited.wait(), PATIENCE)
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


async def test_another_name_for_the_carrier_leads_nowhere(tmp_path: Path) -> None:
    """What it leads to is only known when it is sent."""
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here:
        uri = f"sip:{PREMIUM}@{carrier.address.replace('127.0.0.1', 'localhost')}"
        await dialled(here, f"<Response><Dial><Sip>{uri}</Sip></Dial></Response>")
        assert carrier.requests == []
        assert [row.sip_status for row in await calls(here) if row.direction == "outbound-dial"] == [403]


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


# -- devices behind a Path


async def path_of_its_own(here: Site, alice: Wire, contact: str, *path: str) -> int:
    headers = [("Path", hop) for hop in path]
    server, asked = here.server.sip_address, register(here, alice, contact, *headers)
    return (await alice.ask(server, asked, DEVICE, DEVICE_PASSWORD)).status


async def test_a_path_makes_no_device_of_the_carrier(tmp_path: Path) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here, wire() as alice:
        toll, own = f"<sip:{PREMIUM}@{carrier.address}>", f"<sip:{DEVICE}@{alice.address}>"
        for contact, path in (
            (toll, f"<sip:{carrier.address};lr>"),
            (own, f"<sip:{carrier.address};lr>"),
            (toll, f"<sip:{alice.address};lr>"),
            (own, "<sip:198.51.100.9;lr>"),
            (own, f"<sip:{alice.address};lr;maddr=198.51.100.9>"),
            (own, "<sip:carrier.example;lr>"),
        ):
            assert await path_of_its_own(here, alice, contact, path) == 403
        await dialled(here, f"<Response><Dial><Client>{DEVICE}</Client></Dial></Response>")
        assert carrier.requests == []


async def test_a_contact_leads_to_where_it_was_heard(tmp_path: Path) -> None:
    """Whatever maddr it names."""
    async with (
        wire(answering(486)) as carrier,
        house(tmp_path, carrier) as here,
        wire(answering(486)) as alice,
    ):
        contact = f"<sip:{PREMIUM}@{alice.address};maddr=198.51.100.9;x=y>"
        assert await path_of_its_own(here, alice, contact) == 200
        await dialled(here, f"<Response><Dial><Client>{DEVICE}</Client></Dial></Response>")
        assert "maddr" not in str(alice.invites[0].uri)
        assert carrier.requests == []


@pytest.mark.parametrize("proxies", [(), ("127.0.0.0/8",), ("localhost",)])
async def test_a_device_registers_through_its_proxy(tmp_path: Path, proxies: tuple[str, ...]) -> None:
    """One that sends the REGISTER itself, or is configured."""
    devices = DevicesSection(proxies=proxies)
    async with (
        wire(answering(486)) as carrier,
        house(tmp_path, carrier, devices=devices) as here,
        wire() as sender,
        wire(answering(486)) as edge,
    ):
        hop = (edge if proxies else sender).address
        if "localhost" in proxies:
            hop = hop.replace("127.0.0.1", "localhost")
        sender.answer = edge.answer
        contact = f"<sip:{DEVICE}@10.1.2.3>"
        assert await path_of_its_own(here, sender, contact, f"<sip:{hop};lr>") == 200
        await dialled(here, f"<Response><Dial><Client>{DEVICE}</Client></Dial></Response>")
        [invite] = (edge if proxies else sender).invites
        assert str(invite.uri) == f"sip:{DEVICE}@10.1.2.3"


# -- who is said to call


BANK = "+18005550000"
VERIFYING = CallsSection(verify_caller_id=True, shutdown_seconds=0)


async def invite(here: Site, phone: Wire, caller: str, called: str) -> int:
    """The device calls, and names somebody as the caller; the final status."""
    uri = f"sip:{called}@{here.server.sip_address}"
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=audio 40000 RTP/AVP 0",
    )
    body = "".join(f"{line}\r\n" for line in lines).encode()
    head = {
        "Max-Forwards": "70",
        "From": f"<sip:{caller}@bank.example>;tag=a",
        "To": f"<{uri}>",
        "Call-ID": f"invite-{caller}-{phone.address}",
        "CSeq": "1 INVITE",
        "Contact": f"<sip:{DEVICE}@{phone.address}>",
        "Content-Type": "application/sdp",
        # Whose call it is; the nonce is out of date, so that the challenge comes.
        "Proxy-Authorization": f'Digest username="{DEVICE}", realm="x", nonce="x", uri="{uri}", response="x"',
    }
    asked = request("INVITE", uri, list(head.items()), body)
    return (await phone.ask(here.server.sip_address, asked, DEVICE, DEVICE_PASSWORD)).status


@pytest.mark.parametrize(
    ("caller", "shown", "asserted"),
    [
        (BANK, DEVICE, None),
        (DEVICE, DEVICE, None),
        (NUMBERS["laml"], NUMBERS["laml"], NUMBERS["laml"]),
        ("anonymous", "anonymous", None),
    ],
)
async def test_a_device_shows_its_accounts_numbers_only(
    tmp_path: Path, caller: str, shown: str, asserted: str | None
) -> None:
    async with wire(answering(486)) as carrier, wire() as alice:
        account = {"devices_dial_out": True}
        async with house(tmp_path, carrier, account, calls=VERIFYING) as here:
            assert await invite(here, alice, caller, PREMIUM) == 486
            await here.server.settled()
        seen = carrier.invites[-1]
        assert (seen.from_.uri.user or "").removeprefix("+") == shown.removeprefix("+")
        identities = [each.uri.user for each in seen.asserted_identities]
        assert identities == ([] if asserted is None else [asserted.removeprefix("+")])


async def test_a_device_whose_name_is_a_strangers_number_is_not_shown(tmp_path: Path) -> None:
    """Its name is its own, but no number of the account."""
    devices = (ClientTable(username=BANK, account="test", password="builder"),)
    account = {"devices_dial_out": True}
    async with (
        wire(answering(486)) as carrier,
        house(tmp_path, carrier, account, calls=VERIFYING, client=devices) as here,
        here.server.phone(BANK, "builder") as phone,
    ):
        call = await phone.call(PREMIUM)
        with pytest.raises(CallFailed) as caught:
            await call.answered()
        assert caught.value.status == 403
        assert carrier.requests == []


async def test_a_carriers_caller_is_passed_on_as_he_came(tmp_path: Path) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier, calls=VERIFYING) as here:
        await dialled(here, f"<Response><Dial>{PREMIUM}</Dial></Response>", caller="+14155559999")
        [invite] = carrier.invites[-1:]
        assert invite.from_.uri.user == "14155559999"


# -- what is said beside


FORGED = (
    ("P-Asserted-Identity", f"<sip:{BANK}@bank.example>"),
    ("Privacy", "none"),
    ("Diversion", f"<sip:{BANK}@bank.example>"),
    ("Remote-Party-ID", f"<sip:{BANK}@bank.example>"),
    ("Identity", "forged"),
    ("y", "forged"),
    ("Authorization", "Digest x"),
    ("Proxy-Authorization", "Digest x"),
    ("Path", "<sip:x>"),
)
NAMES = frozenset({"Privacy", "Diversion", "Remote-Party-ID", "Identity", "Authorization", "Path"})


async def test_a_transfer_says_nothing_in_our_name(tmp_path: Path) -> None:
    account = {"devices_dial_out": True}
    async with wire(answering(486)) as carrier, house(tmp_path, carrier, account) as here:
        wanted = (*FORGED, ("X-Case", "7"), ("User-to-User", "00"))
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in wanted)
        async with talking(here) as call:
            assert await refer(call, f"sip:{PREMIUM}@{here.server.sip_address}?{query}") == 202
            await asyncio.wait_for(carrier.invited.wait(), PATIENCE)
        await here.server.settled()
        seen = carrier.invites[-1].headers
        assert (seen.get("X-Case"), seen.get("User-to-User")) == ("7", "00")
        assert not [name for name in NAMES if name in seen]
        assert BANK not in str(seen.get("P-Asserted-Identity"))


@pytest.mark.parametrize("verify", [False, True])
async def test_an_application_names_identities_only_where_nobody_checks(tmp_path: Path, verify: bool) -> None:
    calls = CallsSection(verify_caller_id=verify, shutdown_seconds=0)
    async with wire(answering(486)) as carrier, house(tmp_path, carrier, calls=calls) as here:
        document: Any = [
            {
                "verb": "dial",
                "callerId": NUMBERS["jambonz"],
                "target": [{"type": "phone", "number": PREMIUM}],
                "headers": {"P-Asserted-Identity": f"<sip:{BANK}@bank.example>", "X-Case": "7"},
            }
        ]
        await dialled(here, document, "jambonz")
        [seen] = carrier.invites[-1:]
        assert seen.headers.get("X-Case") == "7"
        asserted = NUMBERS["jambonz"].removeprefix("+") if verify else BANK
        assert [each.uri.user for each in seen.asserted_identities] == [asserted]


@pytest.mark.parametrize("name", ["Proxy-Authorization", "Authorization", "Path"])
async def test_an_application_sends_no_digest_of_its_own_making(tmp_path: Path, name: str) -> None:
    async with wire(answering(486)) as carrier, house(tmp_path, carrier) as here:
        document: Any = [
            {"verb": "dial", "target": [{"type": "phone", "number": PREMIUM}], "headers": {name: "x"}}
        ]
        await dialled(here, document, "jambonz")
        assert carrier.requests == []
