"""The clock that jumps."""

from __future__ import annotations

import asyncio
import time

import pytest

from ringback.testing.virtual_time import VirtualTimeLoop, in_virtual_time, run


@in_virtual_time
async def test_sleeping_takes_virtual_seconds_only() -> None:
    loop = asyncio.get_running_loop()
    started, really = loop.time(), time.monotonic()
    await asyncio.sleep(3600)
    assert loop.time() - started == pytest.approx(3600)
    assert time.monotonic() - really < 5


@in_virtual_time
async def test_timers_fire_in_order() -> None:
    fired: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_later(30, fired.append, "late")
    loop.call_later(0.5, fired.append, "early")
    loop.call_later(4, fired.append, "middle")
    await asyncio.sleep(31)
    assert fired == ["early", "middle", "late"]


@in_virtual_time
async def test_timeouts_are_virtual() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(64):
            await asyncio.Event().wait()


@in_virtual_time
async def test_the_clock_waits_for_threads() -> None:
    started = asyncio.get_running_loop().time()
    async with asyncio.timeout(1):
        await asyncio.to_thread(time.sleep, 0.05)
    assert asyncio.get_running_loop().time() == started


@in_virtual_time
async def test_sockets_within_the_process_work() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


@in_virtual_time
async def test_fixtures_are_handed_on(tmp_path: object) -> None:
    assert tmp_path is not None


def test_a_result_comes_back() -> None:
    async def answer() -> int:
        assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        return 42

    assert run(answer()) == 42


def test_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.testing.virtual_time._PATIENCE", 0.01)

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="stuck"):
        run(wait())
