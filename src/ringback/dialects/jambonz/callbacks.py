"""Callbacks: which status is told, and how one goes out over HTTP."""

from __future__ import annotations

from uuid import UUID, uuid4, uuid5

from ringback.calls.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallInitiated,
    CallReceived,
    CallRinging,
    Noted,
)
from ringback.calls.record import CallRecord
from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.asking import ACCEPTED, SCHEME, USER_AGENT
from ringback.dialects.jambonz.payload import Payload, encode, query, status_event, status_name
from ringback.dialects.jambonz.sids import spell
from ringback.routing.directory import Account
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.policy import FetchPolicy, RetryPolicy

WEBHOOK_SECRET = "webhook_secret"
"""The account's key that signs deliveries of this dialect (`Delivery.key_ref`)."""

_PROGRESS = (CallReceived, CallInitiated, CallRinging, CallAnswered, CallEnded)

# An attempt that never reached the application is repeated; the URL's fragment may ask for more.
_POLICY = FetchPolicy(
    connect_timeout=10.0,
    read_timeout=10.0,
    total_timeout=90.0,
    max_redirects=0,
    retries=RetryPolicy(attempts=3, on=frozenset({"ct"})),
    accept=ACCEPTED,
)


class Statuses:
    """What was told of a call so far: every status once, in the order in which they happened."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._told: set[str] = set()

    def due(self, event: CallEvent, call: CallRecord) -> Payload | None:
        """The status callback's payload for this event; None when there is nothing to tell."""
        if isinstance(event, Noted):
            return self._error(event, call)
        name = status_name(call.status, call.direction)
        if not isinstance(event, _PROGRESS) or name in self._told:
            return None
        self._told.add(name)
        return status_event(call, self._public_url)

    def _error(self, event: Noted, call: CallRecord) -> Payload | None:
        """A verb that could not be done, or a reply that could not be used, comes as an extra post."""
        note = event.note
        if note.level != "error" or "verb" not in note.detail:
            return None
        payload = status_event(call, self._public_url)
        return payload | {"error": note.code, "reason": note.message}


def status_id(payload: Payload, call: CallRecord) -> UUID:
    """A status is told once, so its name makes the token; an error report has only itself."""
    told = payload["call_status"]
    return uuid4() if "error" in payload else uuid5(call.id, f"jambonz status {told}")


def delivery(hook: Hook, payload: Payload, call: CallRecord, account: Account, *, id: UUID) -> Delivery:
    """A callback as it is stored and sent; `id` is its token, the same on every repeat."""
    get = hook.method == "GET"
    body = encode(payload)
    return Delivery(
        id=spell(id),
        account_id=spell(account.id),
        call_id=spell(call.id),
        sequence=call.progress,
        url=hook.url,
        method=hook.method,
        encoding="form" if get else "json",
        fields=query(payload) if get else (),
        json=body,
        headers=(USER_AGENT,),
        auth=(hook.username, hook.password or "") if hook.username else None,
        scheme=SCHEME,
        key_ref=WEBHOOK_SECRET,
        token=spell(id),
        policy=_POLICY,
    )
