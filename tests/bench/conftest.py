"""Benches run one at a time, also where several workers or suites test."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each takes the first cores of the machine for itself: two would measure, and starve, each other."""
    if "short_run" not in request.node.name:
        yield
        return
    with (Path(tempfile.gettempdir()) / f"ringback-benches-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
