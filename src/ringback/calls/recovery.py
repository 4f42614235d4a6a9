"""After a restart: every call found open ends in one final state, with its callbacks and a BYE."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from ringback.calls.application import Application, Dialect
from ringback.calls.ending import ending_of
from ringback.calls.engine import Engine
from ringback.calls.log import CallLog
from ringback.calls.record import CallRecord
from ringback.calls.rows import from_row, sequence_of
from ringback.calls.status import CallStatus, EndedBy
from ringback.routing.directory import Directory
from ringback.sip.dialog import DialogState
from ringback.store.records import CallRow

logger = logging.getLogger(__name__)


async def end_open_calls(engine: Engine, directory: Directory, dialects: Mapping[str, Dialect]) -> int:
    """End what an earlier life of this server left open; how many calls that were."""
    rows = await engine.store.open_calls()
    for row in rows:
        record = from_row(row)
        try:
            _say_bye(engine, record)
            await _end(engine, directory, dialects, row, record)
        except Exception:
            # One call that cannot be ended must not keep the server from starting.
            logger.exception("call %s was found open and could not be ended", row.id)
    return len(rows)


def _say_bye(engine: Engine, record: CallRecord) -> None:
    if record.dialog:
        engine.time_line.follow(record.sip_call_id, str(record.id))
        engine.endpoint.bye_orphan(msgspec.convert(record.dialog, DialogState))


async def _end(
    engine: Engine,
    directory: Directory,
    dialects: Mapping[str, Dialect],
    row: CallRow,
    record: CallRecord,
) -> None:
    status = CallStatus.COMPLETED if record.answered_at else CallStatus.FAILED
    ending = ending_of(record, EndedBy.SERVER, "the server was restarted", status, 500)
    log = CallLog(record, engine, sequence=sequence_of(row))
    await log.append(ending.event(None), _application(directory, dialects, record))


def _application(directory: Directory, dialects: Mapping[str, Dialect], record: CallRecord) -> Application:
    account = directory.account(record.account_id)
    if account is None:
        raise LookupError(f"account {record.account_id} is not configured any more")
    return dialects[record.dialect].restore(account, record.application_state)
