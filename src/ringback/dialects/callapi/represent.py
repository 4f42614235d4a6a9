"""One representation, two forms: pretty-printed JSON without nulls, and XML with its empty elements kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response

from ringback.net.slices import gradually

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2
_PRETTY = json.JSONEncoder(indent=2, ensure_ascii=False)
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


async def to_json(what: Resource | Listing) -> str:
    """Two spaces of indentation, as the service prints it."""
    return "".join(await gradually(_PRETTY.iterencode(await _plain(what))))


async def to_xml(what: Resource | Listing) -> str:
    """Inside `RestcommResponse`."""
    return f"{_HEAD}<RestcommResponse>{await _xml(what)}</RestcommResponse>"


def message_response(text: str, status: int, *, json: bool) -> Response:
    """The service's form of an error that has one."""
    if json:
        return Response(_PRETTY.encode({"message": text}), status, media_type="application/json")
    body = f"{_HEAD}<RestcommResponse><Message>{_text(text)}</Message></RestcommResponse>"
    return Response(body, status, media_type="application/xml")


async def _plain(what: Resource | Listing) -> Any:
    if isinstance(what, Resource):
        return _object(what.members)
    items = await gradually(_object(resource.members) for resource in what.resources)
    return {**what.envelope, what.key: items} if what.key else items


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
