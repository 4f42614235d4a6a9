"""The benches' pieces: command lines, far ends, callers, tables, and one short run of each."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import pytest
from bench.application import Application, wav
from bench.callers import Caller
from bench.load import Echo, LiveEnds, Punctuality
from bench.parts import LOOP, ROOT, Parts, part_at
from bench.rates import Spent, Step
from bench.ticks import Ticks
from rich.console import Console
from rich.table import Table
from tests.bench.running import said_by
from tests.patience import PATIENCE
from typer.testing import CliRunner

import ringback
from bench import cps, ivr, load, machine, options, rates
from ringback.cli import bench as command
from ringback.cli.app import app
from ringback.media import uring

CORES = machine.default_cores()


def text_of(table: Table) -> str:
    """A table as it is printed."""
    out = StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def run(**changes: float) -> ivr.Run:
    """A run's figures, made up."""
    far = Punctuality(
        expected=1000,
        received=1000,
        punctual=995,
        silent_legs=0,
        worst_leg=changes.get("worst", 0.991),
        largest_deviation_ms=7.5,
        load_cpu_seconds=0.5,
    )
    return ivr.Run(
        legs=int(changes.get("legs", 10)),
        answered=int(changes.get("answered", 10)),
        seconds=2.0,
        cpu={"control": 0.1, "media": changes.get("media", 0.9)},
        idle_memory={"control": 80 * 2**20, "media": 30 * 2**20},
        idle_cpu=0.01,
        memory_per_leg=100 * 1024,
        heard=far,
        ticks=Ticks(int(changes.get("slow", 0)), 2, int(changes.get("overruns", 0)), 1.5),
        floor=changes.get("floor", 5.0) or None,
        others=changes.get("others", 0.0),
    )


def step(**changes: float) -> Step:
    """A rate's figures, made up."""
    return Step(
        rate=changes.get("rate", 100.0),
        calls=1000,
        failures={503: int(changes["failed"])} if changes.get("failed") else {},
        shed=int(changes.get("shed", 0)),
        untold=int(changes.get("untold", 0)),
        repeated=0,
        times={"INVITE→200": (5.0, changes.get("p99", 50.0)), "BYE→callback": (5.0, 20.0)},
        spent=Spent(cpu={"control": 4.0, "media": 2.0}, core=0.6, load=changes.get("load", 0.1), others=0.0),
    )


# -- what is printed


def test_a_run_is_a_line_and_several_have_medians() -> None:
    one, three = text_of(ivr.table([run()])), text_of(ivr.table([run(), run(), run(media=1.1)]))
    assert "99.500%" in one
    assert "99.10%" in one
    assert "1000.0" in one  # µs: one second in two, ten legs, fifty ticks
    assert "200.0" in one  # times the bare loop
    assert "median" not in one
    assert "median" in three


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([run(worst=0.9)], "NOT REACHED"),
        ([run(answered=9)], "NOT REACHED"),
        ([run(slow=1)], "NOT REACHED"),
        ([run(overruns=1)], "NOT REACHED"),
        ([run(floor=0)], "no C compiler"),
        ([run()], "control 80 MB  media 30 MB"),
    ],
)
def test_what_one_must_know_of_a_run(runs: list[ivr.Run], said: str) -> None:
    assert said in "\n".join(ivr.remarks(runs))


@pytest.mark.parametrize(
    ("changes", "good"),
    [({}, True), ({"failed": 1}, False), ({"untold": 1}, False), ({"p99": 201}, False), ({"p99": 200}, True)],
)
def test_a_rate_is_held_when_nothing_failed_and_nobody_waited(changes: dict[str, float], good: bool) -> None:
    assert step(**changes).good is good


def test_the_highest_rate_that_was_held() -> None:
    steps = [step(rate=50), step(rate=100), step(rate=150, p99=900)]
    assert "100 calls a second" in rates.remarks(steps)[0]
    assert "none of these" in rates.remarks([step(failed=3)])[0]
    assert any("503 (3)" in line for line in rates.remarks([step(failed=3)]))
    assert any("2 were refused for want of time" in line for line in rates.remarks([step(failed=3, shed=2)]))
    assert any("none of those were refused for want" in line for line in rates.remarks([step(failed=3)]))
    assert any("LOAD WAS BUSY" in line for line in rates.remarks([step(load=0.9)]))
    shown = text_of(rates.table("Calls a second", steps))
    assert "5.0/900.0" in shown
    assert "6.00" in shown


def test_the_parts_of_a_call() -> None:
    shown = text_of(Parts({"SIP": 1.0}, {"store-writer": 3.0}).table(1000))
    lines = [line for line in shown.splitlines() if "%" in line]
    assert "thread store-writer" in lines[0]
    assert "75%" in lines[0]
    assert "1.00" in lines[1]


