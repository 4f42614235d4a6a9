"""Refusals: from the raw bytes as from the parsed message, and only of what would be a new call."""

from __future__ import annotations

import random

import pytest
from tests.sip.conftest import Network, Node, Peer, sdp

from ringback.sip.admission import Refusal
from ringback.sip.flow import Flow
from ringback.sip.layer import server_key
from ringback.sip.message import Request, Response
from ringback.sip.parse import parse_message
from ringback.sip.refusal import RawInvite, is_ack_of_refusal

HOST, PORT = "192.0.2.7", 5062


class Door:
    """An admission that a test opens and shuts."""

    def __init__(self) -> None:
        self.shut = True
        self.entered = 0
        self.spared = 0
        self.refused: list[str] = []

    def full(self) -> bool:
        return self.shut

    def enter(self) -> None:
        self.entered += 1

    def spare(self) -> None:
        self.spared += 1

    def refuse(self, host: str) -> Refusal:
        self.refused.append(host)
        return Refusal(480, 2)


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1", supported=("replaces",))


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


@pytest.fixture
def door(node: Node) -> Door:
    door = Door()
    node.agent.admission = door
    return door


def invite(**changes: str | None) -> bytes:
    """A new call's INVITE; a field changed or, with None, left out."""
    fields: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP {HOST}:{PORT};rport;branch=z9hG4bKaB1",
        "Max-Forwards": "70",
        "From": '"A, B" <sip:alice@example.com>;tag=a1',
        "To": "<sip:bob@example.com>",
        "Call-ID": "c1@192.0.2.7",
        "CSeq": "7 INVITE",
        "Contact": f"<sip:alice@{HOST}:{PORT}>",
        "Content-Length": "0",
    }
    fields.update(changes)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"INVITE sip:bob@192.0.2.1 SIP/2.0\r\n{lines}\r\n".encode()


def refusal_of(data: bytes) -> Response:
    read = RawInvite.read(data, HOST, PORT)
    assert read is not None
    answer = parse_message(read.refusal(480, 3))
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT};branch=z9hG4bKxyz"},
        {"Via": "SIP/2.0/TCP phone.example.com:5999;branch=z9hG4bK-1;rport;x=y"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT};branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0"},
        {"To": "sip:bob@example.com"},
        {
            "From": None,
            "f": "<sip:a@example.com>;tag=9",
            "Call-ID": None,
            "i": "x",
            "To": None,
            "t": "<sip:b@c>",
        },
    ],
)
def test_a_refusal_from_raw_bytes_repeats_what_a_parsed_one_does(changes: dict[str, str | None]) -> None:
    data = invite(**changes)
    answer = refusal_of(data)
    request = parse_message(data)
    assert isinstance(request, Request)
    read = RawInvite.read(data, HOST, PORT)
    assert read is not None
    assert read.key == server_key(request)
    assert (answer.status, answer.reason, answer.headers.get("Retry-After")) == (
        480,
        "Temporarily Unavailable",
        "3",
    )
    assert (answer.from_, answer.call_id, answer.cseq) == (request.from_, request.call_id, request.cseq)
    assert answer.to.uri == request.to.uri
    assert answer.to.tag
    assert answer.vias[1:] == request.vias[1:]
    if request.via.rport is not None:
        assert (answer.via.received, answer.via.rport) == (HOST, PORT)
    assert refusal_of(data).to.tag == answer.to.tag, "a repetition gets the same"


