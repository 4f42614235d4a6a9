"""Reading a verb's attributes the way RestComm does: a wrong value never stops the document."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from ringback.calls.verbs import Note
from ringback.dialects.callapi.errors import warning
from ringback.dialects.http import integer
from ringback.dialects.xml import attributes, line_of, local_name

_LONGEST = 24 * 60 * 60

_KNOWN = {
    "Say": "voice language loop",
    "Play": "loop",
    "Gather": "action method timeout finishOnKey numDigits input partialResultCallback language hints"
    " partialResultCallbackMethod startInputKey preTimeout postTimeout actionOnEmptyResult",
    "Record": "action method timeout finishOnKey maxLength playBeep transcribe transcribeCallback media",
    "Dial": "action method timeout timeLimit callerId record dialMusic hangupOnStar sequential",
    "Hangup": "reason",
    "Pause": "length",
    "Redirect": "method",
    "Reject": "reason",
    "Enqueue": "waitUrl joinUrl rejoin",
    "Leave": "",
    "Sms": "to from action method statusCallback",
    "Email": "from to cc bcc subject",
    "Fax": "to from action method statusCallback",
    "Language": "",
    "UssdCollect": "action",
    "UssdMessage": "",
    "Geolocation": "deviceIdentifier action method statusCallback",
}
KNOWN = {verb: frozenset(names.split()) for verb, names in _KNOWN.items()}
"""Every verb and the attributes it may have."""

_CALLED = "url method timeout sendDigits statusCallback statusCallbackEvent statusCallbackMethod"
NOUNS = {
    "Number": frozenset(_CALLED.split()),
    "Client": frozenset(f"{_CALLED} name".split()),
    "Sip": frozenset(f"{_CALLED} name username password".split()),
    "Uri": frozenset(f"{_CALLED} name username password".split()),
}
"""The parties of a Dial and the attributes they may have."""


class Attributes:
    """One verb's attributes, trimmed; what is wrong with them joins `notes`."""

    def __init__(self, element: etree._Element, notes: list[Note]) -> None:
        self._verb = local_name(element)
        self._line = line_of(element)
        self._notes = notes
        self._values = {name: value.strip() for name, value in attributes(element).items()}
        for name in self._values:
            if name not in (KNOWN.get(self._verb) or NOUNS[self._verb]):
                self.warn("12200", f"{name} is not an attribute of {self._verb}.")

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def warn(self, code: str, message: str) -> None:
        """Add a warning that names the verb and its line."""
        self._notes.append(warning(code, message, verb=self._verb, line=self._line))

    def text(self, name: str) -> str:
        """The value as it is; empty when absent."""
        return self._values.get(name, "")

    def number(self, name: str, default: int, *, code: str, least: int = 0, most: int = _LONGEST) -> int:
        """A whole number; the default when absent or (with a warning) out of bounds."""
        if name not in self._values:
            return default
        value = integer(self._values[name], least=least, most=most)
        if value is None:
            self.warn(code, f"{self._values[name]} is an invalid {name} value.")
            return default
        return value

    def word(self, name: str, allowed: Iterable[str], default: str, *, code: str) -> str:
        """One of the allowed words, in lower case."""
        given = self._values.get(name, "").lower()
        if name not in self._values or given in allowed:
            return given or default
        self.warn(code, f"{self._values[name]} is an invalid {name} value.")
        return default

    def flag(self, name: str, default: bool, *, code: str) -> bool:
        """`true` or `false`."""
        return self.word(name, ("true", "false"), str(default).lower(), code=code) == "true"

    def method(self, code: str, name: str = "method") -> str:
        """GET or POST, which is the default."""
        return self.word(name, ("get", "post"), "post", code=code).upper()

    def keys(self, name: str, allowed: str, default: frozenset[str], *, code: str) -> frozenset[str]:
        """A set of keys; an empty attribute is the empty set."""
        if name not in self._values:
            return default
        given = self._values[name]
        if len(given) > len(allowed) or not set(given) <= set(allowed):
            self.warn(code, f"{given} is an invalid {name} value.")
            return default
        return frozenset(given)
