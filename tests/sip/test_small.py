"""The small values: flows, timers, results that come later."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.flow import Flow, join_host_port, parse_listen, split_address
from ringback.sip.pending import Pending
from ringback.sip.timers import Timers


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", ("127.0.0.1", 5060)),
        ("127.0.0.1:5070", ("127.0.0.1", 5070)),
        ("::1", ("::1", 5060)),
        ("[::1]", ("::1", 5060)),
        ("[::1]:5070", ("::1", 5070)),
        ("host.example:1", ("host.example", 1)),
    ],
)
def test_addresses_are_split(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["[::1", "[::1]5070", "host:port", "[::1]:x"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|invalid"):
        split_address(text)


def test_addresses_are_joined() -> None:
    assert join_host_port("::1", 5060) == "[::1]:5060"
    assert join_host_port("::1", None) == "[::1]"
    assert str(Flow("udp", "127.0.0.1", 5060)) == "udp:127.0.0.1:5060"


def test_listening_points() -> None:
    assert parse_listen("tcp:[::1]:5060") == Flow("tcp", "", 0, "::1", 5060)
    for text in ("udp", "sctp:1.2.3.4:1", "udp::5060", "udp:127.0.0.1:70000", "udp:127.0.0.1:x"):
        with pytest.raises(ValueError, match=r"expected|invalid"):
            parse_listen(text)


def test_flows_know_their_peer() -> None:
    flow = Flow("tcp", "192.0.2.1", 5060, "192.0.2.2", 5060, 3)
    assert flow.reliable
    assert flow.peer == ("tcp", "192.0.2.1", 5060)


def test_timers_fire_in_order() -> None:
    now = 0.0
    timers = Timers(lambda: now)
    fired: list[str] = []
    timers.after(2, lambda: fired.append("b"))
    timers.after(1, lambda: fired.append("a"))
    cancelled = timers.after(0.5, lambda: fired.append("x"))
    cancelled.cancel()
    cancelled.cancel()
    assert timers.next_deadline() == 1
    now = 3.0
    timers.fire()
    assert fired == ["a", "b"]
    assert timers.next_deadline() is None


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 4.0, 32.0]), st.booleans(), st.booleans())))
def test_timers_fire_in_order_of_time_and_then_as_they_were_set(
    steps: list[tuple[float, bool, bool]],
) -> None:
    """Whatever their lengths are, and however many are cancelled: as one sorted list would."""
    now = 0.0
    timers = Timers(lambda: now)
    fired: list[tuple[float, int]] = []
    expected: list[tuple[float, int]] = []
    for number, (length, passes, cancelled) in enumerate(steps):
        now += 0.25 if passes else 0.0
        due = (now + length, number)
        timer = timers.after(length, partial(fired.append, due))
        if cancelled:
            timer.cancel()
        else:
            expected.append(due)
    expected.sort()
    assert timers.next_deadline() == (expected[0][0] if expected else None)
    while (deadline := timers.next_deadline()) is not None:
        now = max(now, deadline)
        timers.fire()
    assert fired == expected


async def test_a_result_that_comes_later() -> None:
    pending: Pending[int] = Pending()
    heard: list[int] = []
    pending.then(heard.append)
    waiting = asyncio.ensure_future(_value(pending))
    await asyncio.sleep(0)
    assert not pending.done
    pending.resolve(7)
    pending.resolve(8)
    pending.then(heard.append)
    assert (await waiting, await pending, pending.value) == (7, 7, 7)
    assert heard == [7, 7]


async def test_who_waits_may_give_up() -> None:
    pending: Pending[int] = Pending()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_value(pending), 0.001)
    pending.resolve(1)


async def _value(pending: Pending[int]) -> int:
    return await pending
