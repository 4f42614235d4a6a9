"""Who is calling, and who answers."""

from __future__ import annotations

from uuid import UUID

import pytest

from ringback.routing.directory import Directory, Trunk
from ringback.routing.inbound import Answering, Device, FromTrunk, InviteFacts, Refused, answer, identify
from ringback.sip.uri import Uri

CARRIER, STRANGER = "192.0.2.1", "198.51.100.1"


def invite(
    from_: str, source: str, authorization: str | None = None, to: str = "sip:+14155550100@h"
) -> InviteFacts:
    return InviteFacts(
        request_uri=Uri.parse(to),
        from_uri=Uri.parse(from_),
        source_ip=source,
        authorization_user=authorization,
    )


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
    found = answer(directory, caller, Uri.parse(to))
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
    found = answer(directory, caller, Uri.parse(to))
    assert isinstance(found, Refused)
    assert found.status == 404


def test_a_number_without_an_application_answers_nobody(directory: Directory) -> None:
    trunk = directory.get(Trunk, UUID(int=301))
    assert trunk is not None
    assert isinstance(answer(directory, FromTrunk((trunk,)), Uri.parse("sip:+14155550111@h")), Refused)


def test_a_device_reaches_its_own_account_only(directory: Directory) -> None:
    alice = Device(directory.client("alice"))  # type: ignore[arg-type]
    found = answer(directory, alice, Uri.parse("sip:ivr@h"))
    assert isinstance(found, Answering)
    assert found.client is alice.client
    assert found.trunk is None
    assert isinstance(answer(directory, alice, Uri.parse("sip:theirs@h")), Refused)
    assert isinstance(answer(directory, alice, Uri.parse(f"sip:app-{UUID(int=103)}@h")), Refused)


def test_an_account_may_have_an_application_for_its_devices(directory: Directory) -> None:
    carol = Device(directory.client("carol"))  # type: ignore[arg-type]
    found = answer(directory, carol, Uri.parse("sip:whatever@h"))
    assert isinstance(found, Answering)
    assert found.application.name == "theirs"
    assert found.number is None
