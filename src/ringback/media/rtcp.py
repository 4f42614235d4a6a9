"""RTCP (RFC 3550, 6): compound packets made and read, and what one leg knows from them."""

from __future__ import annotations

import math
import random
import struct
from typing import NamedTuple

from ringback.media.model import Spread
from ringback.media.quality import ReceptionReport

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203
CNAME = 1
NTP_EPOCH = 2208988800
"""Seconds from 1900 to 1970."""
INTERVAL = 5.0
"""Seconds, the least that RFC 3550, 6.2 recommends; each is made 0.5 to 1.5 times as long at random (6.3.1).
"""
CLOCK = 8000


class ReportBlock(NamedTuple):
    """What a peer says of one source (RFC 3550, 6.4.1). `last_report` and `delay` are in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


class Received(NamedTuple):
    """What a compound packet says: the sender, its report's middle NTP bits (None for no SR), blocks, whether
    it leaves."""

    ssrc: int
    middle_ntp: int | None
    blocks: tuple[ReportBlock, ...]
    goodbye: bool


def parse(data: bytes) -> Received | None:
    """Read a compound packet; None for one that does not begin as RFC 3550, A.2 asks, or that lies of its
    length.
    """
    if len(data) < 8 or data[0] >> 6 != 2 or data[1] not in (SENDER_REPORT, RECEIVER_REPORT):
        return None
    sender = int.from_bytes(data[4:8], "big")
    middle: int | None = None
    blocks: list[ReportBlock] = []
    goodbye = False
    while data:
        if len(data) < 4 or data[0] >> 6 != 2:
            return None
        count, kind = data[0] & 31, data[1]
        size = 4 + 4 * int.from_bytes(data[2:4], "big")
        if len(data) < size:
            return None
        body, data = data[4:size], data[size:]
        if kind == SENDER_REPORT and len(body) >= 24:
            middle = int.from_bytes(body[6:10], "big")
            blocks += _blocks(body[24:], count)
        elif kind == RECEIVER_REPORT and len(body) >= 4:
            blocks += _blocks(body[4:], count)
        elif kind == GOODBYE:
            goodbye = True
    return Received(sender, middle, tuple(blocks), goodbye)


def _blocks(data: bytes, count: int) -> list[ReportBlock]:
    blocks = []
    for at in range(0, min(count * 24, len(data) // 24 * 24), 24):
        ssrc, loss, highest, jitter, last, delay = struct.unpack_from("!6I", data, at)
        lost = loss & 0xFFFFFF
        blocks.append(ReportBlock(ssrc, loss >> 24, lost - (lost >> 23 << 24), highest, jitter, last, delay))
    return blocks


def ntp(wall: float) -> int:
    """Seconds since 1970 as a 64-bit NTP timestamp."""
    return int((wall + NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


class Gathered:
    """Smallest, largest and mean of the values so far."""

    def __init__(self) -> None:
        self._smallest = math.inf
        self._largest = -math.inf
        self._sum = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        self._smallest = min(self._smallest, value)
        self._largest = max(self._largest, value)
        self._sum += value
        self._count += 1

    @property
    def spread(self) -> Spread:
        if not self._count:
            return Spread()
        return Spread(self._smallest, self._largest, self._sum / self._count)


class Reporter:
    """The RTCP side of one leg. `wall` is seconds since 1970, `now` any steady clock."""

    def __init__(self, ssrc: int, cname: str) -> None:
        self.ssrc = ssrc
        self.sent = 0
        self.received = 0
        self.left = False
        """The peer said BYE."""
        self.last_block: ReportBlock | None = None
        self.trips = Gathered()
        """Round-trip times, in ms."""
        self.jitter = Gathered()
        """What the peer's reports say of the jitter of our packets, in ms."""
        self._cname = cname.encode()
        self._heard: tuple[int, float] | None = None

    def compound(
        self,
        wall: float,
        *,
        timestamp: int,
        packets: int,
        octets: int,
        block: ReceptionReport | None,
        goodbye: bool = False,
    ) -> bytes:
        """SR (RR before anything was sent), SDES with CNAME, and BYE at the end."""
        self.sent += 1
        stamp = ntp(wall)
        blocks = self._block(block, wall)
        count = 1 if blocks else 0
        if packets:
            head = struct.pack(
                "!IQIII", self.ssrc, stamp, timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
            )
            report = _packet(SENDER_REPORT, count, head + blocks)
        else:
            report = _packet(RECEIVER_REPORT, count, struct.pack("!I", self.ssrc) + blocks)
        item = struct.pack("!IBB", self.ssrc, CNAME, len(self._cname)) + self._cname
        item += bytes(4 - len(item) % 4)
        out = report + _packet(DESCRIPTION, 1, item)
        if goodbye:
            out += _packet(GOODBYE, 1, struct.pack("!I", self.ssrc))
        return out

    def receive(self, data: bytes, wall: float) -> bool:
        """Take in a compound packet; False if it is none."""
        message = parse(data)
        if message is None:
            return False
        self.received += 1
        self.left |= message.goodbye
        if message.middle_ntp is not None:
            self._heard = message.middle_ntp, wall
        for block in message.blocks:
            if block.ssrc == self.ssrc:
                self.last_block = block
                self.jitter.add(block.jitter * 1000 / CLOCK)
                self._measure(block, wall)
        return True

    def _measure(self, block: ReportBlock, wall: float) -> None:
        if not block.last_report:
            return
        trip = ((ntp(wall) >> 16) - block.last_report - block.delay) & 0xFFFFFFFF
        if trip >= 1 << 31:
            trip = 0  # clocks of coarse grain on the way; a trip cannot be negative
        elif trip > 60 << 16:
            return
        self.trips.add(trip * 1000 / 65536)

    def _block(self, report: ReceptionReport | None, wall: float) -> bytes:
        if report is None:
            return b""
        last = delay = 0
        if self._heard is not None:
            last = self._heard[0]
            delay = min(0xFFFFFFFF, max(0, int((wall - self._heard[1]) * 65536)))
        lost = max(-0x800000, min(0x7FFFFF, report.lost)) & 0xFFFFFF
        loss = report.fraction_lost << 24 | lost
        return struct.pack("!6I", report.ssrc, loss, report.highest, report.jitter, last, delay)


def next_interval(interval: float = INTERVAL) -> float:
    """Seconds until the next report."""
    return interval * random.uniform(0.5, 1.5)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body
