"""What a REFER asks for, Replaces, and sipfrag bodies."""

from __future__ import annotations

import pytest

from ringback.sip.errors import SipParseError
from ringback.sip.headers import Headers
from ringback.sip.message import Request
from ringback.sip.referral import Referral, Replaces, SubscriptionState, read_sipfrag, sipfrag
from ringback.sip.uri import Uri


def refer(*headers: tuple[str, str]) -> Request:
    return Request("REFER", Uri.parse("sip:a@192.0.2.1"), Headers(headers), b"")


def test_a_blind_transfer() -> None:
    asked = Referral.of(refer(("Refer-To", "<sip:carol@192.0.2.9>"), ("Referred-By", "<sip:bob@192.0.2.2>")))
    assert str(asked.target) == "sip:carol@192.0.2.9"
    assert asked.replaces is None
    assert asked.referred_by is not None
    assert asked.referred_by.uri.user == "bob"
    assert asked.reports


def test_an_attended_transfer() -> None:
    """The Refer-To of RFC 3891 section 1."""
    value = "<sip:carol@192.0.2.9?Replaces=425928%40bob.example%3Bto-tag%3D7743%3Bfrom-tag%3D6472&X-Order=7>"
    asked = Referral.of(refer(("Refer-To", value)))
    assert str(asked.target) == "sip:carol@192.0.2.9"
    assert asked.replaces == Replaces(call_id="425928@bob.example", to_tag="7743", from_tag="6472")
    assert asked.headers == (("X-Order", "7"),)


def test_what_a_uri_must_not_make_us_send_is_left_out() -> None:
    value = "<sip:carol@192.0.2.9?Route=%3Csip:evil.example%3E&From=eve&Subject=hello&X-A=b>"
    assert Referral.of(refer(("Refer-To", value))).headers == (("X-A", "b"),)


def test_no_reports_are_wanted() -> None:
    asked = Referral.of(refer(("Refer-To", "<sip:carol@192.0.2.9>"), ("Refer-Sub", "false")))
    assert not asked.reports


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Refer-To", "<sip:a@b.example>"), ("Refer-To", "<sip:c@b.example>")),
        (("Refer-To", "nobody at all"),),
        (("Refer-To", "<sip:a@b.example?Replaces=x>"),),
        (("Refer-To", "<sip:a@b.example>"), ("Referred-By", "<")),
    ],
)
def test_a_refer_that_cannot_be_read(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(SipParseError) as caught:
        Referral.of(refer(*headers))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "early"),
    [
        ("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff", False),
        ("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only", True),
    ],
)
def test_replaces_is_read_and_written(text: str, early: bool) -> None:
    """The examples of RFC 3891 section 6.1."""
    replaces = Replaces.parse(text)
    assert replaces.early_only is early
    assert Replaces.parse(str(replaces)) == replaces


@pytest.mark.parametrize(
    "text", ["", "abc", "abc;to-tag=1", "abc;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;from-tag=;x"]
)
def test_replaces_that_names_no_dialog(text: str) -> None:
    with pytest.raises(SipParseError):
        Replaces.parse(text)


def test_replaces_goes_into_a_refer_to() -> None:
    replaces = Replaces(call_id="c@d", to_tag="1", from_tag="2")
    uri = replaces.within(Uri.parse("sip:carol@192.0.2.9"))
    assert Referral.of(refer(("Refer-To", f"<{uri}>"))).replaces == replaces


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"SIP/2.0 200 OK\r\n", (200, "OK")),
        (b"SIP/2.0 180", (180, "Ringing")),
        (b"SIP/2.0 503 Service Unavailable\r\nRetry-After: 3\r\n", (503, "Service Unavailable")),
        (b"SIP/2.0 486 Busy\n", (486, "Busy")),
        (b"", None),
        (b"HTTP/1.1 200 OK", None),
        (b"SIP/2.0 999 No", None),
    ],
)
def test_sipfrag_is_read(body: bytes, told: tuple[int, str] | None) -> None:
    assert read_sipfrag(body) == told


def test_sipfrag_is_written() -> None:
    assert sipfrag(100) == b"SIP/2.0 100 Trying\r\n"
    assert read_sipfrag(sipfrag(603, "No")) == (603, "No")


def test_the_state_of_a_subscription() -> None:
    assert SubscriptionState.parse("terminated;reason=noresource") == SubscriptionState(
        "terminated", "noresource"
    )
    assert SubscriptionState.parse("Terminated").over
    assert not SubscriptionState.parse("active;expires=60").over
