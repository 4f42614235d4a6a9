"""Recordings as REST shows them. Pure.

Sources: SignalWire "Recordings" of the Compatibility API; "Recordings" and "Call recordings" of Twilio's
2010-04-01 API.
"""

from __future__ import annotations

from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.dialects.http import rfc2822
from ringback.dialects.laml.profiles import API_VERSION, TWILIO
from ringback.dialects.laml.recording_fields import error_code, link, seconds, source
from ringback.dialects.laml.resources import Resource, View, when
from ringback.dialects.laml.sids import CALL, RECORDING, spell

_TWILIO_STATUSES = {RecordingStatus.FAILED: "absent"}
_SIGNALWIRE_STATUSES = {RecordingStatus.FAILED: "absent", RecordingStatus.PROCESSING: "stopped"}


def resource(view: View, recording: Recording, public_url: str) -> Resource:
    """A recording of the account's."""
    if view.profile is not TWILIO:
        return _signalwire(view, recording)
    path = f"{view.account_path}/Recordings/{spell(TWILIO, RECORDING, recording.id)}"
    return _common(view, recording) | {
        "channels": recording.plan.channels,
        "duration": str(seconds(recording)) if recording.status.final else None,
        "price_unit": "USD",
        "uri": f"{path}.json",
        "subresource_uris": {
            "add_on_results": f"{path}/AddOnResults.json",
            "transcriptions": f"{path}/Transcriptions.json",
        },
        "media_url": link(recording, TWILIO, public_url),
    }


def of_call(view: View, recording: Recording) -> Resource:
    """A recording below its call, which Twilio shows a little differently."""
    if view.profile is not TWILIO:
        return _signalwire(view, recording)
    call = f"{view.account_path}/Calls/{spell(TWILIO, CALL, recording.call_id)}"
    return _common(view, recording) | {
        "channels": recording.plan.channels,
        "duration": str(seconds(recording)) if recording.status.final else None,
        "price_unit": None,
        "track": recording.plan.track,
        "uri": f"{call}/Recordings/{spell(TWILIO, RECORDING, recording.id)}.json",
    }


def _common(view: View, recording: Recording) -> Resource:
    code = error_code(recording)
    words = _TWILIO_STATUSES if view.profile is TWILIO else _SIGNALWIRE_STATUSES
    return {
        "sid": spell(view.profile, RECORDING, recording.id),
        "account_sid": view.account_sid,
        "api_version": API_VERSION,
        "call_sid": spell(view.profile, CALL, recording.call_id),
        "conference_sid": None,
        "date_created": rfc2822(recording.created_at),
        "date_updated": rfc2822(recording.updated_at),
        "start_time": when(recording.started_at),
        "price": None,
        "source": source(recording, view.profile),
        "status": words.get(recording.status, str(recording.status)),
        "error_code": code if code is None or view.profile is TWILIO else str(code),
        "encryption_details": None,
    }


def _signalwire(view: View, recording: Recording) -> Resource:
    path = f"{view.account_path}/Recordings/{recording.id}"
    return _common(view, recording) | {
        "channel": str(recording.plan.channels),
        "channels": str(recording.plan.channels),
        "end_time": when(recording.ended_at),
        "duration": seconds(recording),
        "price_unit": "USD",
        "uri": f"{path}.json",
        "subresource_uris": {"transcriptions": f"{path}/Transcriptions.json"},
        "trim": "trim-silence" if recording.plan.trim else "do-not-trim",
    }
