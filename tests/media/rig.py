"""A phase in virtual time, with packets made by hand and a network that fails on purpose."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, codecs, rtp
from ringback.media.arrivals import HEAD as RTP_HEAD
from ringback.media.arrivals import Few, Many, Memory
from ringback.media.bridges import Bridges
from ringback.media.exchange import Corner, Exchange
from ringback.media.model import MediaEvent, RemoteMedia, Tone
from ringback.media.playout import Arena
from ringback.media.protocol import Play, Segment
from ringback.media.rtp import Batch
from ringback.media.straight import Departures
from ringback.media.streams import HEAD, LENGTH, MARKS, REMOTE
from ringback.media.tick import Phase
from ringback.media.tones import source

PEER = ("192.0.2.10", 40000)
FRAME = 0.02


def packet(
    sequence: int,
    timestamp: int,
    payload: bytes = b"\xff" * 160,
    *,
    payload_type: int = 0,
    marker: bool = False,
    ssrc: int = 0xABCD,
) -> bytes:
    """An RTP packet."""
    head = struct.pack(
        "!BBHII",
        0x80,
        payload_type | (0x80 if marker else 0),
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )
    return head + payload


def event(code: int, duration: int, end: bool = False) -> bytes:
    """The payload of a telephone event."""
    return struct.pack("!BBH", code, (0x80 if end else 0) | 10, duration)


class Sent(NamedTuple):
    """A packet that a row sent."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Sent:
        first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
        assert first == 0x80
        return cls(second & 127, second >= 128, sequence, timestamp, ssrc, data[12:])

    @property
    def silent(self) -> bool:
        return self.payload.count(self.payload[0]) == len(self.payload) and self.payload[0] in codecs.SILENCE

    def samples(self, codec: int = codecs.PCMU) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        """The audio in it."""
        octets = np.frombuffer(self.payload, np.uint8)[None, :]
        return codecs.decode(octets, codec).reshape(-1)


Datagram = tuple[int, bytes] | tuple[int, bytes, tuple[str, int]]


def batch(datagrams: Iterable[Datagram], now: float, family: int = socket.AF_INET) -> Batch:
    """(row, packet, source) as they would come from sockets; the source is `PEER` if not said."""
    items = list(datagrams)
    data = np.zeros((len(items) + 1, 1500), np.uint8)
    sources = np.zeros((len(items), addresses.WORDS), np.uint64)
    for index, (_row, content, *rest) in enumerate(items):
        data[index + 1, : len(content)] = np.frombuffer(content, np.uint8)
        sources[index] = addresses.pack(*(rest[0] if rest else PEER), family)
    return Batch(
        data,
        np.arange(1, len(items) + 1),
        np.array([item[0] for item in items], np.int64),
        np.array([len(item[1]) for item in items], np.int64),
        sources,
        np.full(len(items), now),
    )


def few(came: Batch) -> Few:
    """The same packets for the way that takes a few at a time."""
    # The slot of packet i is i + 1.
    words, stride = addresses.WORDS, came.data.shape[1]
    memory = Memory(came.data.data.cast("B"), 0, stride, came.sources.data.cast("B").cast("L"), -words, words)
    arrivals = came.arrivals.tolist()
    return Few(memory, came.slots.tolist(), came.rows.tolist(), came.lengths.tolist(), arrivals)


def many(came: Batch) -> Many:
    """The same packets for the way of arrays."""
    marks = np.zeros((len(came.rows), MARKS), np.int64)
    marks[:, HEAD] = rtp.heads(came)
    marks[:, LENGTH] = came.lengths
    marks[:, REMOTE] = came.sources.view(np.int64)
    heads = np.ndarray(len(came.data), RTP_HEAD, came.data, 0, came.data.strides[:1])
    return Many(came.data, heads, came.slots, came.rows, marks, came.arrivals)


