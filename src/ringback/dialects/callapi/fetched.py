"""What came of asking the application: a document, or how the call ends without one."""

from __future__ import annotations

import msgspec

from ringback.calls.verbs import HangUp, Hook, Note
from ringback.dialects.callapi import errors
from ringback.dialects.callapi.markup import Markup, parse, played, spoken
from ringback.dialects.callapi.place import arrived
from ringback.dialects.xml import MarkupError
from ringback.webhooks.ask import WebhookFailure, WebhookReply

_RCML = frozenset({"text/xml", "application/xml", "text/html"})
_AUDIO = frozenset({"audio/wav", "audio/wave", "audio/x-wav"})


class Broken(msgspec.Struct, frozen=True):
    """No document: why, and how the call ends unless there is a fallback."""

    note: Note
    ending: HangUp


def unfetched(failure: WebhookFailure) -> Broken:
    """The application could not be asked, or refused."""
    note = errors.failure_note(failure)
    if failure.status == 404:
        return Broken(note, errors.ending("URL Not Found", sip_status=404))
    return Broken(note, errors.ending(_reason(failure)))


def read_reply(hook: Hook, reply: WebhookReply) -> Markup | Broken:
    """What was asked for at `hook`, by its content type."""
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
        return Broken(note, errors.ending("Invalid content type"))
    try:
        return parse(reply.body, place, charset=reply.named_charset)
    except MarkupError as problem:
        note = errors.error(errors.BAD_DOCUMENT, problem.message, url=reply.url, line=problem.line)
        return Broken(note, errors.ending("Problem to parse downloaded RCML"))


def _reason(failure: WebhookFailure) -> str:
    """Short, and without the URL: callers and carriers read it."""
    if failure.kind == "http-status":
        return f"Application answered with status {failure.status}"
    return {
        "timeout": "Application did not answer in time",
        "too-large": "Application sent too large a document",
        "too-many-redirects": "Application redirected too often",
    }.get(failure.kind, "Application could not be reached")
