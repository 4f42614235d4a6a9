"""The filters of `GET /Calls`. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ringback.calls.control import CallFilter
from ringback.dialects.http import Parameters, parse_moment
from ringback.dialects.laml.errors import ApiError, invalid
from ringback.dialects.laml.paging import Page
from ringback.dialects.laml.statuses import REST_STATUSES
from ringback.dialects.spelling import read_sid

Span = tuple[datetime | None, datetime | None]


def read_filter(query: Parameters, account_id: UUID, page: Page) -> CallFilter:
    """`To`, `From`, `ParentCallSid`, `Status`, `StartTime`, `EndTime`, the last two also with < and >.

    A date is that day in UTC; `<` and `>` include it.

    Raises:
        ApiError: a value that cannot be read.
    """
    status = query.get("Status")
    if status and status not in REST_STATUSES:
        raise invalid("Status", " or ".join(REST_STATUSES), status)
    started_from, started_before = read_span(query, "StartTime")
    ended_from, ended_before = read_span(query, "EndTime")
    # What came after the first page was read belongs to none of its followers.
    if page.offset and (started_before is None or page.anchor < started_before):
        started_before = page.anchor
    return CallFilter(
        account_id=account_id,
        statuses=REST_STATUSES[status] if status else None,
        from_=query.get("From") or None,
        to=query.get("To") or None,
        parent_id=_parent(query),
        started_from=started_from,
        started_before=started_before,
        ended_from=ended_from,
        ended_before=ended_before,
    )


def _parent(query: Parameters) -> UUID | None:
    text = query.get("ParentCallSid")
    if not text:
        return None
    id = read_sid(text)
    if id is None:
        raise invalid("ParentCallSid", "the SID of a call", text)
    return id


def read_span(query: Parameters, name: str) -> Span:
    """[from, before) of a time and its inequalities.

    Raises:
        ApiError: a value that is no date.
    """
    first: datetime | None = None
    before: datetime | None = None
    for sign in ("", "<", ">"):
        text = query.get(name + sign)
        if not text:
            continue
        moment = parse_moment(text)
        if moment is None:
            raise ApiError(
                20422, f"Invalid {name}{sign}: expected YYYY-MM-DD or a date and time, got {text!r}"
            )
        if sign != "<":
            first = moment[0] if first is None else max(first, moment[0])
        if sign != ">":
            before = moment[1] if before is None else min(before, moment[1])
    return first, before
