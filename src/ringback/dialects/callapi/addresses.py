"""Whom to call, as CallAPI writes it: in REST's `To` and `From`, and in Dial and its nouns."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from ringback.calls.verbs import Target
from ringback.dialects.http import is_one_line
from ringback.routing.numbers import is_telephone_number
from ringback.sip.errors import SipParseError
from ringback.sip.header_policy import is_custom
from ringback.sip.uri import Uri

_LONGEST_URI, _LONGEST_HEADERS = 255, 1024
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")  # RFC 3261 section 25.1
_SCHEME = re.compile(r"sips?:", re.IGNORECASE)


class BadAddress(Exception):
    """Nobody can be called there; the message names what was given as `name`."""


def read_address(name: str, text: str, username: str = "", password: str = "") -> Target:
    """With an @ a SIP URI, `client:…` a device, else a number; `?Name=Value` makes headers.

    Raises:
        BadAddress
    """
    kind = kind_of(text)
    return {"sip": read_sip, "client": read_client, "number": read_number}[kind](
        name, text, username, password
    )


def kind_of(text: str) -> str:
    """`sip`, `client` or `number`."""
    address = text.partition("?")[0].strip()
    return "sip" if "@" in address else "client" if address.startswith("client") else "number"


def read_sip(name: str, text: str, username: str = "", password: str = "") -> Target:
    """A SIP URI, with or without its scheme.

    Raises:
        BadAddress
    """
    address, headers = _parts(name, text)
    if len(address) > _LONGEST_URI:
        raise BadAddress(f"{name} must not be longer than {_LONGEST_URI} characters.")
    uri = address if _SCHEME.match(address) else f"sip:{address}"
    sip_uri(name, uri)
    return Target(
        kind="sip", address=uri, headers=headers, username=username or None, password=password or None
    )


def read_client(name: str, text: str, username: str = "", password: str = "") -> Target:
    """A device by its user name, with or without `client:`.

    Raises:
        BadAddress
    """
    address, headers = _parts(name, text)
    user = address.removeprefix("client:").strip() if address != "client" else ""
    if not user:
        raise BadAddress(f"{name} names no client.")
    return Target(
        kind="client", address=user, headers=headers, username=username or None, password=password or None
    )


def read_number(name: str, text: str, username: str = "", password: str = "") -> Target:
    """A telephone number.

    Raises:
        BadAddress
    """
    address, headers = _parts(name, text)
    if not is_telephone_number(address):
        raise BadAddress(
            f"{name} must be a number, client:name or a SIP URI, not {address[:_LONGEST_URI]!r}."
        )
    return Target(
        kind="number", address=address, headers=headers, username=username or None, password=password or None
    )


def sip_uri(name: str, text: str) -> Uri:
    """A SIP URI, read.

    Raises:
        BadAddress
    """
    try:
        return Uri.parse(text)
    except SipParseError:
        raise BadAddress(f"{name} is not a SIP URI.") from None


def read_caller_id(name: str, text: str) -> tuple[str, str | None]:
    """The number or user that a callee sees, and the host where a SIP URI was given.

    Raises:
        BadAddress
    """
    caller = one_line(name, text)
    if len(caller) > _LONGEST_URI:
        raise BadAddress(f"{name} must not be longer than {_LONGEST_URI} characters.")
    if "@" not in caller:
        return caller, None
    uri = sip_uri(name, caller if _SCHEME.match(caller) else f"sip:{caller}")
    return uri.user or "", uri.hostport


def one_line(name: str, value: str) -> str:
    """What goes into SIP must not end a line there.

    Raises:
        BadAddress
    """
    if not is_one_line(value):
        raise BadAddress(f"{name} must not contain control characters.")
    return value


def _parts(name: str, text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    address, _, query = one_line(name, text).partition("?")
    return address.strip(), _headers(name, query)


def _headers(name: str, query: str) -> tuple[tuple[str, str], ...]:
    """The headers of `?Name=Value`: each begins with X-, which is put before it where it is missing."""
    if len(query) > _LONGEST_HEADERS:
        raise BadAddress(f"The headers in {name} must not be longer than {_LONGEST_HEADERS} characters.")
    found = []
    for header, value in parse_qsl(query, keep_blank_values=True):
        if not _TOKEN.fullmatch(header):
            raise BadAddress(f"{header!r} in {name} is not a header name.")
        custom = header if is_custom(header) else f"X-{header}"
        found.append((custom, one_line(name, value)))
    return tuple(found)
