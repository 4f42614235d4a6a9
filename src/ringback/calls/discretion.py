"""What someone proves itself with stays between it and us: records, logs, traces and people go without.

Telephones do so with Authorization lines, applications with the credentials in their webhooks' URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ringback.calls.events import (
    AnswererDetected,
    CallControlled,
    CallEvent,
    DocumentAsked,
    KeysMatched,
    Noted,
    RecordingChanged,
    ReferProgress,
    TranscriptionFailed,
    VerbEnded,
    VerbStarted,
    encode,
)

_CREDENTIALS = frozenset({"authorization", "proxy-authorization"})
_LINES = re.compile(rb"(?i)(\n(?:proxy-)?authorization[ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")
_USERINFO = re.compile(r"""(://|:\\/\\/)[^\s/?#"'<>]*@""")  # JSON may write its slashes as \/
_SIP_PASSWORD = re.compile(r"""(?i)\b(sips?:[^\s:@;?<>"'&]+):[^\s@<>"'&]*@""")
_JSON_PASSWORD = re.compile(r'("password"\s*:\s*")(?:[^"\\]|\\.)*"')
_XML_PASSWORD = re.compile(r"""(?i)(\bpassword\s*=\s*)(?:"[^"]*"|'[^']*')""")
_HIDDEN_KEYS = frozenset({"username", "password"})
_NAMED = re.compile(rb'"(?:username|password)":[^n]')
"""Credentials of their own in the JSON of an event; `n` begins null."""

_OF_APPLICATIONS = frozenset(
    {
        AnswererDetected,
        CallControlled,
        DocumentAsked,
        KeysMatched,
        Noted,
        RecordingChanged,
        TranscriptionFailed,
        ReferProgress,
        VerbEnded,
        VerbStarted,
    }
)
"""Events that hold what an application wrote, its URLs among it."""


def without_credentials(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The header fields without those that carry credentials (RFC 3261 sections 20.7 and 20.28)."""
    return tuple([(name, value) for name, value in headers if name.lower() not in _CREDENTIALS])


def redacted(message: bytes) -> bytes:
    """A SIP message with the credentials taken out of their lines."""
    if b"authorization" not in message.lower():
        return message
    return _LINES.sub(rb"\1 (removed)", message)


def without_userinfo(text: str) -> str:
    """A URL, or a text with URLs in it, without their `user:password@` (RFC 3986 section 3.2.1).

    Of SIP URIs only the password goes: who is called is no secret.
    """
    if "@" not in text:
        return text
    return _SIP_PASSWORD.sub(r"\1@", _USERINFO.sub(r"\1", text))


def document_shown(text: str) -> str:
    """A document as people see it: no credentials in its URLs, no passwords in its JSON or XML."""
    if "password" not in text.lower():
        return without_userinfo(text)
    text = _JSON_PASSWORD.sub(r'\1(removed)"', without_userinfo(text))
    return _XML_PASSWORD.sub(r'\1"(removed)"', text)


def shown(value: Any) -> Any:
    """JSON-like data as people see it: no credentials in URLs, nor those that a hook or a target has."""
    return _hidden(value) if _is_suspect(msgspec.json.encode(value)) else value


def _is_suspect(text: bytes) -> bool:
    """Whether there may be something to hide in this JSON: mostly there is not, which is soon seen."""
    return b"@" in text or _NAMED.search(text) is not None


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return without_userinfo(value)
    if isinstance(value, dict):
        hides = "url" in value or "password" in value
        return {key: None if hides and key in _HIDDEN_KEYS else _hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    return value


def discreet(event: CallEvent) -> tuple[CallEvent, bytes]:
    """The event as it is logged, and its JSON: nothing ever reads credentials from there."""
    text = encode(event)
    if type(event) not in _OF_APPLICATIONS or not _is_suspect(text):
        return event, text
    hidden = msgspec.convert(_hidden(msgspec.to_builtins(event)), type(event))
    return hidden, encode(hidden)
