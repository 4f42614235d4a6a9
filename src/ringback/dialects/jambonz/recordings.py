"""Recording a call, as `config.record`, REST and the socket's commands ask for it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.calls.verbs import Answering, ControlRecording, Note, RecordingPlan
from ringback.dialects.jambonz.errors import NOT_SUPPORTED, InvalidApplication

WHAT = {
    "startCallRecording": "start",
    "stopCallRecording": "stop",
    "pauseCallRecording": "pause",
    "resumeCallRecording": "resume",
}
_LONGEST_ID = 256


class RecordingChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a call's recording."""

    what: str
    """`start`, `stop`, `pause` or `resume`."""
    plan: RecordingPlan
    silence: bool
    """Pausing leaves silence of that length."""


def read_change(data: dict[str, Any]) -> RecordingChange:
    """A `record` object whose action is one of `WHAT`.

    Recordings have the caller on the left and what it hears on the right.

    Raises:
        InvalidApplication
    """
    name = data.get("recordingID")
    if name is not None and (not isinstance(name, str) or len(name) > _LONGEST_ID):
        raise InvalidApplication("record: property recordingID has invalid data type")
    return RecordingChange(
        what=WHAT[data["action"]],
        plan=RecordingPlan(source="control", channels=2, events=(), custom_id=name or None, alone=True),
        silence=bool(data.get("silence")),
    )


def control(data: dict[str, Any], *, id: str | None, answering: Answering) -> ControlRecording:
    """The verb that does it."""
    change = read_change(data)
    return ControlRecording(
        id=id, answering=answering, what=change.what, recording=change.plan, silence=change.silence
    )


def siprec_note(data: dict[str, Any]) -> list[Note]:
    """Said when a recording was wanted at a SIPREC server: it is made here, where it can be fetched."""
    url = data.get("siprecServerURL")
    if data["action"] != "startCallRecording" or data.get("type") == "cloud" or not url:
        return []
    message = "record: type siprec is not supported, the call is recorded here as with type cloud"
    return [Note(level="warning", code=NOT_SUPPORTED, message=message, detail={"siprecServerURL": url})]
