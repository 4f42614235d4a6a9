"""What the machine says about itself: cores, processor time, memory, and whether anybody else was at work."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

TICK = os.sysconf("SC_CLK_TCK")
ONE_CORE = "one core only: the load shares it with the server, so the figures are worse than the server is"
MOUNTS = Path("/proc/self/mounts")
IN_MEMORY = {"tmpfs", "ramfs"}
"""File systems of which nothing is left when the machine stops."""
NOT_DURABLE = "{folder} is on {kind}: nothing here is durable, and syncs cost nothing; set TMPDIR"
QUIET = 0.03
"""The share of a core that others may use before figures are doubtful."""
BUILD = ("CONFIG_ARGS", "PY_CFLAGS")
"""Where Python tells how it was built."""
_ESCAPE = re.compile(r"\\([0-7]{3})")
"""How a blank is written in a mount point's name."""
ROLES = {
    "ringback.media.worker": "media",
    "ringback.media.gateway": "recordings",
    "espeak_worker": "speech",
    "ringback": "control",
}
"""What a word of a command line says about its process; the first that fits holds."""


def default_cores() -> tuple[int, int]:
    """A core for the server and one for the load: the first two we may use, or the only one twice."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[min(1, len(cores) - 1)]


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started within the block run on this core only; so does this one meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu(pid: int) -> float:
    """Processor seconds that a process has used; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> int:
    """The proportional set size of a process, in octets; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def family(pid: int) -> dict[int, str]:
    """A process and all its descendants: identifier and role."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = {}, [pid]
    while waiting:
        member = waiting.pop()
        found[member] = _role(member)
        waiting += children.get(member, [])
    return found


def _role(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return "gone"
    return next((role for word, role in ROLES.items() if word in command), "other")


class Usage(msgspec.Struct, frozen=True):
    """What a process and its descendants use, by role: processor seconds so far, octets of memory now."""

    cpu: dict[str, float]
    memory: dict[str, int]

    @classmethod
    def of(cls, pid: int) -> Usage:
        """As of now."""
        spent: dict[str, float] = {}
        held: dict[str, int] = {}
        for member, role in family(pid).items():
            spent[role] = spent.get(role, 0.0) + cpu(member)
            held[role] = held.get(role, 0) + memory(member)
        return cls(spent, held)

    def since(self, before: Usage) -> dict[str, float]:
        """Processor seconds by role since another moment."""
        return {role: spent - before.cpu.get(role, 0.0) for role, spent in self.cpu.items()}

    @property
    def total_memory(self) -> int:
        """Octets, all together."""
        return sum(self.memory.values())


def busy(core: int) -> float:
    """Seconds for which a core was at work since the start of the machine, stolen time included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal, *_ = map(int, fields)
            return (user + nice + system + irq + softirq + steal) / TICK
    return 0.0


def python_build() -> str:
    """Which Python this is, and with which of the two optimisations that decide about its speed it was built:
    profile-guided (PGO) and at link time (LTO)."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{version} ({optimisations(*(str(sysconfig.get_config_var(name)) for name in BUILD))})"


def optimisations(arguments: str, flags: str) -> str:
    """The same in words, of what `configure` was told and of the compiler's flags."""
    guided = (
        "--enable-optimizations" in arguments or "-fprofile-use" in flags or "-fprofile-instr-use" in flags
    )
    linked = "--with-lto" in arguments or "-flto" in flags
    both = (("PGO", guided), ("LTO", linked))
    return ", ".join(f"configured {'with' if there else 'without'} {name}" for name, there in both)


def file_system(folder: Path, mounts: str | None = None) -> str:
    """On what kind of file system a folder is, such as `ext4`; `unknown` where nothing says so. `mounts`: as
    in /proc/self/mounts, which is read by default."""
    if mounts is None:
        try:
            mounts = MOUNTS.read_text()
        except OSError:
            return "unknown"
    place, kind, longest = folder.resolve(), "unknown", -1
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        mounted = Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), point))
        # Of two on the same place the later one hides the earlier.
        if place.is_relative_to(mounted) and len(mounted.parts) >= longest:
            kind, longest = name, len(mounted.parts)
    return kind


def durability(folder: Path) -> str:
    """A warning where what is written into a folder does not outlive the machine; empty elsewhere."""
    kind = file_system(folder)
    return NOT_DURABLE.format(folder=folder, kind=kind) if kind in IN_MEMORY else ""


def quietness(others: float) -> str:
    """What to say of the share of the server's core that others had."""
    if others <= QUIET:
        return f"quiet: others had {max(0.0, others):.0%} of the server's core"
    return f"NOT QUIET: others had {others:.0%} of the server's core; measure again"
