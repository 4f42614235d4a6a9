"""Whatever datagram is lost, both sides agree in the end (RFC 3261 section 17)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sip.conftest import Network, Node

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

Loss = Callable[[int, bytes], bool]


def whole_call(network: Network, lose: Loss, supported: bool) -> tuple[Node, Node]:
    """A call that rings, is answered, holds, and is hung up by the caller."""
    network.lose = lose
    caller, callee = network.node("192.0.2.1"), network.node("192.0.2.2")

    def take(call: object) -> None:
        if supported:
            callee.calls[0].ring()

    callee.on_call = take
    call = caller.call(callee)
    network.run(10)
    callee.calls[0].answer(SDP)
    network.run(10)
    assert call.state == "answered"
    held = call.reinvite(SDP + b"a=sendonly\r\n")
    network.run(10)
    callee.calls[0].reply_offer(SDP)
    network.run(10)
    assert held.value is not None
    assert held.value.status == 200
    gone = call.bye()
    network.run(70)
    assert gone.value is not None
    assert gone.value.status == 200
    return caller, callee


@pytest.mark.parametrize("ringing", [True, False])
@pytest.mark.parametrize("lost", range(1, 22))
def test_any_one_datagram(network: Network, lost: int, ringing: bool) -> None:
    caller, callee = whole_call(network, lambda number, data: number == lost, ringing)
    assert [kind for kind in caller.kinds() if kind != "Progress"] == ["Answered", "OfferAnswered"]
    assert callee.kinds() == ["Confirmed", "Offer", "Ended"]
    for node in (caller, callee):
        assert len(node.agent.core.layer) == 0
        assert not node.agent.core.dialogs
        assert node.agent.poll_timeout() is None


@pytest.mark.parametrize("seed", range(12))
def test_one_in_five(network: Network, seed: int) -> None:
    chance = random.Random(seed)
    caller, callee = whole_call(network, lambda number, data: chance.random() < 0.2, True)
    assert callee.kinds()[-1] == "Ended"
    for node in (caller, callee):
        assert len(node.agent.core.layer) == 0
        assert node.agent.poll_timeout() is None


@pytest.mark.parametrize("lost", range(1, 9))
def test_cancel_survives_any_loss(network: Network, lost: int) -> None:
    network.lose = lambda number, data: number == lost
    caller, callee = network.node("192.0.2.1"), network.node("192.0.2.2")
    callee.on_call = lambda call: call.ring()
    call = caller.call(callee)
    network.run(5)
    call.cancel()
    network.run(70)
    assert caller.kinds()[-1] == "Failed"
    assert callee.kinds() == ["Cancelled"]
    assert len(caller.agent.core.layer) == len(callee.agent.core.layer) == 0
