"""SIP, SIPS and tel URIs, and the name-addr form in which header fields carry them.

:rfc:`3261#section-19.1` (SIP URIs), :rfc:`3966` (tel), :rfc:`3261#section-20.10` (name-addr).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote as percent_encode
from urllib.parse import unquote as percent_decode

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import NO_PARAMS, WS, Params, quote, split_list, unquote

_USER_SAFE = "-_.!~*'()&=+$,;?/"
_PASSWORD_SAFE = "-_.!~*'()&=+$,"
# "#" is not allowed in a user part, yet telephones dial star codes with it, and it is unambiguous there.
_SIP = re.compile(
    r"(sips?):"
    r"(?:((?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})+)"
    r"(?::((?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*))?@)?"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)"
    r"(?::([0-9]{1,5}))?"
    r"((?:;(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$=]|%[0-9A-Fa-f]{2})+)*)"
    r"(?:\?((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$=&]|%[0-9A-Fa-f]{2})+))?",
    re.IGNORECASE,
)
_TEL = re.compile(
    r"tel:(\+?[0-9A-Fa-f*#\-.()]+)((?:;(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$=]|%[0-9A-Fa-f]{2})+)*)", re.IGNORECASE
)
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):([!-;=?-~]+)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
# Parameters that must agree even when only one of two URIs has them (RFC 3261 19.1.4).
_DECISIVE = ("user", "ttl", "method", "maddr", "transport")
_VISUAL = str.maketrans("", "", "-.()")


class Uri(msgspec.Struct, frozen=True, eq=False):
    """One URI. ``host`` is without brackets, ``user`` and ``password`` are unescaped.

    A tel URI has its number in ``user`` and no host; a URI of any other scheme keeps what follows the colon
    in ``opaque``. A parsed URI is written exactly as it was read (``raw``); ``with_`` makes a changed copy.
    """

    scheme: str = "sip"
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = NO_PARAMS
    headers: str = ""
    """The part after ``?``, as written."""
    opaque: str = ""
    raw: str = ""

    @staticmethod
    def parse(text: str) -> Uri:
        """Read a URI that fills ``text``. Raises SipParseError (400)."""
        return _parse_uri(text)

    def __str__(self) -> str:
        return self.raw or self._spell()

    def _spell(self) -> str:
        """The URI in letters. Raises ValueError where a part could not be read back."""
        if self.opaque:
            text = f"{self.scheme}:{self.opaque}"
        elif self.scheme == "tel":
            text = f"tel:{self.user}{self.params}"
        else:
            text = f"{self.scheme}:{self._userinfo()}{self.hostport}{self.params}"
            if self.headers:
                text += "?" + self.headers
        _parse_uri(text)
        return text

    def _userinfo(self) -> str:
        if self.user is None:
            return ""
        user = percent_encode(self.user, safe=_USER_SAFE)
        if self.password is None:
            return user + "@"
        return f"{user}:{percent_encode(self.password, safe=_PASSWORD_SAFE)}@"

    @property
    def hostport(self) -> str:
        """``host[:port]``, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case, if there is one."""
        value = self.params.get("transport")
        return value.lower() if value else None

    @property
    def number(self) -> str:
        """The user part without visual separators (:rfc:`3966#section-5.1.1`) and parameters, for number
        matching.
        """
        return (self.user or "").partition(";")[0].translate(_VISUAL)

    def with_(self, **changes: Any) -> Uri:
        """A copy with other fields: ``uri.with_(port=5070, params=uri.params.with_("lr"))``."""
        return msgspec.structs.replace(self, raw="", **changes)

    def __eq__(self, other: object) -> bool:
        """The same parts, spelled the same; ``same_as`` is the comparison of the RFC."""
        return str(self) == str(other) if isinstance(other, Uri) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def same_as(self, other: Uri) -> bool:
        """Equivalence by :rfc:`3261#section-19.1.4`, for tel URIs by :rfc:`3966#section-4`."""
        if self.scheme != other.scheme:
            return False
        if self.opaque or other.opaque:
            return self.opaque == other.opaque
        if self.scheme == "tel":
            return self.number.lower() == other.number.lower() and _folded(self.params) == _folded(
                other.params
            )
        return (
            _comparable(self._wire_userinfo()) == _comparable(other._wire_userinfo())
            and _same_host(self.host, other.host)
            and self.port == other.port
            and _same_params(self.params, other.params)
            and _uri_headers(self.headers) == _uri_headers(other.headers)
        )

    def _wire_userinfo(self) -> str:
        """User and password as written, since ``%3B`` and ``;`` are different users."""
        if not self.raw or self.user is None:
            return self._userinfo()
        return self.raw.partition(":")[2].partition("@")[0] + "@"


@lru_cache(maxsize=1024)
def _parse_uri(text: str) -> Uri:
    match = _SIP.fullmatch(text)
    if match is None:
        return _parse_other(text)
    scheme, user, password, host, port_text, params, headers = match.groups()
    if host[0] == "[":
        host = _ipv6(host[1:-1])
    port = int(port_text) if port_text else None
    if port is not None and port > 65535:
        raise SipParseError("Malformed URI")
    return Uri(
        scheme.lower(),
        percent_decode(user, errors="replace") if user and "%" in user else user,
        percent_decode(password, errors="replace") if password and "%" in password else password,
        host,
        port,
        _uri_params(params) if params else NO_PARAMS,
        headers or "",
        "",
        text,
    )


def _parse_other(text: str) -> Uri:
    if (tel := _TEL.fullmatch(text)) is not None:
        return Uri("tel", tel.group(1), params=_uri_params(tel.group(2)), raw=text)
    absolute = _ABSOLUTE.fullmatch(text)
    if absolute is None or absolute.group(1).lower() in ("sip", "sips", "tel"):
        raise SipParseError("Malformed URI")
    return Uri(absolute.group(1).lower(), opaque=absolute.group(2), raw=text)


def _uri_params(text: str) -> Params:
    if not text:
        return NO_PARAMS
    raw: dict[str, str] = {}
    for part in text[1:].split(";"):
        name, _, value = part.partition("=")
        name = percent_decode(name).lower() if "%" in name else name.lower()
        if not name or name in raw:
            raise SipParseError("Malformed URI Parameter")
        raw[name] = value
    return Params(raw)


def _ipv6(text: str) -> str:
    if ":::" in text and "." in text:
        # The grammar of RFC 3261 derives a third colon before an embedded IPv4 address (RFC 5118 4.10).
        text = text.replace(":::", "::", 1)
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise SipParseError("Malformed IPv6 Address") from None
    return text


def _unescape_unreserved(match: re.Match[str]) -> str:
    character = chr(int(match.group(1), 16))
    return character if character in _UNRESERVED else match.group().upper()


def _comparable(text: str) -> str:
    """Escapes of unreserved characters undone, the others in upper case."""
    return _ESCAPE.sub(_unescape_unreserved, text) if "%" in text else text


def _same_host(one: str, other: str) -> bool:
    if ":" in one and ":" in other:
        return ipaddress.IPv6Address(one) == ipaddress.IPv6Address(other)
    return one.lower() == other.lower()


def _folded(params: Params) -> dict[str, str]:
    return {name: _comparable(value).lower() for name, value in params.items()}


def _same_params(one: Params, other: Params) -> bool:
    first, second = _folded(one), _folded(other)
    if any(first.get(name) != second.get(name) for name in _DECISIVE):
        return False
    return all(second.get(name, value) == value for name, value in first.items())


def _uri_headers(text: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in text.split("&") if part)
    return sorted((name.lower(), _comparable(value)) for name, _, value in pairs)


_DROP_CONTROLS = dict.fromkeys((*range(9), *range(10, 32), 127))
_ANGLE_FORM = re.compile(
    r'(?:("[^"\\]*(?:\\.[^"\\]*)*")[ \t]*|([^"<>,;\x00-\x08\x0a-\x1f\x7f]*))'
    r"<([^<>]*)>[ \t]*(;.*)?",
    re.DOTALL,
)


class NameAddr(msgspec.Struct, frozen=True):
    """``"Display" <uri>;params``: From, To, Contact, Route, Record-Route, P-Asserted-Identity, Diversion,
    Refer-To.
    """

    uri: Uri
    display_name: str = ""
    params: Params = NO_PARAMS

    @staticmethod
    def parse(text: str) -> NameAddr:
        """Read one address. Raises SipParseError (400)."""
        return _parse_name_addr(text)

    @staticmethod
    def parse_many(text: str) -> list[NameAddr]:
        """Read a comma separated list of addresses. Raises SipParseError (400)."""
        return [_parse_name_addr(part) for part in split_list(text)]

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        return self.with_param("tag", tag)

    def with_param(self, name: str, value: str = "") -> NameAddr:
        return NameAddr(self.uri, self.display_name, self.params.with_(name, value))

    def without_params(self) -> NameAddr:
        return NameAddr(self.uri, self.display_name)

    def __str__(self) -> str:
        # Always in brackets: parameters can then never be taken for the URI's.
        name = quote(self.display_name.translate(_DROP_CONTROLS)) + " " if self.display_name else ""
        return f"{name}<{self.uri}>{self.params}"


@lru_cache(maxsize=1024)
def _parse_name_addr(text: str) -> NameAddr:
    text = text.strip(WS)
    match = _ANGLE_FORM.fullmatch(text)
    if match is None:
        return _parse_addr_spec(text)
    quoted, plain, uri, params = match.groups()
    # An escaped control character is legal in a name, but cannot be written back safely.
    name = unquote(quoted).translate(_DROP_CONTROLS) if quoted is not None else plain.strip(WS)
    return NameAddr(_parse_uri(uri), name, Params.parse(params) if params else NO_PARAMS)


def _parse_addr_spec(text: str) -> NameAddr:
    """The form without brackets: what follows a semicolon belongs to the header field
    (:rfc:`3261#section-20`).
    """
    address, semicolon, params = text.partition(";")
    uri = _parse_uri(address.rstrip(WS))
    if uri.headers or "," in address or "?" in address:
        raise SipParseError("Address Needs Angle Brackets")
    return NameAddr(uri, "", Params.parse(semicolon + params))
