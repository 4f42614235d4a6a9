"""What an application is told of its call without being asked: by status callbacks, hooks, and its socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from ringback.calls.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallRinging,
    KeysMatched,
    Noted,
    ReferProgress,
    VerbEnded,
    VerbStarted,
)
from ringback.calls.record import CallRecord
from ringback.calls.verbs import Hook, Note
from ringback.dialects.jambonz.callbacks import Statuses, delivery, status_id
from ringback.dialects.jambonz.incidents import keys_matched, refer_progress
from ringback.dialects.jambonz.lines import Lines
from ringback.dialects.jambonz.payload import Payload
from ringback.dialects.jambonz.session import Session, is_http_url
from ringback.dialects.jambonz.verbstatus import VerbReports

if TYPE_CHECKING:
    from ringback.routing.directory import Account
    from ringback.webhooks.delivery import Delivery


class Teller:
    """Renders the events of one call, and sends those that go over a socket."""

    def __init__(
        self, account: Account, lines: Lines, public_url: str, *, progress_hook: Hook | None = None
    ) -> None:
        self._progress_hook = progress_hook
        """Told how the call of a transfer goes, as it is told when the far end places that call."""
        self._account = account
        self._lines = lines
        self._public_url = public_url
        self._statuses = Statuses(public_url)
        self._untold: deque[Payload] = deque()
        self._verbs = VerbReports()

    def due(
        self, event: CallEvent, call: CallRecord, status_hook: Hook | None, session: Session
    ) -> Sequence[Delivery]:
        """The callback due for this event, if any; a status that goes over a socket is kept for `tell`."""
        if isinstance(event, KeysMatched | ReferProgress):
            return self._event_hook(event, call, session)
        progress = self._progress(event, call)
        told = self._event_hook(progress, call, session) if progress is not None else ()
        payload = self._statuses.due(event, call)
        if payload is None:
            return told
        if status_hook is not None and is_http_url(status_hook.url):
            hook = self._lines.with_credentials(status_hook)
            return (*told, delivery(hook, payload, call, self._account, id=status_id(payload, call)))
        if "error" not in payload:
            self._untold.append(payload)
        return told

    def _progress(self, event: CallEvent, call: CallRecord) -> ReferProgress | None:
        """Ringing, and what the call came to: its answer, or the failure in place of one."""
        hook = self._progress_hook
        match event:
            case _ if hook is None:
                return None
            case CallRinging(sip_status=status, sip_reason=reason):
                return ReferProgress(sip_status=status, sip_reason=reason, hook=hook)
            case CallAnswered():
                return ReferProgress(sip_status=200, sip_reason="OK", hook=hook)
            case CallEnded(sip_status=status, sip_reason=reason) if call.answered_at is None:
                return ReferProgress(sip_status=status, sip_reason=reason, hook=hook)
        return None

    def _event_hook(
        self, event: KeysMatched | ReferProgress, call: CallRecord, session: Session
    ) -> Sequence[Delivery]:
        hook = event.hook
        if hook is None or not (is_http_url(hook.url) or not session.socket):
            return ()
        payload = self._event_payload(event, call)
        return (delivery(self._lines.with_credentials(hook), payload, call, self._account, id=uuid4()),)

    def _event_payload(self, event: KeysMatched | ReferProgress, call: CallRecord) -> Payload:
        if isinstance(event, KeysMatched):
            return keys_matched(event, call, self._public_url)
        return refer_progress(event)

    def tell(self, event: CallEvent, call: CallRecord, status_hook: Hook | None, session: Session) -> None:
        """Tell over a socket what goes there."""
        if self._untold or session.socket:
            line = self._lines.telling(status_hook, call, needed=bool(self._untold))
            while self._untold:
                payload = self._untold.popleft()
                if line is not None:
                    line.tell("call:status", payload)
        own = self._lines.shared() if session.socket else None
        if own is None:
            return
        what: CallEvent = self._progress(event, call) or event
        match what:
            case Noted() if what.note.level == "error":
                own.tell("jambonz:error", _error(what.note))
            case VerbStarted() | VerbEnded():
                report = self._verbs.report(what)
                if session.notify_events:
                    own.tell("verb:status", report)
            case KeysMatched() | ReferProgress() if what.hook is not None:
                if not is_http_url(what.hook.url):
                    own.tell("verb:hook", self._event_payload(what, call), hook=what.hook.url)


def _error(note: Note) -> Payload:
    payload: Payload = {"msg": note.message, "details": note.message, "code": note.code}
    if "verb" in note.detail:
        payload["verb"] = note.detail["verb"]
    return payload
