"""What goes into and comes out of one HTTP exchange.

HttpFailure          no usable reply: `kind` says at which stage
└── BodyTooLarge     the body was cut at the limit
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

Headers = tuple[tuple[str, str], ...]
Sign = Callable[[str, str, bytes], Sequence[tuple[str, str]]]  # (method, URL as sent, body) -> headers

FailureKind = Literal[
    "invalid-url",
    "dns",
    "refused-address",
    "connect",
    "tls",
    "timeout",
    "protocol",
    "too-large",
    "too-many-redirects",
]


class HttpFailure(Exception):
    """An exchange that brought no usable reply.

    `kind`: "connect" also covers a connection that timed out while it was being made; "timeout" means
    that the request may have been received; "protocol" is a broken or aborted reply. `status` is set
    where there was one (a refused WebSocket handshake).
    """

    def __init__(self, kind: FailureKind, message: str, url: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.url = url
        self.status = status


class BodyTooLarge(HttpFailure):
    """The body went on past the limit; the connection was dropped there."""

    def __init__(self, limit: int, url: str) -> None:
        super().__init__("too-large", f"the reply is larger than {limit} bytes", url)
        self.limit = limit


class HttpLimits(msgspec.Struct, frozen=True):
    """Time-outs in seconds, size in bytes. `read_timeout` is the longest silence; `total_timeout` (None: no
    limit) covers everything, redirects included."""

    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    total_timeout: float | None = 15.0
    max_body: int = 65536


class Redirects(msgspec.Struct, frozen=True):
    """How many redirects are followed, and how.

    `keep_method` false: 301, 302 and 303 turn anything but HEAD into a GET without body, as browsers do
    (RFC 9110 section 15.4); 307 and 308 repeat the request. True: always repeat it.
    """

    limit: int = 0
    keep_method: bool = False


class HttpReply(msgspec.Struct, frozen=True):
    """A complete reply. `url` is the one that answered, after redirects; `content_type` is lower case,
    without parameters, empty when there was none; `named_charset` is what it names, if it names one, else the
    document may say."""

    status: int
    headers: Headers
    body: bytes
    url: str
    elapsed_ms: float
    content_type: str = ""
    named_charset: str | None = None

    @property
    def charset(self) -> str:
        """What the body is read in, as far as the headers say."""
        return self.named_charset or "utf-8"

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def text(self) -> str:
        """The body as text; bytes that the charset does not allow become U+FFFD."""
        try:
            return self.body.decode(self.charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


@lru_cache(maxsize=256)
def media_type(value: str | None) -> tuple[str, str | None]:
    """(type/subtype in lower case, charset if there is one) of a Content-Type value."""
    if not value:
        return "", None
    kind, *parameters = value.split(";")
    for parameter in parameters:
        name, _, setting = parameter.partition("=")
        if name.strip().lower() == "charset" and setting:
            return kind.strip().lower(), setting.strip().strip("\"'").lower()
    return kind.strip().lower(), None


class Exchange(msgspec.Struct, frozen=True):
    """A finished request as an observer sees it (`HttpPool.on_exchange`), bodies as they were on the wire.

    `status` is None where no reply came; then `error` says why.
    """

    method: str
    url: str
    status: int | None
    error: str
    elapsed_ms: float
    request_body: bytes
    response_body: bytes
