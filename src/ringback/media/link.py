"""One worker process seen from the control side: its start, its socket, its lent ports."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable

import msgspec

from ringback.media import protocol
from ringback.media.channel import Channel
from ringback.media.gateway_link import GatewayLink
from ringback.media.leg import MediaLeg
from ringback.media.model import MediaEvent, MediaUnavailable, TickStatistics
from ringback.media.offers import Offers
from ringback.media.process import ended, environment
from ringback.media.stock import Stock

START_TIMEOUT = 20.0
STOP_TIMEOUT = 3.0
GATHER = 0.002
"""Seconds: a busy worker is spoken to no more often than this, since each word wakes it."""


class WorkerLink:
    """Starts a worker and speaks to it.

    `on_lost(link, cause)` is called once if it ends without being asked to.
    """

    def __init__(
        self,
        settings: protocol.Settings,
        on_lost: Callable[[WorkerLink, str], None],
        gateway: GatewayLink,
    ) -> None:
        self.settings = settings
        self.gateway = gateway
        self.statistics = TickStatistics(worker=settings.worker)
        self.stock = Stock(settings.arena_bytes // 2, self.send, self._give_way)
        self._on_lost = on_lost
        self._offers = Offers(settings.epoch)
        self._legs: dict[tuple[int, int], MediaLeg] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._unsent = bytearray()
        self._sent_at = 0.0
        self._life: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stopping = False
        self._failure: str | None = None

    @property
    def available(self) -> bool:
        return bool(self._offers)

    @property
    def open_legs(self) -> int:
        return len(self._legs)

    async def start(self) -> None:
        """Spawn the worker and wait for its first offers. Raises MediaUnavailable with the reason."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ringback.media.worker",
                str(theirs.fileno()),
                msgspec.json.encode(self.settings).decode(),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment(),
            )
        self.statistics = TickStatistics(worker=self.settings.worker, pid=self._process.pid)
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        _, self._channel = await loop.create_unix_connection(lambda: Channel(self._receive), sock=ours)
        self._life = loop.create_task(self._live(self._channel))
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_TIMEOUT)
        except TimeoutError:
            self._ready.cancel()
            await self.stop()
            raise MediaUnavailable(f"a media worker did not start within {START_TIMEOUT:.0f} s") from None

    async def stop(self) -> None:
        """End the worker: asked first, then killed."""
        self._stopping = True
        self.send(protocol.Shutdown())
        self._flush()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._life is not None:
            await self._life

    def open(self, on_event: Callable[[MediaEvent], None]) -> MediaLeg:
        """Open a leg. Raises LookupError when none is `available`."""
        offer = self._offers.take(time.monotonic())
        leg = MediaLeg(self, offer, self.settings.rtp_host, on_event)
        self._legs[offer.row, offer.generation] = leg
        return leg

    def send(self, command: protocol.Command) -> None:
        """Commands that come together go out together, in their order, very soon."""
        if not self._unsent:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._sent_at + GATHER), self._flush)
        self._unsent += protocol.frame(command)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        self._sent_at = asyncio.get_running_loop().time()
        if unsent and self._channel is not None:
            self._channel.write(unsent)

    async def _give_way(self) -> None:
        """Until the connection takes more, and whatever else the loop has to do had its turn."""
        self._flush()
        if self._channel is not None:
            await self._channel.room()
        await asyncio.sleep(0)

    async def _live(self, channel: Channel) -> None:
        garbled = await channel.lost
        if garbled is not None:
            # Without its worker a leg is told LegLost.
            self._failure = f"the media worker could not be understood: {garbled}"
            self._kill()
        await self._ended()

    def _receive(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Happened):
            # A stale generation finds no leg: its event is for a call that has ended.
            leg = self._legs.get((message.row, message.generation))
            if leg is not None:
                leg.deliver(message.event)
        elif isinstance(message, protocol.Lend):
            for offer in message.offers:
                self._offers.put(offer)
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        elif isinstance(message, protocol.Failed):
            self._failure = message.cause
        elif isinstance(message, protocol.Closed):
            closed = self._legs.pop((message.row, message.generation), None)
            if closed is not None:
                self._offers.closed(message.row)
                closed.finish(message.statistics)
        else:
            self.statistics = message.statistics

    async def _ended(self) -> None:
        """The connection is gone, and with it the worker."""
        if self._channel is not None:
            self._channel.close()
        self.stock.close()
        code = await self._reap()
        cause = self._failure or f"the media worker ended ({code})"
        if self._stopping:
            cause = "the media plane was stopped"
        self._offers = Offers(self.settings.epoch)
        legs, self._legs = self._legs, {}
        for leg in legs.values():
            leg.lose(cause)
        self.gateway.lose(self, cause)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(MediaUnavailable(cause))
        elif not self._stopping:
            self._on_lost(self, cause)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _reap(self) -> str:
        process = self._process
        if process is None:
            return "never started"
        if not self._stopping:
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                # It dropped the connection and lives on: its RTP has stopped, nothing else can be known of
                # it.
                self._kill()
        code = await process.wait()
        return ended(code)
