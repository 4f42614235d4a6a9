"""What the control side and a media worker say to each other: msgpack arrays, each after a 32-bit little-
endian length.

A leg is named by (row, generation). A row is used again and again; its generation grows each time, so that
whatever is still under way for the leg before can be told apart and dropped. Commands are pipelined and never
answered one by one.
"""

from __future__ import annotations

import msgspec

from ringback.media.model import (
    LegStatistics,
    MediaEvent,
    RecordingTrack,
    RemoteMedia,
    SpeechDetection,
    TickStatistics,
)

HEADER = 4
MAX_FRAME = 1 << 20


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told on its command line."""

    worker: int
    epoch: float = 0.0
    """The moment of the monotonic clock that ticks are counted from, forwards and backwards."""
    rtp_host: str
    first_port: int
    last_port: int
    max_legs: int = 2000
    lend_ahead: int = 256
    """How many opened, unused legs the control side holds, so that opening a leg never waits: as many as
    there may be calls to answer in one go when the machine has stood still, before the worker lends more."""
    arena_bytes: int = 256 << 20
    """Address space for sources; pages are used as sources come."""
    port_rest: float = 5.0
    no_rtp_after: float = 3.0
    report_every: float = 5.0
    transport: str = "auto"
    """`io_uring`, `sockets`, or `auto` for the first where it works."""
    crossroad: str = ""
    """The directory where workers find each other's sockets; empty when there is only one worker."""
    core: int | None = None
    """The processor core to stay on, None for any."""
    gateway: str = ""
    """Where recordings are written: the name of a socket in the abstract namespace."""


class _Command(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Control to worker."""


class Open(_Command, frozen=True):
    row: int
    generation: int


class SetRemote(_Command, frozen=True):
    row: int
    generation: int
    remote: RemoteMedia


class Upload(_Command, frozen=True):
    """A piece of a source: `data` (s16le at 8 kHz) belongs at `offset` of `total` octets."""

    source: int
    total: int
    offset: int
    data: bytes


class Forget(_Command, frozen=True):
    """The source is not named again; its memory is free once nothing plays it."""

    source: int


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Part of a playback: `samples` at 8 kHz of a source, or of silence when `source` is negative."""

    source: int
    samples: int


class Play(_Command, frozen=True):
    row: int
    generation: int
    id: int
    segments: list[Segment]
    loop: int
    offset: int
    stop_digits: int
    """A bit per event code of RFC 4733, 0 to 15."""
    stop_speech: bool
    over: bool = False
    """Mixed into what the row hears otherwise, in a lane of its own."""


class StopPlayback(_Command, frozen=True):
    row: int
    generation: int
    over: bool = False


class SendDigits(_Command, frozen=True):
    row: int
    generation: int
    id: int
    digits: str
    duration_ms: int
    gap_ms: int


class Listen(_Command, frozen=True):
    row: int
    generation: int
    dtmf_inband: bool | None
    speech: SpeechDetection | None
    tones: bool = False


class Bridge(_Command, frozen=True):
    """Each of the two hears the other from now on, in place of whom it heard before.

    `peer_row` below zero ends it. A peer in another worker is named by that, too, and this worker then sees
    to its own side only.
    """

    row: int
    generation: int
    peer_row: int
    peer_generation: int
    peer_worker: int | None = None


class Mute(_Command, frozen=True):
    """What the peer says and presses is heard by nobody."""

    row: int
    generation: int
    muted: bool


class Amplify(_Command, frozen=True):
    """Change the level of what the peer says."""

    row: int
    generation: int
    decibels: float


class StartRecording(_Command, frozen=True):
    """Write what the row hears and sends to a WAV file at `path`; one channel, or two (heard, sent)."""

    row: int
    generation: int
    id: int
    path: str
    channels: int
    track: RecordingTrack


class PauseRecording(_Command, frozen=True):
    """Interrupt it (with silence in the file, or nothing of it), or go on."""

    row: int
    generation: int
    id: int
    paused: bool
    silence: bool


class StopRecording(_Command, frozen=True):
    row: int
    generation: int
    id: int


class Close(_Command, frozen=True):
    row: int
    generation: int


class Shutdown(_Command, frozen=True):
    """Stop RTP and end; the loss of the connection means the same."""


LegCommand = (
    Open
    | SetRemote
    | Play
    | StopPlayback
    | SendDigits
    | Listen
    | Bridge
    | Mute
    | Amplify
    | StartRecording
    | PauseRecording
    | StopRecording
    | Close
)
Command = LegCommand | Upload | Forget | Shutdown


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Worker to control."""


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """A leg ready to be opened, its ports bound."""

    row: int
    generation: int
    rtp_port: int
    rtcp_port: int


class Lend(_Message, frozen=True):
    offers: list[Offer]


class Happened(_Message, frozen=True):
    row: int
    generation: int
    event: MediaEvent


class Closed(_Message, frozen=True):
    row: int
    generation: int
    statistics: LegStatistics


class Pulse(_Message, frozen=True):
    """Once a second: how the worker keeps time."""

    statistics: TickStatistics


class Failed(_Message, frozen=True):
    """The worker cannot run, and ends."""

    cause: str


Message = Lend | Happened | Closed | Pulse | Failed

_encoder = msgspec.msgpack.Encoder()
command_decoder = msgspec.msgpack.Decoder(Command)
message_decoder = msgspec.msgpack.Decoder(Message)


def frame(message: Command | Message) -> bytes:
    """One message with its length before it."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEADER, "little") + body


class Deframer:
    """Cuts a byte stream into message bodies. Raises ValueError for a length beyond `MAX_FRAME`."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that are whole with this piece of the stream."""
        if self._rest:
            data = self._rest + data
        bodies = []
        start, size = 0, len(data)
        while size - start >= HEADER:
            body = start + HEADER
            end = body + int.from_bytes(data[start:body], "little")
            if end - body > MAX_FRAME:
                raise ValueError(f"a frame of {end - body} octets; at most {MAX_FRAME} are expected")
            if size < end:
                break
            bodies.append(data[body:end])
            start = end
        self._rest = data[start:]
        return bodies
