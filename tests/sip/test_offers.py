from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ringback.sip.events import Ended, Offer, OfferAnswered, OfferWithdrawn
from ringback.sip.message import Request, Response

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

    from ringback.sip.inbound import InboundCall
    from ringback.sip.outbound import OutboundCall

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
HOLD = SDP + b"a=sendonly\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


class Inbound:
    """A call from the peer, up."""

    def __init__(self, network: Network, node: Node, peer: Peer, **fields: str) -> None:
        self.network, self.node, self.peer = network, node, peer
        node.on_call = lambda call: call.answer(SDP)
        peer.send(peer.request("INVITE", node, body=SDP, **fields), node)
        network.run()
        self.ok: Response = peer.responses(200, "INVITE")[0]
        peer.send(peer.within("ACK", node, self.ok), node)
        network.run()
        self.call: InboundCall = node.calls[0]
        node.events.clear()
        peer.inbox.clear()
        peer.names.clear()
        self._cseq = 1

    def send(self, method: str, body: bytes = b"", **changes: str) -> Request:
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
        changes.setdefault("cseq", self._cseq)  # type: ignore[arg-type]
        request = self.peer.within(method, self.node, self.ok, body=body, **changes)
        self.peer.send(request, self.node)
        self.network.run(0.05)
        return request


@pytest.fixture
def up(network: Network, node: Node, peer: Peer) -> Inbound:
    return Inbound(network, node, peer)


@pytest.fixture
def out(network: Network, node: Node, peer: Peer) -> OutboundCall:
    """A call to the peer, up."""
    call = node.call(peer)
    network.run(0.02)
    peer.respond(peer.requests("INVITE")[0], 200, body=SDP)
    network.run()
    node.events.clear()
    peer.inbox.clear()
    peer.names.clear()
    return call


def test_the_peer_holds_the_call(up: Inbound) -> None:
    up.send("INVITE", HOLD, Contact="<sip:moved@192.0.2.2:5060>")
    assert up.peer.names == ["100 INVITE"]
    assert up.node.event(Offer) == Offer(HOLD, "INVITE")
    up.call.reply_offer(SDP, [("X-A", "b")])
    up.network.run(0.05)
    ok = up.peer.responses(200)[0]
    assert (ok.body, ok.headers.get("X-A")) == (SDP, "b")
    up.network.run(1)
    assert up.peer.names.count("200 INVITE") == 2
    up.send("ACK")
    up.network.run(10)
    assert up.peer.names.count("200 INVITE") == 2
    up.call.bye()
    up.network.run(0.05)
    assert str(up.peer.requests("BYE")[0].uri) == "sip:moved@192.0.2.2:5060"


def test_an_offer_may_be_declined(up: Inbound) -> None:
    up.send("INVITE", HOLD)
    up.call.refuse_offer(488, "No")
    up.network.run(0.05)
    assert up.peer.responses(488)[0].reason == "No"
    assert up.call.state == "answered"


def test_a_reinvite_without_offer_asks_for_ours(up: Inbound) -> None:
    up.send("INVITE")
    assert up.node.event(Offer) == Offer(None, "INVITE")
    up.call.reply_offer(SDP)
    up.network.run(0.05)
    up.send("ACK", b"v=0\r\nanswer")
    assert up.node.event(OfferAnswered).sdp == b"v=0\r\nanswer"


def test_a_reinvite_whose_ack_never_comes_ends_the_call(up: Inbound) -> None:
    up.send("INVITE", HOLD)
    up.call.reply_offer(SDP)
    up.network.run(33)
    assert up.node.event(Ended).cause == "no ACK"
    assert "BYE" in up.peer.names


def test_a_reinvite_may_be_cancelled(up: Inbound) -> None:
    up.send("INVITE", HOLD, branch="z9hG4bKr")
    up.send("CANCEL", branch="z9hG4bKr")
    assert up.peer.names[-2:] == ["200 CANCEL", "487 INVITE"]
    assert up.node.event(OfferWithdrawn).method == "INVITE"
    assert up.call.state == "answered"


def test_a_second_offer_before_the_answer_is_500(up: Inbound) -> None:
    up.send("INVITE", HOLD)
    up.send("INVITE", HOLD)
    up.send("UPDATE", HOLD)
    for refusal in up.peer.responses(500):
        assert 0 <= int(refusal.headers.get("Retry-After") or "99") <= 10
    assert [item.cseq.method for item in up.peer.responses(500)] == ["INVITE", "UPDATE"]


def test_a_low_cseq_is_500(up: Inbound) -> None:
    up.send("INFO", cseq=5)  # type: ignore[arg-type]
    up.send("INFO", cseq=4)  # type: ignore[arg-type]
    assert up.peer.names == ["200 INFO", "500 INFO"]
    assert up.peer.responses(500)[0].headers.get("Retry-After") is not None


