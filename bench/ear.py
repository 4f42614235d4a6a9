"""A telephone's ear and mouth: hears when a leg sounds, by the kernel's time stamp, and speaks and presses
keys.

For a handful of legs at a time; where there are many, the C program of `bench.load` is their far end.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from ringback.media import codecs
from ringback.media.tones import RATE, amplitude, dtmf

SO_TIMESTAMPNS = 35
"""Linux' number: the kernel's time of arrival comes with each datagram, on the clock of `time.time_ns`."""
TIMESPEC = struct.Struct("@qq")
HEADER = struct.Struct("!BBHII")
FRAME = 0.020
SAMPLES = 160
PCMU, EVENTS = 0, 101
"""Payload types."""
SILENT = b"\xff\x7f"
"""µ-law's two zeros: a packet that holds anything else is audible."""
KEYS = "0123456789*#ABCD"
KEY_LEVEL = -8.0
"""dBm0 of each tone of a key."""


class Line:
    """One leg: when it was heard, and what is said to it from now on, 20 ms at a time.

    Moments are in nanoseconds of `time.time_ns`, 0 before they are there.
    """

    def __init__(self, ear: Ear, port: int) -> None:
        self.first = 0
        """When the first audible packet came since `listen`."""
        self.last = 0
        """When the last one did."""
        self.spoke = 0
        """When the first packet of what was said last left."""
        self._ear = ear
        self._port = port
        self._sounding = asyncio.Event()
        self._words: deque[tuple[int, int, bytes]] = deque()
        """(payload type, packets since the key's begin or -1, payload) to be sent next."""
        self._fresh = False
        self._sequence = 0
        self._timestamp = 0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._timer = self._loop.call_soon(self._speak)

    def close(self) -> None:
        """Say nothing any more, and hear nothing."""
        self._timer.cancel()
        self._ear.lines.pop(self._port, None)

    def listen(self) -> None:
        """Forget what was heard."""
        self.first = self.last = 0
        self._sounding.clear()

    async def sounds(self, timeout: float) -> int:
        """The moment of the first audible packet since `listen`. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._sounding.wait()
        return self.first

    async def falls_silent(self, seconds: float) -> int:
        """Wait until nothing was audible for that long; the moment of the last audible packet."""
        while (left := self.last / 1e9 + seconds - time.time()) > 0:  # noqa: ASYNC110 - each packet moves the end
            await asyncio.sleep(left)
        return self.last

    def hear(self, at: int, payload: bytes) -> None:
        """A packet has come."""
        if not payload.strip(SILENT):
            return
        self.last = at
        if not self.first:
            self.first = at
            self._sounding.set()

    def press(self, key: str) -> None:
        """A key as telephone events (RFC 4733): five updates, 20 ms apart, then its end, three times."""
        self._fresh = True
        for number in range(8):
            duration, ended = min(number + 1, 5) * SAMPLES, number >= 5
            payload = struct.pack("!BBH", KEYS.index(key), 0x80 * ended | 10, duration)
            self._words.append((EVENTS, number, payload))

    def say(self, frames: Sequence[bytes]) -> None:
        """Packets of µ-law, from the next one on."""
        self._fresh = True
        self._words.extend((PCMU, -1, frame) for frame in frames)

    def _speak(self) -> None:
        kind, number, payload = self._words.popleft() if self._words else (PCMU, -1, b"\xff" * SAMPLES)
        stamp = self._timestamp - SAMPLES * max(0, number)  # a key's packets all carry that of its begin
        head = HEADER.pack(0x80, kind | 0x80 * (number == 0), self._sequence, stamp, self._port)
        if self._fresh:
            self._fresh = False
            self.spoke = time.time_ns()
        self._ear.send(head + payload, self._port)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp += SAMPLES
        self._due += FRAME
        self._timer = self._loop.call_at(self._due, self._speak)


class Ear:
    """One socket on which the audio of several legs comes, told apart by the port it comes from."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Close the socket."""
        for line in list(self.lines.values()):
            line.close()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def line(self, port: int) -> Line:
        """The leg whose media is at this port of the server's, with silence said to it from now on."""
        line = self.lines[port] = Line(self, port)
        return line

    def send(self, packet: bytes, port: int) -> None:
        """To that port of the server's."""
        try:
            self._socket.sendto(packet, ("127.0.0.1", port))
        except OSError:
            pass  # an ICMP error of an earlier packet

    def _read(self) -> None:
        while True:
            try:
                data, control, _, source = self._socket.recvmsg(2048, 64)
            except OSError:
                return
            line = self.lines.get(source[1])
            if line is None or len(data) < HEADER.size or data[1] & 0x7F != PCMU:
                continue
            seconds, nanoseconds = TIMESPEC.unpack(control[0][2])
            line.hear(seconds * 1_000_000_000 + nanoseconds, data[HEADER.size :])


def frames(wave: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[bytes]:
    """Samples as packets of µ-law; what is left of the last one is silent."""
    whole = np.zeros(-(-len(wave) // SAMPLES) * SAMPLES)
    whole[: len(wave)] = wave
    pcm = np.ascontiguousarray(whole.astype(np.int16).reshape(-1, SAMPLES))
    return [row.tobytes() for row in codecs.encode(pcm, codecs.PCMU)]


def key_tone(key: str, milliseconds: int, lead: int) -> list[bytes]:
    """A key as its two tones, after `lead` samples of silence, as packets of µ-law."""
    time = np.arange(milliseconds * RATE // 1000) / RATE
    low, high = dtmf(key, milliseconds).frequencies
    wave = amplitude(KEY_LEVEL) * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
    return frames(np.concatenate([np.zeros(lead), wave]))
