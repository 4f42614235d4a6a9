from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from ringback.sip.dialog import DialogState
from ringback.sip.events import Ended, RequestReceived
from ringback.sip.flow import Flow
from ringback.sip.incoming import IncomingRequest

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1", supported=("replaces",))


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def test_options_says_what_we_can(network: Network, node: Node, peer: Peer) -> None:
    peer.send(peer.request("OPTIONS", node, Max_Forwards="0"), node)
    network.run(0.05)
    (ok,) = peer.responses(200)
    assert ok.allow == ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK"]
    assert "application/sdp" in (ok.headers.get("Accept") or "")
    assert {"100rel", "timer", "replaces"} <= set(ok.supported)
    assert ok.to.tag is not None


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("BYE", {}, 481),
        ("BYE", {"To": "<sip:bob@192.0.2.1>;tag=unknown"}, 481),
        ("INVITE", {"To": "<sip:bob@192.0.2.1>;tag=unknown"}, 481),
        ("CANCEL", {}, 481),
        ("PRACK", {}, 481),
        ("UPDATE", {}, 481),
        ("INFO", {}, 481),
        ("REGISTER", {}, 405),
        ("MESSAGE", {}, 405),
        ("SUBSCRIBE", {}, 405),
        ("PUBLISH", {}, 405),
        ("NEWMETHOD", {}, 501),
        ("INVITE", {"Max_Forwards": "0"}, 483),
        ("INVITE", {"Require": "nothing, timer, sec-agree"}, 420),
        ("INVITE", {"Contact": None}, 400),
        ("INVITE", {"Contact": "<<>>"}, 400),
        ("INVITE", {"Content_Type": "text/html", "body": b"<p>"}, 415),
        ("INVITE", {"Content_Encoding": "gzip", "body": SDP}, 415),
        ("INVITE", {"Session_Expires": "60", "Supported": "timer", "body": SDP}, 422),
    ],
)
def test_what_cannot_be_served_is_refused(
    network: Network, node: Node, peer: Peer, method: str, fields: dict[str, object], status: int
) -> None:
    peer.send(peer.request(method, node, **fields), node)
    network.run(0.05)
    (refusal,) = peer.responses(status)
    assert refusal.to.tag is not None
    assert node.calls == []
    expected = {405: "Allow", 501: "Allow", 420: "Unsupported", 415: "Accept", 422: "Min-SE"}.get(status)
    assert expected is None or refusal.headers.get(expected)
    if status == 420:
        assert refusal.unsupported == ["nothing", "sec-agree"]


def test_a_uri_of_another_scheme_is_416(network: Network, node: Node, peer: Peer) -> None:
    data = peer.request("INVITE", node, body=SDP).encode().replace(b"sip:bob@192.0.2.1:5060 S", b"soap:x S")
    node.agent.receive(data, Flow("udp", peer.host, peer.port, node.host, node.port))
    network.run(0.05)
    assert peer.names == ["416 INVITE"]


def test_no_one_answers_without_a_handler(network: Network, node: Node, peer: Peer) -> None:
    node.agent.on_invitation = None
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(0.05)
    assert peer.names == ["100 INVITE", "480 INVITE"]


@pytest.mark.parametrize("method", ["ACK"])
def test_an_ack_is_never_answered(network: Network, node: Node, peer: Peer, method: str) -> None:
    peer.send(peer.request(method, node), node)
    peer.send(peer.request(method, node, To="<sip:bob@192.0.2.1>;tag=unknown"), node)
    peer.send(peer.request(method, node, Require="nothing"), node)
    network.run(0.05)
    assert peer.inbox == []


def test_garbage_gets_nothing_or_400(network: Network, node: Node, peer: Peer) -> None:
    flow = Flow("udp", peer.host, peer.port, node.host, node.port)
    good = peer.request("INVITE", node, body=SDP).encode()
    for data in (
        b"",
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"GET / HTTP/1.1\r\n",
    ):
        node.agent.receive(data, flow)
    for data in (
        good[:20],
        b"INVITE SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        good.replace(b"Via", b"Vai"),
    ):
        node.agent.receive(data, flow)
    network.run(0.05)
    assert peer.inbox == []
    node.agent.receive(good.replace(b"Content-Length: ", b"Content-Length: 9"), flow)
    node.agent.receive(good.replace(b"1 INVITE", b"1 BYE"), flow)
    network.run(0.05)
    assert {name.split()[0] for name in peer.names} == {"400"}
    assert node.calls == []


def test_responses_to_nothing_are_dropped(network: Network, node: Node, peer: Peer) -> None:
    peer.send(peer.response(peer.request("INVITE", node), 200), node)
    network.run(0.05)
    assert peer.inbox == []


