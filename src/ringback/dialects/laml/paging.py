"""Pages of lists. A page token remembers when the first page was read, so that new items shift nothing."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from ringback.dialects.http import Parameters, integer
from ringback.dialects.laml.errors import ApiError
from ringback.dialects.laml.profiles import TWILIO, Profile

DEFAULT_SIZE, LARGEST_SIZE = 50, 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")
_MICROSECOND = timedelta(microseconds=1)


class Page(msgspec.Struct, frozen=True):
    """Which page is wanted: items from `offset` of the list as it was at `anchor`."""

    number: int
    size: int
    offset: int
    anchor: datetime


def read_page(query: Parameters, profile: Profile, now: datetime) -> Page:
    """`Page`, `PageSize` (clamped to 1,000) and `PageToken`.

    Raises:
        ApiError: malformed, or a page after the first without its token.
    """
    bad_token, bad_size = (21481, 20007) if profile is TWILIO else (54453, 54454)
    size = integer(query.get("PageSize", str(DEFAULT_SIZE)), least=1)
    if size is None:
        raise ApiError(bad_size, f"Invalid PageSize: expected 1 to {LARGEST_SIZE}")
    number = integer(query.get("Page", "0"), least=0)
    if number is None:
        raise ApiError(bad_token, "Invalid Page: expected a number from 0")
    size = min(size, LARGEST_SIZE)
    token = query.get("PageToken")
    if not token:
        if number > 0:
            raise ApiError(bad_token, "Invalid PageToken: a page after the first needs the one it was given")
        return Page(0, size, 0, now)
    anchor, offset = _read_token(token, bad_token)
    return Page(number, size, offset, anchor)


def _read_token(token: str, code: int) -> tuple[datetime, int]:
    match = None
    if token[:2] in ("PA", "PB"):
        padded = token[2:] + "=" * (-len(token[2:]) % 4)
        try:
            match = _TOKEN.fullmatch(base64.urlsafe_b64decode(padded).decode("ascii"))
        except (binascii.Error, ValueError):
            match = None
    if match is None:
        raise ApiError(code, "Invalid PageToken")
    try:
        return _EPOCH + int(match[1]) * _MICROSECOND, int(match[2])
    except OverflowError:
        raise ApiError(code, "Invalid PageToken") from None


def _token(kind: str, anchor: datetime, offset: int) -> str:
    text = f"{(anchor - _EPOCH) // _MICROSECOND}.{offset}"
    return kind + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def envelope(
    name: str, items: list[Any], page: Page, *, more: bool, path: str, filters: Parameters, profile: Profile
) -> dict[str, Any]:
    """A list with its links, which are relative to the host and hold all filters."""
    kept = [(key, value) for key, value in filters.pairs if key not in ("Page", "PageSize", "PageToken")]

    def link(number: int, token: str = "") -> str:
        pairs = [*kept, ("PageSize", str(page.size)), ("Page", str(number))]
        return f"{path}?{urlencode([*pairs, ('PageToken', token)] if token else pairs)}"

    before = page.offset - page.size
    following = _token("PA", page.anchor, page.offset + page.size)
    preceding = _token("PB", page.anchor, max(before, 0))
    body = {
        "uri": link(page.number, _token("PA", page.anchor, page.offset) if page.number else ""),
        "first_page_uri": link(0),
        "next_page_uri": link(page.number + 1, following) if more else None,
        "previous_page_uri": link(page.number - 1, preceding) if page.number else None,
        "page": page.number,
        "page_size": page.size,
        name: items,
    }
    if profile is TWILIO:
        start = page.offset if items else 0
        body |= {"start": start, "end": start + len(items) - 1 if items else 0}
    return body
