"""SIDs as each profile spells them: `CA` and 32 hex digits at Twilio, a dashed UUID at SignalWire."""

from __future__ import annotations

from uuid import UUID

from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.spelling import prefixed
from ringback.store.ids import spelled

ACCOUNT, CALL, APPLICATION, NUMBER, NOTIFICATION = "AC", "CA", "AP", "PN", "NO"
RECORDING, TRANSCRIPTION = "RE", "TR"


def spell(profile: Profile, kind: str, id: UUID) -> str:
    """The SID of a `kind` of thing (its two-letter prefix)."""
    return prefixed(kind, id) if profile is TWILIO else spelled(id)


def spell_or_none(profile: Profile, kind: str, id: UUID | None) -> str | None:
    """The SID, or None where there is nothing to name."""
    return None if id is None else spell(profile, kind, id)
