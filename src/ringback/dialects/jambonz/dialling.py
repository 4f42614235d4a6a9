"""The dial verb: whom it calls, how the two are connected, and who is asked on the way. Pure."""

from __future__ import annotations

from typing import Any

from ringback.calls.verbs import Answering, Callee, Clip, Dial, Hook, KeyPatterns, Note, Unbuilt
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.detection import detection, gain
from ringback.dialects.jambonz.errors import NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.headers import headers_of
from ringback.dialects.jambonz.prompts import LONGEST, answering
from ringback.dialects.jambonz.session import Session, absolute, read_hook
from ringback.dialects.jambonz.targets import NotSupported, read_proxy, read_target

RING_SECONDS = 60.0
MOST_TARGETS = 10
RINGBACK = "us"
_KEYS = frozenset("0123456789*#ABCD")
_MOST_PATTERNS = 100
_UNBUILT = ("listen", "stream", "transcribe", "dub", "srtpEncryption")


def dial(data: dict[str, Any], session: Session) -> tuple[list[Dial | Unbuilt], list[Note]]:
    """The dial verb, and what of it is not done. One that asks for a part that is not built is not dialled.

    Raises:
        InvalidApplication
    """
    missing = [name for name in _UNBUILT if data.get(name)]
    if missing:
        return [unbuilt("dial", f"not supported: {', '.join(missing)}", data, missing)], []
    try:
        callees, notes = read_callees("dial", data, session)
    except NotSupported as error:
        return [unbuilt("dial", f"target {error.message}", data, ["target"])], []
    early = bool(data.get("answerOnBridge"))
    verb = Dial(
        id=data.get("id"),
        answering=Answering.NONE if early else answering({}, session),
        callees=callees,
        action=read_hook(data.get("actionHook"), session, "dial"),
        caller_id=read_line("dial", data, "callerId"),
        caller_name=read_line("dial", data, "callerName"),
        ring_timeout=seconds(data.get("timeout")) or RING_SECONDS,
        time_limit=seconds(data.get("timeLimit")),
        answer_on_bridge=early,
        ringback=RINGBACK,
        music=_clip(data.get("dialMusic"), session),
        refer_hook=read_hook(data.get("referHook"), session, "dial"),
        hold_hook=read_hook(data.get("onHoldHook"), session, "dial"),
        keys=_key_patterns(data, session),
        detection=detection(data.get("amd"), session),
        headers=headers_of(data.get("headers")),
        gain_db=gain(data.get("boostAudioSignal"), "dial") or 0.0,
    )
    return [verb], notes


def unbuilt(verb: str, why: str, data: dict[str, Any], parts: list[str]) -> Unbuilt:
    """A verb that asks for a part that is not built: it is not done, the next one runs."""
    detail = {"verb": verb, "properties": parts}
    note = Note(level="error", code=NOT_SUPPORTED, message=f"{verb}: {why}", detail=detail)
    return Unbuilt(id=data.get("id"), name=verb, note=note, failure=False)


def read_callees(verb: str, data: dict[str, Any], session: Session) -> tuple[tuple[Callee, ...], list[Note]]:
    """The parties that a verb's `target` names.

    Raises:
        NotSupported, InvalidApplication
    """
    targets = data["target"]
    if not targets:
        raise InvalidApplication(f"{verb}: missing value for target")
    proxy = read_proxy(data)
    callees = tuple(_callee(target, data, proxy, session) for target in targets[:MOST_TARGETS])
    notes = []
    if len(targets) > MOST_TARGETS:
        message = f"{verb}: only the first {MOST_TARGETS} of {len(targets)} targets are called"
        notes = [Note(level="warning", code=NOT_SUPPORTED, message=message, detail={"verb": verb})]
    return callees, notes


def _callee(target: dict[str, Any], data: dict[str, Any], proxy: str | None, session: Session) -> Callee:
    addressed = read_target(target, proxy=proxy)
    return Callee(
        target=addressed.target,
        shown=addressed.shown,
        caller_id=addressed.caller_id,
        from_host=addressed.from_host,
        screening=_confirm_hook(target, session) or read_hook(data.get("confirmHook"), session, "dial"),
        custom=data.get("tag"),
    )


def _confirm_hook(target: dict[str, Any], session: Session) -> Hook | None:
    """The target's own; its method stands beside it."""
    value = target.get("confirmHook")
    if isinstance(value, str) and value and target.get("method"):
        value = {"url": value, "method": target["method"]}
    return read_hook(value, session, "target")


def _key_patterns(data: dict[str, Any], session: Session) -> KeyPatterns | None:
    """`dtmfCapture`: a list is for both parties, an object has one for each."""
    captured = data.get("dtmfCapture")
    if not captured:
        return None
    hook = read_hook(data.get("dtmfHook"), session, "dial")
    if hook is None:
        raise InvalidApplication("dial: missing value for dtmfHook")
    each = captured if isinstance(captured, dict) else {"parentCall": captured, "childCall": captured}
    return KeyPatterns(
        hook=hook, caller=_patterns(each.get("parentCall")), callee=_patterns(each.get("childCall"))
    )


def _patterns(value: object) -> tuple[str, ...]:
    patterns = value if isinstance(value, list) else [] if value is None else [value]
    wrong = InvalidApplication("dial: property dtmfCapture has invalid data type")
    if len(patterns) > _MOST_PATTERNS:
        raise wrong
    found = []
    for pattern in patterns:
        if not isinstance(pattern, str) or not 0 < len(pattern) <= 32 or not set(pattern.upper()) <= _KEYS:
            raise wrong
        found.append(pattern.upper())
    return tuple(found)


def _clip(url: str | None, session: Session) -> Clip | None:
    if not url or not url.strip():
        return None
    return Clip(absolute(url.strip(), session, "dial") if url.startswith("/") else url.strip())


def seconds(value: float | None) -> float | None:
    """A limit that is one."""
    return min(float(value), LONGEST) if value is not None and value > 0 else None


def read_line(verb: str, data: dict[str, Any], name: str) -> str | None:
    """A text that goes into a SIP header field.

    Raises:
        InvalidApplication
    """
    text: str | None = data.get(name)
    if text is not None and not is_one_line(text):
        raise InvalidApplication(f"{verb}: property {name} has invalid data type")
    return text or None
