"""How long a fetched sound may be played again without asking, after RFC 9111. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import parsedate_to_datetime

import msgspec

from ringback.net.reply import Headers

_HEURISTIC_MOST = 3600.0  # section 4.2.2 suggests a tenth of the age; an hour is enough for a prompt


class Freshness(msgspec.Struct, frozen=True):
    """`fresh_until` is in epoch seconds; the validators are sent back to ask whether anything changed."""

    fresh_until: float
    etag: str = ""
    last_modified: str = ""

    def is_fresh(self, now: float) -> bool:
        return now < self.fresh_until

    def is_useful(self, now: float) -> bool:
        """Whether keeping the sound can save anything: it is fresh, or can be asked about."""
        return self.is_fresh(now) or bool(self.etag or self.last_modified)

    def conditions(self) -> Headers:
        """The headers of a conditional request (RFC 9110 section 13.1)."""
        found = []
        if self.etag:
            found.append(("If-None-Match", self.etag))
        if self.last_modified:
            found.append(("If-Modified-Since", self.last_modified))
        return tuple(found)


def freshness_of(headers: Headers, now: float) -> Freshness | None:
    """What a reply's headers allow; None when it must not be stored."""
    named = {name.lower(): value for name, value in reversed(headers)}
    directives = _directives(value for name, value in headers if name.lower() == "cache-control")
    if "no-store" in directives:
        return None
    etag, modified = named.get("etag", ""), named.get("last-modified", "")
    if "no-cache" in directives or ("cache-control" not in named and "no-cache" in named.get("pragma", "")):
        return Freshness(0.0, etag, modified)
    return Freshness(now + _lifetime(named, directives, now), etag, modified)


def refreshed(old: Freshness, headers: Headers, now: float) -> Freshness | None:
    """After a 304: its headers, with the old validators where it brings none."""
    new = freshness_of(headers, now)
    if new is None:
        return None
    return Freshness(new.fresh_until, new.etag or old.etag, new.last_modified or old.last_modified)


def _lifetime(named: dict[str, str], directives: dict[str, str], now: float) -> float:
    age = _number(named.get("age")) or 0.0
    max_age = _number(directives.get("max-age"))
    if max_age is not None:
        return max_age - age
    date = _moment(named.get("date"))
    at = now if date is None else date
    if "expires" in named:
        expires = _moment(named["expires"])  # an invalid date, such as "0", has passed
        return 0.0 if expires is None else expires - at - age
    modified = _moment(named.get("last-modified"))
    if modified is None:
        return 0.0
    return min(max((at - modified) * 0.1, 0.0), _HEURISTIC_MOST) - age


def _directives(values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        for part in value.split(","):
            name, _, setting = part.strip().partition("=")
            found.setdefault(name.strip().lower(), setting.strip().strip('"'))
    return found


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.strip().isdecimal() else None


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
