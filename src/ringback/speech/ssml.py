"""SSML: recognise it, make it from a `<Say>` element's children, keep what is understood, or take it off.

The element names are those of W3C SSML 1.1 and of the subset that Amazon Polly defined and the LaML
services document. Everything else is dropped and its text kept: above all `<audio>`, since an
engine would open the file that it names.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from ringback.speech.languages import match_language
from ringback.speech.protocol import MAX_TEXT, SpeechError

_ROOT = re.compile(r"^\s*(<\?xml[^>]*\?>\s*)?<speak[\s>/]", re.IGNORECASE)
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TIME = re.compile(r"^\s*\+?(\d+(?:\.\d+)?)\s*(ms|s)\s*$")
_LONGEST_BREAK_MS = 10_000.0
_KEEP: dict[str, tuple[str, ...]] = {
    "p": (),
    "s": (),
    "emphasis": ("level",),
    "prosody": ("rate", "pitch", "volume", "range"),
    "sub": ("alias",),
    "phoneme": ("alphabet", "ph"),
}
# What the engine calls the ways of reading; the others read like plain text.
_SAY_AS = {
    "characters": "characters",
    "spell-out": "characters",
    "verbatim": "characters",
    "digits": "tts:digits",
    "telephone": "telephone",
}


def is_ssml(text: str) -> bool:
    """Whether a text is an SSML document: it begins with `<speak`."""
    return _ROOT.match(text) is not None


def sanitise(text: str) -> str:
    """An SSML document reduced to what the engine understands; `SpeechError` when it is too long.

    Malformed SSML is said as plain text, without what looks like tags.
    """
    _check_length(text)
    root = _parse(text)
    if root is None:
        return f"<speak>{escape(_without_tags(text))}</speak>"
    return f"<speak>{_inner(root)}</speak>"


def strip_ssml(text: str) -> str:
    """The words alone, for engines without SSML: aliases replace what they stand for."""
    _check_length(text)
    root = _parse(text if is_ssml(text) else f"<speak>{text}</speak>")
    if root is None:
        return _without_tags(text)
    return _squeezed(_words(root))


def _check_length(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise SpeechError("too-long", f"expected at most {MAX_TEXT} characters to say, got {len(text)}")


def _parse(text: str) -> etree._Element | None:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        return etree.fromstring(_without_declaration(text), parser)
    except etree.XMLSyntaxError:
        return None


def _inner(element: etree._Element) -> str:
    parts = [escape(element.text or "")]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_outer(child))
        parts.append(escape(child.tail or ""))
    return "".join(parts)


def _outer(element: etree._Element) -> str:
    name = etree.QName(element).localname
    if name == "break":
        return _break(element)
    inner = _inner(element)
    if name in _KEEP:
        present = [(key, element.get(key)) for key in _KEEP[name]]
        kept = "".join(f" {key}={quoteattr(value)}" for key, value in present if value is not None)
        return f"<{name}{kept}>{inner}</{name}>"
    if name == "say-as":
        return _say_as(element.get("interpret-as", ""), inner)
    if name in ("lang", "voice"):
        return _language(element.get(_XML_LANG) or element.get("language") or "", inner)
    return "" if name == "audio" else inner


def _break(element: etree._Element) -> str:
    timed = _TIME.match(element.get("time", ""))
    if timed is None:
        return f"<break strength={quoteattr(element.get('strength', 'medium'))}/>"
    milliseconds = float(timed.group(1)) * (1000.0 if timed.group(2) == "s" else 1.0)
    return f'<break time="{min(milliseconds, _LONGEST_BREAK_MS):.0f}ms"/>'


def _say_as(how: str, inner: str) -> str:
    if how == "expletive":
        return '<break strength="medium"/>'
    known = _SAY_AS.get(how)
    return f'<say-as interpret-as="{known}">{inner}</say-as>' if known else inner


def _language(code: str, inner: str) -> str:
    found = match_language(code) if code else None
    return f'<voice xml:lang="{found.name}">{inner}</voice>' if found else inner


def _words(element: etree._Element) -> str:
    if isinstance(element.tag, str) and etree.QName(element).localname == "sub" and element.get("alias"):
        return element.get("alias", "")
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str):
            joint = " " if etree.QName(child).localname in ("p", "s", "break") else ""
            parts.append(joint + _words(child) + joint)
        parts.append(child.tail or "")
    return "".join(parts)


def _without_tags(text: str) -> str:
    return _squeezed(re.sub(r"<[^<>]*>", " ", text))


def _without_declaration(text: str) -> str:
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)


def _squeezed(text: str) -> str:
    return " ".join(text.split())
