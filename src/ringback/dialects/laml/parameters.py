"""The parameters of `POST /Calls` and `POST /Calls/{Sid}`, checked. Pure.

Unknown names are ignored, as both services do.
"""

from __future__ import annotations

import re
from uuid import UUID

import msgspec

from ringback.calls.verbs import MachineDetection, Note, RecordingPlan, Target
from ringback.dialects.http import Parameters, words
from ringback.dialects.laml import checks, notes
from ringback.dialects.laml.addresses import BadAddress, caller_of, target_of
from ringback.dialects.laml.detection import read_detection
from ringback.dialects.laml.errors import ApiError, invalid
from ringback.dialects.laml.nouns import known_events
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.recording_parameters import read_plan
from ringback.dialects.spelling import read_sid

LONGEST_CALL, LONGEST_LIMIT = 14400, 86400
LONGEST_TWIML = 4000
_DIGITS = {True: re.compile(r"[0-9A-D#*wW]{1,32}"), False: re.compile(r"[0-9#*wW]{1,32}")}
_PRICE = re.compile(r"[0-9]+\.?[0-9]{0,4}")


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request wants documents and callbacks from; None where it does not say."""

    url: str | None = None
    method: str = "POST"
    markup: str | None = None
    fallback_url: str | None = None
    fallback_method: str = "POST"
    status_callback: str | None = None
    status_callback_method: str = "POST"
    events: tuple[str, ...] | None = None
    """The subscriptions, where the request names any."""
    remarks: tuple[Note, ...] = ()

    @property
    def other_than_document(self) -> bool:
        """Whether more than the document changes."""
        return self.fallback_url is not None or self.status_callback is not None


class CallParameters(msgspec.Struct, frozen=True, kw_only=True):
    """A call to be placed."""

    to: str
    target: Target
    from_: str
    caller_id: str | None
    from_host: str | None
    hooks: Hooks
    application_id: UUID | None
    ring_timeout: float
    time_limit: float
    send_digits: str | None
    recording: RecordingPlan | None
    detection: MachineDetection | None
    remarks: tuple[Note, ...]
    """What is worth noting about the parameters, besides what `hooks` has."""


def read_call(given: Parameters, profile: Profile) -> CallParameters:
    """`POST /Calls`, checked in the services' order: To, then what to run, then From.

    Raises:
        ApiError: 400 with the service's code.
    """
    to = _to(given, profile)
    application_id = _application_id(given)
    hooks = Hooks() if application_id else read_hooks(given, profile, required=True)
    from_, caller_id, from_host = _from(given)
    recorded, recording, remarks = _recording(given)
    digits = _send_digits(given, profile)
    detection, more = read_detection(given, profile)
    _check_the_rest(given)
    username, password = _sip_credentials(given)
    if username is not None:
        to = msgspec.structs.replace(to, username=username, password=password)
    return CallParameters(
        to=given.get("To").strip(),
        target=to,
        from_=from_,
        caller_id=caller_id,
        from_host=from_host,
        hooks=hooks,
        application_id=application_id,
        ring_timeout=float(checks.number(given, "Timeout", 60, 1, 600, 21208)),
        time_limit=float(checks.number(given, "TimeLimit", LONGEST_CALL, 1, LONGEST_LIMIT)),
        send_digits=digits,
        recording=recording if recorded else None,
        # Twilio has no ears for who answers while it presses keys.
        detection=None if digits and profile is TWILIO else detection,
        remarks=(*remarks, *more),
    )


def read_hooks(given: Parameters, profile: Profile, *, required: bool = False) -> Hooks:
    """`Url` or `Twiml` (`Laml`), fallback and status callback.

    Raises:
        ApiError: 21205 and others of the services.
    """
    url = checks.url(given, "Url", 21205)
    markup = given.get("Twiml") or given.get("Laml") or None
    if url is None and markup is None and required:
        raise ApiError(21205, "Url parameter is required.")
    if markup is not None and profile is TWILIO and len(markup) > LONGEST_TWIML and url is None:
        raise ApiError(20422, f"Twiml must not be longer than {LONGEST_TWIML} characters")
    events, remarks = _events(given, profile)
    return Hooks(
        url=url,
        method=checks.method(given, "Method"),
        markup=None if url is not None else markup,  # Url wins
        fallback_url=checks.url(given, "FallbackUrl", 21205),
        fallback_method=checks.method(given, "FallbackMethod"),
        status_callback=checks.url(given, "StatusCallback", 21609),
        status_callback_method=checks.method(given, "StatusCallbackMethod"),
        events=events,
        remarks=remarks,
    )


def _to(given: Parameters, profile: Profile) -> Target:
    to = given.get("To")
    if not to.strip():
        raise ApiError(21201 if profile is TWILIO else 21211, "No 'To' number is specified")
    try:
        return target_of(to)
    except BadAddress as bad:
        raise ApiError(bad.code, bad.message) from None


def _from(given: Parameters) -> tuple[str, str | None, str | None]:
    """(as shown, user part that the callee sees, its host)."""
    from_ = given.get("From").strip()
    if not from_:
        raise ApiError(21213, "A 'From' phone number is required.")
    try:
        user, host = caller_of(from_)
        caller_id = given.get("CallerId").strip()
        if caller_id:
            user, host = caller_of(caller_id)
    except BadAddress as bad:
        raise ApiError(bad.code, bad.message) from None
    return from_, None if user == from_ else user, host


def _application_id(given: Parameters) -> UUID | None:
    sid = given.get("ApplicationSid").strip()
    if not sid:
        return None
    id = read_sid(sid)
    if id is None:
        raise invalid("ApplicationSid", "the SID of an application", sid, 21218)
    return id


def _events(given: Parameters, profile: Profile) -> tuple[tuple[str, ...] | None, tuple[Note, ...]]:
    """The subscriptions; unknown events are warnings on the call, and with no others it keeps the default."""
    named = words(given.all("StatusCallbackEvent"))
    if not named:
        return None, ()
    known = known_events(profile)
    remarks = [
        notes.warning("21626", f"StatusCallbackEvent {word!r} is not known")
        for word in named
        if word not in known
    ]
    events = tuple(word for word in dict.fromkeys(named) if word in known)
    return events or None, tuple(remarks)


def _send_digits(given: Parameters, profile: Profile) -> str | None:
    digits = given.get("SendDigits").strip()
    if not digits:
        return None
    if not _DIGITS[profile is TWILIO].fullmatch(digits):
        raise invalid("SendDigits", "up to 32 of 0-9 # * w W", digits, 21206)
    return digits


def _sip_credentials(given: Parameters) -> tuple[str | None, str | None]:
    username, password = given.get("SipAuthUsername"), given.get("SipAuthPassword")
    if len(username) > 255:
        raise ApiError(21221, "SipAuthUsername must be fewer than 256 characters")
    if len(password) > 255:
        raise ApiError(21223, "SipAuthPassword must be fewer than 256 characters")
    if username and not password:
        raise ApiError(21225, "SipAuthPassword is required with SipAuthUsername")
    return (username, password) if username else (None, None)


def _recording(given: Parameters) -> tuple[bool, RecordingPlan, tuple[Note, ...]]:
    """Whether to record, and how; the latter is held to its syntax in any case."""
    plan, remarks = read_plan(given, source="outbound-api", trim="trim-silence")
    recorded = checks.boolean(given, "Record")
    return recorded, plan, remarks if recorded else ()


def _check_the_rest(given: Parameters) -> None:
    """Parameters that have no effect here are still held to their syntax."""
    price = given.get("MaxPricePerMinute")
    if price and not _PRICE.fullmatch(price):
        raise invalid("MaxPricePerMinute", "a price with up to four decimals", price)
    if len(given.get("CallReason")) > 50:
        raise invalid("CallReason", "at most 50 characters", given.get("CallReason"))
