"""One call of the demonstration: placed, watched, recorded and judged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ringback.cli.rest import rest
from ringback.cli.show import Watcher
from ringback.config import DEVICE
from ringback.server import Server
from ringback.sip.flow import parse_listen
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

KEYS = "42"


@dataclass
class Result:
    """How the call went; no problems: as it should."""

    name: str
    recording: Path | None = None  # where something was heard
    problems: list[str] = field(default_factory=list)


class Rehearsal:
    """Places calls to a server in this process."""

    def __init__(self, server: Server, console: Console, out: Path) -> None:
        self._server = server
        self._console = console
        self._out = out

    async def call(self, dialect: str, number: str, *, own: bool) -> Result:
        """Call a number, press keys after the first prompt, listen to the end. `own`: not the sample."""
        self._console.rule(f"[bold]{dialect}[/]: {DEVICE} calls {number}")
        self._out.mkdir(parents=True, exist_ok=True)
        result = Result(dialect)
        watcher = Watcher(self._console)
        with self._server.time_line.listening(watcher):
            await self._converse(number, result, own)
            await self._wrap_up(result)
        if own:
            _judge_own(watcher, result)
        else:
            _judge(watcher, result)
        if watcher.lines:
            await self._show_record(dialect, watcher.lines[0].call_id)
        return result

    async def _converse(self, number: str, result: Result, own: bool) -> None:
        place = self._server.sip[0].partition(":")[2]
        client = self._server.directory.client(DEVICE)
        host = parse_listen(f"udp:{place}").local_host
        async with Softphone(
            DEVICE, server=place, password=client.password if client else "", host=host
        ) as phone:
            call = await phone.call(number)
            try:
                await call.answered(20.0)
                await call.silence(timeout=30.0)
                await call.press(KEYS)
                await call.ended(30.0)
            except CallFailed as error:
                result.problems.append(f"not answered: {error}")
            except TimeoutError:
                if not own:
                    result.problems.append("it did not come to its end in time")
                call.hang_up()
            self._keep(call, result)

    def _keep(self, call: PhoneCall, result: Result) -> None:
        if call.audio.packets_heard:
            result.recording = self._out / f"{result.name}.wav"
            call.save(result.recording)
        else:
            result.problems.append("nothing was heard")

    async def _wrap_up(self, result: Result) -> None:
        try:
            await asyncio.wait_for(self._server.switchboard.idle(), 10.0)
        except TimeoutError:
            result.problems.append("the call was not ended")
        if await self._server.deliverer.drain(10.0):
            result.problems.append("callbacks are still on their way")

    async def _show_record(self, dialect: str, call_id: str) -> None:
        suffix = "" if dialect == "jambonz" else ".json"
        async with rest(self._server, dialect) as surface:
            await surface.show(f"Calls/{call_id}{suffix}", self._console)


def _judge_own(watcher: Watcher, result: Result) -> None:
    """Of somebody's own application nothing is known but that its call should not have failed."""
    for line in watcher.lines:
        if (line.kind == "note" and line.text.startswith("error ")) or (
            line.kind == "call" and line.text.startswith("ended: failed")
        ):
            result.problems.append(line.text)


def _judge(watcher: Watcher, result: Result) -> None:
    """What a call to the sample must have shown."""
    texts = {(line.kind, line.text) for line in watcher.lines}
    for key in KEYS:
        if not any(kind == "key" and text.startswith(f"key {key} ") for kind, text in texts):
            result.problems.append(f"key {key} did not arrive")
    webhooks = [text for kind, text in texts if kind == "webhook"]
    if len(webhooks) < 2 or not all("  200  " in text for text in webhooks):
        result.problems.append("not every webhook was answered with 200")
    callbacks = [text for kind, text in texts if kind == "callback"]
    if not any("  completed  20" in text for text in callbacks):
        result.problems.append("the status callback of the end did not arrive")
    if not any(kind == "call" and text.startswith("ended: completed") for kind, text in texts):
        result.problems.append("the call did not end as completed")
