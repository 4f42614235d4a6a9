"""Packets that are just what was to come next are taken in without a closer look, and no others."""

from __future__ import annotations

import pytest
from tests.media.rig import Datagram, Rig, batch, packet

from ringback.media.model import LegStatistics, NoRtp, RtpResumed

ELSEWHERE = "198.51.100.7"


class Caller:
    """A peer whose packets are each the next of their series, unless it is told otherwise."""

    def __init__(self, sequence: int = 100, timestamp: int = 16000) -> None:
        self.rig = Rig()
        self.rig.remote()
        self.sequence = sequence
        self.timestamp = timestamp

    def next(self) -> Datagram:
        self.sequence += 1
        self.timestamp += 160
        return 0, packet(self.sequence, self.timestamp)

    def talk(self, frames: int = 5) -> None:
        for _ in range(frames):
            self.rig.step(self.next())

    @property
    def statistics(self) -> LegStatistics:
        return self.rig.phase.statistics(0, self.rig.now)


@pytest.mark.parametrize(("sequence", "timestamp"), [(100, 16000), (0xFFFD, 16000), (100, 2**32 - 480)])
def test_a_series_is_counted_to_its_end_through_numbers_that_wrap(sequence: int, timestamp: int) -> None:
    caller = Caller(sequence, timestamp)
    caller.talk(20)
    assert caller.statistics.packets_received == 20
    assert caller.statistics.octets_received == 20 * 160
    assert (caller.statistics.packets_lost, caller.statistics.buffer_resyncs) == (0, 0)
    assert caller.statistics.frames_concealed == 0
    assert caller.statistics.mean_ptime_ms == 20


def test_what_is_expected_counts_once() -> None:
    caller = Caller()
    caller.talk()
    again = caller.next()
    caller.rig.step(again, again)
    assert caller.statistics.packets_duplicated == 1
    caller.rig.step(again)
    assert caller.statistics.packets_duplicated == 2
    assert caller.statistics.packets_lost == 0


def test_behind_a_gap_a_series_goes_on() -> None:
    caller = Caller()
    caller.talk()
    late = caller.next()
    caller.talk(70)
    assert caller.statistics.packets_lost == 1
    caller.next()
    between = caller.next()
    caller.talk(1)
    caller.rig.step(between)
    assert (caller.statistics.packets_lost, caller.statistics.packets_reordered) == (2, 1)
    caller.rig.step(late)
    assert caller.statistics.packets_reordered == 2


def test_a_series_does_not_go_on_from_a_peer_that_was_left() -> None:
    caller = Caller()
    caller.talk()
    caller.rig.remote(host=ELSEWHERE)
    caller.talk(2)
    assert caller.statistics.packets_received == 5
    assert caller.statistics.packets_wrong_source == 2


def test_a_series_does_not_go_on_from_a_stranger() -> None:
    caller = Caller()
    caller.talk()
    caller.rig.step((*caller.next()[:2], (ELSEWHERE, 40000)))
    assert caller.statistics.packets_received == 5
    assert caller.statistics.packets_wrong_source == 1


def test_a_payload_type_that_means_nothing_any_more_is_invalid() -> None:
    caller = Caller()
    caller.talk()
    caller.rig.remote(receive={8: "PCMA"})
    caller.talk(2)
    assert caller.statistics.packets_invalid == 2


def test_media_that_comes_back_is_noticed_though_it_goes_on_where_it_stopped() -> None:
    caller = Caller()
    caller.talk()
    for _ in range(200):
        caller.rig.step()
    assert caller.rig.of(NoRtp)
    caller.talk(2)
    assert len(caller.rig.of(RtpResumed)) == 1


def test_a_new_leg_on_the_row_expects_nothing_of_the_one_before() -> None:
    caller = Caller()
    caller.talk()
    caller.rig.phase.close(0, caller.rig.now)
    caller.rig.phase.receive(batch([caller.next()], caller.rig.now), caller.rig.now)
    assert caller.rig.phase.intake.reception.packets[0] == 5
    caller.rig.phase.open(0, 2, "rig", caller.rig.now)
    assert caller.statistics.packets_received == 0
    caller.rig.step(caller.next())
    assert caller.statistics.packets_received == 0
    caller.rig.remote()
    caller.talk(3)
    assert caller.statistics.packets_received == 3
