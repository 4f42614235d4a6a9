from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.auth_server import DigestServer
from ringback.sip.challenge import challenge, verify
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Request
from ringback.sip.registration import Registration
from ringback.sip.uri import Uri

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

REGISTRAR = Uri.parse("sip:192.0.2.2")


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def register(node: Node, expires: int = 100, password: str | None = None) -> Registration:
    credentials = ("alice", password) if password else None
    registration = Registration(
        node.agent, REGISTRAR, node.name("alice"), credentials, expires, node.events.append, [("X-A", "b")]
    )
    registration.refresh()
    return registration


def last(network: Network, peer: Peer) -> Request:
    network.run(0.02)
    return peer.requests("REGISTER")[-1]


def test_a_binding_is_made_kept_and_removed(network: Network, node: Node, peer: Peer) -> None:
    registration = register(node)
    first = last(network, peer)
    assert (first.expires, first.headers.get("X-A")) == (100, "b")
    assert str(first.contact) == "<sip:alice@192.0.2.1:5060>"
    assert first.to.tag is None
    peer.respond(first, 200, Contact="<sip:alice@192.0.2.1:5060>;expires=60, <sip:x@192.0.2.8>;expires=10")
    network.run(0.05)
    assert registration.registered
    assert registration.expires == 60
    assert registration.first.value is not None
    network.run(52)
    assert len(peer.requests("REGISTER")) == 1
    network.run(1)
    second = last(network, peer)
    assert second.call_id == first.call_id
    assert second.from_ == first.from_
    assert second.cseq.number == 2
    peer.respond(second, 200)
    network.run(0.05)
    pending = registration.unregister()
    removal = last(network, peer)
    assert removal.expires == 0
    peer.respond(removal, 200)
    network.run(0.05)
    assert pending.value is not None
    assert not registration.registered
    assert node.events == [registration] * 3
    assert registration.unregister().value is not None
    network.run(1000)
    assert len(peer.requests("REGISTER")) == 3


def test_too_short_an_interval_is_raised(network: Network, node: Node, peer: Peer) -> None:
    registration = register(node)
    peer.respond(last(network, peer), 423, Min_Expires="600")
    again = last(network, peer)
    network.run(0.02)
    again = peer.requests("REGISTER")[-1]
    assert again.expires == 600
    peer.respond(again, 423, Min_Expires="600")
    network.run(0.05)
    assert registration.response is not None
    assert registration.response.status == 423


def test_a_failure_is_tried_again_later(network: Network, node: Node, peer: Peer) -> None:
    registration = register(node)
    peer.respond(last(network, peer), 500)
    network.run(0.05)
    assert not registration.registered
    network.run(30)
    peer.respond(last(network, peer), 200)
    network.run(0.05)
    assert registration.registered
    registration.stop()
    network.run(1000)
    assert len(peer.requests("REGISTER")) == 2


def test_with_credentials_against_our_own_server(network: Network, node: Node) -> None:
    server = network.node("192.0.2.2", methods=("REGISTER",))
    digest = DigestServer("ringback", {"alice": "secret"}.get, lambda: network.now)
    seen: list[str | None] = []

    def on_register(incoming: IncomingRequest) -> None:
        verdict = verify(digest, incoming.request)
        seen.append(verdict.username)
        if verdict.username is None:
            status, headers = challenge(digest, stale=verdict.stale)
            incoming.reply(status, headers=headers)
        else:
            incoming.reply(200, headers=[("Expires", "100")])

    server.agent.on_register = on_register
    registration = register(node, password="secret")
    network.run(0.2)
    assert registration.registered
    network.run(95)
    assert seen == [None, "alice", "alice"]
    wrong = register(node, password="wrong")
    network.run(0.2)
    assert wrong.response is not None
    assert wrong.response.status == 401
    registration.stop()
    wrong.stop()


def test_a_registrar_may_change_its_realm(network: Network, node: Node, peer: Peer) -> None:
    """Not within one attempt, but the next one begins anew."""
    registration = register(node, password="secret")
    for realm in ("old.example", "new.example"):
        server = DigestServer(realm, {"alice": "secret"}.get, lambda: network.now)
        peer.respond(last(network, peer), 401, WWW_Authenticate=server.challenges()[0])
    network.run(0.05)
    assert registration.response is not None
    assert registration.response.status == 401
    network.run(30)
    peer.respond(last(network, peer), 401, WWW_Authenticate=server.challenges()[0])
    again = last(network, peer)
    assert verify(server, again).username == "alice"
    peer.respond(again, 200)
    network.run(0.05)
    assert registration.registered
