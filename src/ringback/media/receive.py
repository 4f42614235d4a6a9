"""From packets to jitter buffers, counters and keys, for all rows of a phase at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.dtmf import EventReceivers
from ringback.media.g722 import Decoders
from ringback.media.jitter import JitterBuffers
from ringback.media.model import RemoteMedia
from ringback.media.moments import Moments
from ringback.media.quality import CLOCK, Reception
from ringback.media.rows import Rows
from ringback.media.rtp import Batch, Headers

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

UNKNOWN, AUDIO, EVENT, COMFORT = 0, 1, 8, 9
"""What a payload type means to a row; audio is this plus the codec's number."""
LONGEST = 960
"""Octets of the longest audio packet that is placed: 120 ms."""
SHARE = 8
"""Packets of one row in one tick: beyond that it is a flood."""


class Intake(Rows):
    """Takes in packets that have been admitted."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.jitter = JitterBuffers(capacity)
        self.moments = Moments(capacity)
        self.epoch = 0.0
        """When the frame 0 of the time line of recordings was, on the clock of packets' arrivals."""
        self.reception = Reception(capacity)
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
        self._wideband.drop(row)
        for part in (self.jitter, self.moments, self.reception, self._events):
            part.reset(row)

    def warm(self, first: int, last: int) -> None:
        super().warm(first, last)
        for part in (self.jitter, self.moments, self.reception, self._events):
            part.warm(first, last)

    def configure(self, row: int, remote: RemoteMedia) -> None:
        """Learn what the payload types mean."""
        kinds = self._kinds[row]
        kinds[:] = UNKNOWN
        for payload_type, codec in remote.receive.items():
            kinds[payload_type] = AUDIO + codecs.CODECS[codec]
        if "G722" in remote.receive.values():
            self._wideband.make(row)
        kinds[list(remote.cn_pts)] = COMFORT
        kinds[list(remote.receive_dtmf_pts)] = EVENT

    def take(self, batch: Batch, headers: Headers, which: Int64, now: float) -> list[tuple[int, int]]:
        """Take in the packets `which` (indices into the batch). Returns (row, event code) of keys pressed."""
        pressed: list[tuple[int, int]] = []
        waves, flooded = rtp.waves(batch.rows, which, SHARE)
        self.flooded += flooded
        for wave in waves:
            pressed += self._take_wave(batch, headers, wave, now)
        return pressed

    def _take_wave(self, batch: Batch, headers: Headers, wave: Int64, now: float) -> list[tuple[int, int]]:
        rows = batch.rows[wave]
        kind = self._kinds[rows, headers.payload_type[wave]]
        meant = kind != UNKNOWN
        if not meant.all():
            self.reception.invalid[rows[~meant]] += 1
            wave, rows, kind = wave[meant], rows[meant], kind[meant]
        reception = self.reception
        fresh, ahead = reception.observe(rows, headers.sequence[wave], headers.ssrc[wave])
        reception.packets[rows] += 1
        reception.octets[rows] += headers.size[wave]
        self._take_audio(batch, headers, wave, kind, fresh, ahead)
        if not (kind >= EVENT).any():
            self.comfort[rows] = False
            return []
        comfort = rows[kind == COMFORT]
        reception.comfort_noise[comfort] += 1
        self.jitter.expect_nothing(comfort)
        self.comfort[rows] = kind == COMFORT
        events = wave[(kind == EVENT) & fresh & (headers.size[wave] >= 4)]
        return self._take_events(batch, headers, events, now) if len(events) else []

    def _take_audio(
        self,
        batch: Batch,
        headers: Headers,
        wave: Int64,
        kind: npt.NDArray[np.uint8],
        fresh: Bool,
        ahead: Bool,
    ) -> None:
        size = headers.size[wave]
        audio = (kind < EVENT) & fresh & (size > 0)
        excess = audio & (size > LONGEST)
        if excess.any():
            self.reception.invalid[batch.rows[wave[excess]]] += 1
            audio &= ~excess
        ordered = wave[audio & ahead]
        self.reception.measure(batch.rows[ordered], headers.timestamp[ordered], batch.arrivals[ordered])
        wave, kind = wave[audio], kind[audio]
        # Packets of one codec, length and place are decoded and placed in one go; nearly always that is all
        # of them.
        shape = headers.size[wave] << 20 | headers.start[wave] << 4 | (kind - AUDIO)
        for value in sorted(set(shape.tolist())):
            part = wave[shape == value]
            self._place(batch, headers, part, value >> 20, value >> 4 & 0xFFFF, value & 15)

    def _place(self, batch: Batch, headers: Headers, part: Int64, size: int, start: int, codec: int) -> None:
        rows = batch.rows[part]
        payload = np.ascontiguousarray(batch.data[batch.slots[part], start : start + size])
        self.reception.audio_packets[rows] += 1
        self.reception.audio_samples[rows] += size
        wide = codec == codecs.G722
        pcm = self._wideband.decode(rows, payload) if wide else codecs.decode(payload, codec)
        ends = self.jitter.place(rows, headers.timestamp[part], pcm)
        places = ((batch.arrivals[part] - self.epoch) * CLOCK).astype(np.int64)
        self.moments.observe(rows, ends, places)

    def _take_events(self, batch: Batch, headers: Headers, part: Int64, now: float) -> list[tuple[int, int]]:
        rows = batch.rows[part]
        start = headers.start[part][:, None] + np.arange(4)
        payload = batch.data[batch.slots[part][:, None], start]
        self.reception.events[rows] += 1
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
