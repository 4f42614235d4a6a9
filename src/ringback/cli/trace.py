"""`ringback trace`: one call, with those that it dialled, on one time line, read from the database."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ringback.calls.record import CallRecord
from ringback.calls.rows import from_row
from ringback.calls.status import Direction
from ringback.calls.timeline import lines_of
from ringback.cli.printable import printable
from ringback.cli.show import Watcher
from ringback.config import ConfigError, Settings, load
from ringback.dialects.callapi.sids import instance_sid
from ringback.dialects.spelling import read_sid
from ringback.running import out_of_reach
from ringback.store.database import SQLITE_FILE
from ringback.store.errors import StoreError
from ringback.store.ids import instance_of
from ringback.store.records import CallFilter, CallRow
from ringback.store.store import Store

_BEGINNING = re.compile(
    r"ID[0-9a-zA-Z]{32}-CA([0-9a-fA-F]+)|(?:ID[0-9a-zA-Z]{32}-)?(?:CA)?([0-9a-fA-F]{4}[0-9a-fA-F-]*)"
)
"""Of a SID, in any spelling."""
_SCHEME = re.compile(r"(?:client|sips?|tel|user):")
_GROUPS = (8, 4, 4, 4, 12)
_MOST_SHOWN = 5
_NAME = 20  # characters of a leg's name


class _NotFound(Exception):
    """No call is meant, or more than one; the message says so."""


async def trace(which: str, full: bool, config: Path | None) -> int:
    """Show it; 1 when there is no such call, 2 when the settings are wrong."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        settings = load(config, look_only=True)
    except ConfigError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        return 2
    try:
        async with _stored(settings) as store:
            await _show(store, await _find(store, which, _every_call(settings)), console, full=full)
    except StoreError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        return 2
    except _NotFound as error:
        where = f"{error} in {settings.server.data_path}"
        errors.print(where, style="red", markup=False, soft_wrap=True)
        return 1
    return 0


@asynccontextmanager
async def _stored(settings: Settings) -> AsyncIterator[Store]:
    """What there is; nothing where no server has run yet, and nothing is made there. Raises StoreError."""
    data, database = settings.server.data_path, settings.server.database
    with tempfile.TemporaryDirectory() as scratch:
        there = out_of_reach(data) or (data / SQLITE_FILE if database == "sqlite" else data).exists()
        async with await Store.open(database, data if there else Path(scratch)) as store:
            yield store


async def _show(store: Store, row: CallRow, console: Console, *, full: bool) -> None:
    """All legs by one clock, which begins with the first line of any."""
    legs = [from_row(each) for each in await _conversation(store, row)]
    names = _names(legs)
    for leg in legs:
        who = escape(printable(f"{leg.from_} → {leg.to}"))
        name = f"  as {escape(names[str(leg.id)])}" if names else ""
        console.print(f"[bold]{who}[/]  {leg.direction}  {leg.status}  {leg.id}{name}", soft_wrap=True)
    lines = [line for leg in legs for line in await lines_of(store, str(leg.id))]
    watcher = Watcher(console, full=full, together=True, names=names)
    for line in sorted(lines, key=lambda line: line.at):
        watcher(line)


async def _conversation(store: Store, row: CallRow) -> list[CallRow]:
    """The call and the legs that it dialled, and those that these did, each after the one it belongs to."""
    found = [row]
    for leg in await store.calls(CallFilter(parent_id=row.id, order="oldest")):
        found += await _conversation(store, leg)
    return found


def _names(legs: list[CallRecord]) -> dict[str, str]:
    """What lines call the legs, by SID: each after who is at its far end; nothing where there is only one."""
    names: dict[str, str] = {}
    for leg in legs if len(legs) > 1 else ():
        party = leg.from_ if leg.direction is Direction.INBOUND else leg.to
        name = printable(_SCHEME.sub("", party))[:_NAME] or "?"
        again = sum(taken == name or taken.startswith(f"{name} #") for taken in names.values())
        names[str(leg.id)] = f"{name} #{again + 1}" if again else name
    return names


def _every_call(settings: Settings) -> str:
    """How CallAPI's SIDs of this server's calls all begin."""
    return f"{instance_sid(instance_of(settings.server.data_path))}-CA"


async def _find(store: Store, which: str, every_call: str) -> CallRow:
    """Raises _NotFound."""
    if which == "last":
        newest = await store.calls(CallFilter(top_level=True), limit=1)
        if not newest:
            raise _NotFound("there are no calls yet")
        return newest[0]
    sid = read_sid(which)
    row = None if sid is None else await store.call(str(sid))
    if row is not None:
        return row
    # A Call-ID, which may look like a SID.
    found = await store.calls(CallFilter(sip_call_id=which), limit=1)
    if found:
        return found[0]
    return await _beginning(store, which, every_call)


async def _beginning(store: Store, which: str, every_call: str) -> CallRow:
    """The only call whose SID begins like this. Raises _NotFound."""
    begins = _BEGINNING.fullmatch(which)
    found = []
    if begins is not None or _stands_for_all(which, every_call):
        digits = "" if begins is None else begins[1] or begins[2]
        found = await store.calls(CallFilter(id_prefix=_dashed(digits)), limit=_MOST_SHOWN + 1)
    if not found:
        raise _NotFound(f"there is no call {which}")
    if len(found) > 1:
        some = ", ".join(row.id for row in found[:_MOST_SHOWN])
        more = " and more" if len(found) > _MOST_SHOWN else ""
        raise _NotFound(f"several calls begin with {which}: {some}{more}")
    return found[0]


def _stands_for_all(which: str, every_call: str) -> bool:
    """Whether it ends within what CallAPI's SIDs have in common."""
    return len(which) > len("ID") and every_call.startswith(which)


def _dashed(digits: str) -> str:
    """The beginning of a UUID as it is stored."""
    left, groups = digits.replace("-", "").lower(), []
    for length in _GROUPS:
        if left:
            groups.append(left[:length])
        left = left[length:]
    return "-".join(groups)
