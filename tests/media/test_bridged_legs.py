"""Bridged legs with true worker processes, sockets and audio."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.media.pair import Audio, heard, packets, resemblance, speaks, voice
from tests.media.rig import Sent, event, packet
from tests.media.test_plane import Phone
from tests.patience import PATIENCE
from tests.ports import free_ports

from ringback.media.model import Codec, Tone
from ringback.media.plane import Digit, MediaLeg, MediaPlane

FRAME = 0.020


class Party(Phone):
    """A phone with a leg, which says something and keeps all that it hears."""

    def __init__(self, plane: MediaPlane, *, near: MediaLeg | None = None, **changes: Any) -> None:
        super().__init__()
        self.codec: Codec = changes.get("codec", "PCMU")
        self.leg = plane.open_leg(self.on_event, near=near)
        self.leg.set_remote(self.remote(**changes))
        self.heard: list[Sent] = []
        self.said = 0
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.heard.append(Sent.parse(await loop.sock_recv(self.socket, 2048)))

    async def until_heard(self, enough: Callable[[list[Sent]], bool]) -> None:
        """Wait for what was heard to be enough."""
        async with asyncio.timeout(PATIENCE):
            while not enough(self.heard):  # noqa: ASYNC110 - packets come all the time
                await asyncio.sleep(FRAME)

    async def talk(self, said: list[bytes]) -> None:
        """Say packets at their pace; one that is late makes those after it late, too."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for data in said:
            self.say(self.leg, data)
            due = max(due + FRAME, loop.time())
            await asyncio.sleep(due - loop.time())

    def audio(self, last: int) -> Audio:
        """What the latest packets sound like."""
        return heard(self.heard[-last:], self.codec)

    def hang_up(self) -> None:
        self._listening.cancel()
        self.socket.close()


async def started(**options: Any) -> MediaPlane:
    """A plane."""
    first = free_ports(40)
    plane = MediaPlane(port_range=(first, first + 39), **options)
    await plane.start()
    return plane


Meet = Callable[..., Awaitable[tuple[Party, Party]]]


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """Opens and bridges two legs on a plane of their own."""
    planes: list[MediaPlane] = []
    parties: list[Party] = []

    async def make(
        one: dict[str, Any] | None = None, other: dict[str, Any] | None = None, **options: Any
    ) -> tuple[Party, Party]:
        plane = await started(**options)
        planes.append(plane)
        parties.append(Party(plane, **(one or {})))
        parties.append(Party(plane, **(other or {})))
        for party in parties[-2:]:
            await party.until_heard(bool)
        parties[-2].leg.bridge(parties[-1].leg)
        return parties[-2], parties[-1]

    yield make
    for party in parties:
        party.hang_up()
    for plane in planes:
        await plane.stop()


async def converse(one: Party, other: Party, frames: int = 60, start: int = 0) -> tuple[Audio, Audio]:
    """Both talk at once. Returns what each said."""
    said = voice(start + 1, frames), voice(start + 2, frames)
    await asyncio.gather(
        one.talk(packets(said[0], start, one.codec)),
        other.talk(packets(said[1], start + 500, other.codec)),
    )
    return said


@pytest.mark.parametrize("transport", ["sockets", "auto"])
async def test_two_phones_hear_each_other_in_one_stream(meet: Meet, transport: str) -> None:
    one, other = await meet(transport=transport)
    said = await converse(one, other)
    await other.until_heard(lambda heard: len(heard) > 70)
    assert resemblance(said[0], heard(other.heard)) > 0.99
    assert resemblance(said[1], heard(one.heard)) > 0.99
    for party in (one, other):
        steps = {
            (after.sequence - before.sequence) & 0xFFFF for before, after in itertools.pairwise(party.heard)
        }
        assert steps == {1}
        assert len({sent.ssrc for sent in party.heard}) == 1
    statistics = await one.leg.close()
    assert statistics.packets_received == 60
    assert statistics.packets_sent >= 60


