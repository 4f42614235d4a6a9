"""Fixtures that every test folder may use."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def free_port() -> Callable[..., int]:
    """A port of the loopback address that nobody holds: `free_port()` for TCP, `free_port("udp")`."""

    def find(transport: str = "tcp", host: str = "127.0.0.1") -> int:
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
            return port

    return find