def part_of(*modules: str) -> str:
    """What a sample belongs to that is taken in the last of these, each having called the next."""

    def asked() -> str:
        return part_at(sys._getframe())

    found = asked
    for module in reversed(modules):
        names: dict[str, Callable[[], str]] = {"inner": found}
        exec(compile("def outer(): return inner()", ROOT + module, "exec"), names)
        found = names["outer"]
    return found()


@pytest.mark.parametrize(
    ("modules", "part"),
    [
        ((), LOOP),
        (("sip/agent.py",), "SIP"),
        (("calls/call.py", "sip/agent.py"), "SIP"),
        (("dialects/laml/webhook.py",), "dialect: fields of requests"),
        (("dialects/laml/replies.py", "dialects/xml.py"), "dialect: markup"),
        (("webhooks/ask.py", "webhooks/send.py", "net/http.py"), "question to the application"),
        (("webhooks/deliver.py", "webhooks/send.py", "net/http.py"), "status callback"),
        (("server.py",), "other"),
        (("net/lag.py",), "other"),
    ],
)
def test_a_sample_belongs_to_the_innermost_frame_of_the_product(modules: tuple[str, ...], part: str) -> None:
    assert part_of(*modules) == part


# -- command lines


@pytest.mark.parametrize("text", ["0", "-5", "20,0", "fast", ""])
def test_rates_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 20,50, got "):
        options.rates(text)


def test_rates_and_defaults() -> None:
    assert options.rates("20,50.5") == [20.0, 50.5]
    assert ivr.arguments().parse_args(["--legs", "3,4"]).legs == [3, 4]
    assert cps.arguments().parse_args([]).dialect == "laml"


