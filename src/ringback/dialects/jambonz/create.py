"""What `POST …/Calls` asks for, read and checked. Pure, given the directory."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.verbs import Hook, Target
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.errors import ApiError, InvalidApplication
from ringback.dialects.jambonz.markup import headers_of, parse_json
from ringback.dialects.jambonz.session import Session, has_host, is_absolute, read_hook
from ringback.dialects.jambonz.setup import Setup, setup_of
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account, Directory, Speech
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri

RING_SECONDS = 60.0
_LONGEST = 24 * 3600
_SPEECH = (
    "speech_synthesis_vendor",
    "speech_synthesis_language",
    "speech_synthesis_voice",
    "speech_recognizer_vendor",
    "speech_recognizer_language",
)
_UNBUILT = (
    "amd", "answerOnBridge", "dual_streams", "sipRequestWithinDialogHook", "referHook", "transcribe",
    "record",
)  # fmt: skip
_UNBUILT_TARGET = ("proxy", "overrideTo", "vmail", "tenant", "confirmHook")


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """A call to be placed, valid as far as the request can tell."""

    setup: Setup
    application_id: UUID | None
    to: Target
    to_shown: str
    from_: str
    caller_id: str | None = None
    caller_name: str | None = None
    from_host: str | None = None
    ring_timeout: float = RING_SECONDS
    time_limit: float | None = None
    tag: dict[str, Any] | None = None


def read_create(body: Any, account: Account, directory: Directory) -> Create:
    """The request's body, checked in the service's order.

    Raises:
        ApiError: 400 with the service's message.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "missing from parameter")
    from_ = body.get("from")
    if not isinstance(from_, str) or not 0 < len(from_) <= 256 or not is_one_line(from_):
        raise ApiError(400, "missing from parameter")
    target, shown = _read_target(body.get("to"), body.get("headers"))
    if body.get("application_sid"):
        setup = _configured(body["application_sid"], account, directory)
    else:
        setup = _own(body)
    for name in _UNBUILT:
        if body.get(name):
            raise ApiError(400, f"{name} is not supported")
    caller = body["to"].get("from") or {}
    return Create(
        setup=setup,
        application_id=setup.application_id,
        to=target,
        to_shown=shown,
        from_=from_,
        caller_id=_text(caller, "user") or None,
        caller_name=_text(body, "callerName") or None,
        from_host=_host(body, "fromHost") or _host(caller, "host"),
        ring_timeout=_seconds(body, "timeout") or RING_SECONDS,
        time_limit=_seconds(body, "timeLimit"),
        tag=_object(body, "tag"),
    )


def _read_target(to: Any, headers: Any) -> tuple[Target, str]:
    """Whom to call, and how the record shows it."""
    wrong = ApiError(400, f"missing or invalid to property: {_json(to)}")
    if not isinstance(to, dict):
        raise wrong
    kind, key = {
        "phone": ("number", "number"),
        "user": ("client", "name"),
        "sip": ("sip", "sipUri"),
        "teams": ("teams", "number"),
    }.get(str(to.get("type")), ("", ""))
    address = to.get(key) if key else None
    if not isinstance(address, str) or not address.strip() or not is_one_line(address):
        raise wrong
    if kind == "sip" and not _is_sip_uri(address.strip()):
        raise wrong
    if kind == "teams":
        raise ApiError(400, "to type teams is not supported")
    for name in _UNBUILT_TARGET:
        if to.get(name):
            raise ApiError(400, f"to property {name} is not supported")
    if not isinstance(to.get("from") or {}, dict):
        raise wrong
    return _target(to, kind, address.strip(), headers), address.strip()


def _target(to: dict[str, Any], kind: str, address: str, headers: Any) -> Target:
    auth = to.get("auth") if isinstance(to.get("auth"), dict) else None
    return Target(
        kind=kind,
        # A device is known by its name alone; there is one realm.
        address=address.partition("@")[0] if kind == "client" else address,
        headers=(*_headers(headers), *_headers(to.get("headers"))),
        username=_text(auth, "username") or None if auth else None,
        password=_text(auth, "password") or None if auth else None,
        trunk=_text(to, "trunk") or None,
    )


def _configured(sid: Any, account: Account, directory: Directory) -> Setup:
    """The setup of a configured application; what it says wins over the body."""
    id = read_sid(sid) if isinstance(sid, str) else None
    application = None if id is None else directory.application(id)
    if application is None or application.account_id != account.id or application.dialect != "jambonz":
        raise ApiError(400, f"application_sid not found {str(sid)[:60]}")
    return setup_of(application)


def _own(body: dict[str, Any]) -> Setup:
    """The setup of a call that brings its own hooks."""
    if any(not isinstance(body.get(name), str) or not body[name] for name in _SPEECH):
        raise ApiError(400, f"either application_sid or set of {', '.join(_SPEECH)} required")
    app_json = _app_json(body.get("app_json"))
    if body.get("call_hook") is None and not app_json:
        raise ApiError(400, "either application_sid or call_hook required")
    call_hook = hook_of(body.get("call_hook"), "call_hook") or Hook(url="")
    return Setup(
        call_hook=call_hook,
        status_hook=hook_of(body.get("call_status_hook"), "call_status_hook"),
        app_json=app_json,
        speech=_speech(body),
    )


def _speech(body: dict[str, Any]) -> Speech:
    def own(name: str) -> str:
        value = str(body[name])
        return "" if value == "default" else value

    return Speech(
        synthesis_vendor=own("speech_synthesis_vendor"),
        synthesis_language=own("speech_synthesis_language"),
        synthesis_voice=own("speech_synthesis_voice"),
        recognizer_vendor=own("speech_recognizer_vendor"),
        recognizer_language=own("speech_recognizer_language"),
    )


def hook_of(value: Any, name: str, session: Session | None = None) -> Hook | None:
    """A hook of a REST body: an absolute URL, or an object with one. With a session it may be relative.

    Raises:
        ApiError: 400
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str | dict):
        raise ApiError(400, f"{name} must be a string or an object containing a url property")
    try:
        hook = read_hook(value, session or Session(), name)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None
    known_base = session is not None and session.socket
    if hook is None or not (known_base or (is_absolute(hook.url) and has_host(hook.url))):
        raise ApiError(400, f"{name} url be an absolute url")
    return hook


def _app_json(value: Any) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else _json(value)
    try:
        parse_json(text, Session())
    except InvalidApplication as error:
        raise ApiError(400, f"invalid app_json: {error.message}") from None
    return text


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if value is not None and not isinstance(value, dict):
        raise ApiError(400, "invalid headers")
    try:
        return headers_of(value)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 256 or not is_one_line(value):
        raise ApiError(400, f"invalid {name}")
    return value


def _host(fields: dict[str, Any], name: str) -> str | None:
    """What stands after the @ in the From header field."""
    host = _text(fields, name)
    if host and not _is_sip_uri(f"sip:{host}"):
        raise ApiError(400, f"invalid {name}")
    return host or None


def _is_sip_uri(text: str) -> bool:
    try:
        return Uri.parse(text).scheme in ("sip", "sips")
    except SipParseError:
        return False


def _seconds(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise ApiError(400, f"invalid {name}")
    return float(value)


def _object(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise ApiError(400, f"invalid {name} data")
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:500]
