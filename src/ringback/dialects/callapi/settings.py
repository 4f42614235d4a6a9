"""Where an application is asked and told, as it is kept with the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ringback.calls.verbs import Hook

DIALECT = "callapi"
NUMBER_EVENTS = ("ringing", "answered", "completed")
"""What the status callback of a number is told (RestComm: once per state)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the application is asked and told; all that a callback after a restart needs."""

    voice: Hook | None = None
    fallback: Hook | None = None
    status: Hook | None = None
    events: tuple[str, ...] = NUMBER_EVENTS
    detect_voicemail: bool = False
    refer: Hook | None = None
    """Asked when a party of a Dial wants to be transferred."""


def read_settings(state: Mapping[str, Any]) -> Settings | None:
    """From `CallApiApplication.state()`; None where another dialect made it, or it cannot be read."""
    if state.get("dialect") != DIALECT:
        return None
    try:
        return msgspec.convert(dict(state), Settings)
    except msgspec.ValidationError:
        return None
