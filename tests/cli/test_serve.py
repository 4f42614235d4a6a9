"""`ringback serve`: starts, says where it is, stops when told; or says in a line why it does not start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.cli.conftest import Command
from tests.patience import PATIENCE

from ringback.cli.ports import holder_of, next_free, taken_ports
from ringback.cli.serve import _serve
from ringback.config import load
from ringback.running import running_server
from ringback.server import Server
from ringback.testing.kit import NUMBER


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_told_to_stop(config: Path, data: Path, number: signal.Signals) -> None:
    command = await Command.start("serve", "--config", str(config), cwd=data.parent)
    await command.says("Ctrl-C stops")
    assert NUMBER in command.said
    assert running_server(data) is not None
    command.process.send_signal(number)
    assert await command.ends() == 0, command.said
    assert "Traceback" not in command.said
    assert running_server(data) is None


async def test_a_log_for_machines_has_nothing_else_in_it(config: Path, data: Path) -> None:
    command = await Command.start(
        "serve", "--config", str(config), cwd=data.parent, RINGBACK_LOG__FORMAT="json"
    )
    await command.says("Ctrl-C stops")
    command.process.send_signal(signal.SIGHUP)
    await command.says("the configuration was read again: nothing has changed")
    command.process.terminate()
    assert await command.ends() == 0, command.said
    entries = [json.loads(line) for line in command.said.splitlines()]
    assert all({"at", "level", "logger", "message"} <= set(entry) for entry in entries)
    assert any(entry["message"].startswith("Ringback is up") for entry in entries)


async def test_why_it_does_not_start_is_in_the_log_for_machines(config: Path, data: Path) -> None:
    environment = {"RINGBACK_SERVER__HTTP": "192.0.2.77:8080", "RINGBACK_LOG__FORMAT": "json"}
    command = await Command.start("serve", "--config", str(config), cwd=data.parent, **environment)
    assert await command.ends() == 1
    entry = json.loads(command.said.splitlines()[-1])
    assert entry["level"] == "error"
    assert entry["message"].startswith("cannot start")


async def test_a_slow_start_is_said(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    class Slow(Server):
        async def start(self) -> None:
            await said
            raise OSError("no more")

    monkeypatch.setattr("ringback.cli.serve._SOON", 0.0)
    monkeypatch.setattr("ringback.cli.serve.Server", Slow)
    monkeypatch.setattr("ringback.cli.serve._teller", lambda _: said.set_result)
    settings = load(config)
    async with asyncio.timeout(PATIENCE):
        assert await _serve(settings, Console(stderr=True), lambda: settings) == 1
    assert await said == "starting …"
    assert "cannot start: no more" in capsys.readouterr().err


async def test_the_version(tmp_path: Path) -> None:
    command = await Command.start("--version", cwd=tmp_path)
    assert await command.ends() == 0
    assert re.fullmatch(r"ringback \d+\.\d+\.\d+\S*\n", command.said)


async def test_without_settings_it_serves_the_sample(tmp_path: Path, free_port: Callable[..., int]) -> None:
    environment = {
        "RINGBACK_SERVER__HTTP": f"127.0.0.1:{free_port()}",
        "RINGBACK_SERVER__SIP": f"udp:127.0.0.1:{free_port('udp')}",
    }
    command = await Command.start("serve", cwd=tmp_path, **environment)
    await command.says("Ctrl-C stops")
    command.process.terminate()
    assert await command.ends() == 0, command.said
    assert "account demo" in command.said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[server]\nhtpp = "127.0.0.1:1"\n', "htpp"),
        ("[[number]]\nnumber = 7\n", "number"),
        ("[server\n", "ringback.toml"),
    ],
)
async def test_wrong_settings_end_it_with_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text(text)
    command = await Command.start("serve", cwd=tmp_path)
    assert await command.ends() == 2
    assert problem in command.said
    assert "Traceback" not in command.said


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        pytest.param("tcp", "HTTP", "127.0.0.1:{port}", id="http"),
        pytest.param("tcp", "HTTPS", "127.0.0.1:{port}", id="https"),
        pytest.param("udp", "SIP", "udp:127.0.0.1:{port}", id="sip"),
        pytest.param("udp", "RTP", "127.0.0.1:{port}-{next}", id="rtp"),
    ],
)
async def test_a_taken_port_is_named_with_its_holder(
    config: Path, data: Path, kind: str, key: str, value: str
) -> None:
    with _held(kind) as port:
        environment = {f"RINGBACK_SERVER__{key}": value.format(port=port, next=port + 1)}
        assert taken_ports(load(config, environment)) == [f"{kind}:127.0.0.1:{port}"]
        assert "pid" in (holder_of(f"{kind}:127.0.0.1:{port}") or "")
        command = await Command.start("serve", "--config", str(config), cwd=data.parent, **environment)
        assert await command.ends() == 1
    assert f"{kind}:127.0.0.1:{port} is taken by" in command.said
    assert "(pid " in command.said
    assert "Traceback" not in command.said


def test_rtp_ports_are_taken_only_when_each_pair_is(config: Path) -> None:
    with _held("udp") as port:
        wide = load(config, {"RINGBACK_SERVER__RTP": f"127.0.0.1:{port}-{port + 63}"})
        assert taken_ports(wide) == []


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HTTP", "192.0.2.77:8080", "server.http: tcp:192.0.2.77:8080"),
        ("SIP", "udp:192.0.2.77:5060", "server.sip: udp:192.0.2.77:5060"),
        ("RTP", "192.0.2.77:20000-20999", "server.rtp: 192.0.2.77"),
    ],
)
async def test_an_address_of_another_machine_is_named_and_not_called_taken(
    config: Path, data: Path, variable: str, value: str, named: str
) -> None:
    environment = {f"RINGBACK_SERVER__{variable}": value}
    assert taken_ports(load(config, environment)) == []
    command = await Command.start("serve", "--config", str(config), cwd=data.parent, **environment)
    assert await command.ends() == 1
    assert f"cannot start: {named} cannot be bound: " in command.said
    assert "taken" not in command.said


def test_the_next_free_port(free_port: Callable[..., int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        free = next_free(f"tcp:127.0.0.1:{port}")
        assert free.startswith("tcp:127.0.0.1:")
        assert int(free.rpartition(":")[2]) != port, "a port is for TCP and UDP alike"
    assert holder_of(f"udp:127.0.0.1:{port}") is None


@contextlib.contextmanager
def _held(kind: str) -> Iterator[int]:
    """An even port that this process holds."""
    stream = kind == "tcp"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as holder:
        port = _bound_to_an_even_port(holder)
        if stream:
            holder.listen()
        yield port


def _bound_to_an_even_port(holder: socket.socket) -> int:
    """The system itself prefers odd ones."""
    for port in range(20_000 + 2 * secrets.randbelow(5_000), 32_000, 2):
        with contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no even port is free")
