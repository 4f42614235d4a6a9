"""What is offered to whom, and what comes of it."""

from __future__ import annotations

import pytest

from ringback.calls.negotiation import Negotiation, NotAcceptable


def negotiation(codecs: tuple[str, ...] = (), favourite: str | None = None) -> Negotiation:
    return Negotiation("192.0.2.1", 20000, 20001, codecs=codecs, favourite=favourite)


def formats(description: bytes) -> str:
    """The payload types on the media line."""
    [line] = [line for line in description.decode().splitlines() if line.startswith("m=")]
    return line.split(" ", 3)[3]


def offer(types: str) -> bytes:
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    return f"{head}m=audio 4000 RTP/AVP {types}\r\n".encode()


@pytest.mark.parametrize(
    ("codecs", "favourite", "offered"),
    [
        ((), None, "0 8 9 13 101"),
        (("G722", "PCMA"), None, "9 8 13 101"),
        (("PCMA", "PCMA"), None, "8 13 101"),
        (("OPUS", "PCMU"), None, "0 13 101"),
        (("OPUS",), None, "0 8 9 13 101"),
        ((), "G722", "9 0 8 13 101"),
        ((), "PCMA", "8 0 9 13 101"),
        (("PCMU",), "G722", "0 13 101"),
    ],
)
def test_what_is_offered(codecs: tuple[str, ...], favourite: str | None, offered: str) -> None:
    assert formats(negotiation(codecs, favourite).offer()) == offered


def test_g722_reaches_the_media_plane() -> None:
    agreeing = negotiation()
    assert agreeing.codec is None
    agreeing.answer(offer("9 0"))
    assert agreeing.codec == "G722"
    remote = agreeing.remote("192.0.2.7")
    assert remote is not None
    assert (remote.codec, remote.send_payload_type, remote.receive) == ("G722", 9, {9: "G722", 0: "PCMU"})


def test_what_is_not_allowed_is_not_answered() -> None:
    with pytest.raises(NotAcceptable):
        negotiation(("PCMU",)).answer(offer("9 8"))


def test_an_offer_that_was_checked_is_answered_like_its_text() -> None:
    text = offer("8 0")
    assert (
        formats(negotiation().answer(Negotiation.check(text))) == formats(negotiation().answer(text)) == "8 0"
    )


@pytest.mark.parametrize("address", ["phone.example.com", "192.0.2.7.9"])
def test_an_offer_without_an_address_to_send_to_is_not_acceptable(address: str) -> None:
    text = offer("0").replace(b"c=IN IP4 192.0.2.7", f"c=IN IP4 {address}".encode())
    with pytest.raises(NotAcceptable, match="is no address"):
        Negotiation.check(text)


def test_an_offer_whose_reports_go_nowhere_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable, match=r"rtcp\.example\.com is no address"):
        Negotiation.check(offer("0") + b"a=rtcp:4001 IN IP4 rtcp.example.com\r\n")
    Negotiation.check(offer("0") + b"a=rtcp-mux\r\na=rtcp:4001 IN IP4 rtcp.example.com\r\n")
