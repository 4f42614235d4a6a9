from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.rig import batch, packet

from ringback.media import rtp


def parse_one(data: bytes) -> tuple[int, int, int, int, int, int, int] | None:
    """RFC 3550, 5.1 read plainly: (marker, type, sequence, timestamp, ssrc, payload start, payload size)."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    if 192 <= data[1] <= 223:
        return None  # RTCP by RFC 5761
    _, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
    start = 12 + 4 * (data[0] & 15)
    if data[0] & 16:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    size = len(data) - start
    if data[0] & 32 and size > 0:
        if data[-1] == 0:
            return None
        size -= data[-1]
    if size < 0:
        return None
    return second >> 7, second & 127, sequence, timestamp, ssrc, start, size


def assert_same(packets: list[bytes]) -> None:
    headers = rtp.parse(batch([(0, data) for data in packets], 0.0))
    for index, data in enumerate(packets):
        expected = parse_one(data)
        assert bool(headers.valid[index]) == (expected is not None), data.hex()
        if expected is not None:
            got = tuple(
                int(column[index])
                for column in (
                    headers.marker,
                    headers.payload_type,
                    headers.sequence,
                    headers.timestamp,
                    headers.ssrc,
                    headers.start,
                    headers.size,
                )
            )
            assert got == expected


def test_plain_packets() -> None:
    assert_same([packet(n, n * 160, bytes(n), marker=n % 2 == 0, ssrc=n) for n in range(50)])


def test_contributors_extensions_and_padding() -> None:
    body = bytes(range(1, 161))
    plain = packet(7, 1120, body)
    contributors = bytes([plain[0] | 2]) + plain[1:12] + bytes(8) + body
    extension = bytes([plain[0] | 16]) + plain[1:12] + struct.pack("!HH", 0xBEDE, 2) + bytes(8) + body
    padded = bytes([plain[0] | 32]) + plain[1:] + b"\0\0\0\4"
    everything = (
        bytes([plain[0] | 16 | 32 | 1])
        + plain[1:12]
        + bytes(4)
        + struct.pack("!HH", 1, 1)
        + bytes(4)
        + body
        + b"\1"
    )
    packets = [plain, contributors, extension, padded, everything]
    assert_same(packets)
    assert rtp.parse(batch([(0, data) for data in packets], 0.0)).valid.all()


def test_what_lies_of_its_length_is_invalid() -> None:
    plain = packet(7, 1120, b"")
    cut = bytes([plain[0] | 15]) + plain[1:]
    extension = bytes([plain[0] | 16]) + plain[1:] + b"\0\0\xff\xff"
    padding = bytes([plain[0] | 32]) + plain[1:] + b"\xff"
    none = bytes([plain[0] | 32]) + plain[1:] + b"\0"
    packets = [cut, extension, padding, none, b"", b"\x80", b"\x00" * 40, plain[:11]]
    assert_same(packets)
    assert not rtp.parse(batch([(0, data) for data in packets], 0.0)).valid.any()


def test_rtcp_on_the_same_port_is_told_apart() -> None:
    report = struct.pack("!BBHI", 0x80, 201, 1, 5)
    headers = rtp.parse(batch([(0, report), (0, packet(1, 1))], 0.0))
    assert headers.rtcp.tolist() == [True, False]
    assert headers.valid.tolist() == [False, True]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8))
def test_any_octets_are_read_as_the_plain_reader_reads_them(packets: list[bytes]) -> None:
    assert_same([b"\x80" + data[1:] if index % 2 and data else data for index, data in enumerate(packets)])


def test_headers_are_written_as_they_are_read() -> None:
    out = np.zeros((2, 16), np.uint8)
    rtp.write_headers(
        out,
        np.array([0, 101]),
        np.array([True, False]),
        np.array([65535, 1]),
        np.array([0xFFFFFFFF, 160]),
        np.array([0x80000001, 2]),
    )
    assert parse_one(out[0, :12].tobytes()) == (1, 0, 65535, 0xFFFFFFFF, 0x80000001, 12, 0)
    assert parse_one(out[1, :12].tobytes()) == (0, 101, 1, 160, 2, 12, 0)
