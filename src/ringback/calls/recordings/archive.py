"""Finished recordings: stored where they belong, sent where the application wants them, fetched, removed.

A file stays in the folder until the store has confirmed it and that is durable. Whatever is not done when the
server stops is taken up by the next one (`ringback.calls.recovery`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
from soundfile import SoundFileError

from ringback.calls.recordings.control import NoSuchRecording, RecordingFile
from ringback.calls.recordings.files import reason
from ringback.calls.recordings.folder import RecordingFolder
from ringback.calls.recordings.recording import NOT_STORED, Recording, RecordingStatus
from ringback.calls.recordings.rows import (
    from_recording_row,
    is_elsewhere,
    is_settled,
    to_recording_row,
    wants_copy,
)
from ringback.calls.recordings.storage import Storage, StorageError
from ringback.net.clock import utcnow
from ringback.store.errors import StoreError
from ringback.store.records import RecordingRow
from ringback.store.store import Store

logger = logging.getLogger(__name__)
Tell = Callable[[Recording], Awaitable[None]]
"""Lets a change be known; resolves once it is durable."""
Send = Callable[[Recording, Path], Awaitable[None]]
"""Sends the application's own copy (`RecordingPlan.upload`). Raises StorageError."""

_AT_ONCE = 4
_MEDIA_TYPES = {"wav": "audio/x-wav", "mp3": "audio/mpeg"}


