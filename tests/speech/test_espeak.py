from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

import ringback.speech.espeak as module
from ringback.speech.espeak import Espeak
from ringback.speech.languages import INSTALLED
from ringback.speech.protocol import MAX_TEXT, Pcm, SpeechError, SpeechRequest


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    engine = Espeak()
    yield engine
    await engine.close()


def loudness(pcm: Pcm) -> float:
    samples = np.frombuffer(pcm.samples, dtype="<i2").astype(float)
    return float(np.sqrt(np.mean(samples**2)))


async def test_it_speaks(espeak: Espeak) -> None:
    pcm = await espeak.synthesize(SpeechRequest("Hello world, how are you?"))
    assert pcm.rate == 22050
    assert 0.8 < pcm.seconds < 4.0
    assert loudness(pcm) > 500


async def test_languages_voices_and_rate(espeak: Espeak) -> None:
    text = "Bonjour, comment allez vous aujourd'hui"
    normal = await espeak.synthesize(SpeechRequest(text, voice="woman", language="fr-FR"))
    fast = await espeak.synthesize(SpeechRequest(text, voice="man", language="fr-FR", rate=2.0))
    assert fast.seconds < 0.8 * normal.seconds


async def test_ssml_breaks(espeak: Espeak) -> None:
    plain = await espeak.synthesize(SpeechRequest("<speak>one two</speak>", ssml=True))
    broken = await espeak.synthesize(SpeechRequest('<speak>one<break time="2s"/>two</speak>', ssml=True))
    assert broken.seconds - plain.seconds > 1.5


async def test_every_listed_language_is_installed(espeak: Espeak) -> None:
    assert {voice.language for voice in espeak.voices()} == INSTALLED
    for voice in espeak.voices()[::2]:
        pcm = await espeak.synthesize(SpeechRequest("1", language=voice.language))
        assert pcm.samples, voice


async def test_what_is_not_said(espeak: Espeak) -> None:
    with pytest.raises(SpeechError) as empty:
        await espeak.synthesize(SpeechRequest(" \n"))
    with pytest.raises(SpeechError) as long:
        await espeak.synthesize(SpeechRequest("x" * (MAX_TEXT + 1)))
    assert (empty.value.kind, long.value.kind) == ("empty", "too-long")
    assert espeak.pid is None


async def test_a_killed_worker_is_replaced(espeak: Espeak) -> None:
    await espeak.warm()
    first = espeak.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    pcm = await espeak.synthesize(SpeechRequest("Still here"))
    assert pcm.samples
    assert espeak.pid != first


async def test_a_cancelled_caller_leaves_the_worker_in_step(espeak: Espeak) -> None:
    await espeak.warm()
    tasks = [asyncio.create_task(espeak.synthesize(SpeechRequest("number " * 200))) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pcm = await espeak.synthesize(SpeechRequest("yes"))
    assert pcm.seconds < 2.0


async def test_a_worker_that_takes_too_long_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(module, "_WORKER", sleeper)
    espeak = Espeak(timeout=0.1)
    with pytest.raises(SpeechError) as failed:
        await espeak.synthesize(SpeechRequest("hello"))
    assert failed.value.kind == "timeout"
    assert espeak.pid is None
    await espeak.close()


async def test_a_worker_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WORKER", tmp_path / "absent.py")
    espeak = Espeak()
    with pytest.raises(SpeechError) as failed:
        await espeak.synthesize(SpeechRequest("hello"))
    assert failed.value.kind == "unavailable"
    await espeak.close()


async def test_long_speech_is_cut() -> None:
    espeak = Espeak(max_seconds=1.0)
    pcm = await espeak.synthesize(SpeechRequest("one two three four five six seven eight nine ten"))
    assert pcm.seconds <= 1.0
    await espeak.close()


async def test_after_closing_nothing_is_said() -> None:
    espeak = Espeak()
    await espeak.close()
    with pytest.raises(SpeechError):
        await espeak.synthesize(SpeechRequest("hello"))


def test_only_the_worker_loads_the_library() -> None:
    code = (
        "import sys, ringback.speech.espeak, ringback.speech.speaker;"
        "sys.exit('espeakng_loader' in sys.modules or 'ringback.speech.espeak_worker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
