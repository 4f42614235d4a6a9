"""The examples that the tutorials show: each greets, asks, repeats what was entered."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def example(name: str) -> AsyncIterator[Any]:
    """The example served on a free port; gives what posts to it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    runner = web.AppRunner(module.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def post(path: str, **body: Any) -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as http, http.post(url + path, **body) as reply:
            return reply.status, reply.content_type, await reply.text()

    try:
        yield post
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("name", "kind"), [("laml_hello", "application/xml"), ("callapi_hello", "text/xml")])
async def test_the_xml_examples(name: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with example(name) as post:
        status, content_type, menu = await post("/voice", data={"CallSid": "CA1"})
        assert (status, content_type) == (200, kind)
        assert '<Gather numDigits="2" timeout="5" action="/digits">' in menu
        status, content_type, answer = await post("/digits", data={"Digits": "42<"})
        assert (status, content_type) == (200, kind)
        assert "You entered 4, 2. Goodbye." in answer
        status, content_type, held = await post("/wait", data={"CallSid": "CA1"})
        assert (status, content_type) == (200, kind)
        assert '<Pause length="300"/>' in held
        status, _, _ = await post("/status", data={"CallSid": "CA1", "CallStatus": "completed"})
        assert status == 204
    assert "CA1 completed" in capsys.readouterr().out


async def test_the_jambonz_example(capsys: pytest.CaptureFixture[str]) -> None:
    async with example("jambonz_hello") as post:
        _, _, menu = await post("/hook", json={})
        assert '"actionHook": "/digits"' in menu
        _, _, answer = await post("/digits", json={"digits": "42"})
        assert "You entered 4, 2. Goodbye." in answer
        _, _, answer = await post("/digits", json={"reason": "timeout"})
        assert "I did not hear any digits. Goodbye." in answer
        _, _, held = await post("/wait", json={})
        assert json.loads(held)[-1] == {"verb": "pause", "length": 300}
        event = {"call_sid": "9d35", "call_status": "completed", "sip_status": 200}
        status, _, _ = await post("/status", json=event)
        assert status == 204
    assert "9d35 completed 200" in capsys.readouterr().out


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, str(EXAMPLES / "sample_app.py"), "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    [said] = ended.stderr.splitlines()
    assert "address already in use" in said
