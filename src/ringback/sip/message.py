"""SIP requests and responses.

A message keeps its header fields as text; the typed properties parse on first use, and those that every
message has are remembered until the text changes. ``parse_message`` in ``ringback.sip.parse`` has already
parsed Via, From, To, Call-ID, CSeq, Max-Forwards and Content-Length of what it returns: those properties
cannot fail there.
The others (``contacts``, ``routes`` …) raise ``SipParseError`` (400) on malformed input; ``validate()``
asks all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from ringback.sip.errors import SipParseError
from ringback.sip.fields import CSeq, MediaType, Via
from ringback.sip.grammar import WS, is_token, split_list
from ringback.sip.headers import Headers
from ringback.sip.reasons import REASONS
from ringback.sip.uri import NameAddr, Uri

__all__ = [
    "REASONS",
    "CSeq",
    "Headers",
    "MediaType",
    "Message",
    "NameAddr",
    "Request",
    "Response",
    "Uri",
    "Via",
    "make_response",
]

T = TypeVar("T")

_MAX_DELTA_SECONDS: Final = 2**32 - 1
_CALL_ID: Final = re.compile(r"[!-~]+")
_NEEDED: Final = ("Via", "From", "To", "Call-ID", "CSeq")
"""What every message has (:rfc:`3261#section-8.1.1`), and a response takes over from its request."""
_OPTIONAL: Final = {
    "Contact": "contacts",
    "Route": "routes",
    "Record-Route": "record_routes",
    "P-Asserted-Identity": "asserted_identities",
    "Diversion": "diversions",
    "Refer-To": "refer_to",
    "Max-Forwards": "max_forwards",
    "Expires": "expires",
    "Content-Type": "content_type",
}
"""Header fields that may be missing, but not malformed, and the properties that read them."""


def _topmost(row: str) -> Via:
    return Via.parse(split_list(row)[0] if "," in row else row)


class _Field(Generic[T]):
    """What the first row of a header field says: read when first asked for, and again once it has changed.

    Raises SipParseError (400), also for a missing one that is ``required``; any other is None then.
    """

    def __init__(self, name: str, parse: Callable[[str], T], *, required: bool = False) -> None:
        self._name = name
        self._parse = parse
        self._required = required

    def __get__(self, message: _Message, _: object = None) -> T:
        parsed: Any = message.headers.parsed
        value: T = parsed.get(self._name)
        if value is None:
            text = message.headers.get(self._name)
            if text is not None:
                value = parsed[self._name] = self._parse(text)
            elif self._required:
                raise SipParseError(f"Missing {self._name}")
        return value


def _seconds(text: str) -> int:
    """A value too large to be one is the largest one (:rfc:`3261#section-20.19`)."""
    if not (text.isascii() and text.isdigit()):
        raise SipParseError("Malformed Expires")
    return min(int(text), _MAX_DELTA_SECONDS) if len(text) < 20 else _MAX_DELTA_SECONDS


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise SipParseError("Malformed Content-Length")
    return int(text)


def _hops(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= 255):
        raise SipParseError("Malformed Max-Forwards")
    return int(text)


def _call_id(text: str) -> str:
    if _CALL_ID.fullmatch(text) is None:
        raise SipParseError("Malformed Call-ID")
    return text


_COMMON: Final[Mapping[str, Callable[[str], object]]] = {
    "Content-Length": _length,
    "Via": _topmost,
    "From": NameAddr.parse,
    "To": NameAddr.parse,
    "Max-Forwards": _hops,
    "Call-ID": _call_id,
    "CSeq": CSeq.parse,
}


class _Message:
    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    # What every message has.

    via = _Field("Via", _topmost, required=True)
    """The topmost Via."""
    from_ = _Field("From", NameAddr.parse, required=True)
    to = _Field("To", NameAddr.parse, required=True)
    call_id = _Field("Call-ID", str, required=True)
    cseq = _Field("CSeq", CSeq.parse, required=True)

    @property
    def vias(self) -> list[Via]:
        rows = self.headers.get_all("Via")
        if len(rows) == 1 and "," not in rows[0]:
            return [self.via]
        return [via for row in rows for via in Via.parse_many(row)]

    def replace_top_via(self, via: Via) -> None:
        """Change the topmost Via (to add ``received``, say), also where one row holds several."""
        headers = self.headers
        _, *rest = split_list(headers.get("Via") or "")
        headers.replace_first("Via", ",".join([str(via), *rest]))
        headers.parsed["Via"] = via

    # What it may have.

    max_forwards: _Field[int | None] = _Field("Max-Forwards", _hops)
    expires: _Field[int | None] = _Field("Expires", _seconds)
    """Seconds."""
    content_length: _Field[int | None] = _Field("Content-Length", _length)
    """What the sender said; what is written is made of the body."""
    content_type: _Field[MediaType | None] = _Field("Content-Type", MediaType.parse)
    refer_to: _Field[NameAddr | None] = _Field("Refer-To", NameAddr.parse)

    @property
    def contacts(self) -> list[NameAddr]:
        """Every Contact; empty for ``*`` (see ``contact_is_wildcard``)."""
        return [] if self.contact_is_wildcard else self._addresses("Contact")

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact."""
        contacts = self.contacts
        return contacts[0] if contacts else None

    @property
    def contact_is_wildcard(self) -> bool:
        return self.headers.get("Contact") == "*"

    @property
    def routes(self) -> list[NameAddr]:
        return self._addresses("Route")

    @property
    def record_routes(self) -> list[NameAddr]:
        return self._addresses("Record-Route")

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """P-Asserted-Identity (:rfc:`3325`)."""
        return self._addresses("P-Asserted-Identity")

    @property
    def diversions(self) -> list[NameAddr]:
        """Diversion, the most recent first (:rfc:`5806`)."""
        return self._addresses("Diversion")

    @property
    def require(self) -> list[str]:
        """Option tags, in lower case."""
        return self._tokens("Require")

    @property
    def supported(self) -> list[str]:
        return self._tokens("Supported")

    @property
    def unsupported(self) -> list[str]:
        return self._tokens("Unsupported")

    @property
    def allow(self) -> list[str]:
        """Methods, in upper case."""
        return [token.upper() for token in self._tokens("Allow")]

    def read_common(self) -> None:
        """Read what a transaction needs of a message, as the properties do one by one. Raises SipParseError
        (400)."""
        self.headers.read(_COMMON, _NEEDED)

    def validate(self) -> None:
        """Read every header field that this stack understands. Raises SipParseError (400)."""
        _ = (self.vias, self.from_, self.to, self.call_id, self.cseq)
        present = self.headers.keys()
        for name, reader in _OPTIONAL.items():
            if name in present:
                getattr(self, reader)

    def _addresses(self, name: str) -> list[NameAddr]:
        return [address for row in self.headers.get_all(name) for address in NameAddr.parse_many(row)]

    def _tokens(self, name: str) -> list[str]:
        rows = self.headers.get_all(name)
        return [token.lower() for row in rows for part in row.split(",") if (token := part.strip(WS))]

    def _encode(self, start_line: str) -> bytes:
        lines = [start_line]
        lines += self.headers.lines()
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode() + self.body


