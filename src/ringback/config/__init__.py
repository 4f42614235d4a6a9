"""The configuration: `ringback.toml`, environment variables over it, a default for everything."""

from __future__ import annotations

from ringback.config.loading import (
    CONNECTION,
    DEFAULT_FILE,
    DEMONSTRATION,
    DEVICE,
    OTHER_DEVICE,
    SAMPLE_APPLICATION,
    demonstration,
    demonstration_account,
    load,
)
from ringback.config.reading import PREFIX, ConfigError
from ringback.config.settings import Settings

__all__ = [
    "CONNECTION",
    "DEFAULT_FILE",
    "DEMONSTRATION",
    "DEVICE",
    "OTHER_DEVICE",
    "PREFIX",
    "SAMPLE_APPLICATION",
    "ConfigError",
    "Settings",
    "demonstration",
    "demonstration_account",
    "load",
]
