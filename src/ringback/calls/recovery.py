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
from ringback.calls.rows import from_row
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.routing.directory import Directory
from ringback.sip.dialog import DialogState
from ringback.sip.errors import SipParseError

logger = logging.getLogger(__name__)


async def end_open_calls(engine: Engine, directory: Directory, dialects: Mapping[str, Dialect]) -> int:
    """End what an earlier life of this server left open; how many calls that were."""
    rows = await engine.store.open_calls()
    for row in rows:
        try:
            record = from_row(row)
            _say_bye(engine, record, _credentials(directory, record))
            await _end(engine, record, _application(directory, dialects, record))
        except Exception:
            # One call that cannot be ended must not keep the server from starting.
            logger.exception("call %s was found open and could not be ended", row.id)
    return len(rows)


def _credentials(directory: Directory, record: CallRecord) -> tuple[str, str] | None:
    """Those of the trunk that a call went out through: it may challenge the BYE as it did the INVITE."""
    if record.direction is Direction.INBOUND or record.trunk is None:
        return None
    trunk = directory.trunk_named(record.account_id, record.trunk)
    return (trunk.username, trunk.password) if trunk is not None and trunk.username else None


def _say_bye(engine: Engine, record: CallRecord, credentials: tuple[str, str] | None) -> None:
    if not record.dialog:
        return
    engine.time_line.follow(record.sip_call_id, str(record.id))
    try:
        engine.endpoint.bye_orphan(msgspec.convert(record.dialog, DialogState), credentials)
    except (msgspec.ValidationError, SipParseError) as error:
        logger.error("call %s: its dialog cannot be read, no BYE is sent: %s", record.id, error)


async def _end(engine: Engine, record: CallRecord, application: Application | None) -> None:
    status = CallStatus.COMPLETED if record.answered_at else CallStatus.FAILED
    ending = ending_of(record, EndedBy.SERVER, "the server was restarted", status, 500)
    # Not every event changes the row: only the log itself knows where it stops.
    events = await engine.store.events(str(record.id))
    log = CallLog(record, engine, sequence=events[-1].sequence if events else -1)
    await log.append(ending.event(None), application)


def _application(
    directory: Directory, dialects: Mapping[str, Dialect], record: CallRecord
) -> Application | None:
    """Who is told of the end; None where the settings no longer say."""
    account = directory.account(record.account_id)
    if account is None:
        logger.warning("call %s: account %s is not configured any more", record.id, record.account_id)
        return None
    return dialects[record.dialect].restore(account, record.application_state)
