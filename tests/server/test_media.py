"""What the media plane notices and counts, as the call keeps it: silence of the network, and quality."""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.patience import PATIENCE

from ringback.calls.rows import from_row
from ringback.calls.timeline import Line, lines_of
from ringback.media.plane import MediaPlane
from ringback.store.records import CallFilter
from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.phone_audio import PhoneAudio
from ringback.testing.softphone import PhoneCall

TRIP = 0.050
"""Seconds that the phone's reports take."""
LATE = 0.010
"""Seconds by which every other packet of the phone is late."""
TOLD = ((3, 80), (4, 400), (9, 240))
"""What the phone's reports say, one after the other: packets lost so far, jitter in timestamp units."""


class Reports(asyncio.DatagramProtocol):
    """The phone's RTCP: answers each sender report with a receiver report."""

    def __init__(self) -> None:
        self.sent = 0
        self.all_sent = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        if data[1] == 200:
            asyncio.get_running_loop().call_later(TRIP, self._answer, data, addr)

    def _answer(self, report: bytes, addr: tuple[str | int, ...]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        lost, jitter = TOLD[min(self.sent, len(TOLD) - 1)]
        [ssrc] = struct.unpack_from("!I", report, 4)
        [middle] = struct.unpack_from("!I", report, 10)
        head = struct.pack("!BBHI", 0x81, 201, 7, 0xFEED)
        self._transport.sendto(head + struct.pack("!6I", ssrc, lost, 0, jitter, middle, 0), addr)
        self.sent += 1
        if self.sent > len(TOLD):
            # One more went out: those before it have been taken in.
            self.all_sent.set()


class Mouth(PhoneAudio):
    """A phone on a bad line, with RTCP on the port after its RTP."""

    def __init__(self) -> None:
        super().__init__()
        self.mute = False
        self.bad = False
        self.kept_back = 0
        self.late = 0
        """Packets that are not sent yet."""
        self.reports = Reports()
        self._rtcp: asyncio.DatagramTransport | None = None

    async def open(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        while self._rtcp is None:
            await super().open(host)
            try:
                self._rtcp, _ = await loop.create_datagram_endpoint(
                    lambda: self.reports, (host, self.port + 1)
                )
            except OSError:
                await super().close()

    async def close(self) -> None:
        await super().close()
        if self._rtcp is not None:
            self._rtcp.close()

    def _send(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> None:
        if self.mute:
            return
        number = self._sequence
        if self.bad and number % 10 == 5:
            self._sequence += 1
            self.kept_back += 1
        elif self.bad and number % 2:
            send = functools.partial(super()._send, payload_type, timestamp, payload, marker)
            self._later(send, number)
        else:
            super()._send(payload_type, timestamp, payload, marker)

    def _later(self, send: functools.partial[None], number: int) -> None:
        def now() -> None:
            following, self._sequence = self._sequence, number
            send()
            self._sequence = following
            self.late -= 1

        self.late += 1
        self._sequence += 1
        asyncio.get_running_loop().call_later(LATE, now)


@pytest.fixture
async def server(data: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningServer]:
    """A server that notices and reports soon, for phones on such a line; callers wait."""
    impatient = functools.partial(MediaPlane, no_rtp_after=1.0, report_every=0.2)
    monkeypatch.setattr("ringback.server.MediaPlane", impatient)
    monkeypatch.setattr("ringback.testing.softphone.PhoneAudio", Mouth)
    async with WebApp() as app:
        app.reply("/voice", '<Response><Gather timeout="60"/></Response>')
        async with RunningServer(app.settings("laml", data)) as server:
            yield server


@pytest.fixture
def told(server: RunningServer) -> Iterator[asyncio.Queue[Line]]:
    """Lines about media, as they are shown."""
    queue: asyncio.Queue[Line] = asyncio.Queue()
    with server.time_line.listening(lambda line: queue.put_nowait(line) if line.kind == "media" else None):
        yield queue


def _mouth(call: PhoneCall) -> Mouth:
    assert isinstance(call.audio, Mouth)
    return call.audio


async def test_a_call_says_when_no_rtp_comes_why_and_when_it_is_back(
    server: RunningServer, told: asyncio.Queue[Line]
) -> None:
    async with server.phone("+14155559999", "") as phone:
        call = await phone.call(NUMBER)
        _mouth(call).mute = True
        await call.answered()
        shown = []
        for mute in (False, True, False):
            shown.append((await asyncio.wait_for(told.get(), PATIENCE)).text)
            _mouth(call).mute = mute
        shown.append((await asyncio.wait_for(told.get(), PATIENCE)).text)
        call.hang_up()
        await server.settled()
    [row] = await server.store.calls(CallFilter(), limit=2)
    assert [line.text for line in await lines_of(server.store, row.id) if line.kind == "media"] == shown
    never, back, stopped, again = shown
    assert "no RTP has come at all" in never
    assert "has stopped" in stopped
    assert back == again == "RTP is there again"


async def test_round_trip_jitter_and_loss_are_in_the_record(server: RunningServer) -> None:
    async with server.phone("+14155559999", "") as phone:
        call = await phone.call(NUMBER)
        await call.answered()
        mouth = _mouth(call)
        mouth.bad = True
        await asyncio.wait_for(mouth.reports.all_sent.wait(), PATIENCE)
        await call.hears(1.0)
        mouth.bad = False
        while mouth.late:
            await mouth.arrival()
        await call.hears(call.heard().size / 8000 + 0.1)  # those that were late have come
        call.hang_up()
        await server.settled()
    [row] = await server.store.calls(CallFilter(), limit=2)
    media = from_row(row).media
    assert media is not None
    assert media.lost_in == mouth.kept_back > 0
    assert media.lost_out == TOLD[-1][0]
    jitters = [jitter / 8 for _, jitter in TOLD]
    assert (media.jitter_out_min, media.jitter_out_max) == (min(jitters), max(jitters))
    assert media.jitter_out_avg is not None
    assert min(jitters) < media.jitter_out_avg < max(jitters)
    assert media.rtt_min is not None
    assert media.rtt_max is not None
    assert media.rtt_avg is not None
    assert 1000 * TRIP - 2 <= media.rtt_min <= media.rtt_avg <= media.rtt_max
    assert media.jitter_in_max is not None
    assert media.jitter_in_max > 1000 * LATE / 3
