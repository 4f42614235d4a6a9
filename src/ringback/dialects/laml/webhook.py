"""An application of this dialect on one call: asked for documents, told about progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from ringback.calls.application import Action, Ask, Document, Failed, NewCall, Redirected, Referred, Screening
from ringback.calls.events import CallEvent
from ringback.calls.record import CallRecord
from ringback.calls.services import Services
from ringback.calls.verbs import Callee, Dial, Hook, Note
from ringback.dialects.laml import notes
from ringback.dialects.laml.callbacks import Callbacks
from ringback.dialects.laml.fields import failure_fields, request_fields
from ringback.dialects.laml.markup import Markup, read_markup
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.outcomes import action_fields, question_fields
from ringback.dialects.laml.profiles import Profile, profile_named
from ringback.dialects.laml.replies import AT_END, ending, interpret
from ringback.dialects.laml.settings import Settings, credentials
from ringback.net.cookies import Cookies
from ringback.net.url import BadUrl, target
from ringback.routing.directory import Account
from ringback.webhooks.ask import WebhookFailure, WebhookReply, WebhookRequest
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.render import append_query

_MOST_FALLBACKS = 10  # a fallback document that leads to failing places must not go round for ever


class LamlApplication:
    """`ringback.calls.application.Application` for SignalWire and Twilio applications."""

    def __init__(
        self, services: Services, account: Account, settings: Settings, remarks: Sequence[Note] = ()
    ) -> None:
        self.settings = settings
        self._services = services
        self._profile = profile_named(settings.profile)
        self._account = account
        self._asker = services.asker("laml")
        self._cookies = Cookies()
        self._remarks = tuple(remarks)  # told with the first document
        self._callbacks = Callbacks(self._profile, services.public_url)
        self._document_url = settings.voice_url
        self._screens = False
        self._in_fallback = False
        self._fallbacks = 0

    @property
    def dialect(self) -> str:
        return "laml"

    @property
    def profile(self) -> str:
        return self._profile.name

    @property
    def rings_at_once(self) -> bool:
        return True

    # -- documents

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        """Fetch the document that `ask` calls for, or the fallback's, or else the service's ending."""
        if isinstance(ask, Failed):
            return await self._fall_back(DocumentError(ask.note, self._document_url), call, told=True)
        hook, extra = self._place(ask, call)
        try:
            document = await self._fetch(hook, extra, call)
        except DocumentError as problem:
            if isinstance(ask, Referred):
                return None  # which refuses the transfer
            return await self._fall_back(problem, call)
        self._in_fallback = False
        return document

    def document_of(self, text: str) -> Document:
        """A document given as text (`Twiml=`, `Laml=`).

        Raises:
            DocumentError: it is none.
        """
        return self._document(read_markup(text.encode("utf-8", "replace"), self._profile, base=""))

    def for_callee(self, callee: Callee, caller: CallRecord) -> LamlApplication:
        """The application of a dialled leg: the same, with the noun's status callback."""
        reports = callee.reports
        settings = msgspec.structs.replace(
            self.settings,
            status_callback=reports.hook.url if reports else "",
            status_callback_method=reports.hook.method if reports else "POST",
            events=reports.events if reports else (),
        )
        return LamlApplication(self._services, self._account, settings)

    def _place(self, ask: Ask, call: CallRecord) -> tuple[Hook, list[tuple[str, str]]]:
        if isinstance(ask, Screening):
            self._screens = True
        elif isinstance(ask, Redirected) and ask.by_control:
            self._screens = False
        extra = question_fields(ask, call)
        if isinstance(ask, NewCall | Failed):
            return Hook(url=self.settings.voice_url, method=self.settings.voice_method), extra
        if isinstance(ask, Redirected) and ask.status_hook is not None:
            self.settings = msgspec.structs.replace(
                self.settings,
                status_callback=ask.status_hook.url,
                status_callback_method=ask.status_hook.method,
            )
        if isinstance(ask, Action):
            extra = action_fields(ask.verb, ask.outcome, self._profile, self._services.public_url)
        return ask.hook, extra

    async def _fetch(self, hook: Hook, extra: Sequence[tuple[str, str]], call: CallRecord) -> Document:
        if not hook.url:
            raise DocumentError(notes.error(notes.INVALID_URL, "the application has no voice URL"))
        fields = (*request_fields(call, self._profile), *extra)
        request = WebhookRequest(
            url=hook.url,
            method=hook.method,
            fields=fields,
            headers=self._headers(),
            auth=credentials(hook, self.settings),
            scheme=self._profile.signing,
            key=self._account.webhook_signing_key,
            policy=self._profile.fetch,
        )
        try:
            reply = await self._asker.ask(request, self._cookies)
        except WebhookFailure as failure:
            raise DocumentError(notes.of_failure(self._profile, failure), hook.url) from failure
        self._document_url = _base(hook, fields, reply)
        return self._document(interpret(reply, self._profile, self._document_url))

    def _document(self, markup: Markup) -> Document:
        remarks, self._remarks = (*self._remarks, *markup.notes), ()
        verbs = markup.verbs
        if self._screens and any(isinstance(verb, Dial) for verb in verbs):
            remarks = (*remarks, notes.error(notes.DIAL_WHILE_DIALLED, "a party that is dialled cannot dial"))
            verbs = tuple(verb for verb in verbs if not isinstance(verb, Dial))
        return Document(verbs=verbs, application=self, at_end=AT_END, notes=remarks)

    async def _fall_back(self, problem: DocumentError, call: CallRecord, *, told: bool = False) -> Document:
        """`told`: the call's time line has the problem already."""
        failures = () if told else (problem.note,)
        last = problem.note
        settings = self.settings
        if settings.fallback_url and not self._in_fallback and self._fallbacks < _MOST_FALLBACKS:
            self._fallbacks += 1
            self._in_fallback = True
            hook = Hook(url=settings.fallback_url, method=settings.fallback_method)
            try:
                document = await self._fetch(hook, failure_fields(last.code, problem.url), call)
            except DocumentError as second:
                failures, last = (*failures, second.note), second.note
            else:
                return msgspec.structs.replace(document, notes=(*failures, *document.notes))
        verbs, at_end = ending(call, self._profile, last)
        return Document(verbs=verbs, application=self, at_end=at_end, notes=failures)

    def _headers(self) -> tuple[tuple[str, str], ...]:
        agent = ("User-Agent", self._profile.user_agent)
        token = self._profile.idempotency_header
        return (agent, (token, str(uuid4()))) if token else (agent,)

    # -- callbacks

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        """Nothing of the service's own."""
        return ()

    def deliveries(self, event: CallEvent, call: CallRecord) -> Sequence[Delivery]:
        """What is due for this event: status, recording, detection and transcription callbacks."""
        return self._callbacks.due(event, call, self.settings)

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        """Nothing is connected in this dialect."""

    def state(self) -> Mapping[str, Any]:
        """The settings; `restored` reads them."""
        state: dict[str, Any] = msgspec.to_builtins(self.settings)
        return state

    async def close(self) -> None:
        """Nothing is kept open."""


def restored(state: Mapping[str, Any], profile: Profile) -> Settings:
    """Settings from `LamlApplication.state`; of another dialect's state, only `profile` is what counts."""
    try:
        return msgspec.convert(dict(state), Settings)
    except msgspec.ValidationError:
        return Settings(profile=profile.name)


def _base(hook: Hook, fields: Sequence[tuple[str, str]], reply: WebhookReply) -> str:
    """The document's URL: the one asked for, without the parameters added to it, or where that led."""
    sent = append_query(hook.url, fields) if hook.method.upper() in ("GET", "HEAD") else hook.url
    try:
        return hook.url if target(sent).url == reply.url else reply.url
    except BadUrl:
        return reply.url
