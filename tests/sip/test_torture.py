"""Every message of RFC 4475 (49) and RFC 5118 (12, with Content-Length made to fit the printed bodies).

``REFUSED`` says with which status and phrase; ``READ`` says what must be read. What is legal but has to be
answered by an application (an extension, a media type, Max-Forwards 0) is parsed here, and what the answer
rests on is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.sip.body import check_body, multipart, sdp_body
from ringback.sip.errors import SipParseError
from ringback.sip.message import Message, Request, Response, make_response
from ringback.sip.parse import classify, parse_message
from ringback.sip.sdp import SessionDescription

TORTURE = Path(__file__).parent / "torture"

# name -> (section of RFC 4475 or 5118, status, reason, can be answered)
REFUSED: dict[str, tuple[str, int, str, bool]] = {
    "badinv01": ("4475 3.1.2.1", 400, "Malformed Parameter", False),
    "clerr": ("4475 3.1.2.2", 400, "Content-Length Exceeds Message", True),
    "ncl": ("4475 3.1.2.3", 400, "Malformed Content-Length", True),
    "scalar02": ("4475 3.1.2.4", 400, "Malformed Max-Forwards", True),
    "scalarlg": ("4475 3.1.2.5", 400, "Malformed CSeq", False),
    "quotbal": ("4475 3.1.2.6", 400, "Malformed URI", True),
    "ltgtruri": ("4475 3.1.2.7", 400, "Malformed URI", True),
    "lwsruri": ("4475 3.1.2.8", 400, "Malformed Start Line", True),
    "lwsstart": ("4475 3.1.2.9", 400, "Malformed Start Line", True),
    "trws": ("4475 3.1.2.10", 400, "Malformed Start Line", True),
    "escruri": ("4475 3.1.2.11", 400, "Header Fields in Request-URI", True),
    "badaspec": ("4475 3.1.2.14", 400, "Malformed URI", True),
    "baddn": ("4475 3.1.2.15", 400, "Malformed URI", True),
    "badvers": ("4475 3.1.2.16", 505, "Version Not Supported", True),
    "mismatch01": ("4475 3.1.2.17", 400, "CSeq Does Not Match Method", True),
    "mismatch02": ("4475 3.1.2.18", 400, "CSeq Does Not Match Method", True),
    "bigcode": ("4475 3.1.2.19", 400, "Malformed Start Line", False),
    "insuf": ("4475 3.3.1", 400, "Missing From", True),
    "unkscm": ("4475 3.3.2", 416, "Unsupported URI Scheme", True),
    "novelsc": ("4475 3.3.3", 416, "Unsupported URI Scheme", True),
    "multi01": ("4475 3.3.8", 400, "Repeated From", True),
    "mcl01": ("4475 3.3.9", 400, "Repeated Content-Length", True),
    "ipv6-bad": ("5118 4.2", 400, "Malformed URI", True),
}


def load(name: str) -> bytes:
    return (TORTURE / f"{name}.dat").read_bytes()


def read(name: str) -> Message:
    data = load(name)
    assert classify(data) == "sip"
    return parse_message(data)


def request(name: str) -> Request:
    message = read(name)
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = read(name)
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    _, status, reason, answerable = REFUSED[name]
    with pytest.raises(SipParseError) as caught:
        read(name)
    error = caught.value
    assert (error.status, error.reason) == (status, reason)
    assert (error.partial is not None) == answerable
    if error.partial is not None:
        assert isinstance(error.partial, Request)
        reply = make_response(error.partial, error.status, to_tag="t").encode()
        assert reply.startswith(f"SIP/2.0 {status} ".encode())
        assert b"\r\nVia: SIP/" in reply


def wsinv() -> None:
    """4475 3.1.1.1: white space and folding wherever the grammar allows it."""
    message = request("wsinv")
    message.validate()
    assert message.uri.params["unknownparam"] == ""
    assert message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.max_forwards == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.headers.get("subject") == ""
    assert message.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    (route,) = message.routes
    assert route.uri.host == "services.example.com"
    assert dict(route.uri.params) == {"lr": "", "unknownwith": "value", "unknown-no-value": ""}
    assert message.contact is not None
    assert message.contact.display_name == 'Quoted string ""'
    assert dict(message.contact.params) == {"newparam": "newvalue", "secondparam": "", "q": "0.33"}
    assert len(message.body) == 150


def intmeth() -> None:
    """4475 3.1.1.2: every character that may stand in a method, a token, a user part."""
    message = request("intmeth")
    message.validate()
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~" == message.cseq.method
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.uri.host == "example.com"
    assert message.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert message.to.display_name == "BEL: NUL: DEL:"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert (
        message.from_.params["fromparam''~+*_!.-%"]
        == "\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439"
    )
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff\u5927\u505c\u96fb"
    assert message.max_forwards == 255


def esc01() -> None:
    """4475 3.1.1.3: escapes say what the characters say, and reserved ones stay escaped."""
    message = request("esc01")
    message.validate()
    assert message.uri.user == "sips:user@example.com"
    assert message.uri.host == "example.net"
    assert message.to.uri.user == "user"
    assert message.to.uri.same_as(type(message.uri).parse("sip:user@example.com"))
    assert message.from_.uri.user == "I have spaces"
    assert message.contact is not None
    assert message.contact.uri.user == "caller"
    assert message.contact.uri.params["lr"] == ""
    assert message.contact.uri.params["name"] == "v%61lue%25%34%31"


def escnull() -> None:
    """4475 3.1.1.4: an escaped NUL ends nothing."""
    message = request("escnull")
    message.validate()
    assert message.to.uri.user == "null-\0-null"
    assert [contact.uri.user for contact in message.contacts] == ["\0", "\0\0"]
    assert str(message.to.uri) == "sip:null-%00-null@example.com"


def esc02() -> None:
    """4475 3.1.1.5: a percent sign outside URIs escapes nothing."""
    message = request("esc02")
    message.validate()
    assert message.method == "RE%47IST%45R"
    assert message.from_.display_name == "%Z%45"
    assert [contact.uri.user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def lwsdisp() -> None:
    """4475 3.1.1.6: no white space between display name and bracket."""
    message = request("lwsdisp")
    assert (message.from_.display_name, str(message.from_.uri)) == ("caller", "sip:caller@example.com")


def longreq() -> None:
    """4475 3.1.1.7: long values, and every spelling of Via."""
    message = request("longreq")
    message.validate()
    assert len(message.vias) == 34
    assert message.vias[0].host == "sip33.example.com"
    assert message.vias[-1].received == "192.0.2.5"
    assert message.from_.uri.user is not None
    assert message.from_.uri.user.startswith("amazinglylong")
    assert message.to.uri.port == 6000
    assert message.contact is not None
    assert len(message.contact.display_name) == 0


def dblreq() -> None:
    """4475 3.1.1.8: what follows the end of the first message in a datagram is dropped."""
    message = request("dblreq")
    assert message.method == "REGISTER"
    assert message.body == b""


def semiuri() -> None:
    """4475 3.1.1.9: a semicolon in the user part starts no parameter."""
    message = request("semiuri")
    assert message.uri.user == "user;par=u@example.net"
    assert not message.uri.params
    assert message.headers.get("accept") == (
        "application/sdp, application/pkcs7-mime, multipart/mixed, multipart/signed,"
        " message/sip, message/sipfrag"
    )


def transports() -> None:
    """4475 3.1.1.10: transports that are not known are still transports."""
    assert [via.transport for via in read("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def mpart01() -> None:
    """4475 3.1.1.11: a multipart body with binary content."""
    message = request("mpart01")
    message.validate()
    assert message.content_type is not None
    text, binary = multipart(message.content_type, message.body)
    assert (text.content_type.essence, text.body) == ("text/plain", b"Hello")
    assert binary.content_type.essence == "application/octet-stream"
    assert binary.body.startswith(b"0\x82\x01")
    assert sdp_body(message) is None


def unreason() -> None:
    """4475 3.1.1.12: a reason phrase in any script."""
    message = response("unreason")
    assert message.status == 200
    assert message.reason.startswith("= 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e")


def noreason() -> None:
    """4475 3.1.1.13: an empty reason phrase."""
    message = response("noreason")
    assert (message.status, message.reason) == (100, "")


def baddate() -> None:
    """4475 3.1.2.12: a Date in the wrong zone matters to nobody here."""
    assert request("baddate").headers.get("Date") == "Fri, 01 Jan 2010 16:00:00 EST"


def regbadct() -> None:
    """4475 3.1.2.13: a Contact that needs brackets and has none."""
    message = request("regbadct")
    with pytest.raises(SipParseError, match="Angle Brackets"):
        message.validate()


def badbranch() -> None:
    """4475 3.2.1: a branch that is the magic cookie alone promises nothing."""
    assert request("badbranch").via.magic_branch is None
    assert request("semiuri").via.magic_branch is not None


def unksm2() -> None:
    """4475 3.3.4: unknown schemes in header fields are the application's business."""
    message = request("unksm2")
    message.validate()
    assert (message.to.uri.scheme, message.to.uri.opaque) == ("isbn", "2983792873")
    assert message.from_.uri.scheme == "http"
    assert [contact.uri.scheme for contact in message.contacts] == ["name"]