def test_bye_during_a_reinvite_ends_both(up: Inbound) -> None:
    up.send("INVITE", HOLD)
    up.send("BYE")
    assert sorted(up.peer.names) == ["100 INVITE", "200 BYE", "487 INVITE"]
    assert up.node.kinds() == ["Offer", "Ended"]


def test_an_update_with_an_offer(up: Inbound) -> None:
    up.send("UPDATE", HOLD)
    assert up.node.event(Offer) == Offer(HOLD, "UPDATE")
    up.call.reply_offer(SDP)
    up.network.run(0.05)
    assert up.peer.responses(200, "UPDATE")[0].body == SDP


def test_an_update_without_an_offer_is_answered_by_itself(up: Inbound) -> None:
    up.send("UPDATE")
    assert up.peer.names == ["200 UPDATE"]
    assert up.node.events == []


def test_a_body_that_is_no_description_is_415(up: Inbound) -> None:
    up.send("INVITE", b"{}", Content_Type="application/json")
    refusal = up.peer.responses(415)[0]
    assert "application/sdp" in (refusal.headers.get("Accept") or "")
    assert up.call.state == "answered"


def test_we_hold_the_call(network: Network, node: Node, peer: Peer, out: OutboundCall) -> None:
    pending = out.reinvite(HOLD, [("X-A", "b")])
    network.run(0.02)
    (invite,) = peer.requests("INVITE")
    assert (invite.body, invite.headers.get("X-A"), invite.to.tag) == (HOLD, "b", "peer")
    peer.respond(invite, 100)
    peer.respond(invite, 200, body=SDP)
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    assert pending.value is not None
    assert pending.value.status == 200
    assert node.event(OfferAnswered).sdp == SDP
    assert [ack.cseq.number for ack in peer.requests("ACK")] == [invite.cseq.number] * 2


def test_offers_of_ours_wait_for_one_another(
    network: Network, node: Node, peer: Peer, out: OutboundCall
) -> None:
    out.reinvite(HOLD)
    second = out.reinvite(SDP)
    network.run(0.02)
    (invite,) = peer.requests("INVITE")
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    assert peer.requests("INVITE")[-1].body == SDP
    out.bye()
    assert second.value is None
    network.run(0.02)
    peer.respond(peer.requests("INVITE")[-1], 487)
    network.run(0.05)
    assert second.value is not None


def test_a_declined_offer_leaves_the_call_as_it_was(
    network: Network, node: Node, peer: Peer, out: OutboundCall
) -> None:
    pending = out.reinvite(HOLD)
    network.run(0.02)
    peer.respond(peer.requests("INVITE")[0], 488)
    network.run(0.05)
    assert pending.value is not None
    assert pending.value.status == 488
    assert node.events == []
    assert out.state == "answered"


def test_a_reinvite_that_nobody_answers_ends_the_call(
    network: Network, node: Node, out: OutboundCall
) -> None:
    out.reinvite(HOLD)
    network.run(33)
    assert node.event(Ended).by == "error"


