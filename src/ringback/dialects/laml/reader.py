"""Attributes and URLs of a document, read with each profile's leniency and noted where they are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from ringback.calls.verbs import Hook, Note
from ringback.dialects.http import boolean, integer
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

    def method(self, element: etree._Element, name: str = "method", *, code: str) -> str:
        """GET or POST, in any letter case."""
        given = element.get(name)
        if given is None:
            return "POST"
        if given.strip().upper() in ("GET", "POST"):
            return given.strip().upper()
        self._wrong(element, name, given, "GET or POST", code)
        return "POST"

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
