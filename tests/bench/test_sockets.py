"""What the bench of sockets makes of its runs."""

from __future__ import annotations

import pytest
from bench.bare_transport import Used
from bench.sockets import CALLS, OWN, RING, Run, figure


def run(way: str, cost: float, *, streams: int = 700, lost: int = 0) -> Run:
    """A run in which a packet each way took so many microseconds, made up."""
    used = Used(cost / 1e6 * 1000, 1000 - lost, 1000 - lost)
    return Run(way=way, streams=streams, used=used, expected=1000, others=0.0)


def test_the_figure_is_of_the_most_streams_and_has_each_way() -> None:
    few = run(OWN, 100.0, streams=200)
    found = figure([few, run(OWN, 2.0), run(OWN, 4.0), run(OWN, 3.0), run(CALLS, 8.0), run(RING, 6.0)])
    assert found.result == f"700 streams: {OWN} 3.00 µs; {CALLS} 8.00 µs; {RING} 6.00 µs"
    assert found.values == pytest.approx({OWN: 3.0, CALLS: 8.0, RING: 6.0})
    assert found.ratio == pytest.approx(2.0)
    assert found.reached is None


@pytest.mark.parametrize(
    ("runs", "ratio"),
    [
        ([run(OWN, 3.0), run(CALLS, 9.0)], 3.0),  # a kernel without io_uring
        ([run(OWN, 3.0), run(CALLS, 9.0), run(RING, 6.0, lost=100)], None),
        ([run(OWN, 3.0, lost=100), run(RING, 6.0)], None),
    ],
)
def test_the_ratio_is_that_of_what_is_used_here(runs: list[Run], ratio: float | None) -> None:
    assert figure(runs).ratio == (None if ratio is None else pytest.approx(ratio))


def test_a_way_that_lost_packets_has_no_figure() -> None:
    found = figure([run(OWN, 3.0), run(RING, 6.0, lost=100)])
    assert found.result.endswith(f"; {RING}: packets missing")
    assert RING not in found.values
