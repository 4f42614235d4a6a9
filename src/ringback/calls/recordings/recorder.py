"""The recordings of one live call: begun, interrupted, ended, each change an event of the call."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import msgspec

from ringback.calls.control import WrongState
from ringback.calls.events import RecordingChanged, TranscriptionFailed
from ringback.calls.part import Part
from ringback.calls.recordings.control import NoSuchRecording
from ringback.calls.recordings.files import reason
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.verbs import RecordingPlan
from ringback.calls.waiting import first_of
from ringback.media.leg import MediaRecording
from ringback.media.model import RecordingClosed
from ringback.net.clock import utcnow

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.media.model import RecordingTrack

logger = logging.getLogger(__name__)
_CLOSING_SECONDS = 5.0
"""How long the media plane may take to complete a file."""
_FINISHING_SECONDS = 20.0
"""How long the end of a call, or an action, waits for recordings to be finished."""


class _Take:
    """A recording while it is made; `media` is None where it never was."""

    def __init__(self, recording: Recording, media: MediaRecording | None) -> None:
        self.recording = recording
        self.media = media
        self.following: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self.finished: asyncio.Future[Recording] = asyncio.get_running_loop().create_future()


class Recorder(Part):
    """What is recorded of a call's leg. Several recordings at a time are independent of each other."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._takes: dict[UUID, _Take] = {}
        """In the order in which they were begun, with those that ended."""

    @property
    def live(self) -> tuple[Recording, ...]:
        """What is being recorded, or paused, the latest last."""
        return tuple(take.recording for take in self._takes.values() if not take.ended.is_set())

    def start(self, plan: RecordingPlan) -> Recording:
        """Record from now on. What cannot be is a recording all the same: a failed one. A plan that wants to
        be alone gives what is being made already, if there is one."""
        for made in self.live if plan.alone else ():
            if made.plan.source == plan.source:
                message = "the call is being recorded already: starting once more was ignored"
                self._call.note("warning", "recording", message)
                return made
        call, now = self._call, utcnow()
        recording = Recording(
            id=uuid4(),
            account_id=call.record.account_id,
            call_id=call.record.id,
            dialect=call.record.dialect,
            profile=call.record.profile,
            plan=plan,
            status=RecordingStatus.IN_PROGRESS,
            created_at=now,
            started_at=now,
            updated_at=now,
        )
        try:
            media = self._begin(recording)
        except OSError as error:
            return self._failed(recording, reason(error))
        if media is None:
            return self._failed(recording, "there is no media to record")
        self._tell(recording)
        take = self._takes[recording.id] = _Take(recording, media)
        take.following = asyncio.get_running_loop().create_task(self._follow(take, media))
        return recording

    def pause(self, id: UUID | None = None, *, name: str | None = None, silence: bool = True) -> Recording:
        """Interrupt one: the latest where no id says which, of those with that name (its `custom_id`).

        Raises NoSuchRecording, WrongState.
        """
        take = self._live(id, name)
        if take.media is not None and take.recording.status is RecordingStatus.IN_PROGRESS:
            take.media.pause(silence=silence)
            self._change(take, status=RecordingStatus.PAUSED)
        return take.recording

    def resume(self, id: UUID | None = None, *, name: str | None = None) -> Recording:
        """Go on with one, see `pause`. Raises NoSuchRecording, WrongState."""
        take = self._live(id, name)
        if take.media is not None and take.recording.status is RecordingStatus.PAUSED:
            take.media.resume()
            self._change(take, status=RecordingStatus.IN_PROGRESS)
        return take.recording

    def change(
        self, what: str, id: UUID | None = None, *, name: str | None = None, silence: bool = True
    ) -> Recording:
        """`pause`, `resume` or `stop` (without waiting) one, see `pause`.

        Raises NoSuchRecording, WrongState, ValueError.
        """
        match what:
            case "pause":
                return self.pause(id, name=name, silence=silence)
            case "resume":
                return self.resume(id, name=name)
            case "stop":
                return self.end(id, name=name)
            case _:
                raise ValueError(f"a recording can be paused, resumed and stopped, not {what!r}")

    def end(self, id: UUID | None = None, *, name: str | None = None) -> Recording:
        """End one, see `pause`; it is finished beside whatever follows.

        Raises NoSuchRecording, WrongState.
        """
        take = self._live(id, name)
        self._end(take)
        return take.recording

    def stop_soon(self, id: UUID) -> None:
        """End one, if it has not ended; `finished` follows. Raises NoSuchRecording."""
        self._end(self._take(id))

    def finished(self, id: UUID) -> asyncio.Future[Recording]:
        """Resolves, however it ends, to the recording with its file finished: with its true duration.

        Raises NoSuchRecording for one that is not this call's.
        """
        return asyncio.shield(self._take(id).finished)

    async def stop(self, id: UUID) -> Recording:
        """End one, if it has not ended, and wait until it is finished. Raises NoSuchRecording."""
        self.stop_soon(id)
        return await self.finished(id)

    async def made(self, id: UUID) -> Recording | None:
        """One that has been ended, finished, or None where there is nothing of it.

        What takes too long is as it stands, with what is known of it: `processing`, its duration that of the
        clock. Raises NoSuchRecording.
        """
        take = self._take(id)
        await asyncio.wait({take.finished}, timeout=_FINISHING_SECONDS)
        recording = take.recording
        if take.finished.done():
            return recording if recording.location else None
        logger.warning("recording %s takes long to be finished: it is not waited for", id)
        lasted = (recording.ended_at or utcnow()) - (recording.started_at or recording.created_at)
        return msgspec.structs.replace(recording, duration=lasted.total_seconds())

    async def close(self) -> None:
        """The call is over: end what is being recorded, and wait until it is finished, but not for ever."""
        if self._takes:
            for take in self._takes.values():
                self._end(take)
            finished = {take.finished for take in self._takes.values()}
            await asyncio.wait(finished, timeout=_FINISHING_SECONDS)

    def _begin(self, recording: Recording) -> MediaRecording | None:
        path = self._call.engine.archive.folder.new(recording)
        plan = recording.plan
        track = cast("RecordingTrack", plan.track)
        return self._call.leg.record(str(path), channels=plan.channels, track=track)

    def _live(self, id: UUID | None, name: str | None = None) -> _Take:
        if id is None:
            live = [recording for recording in self.live if name in (None, recording.plan.custom_id)]
            if not live:
                what = "nothing" if name is None else f"nothing of the name {name!r}"
                raise NoSuchRecording(f"{what} is being recorded")
            id = live[-1].id
        take = self._take(id)
        if take.ended.is_set():
            raise WrongState(f"recording {id} has ended")
        return take

    def _take(self, id: UUID) -> _Take:
        take = self._takes.get(id)
        if take is None:
            raise NoSuchRecording(f"no recording {id} of this call")
        return take

    def _end(self, take: _Take) -> None:
        if take.media is not None and not take.ended.is_set():
            take.ended.set()
            take.media.stop()
            self._change(take, status=RecordingStatus.PROCESSING, ended_at=utcnow())

    async def _follow(self, take: _Take, media: MediaRecording) -> None:
        """Wait for the end, which may also come by itself; then finish it, and let it be stored."""
        call = self._call  # held from here on: a file may take longer to be finished and stored than the call
        try:
            closed = await self._closed(take, media.done)
            finished = await call.engine.archive.finish(
                take.recording, closed.error, interrupted=closed.interrupted
            )
        except Exception:
            logger.exception("recording %s could not be finished", take.recording.id)
            finished = msgspec.structs.replace(
                take.recording,
                status=RecordingStatus.FAILED,
                error="it could not be finished",
                updated_at=utcnow(),
            )
        take.recording = finished
        self._tell(finished)
        take.finished.set_result(finished)
        hook = finished.plan.transcription
        if finished.transcribed and hook is not None:
            call.append(TranscriptionFailed(id=uuid4(), recording=finished, hook=hook))
        call.engine.archive.keep(finished, lambda kept: call.commit(RecordingChanged(recording=kept)))

    async def _closed(self, take: _Take, done: asyncio.Future[RecordingClosed]) -> RecordingClosed:
        """The file is complete, or nothing more is to be expected of it."""
        ended = asyncio.ensure_future(take.ended.wait())
        await first_of(done, ended)
        ended.cancel()
        if not done.done():
            await asyncio.wait({done}, timeout=_CLOSING_SECONDS)
        self._end(take)
        if done.done():
            return done.result()
        why = "the media plane did not complete the file"
        logger.warning("recording %s: %s", take.recording.id, why)
        return RecordingClosed(0, 0, interrupted=why)

    def _failed(self, recording: Recording, why: str) -> Recording:
        now = recording.created_at
        failed = msgspec.structs.replace(
            recording, status=RecordingStatus.FAILED, started_at=None, ended_at=now, error=why
        )
        self._tell(failed)
        take = self._takes[recording.id] = _Take(failed, None)
        take.ended.set()
        take.finished.set_result(failed)
        return failed

    def _change(self, take: _Take, **changes: Any) -> None:
        take.recording = msgspec.structs.replace(take.recording, updated_at=utcnow(), **changes)
        self._tell(take.recording)

    def _tell(self, recording: Recording) -> asyncio.Future[None]:
        return self._call.commit(RecordingChanged(recording=recording))
