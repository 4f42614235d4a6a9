"""An application's reply, whatever its type, as markup; and the ends that follow from failures. Pure."""

from __future__ import annotations

from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.verbs import Answering, Clip, HangUp, Note, Play, Say, Verb
from ringback.dialects.laml import notes
from ringback.dialects.laml.markup import Markup, read_markup
from ringback.dialects.laml.notes import DocumentError
from ringback.dialects.laml.profiles import Profile
from ringback.webhooks.ask import WebhookReply

APOLOGY = "We are sorry. An application error has occurred. Goodbye."
AT_END = HangUp(cause="the document ended")
_MARKUP_TYPES = frozenset({"text/xml", "application/xml", "text/html"})


def interpret(reply: WebhookReply, profile: Profile, base: str) -> Markup:
    """What the reply tells the call to do.

    Raises:
        DocumentError: it cannot be used (11750, 11770, 12100, 12102, 12300).
    """
    kind = reply.content_type
    if not reply.body.strip():
        raise DocumentError(notes.error(notes.EMPTY_BODY, "the reply has no body", url=base), base)
    if kind in _MARKUP_TYPES or kind.endswith("+xml"):
        return _markup(reply, profile, base)
    if kind == "text/plain":
        return _plain_text(reply, profile, base)
    if kind.startswith("audio/") and profile.speaks_plain_text:
        return Markup((Play(clips=(Clip(base),), answering=Answering.ANSWER),))
    message = f"the reply is {kind or 'of no type'}, neither XML nor text nor audio"
    raise DocumentError(notes.error(notes.WRONG_CONTENT_TYPE, message, url=base), base)


def _markup(reply: WebhookReply, profile: Profile, base: str) -> Markup:
    return read_markup(reply.body, profile, base=base, charset=reply.named_charset)


def _plain_text(reply: WebhookReply, profile: Profile, base: str) -> Markup:
    """A document if it is one, else words to speak."""
    try:
        return _markup(reply, profile, base)
    except DocumentError as problem:
        if problem.note.code == notes.BODY_TOO_LARGE or not profile.speaks_plain_text:
            raise
    say = Say(
        texts=(" ".join(reply.text().split()),),
        voice=profile.default_voice,
        language="en-US",
        answering=Answering.ANSWER,
    )
    return Markup((say,))


def ending(call: CallRecord, profile: Profile, note: Note) -> tuple[tuple[Verb, ...], HangUp]:
    """What a call does whose application failed for good: an apology where the service makes one, the end.

    A caller who was not answered hears the apology as early media; the call then counts as failed.
    """
    unanswered = call.answered_at is None and call.direction is Direction.INBOUND
    hang_up = HangUp(
        sip_status=500,
        ended_as=CallStatus.FAILED if unanswered else None,
        cause=f"{note.code} {note.message}",
    )
    if not profile.apologises:
        return (hang_up,), hang_up
    say = Say(
        texts=(APOLOGY,), voice=profile.default_voice, language="en-US", answering=Answering.EARLY_MEDIA
    )
    return (say, hang_up), hang_up
