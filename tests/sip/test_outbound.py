from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ringback.sip.events import Answered, Ended, Failed, Offer, Progress
from ringback.sip.flow import Flow
from ringback.sip.message import Request
from ringback.sip.uri import Uri

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node, Peer


SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture
def node(network: Network) -> Node:
    return network.node("192.0.2.1")


@pytest.fixture
def peer(network: Network) -> Peer:
    return network.peer("192.0.2.2")


def invite_of(network: Network, peer: Peer, seconds: float = 0.02) -> Request:
    network.run(seconds)
    return peer.requests("INVITE")[-1]


def test_a_call_is_answered_and_hung_up(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer, headers=(("X-Call", "1"),), max_forwards=12)
    invite = invite_of(network, peer)
    assert invite.body
    assert invite.max_forwards == 12
    assert invite.headers.get("X-Call") == "1"
    assert invite.via.rport == ""
    assert call.local.tag == invite.from_.tag
    peer.respond(invite, 183, body=SDP)
    network.run()
    progress = node.event(Progress)
    assert (progress.status, progress.sdp) == (183, SDP)
    peer.respond(invite, 200, body=SDP)
    network.run()
    assert node.event(Answered).sdp == SDP
    (ack,) = peer.requests("ACK")
    assert ack.cseq.number == invite.cseq.number
    assert str(ack.uri) == "sip:peer@192.0.2.2:5060"
    assert call.remote.tag == "peer"
    pending = call.bye()
    network.run()
    (bye,) = peer.requests("BYE")
    assert bye.cseq.number == invite.cseq.number + 1
    peer.respond(bye, 200)
    network.run()
    assert pending.value is not None
    assert pending.value.status == 200
    assert node.kinds() == ["Progress", "Answered"]
    assert not node.agent.core.dialogs


def test_an_invite_is_repeated_and_times_out(network: Network, node: Node) -> None:
    silent = network.peer("192.0.2.9")
    node.call(silent)
    network.run(40)
    assert len(silent.requests("INVITE")) == 7  # 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5
    failed = node.event(Failed)
    assert (failed.status, failed.cause) == (408, "timeout")


def test_every_2xx_again_is_acknowledged_again(network: Network, node: Node, peer: Peer) -> None:
    proxy = network.peer("192.0.2.50")
    node.call(peer)
    invite = invite_of(network, peer)
    route = "<sip:192.0.2.50;lr>"
    for _ in range(3):
        peer.respond(invite, 200, body=SDP, Record_Route=route)
    network.run()
    acks = proxy.requests("ACK")
    assert len(acks) == 3
    assert len({ack.via.branch for ack in acks}) == 1
    assert acks[0].headers.get("Route") == route
    assert node.kinds() == ["Answered"]


