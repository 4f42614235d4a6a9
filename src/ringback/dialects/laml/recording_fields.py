"""A recording in the services' words: its link, its source, and the parameters that tell of it.

Sources: Twilio "Recording status callback" and "Call status callbacks"; SignalWire "recordingStatusCallback".
"""

from __future__ import annotations

from datetime import datetime

from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.dialects.http import rfc2822
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.sids import ACCOUNT, CALL, RECORDING, spell

_SOURCES = {
    "record-verb": ("RecordVerb", "RecordVerb"),
    "dial-verb": ("DialVerb", "DialVerb"),
    "outbound-api": ("OutboundAPI", "OutBoundApi"),
}
_CONTROL = ("StartCallRecordingAPI", "StartCallRecordingApi")
_TOO_SHORT, _SILENT, _NOT_UPLOADED, _INTERNAL = 16101, 16102, 16111, 15009
_LOST = (RecordingStatus.ABSENT, RecordingStatus.FAILED)


def source(recording: Recording, profile: Profile) -> str:
    """Why there is a recording, as each service spells it."""
    twilio, signalwire = _SOURCES.get(recording.plan.source, _CONTROL)
    return twilio if profile is TWILIO else signalwire


def seconds(recording: Recording, now: datetime | None = None) -> int:
    """Its length in whole seconds; of one that goes on, as far as it has come by `now`."""
    if not recording.duration and now is not None and recording.started_at is not None:
        return max(0, round((now - recording.started_at).total_seconds()))
    return round(recording.duration)


def error_code(recording: Recording) -> int | None:
    """Why there is no recording, in Twilio's numbers; None where there is, or may be, one.

    There is none for a disk that failed or a server that was killed: it is an internal server error.
    """
    match recording.status:
        case RecordingStatus.ABSENT:
            return _SILENT if recording.plan.trim else _TOO_SHORT
        case RecordingStatus.FAILED:
            return _NOT_UPLOADED if recording.not_stored else _INTERNAL
    return None


def link(recording: Recording, profile: Profile, public_url: str) -> str:
    """Where its audio is: as WAV, with `.mp3` after it as MP3."""
    account = spell(profile, ACCOUNT, recording.account_id)
    sid = spell(profile, RECORDING, recording.id)
    return f"{public_url}{profile.path}/Accounts/{account}/Recordings/{sid}"


def short_fields(
    recording: Recording | None, profile: Profile, public_url: str, *, now: datetime | None = None
) -> list[tuple[str, str]]:
    """What tells of a recording in a request about something else; nothing when nothing was recorded."""
    if recording is None or recording.status in _LOST:
        return []
    return [
        ("RecordingUrl", link(recording, profile, public_url)),
        ("RecordingSid", spell(profile, RECORDING, recording.id)),
        ("RecordingDuration", str(seconds(recording, now))),
    ]


def callback_fields(recording: Recording, profile: Profile, public_url: str) -> list[tuple[str, str]]:
    """A recording status callback; the recorded call is the caller's of two."""
    fields = [
        ("AccountSid", spell(profile, ACCOUNT, recording.account_id)),
        ("CallSid", spell(profile, CALL, recording.call_id)),
        ("RecordingSid", spell(profile, RECORDING, recording.id)),
        ("RecordingStatus", str(recording.status)),
        ("RecordingChannels", str(recording.plan.channels)),
        ("RecordingSource", source(recording, profile)),
    ]
    if profile is not TWILIO or recording.status is RecordingStatus.COMPLETED:
        fields += [
            ("RecordingUrl", link(recording, profile, public_url)),
            ("RecordingDuration", str(seconds(recording))),
        ]
    code = error_code(recording)
    if code is not None:
        fields.append(("ErrorCode", str(code)))
    if profile is TWILIO:
        fields.append(("RecordingTrack", recording.plan.track))
        if recording.started_at is not None:
            fields.append(("RecordingStartTime", rfc2822(recording.started_at)))
    return fields