def bext01() -> None:
    """4475 3.3.5: extensions to refuse with 420."""
    message = request("bext01")
    assert message.require == ["nothingsupportsthis", "nothingsupportsthiseither"]


def invut() -> None:
    """4475 3.3.6: a media type to refuse with 415."""
    with pytest.raises(SipParseError) as caught:
        check_body(request("invut"))
    assert caught.value.status == 415


def regaut01() -> None:
    """4475 3.3.7: an authorization scheme that nobody knows."""
    assert request("regaut01").headers.get("Authorization") == "NoOneKnowsThisScheme opaque-data=here"


def bcast() -> None:
    """4475 3.3.10: a response with a second Via is not for us to route."""
    assert [via.host for via in response("bcast").vias] == ["192.0.2.198", "255.255.255.255"]


def zeromf() -> None:
    """4475 3.3.11: Max-Forwards 0 is legal at its destination."""
    assert request("zeromf").max_forwards == 0


def cparam01() -> None:
    """4475 3.3.12: without brackets the parameter belongs to the Contact."""
    contact = request("cparam01").contact
    assert contact is not None
    assert "unknownparam" in contact.params
    assert "unknownparam" not in contact.uri.params


def cparam02() -> None:
    """4475 3.3.13: within brackets it belongs to the URI."""
    contact = request("cparam02").contact
    assert contact is not None
    assert "unknownparam" not in contact.params
    assert "unknownparam" in contact.uri.params


