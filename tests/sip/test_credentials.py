"""Credentials of an outbound call: who gets a digest made with them, and who does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.auth_server import DigestServer
from ringback.sip.challenge import challenge, verify
from ringback.sip.events import Failed
from ringback.sip.flow import Flow
from ringback.sip.message import Request
from ringback.sip.uri import Uri

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

    from ringback.sip.outbound import OutboundCall

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
CREDENTIALS = ("alice", "secret")
STRANGER = 'Digest realm="stranger", nonce="chosen by the stranger", algorithm=MD5'


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def invite_of(network: Network, peer: Peer, seconds: float = 0.02) -> Request:
    network.run(seconds)
    return peer.requests("INVITE")[-1]


def carrier(network: Network) -> DigestServer:
    return DigestServer("carrier.example", dict([CREDENTIALS]).get, lambda: network.now)


def carried(request: Request) -> list[str]:
    """The credentials of a request."""
    return request.headers.get_all("Authorization") + request.headers.get_all("Proxy-Authorization")


def placed(network: Network, node: Node, peer: Peer, contact: str = "") -> OutboundCall:
    """A call through a carrier that asked who we are, and that was answered."""
    call = node.call(peer, credentials=CREDENTIALS)
    challenges = carrier(network).challenges()
    peer.respond(invite_of(network, peer), 407, Proxy_Authenticate=challenges[0])
    invite = invite_of(network, peer, 0.05)
    assert len(carried(invite)) == 1
    response = peer.response(invite, 200, body=SDP)
    if contact:
        response.headers.set("Contact", contact)
    peer.send(response, node)
    network.run(0.05)
    return call


def test_challenges_are_answered_with_configured_credentials(
    network: Network, node: Node, peer: Peer
) -> None:
    server = DigestServer("example.com", {"alice": "secret"}.get, lambda: network.now)
    call = node.call(peer, credentials=("alice", "secret"))
    status, fields = challenge(server, proxy=True)
    first = invite_of(network, peer)
    peer.respond(first, status, **{name.replace("-", "_"): value for name, value in fields[-1:]})
    invite = invite_of(network, peer)
    assert verify(server, invite, proxy=True).username == "alice"
    assert invite.call_id == first.call_id
    assert invite.cseq.number == 2
    assert invite.from_ == first.from_
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    ack = next(ack for ack in peer.requests("ACK") if ack.cseq.number == 2)
    assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
    call.bye()
    network.run(0.05)
    assert verify(server, peer.requests("BYE")[0], proxy=True).username == "alice"


def test_wrong_credentials_are_tried_once(network: Network, node: Node, peer: Peer) -> None:
    server = DigestServer("example.com", {"alice": "secret"}.get, lambda: network.now)
    node.call(peer, credentials=("alice", "wrong"))
    for _ in range(2):
        invite = invite_of(network, peer, 0.05)
        peer.respond(invite, 401, WWW_Authenticate=server.challenges()[-1])
    network.run(0.1)
    assert node.event(Failed).status == 401
    assert len({invite.via.branch for invite in peer.requests("INVITE")}) == 2


def test_nobody_is_told_credentials_that_were_not_configured(
    network: Network, node: Node, peer: Peer
) -> None:
    server = DigestServer("example.com", {"alice": "secret"}.get, lambda: network.now)
    node.call(peer)
    peer.respond(invite_of(network, peer), 401, WWW_Authenticate=server.challenges()[0])
    network.run(0.05)
    assert node.event(Failed).status == 401


@pytest.mark.parametrize("status", [401, 407])
def test_the_first_realm_alone_gets_credentials(
    network: Network, node: Node, peer: Peer, status: int
) -> None:
    """Whoever asks after the carrier did is behind it: a digest would let him guess the password."""
    node.call(peer, credentials=CREDENTIALS)
    challenges = carrier(network).challenges()
    peer.respond(invite_of(network, peer), 407, Proxy_Authenticate=challenges[0])
    invite = invite_of(network, peer, 0.05)
    field = "WWW_Authenticate" if status == 401 else "Proxy_Authenticate"
    peer.respond(invite, status, **{field: STRANGER})
    network.run(0.1)
    assert node.event(Failed).status == status
    assert len({invite.via.branch for invite in peer.requests("INVITE")}) == 2


def test_the_far_end_gets_no_credentials_for_a_bye(network: Network, node: Node, peer: Peer) -> None:
    placed(network, node, peer).bye()
    network.run(0.05)
    (bye,) = peer.requests("BYE")
    peer.respond(bye, 401, WWW_Authenticate=STRANGER)
    network.run(0.05)
    assert len(peer.requests("BYE")) == 1


def test_another_address_gets_no_credentials(network: Network, node: Node, peer: Peer) -> None:
    """Not even in the carrier's name: requests inside the call go to the Contact, the far end itself."""
    stranger = network.peer("192.0.2.66")
    placed(network, node, peer, f"<{stranger.uri()}>").bye()
    network.run(0.05)
    (bye,) = stranger.requests("BYE")
    assert carried(bye) == []
    stranger.respond(bye, 401, WWW_Authenticate=STRANGER.replace("stranger", "carrier.example", 1))
    network.run(0.05)
    assert len(stranger.requests("BYE")) == 1


def test_a_redirection_takes_no_credentials_along(network: Network, node: Node, peer: Peer) -> None:
    stranger = network.peer("192.0.2.66")
    node.call(peer, credentials=CREDENTIALS)
    peer.respond(invite_of(network, peer), 302, Contact=f"<{stranger.uri()}>")
    network.run(0.1)
    assert node.event(Failed).status == 302
    assert stranger.inbox == []


def test_a_redirection_to_the_same_host_keeps_credentials(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer, credentials=CREDENTIALS)
    peer.respond(invite_of(network, peer), 302, Contact=f"<{peer.uri('other')}>")
    challenges = carrier(network).challenges()
    peer.respond(invite_of(network, peer), 401, WWW_Authenticate=challenges[0])
    assert len(carried(invite_of(network, peer))) == 1


def test_every_address_of_the_target_gets_credentials(network: Network, node: Node, peer: Peer) -> None:
    second = network.peer("192.0.2.3")
    node.lookups["carrier.example"] = [Flow("udp", peer.host, 5060), Flow("udp", second.host, 5060)]
    node.call(peer, uri=Uri.parse("sip:bob@carrier.example"), credentials=CREDENTIALS)
    peer.respond(invite_of(network, peer), 503)
    challenges = carrier(network).challenges()
    second.respond(invite_of(network, second), 407, Proxy_Authenticate=challenges[0])
    assert len(carried(invite_of(network, second))) == 1


def test_after_a_restart_the_carrier_may_ask_again(network: Network, node: Node, peer: Peer) -> None:
    state = placed(network, node, peer).dialog_state()
    assert state is not None
    reborn = network.node("192.0.2.1")
    pending = reborn.agent.bye_orphan(state, CREDENTIALS)
    network.run(0.05)
    challenges = carrier(network).challenges()
    peer.respond(peer.requests("BYE")[0], 407, Proxy_Authenticate=challenges[0])
    network.run(0.05)
    again = peer.requests("BYE")[-1]
    assert len(carried(again)) == 1
    peer.respond(again, 200)
    network.run(0.05)
    assert pending.value is not None
    assert pending.value.status == 200
