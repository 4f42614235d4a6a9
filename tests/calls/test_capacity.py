"""What is measured, who is refused with what, and what people read of it."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest

from ringback.calls.capacity import LOOP, RETRY_AFTER, SIP, SUMMARY, Capacity
from ringback.calls.meter import Meter
from ringback.calls.pausing import STORE
from ringback.media.model import PlaneStatistics, TickStatistics
from ringback.routing.directory import Account, Directory, Trunk

ACCOUNT = Account(id=UUID(int=1), name="a", token="t")
TRUNK = Trunk(
    id=UUID(int=2), account_id=ACCOUNT.id, name="carrier", inbound_from=("192.0.2.0/24",), overload_status=480
)


class Watched:
    """SIP, store and media, as late as a test says."""

    def __init__(self) -> None:
        self.read_late = 0.0
        self.delay = 0.0
        self.committing = 0.0
        self.worker = TickStatistics(pid=1)

    def waited(self) -> float:
        return self.read_late

    def stats(self) -> PlaneStatistics:
        return PlaneStatistics((self.worker,), 0)


class Hand:
    """A capacity, what it looks at, and a clock."""

    def __init__(self) -> None:
        self.now = 50.0
        self.directory = Directory([ACCOUNT, TRUNK])
        self.capacity = Capacity(self.directory, Meter(), lambda: self.now)
        self.watched = Watched()
        self.capacity.watch(self.watched, self.watched, self.watched)

    def look(self, times: int = 5, *, loop: float = 0.0) -> None:
        for _ in range(times):
            self.now += 0.05
            self.capacity.lagged(loop)


def test_who_measures_is_told_of_each_new_call() -> None:
    hand = Hand()
    told: list[int] = []
    hand.capacity.enter()
    hand.capacity.on_enter = lambda: told.append(1)
    hand.capacity.enter()
    assert told == [1]


@pytest.mark.parametrize(
    ("late", "cause"),
    [
        ({"loop": 2.1 * LOOP}, "the event loop"),
        ({"read_late": 2.1 * SIP}, "SIP"),
        ({"delay": 2.1 * STORE}, "the store"),
    ],
)
def test_whatever_is_late_limits_new_calls(
    late: dict[str, float], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    hand = Hand()
    hand.look(20)
    assert not hand.capacity.limited
    for name in late.keys() - {"loop"}:
        setattr(hand.watched, name, late[name])
    hand.look(10, loop=late.get("loop", 0.0))
    assert hand.capacity.limited
    assert not caplog.records, "nobody came who was refused"
    hand.capacity.refuse("192.0.2.7")
    hand.look(1, loop=late.get("loop", 0.0))
    assert f"{cause} is late" in caplog.text


def test_one_long_commit_limits_nothing_and_a_disk_that_hangs_does() -> None:
    hand = Hand()
    for look in range(10):
        hand.watched.delay = hand.watched.committing = look * 0.05
        hand.look(1)
    assert hand.capacity.throttle.pressure >= 2.0
    hand.watched.delay = hand.watched.committing = 0.0
    hand.look(20)
    assert not hand.capacity.limited
    for look in range(20):
        hand.watched.delay = hand.watched.committing = look * 0.05
        hand.look(1)
    assert hand.capacity.limited


def pulses(hand: Hand, *late: int) -> None:
    """A worker's pulses, so many of whose ticks were late, each looked at for a second."""
    total = 0
    for second, count in enumerate(late, 1):
        total += count
        hand.watched.worker = TickStatistics(pid=1, ticks=second * 200, late=total)
        hand.look(20)


def test_one_bad_pulse_of_a_media_worker_limits_nothing() -> None:
    hand = Hand()
    pulses(hand, 0, 200, 0, 0, 100, 0)
    assert not hand.capacity.limited
    assert hand.capacity.throttle.pressure == 0.0


def test_media_that_stay_late_limit_new_calls(caplog: pytest.LogCaptureFixture) -> None:
    hand = Hand()
    pulses(hand, 0, 200, 200)
    assert hand.capacity.limited
    hand.capacity.refuse("192.0.2.7")
    hand.look(1)
    assert "media is late" in caplog.text


def test_media_without_time_take_no_call_at_all(caplog: pytest.LogCaptureFixture) -> None:
    hand = Hand()
    for second in range(1, 4):
        hand.watched.worker = TickStatistics(pid=1, ticks=second * 200, cpu_seconds=second * 0.95)
        hand.look()
    assert hand.capacity.full()
    assert hand.capacity.throttle.rate is None
    hand.capacity.refuse("192.0.2.7")
    hand.look(1)
    assert "media workers have no time" in caplog.text
    hand.watched.worker = TickStatistics(pid=1, ticks=800, cpu_seconds=3.0)
    hand.look()
    assert not hand.capacity.full()


def test_a_trunk_says_what_its_calls_are_refused_with() -> None:
    hand = Hand()
    refusals = [hand.capacity.refuse(host) for host in ("192.0.2.7", "198.51.100.1", "") for _ in range(50)]
    assert [refusals[at].status for at in (0, 50, 100)] == [480, 503, 503]
    first, last = RETRY_AFTER
    assert {refusal.retry_after for refusal in refusals} == set(range(first, last + 1))
    assert hand.capacity.refused == 150
    hand.directory.become(Directory([ACCOUNT]))
    hand.capacity.forget()
    assert hand.capacity.refuse("192.0.2.7").status == 503


def test_what_is_refused_is_told_in_summary(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ringback.calls.capacity")
    hand = Hand()
    for _ in range(round(2.5 * SUMMARY / 0.05)):
        hand.look(1, loop=1.0)
        if hand.capacity.full():
            hand.capacity.refuse("192.0.2.7")
        else:
            hand.capacity.enter()
    assert len(caplog.records) == 3
    hand.look(round(30 / 0.05))
    assert len(caplog.records) <= 5
    assert "there is time for every call again" in caplog.text
    told = sum(int(str(record.args[-1])) for record in caplog.records if isinstance(record.args, tuple))
    assert told == hand.capacity.refused
