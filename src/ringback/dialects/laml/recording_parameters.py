"""The parameters that ask for a recording: of a call to be made, and of one that is up. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.calls.verbs import Hook, Note, RecordingPlan
from ringback.dialects.http import Parameters, words
from ringback.dialects.laml import checks, notes
from ringback.dialects.laml.errors import ApiError
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.laml.recorded import EVENTS, TRACKS, TRIMS, with_failures

_CHANGES = {"paused": "pause", "in-progress": "resume", "stopped": "stop"}


def read_plan(
    given: Parameters, *, source: str, trim: str = "do-not-trim"
) -> tuple[RecordingPlan, tuple[Note, ...]]:
    """What to record and who is told; remarks on what was left out. `trim` is the resource's default.

    Raises:
        ApiError: 20422, 21209 or 21609.
    """
    url = checks.url(given, "RecordingStatusCallback", 21609)
    method = checks.method(given, "RecordingStatusCallbackMethod")
    events, remarks = _events(given.all("RecordingStatusCallbackEvent"))
    plan = RecordingPlan(
        source=source,
        channels=2 if checks.one_of(given, "RecordingChannels", ("mono", "dual"), "mono") == "dual" else 1,
        track=checks.one_of(given, "RecordingTrack", TRACKS, "both"),
        trim=checks.one_of(given, "Trim", TRIMS, trim) == "trim-silence",
        report=None if url is None else Hook(url=url, method=method),
        events=with_failures(events),
    )
    return plan, remarks


def _events(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    named = words(given)
    remarks = tuple(
        notes.warning("13621", f"RecordingStatusCallbackEvent {word!r} is not known")
        for word in named
        if word not in EVENTS
    )
    return tuple(word for word in dict.fromkeys(named) if word in EVENTS) or ("completed",), remarks


def read_change(given: Parameters, profile: Profile) -> tuple[str, bool]:
    """(`pause`, `resume` or `stop`; whether a pause is silence in the file).

    Raises:
        ApiError: 20422 (10000 at SignalWire).
    """
    status = given.get("Status").strip()
    if status not in _CHANGES:
        raise ApiError(
            20422 if profile is TWILIO else 10000,
            f"Invalid Status: expected {' or '.join(_CHANGES)}, got {status[:100]!r}",
        )
    return _CHANGES[status], checks.one_of(
        given, "PauseBehavior", ("silence", "skip"), "silence"
    ) == "silence"
