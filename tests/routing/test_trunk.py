"""How a carrier wants numbers and callers written, and which of its gateways has its turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Any
from uuid import UUID

import pytest
from tests.routing.conftest import DEMO

from ringback.routing.identity import caller_over, calling_user, plain_caller, shown_caller
from ringback.routing.trunk import Gateway, Trunk, in_order
from ringback.sip.message import Request
from ringback.sip.parse import parse_message
from ringback.sip.uri import Uri


def trunk(**fields: Any) -> Trunk:
    return Trunk(id=UUID(int=1), account_id=DEMO, name="carrier", **fields)


@pytest.mark.parametrize(
    ("fields", "dialled", "sent"),
    [
        ({}, "+14155550100", "+14155550100"),
        ({}, "14155550100", "14155550100"),
        ({"number_format": "+e164"}, "14155550100", "+14155550100"),
        ({"number_format": "+e164"}, "+14155550100", "+14155550100"),
        ({"number_format": "+e164"}, "911", "911"),
        ({"number_format": "+e164"}, "*98#", "*98#"),
        ({"number_format": "e164"}, "+14155550100", "14155550100"),
        ({"number_format": "e164", "strip": "44", "prefix": "0"}, "+442079460100", "02079460100"),
        ({"number_format": "e164", "strip": "44", "prefix": "0"}, "+14155550100", "014155550100"),
        ({"prefix": "777#"}, "+14155550100", "777#+14155550100"),
        ({"strip": "+"}, "+14155550100", "14155550100"),
    ],
)
def test_numbers_are_written_as_the_carrier_wants_them(
    fields: dict[str, Any], dialled: str, sent: str
) -> None:
    assert trunk(**fields).called(dialled) == sent


# -- gateways


def order(gateways: list[Gateway], down: Set[str] = frozenset(), chance: float = 0.0) -> list[str]:
    return [g.host for g in in_order(gateways, lambda gateway: gateway.host not in down, lambda: chance)]


def test_the_lowest_priority_goes_first_and_those_down_go_last() -> None:
    gateways = [Gateway(host="c", priority=2), Gateway(host="a"), Gateway(host="b", priority=1)]
    assert order(gateways) == ["a", "b", "c"]
    assert order(gateways, {"a"}) == ["b", "c", "a"]
    assert order(gateways, {"a", "b", "c"}) == ["a", "b", "c"]
    assert order([]) == []


def test_weight_shares_out_among_those_of_one_priority() -> None:
    gateways = [Gateway(host="a", weight=3), Gateway(host="b", weight=1), Gateway(host="z", priority=9)]
    first = Counter(order(gateways, chance=step / 100)[0] for step in range(100))
    assert first == {"a": 75, "b": 25}
    assert order(gateways, chance=0.99) == ["b", "a", "z"]


def test_those_without_weight_have_their_turn_when_no_other_is_left() -> None:
    gateways = [Gateway(host="a", weight=0), Gateway(host="b", weight=0), Gateway(host="c", weight=2)]
    assert order(gateways, chance=0.9) == ["c", "b", "a"]
    assert order(gateways, chance=0.0) == ["c", "a", "b"]


# -- who calls, towards a carrier


@pytest.mark.parametrize(
    ("fields", "caller_id", "headers"),
    [
        ({}, "+14155550199", ()),
        (
            {"caller_id": "pai"},
            "+14155550199",
            (("P-Asserted-Identity", '"Us" <sip:+14155550199@gw.example>'),),
        ),
        (
            {"caller_id": "pai", "identity": "+14155550100", "number_format": "e164"},
            "+14155550199",
            (("P-Asserted-Identity", '"Us" <sip:14155550100@gw.example>'),),
        ),
        (
            {"caller_id": "rpid"},
            "+14155550199",
            (
                (
                    "Remote-Party-ID",
                    '"Us" <sip:+14155550199@gw.example>;party=calling;screen=yes;privacy=off',
                ),
            ),
        ),
        ({"caller_id": "pai"}, "client:alice", ()),  # what is no number cannot be asserted
    ],
)
def test_a_caller_is_asserted_where_the_carrier_wants_it(
    fields: dict[str, Any], caller_id: str, headers: Any
) -> None:
    caller = caller_over(trunk(**fields), "gw.example", caller_id, "Us", "")
    assert caller.headers == headers
    assert caller.name == "Us"
    assert caller.domain == ""


def test_the_number_shown_has_the_carriers_format() -> None:
    caller = caller_over(trunk(number_format="e164", username="us"), "gw", "+1 415-555-0199", "", "")
    assert (caller.user, caller.domain) == ("14155550199", "gw")


@pytest.mark.parametrize(
    "caller_id", ["anonymous", "Anonymous", "Restricted", "sip:anonymous@anonymous.invalid"]
)
def test_a_withheld_caller_is_shown_to_nobody(caller_id: str) -> None:
    for caller in (plain_caller(caller_id, "Us"), caller_over(trunk(), "gw", caller_id, "Us", "")):
        assert (caller.user, caller.domain, caller.name) == ("anonymous", "anonymous.invalid", "Anonymous")
        assert caller.headers == (("Privacy", "id"),)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("pai", ("P-Asserted-Identity", "<sip:+14155550100@gw>")),
        (
            "rpid",
            ("Remote-Party-ID", "<sip:+14155550100@gw>;party=calling;screen=yes;privacy=full"),
        ),
    ],
)
def test_the_carrier_still_learns_whose_anonymous_call_it_is(form: Any, said: tuple[str, str]) -> None:
    caller = caller_over(trunk(caller_id=form, identity="+14155550100"), "gw", "anonymous", "Us", "")
    assert caller.headers == (("Privacy", "id"), said)
    nobody = caller_over(trunk(caller_id=form), "gw", "anonymous", "Us", "")
    assert nobody.headers == (("Privacy", "id"),)


def test_a_forwarded_call_says_who_forwarded_it_where_that_is_wanted() -> None:
    forwarded = caller_over(trunk(diversion=True), "gw", "+493012345678", "", "+14155550100")
    assert forwarded.headers == (("Diversion", "<sip:+14155550100@gw>;reason=unconditional"),)
    assert caller_over(trunk(diversion=True), "gw", "+493012345678", "", "").headers == ()
    assert caller_over(trunk(), "gw", "+493012345678", "", "+14155550100").headers == ()


# -- who calls, from a carrier


def invite(from_: str, *lines: str) -> Request:
    head = [
        "INVITE sip:+14155550100@h SIP/2.0",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
        f"From: {from_};tag=1",
        "To: <sip:+14155550100@h>",
        "Call-ID: 1",
        "CSeq: 1 INVITE",
        *lines,
    ]
    message = parse_message("\r\n".join([*head, "", ""]).encode())
    assert isinstance(message, Request)
    return message


ASSERTED = 'P-Asserted-Identity: "Bob" <sip:+14155550142@carrier>, <tel:+14155550142>'


@pytest.mark.parametrize(
    ("trusted", "from_", "lines", "user", "name"),
    [
        (True, "<sip:+1999@h>", (ASSERTED,), "+14155550142", "Bob"),
        (False, "<sip:+1999@h>", (ASSERTED,), "+1999", ""),
        (True, "<sip:+1999@h>", (), "+1999", ""),
        (True, "<sip:+1999@h>", ("P-Asserted-Identity: <sip:carrier>",), "+1999", ""),
        (True, "<sip:+1999@h>", ("P-Asserted-Identity: nonsense",), "+1999", ""),
        (True, "<tel:+1-415-555-0142>", (), "+1-415-555-0142", ""),
        (
            True,
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            (ASSERTED, "Privacy: id"),
            "anonymous",
            "Anonymous",
        ),
        (
            True,
            '"Anonymous" <sip:anonymous@anonymous.invalid>',
            (ASSERTED, "Privacy: none"),
            "+14155550142",
            "Bob",
        ),
        (False, "<sip:c8oqz84zk7z@anonymous.invalid>", (), "anonymous", ""),
        (False, "<sip:carrier.example>", (), "anonymous", ""),
    ],
)
def test_who_an_application_sees(
    trusted: bool, from_: str, lines: tuple[str, ...], user: str, name: str
) -> None:
    caller = shown_caller(invite(from_, *lines), trunk(trust_identity=trusted))
    assert (caller.uri.user, caller.display_name) == (user, name)


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:+14155550142;phone-context=x@h;user=phone", "+14155550142"),
        ("tel:+1-415-555-0142", "+14155550142"),
        ("sip:alice;day=tuesday@h", "alice;day=tuesday"),
        ("sip:h", ""),
    ],
)
def test_a_number_that_calls_is_told_plainly(uri: str, user: str) -> None:
    assert calling_user(Uri.parse(uri)) == user


def test_a_device_asserts_nothing() -> None:
    assert shown_caller(invite("<sip:alice@h>", ASSERTED), None).uri.user == "alice"
