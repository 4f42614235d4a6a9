"""The callbacks that are due for what happens to a call, rendered. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from ringback.calls.events import (
    AnswererDetected,
    CallEvent,
    RecordingChanged,
    TranscriptionFailed,
)
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.status import Direction
from ringback.calls.verbs import Hook
from ringback.dialects.laml.fields import callback_fields, request_fields
from ringback.dialects.laml.outcomes import Fields, detection_fields
from ringback.dialects.laml.profiles import API_VERSION, TWILIO, Profile
from ringback.dialects.laml.recording_fields import callback_fields as recording_fields
from ringback.dialects.laml.recording_fields import link, short_fields
from ringback.dialects.laml.settings import Settings, credentials
from ringback.dialects.laml.sids import ACCOUNT, CALL, RECORDING, TRANSCRIPTION, spell
from ringback.dialects.laml.statuses import webhook_status
from ringback.dialects.laml.transcriptions import counterpart
from ringback.dialects.progress import progress_event
from ringback.store.ids import spelled
from ringback.webhooks.delivery import Delivery

_OF_THE_CALL = ("dial-verb", "outbound-api")
"""The recordings that a status callback tells of."""


class Callbacks:
    """Renders for one application on one call."""

    def __init__(self, profile: Profile, public_url: str) -> None:
        self._profile = profile
        self._public_url = public_url

    def due(self, event: CallEvent, call: CallRecord, settings: Settings) -> Sequence[Delivery]:
        """The callbacks for an event; `call` is the record with the event already applied."""
        match event:
            case RecordingChanged():
                return self._recording(event.recording, call, settings)
            case TranscriptionFailed():
                return self._transcription(event, call, settings)
            case AnswererDetected():
                return self._detection(event, call, settings)
        return self._status(event, call, settings)

    def _status(self, event: CallEvent, call: CallRecord, settings: Settings) -> Sequence[Delivery]:
        """The status callback, where this event is one that the application subscribed to."""
        name = progress_event(event, call)
        if name is None or not settings.status_callback:
            return ()
        wanted = ("completed",) if call.direction is Direction.INBOUND else settings.events
        if name not in wanted:
            return ()
        fields = callback_fields(call, self._profile)
        recording = call.recording
        if call.ended_at is not None and recording is not None and recording.plan.source in _OF_THE_CALL:
            fields += short_fields(recording, self._profile, self._public_url, now=call.ended_at)
        hook = Hook(url=settings.status_callback, method=settings.status_callback_method)
        key = uuid5(call.id, f"status callback {call.sequence_number} {name}")
        return (self._delivery(key, hook, fields, call, settings),)

    def _recording(self, recording: Recording, call: CallRecord, settings: Settings) -> Sequence[Delivery]:
        plan = recording.plan
        if plan.report is None or _recording_event(recording) not in plan.events:
            return ()
        fields = self._about(call, recording_fields(recording, self._profile, self._public_url))
        key = uuid5(recording.id, f"recording {recording.status}")
        return (self._delivery(key, plan.report, fields, call, settings),)

    def _about(self, call: CallRecord, fields: Fields) -> Fields:
        """SignalWire tells of the call as well, as in any request."""
        if self._profile is TWILIO:
            return fields
        named = dict(fields)
        return [*(each for each in request_fields(call, self._profile) if each[0] not in named), *fields]

    def _transcription(
        self, event: TranscriptionFailed, call: CallRecord, settings: Settings
    ) -> Sequence[Delivery]:
        """That there is no text: nothing recognises speech."""
        profile, recording = self._profile, event.recording
        sid = spell(profile, TRANSCRIPTION, counterpart(recording.id))
        account = spell(profile, ACCOUNT, call.account_id)
        told = dict(callback_fields(call, profile))
        fields = [
            ("TranscriptionSid", sid),
            ("TranscriptionText", ""),
            ("TranscriptionStatus", "failed"),
            ("TranscriptionUrl", f"{self._public_url}{profile.path}/Accounts/{account}/Transcriptions/{sid}"),
            ("TranscriptionType", "fast"),
            ("RecordingSid", spell(profile, RECORDING, recording.id)),
            ("RecordingUrl", link(recording, profile, self._public_url)),
            ("CallSid", told["CallSid"]),
            ("AccountSid", account),
            ("From", told["From"]),
            ("To", told["To"]),
            ("CallStatus", webhook_status(call)),
            ("ApiVersion", API_VERSION),
            ("Direction", str(call.direction)),
        ]
        return (self._delivery(event.id, event.hook, fields, call, settings),)

    def _detection(self, event: AnswererDetected, call: CallRecord, settings: Settings) -> Sequence[Delivery]:
        if event.hook is None or not event.verdict:
            return ()
        fields = [
            ("CallSid", spell(self._profile, CALL, call.id)),
            ("AccountSid", spell(self._profile, ACCOUNT, call.account_id)),
            *detection_fields(event.what, event.milliseconds),
        ]
        key = uuid5(call.id, f"answered by {event.what} {event.milliseconds} {event.partial}")
        return (self._delivery(key, event.hook, fields, call, settings),)

    def _delivery(
        self, key: UUID, hook: Hook, fields: Fields, call: CallRecord, settings: Settings
    ) -> Delivery:
        """The same event always makes the same delivery, so that a repeat is seen as one."""
        token, account = str(key), spelled(call.account_id)
        return Delivery(
            id=token,
            account_id=account,
            call_id=spelled(call.id),
            sequence=call.sequence_number,
            url=hook.url,
            method=hook.method,
            fields=tuple(fields),
            headers=(("User-Agent", self._profile.user_agent),),
            auth=credentials(hook, settings),
            scheme=self._profile.signing,
            key_ref=account,
            token=token,
            token_header=self._profile.idempotency_header,
            policy=self._profile.callbacks,
        )


def _recording_event(recording: Recording) -> str | None:
    """The subscription that a change falls under: its beginning, or how it ended."""
    if recording.status is RecordingStatus.IN_PROGRESS:
        # One that goes on after a pause does not begin.
        return (
            "in-progress" if recording.updated_at == (recording.started_at or recording.created_at) else None
        )
    return str(recording.status) if recording.status.final else None
