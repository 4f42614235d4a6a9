"""Recordings with true processes, sockets and files."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.media.rig import packet
from tests.media.test_plane import Phone, until, worker_pid
from tests.patience import PATIENCE
from tests.ports import free_ports

from ringback.media import codecs, wav
from ringback.media.model import RecordingClosed, Tone
from ringback.media.plane import LegLost, MediaLeg, MediaPlane, MediaRecording, Source

RATE = 8000


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    first = free_ports(120)
    made = MediaPlane(port_range=(first, first + 119))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    yield made
    made.socket.close()


@pytest.fixture
def phones() -> Iterator[list[Phone]]:
    """Put phones in here to have them closed at the end."""
    made: list[Phone] = []
    yield made
    for phone in made:
        phone.socket.close()


class Talker(Phone):
    """A phone that says something, 20 ms after 20 ms, in step with what it hears."""

    def __init__(self, audio: wav.Int16) -> None:
        super().__init__()
        self.payloads = codecs.encode(np.ascontiguousarray(audio.reshape(-1, 160)), codecs.PCMU)
        self.said = 0

    async def talk(self, leg: MediaLeg, frames: int) -> None:
        """Say the next `frames` frames, one for each packet heard."""
        for _ in range(frames):
            await self.hear()
            self.say_next(leg)

    async def talk_by_the_clock(self, leg: MediaLeg, frames: int) -> None:
        """Say the next `frames` frames, 20 ms apart or more, whatever is heard."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(frames):
            self.say_next(leg)
            due = max(due + 0.02, loop.time())
            await asyncio.sleep(due - loop.time())

    def say_next(self, leg: MediaLeg) -> None:
        payload = self.payloads[self.said % len(self.payloads)].tobytes()
        self.say(leg, packet(self.said, self.said * 160, payload))
        self.said += 1


def noise(seed: int, seconds: float = 1.0) -> wav.Int16:
    """A sound that is like no other, and not like itself a little later."""
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(int(seconds * RATE)) * 4000).astype(np.int16)


def parts(recorded: wav.Int16) -> tuple[float, float, float]:
    """Seconds before the longest silence, of it, and after it, without the silence around everything."""
    loud = np.flatnonzero(recorded)
    longest = int(np.argmax(np.diff(loud)))
    first, last = loud[longest], loud[longest + 1]
    return float(first - loud[0]) / RATE, float(last - first) / RATE, float(loud[-1] - last) / RATE


def likeness(sound: wav.Int16, recorded: wav.Int16) -> float:
    """How much some 60 ms of the sound are like what was recorded anywhere: 1 is the same.

    A machine that is busy makes packets late, and holes in between; where in the file what is, `test_taps`
    says in virtual time.
    """
    window = RATE * 60 // 1000
    return max(_like(sound[at : at + window], recorded) for at in range(0, len(sound) - window + 1, window))


def _like(part: wav.Int16, recorded: wav.Int16) -> float:
    size = 1 << (len(recorded) + len(part)).bit_length()
    product = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(part, size)), size)
    at = int(np.argmax(product[: len(recorded)]))
    found = recorded[at : at + len(part)].astype(float)
    wanted = part[: len(found)].astype(float)
    return float(found @ wanted / np.sqrt((found @ found) * (wanted @ wanted) or 1.0))


async def listen(phone: Phone, frames: int) -> None:
    """Hear that many frames from now on."""
    try:
        while True:
            phone.socket.recv(2048)
    except BlockingIOError:
        pass
    for _ in range(frames):
        await phone.hear()


async def closed(recording: MediaRecording) -> RecordingClosed:
    return await asyncio.wait_for(recording.done, PATIENCE)


async def test_what_was_said_and_played_is_on_the_right_channel(
    plane: MediaPlane, phones: list[Phone], tmp_path: Path
) -> None:
    said, played = noise(1), noise(2)
    phones.append(phone := Talker(said))
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    await phone.talk(leg, 5)
    phone.said = 0
    path = str(tmp_path / "call.wav")
    recording = leg.record(path, channels=2)
    leg.play([Source("noise", played.tobytes())])
    await phone.talk(leg, 80)
    recording.stop()
    told = await closed(recording)
    assert told.error is None
    assert await phone.event(RecordingClosed) == told
    audio = wav.read(path)
    assert len(audio) == told.samples
    assert told.samples / RATE >= 1.5
    assert likeness(played, audio[:, 1]) > 0.95
    assert likeness(said, audio[:, 0]) > 0.95
    assert likeness(played, audio[:, 0]) < 0.3
    assert likeness(said, audio[:, 1]) < 0.3
    await leg.close()


