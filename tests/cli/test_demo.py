"""`ringback demo`: one call in each dialect, end to end, also while another one runs beside it."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from tests.cli.conftest import Command
from tests.patience import PATIENCE

from ringback.cli.hints import own_command
from ringback.cli.unheard import unheard
from ringback.config import DEMONSTRATION, SAMPLE_APPLICATION
from ringback.running import exclusive
from ringback.testing.kit import WebApp

DEMO_SECONDS = 120.0


@pytest.fixture
def sample_port_taken() -> Iterator[None]:
    """We listen where the sample application is usually served, or somebody who stays there."""
    host, _, port = SAMPLE_APPLICATION.removeprefix("http://").partition(":")
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # with others who run this test
        until = time.monotonic() + DEMO_SECONDS
        while time.monotonic() < until:
            try:
                held.bind((host, int(port)))
                held.listen()
                break
            except OSError:  # another test's demo, which ends
                time.sleep(0.2)
        yield


async def test_two_at_once_go_as_they_should(tmp_path: Path, app: WebApp) -> None:
    """The second one, with an application of its own, moves out of the first one's way and says so."""
    app.reply("/mine", "<Response><Say>Mine</Say><Hangup/></Response>")
    first, second = await asyncio.gather(
        Command.start("demo", cwd=tmp_path),
        Command.start("demo", "--app", f"{app.url}/mine", "--out", "second", cwd=tmp_path),
    )
    codes = await asyncio.gather(first.ends(), second.ends())
    assert tuple(codes) == (0, 0), first.said + second.said
    for dialect in ("laml", "jambonz", "callapi"):
        assert f"✓ {dialect}: went as it should" in first.said
        samples, _ = soundfile.read(tmp_path / "demo-out" / f"{dialect}.wav")
        assert len(samples) > 2 * 8000
    assert "✓ two phones: went as it should" in first.said
    assert "✓ laml: went as it should" in second.said
    assert "is in use by another server: using ringback-data-2" in first.said + second.said
    assert "Traceback" not in first.said + second.said
    assert len([asked for asked in app.asked if asked.path == "/mine"]) == 1


async def test_a_dialect_that_is_none(tmp_path: Path) -> None:
    command = await Command.start("demo", "--dialect", "morse", cwd=tmp_path)
    assert await command.ends() == 2
    assert "expected a dialect of laml, jambonz, callapi" in command.said


async def test_an_application_that_fails_is_a_failure(tmp_path: Path, app: WebApp) -> None:
    command = await Command.start("demo", "--app", f"{app.url}/nowhere", cwd=tmp_path)
    assert await command.ends() == 1
    assert "✗ laml: not answered" in command.said
    assert "heard:" not in command.said
    assert not list((tmp_path / "demo-out").glob("*.wav"))


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        ("laml", "notaurl"),
        ("laml", "localhost:3000/voice"),
        ("laml", "ws://127.0.0.1/"),
        ("jambonz", "/hook"),
    ],
)
async def test_an_application_that_is_no_url(dialect: str, url: str, tmp_path: Path) -> None:
    command = await Command.start("demo", "--app", url, "--dialect", dialect, cwd=tmp_path)
    assert await command.ends() == 2
    assert "expected a URL (http, https" in command.said
    assert command.said.rstrip().endswith(f'got "{url}", at --app')
    assert "sample" not in command.said, "it is looked at before anything is started"
    assert os.listdir(tmp_path) == []
    assert "Traceback" not in command.said


async def test_an_application_that_is_not_running_is_not_called(
    tmp_path: Path, free_port: Callable[..., int]
) -> None:
    place = f"http://127.0.0.1:{free_port()}"
    command = await Command.start("demo", "--app", f"{place}/voice", cwd=tmp_path)
    assert await command.ends() == 1
    assert f"✗ laml: nothing listens at {place}: is your application running?" in command.said
    assert "INVITE" not in command.said


async def test_whether_an_application_is_heard_of(app: WebApp, free_port: Callable[..., int]) -> None:
    assert await unheard(app.url) is None
    assert await unheard(app.url.replace("http", "ws")) is None
    place = f"ws://localhost:{free_port()}"
    assert await unheard(f"{place}/a?b") == f"nothing listens at {place}: is your application running?"
    said = await unheard("http://app.invalid/")
    assert said is None or said.startswith("app.invalid is an unknown host")


@pytest.mark.usefixtures("sample_port_taken")
async def test_what_is_to_be_pasted_comes_to_this_server(tmp_path: Path, app: WebApp) -> None:
    """Also where the usual data directory is another server's, and the application speaks another dialect."""
    app.reply("/mine", "<Response><Say>Mine</Say><Hangup/></Response>")
    with exclusive(tmp_path / "ringback-data"):
        demo = await Command.start(
            "demo", "--stay", "--app", f"{app.url}/mine", "--dialect", "callapi", cwd=tmp_path
        )
        await demo.says("Ctrl-C")
        assert f"{SAMPLE_APPLICATION} is taken: the sample application is at http://127.0.0.1:" in demo.said
        (call,) = re.findall(r"or from here: (.* call .*)", demo.said)
        assert DEMONSTRATION["callapi"][1] in call
        assert "200 OK" in await pasted(call, tmp_path)
        (trace,) = re.findall(r"and with (.* trace last)", demo.said)
        assert f"{app.url}/mine" in await pasted(trace, tmp_path)
        demo.process.terminate()
        assert await demo.ends() == 0
    assert len([asked for asked in app.asked if asked.path == "/mine"]) == 2


async def pasted(line: str, cwd: Path) -> str:
    """What a line says that is pasted into a shell beside the server."""
    shell = await asyncio.create_subprocess_shell(line, cwd=cwd, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(shell.communicate(), PATIENCE)
    return said.decode()


def test_the_command_is_one_that_the_shell_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my venv" / "ringback"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert own_command() == f"'{program}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command() == "ringback"
    monkeypatch.setattr(sys, "argv", ["/somewhere/ringback/__main__.py"])
    assert own_command() == f"{sys.executable} -m ringback"
