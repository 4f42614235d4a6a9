"""Once a call is over, and everything about it acknowledged or too late, it is freed at once: nothing that it
has holds it, so that it need not wait for a collection of garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from tests.sip.conftest import sdp

from ringback.sip.transaction import TIMEOUT

if TYPE_CHECKING:
    from tests.sip.conftest import Network

    from ringback.sip.inbound import InboundCall
    from ringback.sip.outbound import OutboundCall
    from ringback.sip.session import Session

End = Callable[["Network", "OutboundCall", "InboundCall"], None]


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def the_caller_hangs_up(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.answer(sdp())
    network.run()
    caller.bye()


def the_callee_hangs_up(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.ring()
    network.run()
    callee.answer(sdp())
    network.run()
    callee.bye()


def it_is_refused(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.reject(486)


def it_is_cancelled(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.ring()
    network.run()
    caller.cancel()


def it_is_never_acknowledged(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    network.lose = lambda _, data: data.startswith(b"ACK")
    callee.answer(sdp())


def it_was_held_and_is_hung_up_meanwhile(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.answer(sdp())
    network.run()
    offer_anew(network, caller, callee)
    offer_anew(network, callee, caller)
    caller.update(sdp(version=3))
    callee.bye()


def offer_anew(network: Network, one: Session, other: Session) -> None:
    one.reinvite(sdp(version=2))
    network.run()
    other.reply_offer(sdp(version=2))
    network.run()


def it_is_refreshed_and_lost(network: Network, caller: OutboundCall, callee: InboundCall) -> None:
    callee.answer(sdp())
    network.run(caller.core.settings.session_expires)
    network.lose = lambda *_: True
    network.run(2.0 * caller.core.settings.session_expires)


@pytest.mark.parametrize(
    "end",
    [
        the_caller_hangs_up,
        the_callee_hangs_up,
        it_is_refused,
        it_is_cancelled,
        it_is_never_acknowledged,
        it_was_held_and_is_hung_up_meanwhile,
        it_is_refreshed_and_lost,
    ],
)
def test_a_call_is_freed_once_it_is_over(network: Network, end: End) -> None:
    alice, bob = network.node("192.0.2.1"), network.node("192.0.2.2")
    caller = alice.call(bob)
    network.run()
    callee = bob.calls.pop()
    end(network, caller, callee)
    network.run(3 * TIMEOUT)
    assert (caller.state, callee.state) == ("ended", "ended")
    left: list[weakref.ref[Session]] = [weakref.ref(caller), weakref.ref(callee)]
    del caller, callee
    assert not [ref for ref in left if ref() is not None]
