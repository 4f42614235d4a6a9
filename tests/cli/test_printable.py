"""Text from the network can neither forge lines of a log nor give orders to a terminal."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from ringback.calls.timeline import Line
from ringback.cli.logs import JsonLines, TextLines
from ringback.cli.printable import printable
from ringback.cli.show import Watcher

FORGED = "eve\n12:00 INFO all is well\x1b[2J"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë → “100”, 100 %", "Zoë → “100”, 100 %"),
        (FORGED, r"eve\n12:00 INFO all is well\x1b[2J"),
        ("a\rb\tc\x00\x7f\x9b", r"a\rb\tc\x00\x7f\x9b"),
        ("a\u2028b\u202ec", r"a\u2028b\u202ec"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("formatter", [TextLines(), JsonLines()], ids=["text", "json"])
def test_a_log_entry_is_one_line(formatter: logging.Formatter) -> None:
    entry = logging.LogRecord("x", logging.INFO, "f", 1, "call from %s is refused", (FORGED,), None)
    assert len(formatter.format(entry).splitlines()) == 1
    assert "\x1b" not in formatter.format(entry)


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError("a mistake")
    except ValueError as error:
        trouble = (ValueError, error, error.__traceback__)
    entry = logging.LogRecord("x", logging.ERROR, "f", 1, "it failed", (), trouble)
    assert len(TextLines().format(entry).splitlines()) > 3


def test_a_time_line_shows_one_line_for_each() -> None:
    console = Console(file=io.StringIO(), width=200)
    message = f"INVITE sip:a@b SIP/2.0\r\nX: {FORGED[-4:]}\r\n"
    data = {"message": message, "fields": {"From": FORGED}}
    Watcher(console, full=True)(Line(call_id="1", at=1.0, kind="call", text=f"call from {FORGED}", data=data))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert len(shown.splitlines()) == 4
    assert "\x1b" not in shown
