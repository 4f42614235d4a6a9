"""The second scene of the demonstration: two telephones, connected and recorded, and what REST has of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import numpy as np
import soundfile
from rich.console import Console

from ringback.calls.timeline import Line
from ringback.cli.rehearsal import Result
from ringback.cli.rest import rest
from ringback.cli.show import Watcher
from ringback.config import CONNECTION, DEVICE, OTHER_DEVICE
from ringback.server import Server
from ringback.sip.flow import parse_listen
from ringback.speech.espeak import Espeak
from ringback.speech.pcm import to_rate
from ringback.speech.protocol import SpeechRequest
from ringback.testing.phone_audio import RATE, Samples
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

CALLER_SAYS = "Hello Alice, this is Bob. Can you hear me?"
CALLEE_SAYS = "Loud and clear. And this call is being recorded."
_AUDIBLE = 500
_PAUSE = 0.5
"""Seconds after each sentence."""


class TwoPhones:
    """One device calls a number, whose application connects it with the other one and has that recorded."""

    def __init__(self, server: Server, console: Console, out: Path) -> None:
        self._server = server
        self._console = console
        self._out = out

    async def play(self) -> Result:
        """Let them talk, then list and fetch the recording."""
        _, _, number = CONNECTION
        self._console.rule(f"[bold]two phones[/]: {OTHER_DEVICE} calls {number}, {DEVICE} answers")
        result = Result("two phones")
        watcher = Watcher(self._console, together=True)
        with self._server.time_line.listening(watcher):
            try:
                async with self._phone(DEVICE) as alice, self._phone(OTHER_DEVICE) as bob:
                    await alice.register()
                    await self._converse(bob, alice, number)
            except (CallFailed, TimeoutError) as error:
                result.problems.append(f"the two were not connected: {error or 'nobody was heard in time'}")
            await asyncio.wait_for(self._server.switchboard.idle(), 10.0)
            await self._server.deliverer.drain(10.0)
        if not result.problems:
            await self._fetch(result, watcher.lines)
        return result

    def _phone(self, name: str) -> Softphone:
        place = self._server.sip[0].partition(":")[2]
        client = self._server.directory.client(name)
        host = parse_listen(f"udp:{place}").local_host
        return Softphone(name, server=place, password=client.password if client else "", host=host)

    async def _converse(self, bob: Softphone, alice: Softphone, number: str) -> None:
        caller_says, callee_says = await _spoken()
        call = await bob.call(number)
        called = await alice.incoming(10.0)
        called.ring()
        called.answer()
        await call.answered(10.0)
        await _say(call, called, caller_says)
        await _say(called, call, callee_says)
        called.hang_up()
        await call.ended(10.0)

    async def _fetch(self, result: Result, lines: list[Line]) -> None:
        # The caller's call is the first that there was; of two connected calls it has the recording.
        call_id = lines[0].call_id
        async with rest(self._server, "laml") as laml:
            listed = await laml.show(f"Recordings.json?CallSid={call_id}", self._console)
            recordings = listed.get("recordings", [])
            if len(recordings) != 1:
                result.problems.append(f"{len(recordings)} recordings are listed, not one")
                return
            try:
                content = await laml.download(f"Recordings/{recordings[0]['sid']}.wav", self._console)
            except aiohttp.ClientError as error:
                result.problems.append(f"the recording cannot be fetched: {error}")
                return
        path = self._out / "two-phones.wav"
        path.write_bytes(content)
        result.recording = path
        _judge(path, result)


async def _spoken() -> tuple[Samples, Samples]:
    """What the two say, in two voices."""
    voice = Espeak()
    try:
        return (
            await _speak(voice, SpeechRequest(CALLER_SAYS, language="en-US", gender="male")),
            await _speak(voice, SpeechRequest(CALLEE_SAYS, language="en-US", gender="female")),
        )
    finally:
        await voice.close()


async def _speak(voice: Espeak, request: SpeechRequest) -> Samples:
    pcm = await asyncio.to_thread(to_rate, await voice.synthesize(request), RATE)
    return np.frombuffer(pcm.samples, np.int16)


async def _say(speaker: PhoneCall, listener: PhoneCall, words: Samples) -> None:
    """Say it, and wait until the other one has heard it to its end."""
    so_far = len(listener.heard())
    speaker.audio.say(words)
    await listener.hears((so_far + len(words)) / RATE + _PAUSE, timeout=20.0)


def _judge(path: Path, result: Result) -> None:
    """Both are heard, each on a channel of its own: the caller on the first."""
    samples, _ = soundfile.read(path, dtype="int16")
    if samples.ndim != 2:
        result.problems.append("the recording has one channel, not two")
        return
    for who, channel in ((OTHER_DEVICE, samples[:, 0]), (DEVICE, samples[:, 1])):
        if not len(channel) or np.abs(channel).max() < _AUDIBLE:
            result.problems.append(f"{who} is not heard in the recording")
