"""A phase: the rows whose ticks fall together, and everything that happens to them in a tick.

Sans-IO and without a clock: packets and the time go in by `receive`, commands by the methods named like them,
packets come out of `tick`, and `events` collects what the control side should know. A worker has four phases,
5 ms apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, detect, rtp
from ringback.media.audience import Audience
from ringback.media.beeps import BeepDetectors
from ringback.media.cold import ColdLeg, with_rtcp
from ringback.media.detect import SpeechDetectors
from ringback.media.dtmf import ToneBank
from ringback.media.exchange import Corner, Exchange
from ringback.media.expected import marks_of
from ringback.media.gate import Gate
from ringback.media.keying import EventPacket
from ringback.media.model import (
    DTMF_KEYS,
    Digit,
    DigitMethod,
    DigitsSent,
    FirstRtp,
    LegStatistics,
    MediaEvent,
    NoRtp,
    NoRtpCause,
    PlaybackDone,
    RemoteMedia,
    RtpResumed,
    SpeechDetection,
    SpeechStarted,
    SpeechStopped,
    ToneEnded,
    ToneStarted,
)
from ringback.media.playout import SAMPLES, Arena, Players
from ringback.media.protocol import Play
from ringback.media.quality import CLOCK
from ringback.media.receive import Intake
from ringback.media.rows import BANK, Rows
from ringback.media.rtp import Batch, Headers
from ringback.media.send import Outgoing, Senders
from ringback.media.tapline import BLOCKS, Block
from ringback.media.taps import Taps
from ringback.media.voices import Voices, mix
from ringback.media.watch import Watch

Bool = npt.NDArray[np.bool_]
Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]

KEY_MS = {"rfc4733": 20, "inband": 40}
"""What has been heard of a key when it is reported."""
SECONDS = SAMPLES / CLOCK
"""Of a frame."""
PASSED, PASSED_MS, PASSED_GAP_MS = -1, 100, 60
"""The id of keys passed on from a partner, of which nobody is told when they are done; their lengths."""
ECHO = 0.3
"""Seconds after a telephone event in which the same key's tone in the audio is not told again."""

HINTS: dict[NoRtpCause, str] = {
    "never-received": "no RTP has come at all: NAT, a firewall, or the address in our SDP cannot be reached",
    "wrong-source": "RTP comes, but from an address that the peer did not announce: NAT, see nat_open",
    "stopped": "RTP came and has stopped: the peer is gone, or the network between",
}


NOTHING = Outgoing(np.zeros(0, np.int64), np.zeros((0, 0), np.uint8), np.zeros(0, np.int64))