def regescrt() -> None:
    """4475 3.3.14: header fields in a Contact's URI stay with it."""
    contact = request("regescrt").contact
    assert contact is not None
    assert contact.uri.headers == "Route=%3Csip:sip.example.com%3E"


def sdp01() -> None:
    """4475 3.3.15: no type of body that the caller accepts is ours."""
    assert request("sdp01").headers.get("Accept") == "text/nobodyKnowsThis"


def inv2543() -> None:
    """4475 3.4.1: a request of RFC 2543: no branch, no tag, no Content-Length."""
    message = request("inv2543")
    message.validate()
    assert message.via.branch is None
    assert message.from_.tag is None
    assert message.record_routes[0].uri.params["maddr"] == "ss1.example.com"
    assert message.body.startswith(b"v=0")


def ipv6_good() -> None:
    """5118 4.1"""
    message = request("ipv6-good")
    message.validate()
    assert (message.uri.host, message.uri.port, message.via.host) == ("2001:db8::10", None, "2001:db8::9:1")
    assert message.contact is not None
    assert message.contact.uri.host == "2001:db8::1"


def port_ambiguous() -> None:
    """5118 4.3: inside the brackets it is no port."""
    uri = request("port-ambiguous").uri
    assert (uri.host, uri.port) == ("2001:db8::10:5070", None)


