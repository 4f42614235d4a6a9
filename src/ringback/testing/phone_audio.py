"""A telephone's ear and mouth: RTP with PCMU or PCMA on one UDP socket, keys by RFC 4733.

It shares no code with the media plane, on purpose: what one gets wrong the other shows.
"""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.int16]
RATE = 8000
FRAME = 160
HELD_UP = 0.1
"""Seconds that a phone may be late and still make up for it."""
_KEYS = "0123456789*#ABCD"


def _mulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + 132 << exponent) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Samples:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    low = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, low, (low + 256) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


class _Law:
    """One of the two laws of G.711: a table to decode, its inverse to encode."""

    def __init__(self, table: Samples) -> None:
        self._table = table
        self._codes = np.argsort(table, kind="stable").astype(np.uint8)
        levels = table[self._codes].astype(np.int32)
        self._edges = (levels[1:] + levels[:-1]) // 2

    def decode(self, payload: bytes) -> Samples:
        return self._table[np.frombuffer(payload, np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        return self._codes[np.searchsorted(self._edges, samples.astype(np.int32))].tobytes()


LAWS = {"PCMU": _Law(_mulaw_table()), "PCMA": _Law(_alaw_table())}


class PhoneAudio(asyncio.DatagramProtocol):
    """Sends a packet every 20 ms from `start` on, silence if nothing is said, and keeps what comes."""

    def __init__(self) -> None:
        self.port = 0
        self.packets_heard = 0
        self.streams_heard: set[int] = set()
        """The SSRCs: more than one means that the far end began anew."""
        self.events_heard: list[str] = []
        """Keys that the far end sent by RFC 4733."""
        self._pieces: list[tuple[int, Samples]] = []
        self._base: tuple[int, int] | None = None
        self._end = 0
        self._arrival = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None
        self._remote: tuple[str, int] | None = None
        self._law = LAWS["PCMU"]
        self._send_pt = 0
        self._receive: dict[int, str] = {0: "PCMU", 8: "PCMA"}
        self._dtmf_pt: int | None = None
        self._receive_dtmf: frozenset[int] = frozenset()
        self._last_event = -1
        self._to_say: list[Samples] = []
        self._all_said = asyncio.Event()
        self._keys: asyncio.Queue[tuple[str, asyncio.Future[None]]] = asyncio.Queue()
        self._ticker: asyncio.Task[None] | None = None
        self._sequence = 1000
        self._timestamp = 160_000
        self._first = True
        self._stopped = False

    # -- life

    async def open(self, host: str) -> None:
        """Bind a free port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, 0))
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def start(
        self,
        remote: tuple[str, int],
        *,
        codec: str = "PCMU",
        payload_type: int = 0,
        receive: dict[int, str] | None = None,
        dtmf_pt: int | None = None,
        receive_dtmf: frozenset[int] = frozenset(),
    ) -> None:
        """Begin to send, or go on in another way."""
        self._remote, self._law, self._send_pt = remote, LAWS[codec], payload_type
        self._receive = receive or self._receive
        self._dtmf_pt, self._receive_dtmf = dtmf_pt, receive_dtmf
        if self._ticker is None and not self._stopped:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    def stop(self) -> None:
        """Send nothing more: the call is over. What was heard stays."""
        self._stopped = True
        if self._ticker is not None:
            self._ticker.cancel()
        while not self._keys.empty():
            _release(self._keys.get_nowait()[1])

    async def close(self) -> None:
        """Stop, and free the port."""
        self.stop()
        if self._ticker is not None:
            await asyncio.wait({self._ticker})
        if self._transport is not None:
            self._transport.close()

    # -- mouth

    def say(self, samples: Samples) -> None:
        """Speak after what is still being said: 16-bit samples at 8 kHz."""
        self._to_say.append(samples)
        self._all_said.clear()

    def hush(self) -> None:
        """Break off what is being said."""
        self._to_say.clear()
        self._all_said.set()

    async def said(self) -> None:
        """Wait until all that was to be said has gone out, or was broken off."""
        if self._to_say:
            await self._all_said.wait()

    async def press(self, key: str) -> None:
        """Press a key for 100 ms by RFC 4733; in the audio where that was not negotiated.

        Nothing happens once the call is over.
        """
        if self._stopped:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keys.put_nowait((key, done))
        await done

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._keys.empty():
                self._send_frame(self._next_frame())
            else:
                due = await self._press_next(due)
            due = self._next_due(due + 0.02, loop.time())
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _next_due(self, due: float, now: float) -> float:
        """A phone that was held up goes on later, after a gap: all at once would be taken for a flood."""
        if now - due < HELD_UP:
            return due
        missed = int((now - due) / 0.02)
        self._timestamp += missed * FRAME
        self._first = True
        return due + missed * 0.02

    async def _press_next(self, due: float) -> float:
        """Five packets of the event and three of its end; time in RTP goes on as if they were audio."""
        key, done = self._keys.get_nowait()
        if self._dtmf_pt is None:
            self.say(dtmf_tone(key, 100))
            self.say(np.zeros(FRAME * 4, np.int16))
            _release(done)
            return due
        try:
            return await self._send_key(key, due)
        finally:
            _release(done)

    async def _send_key(self, key: str, due: float) -> float:
        loop = asyncio.get_running_loop()
        began = self._timestamp
        for step in range(1, 6):
            self._send_event(key, began, step * FRAME, end=False, marker=step == 1)
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))
        for _ in range(3):
            self._send_event(key, began, 5 * FRAME, end=True, marker=False)
        self._timestamp = began + 5 * FRAME
        return due

    def _next_frame(self) -> Samples:
        if not self._to_say:
            return np.zeros(FRAME, np.int16)
        said = self._to_say[0]
        frame, rest = said[:FRAME], said[FRAME:]
        if len(rest):
            self._to_say[0] = rest
        else:
            self._to_say.pop(0)
            if not self._to_say:
                self._all_said.set()
        return np.pad(frame, (0, FRAME - len(frame)))

    def _send_frame(self, frame: Samples) -> None:
        self._send(self._send_pt, self._timestamp, self._law.encode(frame), self._first)
        self._first = False
        self._timestamp += FRAME

    def _send_event(self, key: str, timestamp: int, duration: int, *, end: bool, marker: bool) -> None:
        assert self._dtmf_pt is not None
        payload = struct.pack("!BBH", _KEYS.index(key), 10 | (0x80 if end else 0), duration)
        self._send(self._dtmf_pt, timestamp, payload, marker)

    def _send(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> None:
        if self._transport is None or self._remote is None or self._transport.is_closing():
            return
        head = struct.pack(
            "!BBHII",
            0x80,
            payload_type | (0x80 if marker else 0),
            self._sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            id(self) & 0xFFFFFFFF,
        )
        self._sequence += 1
        self._transport.sendto(head + payload, self._remote)

    # -- ear

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        kind = data[1] & 0x7F
        timestamp, ssrc = struct.unpack_from("!II", data, 4)
        payload = data[12 + 4 * (data[0] & 15) :]
        if kind in self._receive_dtmf:
            self._hear_event(payload, timestamp)
        elif kind in self._receive:
            self._hear(LAWS[self._receive[kind]].decode(payload), timestamp, ssrc)

    def error_received(self, exc: Exception) -> None:
        """The far end's port is closed: it has hung up, or not answered yet."""

    def _hear_event(self, payload: bytes, timestamp: int) -> None:
        if len(payload) >= 4 and timestamp != self._last_event and payload[0] < len(_KEYS):
            self._last_event = timestamp
            self.events_heard.append(_KEYS[payload[0]])
            self._arrival.set()

    def _hear(self, samples: Samples, timestamp: int, ssrc: int) -> None:
        self.packets_heard += 1
        self.streams_heard.add(ssrc)
        if self._base is None or self._base[0] != ssrc:
            self._base = (ssrc, timestamp - self._end)
        position = (timestamp - self._base[1]) & 0xFFFFFFFF
        if position < 0x7FFFFFFF:
            self._pieces.append((position, samples))
            self._end = max(self._end, position + len(samples))
        self._arrival.set()

    @property
    def heard(self) -> Samples:
        """All that was heard, placed by RTP timestamp; what was lost is silence."""
        out = np.zeros(self._end, np.int16)
        for position, samples in self._pieces:
            out[position : position + len(samples)] = samples
        return out

    async def arrival(self) -> None:
        """Wait for the next packet."""
        self._arrival.clear()
        await self._arrival.wait()

    def save(self, path: Path) -> None:
        """Write what was heard as a WAV file."""
        soundfile.write(path, self.heard, RATE, subtype="PCM_16")


def _release(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def dtmf_tone(key: str, milliseconds: int) -> Samples:
    """The two tones of a key (ITU-T Q.23)."""
    row, column = divmod("123A456B789C*0#D".index(key), 4)
    time = np.arange(RATE * milliseconds // 1000) / RATE
    low, high = (697, 770, 852, 941)[row], (1209, 1336, 1477, 1633)[column]
    wave = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
    return (wave * 6000).astype(np.int16)


def loudness(samples: Samples) -> float:
    """Root mean square."""
    if not len(samples):
        return 0.0
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