@pytest.mark.parametrize("transport", ["sockets", "auto"])
async def test_what_came_last_is_counted_for_whom_it_came(meet: Meet, transport: str) -> None:
    events = {"send_dtmf_pt": 101, "receive_dtmf_pts": frozenset({101})}
    one, other = await meet(events, events, transport=transport)
    said = packets(voice(1, 25))
    await one.talk(said[:24])
    # It is there when the command is: nothing is lost on loopback.
    one.say(one.leg, said[24])
    statistics = await one.leg.close()
    assert (statistics.packets_received, statistics.packets_lost) == (25, 0)
    assert (await other.leg.close()).packets_received == 0


@pytest.mark.parametrize("transport", ["sockets", "auto"])
async def test_a_prompt_and_a_whisper_between(meet: Meet, transport: str) -> None:
    one, other = await meet(transport=transport)
    await converse(one, other, 20)
    done = other.leg.play([Tone((440.0,), 200)]).done
    await converse(one, other, 30, 20)
    assert (await asyncio.wait_for(done, PATIENCE)).reason == "completed"
    done = other.leg.play([Tone((1000.0,), 200)], over=True).done
    await converse(one, other, 30, 50)
    assert (await asyncio.wait_for(done, PATIENCE)).reason == "completed"
    said = await converse(one, other, 60, 80)
    assert resemblance(said[0], other.audio(80)) > 0.99
    assert resemblance(said[1], one.audio(80)) > 0.99


async def test_keys_and_hold_and_the_end(meet: Meet) -> None:
    events = {"send_dtmf_pt": 101, "receive_dtmf_pts": frozenset({101})}
    one, other = await meet(events, {"send_dtmf_pt": 96, "receive_dtmf_pts": frozenset({96})})
    await converse(one, other, 10)
    key = [packet(10 + n, 1600, event(5, 160 * (n + 1)), payload_type=101, marker=not n) for n in range(5)]
    await one.talk(key)
    assert await one.event(Digit) == Digit("5", 20, "rfc4733")
    await other.until_heard(lambda heard: any(sent.payload_type == 96 for sent in heard))
    assert {sent.payload[0] for sent in other.heard if sent.payload_type == 96} == {5}

    one.leg.set_remote(one.remote(direction="inactive", held=True, **events))
    await asyncio.sleep(3 * FRAME)
    count = len(one.heard)
    await other.talk(packets(voice(3, 10), 600))
    assert len(one.heard) == count
    one.leg.set_remote(one.remote(**events))
    said = await converse(one, other, 60, 20)
    assert resemblance(said[1], heard(one.heard)) > 0.99

    await one.leg.close()
    other.heard.clear()
    await other.until_heard(lambda heard: len(heard) > 10)
    assert all(sent.silent for sent in other.heard[5:])


async def test_legs_of_two_workers_hear_each_other(meet: Meet) -> None:
    events = {"send_dtmf_pt": 101, "receive_dtmf_pts": frozenset({101})}
    one, other = await meet(events, speaks("PCMA"), workers=2)
    assert one.leg.link is not other.leg.link
    said = await converse(one, other)
    await other.until_heard(lambda heard: len(heard) > 70)
    assert resemblance(said[0], heard(other.heard, "PCMA")) > 0.95
    assert resemblance(said[1], heard(one.heard)) > 0.95
    for party in (one, other):
        steps = {later.timestamp - sooner.timestamp for sooner, later in itertools.pairwise(party.heard)}
        assert all(step > 0 and step % 160 == 0 for step in steps), "each keeps its own time"

    await one.talk([packet(60, 9600, event(5, 160), payload_type=101, marker=True)])
    await one.event(Digit)
    await other.until_heard(lambda heard: not heard[-1].silent)

    for end in (other.leg.unbridge, lambda: one.leg.bridge(other.leg), one.leg.close):
        end()
    one.heard.clear()
    other.heard.clear()
    await other.talk(packets(voice(3, 20), 700, "PCMA"))
    assert all(sent.silent for sent in one.heard)
    await other.until_heard(lambda heard: len(heard) > 20 and all(sent.silent for sent in heard[-10:]))
