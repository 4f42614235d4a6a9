"""Both channels of a recording on one clock: what is heard lies where it came, what is sent where it left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.media.rig import FRAME, Rig, batch, packet
from tests.media.test_plane import Phone
from tests.media.test_recorder import Memory
from tests.media.test_recording import RATE, closed, noise
from tests.ports import free_ports

from ringback.media import codecs, wav
from ringback.media.plane import MediaLeg, MediaPlane, Source
from ringback.media.recorder import Recorder
from ringback.media.tapline import Hello, Int16, Start, Stop

ALLOWED = 0.020
"""Seconds by which a channel may be off."""
WINDOW = 1600


def places(sound: Int16, recorded: Int16) -> list[float]:
    """How much later than in `sound` each 200 ms of it are in `recorded`, in seconds, where found."""
    size = 1 << (len(recorded) + WINDOW).bit_length()
    spectrum = np.fft.rfft(recorded, size)
    found = []
    for start in range(0, len(sound) - WINDOW + 1, WINDOW):
        part = sound[start : start + WINDOW].astype(float)
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, size)), size)
        at = int(np.argmax(product[: len(recorded)]))
        there = recorded[at : at + WINDOW].astype(float)
        if part[: len(there)] @ there > 0.7 * np.sqrt((part @ part) * (there @ there)):
            found.append((at - start) / RATE)
    return found


class Tape:
    """Virtual time: a row that is recorded, with packets that come at any moment."""

    def __init__(self) -> None:
        self.rig = Rig(1)
        self.rig.remote()
        self.file = Memory("", 2)
        self.recorder = Recorder(lambda path, channels: self.file, lambda take: None, lambda *_: None)
        self.recorder.obey(Hello(0, 1))
        self.recorder.obey(Start(0, 0, 1, "", 2, "both"))
        self.rig.phase.taps.add(0, 1)
        self.begun = self.rig.now

    def run(self, arrivals: Sequence[tuple[float, bytes]]) -> Int16:
        """Packets come so many seconds after the beginning. Returns what was heard."""
        phase, waiting = self.rig.phase, sorted(arrivals)
        until = waiting[-1][0] + 0.1
        while self.rig.now - self.begun < until:
            phase.begin(self.rig.now)
            while waiting and self.begun + waiting[0][0] <= self.rig.now:
                at, content = waiting.pop(0)
                phase.receive(batch([(0, content)], self.begun + at), self.rig.now)
            self.rig.step()
            assert phase.tapped is not None
            self.recorder.take(phase.tapped)
        self.recorder.obey(Stop(0, phase.frame, 1))
        return self.file.audio[:, 0]


def said(audio: Int16, frames: int = 1) -> list[bytes]:
    """Packets of so many frames each."""
    octets = codecs.encode(audio.reshape(1, -1), codecs.PCMU)[0].reshape(-1, 160 * frames)
    return [packet(n, n * 160 * frames, part.tobytes()) for n, part in enumerate(octets)]


@pytest.mark.parametrize("phase", [0.0, 0.007, 0.0199])
@pytest.mark.parametrize("jitter", [0.0, 0.015, 0.09])
def test_what_is_heard_lies_where_it_came(phase: float, jitter: float) -> None:
    """Whatever the jitter buffer does, and wherever between two ticks packets come."""
    chance = random.Random(3)
    voice = noise(1, 6.0)
    sent = [n * FRAME + phase for n in range(300)]
    late = [jitter * chance.random() if 50 <= n < 200 else 0.0 for n in range(300)]
    packets = said(voice)
    heard = Tape().run([(at + by, p) for at, by, p in zip(sent, late, packets, strict=True)])
    found = places(voice, heard)
    assert len(found) >= 25
    assert all(abs(at - phase) <= ALLOWED / 2 for at in found), found


def test_a_buffer_that_starts_deep_and_a_first_packet_that_is_late() -> None:
    voice = noise(2, 5.0)
    arrivals = [(max(n * FRAME, 0.15), content) for n, content in enumerate(said(voice))]
    found = places(voice, Tape().run(arrivals))
    assert all(abs(at) <= ALLOWED / 2 for at in found[1:]), found
    assert len(found) >= 22


@pytest.mark.parametrize("pace", [0.998, 1.002])
def test_a_clock_that_is_not_ours(pace: float) -> None:
    """A hundred times worse than any is: 120 ms in a minute."""
    voice = noise(4, 30.0)
    arrivals = [(0.003 + n * FRAME * pace, content) for n, content in enumerate(said(voice))]
    heard = Tape().run(arrivals)
    for start in range(0, 1450, 50):
        part = voice[start * 160 : start * 160 + WINDOW]
        for at in places(part, heard):
            assert abs(at - arrivals[start][0]) <= ALLOWED, (start, at)


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    first = free_ports(120)
    made = MediaPlane(port_range=(first, first + 119))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def phones() -> Iterator[list[Phone]]:
    made: list[Phone] = []
    yield made
    for phone in made:
        phone.socket.close()


class Speaker(Phone):
    """Says a sound by the clock, from a known moment on; `burst` packets at a time."""

    def __init__(self, sound: Int16, burst: int = 1) -> None:
        super().__init__()
        self.sound = sound
        self.burst = burst
        self.begun = 0.0

    async def speak(self, leg: MediaLeg) -> None:
        loop = asyncio.get_running_loop()
        packets = said(self.sound)
        self.begun = loop.time()
        for n in range(0, len(packets), self.burst):
            last = min(n + self.burst, len(packets))
            await asyncio.sleep(self.begun + (last - 1) * FRAME - loop.time())
            for content in packets[n:last]:
                self.say(leg, content)


async def test_an_echo_is_where_it_was(plane: MediaPlane, phones: list[Phone], tmp_path: Path) -> None:
    """The far end sends back each packet that it hears, as soon as it does."""
    phones.append(phone := Phone())
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    path = str(tmp_path / "echo.wav")
    recording = leg.record(path, channels=2)
    played = noise(5, 3.0)
    leg.play([Source("noise", played.tobytes())])
    for n in range(150):
        heard = await phone.hear()
        phone.say(leg, packet(n, heard.timestamp, heard.payload))
    recording.stop()
    assert (await closed(recording)).error is None
    audio = wav.read(path)
    left, right = (places(played, audio[:, channel]) for channel in (0, 1))
    assert len(left) > 5
    assert abs(float(np.median(left)) - float(np.median(right))) <= ALLOWED, (left, right)
    await leg.close()


@pytest.mark.parametrize("burst", [1, 5])
async def test_two_that_are_connected_are_where_they_spoke(
    plane: MediaPlane, phones: list[Phone], tmp_path: Path, burst: int
) -> None:
    """On both legs' recordings, also where one leg's jitter buffer is deep and the other's is not."""
    speakers = [Speaker(noise(6, 3.0), burst), Speaker(noise(7, 3.0))]
    phones += speakers
    legs = [plane.open_leg(speaker.on_event) for speaker in speakers]
    for leg, speaker in zip(legs, speakers, strict=True):
        leg.set_remote(speaker.remote())
    legs[0].bridge(legs[1])
    paths = [str(tmp_path / f"{number}.wav") for number in (0, 1)]
    recordings = [leg.record(path, channels=2) for leg, path in zip(legs, paths, strict=True)]
    first = asyncio.create_task(speakers[0].speak(legs[0]))
    await asyncio.sleep(0.137)
    await asyncio.gather(first, speakers[1].speak(legs[1]))
    await asyncio.gather(*(leg.close() for leg in legs))
    assert {(await closed(recording)).error for recording in recordings} == {None}
    apart = speakers[1].begun - speakers[0].begun
    for number, path in enumerate(paths):
        audio = wav.read(path)
        own = places(speakers[number].sound, audio[:, 0])
        other = places(speakers[1 - number].sound, audio[:, 1])
        assert min(len(own), len(other)) > 5
        between = float(np.median(other)) - float(np.median(own))
        assert abs(between - (apart if number == 0 else -apart)) <= ALLOWED, (number, own, other, apart)
