"""The values that the media plane and its users exchange: remotes, sources, events, statistics."""

from __future__ import annotations

from typing import Literal

import msgspec

from ringback.media.source import Source

Codec = Literal["PCMU", "PCMA", "G722"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DigitMethod = Literal["rfc4733", "inband"]
DoneReason = Literal["completed", "digit", "speech", "stopped", "replaced", "closed", "failed"]
RecordingTrack = Literal["inbound", "outbound", "both"]
NoRtpCause = Literal["never-received", "wrong-source", "stopped"]

DTMF_KEYS = "0123456789*#ABCD"
"""The keys in the order of RFC 4733 event codes 0 to 15."""


class MediaUnavailable(Exception):
    """No leg can be opened: the plane is not running, or every port and row is taken or resting."""


class Tone(msgspec.Struct, frozen=True):
    """A steady tone: the sum of `frequencies` (Hz) for `milliseconds`, each at `level` dBm0."""

    frequencies: tuple[float, ...]
    milliseconds: int
    level: float = -13.0


class Silence(msgspec.Struct, frozen=True):
    """A pause of `milliseconds` within a playback."""

    milliseconds: int


Playable = Source | Tone | Silence


class StopOn(msgspec.Struct, frozen=True):
    """What ends a playback within the tick in which it is heard.

    `digits` is True for any key, or the set of keys that count (of `DTMF_KEYS`); `speech` is the start of
    speech and needs `MediaLeg.listen(speech=…)`.
    """

    digits: bool | frozenset[str] = False
    speech: bool = False


class SpeechDetection(msgspec.Struct, frozen=True):
    """When a caller counts as speaking: louder than the adaptive noise floor.

    `start_ms` of sound begins speech, `stop_ms` of quiet ends it. `threshold_db` is how far above the floor
    sound must be, `minimum_level` the level in dBm0 below which nothing is speech.
    """

    start_ms: int = 80
    stop_ms: int = 600
    threshold_db: float = 9.0
    minimum_level: float = -48.0


class RemoteMedia(msgspec.Struct, frozen=True):
    """Where and how the peer wants its media, as negotiated by offer and answer (RFC 3264).

    `receive` maps the payload types that we accept to codec names; `cn_pts` are comfort noise (RFC 3389), and
    `receive_dtmf_pts` telephone events (RFC 4733). `ptime` is what the peer asked for, in ms: multiples of 20
    up to 60 are honoured, anything else is sent as 20. `held` legs are exempt from `NoRtp`.

    `rtcp_host` and `rtcp_port` default to the RTP host and the next port. `signalling_host` (the address that
    the peer's SIP comes from) and `nat_open` widen the addresses from which media may latch, see
    `ringback.media.latch`.
    """

    host: str
    port: int
    send_payload_type: int = 0
    codec: Codec = "PCMU"
    receive: dict[int, Codec] = msgspec.field(default_factory=lambda: {0: "PCMU", 8: "PCMA"})
    rtcp_host: str | None = None
    rtcp_port: int | None = None
    send_dtmf_pt: int | None = None
    receive_dtmf_pts: frozenset[int] = frozenset()
    cn_pts: frozenset[int] = frozenset({13})
    ptime: int = 20
    direction: Direction = "sendrecv"
    """From our side: `sendonly` means that we send and the peer does not."""
    held: bool = False
    rtcp_mux: bool = False
    signalling_host: str | None = None
    nat_open: bool = False


class Spread(msgspec.Struct, frozen=True):
    """Smallest, largest and mean of a measurement, in ms; None when nothing was measured."""

    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None


class LegStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a leg sent and received since it was opened. Octets are RTP payload only, as in RFC 3550, 6.4."""

    duration_ms: int = 0
    packets_received: int = 0
    octets_received: int = 0
    packets_sent: int = 0
    octets_sent: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    packets_duplicated: int = 0
    packets_reordered: int = 0
    packets_invalid: int = 0
    packets_wrong_source: int = 0
    comfort_noise_packets: int = 0
    dtmf_packets_received: int = 0
    dtmf_packets_sent: int = 0
    frames_concealed: int = 0
    buffer_resyncs: int = 0
    """How often the jitter buffer started afresh (new SSRC, a jump of timestamps)."""
    frames_skipped: int = 0
    """20 ms frames dropped by the jitter buffer to shorten its delay."""
    frames_inserted: int = 0
    """20 ms frames added to lengthen its delay."""
    buffer_ms: int = 0
    buffer_max_ms: int = 0
    mean_ptime_ms: float | None = None
    jitter_ms: Spread = Spread()
    round_trip_ms: Spread = Spread()
    remote_packets_lost: int | None = None
    """Of what we sent, as the peer's RTCP reports it; None when it never did."""
    remote_fraction_lost: float | None = None
    remote_jitter_ms: Spread = Spread()
    """Over all of the peer's reports."""
    rtcp_received: int = 0
    rtcp_sent: int = 0
    local_ssrc: int = 0
    remote_ssrc: int | None = None
    remote_address: tuple[str, int] | None = None
    """Where the media truly comes from, once it does."""


class Digit(msgspec.Struct, frozen=True, tag=True):
    """A key was pressed: given once, at its start. `duration_ms` is what was heard of it so far."""

    key: str
    duration_ms: int
    method: DigitMethod


class SpeechStarted(msgspec.Struct, frozen=True, tag=True):
    """The caller began to speak, `ms` before this event (the time that it took to be sure)."""

    ms: int


class SpeechStopped(msgspec.Struct, frozen=True, tag=True):
    """The caller fell silent after `ms` of speech (the quiet that proved it not counted)."""

    ms: int


class PlaybackDone(msgspec.Struct, frozen=True, tag=True):
    """A playback ended.

    `played_ms` went out in all; `offset_ms` is the position within one pass of the sources.
    """

    id: int
    reason: DoneReason
    played_ms: int
    offset_ms: int


class DigitsSent(msgspec.Struct, frozen=True, tag=True):
    """All digits of one `send_digits` have gone out. `id` is what `send_digits` returned."""

    id: int
    method: DigitMethod


class FirstRtp(msgspec.Struct, frozen=True, tag=True):
    """The first packet after a (changed) remote was set, and where it came from."""

    host: str
    port: int


class NoRtp(msgspec.Struct, frozen=True, tag=True):
    """Nothing heard for `seconds` although the peer should be sending.

    `hint` says in words what is likely wrong.
    """

    seconds: float
    cause: NoRtpCause
    hint: str


class RtpResumed(msgspec.Struct, frozen=True, tag=True):
    """Media came back after `seconds` without any."""

    seconds: float


class Report(msgspec.Struct, frozen=True, tag=True):
    """Statistics so far, about every five seconds; dropped first when the control side is slow."""

    statistics: LegStatistics


class ToneStarted(msgspec.Struct, frozen=True, tag=True):
    """A steady tone of one frequency (Hz) is heard (`MediaLeg.listen(tones=True)`): a beep, or a fax that
    calls (1100 Hz) or answers (2100 Hz)."""

    frequency: float


class ToneEnded(msgspec.Struct, frozen=True, tag=True):
    """It is over, after `ms`."""

    frequency: float
    ms: int


class RecordingClosed(msgspec.Struct, frozen=True, tag=True):
    """A recording's file is complete.

    `samples` are those of one channel, at 8 kHz. `error` says why it could not be written, or not to its end
    (disk full …), `interrupted` which process it was lost with; what was written before is a playable file.
    """

    id: int
    samples: int
    error: str | None = None
    interrupted: str | None = None


class LegLost(msgspec.Struct, frozen=True, tag=True):
    """The leg's worker process is gone; nothing else follows. `cause` says what happened to it."""

    cause: str


MediaEvent = (
    Digit
    | SpeechStarted
    | SpeechStopped
    | PlaybackDone
    | DigitsSent
    | FirstRtp
    | NoRtp
    | RtpResumed
    | ToneStarted
    | ToneEnded
    | RecordingClosed
    | Report
    | LegLost
)


class TickStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker keeps time. Times in ms, over the worker's life unless it says otherwise."""

    worker: int = 0
    pid: int = 0
    transport: str = ""
    """`io_uring` or `sockets`: how packets cross into the kernel."""
    legs: int = 0
    rows: int = 0
    ticks: int = 0
    tick_mean_ms: float = 0.0
    tick_p99_ms: float = 0.0
    tick_max_ms: float = 0.0
    late_max_ms: float = 0.0
    """The largest distance between a tick's due time and its start."""
    slow: int = 0
    """Ticks that took longer than a frame."""
    late: int = 0
    """Ticks that began more than 5 ms late."""
    overruns: int = 0
    """Frames skipped because a tick came a whole frame late."""
    cpu_seconds: float = 0.0
    packets_received: int = 0
    packets_sent: int = 0
    packets_dropped: int = 0
    """Packets beyond the share of one leg in one tick, and sends the kernel refused."""
    events_dropped: int = 0
    frames_unrecorded: int = 0
    """20 ms frames that recordings have silence in place of, because the gateway did not keep up."""
    page_faults: int = 0


class PlaneStatistics(msgspec.Struct, frozen=True):
    """One entry per worker, as last reported (once a second), and the legs open now."""

    workers: tuple[TickStatistics, ...]
    legs: int
