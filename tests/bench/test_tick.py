"""The bench of a tick: a phase with packets from memory."""

from __future__ import annotations

import io

from rich.console import Console

from bench import tick


def test_each_row_hears_and_is_heard() -> None:
    bench = tick.Bench(3, keys=True)
    spent = [bench.tick() for _ in range(5)]
    assert min(spent) > 0
    for row in range(3):
        statistics = bench.phase.statistics(row, 0.1)
        assert (statistics.packets_received, statistics.packets_sent) == (5, 5)
        assert statistics.packets_lost == 0


def test_legs_of_a_second_are_replaced() -> None:
    bench = tick.Bench(2, keys=False)
    for _ in range(tick.SECOND + 1):
        bench.replace()
        bench.tick()
    received = [bench.phase.statistics(row, 0.1).packets_received for row in range(2)]
    assert received == [1, tick.SECOND]


def test_what_was_measured_is_shown() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(tick.show([11, 22], ticks=2, runs=1))
    shown = out.getvalue()
    assert all(heading in shown for heading in (*tick.WAYS, " 11 ", " 22 "))
