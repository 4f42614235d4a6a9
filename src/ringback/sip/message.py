"""SIP requests and responses.

A message keeps its header fields as text; the typed properties parse on first use (the parsers remember
what they saw, so asking again costs a look-up). ``parse_message`` in ``ringback.sip.parse`` has already
parsed Via, From, To, Call-ID, CSeq and Max-Forwards of what it returns: those properties cannot fail there.
The others (``contacts``, ``routes`` …) raise ``SipParseError`` (400) on malformed input; ``validate()``
asks all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

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

_MAX_DELTA_SECONDS: Final = 2**32 - 1


@lru_cache(maxsize=1024)
def _topmost(row: str) -> Via:
    return Via.parse(split_list(row)[0])


class _Message:
    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    # What every message has (RFC 3261 8.1.1). Missing ones raise SipParseError (400).

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return _topmost(self._required("Via"))

    @property
    def vias(self) -> list[Via]:
        return [via for row in self.headers.get_all("Via") for via in Via.parse_many(row)]

    def replace_top_via(self, via: Via) -> None:
        """Change the topmost Via (to add ``received``, say), also where one row holds several."""
        _, *rest = split_list(self._required("Via"))
        self.headers.replace_first("Via", ",".join([str(via), *rest]))

    @property
    def from_(self) -> NameAddr:
        return NameAddr.parse(self._required("From"))

    @property
    def to(self) -> NameAddr:
        return NameAddr.parse(self._required("To"))

    @property
    def call_id(self) -> str:
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        return CSeq.parse(self._required("CSeq"))

    # What it may have.

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
    def refer_to(self) -> NameAddr | None:
        value = self.headers.get("Refer-To")
        return None if value is None else NameAddr.parse(value)

    @property
    def max_forwards(self) -> int | None:
        return self._number("Max-Forwards", 255)

    @property
    def expires(self) -> int | None:
        """Seconds; a value too large to be one is the largest one (:rfc:`3261#section-20.19`)."""
        value = self.headers.get("Expires")
        if value is None:
            return None
        if not (value.isascii() and value.isdigit()):
            raise SipParseError("Malformed Expires")
        return min(int(value), _MAX_DELTA_SECONDS) if len(value) < 20 else _MAX_DELTA_SECONDS

    @property
    def content_type(self) -> MediaType | None:
        value = self.headers.get("Content-Type")
        return None if value is None else MediaType.parse(value)

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

    def validate(self) -> None:
        """Read every header field that this stack understands. Raises SipParseError (400)."""
        _ = (self.vias, self.from_, self.to, self.call_id, self.cseq, self.contacts, self.routes)
        _ = (self.record_routes, self.asserted_identities, self.diversions, self.refer_to)
        _ = (self.max_forwards, self.expires, self.content_type)
        for name in ("Require", "Proxy-Require", "Supported", "Unsupported", "Allow"):
            self._tokens(name)

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise SipParseError(f"Missing {name}")
        return value

    def _addresses(self, name: str) -> list[NameAddr]:
        return [address for row in self.headers.get_all(name) for address in NameAddr.parse_many(row)]

    def _tokens(self, name: str) -> list[str]:
        parts = (part.strip(WS) for row in self.headers.get_all(name) for part in row.split(","))
        return [part.lower() for part in parts if part]

    def _number(self, name: str, largest: int) -> int | None:
        value = self.headers.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= largest):
            raise SipParseError(f"Malformed {name}")
        return int(value)

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
    headers.copy_from(request.headers, "Via", "From", "To", "Call-ID", "CSeq")
    if status == 100:
        headers.copy_from(request.headers, "Timestamp")
    if record_route:
        headers.copy_from(request.headers, "Record-Route")
    if to_tag is not None and status > 100:
        _add_to_tag(headers, to_tag)
    return response


def _add_to_tag(headers: Headers, to_tag: str) -> None:
    to = headers.get("To") or ""
    try:
        if NameAddr.parse(to).tag is not None:
            return
    except SipParseError:
        pass  # answered as it came: the sender recognises its own text
    # Appended as text: a quoted-pair in the display name stays as it was received.
    rows = Headers()
    rows.append_parsed([f"To:{to};tag={to_tag}"])
    headers.copy_from(rows, "To")
