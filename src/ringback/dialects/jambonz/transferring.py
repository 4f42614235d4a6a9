"""Transfers, as a verb and over REST: blind by REFER or by calling, warm with the caller parked or present.
Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.calls.verbs import (
    Answering,
    Callee,
    Clip,
    Dial,
    Fallbacks,
    Gather,
    HangUp,
    MachineDetection,
    Note,
    Play,
    Redirect,
    Refer,
    Reports,
    Say,
    Transfer,
    Unbuilt,
)
from ringback.dialects.jambonz.detection import detection
from ringback.dialects.jambonz.dialling import RINGBACK, read_callees, read_line, seconds, unbuilt
from ringback.dialects.jambonz.errors import NOT_SUPPORTED, InvalidApplication
from ringback.dialects.jambonz.headers import headers_of
from ringback.dialects.jambonz.prompts import GATHER_TIMEOUT, say
from ringback.dialects.jambonz.requesting import read_address
from ringback.dialects.jambonz.session import Session, has_host, is_http_url, read_hook
from ringback.dialects.jambonz.targets import NotSupported, is_sip_uri, read_target

ANSWER_SECONDS = 30.0
_VOICEMAIL_SECONDS = 60.0
_KEYS = frozenset("0123456789*#ABCD")
_WARM = ("callerPresent", "onHoldHook", "amd", "brief")
"""What a blind transfer leaves out."""
_NOT_IN_REFER = ("confirmHook", "trunk", "proxy", "auth", "from")
"""Properties of a target that say how we call it."""


def transfer(data: dict[str, Any], session: Session) -> tuple[Transfer | Unbuilt, list[Note]]:
    """The transfer verb, and what of it is not done. One that asks for what a REFER cannot do is not begun.

    Raises:
        InvalidApplication
    """
    blind = data["mode"] == "blind"
    by: Dial | Refer
    notes: list[Note] = []
    try:
        if blind and data.get("blindMethod", "refer") == "refer":
            by = _refer(data, session)
        else:
            by, notes = _dial(data, session, blind=blind)
    except NotSupported as error:
        return unbuilt("transfer", error.message, data, ["target"]), []
    ignored = [name for name in _WARM if blind and data.get(name)]
    if ignored:
        message = f"transfer: only a warm transfer has {', '.join(ignored)}"
        notes.append(Note(level="warning", code=NOT_SUPPORTED, message=message, detail={"verb": "transfer"}))
    verb = Transfer(
        id=data.get("id"),
        answering=Answering.ANSWER,
        by=by,
        fallbacks=_fallbacks(data.get("disposition") or {}, session),
        action=read_hook(data.get("actionHook"), session, "transfer"),
    )
    return verb, notes


# -- by REFER


def _refer(data: dict[str, Any], session: Session) -> Refer:
    if data.get("confirm"):
        raise NotSupported("not supported: confirm with blindMethod refer")
    targets = data["target"]
    if len(targets) > 1:
        raise NotSupported("not supported: several targets with blindMethod refer")
    if not targets:
        raise InvalidApplication("transfer: missing value for target")
    caller_id = read_line("transfer", data, "callerId")
    return Refer(
        refer_to=_referred_to(targets[0]),
        referred_by=read_address("transfer", caller_id, "callerId") if caller_id else None,
        headers=headers_of(targets[0].get("headers")),
        progress=read_hook(data.get("eventHook"), session, "transfer"),
        timeout=seconds(data.get("timeout")) or ANSWER_SECONDS,
    )


def _referred_to(target: dict[str, Any]) -> str:
    """The target as the far end is to call it."""
    for name in _NOT_IN_REFER:
        if target.get(name):
            raise NotSupported(f"not supported: target property {name} with blindMethod refer")
    address = read_target(target).target.address
    if target["type"] == "user":
        address = str(target["name"]).strip()
        if "@" not in address:
            raise NotSupported("not supported: a user without its domain with blindMethod refer")
    return read_address("transfer", address, "target")


# -- by calling


def _dial(data: dict[str, Any], session: Session, *, blind: bool) -> tuple[Dial, list[Note]]:
    try:
        callees, notes = read_callees("transfer", data, session)
    except NotSupported as error:
        raise NotSupported(f"target {error.message}") from None
    brief = () if blind else _brief(data.get("brief"), session)
    parks = not (blind or data.get("callerPresent"))
    confirm = _confirm(data.get("confirm"), session)
    hook = read_hook(data.get("eventHook"), session, "transfer")
    about = {
        "briefing": (*brief, *confirm) if parks else confirm,
        "reports": Reports(hook=hook) if hook is not None else None,
    }
    dial = Dial(
        callees=tuple(msgspec.structs.replace(callee, **about) for callee in callees),
        caller_id=read_line("transfer", data, "callerId"),
        ring_timeout=seconds(data.get("timeout")) or ANSWER_SECONDS,
        ringback=RINGBACK,
        parks=parks,
        hold_hook=read_hook(data.get("onHoldHook"), session, "transfer") if parks else None,
        announcement=() if parks else brief,
        detection=None if blind else _people_only(data, session),
    )
    return dial, notes


def _brief(data: dict[str, Any] | None, session: Session) -> tuple[Say, ...]:
    if not data:
        return ()
    return (say({"text": data["text"], "synthesizer": data.get("synthesizer")}, session),)


def _confirm(data: dict[str, Any] | None, session: Session) -> tuple[Gather, ...]:
    """The prompt, spoken or fetched, and the one key that accepts."""
    if not data:
        return ()
    key = data["digit"].upper()
    if len(key) != 1 or key not in _KEYS:
        raise InvalidApplication("transfer: property digit has invalid data type")
    text = data["prompt"]
    prompt = Play(clips=(Clip(text.strip()),)) if is_http_url(text.strip()) else say({"text": text}, session)
    gather = Gather(
        prompts=(prompt,),
        first_digit_timeout=GATHER_TIMEOUT,
        finish_keys=frozenset(),
        max_digits=1,
        expected=key,
    )
    return (gather,)


def _people_only(data: dict[str, Any], session: Session) -> MachineDetection | None:
    """Who answers is known before anything is said; a machine is not connected."""
    wanted = detection(data.get("amd"), session)
    if wanted is None:
        return None
    return msgspec.structs.replace(wanted, asynchronous=False, follow=False, people_only=True)


# -- what follows when it fails


def _fallbacks(data: dict[str, Any], session: Session) -> Fallbacks:
    def after(name: str) -> tuple[Dial | HangUp | Redirect, ...]:
        match data.get(name):
            case "hangup":
                return (HangUp(),)
            case "voicemail":
                return (_voicemail(data.get("voicemailUrl"), session),)
        return ()

    return Fallbacks(
        no_answer=after("onNoAnswer"),
        busy=after("onBusy"),
        declined=after("onDecline"),
        failed=after("onFailure"),
    )


def _voicemail(url: str | None, session: Session) -> Dial | Redirect:
    """A SIP URI is called, any other place is asked for verbs."""
    url = (url or "").strip()
    if not url:
        raise InvalidApplication("transfer: missing value for voicemailUrl")
    if url.lower().startswith(("sip:", "sips:")):
        if not is_sip_uri(url):
            raise InvalidApplication("transfer: voicemailUrl is not a url")
        addressed = read_target({"type": "sip", "sipUri": url})
        callee = Callee(target=addressed.target, shown=addressed.shown)
        return Dial(callees=(callee,), ring_timeout=_VOICEMAIL_SECONDS, ringback=RINGBACK)
    if is_http_url(url) and not has_host(url):
        raise InvalidApplication("transfer: voicemailUrl is not a url")
    hook = read_hook(url, session, "transfer")
    assert hook is not None
    return Redirect(hook=hook)
