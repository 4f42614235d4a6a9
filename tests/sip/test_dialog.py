from __future__ import annotations

import msgspec
import pytest

from ringback.sip.dialog import AFTER_RESTART, Dialog, DialogState
from ringback.sip.flow import Flow
from ringback.sip.message import Request, make_response
from ringback.sip.uri import Uri

SOURCE = Flow("udp", "203.0.113.9", 40000, "192.0.2.1", 5060)


def invite(contact: str = "<sip:a@203.0.113.9:40000>", **changes: str) -> Request:
    fields = {
        "Via": "SIP/2.0/UDP 203.0.113.9:40000;branch=z9hG4bK1;rport=40000",
        "From": '"Alice" <sip:a@example.com>;tag=a',
        "To": "<sip:b@example.com>",
        "Call-ID": "1@x",
        "CSeq": "7 INVITE",
        "Contact": contact,
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    return Request("INVITE", Uri.parse("sip:b@192.0.2.1"), fields.items())


def uas(request: Request, source: Flow = SOURCE) -> Dialog:
    assert request.contact is not None
    return Dialog.from_request(request, source, "b", request.contact.uri)


def uac(*routes: str, contact: str = "<sip:b@198.51.100.7>", source: Flow = SOURCE) -> Dialog:
    request = invite()
    response = make_response(request, 200, to_tag="b")
    response.headers.add("Contact", contact)
    for route in routes:
        response.headers.add("Record-Route", route)
    return Dialog.from_response(request, response, source)


def test_the_server_side() -> None:
    dialog = uas(invite(Record_Route="<sip:p1;lr>, <sip:p2;lr>"))
    assert dialog.key == ("1@x", "b", "a")
    assert (dialog.local_cseq, dialog.remote_cseq) == (0, 7)
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:a@203.0.113.9:40000"
    assert bye.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert str(bye.to) == '"Alice" <sip:a@example.com>;tag=a'
    assert str(bye.cseq) == "1 BYE"
    assert dialog.next_hop.host == "p1"
    assert dialog.observed is None


def test_the_client_side() -> None:
    dialog = uac("<sip:p2;lr>", "<sip:p1;lr>")
    assert dialog.key == ("1@x", "a", "b")
    bye = dialog.request("BYE")
    assert bye.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert str(bye.cseq) == "8 BYE"
    assert str(dialog.request("ACK", cseq=7).cseq) == "7 ACK"


def test_a_strict_router_goes_into_the_request_uri() -> None:
    dialog = uac("<sip:p2;lr>", "<sip:p1>")
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:p1"
    assert bye.headers.get_all("Route") == ["<sip:p2;lr>", "<sip:b@198.51.100.7>"]
    assert dialog.next_hop.host == "p1"


@pytest.mark.parametrize(
    ("contact", "changes", "observed"),
    [
        ("<sip:a@203.0.113.9:40000>", {}, False),
        ("<sip:a@10.0.0.5:5060>", {}, True),
        ("<sip:a@198.51.100.1:5060>", {}, True),
        ("<sip:a@203.0.113.9:5060>", {}, True),
        # It sends from one port and listens on another, and does not ask for rport: the Contact holds.
        ("<sip:a@203.0.113.9:5060>", {"Via": "SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK1"}, False),
        # A proxy that records no route: the Contact is the peer's own, unless nobody can reach it.
        (
            "<sip:a@198.51.100.1>",
            {"Via": "SIP/2.0/UDP p;branch=z9hG4bK2;rport, SIP/2.0/UDP a;branch=z9hG4bK1"},
            False,
        ),
        (
            "<sip:a@10.0.0.5>",
            {"Via": "SIP/2.0/UDP p;branch=z9hG4bK2;rport, SIP/2.0/UDP a;branch=z9hG4bK1"},
            True,
        ),
        ("<sip:a@10.0.0.5>", {"Record_Route": "<sip:p1;lr>"}, False),
        ("<sip:a@host.example>", {}, False),
        ("<sip:a@198.51.100.1;transport=tcp>", {}, False),
        ("<tel:+14155550100>", {}, True),
    ],
)
def test_where_requests_to_a_caller_go(contact: str, changes: dict[str, str], observed: bool) -> None:
    if "Via" in changes:
        changes["Via"] = changes["Via"].replace(" p;", " p.example;").replace(" a;", " a.example;")
    dialog = uas(invite(contact, **changes))
    assert (dialog.observed == SOURCE) is observed


def test_a_connection_is_used_again() -> None:
    source = Flow("tcp", "203.0.113.9", 40000, "192.0.2.1", 5060, 3)
    assert uas(invite(), source).observed == source


def test_a_callee_whose_contact_is_private() -> None:
    public = Flow("udp", "8.8.8.8", 5060)
    assert uac(contact="<sip:b@192.168.1.5>", source=public).observed == public
    assert uac("<sip:p1;lr>", contact="<sip:b@192.168.1.5>", source=public).observed is None
    assert uac(contact="<sip:b@9.9.9.9>", source=public).observed is None


def test_order_of_requests() -> None:
    dialog = uas(invite())
    assert not dialog.in_order(6)
    assert dialog.in_order(7)
    assert dialog.in_order(12)
    assert not dialog.in_order(8)


def test_a_target_refresh() -> None:
    dialog = uas(invite())
    dialog.refresh_target(invite("<sip:new@203.0.113.10>"))
    assert str(dialog.remote_target) == "sip:new@203.0.113.10"
    without = invite()
    without.headers.remove("Contact")
    dialog.refresh_target(without)
    assert str(dialog.remote_target) == "sip:new@203.0.113.10"


def test_a_dialog_on_paper_comes_back() -> None:
    for dialog in (uas(invite("<sip:a@10.0.0.5>")), uac("<sip:p2;lr>", "<sip:p1;lr>")):
        data = msgspec.json.encode(dialog.state())
        again = Dialog.restore(msgspec.json.decode(data, type=DialogState))
        assert again.key == dialog.key
        assert again.next_hop == dialog.next_hop
        assert (again.observed is None) == (dialog.observed is None)
        assert again.local_cseq == dialog.local_cseq + AFTER_RESTART
        assert again.request("BYE").headers.get_all("Route") == dialog.request("BYE").headers.get_all("Route")