@pytest.mark.parametrize(
    "changes",
    [
        {"To": "<sip:bob@example.com>;tag=b"},
        {"To": "<sip:bob@example.com> ; Tag = b"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT}"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT};branch=old"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT + 1};branch=z9hG4bK1"},
        {"Via": "SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK1"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT};branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT};branch=z9hG4bK1;rport;rport"},
        {"Via": f"SIP/2.0/UDP {HOST}:{PORT}\r\n ;branch=z9hG4bK1"},
        {"Via": None},
        {"From": None},
        {"Call-ID": None},
        {"CSeq": "7 OPTIONS"},
        {"t": "<sip:carol@example.com>"},
        {"Replaces": "c9;to-tag=a;from-tag=b"},
    ],
)
def test_what_is_no_new_call_or_unusual_is_left_to_the_parser(changes: dict[str, str | None]) -> None:
    assert RawInvite.read(invite(**changes), HOST, PORT) is None


def test_other_bytes_are_no_invite() -> None:
    data = invite()
    assert RawInvite.read(data.replace(b"INVITE", b"OPTIONS"), HOST, PORT) is None
    assert RawInvite.read(data.rstrip(), HOST, PORT) is None
    chance = random.Random(1)
    for _ in range(2000):
        broken = bytearray(data)
        broken[chance.randrange(len(broken))] = chance.randrange(256)
        read = RawInvite.read(bytes(broken), HOST, PORT)
        if read is not None:
            read.refusal(503, 1)


