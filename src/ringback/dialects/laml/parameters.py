"""The parameters of `POST /Calls` and `POST /Calls/{Sid}`, checked. Pure.

Unknown names are ignored, as both services do. What a call cannot have yet (recording, answering-machine
detection) is refused, never silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import msgspec

from ringback.calls.verbs import Note, Target
from ringback.dialects.http import Parameters, boolean, integer, words
from ringback.dialects.laml import notes
from ringback.dialects.laml.addresses import BadAddress, caller_of, target_of
from ringback.dialects.laml.errors import ApiError, invalid, not_built
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.settings import EVENTS
from ringback.dialects.spelling import read_sid
from ringback.net.url import BadUrl, target

LONGEST_CALL = 14400.0
LONGEST_TWIML = 4000
_DIGITS = {True: re.compile(r"[0-9A-D#*wW]{1,32}"), False: re.compile(r"[0-9#*wW]{1,32}")}
_PRICE = re.compile(r"[0-9]+\.?[0-9]{0,4}")
_SIGNALWIRE_EVENTS = ("ringing_forwarded", "ringing_queued")


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


def read_call(given: Parameters, profile: Profile) -> CallParameters:
    """`POST /Calls`, checked in the services' order: To, then what to run, then From.

    Raises:
        ApiError: 400 with the service's code.
    """
    to = _to(given, profile)
    application_id = _application_id(given)
    hooks = Hooks() if application_id else read_hooks(given, profile, required=True)
    from_, caller_id, from_host = _from(given)
    _refuse_unbuilt(given)
    _check_the_rest(given, profile)
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
        ring_timeout=float(_number(given, "Timeout", 60, 1, 600, 21208)),
        time_limit=float(_number(given, "TimeLimit", int(LONGEST_CALL), 1, 86400, 20422)),
        send_digits=_send_digits(given, profile),
    )


def read_hooks(given: Parameters, profile: Profile, *, required: bool = False) -> Hooks:
    """`Url` or `Twiml` (`Laml`), fallback and status callback.

    Raises:
        ApiError: 21205 and others of the services.
    """
    url = _url(given, "Url", 21205)
    markup = given.get("Twiml") or given.get("Laml") or None
    if url is None and markup is None and required:
        raise ApiError(21205, "Url parameter is required.")
    if markup is not None and profile is TWILIO and len(markup) > LONGEST_TWIML and url is None:
        raise ApiError(20422, f"Twiml must not be longer than {LONGEST_TWIML} characters")
    events, remarks = _events(given, profile)
    return Hooks(
        url=url,
        method=_method(given, "Method"),
        markup=None if url is not None else markup,  # Url wins
        fallback_url=_url(given, "FallbackUrl", 21205),
        fallback_method=_method(given, "FallbackMethod"),
        status_callback=_url(given, "StatusCallback", 21609),
        status_callback_method=_method(given, "StatusCallbackMethod"),
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


def _url(given: Parameters, name: str, code: int) -> str | None:
    url = given.get(name).strip()
    if not url:
        return None
    try:
        target(url)
    except BadUrl as bad:
        raise ApiError(code, f"{name} is not a valid URL: {bad}") from None
    return url


def _method(given: Parameters, name: str) -> str:
    method = given.get(name, "POST").strip().upper() or "POST"
    if method not in ("GET", "POST"):
        raise invalid(name, "GET or POST", given.get(name), 21209)
    return method


def _events(given: Parameters, profile: Profile) -> tuple[tuple[str, ...] | None, tuple[Note, ...]]:
    """The subscriptions; unknown events are warnings on the call, and with no others it keeps the default."""
    named = words(given.all("StatusCallbackEvent"))
    if not named:
        return None, ()
    known = EVENTS if profile is TWILIO else (*EVENTS, *_SIGNALWIRE_EVENTS)
    remarks = [
        notes.warning("21626", f"StatusCallbackEvent {word!r} is not known")
        for word in named
        if word not in known
    ]
    events = tuple(word for word in dict.fromkeys(named) if word in known)
    return events or None, tuple(remarks)


def _number(given: Parameters, name: str, default: int, least: int, most: int, code: int) -> int:
    text = given.get(name).strip()
    if not text:
        return default
    value = integer(text, least=least, most=most)
    if value is None:
        raise invalid(name, f"a number from {least} to {most}", text, code)
    return value


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


def _refuse_unbuilt(given: Parameters) -> None:
    if boolean(given.get("Record") or "false") is not False:
        if boolean(given.get("Record")) is None:
            raise invalid("Record", "true or false", given.get("Record"))
        raise not_built("Record=true")
    detection = given.get("MachineDetection").strip()
    if detection.lower() in ("", "none", "disable", "false"):
        return
    if detection not in ("Enable", "DetectMessageEnd"):
        raise invalid("MachineDetection", "Enable or DetectMessageEnd", detection, 21234)
    raise not_built("MachineDetection", 21234)


def _check_the_rest(given: Parameters, profile: Profile) -> None:
    """Parameters that have no effect here are still held to their syntax."""
    most = 59 if profile is TWILIO else 120
    least = 3 if profile is TWILIO else 1
    _number(given, "MachineDetectionTimeout", 30, least, most, 21234)
    _number(given, "MachineDetectionSpeechThreshold", 2400, 1000, 6000, 21234)
    _number(given, "MachineDetectionSpeechEndThreshold", 1200, 500, 5000, 21234)
    _number(given, "MachineDetectionSilenceTimeout", 5000, 2000, 10000, 21234)
    _number(given, "MachineWordsThreshold", 6, 1, 100, 21234)
    for name in ("AsyncAmdStatusCallbackMethod", "RecordingStatusCallbackMethod"):
        _method(given, name)
    _one_of(given, "RecordingChannels", ("mono", "dual"))
    _one_of(given, "RecordingTrack", ("inbound", "outbound", "both"))
    _one_of(given, "Trim", ("trim-silence", "do-not-trim"))
    for name in ("AsyncAmd", "AsyncAmdPartialResults"):
        if given.get(name) and boolean(given.get(name)) is None:
            raise invalid(name, "true or false", given.get(name))
    price = given.get("MaxPricePerMinute")
    if price and not _PRICE.fullmatch(price):
        raise invalid("MaxPricePerMinute", "a price with up to four decimals", price)
    if len(given.get("CallReason")) > 50:
        raise invalid("CallReason", "at most 50 characters", given.get("CallReason"))


def _one_of(given: Parameters, name: str, values: Sequence[str]) -> None:
    if given.get(name) and given.get(name) not in values:
        raise invalid(name, " or ".join(values), given.get(name))
