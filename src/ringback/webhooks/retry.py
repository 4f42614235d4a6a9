"""When a failed exchange is repeated: outcome and attempt in, delay or "give up" out. No clock, no IO."""

from __future__ import annotations

import msgspec

from ringback.net.reply import FailureKind
from ringback.webhooks.policy import RetryOn, RetryPolicy

_CONNECTION: frozenset[str] = frozenset({"connect", "dns", "tls"})


class Outcome(msgspec.Struct, frozen=True):
    """How one attempt ended: with a status, or with a failure's kind and words."""

    status: int | None = None
    kind: FailureKind | None = None
    message: str = ""
    attempts: int = 1
    elapsed_ms: float = 0.0
    delivered: bool = False
    given_up: bool = False
    """No attempt follows."""


def category(kind: FailureKind | None, status: int | None) -> RetryOn | None:
    """The word by which a retry policy names this failure; None for one that no policy repeats."""
    if kind is None:
        if status is None or status < 400:
            return None
        return "5xx" if status >= 500 else "4xx"
    if kind in _CONNECTION:
        return "ct"
    return "rt" if kind == "timeout" else None


def next_delay(
    policy: RetryPolicy, attempt: int, kind: FailureKind | None = None, status: int | None = None
) -> float | None:
    """Seconds to wait after the `attempt`-th attempt (from 1) failed so, or None: give up."""
    if attempt >= policy.attempts or category(kind, status) not in policy.on:
        return None
    if not policy.backoff:
        return 0.0
    return policy.backoff[min(attempt - 1, len(policy.backoff) - 1)]
