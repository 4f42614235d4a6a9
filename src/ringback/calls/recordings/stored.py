"""All recordings of this server, as REST shows and changes them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from ringback.calls.control import Overloaded
from ringback.calls.recordings.archive import Archive
from ringback.calls.recordings.control import NoSuchRecording, RecordingFile, RecordingFilter, RecordingIsLive
from ringback.calls.recordings.recording import Recording
from ringback.calls.recordings.rows import from_recording_row
from ringback.calls.recordings.storage import StorageError
from ringback.net.clock import epoch
from ringback.net.slices import gradually
from ringback.store import records
from ringback.store.store import Store


class StoredRecordings:
    """`ringback.calls.recordings.control.Recordings`, on the store and the archive."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    async def get(self, account_id: UUID | None, recording_id: UUID) -> Recording:
        """One recording. See `Recordings.get`."""
        row = await self._store.recording(str(recording_id))
        if row is None or account_id not in (None, UUID(row.account_id)):
            raise NoSuchRecording(f"no recording {recording_id}")
        return from_recording_row(row)

    async def list(self, which: RecordingFilter, *, limit: int, offset: int = 0) -> Sequence[Recording]:
        """A page of recordings. See `Recordings.list`."""
        if frozenset() in (which.statuses, which.call_ids):
            return ()
        rows = await self._store.recordings(_stored_filter(which), limit=limit, offset=offset)
        return await gradually(from_recording_row(row) for row in rows)

    async def count(self, which: RecordingFilter) -> int:
        """How many recordings match."""
        if frozenset() in (which.statuses, which.call_ids):
            return 0
        return await self._store.count_recordings(_stored_filter(which))

    async def file(
        self, recording: Recording, *, form: str = "wav", channels: int | None = None
    ) -> RecordingFile:
        """Its audio. See `Recordings.file`."""
        return await self._archive.file(recording, form=form, channels=channels)

    async def delete(self, account_id: UUID, recording_id: UUID) -> None:
        """Forget a recording and its file. See `Recordings.delete`."""
        recording = await self.get(account_id, recording_id)
        if not recording.finished:
            # Whoever finishes it would bring it back.
            raise RecordingIsLive(f"recording {recording_id} is {recording.status}")
        try:
            await self._archive.remove(recording)
        except StorageError as error:
            raise Overloaded(f"recording {recording_id} cannot be removed now: {error}") from error
        if not await self._store.delete_recording(str(recording_id)):
            raise NoSuchRecording(f"no recording {recording_id}")

    async def forget_transcription(self, account_id: UUID, recording_id: UUID) -> None:
        """Forget that a text was wanted. See `Recordings.forget_transcription`."""
        row = await self._store.recording(str(recording_id))
        if row is None or UUID(row.account_id) != account_id:
            raise NoSuchRecording(f"no recording {recording_id}")
        if row.settled_at is None:
            # Whoever stores it would bring it back.
            raise RecordingIsLive(f"recording {recording_id} is being stored")
        await self._store.put_recording(
            msgspec.structs.replace(row, plan={**row.plan, "transcription": None}, transcribed=False)
        )


def _stored_filter(which: RecordingFilter) -> records.RecordingFilter:
    return records.RecordingFilter(
        accounts=(str(which.account_id),),
        calls=tuple(sorted(map(str, which.call_ids or ()))),
        statuses=tuple(sorted(which.statuses)) if which.statuses is not None else (),
        created_from=epoch(which.created_from),
        created_to=epoch(which.created_before),
        transcribed=which.transcribed,
        order=which.order,
    )
