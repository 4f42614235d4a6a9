"""What the media plane's processes have in common."""

from __future__ import annotations

import os


def environment() -> dict[str, str]:
    """One thread for linear algebra: more of them would fight with the tick for its core."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(threads, "1")}


def ended(code: int) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
