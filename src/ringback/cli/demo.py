"""`ringback demo`: everything on its defaults, one real call in each dialect, watched as it happens."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape

from ringback.cli.hints import hints
from ringback.cli.ports import next_free
from ringback.cli.rehearsal import Rehearsal, Result
from ringback.cli.sample import sample_application
from ringback.cli.scene import TwoPhones
from ringback.cli.serve import stop_calmly, stop_signals, why_not
from ringback.cli.show import Watcher
from ringback.cli.unheard import unheard
from ringback.config import DEFAULT_FILE, DEMONSTRATION, ConfigError, Settings, demonstration
from ringback.config.checks import application_url_mistake
from ringback.config.tables import ApplicationTable, WebhooksSection
from ringback.media.model import MediaUnavailable
from ringback.net.own import own_address
from ringback.running import DataInUse, exclusive
from ringback.server import Server
from ringback.sip.flow import join_host_port, split_address
from ringback.store.errors import StoreError

_ATTEMPTS = 5


class NotStarted(Exception):
    """The server does not start; the message says why."""


@dataclass(frozen=True)
class Choices:
    """What was asked for on the command line. `application` empty: the sample."""

    stay: bool
    application: str
    dialect: str
    lan: bool
    out: Path


async def demo(choices: Choices) -> int:
    """Place the calls; 0 when all went as they should, 1 when not, 2 when the choices are wrong."""
    console = Console(highlight=False)
    if choices.dialect not in DEMONSTRATION:
        console.print(f"[red]expected a dialect of {', '.join(DEMONSTRATION)}, got {choices.dialect!r}")
        return 2
    wanted = application_url_mistake(choices.dialect, choices.application) if choices.application else None
    if wanted is not None:
        problem = f'expected {wanted}, got "{choices.application}", at --app'
        console.print(problem, style="red", markup=False, soft_wrap=True)
        return 2
    async with contextlib.AsyncExitStack() as stack:
        sample = await stack.enter_async_context(sample_application(console))
        try:
            server = await _started(choices, sample, console)
        except ConfigError as error:
            console.print(str(error), style="red", markup=False)
            return 2
        except NotStarted as error:
            console.print(str(error), style="red", markup=False)
            return 1
        stack.push_async_callback(stop_calmly, server, console.print)
        where = f"{server.http_url}/ and {', '.join(server.sip)}"
        console.print(f"Ringback is up: {where}", soft_wrap=True, markup=False)
        results = await _calls(server, choices, console)
        failed = _verdict(results, console)
        if choices.stay:
            with stop_signals() as stop:
                for line in hints(server, choices.out, dialect=choices.dialect, lan=choices.lan):
                    console.print(line, soft_wrap=True)
                with server.time_line.listening(Watcher(console)):
                    await stop.wait()
    return 1 if failed else 0


async def _started(choices: Choices, sample: str, console: Console) -> Server:
    """A server on ports that are free. Raises NotStarted, ConfigError.

    Another program may take a port between looking and binding: then it looks again.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        settings = _settings(choices, sample, console)
        server = Server(settings)
        try:
            await server.start()
        except (OSError, MediaUnavailable, StoreError) as error:
            await server.stop()
            if attempt == _ATTEMPTS or not isinstance(error, OSError):
                raise NotStarted("; ".join(why_not(settings, error))) from error
        else:
            return server
    raise AssertionError("the last attempt returns or raises")


async def _calls(server: Server, choices: Choices, console: Console) -> list[Result]:
    own = bool(choices.application)
    silent = await unheard(choices.application) if own else None
    if silent is not None:
        return [Result(choices.dialect, problems=[silent])]
    dialects = [choices.dialect] if own else list(DEMONSTRATION)
    rehearsal = Rehearsal(server, console, choices.out)
    results = [await rehearsal.call(dialect, DEMONSTRATION[dialect][1], own=own) for dialect in dialects]
    if not own:
        results.append(await TwoPhones(server, console, choices.out).play())
    return results


def _verdict(results: list[Result], console: Console) -> bool:
    console.print()
    for result in results:
        mark = "[red]✗" if result.problems else "[green]✓"
        problems = escape("; ".join(result.problems)) or "went as it should"
        heard = f"   heard: {escape(str(result.recording))}" if result.recording else ""
        console.print(f"{mark}[/] {result.name}: {problems}{heard}", soft_wrap=True)
    return any(result.problems for result in results)


def _settings(choices: Choices, sample: str, console: Console) -> Settings:
    """The defaults, on ports that are free."""
    environment = {**os.environ, **_data(console)}
    settings = demonstration(environment, sample)
    if Path(DEFAULT_FILE).exists():
        console.print(f"[yellow]{DEFAULT_FILE} is not used here: ringback serve uses it")
    server = settings.server
    host = own_address() if choices.lan else ""
    http = _free(f"tcp:{_at(server.http, host)}", console)
    first = _free(f"udp:{_at(server.sip[0].partition(':')[2], host)}", console)
    places = tuple(f"{text.partition(':')[0]}:{first.partition(':')[2]}" for text in server.sip)
    rtp = f"{join_host_port(host, None)}:{server.rtp.rpartition(':')[2]}" if host else server.rtp
    server = msgspec.structs.replace(
        server, http=http.partition(":")[2], sip=places, rtp=rtp, advertise=host or server.advertise
    )
    changes: dict[str, object] = {"server": server}
    if choices.lan:
        changes["webhooks"] = WebhooksSection(allow_private=True)
    if choices.application:
        changes["application"] = tuple(_own(table, choices) for table in settings.application)
    return msgspec.structs.replace(settings, **changes)


def _own(table: ApplicationTable, choices: Choices) -> ApplicationTable:
    """The application of the command line in place of the sample's."""
    if table.name != choices.dialect:
        return table
    return msgspec.structs.replace(table, voice_url=choices.application, status_callback="")


def _data(console: Console) -> dict[str, str]:
    """The data directory, or the next one that no server runs on."""
    wanted = os.environ.get("RINGBACK_SERVER__DATA", "ringback-data")
    for number in range(1, 100):
        name = wanted if number == 1 else f"{wanted}-{number}"
        with contextlib.suppress(DataInUse), exclusive(Path(name)):
            if number > 1:
                console.print(f"[yellow]{wanted} is in use by another server: using {name}")
            return {"RINGBACK_SERVER__DATA": name}
    return {}


def _at(address: str, host: str) -> str:
    configured, port = split_address(address)
    return join_host_port(host or configured, port)


def _free(text: str, console: Console) -> str:
    free = next_free(text)
    if free != text:
        console.print(f"[yellow]{text} is taken: using {free}")
    return free
