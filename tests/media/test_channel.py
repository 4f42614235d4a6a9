"""The control side's end of a media worker's socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from ringback.media import protocol
from ringback.media.channel import Channel

LEND = protocol.Lend([protocol.Offer(1, 2, 20000, 20001)])
FAILED = protocol.Failed("no ports")


class Line:
    """A channel, and the worker's end of its socket."""

    def __init__(
        self, channel: Channel, worker: socket.socket, told: asyncio.Queue[protocol.Message]
    ) -> None:
        self.channel = channel
        self.worker = worker
        self.told = told

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.worker, data)

    async def hear(self) -> protocol.Message:
        """The next message that was told."""
        return await asyncio.wait_for(self.told.get(), 5)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    ours, worker = socket.socketpair()
    worker.setblocking(False)
    told: asyncio.Queue[protocol.Message] = asyncio.Queue()
    _, channel = await asyncio.get_running_loop().create_unix_connection(
        lambda: Channel(told.put_nowait), sock=ours
    )
    with worker:
        yield Line(channel, worker, told)
        channel.close()


async def test_messages_are_told_in_order_however_they_are_cut(line: Line) -> None:
    stream = protocol.frame(LEND) + protocol.frame(FAILED)
    for at in range(0, len(stream), 3):
        await line.say(stream[at : at + 3])
    assert [await line.hear(), await line.hear()] == [LEND, FAILED]


async def test_what_was_said_before_the_end_is_told(line: Line) -> None:
    await line.say(protocol.frame(FAILED) + protocol.frame(LEND)[:5])
    line.worker.close()
    assert await asyncio.wait_for(line.channel.lost, 5) is None
    assert await line.hear() == FAILED
    assert line.told.empty()


@pytest.mark.parametrize("data", [b"\1\0\0\0\xc1", b"\xff\xff\xff\x7f"])
async def test_a_worker_that_cannot_be_understood_is_not_listened_to(line: Line, data: bytes) -> None:
    await line.say(protocol.frame(LEND))
    assert await line.hear() == LEND
    await line.say(data + protocol.frame(FAILED))
    assert await asyncio.wait_for(line.channel.lost, 5)
    assert line.told.empty()


async def test_who_has_much_to_say_waits_until_there_is_room(line: Line) -> None:
    await line.channel.room()
    much = bytearray(4 << 20)
    line.channel.write(much)
    waiting = asyncio.ensure_future(line.channel.room())
    loop, got = asyncio.get_running_loop(), 0
    await asyncio.sleep(0)
    assert not waiting.done()
    while got < len(much):
        got += len(await loop.sock_recv(line.worker, 1 << 20))
    await asyncio.wait_for(waiting, 5)


async def test_nobody_waits_for_room_on_a_connection_that_is_gone(line: Line) -> None:
    line.channel.write(bytearray(4 << 20))
    waiting = asyncio.ensure_future(line.channel.room())
    line.worker.close()
    await asyncio.wait_for(waiting, 5)
    line.channel.write(bytearray(b"unheard"))
    await asyncio.wait_for(line.channel.lost, 5)
