"""Whom a Dial calls: Number, Client and Sip, each with what it says about its own leg."""

from __future__ import annotations

import re

import msgspec
from lxml import etree

from ringback.calls.verbs import Callee, Hook, Reports, Target
from ringback.dialects.laml import notes
from ringback.dialects.laml.addresses import BadAddress, sendable, sip_target
from ringback.dialects.laml.detection import noun_detection
from ringback.dialects.laml.profiles import SIGNALWIRE, TWILIO, Profile
from ringback.dialects.laml.reader import Reader
from ringback.dialects.progress import EVENTS
from ringback.dialects.xml import children, local_name, own_text, text_of
from ringback.routing.numbers import dialled, is_telephone_number

SIGNALWIRE_EVENTS = ("ringing_forwarded", "ringing_queued")
"""Progress that SignalWire's networks know besides; it never happens here."""
_DIGITS = re.compile(r"[0-9A-D*#wW]+")
_IDENTITY = re.compile(r"[^\s@:<>\"]{1,256}")
_SPOKEN = ("PCMU", "PCMA", "G722")
_METHOD_CODES = {"Number": "13221", "Sip": "13241", "Client": "13210"}
_SESSION_EXPIRES = 600
_LONGEST_CREDENTIAL = 255
_ADDRESS_CODES = {21227: "13253", 21228: "13252", 21229: "13252"}


def known_events(profile: Profile) -> tuple[str, ...]:
    """The progress events that can be subscribed to."""
    return EVENTS if profile is TWILIO else (*EVENTS, *SIGNALWIRE_EVENTS)


def telephone_number(reader: Reader, element: etree._Element, text: str) -> Target | None:
    """A number as people write it; None, with a warning, for anything else."""
    if not is_telephone_number(text):
        reader.warn("13223", f"Dial: {text!r} is not a telephone number", element)
        return None
    return Target(kind="number", address=dialled(text))


def number(reader: Reader, element: etree._Element) -> list[Callee]:
    """Number."""
    reader.no_children(element)
    target = telephone_number(reader, element, text_of(element))
    if target is None:
        return []
    digits = (element.get("sendDigits") or "").strip()
    if digits and not _DIGITS.fullmatch(digits):
        reader.warn("13222", f"Number: sendDigits must be keys (0-9 A-D * # w W), not {digits!r}", element)
        digits = ""
    return [
        Callee(
            target=target,
            shown=target.address,
            screening=_screening(reader, element),
            send_digits=digits or None,
            reports=_reports(reader, element),
            detection=None if digits else noun_detection(reader, element),
        )
    ]


def client(reader: Reader, element: etree._Element) -> list[Callee]:
    """Client: a device registered here. Its Parameters go along as `X-…` headers."""
    identity, headers = own_text(element), []
    for child in children(element):
        name = local_name(child)
        if name == "Identity":
            reader.known_attributes(child)
            identity = text_of(child)
        elif name == "Parameter":
            reader.known_attributes(child)
            headers.append((f"X-{child.get('name', '')}", child.get("value", "")))
        else:
            reader.misplaced(child, f"Client cannot hold {name}", code="13215")
    if not _IDENTITY.fullmatch(identity):
        reader.warn("13215", f"Client: {identity[:100]!r} is not the name of a client", element)
        return []
    target = Target(kind="client", address=identity, headers=_sendable(reader, element, headers))
    return [
        Callee(
            target=target,
            shown=f"client:{identity}",
            screening=_screening(reader, element),
            reports=_reports(reader, element),
        )
    ]


