"""Lists of calls: the filters, the order, the pages and their envelope.

Sources: CallAPI "Listing Calls", RestComm "Calls API". Kept from the service: pages count from 0, `num_pages`
is the whole part of total / page_size, `start` and `end` are strings, and a link that leads nowhere is the
word `null`. Put right: links keep the filters, and none leads to an empty page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from ringback.calls.control import CallFilter, NoSuchCall
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.callapi.represent import Listing
from ringback.dialects.callapi.resources import account_uri, call_resource
from ringback.dialects.callapi.sids import call_sid
from ringback.dialects.callapi.words import statuses_named
from ringback.dialects.http import Parameters, boolean, integer, parse_moment
from ringback.dialects.spelling import read_sid
from ringback.net.slices import gradually
from ringback.routing.directory import Account

_DEFAULT_SIZE, _LARGEST_SIZE, _LAST_PAGE = 50, 2000, 20_000

_FIELDS = {
    "datecreated": "created_at",
    "from": "from",
    "to": "to",
    "direction": "direction",
    "status": "status",
    "duration": "duration",
    "price": "created_at",  # every price is the same
}


class Page(NamedTuple):
    """Which part of a list."""

    number: int
    size: int


async def list_calls(
    services: Services, account: Account, parameters: Parameters, *, path: str, today_only: bool
) -> Listing:
    """One page of the account's calls. `today_only`: without dates, what began today (`ListCalls`).

    Raises:
        Refusal: 400 for a bad date, page or order.
    """
    page = _page(parameters)
    only = _one_call(parameters)
    if only is not None:
        calls, total = await _just(services, account, only)
    else:
        which = _filter(account, parameters, today_only=today_only)
        nothing = which.statuses == frozenset() or "ConferenceSid" in parameters
        total = 0 if nothing else await services.calls.count(which)
        _check_page(page, total)
        found = (
            []
            if not total or not page.size
            else await services.calls.list(which, limit=page.size, offset=page.number * page.size)
        )
        calls = list(found)
    now = datetime.now(UTC)
    return Listing(
        "Calls",
        await gradually(call_resource(call, services.instance, now) for call in calls),
        "calls",
        _envelope(
            f"{account_uri(account.id)}/{path}.json", parameters, page, total, calls, services.instance
        ),
    )


async def _just(services: Services, account: Account, sid: str) -> tuple[list[CallRecord], int]:
    id = read_sid(sid)
    if id is None:
        return [], 0
    try:
        return [await services.calls.get(account.id, id)], 1
    except NoSuchCall:
        return [], 0


def _one_call(parameters: Parameters) -> str | None:
    return parameters.get("CallSid").strip() or parameters.get("Sid").strip() or None


def _page(parameters: Parameters) -> Page:
    number = integer(parameters.get("Page") or "0", least=0, most=_LAST_PAGE)
    given = parameters.get("PageSize") or parameters.get("Limit") or str(_DEFAULT_SIZE)
    size = integer(given, least=0, most=_LARGEST_SIZE)
    if number is None or size is None:
        raise Refusal(400)
    return Page(number, size)


def _check_page(page: Page, total: int) -> None:
    if page.number > (total // page.size if page.size else 0):
        raise Refusal(400)


def _filter(account: Account, parameters: Parameters, *, today_only: bool) -> CallFilter:
    which = CallFilter(
        account_id=account.id,
        from_=parameters.get("From").strip() or None,
        to=parameters.get("To").strip() or None,
        match_suffix=True,
        statuses=statuses_named(parameters.get("Status")) if parameters.get("Status") else None,
        parent_id=_parent(parameters),
        order=_order(parameters),
    )
    start, end = _moment(parameters, "StartTime"), _moment(parameters, "EndTime")
    if start is None and end is None and today_only:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return msgspec.structs.replace(which, started_from=midnight)
    return msgspec.structs.replace(
        which, started_from=start[0] if start else None, ended_before=end[1] if end else None
    )


def _parent(parameters: Parameters) -> UUID | None:
    text = parameters.get("ParentCallSid").strip()
    if not text:
        return None
    return read_sid(text) or UUID(int=0)  # what is no SID is nobody's parent


def _moment(parameters: Parameters, name: str) -> tuple[datetime, datetime] | None:
    text = parameters.get(name).strip()
    if not text:
        return None
    moment = parse_moment(text)
    if moment is None:
        raise Refusal(400)
    return moment


def _order(parameters: Parameters) -> str:
    """`SortBy=Field[:asc|desc]`, `SortBy=DateAsc`, or the older `Reverse`; else newest first."""
    wanted = parameters.get("SortBy").strip()
    if not wanted:
        return "oldest" if boolean(parameters.get("Reverse")) is False else "newest"
    if wanted.lower() == "dateasc":
        return "oldest"
    name, colon, way = wanted.partition(":")
    field = _FIELDS.get(name.strip().lower())
    if field is None or way.strip().lower() not in (("asc", "desc") if colon else ("",)):
        raise Refusal(400, f"SortBy {wanted} is not valid.", shaped=True)
    return f"-{field}" if way.strip().lower() == "desc" else field


def _envelope(
    uri: str, parameters: Parameters, page: Page, total: int, calls: list[CallRecord], instance: str
) -> dict[str, str | int]:
    kept = [(name, value) for name, value in parameters.pairs if name not in ("Page", "PageSize", "AfterSid")]

    def link(number: int, *more: tuple[str, str]) -> str:
        asked = [("Page", str(number)), ("PageSize", str(page.size)), *kept, *more]
        return f"{uri}?{urlencode(asked)}"

    last = max(0, (total - 1) // page.size) if page.size else 0
    after = ("AfterSid", call_sid(instance, calls[-1].id)) if calls else None
    start = page.number * page.size
    return {
        "page": page.number,
        "num_pages": total // page.size if page.size else 0,
        "page_size": page.size,
        "total": total,
        "start": str(start),
        "end": str(start + len(calls)),
        "uri": uri,
        "first_page_uri": link(0),
        "previous_page_uri": link(page.number - 1) if page.number > 0 else "null",
        "next_page_uri": link(page.number + 1, after) if after and page.number < last else "null",
        "last_page_uri": link(last),
    }
