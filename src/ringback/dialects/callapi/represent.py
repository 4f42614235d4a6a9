"""One representation, two forms: pretty-printed JSON without nulls, and XML with its empty elements kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union
from xml.sax.saxutils import escape, quoteattr

import msgspec
from starlette.responses import Response

from ringback.net.slices import gradually

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Member(NamedTuple):
    """One value under its JSON key and its XML element name. None is left out of JSON, and empty in XML."""

    key: str
    element: str
    value: Value


Value = Union[str, int, None, "Members"]
Members = tuple[Member, ...]


class Resource(NamedTuple):
    """One resource."""

    element: str
    members: Members


class Listing(NamedTuple):
    """Resources; with an envelope, `key` and the envelope's values (page, total, …) are there in JSON."""

    element: str
    resources: Sequence[Resource]
    key: str = ""
    envelope: Mapping[str, str | int] = {}


async def as_response(what: Resource | Listing, *, json: bool, status: int = 200) -> Response:
    """The reply that carries it."""
    if json:
        return Response(await to_json(what), status, media_type="application/json")
    return Response(await to_xml(what), status, media_type="application/xml")


async def to_json(what: Resource | Listing) -> bytes:
    """Two spaces of indentation, as the service prints it."""
    if isinstance(what, Resource):
        return _pretty(_object(what.members))
    margin = b"\n    " if what.key else b"\n  "
    made = (_pretty(_object(resource.members)).replace(b"\n", margin) for resource in what.resources)
    items = await gradually(made)
    inner = margin + (b"," + margin).join(items) + margin[:-2] if items else b""
    if not what.key:
        return b"[" + inner + b"]"
    around = _pretty({**what.envelope, what.key: ()})
    return around.removesuffix(b"]\n}") + inner + b"]\n}"


async def to_xml(what: Resource | Listing) -> str:
    """Inside `RestcommResponse`."""
    return f"{_HEAD}<RestcommResponse>{await _xml(what)}</RestcommResponse>"


def message_response(text: str, status: int, *, json: bool) -> Response:
    """The service's form of an error that has one."""
    if json:
        return Response(_pretty({"message": text}), status, media_type="application/json")
    body = f"{_HEAD}<RestcommResponse><Message>{_text(text)}</Message></RestcommResponse>"
    return Response(body, status, media_type="application/xml")


def _pretty(value: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _object(members: Members) -> dict[str, Any]:
    return {
        member.key: _object(member.value) if isinstance(member.value, tuple) else member.value
        for member in members
        if member.value is not None
    }


async def _xml(what: Resource | Listing) -> str:
    if isinstance(what, Resource):
        return _element(what.element, what.members)
    given = "".join(
        f" {name.replace('_', '')}={quoteattr(_clean(str(value)))}" for name, value in what.envelope.items()
    )
    inner = "".join(await gradually(_element(item.element, item.members) for item in what.resources))
    return f"<{what.element}{given}>{inner}</{what.element}>"


def _element(name: str, value: Value) -> str:
    if value is None or value == "":
        return f"<{name}/>"
    if isinstance(value, tuple):
        inner = "".join(_element(member.element, member.value) for member in value)
    else:
        inner = _text(str(value))
    return f"<{name}>{inner}</{name}>"


def _text(value: str) -> str:
    return escape(_clean(value))


def _clean(value: str) -> str:
    return _ILLEGAL.sub("\ufffd", value)
