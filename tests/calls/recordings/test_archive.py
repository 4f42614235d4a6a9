"""Finished recordings: stored in an object store, sent to the application, fetched again, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import numpy as np
import pytest
import soundfile
from tests.calls.making import HOOK
from tests.calls.recordings.object_store import ObjectStore, object_store
from tests.calls.recordings.tapes import Tape, tone, write_wav
from tests.patience import PATIENCE

from ringback.calls.control import Overloaded
from ringback.calls.recordings.control import NoSuchRecording, RecordingFile
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.renditions import Renditions
from ringback.calls.recordings.rows import to_recording_row
from ringback.calls.recordings.storage import ObjectStorage, StorageError
from ringback.calls.verbs import RecordingPlan

PLAN = RecordingPlan()
COPIED = RecordingPlan(upload=HOOK)


@pytest.fixture
async def s3() -> AsyncIterator[ObjectStore]:
    async with object_store() as store:
        yield store


def stored_in(s3: ObjectStore) -> ObjectStorage:
    return ObjectStorage("s3://calls/recordings", s3.options)


async def recorded(tape: Tape, plan: RecordingPlan = PLAN) -> Recording:
    """Record something, and wait until all is done about it."""
    begun = tape.call.recorder.start(plan)
    await tape.call.recorder.stop(begun.id)
    async with asyncio.timeout(PATIENCE):
        while jobs := set(tape.archive._jobs.values()):
            await asyncio.wait(jobs)
    return tape.changes[-1]


async def test_a_recording_is_stored_and_only_then_completed_and_gone_from_the_folder(
    tmp_path: Path, s3: ObjectStore
) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape)
    assert tape.statuses == ["in-progress", "processing", "processing", "completed"]
    name = f"recordings/{recording.account_id}/{recording.id}.wav"
    assert recording.location == f"s3://calls/{name}"
    [(stored, data)] = (await s3.objects()).items()
    assert stored == name
    assert len(data) == recording.size == 44 + 8000
    assert not tape.archive.folder.place(recording).exists()
    assert tape.store.rows[str(recording.id)].settled_at is not None
    assert tape.changes[2].duration == 0.5, "known before it is stored"


async def test_it_is_tried_again_until_it_is_confirmed(
    tmp_path: Path, s3: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    s3.failures = 3
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape)
    assert (recording.status, s3.refused) == (RecordingStatus.COMPLETED, 3)
    assert len(await s3.objects()) == 1
    assert caplog.text.count("is not stored, again in") == 3


async def test_after_the_limit_it_has_failed_and_its_file_is_kept(tmp_path: Path, s3: ObjectStore) -> None:
    s3.failures = 1000
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3), patience=0.0)
    recording = await recorded(tape)
    assert recording.status is RecordingStatus.FAILED
    assert recording.error is not None
    assert recording.error.startswith("it could not be stored: s3://calls/recordings: ")
    assert tape.archive.folder.place(recording).exists()
    file = await tape.archive.file(recording, form="wav", channels=None)
    assert file.path == tape.archive.folder.place(recording)


async def test_a_stored_recording_is_fetched_when_it_is_asked_for_and_forgotten_again(
    tmp_path: Path, s3: ObjectStore
) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape)
    files = await asyncio.gather(
        *(tape.archive.file(recording, form=form, channels=None) for form in ("wav", "wav", "mp3"))
    )
    first, second, mp3 = [file.path for file in files]
    assert first is not None
    assert first == second
    assert soundfile.info(first).duration == 0.5
    assert mp3 is not None
    assert mp3.exists()
    await tape.archive.folder.tidy()
    assert first.exists()
    await tape.archive.folder.tidy(idle=0.0)
    assert not first.exists()
    assert not mp3.exists()


async def test_removing_it_removes_it_there(tmp_path: Path, s3: ObjectStore) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape)
    row = to_recording_row(recording)
    s3.failures = 1
    assert await tape.archive.release([row]) == {row.id}, "it could not be removed: it must not be forgotten"
    assert await tape.archive.release([row]) == set()
    assert await s3.objects() == {}
    assert await tape.archive.release([row]) == set(), "what is gone is no error"
    with pytest.raises(NoSuchRecording):
        await tape.archive.file(recording, form="wav", channels=None)


async def test_one_that_is_still_being_stored_can_be_heard(tmp_path: Path, s3: ObjectStore) -> None:
    s3.failures = 10**6
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    finished = await tape.call.recorder.stop(tape.call.recorder.start(PLAN).id)
    assert finished.status is RecordingStatus.PROCESSING
    file = await tape.archive.file(finished, form="wav", channels=None)
    assert file.path is not None
    assert soundfile.info(file.path).duration == 0.5
    s3.failures = 0
    await tape.archive.remove(finished)


async def test_a_file_that_vanished_before_it_was_stored_fails_without_its_path(
    tmp_path: Path, s3: ObjectStore
) -> None:
    recording = await recorded(Tape(tmp_path, tone(0.5)))
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3), patience=0.0)
    tape.archive.folder.place(recording).unlink()
    waiting = msgspec.structs.replace(recording, status=RecordingStatus.PROCESSING)
    tape.archive.keep(waiting, tape.call.recorder._tell)
    assert (await tape.final()).error == "it could not be stored: No such file or directory"


async def test_one_that_is_still_being_stored_is_removed_with_its_job(
    tmp_path: Path, s3: ObjectStore
) -> None:
    s3.failures = 10**6
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    begun = tape.call.recorder.start(PLAN)
    await tape.call.recorder.stop(begun.id)
    await s3.refusing.wait()
    s3.failures = 0
    await tape.archive.remove(tape.changes[-1])
    assert tape.archive._jobs == {}
    assert await s3.objects() == {}
    assert not tape.archive.folder.place(begun).exists()


async def test_what_is_elsewhere_cannot_be_had_without_the_store(tmp_path: Path, s3: ObjectStore) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape)
    moved = Tape(tmp_path, tone(0.5), storage=ObjectStorage("s3://calls/elsewhere", s3.options))
    for archive in (Tape(tmp_path, tone(0.5)).archive, moved.archive):
        with pytest.raises(NoSuchRecording, match="cannot be had"):
            await archive.file(recording, form="wav", channels=None)
        with pytest.raises(StorageError):
            await archive.remove(recording)


async def test_a_server_that_stops_leaves_the_rest_to_the_next_one(tmp_path: Path, s3: ObjectStore) -> None:
    s3.failures = 10**6
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    begun = tape.call.recorder.start(PLAN)
    await tape.call.recorder.stop(begun.id)
    await tape.archive.close()
    assert tape.statuses == ["in-progress", "processing", "processing"]
    assert tape.store.rows[str(begun.id)].settled_at is None
    s3.failures = 0
    later = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    later.archive.keep(tape.changes[-1], later.call.recorder._tell)
    assert (await later.final()).status is RecordingStatus.COMPLETED
    assert len(await s3.objects()) == 1


async def test_a_store_that_cannot_be_is_named() -> None:
    with pytest.raises(StorageError, match=r"s3://bucket: Configuration key: 'colour' is not valid"):
        ObjectStorage("s3://bucket", {"colour": "red"})


# -- the application's own copy


async def test_the_application_is_sent_its_copy_after_the_recording_is_completed(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    tape.copies.failures = [StorageError("the answer was 503"), OSError("no")]
    recording = await recorded(tape, COPIED)
    assert tape.statuses == ["in-progress", "processing", "completed"]
    assert tape.copies.sent == [tape.archive.folder.place(recording).read_bytes()]
    assert tape.store.rows[str(recording.id)].settled_at is not None


async def test_a_copy_that_nobody_takes_is_given_up_and_the_recording_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tape = Tape(tmp_path, tone(0.5), patience=0.0)
    tape.copies.failures = [StorageError("the answer was 503")]
    recording = await recorded(tape, COPIED)
    assert recording.status is RecordingStatus.COMPLETED
    assert tape.copies.sent == []
    assert "is not sent to the application, given up: the answer was 503" in caplog.text
    assert tape.store.rows[str(recording.id)].settled_at is not None


async def test_a_copy_is_sent_from_the_folder_before_it_is_emptied(tmp_path: Path, s3: ObjectStore) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    recording = await recorded(tape, COPIED)
    assert tape.copies.sent == list((await s3.objects()).values())
    assert not tape.archive.folder.place(recording).exists()


async def test_one_account_s_slow_places_hold_up_neither_storing_nor_others_copies(
    tmp_path: Path, s3: ObjectStore
) -> None:
    tape = Tape(tmp_path, tone(0.5), storage=stored_in(s3))
    sending, let, sent = asyncio.Semaphore(0), asyncio.Event(), []

    async def send(recording: Recording, path: Path) -> None:
        sending.release()
        if recording.account_id == slow[0].account_id:
            await let.wait()
        sent.append(recording.id)

    tape.archive._send = send
    slow: list[Recording] = []
    for _ in range(6):
        slow.append(tape.call.recorder.start(COPIED))
        await tape.call.recorder.stop(slow[-1].id)
    await sending.acquire()
    async with asyncio.timeout(PATIENCE):
        while tape.statuses.count("completed") < 6:
            await tape.store.more()
    assert sending.locked(), "one at a time"
    done = msgspec.structs.replace(tape.changes[-1], id=uuid4(), account_id=uuid4())
    tape.archive.keep(done, tape.call.recorder._tell)
    await asyncio.wait_for(sending.acquire(), PATIENCE)
    await asyncio.sleep(0)
    assert sent == [done.id]
    let.set()
    async with asyncio.timeout(PATIENCE):
        while jobs := set(tape.archive._jobs.values()):
            await asyncio.wait(jobs)
    assert {*sent} == {done.id, *(recording.id for recording in slow)}


async def test_tidying_bears_what_vanishes_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Tape(tmp_path, tone(0.1)).archive.folder
    fetched = folder.path / "fetched"
    fetched.mkdir()
    (fetched / "there.wav").touch()
    (fetched / "gone.wav").symlink_to(fetched / "nowhere")  # listed, and not there when it is looked at
    await folder.tidy(idle=0.0)
    assert not (fetched / "there.wav").exists()


# -- files


async def test_renditions_are_made_once_and_removed_with_the_recording(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    recording = await recorded(tape, RecordingPlan(channels=2))
    left, right = tone(0.5, 300.0), tone(0.5, 2000.0, level=30000)
    write_wav(tape.archive.folder.place(recording), left, right)
    mixed = (await tape.archive.file(recording, form="wav", channels=1)).path
    assert mixed is not None
    samples, rate = soundfile.read(mixed, dtype="int16", always_2d=True)
    assert (rate, samples.shape) == (8000, (4000, 1))
    expected = np.clip(left.astype(int) + right, -32768, 32767)
    assert np.array_equal(samples[:, 0], expected)
    stereo = await tape.archive.file(recording, form="mp3", channels=2)
    mono = await tape.archive.file(recording, form="mp3", channels=1)
    assert (stereo.media_type, mono.media_type) == ("audio/mpeg", "audio/mpeg")
    assert [soundfile.info(file.path).channels for file in (stereo, mono)] == [2, 1]
    assert soundfile.info(mono.path).duration == pytest.approx(0.5, abs=0.2)
    made = mixed.stat().st_mtime_ns
    await tape.archive.file(recording, form="wav", channels=1)
    assert mixed.stat().st_mtime_ns == made
    await tape.archive.remove(recording)
    assert list(mixed.parent.iterdir()) == []


async def test_one_channel_is_not_mixed(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    recording = await recorded(tape)
    file = await tape.archive.file(recording, form="wav", channels=1)
    assert (file.path, file.media_type) == (tape.archive.folder.place(recording), "audio/x-wav")


async def test_a_recording_under_way_has_no_file(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    begun = tape.call.recorder.start(PLAN)
    with pytest.raises(NoSuchRecording, match="in-progress"):
        await tape.archive.file(begun, form="wav", channels=None)


# -- what renditions must not do


class Watched(Renditions):
    """Says when it is asked (`asked` is released), and makes nothing before it is `let`."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.asked = asyncio.Semaphore(0)
        self.let = asyncio.Event()
        self.made: list[Path] = []

    async def make(self, what: str, source: Path, to: Path) -> None:
        self.asked.release()
        await super().make(what, source, to)

    async def _run(self, what: str, source: Path, to: Path) -> None:
        await self.let.wait()
        self.made.append(to)
        await super()._run(what, source, to)


