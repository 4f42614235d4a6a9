"""A media leg as the call engine holds it: commands go out at once, events come back by callback."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringback.media import addresses, protocol
from ringback.media.model import (
    DTMF_KEYS,
    LegLost,
    LegStatistics,
    MediaEvent,
    Playable,
    PlaybackDone,
    RecordingClosed,
    RecordingTrack,
    RemoteMedia,
    Report,
    SpeechDetection,
    StopOn,
)

if TYPE_CHECKING:
    from ringback.media.link import WorkerLink

log = logging.getLogger(__name__)

DIAL_CHARACTERS = frozenset(DTMF_KEYS + "wW")


class Playback:
    """One `MediaLeg.play`. `done` resolves once, to what the `PlaybackDone` event says, and never fails."""

    __slots__ = ("done", "id")

    def __init__(self, id: int, done: asyncio.Future[PlaybackDone]) -> None:
        self.id = id
        self.done = done


class MediaRecording:
    """One `MediaLeg.record`. `done` resolves once, when the file is complete, and never fails."""

    __slots__ = ("_leg", "done", "id")

    def __init__(self, leg: MediaLeg, id: int, done: asyncio.Future[RecordingClosed]) -> None:
        self._leg = leg
        self.id = id
        self.done = done

    def pause(self, *, silence: bool) -> None:
        """Interrupt it: `silence` of that length in the file, or nothing of it."""
        self._leg.change_recording(self.id, paused=True, silence=silence)

    def resume(self) -> None:
        """Go on."""
        self._leg.change_recording(self.id, paused=False, silence=True)

    def stop(self) -> None:
        """End it; `done` follows."""
        self._leg.stop_recording(self.id)


class MediaLeg:
    """One end of a call's media: a pair of ports, an RTP session and what is played and heard there.

    Made by `MediaPlane.open_leg`. Every method returns at once; after `close` or `LegLost` they do nothing.
    """

    def __init__(
        self, link: WorkerLink, offer: protocol.Offer, host: str, on_event: Callable[[MediaEvent], None]
    ) -> None:
        self.link = link
        self._handle = (offer.row, offer.generation)
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._next_id = 0
        self._playbacks: dict[int, Playback] = {}
        self._recordings: dict[int, MediaRecording] = {}
        self._turns: deque[tuple[Sequence[Playable], protocol.Play | protocol.StopPlayback]] = deque()
        self._listens: tuple[bool | None, SpeechDetection | None, bool] = (None, None, False)
        self._across: MediaLeg | None = None
        """Whom it is bridged with in another worker."""
        self._last = LegStatistics()
        self._closing: asyncio.Future[LegStatistics] | None = None
        self._ended = False
        self.address: tuple[str, int] = (host, offer.rtp_port)
        """The local address and RTP port (even)."""
        self.rtcp_port: int = offer.rtcp_port
        link.send(protocol.Open(*self._handle))

    @property
    def handle(self) -> tuple[int, int]:
        """(row, generation) within the worker, for logs."""
        return self._handle

    @property
    def closed(self) -> bool:
        """True once closed or lost."""
        return self._ended or self._closing is not None

    def set_remote(self, remote: RemoteMedia) -> None:
        """Begin or change the media with the peer; silence is sent from now on where the direction allows.

        May be called at any time (re-INVITE). The source of media is learnt anew only when host or port
        changed; SSRC, sequence numbers and timestamps of what we send stay continuous. Raises ValueError for
        a host that is no address literal, or not of the family that the plane is bound to.
        """
        addresses.pack(remote.host, remote.port, addresses.family_of(self.address[0]))
        self._send(protocol.SetRemote(*self._handle, remote))

    def play(
        self,
        sources: Sequence[Playable],
        *,
        loop: int = 1,
        offset_ms: int = 0,
        stop_on: StopOn | None = None,
        over: bool = False,
    ) -> Playback:
        """Play `sources` one after the other, `loop` times over (0: until stopped), starting `offset_ms` in.

        Replaces what is playing (that one ends with `replaced`); while it plays, nothing is heard of the leg
        that this one is bridged with, unless it is played `over` that: mixed in, in a lane of its own. Raises
        ValueError for a source that is larger than a worker's whole memory for sources, or a negative `loop`
        or `offset_ms`.
        """
        if loop < 0 or offset_ms < 0:
            raise ValueError(f"loop and offset_ms are zero or more, not {loop} and {offset_ms}")
        self._next_id += 1
        playback = Playback(self._next_id, self._loop.create_future())
        if self.closed:
            playback.done.set_result(PlaybackDone(playback.id, "closed", 0, offset_ms))
            return playback
        stop = stop_on or StopOn()
        command = protocol.Play(
            *self._handle, playback.id, [], loop, offset_ms * 8, key_mask(stop.digits), stop.speech, over
        )
        self._in_turn(sources, command)
        self._playbacks[playback.id] = playback
        return playback

    def stop_playback(self, *, over: bool = False) -> None:
        """Stop what is playing, if anything; it ends with `stopped`."""
        self._in_turn((), protocol.StopPlayback(*self._handle, over))

    def send_digits(self, digits: str, duration_ms: int = 100, gap_ms: int = 100) -> int:
        """Press keys: RFC 4733 when negotiated, else tones in the audio. `w` waits 0.5 s, `W` 1 s.

        Returns the id that `DigitsSent` will carry; presses queue up behind those still under way. Raises
        ValueError for any other character.
        """
        keys = "".join(character if character in "wW" else character.upper() for character in digits)
        if not DIAL_CHARACTERS.issuperset(keys):
            raise ValueError(f"cannot press {digits!r}: keys are 0-9, *, #, A-D, and w or W for a pause")
        if not (40 <= duration_ms <= 5000 and 20 <= gap_ms <= 5000):
            raise ValueError(
                f"a key is held 40 to 5000 ms with gaps of 20 to 5000, not {duration_ms}, {gap_ms}"
            )
        self._next_id += 1
        self._send(protocol.SendDigits(*self._handle, self._next_id, keys, duration_ms, gap_ms))
        return self._next_id

    def listen(
        self,
        dtmf_inband: bool | None = None,
        speech: SpeechDetection | None = None,
        *,
        tones: bool = False,
    ) -> None:
        """Choose what is listened for. Telephone events always are, where negotiated.

        `dtmf_inband` None means: until telephone events have been negotiated. `speech` None turns speech
        events off; `tones` turns `ToneStarted` and `ToneEnded` on.
        """
        wanted = dtmf_inband, speech, tones
        if wanted == self._listens and speech is None:
            return  # one that listens for speech begins anew
        self._listens = wanted
        self._send(protocol.Listen(*self._handle, dtmf_inband, speech, tones))

    def bridge(self, other: MediaLeg) -> None:
        """Let the two hear each other, from now on until `unbridge` or the end of either.

        Whom either was bridged with before hears nobody then. Keys pass in the form that the other side
        takes.
        """
        for leg in (self, other):
            leg._leave_across()
        if other.link is self.link:
            self._send(protocol.Bridge(*self._handle, *other.handle))
        elif not (self.closed or other.closed):
            for one, far in ((self, other), (other, self)):
                one._across = far
                one._send(protocol.Bridge(*one.handle, *far.handle, far.link.settings.worker))

    def unbridge(self) -> None:
        """End the bridge that this leg is in, if any: both are sent silence, or what is played to them."""
        if not self._leave_across():
            self._send(protocol.Bridge(*self._handle, -1, 0))

    def _leave_across(self) -> bool:
        """End the bridge with a leg of another worker: each worker is told. Whether there was one."""
        far = self._across
        if far is None:
            return False
        for leg in (self, far):
            leg._across = None
            leg._send(protocol.Bridge(*leg.handle, -1, 0))
        return True

    def mute(self, muted: bool) -> None:
        """Let nobody hear what the peer says and presses; or do again."""
        self._send(protocol.Mute(*self._handle, muted))

    def amplify(self, decibels: float) -> None:
        """Change the level of what the peer says, for whoever hears or records it."""
        self._send(protocol.Amplify(*self._handle, decibels))

    def record(self, path: str, *, channels: int = 1, track: RecordingTrack = "both") -> MediaRecording:
        """Write what is heard from and sent to the peer into a WAV file, from now on.

        One channel mixes the two; of two, the first is what the peer says, the second what it hears. `track`
        leaves one of them out. There must be no file at `path` yet. It is playable at any moment, at most a
        second behind; after a crash `ringback.media.wav.repair` finds the rest of that second. Ends with
        `stop` or with the leg, whose own end may come before that of its recordings.
        """
        closed: asyncio.Future[RecordingClosed] = self._loop.create_future()
        if self.closed:
            closed.set_result(RecordingClosed(0, 0, "the leg is closed"))
            return MediaRecording(self, 0, closed)
        recording = MediaRecording(self, self.link.gateway.expect(self, path), closed)
        self._recordings[recording.id] = recording
        self._send(protocol.StartRecording(*self._handle, recording.id, path, channels, track))
        return recording

    def change_recording(self, id: int, *, paused: bool, silence: bool) -> None:
        """See `MediaRecording`."""
        self._send(protocol.PauseRecording(*self._handle, id, paused, silence))

    def stop_recording(self, id: int) -> None:
        """See `MediaRecording`."""
        self._send(protocol.StopRecording(*self._handle, id))

    def close(self) -> asyncio.Future[LegStatistics]:
        """End the leg: BYE by RTCP, ports rest. Resolves to the final statistics; no events follow.

        If the worker is or gets lost, it resolves to what was last reported. Closing again returns the same
        future.
        """
        if self._closing is None:
            self._leave_across()
            self._closing = self._loop.create_future()
            if self._ended:
                self._closing.set_result(self._last)
            else:
                self.link.send(protocol.Close(*self._handle))
        return self._closing

    def _send(self, command: protocol.Command) -> None:
        if not self.closed:
            self.link.send(command)

    def _in_turn(self, sources: Sequence[Playable], command: protocol.Play | protocol.StopPlayback) -> None:
        """What concerns playback goes out in order, each command once the worker has its sources.

        Raises ValueError for a source that is too large.
        """
        missing = self.link.stock.supply(sources)
        if missing is None and not self._turns:
            self._play(sources, command)
            return
        self._turns.append((sources, command))
        if missing is not None and len(self._turns) == 1:
            missing.add_done_callback(lambda _: self._take_turns())

    def _take_turns(self) -> None:
        while self._turns and not self.closed:
            sources, command = self._turns[0]
            missing = self.link.stock.supply(sources)
            if missing is not None:
                missing.add_done_callback(lambda _: self._take_turns())
                return
            self._turns.popleft()
            self._play(sources, command)

    def _play(self, sources: Sequence[Playable], command: protocol.Play | protocol.StopPlayback) -> None:
        if isinstance(command, protocol.Play):
            command.segments.extend(self.link.stock.segments(sources))
        self._send(command)

    def deliver(self, event: MediaEvent) -> None:
        """An event from the worker (called by the link)."""
        if isinstance(event, Report):
            self._last = event.statistics
        elif isinstance(event, PlaybackDone):
            playback = self._playbacks.pop(event.id, None)
            if playback is not None and not playback.done.done():
                playback.done.set_result(event)
        elif isinstance(event, RecordingClosed):
            recording = self._recordings.pop(event.id, None)
            if recording is None:
                return  # told already: the worker and the gateway may both know of an end
            recording.done.set_result(event)
        if not self.closed:
            self._tell(event)

    def finish(self, statistics: LegStatistics) -> None:
        """The worker has closed the leg (called by the link)."""
        self._last = statistics
        self._end()
        self._on_event = _ignore

    def lose(self, cause: str) -> None:
        """The worker is gone (called by the link)."""
        self._leave_across()
        lost = not self.closed
        self._end()
        if lost:
            self._tell(LegLost(cause))
        self._on_event = _ignore

    def _tell(self, event: MediaEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            # One call's trouble: the other legs of the worker are told through the same task.
            log.exception("a listener to the leg %d/%d failed on %r", *self._handle, event)

    def _end(self) -> None:
        self._ended = True
        for playback in self._playbacks.values():
            if not playback.done.done():
                playback.done.set_result(PlaybackDone(playback.id, "closed", 0, 0))
        self._playbacks.clear()
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(self._last)


def key_mask(digits: bool | frozenset[str]) -> int:
    """The keys as one bit per event code."""
    if isinstance(digits, bool):
        return 0xFFFF if digits else 0
    return sum(1 << DTMF_KEYS.index(key) for key in digits)


def _ignore(_: MediaEvent) -> None:
    """Of a leg that is gone nothing is told, so it need not hold who was told: who holds the leg."""
