"""What may be done with recordings from outside, by REST handlers. Those under way are their calls' matter
(`ringback.calls.control.Calls`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from ringback.calls.control import ControlError

if TYPE_CHECKING:
    from ringback.calls.recordings.recording import Recording, RecordingStatus


class NoSuchRecording(ControlError):
    """No recording of this account, or of this call, has that id."""


class RecordingIsLive(ControlError):
    """A recording can be deleted only after it ended."""


class RecordingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which recordings to list; every field given must match."""

    account_id: UUID
    call_ids: frozenset[UUID] | None = None
    statuses: frozenset[RecordingStatus] | None = None
    created_from: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Exclusive."""
    transcribed: bool = False
    """Only those that a text was wanted of. See `Recording.transcribed`."""
    order: str = "newest"
    """`newest`, `oldest`, or `FIELD` / `-FIELD` for created_at, duration, call_id."""


class RecordingFile(msgspec.Struct, frozen=True, kw_only=True):
    """A recording's audio, ready to be sent: a local file, or a URL to go to."""

    media_type: str
    path: Path | None = None
    url: str | None = None


class Recordings(Protocol):
    """All recordings of this server. Ids of another account behave like ids that do not exist."""

    async def get(self, account_id: UUID | None, recording_id: UUID) -> Recording:
        """One recording; of any account where none is given (media without credentials).

        Raises:
            NoSuchRecording
        """
        ...

    async def list(self, which: RecordingFilter, *, limit: int, offset: int = 0) -> Sequence[Recording]:
        """A page of recordings."""
        ...

    async def count(self, which: RecordingFilter) -> int:
        """How many recordings match."""
        ...

    async def file(
        self, recording: Recording, *, form: str = "wav", channels: int | None = None
    ) -> RecordingFile:
        """Its audio as `wav` or `mp3`; `channels` mixes two channels down to one.

        Raises:
            NoSuchRecording: there is no file (not finished yet, absent, failed, removed).
            Overloaded: it would have to be converted, and too many others wait for that.
        """
        ...

    async def delete(self, account_id: UUID, recording_id: UUID) -> None:
        """Forget a recording and its file.

        Raises:
            NoSuchRecording, RecordingIsLive (not finished yet), Overloaded (it cannot be removed now)
        """
        ...

    async def forget_transcription(self, account_id: UUID, recording_id: UUID) -> None:
        """Forget that a text was wanted of a recording; the recording stays.

        Raises:
            NoSuchRecording, RecordingIsLive (it is still being stored)
        """
        ...
