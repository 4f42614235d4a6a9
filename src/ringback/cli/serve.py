"""`ringback serve`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from ringback.cli.logs import open_log
from ringback.cli.ports import holder_of, taken_ports, unusable_addresses
from ringback.cli.sample import sample_application
from ringback.config import ConfigError, Settings, load
from ringback.media.model import MediaUnavailable
from ringback.routing.directory import Account, Client, Number
from ringback.server import Server
from ringback.store.errors import StoreError

logger = logging.getLogger(__name__)
Say = Callable[[str], object]
_SOON = 1.0
"""Seconds that a start takes without a word."""


async def serve(config: Path | None) -> int:
    """Serve until a signal comes; 0, or 1 when it could not start, or 2 when the settings are wrong."""
    errors = Console(stderr=True, highlight=False)
    try:
        settings = load(config)
    except ConfigError as error:
        for problem in error.problems:
            errors.print(problem, style="red", markup=False)
        return 2
    open_log(settings.log)
    os.umask(0o077)  # for what its processes write, too: all of it is the data directory's
    if not settings.demo:
        return await _serve(settings, errors, lambda: load(config))
    async with sample_application(Console(highlight=False)) as url:

        def reread() -> Settings:
            return load(config, sample_application=url)

        return await _serve(reread(), errors, reread)


async def _serve(settings: Settings, errors: Console, reread: Callable[[], Settings]) -> int:
    server = Server(settings, reread)
    say = _teller(settings)
    patience = asyncio.get_running_loop().call_later(_SOON, say, "starting …")
    try:
        await server.start()
    except (OSError, MediaUnavailable, StoreError) as error:
        await server.stop()
        for problem in why_not(settings, error):
            _complain(settings, errors, problem)
        return 1
    finally:
        patience.cancel()
    _spare_collections()
    with stop_signals() as stop, _reload_signal(server):
        for line in banner(server):
            say(line)
        await stop.wait()
    await stop_calmly(server, say)
    return 0


def _teller(settings: Settings) -> Say:
    """How lines for whoever looks on are said: where the log is for machines, as entries of it."""
    if settings.log.format == "json":
        return lambda line: logger.info("%s", line.strip())
    console = Console(highlight=False)
    return lambda line: console.print(line, soft_wrap=True, markup=False)


def _complain(settings: Settings, errors: Console, problem: str) -> None:
    if settings.log.format == "json":
        logger.error("%s", problem)
    else:
        errors.print(problem, style="red", markup=False, soft_wrap=True)


async def stop_calmly(server: Server, say: Say) -> None:
    """Stop the server; running calls get their time, unless a second signal comes."""
    up, seconds = server.switchboard.live, server.settings.calls.shutdown_seconds
    if up and seconds:
        calls = "1 call is" if up == 1 else f"{up} calls are"
        say(f"{calls} up and may take {seconds} s to end; Ctrl-C again ends them now")
    loop = asyncio.get_running_loop()
    with stop_signals() as again:
        stopping, hurry = loop.create_task(server.stop()), loop.create_task(again.wait())
        await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            await server.switchboard.end_all()
        hurry.cancel()
        await stopping


COLLECTIONS = (10_000, 5, 20)
"""How many objects more than at the last collection may come before the young ones are looked through; how
many such collections go by before those that survived one are; and, of these, before all are."""


def _spare_collections() -> None:
    """Garbage collections stop every call while they last: make them short, and rare.

    What exists by now stays, so it need not be looked through. What calls leave behind can wait: nearly all
    of it is freed without a collection, once its call is over; before that it is only found to be in use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Set by SIGINT or SIGTERM, for the length of a block."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _reload_signal(server: Server) -> Iterator[None]:
    """SIGHUP reads the configuration again, for the length of a block; what is wrong with it is logged."""
    loop = asyncio.get_running_loop()
    reloading: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        try:
            await server.reload()
        except ConfigError as error:
            for problem in error.problems:
                logger.error("the configuration stays as it was: %s", problem)

    def begin() -> None:
        task = loop.create_task(reload())
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    loop.add_signal_handler(signal.SIGHUP, begin)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def why_not(settings: Settings, error: Exception) -> list[str]:
    """Why the server could not start: each address that is not ours to use, the holder of each taken port."""
    if isinstance(error, StoreError):
        return [f"cannot start: {error}"]
    unusable = unusable_addresses(settings)
    if unusable:
        return [f"cannot start: {problem}; {advice}" for problem, advice in unusable]
    taken = taken_ports(settings)
    held = [f"{what} is taken by {holder_of(what) or 'another program'}" for what in taken]
    return held if held and isinstance(error, OSError) else [f"cannot start: {error}", *held]


def banner(server: Server) -> Iterator[str]:
    """Where everything is and how to call it, line by line."""
    directory = server.directory
    web = " and ".join(f"{url}/" for url in (server.http_url, server.https_url) if url)
    yield f"Ringback is up: page and REST at {web}, SIP at {', '.join(server.sip)}"
    for account in directory.all(Account):
        yield f"  account {account.name}: {account.id}"
        numbers = ", ".join(number.number for number in directory.all(Number, account.id))
        if numbers:
            yield f"    numbers: {numbers}"
        for client in directory.all(Client, account.id):
            yield f"    device: sip:{client.username}@{server.sip[0].partition(':')[2]}"
    if server.settings.demo:
        yield "  without ringback.toml the sample application answers: ringback call +14155550101"
    yield "  Ctrl-C stops: running calls get time to end."