def port_unambiguous() -> None:
    """5118 4.4"""
    uri = request("port-unambiguous").uri
    assert (uri.host, uri.port) == ("2001:db8::10", 5070)


def via_received_param_with_delim() -> None:
    """5118 4.5: brackets around ``received`` are tolerated."""
    assert request("via-received-param-with-delim").via.received == "2001:db8::9:255"


def via_received_param_no_delim() -> None:
    """5118 4.5: and not needed."""
    assert request("via-received-param-no-delim").via.received == "2001:db8::9:255"


def ipv6_in_sdp() -> None:
    """5118 4.6"""
    description = SessionDescription.parse(sdp_body(request("ipv6-in-sdp")) or b"")
    assert [description.connection_of(media) for media in description.media] == ["2001:db8::20"] * 2


def mult_ip_in_header() -> None:
    """5118 4.7"""
    assert [via.sent_by for via in read("mult-ip-in-header").vias] == [
        "[2001:db8::9:1]:6050",
        "192.0.2.1",
        "[2001:db8::9:255]",
    ]


def mult_ip_in_sdp() -> None:
    """5118 4.8"""
    description = SessionDescription.parse(sdp_body(request("mult-ip-in-sdp")) or b"")
    assert [description.connection_of(media) for media in description.media] == ["192.0.2.1", "2001:db8::1"]


def ipv4_mapped_ipv6() -> None:
    """5118 4.9"""
    message = request("ipv4-mapped-ipv6")
    assert [via.host for via in message.vias] == ["::ffff:192.0.2.10", "::ffff:192.0.2.2"]
    assert SessionDescription.parse(message.body).connection == "::ffff:192.0.2.2"


def ipv6_bug_abnf_3_colons() -> None:
    """5118 4.10: the third colon of the old grammar is tolerated."""
    assert request("ipv6-bug-abnf-3-colons").uri.host == "2001:db8::192.0.2.1"


def ipv6_correct_abnf_2_colons() -> None:
    """5118 4.10"""
    assert request("ipv6-correct-abnf-2-colons").uri.host == "2001:db8::192.0.2.1"


READ: dict[str, Callable[[], None]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        wsinv, intmeth, esc01, escnull, esc02, lwsdisp, longreq, dblreq, semiuri, transports, mpart01,
        unreason, noreason, baddate, regbadct, badbranch, unksm2, bext01, invut, regaut01, bcast,
        zeromf, cparam01, cparam02, regescrt, sdp01, inv2543, ipv6_good, port_ambiguous,
        port_unambiguous, via_received_param_with_delim, via_received_param_no_delim, ipv6_in_sdp,
        mult_ip_in_header, mult_ip_in_sdp, ipv4_mapped_ipv6, ipv6_bug_abnf_3_colons,
        ipv6_correct_abnf_2_colons,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    READ[name]()


@pytest.mark.parametrize("name", READ)
def test_round_trip(name: str) -> None:
    """What was read is written so that it reads the same."""
    message = read(name)
    again = parse_message(message.encode())
    assert repr(again) == repr(message)
    assert again.body == message.body
    for header in ("From", "To", "Via", "CSeq", "Contact"):
        assert again.headers.get_all(header) == message.headers.get_all(header)


def test_all_are_here() -> None:
    assert {path.stem for path in TORTURE.glob("*.dat")} == {*REFUSED, *READ}
    assert len({*REFUSED, *READ}) == 49 + 12
