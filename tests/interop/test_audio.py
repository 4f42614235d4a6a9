"""Audio judged as audio: the caller hears what was played, where it belongs, without gaps, also over a bad
network; and what the caller presses arrives as pressed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import pytest
from tests.interop.listening import find, likeness, voice, wav, worst
from tests.interop.lossy import LossyAudio

from ringback.net.lag import LoopLag
from ringback.speech.espeak import Espeak
from ringback.speech.protocol import SpeechRequest
from ringback.speech.speaker import Speaker
from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.phone_audio import RATE, PhoneAudio, Samples
from ringback.testing.softphone import PhoneCall

pytestmark = pytest.mark.interop

FIRST, SECOND = voice(0.8, seed=1), voice(0.5, seed=2)
IN_PLACE = 0.060  # seconds
TWO_PROMPTS = (
    '<Response><Play>/first.wav</Play><Pause length="1"/><Play>/second.wav</Play><Pause/></Response>'
)
KEYS = "1234567890*#AD"

_bad_network: ContextVar[bool] = ContextVar("bad network", default=False)


@pytest.fixture
async def app() -> AsyncIterator[WebApp]:
    async with WebApp() as app:
        app.reply("/first.wav", wav(FIRST))
        app.reply("/second.wav", wav(SECOND))
        app.reply("/voice", TWO_PROMPTS)
        app.reply("/pressed", "<Response><Hangup/></Response>")
        yield app


@pytest.fixture
async def server(app: WebApp, data: Path) -> AsyncIterator[RunningServer]:
    async with RunningServer(app.settings("laml", data)) as server:
        yield server


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `_bad_network` is set, phones have one that loses 5 % and has 30 ms of jitter."""
    monkeypatch.setattr(
        "ringback.testing.softphone.PhoneAudio",
        lambda: LossyAudio() if _bad_network.get() else PhoneAudio(),
    )


async def _call(server: RunningServer, press: str = "") -> PhoneCall:
    """A call to its end, pressing keys at once."""
    async with server.phone() as phone:
        call = await phone.call(NUMBER)
        await call.answered()
        if press:
            await call.press(press)
        assert await call.ended() == "remote"
    return call


async def _call_from_afar(server: RunningServer, press: str = "") -> PhoneCall:
    """The same over a bad network."""
    _bad_network.set(True)
    call = await _call(server, press)
    assert isinstance(call.audio, LossyAudio)
    assert call.audio.relay.lost > 0.02 * call.audio.relay.carried
    return call


def _distance(heard: Samples, *, likeness: float) -> float:
    """Seconds from the beginning of the first prompt to that of the second; both are there."""
    first, second = find(heard, FIRST), find(heard, SECOND)
    assert first.likeness > likeness
    assert second.likeness > likeness
    return second.seconds - first.seconds


async def test_prompts_are_where_they_belong_and_whole(server: RunningServer) -> None:
    near = [_call(server) for _ in range(3)]
    far = [_call_from_afar(server) for _ in range(3)]
    lags: list[float] = []
    lag = LoopLag(lags.append)
    lag.start()
    calls = await asyncio.gather(*near, *far)
    lag.close()
    await server.settled()
    # What the machine gives the worker no time for is left out, so that nothing drifts; the worker says so.
    in_time = server.plane.stats().workers[0].overruns == 0
    for call in calls:
        distance = _distance(call.heard(), likeness=0.9)
        assert distance > 0.8  # the one after the other
        # The pause ends, and the next prompt begins, when the server's loop comes to it.
        late = distance - (0.8 + 1.0)
        assert not in_time or -IN_PLACE <= late <= IN_PLACE + 3 * max(lags)
    for call in calls[:3]:
        assert all(likeness(call.heard(), prompt) > 0.98 for prompt in (FIRST, SECOND))
        assert not in_time or _whole(call.heard())


def _whole(heard: Samples) -> bool:
    """Whether nothing of the prompts is missing, and nothing is between them."""
    matches = [(prompt, find(heard, prompt)) for prompt in (FIRST, SECOND)]
    pause = matches[0][1].seconds + 0.8
    quiet = heard[int((pause + 0.05) * RATE) : int((pause + 0.95) * RATE)]
    return np.abs(quiet).max() < 50 and all(
        match.likeness > 0.99 and worst(heard, prompt, match.seconds) > 0.98 for prompt, match in matches
    )


async def test_keys_arrive_once_each_and_as_pressed(app: WebApp, server: RunningServer) -> None:
    gather = f'<Gather numDigits="{len(KEYS)}" finishOnKey="" timeout="5" action="/pressed"/>'
    app.reply("/voice", f"<Response>{gather}</Response>")
    await asyncio.gather(_call(server, press=KEYS), _call_from_afar(server, press=KEYS))
    for _ in range(2):
        assert (await app.request("/pressed")).fields["Digits"] == KEYS
    await server.settled()


async def test_speech_is_the_voice_that_was_asked_for(app: WebApp, server: RunningServer) -> None:
    text = "Your order has been shipped."
    app.reply("/voice", f'<Response><Say voice="woman" language="en-GB">{text}</Say><Pause/></Response>')
    call = await _call(server)
    await server.settled()
    speaker = Speaker([Espeak()])
    try:
        spoken = await speaker.speak(SpeechRequest(text, voice="woman", language="en-GB"))
    finally:
        await speaker.close()
    wanted = np.frombuffer(spoken.pcm.samples, np.int16)
    assert likeness(call.heard(), wanted) > 0.98