def test_what_is_allowed_is_what_is_handled(network: Network, peer: Peer) -> None:
    """In Allow, outside of calls and inside of them."""
    node = network.node("192.0.2.1", methods=("MESSAGE",))
    node.agent.on_request = lambda incoming: incoming.reply(202)
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(0.05)
    (ok,) = peer.responses(200)
    peer.send(peer.within("ACK", node, ok), node)
    for number, method in enumerate(("MESSAGE", "REFER", "NEWMETHOD"), 2):
        peer.send(peer.request(method, node, Call_ID=method), node)
        peer.send(peer.within(method, node, ok, cseq=number), node)
    network.run(0.05)
    assert "MESSAGE" in ok.allow
    assert "REFER" not in ok.allow
    refusals = [*peer.responses(405, "REFER"), *peer.responses(501, "NEWMETHOD")]
    assert len(refusals) == 4
    assert all(refusal.allow == ok.allow for refusal in refusals)
    assert len(peer.responses(202, "MESSAGE")) == 1
    assert node.event(RequestReceived).incoming.request.method == "MESSAGE"


def test_registrations_are_handed_up(network: Network, peer: Peer) -> None:
    node = network.node("192.0.2.1", methods=("REGISTER",))
    seen: list[IncomingRequest] = []
    node.agent.on_register = seen.append
    peer.send(peer.request("REGISTER", node, Expires="60", branch="z9hG4bKreg"), node)
    network.run(0.05)
    assert peer.inbox == []
    assert seen[0].source.host == peer.host
    seen[0].reply(200, headers=[("Contact", "<sip:peer@192.0.2.2>;expires=60")])
    network.run(0.05)
    assert peer.responses(200)[0].headers.get("Contact") == "<sip:peer@192.0.2.2>;expires=60"
    peer.send(peer.request("REGISTER", node, branch="z9hG4bKreg"), node)
    network.run(0.05)
    assert len(seen) == 1
    assert peer.names == ["200 REGISTER"] * 2


def test_other_requests_are_handed_up(network: Network, peer: Peer) -> None:
    node = network.node("192.0.2.1", methods=("MESSAGE",))
    node.agent.on_request = lambda incoming: incoming.reply(
        202, "Taken", body=b"ok", headers=[("Content-Type", "text/plain")]
    )
    peer.send(peer.request("MESSAGE", node, body=b"hello", Content_Type="text/plain"), node)
    network.run(0.05)
    (taken,) = peer.responses(202)
    assert (taken.reason, taken.body) == ("Taken", b"ok")


