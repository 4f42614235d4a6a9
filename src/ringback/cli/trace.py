"""`ringback trace`: one call on one time line, read from the database."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ringback.calls.rows import from_row
from ringback.calls.timeline import lines_of
from ringback.cli.printable import printable
from ringback.cli.show import Watcher
from ringback.config import ConfigError, load
from ringback.dialects.spelling import read_sid
from ringback.store.errors import StoreError
from ringback.store.records import CallFilter, CallRow
from ringback.store.store import Store


async def trace(which: str, full: bool, config: Path | None) -> int:
    """Show it; 1 when there is no such call, 2 when the settings are wrong."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        settings = load(config)
        store = await Store.open(settings.server.database, settings.server.data_path)
    except (ConfigError, StoreError) as error:
        errors.print(str(error), style="red", markup=False)
        return 2
    try:
        row = await _find(store, which)
        if row is None:
            errors.print(
                f"there is no call {which} in {settings.server.data_path}", style="red", markup=False
            )
            return 1
        record = from_row(row)
        who = escape(printable(f"{record.from_} → {record.to}"))
        console.print(f"[bold]{who}[/]  {record.direction}  {record.status}  {row.id}", soft_wrap=True)
        watcher = Watcher(console, full=full)
        for line in await lines_of(store, row.id):
            watcher(line)
    finally:
        await store.close()
    return 0


async def _find(store: Store, which: str) -> CallRow | None:
    if which == "last":
        newest = await store.calls(CallFilter(), limit=1)
        return newest[0] if newest else None
    sid = read_sid(which)
    row = None if sid is None else await store.call(str(sid))
    if row is not None:
        return row
    # A Call-ID, which may look like a SID.
    found = await store.calls(CallFilter(sip_call_id=which), limit=1)
    return found[0] if found else None
