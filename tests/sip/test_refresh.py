from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.events import Ended, Failed, Offer
from ringback.sip.refresh import parse_seconds

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

    from ringback.sip.outbound import OutboundCall

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1", session_expires=200)


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def outbound(network: Network, node: Node, peer: Peer, **fields: str) -> OutboundCall:
    call = node.call(peer)
    network.run(0.02)
    peer.respond(peer.requests("INVITE")[0], 200, body=SDP, **fields)
    network.run(0.05)
    node.events.clear()
    peer.inbox.clear()
    return call


def inbound(network: Network, node: Node, peer: Peer, **fields: str) -> str | None:
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP, **fields), node)
    network.run(0.05)
    ok = peer.responses(200)[0]
    peer.send(peer.within("ACK", node, ok), node)
    network.run(0.05)
    node.events.clear()
    peer.inbox.clear()
    return ok.headers.get("Session-Expires")


def test_we_refresh_by_update_where_the_peer_knows_it(network: Network, node: Node, peer: Peer) -> None:
    expires = "200;refresher=uac"
    call = outbound(network, node, peer, Session_Expires=expires, Require="timer", Allow="INVITE, UPDATE")
    for _ in range(3):
        network.run(99.5)
        assert peer.requests("UPDATE") == []
        network.run(0.7)
        (update,) = peer.requests("UPDATE")
        assert update.body == b""
        assert update.headers.get("Session-Expires") == "200;refresher=uac"
        peer.respond(update, 200, Session_Expires=expires)
        network.run(0.05)
        peer.inbox.clear()
    assert call.state == "answered"
    assert node.events == []


def test_we_refresh_by_reinvite_where_it_does_not(network: Network, node: Node, peer: Peer) -> None:
    outbound(network, node, peer, Session_Expires="200;refresher=uac", Allow="INVITE, ACK, BYE")
    network.run(101)
    (invite,) = {request.via.branch: request for request in peer.requests("INVITE")}.values()
    assert invite.body
    peer.respond(invite, 200, body=SDP, Session_Expires="200;refresher=uac")
    network.run(0.05)
    assert peer.requests("ACK")
    assert node.events == []  # the same answer as before is no news


def test_a_peer_that_does_not_refresh_is_hung_up_on(network: Network, node: Node, peer: Peer) -> None:
    outbound(network, node, peer, Session_Expires="90;refresher=uas")
    network.run(59)
    assert node.events == []
    network.run(2)
    ended = node.event(Ended)
    assert (ended.by, ended.cause) == ("timer", "session expired")
    assert peer.requests("BYE")


def test_a_refresh_that_fails_ends_the_call(network: Network, node: Node, peer: Peer) -> None:
    outbound(network, node, peer, Session_Expires="200;refresher=uac", Allow="UPDATE")
    network.run(140)
    assert node.event(Ended).by == "error"  # no answer at all: 408


def test_a_refused_refresh_lets_the_session_expire(network: Network, node: Node, peer: Peer) -> None:
    outbound(network, node, peer, Session_Expires="200;refresher=uac", Allow="UPDATE")
    network.run(101)
    peer.respond(peer.requests("UPDATE")[-1], 500)
    network.run(60)
    assert node.events == []
    network.run(10)
    assert node.event(Ended).by == "timer"


def test_no_session_timer_without_the_peers_consent(network: Network, node: Node, peer: Peer) -> None:
    outbound(network, node, peer)
    network.run(5000)
    assert node.events == []


def test_422_is_obeyed(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    network.run(0.02)
    assert peer.requests("INVITE")[0].headers.get("Session-Expires") == "200"
    peer.respond(peer.requests("INVITE")[0], 422, Min_SE="600")
    network.run(0.05)
    again = peer.requests("INVITE")[-1]
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("600", "600")
    peer.respond(again, 422, Min_SE="600")
    network.run(0.05)
    assert node.event(Failed).status == 422


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Supported": "timer"}, "200;refresher=uas"),
        ({"Supported": "timer", "Session_Expires": "150"}, "150;refresher=uas"),
        ({"Supported": "timer", "Session_Expires": "150;refresher=uac"}, "150;refresher=uac"),
        ({"Supported": "timer", "Session_Expires": "1800;refresher=uac"}, "200;refresher=uac"),
        ({"Supported": "timer", "Session_Expires": "1800", "Min_SE": "900"}, "900;refresher=uas"),
        ({"Session_Expires": "1800"}, "1800;refresher=uas"),
        ({"Session_Expires": "nonsense"}, None),
        ({}, None),
    ],
)
def test_what_a_caller_proposes_is_settled(
    network: Network, node: Node, peer: Peer, fields: dict[str, str], expected: str | None
) -> None:
    assert inbound(network, node, peer, **fields) == expected


def test_a_caller_that_refreshes_keeps_the_call(network: Network, node: Node, peer: Peer) -> None:
    inbound(network, node, peer, Supported="timer", Session_Expires="90;refresher=uac")
    tag = node.calls[0].local.tag
    for number in range(2, 5):
        network.run(50)
        peer.send(
            peer.request(
                "UPDATE",
                node,
                cseq=number,
                To=f"<sip:bob@192.0.2.1>;tag={tag}",
                Supported="timer",
                Session_Expires="90;refresher=uac",
            ),
            node,
        )
    network.run(50)
    assert node.events == []
    assert peer.responses(200)[-1].headers.get("Session-Expires") == "90;refresher=uac"
    network.run(20)
    assert node.event(Ended).by == "timer"


def test_a_refresh_by_reinvite_is_an_offer(network: Network, node: Node, peer: Peer) -> None:
    inbound(network, node, peer, Supported="timer", Session_Expires="90;refresher=uac")
    to = f"<sip:bob@192.0.2.1>;tag={node.calls[0].local.tag}"
    peer.send(
        peer.request("INVITE", node, cseq=2, To=to, body=SDP, Supported="timer", Session_Expires="60"), node
    )
    network.run(0.05)
    assert "422 INVITE" in peer.names
    peer.send(
        peer.request("INVITE", node, cseq=3, To=to, body=SDP, Supported="timer", Session_Expires="90"), node
    )
    network.run(0.05)
    assert node.event(Offer).sdp == SDP


def test_ours_can_be_turned_off(network: Network, peer: Peer) -> None:
    node = network.node("192.0.2.1", session_expires=0)
    node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[0]
    assert "Session-Expires" not in invite.headers
    assert "timer" not in invite.supported


@pytest.mark.parametrize("fields", [{}, {"Min_SE": "90"}])
def test_turned_off_they_begin_only_when_the_caller_asks(
    network: Network, peer: Peer, fields: dict[str, str]
) -> None:
    node = network.node("192.0.2.1", session_expires=0)
    assert inbound(network, node, peer, Supported="timer", **fields) is None
    again = {"Session_Expires": "120", "Call_ID": "call-2", **fields}
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP, Supported="timer", **again), node)
    network.run(0.05)
    (ok,) = peer.responses(200)
    assert (ok.headers.get("Session-Expires") or "").startswith("120;")


def test_parse_seconds() -> None:
    assert parse_seconds("1800 ; Refresher=UAC") == (1800, "uac")
    assert parse_seconds("1800;refresher=both") == (1800, "")
    assert parse_seconds("-1") == (None, "")
    assert parse_seconds(None) == (None, "")
