"""The life of a recording on a live call: each change told once, and a file that holds what was said."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import msgspec
import pytest
import soundfile
from tests.calls.recordings.tapes import Tape, silence, tone
from tests.patience import PATIENCE

from ringback.calls.control import WrongState
from ringback.calls.events import CallEnded, RecordingChanged
from ringback.calls.recordings import recorder
from ringback.calls.recordings.control import NoSuchRecording, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.rows import from_recording_row
from ringback.calls.recordings.stored import StoredRecordings
from ringback.calls.verbs import Hook, RecordingPlan
from ringback.store.store import Store

PLAN = RecordingPlan()
TRIM = RecordingPlan(trim=True)


async def test_a_recording_is_begun_ended_finished_and_told(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(1.5))
    begun = tape.call.recorder.start(RecordingPlan(channels=2, custom_id="mine"))
    assert begun.status is RecordingStatus.IN_PROGRESS
    assert begun.started_at == begun.created_at == begun.updated_at
    assert [live.id for live in tape.call.recorder.live] == [begun.id]
    ended = await tape.call.recorder.stop(begun.id)
    assert tape.statuses == ["in-progress", "processing", "completed"]
    assert (ended.duration, ended.size) == (1.5, 44 + 1.5 * 8000 * 4)
    assert ended.ended_at is not None
    assert ended.ended_at - begun.created_at < timedelta(seconds=5)
    assert soundfile.info(tmp_path / ended.location).channels == 2
    assert tape.call.record.recording == ended
    assert from_recording_row(tape.store.rows[str(ended.id)]) == ended
    assert tape.call.recorder.live == ()


async def test_pausing_and_going_on_are_told_once(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.1))
    ours = tape.call.recorder
    ours.start(PLAN)
    ours.pause(silence=False)
    assert ours.pause().status is RecordingStatus.PAUSED
    ours.change("resume")
    ours.resume()
    ours.change("pause", silence=True)
    ours.change("stop")
    await tape.final()
    assert tape.statuses == [
        "in-progress", "paused", "in-progress", "paused", "processing", "completed",
    ]  # fmt: skip
    assert tape.media.recordings[0].changes == [("pause", False), "resume", ("pause", True)]


async def test_one_that_wants_to_be_alone_is_not_begun_twice(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.1))
    recorder, alone = tape.call.recorder, RecordingPlan(alone=True)
    dialled = recorder.start(RecordingPlan(source="dial-verb"))
    first = recorder.start(alone)
    assert first.id != dialled.id, "only one of the same source counts"
    assert recorder.start(alone).id == first.id
    assert [live.id for live in recorder.live] == [dialled.id, first.id]
    recorder.end(first.id)
    assert recorder.start(alone).id != first.id


async def test_a_name_chooses_among_those_of_that_name(tmp_path: Path) -> None:
    recorder = Tape(tmp_path, tone(0.1)).call.recorder
    first, second, other = (recorder.start(RecordingPlan(custom_id=name)) for name in ("a", "a", "b"))
    assert recorder.pause(name="a").id == second.id, "the latest of them"
    assert recorder.change("resume", name="a").id == second.id
    assert recorder.end(name="a").id == second.id
    assert recorder.end(name="a").id == first.id, "of those that are live"
    with pytest.raises(NoSuchRecording, match="nothing of the name 'a' is being recorded"):
        recorder.end(name="a")
    assert [live.id for live in recorder.live] == [other.id]


async def test_what_is_changed_must_be_there_and_live(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.1))
    ours = tape.call.recorder
    with pytest.raises(NoSuchRecording):
        ours.pause()
    first, second = ours.start(PLAN), ours.start(PLAN)
    assert ours.end().id == second.id, "without an id it is the latest"
    assert ours.pause().id == first.id, "of those that are live"
    with pytest.raises(WrongState):
        ours.resume(second.id)
    with pytest.raises(NoSuchRecording):
        ours.end(tape.call.record.id)
    with pytest.raises(NoSuchRecording):
        await ours.stop(tape.call.record.id)
    with pytest.raises(ValueError, match="stretch"):
        ours.change("stretch")
    assert (await ours.stop(second.id)).status is RecordingStatus.COMPLETED


async def test_silence_is_trimmed_at_both_ends_and_only_there(tmp_path: Path) -> None:
    import numpy as np

    said = np.concatenate([silence(1.0), tone(0.5), silence(0.7), tone(0.5), silence(2.0)])
    tape = Tape(tmp_path, said)
    ended = await tape.call.recorder.stop(tape.call.recorder.start(TRIM).id)
    assert ended.duration == pytest.approx(1.7, abs=0.02)
    samples, _ = soundfile.read(tmp_path / ended.location, dtype="int16")
    assert np.array_equal(samples, said[8000 : 8000 + len(samples)])


@pytest.mark.parametrize(
    ("plan", "seconds", "status"),
    [
        pytest.param(TRIM, 2.0, "absent", id="nothing but silence, trimmed"),
        pytest.param(PLAN, 2.0, "completed", id="nothing but silence, as it is"),
        pytest.param(PLAN, 0.0, "absent", id="nothing"),
    ],
)
async def test_a_recording_of_nothing(
    tmp_path: Path, plan: RecordingPlan, seconds: float, status: str
) -> None:
    tape = Tape(tmp_path, silence(seconds))
    ended = await tape.call.recorder.stop(tape.call.recorder.start(plan).id)
    assert tape.statuses == ["in-progress", "processing", status]
    assert tape.archive.folder.place(ended).exists() == bool(ended.location) == (status == "completed")


async def test_a_call_that_ends_ends_its_recordings_first(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    tape.call.recorder.start(PLAN)
    await tape.hang_up()
    kinds = [type(event) for event in tape.store.events]
    assert kinds == [RecordingChanged, RecordingChanged, RecordingChanged, CallEnded]
    assert tape.statuses[-1] == "completed"
    assert tape.call.record.recording is not None
    assert tape.call.record.recording.duration == 0.5
    end, last = tape.store.appends[-1], tape.store.appends[-2]
    assert end.at < last.at, "the call ended before its recordings were finished"


async def test_a_disk_that_fills_up_fails_the_recording_and_keeps_what_there_is(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    tape.call.recorder.start(TRIM)
    tape.media.recordings[0].stop("No space left on device")
    ended = await tape.final()
    assert tape.statuses == ["in-progress", "processing", "failed"]
    assert (ended.error, ended.duration) == ("No space left on device", 0.25)
    assert (tmp_path / ended.location).exists()
    assert not tape.call.over


@pytest.mark.parametrize(("seconds", "status"), [(0.25, "completed"), (0.0, "failed")])
async def test_what_was_lost_with_a_process_is_completed_with_what_there_is(
    tmp_path: Path, seconds: float, status: str
) -> None:
    tape = Tape(tmp_path, tone(seconds))
    tape.call.recorder.start(PLAN)
    tape.media.recordings[0].stop(interrupted="the media worker ended")
    ended = await tape.final()
    assert (ended.status, ended.error, ended.duration) == (status, "the media worker ended", seconds)


async def test_nothing_is_asked_of_the_disk_when_a_recording_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape(tmp_path, tone(0.25))
    await tape.archive.folder.look()

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the event loop waits for a disk")

    with monkeypatch.context() as watched:
        watched.setattr("shutil.disk_usage", asked)
        watched.setattr(Path, "mkdir", asked)
        begun = tape.call.recorder.start(PLAN)
    assert (await tape.call.recorder.stop(begun.id)).status is RecordingStatus.COMPLETED


async def test_a_full_disk_fails_the_recording_at_once_and_not_the_call(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    tape.archive.folder._min_free = 2**62
    await tape.archive.folder.look()
    failed = tape.call.recorder.start(PLAN)
    assert tape.statuses == ["failed"]
    assert failed.error is not None
    assert "No space left" in failed.error
    assert await tape.call.recorder.stop(failed.id) == failed
    assert not tape.media.recordings
    assert not tape.call.over


async def test_without_media_there_is_nothing_to_record(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    tape.call.leg._media = None
    assert tape.call.recorder.start(PLAN).error == "there is no media to record"


async def test_a_file_that_is_not_there_fails_its_recording(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    begun = tape.call.recorder.start(PLAN)
    made = tape.media.recordings[0]
    made.stop()
    made.path.unlink()
    ended = await tape.call.recorder.stop(begun.id)
    assert ended.status is RecordingStatus.FAILED
    assert ended.error is not None
    assert str(tmp_path) not in ended.error, "applications need not know where files are"


async def test_one_that_is_not_finished_cannot_be_removed_and_comes_back_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape(tmp_path, tone(0.25))
    recordings = StoredRecordings(cast("Store", tape.store), tape.archive)
    finish, let = tape.archive.finish, asyncio.Event()

    async def slow(recording: Recording, error: str | None, **_: object) -> Recording:
        await let.wait()
        return await finish(recording, error)

    monkeypatch.setattr(tape.archive, "finish", slow)
    begun = tape.call.recorder.start(PLAN)
    ended = tape.call.recorder.end(begun.id)
    assert ended.status is RecordingStatus.PROCESSING
    with pytest.raises(RecordingIsLive):
        await recordings.delete(begun.account_id, begun.id)
    row = tape.store.rows[str(begun.id)]
    assert await tape.archive.release([row]) == {row.id}
    let.set()
    assert (await tape.call.recorder.finished(begun.id)).status is RecordingStatus.COMPLETED
    await recordings.delete(begun.account_id, begun.id)
    assert tape.store.rows == {}
    assert not tape.archive.folder.place(begun).exists()


async def test_that_a_text_was_wanted_is_forgotten_once_it_is_stored(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    recordings = StoredRecordings(cast("Store", tape.store), tape.archive)
    plan = msgspec.structs.replace(PLAN, transcription=Hook(url="http://app.test/text"))
    ended = await tape.call.recorder.stop(tape.call.recorder.start(plan).id)
    assert ended.transcribed
    row = tape.store.rows[str(ended.id)]
    await tape.store.put_recording(msgspec.structs.replace(row, settled_at=None))
    with pytest.raises(RecordingIsLive):
        await recordings.forget_transcription(ended.account_id, ended.id)
    await tape.store.put_recording(msgspec.structs.replace(row, settled_at=1.0))
    with pytest.raises(NoSuchRecording):
        await recordings.forget_transcription(uuid4(), ended.id)
    await recordings.forget_transcription(ended.account_id, ended.id)
    assert not (await recordings.get(ended.account_id, ended.id)).transcribed


async def test_a_fault_of_ours_fails_the_recording_and_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tape = Tape(tmp_path, tone(0.25))

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(tape.archive, "finish", broken)
    ended = await tape.call.recorder.stop(tape.call.recorder.start(PLAN).id)
    assert ended.status is RecordingStatus.FAILED
    assert "could not be finished" in caplog.text


async def test_the_log_has_no_credentials_and_the_row_has(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    report = Hook(url="http://alice:secret@app.example/told", username="bob", password="secret")
    begun = tape.call.recorder.start(RecordingPlan(report=report))
    assert b"secret" not in tape.store.appends[-1].payload
    assert from_recording_row(tape.store.rows[str(begun.id)]).plan.report == report


async def test_both_an_old_and_a_new_recording_end_with_the_call(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.25))
    first = tape.call.recorder.start(PLAN)
    await tape.call.recorder.stop(first.id)
    tape.call.recorder.start(PLAN)
    tape.call.recorder.start(PLAN)
    await asyncio.wait_for(tape.hang_up(), PATIENCE)
    assert tape.statuses.count("completed") == 3


async def test_an_action_does_not_wait_for_ever_for_a_file_to_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape(tmp_path, tone(0.25))
    finish, let = tape.archive.finish, asyncio.Event()

    async def slow(recording: Recording, error: str | None, **_: object) -> Recording:
        await let.wait()
        return await finish(recording, error)

    monkeypatch.setattr(tape.archive, "finish", slow)
    monkeypatch.setattr(recorder, "_FINISHING_SECONDS", 0.05)
    begun = tape.call.recorder.start(PLAN)
    tape.call.recorder.stop_soon(begun.id)
    made = await tape.call.recorder.made(begun.id)
    assert made is not None
    assert (made.id, made.status) == (begun.id, RecordingStatus.PROCESSING)
    let.set()
    assert (await tape.final()).duration == 0.25
    assert await tape.call.recorder.made(begun.id) == tape.changes[-1]
