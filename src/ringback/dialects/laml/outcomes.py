"""What a verb's action is told besides the call: how the verb ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.calls.application import Ask, NewCall, Referred, Screening
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, status_of_failure
from ringback.calls.verbs import Dial, Gather, Record, Refer, Verb
from ringback.dialects.laml.addresses import passes
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.recording_fields import short_fields
from ringback.dialects.laml.sids import CALL, spell
from ringback.dialects.laml.statuses import word

Fields = list[tuple[str, str]]


def action_fields(verb: Verb, outcome: Outcome, profile: Profile, public_url: str) -> Fields:
    """The parameters by verb; recordings are linked below `public_url`."""
    match verb:
        case Gather():
            return _gather(outcome, profile)
        case Dial():
            return _dial(verb, outcome, profile, public_url)
        case Record():
            return [("Digits", _last_key(outcome)), *short_fields(outcome.recording, profile, public_url)]
        case Refer():
            return _refer(outcome)
    return []


def question_fields(ask: Ask, call: CallRecord) -> Fields:
    """The parameters of questions that no verb of this call asks."""
    match ask:
        case NewCall() if call.answered_by and call.detection_ms is not None:
            return detection_fields(call.answered_by, call.detection_ms)
        case Screening():
            answer = [("SipResponseCode", str(call.sip_status))] if call.to.startswith("sip") else []
            return [*answer, *header_fields(ask.headers)]
        case Referred():
            return [("ReferTransferTarget", ask.refer_to), *header_fields(ask.headers)]
    return []


def detection_fields(answered_by: str, milliseconds: int) -> Fields:
    """Who answered, as answering-machine detection found out."""
    return [
        ("AnsweredBy", answered_by.replace("-", "_")),
        ("MachineDetectionDuration", str(milliseconds)),
    ]


def header_fields(headers: Sequence[tuple[str, str]], prefix: str = "SipHeader_") -> Fields:
    """The headers that an application gets to see, the first of each name."""
    shown: dict[str, str] = {}
    for name, value in headers:
        if passes(name):
            shown.setdefault(name, value)
    return [(f"{prefix}{name}", value) for name, value in shown.items()]


def _gather(outcome: Outcome, profile: Profile) -> Fields:
    """The keys, without the one that finished them."""
    fields = [("Digits", outcome.digits or "")]
    if outcome.finish_key and profile is TWILIO:
        fields.append(("FinishedOnKey", outcome.finish_key))
    return fields


def _last_key(outcome: Outcome) -> str:
    """The key that ended a recording; `hangup` when the caller did."""
    return "hangup" if outcome.end is EndOfVerb.HUNG_UP else outcome.finish_key or ""


def _dial(verb: Dial, outcome: Outcome, profile: Profile, public_url: str) -> Fields:
    fields = [("DialCallStatus", _dial_status(outcome))]
    if outcome.callee is not None:
        fields.append(("DialCallSid", spell(profile, CALL, outcome.callee)))
    fields.append(("DialCallDuration", str(outcome.talk_seconds)))
    if profile is TWILIO:
        fields.append(("DialBridged", "true" if outcome.bridged else "false"))
    if any(callee.target.kind == "sip" for callee in verb.callees):
        fields += _dialled_sip(outcome)
    return fields + short_fields(outcome.recording, profile, public_url)


def _dial_status(outcome: Outcome) -> str:
    """Of the callee that was connected, else of the one whose failure counts."""
    status = outcome.callee_status
    if outcome.bridged or status is CallStatus.IN_PROGRESS:
        return "completed"
    if status is None or not status.final:
        return "canceled" if outcome.end is EndOfVerb.HUNG_UP else "failed"
    return word(status)


def _dialled_sip(outcome: Outcome) -> Fields:
    fields = []
    if outcome.sip_call_id:
        fields.append(("DialSipCallId", outcome.sip_call_id))
    if outcome.sip_status:
        fields.append(("DialSipResponseCode", str(outcome.sip_status)))
    return fields + header_fields(outcome.sip_headers, "DialSipHeader_")


def _refer(outcome: Outcome) -> Fields:
    fields = [("ReferCallStatus", _refer_status(outcome))]
    if outcome.sip_status:
        fields.append(("ReferSipResponseCode", str(outcome.sip_status)))
    if outcome.notified_status:
        fields.append(("NotifySipResponseCode", str(outcome.notified_status)))
    return fields


def _refer_status(outcome: Outcome) -> str:
    """What became of the far end's call, as far as it told."""
    notified = outcome.notified_status or 0
    if 200 <= notified < 300:
        return "in-progress"
    if notified >= 300:
        return "no-answer" if notified == 487 else word(status_of_failure(notified))
    return "canceled" if outcome.end is EndOfVerb.HUNG_UP else "failed"