class Rig:
    """A `Phase` whose time passes when a test says so."""

    few = False
    """Whether packets are relayed as a few of them are."""
    straight = 0
    """Packets that went the short way so."""
    passed = 0
    """Packets that did not come to their rows' ticks."""

    def __init__(self, rows: int = 1, family: int = socket.AF_INET) -> None:
        self.now = 1000.0
        self.family = family
        self.arena = Arena(4 << 20)
        self.exchange = Exchange(max(rows, 4), 1)
        self.phase = Phase(max(rows, 4), self.arena, family, Corner(self.exchange, 0))
        self.bridges = Bridges([self.phase])
        self.events: list[MediaEvent] = []
        self.relayed: list[tuple[int, Sent]] = []
        """(row, packet) of what was relayed."""
        self._clips = 0
        self._plays = 0
        for row in range(rows):
            self.phase.prepare(row)
            self.phase.open(row, 1, "rig", self.now)

    def remote(self, row: int = 0, **changes: object) -> None:
        """Set the row's remote: `PEER` with telephone events on 101, changed as told."""
        values: dict[str, object] = {
            "host": PEER[0],
            "port": PEER[1],
            "send_dtmf_pt": 101,
            "receive_dtmf_pts": frozenset({101}),
        }
        self.phase.set_remote(row, RemoteMedia(**(values | changes)), self.now)  # type: ignore[arg-type]
        self.bridges.refresh(row)

    def mute(self, row: int, muted: bool) -> None:
        """Let nobody hear a row's peer, or do again."""
        self.phase.voices.mute(row, muted)
        self.bridges.refresh(row)

    def amplify(self, row: int, decibels: float) -> None:
        """Change the level of a row's peer."""
        self.phase.voices.amplify(row, decibels)
        self.bridges.refresh(row)

    def step(self, *datagrams: Datagram) -> dict[int, Sent]:
        """20 ms: these packets are there, the tick runs. Returns what was sent, by row."""
        self.phase.begin(self.now)
        self.relay(*(datagram for datagram in datagrams if datagram[0] in self.bridges))
        slow = [datagram for datagram in datagrams if datagram[0] not in self.bridges]
        if slow:
            self.phase.receive(batch(slow, self.now, self.family), self.now)
        self.bridges.pass_keys(0)
        outgoing = self.phase.tick(self.now)
        sent = {
            row: Sent.parse(outgoing.packets[row, :length].tobytes())
            for row, length in zip(outgoing.rows.tolist(), outgoing.lengths.tolist(), strict=True)
        }
        self.events += [event for _, _, event in self.phase.events]
        self.phase.events.clear()
        self.now += FRAME
        return sent

    def relay(self, *datagrams: Datagram) -> None:
        """These packets come to bridged rows, between ticks. What goes out at once is added to `relayed`."""
        if datagrams:
            came = batch(datagrams, self.now, self.family)
            words = rtp.heads(came)
            kept = self._relay_few(came) if self.few else self._relay(came)
            self.bridges.relay.account(0.0)
            self.passed += len(came.rows) - len(kept)
            self.phase.take(came.select(kept), words[kept], self.now)

    def _relay(self, came: Batch) -> npt.NDArray[np.int64]:
        departures, kept = self.bridges.relay.forward(many(came))
        self._depart(departures)
        return np.nonzero(kept)[0]

    def _depart(self, departures: Iterable[Departures]) -> None:
        for out in departures:
            for row, slot, start, length in zip(
                out.rows.tolist(), out.slots.tolist(), out.starts.tolist(), out.lengths.tolist(), strict=True
            ):
                self.relayed.append((row, Sent.parse(out.data[slot, start : start + length].tobytes())))

    def _relay_few(self, came: Batch) -> npt.NDArray[np.int64]:
        out, rest, kept, _ = self.bridges.relay.forward_few(few(came))
        for row, slot, length in zip(*out, strict=True):
            self.relayed.append((row, Sent.parse(came.data[slot, :length].tobytes())))
        self.straight += len(out.rows)
        if rest:
            left = came.select(np.array(rest))
            self._depart(self.bridges.relay.pass_on(left, rtp.heads(left)))
        return np.array(kept, np.int64)

    def listen(self, audio: np.ndarray[tuple[int, ...], np.dtype[np.int16]], row: int = 0) -> None:
        """The peer sends this audio, 20 ms packets in µ-law, to one row."""
        padded = np.concatenate([audio, np.zeros(-len(audio) % 160, np.int16)])
        payload = codecs.encode(padded.reshape(-1, 160), codecs.PCMU)
        for index, frame in enumerate(payload):
            self.step((row, packet(self.sequence + index, (self.sequence + index) * 160, frame.tobytes())))
        self.sequence += len(payload)

    sequence = 100

    def clip(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> int:
        """Put a source into the arena; returns its number."""
        self._clips += 1
        data = samples.astype("<i2").tobytes()
        self.arena.write(self._clips, len(data), 0, data)
        return self._clips

    def play(
        self,
        segments: list[Segment],
        row: int = 0,
        *,
        loop: int = 1,
        offset: int = 0,
        stop_digits: int = 0,
        stop_speech: bool = False,
        over: bool = False,
    ) -> int:
        """Play; returns the playback's id."""
        self._plays += 1
        self.phase.play(
            row, Play(row, 1, self._plays, segments, loop, offset, stop_digits, stop_speech, over)
        )
        return self._plays

    def play_tone(self, milliseconds: int, **options: object) -> int:
        """Play a tone of 440 Hz."""
        samples = np.frombuffer(source(Tone((440.0,), milliseconds)).pcm, np.int16)
        return self.play([Segment(self.clip(samples), len(samples))], **options)  # type: ignore[arg-type]

    def of(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


class Network:
    """Loses, delays, doubles and reorders packets, the same way each time for the same seed.

    `delay` and `jitter` are in ticks: a packet given at tick t comes at t + delay + at most jitter.
    """

    def __init__(
        self, seed: int, *, loss: float = 0.0, jitter: int = 0, delay: int = 0, duplicate: float = 0.0
    ) -> None:
        self._random = random.Random(seed)
        self._loss = loss
        self._jitter = jitter
        self._delay = delay
        self._duplicate = duplicate

    def carry(self, packets: Iterable[bytes]) -> Iterator[list[bytes]]:
        """One packet a tick goes in; what comes out at each tick, until all is out."""
        due: dict[int, list[bytes]] = {}
        tick = 0
        for content in packets:
            if self._random.random() >= self._loss:
                copies = 2 if self._random.random() < self._duplicate else 1
                for _ in range(copies):
                    at = tick + self._delay + self._random.randint(0, self._jitter)
                    due.setdefault(at, []).append(content)
            yield due.pop(tick, [])
            tick += 1
        while due:
            yield due.pop(tick, [])
            tick += 1
