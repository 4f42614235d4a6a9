"""`ringback call` places a call and tells what happened; `ringback trace` shows the server's side of it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
import soundfile

from ringback.cli.call import Wanted, call
from ringback.cli.trace import trace
from ringback.store.records import CallFilter
from ringback.testing.kit import NUMBER, RunningServer, WebApp

CONVERSATION = (
    '<Response><Gather numDigits="2" action="/digits"><Say>Two keys please [b]</Say></Gather></Response>'
)


def wanted(**changes: object) -> Wanted:
    values: dict[str, object] = {
        "number": NUMBER,
        "digits": "",
        "record": None,
        "seconds": 10.0,
        "server": "",
        "user": "",
        "password": "",
    }
    return Wanted(**{**values, **changes})  # type: ignore[arg-type]


async def a_call(running: RunningServer, app: WebApp, config: Path, **changes: object) -> int:
    app.reply("/voice", CONVERSATION)
    app.reply("/digits", "<Response><Hangup/></Response>")
    code = await call(wanted(**changes), config)
    await running.settled()
    return code


async def test_a_call_is_watched_and_recorded(
    server: RunningServer, app: WebApp, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It finds the server that runs on the configured data, and calls as the first configured device."""
    assert await a_call(server, app, config, digits="4w2", record=tmp_path / "[out].wav") == 0
    said = capsys.readouterr().out
    for text in (f"calling {NUMBER} as alice", "200 OK", "pressed 4w2", "ended (remote)", "[out].wav"):
        assert text in said, text
    assert (await app.request("/digits")).fields["Digits"] == "42"
    samples, rate = soundfile.read(tmp_path / "[out].wav")
    assert rate == 8000
    assert len(samples) > 8000


async def test_a_call_that_is_refused(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await call(wanted(number="+19995550000"), config) == 1
    assert "not answered: 404 Not Found" in capsys.readouterr().out


async def test_without_a_server_it_says_what_to_do(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await call(wanted(), config) == 2
    assert "ringback serve" in capsys.readouterr().err


async def test_a_server_that_is_named(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await a_call(server, app, config, server=server.sip_address, user="+14155559999", digits="12")
    assert code == 0
    assert "calling +14155550100 as +14155559999" in capsys.readouterr().out


async def test_a_trace_in_every_spelling(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await a_call(server, app, config, digits="12")
    [row] = await server.store.calls(CallFilter())
    await server.store.traces(row.id)  # who reads through the server has the newest lines written
    capsys.readouterr()
    uuid = UUID(row.id)
    spellings = (
        "last",
        row.id,
        uuid.hex,
        f"CA{uuid.hex}",
        f"ID{'0' * 32}-CA{uuid.hex}",
        row.sip_call_id or "",
    )
    shown = []
    for spelling in spellings:
        assert await trace(spelling, False, config) == 0, spelling
        shown.append(capsys.readouterr().out)
    assert len(set(shown)) == 1
    for text in (
        "INVITE sip:",
        "call from alice to",
        f"POST {app.url}/voice  200",
        "Say “Two keys please [b]”",
        "key 1 (rfc4733)",
        f"POST {app.url}/status  completed  204",
        "ended: completed, hung up (200 OK)",
    ):
        assert text in shown[0], text
    assert await trace("last", True, config) == 0
    full = capsys.readouterr().out
    assert "│ CallStatus = completed" in full
    assert "│ Via: SIP/2.0/UDP" in full


@pytest.mark.parametrize("which", ["last", "nothing", "[/red]", "11111111-1111-4111-8111-111111111111"])
async def test_a_trace_of_what_is_not_there(
    config: Path, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await trace(which, False, config) == 1
    assert f"there is no call {which}" in capsys.readouterr().err
