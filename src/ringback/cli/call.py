"""`ringback call`: the built-in softphone places a call, presses keys, and keeps what it heard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ringback.cli.steering import no_server
from ringback.config import ConfigError, Settings, load
from ringback.net.own import own_address
from ringback.routing.directory import Client
from ringback.running import running_server
from ringback.sip.flow import parse_listen
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    number: str
    digits: str
    record: Path | None
    seconds: float
    server: str
    user: str
    password: str


KEYS = frozenset("0123456789*#ABCDabcdwW")


async def call(wanted: Wanted, config: Path | None) -> int:
    """Place it; 0 when it was answered, 1 when not, 2 when there is no server to call."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        settings = load(config)
    except ConfigError as error:
        errors.print(str(error), style="red", markup=False)
        return 2
    problem = _problem(wanted)
    if problem is not None:
        errors.print(problem, style="red", markup=False)
        return 2
    server = wanted.server or _server(settings)
    if server is None:
        problem = f"{no_server(settings)}, or name one with --server HOST:PORT"
        errors.print(problem, style="red", markup=False, soft_wrap=True)
        return 2
    user, password = _device(wanted, settings)
    host = own_address(parse_listen(f"udp:{server}").local_host)
    async with Softphone(user, server=server, password=password, host=host) as phone:
        return await _call(phone, wanted, console)


async def _call(phone: Softphone, wanted: Wanted, console: Console) -> int:
    began = time.monotonic()

    def happened(what: str) -> None:
        console.print(f"  {time.monotonic() - began:7.3f}  {what}", markup=False)

    console.print(f"calling {wanted.number} as {phone.username}", style="bold", markup=False)
    call = await phone.call(wanted.number, on_progress=happened)
    try:
        await call.answered(wanted.seconds)
    except (CallFailed, TimeoutError) as error:
        why = str(error) or "it rang on"
        console.print(f"not answered: {why}", style="red", markup=False)
        if not wanted.server:
            console.print(
                "ringback trace last shows the server's side of it, its log who was refused and why"
            )
        return 1
    await _converse(call, wanted, happened)
    heard = len(call.heard()) / 8000
    console.print(f"heard {heard:.1f} s in {call.audio.packets_heard} packets")
    if wanted.record is not None:
        call.save(wanted.record)
        console.print(f"written to {wanted.record}", markup=False, soft_wrap=True)
    console.print("ringback trace last shows the server's side of it")
    return 0


async def _converse(call: PhoneCall, wanted: Wanted, happened: Callable[[str], None]) -> None:
    try:
        if wanted.digits:
            await call.silence(timeout=wanted.seconds)
            await call.press(wanted.digits)
            happened(f"pressed {wanted.digits}")
        await call.ended(wanted.seconds)
    except TimeoutError:
        call.hang_up()


def _problem(wanted: Wanted) -> str | None:
    """What is wrong with the command line; better said before the call than after it."""
    strange = set(wanted.digits) - KEYS
    if strange:
        return f"--digits takes 0-9, *, #, A-D, and w or W for a pause, not {''.join(sorted(strange))}"
    if wanted.record is not None and not wanted.record.absolute().parent.is_dir():
        return f"there is no directory {wanted.record.absolute().parent} for --record"
    if wanted.server:
        try:
            own_address(parse_listen(f"udp:{wanted.server}").local_host)
        except (ValueError, OSError):
            return f"--server takes HOST:PORT, not {wanted.server}"
    return "--password goes with --user" if wanted.password and not wanted.user else None


def _server(settings: Settings) -> str | None:
    """The SIP address of the server that runs on the configured data directory."""
    running = running_server(settings.server.data_path)
    if running is None:
        return None
    udp = next((text for text in running.sip if text.startswith("udp:")), running.sip[0])
    return udp.partition(":")[2]


def _device(wanted: Wanted, settings: Settings) -> tuple[str, str]:
    if wanted.user:
        return wanted.user, wanted.password
    devices = settings.directory().all(Client)
    return (devices[0].username, devices[0].password) if devices else ("softphone", "")
