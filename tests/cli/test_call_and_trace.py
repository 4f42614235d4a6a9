"""`ringback call` places a call and tells what happened; `ringback trace` shows the server's side of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
import soundfile

from ringback.cli.call import Wanted, call
from ringback.cli.trace import trace
from ringback.dialects.callapi.sids import call_sid
from ringback.store.ids import instance_of
from ringback.store.records import Append, CallFilter
from ringback.testing.kit import DEVICE_PASSWORD, NUMBER, Asked, RunningServer, WebApp

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
    for text in (f"calling {NUMBER} as alice", "200 OK", "pressing 4w2", "ended (remote)", "[out].wav"):
        assert text in said, text
    assert (await app.request("/digits")).fields["Digits"] == "42"
    pressing, ended = (
        float(re.findall(rf"([\d.]+)  {what}", said)[0]) for what in ("pressing 4w2", r"ended \(remote\)")
    )
    assert ended - pressing > 0.5, "the line is of the first key: the second comes half a second later"
    samples, rate = soundfile.read(tmp_path / "[out].wav")
    assert rate == 8000
    assert len(samples) > 8000


async def test_a_call_that_is_refused(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await call(wanted(number="+19995550000"), config) == 1
    said = capsys.readouterr().out
    assert "not answered: 404 Not Found" in said
    assert "the server's log says" in said
    assert "trace last" not in said, "there is none of a call that was nobody's"


async def test_a_call_that_its_application_refuses_has_a_trace(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app.reply("/voice", '<Response><Reject reason="busy"/></Response>')
    assert await call(wanted(), config) == 1
    said = capsys.readouterr().out
    assert "not answered: 486" in said
    assert "trace last" in said
    await server.settled()


async def test_a_wrong_password_is_called_so_at_both_ends(
    server: RunningServer,
    config: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server says it once, however often it is tried."""
    for _ in range(2):
        assert await call(wanted(user="alice", password="wrong"), config) == 1
        said = capsys.readouterr().out
        assert "not answered: 407" in said
        assert "the server does not accept alice's password (from --password)" in said
        assert "trace last" not in said
    (line,) = [record for record in caplog.records if "alice" in record.getMessage()]
    assert line.levelname == "WARNING"
    assert re.search(r"INVITE of device alice from udp:127\.0\.0\.1:\d+ .*wrong password", line.getMessage())


