"""What the softphone does for tests of transfers: hold, say, transfer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.patience import PATIENCE

from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.softphone import PhoneCall

DIAL = "<Response><Dial><Client>alice</Client></Dial></Response>"


async def test_a_file_is_said_and_the_call_held_and_transferred(tmp_path: Path) -> None:
    tone = (np.sin(np.arange(8000) * 0.3) * 8000).astype(np.int16)
    soundfile.write(tmp_path / "tone.wav", tone, 8000)
    soundfile.write(tmp_path / "wide.wav", tone, 16000)
    async with WebApp() as app, RunningServer(app.settings("laml", tmp_path / "data")) as server:
        app.reply("/voice", DIAL)
        async with server.phone() as alice, server.phone("+14155559999", "") as bob:
            await alice.register()
            call = await bob.call(NUMBER)
            called = await alice.incoming()
            called.answer()
            await call.answered()
            called.say(tmp_path / "tone.wav")
            await called.said()
            await asyncio.wait_for(_loud(call), PATIENCE)
            with pytest.raises(ValueError, match="16000 samples a second"):
                called.say(tmp_path / "wide.wav")
            assert (await called.hold()).status == 200
            assert (await called.resume()).status == 200
            away = await called.transfer("sip:carol@192.0.2.1")
            assert away.status == 403, "devices transfer to where they may call"


async def _loud(call: PhoneCall) -> None:
    while not len(call.heard()) or np.abs(call.heard()).max() < 4000:
        await call.audio.arrival()
