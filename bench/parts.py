"""Where the control process's time goes: `python -m bench.parts --config FILE` serves, and samples itself.

Some 300 times a second the main thread is asked where it is: the sample belongs to the part that the
innermost frame of the product is in, and what libraries do belongs to whoever called them. The clock is the
wall's: timers of processor time come with the kernel's tick only, which is too seldom. So a sample counts
only if the answer comes at once. Who is late was not running when asked, but waiting, for something to do or
for its turn. Samples that count are worth an interval each; what is left of the thread's processor time was
spent where there is no frame: in the event loop, its system calls, and in being woken to be asked. Other
threads are known by the processor time that the system counts for them. SIGUSR1 begins anew; at the end, the
figures are in the data directory.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType

import msgspec
from rich.table import Table

import ringback
from ringback.cli.serve import serve
from ringback.config import load

PARTS_FILE = "parts.json"
INTERVAL = 0.00313
"""Seconds; no divisor of the media worker's ticks, or always the same moments of them would be looked at."""
AT_ONCE = 0.00006
"""Seconds within which a thread that runs has answered."""
ROOT = f"{Path(ringback.__file__).parent}{os.sep}"
PARTS = {
    "sip": "SIP",
    "dialects": "dialect: fields of requests",
    "dialects/xml": "dialect: markup",
    "dialects/laml/replies": "dialect: markup",
    "dialects/laml/markup": "dialect: markup",
    "webhooks": "question to the application",
    "webhooks/deliver": "status callback",
    "calls": "engine: verbs, events, rows",
    "store": "store",
    "media": "media plane, control side",
    "audio": "sources",
    "routing": "routing",
    "telephony": "SIP",
}
"""Modules, or packages of them, and what they are for a call."""
SHARED = ("net", "webhooks/send", "webhooks/policy", "webhooks/delivery")
"""These work for whoever called them."""
LOOP = "event loop, its system calls, libraries"


class Parts(msgspec.Struct, frozen=True):
    """Seconds of processor time: of the main thread by part, and of each other thread by name."""

    main: dict[str, float]
    threads: dict[str, float]

    def table(self, calls: int) -> Table:
        """A line a part, for one of so many calls."""
        shown = Table(title=f"Where a call's processor time goes in the control process ({calls} calls)")
        for heading in ("part", "ms a call", "share"):
            shown.add_column(heading, justify="left" if heading == "part" else "right")
        lines = [*self.main.items(), *((f"thread {name}", spent) for name, spent in self.threads.items())]
        total = sum(spent for _, spent in lines) or 1.0
        for name, spent in sorted(lines, key=lambda line: -line[1]):
            shown.add_row(name, f"{spent * 1000 / calls:.2f}", f"{spent / total:.0%}")
        return shown


def parts_of(file: Path) -> Parts:
    """What a sampled server wrote."""
    return msgspec.json.decode(file.read_bytes(), type=Parts)


class Sampler:
    """Counts samples of the main thread by part."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._started = 0.0
        self._began = 0.0
        self._threads: dict[str, float] = {}

    def start(self) -> None:
        """Sample from now on."""
        signal.signal(signal.SIGALRM, self._sample)
        self._started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, INTERVAL, INTERVAL)
        self.begin()

    def begin(self) -> None:
        """Forget what was: the start of a server is no part of a call."""
        self.counts.clear()
        self._began = time.thread_time()
        self._threads = threads()

    def now(self) -> Parts:
        """What the samples say of the main thread, and what is left of what it used; all of the others."""
        spent = time.thread_time() - self._began
        main = {part: count * INTERVAL for part, count in self.counts.items() if part != LOOP}
        main[LOOP] = max(0.0, spent - sum(main.values()))
        others = {name: used - self._threads.get(name, 0.0) for name, used in threads().items()}
        return Parts(main, {name: used for name, used in others.items() if used > 0})

    def _sample(self, _: int, frame: FrameType | None) -> None:
        if (time.monotonic() - self._started) % INTERVAL <= AT_ONCE:
            self.counts[part_at(frame)] += 1


def part_at(frame: FrameType | None) -> str:
    """The part of the product that is at work, by the innermost of its frames that is nobody's servant."""
    found = LOOP
    while frame is not None:
        _, inside, module = frame.f_code.co_filename.rpartition(ROOT)
        if inside:
            module = module.removesuffix(".py").replace(os.sep, "/")
            if not module.startswith(SHARED):
                return PARTS.get(module) or PARTS.get(module.partition("/")[0], "other")
            found = "other"
        frame = frame.f_back
    return found


def threads() -> dict[str, float]:
    """Processor seconds of each thread but the main one."""
    spent: defaultdict[str, float] = defaultdict(float)
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.native_id is None:
            continue
        text = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        name = thread.name.rstrip("0123456789_").removeprefix("ringback-")
        spent[name] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return dict(spent)


async def work(config: Path) -> int:
    """Serve, sampled, until a signal comes."""
    sampler = Sampler()
    sampler.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, sampler.begin)
    ended = asyncio.create_task(serve(config))
    parts = sampler.now()
    while not ended.done():
        parts = sampler.now()  # not after the end: the threads are gone by then
        await asyncio.wait({ended}, timeout=0.5)
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    (load(config).server.data_path / PARTS_FILE).write_bytes(msgspec.json.encode(parts))
    return ended.result()


def main() -> None:
    """Serve on the event loop that the product uses."""
    import uvloop

    sys.exit(uvloop.run(work(Path(sys.argv[sys.argv.index("--config") + 1]))))


if __name__ == "__main__":
    main()
