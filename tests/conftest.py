"""Fixtures that every test folder may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests import ports

# An example takes as long as the machine needs for it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def free_port() -> Callable[..., int]:
    """A port of the loopback address that nobody holds: `free_port()` for TCP, `free_port("udp")`."""
    return ports.free_port