async def test_mono_pauses_and_several_at_once(
    plane: MediaPlane, phones: list[Phone], tmp_path: Path
) -> None:
    said = noise(1, 3.0)
    phones.append(phone := Talker(said))
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    paths = [str(tmp_path / f"{name}.wav") for name in ("whole", "silent", "short", "inbound")]
    whole, silent, short = (leg.record(path) for path in paths[:3])
    inbound = leg.record(paths[3], channels=2, track="outbound")
    await phone.talk(leg, 40)
    silent.pause(silence=True)
    short.pause(silence=False)
    await phone.talk(leg, 40)
    silent.resume()
    short.resume()
    await phone.talk(leg, 40)
    await leg.close()
    results = [await closed(recording) for recording in (whole, silent, short, inbound)]
    assert [result.error for result in results] == [None] * 4
    lengths = [result.samples / RATE for result in results]
    before, paused, after = parts(wav.read(paths[1])[:, 0])
    assert min(before, paused, after) > 0.5
    # Commands are taken between ticks: one may come a tick after the other.
    assert lengths == pytest.approx([lengths[0], lengths[0], lengths[0] - paused, lengths[0]], abs=0.2)
    assert likeness(said, wav.read(paths[0])[:, 0]) > 0.95
    assert parts(wav.read(paths[0])[:, 0])[1] < paused, "that one was not paused"
    assert not wav.read(paths[3]).any()


@pytest.mark.parametrize("apart", [False, True])
async def test_two_that_are_connected(
    plane: MediaPlane, phones: list[Phone], tmp_path: Path, apart: bool
) -> None:
    """Their packets are relayed as they come, or (where one is muted at first) laid out by the tick."""
    voices = [noise(seed, 2.0) for seed in (1, 2)]
    talkers = [Talker(voice) for voice in voices]
    phones += talkers
    one, other = (plane.open_leg(talker.on_event) for talker in talkers)
    for leg, talker in ((one, talkers[0]), (other, talkers[1])):
        leg.set_remote(talker.remote())
    one.bridge(other)
    other.mute(apart)
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    recordings = [one.record(paths[0], channels=2), other.record(paths[1], channels=2), one.record(paths[2])]
    talking = [asyncio.create_task(talkers[0].talk_by_the_clock(one, 100))]
    talking.append(asyncio.create_task(talkers[1].talk_by_the_clock(other, 100)))
    while talkers[0].said < 50:
        await talkers[0].hear()
    other.mute(False)
    await asyncio.gather(*talking)
    await asyncio.gather(one.close(), other.close())
    results = [await closed(recording) for recording in recordings]
    assert [result.error for result in results] == [None] * 3
    from_one, from_other = wav.read(paths[0]), wav.read(paths[1])
    for channel, voice in enumerate(voices):
        assert likeness(voice[9600:], from_one[:, channel]) > 0.95
        assert likeness(voice[9600:], from_other[:, 1 - channel]) > 0.95
        assert likeness(voice[9600:], from_one[:, 1 - channel]) < 0.3
        assert likeness(voice[9600:], wav.read(paths[2])[:, 0]) > 0.5
    assert (likeness(voices[1][1600:4800], from_one[:, 1]) < 0.5) == apart


async def test_a_path_that_cannot_be_written_harms_nobody_else(
    plane: MediaPlane, phone: Phone, tmp_path: Path
) -> None:
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    (tmp_path / "file").touch()
    bad = leg.record(str(tmp_path / "file" / "call.wav"))
    good = leg.record(str(tmp_path / "call.wav"))
    told = await closed(bad)
    assert (told.samples, told.error) == (0, "File exists")
    await listen(phone, 30)
    good.stop()
    assert (await closed(good)).samples > 20 * 160


async def test_a_full_disk_ends_one_recording_and_not_the_call(
    plane: MediaPlane, phone: Phone, tmp_path: Path
) -> None:
    """A limit on the size of its files fails the gateway as a full disk does."""
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    full = leg.record(str(tmp_path / "full.wav"), channels=2)
    await until((tmp_path / "full.wav").exists)
    pid = plane.gateway_pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (40_000, 40_000))
    small = leg.record(str(tmp_path / "small.wav"))
    told = await closed(full)
    assert told.error == "File too large"
    assert told.samples == (40_000 - wav.HEADER) // 4
    assert len(wav.read(str(tmp_path / "full.wav"))) == told.samples
    small.stop()
    assert (await closed(small)).error is None
    assert (await phone.hear()).silent
    assert not leg.closed