def mp3(tape: Tape, recording: Recording) -> asyncio.Task[RecordingFile]:
    return asyncio.create_task(tape.archive.file(recording, form="mp3", channels=None))


async def test_encoding_holds_up_no_recording_and_ends_when_its_recording_is_removed(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    watched = tape.archive.folder._renditions = Watched(most=16)
    watched.let.set()
    noise = np.random.default_rng(1).integers(-20000, 20000, 8000 * 600).astype(np.int16)
    long = [await recorded(tape) for _ in range(3)]
    for each in long:
        write_wav(tape.archive.folder.place(each), noise, noise[::-1])
    wanted = [mp3(tape, each) for each in long]
    for _ in wanted:
        await watched.asked.acquire()
    await asyncio.wait_for(recorded(tape, RecordingPlan(trim=True)), PATIENCE)
    assert not any(task.done() for task in wanted)
    for each in long:
        await tape.archive.remove(each)
    for task in wanted:
        with pytest.raises(NoSuchRecording):
            await task
    folder = tape.archive.folder.place(long[0]).parent
    assert [path.name for path in folder.iterdir()] == [f"{tape.changes[-1].id}.wav"]
    await tape.archive.close()


async def test_a_file_is_encoded_once_for_all_who_want_it_and_only_so_many_wait(tmp_path: Path) -> None:
    tape = Tape(tmp_path, tone(0.5))
    watched = tape.archive.folder._renditions = Watched(most=1)
    one, two, three = [await recorded(tape) for _ in range(3)]
    first = [mp3(tape, one) for _ in range(5)]
    await watched.asked.acquire()
    second = mp3(tape, two)
    await watched.asked.acquire()
    with pytest.raises(Overloaded):
        await mp3(tape, three)
    first[0].cancel()
    watched.let.set()
    files = await asyncio.gather(*first[1:], second)
    assert len(watched.made) == 2
    assert all(file.path is not None and file.path.exists() for file in files)
    assert (await mp3(tape, three)).path is not None, "there is room again"


async def test_what_cannot_be_encoded_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tape = Tape(tmp_path, tone(0.5))
    recording = await recorded(tape)
    tape.archive.folder.place(recording).write_bytes(b"nonsense")
    with pytest.raises(NoSuchRecording):
        await mp3(tape, recording)
    assert "was not made (exit code 1)" in caplog.text
