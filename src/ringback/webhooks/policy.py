"""How an exchange with an application is bounded and repeated, and how its URL's fragment changes that."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qsl

import msgspec

RetryOn = Literal["ct", "rt", "4xx", "5xx"]  # connection, read time-out, status classes

# Seconds before the second attempt, the third, and so on; the last one repeats.
BACKOFF = (0.5, 1.0, 2.0, 4.0, 6.0)


class RetryPolicy(msgspec.Struct, frozen=True):
    """`attempts` counts the first one too. `on` names what is worth repeating."""

    attempts: int = 1
    on: frozenset[RetryOn] = frozenset({"ct"})
    backoff: tuple[float, ...] = BACKOFF


class FetchPolicy(msgspec.Struct, frozen=True):
    """Bounds of one exchange, seconds and bytes.

    `total_timeout` covers all attempts, redirects and waits; None leaves only the others.
    `accept` lists the statuses that count as success (empty: any 2xx).
    """

    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    total_timeout: float | None = 15.0
    max_redirects: int = 10
    redirect_keeps_method: bool = False
    max_body: int = 65536
    retries: RetryPolicy = RetryPolicy()
    accept: frozenset[int] = frozenset()

    def accepts(self, status: int) -> bool:
        return status in self.accept if self.accept else 200 <= status < 300


class Overrides(msgspec.Struct, frozen=True):
    """What a URL fragment asks for; None where it is silent. Seconds."""

    connect_timeout: float | None = None
    read_timeout: float | None = None
    total_timeout: float | None = None
    retry_count: int | None = None
    retry_on: frozenset[RetryOn] | None = None

    def applied(self, policy: FetchPolicy) -> FetchPolicy:
        """The policy with the overrides in place."""
        if self == _NOTHING:
            return policy
        retries = policy.retries
        if self.retry_count is not None:
            retries = msgspec.structs.replace(retries, attempts=self.retry_count + 1)
        if self.retry_on is not None:
            retries = msgspec.structs.replace(retries, on=self.retry_on)
        return msgspec.structs.replace(
            policy,
            connect_timeout=_first(self.connect_timeout, policy.connect_timeout),
            read_timeout=_first(self.read_timeout, policy.read_timeout),
            total_timeout=policy.total_timeout if self.total_timeout is None else self.total_timeout,
            retries=retries,
        )


_RETRY_WORDS: dict[str, frozenset[RetryOn]] = {
    "ct": frozenset({"ct"}),
    "rt": frozenset({"rt"}),
    "4xx": frozenset({"4xx"}),
    "5xx": frozenset({"5xx"}),
    "all": frozenset({"ct", "rt", "4xx", "5xx"}),
}
_NOTHING = Overrides()


@lru_cache(maxsize=256)
def parse_overrides(fragment: str) -> Overrides:
    """Read a fragment such as `ct=2000&rt=5000&rc=3&rp=ct,5xx`; pairs may also be parted by commas.

    `ct` (`ot` at SignalWire) connect, `rt` read, `tt` total: milliseconds, held to 100 to 15,000 (connect
    10,000); `rc` retries after the first attempt, 0 to 5; `rp` what is retried. Unknown or malformed
    pairs are ignored. Sources: Twilio "Webhooks connection overrides", SignalWire "Webhook
    overrides", jambonz "Webhooks".
    """
    if "=" not in fragment:
        return _NOTHING
    pairs = dict(parse_qsl(_with_ampersands(fragment)))
    retry_on = [_RETRY_WORDS[word] for word in _words(pairs.get("rp", "")) if word in _RETRY_WORDS]
    return Overrides(
        connect_timeout=_seconds(pairs.get("ct", pairs.get("ot")), 10_000),
        read_timeout=_seconds(pairs.get("rt"), 15_000),
        total_timeout=_seconds(pairs.get("tt"), 15_000),
        retry_count=_held(pairs.get("rc"), 0, 5),
        retry_on=frozenset().union(*retry_on) if retry_on else None,
    )


def _with_ampersands(fragment: str) -> str:
    # `rp=ct,5xx` holds commas as well: one that a `name=` follows parts two pairs.
    parts = fragment.split(",")
    joined = parts[0]
    for part in parts[1:]:
        joined += ("&" if "=" in part else ",") + part
    return joined


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]


def _seconds(text: str | None, most_ms: int) -> float | None:
    held = _held(text, 100, most_ms)
    return None if held is None else held / 1000.0


def _held(text: str | None, least: int, most: int) -> int | None:
    if text is None or not text.strip().isdecimal():
        return None
    return min(max(int(text), least), most)


def _first(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
