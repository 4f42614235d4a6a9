"""Requests inside the dialog: the verbs sip:refer and sip:request, and `sip_request` over REST. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ringback.calls.verbs import Refer, SendRequest
from ringback.dialects.http import is_one_line
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.headers import Headers, headers_of
from ringback.dialects.jambonz.session import Session, read_hook
from ringback.dialects.jambonz.targets import is_sip_uri

_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_OURS = frozenset({"ACK", "BYE", "CANCEL", "INVITE", "PRACK", "REGISTER", "UPDATE"})
"""Methods that change the dialog or its media: those are the call's own business."""
_USER = re.compile(r"[^\s<>\"@;?:,]+")
_MOST_BODY = 16 * 1024


class WrittenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as an application writes it."""

    method: str
    content_type: str
    body: str
    headers: Headers


def refer(data: dict[str, Any], session: Session) -> Refer:
    """The sip:refer verb.

    Raises:
        InvalidApplication
    """
    by = _line(data, "referredBy")
    return Refer(
        id=data.get("id"),
        refer_to=read_address("sip:refer", data["referTo"], "referTo"),
        referred_by=read_address("sip:refer", by, "referredBy") if by else None,
        referred_by_name=_line(data, "referredByDisplayName"),
        headers=headers_of(data.get("headers")),
        action=read_hook(data.get("actionHook"), session, "sip:refer"),
        progress=read_hook(data.get("eventHook"), session, "sip:refer"),
    )


def read_address(verb: str, text: str, name: str) -> str:
    """A SIP URI, or a user part: of a `tel:` URI, or written alone.

    Raises:
        InvalidApplication
    """
    text = text.strip()
    if text.lower().startswith("tel:"):
        text = text[4:].partition(";")[0]
    if _USER.fullmatch(text):
        return text
    uri = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
    if not is_one_line(uri) or not set(uri).isdisjoint('<>" ') or not is_sip_uri(uri):
        raise InvalidApplication(f"{verb}: property {name} is not a sip uri")
    return uri


def _line(data: dict[str, Any], name: str) -> str | None:
    text: str | None = data.get(name)
    if text is not None and not is_one_line(text):
        raise InvalidApplication(f"sip:refer: property {name} has invalid data type")
    return text or None


def send_request(data: dict[str, Any], session: Session) -> SendRequest:
    """The sip:request verb.

    Raises:
        InvalidApplication
    """
    written = written_request(data["method"], data.get("body") or "", data.get("headers"))
    return SendRequest(
        id=data.get("id"),
        method=written.method,
        content_type=written.content_type,
        body=written.body,
        headers=written.headers,
        action=read_hook(data.get("actionHook"), session, "sip:request"),
    )


def written_request(
    method: object, body: object, headers: object, content_type: object = None
) -> WrittenRequest:
    """A request, checked: what would end the dialog or break out of a line is refused.

    Without `content_type` it is the one among the headers.

    Raises:
        InvalidApplication
    """
    if not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise InvalidApplication("sip:request: property method has invalid data type")
    if method.upper() in _OURS:
        raise InvalidApplication(f"sip:request: method {method.upper()} is not supported")
    text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
    if len(text) > _MOST_BODY:
        raise InvalidApplication(f"sip:request: a body has {_MOST_BODY} characters at most")
    named = {} if headers is None else headers
    if not isinstance(named, dict):
        raise InvalidApplication("sip:request: property headers has invalid data type")
    kinds = [value for name, value in named.items() if name.lower() == "content-type"]
    kind = content_type if content_type is not None else kinds[-1] if kinds else ""
    if not isinstance(kind, str) or not is_one_line(kind):
        raise InvalidApplication("sip:request: content type has invalid data type")
    others = {name: value for name, value in named.items() if name.lower() != "content-type"}
    if text and not kind:
        kind = "text/plain"
    return WrittenRequest(method=method.upper(), content_type=kind, body=text, headers=headers_of(others))
