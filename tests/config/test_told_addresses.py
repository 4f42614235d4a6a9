"""What peers are told to reach us at: `server.advertise` and `server.sip`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.config import ConfigError, load

EXPECTED = "expected ADDRESS or ADDRESS:PORT that others reach"


def write(folder: Path, line: str) -> Path:
    file = folder / "t.toml"
    file.write_text(f"[server]\n{line}\n")
    return file


@pytest.mark.parametrize(
    ("advertise", "told"),
    [
        ("", ("", 0)),
        ("203.0.113.7", ("203.0.113.7", 0)),
        ("203.0.113.7:5062", ("203.0.113.7", 5062)),
        ("2001:db8::7", ("2001:db8::7", 0)),
        ("[2001:db8::7]:5062", ("2001:db8::7", 5062)),
    ],
)
def test_an_address_with_or_without_a_port(tmp_path: Path, advertise: str, told: tuple[str, int]) -> None:
    settings = load(write(tmp_path, f'advertise = "{advertise}"'), {})
    assert settings.server.advertised == told


@pytest.mark.parametrize(
    "advertise", ["voice.example.org", "foo:bar", "203.0.113.7:70000", "0.0.0.0", ":5060"]
)
def test_something_else_is_a_mistake(tmp_path: Path, advertise: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f'advertise = "{advertise}"'), {})
    [problem] = caught.value.problems
    assert problem.startswith(f'{EXPECTED}, got "{advertise}", at ')
    assert problem.endswith(":server.advertise")


def test_there_must_be_somewhere_to_speak_sip(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "sip = []"), {})
    [problem] = caught.value.problems
    assert problem.startswith("expected at least one udp:HOST:PORT or tcp:HOST:PORT, got ")