def test_while_it_is_full_new_calls_are_refused_and_nothing_is_kept(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    data = peer.request("INVITE", node, body=sdp()).encode()
    answer = node.agent.turn_away(data, peer.host, peer.port)
    assert answer is not None
    refused = parse_message(answer)
    assert isinstance(refused, Response)
    assert (refused.status, door.refused) == (480, [peer.host])
    ack = peer.within("ACK", node, refused).encode()
    assert is_ack_of_refusal(ack)
    assert node.agent.turn_away(ack, peer.host, peer.port) == b""
    peer.send(data, node)  # the same for whoever has parsed it: over TCP, or in an unusual form
    network.run(0.1)
    [slow] = peer.responses(480)
    assert (slow.headers.get("Retry-After"), slow.to.tag) == ("2", refused.to.tag)
    assert (len(node.agent.core.layer), node.calls, door.entered) == (0, [], 0)


def test_a_repetition_of_a_refused_call_is_refused_though_there_is_room_now(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    data = peer.request("INVITE", node, body=sdp()).encode()
    first = node.agent.turn_away(data, peer.host, peer.port)
    assert first is not None
    assert node.agent.turn_away(data, peer.host, peer.port) == first, "with the same"
    door.shut = False
    for seconds in (0.5, 1.0, 2.0, 28.0):
        network.run(seconds)
        assert node.agent.turn_away(data, peer.host, peer.port) == first
        peer.send(data, node)
    network.run(0.1)
    assert len(peer.responses(480)) == 4, "whoever has parsed it does the same"
    assert (door.refused, door.entered, node.calls) == ([peer.host], 0, []), "it is counted once"
    other = peer.request("INVITE", node, body=sdp(), Call_ID="call-2")
    assert node.agent.turn_away(other.encode(), peer.host, peer.port) is None
    network.run(65.0)
    assert node.agent.turn_away(data, peer.host, peer.port) is None
    peer.send(data, node)
    network.run(0.1)
    assert door.entered == 1


def test_a_call_that_answers_a_challenge_has_come_in_before(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    door.shut = False
    node.on_call = lambda call: call.reject(407)
    peer.send(peer.request("INVITE", node, body=sdp()), node)
    network.run(0.1)
    assert len(peer.responses(407)) == 1
    door.shut = True
    again = peer.request("INVITE", node, body=sdp(), cseq=2)
    stranger = network.peer("192.0.2.3")
    copied = stranger.request("INVITE", node, body=sdp(), cseq=2)
    assert node.agent.turn_away(copied.encode(), stranger.host, stranger.port) is not None
    assert node.agent.turn_away(again.encode(), peer.host, peer.port) is None
    node.on_call = lambda call: call.answer(sdp())
    peer.send(again, node)
    network.run(0.1)
    assert len(peer.responses(200)) == 1
    assert (door.entered, door.refused) == (2, [stranger.host])
    third = peer.request("INVITE", node, body=sdp(), cseq=3).encode()
    assert node.agent.turn_away(third, peer.host, peer.port) is not None, "once for each challenge"


def test_what_the_agent_itself_turns_down_is_not_counted(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    door.shut = False
    node.on_call = lambda call: call.answer(sdp())
    peer.send(peer.request("INVITE", node, body=sdp(), Require="a-thing"), node)
    peer.send(peer.request("INVITE", node, body=sdp(), Call_ID="b", Max_Forwards="0"), node)
    network.run(0.1)
    assert (len(peer.responses(420)), len(peer.responses(483))) == (1, 1)
    assert (door.entered, door.spared) == (2, 2)
    peer.send(peer.request("INVITE", node, body=sdp(), Call_ID="c"), node)
    network.run(0.1)
    assert (door.entered, door.spared) == (3, 2)


def test_whoever_answers_a_challenge_late_is_a_new_call(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    door.shut = False
    node.on_call = lambda call: call.reject(401)
    peer.send(peer.request("INVITE", node, body=sdp()), node)
    network.run(10.0)
    door.shut = True
    again = peer.request("INVITE", node, body=sdp(), cseq=2).encode()
    assert node.agent.turn_away(again, peer.host, peer.port) is not None


def test_what_belongs_to_calls_that_are_up_is_never_refused(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    door.shut = False
    node.on_call = lambda call: call.answer(sdp())
    first = peer.request("INVITE", node, body=sdp())
    peer.send(first, node)
    network.run(0.1)
    [ok] = peer.responses(200)
    door.shut = True
    again = first.encode()
    assert node.agent.turn_away(again, peer.host, peer.port) is None, "its repetition is no new call"
    for cseq, method in ((1, "ACK"), (2, "INVITE"), (3, "OPTIONS"), (4, "BYE")):
        data = peer.within(method, node, ok, cseq=cseq).encode()
        assert node.agent.turn_away(data, peer.host, peer.port) is None
        peer.send(data, node)
        network.run(0.1)
    peer.send(peer.request("OPTIONS", node, Call_ID="keep-alive"), node)
    network.run(0.1)
    assert door.refused == []
    assert [name for name in peer.names if name.startswith("200 ")][-2:] == ["200 BYE", "200 OPTIONS"]
    assert door.entered == 1


def test_a_call_that_takes_anothers_place_comes_in(
    network: Network, node: Node, peer: Peer, door: Door
) -> None:
    door.shut = False
    node.on_call = lambda call: call.answer(sdp())
    peer.send(peer.request("INVITE", node, body=sdp()), node)
    network.run(0.1)
    [ok] = peer.responses(200)
    door.shut = True
    for replaced, expected in ((ok.to.tag, 2), ("nobody", 2)):
        replaces = f"call-1;to-tag={replaced};from-tag=peer"
        data = peer.request(
            "INVITE", node, body=sdp(), Call_ID=f"new-{replaced}", Replaces=replaces, Require="replaces"
        )
        assert node.agent.turn_away(data.encode(), peer.host, peer.port) is None
        peer.send(data, node)
        network.run(0.1)
        assert door.entered == expected
    assert door.refused == [peer.host]


def test_a_server_that_goes_down_refuses_whoever_comes(node: Node, peer: Peer, door: Door) -> None:
    door.shut = False
    node.agent.refuse_new(503, 7)
    answer = node.agent.turn_away(peer.request("INVITE", node, body=sdp()).encode(), peer.host, peer.port)
    assert answer is not None
    assert b"SIP/2.0 503 " in answer
    assert b"Retry-After: 7\r\n" in answer
    node.agent.refuse_new(None, 0)
    assert node.agent.turn_away(invite(), HOST, PORT) is None
    node.agent.receive(invite(), Flow("udp", HOST, PORT))
    assert door.entered == 1
