"""Ctrl-C in a bench: a word and an exit code, and what was finished is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bench.results import Figure
from tests.bench.running import CHECKOUT
from tests.bench.test_all import ended

from bench import __main__ as program
from bench import all as every
from ringback.cli.attended import STOPPED, attended

WAITING = """
import signal, sys, time
def end(*_):
    print("told")
    sys.exit(5)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.room.main", interrupted)
    monkeypatch.setattr("bench.__main__.logging.disable", lambda: None)
    monkeypatch.setattr("sys.argv", ["bench", "room"])
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == STOPPED
    assert capsys.readouterr().err == "stopped\n"


def test_a_bench_that_has_calls_up_ends_in_one_line(tmp_path: Path) -> None:
    command = "from ringback.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "bench", "start", "--rest", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        while not list(tmp_path.glob("ringback-bench-*/ringback.toml")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "run 1 of 5 …\n", "stopped\n")
    assert not list(tmp_path.glob("ringback-bench-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_stops_us_stops_the_program(tmp_path: Path, number: signal.Signals) -> None:
    reading, writing = os.pipe()
    before = signal.getsignal(signal.SIGINT)

    def stop() -> None:
        with os.fdopen(reading) as said:
            assert said.readline() == "ready\n"
            os.kill(os.getpid(), number)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with os.fdopen(writing, "w") as output:
        code = attended([sys.executable, "-c", WAITING], output=output)
    stopping.join()
    assert code == STOPPED
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_has_its_own_exit_code() -> None:
    assert attended([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_what_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w") as output, pytest.raises(subprocess.TimeoutExpired):
        attended([sys.executable, "-c", "import time; time.sleep(60)"], output=output, timeout=0.2)


def test_the_table_has_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(job: every.Job, **_: object) -> every.Ended:
        if job.mode == "cps":
            raise KeyboardInterrupt
        return ended("ivr", Figure("ivr", "400 held", True))

    monkeypatch.setattr(every, "run", run)
    monkeypatch.setattr("sys.argv", ["bench", "--only", "ivr,cps", "--folder", str(tmp_path / "there")])
    with pytest.raises(KeyboardInterrupt):
        every.main()
    assert "| 400 held |" in (tmp_path / "there" / every.TABLE_FILE).read_text()
