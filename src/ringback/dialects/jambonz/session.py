"""What the verbs of one call share: where relative hooks lead, how it speaks, what `config` has set."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.routing.directory import Speech

_HTTP = ("http", "https")
_SOCKET = ("ws", "wss")


class Voice(msgspec.Struct, frozen=True):
    """How text is spoken; empty means the server's own."""

    vendor: str = ""
    language: str = ""
    voice: str = ""

    def overridden(self, synthesizer: dict[str, Any]) -> Voice:
        """This one with what a `synthesizer` object says; `default` and absent fields stay."""
        return Voice(
            _chosen(synthesizer.get("vendor"), self.vendor),
            _chosen(synthesizer.get("language"), self.language),
            _chosen(_voice_name(synthesizer.get("voice")), self.voice),
        )


class Session(msgspec.Struct, frozen=True):
    """The state that documents leave behind on a call."""

    base_url: str = ""
    """What relative hooks resolve against; over a WebSocket they are names and stay as they are."""
    socket: bool = False
    default_voice: Voice = Voice()
    """The application's; `config.reset` goes back to it."""
    voice: Voice = Voice()
    early_media: bool = False
    disable_tts_cache: bool = False
    notify_events: bool = False


def session_for(speech: Speech, base_url: str) -> Session:
    """A call's session before any document."""
    voice = Voice(speech.synthesis_vendor, speech.synthesis_language, speech.synthesis_voice)
    return Session(base_url=base_url, socket=is_socket_url(base_url), default_voice=voice, voice=voice)


def moved(session: Session, url: str) -> Session:
    """The session after another server became the application's base."""
    return msgspec.structs.replace(session, base_url=url, socket=is_socket_url(url))


def read_hook(value: str | dict[str, Any] | None, session: Session, where: str) -> Hook | None:
    """A hook as a document writes it: a URL, or `{url, method, username, password}`.

    `where` names the verb in the error.

    Raises:
        InvalidApplication: no URL, a method other than GET and POST, a URL that is none.
    """
    if not value:
        return None
    fields: dict[str, Any] = {"url": value} if isinstance(value, str) else value
    url = fields.get("url")
    if not isinstance(url, str) or not url.strip():
        raise InvalidApplication(f"{where}: missing value for url")
    method = str(fields.get("method") or "POST").upper()
    if method not in ("GET", "POST"):
        raise InvalidApplication(f"invalid value {method[:20]} must be one of GET,POST")
    basic = fields.get("basicAuth")
    credentials = basic if isinstance(basic, dict) else fields
    username, password = credentials.get("username"), credentials.get("password")
    return Hook(
        url=absolute(url.strip(), session, where),
        method=method,
        username=username if isinstance(username, str) else None,
        password=password if isinstance(password, str) else None,
    )


def absolute(url: str, session: Session, where: str) -> str:
    """The URL that a hook means; a name stays a name on a WebSocket."""
    try:
        if is_absolute(url) or session.socket:
            return url
        return urljoin(session.base_url, url)
    except ValueError:
        raise InvalidApplication(f"{where}: {url[:100]} is not a url") from None


def is_absolute(url: str) -> bool:
    """Whether the URL names a server of its own: http, https, ws or wss."""
    return _scheme(url) in (*_HTTP, *_SOCKET)


def is_socket_url(url: str) -> bool:
    """Whether the URL leads to a WebSocket."""
    return _scheme(url) in _SOCKET


def is_http_url(url: str) -> bool:
    """Whether the URL leads to a webhook."""
    return _scheme(url) in _HTTP


def has_host(url: str) -> bool:
    """Whether an absolute URL can be one: it has a host, and its port is a number."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


@lru_cache(maxsize=256)  # each event asks where the same few hooks lead
def _scheme(url: str) -> str:
    scheme, colon, _ = url.partition("://")
    return scheme.lower() if colon else ""


def _chosen(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and value and value != "default" else otherwise


def _voice_name(value: object) -> object:
    # Vendors' own voice objects carry a name at most; the rest is for an engine that is not here.
    return value.get("name") if isinstance(value, dict) else value
