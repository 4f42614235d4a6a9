"""What goes wrong in documents and requests, in the services' own codes (their error dictionaries)."""

from __future__ import annotations

from typing import Any

from ringback.calls.verbs import Note
from ringback.dialects.laml.profiles import TWILIO, Profile
from ringback.dialects.notes import error as error
from ringback.dialects.notes import warning as warning
from ringback.dialects.xml import MarkupError
from ringback.webhooks.ask import WebhookFailure

INVALID_URL = "11100"
HTTP_FAILURE = "11200"
CONNECTION_FAILURE = "11205"
PROTOCOL_VIOLATION = "11206"
BAD_HOST = "11210"
TOO_MANY_REDIRECTS = "11215"
HTTP_STATUS = "11217"
TLS_FAILURE = "11220"
TLS_NAME_MISMATCH = "11235"
TLS_EXPIRED = "11236"
TLS_NO_PATH = "11237"
BODY_TOO_LARGE = "11750"
EMPTY_BODY = "11770"
PARSE_FAILURE = "12100"
WRONG_ROOT = "12102"
SCHEMA_WARNING = "12200"
WRONG_CONTENT_TYPE = "12300"
DIAL_WHILE_DIALLED = "13201"
VERB_NOT_SUPPORTED = "13750"
RELATIVE_ACTION = "15004"


class DocumentError(Exception):
    """A document or the request for it failed; the note says why, `url` names the place."""

    def __init__(self, note: Note, url: str = "") -> None:
        super().__init__(note.message)
        self.note = note
        self.url = url


def of_markup(problem: MarkupError) -> Note:
    """The XML reader's error as a note."""
    code = {"too-large": BODY_TOO_LARGE, "empty": EMPTY_BODY}.get(problem.kind, PARSE_FAILURE)
    detail = {} if problem.line is None else {"line": problem.line}
    return Note(level="error", code=code, message=problem.message, detail=detail)


def of_failure(profile: Profile, failure: WebhookFailure) -> Note:
    """A request that brought no document, as a note."""
    detail: dict[str, Any] = {"url": failure.url}
    if failure.status is not None:
        detail["status"] = failure.status
    return Note(level="error", code=_failure_code(profile, failure), message=failure.message, detail=detail)


def _failure_code(profile: Profile, failure: WebhookFailure) -> str:
    if failure.kind == "http-status":
        return HTTP_FAILURE if profile is TWILIO else HTTP_STATUS
    if failure.kind == "tls":
        return _tls_code(failure.message)
    if failure.kind == "protocol":
        return PROTOCOL_VIOLATION if profile is TWILIO else "11251"
    return {
        "invalid-url": INVALID_URL,
        "dns": BAD_HOST,
        "connect": CONNECTION_FAILURE,
        "too-many-redirects": TOO_MANY_REDIRECTS,
        "too-large": BODY_TOO_LARGE,
    }.get(failure.kind, HTTP_FAILURE)


def _tls_code(message: str) -> str:
    text = message.lower()
    if "expired" in text:
        return TLS_EXPIRED
    if "mismatch" in text or "doesn't match" in text or "not valid for" in text:
        return TLS_NAME_MISMATCH
    if "unable to get" in text or "self-signed" in text or "self signed" in text:
        return TLS_NO_PATH
    return TLS_FAILURE