class Archive:
    """`storage` None: recordings stay in the folder. `patience` is how long storing one is tried, in seconds
    since its end; the first wait between two attempts is `first_wait` seconds, and each is twice as long."""

    def __init__(
        self,
        folder: RecordingFolder,
        store: Store,
        send: Send,
        *,
        storage: Storage | None = None,
        patience: float = 72 * 3600.0,
        first_wait: float = 0.5,
    ) -> None:
        self.folder = folder
        self._store = store
        self._send = send
        self._storage = storage
        self._patience = timedelta(seconds=patience)
        self._first_wait = first_wait
        self._jobs: dict[UUID, asyncio.Task[None]] = {}
        self._storing = asyncio.Semaphore(_AT_ONCE)
        self._sending: defaultdict[UUID, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, 1))
        """By account: a place that takes its time holds up nobody else's copies."""

    @property
    def waiting(self) -> int:
        """How many recordings are being stored, or sent to their applications."""
        return len(self._jobs)

    async def close(self) -> None:
        """Leave what is not done to the next life."""
        for job in list(self._jobs.values()):
            job.cancel()
        if self._jobs:
            await asyncio.wait(set(self._jobs.values()))
        await self.folder.close()

    # -- storing

    async def finish(
        self, recording: Recording, error: str | None, *, interrupted: str | None = None
    ) -> Recording:
        """What an ended recording came to; one that goes elsewhere is not completed before it is there."""
        finished = await self.folder.finish(recording, error, interrupted=interrupted)
        if finished.status is RecordingStatus.COMPLETED and self._storage is not None:
            return msgspec.structs.replace(finished, status=RecordingStatus.PROCESSING)
        return finished

    def keep(self, recording: Recording, tell: Tell) -> None:
        """Do what is left to do about a recording that has ended, and `tell` of it."""
        if not is_settled(recording):
            job = asyncio.get_running_loop().create_task(self._keep(recording, tell))
            self._jobs[recording.id] = job
            job.add_done_callback(lambda _: self._jobs.pop(recording.id, None))

    async def _keep(self, recording: Recording, tell: Tell) -> None:
        try:
            if not recording.finished:
                recording = await self.finish(recording, None)
                await tell(recording)
            if recording.status is RecordingStatus.PROCESSING:
                recording = await self._stored(recording)
                await tell(recording)
            if wants_copy(recording):
                turns = self._sending[recording.account_id]
                await self._insist(lambda: self._copy(recording), turns, recording, "sent to the application")
            if is_elsewhere(recording):
                await self.folder.remove(recording)
            if not is_settled(recording):
                await self._store.put_recording(to_recording_row(recording, settled=True))
        except (StoreError, OSError) as error:
            logger.error("recording %s waits for the next start: %s", recording.id, error)

    async def _stored(self, recording: Recording) -> Recording:
        """The recording, once the store has confirmed it or storing it was given up."""
        storage, location = self._storage, recording.location
        path = self.folder.place(recording)

        async def put() -> None:
            nonlocal location
            if storage is not None:
                await asyncio.to_thread(path.stat)
                location = await storage.put(path, self.folder.name(recording))

        error = await self._insist(put, self._storing, recording, "stored")
        return msgspec.structs.replace(
            recording,
            status=RecordingStatus.FAILED if error else RecordingStatus.COMPLETED,
            location=location,
            error=f"{NOT_STORED}: {error}" if error else recording.error,
            updated_at=utcnow(),
        )

    async def _copy(self, recording: Recording) -> None:
        await self._send(recording, await self.local(recording))

    async def _insist(
        self, work: Callable[[], Awaitable[None]], turns: asyncio.Semaphore, recording: Recording, what: str
    ) -> str | None:
        """Try in turn until it is done, or too late; then why not."""
        for wait in _waits(self._first_wait):
            try:
                async with turns:
                    await work()
                return None
            except (StorageError, OSError) as error:
                late = utcnow() + timedelta(seconds=wait) > _ended(recording) + self._patience
                follows = "given up" if late else f"again in {wait:g} s"
                logger.warning("recording %s is not %s, %s: %s", recording.id, what, follows, error)
                if late:
                    return reason(error).replace(f"{self.folder.path}/", "")
            await asyncio.sleep(wait)
        raise AssertionError("the waits never end")

    # -- fetching

    async def file(self, recording: Recording, *, form: str, channels: int | None) -> RecordingFile:
        """See `ringback.calls.recordings.control.Recordings.file`."""
        if not recording.location:
            raise NoSuchRecording(f"recording {recording.id} has no file: it is {recording.status}")
        try:
            source = await self.local(recording)
            path = await self.folder.rendition(source, form=form, mono=channels == 1)
        except (OSError, SoundFileError, StorageError) as error:
            raise NoSuchRecording(
                f"the file of recording {recording.id} cannot be had: {reason(error)}"
            ) from error
        return RecordingFile(media_type=_MEDIA_TYPES[form], path=path)

    async def local(self, recording: Recording) -> Path:
        """Its file, fetched if it is elsewhere. Raises StorageError."""
        path = self.folder.place(recording)
        if not is_elsewhere(recording) or await asyncio.to_thread(path.exists):
            return path
        storage = self._elsewhere()
        return await self.folder.fetched(recording, partial(storage.fetch, recording.location))

    def _elsewhere(self) -> Storage:
        if self._storage is None:
            raise StorageError("recordings are not stored elsewhere any more")
        return self._storage

    # -- removing

    async def remove(self, recording: Recording) -> None:
        """Remove every copy that is ours, and whatever is still being done with it. Raises StorageError."""
        job, storage = self._jobs.get(recording.id), self._storage
        if job is not None:
            job.cancel()
            await asyncio.wait({job})
        if is_elsewhere(recording):
            await self._elsewhere().remove(recording.location)
        elif job is not None and storage is not None:
            # It may have been stored in the same moment.
            await storage.remove(storage.location(self.folder.name(recording)))
        try:
            await self.folder.remove(recording)
        except OSError as error:
            raise StorageError(reason(error)) from error

    async def release(self, rows: Sequence[RecordingRow]) -> set[str]:
        """Remove the files of recordings that are to be forgotten; the ids of those where that failed, or
        that are not finished yet: who finishes them would bring them back."""
        kept: set[str] = set()
        for row in rows:
            recording = from_recording_row(row)
            if not recording.finished:
                kept.add(row.id)
                continue
            try:
                await self.remove(recording)
            except StorageError as error:
                logger.warning("recording %s stays: %s", row.id, error)
                kept.add(row.id)
        return kept


def _ended(recording: Recording) -> datetime:
    return recording.ended_at or recording.created_at


def _waits(first: float) -> Iterator[float]:
    """Seconds between attempts: twice as long each time, five minutes at the most."""
    wait = first
    while True:
        yield wait
        wait = min(wait * 2, 300.0)
