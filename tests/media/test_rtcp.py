from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.calls.statistics import statistics_of
from ringback.media import rtcp
from ringback.media.cold import with_rtcp
from ringback.media.model import LegStatistics, Spread
from ringback.media.quality import ReceptionReport
from ringback.media.rtcp import Reporter

WALL = 1_700_000_000.0
BLOCK = ReceptionReport(77, 128, 5, 70_000, 40)


def compound(reporter: Reporter, wall: float = WALL, packets: int = 10, goodbye: bool = False) -> bytes:
    return reporter.compound(wall, timestamp=1600, packets=packets, octets=1600, block=BLOCK, goodbye=goodbye)


def test_a_sender_report_reads_back() -> None:
    data = compound(Reporter(0x1234, "a@b"))
    assert data[:2] == b"\x81\xc8"
    ssrc, stamp, timestamp, packets, octets = struct.unpack_from("!IQIII", data, 4)
    assert (ssrc, timestamp, packets, octets) == (0x1234, 1600, 10, 1600)
    assert stamp >> 32 == int(WALL) + 2208988800
    received = rtcp.parse(data)
    assert received is not None
    assert received.ssrc == 0x1234
    assert received.blocks[0][:5] == BLOCK
    assert not received.goodbye


def test_the_parts_are_whole_and_in_order() -> None:
    data = compound(Reporter(1, "name@host"), goodbye=True)
    kinds = []
    while data:
        size = 4 + 4 * int.from_bytes(data[2:4], "big")
        kinds.append(data[1])
        body, data = data[:size], data[size:]
        assert len(body) == size
        if kinds[-1] == rtcp.DESCRIPTION:
            assert body[8:10] == bytes((rtcp.CNAME, 9))
            assert body[10:19] == b"name@host"
            assert body[19] == 0
    assert kinds == [rtcp.SENDER_REPORT, rtcp.DESCRIPTION, rtcp.GOODBYE]


def test_before_anything_was_sent_it_is_a_receiver_report() -> None:
    data = compound(Reporter(1, "a"), packets=0, goodbye=True)
    assert data[1] == rtcp.RECEIVER_REPORT
    received = rtcp.parse(data)
    assert received is not None
    assert received.middle_ntp is None
    assert received.goodbye


@pytest.mark.parametrize("lost", [-3, 0, 5, 0x900000, -0x900000])
def test_cumulative_loss_has_24_signed_bits(lost: int) -> None:
    reporter = Reporter(1, "a")
    data = reporter.compound(WALL, timestamp=0, packets=0, octets=0, block=ReceptionReport(2, 0, lost, 0, 0))
    received = rtcp.parse(data)
    assert received is not None
    assert received.blocks[0].lost == max(-0x800000, min(0x7FFFFF, lost))


def test_the_round_trip_is_measured() -> None:
    us, them = Reporter(77, "us"), Reporter(88, "them")
    for trip in (0.050, 0.080):
        assert them.receive(us.compound(WALL, timestamp=0, packets=1, octets=1, block=None), WALL + trip / 2)
        answer = compound(them, WALL + trip / 2 + 1.5)
        assert us.receive(answer, WALL + trip + 1.5)
    spread = us.trips.spread
    assert spread.minimum == pytest.approx(50, abs=0.1)
    assert spread.maximum == pytest.approx(80, abs=0.1)
    assert spread.mean == pytest.approx(65, abs=0.1)
    assert us.last_block is not None
    assert us.last_block.lost == 5
    assert (us.sent, us.received) == (2, 2)


def test_jitter_of_what_we_send_is_over_all_reports() -> None:
    us, them = Reporter(77, "us"), Reporter(88, "them")
    for jitter in (80, 8, 32):
        block = ReceptionReport(77, 0, 0, 0, jitter)
        assert us.receive(them.compound(WALL, timestamp=0, packets=1, octets=1, block=block), WALL)
    leg = with_rtcp(LegStatistics(), us)
    assert leg.remote_jitter_ms == Spread(1.0, 10.0, 5.0)
    kept = statistics_of(leg)
    assert (kept.jitter_out_min, kept.jitter_out_avg, kept.jitter_out_max) == (1.0, 5.0, 10.0)


def test_reports_about_others_say_nothing_of_us() -> None:
    us = Reporter(1, "us")
    assert us.receive(compound(Reporter(2, "them")), WALL)
    assert us.last_block is None
    assert us.trips.spread.mean is None


def test_a_goodbye_is_noticed() -> None:
    us = Reporter(1, "us")
    us.receive(compound(Reporter(2, "them"), goodbye=True), WALL)
    assert us.left


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    rtcp.parse(data)
    rtcp.parse(b"\x81\xc8" + data)
    Reporter(1, "a").receive(b"\x81\xc9" + data, WALL)


@pytest.mark.parametrize("cut", range(1, 60))
def test_cut_packets_are_refused(cut: int) -> None:
    data = compound(Reporter(1, "name@host"))
    assert rtcp.parse(data[:-cut]) is None or (len(data) - cut) % 4 == 0


def test_intervals_vary_around_five_seconds() -> None:
    intervals = [rtcp.next_interval() for _ in range(500)]
    assert 2.5 <= min(intervals) < 3
    assert 7 < max(intervals) <= 7.5
