"""How a verb ended, as its action hook is told. Pure."""

from __future__ import annotations

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.transferred import Handover, handover, what_follows
from ringback.calls.verbs import Dial, Gather, HangUp, Play, Refer, SendRequest, Transfer, Verb
from ringback.dialects.jambonz.payload import Payload, call_info, status_name
from ringback.dialects.jambonz.sids import spell

_SAMPLES_PER_MS = 8
_ACCEPTED = 202


def action(call: CallRecord, verb: Verb, outcome: Outcome, public_url: str = "") -> Payload:
    """The call, and what the verb has to report."""
    payload = call_info(call, public_url)
    if verb.id is not None:
        payload["verb_id"] = verb.id
    match verb:
        case Gather():
            payload |= _gathered(outcome)
        case Play():
            payload |= _played(outcome)
        case Dial():
            payload |= _dialled(outcome)
        case Refer():
            payload |= _referred(outcome)
        case Transfer():
            payload |= _transferred(verb, outcome)
        case SendRequest():
            payload |= _answered(outcome)
    return payload


def _gathered(outcome: Outcome) -> Payload:
    if outcome.end is EndOfVerb.FAILED:
        return {"reason": "error", "details": outcome.error or "failed"}
    if outcome.digits is not None and (outcome.digits or outcome.finish_key):
        return {"digits": outcome.digits, "reason": "dtmfDetected"}
    return {"reason": "timeout"}


def _played(outcome: Outcome) -> Payload:
    if outcome.end is EndOfVerb.FAILED:
        return {"reason": "playFailed", "status": "fail"}
    return {
        "reason": "playCompleted",
        "playback_seconds": outcome.played_ms // 1000,
        "playback_milliseconds": outcome.played_ms,
        "playback_last_offset_pos": str(outcome.offset_ms * _SAMPLES_PER_MS),
    }


def _dialled(outcome: Outcome) -> Payload:
    """Of the leg that was connected, else of the one whose failure counts; there may have been none."""
    payload: Payload = {
        "dial_call_status": _dial_status(outcome),
        "dial_sip_status": 200 if outcome.bridged else outcome.sip_status or _sip_status(outcome),
    }
    if outcome.callee is not None:
        payload["dial_call_sid"] = spell(outcome.callee)
        payload["dial_sbc_callid"] = outcome.sip_call_id or spell(outcome.callee)
    return payload


def _dial_status(outcome: Outcome) -> str:
    if outcome.bridged:
        return "completed"
    if outcome.callee_status is None:
        return "no-answer" if outcome.end is EndOfVerb.TIMEOUT else "failed"
    return status_name(outcome.callee_status, Direction.OUTBOUND_DIAL)


def _sip_status(outcome: Outcome) -> int:
    """What stands for a final response where none came: a ring time that passed, or no way to anybody."""
    gave_up = outcome.end is EndOfVerb.TIMEOUT or outcome.callee_status in _CANCELLED
    return 487 if gave_up else 480


_CANCELLED = (CallStatus.NO_ANSWER, CallStatus.CANCELED)


def _referred(outcome: Outcome) -> Payload:
    payload: Payload = {"refer_status": outcome.sip_status or 500}
    if outcome.sip_status == _ACCEPTED and (outcome.notified_status or 0) >= 200:
        payload["final_referred_call_status"] = outcome.notified_status
    return payload


def _transferred(verb: Transfer, outcome: Outcome) -> Payload:
    how = handover(verb, outcome)
    payload: Payload = {"transfer_result": _result(verb, outcome, how), "transfer_reason": _REASONS[how]}
    if outcome.callee is not None:
        payload["dial_call_sid"] = spell(outcome.callee)
    status = 200 if outcome.bridged else outcome.notified_status or outcome.sip_status
    if status is None and outcome.callee is not None:
        status = _sip_status(outcome)
    if status is not None:
        payload["sip_status"] = status
    return payload


def _result(verb: Transfer, outcome: Outcome, how: Handover) -> str:
    """`returned` is a caller who goes on with the next verb, but after a failure, and one who is hung up."""
    if how is Handover.COMPLETED:
        return "bridged"
    fallback = what_follows(verb, outcome)
    if fallback and not isinstance(fallback[0], HangUp):
        return "voicemail"
    return "failed" if fallback or how in (Handover.FAILED, Handover.ABANDONED) else "returned"


_REASONS = {
    Handover.COMPLETED: "completed",
    Handover.NO_ANSWER: "no-answer",
    Handover.BUSY: "busy",
    Handover.DECLINED: "declined",
    Handover.ABANDONED: "caller-abandoned",
    Handover.FAILED: "error",
}


def _answered(outcome: Outcome) -> Payload:
    """Any response is a success: the request arrived."""
    if outcome.sip_status is None:
        return {"result": "failed", "err": outcome.error or "no response"}
    return {"result": "success", "sip_status": outcome.sip_status}