class Phase:
    """`number` of `phases` phases; row r of this object is the worker's row r * phases + number."""

    def __init__(
        self,
        capacity: int,
        arena: Arena,
        family: int,
        corner: Corner | None = None,
        no_rtp_after: float = 3.0,
    ) -> None:
        self.capacity = capacity
        self.count = 0
        """Rows below this may be open: what a tick works on."""
        self.legs: dict[int, ColdLeg] = {}
        self.events: list[tuple[int, int, MediaEvent]] = []
        """(row, generation, event), to be taken by the worker."""
        self.rtcp: list[tuple[int, bytes, tuple[str, int]]] = []
        """(row, packet, source) of RTCP that came on RTP ports."""
        self.keys: list[tuple[int, str]] = []
        """(row, key) of keys that came as events, for whom the row is bridged with."""
        if corner is None:
            corner = Corner(Exchange(capacity, 1), 0)
        self.corner = corner
        self.audience = Audience(capacity, corner)
        self.intake = Intake(capacity, corner, self.audience.heard)
        self.gate = Gate(capacity, family, corner.streams, corner.number)
        self.watch = Watch(capacity, no_rtp_after, self.intake.comfort)
        self.senders = Senders(capacity, corner.streams, corner.number)
        self.players = Players(capacity, arena)
        self.whispers = Players(capacity, arena)
        """What is played over whatever else a row hears."""
        self.voices = Voices(capacity)
        self.bank = ToneBank(capacity)
        self.speech = SpeechDetectors(capacity)
        self.beeps = BeepDetectors(capacity)
        self.taps = Taps(capacity, corner.streams, corner.number)
        self.tapped: Block | None = None
        """What tapped rows heard and sent in the latest tick, valid until the next."""
        self.frame = 0
        """The number of the next tick's frame: the time line of recordings, which counts skipped ones, too.
        """
        self._frames = np.zeros((capacity, SAMPLES), np.int16)
        self._nothing = np.zeros((capacity, SAMPLES), np.int16)
        self._no_lags = np.zeros(capacity, np.int64)
        self._whispered = np.zeros((capacity, SAMPLES), np.int16)
        self._routed = corner.streams.routed[corner.number :: corner.streams.phases]
        self._warmed = 0
        self._keying: set[int] = set()

    def prepare(self, row: int) -> None:
        """The row will be used: have its memory ready before the tick needs it."""
        while self._warmed <= row:
            last = min(self._warmed + BANK, self.capacity)
            for part in self._parts:
                part.warm(self._warmed, last)
            self._frames[self._warmed : last] = 0
            self._whispered[self._warmed : last] = 0
            self._warmed = last

    def open(self, row: int, generation: int, cname: str, now: float) -> ColdLeg:
        """A new leg on a prepared row."""
        for part in self._parts:
            part.reset(row)
        self.senders.begin(row)
        self.audience.open(row)
        leg = ColdLeg(generation, int(self.senders.ssrc[row]), cname, now)
        self.legs[row] = leg
        self.count = max(self.count, row + 1)
        self.bank.enable(row, leg.listens_inband())
        return leg

    def close(self, row: int, now: float) -> LegStatistics:
        """The leg ends; its last events are in `events`."""
        for lane in self._lanes:
            self._end_playback(row, lane.stop(row, "closed"))
        statistics = self.statistics(row, now)
        del self.legs[row]
        while self.count and self.count - 1 not in self.legs:
            self.count -= 1
        self._keying.discard(row)
        for part in self._parts:
            part.reset(row)
        return statistics

    def set_remote(self, row: int, remote: RemoteMedia, now: float) -> None:
        """Begin or change the media with the peer. Raises ValueError for an address of the wrong family."""
        leg = self.legs[row]
        changed = self.gate.set_remote(row, remote)
        leg.remote = remote
        reachable = remote.port > 0 and not addresses.parse_host(remote.host).is_unspecified
        sends = remote.direction in ("sendrecv", "sendonly") and reachable
        receives = remote.direction in ("sendrecv", "recvonly") and not remote.held
        self.intake.configure(row, remote)
        self.senders.configure(
            row,
            active=sends,
            payload_type=remote.send_payload_type,
            codec=remote.codec,
            frames=remote.ptime // 20 if remote.ptime in (20, 40, 60) else 1,
            event_type=remote.send_dtmf_pt,
        )
        self.watch.expect(row, receives, changed, now)
        self.bank.enable(row, leg.listens_inband())

    def play(self, row: int, command: Play) -> None:
        """Replace what the row plays, in the lane that the command names."""
        self._end_playback(row, self._lanes[command.over].play(row, command))

    def stop_playback(self, row: int, *, over: bool = False) -> None:
        """Stop what the row plays in one of its lanes."""
        self._end_playback(row, self._lanes[over].stop(row, "stopped"))

    def send_digits(self, row: int, id: int, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Press keys, after those still waiting."""
        leg = self.legs[row]
        events = leg.remote is not None and leg.remote.send_dtmf_pt is not None
        leg.keyer.press(id, digits, duration_ms, gap_ms, "rfc4733" if events else "inband")
        self._keying.add(row)

    def pass_key(self, row: int, key: str) -> None:
        """Press a key that the row's partner pressed."""
        leg = self.legs[row]
        if leg.remote is not None:
            self.send_digits(row, PASSED, key, PASSED_MS, PASSED_GAP_MS)

    def listen(
        self, row: int, dtmf_inband: bool | None, speech: SpeechDetection | None, tones: bool = False
    ) -> None:
        """Choose what is listened for."""
        leg = self.legs[row]
        leg.inband = dtmf_inband
        self.bank.enable(row, leg.listens_inband())
        self.speech.configure(row, speech)
        self.beeps.configure(row, tones)

    def receive(self, batch: Batch, now: float) -> None:
        """Take in what came to the phase's sockets."""
        self.take(batch, rtp.heads(batch), now)

    def take(self, batch: Batch, words: Int64, now: float) -> None:
        """Take in packets; `words` are their headers, which may have been written over since."""
        if not len(words):
            return
        marks = marks_of(batch, words)
        expected = self.intake.expected.match(batch.rows, marks)
        others = (~expected).nonzero()[0]
        if not len(others):
            self._know(batch.rows, now)
            self.intake.take_expected(batch, marks)
            return
        self._know(batch.rows[expected], now)
        odd = batch.select(others)
        headers = rtp.parse(odd, words[others])
        taken = self._admit(odd, headers, now)
        foreseen = self.intake.foresee(odd, headers, taken)
        expected[others] = foreseen
        if np.count_nonzero(expected):
            marks[:, 0] &= ~rtp.MARKER
            self.intake.take_expected(batch.select(expected), marks[expected])
        rest = taken[~foreseen[taken]]
        if len(rest):
            for row, code in self.intake.take(odd, headers, rest, now):
                self._press(row, code, "rfc4733")

    def _know(self, rows: Int64, now: float) -> None:
        """Packets of rows came that need not be looked at."""
        self.gate.count(rows)
        self.watch.keep(rows, now)

    def _admit(self, batch: Batch, headers: Headers, now: float) -> Int64:
        """Look at packets of all kinds, from anywhere. Returns the indices of our peers' RTP."""
        strange = ~headers.valid & ~headers.rtcp
        if np.count_nonzero(strange):
            np.add.at(self.intake.reception.invalid, self.corner.places(batch.rows[strange]), 1)
        for index in headers.rtcp.nonzero()[0].tolist():
            slot, size = int(batch.slots[index]), int(batch.lengths[index])
            source = addresses.unpack(batch.sources[index])
            self.rtcp.append((int(batch.rows[index]), batch.data[slot, :size].tobytes(), source))
        valid = headers.valid.nonzero()[0]
        valid = valid[self.gate.admit(batch.rows[valid], batch.sources[valid])]
        self._watch(batch.rows[valid], now)
        return valid

    def tick(self, now: float) -> Outgoing:
        """One frame of every row: hear, play, send."""
        count = self.count
        if not count:
            return NOTHING
        self._take_passed(count, now)
        audio, lags = self._listen(count, now)
        frames = self._frames[:count]
        held = self.senders.held(count, self._carried(count))
        audible = self._compose(count, frames, ~held)
        if self._keying:
            self._press_own(frames, audible, held)
        self.tapped = None
        if self.taps:
            self.tapped = self.taps.take(self.frame, audio, frames, audible, lags, self._sent_lags(count))
        self.frame += 1
        outgoing = self.senders.build(count, frames, audible, held)
        for row in self.watch.check(count, now):
            self._miss(row, now)
        return outgoing

    def begin(self, due: float) -> None:
        """A tick comes that was due then, on the clock of packets' arrivals. It is settled who is heard."""
        self.intake.epoch = due - self.frame * SECONDS
        if self.audience.settled:
            return
        count = self.count
        listening = self.bank.enabled[:count] | self.speech.enabled[:count] | self.beeps.enabled[:count]
        lost = self.audience.survey(count, listening)
        if len(lost):
            self.intake.let_go(lost)
            self.corner.forget(lost)

    def unread(self, row: int) -> list[Block]:
        """What has come of a row and its next ticks would hear, as blocks of a recording that ends here."""
        intake, count = self.intake, row + 1
        heard = self.voices.shaped(row, intake.jitter.waiting(row))
        lag = intake.moments.lags(count, self.frame, intake.jitter.play[:count])[row]
        frames = np.stack([heard, np.zeros_like(heard)], axis=1)
        rows, lags = np.array([row]), np.array([[lag, 0]])
        return [Block(self.frame + n, rows, frames[n : n + 1], lags) for n in range(len(heard))]

    def skip(self, frames: int) -> None:
        """Ticks were missed: what they would have done is left out, so that nothing drifts."""
        self.frame += frames
        self.intake.jitter.advance(self.count, frames)
        for lane in self._lanes:
            lane.skip(self.count, frames * SAMPLES)
        self.senders.skip(self.count, frames)

    def statistics(self, row: int, now: float) -> LegStatistics:
        """What the row sent and received so far."""
        leg = self.legs[row]
        got, jitter, sent = self.intake.reception, self.intake.jitter, self.senders
        place = self.corner.place(row)
        ssrc = int(got.ssrc[place])
        statistics = LegStatistics(
            duration_ms=round((now - leg.opened) * 1000),
            packets_received=int(got.packets[place]),
            octets_received=int(got.octets[place]),
            packets_sent=int(sent.packets[row]),
            octets_sent=int(sent.octets[row]),
            packets_lost=got.lost(place),
            packets_late=int(jitter.late[row]),
            packets_duplicated=int(got.duplicates[place]),
            packets_reordered=int(got.reordered[place]),
            packets_invalid=int(got.invalid[place]),
            packets_wrong_source=int(self.gate.wrong_total[row]),
            comfort_noise_packets=int(got.comfort_noise[place]),
            dtmf_packets_received=int(got.events[place]),
            dtmf_packets_sent=int(sent.event_packets[row]),
            frames_concealed=int(jitter.concealed[row]),
            buffer_resyncs=int(jitter.resyncs[row]),
            frames_skipped=int(jitter.skipped[row]),
            frames_inserted=int(jitter.inserted[row]),
            buffer_ms=jitter.delay(row),
            buffer_max_ms=int(jitter.delay_max[row]) * 5,
            mean_ptime_ms=got.mean_ptime(place),
            jitter_ms=got.jitter(place),
            local_ssrc=leg.reporter.ssrc,
            remote_ssrc=ssrc if ssrc >= 0 else None,
            remote_address=addresses.unpack(self.gate.remote[row]) if self.gate.latched[row] else None,
        )
        return with_rtcp(statistics, leg.reporter)

    def rtcp_destination(self, row: int) -> tuple[str, int, bool] | None:
        """Host, port, and whether RTCP shares the RTP port; None as long as nobody is there to get it."""
        leg = self.legs[row]
        remote = leg.remote
        if remote is None or remote.port == 0 or addresses.parse_host(remote.host).is_unspecified:
            return None
        host, port = addresses.unpack(self.gate.remote[row])
        if remote.rtcp_mux:
            return host, port, True
        if leg.rtcp_source is not None:
            return *leg.rtcp_source, False
        if (host, port) != (remote.host, remote.port):
            return host, port + 1, False  # the peer is behind NAT, and so is what it said of RTCP
        return remote.rtcp_host or host, remote.rtcp_port or port + 1, False

    def hear_rtcp(self, row: int, data: bytes, source: tuple[str, int], wall: float) -> None:
        """RTCP came.

        It is taken from the host that media comes from (or was announced for it), else ignored.
        """
        leg = self.legs.get(row)
        if leg is None or leg.remote is None:
            return
        if source[0] not in (addresses.unpack(self.gate.remote[row])[0], leg.remote.rtcp_host):
            self.gate.wrong_total[row] += 1
        elif leg.reporter.receive(data, wall) and not leg.remote.rtcp_mux:
            leg.rtcp_source = source

    @property
    def _parts(self) -> tuple[Rows, ...]:
        return (
            self.audience,
            self.intake,
            self.gate,
            self.watch,
            self.senders,
            self.players,
            self.whispers,
            self.voices,
            self.bank,
            self.speech,
            self.beeps,
            self.taps,
        )

    @property
    def _lanes(self) -> tuple[Players, Players]:
        return self.players, self.whispers

    def _carried(self, count: int) -> Bool:
        """For which rows the relay speaks: those that are routed, and sent nothing else."""
        routed = self._routed[:count]
        if not np.count_nonzero(routed):
            return routed
        carried: Bool = routed & ~self.players.active[:count] & ~self.whispers.active[:count]
        if self._keying:
            carried[list(self._keying)] = False
        return carried

    def _sent_lags(self, count: int) -> Int64:
        """How many blocks ago what is sent to the rows has left: as soon as it came, where it was relayed."""
        lags = np.zeros(count, np.int64)
        rows, behind = self.corner.lags()
        lags[rows] = behind
        return np.where(self.senders.carried[:count], lags, 0)

    def _compose(self, count: int, frames: Int16, free: Bool) -> Bool:
        """Lay out what is sent to those of rows 0 to `count` that are `free`.

        What is played comes before what a partner says; what is played over comes on top of either. Returns
        which rows are sent anything but silence.
        """
        audible = self.players.active[:count] & free
        for row, done in self.players.fill(count, frames, audible):
            self._tell(row, done)
        if self.corner:
            wanted = ~audible & (~self.senders.carried[:count] | self.taps.tapped[:count])
            rows, heard = self.corner.take(wanted)
            frames[rows] = heard
            audible[rows] = True
        if self.whispers:
            over = self.whispers.active[:count] & free
            frames[over & ~audible] = 0
            for row, done in self.whispers.fill(count, self._whispered, over):
                self._tell(row, done)
            frames[over] = mix(frames[over], self._whispered[:count][over])
            audible |= over
        return audible

    def _watch(self, rows: Int64, now: float) -> None:
        """Packets of these rows were taken."""
        first, resumed = self.watch.hear(rows, now)
        for row in first:
            self._tell(row, FirstRtp(*addresses.unpack(self.gate.remote[row])))
        for row, seconds in resumed:
            self._tell(row, RtpResumed(round(seconds, 3)))

    def _take_passed(self, count: int, now: float) -> None:
        """What the relay has passed on since the last tick came, too."""
        burst = self.audience.burst[:count]
        if not self.audience.everybody:
            passed = ((burst > 0) & ~self.audience.heard[:count]).nonzero()[0]
            self._watch(passed, now)
            self.intake.comfort[passed] = False
        burst[:] = 0

    def _listen(self, count: int, now: float) -> tuple[Int16, Int64]:
        """What the rows said in 20 ms, and how many blocks ago that came."""
        jitter, heard = self.intake.jitter, self.audience.heard[:count]
        if not np.count_nonzero(heard):
            return self._nothing[:count], self._no_lags[:count]
        audio = jitter.read(count)
        self.intake.moments.pass_frame(count)
        lags = self._no_lags[:count]
        if self.taps or self.corner:
            lags = self.intake.moments.lags(count, self.frame, jitter.play[:count] - BLOCKS)
        self._hear(count, audio, now)
        self.voices.shape(audio)
        if self.corner:
            self.corner.leave(audio, lags, heard)
        return audio, lags

    def _hear(self, count: int, audio: Int16, now: float) -> None:
        started, over = self.beeps.listen(audio)
        for row, frequency in started:
            self._tell(row, ToneStarted(frequency))
        for row, frequency, ms in over:
            self._tell(row, ToneEnded(frequency, ms))
        if not (self.speech or self.bank):
            return
        energy = self.bank.feed(audio)
        for row, code in self.bank.keys(count, energy):
            if now - float(self.intake.event_at[row]) > ECHO:
                self._press(row, code, "inband")
        if not self.speech:
            return
        levels = detect.level(energy[:, 1] + energy[:, 2], SAMPLES)
        no_speech = self.bank.hearing[:count] | self.beeps.hearing[:count]
        begun, ended = self.speech.listen(count, levels, no_speech, self.intake.jitter.started[:count])
        for row in begun.tolist():
            self._tell(row, SpeechStarted(self.speech.certainty_ms(row)))
            for lane in self._lanes:
                if lane.stops_for(row):
                    self._end_playback(row, lane.stop(row, "speech"))
        for row in ended.tolist():
            self._tell(row, SpeechStopped(self.speech.spoken_ms(row)))

    def _press(self, row: int, code: int, method: DigitMethod) -> None:
        """The peer pressed a key."""
        self._tell(row, Digit(DTMF_KEYS[code], KEY_MS[method], method))
        if method == "rfc4733" and row in self.corner and not self.voices.muted[row]:
            self.keys.append((row, DTMF_KEYS[code]))
        for lane in self._lanes:
            if lane.stops_for(row, code=code):
                self._end_playback(row, lane.stop(row, "digit"))

    def _press_own(self, frames: Int16, audible: Bool, held: Bool) -> None:
        for row in sorted(self._keying):
            if not self.senders.active[row] or held[row]:
                continue
            step, finished = self.legs[row].keyer.step()
            for request in finished:
                if request.id != PASSED:
                    self._tell(row, DigitsSent(request.id, request.method))
            if isinstance(step, EventPacket):
                self.senders.put_event(row, step.payload, step.first)
            elif isinstance(step, np.ndarray):
                frames[row] = step
                audible[row] = True
            elif not self.legs[row].keyer.busy:
                self._keying.discard(row)

    def _miss(self, row: int, now: float) -> None:
        self.intake.expected.forget(row)
        if self.watch.heard[row]:
            cause: NoRtpCause = "stopped"
        else:
            cause = "wrong-source" if self.gate.wrong[row] else "never-received"
        self._tell(row, NoRtp(round(now - float(self.watch.last[row]), 3), cause, HINTS[cause]))

    def _end_playback(self, row: int, ended: list[PlaybackDone]) -> None:
        for done in ended:
            self._tell(row, done)

    def _tell(self, row: int, event: MediaEvent) -> None:
        self.events.append((row, self.legs[row].generation, event))
