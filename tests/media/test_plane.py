"""The plane with true worker processes and sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.media.rig import Sent, event, packet
from tests.patience import PATIENCE
from tests.ports import free_ports

from ringback.media import protocol
from ringback.media.plane import (
    Digit,
    DigitsSent,
    FirstRtp,
    LegLost,
    MediaEvent,
    MediaLeg,
    MediaPlane,
    MediaUnavailable,
    PlaybackDone,
    RemoteMedia,
    Report,
    Silence,
    Source,
    StopOn,
    Tone,
)


class Phone:
    """The far end of a leg: a socket that sends when told and keeps what comes."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address: tuple[str, int] = self.socket.getsockname()[:2]
        self.events: list[MediaEvent] = []
        self._changed = asyncio.Event()

    def on_event(self, told: MediaEvent) -> None:
        self.events.append(told)
        self._changed.set()

    def remote(self, **changes: object) -> RemoteMedia:
        values: dict[str, object] = {"host": self.address[0], "port": self.address[1]}
        return RemoteMedia(**(values | changes))  # type: ignore[arg-type]

    async def hear(self) -> Sent:
        """The next packet."""
        loop = asyncio.get_running_loop()
        return Sent.parse(await asyncio.wait_for(loop.sock_recv(self.socket, 2048), PATIENCE))

    async def event(self, kind: type[MediaEvent]) -> MediaEvent:
        """The first event of a kind."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for told in self.events:
                    if isinstance(told, kind):
                        return told
                self._changed.clear()
                await self._changed.wait()

    def say(self, leg: MediaLeg, data: bytes) -> None:
        self.socket.sendto(data, leg.address)


Start = Callable[..., Awaitable[MediaPlane]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts planes, each on ports of its own, and stops them at the end."""
    planes: list[MediaPlane] = []

    async def launch(ports: int = 20, **options: Any) -> MediaPlane:
        first = free_ports(ports)
        plane = MediaPlane(port_range=(first, first + ports - 1), **options)
        planes.append(plane)
        await plane.start()
        return plane

    yield launch
    for plane in planes:
        await plane.stop()


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    yield made
    made.socket.close()


async def test_a_worker_without_legs_rests(start: Start, phone: Phone) -> None:
    plane = await start()
    ticks = [plane.stats().workers[0].ticks]
    async with asyncio.timeout(PATIENCE):
        while len(ticks) < 3:  # a pulse comes once a second, for as long as it tells anything new
            await asyncio.sleep(0.02)
            now = plane.stats().workers[0].ticks
            if now != ticks[-1]:
                ticks.append(now)
    assert ticks[-1] - ticks[-2] <= 8
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    before = await phone.hear()
    assert (await phone.hear()).timestamp == before.timestamp + 160
    assert plane.stats().workers[0].overruns == 0
    await leg.close()


@pytest.mark.parametrize("transport", ["sockets", "auto"])
async def test_a_leg_from_open_to_close(start: Start, phone: Phone, transport: str) -> None:
    plane = await start(transport=transport)
    leg = plane.open_leg(phone.on_event)
    assert leg.address[1] % 2 == 0
    leg.set_remote(phone.remote(send_dtmf_pt=101, receive_dtmf_pts=frozenset({101})))
    assert (await phone.hear()).silent
    playback = leg.play([Tone((440.0,), 60), Silence(40)], loop=0, stop_on=StopOn(digits=True))
    while (await phone.hear()).silent:
        pass
    for number in range(5):
        phone.say(leg, packet(number, number * 160))
    phone.say(leg, packet(5, 800, event(9, 160), payload_type=101, marker=True))
    done = await asyncio.wait_for(playback.done, PATIENCE)
    assert done.reason == "digit"
    assert await phone.event(FirstRtp) == FirstRtp(*phone.address)
    assert await phone.event(Digit) == Digit("9", 20, "rfc4733")
    sending = leg.send_digits("5")
    while (heard := await phone.hear()).payload_type != 101:
        pass
    assert heard.payload[0] == 5
    assert await phone.event(DigitsSent) == DigitsSent(sending, "rfc4733")
    statistics = await asyncio.wait_for(leg.close(), PATIENCE)
    assert statistics.packets_received == 6
    assert statistics.dtmf_packets_received == 1
    assert statistics.dtmf_packets_sent == 7
    assert statistics.packets_sent > 10
    assert statistics.remote_address == phone.address
    assert leg.closed
    assert plane.stats().legs == 0


