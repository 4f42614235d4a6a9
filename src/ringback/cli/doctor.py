"""`ringback doctor`: what is wrong with this installation and its settings, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import soundfile
from rich.console import Console
from rich.markup import escape

from ringback.cli.doctor_services import services
from ringback.cli.finding import MARKS, Finding
from ringback.cli.ports import holder_of, taken_ports, unusable_addresses
from ringback.config import DEFAULT_FILE, PREFIX, ConfigError, Settings, load
from ringback.net.guard import refusal
from ringback.routing.directory import Application, Number, Trunk
from ringback.running import out_of_reach, running_server
from ringback.sip.flow import parse_listen
from ringback.speech.espeak import Espeak
from ringback.speech.protocol import SpeechError, SpeechRequest
from ringback.store.database import SQLITE_FILE
from ringback.store.errors import StoreError
from ringback.store.privacy import read_by_others
from ringback.store.store import Store

_FORMATS = ("WAV", "FLAC", "OGG", "MP3")


async def doctor(config: Path | None) -> int:
    """Look at everything; 0 when nothing is wrong (warnings are not), else 1."""
    console = Console(highlight=False)
    worst = False
    async for finding in findings(config):
        console.print(f"{MARKS[finding.level]} {escape(finding.what)}", soft_wrap=True)
        if finding.advice:
            console.print(f"    {escape(finding.advice)}", soft_wrap=True)
        worst = worst or finding.level == "error"
    return 1 if worst else 0


async def findings(config: Path | None) -> AsyncIterator[Finding]:
    """Everything that was looked at, in an order that makes sense to read."""
    yield Finding("ok", f"Python {sys.version.split()[0]}")
    try:
        settings = load(config, look_only=True)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("error", problem)
        return
    yield Finding("ok", _source(settings))
    for check in (_ports, _privacy, _addresses, _routing):
        for finding in check(settings):
            yield finding
    yield await _health(settings)
    yield await asyncio.to_thread(_codecs)
    yield await _speech()
    for finding in await services(settings):
        yield finding
    yield await _database(settings)


def _source(settings: Settings) -> str:
    if not settings.demo:
        return f"settings from {settings.source}"
    variables = sorted(name for name in os.environ if name.startswith(PREFIX) and "__" in name)
    return f"no {DEFAULT_FILE}: built-in defaults{', and '.join(['', *variables])}"


def _ports(settings: Settings) -> list[Finding]:
    unusable = [Finding("error", *problem_and_advice) for problem_and_advice in unusable_addresses(settings)]
    running = running_server(settings.server.data_path)
    if running is not None:
        return [*unusable, Finding("ok", f"a server runs here (pid {running.pid}): {running.http}")]
    taken = taken_ports(settings)
    if not taken and not unusable:
        return [Finding("ok", "the configured ports are free")]
    advice = "stop it, or set another port in [server]"
    return unusable + [
        Finding("error", f"{text} is taken by {holder_of(text) or 'another program'}", advice)
        for text in taken
    ]


def _privacy(settings: Settings) -> list[Finding]:
    """The server closes the data directory itself, but not one that holds other things, too."""
    data = settings.server.data_path
    if out_of_reach(data):
        advice = "run this as the user that the server runs as: sudo -u ringback …"
        return [Finding("error", f"{data} is another user's", advice)]
    if not read_by_others(data):
        return []
    advice = f"it holds callers' data and credentials: chmod 700 {data}"
    return [Finding("warning", f"other users can read the data directory {data}", advice)]


def _addresses(settings: Settings) -> list[Finding]:
    """Will others reach what we tell them in Contact and SDP?"""
    server = settings.server
    found = []
    hosts = {parse_listen(text).local_host for text in server.sip}
    for host in sorted(hosts):
        told = server.advertised[0] or host
        if host in ("0.0.0.0", "::") and not server.advertise:
            found.append(Finding("ok", f"SIP on {host}: each peer is told the address it reaches"))
        elif refusal(told, allow_private=False) == "loopback":
            advice = "for calls from elsewhere set server.sip and server.rtp to an address they reach"
            found.append(Finding("warning", f"peers are told {told}: only this machine reaches it", advice))
        elif refusal(told, allow_private=False) is not None:
            advice = "behind NAT: set server.advertise to the public address, forward the SIP and RTP ports"
            found.append(Finding("warning", f"peers are told {told}: a private address", advice))
        else:
            found.append(Finding("ok", f"peers are told {told}"))
    return found


def _routing(settings: Settings) -> list[Finding]:
    directory = settings.directory()
    found = []
    for application in directory.all(Application):
        if not application.voice_url and not application.app_json:
            advice = "set its voice_url"
            found.append(Finding("warning", f"application {application.name} has no URL to ask", advice))
    if not directory.all(Number):
        advice = "add [[number]] tables, or dial applications by name"
        found.append(Finding("warning", "no number is configured", advice))
    for number in directory.all(Number):
        if number.application_id is None:
            advice = "set its application; as it is, it only serves as a caller id"
            found.append(Finding("warning", f"nobody answers at number {number.number}", advice))
    if not directory.all(Trunk):
        advice = "add a [[trunk]]: calls to telephone numbers, and from carriers, need one"
        found.append(Finding("warning", "no trunk is configured", advice))
    for trunk in directory.all(Trunk):
        if not trunk.gateways and not trunk.inbound_from:
            advice = "for calls to the carrier set its host, for those from it inbound_from"
            found.append(Finding("warning", f"trunk {trunk.name} neither takes calls nor sends any", advice))
    return found or [Finding("ok", "applications, numbers and trunks are there")]


async def _health(settings: Settings) -> Finding:
    running = running_server(settings.server.data_path)
    if running is None:
        return Finding("ok", "no server runs on this data directory")
    timeout = aiohttp.ClientTimeout(total=3)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{running.http}/health") as reply,
        ):
            healthy = reply.status == 200
    except (aiohttp.ClientError, TimeoutError) as error:
        return Finding("error", f"{running.http}/health does not answer: {error}", "restart the server")
    if healthy:
        return Finding("ok", f"{running.http}/health is well")
    return Finding("error", f"{running.http}/health says that calls are not taken", "look at its log")


def _codecs() -> Finding:
    missing = [name for name in _FORMATS if name not in soundfile.available_formats()]
    if missing:
        advice = "install a newer soundfile: pip install --upgrade soundfile"
        return Finding("warning", f"these audio files cannot be read: {', '.join(missing)}", advice)
    return Finding("ok", f"audio: PCMU and PCMA on the line; {', '.join(_FORMATS)} files")


async def _speech() -> Finding:
    voice = Espeak()
    try:
        pcm = await voice.synthesize(SpeechRequest("one two three"))
    except SpeechError as error:
        return Finding("error", f"the built-in voice does not speak: {error}", "reinstall espeakng-loader")
    finally:
        await voice.close()
    return Finding("ok", f"speech: the built-in voice spoke {pcm.seconds:.1f} s")


async def _database(settings: Settings) -> Finding:
    """Look at it without making it: that, and the data directory, is for the user that the server runs as."""
    data, sqlite = settings.server.data_path, settings.server.database == "sqlite"
    advice = "check server.database and server.data, free disk space and permissions"
    if sqlite and not (data / SQLITE_FILE).exists():
        if _may_be_written(data):
            return Finding("ok", f"database: none yet, the server makes one in {data}")
        return Finding("error", f"the database cannot be used: nothing can be written in {data}", advice)
    try:
        with tempfile.TemporaryDirectory() as scratch:  # a database elsewhere needs no directory here
            store = await Store.open(
                settings.server.database, data if sqlite else Path(scratch), trace_limit=0
            )
            open_calls = len(await store.open_calls())
            await store.close()
    except (StoreError, OSError) as error:
        return Finding("error", f"the database cannot be used: {error}", advice)
    note = f", {open_calls} calls are open" if open_calls else ""
    return Finding("ok", f"database: {data if sqlite else 'PostgreSQL'}{note}")


def _may_be_written(data: Path) -> bool:
    """Whether the directory, or where there is none the nearest one above it, lets this user write."""
    there = next((folder for folder in (data, *data.parents) if folder.exists()), data)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
