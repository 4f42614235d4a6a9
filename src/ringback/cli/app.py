"""The commands and their options; each command's work is in a file of its own, imported when it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from ringback.cli.bench import app as bench

app = typer.Typer(
    help="Ringback, the programmable voice server that you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path | None, typer.Option("--config", help="The settings; by default ringback.toml, if it is there.")
]


def run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command's coroutine on uvloop, and end with its exit code."""
    from ringback.connection import allow_more_files

    allow_more_files()
    try:
        import uvloop
    except ImportError:
        code = asyncio.run(work)
    else:
        code = uvloop.run(work)
    raise typer.Exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ringback {version('ringback')}")
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Ringback, the programmable voice server that you run yourself."""


@app.command()
def serve(config: Config = None) -> None:
    """Serve until Ctrl-C (or SIGTERM): running calls get time to end."""
    from ringback.cli.serve import serve as work

    run(work(config))


@app.command()
def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Stay up after the calls.")] = False,
    application: Annotated[
        str, typer.Option("--app", help="Call this application instead of the sample.")
    ] = "",
    dialect: Annotated[str, typer.Option(help="What it speaks: laml, jambonz or callapi.")] = "laml",
    lan: Annotated[bool, typer.Option("--lan", help="Be reachable from the local network.")] = False,
    out: Annotated[Path, typer.Option(help="Where the recordings of what was heard go.")] = Path("demo-out"),
) -> None:
    """Start everything on its defaults and place one real call in each dialect, watched."""
    from ringback.cli.demo import Choices
    from ringback.cli.demo import demo as work

    run(work(Choices(stay=stay, application=application, dialect=dialect, lan=lan, out=out)))


@app.command()
def call(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="A number or name at the server, or a sip: URI.")
    ],
    digits: Annotated[
        str, typer.Option(help="Keys to press after the first prompt; w waits half a second, W one.")
    ] = "",
    record: Annotated[Path | None, typer.Option(help="Write what was heard to this WAV file.")] = None,
    seconds: Annotated[float, typer.Option(help="Hang up after this long, if the far end has not.")] = 60.0,
    server: Annotated[
        str, typer.Option(help="host:port of the server; by default the one that runs here.")
    ] = "",
    user: Annotated[str, typer.Option(help="Call as this device; by default the first configured one.")] = "",
    password: Annotated[str, typer.Option(help="The device's password.")] = "",
    config: Config = None,
) -> None:
    """Place a call with the built-in softphone, and watch it."""
    from ringback.cli.call import Wanted
    from ringback.cli.call import call as work

    wanted = Wanted(
        number=number,
        digits=digits,
        record=record,
        seconds=seconds,
        server=server,
        user=user,
        password=password,
    )
    run(work(wanted, config))


@app.command()
def trace(
    which: Annotated[
        str, typer.Argument(metavar="CALL", help="A call's SID in any spelling, or its beginning, or 'last'.")
    ],
    full: Annotated[bool, typer.Option("--full", help="SIP messages and webhook bodies in full.")] = False,
    config: Config = None,
) -> None:
    """Show one call, with those it dialled, on one time line: SIP, webhooks, verbs, keys, callbacks."""
    from ringback.cli.trace import trace as work

    if not which.strip():
        raise typer.BadParameter(
            "expected a call's SID, its beginning, or last; got nothing", param_hint="CALL"
        )
    run(work(which, full, config))


@app.command()
def reload(config: Config = None) -> None:
    """Let the running server take over changed applications, numbers, trunks, clients and accounts."""
    from ringback.cli.reload import reload as work

    run(work(config))


@app.command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    config: Config = None,
) -> None:
    """Show the devices that are registered at the running server."""
    from ringback.cli.devices import devices as work

    run(work(config, as_json=as_json))


doctor = typer.Typer(help="Look for what is wrong, and say what to do about it.")
app.add_typer(doctor, name="doctor")


@doctor.callback(invoke_without_command=True)
def doctor_all(context: typer.Context, config: Config = None) -> None:
    """Look for what is wrong: settings, ports, addresses, codecs, speech, database."""
    if context.invoked_subcommand is None:
        from ringback.cli.doctor import doctor as work

        run(work(config))


@doctor.command("trunk")
def doctor_trunk(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The trunk, by its name.")],
    number: Annotated[
        str, typer.Option("--call", help="Also place a call to this number, and hang up when it is answered.")
    ] = "",
    caller: Annotated[
        str, typer.Option("--from", help="The caller id of that call; by default a number of the account.")
    ] = "",
    seconds: Annotated[float, typer.Option(help="How long that call may ring.")] = 20.0,
    config: Config = None,
) -> None:
    """Ask each gateway of a trunk whether it is there and knows us, and say what to change at which end."""
    from ringback.cli.doctor_trunk import TrialCall
    from ringback.cli.doctor_trunk import doctor_trunk as work

    run(work(name, TrialCall(number=number, caller=caller, seconds=seconds), config))


app.add_typer(bench, name="bench")
