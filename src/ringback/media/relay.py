"""The one per-packet path: what comes to a bridged row goes out to its partner at once.

Sans-IO. A packet keeps its payload (or is transcoded, alone) and gets the header of the partner's own stream:
SSRC, payload type, and sequence and timestamp by an offset to the source's, so that the far end sees losses
and reordering as they were. The offsets are taken anew where the source's series begins anew, and the
sequence's wherever the tick has sent something in between: keys, a prompt, silence.

Packets that take the long way, and those of rows that somebody else hears (`ringback.media.audience`), go on
to their rows' ticks: this is a look at them in passing. The others are only counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import codecs, rtp
from ringback.media.arrivals import Few, Many
from ringback.media.g722 import Decoder, Encoder
from ringback.media.model import RemoteMedia
from ringback.media.passing import Passing
from ringback.media.quality import MAX_DROPOUT, Reception
from ringback.media.routes import BURST, Routes
from ringback.media.rtp import Batch, Headers, signed
from ringback.media.straight import Departures, FewDepartures, Straight, Words
from ringback.media.streams import HEAD, LENGTH, REMOTE, Streams

Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

WITHHELD, AS_IT_IS, TRANSCODED, EVENT, COMFORT = 0, 1, 2, 3, 5
"""What is done with a payload type. `TRANSCODED` is followed by codecs: TRANSCODED + 4 * (from, to). Comfort
noise goes as it is, too.
"""
JUMP = 4000
"""Timestamp units, half a second, by which a packet may be off the time that has passed."""
REORDERED = 1024
"""Packets by which one may come late."""


class Relay(Routes):
    """Rows are the worker's. A route is one direction: from a row to its partner."""

    def __init__(self, streams: Streams, reception: Reception) -> None:
        super().__init__(streams)
        self._streams = streams
        self._types = self.column(np.uint8, (128,))
        """The payload type at the partner for the row's."""
        self._kinds = self.column(np.uint8, (128,))
        self._limit = self.column(np.int64)
        self._ssrc = self.column(np.int64, initial=-1)
        self._first = self.column(np.int64)
        """The sequence number from which the offset counts: what is behind it comes too late."""
        self._sequence_offset = self.column(np.int64)
        self._event = self.column(np.int64, initial=-1)
        """The timestamp of the latest key's event, and whether it was passed from its beginning."""
        self._event_passed = self.column(np.bool_)
        self._straight = Straight(streams)
        self._passing = Passing(reception)
        self._transcoders: dict[int, dict[int, Transcoder]] = {}

    def route(self, row: int, partner: int, source: RemoteMedia, target: RemoteMedia) -> None:
        """What `row` hears from `source` may go to `partner`, as `target` takes it."""
        if self.to[row] != partner:
            self._ssrc[row] = self._event[row] = -1
            self._event_passed[row] = False
        self.to[row] = partner
        self.expected[row] = -1
        kinds, types = self._kinds[row], self._types[row]
        kinds[:] = WITHHELD
        wanted = codecs.CODECS[target.codec]
        for payload_type, codec in source.receive.items():
            types[payload_type] = target.send_payload_type
            kinds[payload_type] = self._kind(row, codecs.CODECS[codec], wanted)
        if target.cn_pts:
            kinds[list(source.cn_pts)] = COMFORT
            types[list(source.cn_pts)] = min(target.cn_pts)
        if target.send_dtmf_pt is not None:
            kinds[list(source.receive_dtmf_pts)] = EVENT
            types[list(source.receive_dtmf_pts)] = target.send_dtmf_pt
        self._limit[row] = 8 * max(20, target.ptime)
        self._streams.routed[partner] = True

    def block(self, row: int, partner: int) -> None:
        """What `row` hears reaches its partner by their ticks only, until routed again."""
        self._streams.unheard[row] = False
        self.to[row] = -1
        self.expected[row] = -1
        self._event_passed[row] = False
        self._streams.routed[partner] = False
        self._streams.carried[partner] = False

    def drop(self, row: int) -> None:
        self._transcoders.pop(row, None)

    def passed_key(self, row: int) -> bool:
        """Whether the row's latest key is on its way to the partner as packets."""
        return bool(self._event_passed[row])

    def settle(self) -> None:
        """To be called every few minutes at the least: keeps numbers that wrap comparable."""
        self._first += np.maximum(0, signed(self.highest - self._first, 16) - REORDERED)

    def account(self, offset: float) -> None:
        """To be called before each tick: counts what was passed. `offset` is what the clock of arrivals is
        ahead of ours.
        """
        self._passing.account(offset)

    def forward(self, many: Many) -> tuple[list[Departures], Bool]:
        """What departs of these packets, and which of them are to come to their rows' ticks.

        The departing packets are valid until their slots are released. New headers are written over those
        that came, of which nothing but the words in the marks is needed any more.
        """
        straight, departures, passed = self._straight.forward(many)
        if passed.all():
            self._passing.note(many.rows, many.marks, many.arrivals)
            return [departures] if departures else [], ~passed
        if passed.any():
            self._passing.note(many.rows[passed], many.marks[passed], many.arrivals[passed])
        self._streams.unheard[many.rows[~passed]] = False
        ready = [departures] if departures else []
        rest = np.nonzero(~straight)[0]
        if len(rest):
            marks = many.marks[rest]
            sources = marks[:, REMOTE].view(np.uint64)
            slots, arrivals = many.slots[rest], many.arrivals[rest]
            batch = Batch(many.data, slots, many.rows[rest], marks[:, LENGTH], sources, arrivals)
            ready += self.pass_on(batch, marks[:, HEAD])
        return ready, ~passed

    def forward_few(self, few: Few) -> tuple[FewDepartures, list[int], list[int], Words]:
        """The same of a few, if they are just what was to come next.

        Returns what departs, the indices of those that are something else and are to be given to `pass_on`,
        the indices of those that are to come to their rows' ticks, and the headers that all came with.
        """
        departures, passed, rest, words = self._straight.forward_few(few)
        if passed:
            self._passing.note_few(
                [few.rows[index] for index in passed],
                [words[index] for index in passed],
                [few.lengths[index] for index in passed],
                [few.arrivals[index] for index in passed],
            )
        kept = sorted(set(range(len(words))).difference(passed))
        for index in kept:
            self._streams.unheard[few.rows[index]] = False
        return departures, rest, kept, words

    def pass_on(self, batch: Batch, words: Int64) -> list[Departures]:
        """The long way, for packets of any kind; their rows are the worker's, `words` their headers."""
        headers = rtp.parse(batch, words)
        rows = batch.rows
        streams = self._streams
        good = headers.valid & (self.to[rows] >= 0) & streams.latched[rows]
        good &= (streams.remote[rows] == batch.sources).all(axis=1)
        parts, _ = rtp.waves(rows, np.nonzero(good)[0], BURST)
        return [ready for part in parts for ready in self._pass(batch, headers, part)]

    def _pass(self, batch: Batch, headers: Headers, part: Int64) -> list[Departures]:
        """Packets of different rows."""
        streams = self._streams
        part, kind = self._choose(batch.rows[part], headers, part)
        if not len(part):
            return []
        rows = batch.rows[part]
        to = self.to[rows]
        streams.burst[rows] += 1
        goes, sequence, timestamp, marker = self._translate(headers, part, rows, to, kind)
        part, rows, to, kind = part[goes], rows[goes], to[goes], kind[goes]
        head = np.empty((len(part), rtp.HEADER), np.uint8)
        types = self._types[rows, headers.payload_type[part]].astype(np.int64)
        rtp.write_headers(head, types, marker[goes], sequence[goes], timestamp[goes], streams.ssrc[to])
        streams.packets[to] += 1
        streams.octets[to] += headers.size[part]
        streams.event_packets[to] += kind == EVENT
        streams.relayed[to] = True
        # With more than the bare header before its payload, a packet is still to be read by the tick.
        plain = ((kind & 3) != TRANSCODED) & (headers.start[part] == rtp.HEADER)
        if plain.all():
            return [_in_place(batch, headers, part, to, head)] if len(part) else []
        ready = [self._transcode(batch, headers, part[~plain], to[~plain], kind[~plain], head[~plain])]
        if plain.any():
            ready.append(_in_place(batch, headers, part[plain], to[plain], head[plain]))
        return ready

    def _choose(self, rows: Int64, headers: Headers, part: Int64) -> tuple[Int64, UInt8]:
        """Which packets are the relay's business, and what is done with each."""
        streams = self._streams
        to = self.to[rows]
        kind = self._kinds[rows, headers.payload_type[part]]
        events = kind == EVENT
        if events.any():
            self._watch_events(rows[events], headers.timestamp[part][events])
            kind[events & ~self._event_passed[rows]] = WITHHELD
        long = (kind != EVENT) & (headers.size[part] > self._limit[rows])
        if long.any():
            # Longer than the partner takes: their ticks cut it anew.
            streams.routed[to[long]] = False
        ours = streams.carried[to] & (streams.burst[rows] < BURST) & (headers.size[part] > 0) & ~long
        return part[ours], kind[ours]

    def _translate(
        self, headers: Headers, part: Int64, rows: Int64, to: Int64, kind: UInt8
    ) -> tuple[Bool, Int64, Int64, Bool]:
        """Which packets go out; sequence numbers, timestamps and markers in the partners' streams."""
        streams = self._streams
        sequence = headers.sequence[part]
        timed = (kind != EVENT) & (kind != WITHHELD)
        step = signed(sequence - self.highest[rows], 16)
        begins = (self._ssrc[rows] != headers.ssrc[part]) | (np.abs(step) > MAX_DROPOUT)
        resumes = begins | (self.left[rows] != streams.sequence[to])
        timestamp, moved = self._move(headers, part, rows, to, begins, timed & (step > 0), resumes)
        self._ssrc[rows] = headers.ssrc[part]
        # What the tick has sent is not said again.
        early = resumes & timed & (signed(timestamp - streams.end[to], 32) < 0)
        streams.relayed[to[early]] = True
        withheld = (kind == WITHHELD) | early
        self._sequence_offset[rows[withheld & ~resumes & (step > 0)]] -= 1
        self.left[rows[withheld & begins]] = -1
        resumes &= ~withheld
        if resumes.any():
            self._sequence_offset[rows[resumes]] = streams.sequence[to[resumes]] - sequence[resumes]
            self._first[rows[resumes]] = sequence[resumes]
        ahead = begins | resumes | (step > 0)
        self.highest[rows[ahead]] = sequence[ahead]
        goes = ~withheld & (signed(sequence - self._first[rows], 16) >= 0)
        mapped = (sequence + self._sequence_offset[rows]) & 0xFFFF
        front = goes & ahead
        streams.sequence[to[front]] = (mapped[front] + 1) & 0xFFFF
        self.left[rows[front]] = streams.sequence[to[front]]
        sounds = front & timed
        streams.end[to[sounds]] = (timestamp[sounds] + headers.size[part][sounds]) & 0xFFFFFFFF
        self._expect(headers, part, rows, front & (kind == AS_IT_IS))
        return goes, mapped, timestamp, headers.marker[part] | resumes | moved

    def _move(
        self, headers: Headers, part: Int64, rows: Int64, to: Int64, begins: Bool, judged: Bool, resumes: Bool
    ) -> tuple[Int64, Bool]:
        """Timestamps in the partners' streams, and which of them begin a time line of their own.

        That is so where the source's series begins, is far off the time that has passed, or would go on more
        than this packet before what was sent.
        """
        streams, stamp = self._streams, headers.timestamp[part]
        timestamp = (stamp + self.timestamp_offset[rows]) & 0xFFFFFFFF
        astray = np.abs(signed(timestamp - streams.timestamp[to], 32)) > JUMP
        astray |= resumes & (signed(streams.end[to] - timestamp, 32) > headers.size[part])
        moved: Bool = begins | (astray & judged)
        if moved.any():
            # Not before the time that has passed, and behind what was sent.
            start = streams.timestamp[to[moved]]
            start = start + np.maximum(0, signed(streams.end[to[moved]] - start, 32))
            self.timestamp_offset[rows[moved]] = start - stamp[moved]
            timestamp[moved] = start & 0xFFFFFFFF
        return timestamp, moved

    def _expect(self, headers: Headers, part: Int64, rows: Int64, which: Bool) -> None:
        """Learn what comes next of the rows, if it goes on like this."""
        part, rows = part[which], rows[which]
        types, size = headers.payload_type[part], headers.size[part]
        first = 2 << 30
        self.expected[rows, 0] = first | types << 16 | ((headers.sequence[part] + 1) & 0xFFFF)
        self.expected[rows, 1] = (headers.timestamp[part] + size) & 0xFFFFFFFF
        self.expected[rows, 2] = headers.ssrc[part]
        self.length[rows] = rtp.HEADER + size
        self.type[rows] = first | self._types[rows, types].astype(np.int64) << 16

    def _watch_events(self, rows: Int64, timestamps: Int64) -> None:
        """A key is passed as a whole or not at all: where the relay speaks at its first packet."""
        begun = rows[self._event[rows] != timestamps]
        self._event[rows] = timestamps
        self._event_passed[begun] = self._streams.carried[self.to[begun]]

    def _kind(self, row: int, source: int, target: int) -> int:
        if source == target:
            return AS_IT_IS
        kind = TRANSCODED + 4 * (source << 2 | target)
        if codecs.G722 in (source, target):
            self._transcoders.setdefault(row, {}).setdefault(kind, Transcoder(source, target))
        return kind

    def _transcode(
        self, batch: Batch, headers: Headers, part: Int64, to: Int64, kind: UInt8, head: UInt8
    ) -> Departures:
        """Packets in another codec, in memory of their own: what came is still to be heard by the tick."""
        size, start = headers.size[part], headers.start[part]
        out = np.empty((len(part), rtp.HEADER + int(size.max())), np.uint8)
        out[:, : rtp.HEADER] = head
        shape = size << 8 | kind
        for value in np.unique(shape).tolist():
            which = np.nonzero(shape == value)[0]
            length, pair = value >> 8, value >> 2 & 0x3F
            place = start[which, None] + np.arange(length)
            payload = batch.data[batch.slots[part[which], None], place]
            table = codecs.TRANSCODED.get((pair >> 2, pair & 3))
            if table is not None:
                payload = table.take(payload)
            elif value & 3 == TRANSCODED:
                for index, row in enumerate(batch.rows[part[which]].tolist()):
                    payload[index] = self._transcoders[row][value & 0xFF].transcode(payload[index])
            out[which, rtp.HEADER : rtp.HEADER + length] = payload
        return Departures(to, out, np.arange(len(part)), np.zeros(len(part), np.int64), rtp.HEADER + size)


class Transcoder:
    """One direction between G.722 and G.711, with G.722's state."""

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._decoder = Decoder()
        self._encoder = Encoder()

    def transcode(self, payload: UInt8) -> UInt8:
        """As many octets as came."""
        if self._source == codecs.G722:
            return codecs.encode(self._decoder.decode(payload.tobytes()), self._target)
        return self._encoder.encode(codecs.LINEAR[self._source].take(payload))


def _in_place(batch: Batch, headers: Headers, part: Int64, to: Int64, head: UInt8) -> Departures:
    """Packets that stay where they are, with a new header."""
    slots = batch.slots[part]
    batch.data[slots, : rtp.HEADER] = head
    return Departures(to, batch.data, slots, np.zeros(len(part), np.int64), rtp.HEADER + headers.size[part])
