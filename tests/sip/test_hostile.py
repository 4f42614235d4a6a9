"""Whatever arrives: an answer or silence, never an exception."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.sip.flow import Flow

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
FLOW = Flow("udp", "192.0.2.2", 5060, "192.0.2.1", 5060)
TORTURE = sorted((Path(__file__).parent / "torture").glob("*.dat"))


def open_node(network: Network) -> Node:
    node = network.node("192.0.2.1", methods=("REGISTER", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE"))
    node.agent.on_register = lambda incoming: incoming.reply(200)
    node.agent.on_request = lambda incoming: incoming.reply(202)
    node.on_call = lambda call: call.answer(SDP)
    return node


@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_torture(network: Network, path: Path, transport: str) -> None:
    node = open_node(network)
    node.agent.receive(path.read_bytes(), Flow(transport, "192.0.2.2", 5060, "192.0.2.1", 5060, 1))
    network.run(140)
    assert len(node.agent.core.layer) == 0


def dialogue(network: Network, node: Node, peer: Peer) -> list[bytes]:
    """The messages that a call consists of, as the peer sends them."""
    invite = peer.request("INVITE", node, body=SDP, Supported="100rel, timer", Session_Expires="90")
    peer.send(invite, node)
    network.run(0.05)
    (ok,) = peer.responses(200)
    rest = [
        peer.within("ACK", node, ok),
        peer.within("INVITE", node, ok, cseq=2, body=SDP),
        peer.within("UPDATE", node, ok, cseq=3),
        peer.within("PRACK", node, ok, cseq=4, RAck="1 1 INVITE"),
        peer.within("INFO", node, ok, cseq=5, body=b"x", Content_Type="text/plain"),
        peer.within("REFER", node, ok, cseq=6, Refer_To="<sip:a@b>"),
        peer.within("BYE", node, ok, cseq=7),
    ]
    return [invite.encode(), *(request.encode() for request in rest)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_messages_inside_a_call(network: Network, data: st.DataObject) -> None:
    network = type(network)()
    node, peer = open_node(network), network.peer("192.0.2.2")
    messages = dialogue(network, node, peer)
    for _ in range(4):
        message = bytearray(data.draw(st.sampled_from(messages)))
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(message) - 1))
            length = data.draw(st.integers(0, 12))
            message[start : start + length] = data.draw(st.binary(max_size=6))
        node.agent.receive(bytes(message), FLOW)
        network.settle()
    node.agent.core.outgoing()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_responses(network: Network, data: st.DataObject) -> None:
    network = type(network)()
    node, peer = open_node(network), network.peer("192.0.2.2")
    call = node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[-1]
    responses = [
        peer.response(invite, 183, Require="100rel", RSeq="1", body=SDP),
        peer.response(invite, 200, Session_Expires="90;refresher=uac", body=SDP, Record_Route="<sip:p;lr>"),
        peer.response(invite, 302, Contact="<sip:a@192.0.2.2>;q=0.5"),
        peer.response(invite, 401, WWW_Authenticate='Digest realm="a", nonce="b"'),
        peer.response(invite, 422, Min_SE="100"),
    ]
    for response in data.draw(st.permutations(responses)):
        message = bytearray(response.encode())
        start = data.draw(st.integers(0, len(message) - 1))
        message[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
        node.agent.receive(bytes(message), FLOW)
        network.settle()
    call.bye()
    network.settle()
    node.agent.core.outgoing()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_noise(network: Network, data: bytes) -> None:
    open_node(network).agent.receive(data, FLOW)
