"""Configure: how the rest of a call behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ringback.calls.detection import detect_beside
from ringback.calls.verbs import Clip, Configure, Hook

if TYPE_CHECKING:
    from ringback.calls.call import Call


class CallSettings(msgspec.Struct, frozen=True):
    """What Configure has set so far."""

    hold_music: Clip | None = None
    refer_hook: Hook | None = None
    request_hook: Hook | None = None


def configure(call: Call, verb: Configure) -> None:
    """Change what the verb names, and leave the rest as it is."""
    named = {name: getattr(verb, name) for name in CallSettings.__struct_fields__}
    changes = {name: value for name, value in named.items() if value is not None}
    call.settings = msgspec.structs.replace(call.settings, **changes)
    if verb.gain_db is not None:
        call.leg.amplify(verb.gain_db)
    if verb.detection is not None:
        detect_beside(call, verb.detection)
