"""`ringback call`: the built-in softphone places a call, presses keys, and keeps what it heard."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ringback.cli.steering import no_server
from ringback.config import ConfigError, Settings, demonstration_account, load
from ringback.net.own import own_address
from ringback.routing.directory import Client
from ringback.running import running_server
from ringback.sip.flow import join_host_port, parse_listen
from ringback.store.errors import StoreError
from ringback.store.records import CallFilter
from ringback.store.store import Store
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

_PATIENCE = 5.0
"""Seconds in which whoever is there has said something, if only 100 Trying (RFC 3261 section 17.2.1)."""
_LOOKS, _BETWEEN_LOOKS = 10, 0.05
"""How often it is looked whether the server has taken a call, and after how many seconds again: a busy store
commits within some tens of milliseconds."""


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
_URIS = ("sip:", "sips:")


class _NobodyThere(Exception):
    """Not a word came back."""


@dataclass(frozen=True)
class _Device:
    """Who calls. `source`: where the password was read."""

    username: str
    password: str
    source: str


async def call(wanted: Wanted, config: Path | None) -> int:
    """Place it; 0 when it was answered, 1 when not, 2 when there is no server to call."""
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        settings = load(config, look_only=True)
    except ConfigError as error:
        errors.print(str(error), style="red", markup=False)
        return 2
    problem = await _problem(wanted)
    if problem is not None:
        errors.print(problem, style="red", markup=False)
        return 2
    server = wanted.server or _server(settings)
    if server is None:
        problem = f"{no_server(settings)}, or name one with --server HOST:PORT"
        errors.print(problem, style="red", markup=False, soft_wrap=True)
        return 2
    place = parse_listen(f"udp:{server}")
    device = _device(wanted, settings)
    host = own_address(place.local_host)
    try:
        async with Softphone(device.username, server=server, password=device.password, host=host) as phone:
            return await _call(phone, wanted, _Teller(settings, device, console))
    except _NobodyThere:
        at = f"udp:{join_host_port(place.local_host, place.local_port)}"
        where = wanted.number if wanted.number.startswith(_URIS) else at
        errors.print(f"nothing answers at {where}", style="red", markup=False, soft_wrap=True)
        return 2


class _Teller:
    """Says how the call went, and where more is to be seen."""

    def __init__(self, settings: Settings, device: _Device, console: Console) -> None:
        self._settings = settings
        self._device = device
        self._began = time.monotonic()
        self.console = console

    def happened(self, what: str) -> None:
        """A line of what happens."""
        self.console.print(f"  {time.monotonic() - self._began:7.3f}  {what}", markup=False)

    async def not_answered(self, error: CallFailed | TimeoutError, call_id: str) -> None:
        """Why not, and what to do."""
        self.console.print(f"not answered: {str(error) or 'it rang on'}", style="red", markup=False)
        if isinstance(error, CallFailed) and error.status in (401, 407):
            self.console.print(self._wrong_password(), markup=False, soft_wrap=True)
        elif not await self.where_to_look(call_id) and running_server(self._settings.server.data_path):
            self.console.print("the server's log says who was refused and why")

    async def where_to_look(self, call_id: str) -> bool:
        """Whether the server that runs here has taken the call: then there is a trace of it."""
        taken = await _is_recorded(self._settings, call_id)
        if taken:
            self.console.print("ringback trace last shows the server's side of it")
        return taken

    def _wrong_password(self) -> str:
        device = self._device
        if not device.password:
            return f"the server wants {device.username}'s password: give it with --user and --password"
        return f"the server does not accept {device.username}'s password (from {device.source})"


async def _call(phone: Softphone, wanted: Wanted, teller: _Teller) -> int:
    """Raises _NobodyThere."""
    console = teller.console
    console.print(f"calling {wanted.number} as {phone.username}", style="bold", markup=False)
    call = await phone.call(wanted.number, on_progress=teller.happened)
    try:
        await _answered(call, wanted.seconds)
    except (CallFailed, TimeoutError) as error:
        await teller.not_answered(error, call.session.call_id)
        return 1
    await _converse(call, wanted, teller.happened)
    seconds = len(call.heard()) / 8000
    console.print(f"heard {seconds:.1f} s in {call.audio.packets_heard} packets")
    if wanted.record is not None:
        call.save(wanted.record)
        console.print(f"written to {wanted.record}", markup=False, soft_wrap=True)
    await teller.where_to_look(call.session.call_id)
    return 0


async def _answered(call: PhoneCall, seconds: float) -> None:
    """Wait for the answer, but only for a moment where nobody is. Raises CallFailed, TimeoutError,
    _NobodyThere."""
    until = time.monotonic() + seconds
    try:
        try:
            await call.answered(min(_PATIENCE, seconds))
        except TimeoutError:
            if not call.responded:
                raise
            await call.answered(max(0.0, until - time.monotonic()))
    except (CallFailed, TimeoutError) as error:
        if not call.responded:
            raise _NobodyThere from error
        raise


async def _is_recorded(settings: Settings, call_id: str) -> bool:
    if running_server(settings.server.data_path) is None:
        return False
    try:
        async with await Store.open(settings.server.database, settings.server.data_path) as store:
            for _ in range(_LOOKS):  # a call that was refused at once may still be on its way to the disk
                if await store.calls(CallFilter(sip_call_id=call_id), limit=1):
                    return True
                await asyncio.sleep(_BETWEEN_LOOKS)
    except StoreError:
        pass
    return False


async def _converse(call: PhoneCall, wanted: Wanted, happened: Callable[[str], None]) -> None:
    try:
        if wanted.digits:
            await call.silence(timeout=wanted.seconds)
            happened(f"pressing {wanted.digits}")
            await call.press(wanted.digits)
        await call.ended(wanted.seconds)
    except TimeoutError:
        call.hang_up()


async def _problem(wanted: Wanted) -> str | None:
    """What is wrong with the command line; better said before the call than after it."""
    strange = set(wanted.digits) - KEYS
    if strange:
        return f"--digits takes 0-9, *, #, A-D, and w or W for a pause, not {''.join(sorted(strange))}"
    if wanted.record is not None and not wanted.record.absolute().parent.is_dir():
        return f"there is no directory {wanted.record.absolute().parent} for --record"
    wrong = await _wrong_server(wanted.server) if wanted.server else None
    if wrong is not None:
        return wrong
    return "--password goes with --user" if wanted.password and not wanted.user else None


async def _wrong_server(text: str) -> str | None:
    try:
        host = parse_listen(f"udp:{text}").local_host
    except ValueError:
        return f"--server takes HOST:PORT, not {text}"
    if host.isdecimal():  # to the system, an address in one number
        return f"--server takes HOST:PORT, not {text}"
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return f"--server takes HOST:PORT, not {text}: {host} is an unknown host"
    return None


def _server(settings: Settings) -> str | None:
    """The SIP address of the server that runs on the configured data directory."""
    running = running_server(settings.server.data_path)
    if running is None:
        return None
    udp = next((text for text in running.sip if text.startswith("udp:")), running.sip[0])
    return udp.partition(":")[2]


def _device(wanted: Wanted, settings: Settings) -> _Device:
    if wanted.user:
        return _Device(wanted.user, wanted.password, "--password")
    devices = settings.directory().all(Client)
    if not devices:
        return _Device("softphone", "", "")
    username, password = devices[0].username, devices[0].password
    if not settings.demo:
        return _Device(username, password, settings.source)
    kept = demonstration_account(settings)
    # Where no server has run, the password is a made-up one.
    return _Device(username, password if kept.exists() else "", str(kept))
