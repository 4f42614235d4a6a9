"""Dial and the parties it calls: Number, Client, Sip and its old name Uri, mixed and all at once.

Without nested parties the text is one: with an @ a SIP URI, `client…` a device, else a number. A party that
nobody could call is left out, with a warning; when none is left, Dial ends as `failed`. Sources: CallAPI
"Dial", "Number", "Client", "SIP"; RestComm's RCML manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from lxml import etree

from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Hook,
    Note,
    RecordingPlan,
    Reports,
    Target,
    Unbuilt,
)
from ringback.dialects.callapi.addresses import (
    BadAddress,
    kind_of,
    read_caller_id,
    read_client,
    read_number,
    read_sip,
)
from ringback.dialects.callapi.attributes import NOUNS, Attributes
from ringback.dialects.callapi.errors import BAD_URL, VERB_NOT_SUPPORTED, error, warning
from ringback.dialects.callapi.place import Place
from ringback.dialects.callapi.prompts import url_of
from ringback.dialects.callapi.targets import shown
from ringback.dialects.http import words
from ringback.dialects.progress import EVENTS
from ringback.dialects.xml import children, line_of, local_name, own_text

_MOST = 10
_RING, _TIME_LIMIT, _SCREENING = 30, 14_400, 60
_CODES = {"Number": "13223", "Client": "13223", "Sip": "13243", "Uri": "13243"}
_NOT_BUILT = frozenset({"Conference", "Queue"})
_DIGITS = re.compile(r"[0-9*#wW]{1,64}")
_READERS: dict[str, Callable[[str, str, str, str], Target]] = {
    "Number": read_number,
    "Client": read_client,
    "Sip": read_sip,
    "Uri": read_sip,
}


def dial(element: etree._Element, place: Place, notes: list[Note]) -> Dial | Unbuilt:
    """Dial with its parties; a nested Conference or Queue is not built.

    Raises:
        Stopped: a URL that is none.
    """
    for child in children(element):
        if local_name(child) in _NOT_BUILT:
            return _not_built(child)
    given = Attributes(element, notes)
    caller, host = _caller_id(given)
    return Dial(
        answering=Answering.ANSWER,
        callees=_callees(element, place, notes, host),
        sequential=given.flag("sequential", False, code="13218"),
        action=_hook(given, place, "action", given.method("13210")),
        caller_id=caller,
        ring_timeout=float(given.number("timeout", _RING, code="13212", least=1)),
        time_limit=float(given.number("timeLimit", _TIME_LIMIT, code="13216", least=1)),
        passes_early_media=False,
        ringback="us",
        music=_music(given, place),
        hang_up_keys=frozenset("*") if given.flag("hangupOnStar", False, code="13213") else frozenset(),
        recording=RecordingPlan(source="dial-verb") if given.flag("record", False, code="13217") else None,
        hang_up_after_limit=True,
    )


def _not_built(element: etree._Element) -> Unbuilt:
    name = f"Dial with {local_name(element)}"
    note = error(VERB_NOT_SUPPORTED, f"{name} is not supported.", verb="Dial", line=line_of(element))
    return Unbuilt(name=name, note=note)


def _caller_id(given: Attributes) -> tuple[str | None, str | None]:
    """The number or user that callees see, and the host; None is the caller's own."""
    text = given.text("callerId")
    if not text:
        return None, None
    try:
        caller, host = read_caller_id("callerId", text.removeprefix("client:"))
    except BadAddress as problem:
        given.warn("13214", str(problem))
        return None, None
    return caller or None, host


def _hook(given: Attributes, place: Place, name: str, method: str) -> Hook | None:
    reference = given.text(name)
    return place.ask(url_of(reference, place, BAD_URL), method) if reference else None


def _music(given: Attributes, place: Place) -> Clip | None:
    reference = given.text("dialMusic")
    return Clip(url_of(reference, place, BAD_URL)) if reference else None


# -- the parties


def _callees(
    element: etree._Element, place: Place, notes: list[Note], from_host: str | None
) -> tuple[Callee, ...]:
    nested = [child for child in children(element) if local_name(child) in NOUNS]
    for child in children(element):
        if local_name(child) not in NOUNS:
            notes.append(warning("13215", f"{local_name(child)} cannot be dialled.", line=line_of(child)))
    found = [_callee(child, place, notes) for child in nested] if nested else [_written(element, notes)]
    callees = [callee for callee in found if callee is not None]
    if len(callees) > _MOST:
        message = f"Dial calls {_MOST} parties at most; {len(callees) - _MOST} are left out."
        notes.append(warning("13250", message, line=line_of(element)))
    return tuple(msgspec.structs.replace(callee, from_host=from_host) for callee in callees[:_MOST])


def _written(element: etree._Element, notes: list[Note]) -> Callee | None:
    """The party that is Dial's own text."""
    text = own_text(element)
    name = {"sip": "Sip", "client": "Client", "number": "Number"}[kind_of(text)]
    if not text:
        notes.append(warning("13223", "Dial names nobody.", line=line_of(element)))
        return None
    target = _target(name, element, notes)
    return None if target is None else Callee(target=target, shown=shown(target))


def _callee(element: etree._Element, place: Place, notes: list[Note]) -> Callee | None:
    name = local_name(element)
    given = Attributes(element, notes)
    code = "13241" if name in ("Sip", "Uri") else "13221"
    screening = _hook(given, place, "url", given.method(code))
    limit = given.number("timeout", _SCREENING, code="13212", least=1)
    reports = _reports(given, place, code)
    keys = _keys(given, name)
    target = _target(name, element, notes, given)
    if target is None:
        return None
    return Callee(
        target=target,
        shown=shown(target),
        screening=screening,
        screening_timeout=float(limit) if screening else None,
        send_digits=keys,
        reports=reports,
    )


def _target(
    name: str, element: etree._Element, notes: list[Note], given: Attributes | None = None
) -> Target | None:
    username, password = (given.text("username"), given.text("password")) if given else ("", "")
    try:
        return _READERS[name](name, own_text(element), username, password)
    except BadAddress as problem:
        notes.append(warning(_CODES[name], str(problem), verb=name, line=line_of(element)))
        return None


def _reports(given: Attributes, place: Place, code: str) -> Reports | None:
    """Events are separated by commas; spaces are taken too. None named is `completed`."""
    hook = _hook(given, place, "statusCallback", given.method(code, "statusCallbackMethod"))
    wanted = [word.lower() for word in words([given.text("statusCallbackEvent")])]
    for word in wanted:
        if word not in EVENTS:
            given.warn("12200", f"{word} is not a statusCallbackEvent.")
    events = tuple(word for word in EVENTS if word in wanted)
    return None if hook is None else Reports(hook=hook, events=events or ("completed",))


def _keys(given: Attributes, name: str) -> str | None:
    text = given.text("sendDigits")
    if text and not _DIGITS.fullmatch(text):
        given.warn("13242" if name in ("Sip", "Uri") else "13222", f"{text} is an invalid sendDigits value.")
        return None
    return text or None
