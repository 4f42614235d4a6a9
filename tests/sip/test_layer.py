from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.flow import Flow
from ringback.sip.layer import note_source, response_route, server_key

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Peer


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


@pytest.mark.parametrize(
    ("via", "expected", "to"),
    [
        ("SIP/2.0/UDP 192.0.2.2:5060", "SIP/2.0/UDP 192.0.2.2:5060", 5060),
        (
            "SIP/2.0/UDP 192.0.2.2:5060;rport",
            "SIP/2.0/UDP 192.0.2.2:5060;rport=1234;received=192.0.2.2",
            1234,
        ),
        ("SIP/2.0/UDP 10.0.0.1:5062", "SIP/2.0/UDP 10.0.0.1:5062;received=192.0.2.2", 5062),
        ("SIP/2.0/UDP host.example", "SIP/2.0/UDP host.example;received=192.0.2.2", 5060),
        ("SIP/2.0/UDP 10.0.0.1;rport", "SIP/2.0/UDP 10.0.0.1;rport=1234;received=192.0.2.2", 1234),
    ],
)
def test_responses_go_where_the_request_came_from(peer: Peer, via: str, expected: str, to: int) -> None:
    request = peer.request("OPTIONS", peer)
    request.headers.set("Via", via)
    flow = Flow("udp", "192.0.2.2", 1234, "192.0.2.1", 5060)
    note_source(request, flow)
    assert request.headers.get("Via") == expected
    target, fallback = response_route(request, flow)
    assert (target.host, target.port) == ("192.0.2.2", to)
    assert target.local_port == 5060
    assert fallback is None


def test_a_connection_is_answered_on_itself(peer: Peer) -> None:
    request = peer.request("OPTIONS", peer)
    request.headers.set("Via", "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bK1")
    flow = Flow("tcp", "192.0.2.2", 40000, "192.0.2.1", 5060, 7)
    target, fallback = response_route(request, flow)
    assert target == flow
    assert fallback is not None
    assert (fallback.port, fallback.connection) == (5070, 0)


def test_what_tells_transactions_apart(peer: Peer) -> None:
    invite = peer.request("INVITE", peer, branch="z9hG4bKabc")
    key = server_key(invite)
    assert server_key(peer.request("ACK", peer, branch="z9hG4bKABC")) == key
    assert server_key(peer.request("CANCEL", peer, branch="z9hG4bKabc")) != key
    assert server_key(peer.request("CANCEL", peer, branch="z9hG4bKabc"), "INVITE") == key
    assert server_key(peer.request("INVITE", peer, branch="z9hG4bKabd")) != key
    other = peer.request("INVITE", peer, branch="z9hG4bKabc")
    other.headers.set("Via", "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKabc")
    assert server_key(other) != key


@pytest.mark.parametrize("branch", ["1", "z9hG4bK"])
def test_the_old_way_looks_at_everything(peer: Peer, branch: str) -> None:
    """For branches that promise nothing; the cookie alone does not, either (RFC 4475 section 3.2.1)."""
    invite = peer.request("INVITE", peer, branch=branch)
    key = server_key(invite)
    assert server_key(peer.request("ACK", peer, branch=branch)) == key
    assert server_key(peer.request("INVITE", peer, branch=branch, cseq=2)) != key
    assert server_key(peer.request("INVITE", peer, branch=branch, Call_ID="other")) != key
    assert server_key(peer.request("INVITE", peer, branch=branch, From="<sip:x@y>;tag=z")) != key