class Request(_Message):
    """A request. ``uri.raw`` is the Request-URI exactly as it was received."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        method: str,
        uri: Uri,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    def encode(self) -> bytes:
        """The message on the wire; Content-Length is made from the body. Raises ValueError for an
        impossible URI.
        """
        if not is_token(self.method):
            raise ValueError(f"not a method: {self.method!r}")
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(_Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    def encode(self) -> bytes:
        """The message on the wire; Content-Length is made from the body. Raises ValueError for CR or LF in
        the reason.
        """
        if "\r" in self.reason or "\n" in self.reason:
            raise ValueError("a reason phrase is one line")
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


Message = Request | Response


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    to_tag: str | None = None,
    *,
    record_route: bool = False,
) -> Response:
    """A response with the fields that :rfc:`3261#section-8.2.6` takes from the request.

    ``to_tag`` is added when the request's To has none. ``record_route`` copies Record-Route too, as every
    response that makes a dialog must (:rfc:`3261#section-12.1.1`). Fields are copied as received, so a
    request that could be read only in part (``SipParseError.partial``) can be answered.
    """
    response = Response(status, reason)
    headers = response.headers
    also = ["Timestamp"] if status == 100 else ["Record-Route"] if record_route else []
    headers.copy_from(request.headers, *_NEEDED, *also)
    if to_tag is not None and status > 100 and not _has_to_tag(request):
        # As text: a quoted-pair in the display name stays as it was received.
        headers.lengthen("To", f";tag={to_tag}")
    return response


def _has_to_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except SipParseError:
        return False  # answered as it came: the sender recognises its own text
