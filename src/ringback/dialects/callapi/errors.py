"""CallAPI's ways to say what went wrong: on the call (notes, endings) and over REST (refusals)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ringback.calls.status import CallStatus
from ringback.calls.verbs import HangUp, Note
from ringback.dialects.notes import error as error
from ringback.dialects.notes import warning as warning
from ringback.webhooks.ask import WebhookFailure

# RestComm's notification codes.
NOT_REACHED = "11200"
BAD_URL = "11100"
TIMED_OUT = "11205"
BAD_STATUS = "11206"
BAD_DOCUMENT = "12100"
BAD_CONTENT_TYPE = "12300"
UNKNOWN_PARAMETER = "20001"
VERB_NOT_SUPPORTED = "13750"
NOT_FOUND = "21402"

_UNFIT = re.compile(r"[^A-Za-z0-9.!%*_+~-]+")


def failure_note(failure: WebhookFailure) -> Note:
    """Why a document could not be fetched."""
    if failure.status == 404:
        return warning(NOT_FOUND, f"URL Not Found : {failure.url}", url=failure.url)
    if failure.status is not None:
        code = BAD_STATUS
    else:
        code = {"timeout": TIMED_OUT, "invalid-url": BAD_URL}.get(failure.kind, NOT_REACHED)
    return error(code, failure.message, url=failure.url)


def ending(reason: str, *, sip_status: int = 500) -> HangUp:
    """How a call ends whose application failed: BYE, or this final response with a Reason (RFC 3326)."""
    return HangUp(
        sip_status=sip_status,
        headers=(("Reason", _UNFIT.sub("_", reason).strip("_") or "Failed"),),
        ended_as=CallStatus.FAILED,
        cause=reason,
    )


class Refusal(Exception):
    """A REST request that is answered with an error.

    `text` is the plain body; with `shaped` it goes into the service's message form, JSON or XML.
    """

    def __init__(
        self, status: int, text: str = "", *, shaped: bool = False, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.shaped = shaped
        self.headers = dict(headers or {})


def unauthorized() -> Refusal:
    """No credentials, or wrong ones."""
    return Refusal(401, headers={"WWW-Authenticate": 'Basic realm="Restcomm realm"'})