def test_a_handler_that_fails_harms_nobody_else(
    network: Network, node: Node, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(call: object) -> None:
        raise ZeroDivisionError

    node.on_call = fail
    peer.send(peer.request("INVITE", node, body=SDP), node)
    peer.send(peer.request("OPTIONS", node, cseq=2), node)
    network.run(0.05)
    assert peer.names == ["100 INVITE", "200 OPTIONS"]
    assert "ZeroDivisionError" in caplog.text


def test_new_calls_can_be_refused_without_state(network: Network, node: Node, peer: Peer) -> None:
    node.agent.refuse_new(503, 7)
    invite = peer.request("INVITE", node, body=SDP)
    peer.send(invite, node)
    peer.send(invite, node)
    network.run(0.05)
    first, second = peer.responses(503)
    assert first.headers.get("Retry-After") == "7"
    assert first.to.tag == second.to.tag
    assert len(node.agent.core.layer) == 0
    peer.send(peer.request("OPTIONS", node), node)
    node.agent.refuse_new(None, 0)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(0.05)
    assert len(node.calls) == 1


def test_a_2543_peer_is_matched_without_branches(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.reject(486)
    invite = peer.request("INVITE", node, body=SDP, branch="1")
    for request in (invite, invite):
        request.headers.set("Via", "SIP/2.0/UDP 192.0.2.2:5060")
        peer.send(request, node)
    network.run(0.1)
    assert peer.names == ["100 INVITE", "486 INVITE", "486 INVITE"]
    ack = peer.within("ACK", node, peer.responses(486)[0])
    ack.headers.set("Via", "SIP/2.0/UDP 192.0.2.2:5060")
    peer.send(ack, node)
    network.run(10)
    assert peer.names.count("486 INVITE") == 2
    assert len(node.calls) == 1


def test_an_orphan_is_ended_after_a_restart(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    network.run(0.02)
    invite = peer.requests("INVITE")[0]
    assert call.dialog_state() is None
    peer.respond(invite, 200, body=SDP, Record_Route="<sip:192.0.2.50;lr>")
    network.run(0.05)
    state = call.dialog_state()
    assert state is not None
    proxy = network.peer("192.0.2.50")
    reborn = network.node("192.0.2.1")
    pending = reborn.agent.bye_orphan(state)
    network.run(0.05)
    (bye,) = proxy.requests("BYE")
    assert (bye.call_id, bye.from_.tag, bye.to.tag) == (invite.call_id, invite.from_.tag, "peer")
    assert bye.cseq.number > 1000
    proxy.respond(bye, 200)
    network.run(0.05)
    assert pending.value is not None
    assert pending.value.status == 200


def test_an_orphan_behind_nat_is_ended_where_it_was_seen(network: Network, node: Node, peer: Peer) -> None:
    node.on_call = lambda call: call.answer(SDP)
    invite = peer.request("INVITE", node, body=SDP, Contact="<sip:peer@10.0.0.7>")
    invite.headers.set("Via", "SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKn;rport")
    peer.send(invite, node)
    network.run(0.05)
    state = node.calls[0].dialog_state()
    assert state is not None
    network.node("192.0.2.1").agent.bye_orphan(state)
    network.run(0.05)
    assert str(peer.requests("BYE")[0].uri) == "sip:peer@10.0.0.7"


def test_a_caller_at_a_private_address_is_hung_up_on(
    network: Network, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """The policy judges where applications want to go, not where a call came from; nor after a restart."""
    node = network.node("192.0.2.1", allowed=lambda flow, name, known: False)
    node.on_call = lambda call: call.answer(SDP)
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(0.05)
    peer.send(peer.within("ACK", node, peer.responses(200)[0]), node)
    network.run(0.05)
    (call,) = node.calls
    state = call.dialog_state()
    assert state is not None
    state = msgspec.json.decode(msgspec.json.encode(state), type=DialogState)
    call.bye()
    network.run(0.05)
    peer.respond(peer.requests("BYE")[0], 200)
    network.run(0.05)
    reborn = network.node("192.0.2.1", allowed=lambda flow, name, known: False)
    reborn.agent.bye_orphan(state)
    network.run(0.05)
    assert len(peer.requests("BYE")) == 2
    assert not caplog.records
    network.run(40)  # nobody answers it
    assert caplog.messages == ["the BYE of call call-1 did not get through: no response came"]


def test_a_bye_that_leads_nowhere_is_noted(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    """Dialogs stored without the far end's address know the Contact alone."""
    node = network.node("192.0.2.1", allowed=lambda flow, name, known: False)
    state = DialogState("call-9", "<sip:us@a>;tag=1", "<sip:them@b>;tag=2", (), "sip:them@10.0.0.7", 1)
    assert node.agent.bye_orphan(state).value is not None
    network.run(0.05)
    assert caplog.messages == ["the BYE of call call-9 did not get through: its next hop may not be reached"]


def test_calls_are_found_by_their_tags(network: Network, node: Node, peer: Peer) -> None:
    peer.send(peer.request("INVITE", node, body=SDP), node)
    network.run(0.05)
    call = node.calls[0]
    assert node.agent.find_call(call.call_id, call.local.tag or "", "peer") is call
    assert node.agent.find_call(call.call_id, "other", "peer") is None


def test_two_agents_talk(network: Network, node: Node) -> None:
    other = network.node("192.0.2.7")

    def take(call: object) -> None:
        other.calls[0].ring(sdp=SDP)
        other.calls[0].answer(SDP)

    other.on_call = take
    call = node.call(other)
    network.run(1)
    assert node.kinds() == ["Progress", "Answered"]
    assert other.kinds() == ["Confirmed"]
    call.bye()
    network.run(40)
    assert other.event(Ended).by == "remote"
    for agent in (node.agent, other.agent):
        assert len(agent.core.layer) == 0
        assert not agent.core.dialogs


def test_requests_outside_dialogs_resolve(network: Network, node: Node, peer: Peer) -> None:
    pending = node.agent.request(
        "MESSAGE",
        peer.uri(),
        from_=node.name(),
        to=peer.name(),
        body=b"hi",
        headers=[("Content-Type", "text/plain")],
    )
    network.run(0.05)
    (message,) = peer.requests("MESSAGE")
    assert message.body == b"hi"
    peer.respond(message, 202)
    network.run(0.05)
    assert pending.value is not None
    assert pending.value.status == 202
    silent = node.agent.request("OPTIONS", peer.uri(), from_=node.name(), to=peer.name())
    network.run(33)
    assert silent.value is not None
    assert silent.value.status == 408
    assert peer.names.count("OPTIONS") == 11


def test_what_is_handled_inside_of_calls_only_is_refused_outside(network: Network, peer: Peer) -> None:
    node = network.node("192.0.2.1", methods=("NOTIFY",))
    peer.send(peer.request("NOTIFY", node), node)
    network.run(0.05)
    assert len(peer.responses(481, "NOTIFY")) == 1
