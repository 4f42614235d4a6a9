"""SIPp, the usual test tool, as caller and as callee (its built-in scenarios)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.patience import PATIENCE

from ringback.sip.endpoint import SipEndpoint
from ringback.sip.events import Answered, SessionEvent
from ringback.sip.inbound import InboundCall
from ringback.sip.uri import NameAddr, Uri

SIPP = shutil.which("sipp")
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

pytestmark = [pytest.mark.interop, pytest.mark.skipif(SIPP is None, reason="SIPp is not installed")]


async def run_sipp(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    assert SIPP is not None
    return await asyncio.create_subprocess_exec(
        SIPP,
        *arguments,
        "-i",
        "127.0.0.1",
        "-nostdin",
        "-timeout",
        "20s",
        cwd=directory,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipp_calls_us(tmp_path: Path, free_port: Callable[..., int], transport: str) -> None:
    ended: asyncio.Queue[SessionEvent] = asyncio.Queue()

    def take(call: InboundCall) -> None:
        call.on_event = ended.put_nowait
        call.ring()
        call.answer(SDP)

    endpoint = SipEndpoint(on_invitation=take)
    await endpoint.start([f"{transport}:127.0.0.1:0"])
    address = endpoint.listening[0].partition(":")[2]
    mode = ("-t", "u1") if transport == "udp" else ("-t", "t1")
    port = str(free_port(transport))
    sipp = await run_sipp(
        tmp_path, "-sn", "uac", address, "-p", port, *mode, "-m", "20", "-r", "50", "-d", "50"
    )
    assert await asyncio.wait_for(sipp.wait(), PATIENCE) == 0
    kinds = [type(ended.get_nowait()).__name__ for _ in range(ended.qsize())]
    assert kinds.count("Confirmed") == kinds.count("Ended") == 20
    await endpoint.stop()


async def test_we_call_sipp(tmp_path: Path, free_port: Callable[..., int]) -> None:
    port = free_port("udp")
    sipp = await run_sipp(tmp_path, "-sn", "uas", "-p", str(port), "-m", "10")
    endpoint = SipEndpoint()
    await endpoint.start(["udp:127.0.0.1:0"])
    target = Uri.parse(f"sip:service@127.0.0.1:{port}")
    caller = NameAddr(Uri.parse("sip:ringback@127.0.0.1"))

    async def one_call() -> int:
        answered = asyncio.Event()

        def on_event(event: SessionEvent) -> None:
            if isinstance(event, Answered):
                answered.set()

        call = endpoint.invite(target, from_=caller, to=NameAddr(target), offer=SDP, on_event=on_event)
        await answered.wait()
        return (await call.bye()).status

    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*(one_call() for _ in range(10))) == [200] * 10
        assert await sipp.wait() == 0
    await endpoint.stop()