def sip(reader: Reader, element: etree._Element) -> list[Callee]:
    """Sip: its address, or, of several Uri, all in the order in which they are to be tried."""
    uris: list[etree._Element] = []
    headers: list[tuple[str, str]] = []
    for child in children(element):
        name = local_name(child)
        if name == "Uri":
            reader.known_attributes(child)
            uris.append(child)
        elif name == "Headers":
            headers += _headers(reader, child)
        else:
            reader.misplaced(child, f"Sip cannot hold {name}", code="13215")
    more = _sendable(reader, element, headers)
    targets = [_sip_target(reader, uri) for uri in sorted(uris or [element], key=_preference)]
    template = Callee(
        target=Target(kind="sip", address=""),
        shown="",
        screening=_screening(reader, element),
        reports=_reports(reader, element),
        detection=noun_detection(reader, element),
        codecs=_codecs(reader, element),
        session_expires=_session_expires(reader, element),
    )
    username, password = _credentials(reader, element)
    return [
        msgspec.structs.replace(
            template,
            target=msgspec.structs.replace(
                target,
                headers=(*target.headers, *more),
                username=target.username or username,
                password=target.password or password,
            ),
            shown=target.address,
        )
        for target in targets
        if target is not None
    ]


def _preference(uri: etree._Element) -> tuple[int, int]:
    """The lowest priority first, of these the highest weight (as RFC 2782 has it)."""

    def of(name: str) -> int:
        text = uri.get(name, "")
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0

    return of("priority"), -of("weight")


def _sip_target(reader: Reader, element: etree._Element) -> Target | None:
    text = own_text(element)
    try:
        target = sip_target(text) if text else None
    except BadAddress as bad:
        reader.warn(_ADDRESS_CODES.get(bad.code, "13243"), f"Sip: {bad.message}", element)
        return None
    if target is None or not text.lower().startswith(("sip:", "sips:")):
        reader.warn("13243", f"Sip: {text!r} is not a SIP URI", element)
        return None
    username, password = _credentials(reader, element)
    return msgspec.structs.replace(target, username=username, password=password)


def _credentials(reader: Reader, element: etree._Element) -> tuple[str | None, str | None]:
    username, password = element.get("username") or None, element.get("password") or None
    if any(len(each) > _LONGEST_CREDENTIAL for each in (username, password) if each):
        message = f"username and password must have at most {_LONGEST_CREDENTIAL} characters"
        reader.warn("13249", f"{local_name(element)}: {message}", element)
        return None, None
    return username, password


def _headers(reader: Reader, element: etree._Element) -> list[tuple[str, str]]:
    found = []
    for child in children(element):
        name = local_name(child)
        if name != "Header":
            reader.misplaced(child, f"Headers cannot hold {name}", code="13215")
            continue
        reader.known_attributes(child)
        found.append((child.get("name", ""), child.get("value", "")))
    return found


def _sendable(
    reader: Reader, element: etree._Element, headers: list[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The headers that go out; one with illegal characters is left out with a warning."""
    sent: list[tuple[str, str]] = []
    for header in headers:
        try:
            sent += sendable([header])
        except BadAddress as bad:
            reader.warn("13252", f"{local_name(element)}: {bad.message}", element)
    return tuple(sent)


def _codecs(reader: Reader, element: etree._Element) -> tuple[str, ...]:
    """What is offered; SignalWire offers G.711 unless told otherwise."""
    default = ("PCMU", "PCMA") if reader.profile is SIGNALWIRE else ()
    given = [name.strip().upper() for name in (element.get("codecs") or "").split(",") if name.strip()]
    for name in given:
        if name not in _SPOKEN:
            reader.warn("53404", f"Sip: the codec {name} is not supported", element)
    return tuple(name for name in dict.fromkeys(given) if name in _SPOKEN) or default


def _session_expires(reader: Reader, element: etree._Element) -> int | None:
    """Seconds; SignalWire has session timers unless told otherwise."""
    seconds = reader.integer(element, "sessionTimeout", 0, code=notes.SCHEMA_WARNING, most=86_400)
    return seconds or (_SESSION_EXPIRES if reader.profile is SIGNALWIRE else None)


def _screening(reader: Reader, element: etree._Element) -> Hook | None:
    code = _METHOD_CODES[local_name(element)]
    return reader.place(element, "url", method="method", code=notes.INVALID_URL, method_code=code)


def _reports(reader: Reader, element: etree._Element) -> Reports | None:
    code = _METHOD_CODES[local_name(element)]
    hook = reader.place(element, "statusCallback", code="21609", method_code=code)
    known = known_events(reader.profile)
    events = reader.words(element, "statusCallbackEvent", known, ("completed",), code="21626")
    return None if hook is None else Reports(hook=hook, events=events)
