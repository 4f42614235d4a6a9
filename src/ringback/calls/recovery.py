"""After a restart: every call found open ends in one final state, with its callbacks and a BYE.

So does every recording: its file is made playable, finished and stored, and what became of it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from ringback.calls.application import Application, Dialect
from ringback.calls.ending import ending_of
from ringback.calls.engine import Engine
from ringback.calls.events import RecordingChanged
from ringback.calls.log import CallLog
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.rows import from_recording_row, to_recording_row
from ringback.calls.rows import from_row
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.net.clock import utcnow
from ringback.routing.directory import Directory
from ringback.sip.dialog import DialogState
from ringback.sip.errors import SipParseError
from ringback.store.records import CallRow

logger = logging.getLogger(__name__)


async def finish_what_was_left(engine: Engine, directory: Directory, dialects: Mapping[str, Dialect]) -> int:
    """End the calls that an earlier life of this server left open; how many that were.

    Recordings that it did not finish, or not store, are taken up.
    """
    recordings = await _recordings_left(engine)
    rows = await engine.store.open_calls()
    for row in rows:
        try:
            past = await _Past.of(row, engine, directory, dialects)
            _say_bye(engine, past.record, _credentials(directory, past.record))
            await past.end(recordings.pop(row.id, []))
        except Exception:
            # One call that cannot be ended must not keep the server from starting.
            logger.exception("call %s was found open and could not be ended", row.id)
    for call_id, left in recordings.items():
        try:
            await _take_up(engine, directory, dialects, call_id, left)
        except Exception:
            logger.exception("the recordings of call %s could not be finished", call_id)
    return len(rows)


class _Past:
    """A call of an earlier life, to whose log something is still to be added."""

    def __init__(self, engine: Engine, log: CallLog, application: Application | None) -> None:
        self._engine = engine
        self._log = log
        self._application = application

    @classmethod
    async def of(
        cls, row: CallRow, engine: Engine, directory: Directory, dialects: Mapping[str, Dialect]
    ) -> _Past:
        record = from_row(row)
        # Not every event changes the row: only the log itself knows where it stops.
        events = await engine.store.events(row.id)
        log = CallLog(record, engine, sequence=events[-1].sequence if events else -1)
        return cls(engine, log, _application(directory, dialects, record))

    @property
    def record(self) -> CallRecord:
        return self._log.record

    async def end(self, recordings: Sequence[Recording]) -> None:
        """Let the call have ended; what was recorded of it stands in its record by then."""
        for recording in recordings:
            self._tell(recording)
        status = CallStatus.COMPLETED if self.record.answered_at else CallStatus.FAILED
        ending = ending_of(self.record, EndedBy.SERVER, "the server was restarted", status, 500)
        await self._log.commit(ending.event(None), self._application)
        self.keep(recordings)

    def keep(self, recordings: Sequence[Recording]) -> None:
        """Do what is left to do about recordings, beside everything else."""
        for recording in recordings:
            self._engine.archive.keep(recording, self._tell)

    def _tell(self, recording: Recording) -> asyncio.Future[None]:
        return self._log.commit(RecordingChanged(recording=recording), self._application)


async def _recordings_left(engine: Engine) -> dict[str, list[Recording]]:
    """What is unfinished, by call; of what was being recorded, the files are playable and have ended."""
    rows = await engine.store.unsettled_recordings()
    left: defaultdict[str, list[Recording]] = defaultdict(list)
    for recording in await asyncio.gather(*(_ended(engine, from_recording_row(row)) for row in rows)):
        left[str(recording.call_id)].append(recording)
    return dict(left)


async def _ended(engine: Engine, recording: Recording) -> Recording:
    if recording.finished:
        return recording
    try:
        seconds = await engine.archive.folder.repair(recording)
    except (OSError, ValueError) as error:
        logger.warning("recording %s was left without a file: %s", recording.id, error)
        seconds = 0.0
    began = recording.started_at or recording.created_at
    return msgspec.structs.replace(
        recording,
        status=RecordingStatus.PROCESSING,
        duration=seconds,
        ended_at=recording.ended_at or began + timedelta(seconds=seconds),
        updated_at=utcnow(),
    )


async def _take_up(
    engine: Engine,
    directory: Directory,
    dialects: Mapping[str, Dialect],
    call_id: str,
    recordings: Sequence[Recording],
) -> None:
    """Recordings of a call that had ended."""
    row = await engine.store.call(call_id)
    if row is None:
        logger.error("there are recordings of call %s, of which nothing is known", call_id)
        await _give_up(engine, recordings)
        return
    (await _Past.of(row, engine, directory, dialects)).keep(recordings)


async def _give_up(engine: Engine, recordings: Sequence[Recording]) -> None:
    """Nobody is left to be told of these. What was not finished goes; what was is done with."""
    for recording in recordings:
        if not recording.finished:
            await engine.archive.remove(recording)
            recording = msgspec.structs.replace(
                recording, status=RecordingStatus.FAILED, duration=0.0, error="nothing is known of its call"
            )
        await engine.store.put_recording(to_recording_row(recording, settled=True))


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


def _application(
    directory: Directory, dialects: Mapping[str, Dialect], record: CallRecord
) -> Application | None:
    """Who is told of the end; None where the settings no longer say."""
    account = directory.account(record.account_id)
    if account is None:
        logger.warning("call %s: account %s is not configured any more", record.id, record.account_id)
        return None
    return dialects[record.dialect].restore(account, record.application_state)
