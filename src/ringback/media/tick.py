"""A phase: the rows whose ticks fall together, and everything that happens to them in a tick.

Sans-IO and without a clock: packets and the time go in by `receive`, commands by the methods named like them,
packets come out of `tick`, and `events` collects what the control side should know. A worker has four phases,
5 ms apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, rtp
from ringback.media.accounts import Accounts
from ringback.media.audience import Audience
from ringback.media.clockwork import FRAME
from ringback.media.cold import ColdLeg
from ringback.media.ears import Ears
from ringback.media.entrance import Entrance
from ringback.media.exchange import Corner, Exchange
from ringback.media.keying import EventPacket
from ringback.media.model import (
    DTMF_KEYS,
    Digit,
    DigitMethod,
    DigitsSent,
    LegStatistics,
    MediaEvent,
    PlaybackDone,
    RemoteMedia,
    SpeechDetection,
)
from ringback.media.playout import SAMPLES, Arena, Players
from ringback.media.protocol import Play
from ringback.media.rows import BANK, Rows
from ringback.media.rtp import Batch
from ringback.media.send import Outgoing, Senders
from ringback.media.tapline import BLOCKS, Block
from ringback.media.taps import Taps
from ringback.media.voices import Voices, mix

Bool = npt.NDArray[np.bool_]
Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]

KEY_MS = {"rfc4733": 20, "inband": 40}
"""What has been heard of a key when it is reported."""
PASSED, PASSED_MS, PASSED_GAP_MS = -1, 100, 60
"""The id of keys passed on from a partner, of which nobody is told when they are done; their lengths."""
ECHO = 0.3
"""Seconds after a telephone event in which the same key's tone in the audio is not told again."""

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
        self.keys: list[tuple[int, str]] = []
        """(row, key) of keys that came as events, for whom the row is bridged with."""
        if corner is None:
            corner = Corner(Exchange(capacity, 1), 0)
        self.corner = corner
        self.audience = Audience(capacity, corner)
        self._entrance = Entrance(capacity, family, corner, self.audience.heard, no_rtp_after)
        self.gate, self.intake, self.watch = self._entrance.parts
        self.rtcp = self._entrance.rtcp
        """(row, packet, source) of RTCP that came on RTP ports."""
        self.senders = Senders(capacity, corner.streams, corner.number)
        self.players = Players(capacity, arena)
        self.whispers = Players(capacity, arena)
        """What is played over whatever else a row hears."""
        self._lanes = self.players, self.whispers
        self.voices = Voices(capacity)
        self.ears = Ears(capacity)
        self._accounts = Accounts(corner, self.intake, self.gate, self.senders)
        self.taps = Taps(capacity, corner.streams, corner.number)
        self.tapped: Block | None = None
        """What tapped rows heard and sent in the latest tick, valid until the next."""
        self.frame = 0
        """The next tick's number: the time line of recordings, which counts skipped ones, too."""
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
        self.ears.listen_for_keys(row, leg.listens_inband())
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
            part.leave(row)
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
        self.ears.listen_for_keys(row, leg.listens_inband())

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
        self.ears.listen_for_keys(row, leg.listens_inband())
        self.ears.listen(row, speech, tones)

    def receive(self, batch: Batch, now: float) -> None:
        """Take in what came to the phase's sockets."""
        self.take(batch, rtp.heads(batch), now)

    def take(self, batch: Batch, words: Int64, now: float) -> None:
        """Take in packets; `words` are their headers, which may have been written over since."""
        pressed = self._entrance.take(batch, words, now)
        self._tell_news()
        for row, code in pressed:
            self._press(row, code, "rfc4733")

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
        self._entrance.look_out(count, now)
        self._tell_news()
        return outgoing

    def begin(self, due: float) -> None:
        """A tick comes that was due then, on the clock of packets' arrivals. It is settled who is heard."""
        self.intake.epoch = due - self.frame * FRAME
        if self.audience.settled:
            return
        lost = self.audience.survey(self.count, self.ears.listening(self.count))
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
        return self._accounts.of(row, self.legs[row], now)

    def rtcp_destination(self, row: int) -> tuple[str, int, bool] | None:
        """Host, port, and whether RTCP shares the RTP port; None as long as nobody is there to get it."""
        return self.legs[row].rtcp_destination(*addresses.unpack(self.gate.remote[row]))

    def hear_rtcp(self, row: int, data: bytes, source: tuple[str, int], wall: float) -> None:
        """RTCP came.

        It is taken from the host that media comes from (or was announced for it), else ignored.
        """
        leg = self.legs.get(row)
        if leg is not None and leg.remote is not None:
            host, _ = addresses.unpack(self.gate.remote[row])
            if not leg.hear_rtcp(data, source, host, wall):
                self.gate.wrong_total[row] += 1

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
            *self.ears.parts,
            self.taps,
        )

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

    def _tell_news(self) -> None:
        """What was noticed of the rows' packets."""
        for row, event in self._entrance.news:
            self._tell(row, event)
        self._entrance.news.clear()

    def _take_passed(self, count: int, now: float) -> None:
        """What the relay has passed on since the last tick came, too."""
        burst = self.audience.burst[:count]
        if not self.audience.everybody:
            passed = ((burst > 0) & ~self.audience.heard[:count]).nonzero()[0]
            self._entrance.notice(passed, now)
            self.intake.comfort[passed] = False
            self._tell_news()
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
        heard = self.ears.hear(audio, self.intake.jitter.started[:count])
        for row, tone in heard.tones:
            self._tell(row, tone)
        for row, code in heard.keys:
            if now - float(self.intake.event_at[row]) > ECHO:
                self._press(row, code, "inband")
        for row, begun in heard.begun:
            self._tell(row, begun)
            for lane in self._lanes:
                if lane.stops_for(row):
                    self._end_playback(row, lane.stop(row, "speech"))
        for row, ended in heard.ended:
            self._tell(row, ended)

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

    def _end_playback(self, row: int, ended: list[PlaybackDone]) -> None:
        for done in ended:
            self._tell(row, done)

    def _tell(self, row: int, event: MediaEvent) -> None:
        self.events.append((row, self.legs[row].generation, event))
