"""Pages of a list and their envelope.

Sources: CallAPI "Listing Calls", RestComm "Calls API". Kept from the service: pages count from 0, `num_pages`
is the whole part of total / page_size, `start` and `end` are strings, and a link that leads nowhere is the
word `null`. Put right: links keep the filters, and none leads to an empty page.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.http import Parameters, boolean, integer, parse_moment

_DEFAULT_SIZE, _LARGEST_SIZE, _LAST_PAGE = 50, 2000, 20_000


class Page(NamedTuple):
    """Which part of a list."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many come before it."""
        return self.number * self.size


def read_page(parameters: Parameters) -> Page:
    """`Page` and `PageSize` (or `Limit`).

    Raises:
        Refusal: 400.
    """
    number = integer(parameters.get("Page") or "0", least=0, most=_LAST_PAGE)
    given = parameters.get("PageSize") or parameters.get("Limit") or str(_DEFAULT_SIZE)
    size = integer(given, least=0, most=_LARGEST_SIZE)
    if number is None or size is None:
        raise Refusal(400)
    return Page(number, size)


def check_page(page: Page, total: int) -> None:
    """A page past the end is refused.

    Raises:
        Refusal: 400.
    """
    if page.number > (total // page.size if page.size else 0):
        raise Refusal(400)


def read_moment(parameters: Parameters, name: str) -> tuple[datetime, datetime] | None:
    """The span that a date or time names.

    Raises:
        Refusal: 400 for what is neither.
    """
    text = parameters.get(name).strip()
    if not text:
        return None
    moment = parse_moment(text)
    if moment is None:
        raise Refusal(400)
    return moment


def read_order(parameters: Parameters, fields: Mapping[str, str]) -> str:
    """`SortBy=Field[:asc|desc]`, `SortBy=DateAsc`, or the older `Reverse`; else newest first.

    `fields` are the engine's names of those that can be sorted by, by the service's in lower case.

    Raises:
        Refusal: 400 for another field.
    """
    wanted = parameters.get("SortBy").strip()
    if not wanted:
        return "oldest" if boolean(parameters.get("Reverse")) is False else "newest"
    if wanted.lower() == "dateasc":
        return "oldest"
    name, colon, way = wanted.partition(":")
    field = fields.get(name.strip().lower())
    if field is None or way.strip().lower() not in (("asc", "desc") if colon else ("",)):
        raise Refusal(400, f"SortBy {wanted} is not valid.", shaped=True)
    return f"-{field}" if way.strip().lower() == "desc" else field


def envelope(
    uri: str, parameters: Parameters, page: Page, total: int, *, count: int, last_sid: str | None
) -> dict[str, str | int]:
    """What stands around a page of `count` resources, the last of which is `last_sid`."""
    kept = [(name, value) for name, value in parameters.pairs if name not in ("Page", "PageSize", "AfterSid")]

    def link(number: int, *more: tuple[str, str]) -> str:
        asked = [("Page", str(number)), ("PageSize", str(page.size)), *kept, *more]
        return f"{uri}?{urlencode(asked)}"

    last = max(0, (total - 1) // page.size) if page.size else 0
    after = ("AfterSid", last_sid) if last_sid else None
    return {
        "page": page.number,
        "num_pages": total // page.size if page.size else 0,
        "page_size": page.size,
        "total": total,
        "start": str(page.offset),
        "end": str(page.offset + count),
        "uri": uri,
        "first_page_uri": link(0),
        "previous_page_uri": link(page.number - 1) if page.number > 0 else "null",
        "next_page_uri": link(page.number + 1, after) if after and page.number < last else "null",
        "last_page_uri": link(last),
    }
