"""An application that speaks CallAPI, on one call: how it is asked, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid5

import msgspec

from ringback.calls.application import Action, Ask, Document, Failed, NewCall, Redirected
from ringback.calls.events import CallEvent
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, HangUp, Hook, Note, Pause, Reject
from ringback.dialects.callapi import errors
from ringback.dialects.callapi.fields import Fields, PostStatus, action_fields, progress_fields, voice_fields
from ringback.dialects.callapi.markup import Markup, parse, played, spoken
from ringback.dialects.callapi.place import arrived
from ringback.dialects.callapi.words import event_word
from ringback.dialects.xml import MarkupError
from ringback.net.cookies import Cookies
from ringback.routing.directory import Account
from ringback.webhooks.ask import Asker, WebhookFailure, WebhookReply, WebhookRequest
from ringback.webhooks.delivery import CALLBACK_POLICY, Delivery
from ringback.webhooks.policy import FetchPolicy, RetryPolicy

# RestComm's HTTP client: 6 s for everything, no second attempt, redirects with the same method and fields.
POLICY = FetchPolicy(
    connect_timeout=6.0,
    read_timeout=6.0,
    total_timeout=6.0,
    max_redirects=10,
    redirect_keeps_method=True,
    retries=RetryPolicy(attempts=1),
)
_CALLBACK_POLICY = msgspec.structs.replace(
    CALLBACK_POLICY, connect_timeout=6.0, read_timeout=6.0, redirect_keeps_method=True
)

_RCML = frozenset({"text/xml", "application/xml", "text/html"})
_AUDIO = frozenset({"audio/wav", "audio/wave", "audio/x-wav"})

# A document that ends while the call still rings: RestComm sends this, and a hang-up needs an answered call.
_NOTHING_ANSWERED = Reject(
    sip_status=500, ended_as=CallStatus.FAILED, cause="the document ended before the call was answered"
)

NUMBER_EVENTS = ("ringing", "answered", "completed")
"""What the status callback of a number is told (RestComm: once per state)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the application is asked and told; all that a callback after a restart needs."""

    voice: Hook | None = None
    fallback: Hook | None = None
    status: Hook | None = None
    events: tuple[str, ...] = NUMBER_EVENTS
    detect_voicemail: bool = False


def read_settings(state: Mapping[str, Any]) -> Settings | None:
    """From `CallApiApplication.state()`; None where another dialect made it, or it cannot be read."""
    if state.get("dialect") != CallApiApplication.dialect:
        return None
    try:
        return msgspec.convert(dict(state), Settings)
    except msgspec.ValidationError:
        return None


class CallApiApplication:
    """`ringback.calls.application.Application` for one call."""

    dialect = "callapi"
    profile = ""
    rings_at_once = True

    def __init__(self, services: Services, account: Account, settings: Settings, *, new: bool = True) -> None:
        """`new`: the first request of the call is still to come; else REST moved a running call here."""
        self.settings = settings
        self._services = services
        self._account = account
        self._asker = Asker(services.http)
        self._cookies = Cookies()
        self._fallback = settings.fallback
        self._first = new

    # -- asking

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """The fallback URL is for what begins a script: the first document, and one that REST names."""
        match ask:
            case NewCall():
                return await self._begin(self.settings.voice, call)
            case Redirected(hook=hook, by_control=True):
                return await self._begin(hook, call)
            case Redirected(hook=hook):
                return await self._go_on(hook, call)
            case Action(hook=hook):
                return await self._go_on(hook, call, action_fields(ask.verb, ask.outcome))
            case Failed():
                return await self._fall_back(errors.ending(ask.note.message), (), call)
            case _:
                return await self._go_on(ask.hook, call)

    def for_callee(self, callee: Callee, caller: CallRecord) -> CallApiApplication:
        """The application of a dialled leg: the noun's status callback is its own."""
        reports = callee.reports
        settings = msgspec.structs.replace(
            self.settings,
            status=reports.hook if reports else None,
            events=reports.events if reports else (),
        )
        return CallApiApplication(self._services, self._account, settings, new=False)

    async def _begin(self, hook: Hook | None, call: CallRecord) -> Document:
        notes = self._remarks()
        if hook is None or not hook.url:
            note = errors.warning(errors.NOT_FOUND, "No voice URL is set for the number that was called.")
            return await self._fall_back(errors.ending(note.message, sip_status=404), (*notes, note), call)
        outcome = await self._fetch(hook, call)
        if isinstance(outcome, _Broken):
            return await self._fall_back(outcome.ending, (*notes, outcome.note), call)
        return self._document(outcome, call, notes)

    async def _go_on(self, hook: Hook, call: CallRecord, extra: Fields = ()) -> Document:
        outcome = await self._fetch(hook, call, extra)
        if isinstance(outcome, _Broken):
            return self._last(outcome.ending, (outcome.note,))
        return self._document(outcome, call)

    async def _fall_back(self, ending: HangUp, notes: tuple[Note, ...], call: CallRecord) -> Document:
        """Ask the fallback URL, once in a call; without one, or when it fails too, this is the end."""
        hook, self._fallback = self._fallback, None
        if hook is None:
            return self._last(ending, notes)
        outcome = await self._fetch(hook, call)
        if isinstance(outcome, _Broken):
            return self._last(outcome.ending, (*notes, outcome.note))
        return self._document(outcome, call, notes)

    async def _fetch(self, hook: Hook, call: CallRecord, extra: Fields = ()) -> Markup | _Broken:
        post_status: PostStatus = "new" if self._first else "callback"
        self._first = False
        request = WebhookRequest(
            url=hook.url,
            method=hook.method,
            fields=(*voice_fields(call, self._services.instance, post_status), *extra),
            auth=_credentials(hook),
            policy=POLICY,
            query_to_body=True,
        )
        try:
            reply = await self._asker.ask(request, self._cookies)
        except WebhookFailure as failure:
            return _unfetched(failure)
        return _read(hook, reply)

    def _document(self, markup: Markup, call: CallRecord, notes: tuple[Note, ...] = ()) -> Document:
        verbs, notes = markup.verbs, (*notes, *markup.notes)
        if call.answered_at is None and all(isinstance(verb, Pause) for verb in verbs):
            verbs = (*verbs, _NOTHING_ANSWERED)
        return Document(verbs=verbs, application=self, at_end=HangUp(), notes=notes)

    def _last(self, ending: HangUp, notes: tuple[Note, ...]) -> Document:
        return Document(verbs=(ending,), application=self, at_end=ending, notes=notes)

    def _remarks(self) -> tuple[Note, ...]:
        if not (self._first and self.settings.detect_voicemail):
            return ()
        message = "DetectVoicemail is not supported: no VoicemailDetector field is sent."
        return (errors.warning(errors.VERB_NOT_SUPPORTED, message),)

    # -- telling

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """The status callback, for the progress events that it is subscribed to."""
        word = event_word(event, call)
        hook = self.settings.status
        if hook is None or word is None or word not in self.settings.events:
            return ()
        id = str(uuid5(call.id, f"callapi:{call.progress}"))
        fields = voice_fields(call, self._services.instance, "callback")
        return (
            Delivery(
                id=id,
                token=id,
                account_id=str(self._account.id),
                call_id=str(call.id),
                sequence=call.progress,
                url=hook.url,
                method=hook.method,
                fields=(*fields, *progress_fields(event, call)),
                auth=_credentials(hook),
                query_to_body=True,
                policy=_CALLBACK_POLICY,
            ),
        )

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Nothing is connected."""

    def state(self) -> Mapping[str, Any]:
        """The settings, and whose they are."""
        return {"dialect": self.dialect, **msgspec.to_builtins(self.settings)}

    async def close(self) -> None:
        """Nothing is held open."""


class _Broken(msgspec.Struct, frozen=True):
    """No document: why, and how the call ends unless there is a fallback."""

    note: Note
    ending: HangUp


def _unfetched(failure: WebhookFailure) -> _Broken:
    note = errors.failure_note(failure)
    if failure.status == 404:
        return _Broken(note, errors.ending("URL Not Found", sip_status=404))
    return _Broken(note, errors.ending(_reason(failure)))


def _reason(failure: WebhookFailure) -> str:
    """Short, and without the URL: callers and carriers read it."""
    if failure.kind == "http-status":
        return f"Application answered with status {failure.status}"
    return {
        "timeout": "Application did not answer in time",
        "too-large": "Application sent too large a document",
        "too-many-redirects": "Application redirected too often",
    }.get(failure.kind, "Application could not be reached")


def _read(hook: Hook, reply: WebhookReply) -> Markup | _Broken:
    place = arrived(hook, reply.url)
    kind = reply.content_type
    if kind in _AUDIO:
        return played(place.hook.url)
    if kind == "text/plain":
        return spoken(reply.text())
    if kind not in _RCML:
        note = errors.error(
            errors.BAD_CONTENT_TYPE, f"Invalid content type {kind or '(none)'}.", url=reply.url
        )
        return _Broken(note, errors.ending("Invalid content type"))
    try:
        return parse(reply.body, place, charset=reply.named_charset)
    except MarkupError as problem:
        note = errors.error(errors.BAD_DOCUMENT, problem.message, url=reply.url, line=problem.line)
        return _Broken(note, errors.ending("Problem to parse downloaded RCML"))


def _credentials(hook: Hook) -> tuple[str, str] | None:
    return None if hook.username is None else (hook.username, hook.password or "")
