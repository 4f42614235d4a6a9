"""Attributes and URLs of a document, read with each profile's leniency and noted where they are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from ringback.calls.verbs import Hook, Note
from ringback.dialects.http import boolean, integer, words
from ringback.dialects.laml import notes
from ringback.dialects.laml.elements import ATTRIBUTES
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.profiles import Profile
from ringback.dialects.xml import attributes, children, line_of, local_name
from ringback.net.url import BadUrl, resolve, target

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Reader:
    """Reads the elements of one document, and collects what is worth noting."""

    def __init__(self, profile: Profile, base: str) -> None:
        self.profile = profile
        self.base = base
        self.notes: list[Note] = []

    def warn(self, code: str, message: str, element: etree._Element) -> None:
        """Note something that the document survives."""
        line = line_of(element)
        self.notes.append(notes.warning(code, message, **({} if line is None else {"line": line})))

    def unknown(self, element: etree._Element, message: str) -> None:
        """An unknown name: skipped with a warning, or the end of the document."""
        if self.profile.skips_unknown:
            self.warn(notes.SCHEMA_WARNING, message, element)
            return
        line = line_of(element)
        detail = {} if line is None else {"line": line}
        raise DocumentError(notes.error(notes.PARSE_FAILURE, message, **detail), self.base)

    def misplaced(self, element: etree._Element, message: str, *, code: str) -> None:
        """An element where it cannot stand: left out with a warning. One that is none at all is unknown."""
        if local_name(element) in ATTRIBUTES:
            self.warn(code, message, element)
        else:
            self.unknown(element, message)

    def known_attributes(self, element: etree._Element) -> None:
        """Check the names of the attributes."""
        name = local_name(element)
        for attribute in attributes(element):
            if attribute not in ATTRIBUTES[name] and ":" not in attribute:
                self.unknown(element, f"{name} has no attribute {attribute}")

    def known_tree(self, element: etree._Element) -> None:
        """Check the names of an element and all that is in it."""
        for each in element.iter(etree.Element):
            name = local_name(each)
            if name in ATTRIBUTES:
                self.known_attributes(each)
            elif each.getparent() is element:
                self.unknown(each, f"{local_name(element)} cannot hold {name}")

    def no_children(self, element: etree._Element) -> None:
        """Check that the element holds text only."""
        for child in children(element):
            if local_name(child) != "Parameter":
                self.unknown(child, f"{local_name(element)} cannot hold {local_name(child)}")

    # -- values

    def integer(
        self,
        element: etree._Element,
        name: str,
        default: int,
        *,
        code: str,
        least: int = 0,
        most: int | None = None,
    ) -> int:
        """A whole number; the default, with a warning, when it is none or below `least`; at most `most`."""
        given = element.get(name)
        if given is None:
            return default
        value = integer(given, least=least)
        if value is None:
            self._wrong(element, name, given, f"a whole number from {least}", code)
            return default
        return value if most is None else min(value, most)

    def boolean(self, element: etree._Element, name: str, default: bool, *, code: str) -> bool:
        """`true` or `false`, in any letter case."""
        given = element.get(name)
        if given is None:
            return default
        value = boolean(given)
        if value is None:
            self._wrong(element, name, given, "true or false", code)
            return default
        return value

    def choice(
        self, element: etree._Element, name: str, words: Sequence[str], default: str, *, code: str
    ) -> str:
        """One of some words."""
        given = element.get(name)
        if given is None:
            return default
        if given.strip() in words:
            return given.strip()
        self._wrong(element, name, given, " or ".join(words), code)
        return default

    def method(
        self,
        element: etree._Element,
        name: str = "method",
        *,
        code: str,
        methods: Sequence[str] = ("GET", "POST"),
    ) -> str:
        """GET or POST, in any letter case."""
        given = element.get(name)
        if given is None:
            return "POST"
        if given.strip().upper() in methods:
            return given.strip().upper()
        self._wrong(element, name, given, " or ".join(methods), code)
        return "POST"

    def words(
        self, element: etree._Element, name: str, known: Sequence[str], default: tuple[str, ...], *, code: str
    ) -> tuple[str, ...]:
        """A list of words; unknown ones are left out, and with no others it keeps the default."""
        given = words([element.get(name) or ""])
        for word in given:
            if word not in known:
                self._wrong(element, name, word, ", ".join(known), code)
        return tuple(word for word in dict.fromkeys(given) if word in known) or default

    def _wrong(self, element: etree._Element, name: str, given: str, expected: str, code: str) -> None:
        self.warn(code, f"{local_name(element)}: {name} must be {expected}, not {given!r}", element)

    # -- URLs

    def url(self, reference: str) -> str | None:
        """A URL made absolute; None when that is not possible or it is no http or https URL."""
        text = reference.strip()
        if not text or (not self.base and not _SCHEME.match(text)):
            return None
        try:
            absolute = resolve(self.base, text) if self.base else text
            target(absolute)
        except (BadUrl, ValueError):
            return None
        return absolute

    def hook(self, url: str | None, method: str) -> Hook | None:
        """A place to ask, where there is one."""
        return None if url is None else Hook(url=url, method=method)

    def place(
        self,
        element: etree._Element,
        name: str,
        *,
        code: str,
        method_code: str,
        method: str = "",
        methods: Sequence[str] = ("GET", "POST"),
    ) -> Hook | None:
        """Where an attribute's URL leads, with the method of its companion (`method`, or `nameMethod`).

        None where it is absent or, with a warning, no URL.
        """
        how = self.method(element, method or f"{name}Method", code=method_code, methods=methods)
        given = (element.get(name) or "").strip()
        if not given:
            return None
        url = self.url(given)
        if url is None:
            self._wrong(element, name, given, "a URL", code)
        return self.hook(url, how)

    def action(self, element: etree._Element, *, method_code: str, to_document: bool = False) -> Hook | None:
        """Where a verb's outcome goes. `to_document`: without `action`, back to the document's own URL."""
        how = self.method(element, code=method_code)
        name, given = local_name(element), (element.get("action") or "").strip()
        if not given and not to_document:
            return None
        url = self.url(given) if given else self.base or None
        if url is None:
            why = (
                f"{given!r} is not a URL"
                if self.base
                else "action must be an absolute URL, since the document has none itself"
            )
            self.warn(notes.RELATIVE_ACTION, f"{name}: {why}", element)
        return self.hook(url, how)
