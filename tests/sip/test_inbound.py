from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.events import Cancelled, Confirmed, Ended
from ringback.sip.message import Response
from ringback.sip.session import SessionStateError

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def answered(network: Network, node: Node, peer: Peer) -> Response:
    """A call from the peer, answered and acknowledged; returns the 200."""
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    (ok,) = peer.responses(200, "INVITE")
    peer.send(peer.within("ACK", node, ok), node)
    network.run()
    return ok


def test_a_call_is_tried_rung_answered_and_hung_up(network: Network, node: Node, peer: Peer) -> None:
    def ring_and_answer(call: object) -> None:
        node.calls[0].ring()
        node.calls[0].answer(SDP, [("X-Call", "1")])

    node.on_call = ring_and_answer
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    assert peer.names == ["100 INVITE", "180 INVITE", "200 INVITE"]
    ok = peer.responses(200)[0]
    assert ok.body == SDP
    assert ok.headers.get("X-Call") == "1"
    assert ok.headers.get("Contact") == "<sip:bob@192.0.2.1:5060>"
    assert peer.responses(100)[0].to.tag is None
    assert node.calls[0].offer == SDP
    peer.send(peer.within("ACK", node, ok), node)
    network.run()
    assert node.event(Confirmed).sdp is None
    peer.send(peer.within("BYE", node, ok, cseq=2, Reason="Q.850;cause=16"), node)
    network.run()
    assert peer.names[-1] == "200 BYE"
    ended = node.event(Ended)
    assert (ended.by, ended.headers.get("Reason")) == ("remote", "Q.850;cause=16")
    assert node.calls[0].state == "ended"
    assert not node.agent.core.dialogs


def test_the_100_leaves_before_the_owner_hears_of_the_call(network: Network, node: Node, peer: Peer) -> None:
    sent: list[int] = []
    node.on_call = lambda call: sent.append(len(network.log))
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    assert network.log == ["udp 100 INVITE"]
    assert sent == [1]


