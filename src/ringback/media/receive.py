"""From packets to jitter buffers, counters and keys, for all rows of a phase at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.dtmf import EventReceivers
from ringback.media.exchange import Corner
from ringback.media.expected import Expected
from ringback.media.g722 import Decoders
from ringback.media.jitter import JitterBuffers
from ringback.media.model import RemoteMedia
from ringback.media.moments import Moments
from ringback.media.quality import CLOCK
from ringback.media.rows import Rows
from ringback.media.rtp import Batch, Headers

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]

UNKNOWN, AUDIO, EVENT, COMFORT = 0, 1, 8, 9
"""What a payload type means to a row; audio is this plus the codec's number."""
LONGEST = 960
"""Octets of the longest audio packet that is placed: 120 ms."""
SHARE = 8
"""Packets of one row in one tick: beyond that it is a flood."""


class Intake(Rows):
    """Takes in packets that have been admitted.

    Audio is placed for rows that are `heard`. The counters are the worker's, of all its rows.
    """

    def __init__(self, capacity: int, corner: Corner, heard: Bool) -> None:
        super().__init__(capacity)
        self._heard = heard
        self._corner = corner
        self.jitter = JitterBuffers(capacity)
        self.moments = Moments(capacity)
        self.epoch = 0.0
        """When the frame 0 of the time line of recordings was, on the clock of packets' arrivals."""
        self.reception = corner.reception
        self.expected = Expected(capacity)
        self._events = EventReceivers(capacity)
        self._wideband = Decoders()
        self._kinds = self.column(np.uint8, (128,))
        self.comfort = self.column(np.bool_)
        self.event_at = self.column(np.float64, initial=-1e9)
        """When the latest telephone event packet came."""
        self.flooded = 0
        """Packets beyond a row's share of a tick."""

    def reset(self, row: int) -> None:
        super().reset(row)
        for part in (self.jitter, self.moments, self._events):
            part.reset(row)
        self.reception.reset(self._corner.place(row))

    def leave(self, row: int) -> None:
        super().leave(row)
        for part in (self.jitter, self._events):
            part.leave(row)

    def drop(self, row: int) -> None:
        self._wideband.drop(row)
        self.expected.forget(row)

    def warm(self, first: int, last: int) -> None:
        super().warm(first, last)
        for part in (self.jitter, self.moments, self.expected, self._events):
            part.warm(first, last)

    def let_go(self, rows: Int64) -> None:
        """Nobody hears these rows any more: nothing of them waits."""
        self.jitter.empty(rows)
        self.moments.forget(rows)
        self.expected.forget(rows)

    def configure(self, row: int, remote: RemoteMedia) -> None:
        """Learn what the payload types mean."""
        self.expected.forget(row)
        kinds = bytearray([UNKNOWN]) * 128
        for payload_type, codec in remote.receive.items():
            kinds[payload_type] = AUDIO + codecs.CODECS[codec]
        if "G722" in remote.receive.values():
            self._wideband.make(row)
        for payload_type in remote.cn_pts:
            kinds[payload_type] = COMFORT
        for payload_type in remote.receive_dtmf_pts:
            kinds[payload_type] = EVENT
        self._kinds[row] = np.frombuffer(kinds, np.uint8)

    def take(self, batch: Batch, headers: Headers, which: Int64, now: float) -> list[tuple[int, int]]:
        """Take in the packets `which` (indices into the batch). Returns (row, event code) of keys pressed."""
        pressed: list[tuple[int, int]] = []
        waves, flooded = rtp.waves(batch.rows, which, SHARE)
        if flooded:
            self.flooded += flooded
            self.expected.forget(batch.rows[which])
        for wave in waves:
            pressed += self._take_wave(batch, headers, wave, now)
        return pressed

    def foresee(self, batch: Batch, headers: Headers, which: Int64) -> Bool:
        """Which of the packets `which` (indices) can be taken in as if they had been expected, from now on.

        That is audio in front of all before it, such as the first of a series, or what follows a loss.
        """
        foreseen = np.zeros(len(batch.rows), np.bool_)
        rows = batch.rows[which]
        kind, size = self._kinds[rows, headers.payload_type[which]], headers.size[which]
        fit = (
            self._heard[rows]
            & (np.bincount(rows)[rows] == 1)
            & (kind != UNKNOWN)
            & (kind < EVENT)
            & (size > 0)
            & (size <= LONGEST)
        )
        fit &= (headers.start[which] == rtp.HEADER) & (batch.lengths[which] == rtp.HEADER + size)
        which, rows = which[fit], rows[fit]
        if len(which):
            sequence, ssrc = headers.sequence[which], headers.ssrc[which]
            ahead = self.reception.overtake(self._corner.places(rows), sequence, ssrc)
            which, rows = which[ahead], rows[ahead]
            self.expected.shape[rows] = (size << 20 | rtp.HEADER << 4 | kind)[fit][ahead]
            self.comfort[rows] = False
            foreseen[which] = True
        return foreseen

    def take_expected(self, batch: Batch, marks: Int64) -> None:
        """Take in packets that are those expected, with their marks, which are written over."""
        shapes = self.expected.shape[batch.rows]
        first = int(shapes[0])
        if not np.count_nonzero(shapes != first):
            self._go_on(batch, marks, first)
            return
        for shape in sorted(set(shapes.tolist())):
            which = (shapes == shape).nonzero()[0]
            self._go_on(batch.select(which), marks[which], shape)

    def _go_on(self, batch: Batch, marks: Int64, shape: int) -> None:
        """Audio of one shape, each packet the next of its row."""
        rows, timestamps, size = batch.rows, marks[:, 1].copy(), shape >> 20
        self.reception.go_on(self._corner.places(rows), timestamps, size, batch.arrivals)
        self._place(batch, timestamps, shape)
        self.expected.advance(rows, marks, size)

    def _take_wave(self, batch: Batch, headers: Headers, wave: Int64, now: float) -> list[tuple[int, int]]:
        rows = batch.rows[wave]
        self.expected.forget(rows)
        kind = self._kinds[rows, headers.payload_type[wave]]
        meant = kind != UNKNOWN
        places = self._corner.places(rows)
        reception = self.reception
        if np.count_nonzero(meant) < len(rows):
            reception.invalid[places[~meant]] += 1
            wave, rows, places, kind = wave[meant], rows[meant], places[meant], kind[meant]
        fresh, ahead = reception.observe(places, headers.sequence[wave], headers.ssrc[wave])
        reception.packets[places] += 1
        reception.octets[places] += headers.size[wave]
        self._take_audio(batch, headers, wave, kind, fresh, ahead)
        if not np.count_nonzero(kind >= EVENT):
            self.comfort[rows] = False
            return []
        comfort = kind == COMFORT
        reception.comfort_noise[places[comfort]] += 1
        self.jitter.expect_nothing(rows[comfort])
        self.comfort[rows] = comfort
        events = wave[(kind == EVENT) & fresh & (headers.size[wave] >= 4)]
        return self._take_events(batch, headers, events, now) if len(events) else []

    def _take_audio(
        self, batch: Batch, headers: Headers, wave: Int64, kind: UInt8, fresh: Bool, ahead: Bool
    ) -> None:
        size = headers.size[wave]
        audio = (kind < EVENT) & fresh & (size > 0)
        excess = audio & (size > LONGEST)
        if np.count_nonzero(excess):
            self.reception.invalid[self._corner.places(batch.rows[wave[excess]])] += 1
            audio &= ~excess
        ordered = wave[audio & ahead]
        places = self._corner.places(batch.rows[ordered])
        self.reception.measure(places, headers.timestamp[ordered], batch.arrivals[ordered])
        wave, size = wave[audio], size[audio]
        self.reception.count_audio(self._corner.places(batch.rows[wave]), size)
        shape = size << 20 | headers.start[wave] << 4 | kind[audio]
        # Packets of one codec, length and place are decoded and placed in one go.
        for value in sorted(set(shape.tolist())):
            part = wave[shape == value]
            self._place(batch.select(part), headers.timestamp[part], value)

    def _place(self, batch: Batch, timestamps: Int64, shape: int) -> None:
        """Put audio of one shape, at most one packet per row, where somebody hears it."""
        size, start, codec = shape >> 20, shape >> 4 & 0xFFFF, (shape & 15) - AUDIO
        heard = self._heard[batch.rows]
        if np.count_nonzero(heard) < len(heard):
            batch, timestamps = batch.select(heard), timestamps[heard]
            if not len(timestamps):
                return
        payload = rtp.payloads(batch, start, size)
        rows, wide = batch.rows, codec == codecs.G722
        pcm = self._wideband.decode(rows, payload) if wide else codecs.decode(payload, codec)
        ends = self.jitter.place(rows, timestamps, pcm)
        places = ((batch.arrivals - self.epoch) * CLOCK).astype(np.int64)
        self.moments.observe(rows, ends, places)

    def _take_events(self, batch: Batch, headers: Headers, part: Int64, now: float) -> list[tuple[int, int]]:
        rows = batch.rows[part]
        start = headers.start[part][:, None] + np.arange(4)
        payload = batch.data[batch.slots[part][:, None], start]
        self.reception.events[self._corner.places(rows)] += 1
        self.event_at[rows] = now
        self.jitter.expect_nothing(rows)
        begun = self._events.receive(
            rows,
            headers.ssrc[part],
            headers.sequence[part],
            headers.timestamp[part],
            headers.marker[part],
            payload,
            now,
        )
        return list(zip(rows[begun].tolist(), payload[begun, 0].tolist(), strict=True))
