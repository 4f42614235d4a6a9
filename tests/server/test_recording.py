"""Recordings with real audio: what a phone says is in the file, and what became of the file is told."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from aiohttp import web
from tests.calls.recordings.object_store import object_store
from tests.patience import PATIENCE, rest_client
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, hears_tone
from tests.server.site import NUMBERS, Site, site_settings
from tests.server.sounding import babble, channels_of, place_of, share_of

from ringback.calls.control import WrongState
from ringback.calls.events import CallEnded, RecordingChanged, TranscriptionFailed
from ringback.calls.outcome import EndOfVerb
from ringback.calls.recordings.archive import Archive
from ringback.calls.recordings.control import NoSuchRecording, RecordingFilter, RecordingIsLive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.stored import StoredRecordings
from ringback.calls.retention import Retention
from ringback.calls.verbs import (
    Answer,
    Answering,
    Clip,
    ControlRecording,
    Hook,
    Pause,
    Play,
    Record,
    RecordingPlan,
)
from ringback.config.tables import RecordingsSection, StoreSection
from ringback.testing.kit import RunningServer, WebApp
from ringback.testing.phone_audio import RATE, Samples
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]
MOST = 0.5
"""On a quiet machine it is all; a busy one makes the phone lose some."""
CALLER = RecordingPlan(source="record-verb", track="inbound", trim=True)


def archive(site: Site) -> Archive:
    """Where the files are."""
    return site.server.switchboard.engine.archive


def path_of(site: Site, recording: Recording) -> Path:
    return archive(site).folder.place(recording)


async def begun(app: Neutral) -> Recording:
    event = await app.event(RecordingChanged)
    recording: Recording = event.recording
    return recording


async def final(app: Neutral) -> Recording:
    """The only recording, when nothing more happens to it."""
    changed = await app._wait(
        lambda: next(
            (e for e, _ in app.told if isinstance(e, RecordingChanged) and e.recording.status.final), None
        ),
        20.0,
    )
    recording: Recording = changed.recording
    return recording


def statuses(app: Neutral) -> list[str]:
    return [e.recording.status.value for e, _ in app.told if isinstance(e, RecordingChanged)]


async def says(call: PhoneCall, said: Samples) -> None:
    """Speak, and wait until it is said and has arrived."""
    call.audio.say(said)
    await call.audio.said()
    await call.hears(len(call.heard()) / RATE + 0.3)


async def test_what_the_caller_says_is_recorded_until_a_key(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer(
        "new-call",
        Record(
            answering=Answering.ANSWER,
            recording=CALLER,
            action=HOOK,
            silence_timeout=None,
            finish_keys=frozenset("#"),
        ),
    )
    app.answer("action", HANG_UP)
    call = await phones[0].call(NUMBER)
    await hears_tone(call, 1000.0)
    await begun(app)
    await call.hears(len(call.heard()) / RATE + 0.5)
    said = babble(1, 2.0)
    await says(call, said)
    await call.press("7#")
    assert await call.ended() == "remote"
    outcome = app.outcome("Record")
    recording = outcome.recording
    assert (outcome.end, outcome.digits) == (EndOfVerb.DONE, "#")
    assert recording.duration == pytest.approx(2.0, abs=0.5)
    assert statuses(app) == ["in-progress", "processing", "completed"]
    [heard] = channels_of(path_of(site, recording))
    assert share_of(said, heard) >= MOST
    assert np.flatnonzero(np.abs(heard) > 500)[0] < 0.1 * RATE, "the silence before is left out"
    await site.server.settled()
    [(_, record)] = [(e, r) for e, r in app.told if isinstance(e, CallEnded)]
    assert record.recording == recording


async def test_silence_ends_it(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer(
        "new-call",
        Record(answering=Answering.ANSWER, recording=CALLER, action=HOOK, silence_timeout=1.0, beep=False),
        HANG_UP,
    )
    call = await phones[0].call(NUMBER)
    await begun(app)
    call.audio.say(babble(2, 2.0))
    assert await call.ended() == "remote"
    recording = app.outcome("Record").recording
    assert recording.duration == pytest.approx(2.0, abs=0.3)
    lasted = recording.ended_at - recording.started_at
    assert timedelta(seconds=2.5) < lasted < timedelta(seconds=8.0)


async def test_a_caller_who_hangs_up_is_reported_with_the_recording(
    site: Site, app: Neutral, phones: Phones
) -> None:
    plan = RecordingPlan(source="record-verb", track="inbound", trim=True, transcription=HOOK)
    app.answer("new-call", Record(answering=Answering.ANSWER, recording=plan, action=HOOK, beep=False))
    call = await phones[0].call(NUMBER)
    await begun(app)
    await says(call, babble(3, 0.5))
    call.hang_up()
    ask = await app.question("action")
    assert ask.outcome.end is EndOfVerb.HUNG_UP
    assert ask.outcome.recording.duration == pytest.approx(0.5, abs=0.3)
    failed = await app.event(TranscriptionFailed)
    assert failed.recording.id == ask.outcome.recording.id


async def test_a_caller_who_says_nothing_leaves_nothing(site: Site, app: Neutral, phones: Phones) -> None:
    app.answer(
        "new-call",
        Record(
            answering=Answering.ANSWER, recording=CALLER, action=HOOK, silence_timeout=0.5, report_empty=False
        ),
        HANG_UP,
    )
    call = await phones[0].call(NUMBER)
    assert await call.ended() == "remote"
    assert app.outcome("Record").recording is None
    assert statuses(app) == ["in-progress", "processing", "absent"]
    assert not [ask for ask, _ in app.asked if ask.what == "action"]


async def test_both_sides_on_their_channels_paused_and_resumed_from_outside(
    site: Site, app: Neutral, phones: Phones
) -> None:
    played = babble(4, 30.0)
    site.app.reply("/played.wav", lambda _: web.Response(body=wav_of(played), content_type="audio/wav"))
    app.answer("new-call", Answer(), Play(clips=(Clip(f"{site.app.url}/played.wav"),), loop=0))
    call = await phones[0].call(NUMBER)
    await call.answered()
    await call.hears(1.0)
    [record] = [each.record for each in site.server.switchboard.engine.roster.calls]
    calls, account = site.server.switchboard, record.account_id
    with pytest.raises(NoSuchRecording):
        await calls.change_recording(account, record.id, "pause")
    made = await calls.start_recording(account, record.id, RecordingPlan(channels=2))
    assert made.status is RecordingStatus.IN_PROGRESS
    first, secret, last = babble(5, 1.0), babble(6, 1.0), babble(7, 1.0)
    await says(call, first)
    paused = await calls.change_recording(account, record.id, "pause", silence=False)
    assert paused.status is RecordingStatus.PAUSED
    await says(call, secret)
    await calls.change_recording(account, record.id, "resume", recording_id=made.id)
    await says(call, last)
    stopped = await calls.change_recording(account, record.id, "stop")
    assert stopped.status is RecordingStatus.PROCESSING
    recording = await final(app)
    with pytest.raises(WrongState):
        await calls.change_recording(account, record.id, "pause", recording_id=made.id)
    call.hang_up()
    left, right = channels_of(path_of(site, recording))
    assert share_of(first, left) >= MOST
    assert share_of(last, left) >= MOST
    assert share_of(secret, left) < 0.2
    assert share_of(right[:RATE], played) >= MOST
    assert share_of(right[-RATE:], played) >= MOST
    passed = place_of(right[-RATE:], played) - place_of(right[:RATE], played)
    assert passed - (recording.duration - 1.0) > 0.9, "nothing of the pause is in the file"
    assert statuses(app) == ["in-progress", "paused", "in-progress", "processing", "completed"]


async def test_a_call_that_ends_ends_its_recording_and_its_record_says_so(
    site: Site, app: Neutral, phones: Phones
) -> None:
    app.answer("new-call", ControlRecording(what="start", answering=Answering.ANSWER), Pause(seconds=60))
    call = await phones[0].call(NUMBER)
    live = await begun(app)
    await says(call, babble(8, 1.0))
    recordings = StoredRecordings(site.server.store, archive(site))
    with pytest.raises(RecordingIsLive):
        await recordings.delete(live.account_id, live.id)
    with pytest.raises(NoSuchRecording):
        await recordings.file(await recordings.get(live.account_id, live.id))
    call.hang_up()
    await site.server.settled()
    [(_, record)] = [(e, r) for e, r in app.told if isinstance(e, CallEnded)]
    found = await recordings.get(None, live.id)
    assert record.recording == found
    assert found.status is RecordingStatus.COMPLETED
    assert found.duration == pytest.approx(1.5, abs=0.5)
    which = RecordingFilter(account_id=live.account_id, call_ids=frozenset({record.id}))
    assert await recordings.list(which, limit=10) == [found]
    assert await recordings.count(which) == 1
    with pytest.raises(NoSuchRecording):
        await recordings.get(record.id, live.id)
    await recordings.delete(live.account_id, live.id)
    assert await recordings.count(which) == 0
    with pytest.raises(NoSuchRecording):
        await recordings.delete(live.account_id, live.id)
    assert not archive(site).folder.place(found).exists()


async def test_a_call_that_is_forgotten_takes_its_recordings_along(
    site: Site, app: Neutral, phones: Phones
) -> None:
    app.answer("new-call", ControlRecording(what="start", answering=Answering.ANSWER), Pause(seconds=60))
    call = await phones[0].call(NUMBER)
    await begun(app)
    await says(call, babble(9, 0.3))
    call.hang_up()
    recording = await final(app)
    await site.server.settled()
    assert path_of(site, recording).exists()
    await site.server.switchboard.delete(recording.account_id, recording.call_id)
    assert await site.server.store.recording(str(recording.id)) is None
    assert not path_of(site, recording).exists()


# -- servers of their own


@asynccontextmanager
async def a_site(data: Path, **changes: Any) -> AsyncIterator[Site]:
    async with (
        WebApp() as app,
        RunningServer(site_settings(app, data, **changes)) as server,
        rest_client() as rest,
    ):
        yield Site(app, server, rest)


async def test_an_object_store_that_fails_three_times_has_the_recording_in_the_end(
    tmp_path: Path, app: Neutral
) -> None:
    async with object_store() as s3:
        s3.failures = 3
        stored = RecordingsSection(storage="s3://calls/here", storage_options=s3.options)
        async with a_site(tmp_path, recordings=stored) as site, site.caller() as phone:
            app.answer(
                "new-call", Record(answering=Answering.ANSWER, recording=CALLER, action=HOOK, beep=False)
            )
            call = await phone.call(NUMBER)
            await begun(app)
            said = babble(10, 1.0)
            await says(call, said)
            call.hang_up()
            ask = await app.question("action")
            assert ask.outcome.recording.status is RecordingStatus.PROCESSING
            assert ask.outcome.recording.duration == pytest.approx(1.0, abs=0.3), "the action does not wait"
            recording = await final(app)
            assert (recording.status, s3.refused) == (RecordingStatus.COMPLETED, 3)
            [data] = (await s3.objects()).values()
            assert len(data) == recording.size
            file = await archive(site).file(recording, form="wav", channels=None)
            assert file.path is not None
            assert share_of(said, channels_of(file.path)[0]) >= MOST


async def test_what_was_not_stored_when_the_server_stopped_is_stored_by_the_next(
    tmp_path: Path, app: Neutral
) -> None:
    async with object_store() as s3:
        s3.failures = 10**6
        stored = RecordingsSection(storage="s3://calls/here", storage_options=s3.options)
        async with a_site(tmp_path, recordings=stored) as site, site.caller() as phone:
            app.answer(
                "new-call", ControlRecording(what="start", answering=Answering.ANSWER), Pause(seconds=60)
            )
            call = await phone.call(NUMBER)
            made = await begun(app)
            await says(call, babble(13, 0.5))
            call.hang_up()
            await s3.refusing.wait()
        s3.failures = 0
        async with a_site(tmp_path, recordings=stored) as site:
            async with asyncio.timeout(PATIENCE):
                while await site.server.store.unsettled_recordings():
                    pass
            row = await site.server.store.recording(str(made.id))
            assert row is not None
            assert (row.status, row.location.partition(":")[0]) == ("completed", "s3")
            [data] = (await s3.objects()).values()
            assert len(data) == row.size
            kinds = [event.kind for event in await site.server.store.events(row.call_id)]
            assert kinds[-1] == "recording.changed"
            assert not path_of(site, made).exists()


async def test_a_full_disk_fails_the_recording_with_its_callback_and_the_call_goes_on(
    tmp_path: Path, app: Neutral
) -> None:
    full = RecordingsSection(min_free_megabytes=2**40)
    async with a_site(tmp_path, recordings=full) as site, site.caller() as phone:
        app.answer("new-call", ControlRecording(what="start", answering=Answering.ANSWER), Pause(seconds=60))
        call = await phone.call(NUMBER)
        recording = await final(app)
        assert recording.status is RecordingStatus.FAILED
        assert "No space left" in (recording.error or "")
        await call.hears(0.5)
        assert call.status == 200
        call.hang_up()


async def test_the_application_gets_its_own_copy(tmp_path: Path, app: Neutral) -> None:
    taken: list[bytes] = []

    async def take(asked: Any) -> web.Response:
        taken.append(asked.body)
        return web.Response(status=503 if len(taken) == 1 else 204)

    async with a_site(tmp_path) as site, site.caller() as phone:
        site.app.reply("/copies", take)
        upload = Hook(url=f"{site.app.url}/copies", method="PUT", username="alice", password="secret")
        plan = RecordingPlan(source="record-verb", track="inbound", upload=upload)
        app.answer("new-call", Record(answering=Answering.ANSWER, recording=plan, beep=False), HANG_UP)
        call = await phone.call(NUMBER)
        await begun(app)
        await says(call, babble(11, 0.5))
        await call.press("1")
        recording = await final(app)
        for _ in range(2):
            asked = await site.app.request("/copies")
        assert asked.method == "PUT"
        assert asked.basic == ("alice", "secret")
        assert taken[1] == path_of(site, recording).read_bytes()


async def test_old_calls_are_forgotten_with_their_files(tmp_path: Path, app: Neutral) -> None:
    kept = StoreSection(retention_days=1)
    async with a_site(tmp_path, store=kept) as site, site.caller() as phone:
        app.answer("new-call", ControlRecording(what="start", answering=Answering.ANSWER), Pause(seconds=1))
        call = await phone.call(NUMBER)
        await says(call, babble(12, 0.5))
        call.hang_up()
        recording = await final(app)
        await site.server.settled()
        retention = Retention(site.server.store, archive(site), calls=1, recordings=0)
        await retention.forget()
        assert path_of(site, recording).exists()
        later = Retention(
            site.server.store, archive(site), calls=1, recordings=0, clock=lambda: time.time() + 2e5
        )
        await later.forget()
        assert not path_of(site, recording).exists()
        assert await site.server.store.call(str(recording.call_id)) is None


def wav_of(samples: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
    return file.getvalue()
