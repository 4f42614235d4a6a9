"""What a Dial records: both voices, from the answer or from the ringing on, on a channel each if asked."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.patience import rest_client
from tests.server.neutral import HANG_UP, HOOK, Neutral, Phones, callee, has_tone, hears_tone, talk
from tests.server.site import NUMBERS, Site, site_settings

from ringback.calls.events import CallRinging, RecordingChanged, VerbEnded
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.verbs import Dial, Pause, RecordFrom, RecordingPlan
from ringback.testing.kit import RunningServer, WebApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = NUMBERS["laml"]


async def samples(site: Site, recording: Recording) -> np.ndarray:
    """(frames, channels) of 16-bit samples."""
    stored = await site.server.switchboard.engine.archive.file(recording, form="wav", channels=None)
    data, rate = soundfile.read(stored.path, dtype="int16", always_2d=True)
    assert rate == 8000
    return np.asarray(data)


def sounding(channel: np.ndarray) -> np.ndarray:
    """Without the silence after it."""
    return channel[: channel.nonzero()[0][-1]]


async def test_both_voices_each_on_its_channel(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    plan = RecordingPlan(source="dial-verb", channels=2)
    app.answer("new-call", Dial(callees=(callee(bob),), recording=plan), Pause(seconds=60))
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), talk(call, called))
    await call.hears(len(call.heard()) / 8000 + 0.5)
    called.hang_up()
    recording = (await app.event(VerbEnded, verb="Dial")).outcome.recording
    call.hang_up()
    await site.server.settled()
    assert recording.status in (RecordingStatus.COMPLETED, RecordingStatus.PROCESSING)
    heard = await samples(site, recording)
    assert has_tone(sounding(heard[:, 0]), 440.0)
    assert has_tone(sounding(heard[:, 1]), 900.0)


async def test_a_media_worker_that_is_lost_ends_both_calls_and_leaves_what_was_recorded(
    data: Path, app: Neutral
) -> None:
    async with (
        WebApp() as web,
        RunningServer(site_settings(web, data)) as server,
        rest_client() as rest,
        server.phone("+14155559999", "") as caller,
        server.phone("bob", "") as bob,
    ):
        site = Site(web, server, rest)
        plan = RecordingPlan(source="dial-verb", channels=2)
        verb = Dial(callees=(callee(bob),), recording=plan, action=HOOK)
        app.answer("new-call", verb, Pause(seconds=60))
        call = await caller.call(NUMBER)
        called = await bob.incoming()
        called.answer()
        await asyncio.gather(call.answered(), talk(call, called))
        await call.hears(len(call.heard()) / 8000 + 1.0)
        [worker] = server.plane.stats().workers
        os.kill(worker.pid, signal.SIGKILL)
        assert [await phone.ended() for phone in (call, called)] == ["remote", "remote"]
        asked = await app.question("action")
        await server.settled()
        told = [event.recording for event, _ in app.told if isinstance(event, RecordingChanged)]
        recording = told[-1]
        assert [each.status.value for each in told] == ["in-progress", "processing", "completed"]
        assert "the media worker ended" in (recording.error or "")
        assert asked.outcome.recording == recording
        heard = await samples(site, recording)
        assert has_tone(sounding(heard[:, 0]), 440.0)
        assert has_tone(sounding(heard[:, 1]), 900.0)
        assert len(app.ends()) == 2
        assert not server.switchboard.engine.roster.calls
        assert not server.switchboard.engine.archive.waiting
        assert await server.store.unsettled_recordings() == []


async def test_from_the_ringing_on(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    verb = Dial(
        callees=(callee(bob),),
        ringback="cl",
        recording=RecordingPlan(source="dial-verb", channels=2),
        record_from=RecordFrom.RINGING,
    )
    app.answer("new-call", verb, HANG_UP)
    call = await caller.call(NUMBER)
    called = await bob.incoming()
    called.ring()
    await app.event(CallRinging)
    await hears_tone(call, 400.0)
    await call.hears(len(call.heard()) / 8000 + 0.5)
    called.reject(486)
    await call.ended()
    await site.server.settled()
    outcome = app.outcome()
    assert (outcome.callee_status, outcome.bridged) == ("busy", False)
    heard = await samples(site, outcome.recording)
    assert has_tone(sounding(heard[:, 1]), 400.0)


async def test_nothing_is_recorded_of_a_connection_that_never_was(
    site: Site, app: Neutral, phones: Phones
) -> None:
    caller, bob, _ = phones
    app.answer("new-call", Dial(callees=(callee(bob),), recording=RecordingPlan()), HANG_UP)
    call = await caller.call(NUMBER)
    (await bob.incoming()).reject(486)
    await call.ended()
    await site.server.settled()
    assert app.outcome().recording is None
