"""A server that says what it holds: `python -m bench.inside --config FILE` serves; at each SIGUSR1 it
collects garbage, and writes how many tasks and objects there are into the data directory."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections import Counter
from pathlib import Path

import msgspec

from ringback.cli.serve import serve
from ringback.config import load

HOLDINGS_FILE = "holdings.json"


class Holdings(msgspec.Struct, frozen=True):
    """What the control process holds at one moment."""

    number: int
    """How often it was asked."""
    tasks: int
    garbage: int
    """Objects so far that only a look for garbage could free."""
    objects: dict[str, int]
    """Of the product's own classes, those that the collector knows: how many of each."""


def holdings(number: int) -> Holdings:
    """As of now, without garbage."""
    gc.collect()
    # The type is asked, and not the object: some stand in for others and have others' classes.
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return Holdings(
        number,
        len(asyncio.all_tasks()),
        sum(generation["collected"] for generation in gc.get_stats()),
        {name: count for name, count in kinds.items() if name.startswith("ringback.")},
    )


async def work(config: Path) -> int:
    """Serve until a signal comes."""
    file = load(config).server.data_path / HOLDINGS_FILE
    asked = 0

    def say() -> None:
        nonlocal asked
        asked += 1
        half = file.with_suffix(".new")
        half.write_bytes(msgspec.json.encode(holdings(asked)))
        half.replace(file)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, say)
    return await serve(config)


def main() -> None:
    """Serve on the event loop that the product uses."""
    import uvloop

    sys.exit(uvloop.run(work(Path(sys.argv[sys.argv.index("--config") + 1]))))


if __name__ == "__main__":
    main()