async def test_where_a_wrong_password_was_read_is_said(
    server: RunningServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace(config, f'password = "{DEVICE_PASSWORD}"', 'password = "other"')
    assert await call(wanted(), config) == 1
    assert f"does not accept alice's password (from {config})" in capsys.readouterr().out
    assert await call(wanted(user="alice"), config) == 1
    assert "the server wants alice's password: give it with" in capsys.readouterr().out


async def test_without_a_server_it_says_what_to_do(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await call(wanted(), config) == 2
    assert "ringback serve" in capsys.readouterr().err


async def test_a_server_that_is_named(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await a_call(server, app, config, server=server.sip_address, user="+14155559999", digits="12")
    assert code == 0
    assert "calling +14155550100 as +14155559999" in capsys.readouterr().out


async def test_where_nobody_is_it_gives_up_soon(
    config: Path,
    free_port: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ringback.cli.call._PATIENCE", 0.1)
    place = f"127.0.0.1:{free_port('udp')}"
    assert await call(wanted(server=place, seconds=60.0), config) == 2
    assert f"nothing answers at udp:{place}" in capsys.readouterr().err


async def test_who_thinks_for_long_is_waited_for(
    server: RunningServer, app: WebApp, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has said 100, but the application takes longer than a server that is not there."""
    monkeypatch.setattr("ringback.cli.call._PATIENCE", 1.0)

    async def slow(_: Asked) -> str:
        await asyncio.sleep(1.5)
        return "<Response><Say>Here</Say></Response>"

    app.reply("/voice", slow)
    assert await call(wanted(server=server.sip_address, user="+14155559999"), config) == 0
    await server.settled()


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


async def test_a_conversation_is_on_one_time_line(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The latest call is the one that was not dialled by another; a leg for itself is there by its SID."""
    app.reply("/voice", "<Response><Dial><Client>alice</Client></Dial></Response>")
    async with server.phone() as alice, server.phone("+14155559999", "") as bob:
        await alice.register()
        call = await bob.call(NUMBER)
        called = await alice.incoming()
        called.answer()
        await call.answered()
        called.hang_up()
        call.hang_up()
        await server.settled()
    rows = await server.store.calls(CallFilter())
    leg = next(row for row in rows if row.parent_id)
    parent = next(row for row in rows if not row.parent_id)
    for row in rows:
        await server.store.traces(row.id)
    assert await trace("last", False, config) == 0
    said = capsys.readouterr().out
    headings = said.splitlines()[:2]
    assert [row.id in heading for row, heading in zip((parent, leg), headings, strict=True)] == [True, True]
    lines = [line.split(None, 2) for line in said.splitlines()[2:]]
    times = [float(at) for at, _, _ in lines]
    assert times == sorted(times)
    assert times[0] == 0.0
    for who, words in (("+14155559999", "call from"), ("alice", "-> udp"), ("alice", "answered")):
        assert any(rest.startswith(who) and words in rest for _, _, rest in lines), (who, words)
    assert await trace(leg.id, False, config) == 0
    assert parent.id not in capsys.readouterr().out


async def test_the_beginning_of_a_sid_is_enough(
    server: RunningServer, app: WebApp, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await a_call(server, app, config, digits="12")
    [row] = await server.store.calls(CallFilter())
    digits = UUID(row.id).hex
    for beginning in (digits[:4], digits[:13], f"CA{digits[:10].upper()}", row.id[:14]):
        assert await trace(beginning, False, config) == 0, beginning
    capsys.readouterr()
    twins = (row, msgspec.structs.replace(row, id=f"{row.id[:-1]}{'0' if row.id[-1] != '0' else '1'}"))
    twin = Append(call_id=twins[1].id, sequence=9999, kind="x", at=0.0, payload=b"{}", row=twins[1])
    await server.store.append(twin)
    assert await trace(digits[:8], False, config) == 1
    said = capsys.readouterr().err
    assert f"several calls begin with {digits[:8]}: " in said
    assert all(twin.id in said for twin in twins)


async def test_the_beginning_of_a_sid_as_callapi_spells_it(
    server: RunningServer, app: WebApp, config: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first part is that of the server, and stands for all calls there."""
    await a_call(server, app, config, digits="12")
    [row] = await server.store.calls(CallFilter())
    spelling = call_sid(instance_of(data), UUID(row.id))
    for length in (3, 8, 34, 35, 37, 38, 41, len(spelling)):
        assert await trace(spelling[:length], False, config) == 0, spelling[:length]
    other = msgspec.structs.replace(row, id=str(uuid4()))
    await server.store.append(
        Append(call_id=other.id, sequence=9999, kind="x", at=0.0, payload=b"{}", row=other)
    )
    capsys.readouterr()
    for length in (8, 34, 37):
        assert await trace(spelling[:length], False, config) == 1, spelling[:length]
        said = capsys.readouterr().err
        assert f"several calls begin with {spelling[:length]}: " in said
        assert row.id in said
        assert other.id in said
    assert await trace(f"ID{'0' * 32}", False, config) == 1, "another server's"
    assert "there is no call ID000" in capsys.readouterr().err


async def test_before_the_first_call(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await trace("last", False, config) == 1
    assert "there are no calls yet in /" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["abcd", "nothing", "[/red]", "11111111-1111-4111-8111-111111111111"])
async def test_a_trace_of_what_is_not_there(
    config: Path, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await trace(which, False, config) == 1
    assert f"there is no call {which}" in capsys.readouterr().err


def _replace(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
