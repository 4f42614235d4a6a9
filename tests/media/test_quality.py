from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.media.quality import Reception


class Reference:
    """RFC 3550, A.1, A.3 and A.8 for one source, with every sequence number that came remembered."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.highest = 0
        self.jitter = 0.0
        self.transit: float | None = None

    def receive(self, sequence: int) -> bool:
        if not self.numbers:
            self.highest = sequence
        step = ((sequence - self.highest + 32768) & 0xFFFF) - 32768
        extended = self.highest + step
        new = extended not in self.numbers
        self.numbers.append(extended)
        self.highest = max(self.highest, extended)
        return new

    def measure(self, timestamp: int, arrival: float) -> None:
        transit = arrival * 8000 - timestamp
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
        self.transit = transit

    @property
    def lost(self) -> int:
        return self.highest - self.numbers[0] + 1 - len(set(self.numbers))


def observe(reception: Reception, sequence: int, ssrc: int = 5, row: int = 0) -> tuple[bool, bool]:
    fresh, ahead = reception.observe(np.array([row]), np.array([sequence & 0xFFFF]), np.array([ssrc]))
    return bool(fresh[0]), bool(ahead[0])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 0xFFFF), st.lists(st.integers(-20, 40), max_size=60))
def test_counts_are_those_of_the_plain_reference(start: int, offsets: list[int]) -> None:
    reception, reference = Reception(1), Reference()
    for position, offset in enumerate([0, *offsets]):
        sequence = start + position + max(offset, -position)
        assert observe(reception, sequence)[0] == reference.receive(sequence & 0xFFFF)
    # Numbers before the first are no loss of ours; the reference counts from the first heard.
    assert reception.lost(0) == max(0, reference.lost)
    report = reception.report(0)
    assert report is not None
    assert report.highest & 0xFFFF == reference.highest & 0xFFFF


def test_loss_duplicates_and_reordering_across_the_wrap() -> None:
    reception = Reception(2)
    for sequence in [65533, 65534, 65534, 0, 65535, 3]:
        observe(reception, sequence, row=1)
    assert reception.duplicates[1] == 1
    assert reception.reordered[1] == 1
    assert reception.lost(1) == 2
    assert reception.lost(0) == 0
    report = reception.report(1)
    assert report is not None
    assert report.highest == 65536 + 3
    assert report.fraction_lost == 2 * 256 // 7


def test_the_fraction_is_of_the_last_interval() -> None:
    reception = Reception(1)
    for sequence in range(0, 100, 2):
        observe(reception, sequence)
    first = reception.report(0)
    for sequence in range(99, 150):
        observe(reception, sequence)
    second = reception.report(0)
    assert first is not None
    assert second is not None
    assert (first.lost, first.fraction_lost) == (49, 49 * 256 // 99)
    assert (second.lost, second.fraction_lost) == (49, 0)


@pytest.mark.parametrize("change", [{"ssrc": 6}, {"jump": 10_000}])
def test_a_new_source_or_series_keeps_the_losses_before(change: dict[str, int]) -> None:
    reception = Reception(1)
    for sequence in (1, 2, 4):
        observe(reception, sequence)
    start = 5 + change.get("jump", 0)
    for sequence in (start, start + 1, start + 3):
        assert observe(reception, sequence, change.get("ssrc", 5)) == (True, True)
    assert reception.lost(0) == 2


def test_jitter_is_that_of_the_rfc() -> None:
    reception, reference = Reception(1), Reference()
    generator = np.random.default_rng(4)
    values = []
    for number in range(200):
        arrival = 50 + number * 0.02 + float(generator.uniform(0, 0.03))
        reference.measure(number * 160, arrival)
        reception.measure(np.array([0]), np.array([number * 160]), np.array([arrival]))
        if number:
            values.append(reference.jitter / 8)
    spread = reception.jitter(0)
    assert spread.minimum == pytest.approx(min(values))
    assert spread.maximum == pytest.approx(max(values))
    assert spread.mean == pytest.approx(sum(values) / len(values))


def test_a_new_time_line_is_no_jitter() -> None:
    reception = Reception(1)
    for timestamp, arrival in ((0, 1.0), (160, 1.02), (900_000, 1.04), (900_160, 1.06)):
        reception.measure(np.array([0]), np.array([timestamp]), np.array([arrival]))
    assert reception.jitter(0).maximum == pytest.approx(0.0, abs=1e-6)


def test_before_anything_came_there_is_nothing_to_report() -> None:
    reception = Reception(1)
    assert reception.report(0) is None
    assert reception.jitter(0).mean is None
    assert reception.mean_ptime(0) is None
