"""Numbers, clients and SIP addresses: how they are shown, and whom a `To` names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl

from ringback.calls.verbs import Target
from ringback.dialects.http import is_one_line
from ringback.routing.numbers import is_telephone_number
from ringback.sip.errors import SipParseError
from ringback.sip.header_policy import is_custom
from ringback.sip.uri import Uri

_NANP = re.compile(r"(?:\+?1)?([2-9][0-9]{2})([2-9][0-9]{2})([0-9]{4})")
_CLIENT = re.compile(r"client:([^\s@:]{1,256})")
_CALLER = re.compile(r"[A-Za-z0-9_.,+\-]{1,128}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_PASSED = frozenset({"remote-party-id", "p-preferred-identity", "p-called-party-id"})
_LONGEST_HEADERS = 1024


class BadAddress(ValueError):
    """An address that cannot be called; `code` is the services' own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def address(given: str, uri: str) -> str:
    """`From` or `To` as the application sees it: a number as given, `client:x`, or `sip:user@host`."""
    if not given or is_telephone_number(given) or ":" in given or given.lower() == "anonymous":
        return given
    try:
        parsed = Uri.parse(uri)
    except SipParseError:
        return given
    if parsed.scheme not in ("sip", "sips") or not parsed.user:
        return given
    return str(Uri(scheme=parsed.scheme, user=parsed.user, host=parsed.host, port=parsed.port))


def formatted(number: str) -> str:
    """`(310) 567-8901` for a NANP number, anything else as it is."""
    match = _NANP.fullmatch(number)
    return f"({match[1]}) {match[2]}-{match[3]}" if match else number


def target_of(to: str) -> Target:
    """Whom `To` names: a number, `client:name`, or a SIP URI whose query holds headers.

    Raises:
        BadAddress: 21211, or 21227 to 21229 for what is wrong with the headers.
    """
    text = to.strip()
    client = _CLIENT.fullmatch(text)
    if client:
        return Target(kind="client", address=client[1])
    if text.lower().startswith(("sip:", "sips:")):
        return sip_target(text)
    if is_telephone_number(text):
        return Target(kind="number", address=text)
    raise BadAddress(21211, f"The 'To' number {to} is not a valid phone number.")


def sip_target(text: str) -> Target:
    """A SIP URI whose query holds headers.

    Raises:
        BadAddress: 21211, or 21227 to 21229 for what is wrong with the headers.
    """
    base, _, query = text.partition("?")
    try:
        Uri.parse(base)
    except SipParseError:
        raise BadAddress(21211, f"The 'To' address {text} is not a valid SIP URI.") from None
    if len(query) > _LONGEST_HEADERS:
        raise BadAddress(21227, f"The headers of a SIP URI must be fewer than {_LONGEST_HEADERS} characters.")
    headers = sendable(parse_qsl(query, keep_blank_values=True))
    return Target(kind="sip", address=base, headers=headers)


@lru_cache(maxsize=512)  # an INVITE's headers have the same few names
def passes(name: str) -> bool:
    """Whether a header passes between an application and the far end."""
    return is_custom(name) or name.lower() in _PASSED


def sendable(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those that are sent with an INVITE: only headers that cannot disturb the dialog are.

    Raises:
        BadAddress: 21228 or 21229, illegal characters in a name or a value.
    """
    sent = []
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise BadAddress(21228, f"The SIP header name {name!r} has illegal characters.")
        if not is_one_line(value):
            raise BadAddress(21229, f"The value of the SIP header {name} has illegal characters.")
        if passes(name):
            sent.append((name, value))
    return tuple(sent)


def caller_of(from_: str) -> tuple[str, str | None]:
    """(user part, host) for the SIP From header of a `From` or `CallerId`.

    Raises:
        BadAddress: 21212.
    """
    text = from_.strip()
    client = _CLIENT.fullmatch(text)
    if client:
        return client[1], None
    if text.lower().startswith(("sip:", "sips:")):
        try:
            uri = Uri.parse(text.partition("?")[0])
        except SipParseError:
            uri = Uri()
        if uri.user:
            return uri.user, uri.hostport
    elif _CALLER.fullmatch(text) or is_telephone_number(text):
        return text, None
    raise BadAddress(21212, f"The source phone number provided, {from_}, is not valid.")
