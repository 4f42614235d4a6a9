"""`ringback call` and `ringback trace` say what is wrong with their options before they begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringback.cli.app import app
from ringback.cli.call import Wanted, call


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digits": "1x2"}, "--digits takes 0-9, *, #, A-D, and w or W for a pause, not x"),
        ({"record": Path("/nowhere/at/all/out.wav")}, "no directory /nowhere/at/all for --record"),
        ({"server": "127.0.0.1:port"}, "--server takes HOST:PORT"),
        ({"server": "9999"}, "--server takes HOST:PORT, not 9999"),
        ({"server": "foo.invalid"}, "not foo.invalid: foo.invalid is an unknown host"),
        ({"password": "secret"}, "--password goes with --user"),
    ],
)
async def test_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    said: str,
) -> None:
    monkeypatch.setenv("RINGBACK_SERVER__DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    options: dict[str, object] = {
        "number": "+14155550100",
        "digits": "",
        "record": None,
        "seconds": 1.0,
        "server": "",
        "user": "",
        "password": "",
    }
    wanted = Wanted(**{**options, **changes})  # type: ignore[arg-type]
    assert await call(wanted, None) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_trace_of_nothing() -> None:
    ended = CliRunner().invoke(app, ["trace", ""])
    assert ended.exit_code == 2
    assert "Invalid value for CALL" in ended.output
