"""`#target`: whom a dial verb or a request to place a call means. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.calls.verbs import Target
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.headers import Headers, headers_of
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri

_ADDRESS = {"phone": "number", "user": "name", "sip": "sipUri", "teams": "number"}
_KINDS = {"phone": "number", "user": "client", "sip": "sip"}
_TEAMS = ("vmail", "tenant")  # properties of the type that is not here
_LONGEST = 256


class NotSupported(InvalidApplication):
    """The target is a valid one, of a sort that cannot be called from here."""


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """A target read."""

    target: Target
    shown: str
    """`to` as the record shows it."""
    caller_id: str | None = None
    from_host: str | None = None


def read_target(data: dict[str, Any], *, headers: Headers = (), proxy: str | None = None) -> Addressed:
    """A target. Its `headers` come after the given ones, its `proxy` before the given one.

    Raises:
        NotSupported, InvalidApplication
    """
    type = str(data.get("type"))
    address = _address(data, type)
    if type == "teams":
        raise NotSupported("type teams is not supported")
    for name in _TEAMS:
        if data.get(name):
            raise NotSupported(f"property {name} is not supported")
    overridden, via = _overridden(data, type, address)
    next_hop = _sip_uri(data, "proxy") or proxy or via
    auth: dict[str, Any] = data["auth"] if isinstance(data.get("auth"), dict) else {}
    caller = data.get("from") or {}
    if not isinstance(caller, dict):
        raise InvalidApplication("target: property from has invalid data type")
    target = Target(
        kind=_KINDS[type],
        # A device is known by its name alone; there is one realm.
        address=overridden.partition("@")[0] if type == "user" else overridden,
        headers=(*headers, *headers_of(data.get("headers"))),
        username=_text(auth, "username"),
        password=_text(auth, "password"),
        trunk=_text(data, "trunk"),
        proxy=next_hop,
    )
    return Addressed(
        target=target, shown=address, caller_id=_text(caller, "user"), from_host=read_host(caller, "host")
    )


def _address(data: dict[str, Any], type: str) -> str:
    key = _ADDRESS.get(type, "type")
    address = data.get(key) if type in _ADDRESS else None
    if not isinstance(address, str) or not address.strip() or not is_one_line(address):
        raise InvalidApplication(f"target: missing value for {key}")
    if type == "sip" and not is_sip_uri(address.strip()):
        raise InvalidApplication("target: sipUri is not a sip uri")
    return address.strip()


def _overridden(data: dict[str, Any], type: str, address: str) -> tuple[str, str | None]:
    """What is called instead where `overrideTo` says so, and the next hop that keeps the call's way."""
    other = _text(data, "overrideTo")
    if other is None:
        return address, None
    if type == "user":
        raise NotSupported("property overrideTo is not supported for type user")
    if type == "phone":
        return other, None
    uri = Uri.parse(address)
    if not is_sip_uri(other):
        return str(uri.with_(user=other)), None  # another user of the same host
    return other, str(uri.with_(user=None, password=None, headers=""))


def is_sip_uri(text: str) -> bool:
    """Whether a text is a SIP or SIPS URI."""
    try:
        return Uri.parse(text).scheme in ("sip", "sips")
    except SipParseError:
        return False


def read_host(fields: dict[str, Any], name: str) -> str | None:
    """What stands after the @ in the From header field.

    Raises:
        InvalidApplication
    """
    host = _text(fields, name)
    if host is not None and not is_sip_uri(f"sip:{host}"):
        raise InvalidApplication(f"invalid {name}")
    return host


def read_proxy(fields: dict[str, Any]) -> str | None:
    """A next hop, as a SIP URI; `proxy` may leave out the scheme.

    Raises:
        InvalidApplication
    """
    return _sip_uri(fields, "proxy")


def _sip_uri(fields: dict[str, Any], name: str) -> str | None:
    text = _text(fields, name)
    if text is None:
        return None
    uri = text if ":" in text and is_sip_uri(text) else f"sip:{text}"
    if not is_sip_uri(uri):
        raise InvalidApplication(f"invalid {name}")
    return uri


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST or not is_one_line(value):
        raise InvalidApplication(f"invalid {name}")
    return value