def test_a_2xx_is_repeated_until_the_ack(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(16)
    # 0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5
    assert peer.names.count("200 INVITE") == 7
    peer.send(peer.within("ACK", node, peer.responses(200)[0]), node)
    network.run(40)
    assert peer.names.count("200 INVITE") == 7
    assert node.kinds() == ["Confirmed"]


def test_without_an_ack_the_call_ends_with_bye(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node, "tcp")
    network.run(31.9)
    assert "BYE" not in peer.names
    assert peer.names.count("200 INVITE") == 11
    network.run(0.3)
    assert peer.names[-1] == "BYE"
    ended = node.event(Ended)
    assert (ended.by, ended.cause) == ("error", "no ACK")


def test_a_bye_of_ours_waits_for_the_ack(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    pending = node.calls[0].bye([("X-Why", "enough")])
    network.run()
    assert "BYE" not in peer.names
    peer.send(peer.within("ACK", node, peer.responses(200)[0]), node)
    network.run()
    (bye,) = peer.requests("BYE")
    assert bye.headers.get("X-Why") == "enough"
    peer.respond(bye, 200)
    network.run()
    assert pending.value is not None
    assert pending.value.status == 200
    assert node.events == []


def test_cancel_before_the_answer(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.ring()
    invite = peer.request("INVITE", node, branch="z9hG4bKx", body=SDP)
    peer.send(invite, node)
    network.run()
    peer.send(peer.request("CANCEL", node, branch="z9hG4bKx", Reason="SIP;cause=200"), node)
    network.run(0.05)
    assert peer.names == ["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE"]
    assert node.event(Cancelled).headers.get("Reason") == "SIP;cause=200"
    tags = {response.to.tag for response in (*peer.responses(200), *peer.responses(487))}
    assert len(tags) == 1
    node.calls[0].answer(SDP)
    network.run(0.05)
    assert "200 INVITE" not in peer.names


def test_cancel_after_the_answer_changes_nothing(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, branch="z9hG4bKx", body=SDP), node)
    network.run()
    peer.send(peer.request("CANCEL", node, branch="z9hG4bKx"), node)
    network.run(0.1)
    assert peer.names == ["100 INVITE", "200 INVITE", "200 CANCEL"]
    assert node.events == []


def test_a_caller_may_end_an_early_dialog_with_bye(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.ring()
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    peer.send(peer.within("BYE", node, peer.responses(180)[0], cseq=2), node)
    network.run(0.05)
    assert peer.names[-2:] == ["200 BYE", "487 INVITE"]
    assert node.kinds() == ["Cancelled"]


def test_a_refusal_is_repeated_until_its_ack(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.reject(486, headers=[("Retry-After", "5")])
    invite = peer.request("INVITE", node, branch="z9hG4bKx", body=SDP)
    peer.send(invite, node)
    network.run(2)
    assert peer.names.count("486 INVITE") == 3
    assert peer.responses(486)[0].headers.get("Retry-After") == "5"
    peer.send(peer.within("ACK", node, peer.responses(486)[0], branch="z9hG4bKx"), node)
    network.run(40)
    assert peer.names.count("486 INVITE") == 3
    assert node.events == []
    assert len(node.agent.core.layer) == 0


def test_ringing_is_said_again_every_minute(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.ring(183, "Wait", SDP, [("X-A", "b")])
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(121)
    rung = peer.responses(183)
    assert len(rung) == 3
    assert all(item.body == SDP and item.reason == "Wait" for item in rung)
    assert {item.headers.get("X-A") for item in rung} == {"b"}
    node.calls[0].reject(480)
    network.run(121)
    assert len(peer.responses(183)) == 3


def test_an_invite_again_gets_the_last_response_again(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.ring()
    invite = peer.request("INVITE", node, branch="z9hG4bKx", body=SDP)
    peer.send(invite, node)
    network.run()
    peer.send(invite, node)
    network.run()
    assert peer.names == ["100 INVITE", "180 INVITE", "180 INVITE"]
    assert len(node.calls) == 1


def test_a_merged_invite_is_482(network: Network, node: Node, peer: Peer) -> None:
    peer.send(peer.request("INVITE", node, branch="z9hG4bKx", body=SDP), node)
    peer.send(peer.request("INVITE", node, branch="z9hG4bKy", body=SDP), node)
    network.run()
    assert peer.names == ["100 INVITE", "482 INVITE"]
    assert len(node.calls) == 1


def test_the_offer_may_come_late(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node), node)
    network.run()
    assert node.calls[0].offer is None
    peer.send(peer.within("ACK", node, peer.responses(200)[0], body=b"v=0\r\nanswer"), node)
    network.run()
    assert node.event(Confirmed).sdp == b"v=0\r\nanswer"


def test_what_cannot_be_done_says_so(network: Network, node: Node, peer: Peer) -> None:
    answered(network, node, peer)
    call = node.calls[0]
    with pytest.raises(SessionStateError):
        call.answer(SDP)
    with pytest.raises(SessionStateError):
        call.ring()
    with pytest.raises(SessionStateError):
        call.reject(486)
    with pytest.raises(SessionStateError):
        call.reply_offer(SDP)
    with pytest.raises(SessionStateError):
        call.refuse_offer()
    with pytest.raises(ValueError, match="provisional"):
        call.ring(200)
    with pytest.raises(ValueError, match="refusal"):
        call.reject(200)


def test_header_fields_of_the_protocol_are_not_the_owners(network: Network, node: Node, peer: Peer) -> None:
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run()
    with pytest.raises(ValueError, match="Via"):
        node.calls[0].ring(headers=[("Via", "x")])
    with pytest.raises(ValueError, match="CR"):
        node.calls[0].ring(headers=[("X-A", "b\r\nVia: c")])


def test_a_call_that_is_over_takes_anything(network: Network, node: Node, peer: Peer) -> None:
    ok = answered(network, node, peer)
    peer.send(peer.within("BYE", node, ok, cseq=2), node)
    network.run()
    call = node.calls[0]
    sent = network.sent
    call.ring()
    call.answer(SDP)
    call.reject(486)
    call.reply_offer(SDP)
    call.refuse_offer()
    for pending in (call.bye(), call.reinvite(SDP), call.update(SDP), call.info("text/plain", b"x")):
        assert pending.value is not None
        assert pending.value.status == 487
    network.run()
    assert network.sent == sent


def test_record_routes_come_back(network: Network, node: Node, peer: Peer) -> None:
    proxy = network.peer("192.0.2.50")
    node.on_call = lambda call: call.answer(SDP)
    routes = "<sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>"
    peer.send(peer.request("INVITE", node, body=SDP, Record_Route=routes), node)
    network.run()
    ok = peer.responses(200)[0]
    assert [str(route) for route in ok.record_routes] == ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"]
    peer.send(peer.within("ACK", node, ok), node)
    network.run()
    node.calls[0].bye()
    network.run()
    (bye,) = proxy.requests("BYE")
    assert bye.uri.host == peer.host
    assert [str(route) for route in bye.routes] == ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"]


def test_a_peer_behind_nat_is_reached_where_it_sends_from(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    invite = peer.request("INVITE", node, body=SDP, Contact="<sip:peer@10.0.0.7:5062>")
    invite.headers.set("Via", "SIP/2.0/UDP 10.0.0.7:5062;branch=z9hG4bKn;rport")
    peer.send(invite, node)
    network.run()
    ok = peer.responses(200)[0]
    assert (ok.via.received, ok.via.rport) == (peer.host, 5060)
    peer.send(peer.within("ACK", node, ok), node)
    network.run()
    node.calls[0].bye()
    network.run()
    (bye,) = peer.requests("BYE")
    assert (bye.uri.host, bye.uri.port) == ("10.0.0.7", 5062)


def test_a_lost_dialog_ends_the_call(network: Network, node: Node, peer: Peer) -> None:
    answered(network, node, peer)
    pending = node.calls[0].info("application/dtmf-relay", b"Signal=1")
    network.run()
    (info,) = peer.requests("INFO")
    peer.respond(info, 481)
    network.run()
    assert pending.value is not None
    assert pending.value.status == 481
    assert node.event(Ended).by == "error"
    assert peer.requests("BYE")