async def test_reports_come_and_rtcp_goes_both_ways(start: Start, phone: Phone) -> None:
    plane = await start(report_every=0.1)
    leg = plane.open_leg(phone.on_event)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
        rtcp.setblocking(False)
        rtcp.bind(("127.0.0.1", 0))
        leg.set_remote(phone.remote(rtcp_port=rtcp.getsockname()[1]))
        loop = asyncio.get_running_loop()
        data, source = await asyncio.wait_for(loop.sock_recvfrom(rtcp, 2048), PATIENCE)
        assert source == (leg.address[0], leg.rtcp_port)
        assert data[1] in (200, 201)
        rtcp.sendto(data, source)
        async with asyncio.timeout(PATIENCE):
            while not any(
                isinstance(told, Report) and told.statistics.rtcp_received for told in phone.events
            ):
                phone.events.clear()
                await phone.event(Report)
        statistics = await leg.close()
        assert statistics.rtcp_sent >= 2
        while data[-8:-4] != b"\x81\xcb\x00\x01":
            data = await asyncio.wait_for(loop.sock_recv(rtcp, 2048), PATIENCE)


async def test_opening_never_waits_and_says_when_there_is_nothing(start: Start, phone: Phone) -> None:
    plane = await start(ports=8)
    legs = [plane.open_leg(phone.on_event) for _ in range(4)]
    assert len({leg.address for leg in legs}) == 4
    with pytest.raises(MediaUnavailable):
        plane.open_leg(phone.on_event)


async def test_a_released_port_rests(start: Start, phone: Phone) -> None:
    plane = await start(ports=4, port_rest=0.5)
    first, second = plane.open_leg(phone.on_event), plane.open_leg(phone.on_event)
    loop = asyncio.get_running_loop()
    await first.close()
    released = loop.time()
    assert not plane.available
    await until(lambda: plane.available)
    assert loop.time() - released >= 0.45
    assert plane.open_leg(phone.on_event).address == first.address
    assert second.address != first.address


async def test_a_lost_worker_ends_its_legs_and_is_replaced(start: Start, phone: Phone) -> None:
    lost: list[tuple[int, str]] = []
    plane = await start(on_worker_lost=lambda number, cause: lost.append((number, cause)))
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    playback = leg.play([Tone((440.0,), 1000)], loop=0)
    await phone.hear()
    os.kill(await worker_pid(plane), signal.SIGKILL)
    told = await phone.event(LegLost)
    assert told == LegLost("the media worker ended (signal 9)")
    assert (await playback.done).reason == "closed"
    assert (await leg.close()).packets_received == 0
    assert lost == [(0, "the media worker ended (signal 9)")]
    with pytest.raises(MediaUnavailable):
        plane.open_leg(phone.on_event)
    await until(lambda: plane.available)
    again = plane.open_leg(phone.on_event)
    again.set_remote(phone.remote())
    await again.close()


