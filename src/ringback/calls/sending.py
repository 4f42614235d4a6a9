"""Requests that an application sends inside the dialog of a call (INFO, MESSAGE …)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import SendRequest

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.sip.message import Response
    from ringback.sip.pending import Pending


async def send_request(call: Call, verb: SendRequest) -> Outcome:
    """Send it and wait for the final response, or the end of the call."""
    try:
        pending = submit(call, verb)
    except ValueError as error:
        return Outcome(end=EndOfVerb.FAILED, error=str(error))
    response = await call.while_up(_final(pending))
    if response is None:
        return Outcome(end=EndOfVerb.HUNG_UP)
    accepted = 200 <= response.status < 300
    return Outcome(
        end=EndOfVerb.DONE if accepted else EndOfVerb.FAILED,
        error=None if accepted else f"the far end answered {response.status} {response.reason}",
        sip_status=response.status,
        sip_reason=response.reason,
    )


def submit(call: Call, verb: SendRequest) -> Pending[Response]:
    """Send it. Raises ValueError before the answer, and for what cannot be sent."""
    session = call.leg.session
    if session is None or not call.is_answered:
        raise ValueError(f"{verb.method} can be sent on a call that is answered only")
    return session.send_request(verb.method, verb.headers, verb.body.encode(), verb.content_type)


async def _final(pending: Pending[Response]) -> Response:
    return await pending
