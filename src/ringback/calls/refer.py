"""Refer: the far end is asked to call somebody else, and reports how that goes (RFC 3515)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.calls.events import ReferProgress
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import Refer
from ringback.calls.waiting import first_of
from ringback.sip.errors import SipParseError
from ringback.sip.grammar import NO_PARAMS
from ringback.sip.referral import SubscriptionState, read_sipfrag
from ringback.sip.uri import NameAddr, Uri

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.sip.incoming import IncomingRequest
    from ringback.sip.message import Response
    from ringback.sip.pending import Pending
    from ringback.sip.session import Session


async def refer(call: Call, verb: Refer) -> Outcome:
    """Send REFER, and wait for the last NOTIFY, the end of the call, or the verb's time limit."""
    session = call.leg.session
    if session is None or not call.is_answered:
        return Outcome(end=EndOfVerb.FAILED, error="only a call that is answered can be transferred")
    try:
        headers = _headers(verb, session)
    except (SipParseError, ValueError) as error:
        return Outcome(end=EndOfVerb.FAILED, error=f"{verb.refer_to!r} cannot be called: {error}")
    reports = _Reports(call, verb)
    with call.requests.handling("NOTIFY", reports.take):
        response = await call.while_up(_final(session.send_request("REFER", headers)))
        if response is None:
            return Outcome(end=EndOfVerb.HUNG_UP)
        if not 200 <= response.status < 300:
            return _outcome(call, response, reports, EndOfVerb.FAILED)
        await first_of(reports.final, call.over_future, timeout=verb.timeout)
    return _outcome(call, response, reports, EndOfVerb.DONE if reports.final.done() else EndOfVerb.TIMEOUT)


async def _final(pending: Pending[Response]) -> Response:
    return await pending


class _Reports:
    """The NOTIFYs of one REFER."""

    def __init__(self, call: Call, verb: Refer) -> None:
        self._call = call
        self._hook = verb.progress
        self.last: int | None = None
        self.final: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, incoming: IncomingRequest) -> None:
        request = incoming.request
        event, _, _ = (request.headers.get("Event") or "").partition(";")
        if event.strip().lower() != "refer":
            incoming.reply(489)
            return
        try:
            state = SubscriptionState.parse(request.headers.get("Subscription-State") or "active")
        except SipParseError as error:
            incoming.reply(error.status, error.reason)
            return
        incoming.reply(200)
        told = read_sipfrag(request.body)
        if told is not None:
            self.last, reason = told
            self._call.append(ReferProgress(sip_status=self.last, sip_reason=reason, hook=self._hook))
        if (state.over or (told is not None and told[0] >= 200)) and not self.final.done():
            self.final.set_result(None)


def _headers(verb: Refer, session: Session) -> list[tuple[str, str]]:
    far, near = session.remote.uri, session.local.uri
    referred_by = near if verb.referred_by is None else _address(verb.referred_by, near)
    return [
        ("Refer-To", str(NameAddr(_address(verb.refer_to, far)))),
        ("Referred-By", str(NameAddr(referred_by, verb.referred_by_name or ""))),
        *verb.headers,
    ]


def _address(text: str, home: Uri) -> Uri:
    """A URI; a bare user part is a user at `home`."""
    if text.lower().startswith(("sip:", "sips:", "tel:")):
        return Uri.parse(text)
    if "@" in text:
        return Uri.parse(f"sip:{text}")
    return home.with_(user=text, password=None, params=NO_PARAMS, headers="")


def _outcome(call: Call, response: Response, reports: _Reports, end: EndOfVerb) -> Outcome:
    """The far end that hangs up has mostly been transferred by then: what it reported still counts."""
    failed = end is EndOfVerb.FAILED
    return Outcome(
        end=EndOfVerb.HUNG_UP if call.over else end,
        error=f"the far end answered {response.status} {response.reason}" if failed else None,
        sip_status=response.status,
        sip_reason=response.reason,
        notified_status=reports.last,
    )
