"""`ringback demo`: one call in each dialect, end to end, also while another one runs beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import soundfile
from tests.cli.conftest import Command

from ringback.testing.kit import WebApp


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
