"""Who is calling, and who answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.routing.conftest import DEMO, OTHER

from ringback.routing.directory import Account, Client, Directory, HookAddress, Trunk
from ringback.routing.inbound import (
    Answering,
    Called,
    Connecting,
    Device,
    FromTrunk,
    InviteFacts,
    Refused,
    answer,
    device_of,
    identify,
)
from ringback.sip.uri import Uri

CARRIER, STRANGER = "192.0.2.1", "198.51.100.1"


def invite(from_: str, source: str, authorization: str | None = None, realm: str = "") -> InviteFacts:
    return InviteFacts(
        from_uri=Uri.parse(from_),
        source_ip=source,
        authorization_user=authorization,
        authorization_realm=realm,
    )


def called(text: str, **fields: str) -> Called:
    return Called(Uri.parse(text), **{name: Uri.parse(value) for name, value in fields.items()})


@pytest.mark.parametrize(
    ("from_", "source", "authorization", "username"),
    [
        ("sip:alice@anywhere", STRANGER, None, "alice"),
        ("sip:alice@anywhere", CARRIER, None, "alice"),  # the name decides before the address
        ("sip:+49301@h", STRANGER, "bob", "bob"),
        ("sip:+49301@h", CARRIER, "bob", "bob"),
        ("sip:alice@h", STRANGER, "alice", "alice"),
        ("sip:alice@h", STRANGER, "mallory", "alice"),
    ],
)
def test_devices(
    directory: Directory, from_: str, source: str, authorization: str | None, username: str
) -> None:
    caller = identify(directory, invite(from_, source, authorization))
    assert isinstance(caller, Device)
    assert caller.client.username == username


def test_a_device_may_not_call_as_another(directory: Directory) -> None:
    assert identify(directory, invite("sip:bob@h", STRANGER, "alice")) == Refused(
        403, "alice may not call as bob"
    )


@pytest.mark.parametrize("authorization", [None, "us"])
def test_trunks(directory: Directory, authorization: str | None) -> None:
    caller = identify(directory, invite("sip:+4930@h", CARRIER, authorization))
    assert isinstance(caller, FromTrunk)
    assert [trunk.id.int for trunk in caller.trunks] == [303, 301]


@pytest.mark.parametrize("from_", ["sip:+4930@h", "sip:h", "tel:+4930"])
def test_strangers_are_refused_with_the_reason(directory: Directory, from_: str) -> None:
    caller = identify(directory, invite(from_, STRANGER, "mallory"))
    assert isinstance(caller, Refused)
    assert caller.status == 403
    assert STRANGER in caller.reason


@pytest.mark.parametrize(
    ("to", "application", "number", "trunk"),
    [
        ("sip:+14155550100@h", "ivr", 201, 301),
        ("sip:14155550100;npdi@h:5060;user=phone", "ivr", 201, 301),
        ("tel:+1-415-555-0100", "ivr", 201, 301),
        ("sip:+14155550123@h", "menu", 202, 301),
        ("sip:+14155550177@h", "theirs", 204, 303),  # the number tells whose trunk it was
        ("sip:menu@h", "menu", None, 301),
        ("sip:app-00000000-0000-0000-0000-000000000066@h", "menu", None, 301),
        ("sip:app-00000000000000000000000000000067@h", "theirs", None, 303),
    ],
)
def test_what_a_trunk_reaches(
    directory: Directory, to: str, application: str, number: int | None, trunk: int
) -> None:
    caller = identify(directory, invite("sip:+4930@h", CARRIER))
    assert isinstance(caller, FromTrunk)
    found = answer(directory, caller, called(to))
    assert isinstance(found, Answering)
    assert found.application.name == application
    assert (found.number.id.int if found.number else None) == number
    assert found.trunk is not None
    assert found.trunk.id.int == trunk
    assert found.client is None


@pytest.mark.parametrize(
    "to",
    ["sip:+4930@h", "sip:h", "sip:app-@h", "sip:app-no-uuid@h", f"sip:app-{UUID(int=999)}@h", "sip:alice@h"],
)
def test_what_nobody_answers_is_404(directory: Directory, to: str) -> None:
    caller = identify(directory, invite("sip:+4930@h", CARRIER))
    assert isinstance(caller, FromTrunk)
    found = answer(directory, caller, called(to))
    assert isinstance(found, Refused)
    assert found.status == 404


def test_a_number_without_an_application_answers_nobody(directory: Directory) -> None:
    trunk = directory.get(Trunk, UUID(int=301))
    assert trunk is not None
    assert isinstance(answer(directory, FromTrunk((trunk,)), called("sip:+14155550111@h")), Refused)


def device(directory: Directory, username: str) -> Device:
    client = directory.client(username)
    assert client is not None
    return Device(client)


def test_a_device_reaches_its_own_account_only(directory: Directory) -> None:
    alice = device(directory, "alice")
    found = answer(directory, alice, called("sip:ivr@h"))
    assert isinstance(found, Answering)
    assert found.client is alice.client
    assert found.trunk is None
    assert isinstance(answer(directory, alice, called("sip:theirs@h")), Refused)
    assert isinstance(answer(directory, alice, called(f"sip:app-{UUID(int=103)}@h")), Refused)


def test_an_account_may_have_an_application_for_its_devices(directory: Directory) -> None:
    carol = device(directory, "carol")
    found = answer(directory, carol, called("sip:whatever@h"))
    assert isinstance(found, Answering)
    assert found.application.name == "theirs"
    assert found.number is None


# -- where the carrier puts the number


@pytest.mark.parametrize(
    ("called_from", "application"), [("request-uri", "ivr"), ("to", "menu"), ("p-called-party-id", "ivr")]
)
def test_the_called_number_is_taken_from_where_the_carrier_puts_it(
    directory: Directory, called_from: Any, application: str
) -> None:
    trunk = directory.get(Trunk, UUID(int=301))
    assert trunk is not None
    trunk = msgspec.structs.replace(trunk, called_from=called_from)
    there = called("sip:14155550100@h", to="sip:+14155550123@h", party="tel:+1-415-555-0100")
    found = answer(directory, FromTrunk((trunk,)), there)
    assert isinstance(found, Answering)
    assert found.application.name == application
    # What is not there is taken from the Request-URI.
    assert isinstance(answer(directory, FromTrunk((trunk,)), called("sip:14155550100@h")), Answering)


def test_a_trunk_may_have_an_application_for_the_rest(directory: Directory) -> None:
    trunk = directory.get(Trunk, UUID(int=301))
    assert trunk is not None
    trunk = msgspec.structs.replace(trunk, application_id=UUID(int=102))
    for to, application in (("sip:+14155550100@h", "ivr"), ("sip:+4930@h", "menu"), ("sip:h", "menu")):
        found = answer(directory, FromTrunk((trunk,)), called(to))
        assert isinstance(found, Answering)
        assert (found.application.name, found.trunk) == (application, trunk)


def test_the_number_called_is_told_without_parameters_and_separators(directory: Directory) -> None:
    caller = identify(directory, invite("sip:+4930@h", CARRIER))
    assert isinstance(caller, FromTrunk)
    for to in ("tel:+1-415-555-0100;phone-context=x", "sip:+14155550100;npdi@h;user=phone"):
        found = answer(directory, caller, called(to))
        assert isinstance(found, Answering)
        assert found.called == "+14155550100"


# -- what devices dial


def dialled_by_alice(directory: Directory, to: str) -> Answering | Connecting | Refused:
    return answer(directory, device(directory, "alice"), called(to))


def test_a_device_calls_another_of_its_account(directory: Directory) -> None:
    found = dialled_by_alice(directory, "sip:bob@h")
    assert isinstance(found, Connecting)
    assert (found.client.username, found.called, found.is_number) == ("alice", "bob", False)
    for to in ("sip:carol@h", "sip:alice@h"):  # of another account; itself
        assert isinstance(dialled_by_alice(directory, to), Refused)


def test_telephone_numbers_are_out_of_a_devices_reach_unless_the_account_says_so(
    directory: Directory,
) -> None:
    assert isinstance(dialled_by_alice(directory, "sip:+493012345678@h"), Refused)
    account = directory.account(DEMO)
    assert account is not None
    directory.put(msgspec.structs.replace(account, devices_dial_out=True))
    found = dialled_by_alice(directory, "sip:+493012345678@h")
    assert isinstance(found, Connecting)
    assert (found.called, found.is_number) == ("+493012345678", True)
    own = dialled_by_alice(directory, "sip:+14155550100@h")
    assert isinstance(own, Answering)  # a number of the account's own stays inside


# -- devices that only a web application knows

HOOK = HookAddress(url="http://127.0.0.1/auth")


def hooked(directory: Directory, account_id: UUID, realm: str = "") -> None:
    account = directory.account(account_id)
    assert account is not None
    directory.put(msgspec.structs.replace(account, registration_hook=HOOK, sip_realm=realm))


def test_a_realm_tells_whose_device_it_is(directory: Directory) -> None:
    hooked(directory, DEMO, "demo.example")
    hooked(directory, OTHER, "other.example")
    for facts in (
        invite("sip:dave@Other.example", STRANGER),
        invite("sip:dave@Other.example", CARRIER),
        invite("sip:dave@h", STRANGER, "dave", realm="other.example"),
    ):
        caller = identify(directory, facts)
        assert isinstance(caller, Device)
        assert (caller.account_id, caller.client.username, caller.client.guest) == (OTHER, "dave", True)
    assert isinstance(identify(directory, invite("sip:dave@h", STRANGER)), Refused)
    assert isinstance(identify(directory, invite("sip:dave@h", CARRIER)), FromTrunk)


def test_the_only_account_with_a_hook_needs_no_realm(directory: Directory) -> None:
    hooked(directory, DEMO)
    caller = identify(directory, invite("sip:dave@h", STRANGER))
    assert isinstance(caller, Device)
    assert caller.account_id == DEMO
    assert isinstance(identify(directory, invite("sip:+4930@h", CARRIER)), FromTrunk)
    assert isinstance(identify(directory, invite("sip:h", STRANGER)), Refused)


@pytest.mark.parametrize(
    ("from_", "authorization", "realm"),
    [
        ("sip:alice@other.example", None, ""),
        ("sip:alice@h", "alice", "OTHER.example"),
        ("sip:+4930@other.example", "alice", "demo.example"),  # where it comes from decides first
    ],
)
def test_a_name_that_another_accounts_device_has_is_refused(
    directory: Directory, from_: str, authorization: str | None, realm: str
) -> None:
    hooked(directory, DEMO, "demo.example")
    hooked(directory, OTHER, "other.example")
    caller = identify(directory, invite(from_, CARRIER, authorization, realm))
    assert isinstance(caller, Refused)
    assert caller.status == 403
    assert "alice" in caller.reason
    assert device_of(directory, "alice", "other.example") is None
    assert device_of(directory, "alice", "demo.example") == directory.client("alice")
    assert device_of(directory, "alice", "192.0.2.9") == directory.client("alice")


def test_no_hook_judges_devices_at_the_realm_of_another_account(directory: Directory) -> None:
    account = directory.account(OTHER)
    assert account is not None
    directory.put(msgspec.structs.replace(account, sip_realm="other.example"))
    hooked(directory, DEMO)
    assert isinstance(identify(directory, invite("sip:dave@other.example", STRANGER)), Refused)
    assert device_of(directory, "dave", "other.example") is None
    assert device_of(directory, "dave", "h") == Client.guest_of(DEMO, "dave")


def test_accounts_may_share_a_realm(directory: Directory) -> None:
    for account in directory.all(Account):
        directory.put(msgspec.structs.replace(account, sip_realm="pbx.example"))
    hooked(directory, OTHER, "pbx.example")
    for name, owner in (("alice", DEMO), ("carol", OTHER), ("dave", OTHER)):
        device = device_of(directory, name, "pbx.example")
        assert device is not None
        assert device.account_id == owner
