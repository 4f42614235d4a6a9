"""`From`, `To` and `Url` of a call to be placed."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from ringback.calls.verbs import Hook, Target
from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.callapi.fields import user_part
from ringback.dialects.http import Parameters, is_one_line
from ringback.net.url import BadUrl, target
from ringback.routing.numbers import is_telephone_number
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri

_LONGEST_URI, _LONGEST_HEADERS = 255, 1024
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")  # RFC 3261 section 25.1
_SCHEME = re.compile(r"sips?:", re.IGNORECASE)


def required(parameters: Parameters, name: str) -> str:
    """A parameter that must be there, trimmed."""
    value = parameters.get(name).strip()
    if not value:
        raise Refusal(400, f"{name} can not be null.")
    return value


def one_line(name: str, value: str) -> str:
    """What goes into SIP must not end a line there."""
    if not is_one_line(value):
        raise Refusal(400, f"{name} must not contain control characters.")
    return value


def sip_uri(name: str, text: str) -> Uri:
    """A SIP URI, read."""
    try:
        return Uri.parse(text)
    except SipParseError:
        raise Refusal(400, f"{name} is not a SIP URI.") from None


def read_target(parameters: Parameters) -> Target:
    """`To`: with an @ a SIP URI, `client:…` a device, else a number; `?Name=Value` makes headers."""
    to = one_line("To", required(parameters, "To"))
    address, _, query = to.partition("?")
    headers = _headers(query)
    username = one_line("Username", parameters.get("Username")) or None
    password = one_line("Password", parameters.get("Password")) or None
    if "@" in address:
        if len(address) > _LONGEST_URI:
            raise Refusal(400, f"To must not be longer than {_LONGEST_URI} characters.")
        uri = address if _SCHEME.match(address) else f"sip:{address}"
        sip_uri("To", uri)
        return Target(kind="sip", address=uri, headers=headers, username=username, password=password)
    if address.startswith("client"):
        name = address.removeprefix("client").removeprefix(":").strip()
        if not name:
            raise Refusal(400, "To names no client.")
        return Target(kind="client", address=name, headers=headers, username=username, password=password)
    if not is_telephone_number(address):
        raise Refusal(400, f"To must be a number, client:name or a SIP URI, not {address[:_LONGEST_URI]!r}.")
    return Target(
        kind="number", address=address.strip(), headers=headers, username=username, password=password
    )


def shown(target: Target) -> str:
    """What the record shows: the user part, or the number as it was given."""
    return target.address if target.kind == "number" else user_part(target.address)


def read_caller(parameters: Parameters) -> tuple[str, str | None]:
    """`From`: the number or user, and the host where a SIP URI was given."""
    caller = one_line("From", required(parameters, "From"))
    if len(caller) > _LONGEST_URI:
        raise Refusal(400, f"From must not be longer than {_LONGEST_URI} characters.")
    if "@" not in caller:
        return caller, None
    uri = sip_uri("From", caller if _SCHEME.match(caller) else f"sip:{caller}")
    return uri.user or "", uri.hostport


def read_hook(parameters: Parameters, name: str, method_name: str) -> Hook | None:
    """A URL with its method; None when it is not given."""
    url = parameters.get(name).strip()
    method = parameters.get(method_name, "POST").strip().upper() or "POST"
    if method not in ("GET", "POST"):
        raise Refusal(400, f"{method_name} must be GET or POST.")
    if not url:
        return None
    try:
        target(url)
    except BadUrl as problem:
        raise Refusal(400, f"{name} is not a valid URL: {problem}") from None
    return Hook(url=url, method=method)


def _headers(query: str) -> tuple[tuple[str, str], ...]:
    if len(query) > _LONGEST_HEADERS:
        raise Refusal(400, f"The headers in To must not be longer than {_LONGEST_HEADERS} characters.")
    found = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not _TOKEN.fullmatch(name):
            raise Refusal(400, f"{name!r} in To is not a header name.")
        custom = name if name.lower().startswith("x-") else f"X-{name}"
        found.append((custom, one_line("To", value)))
    return tuple(found)