def test_a_refusal_is_told_and_acknowledged(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    invite = invite_of(network, peer)
    peer.respond(invite, 486, X_Why="busy")
    network.run()
    failed = node.event(Failed)
    assert (failed.status, failed.cause, failed.headers.get("X-Why")) == (486, "rejected", "busy")
    (ack,) = peer.requests("ACK")
    assert ack.via.branch == invite.via.branch
    assert ack.to.tag == "peer"


def test_cancel_waits_for_a_provisional_response(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    invite = invite_of(network, peer)
    call.cancel([("Reason", "SIP;cause=200")])
    network.run(0.1)
    assert peer.requests("CANCEL") == []
    peer.respond(invite, 180)
    network.run(0.1)
    (cancel,) = peer.requests("CANCEL")
    assert cancel.via.branch == invite.via.branch
    assert cancel.headers.get("Reason") == "SIP;cause=200"
    peer.respond(cancel, 200)
    peer.respond(invite, 487)
    network.run()
    failed = node.event(Failed)
    assert (failed.status, failed.cause) == (487, "cancelled")
    assert node.kinds() == ["Failed"]


def test_a_cancelled_call_that_nobody_ends_ends_by_itself(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    peer.respond(invite_of(network, peer), 100)
    network.run(0.1)
    over = call.bye()
    call.cancel()
    network.run(31)
    assert node.events[-1:] == []
    network.run(2)
    assert node.event(Failed).cause == "cancelled"
    assert over.value is not None
    assert over.value.status == 487


def test_a_2xx_that_crosses_cancel_is_acknowledged_and_ended(
    network: Network, node: Node, peer: Peer
) -> None:
    call = node.call(peer)
    invite = invite_of(network, peer)
    peer.respond(invite, 180)
    network.run()
    peer.respond(invite, 200, body=SDP)
    call.cancel()
    network.run()
    assert [name for name in peer.names if name in ("CANCEL", "ACK", "BYE")] == ["CANCEL", "ACK", "BYE"]
    assert node.event(Failed).cause == "cancelled"
    peer.respond(invite, 200, body=SDP)
    network.run(0.1)
    assert len(peer.requests("ACK")) == 2
    assert len({bye.via.branch for bye in peer.requests("BYE")}) == 1


def test_a_second_fork_is_acknowledged_and_ended(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    invite = invite_of(network, peer)
    peer.respond(invite, 180, tag="one")
    peer.respond(invite, 180, tag="two")
    network.run()
    assert len(node.agent.core.dialogs) == 2
    peer.respond(invite, 200, tag="two", body=SDP)
    network.run()
    assert call.remote.tag == "two"
    peer.respond(invite, 200, tag="one", body=SDP)
    network.run()
    (bye,) = {bye.to.tag for bye in peer.requests("BYE")}
    assert bye == "one"
    assert [ack.to.tag for ack in peer.requests("ACK")] == ["two", "one"]
    assert call.state == "answered"
    assert node.kinds() == ["Progress", "Progress", "Answered"]


def test_the_offer_may_come_late(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer, b"")
    invite = invite_of(network, peer)
    assert invite.body == b""
    peer.respond(invite, 200, body=SDP)
    network.run()
    assert node.event(Answered).sdp == SDP
    assert peer.requests("ACK") == []
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    call.reply_offer(b"v=0\r\nanswer")
    network.run(0.05)
    (ack,) = peer.requests("ACK")
    assert ack.body == b"v=0\r\nanswer"
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    assert peer.requests("ACK")[-1].body == b"v=0\r\nanswer"


def test_hanging_up_before_the_late_answer(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer, b"")
    peer.respond(invite_of(network, peer), 200, body=SDP)
    network.run()
    call.bye()
    network.run(0.05)
    assert [name for name in peer.names if name != "INVITE"] == ["ACK", "BYE"]


def test_redirections_are_followed_best_first(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    contacts = "<sip:a@192.0.2.2>;q=0.5, <sip:b@192.0.2.2>;q=0.9, <mailto:x@example.com>"
    peer.respond(invite_of(network, peer), 302, Contact=contacts)
    network.run(0.05)
    invite = peer.requests("INVITE")[-1]
    assert str(invite.uri) == "sip:b@192.0.2.2"
    assert invite.to.tag is None
    assert invite.cseq.number == 2
    peer.respond(invite, 404)
    network.run(0.05)
    invite = peer.requests("INVITE")[-1]
    assert str(invite.uri) == "sip:a@192.0.2.2"
    peer.respond(invite, 200, body=SDP)
    network.run()
    assert node.kinds() == ["Answered"]


@pytest.mark.parametrize(
    "contact",
    [
        "sip:bob@192.0.2.66",
        "sip:bob@192.0.2.2:5070",
        "sip:bob@192.0.2.2;maddr=192.0.2.66",
        "sip:bob@192.0.2.66;maddr=192.0.2.2",
        "sips:bob@192.0.2.2",
        "tel:+19005550100",
    ],
)
def test_a_redirection_elsewhere_is_the_end(network: Network, node: Node, peer: Peer, contact: str) -> None:
    elsewhere = network.peer("192.0.2.66")
    node.call(peer)
    peer.respond(invite_of(network, peer), 302, Contact=f"<{contact}>")
    network.run(0.1)
    assert node.event(Failed).status == 302
    assert elsewhere.inbox == []
    assert len(peer.requests("INVITE")) == 1


def test_redirections_end(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    for number in range(7):
        invites = peer.requests("INVITE") or [invite_of(network, peer)]
        peer.respond(invites[-1], 302, Contact=f"<sip:x{number}@192.0.2.2>")
        network.run(0.05)
    assert node.event(Failed).status == 302
    assert len({str(invite.uri) for invite in peer.requests("INVITE")}) == 6


def test_names_are_looked_up_and_the_next_address_is_tried(network: Network, node: Node, peer: Peer) -> None:
    other = network.peer("192.0.2.3")
    node.lookups["sip.example"] = [
        Flow("udp", "192.0.2.66", 5060),
        Flow("udp", peer.host, 5060),
        Flow("udp", other.host, 5060),
    ]
    network.unreachable.add("192.0.2.66")
    node.call(peer, uri=Uri.parse("sip:bob@sip.example"))
    invite = invite_of(network, peer)
    assert str(invite.uri) == "sip:bob@sip.example"
    peer.respond(invite, 503)
    invite = invite_of(network, other, 0.05)
    other.respond(invite, 200, body=SDP)
    network.run()
    assert node.kinds() == ["Answered"]


def test_a_name_that_leads_nowhere(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer, uri=Uri.parse("sip:bob@nowhere.example"))
    network.run()
    assert node.event(Failed).cause == "unresolved"


def test_addresses_may_be_forbidden(network: Network, peer: Peer) -> None:
    node = network.node("192.0.2.1", allowed=lambda flow, name, known: flow.host != peer.host)
    node.call(peer)
    network.run()
    assert (node.event(Failed).cause, node.event(Failed).status) == ("refused", 403)
    assert peer.inbox == []


def test_addresses_are_judged_with_the_name_that_led_there(network: Network, peer: Peer) -> None:
    asked: list[tuple[str, str, str]] = []

    def allowed(flow: Flow, name: str, known: str) -> bool:
        asked.append((flow.host, name, known))
        return name == "trunk.example"

    node = network.node("192.0.2.1", allowed=allowed)
    for name in ("trunk.example", "other.example"):
        node.lookups[name] = [Flow("udp", peer.host, 5060)]
        node.call(peer, uri=Uri.parse(f"sip:bob@{name}"))
    node.call(peer, uri=Uri.parse(f"sip:bob@trunk.example;maddr={peer.host}"))
    network.run(0.05)
    assert len(peer.requests("INVITE")) == 1
    names = {"trunk.example", "other.example", peer.host}  # maddr is where the request goes: it is the name
    assert set(asked) == {(peer.host, name, "") for name in names}


def test_a_forbidden_contact_gets_neither_ack_nor_bye(network: Network, peer: Peer) -> None:
    """Both go to where the 2xx came from: the call must not stay up."""
    victim = network.peer("192.0.2.77")
    node = network.node("192.0.2.1", allowed=lambda flow, name, known: flow.host == peer.host)
    call = node.call(peer)
    response = peer.response(invite_of(network, peer), 200, body=SDP)
    response.headers.set("Contact", f"<{victim.uri()}>")
    peer.send(response, node)
    network.run(0.05)
    call.bye()
    network.run(0.05)
    assert victim.inbox == []
    assert peer.names == ["INVITE", "ACK", "BYE"]


def test_large_requests_try_tcp_once(network: Network, node: Node, peer: Peer) -> None:
    """A peer that takes the connection and answers nothing on it is asked by UDP."""
    node.call(peer, headers=(("X-Long", "x" * 1400),))
    network.run(200)
    assert list(dict.fromkeys(line for line in network.log)) == ["tcp INVITE", "udp INVITE"]
    assert network.log.count("tcp INVITE") == 1
    assert node.event(Failed).cause == "timeout"


def test_a_large_request_goes_by_tcp_then_udp(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer, headers=(("X-Long", "x" * 1400),))
    assert invite_of(network, peer).via.transport == "TCP"
    network.no_tcp.add(peer.host)
    node.call(peer, headers=(("X-Long", "x" * 1400),))
    assert invite_of(network, peer).via.transport == "UDP"
    network.no_tcp.clear()
    node.call(peer, headers=(("X-Long", "x" * 1400),))
    assert invite_of(network, peer).via.transport == "UDP"  # it is remembered
    network.run(700)
    node.call(peer, headers=(("X-Long", "x" * 1400),))
    assert invite_of(network, peer).via.transport == "TCP"


def test_an_outbound_proxy_gets_the_call(network: Network, node: Node, peer: Peer) -> None:
    proxy = network.peer("192.0.2.50")
    node.call(peer, route=(Uri.parse("sip:192.0.2.50;lr"),))
    invite = invite_of(network, proxy)
    assert str(invite.uri) == str(peer.uri())
    assert invite.headers.get("Route") == "<sip:192.0.2.50;lr>"


def test_reliable_provisionals_are_acknowledged_in_order(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    invite = invite_of(network, peer)
    assert "100rel" in invite.supported
    peer.respond(invite, 183, Require="100rel", RSeq="7", body=SDP)
    network.run(0.05)
    (prack,) = peer.requests("PRACK")
    assert prack.headers.get("RAck") == "7 1 INVITE"
    peer.respond(prack, 200)
    peer.respond(invite, 183, Require="100rel", RSeq="7", body=SDP)  # again
    peer.respond(invite, 180, Require="100rel", RSeq="9")  # before its turn
    network.run(0.05)
    assert len(peer.requests("PRACK")) == 1
    peer.respond(invite, 180, Require="100rel", RSeq="8")
    network.run(0.05)
    assert peer.requests("PRACK")[-1].headers.get("RAck") == "8 1 INVITE"
    assert node.kinds() == ["Progress", "Progress"]


def test_an_offer_in_a_reliable_provisional_is_answered_in_prack(
    network: Network, node: Node, peer: Peer
) -> None:
    call = node.call(peer, b"")
    invite = invite_of(network, peer)
    peer.respond(invite, 183, Require="100rel", RSeq="1", body=SDP)
    network.run(0.05)
    assert node.event(Offer) == Offer(SDP, "PRACK")
    call.reply_offer(b"v=0\r\nanswer")
    network.run(0.05)
    (prack,) = peer.requests("PRACK")
    assert prack.body == b"v=0\r\nanswer"
    peer.respond(prack, 200)
    peer.respond(invite, 200)
    network.run(0.05)
    assert peer.requests("ACK")


def test_the_peer_hangs_up(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    invite = invite_of(network, peer)
    peer.respond(invite, 200, body=SDP)
    network.run(0.05)
    bye = peer.request("BYE", node, From=f"{invite.headers.get('To')};tag=peer", Call_ID=invite.call_id)
    bye.headers.set("To", invite.headers.get("From") or "")
    peer.send(bye, node)
    network.run(0.05)
    assert peer.names[-1] == "200 BYE"
    assert node.event(Ended).by == "remote"


def test_a_private_contact_is_not_believed(network: Network, node: Node) -> None:
    peer = network.peer("172.16.0.1")
    public = network.peer("8.8.8.8")
    for host in (peer, public):
        call = node.call(host)
        invite = invite_of(network, host)
        response = host.response(invite, 200, body=SDP)
        response.headers.set("Contact", "<sip:x@10.1.2.3:5070>")
        host.send(response, node)
        network.run(0.05)
        call.bye()
        network.run(0.05)
    assert peer.requests("ACK") == []  # as private as the contact: the contact holds
    assert public.requests("ACK")
    assert str(public.requests("BYE")[0].uri) == "sip:x@10.1.2.3:5070"


def test_a_broken_2xx_is_no_answer(network: Network, node: Node, peer: Peer) -> None:
    node.call(peer)
    invite = invite_of(network, peer)
    response = peer.response(invite, 200, body=SDP)
    response.headers.set("Contact", "<<>>")
    peer.send(response, node)
    network.run(40)
    assert node.event(Failed).cause == "timeout"


def test_what_cannot_be_written_is_refused_at_once(node: Node, peer: Peer) -> None:
    with pytest.raises(ValueError, match="Contact"):
        node.call(peer, headers=(("Contact", "x"),))
    with pytest.raises(ValueError, match="CR"):
        node.call(peer, headers=(("X-A", "x\r\ny"),))


def test_a_callee_that_gave_up_on_its_ack(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    invite = invite_of(network, peer)
    peer.respond(invite, 180)
    network.run(0.05)
    bye = peer.request("BYE", node, From=str(call.remote), To=str(call.local), Call_ID=call.call_id)
    peer.send(bye, node)
    network.run(0.05)
    assert peer.names[-1] == "200 BYE"
    assert node.event(Failed).status == 487
    peer.respond(invite, 200, body=SDP)  # late: the peer has forgotten it, but must not be left up
    network.run(0.05)
    assert peer.names[-2:] == ["ACK", "BYE"]


def test_header_fields_for_later_are_checked_now(network: Network, node: Node, peer: Peer) -> None:
    call = node.call(peer)
    with pytest.raises(ValueError, match="CR"):
        call.cancel([("Reason", "a\r\nb")])
    peer.respond(invite_of(network, peer), 200, body=SDP)
    network.run(0.05)
    call.reinvite(SDP)
    with pytest.raises(ValueError, match="Via"):
        call.reinvite(SDP, [("Via", "x")])
    with pytest.raises(ValueError, match="CR"):
        call.info("text/plain\r\nX: y", b"")
    with pytest.raises(ValueError, match="CR"):
        call.bye([("Reason", "a\r\nb")])
    assert call.state == "answered"
