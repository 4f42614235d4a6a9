"""Fixtures that every test folder may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests import ports


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def free_port() -> Callable[..., int]:
    """A port of the loopback address that nobody holds: `free_port()` for TCP, `free_port("udp")`."""
    return ports.free_port
