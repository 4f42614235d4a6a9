"""The control side's end of a media worker's socket: messages are told as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from ringback.media import protocol


class Channel(asyncio.Protocol):
    """`tell` gets each message, from the event loop.

    `lost` resolves when the connection is gone: to what could not be understood of what came, where that was
    the reason.
    """

    def __init__(self, tell: Callable[[protocol.Message], None]) -> None:
        self._tell = tell
        self._deframer = protocol.Deframer()
        self._transport: asyncio.WriteTransport | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._garbled: str | None = None
        self.lost: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def write(self, frames: bytearray) -> None:
        """Send frames, now or as soon as there is room; no more of them once the connection is gone."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(frames)

    async def room(self) -> None:
        """Until the connection takes more, or is gone."""
        await self._room.wait()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._deframer.feed(data):
                self._tell(protocol.message_decoder.decode(body))
        except (ValueError, msgspec.MsgspecError) as error:
            # What follows on the stream means nothing any more.
            self._garbled = str(error)
            if self._transport is not None:
                self._transport.abort()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._room.set()
        if not self.lost.done():
            self.lost.set_result(self._garbled)
