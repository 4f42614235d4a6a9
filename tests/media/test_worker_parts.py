"""The parts of a worker that can be had without one: frames, ports, the schedule, the outbox."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.ports import free_ports

from ringback.media import protocol
from ringback.media.clockwork import FRAME, STEP, Clockwork, until_tick
from ringback.media.model import Digit, LegStatistics, RemoteMedia, Report, TickStatistics
from ringback.media.outbox import REPORTS_UP_TO, Outbox
from ringback.media.ports import Ports
from ringback.media.worker import QUIET, Worker

COMMANDS: list[protocol.Command] = [
    protocol.Open(3, 1),
    protocol.SetRemote(3, 1, RemoteMedia("2001:db8::1", 4000, receive_dtmf_pts=frozenset({101, 96}))),
    protocol.Upload(1, 4, 2, b"\x00\xff"),
    protocol.Play(3, 1, 1, [protocol.Segment(1, 2), protocol.Segment(-1, 160)], 0, 8, 0xFFFF, True),
    protocol.SendDigits(3, 1, 2, "1w#", 100, 100),
    protocol.Listen(3, 1, None, None),
    protocol.StopPlayback(3, 1),
    protocol.Forget(1),
    protocol.Close(3, 1),
    protocol.Shutdown(),
]


def test_commands_survive_the_wire_in_any_pieces() -> None:
    stream = b"".join(protocol.frame(command) for command in COMMANDS)
    for size in (1, 3, 7, len(stream)):
        deframer = protocol.Deframer()
        bodies = [
            body for at in range(0, len(stream), size) for body in deframer.feed(stream[at : at + size])
        ]
        assert [protocol.command_decoder.decode(body) for body in bodies] == COMMANDS


def test_messages_survive_the_wire() -> None:
    messages: list[protocol.Message] = [
        protocol.Lend([protocol.Offer(1, 2, 20000, 20001)]),
        protocol.Happened(1, 2, Digit("5", 20, "rfc4733")),
        protocol.Closed(1, 2, LegStatistics(packets_sent=4, remote_address=("::1", 5))),
        protocol.Pulse(TickStatistics(ticks=4)),
    ]
    for message in messages:
        [body] = protocol.Deframer().feed(protocol.frame(message))
        assert protocol.message_decoder.decode(body) == message


def test_a_frame_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        protocol.Deframer().feed(b"\xff\xff\xff\x7f")


def test_ports_are_even_taken_in_turn_and_rest() -> None:
    ports = Ports(20000, 20005, 5.0)
    assert [ports.take(0.0) for _ in range(4)] == [20000, 20002, 20004, None]
    ports.give_back(20002, 10.0)
    ports.give_back(20000, 11.0)
    assert ports.take(14.9) is None
    assert ports.take(15.0) == 20002
    assert ports.take(15.0) is None
    assert ports.take(16.0) == 20000


def test_ports_are_used_up_when_none_is_free_or_will_be() -> None:
    ports = Ports(20000, 20001, 5.0)
    assert not ports.used_up
    assert ports.take(0.0) == 20000
    assert ports.used_up
    ports.give_back(20000, 0.0)
    assert not ports.used_up


def test_at_rest_a_worker_falls_silent_once_there_is_nothing_new_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float | None] = []

    def nothing_comes(*given: Any) -> tuple[list[int], list[int], list[int]]:
        slept.append(given[3])
        return [], [], []

    first = free_ports(8)
    control, connection = socket.socketpair()
    settings = protocol.Settings(
        worker=0, rtp_host="127.0.0.1", first_port=first, last_port=first + 7, max_legs=4
    )
    with control, connection:
        worker = Worker(connection, settings)
        monkeypatch.setattr(select, "select", nothing_comes)
        for _ in range(QUIET):
            worker._pulse = 0.0  # it is time for one
            worker._rest()
            worker._tick()
        worker._rest()
        worker._desk.shut()
    assert slept == [0.0] * QUIET + [None]


def test_a_range_that_begins_odd_or_ends_even_has_whole_pairs_only() -> None:
    ports = Ports(20001, 20006, 0.0)
    assert [ports.take(0.0) for _ in range(3)] == [20002, 20004, None]


def test_ticks_keep_to_one_time_line() -> None:
    clock = Clockwork(100.007, 3.0)
    for number in range(8):
        assert clock.due == pytest.approx(100.02 + number * STEP)
        assert clock.phase == number % 4
        assert clock.begin(clock.due + 0.004) == 0
        clock.end(0.001)
    assert clock.overruns == 0
    assert clock.statistics().late_max_ms == pytest.approx(4.0)


def test_ticks_longer_than_a_frame_are_counted() -> None:
    clock = Clockwork(99.99, 3.0)
    for spent in (0.001, FRAME, 1.1 * FRAME, 0.001):
        clock.begin(clock.due)
        clock.end(spent)
    assert clock.statistics().slow == 1


def test_everybody_knows_when_ticks_are_due() -> None:
    clock = Clockwork(100.007, 3.0)
    for _ in range(8):
        assert until_tick(clock.phase, clock.due - 0.003 - 3.0) == pytest.approx(0.003)
        clock.begin(clock.due)
        clock.end(0.001)


@pytest.mark.parametrize(
    ("passed", "phase", "left"), [(0.001, 1, 0.004), (0.0149, 3, 0.0001), (0.016, 0, 0.004)]
)
def test_after_a_rest_the_next_phase_on_the_same_time_line_is_due(
    passed: float, phase: int, left: float
) -> None:
    clock = Clockwork(100.007, 3.0)
    now = 3.0 + 900 * FRAME + passed
    clock.resume(now)
    assert clock.phase == phase
    assert clock.due == pytest.approx(now + left)
    assert clock.begin(clock.due) == 0
    assert clock.overruns == 0


def test_an_overrun_is_skipped_and_counted() -> None:
    clock = Clockwork(99.99, 3.0)
    assert clock.begin(100.0 + 2.5 * FRAME) == 2
    assert clock.due == pytest.approx(100.0 + 2 * FRAME)
    clock.end(0.001)
    assert clock.due == pytest.approx(100.0 + 2 * FRAME + STEP)
    assert clock.statistics().overruns == 2
    assert clock.statistics().tick_mean_ms == pytest.approx(1.0)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_reports_are_dropped_first_and_keys_never(pair: tuple[socket.socket, socket.socket]) -> None:
    outbox = Outbox(pair[0])
    report = protocol.Happened(1, 1, Report(LegStatistics()))
    key = protocol.Happened(1, 1, Digit("5", 20, "rfc4733"))
    for _ in range(2 * REPORTS_UP_TO):
        outbox.put(report)
    for _ in range(1000):
        outbox.put(key)
    assert outbox.dropped == REPORTS_UP_TO
    deframer, got = protocol.Deframer(), []
    while outbox.waiting:
        outbox.flush()
        bodies = deframer.feed(pair[1].recv(1 << 20))
        got += [protocol.message_decoder.decode(body) for body in bodies]
    pair[0].close()
    while data := pair[1].recv(1 << 20):
        got += [protocol.message_decoder.decode(body) for body in deframer.feed(data)]
    assert got == [report] * REPORTS_UP_TO + [key] * 1000


def test_the_outbox_never_waits_for_a_reader(pair: tuple[socket.socket, socket.socket]) -> None:
    outbox = Outbox(pair[0])
    for _ in range(20_000):
        outbox.put(protocol.Happened(1, 1, Digit("5", 20, "rfc4733")))
        outbox.flush()
    assert outbox.waiting
