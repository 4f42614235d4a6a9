"""`verb:status` messages: which verb starts and which has finished."""

from __future__ import annotations

from ringback.calls.events import VerbEnded, VerbStarted
from ringback.calls.verbs import Verb
from ringback.dialects.jambonz.payload import Payload

_NAMES = {
    "Answer": "answer",
    "Configure": "config",
    "ControlRecording": "config",
    "Gather": "gather",
    "HangUp": "hangup",
    "Pause": "pause",
    "Play": "play",
    "Redirect": "redirect",
    "Refer": "sip:refer",
    "Reject": "sip:decline",
    "Ring": "alert",
    "Say": "say",
    "SendDigits": "dtmf",
    "SendRequest": "sip:request",
    "Tag": "tag",
    "Transfer": "transfer",
}


class VerbReports:
    """Renders the verb events of one call; the end of a verb has the id that it started with."""

    def __init__(self) -> None:
        self._running: Verb | None = None

    def report(self, event: VerbStarted | VerbEnded) -> Payload:
        """The data of a `verb:status`."""
        if isinstance(event, VerbStarted):
            self._running = event.verb
            return _status("starting", type(event.verb).__name__, event.verb.id)
        id = self._running.id if self._running is not None else None
        return _status("finished", event.verb, id)


def verb_name(verb: str) -> str:
    """A verb of ours, by the name of its type, in this service's words."""
    return _NAMES.get(verb, verb.lower())


def _status(event: str, verb: str, id: str | None) -> Payload:
    name = verb_name(verb)
    # Some readers look for `name`, others for `verb`.
    payload: Payload = {"event": event, "name": name, "verb": name}
    if id is not None:
        payload["id"] = id
    return payload
