"""The stand-in for `rtp_load.c` where there is no C compiler: the same words on the command line, on standard
input and output, for some hundred legs at most. `python far.py live|echo ADDRESS`.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import struct
import sys
import time

FRAME = 0.020
PACKET = struct.Struct("!BBHII")
AUDIO = bytes(range(160))
PUNCTUAL = 0.005


class Leg:
    """One leg: what is sent next, and what came."""

    def __init__(self, number: int, port: int) -> None:
        self.number = number
        self.port = port
        self.sent = 0
        self.arrivals: list[tuple[float, int]] = []

    def packet(self) -> bytes:
        """The next packet to send."""
        self.sent += 1
        return PACKET.pack(0x80, 0, self.sent & 0xFFFF, self.sent * 160, 0x10000 + self.number) + AUDIO

    def figures(self, seconds: float) -> tuple[int, int, float]:
        """Packets expected and punctual, and the largest deviation in seconds."""
        first = self.arrivals[0][1]
        passed = [(stamp - first) & 0xFFFFFFFF for _, stamp in self.arrivals]
        offsets = [at - samples / 8000 for (at, _), samples in zip(self.arrivals, passed, strict=True)]
        middle = statistics.median(offsets)
        expected = max(passed[-1] // 160 + 1, int(seconds * 50) - 1)
        deviations = [abs(offset - middle) for offset in offsets]
        return expected, sum(off <= PUNCTUAL for off in deviations), max(deviations)


def report(legs: list[Leg], seconds: float) -> str:
    """What `ringback`'s benches read."""
    heard = [leg.figures(seconds) for leg in legs if leg.arrivals]
    worst = min((good / expected for expected, good, _ in heard), default=0.0)
    return json.dumps(
        {
            "expected": sum(expected for expected, _, _ in heard),
            "received": sum(len(leg.arrivals) for leg in legs),
            "punctual": sum(good for _, good, _ in heard),
            "silent_legs": len(legs) - len(heard),
            "worst_leg": worst if len(heard) == len(legs) else 0.0,
            "largest_deviation_ms": max((off for _, _, off in heard), default=0.0) * 1000,
            "load_cpu_seconds": time.process_time(),
        }
    )


class FarEnds:
    """The socket, the legs, and standard input."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((address, 0))
        self.legs: dict[int, Leg] = {}
        self.seconds = 0.0
        self.ended = False
        self._address = address
        self._unread = b""
        os.set_blocking(0, False)

    def live(self) -> str:
        """Talk to the legs until the measurement is over; its report."""
        due, end = time.monotonic(), float("inf")
        while due < end and not (self.ended and not self.seconds):
            time.sleep(max(0.0, due - time.monotonic()))
            for leg in self.legs.values():
                self._send(leg.packet(), (self._address, leg.port))
            self._receive(due + FRAME - 0.002)
            if not self.seconds and self._read():
                end = time.monotonic() + self.seconds
                for leg in self.legs.values():
                    leg.arrivals.clear()
            due += FRAME
        return report(list(self.legs.values()), self.seconds)

    def echo(self) -> None:
        """Send back what comes, until standard input ends."""
        while not self.ended:
            time.sleep(FRAME / 4)
            self._read()
            while received := self._take():
                self._send(*received)

    def _read(self) -> bool:
        """Take standard input's lines; True when the measurement begins."""
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return False
        self.ended = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            word, _, value = line.decode().partition(" ")
            if word == "add":
                self.legs[int(value)] = Leg(len(self.legs), int(value))
            elif word == "measure":
                self.seconds = float(value)
        return self.seconds > 0

    def _receive(self, until: float) -> None:
        """Note arrivals as they come, up to a moment."""
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, source = self.socket.recvfrom(2048)
            except OSError:
                break
            at = time.monotonic()
            leg = self.legs.get(source[1])
            if leg is not None and len(data) >= 12 and data[1] < 192:
                leg.arrivals.append((at, PACKET.unpack_from(data)[3]))
        self.socket.settimeout(0)

    def _take(self) -> tuple[bytes, tuple[str, int]] | None:
        try:
            return self.socket.recvfrom(2048)
        except OSError:
            return None

    def _send(self, data: bytes, to: tuple[str, int]) -> None:
        try:
            self.socket.sendto(data, to)
        except OSError:
            pass  # an ICMP error of an earlier packet


def main(mode: str, address: str) -> None:
    """Say the port, then work."""
    far = FarEnds(address)
    sys.stdout.write(f"{far.socket.getsockname()[1]}\n")
    sys.stdout.flush()
    if mode == "live":
        sys.stdout.write(far.live() + "\n")
    else:
        far.echo()


if __name__ == "__main__":
    main(*sys.argv[1:])
