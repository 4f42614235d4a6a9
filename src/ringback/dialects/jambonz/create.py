"""What `POST …/Calls` asks for, read and checked. Pure, given the directory."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from ringback.calls.application import Application
from ringback.calls.control import CallRequest
from ringback.calls.verbs import Hook, MachineDetection, Target
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.detection import detection
from ringback.dialects.jambonz.errors import ApiError, InvalidApplication
from ringback.dialects.jambonz.headers import headers_of
from ringback.dialects.jambonz.markup import parse_json
from ringback.dialects.jambonz.session import Session, has_host, is_absolute, read_hook, session_for
from ringback.dialects.jambonz.setup import Setup, setup_of
from ringback.dialects.jambonz.targets import Addressed, NotSupported, read_host, read_target
from ringback.dialects.jambonz.validate import check
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account, Directory, Speech

RING_SECONDS = 60.0
_LONGEST = 24 * 3600
_SPEECH = (
    "speech_synthesis_vendor",
    "speech_synthesis_language",
    "speech_synthesis_voice",
    "speech_recognizer_vendor",
    "speech_recognizer_language",
)
# What the service knows beyond these and is not here; `answerOnBridge` and `dual_streams` change nothing:
# we are the ones who call, and recordings have the parties apart as they are.
_UNBUILT = ("transcribe", "record")


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
    detection: MachineDetection | None = None

    def request(self, account: Account, application: Application) -> CallRequest:
        """The call as the engine is asked for it; the application is made of `setup`."""
        return CallRequest(
            account=account,
            application=application,
            application_id=self.application_id,
            to=self.to,
            to_shown=self.to_shown,
            from_=self.from_,
            caller_id=self.caller_id,
            caller_name=self.caller_name,
            from_host=self.from_host,
            ring_timeout=self.ring_timeout,
            time_limit=self.time_limit,
            custom=self.tag,
            detection=self.detection,
        )


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
    addressed = _read_target(body.get("to"), body.get("headers"))
    if body.get("application_sid"):
        setup = _configured(body["application_sid"], account, directory)
    else:
        setup = _own(body)
    for name in _UNBUILT:
        if body.get(name):
            raise ApiError(400, f"{name} is not supported")
    session = session_for(setup.speech, setup.call_hook.url)
    setup = msgspec.structs.replace(
        setup,
        refer_hook=hook_of(body.get("referHook"), "referHook", session),
        request_hook=hook_of(body.get("sipRequestWithinDialogHook"), "sipRequestWithinDialogHook", session),
    )
    return Create(
        setup=setup,
        application_id=setup.application_id,
        to=addressed.target,
        to_shown=addressed.shown,
        from_=from_,
        caller_id=addressed.caller_id,
        caller_name=_text(body, "callerName") or None,
        from_host=_host(body, "fromHost") or addressed.from_host,
        ring_timeout=_seconds(body, "timeout") or RING_SECONDS,
        time_limit=_seconds(body, "timeLimit"),
        tag=_object(body, "tag"),
        detection=_detection(body.get("amd"), session),
    )


def _detection(amd: Any, session: Session) -> MachineDetection | None:
    """How to find out who answered, with the events going to a hook of the application's."""
    if amd is None:
        return None
    if not isinstance(amd, dict):
        raise ApiError(400, "invalid amd")
    try:
        check("amd", amd)
        return detection(amd, session)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None


def _read_target(to: Any, headers: Any) -> Addressed:
    """Whom to call, and how the record shows it."""
    wrong = ApiError(400, f"missing or invalid to property: {_json(to)}")
    if not isinstance(to, dict):
        raise wrong
    common = _headers(headers)
    try:
        _headers(to.get("headers"))
        if to.get("confirmHook"):
            raise NotSupported("property confirmHook is not supported")
        return read_target(to, headers=common)
    except NotSupported as error:
        raise ApiError(400, f"to {error.message}") from None
    except InvalidApplication as error:
        if error.message.startswith("target:"):
            raise wrong from None
        raise ApiError(400, error.message) from None


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
    try:
        return read_host(fields, name)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None


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
