"""A recording of a call, as a value: what it is of, how far it has got, where it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from ringback.calls.verbs import RecordingPlan

NOT_STORED = "it could not be stored"
"""What the error of a recording begins with whose file is complete, but not where it belongs."""


class RecordingStatus(StrEnum):
    """Where a recording is in its life; the last three are final."""

    IN_PROGRESS = "in-progress"
    PAUSED = "paused"
    PROCESSING = "processing"
    """Ended; it is being finished and stored."""
    COMPLETED = "completed"
    ABSENT = "absent"
    """There is nothing to keep."""
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (RecordingStatus.COMPLETED, RecordingStatus.ABSENT, RecordingStatus.FAILED)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording at one moment. Times are UTC, `duration` is seconds of audio."""

    id: UUID
    account_id: UUID
    call_id: UUID
    """The call that was recorded; of two connected ones the caller's."""
    dialect: str = ""
    profile: str = ""
    plan: RecordingPlan
    status: RecordingStatus
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    updated_at: datetime
    duration: float = 0.0
    size: int = 0
    """Octets of the stored file."""
    location: str = ""
    """Where the file is: a name in the recordings folder, or the URL that it was stored under."""
    error: str | None = None
    """Why it failed; of a completed one, why it ends early."""

    @property
    def finished(self) -> bool:
        """Whether its file, if there is one, stays as it is: closed, trimmed, its length known."""
        return self.status.final or bool(self.location)

    @property
    def not_stored(self) -> bool:
        """Whether it has failed only because its file could not be stored elsewhere."""
        return self.error is not None and self.error.startswith(NOT_STORED)

    @property
    def transcribed(self) -> bool:
        """Whether a text of it was wanted, and it has come so far that there could be one."""
        return bool(self.location) and self.plan.transcription is not None
