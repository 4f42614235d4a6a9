"""Which calls to list, in the store's terms."""

from __future__ import annotations

from ringback.calls.control import CallFilter
from ringback.calls.rows import storable
from ringback.calls.status import FINAL, CallStatus
from ringback.net.clock import epoch
from ringback.store import records


def stored_filter(which: CallFilter) -> records.CallFilter | None:
    """The store's filter for the same calls; None where no call can match."""
    if frozenset() in (which.statuses, which.directions, which.call_ids):
        return None
    exact = not which.match_suffix
    return records.CallFilter(
        accounts=(str(which.account_id),),
        ids=tuple(sorted(map(str, which.call_ids or ()))),
        statuses=tuple(sorted(which.statuses or ())) if which.statuses != FINAL else (),
        directions=tuple(sorted(which.directions)) if which.directions is not None else (),
        from_=_spellings(which.from_) if exact else (),
        to=_spellings(which.to) if exact else (),
        from_suffix="" if exact else storable(which.from_ or ""),
        to_suffix="" if exact else storable(which.to or ""),
        parent_id=str(which.parent_id) if which.parent_id else None,
        trunk_name=which.trunk,
        answered=which.answered,
        open=_open(which.statuses),
        party=storable(which.party),
        created_from=epoch(which.started_from),
        created_to=epoch(which.started_before),
        ended_from=epoch(which.ended_from),
        ended_to=epoch(which.ended_before),
        open_or_ended_from=epoch(which.live_or_ended_after),
        order=which.order,
    )


def _open(statuses: frozenset[CallStatus] | None) -> bool | None:
    """What the statuses have in common, since that is sooner found: they are live (True), or final."""
    if statuses is None:
        return None
    return True if not statuses & FINAL else False if statuses <= FINAL else None


def _spellings(number: str | None) -> tuple[str, ...]:
    """A number is found with and without its +."""
    if not number:
        return ()
    number = storable(number)
    bare = number.removeprefix("+")
    return (bare, f"+{bare}") if bare.isdigit() else (number,)