@pytest.mark.parametrize(("ours", "earliest", "latest"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_glare_is_tried_again(
    network: Network, node: Node, peer: Peer, ours: bool, earliest: float, latest: float
) -> None:
    call: InboundCall | OutboundCall
    if ours:
        call = node.call(peer)
        network.run(0.02)
        peer.respond(peer.requests("INVITE")[0], 200, body=SDP)
        network.run()
    else:
        call = Inbound(network, node, peer).call
    before = len(peer.requests("INVITE"))
    call.reinvite(HOLD)
    network.run(0.02)
    refused = network.now
    peer.respond(peer.requests("INVITE")[-1], 491)
    while len(peer.requests("INVITE")) == before + 1:
        network.run(0.01)
    assert earliest <= network.now - refused <= latest + 0.05
    peer.respond(peer.requests("INVITE")[-1], 200, body=SDP)
    network.run(0.05)
    assert node.kinds()[-1] == "OfferAnswered"


def test_the_peer_goes_first_after_a_glare(
    network: Network, node: Node, peer: Peer, out: OutboundCall
) -> None:
    """While we wait to try again nothing of ours is open, and theirs is not refused a second time."""
    refused = out.reinvite(HOLD)
    network.run(0.02)
    (ours,) = peer.requests("INVITE")
    peer.respond(ours, 491)
    network.run(0.02)
    theirs = {"From": str(out.remote), "To": str(out.local), "Call_ID": out.call_id}
    peer.send(peer.request("INVITE", node, body=SDP, cseq=1, **theirs), node)
    network.run(0.05)
    assert node.kinds()[-1] == "Offer"
    out.reply_offer(SDP)
    network.run(0.05)
    peer.send(peer.request("ACK", node, cseq=1, **theirs), node)
    network.run(4.1)
    again = peer.requests("INVITE")[-1]
    assert again.cseq.number > ours.cseq.number
    peer.respond(again, 200, body=SDP)
    network.run(0.05)
    assert refused.done
    assert node.kinds()[-1] == "OfferAnswered"


def test_an_offer_across_ours_is_491(network: Network, node: Node, peer: Peer) -> None:
    up = Inbound(network, node, peer)
    up.call.reinvite(HOLD)
    network.run(0.02)
    up.send("INVITE", SDP)
    up.send("UPDATE", SDP)
    assert [item.cseq.method for item in peer.responses(491)] == ["INVITE", "UPDATE"]


@pytest.mark.parametrize("offer", [SDP, b""], ids=["offer", "no offer"])
@pytest.mark.parametrize("ring", [{}, {"status": 183, "sdp": SDP}], ids=["ringing", "early media"])
def test_an_offer_before_our_answer_to_the_first_is_500(
    network: Network, node: Node, peer: Peer, offer: bytes, ring: dict[str, Any]
) -> None:
    """Early media is no answer yet, as long as nobody has acknowledged it."""
    node.on_call = lambda call: call.ring(**ring)
    peer.send(peer.request("INVITE", node, body=offer), node)
    network.run(0.05)
    ringing = [item for item in peer.inbox if isinstance(item, Response)][-1]
    for number, method in ((2, "UPDATE"), (3, "INVITE")):
        peer.send(peer.within(method, node, ringing, body=HOLD, cseq=number), node)
    network.run(0.05)
    assert [item.cseq.method for item in peer.responses(500)] == ["UPDATE", "INVITE"]
    assert all(item.headers.get("Retry-After") for item in peer.responses(500))
    assert node.kinds() == []
    node.calls[0].answer(SDP)
    network.run(0.05)
    ok = peer.responses(200, "INVITE")[0]
    peer.send(peer.within("ACK", node, ok, body=b"" if offer else SDP), node)
    peer.send(peer.within("INVITE", node, ok, body=HOLD, cseq=4), node)
    network.run(0.05)
    assert node.kinds() == ["Confirmed", "Offer"]


def test_an_invite_across_our_first_is_491(network: Network, node: Node, peer: Peer) -> None:
    """Also where a reliable response has brought the answer (RFC 3261 section 14.2)."""
    call = node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[0]
    for number, fields in ((1, {}), (2, {"Require": "100rel", "RSeq": "1", "body": SDP})):
        peer.respond(invite, 183, **fields)
        network.run(0.05)
        theirs = {"From": str(call.remote), "To": str(call.local), "Call_ID": call.call_id}
        peer.send(peer.request("INVITE", node, body=HOLD, cseq=number, **theirs), node)
        network.run(0.05)
    assert [item.cseq.number for item in peer.responses(491)] == [1, 2]


def test_we_may_ask_for_an_offer(network: Network, node: Node, peer: Peer, out: OutboundCall) -> None:
    out.reinvite(None)
    network.run(0.02)
    (invite,) = peer.requests("INVITE")
    assert invite.body == b""
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    assert node.event(Offer) == Offer(SDP, "INVITE")
    assert peer.requests("ACK") == []
    out.reply_offer(HOLD)
    network.run(0.05)
    assert peer.requests("ACK")[0].body == HOLD


def test_update_may_precede_the_answer(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[0]
    peer.respond(invite, 183, Require="100rel", RSeq="1", body=SDP)
    network.run(0.05)
    pending = call.update(HOLD)
    network.run(0.02)
    (update,) = peer.requests("UPDATE")
    assert update.body == HOLD
    peer.respond(update, 200, body=SDP)
    network.run(0.05)
    assert pending.value is not None
    assert node.event(OfferAnswered).sdp == SDP


def test_info_arrives_and_is_answered(up: Inbound) -> None:
    up.send("INFO", b"Signal=5\r\n", Content_Type="application/dtmf-relay")
    info = up.node.events[0]
    assert (info.content_type, info.body) == ("application/dtmf-relay", b"Signal=5\r\n")
    assert up.peer.names == ["200 INFO"]


def test_other_requests_are_the_owners(network: Network, peer: Peer) -> None:
    up = Inbound(network, network.node("192.0.2.1", methods=("REFER",)), peer)
    up.send("REFER", Refer_To="<sip:carol@192.0.2.4>")
    incoming = up.node.events[0].incoming
    assert incoming.request.refer_to.uri.user == "carol"
    incoming.reply(202)
    incoming.reply(200)
    up.network.run(0.05)
    assert up.peer.names == ["202 REFER"]
    pending = up.call.send_request("NOTIFY", [("Event", "refer")], b"SIP/2.0 200 OK", "message/sipfrag")
    up.network.run(0.02)
    (notify,) = up.peer.requests("NOTIFY")
    assert notify.body == b"SIP/2.0 200 OK"
    assert notify.contact is not None
    up.peer.respond(notify, 200)
    up.network.run(0.05)
    assert pending.value is not None


def test_options_inside_a_call(up: Inbound) -> None:
    up.send("OPTIONS")
    up.send("PUBLISH")
    assert up.peer.names == ["200 OPTIONS", "405 PUBLISH"]
    assert up.node.kinds() == []
