"""What happens during a call and goes to a hook of its own: REFER, hold, requests, keys, machines. Pure."""

from __future__ import annotations

from ringback.calls.application import Holding, InDialogRequest, Referred
from ringback.calls.events import AnswererDetected, KeysMatched, ReferProgress
from ringback.calls.record import CallRecord
from ringback.dialects.jambonz.payload import Payload, call_info, snake
from ringback.dialects.jambonz.sids import spell
from ringback.sip.errors import SipParseError
from ringback.sip.uri import NameAddr

_TYPES = {
    "human": "amd_human_detected",
    "machine-start": "amd_machine_detected",
    "machine-end-silence": "amd_machine_stopped_speaking",
    "fax": "amd_machine_detected",
    "unknown": "amd_decision_timeout",
    "tone": "amd_tone_detected",
    "tone-timeout": "amd_tone_timeout",
    "stopped": "amd_stopped",
    "error": "amd_error",
}
_REASONS = {"human": "short greeting", "machine-start": "long greeting", "fax": "fax"}


def referred(ask: Referred, call: CallRecord, public_url: str = "") -> Payload:
    """A party asks to be transferred. Further headers of the REFER (`X-…`) come in snake_case."""
    headers = dict(ask.headers)
    by = ask.referred_by
    known = {
        "sip_refer_to": ask.refer_to,
        "refer_to_user": ask.refer_to_user,
        "sip_referred_by": by,
        "referred_by_user": _user(by) if by else None,
        "sip_user_agent": next((v for name, v in headers.items() if name.lower() == "user-agent"), None),
        "referring_call_sid": spell(ask.referring_call) if ask.referring_call else None,
        "referred_call_sid": spell(ask.referred_call) if ask.referred_call else None,
    }
    details = {key: value for key, value in known.items() if value is not None}
    own = {snake(name): value for name, value in headers.items() if name.lower().startswith("x-")}
    return call_info(call, public_url) | {"refer_details": details | own}


def _user(address: str) -> str | None:
    try:
        return NameAddr.parse(address).uri.user
    except SipParseError:
        return None


def holding(ask: Holding, call: CallRecord, public_url: str = "") -> Payload:
    """A party put the other on hold."""
    return call_info(call, public_url) | {"hold_detail": {"from": ask.from_, "to": ask.to}}


def in_dialog_request(ask: InDialogRequest, call: CallRecord, public_url: str = "") -> Payload:
    """A request inside the dialog; a re-INVITE that holds is one."""
    payload = call_info(call, public_url) | {
        "sip_method": ask.method,
        "sip_body": ask.body,
        "sip_headers": {snake(name): value for name, value in ask.headers},
    }
    if ask.held is not None:
        payload |= {"event": "hold" if ask.held else "unhold", "on_hold": ask.held}
    return payload


def keys_matched(event: KeysMatched, call: CallRecord, public_url: str = "") -> Payload:
    """Keys that a dial watches for; `call` is the leg that pressed them."""
    return call_info(call, public_url) | {"dtmf": event.keys}


def refer_progress(event: ReferProgress) -> Payload:
    """A NOTIFY about the call that a REFER asked for; nothing about our call goes with it."""
    return {"event": "transfer-status", "call_status": event.sip_status}


def answerer(event: AnswererDetected, call: CallRecord, language: str, public_url: str = "") -> Payload:
    """What answering-machine detection found. Nothing recognises speech: the greeting has no text."""
    silent = event.what == "unknown" and event.reason == "no-speech"
    type = "amd_no_speech_detected" if silent else _TYPES.get(event.what, "amd_error")
    payload = call_info(call, public_url) | {"type": type}
    if event.what in _REASONS:
        payload |= {"reason": _REASONS[event.what], "greeting": "", "language": language}
    elif type == "amd_tone_detected":
        payload |= {"frequency": event.frequency or 0, "variance": 0}
    elif type == "amd_error":
        payload["error"] = event.reason or event.what
    return payload
