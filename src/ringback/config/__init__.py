"""The configuration: `ringback.toml`, environment variables over it, a default for everything."""

from __future__ import annotations

from ringback.config.loading import (
    DEFAULT_FILE,
    DEMONSTRATION,
    DEVICE,
    SAMPLE_APPLICATION,
    demonstration,
    load,
)
from ringback.config.reading import ConfigError
from ringback.config.settings import Settings

__all__ = [
    "DEFAULT_FILE",
    "DEMONSTRATION",
    "DEVICE",
    "SAMPLE_APPLICATION",
    "ConfigError",
    "Settings",
    "demonstration",
    "load",
]