async def test_a_faulty_listener_is_its_own_trouble(
    start: Start, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(told: MediaEvent) -> None:
        raise RuntimeError("not prepared for this")

    plane = await start()
    faulty, sound = plane.open_leg(fail), plane.open_leg(phone.on_event)
    for leg in (faulty, sound):
        leg.set_remote(phone.remote())
    played = [leg.play([Silence(20)]) for leg in (faulty, sound)]
    for playback in played:
        assert (await asyncio.wait_for(playback.done, PATIENCE)).reason == "completed"
    assert await phone.event(PlaybackDone)
    assert "not prepared for this" in caplog.text
    os.kill(await worker_pid(plane), signal.SIGKILL)
    assert await phone.event(LegLost)
    assert faulty.closed


async def test_a_worker_that_cannot_be_understood_is_replaced(
    start: Start, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []
    plane = await start(on_worker_lost=lambda number, cause: lost.append(cause))
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    with monkeypatch.context() as patched:
        patched.setattr(protocol, "message_decoder", msgspec.msgpack.Decoder(protocol.Pulse))
        leg.play([Silence(20)])
        told = await phone.event(LegLost)
    assert isinstance(told, LegLost)
    assert told.cause.startswith("the media worker could not be understood")
    assert (await leg.close()).packets_received == 0
    await until(lambda: plane.available)
    assert lost == [told.cause]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the plane tells by no event."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is asked about has no event
            await asyncio.sleep(0.01)


async def worker_pid(plane: MediaPlane) -> int:
    await until(lambda: plane.stats().workers[0].pid)
    return plane.stats().workers[0].pid


async def test_rtp_stops_when_the_control_side_is_gone(phone: Phone) -> None:
    """A worker whose parent closes the connection without a word ends by itself."""
    ours, theirs = socket.socketpair()
    first = free_ports(8)
    settings = protocol.Settings(worker=0, rtp_host="127.0.0.1", first_port=first, last_port=first + 7)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ringback.media.worker",
            str(theirs.fileno()),
            msgspec.json.encode(settings).decode(),
            pass_fds=(theirs.fileno(),),
        )
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    deframer = protocol.Deframer()
    with ours:
        bodies: list[bytes] = []
        while not bodies:
            bodies = deframer.feed(await asyncio.wait_for(loop.sock_recv(ours, 65536), PATIENCE))
        lend = protocol.message_decoder.decode(bodies[0])
        assert isinstance(lend, protocol.Lend)
        offer = lend.offers[0]
        stale = protocol.Play(offer.row, offer.generation - 1, 1, [], 1, 0, 0, False)
        commands: list[protocol.Command] = [
            protocol.Open(offer.row, offer.generation),
            stale,
            protocol.SetRemote(offer.row, offer.generation, phone.remote(host="not an address")),
            protocol.SetRemote(offer.row, offer.generation, phone.remote()),
        ]
        await loop.sock_sendall(ours, b"".join(protocol.frame(command) for command in commands))
        await phone.hear()
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    while True:
        try:
            phone.socket.recv(2048)
        except BlockingIOError:
            break


async def test_stopping_the_plane_ends_what_is_open(start: Start, phone: Phone) -> None:
    plane = await start()
    leg = plane.open_leg(phone.on_event)
    await plane.stop()
    assert phone.events == [LegLost("the media plane was stopped")]
    assert leg.closed
    with pytest.raises(MediaUnavailable, match="not running"):
        plane.open_leg(phone.on_event)


async def test_ipv6(start: Start) -> None:
    plane = await start(rtp_host="::1")
    phone = Phone("::1")
    with phone.socket:
        leg = plane.open_leg(phone.on_event)
        leg.set_remote(phone.remote())
        assert (await phone.hear()).silent
        phone.socket.sendto(packet(1, 160), leg.address)
        assert await phone.event(FirstRtp) == FirstRtp("::1", phone.address[1])
        with pytest.raises(ValueError, match="address"):
            leg.set_remote(phone.remote(host="phone.example"))
        await leg.close()


async def test_legs_stay_near_each_other_and_spread_otherwise(start: Start, phone: Phone) -> None:
    plane = await start(ports=40, workers=2)
    one, two = plane.open_leg(phone.on_event), plane.open_leg(phone.on_event)
    assert one.link is not two.link
    near = [plane.open_leg(phone.on_event, near=one) for _ in range(3)]
    assert {id(leg.link) for leg in near} == {id(one.link)}
    assert len({leg.address for leg in [one, two, *near]}) == 5
    assert plane.stats().legs == 5


async def test_two_workers_share_the_legs_and_both_keep_time(start: Start, phone: Phone) -> None:
    plane = await start(ports=80, workers=2)
    legs = [plane.open_leg(phone.on_event) for _ in range(12)]
    by_worker = Counter(leg.link.settings.worker for leg in legs)
    assert by_worker == {0: 6, 1: 6}
    for leg in legs:
        leg.set_remote(phone.remote())
    heard: dict[int, list[int]] = {}
    while len(heard) < len(legs) or min(map(len, heard.values())) < 10:
        sent = await phone.hear()
        heard.setdefault(sent.ssrc, []).append(sent.timestamp)
    for moments in heard.values():
        steps = [later - sooner & 0xFFFFFFFF for sooner, later in pairwise(moments)]
        assert all(0 < step < 100 * 160 and step % 160 == 0 for step in steps), "what is left out is counted"
    for leg in legs[::2]:
        await leg.close()
    again = [plane.open_leg(phone.on_event) for _ in range(6)]
    assert Counter(leg.link.settings.worker for leg in (*legs[1::2], *again)) == {0: 6, 1: 6}


async def test_sources_of_any_rate_and_length_are_played(start: Start, phone: Phone) -> None:
    plane = await start()
    leg = plane.open_leg(phone.on_event)
    leg.set_remote(phone.remote())
    time = np.arange(16_000 * 6) / 16_000
    wide = (12_000 * np.sin(2 * np.pi * 500 * time)).astype("<i2").tobytes()
    playback = leg.play([Source("wide", wide, 16_000)], offset_ms=5900)
    done = await asyncio.wait_for(playback.done, PATIENCE)
    assert done == PlaybackDone(playback.id, "completed", 100, 6000)
    loud = []
    while True:
        heard = await phone.hear()
        if not heard.silent:
            loud.append(np.abs(heard.samples().astype(int)).max())
        elif loud:
            break
    assert len(loud) == 5
    assert max(loud) == pytest.approx(12_000, rel=0.05)
    replaced = leg.play([Source("wide", wide, 16_000)])
    leg.play([Silence(20)])
    assert (await asyncio.wait_for(replaced.done, PATIENCE)).reason == "replaced"


async def test_playbacks_keep_their_order_while_a_long_source_is_on_its_way(
    start: Start, phone: Phone
) -> None:
    plane = await start()
    one, other = plane.open_leg(phone.on_event), plane.open_leg(phone.on_event)
    for leg in (one, other):
        leg.set_remote(phone.remote())
    hours = Source("hours", bytes(40 << 20))
    stopped, replaced = one.play([hours]), other.play([hours, Tone((440.0,), 20)])
    one.stop_playback()
    last = other.play([Silence(20)])
    await plane.open_leg(phone.on_event).close()
    assert not any(playback.done.done() for playback in (stopped, replaced, last))
    played = [asyncio.wait_for(playback.done, PATIENCE) for playback in (stopped, replaced, last)]
    assert [done.reason for done in await asyncio.gather(*played)] == ["stopped", "replaced", "completed"]


async def test_what_is_lost_or_closed_meanwhile_ends(start: Start, phone: Phone) -> None:
    plane = await start()
    closed, lost = plane.open_leg(phone.on_event), plane.open_leg(phone.on_event)
    hours = Source("hours", bytes(40 << 20))
    playbacks = [leg.play([hours]) for leg in (closed, lost)]
    await closed.close()
    assert (await playbacks[0].done).reason == "closed"
    os.kill(await worker_pid(plane), signal.SIGKILL)
    assert (await asyncio.wait_for(playbacks[1].done, PATIENCE)).reason == "closed"


async def test_what_cannot_be_done_is_refused(start: Start, phone: Phone) -> None:
    plane = await start()
    leg = plane.open_leg(phone.on_event)
    with pytest.raises(ValueError, match="cannot press"):
        leg.send_digits("12x")
    with pytest.raises(ValueError, match="held"):
        leg.send_digits("1", duration_ms=5)
    with pytest.raises(ValueError, match="keeps at most"):
        leg.play([Source("huge", bytes(leg.link.settings.arena_bytes // 2 + 2))])
    with pytest.raises(ValueError, match="zero or more"):
        leg.play([], loop=-1)
    with pytest.raises(ValueError, match="cannot share"):
        MediaPlane(port_range=(20000, 20001), workers=2)
    closing = leg.close()
    assert leg.close() is closing
    await closing
    assert (await leg.play([Silence(20)]).done).reason == "closed"


async def test_an_address_that_is_not_ours_is_said_so() -> None:
    plane = MediaPlane(rtp_host="192.0.2.1", port_range=(20000, 20003))
    with pytest.raises(MediaUnavailable, match=r"192\.0\.2\.1 from 20000 to 20003: Cannot assign"):
        await plane.start()
