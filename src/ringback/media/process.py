"""What the media plane's processes have in common."""

from __future__ import annotations

import contextlib
import os

REAL_TIME = (os.SCHED_FIFO, os.SCHED_RR)


def environment() -> dict[str, str]:
    """One thread for linear algebra: more of them would fight with the tick for its core."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(threads, "1")}


def ended(code: int) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def step_back(pid: int = 0) -> None:
    """Take from a process that has only just begun (0: this one) the real-time priority that it inherits
    where the server was given one, as by `chrt`: that is for what keeps time.
    """
    with contextlib.suppress(OSError):  # some sandboxes forbid even that, and it may be gone already
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def step_forward() -> None:
    """Where the server was given real-time priority, take a step more than it has, as far as permitted."""
    with contextlib.suppress(OSError):
        policy = os.sched_getscheduler(0)
        if policy in REAL_TIME:
            os.sched_setscheduler(0, policy, os.sched_param(os.sched_getparam(0).sched_priority + 1))
