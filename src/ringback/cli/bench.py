"""`ringback bench`: runs the benches of a source checkout, each in a process of its own.

A bench reads its own options, so that it has them whichever way it is started: what follows its name is
passed on as it is, `--help` included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import ringback
from ringback.cli.attended import attended

DIRECTORY = "bench"
MODES = {
    "ivr": "Calls held at once, with a looping prompt: packets on time, processor time and memory of a call.",
    "media": "IVR legs held at once by the media plane alone, with speech detection.",
    "recorded": "Recorded legs of the media plane: packets on time, processor time, files whole.",
    "pairs": "Bridged pairs of legs: how long a packet is kept, and processor time.",
    "mixed": "Legs with prompts and bridged pairs side by side.",
    "room": "A conference room (there are none in this version).",
    "cps": "Incoming calls a second, each with a webhook, a prompt and a callback.",
    "outbound": "Calls a second placed by REST, in each dialect.",
    "rest": "Lists and single calls over REST, with many calls stored.",
    "first-audio": "From the application's reply to the first sound at the phone.",
    "barge-in": "From a key or speech to silence.",
    "relay-delay": "How long a bridged call's packet is kept, in the whole server.",
    "overload": "Three times as many calls as the server can take: goodput, refusals, running calls.",
    "sockets": "What a packet takes in the kernel: a socket each or one for all, system calls or io_uring.",
    "quality": "What the jitter buffer and the concealment make of lost and late packets.",
    "memory": "Memory at rest, and of a leg.",
    "start": "From the start of the server to its first call; processor time at rest.",
    "crash": "Kill -9 amid calls: until all is settled after the next start, and what a recording lost.",
    "leaks": "Whether many calls leave memory, descriptors, tasks and ports where they were.",
    "all": "Every one of these, one after the other, and one table of the results.",
}
"""What can be measured: the name of a bench (its module has underscores) and what it says about itself."""
_THERE_ARE = f"Modes: {', '.join(MODES)}."


class Modes(TyperGroup):
    """The commands, which are modes here: who names none that there is gets to know them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] != "--help":
            ctx.fail(f"{args[0]} follows a mode, as in `ringback bench all {args[0]}`. {_THERE_ARE}")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            ctx.fail(f"There is no mode {args[0]!r}. {_THERE_ARE}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Modes,
    help="Measure what this machine carries. `ringback bench MODE --help` shows a bench's options.",
    no_args_is_help=True,
)


def checkout() -> Path | None:
    """The source checkout that this is installed from, else the one that we stand in; None without one."""
    installed = Path(ringback.__file__).resolve().parents[2]
    for place in (installed, Path.cwd()):
        if (place / DIRECTORY / "ivr.py").is_file():
            return place
    return None


def bench(name: str, arguments: Sequence[str]) -> int:
    """Run one bench where we stand; its exit code: 0 when what it measures is reached, on a quiet machine."""
    place = checkout()
    if place is None:
        typer.echo(
            f"The benches are not installed: they are in the directory {DIRECTORY}/ of a source checkout. "
            "Get one, make it ready with `make`, and run `ringback bench` there.",
            err=True,
        )
        return 2
    # -P: what is called `bench` in the user's own directory is not ours.
    command = [sys.executable, "-P", "-m", DIRECTORY, name, *arguments]
    paths = (str(place), os.environ.get("PYTHONPATH", ""))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return attended(command, environment=environment)


def _add(name: str, about: str) -> None:
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}

    @app.command(name, help=about, add_help_option=False, context_settings=settings)
    def measure(context: typer.Context) -> None:
        raise typer.Exit(bench(name, context.args))


for _name, _about in MODES.items():
    _add(_name, _about)