async def test_the_gateway_killed(plane: MediaPlane, phone: Phone, tmp_path: Path) -> None:
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    leg.play([Tone((440.0,), 20_000)])
    path = tmp_path / "lost.wav"
    lost = leg.record(str(path))
    await until(lambda: path.exists() and path.stat().st_size > 16_000)
    pid = plane.gateway_pid
    assert pid is not None
    with wave.open(str(path)) as played:
        assert played.getnframes() >= 4000
    os.kill(pid, signal.SIGKILL)
    told = await closed(lost)
    assert (told.error, told.interrupted) == (None, "the recordings' process ended (signal 9)")
    assert told.samples >= 8000 - 160
    assert len(wav.read(str(path))) == told.samples
    again = leg.record(str(tmp_path / "again.wav"))
    await listen(phone, 30)
    again.stop()
    told = await closed(again)
    assert told.error is None
    assert told.samples >= 25 * 160
    assert plane.gateway_pid != pid
    assert [event for event in phone.events if isinstance(event, RecordingClosed)][-1] == told


async def test_the_worker_killed(plane: MediaPlane, phone: Phone, tmp_path: Path) -> None:
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    leg.play([Tone((440.0,), 20_000)])
    path = tmp_path / "call.wav"
    recording = leg.record(str(path))
    await until(lambda: path.exists() and path.stat().st_size > 16_000)
    os.kill(await worker_pid(plane), signal.SIGKILL)
    # Too late for the worker to hear of it: closed all the same.
    never = leg.record(str(tmp_path / "never.wav"))
    assert await phone.event(LegLost)
    told = await closed(recording)
    assert (told.error, told.interrupted) == (None, "the media worker ended")
    assert told.samples >= 8000 - 160
    assert len(wav.read(str(path))) == told.samples
    assert (await closed(never)).error == "the media worker ended (signal 9)"
    assert (await closed(leg.record(str(tmp_path / "later.wav")))).error == "the leg is closed"


async def test_everything_killed_leaves_files_that_can_be_made_whole(
    plane: MediaPlane, phone: Phone, tmp_path: Path
) -> None:
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    leg.play([Tone((440.0,), 20_000)])
    path = tmp_path / "call.wav"
    leg.record(str(path), channels=2)
    heard = 0
    while not (path.exists() and path.stat().st_size > 64_000):
        heard += (await phone.hear()).payload_type == 0
    pid = plane.gateway_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.kill(await worker_pid(plane), signal.SIGKILL)
    samples = wav.repair(str(path))
    assert samples >= 16_000 - 160
    assert heard * 160 - samples < RATE


async def test_the_plane_stopped_ends_recordings(plane: MediaPlane, phone: Phone, tmp_path: Path) -> None:
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    path = tmp_path / "call.wav"
    recording = leg.record(str(path))
    await listen(phone, 30)
    await plane.stop()
    told = await closed(recording)
    assert told.error is None
    assert len(wav.read(str(path))) == told.samples >= 25 * 160


async def test_fifty_at_once(plane: MediaPlane, phones: list[Phone], tmp_path: Path) -> None:
    phones += [Phone() for _ in range(50)]
    legs = [plane.open_leg(phone.on_event) for phone in phones]
    recordings = []
    for number, (phone, leg) in enumerate(zip(phones, legs, strict=True)):
        leg.set_remote(phone.remote())
        recordings.append(leg.record(str(tmp_path / f"{number}.wav"), channels=1 + number % 2))
        leg.play([Source(f"noise {number}", noise(number, 0.5).tobytes())])
    await listen(phones[-1], 40)
    await asyncio.gather(*(leg.close() for leg in legs))
    results = await asyncio.gather(*(closed(recording) for recording in recordings))
    assert {result.error for result in results} == {None}
    for number, result in enumerate(results):
        audio = wav.read(str(tmp_path / f"{number}.wav"))
        assert len(audio) == result.samples
        assert likeness(noise(number, 0.5), audio[:, -1]) > 0.95
    assert plane.stats().workers[0].frames_unrecorded == 0