@pytest.mark.parametrize("given", [[], ["--legs", "3"], ["--help"], ["--rates=5,10", "--parts"], ["-x", "y"]])
def test_the_command_passes_on_what_it_was_given(monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    asked: list[tuple[str, list[str]]] = []

    def note(name: str, arguments: Sequence[str]) -> int:
        asked.append((name, list(arguments)))
        return 7

    monkeypatch.setattr(command, "bench", note)
    assert CliRunner().invoke(app, ["bench", "ivr", *given]).exit_code == 7
    assert asked == [("ivr", given)]


def test_without_a_name_it_says_what_can_be_measured() -> None:
    said = CliRunner().invoke(app, ["bench"]).output
    assert all(name in said for name in command.MODES)


def test_outside_a_checkout_it_says_where_the_benches_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ringback, "__file__", str(tmp_path / "a" / "b" / "ringback" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    assert command.bench("ivr", ()) == 2
    assert "directory bench/ of a source" in capsys.readouterr().err


# -- pieces


def test_a_call_has_a_number_of_its_own() -> None:
    assert Caller(7).identity == "+14152000007"


def test_percentiles() -> None:
    assert rates.percentiles([]) == (0.0, 0.0)
    assert rates.percentiles([number / 1000 for number in range(100)]) == (50.0, 99.0)


def test_the_machine_knows_its_own() -> None:
    usage = machine.Usage.of(os.getpid())
    assert usage.total_memory > 1_000_000
    assert sum(usage.since(usage).values()) == 0
    assert machine.cpu(2**22 + 1) == 0.0
    assert machine.memory(2**22 + 1) == 0


async def test_the_application_answers_and_takes_note() -> None:
    application = Application({"laml": ("application/xml", "<Response>{url}</Response>")}, 0.1)
    asked: list[str] = []
    told: list[tuple[str, str]] = []
    application.on_asked = asked.append
    application.on_told = lambda caller, status: told.append((caller, status))
    await application.start()
    host, _, port = application.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for path, body, expected in (
        ("/laml/voice", b"From=%2B1415&CallStatus=ringing", b"<Response>" + application.url.encode()),
        ("/laml/status", b"From=%2B1415&CallStatus=completed", b"204 No Content"),
        ("/jambonz/status", b'{"from":"1415","call_status":"completed"}', b"204 No Content"),
        ("/prompt.wav", b"", b"RIFF"),
    ):
        writer.write(f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert expected in await asyncio.wait_for(reader.read(65536), PATIENCE)
    writer.close()
    await writer.wait_closed()
    await application.stop()
    assert asked == ["+1415"]
    assert told == [("+1415", "completed"), ("1415", "completed")]


def test_a_prompt_is_a_wav_file() -> None:
    assert wav(1.0)[:4] == b"RIFF"
    assert len(wav(1.0)) == 44 + 16000


@pytest.mark.parametrize("compiled", [True, False])
async def test_far_ends_talk_and_measure(monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    """Two programs of far ends with each other: one echoes, which keeps to the other's schedule."""
    if compiled and not load.compiled():
        pytest.skip("no C compiler")
    monkeypatch.setattr(load, "compiled", lambda: compiled)
    echo, live = Echo(CORES[1]), LiveEnds(CORES[1])
    await echo.start()
    await live.start()
    live.add(echo.port)
    heard = await live.measure(0.5)
    await echo.stop()
    assert heard.expected >= 24
    assert heard.received >= 20
    assert heard.silent_legs == 0
    assert heard.punctual > 0


# -- the whole


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("ivr", ["--legs", "3", "--seconds", "1"], ["IVR calls", "idle memory (PSS): control"]),
        ("cps", ["--rates", "5", "--seconds", "1"], ["Calls a second", "highest rate held"]),
        pytest.param(
            "media",
            ["--legs", "3", "--seconds", "1"],
            ["IVR legs of the media plane", "by the media plane alone"],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
        pytest.param(
            "media",
            ["--legs", "3", "--seconds", "1", "--transport", "sockets", "--speech", "1"],
            ["in the worst run, by sockets"],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
        pytest.param(
            "media",
            ["--legs", "4", "--seconds", "1", "--workers", "2"],
            ["media workers on cores", "by 2 workers: 4"],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
        pytest.param(
            "sockets",
            ["--streams", "4", "--seconds", "0.5", "--runs", "1"],
            [
                "one for all: recvmmsg",
                "by how the kernel is asked: 4 streams: ",
                "(aim: for comparison)",
                "io_uring" if uring.works(socket.AF_INET) else "a socket each",
            ],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
        pytest.param(
            "recorded",
            ["--legs", "3", "--seconds", "1"],
            ["Recorded legs", " of 3 files whole"],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
        pytest.param(
            "pairs",
            ["--pairs", "2", "--legs", "1", "--seconds", "1"],
            ["2 pairs", "Bridged pairs on one core"],
            marks=pytest.mark.skipif(not load.compiled(), reason="no C compiler"),
        ),
    ],
)
def test_a_short_run(module: str, arguments: list[str], said: list[str]) -> None:
    printed = said_by(["-m", f"bench.{module}", *arguments])
    for words in said:
        assert words in printed


# -- one row of all


@pytest.mark.parametrize(
    ("runs", "reached"),
    [
        ([run()], None),  # ten legs say nothing of a thousand
        ([run(worst=0.5)], False),
        ([run(), run(), run(worst=0.5)], None),  # most runs were good
        ([run(legs=1000, answered=1000)], True),
        ([run(legs=1000, answered=1000, media=1.6)], False),
        ([run(legs=1000, answered=1000, slow=1)], False),
    ],
)
def test_what_is_held_stands_against_the_aim(runs: list[ivr.Run], reached: bool | None) -> None:
    assert ivr.figure(runs).reached is reached


def test_the_worst_leg_is_that_of_all_runs() -> None:
    figure = ivr.figure([run(), run(), run(worst=0.5)])
    assert "worst leg of all runs 50.00% on time" in figure.result
    assert figure.values["worst_leg"] == 0.5


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "most", ""])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"a share from 0 to 1, such as 0\.6, got "):
        options.share(text)


@pytest.mark.parametrize(
    ("steps", "said", "reached"),
    [
        ([step(rate=50), step(rate=100)], "100 held", None),
        ([step(rate=100), step(rate=300)], "300 held", True),
        ([step(rate=100), step(rate=300, p99=900)], "100 held", False),
        ([step(rate=100, failed=1)], "not even 100", False),
    ],
)
def test_the_rate_that_is_held_stands_against_the_aim(
    steps: list[Step], said: str, reached: bool | None
) -> None:
    figure = cps.figure(steps, 5.0)
    assert said in figure.result
    assert figure.reached is reached


def test_several_runs_of_a_rate_are_one() -> None:
    one = rates.middle([step(p99=10), step(p99=30, failed=2), step(p99=20)])
    assert one.waited == (5.0, 20.0)
    assert (one.calls, one.failed, one.failures) == (3000, 2, {503: 2})
    assert not one.good


@pytest.mark.parametrize(
    ("arguments", "flags", "said"),
    [
        ("'--enable-shared'", "-O3 -Wall", "configured without PGO, configured without LTO"),
        ("'--enable-optimizations' '--with-lto'", "-O3", "configured with PGO, configured with LTO"),
        ("None", "-O2 -fprofile-use -flto", "configured with PGO, configured with LTO"),
    ],
)
def test_how_python_was_built(arguments: str, flags: str, said: str) -> None:
    assert machine.optimisations(arguments, flags) == said
    assert machine.python_build().startswith(sys.implementation.name.replace("cpython", "CPython"))
