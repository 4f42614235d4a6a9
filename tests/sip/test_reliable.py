from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.events import Offer, OfferAnswered
from ringback.sip.message import Response
from ringback.sip.reliable import parse_rack

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def invited(network: Network, node: Node, peer: Peer, body: bytes = SDP, **fields: str) -> None:
    fields = fields or {"Supported": "100rel"}
    peer.send(peer.request("INVITE", node, body=body, **fields), node)
    network.run(0.02)


def prack(network: Network, node: Node, peer: Peer, to: Response, body: bytes = b"", cseq: int = 2) -> None:
    rack = f"{to.headers.get('RSeq')} 1 INVITE"
    peer.send(peer.within("PRACK", node, to, cseq=cseq, RAck=rack, body=body), node)
    network.run(0.05)


@pytest.mark.parametrize("field", ["Supported", "Require"])
def test_provisionals_are_repeated_until_prack(network: Network, node: Node, peer: Peer, field: str) -> None:
    invited(network, node, peer, SDP, **{field: "100rel"})
    node.calls[0].ring()
    network.run(4)
    assert peer.names.count("180 INVITE") == 4  # 0, 0.5, 1.5, 3.5
    first = peer.responses(180)[0]
    assert "100rel" in first.require
    prack(network, node, peer, first)
    assert peer.names[-1] == "200 PRACK"
    network.run(20)
    assert peer.names.count("180 INVITE") == 4


def test_without_100rel_they_are_sent_once(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer, Supported="timer")
    node.calls[0].ring()
    network.run(10)
    assert len(peer.responses(180)) == 1
    assert "RSeq" not in peer.responses(180)[0].headers


def test_one_at_a_time(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer)
    node.calls[0].ring(183, sdp=SDP)
    node.calls[0].ring(180)
    network.run(0.05)
    assert "180 INVITE" not in peer.names
    first = peer.responses(183)[0]
    prack(network, node, peer, first)
    second = peer.responses(180)[0]
    assert int(second.headers.get("RSeq") or 0) == int(first.headers.get("RSeq") or 0) + 1


def test_the_answer_waits_for_the_prack_of_a_description(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer)
    node.calls[0].ring(183, sdp=SDP)
    node.calls[0].answer(SDP)
    network.run(0.1)
    assert "200 INVITE" not in peer.names
    prack(network, node, peer, peer.responses(183)[0])
    assert peer.names[-2:] == ["200 PRACK", "200 INVITE"]


def test_the_answer_does_not_wait_for_mere_ringing(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer)
    node.calls[0].ring()
    node.calls[0].answer(SDP)
    network.run(0.1)
    assert "200 INVITE" in peer.names
    prack(network, node, peer, peer.responses(180)[0])
    assert "200 PRACK" in peer.names


def test_a_provisional_never_acknowledged_ends_the_call(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer)
    node.calls[0].ring()
    network.run(33)
    assert "504 INVITE" in peer.names
    assert node.kinds() == ["Cancelled"]


@pytest.mark.parametrize("rack", ["", "1 1 INVITE", "x y z", "1 1"])
def test_a_prack_of_nothing_is_481(network: Network, node: Node, peer: Peer, rack: str) -> None:
    invited(network, node, peer)
    node.calls[0].ring()
    network.run(0.05)
    peer.send(peer.within("PRACK", node, peer.responses(180)[0], cseq=2, RAck=rack), node)
    network.run(0.05)
    assert "481 PRACK" in peer.names


def test_an_answered_call_knows_no_prack(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[0]
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    request = peer.request("PRACK", node, To=str(call.local), From=str(call.remote), Call_ID=call.call_id)
    peer.send(request, node)
    network.run(0.05)
    assert peer.names[-1] == "481 PRACK"


def test_our_offer_in_a_provisional_is_answered_in_prack(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer, b"")
    node.calls[0].ring(183, sdp=SDP)
    network.run(0.05)
    prack(network, node, peer, peer.responses(183)[0], b"v=0\r\nanswer")
    assert node.event(OfferAnswered).sdp == b"v=0\r\nanswer"
    node.calls[0].answer(SDP)
    network.run(0.05)
    peer.send(peer.within("ACK", node, peer.responses(200, "INVITE")[0]), node)
    network.run(0.05)
    assert node.kinds() == ["OfferAnswered", "Confirmed"]


def test_a_new_offer_in_prack(network: Network, node: Node, peer: Peer) -> None:
    invited(network, node, peer)
    node.calls[0].ring(183, sdp=SDP)
    network.run(0.05)
    prack(network, node, peer, peer.responses(183)[0], SDP)
    assert node.event(Offer) == Offer(SDP, "PRACK")
    node.calls[0].reply_offer(b"v=0\r\nmine")
    network.run(0.05)
    assert peer.responses(200, "PRACK")[0].body == b"v=0\r\nmine"


def test_parse_rack() -> None:
    assert parse_rack("7 12 INVITE") == (7, 12, "INVITE")
    assert parse_rack(None) is None
    assert parse_rack("7 99999999999 INVITE") is None
