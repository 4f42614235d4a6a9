"""`ringback reload`, SIGHUP and `ringback devices`, on a server with a call that stays up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.patience import PATIENCE, rest_client

from ringback.cli.call import Wanted, call
from ringback.cli.devices import devices
from ringback.cli.reload import reload
from ringback.cli.trace import trace
from ringback.config import Settings, load
from ringback.reloading import Changes
from ringback.routing.directory import Number, Trunk
from ringback.running import running_server
from ringback.testing.kit import NUMBER, RunningServer, WebApp
from ringback.testing.softphone import CallFailed

HOLD = '<Response><Gather timeout="60"/></Response>'


@pytest.fixture
async def server(config: Path) -> AsyncIterator[RunningServer]:
    """A server that can read its settings again."""
    async with RunningServer(load(config), lambda: load(config)) as server:
        yield server


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


async def test_a_changed_file_is_taken_over_while_a_call_is_up(
    server: RunningServer, config: Path, app: WebApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app.reply("/voice", HOLD)
    app.reply("/other", HOLD)
    async with server.phone() as phone:
        mine = await phone.call(NUMBER)
        await mine.answered()
        change(config, "/voice", "/other")
        change(config, "[[trunk]]", '[[number]]\nnumber = "+4930"\napplication = "app"\n\n[[trunk]]')
        assert await reload(config) == 0
        said = capsys.readouterr().out
        assert "changed: application app" in said
        assert "added: number +4930" in said
        second = await phone.call("+4930")
        await second.answered()
        await app.request("/other")
        await mine.press("1")  # the first call is as it was
        assert mine.status == 200
        for call in (mine, second):
            call.hang_up()
        await server.settled()
    assert await reload(config) == 0
    assert "nothing has changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[trunk]]", "[[trunks]]", "unknown key"),
        ('application = "app"', 'application = "nothing"', "expected the name of an application"),
        ("[server]", "[server", "is not TOML"),
    ],
)
async def test_a_bad_file_changes_nothing_and_says_why(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    before = server.directory.everything()
    change(config, old, new)
    assert await reload(config) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "nothing was changed" in told
    # Whoever asks the server itself hears the same.
    running = running_server(server.settings.server.data_path)
    assert running is not None
    headers = {"Authorization": f"Bearer {running.key}"}
    async with (
        rest_client() as session,
        session.post(f"{server.http_url}/console/reload", headers=headers) as reply,
    ):
        assert reply.status == 422
        assert any(said in problem for problem in (await reply.json())["problems"])
    assert server.directory.everything() == before


async def test_two_at_once_come_one_after_the_other(config: Path) -> None:
    """What the first one added and the second one's file lacks is gone again."""
    original = await asyncio.to_thread(config.read_text)
    files = ["+14155550171", "+14155550172"]

    def reread() -> Settings:
        config.write_text(original.replace(NUMBER, files.pop(0)))
        return load(config)

    async with RunningServer(load(config), reread) as server:
        await asyncio.gather(server.reload(), server.reload())
        assert [number.number for number in server.directory.all(Number)] == ["+14155550172"]


async def test_only_those_who_may_read_the_data_steer_the_server(server: RunningServer) -> None:
    file = server.settings.server.data_path / "server.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with rest_client() as session:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
            async with session.post(f"{server.http_url}/console/reload", headers=headers) as reply:
                assert reply.status == 401
            async with session.get(f"{server.http_url}/console/devices", headers=headers) as reply:
                assert reply.status == 401


