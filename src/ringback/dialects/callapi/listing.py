"""Lists of calls: the filters and the order. Sources: CallAPI "Listing Calls", RestComm "Calls API"."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from ringback.calls.control import CallFilter, NoSuchCall
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.dialects.callapi.paging import Page, check_page, envelope, read_moment, read_order, read_page
from ringback.dialects.callapi.represent import Listing
from ringback.dialects.callapi.resources import account_uri, call_resource
from ringback.dialects.callapi.sids import call_sid
from ringback.dialects.callapi.words import statuses_named
from ringback.dialects.http import Parameters
from ringback.dialects.spelling import read_sid
from ringback.net.slices import gradually
from ringback.routing.directory import Account

_FIELDS = {
    "datecreated": "created_at",
    "from": "from",
    "to": "to",
    "direction": "direction",
    "status": "status",
    "duration": "duration",
    "price": "created_at",  # every price is the same
}


async def list_calls(
    services: Services, account: Account, parameters: Parameters, *, path: str, today_only: bool
) -> Listing:
    """One page of the account's calls. `today_only`: without dates, what began today (`ListCalls`).

    Raises:
        Refusal: 400 for a bad date, page or order.
    """
    page = read_page(parameters)
    only = _one_call(parameters)
    if only is not None:
        calls, total = await _just(services, account, only)
    else:
        which = _filter(account, parameters, today_only=today_only)
        nothing = which.statuses == frozenset() or "ConferenceSid" in parameters
        calls, total = ([], 0) if nothing else await _page(services, which, page)
        check_page(page, total)
    now = datetime.now(UTC)
    return Listing(
        "Calls",
        await gradually(call_resource(call, services.instance, now) for call in calls),
        "calls",
        envelope(
            f"{account_uri(account.id)}/{path}.json",
            parameters,
            page,
            total,
            count=len(calls),
            last_sid=call_sid(services.instance, calls[-1].id) if calls else None,
        ),
    )


async def _page(services: Services, which: CallFilter, page: Page) -> tuple[list[CallRecord], int]:
    found, total = await services.calls.page(which, limit=page.size, offset=page.offset)
    return list(found), total


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


def _filter(account: Account, parameters: Parameters, *, today_only: bool) -> CallFilter:
    which = CallFilter(
        account_id=account.id,
        from_=parameters.get("From").strip() or None,
        to=parameters.get("To").strip() or None,
        match_suffix=True,
        statuses=statuses_named(parameters.get("Status")) if parameters.get("Status") else None,
        parent_id=_parent(parameters),
        order=read_order(parameters, _FIELDS),
    )
    start, end = read_moment(parameters, "StartTime"), read_moment(parameters, "EndTime")
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
