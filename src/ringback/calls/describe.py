"""What happened to a call, in words: a kind and a line of text for every event."""

from __future__ import annotations

from ringback.calls import events, verbs
from ringback.calls.outcome import Outcome
from ringback.calls.recordings.recording import Recording

_Progress = (
    events.CallReceived
    | events.CallRequested
    | events.CallInitiated
    | events.CallRerouted
    | events.CallRinging
    | events.CallAnswered
    | events.CallEnded
)
_Party = (
    events.CallControlled
    | events.Bridged
    | events.Unbridged
    | events.Held
    | events.ReferProgress
    | events.ReferReceived
)
_Verb = events.DocumentAsked | events.DocumentReceived | events.VerbStarted | events.VerbEnded
_Key = events.DigitReceived | events.KeysMatched
_Media = events.MediaMissing | events.MediaResumed | events.AnswererDetected | events.RecordingChanged
_Note = events.CallTagged | events.Noted | events.TranscriptionFailed


def describe(event: events.CallEvent) -> tuple[str, str]:
    """Kind and text of the event's line."""
    if isinstance(event, _Progress):
        return "call", _progress(event)
    if isinstance(event, _Party):
        return "call", _party(event)
    if isinstance(event, _Verb):
        return "verb", _script(event)
    if isinstance(event, _Key):
        return "key", _key(event)
    if isinstance(event, _Media):
        return "media", _media(event)
    return "note", _note(event)


def _progress(event: _Progress) -> str:
    match event:
        case events.CallReceived():
            via = f" through {event.trunk}" if event.trunk else f" by {event.client}" if event.client else ""
            return f"call from {event.from_} to {event.to}{via}"
        case events.CallRequested():
            return f"call from {event.from_} to {event.to} requested"
        case events.CallInitiated():
            return f"calling {event.target}" + (f" through {event.trunk}" if event.trunk else "")
        case events.CallRerouted():
            failed = f"{event.sip_status} {event.sip_reason}, {event.cause}"
            via = f" through {event.trunk}" if event.trunk else ""
            return f"that way failed ({failed}): calling {event.target}{via}"
        case events.CallRinging():
            early = ", early media" if event.early_media else ""
            return f"ringing ({event.sip_status} {event.sip_reason}{early})"
        case events.CallAnswered():
            return "answered"
        case events.CallEnded():
            return f"ended: {event.status}, {event.cause} ({event.sip_status} {event.sip_reason})"


def _party(event: _Party) -> str:
    match event:
        case events.CallControlled():
            return f"from outside: {event.what}"
        case events.Bridged():
            return f"connected with {event.other}"
        case events.Unbridged():
            return f"no longer connected with {event.other}"
        case events.Held():
            return "holds the call" if event.held else "takes the call off hold"
        case events.ReferProgress():
            return f"transfer: {event.sip_status} {event.sip_reason}"
        case events.ReferReceived():
            return f"asks to be transferred to {event.refer_to}: {event.sip_status}"


def _script(event: _Verb) -> str:
    match event:
        case events.DocumentAsked():
            return f"asking the application: {event.what}" + (f" {event.url}" if event.url else "")
        case events.DocumentReceived():
            names = ", ".join(event.verbs) or "nothing"
            return f"document after {event.milliseconds} ms: {names}"
        case events.VerbStarted():
            return _verb(event.verb)
        case events.VerbEnded():
            return f"{event.verb} ended: {_outcome(event.outcome)}"


def _key(event: _Key) -> str:
    match event:
        case events.DigitReceived():
            return f"key {event.key} ({event.method})"
        case events.KeysMatched():
            return f"keys {event.keys} were waited for"


def _media(event: _Media) -> str:
    match event:
        case events.MediaMissing():
            return f"no RTP for {event.seconds:.0f} s: {event.cause}"
        case events.MediaResumed():
            return "RTP is there again"
        case events.AnswererDetected():
            return f"who answered: {event.what}" + (f" ({event.reason})" if event.reason else "")
        case events.RecordingChanged():
            return _recording(event.recording)


def _note(event: _Note) -> str:
    match event:
        case events.CallTagged():
            return f"tagged {event.data}"
        case events.Noted():
            return f"{event.note.level} {event.note.code}: {event.note.message}"
        case events.TranscriptionFailed():
            return f"recording {event.recording.id} has no transcription: nothing recognises speech"


def _recording(recording: Recording) -> str:
    what = f"recording {recording.status}"
    if recording.status.final and recording.duration:
        what += f", {recording.duration:.2f} s"
    return what + (f": {recording.error}" if recording.error else "")


def _verb(verb: verbs.Verb) -> str:
    match verb:
        case verbs.Say():
            return f"Say “{_short(' '.join(verb.texts))}”"
        case verbs.Play():
            return "Play " + ", ".join(_clip(clip) for clip in verb.clips)
        case verbs.Pause():
            return f"Pause {verb.seconds:g} s"
        case verbs.Gather():
            prompts = "; ".join(_verb(prompt) for prompt in verb.prompts)
            return f"Gather {prompts}".rstrip()
        case verbs.SendDigits():
            return f"SendDigits {verb.digits}"
        case verbs.Redirect():
            return f"Redirect {verb.hook.url}"
        case verbs.Dial():
            return "Dial " + ", ".join(callee.shown for callee in verb.callees)
        case verbs.Refer():
            return f"Refer to {verb.refer_to}"
        case verbs.Transfer():
            return f"Transfer by {_verb(verb.by)}"
        case verbs.ControlRecording():
            return f"ControlRecording {verb.what}"
        case verbs.Reject():
            return f"Reject {verb.sip_status}"
        case _:
            return type(verb).__name__


def _clip(clip: verbs.Clip | verbs.Silence) -> str:
    return clip.url if isinstance(clip, verbs.Clip) else f"{clip.milliseconds} ms of silence"


def _outcome(outcome: Outcome) -> str:
    if outcome.error:
        return f"{outcome.end}, {outcome.error}"
    if outcome.digits is not None:
        return f"{outcome.end}, digits {outcome.digits!r}"
    return str(outcome.end)


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