async def test_what_needs_a_restart_is_said(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(config, "shutdown_seconds = 0", "shutdown_seconds = 1")
    assert await reload(config) == 0
    assert "after a restart: calls.shutdown_seconds" in capsys.readouterr().out
    assert server.settings.calls.shutdown_seconds == 0


async def test_a_device_that_is_taken_out_is_signed_off(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with server.phone() as phone:
        await phone.register()
        assert await devices(config) == 0
        said = capsys.readouterr().out
        assert "alice" in said
        assert "softphone" in said
        assert phone.listening.partition(":")[2] in said
        assert await devices(config, as_json=True) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["username"] == "alice"
        assert phone.listening.partition(":")[2] in row["contact"]
        change(config, 'username = "alice"', 'username = "alicia"')
        assert await reload(config) == 0
        capsys.readouterr()
        assert await devices(config) == 0
        assert "no device is registered" in capsys.readouterr().out
        with pytest.raises(CallFailed):
            await phone.register()


def test_what_changed_in_words() -> None:
    changes = Changes(added=("number +4930", "client bob"), after_restart=("log.level",))
    assert changes.lines() == ["added: number +4930, client bob", "after a restart: log.level"]
    assert Changes().lines() == []


async def test_long_contacts_are_whole_where_there_is_no_terminal(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = f"sip:alice@192.0.2.1:5060;transport=tcp;{'x' * 200}"
    row = {
        "username": "alice", "contact": contact, "source": "tcp:192.0.2.1:40000", "nat": True,
        "user_agent": "[b]phone", "expires_at": 0.0,
    }  # fmt: skip

    async def said(*_: object) -> list[dict[str, object]]:
        return [row]

    monkeypatch.setattr("ringback.cli.devices.steer", said)
    assert await devices(config) == 0
    shown = capsys.readouterr().out
    assert contact in shown
    assert "[b]phone" in shown


async def test_registrations_at_carriers_follow(server: RunningServer, config: Path) -> None:
    async with server.phone("carrier", "") as carrier:
        host = carrier.listening.partition(":")[2]
        change(
            config,
            'inbound_from = ["127.0.0.0/8"]',
            f'host = "{host}"\nusername = "us"\npassword = "p"\nregister = true\noptions_seconds = 1',
        )
        assert await reload(config) == 0
        (trunk,) = server.directory.all(Trunk)
        registration = server.telephony.carriers.registration(trunk, trunk.gateways[0])
        assert registration is not None
        response = await registration.first
        assert response.status == 405  # a telephone is no registrar
        async with asyncio.timeout(PATIENCE):
            while server.telephony.gateways.state(trunk, trunk.gateways[0]) is None:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.01)
        assert server.telephony.gateways.up(trunk, trunk.gateways[0])
        change(config, "register = true\noptions_seconds = 1", "")
        assert await reload(config) == 0
        (trunk,) = server.directory.all(Trunk)
        assert server.telephony.carriers.registration(trunk, trunk.gateways[0]) is None


async def test_without_a_server_there_is_nobody_to_ask(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await reload(config) == 2
    assert await devices(config) == 2
    assert "start one with ringback serve" in capsys.readouterr().err


async def test_whoever_only_asks_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither settings nor a server: neither a data directory nor a password that nobody needs."""
    monkeypatch.chdir(tmp_path)
    wanted = Wanted(number="1", digits="", record=None, seconds=1.0, server="", user="", password="")
    assert [await reload(None), await devices(None), await call(wanted, None)] == [2, 2, 2]
    assert capsys.readouterr().err.count(f"no server runs on {tmp_path}/ringback-data") == 3
    assert [await trace("last", False, None), await trace("abcd", False, None)] == [1, 1]
    said = capsys.readouterr().err
    assert f"there are no calls yet in {tmp_path}/ringback-data" in said
    assert f"there is no call abcd in {tmp_path}/ringback-data" in said
    assert os.listdir(tmp_path) == []


async def test_a_made_up_password_is_not_tried(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    at = server.sip_address
    wanted = Wanted(number="1", digits="", record=None, seconds=5.0, server=at, user="", password="")
    assert await call(wanted, None) == 1
    assert "the server wants alice's password: give it with --user and --password" in capsys.readouterr().out


async def test_a_server_without_a_file_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with RunningServer(load(config)):
        assert await reload(config) == 1
    said = capsys.readouterr().err
    assert "no configuration to read again: it needs `ringback serve` with a file" in said


async def test_sighup_does_the_same(config: Path, data: Path) -> None:
    command = await Command.start("serve", "--config", str(config), cwd=data.parent)
    await command.says("Ctrl-C stops")
    change(config, "[server]", "[server")
    command.process.send_signal(signal.SIGHUP)
    await command.says("the configuration stays as it was")
    change(config, "[server", "[server]")
    change(config, 'name = "local"', 'name = "carrier"')
    command.process.send_signal(signal.SIGHUP)
    await command.says("the configuration was read again")
    assert "trunk carrier" in command.said
    command.process.terminate()
    assert await command.ends() == 0, command.said
