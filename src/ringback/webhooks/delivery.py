"""A callback that is due, as it is stored and as it is sent."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import Literal, Protocol
from urllib.parse import urlsplit

import msgspec

from ringback.net.reply import Headers
from ringback.webhooks.policy import FetchPolicy, RetryPolicy
from ringback.webhooks.sign import SigningScheme

# Callbacks: three attempts where the application could not be reached or broke down.
CALLBACK_POLICY = FetchPolicy(
    max_redirects=3, retries=RetryPolicy(attempts=3, on=frozenset({"ct", "rt", "5xx"}))
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One rendered callback.

    `fields` (encoding "form": form body, or query of a GET) or `json` (encoding "json") are final; only the
    signature is made when sending, by `scheme` with the key that `key_ref` names. Deliveries of one
    `stream` go out in `sequence` order. `token` stays the same on every repeat, and is sent as
    `token_header` where that is set. `not_before` is in epoch seconds; `attempts` counts those made.
    """

    id: str
    account_id: str
    url: str
    call_id: str | None = None
    sequence: int = 0
    method: str = "POST"
    encoding: Literal["form", "json"] = "form"
    fields: tuple[tuple[str, str | None], ...] = ()
    json: bytes = b""
    headers: Headers = ()
    auth: tuple[str, str] | None = None
    scheme: SigningScheme = "none"
    key_ref: str = ""
    token: str = ""
    token_header: str = ""
    query_to_body: bool = False
    hash_body: bool = False
    policy: FetchPolicy = CALLBACK_POLICY
    attempts: int = 0
    not_before: float = 0.0
    stream: str = ""

    def stream_key(self) -> str:
        """What orders this delivery: its `stream`, or else call and origin of the URL."""
        return self.stream or f"{self.call_id or self.id} {place(self.url, with_path=False)}"


class Outbox(Protocol):
    """Where deliveries are durable. Every method may be called again with the same arguments."""

    async def pending(self) -> list[Delivery]:
        """Everything not yet delivered or given up, in order of creation."""
        ...

    def mark_delivered(self, id: str, *, attempts: int, http_status: int | None) -> Awaitable[None]: ...

    def mark_failed(
        self, id: str, why: str, *, attempts: int, http_status: int | None
    ) -> Awaitable[None]: ...

    def reschedule(self, id: str, not_before: float, attempts: int, why: str) -> Awaitable[None]: ...


@lru_cache(maxsize=1024)
def place(url: str, *, with_path: bool) -> str:
    """Scheme and authority of a URL, and its path: what can be slow or dead as one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme.lower()}://{host}{parts.path if with_path else ''}"


def encode(delivery: Delivery) -> bytes:
    """The delivery as stored."""
    return msgspec.msgpack.encode(delivery)


def decode(payload: bytes) -> Delivery:
    """A stored delivery; `msgspec.ValidationError` when it is none."""
    return msgspec.msgpack.decode(payload, type=Delivery)
