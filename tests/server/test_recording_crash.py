"""`kill -9` while something is recorded: the file is playable at once, and the next start tells of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import aiohttp
import numpy as np
import pytest
import soundfile
from tests.patience import PATIENCE
from tests.server.process import ACCOUNT, SID, Process, running
from tests.server.site import NUMBERS, basic
from tests.server.sounding import babble, channels_of, share_of

from ringback.store.records import RecordingFilter
from ringback.store.store import Store
from ringback.testing.kit import TOKEN, Asked, WebApp
from ringback.testing.phone_audio import RATE
from ringback.testing.softphone import Softphone

DOCUMENT = """<Response><Record action="/done" playBeep="false" trim="do-not-trim" timeout="60"
 recordingStatusCallback="/told" recordingStatusCallbackEvent="in-progress completed absent"/></Response>"""


async def told(app: WebApp, status: str) -> Asked:
    """Wait until this was told of the recording."""
    async with asyncio.timeout(PATIENCE):
        while True:
            asked = await app.request("/told", timeout=PATIENCE)
            if asked.fields["RecordingStatus"] == status:
                return asked


async def shown(server: Process, sid: str) -> dict[str, object]:
    """The recording as REST shows it."""
    url = f"{server.http}/2010-04-01/Accounts/{SID}/Recordings/{sid}.json"
    async with aiohttp.ClientSession(headers=basic(SID, TOKEN)) as client, client.get(url) as reply:
        body: dict[str, object] = await reply.json()
        return body


async def downloaded(server: Process, sid: str) -> bytes:
    """The recording as REST has it."""
    url = f"{server.http}/2010-04-01/Accounts/{SID}/Recordings/{sid}.wav"
    async with aiohttp.ClientSession(headers=basic(SID, TOKEN)) as client, client.get(url) as reply:
        assert reply.status == 200
        return await reply.read()


async def test_what_was_said_until_then_is_kept_and_told_after_the_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = babble(1, 3.0)
    async with WebApp() as app, running(app, data) as server:
        app.reply("/laml/voice", DOCUMENT)
        app.reply("/told", "")
        app.reply("/status/laml", "")
        async with Softphone("+14155550201", server=server.sip) as phone:
            call = await phone.call(NUMBERS["laml"])
            await told(app, "in-progress")
            call.audio.say(said)
            await call.audio.said()
            await call.hears(len(call.heard()) / RATE + 1.5)
            await server.kill()
            [path] = (data / "recordings").rglob("*.wav")
            assert soundfile.info(path).duration >= 2.5, "at most a second is missing"
            assert share_of(said, channels_of(path)[0]) >= 0.5
            await server.start()
            completed = await told(app, "completed")
        assert completed.fields["RecordingSid"] == "RE" + path.stem.replace("-", "")
        assert int(completed.fields["RecordingDuration"]) >= 3
        assert await downloaded(server, completed.fields["RecordingSid"]) == path.read_bytes()
        ended = await app.request("/status/laml", timeout=PATIENCE)
        assert ended.fields["CallStatus"] == "completed"
        assert await server.stop() == 0
    async with await Store.open("sqlite", data) as store:
        [row] = await store.recordings(RecordingFilter())
        assert (row.status, row.settled_at is not None) == ("completed", True)
        kinds = [event.kind for event in await store.events(row.call_id)]
    assert kinds.count("recording.changed") == 3
    assert kinds.index("call.ended") > kinds.index("recording.changed")


@pytest.mark.parametrize(("header", "status", "code"), [(False, "failed", 15009), (True, "absent", 16101)])
async def test_one_of_which_nothing_was_written_yet_is_told_all_the_same(
    tmp_path: Path, header: bool, status: str, code: int
) -> None:
    """There was no file when the power went, or nothing in it but its header."""
    data = tmp_path / "data"
    async with WebApp() as app, running(app, data) as server:
        app.reply("/laml/voice", DOCUMENT)
        app.reply("/told", "")
        app.reply("/status/laml", "")
        async with Softphone("+14155550201", server=server.sip) as phone:
            await phone.call(NUMBERS["laml"])
            begun = await told(app, "in-progress")
            await server.lose_power()
            path = data / "recordings" / ACCOUNT / f"{UUID(begun.fields['RecordingSid'][2:])}.wav"
            path.unlink(missing_ok=True)
            if header:
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, np.zeros(0, np.int16), RATE, "PCM_16")
            await server.start()
            lost = await told(app, status)
        assert lost.fields["RecordingSid"] == begun.fields["RecordingSid"]
        assert lost.fields["ErrorCode"] == str(code)
        resource = await shown(server, lost.fields["RecordingSid"])
        assert (resource["status"], resource["error_code"]) == ("absent", code)
        ended = await app.request("/status/laml", timeout=PATIENCE)
        assert ended.fields["CallStatus"] == "completed"
        assert await server.stop() == 0
    async with await Store.open("sqlite", data) as store:
        [row] = await store.recordings(RecordingFilter())
        assert (row.status, row.settled_at is not None) == (status, True)
