"""`ringback doctor`: silent praise for a sound set-up, and what to do about one that is not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ringback.cli.doctor import doctor, findings
from ringback.cli.finding import Finding
from ringback.config import load
from ringback.testing.kit import NUMBER, RunningServer


async def look(config: Path) -> list[Finding]:
    return [finding async for finding in findings(config)]


async def first_words() -> str:
    """What it says of the settings that it finds by itself."""
    async for finding in findings(None):
        if finding.what.startswith("Python"):
            continue
        return finding.what
    raise AssertionError("it says more")


def words(found: list[Finding], level: str) -> str:
    return "\n".join(f"{finding.what} {finding.advice}" for finding in found if finding.level == level)


async def test_a_sound_set_up(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await doctor(config) == 0
    said = capsys.readouterr().out
    for text in ("the configured ports are free", "the built-in voice spoke", "database:"):
        assert text in said, text
    assert "only this machine reaches it" in said, "a warning is no failure"


async def test_without_a_file_it_names_what_there_is_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("RINGBACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    assert "no ringback.toml: built-in defaults\n" in f"{await first_words()}\n"
    monkeypatch.setenv("RINGBACK_SERVER__DATA", str(tmp_path / "data"))
    assert "built-in defaults, and RINGBACK_SERVER__DATA" in await first_words()


async def test_beside_a_running_server(server: RunningServer, config: Path) -> None:
    found = await look(config)
    assert words(found, "error") == ""
    assert f"{server.http_url}/health is well" in words(found, "ok")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        pytest.param(('token = "test-token"', "tokn = 1"), "tokn", id="settings"),
        pytest.param(('rtp = "127.0.0.1:', 'rtp = "192.0.2.77:'), "192.0.2.77 cannot be bound", id="address"),
        pytest.param(
            ("udp:127.0.0.1:", "udp:192.0.2.10:"), "server.sip: udp:192.0.2.10:", id="address of SIP"
        ),
        pytest.param(
            ('http = "127.0.0.1:', 'https = "192.0.2.11:8443"\nhttp = "127.0.0.1:'),
            "server.https: tcp:192.0.2.11:8443 cannot be bound",
            id="address of HTTPS",
        ),
        pytest.param(('http = "127.0.0.1:', 'http = "'), "expected HOST:PORT, got", id="a port alone"),
        pytest.param(
            ("[server]", '[server]\ndatabase = "postgresql://nobody@127.0.0.1:9/none"'),
            "the database cannot be used",
            id="database",
        ),
    ],
)
async def test_what_is_wrong(config: Path, change: tuple[str, str], finding: str) -> None:
    _replace(config, *change)
    found = await look(config)
    assert finding in words(found, "error")
    assert "ports are free" not in words(found, "ok") or finding.startswith("the database")
    assert await doctor(config) == 1


async def test_a_port_that_is_taken(config: Path) -> None:
    port = int(load(config).server.sip[0].rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", port))
        errors = words(await look(config), "error")
    assert f"udp:127.0.0.1:{port} is taken by" in errors
    assert "set another port" in errors


async def test_what_is_missing_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text(f'[server]\ndata = "{tmp_path}/data"\n[[account]]\nname = "a"\ntoken = "t"\n')
    warnings = words(await look(file), "warning")
    assert "no number is configured" in warnings
    assert "no trunk is configured" in warnings


async def test_what_leads_nowhere_is_a_warning(config: Path) -> None:
    _replace(config, 'application = "app"\n\n[[trunk]]', "\n[[trunk]]")
    _replace(config, 'inbound_from = ["127.0.0.0/8"]', "")
    warnings = words(await look(config), "warning")
    assert f"nobody answers at number {NUMBER} set its application" in warnings
    assert "trunk local neither takes calls nor sends any" in warnings


@pytest.mark.parametrize("with_a_file", [True, False])
async def test_it_makes_nothing(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_a_file: bool
) -> None:
    """Neither the data directory, which is for the user of the server, nor a password that nobody needs."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("RINGBACK_SERVER__DATA", str(elsewhere / "deep" / "data"))
    found = [finding async for finding in findings(config if with_a_file else None)]
    assert "database: none yet" in words(found, "ok")
    assert list(elsewhere.iterdir()) == []


async def test_a_directory_that_nothing_can_be_written_in(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _replace(config, f'data = "{load(config).server.data}"', f'data = "{tmp_path}/file/data"')
    assert "nothing can be written in" in words(await look(config), "error")


async def test_a_database_that_is_there_is_opened(server: RunningServer, config: Path) -> None:
    assert f"database: {server.settings.server.data_path}" in words(await look(config), "ok")


def _replace(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
