"""Bodies: finding the session description, and refusing what cannot be understood."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.fields import MediaType
from ringback.sip.headers import Headers
from ringback.sip.message import Message

SDP: Final = "application/sdp"
_MAX_PARTS: Final = 32
_MAX_DEPTH: Final = 3


class Part(msgspec.Struct, frozen=True):
    """One part of a multipart body (:rfc:`2046#section-5.1`)."""

    headers: Headers
    body: bytes

    @property
    def content_type(self) -> MediaType:
        return MediaType.parse(self.headers.get("Content-Type") or "text/plain")


def multipart(content_type: MediaType, body: bytes) -> list[Part]:
    """The parts of a multipart body. Raises SipParseError (400)."""
    boundary = content_type.params.get("boundary")
    if not boundary:
        raise SipParseError("Multipart Without Boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), _MAX_PARTS + 1)
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        parts.append(_part(piece))
    raise SipParseError("Unterminated Multipart Body")


def _part(piece: bytes) -> Part:
    """``piece`` is what follows a boundary; white space up to the end of that line is padding."""
    padding, newline, content = piece.partition(b"\r\n")
    if not newline or padding.strip(b" \t"):
        raise SipParseError("Malformed Multipart Body")
    head, _, body = (b"\r\n" + content).partition(b"\r\n\r\n")
    headers = Headers()
    for line in head.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")[1:]:
        headers.append_parsed([line])
    return Part(headers, body)


def sdp_body(message: Message) -> bytes | None:
    """The session description that a message carries, alone or inside a multipart body.

    Raises SipParseError: 415 for a content coding, 400 for a malformed body.
    """
    content_type = message.content_type
    if content_type is None or not message.body:
        return None
    _check_encoding(message.headers)
    return _find_sdp(content_type, message.body, 0)


def _find_sdp(content_type: MediaType, body: bytes, depth: int) -> bytes | None:
    if content_type.essence == SDP:
        return body
    if content_type.type != "multipart" or depth >= _MAX_DEPTH:
        return None
    for part in multipart(content_type, body):
        found = _find_sdp(part.content_type, part.body, depth + 1)
        if found is not None:
            _check_encoding(part.headers)
            return found
    return None


def check_body(message: Message, accepted: Collection[str] = (SDP, "multipart/mixed")) -> None:
    """Raise SipParseError (415) when the body is of a type not in ``accepted`` (``type/subtype``, lower
    case) or encoded.

    An optional body (``Content-Disposition: …;handling=optional``, :rfc:`3261#section-20.11`) may be of any
    type. A body without Content-Type is refused (400, :rfc:`3261#section-7.4.1`).
    """
    if not message.body:
        return
    content_type = message.content_type
    if content_type is None:
        raise SipParseError("Missing Content-Type")
    if "handling=optional" in (message.headers.get("Content-Disposition") or "").replace(" ", "").lower():
        return
    if content_type.essence not in accepted:
        raise SipParseError("Unsupported Media Type", 415)
    _check_encoding(message.headers)


def _check_encoding(headers: Headers) -> None:
    encoding = headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise SipParseError("Unsupported Content-Encoding", 415)
