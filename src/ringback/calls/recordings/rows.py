"""A recording as the store keeps it, and back."""

from __future__ import annotations

from uuid import UUID

import msgspec

from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.verbs import RecordingPlan
from ringback.net.clock import epoch, maybe_moment, moment
from ringback.store.records import RecordingRow


def to_recording_row(recording: Recording, *, settled: bool = False) -> RecordingRow:
    """The recording's row; `settled`: nothing is left to do about it, although it looks so."""
    settled = settled or is_settled(recording)
    return RecordingRow(
        id=str(recording.id),
        account_id=str(recording.account_id),
        call_id=str(recording.call_id),
        dialect=recording.dialect,
        profile=recording.profile,
        status=recording.status,
        created_at=recording.created_at.timestamp(),
        started_at=epoch(recording.started_at),
        ended_at=epoch(recording.ended_at),
        updated_at=recording.updated_at.timestamp(),
        settled_at=recording.updated_at.timestamp() if settled else None,
        duration=recording.duration,
        size=recording.size,
        location=recording.location,
        error=recording.error,
        plan=msgspec.to_builtins(recording.plan),
        transcribed=recording.transcribed,
    )


def from_recording_row(row: RecordingRow) -> Recording:
    """The recording of a row."""
    return Recording(
        id=UUID(row.id),
        account_id=UUID(row.account_id),
        call_id=UUID(row.call_id),
        dialect=row.dialect,
        profile=row.profile,
        plan=msgspec.convert(row.plan, RecordingPlan),
        status=RecordingStatus(row.status),
        created_at=moment(row.created_at),
        started_at=maybe_moment(row.started_at),
        ended_at=maybe_moment(row.ended_at),
        updated_at=moment(row.updated_at),
        duration=row.duration,
        size=row.size,
        location=row.location,
        error=row.error,
    )


def is_settled(recording: Recording) -> bool:
    """Whether nothing is left to do: to finish it, to store or send it, or to remove it from the folder."""
    return recording.status.final and not wants_copy(recording) and not is_elsewhere(recording)


def is_elsewhere(recording: Recording) -> bool:
    """Whether its location is a URL, and not a name in the folder."""
    return "://" in recording.location


def wants_copy(recording: Recording) -> bool:
    """Whether the application wants the file itself, and there is one to send."""
    return recording.plan.upload is not None and recording.status is RecordingStatus.COMPLETED
