"""What happened to a call, in words: a kind and a line of text for every event."""

from __future__ import annotations

from ringback.calls import events, verbs
from ringback.calls.outcome import Outcome
from ringback.calls.recording import Recording


def describe(event: events.CallEvent) -> tuple[str, str]:
    """Kind and text of the event's line."""
    match event:
        case events.CallReceived():
            via = f" through {event.trunk}" if event.trunk else f" by {event.client}" if event.client else ""
            return "call", f"call from {event.from_} to {event.to}{via}"
        case events.CallRequested():
            return "call", f"call from {event.from_} to {event.to} requested"
        case events.CallInitiated():
            return "call", f"calling {event.target}" + (f" through {event.trunk}" if event.trunk else "")
        case events.CallRerouted():
            failed = f"{event.sip_status} {event.sip_reason}, {event.cause}"
            via = f" through {event.trunk}" if event.trunk else ""
            return "call", f"that way failed ({failed}): calling {event.target}{via}"
        case events.CallRinging():
            early = ", early media" if event.early_media else ""
            return "call", f"ringing ({event.sip_status} {event.sip_reason}{early})"
        case events.CallAnswered():
            return "call", "answered"
        case events.CallEnded():
            return "call", f"ended: {event.status}, {event.cause} ({event.sip_status} {event.sip_reason})"
        case events.DocumentAsked():
            return "verb", f"asking the application: {event.what}" + (f" {event.url}" if event.url else "")
        case events.DocumentReceived():
            names = ", ".join(event.verbs) or "nothing"
            return "verb", f"document after {event.milliseconds} ms: {names}"
        case events.VerbStarted():
            return "verb", _verb(event.verb)
        case events.VerbEnded():
            return "verb", f"{event.verb} ended: {_outcome(event.outcome)}"
        case events.DigitReceived():
            return "key", f"key {event.key} ({event.method})"
        case events.CallTagged():
            return "note", f"tagged {event.data}"
        case events.CallControlled():
            return "call", f"from outside: {event.what}"
        case events.Noted():
            return "note", f"{event.note.level} {event.note.code}: {event.note.message}"
        case events.MediaMissing():
            return "media", f"no RTP for {event.seconds:.0f} s: {event.cause}"
        case events.MediaResumed():
            return "media", "RTP is there again"
        case events.Bridged():
            return "call", f"connected with {event.other}"
        case events.Unbridged():
            return "call", f"no longer connected with {event.other}"
        case events.Held():
            return "call", "holds the call" if event.held else "takes the call off hold"
        case events.KeysMatched():
            return "key", f"keys {event.keys} were waited for"
        case events.AnswererDetected():
            return "media", f"who answered: {event.what}" + (f" ({event.reason})" if event.reason else "")
        case events.ReferProgress():
            return "call", f"transfer: {event.sip_status} {event.sip_reason}"
        case events.ReferReceived():
            return "call", f"asks to be transferred to {event.refer_to}: {event.sip_status}"
        case events.RecordingChanged():
            return "media", _recording(event.recording)
        case events.TranscriptionFailed():
            return "note", f"recording {event.recording.id} has no transcription: nothing recognises speech"


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
