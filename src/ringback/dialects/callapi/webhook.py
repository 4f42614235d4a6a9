"""An application that speaks CallAPI, on one call: how it is asked, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from ringback.calls.application import (
    Action,
    Ask,
    Document,
    Failed,
    NewCall,
    Redirected,
    Referred,
    Screening,
)
from ringback.calls.control import NoSuchCall
from ringback.calls.events import CallEvent, RecordingChanged, TranscriptionFailed
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.services import Services
from ringback.calls.status import CallStatus
from ringback.calls.verbs import Callee, Dial, HangUp, Hook, Note, Pause, Reject, Verb
from ringback.dialects.callapi import errors
from ringback.dialects.callapi.fetched import Broken, read_reply, unfetched
from ringback.dialects.callapi.fields import (
    Fields,
    Here,
    PostStatus,
    action_fields,
    progress_fields,
    refer_fields,
    screening_fields,
    transcription_fields,
    voice_fields,
)
from ringback.dialects.callapi.markup import Markup
from ringback.dialects.callapi.settings import DIALECT, Settings
from ringback.dialects.callapi.sids import own_headers
from ringback.dialects.progress import progress_event
from ringback.net.cookies import Cookies
from ringback.routing.directory import Account
from ringback.store.ids import spelled
from ringback.webhooks.ask import WebhookFailure, WebhookRequest
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

# A document that ends while the call still rings: RestComm sends this, and a hang-up needs an answered call.
_NOTHING_ANSWERED = Reject(
    sip_status=500, ended_as=CallStatus.FAILED, cause="the document ended before the call was answered"
)
_REFUSED = HangUp(cause="the screening refused the call")


class CallApiApplication:
    """`ringback.calls.application.Application` for one call."""

    dialect = DIALECT
    profile = ""
    rings_at_once = True

    def __init__(self, services: Services, account: Account, settings: Settings, *, new: bool = True) -> None:
        """`new`: the first request of the call is still to come; else REST moved a running call here."""
        self.settings = settings
        self._services = services
        self._here = Here(services.instance, services.public_url)
        self._account = account
        self._asker = services.asker(DIALECT)
        self._cookies = Cookies()
        self._fallback = settings.fallback
        self._first = new
        self._screening = False
        self._dialled: UUID | None = None
        self._recording: Recording | None = None

    # -- asking

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """The fallback URL is for what begins a script: the first document, and one that REST names."""
        match ask:
            case NewCall():
                return await self._begin(self.settings.voice, call)
            case Redirected(hook=hook, by_control=True):
                self._screening = False
                return await self._begin(hook, call)
            case Redirected(hook=hook):
                return await self._go_on(hook, call)
            case Action(hook=hook):
                self._dialled = (ask.outcome.callee if isinstance(ask.verb, Dial) else None) or self._dialled
                return await self._go_on(hook, call, action_fields(ask.verb, ask.outcome, self._here))
            case Failed():
                return await self._fall_back(errors.ending(ask.note.message), (), call)
            case Screening():
                return await self._screen(ask, call)
            case Referred():
                return await self._refer(ask, call)
            case _:
                return await self._go_on(ask.hook, call)

    def for_callee(self, callee: Callee, caller: CallRecord) -> CallApiApplication:
        """The application of a dialled leg: the noun's status callback is its own."""
        reports = callee.reports
        settings = msgspec.structs.replace(
            self.settings,
            status=reports.hook if reports else None,
            events=reports.events if reports else (),
            detect_voicemail=False,
        )
        return CallApiApplication(self._services, self._account, settings, new=False)

    async def _begin(self, hook: Hook | None, call: CallRecord) -> Document:
        if hook is None or not hook.url:
            note = errors.warning(errors.NOT_FOUND, "No voice URL is set for the number that was called.")
            return await self._fall_back(errors.ending(note.message, sip_status=404), (note,), call)
        outcome = await self._fetch(hook, self._fields(call))
        if isinstance(outcome, Broken):
            return await self._fall_back(outcome.ending, (outcome.note,), call)
        return self._document(outcome, call)

    async def _go_on(self, hook: Hook, call: CallRecord, extra: Fields = ()) -> Document:
        outcome = await self._fetch(hook, (*self._fields(call), *extra))
        if isinstance(outcome, Broken):
            return self._last(outcome.ending, (outcome.note,))
        return self._document(outcome, call)

    async def _fall_back(self, ending: HangUp, notes: tuple[Note, ...], call: CallRecord) -> Document:
        """Ask the fallback URL, once in a call; without one, or when it fails too, this is the end."""
        hook, self._fallback = self._fallback, None
        if hook is None:
            return self._last(ending, notes)
        outcome = await self._fetch(hook, self._fields(call))
        if isinstance(outcome, Broken):
            return self._last(outcome.ending, (*notes, outcome.note))
        return self._document(outcome, call, notes)

    async def _screen(self, ask: Screening, call: CallRecord) -> Document:
        """Whether this callee takes the call: the end of its document is yes, a failure no."""
        self._screening = True
        fields = screening_fields(call, self._services.instance, ask.headers)
        outcome = await self._fetch(ask.hook, fields)
        if isinstance(outcome, Broken):
            return self._last(_REFUSED, (outcome.note,))
        return self._document(outcome, call)

    async def _refer(self, ask: Referred, call: CallRecord) -> Document | None:
        """What the party that remains does (`call` is its own); without a script, the transfer is refused."""
        self._screening = False
        extra = refer_fields(ask.refer_to_user or ask.refer_to, await self._known(ask.referring_call), call)
        outcome = await self._fetch(ask.hook, (*self._fields(call), *extra))
        if isinstance(outcome, Broken) or not outcome.verbs:
            return None
        return self._document(outcome, call)

    async def _known(self, call_id: UUID | None) -> CallRecord | None:
        try:
            return None if call_id is None else await self._services.calls.get(self._account.id, call_id)
        except NoSuchCall:
            return None

    def _fields(self, call: CallRecord) -> Fields:
        post_status: PostStatus = "new" if self._first else "callback"
        self._first = False
        return self._voice_fields(call, post_status)

    def _voice_fields(self, call: CallRecord, post_status: PostStatus) -> Fields:
        return voice_fields(
            call,
            self._services.instance,
            post_status,
            dialled=self._dialled,
            detect_voicemail=self.settings.detect_voicemail,
        )

    async def _fetch(self, hook: Hook, fields: Fields) -> Markup | Broken:
        request = WebhookRequest(
            url=hook.url,
            method=hook.method,
            fields=fields,
            auth=_credentials(hook),
            policy=POLICY,
            query_to_body=True,
        )
        try:
            reply = await self._asker.ask(request, self._cookies)
        except WebhookFailure as failure:
            return unfetched(failure)
        return read_reply(hook, reply)

    def _document(self, markup: Markup, call: CallRecord, notes: tuple[Note, ...] = ()) -> Document:
        verbs, notes = markup.verbs, (*notes, *markup.notes)
        if self._screening:
            return Document(verbs=_screening(verbs), application=self, at_end=None, notes=notes)
        if call.answered_at is None and all(isinstance(verb, Pause) for verb in verbs):
            verbs = (*verbs, _NOTHING_ANSWERED)
        verbs = tuple(self._completed(verb) for verb in verbs)
        return Document(verbs=verbs, application=self, at_end=HangUp(), notes=notes)

    def _completed(self, verb: Verb) -> Verb:
        """A Dial with what is not in its markup."""
        if not isinstance(verb, Dial):
            return verb
        return msgspec.structs.replace(verb, refer_hook=self.settings.refer)

    def _last(self, ending: HangUp, notes: tuple[Note, ...]) -> Document:
        return Document(verbs=(ending,), application=self, at_end=ending, notes=notes)

    # -- telling

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        """Whose call it is, and which."""
        return own_headers(self._here.instance, call)

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """The status callback, for the progress events it subscribes to; and how a transcription went."""
        if isinstance(event, TranscriptionFailed):
            fields = (
                *self._voice_fields(call, "callback"),
                *transcription_fields(event.recording, self._here),
            )
            return (_delivery(event.hook, call, f"callapi:transcription:{event.id}", fields),)
        word = progress_event(event, call)
        hook = self.settings.status
        if hook is None or word is None or word not in self.settings.events:
            return ()
        fields = (
            *self._voice_fields(call, "callback"),
            *progress_fields(event, call, self._here, self._recording),
        )
        return (_delivery(hook, call, f"callapi:{call.progress}", fields),)

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Nothing is connected; what was recorded last is told at the end."""
        if isinstance(event, RecordingChanged):
            kept = event.recording.status not in (RecordingStatus.ABSENT, RecordingStatus.FAILED)
            self._recording = event.recording if kept else None

    def state(self) -> Mapping[str, Any]:
        """The settings, and whose they are."""
        return {"dialect": self.dialect, **msgspec.to_builtins(self.settings)}

    async def close(self) -> None:
        """Nothing is held open."""


def _screening(verbs: Sequence[Verb]) -> tuple[Verb, ...]:
    """The verbs of a screening, where a Dial refuses the call."""
    for number, verb in enumerate(verbs):
        if isinstance(verb, Dial):
            return (*verbs[:number], _REFUSED)
    return tuple(verbs)


def _delivery(hook: Hook, call: CallRecord, about: str, fields: Fields) -> Delivery:
    id = str(uuid5(call.id, about))
    return Delivery(
        id=id,
        token=id,
        account_id=spelled(call.account_id),
        call_id=spelled(call.id),
        sequence=call.progress,
        url=hook.url,
        method=hook.method,
        fields=fields,
        auth=_credentials(hook),
        query_to_body=True,
        policy=_CALLBACK_POLICY,
    )


def _credentials(hook: Hook) -> tuple[str, str] | None:
    return None if hook.username is None else (hook.username, hook.password or "")
