"""How to go on after the demonstration: lines to read, and lines to paste."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.markup import escape

from ringback.config import CONNECTION, DEMONSTRATION, DEVICE, OTHER_DEVICE, ConfigError, load
from ringback.routing.directory import Account, Client
from ringback.running import running_server
from ringback.server import Server


def hints(server: Server, out: Path, *, dialect: str, lan: bool) -> Iterator[str]:
    """The lines, in rich markup. Nothing is framed or wrapped: commands are there to be copied.

    `dialect`: whose number the command calls.
    """
    place = server.sip[0].partition(":")[2]
    device = server.directory.client(DEVICE)
    password = device.password if device else ""
    numbers = ", ".join(f"{number} ({dialect})" for dialect, (_, number) in DEMONSTRATION.items())
    yield "[bold]Call it[/] from any SIP phone"
    yield f"  user {DEVICE} or {OTHER_DEVICE}, password {password}, domain {place}, transport UDP, no proxy"
    yield f"  numbers: {numbers}, {CONNECTION[2]} ({DEVICE} rings, recorded); devices call each other by name"
    command = escape(own_command())
    within, options = ("", "") if _found_by_default(server) else _leading_here(server, place, password)
    number = DEMONSTRATION[dialect][1]
    yield f"  or from here: [bold]{command} call {number} --digits 1w2 --record out.wav{escape(options)}[/]"
    if lan:
        yield from _phones(place, password)
    yield ""
    yield f"[bold]Let it call[/] that phone, once registered, as sip:{DEVICE}@{place}, or any SIP address"
    yield from (f"  {line}" for line in _curl_lines(server, f"sip:{DEVICE}@{place}"))
    yield ""
    yield f"[bold]Look[/] at {server.http_url}/ and with [bold]{escape(within)}{command} trace last[/]"
    yield f"  database, recordings and audio cache: {server.settings.server.data_path.resolve()}"
    yield f"  what the phone heard: {out.resolve()}"
    yield ""
    yield "[bold]Ctrl-C[/] stops it"


def own_command() -> str:
    """What starts this program in a shell: its bare name only where the shell finds it under that name."""
    program = Path(sys.argv[0])
    if program.suffix == ".py":
        return f"{shlex.quote(sys.executable)} -m ringback"
    found = shutil.which(program.name)
    if found is not None and program.exists() and program.samefile(found):
        return program.name
    return shlex.quote(sys.argv[0])


def _found_by_default(server: Server) -> bool:
    """Whether the commands, given no options here, come to this server and call as its device."""
    try:
        settings = load()
    except ConfigError:
        return False
    running = running_server(settings.server.data_path)
    device = next(iter(settings.directory().all(Client)), None)
    here = server.directory.client(DEVICE)
    if running is None or device is None or here is None:
        return False
    return running.pid == os.getpid() and (device.username, device.password) == (DEVICE, here.password)


def _leading_here(server: Server, place: str, password: str) -> tuple[str, str]:
    """What stands before a command that reads the data, and after one that calls, so that they come here."""
    data = shlex.quote(str(server.settings.server.data_path))
    given = ("--server", place, "--user", DEVICE, "--password", password)
    return f"RINGBACK_SERVER__DATA={data} ", f" {shlex.join(given)}"


def _phones(place: str, password: str) -> Iterator[str]:
    host, _, port = place.rpartition(":")
    yield f"  Linphone, SIP account: username {DEVICE}, password {password}, domain {place}, transport UDP"
    yield f"  Zoiper: username {DEVICE}@{host}:{port}, password {password}, no outbound proxy, SIP UDP"


def _curl_lines(server: Server, to: str) -> Iterator[str]:
    account = server.directory.all(Account)[0]
    urls = {name: _url(server, account, name) for name in DEMONSTRATION}
    basic = f"curl -u {account.id}:{account.token}"
    laml = f"{server.http_url}/api/laml/2010-04-01/Accounts/{account.id}/Calls"
    callapi = f"{server.http_url}/call/2012-04-24/Accounts/{account.id}/Calls.json"
    yield f"{basic} {laml} -d From=%2B14155550101 -d To={to} -d Url={urls['laml']}"
    application = server.directory.application_named(account.id, "jambonz")
    body = {
        "from": "+14155550102",
        "to": {"type": "user", "name": DEVICE},
        "application_sid": str(application.id) if application else "",
    }
    yield (
        f"curl -H 'Authorization: Bearer {account.token}' -H 'Content-Type: application/json'"
        f" {server.http_url}/v1/Accounts/{account.id}/Calls -d '{msgspec.json.encode(body).decode()}'"
    )
    yield f"{basic} {callapi} -d From=14155550103 -d To={to} -d Url={urls['callapi']}"


def _url(server: Server, account: Account, name: str) -> str:
    application = server.directory.application_named(account.id, name)
    return application.voice_url if application else ""
