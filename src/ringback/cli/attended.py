"""A program that is run for somebody who may press Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import IO

STOPPED = 130
"""The exit code of what Ctrl-C has stopped."""
ENOUGH = 20.0
"""Seconds in which a program that took too long is to end itself."""
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def attended(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO[str] | None = None,
    timeout: float | None = None,
) -> int:
    """Run a program to its end, and return its exit code; 130 if it was stopped. `output`: where both of its
    streams go instead of ours. Raises subprocess.TimeoutExpired, when it has been stopped for that.

    A terminal tells everybody of Ctrl-C at once, and servers that end before those that use them make their
    users fail, each with words of its own. So the program has a process group for itself and those whom it
    starts: it alone is told, and stops the others in its own order. Who is left of the group then is ended.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        process_group=0,
    )
    try:
        with _passed_on(process) as stopped:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                _end(process)
                raise
        return STOPPED if stopped else code
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


@contextlib.contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """What would stop us stops the program, as Ctrl-C does; the signals that came."""
    came: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        came.append(number)
        process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, pass_on) for number in _STOPPING}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(ENOUGH)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
