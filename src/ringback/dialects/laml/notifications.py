"""A call's notes as Twilio's Notifications: its warnings and errors, read off the call's log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from ringback.calls.events import Noted, decode
from ringback.calls.record import CallRecord
from ringback.dialects.http import rfc2822
from ringback.dialects.laml.profiles import API_VERSION
from ringback.dialects.laml.resources import View
from ringback.dialects.laml.sids import CALL, NOTIFICATION, spell
from ringback.store.records import StoredEvent
from ringback.store.store import Store

_LEVELS = {"error": "0", "warning": "1"}


class Notification(msgspec.Struct, frozen=True):
    """One warning or error of a call."""

    id: UUID
    at: datetime
    noted: Noted

    @property
    def log(self) -> str:
        """`0` error, `1` warning."""
        return _LEVELS[self.noted.note.level]


async def notifications(store: Store, call: CallRecord) -> list[Notification]:
    """The call's warnings and errors, newest first."""
    found = [_notification(call, stored) for stored in await store.events(str(call.id))]
    return [notification for notification in reversed(found) if notification is not None]


def _notification(call: CallRecord, stored: StoredEvent) -> Notification | None:
    if stored.kind != Noted.__struct_config__.tag:
        return None
    try:
        event = decode(stored.payload)
    except msgspec.MsgspecError:
        return None
    if not isinstance(event, Noted) or event.note.level not in _LEVELS:
        return None
    id = uuid5(NAMESPACE_URL, f"{call.id}/notes/{stored.sequence}")
    return Notification(id, datetime.fromtimestamp(stored.at, UTC), event)


def resource(view: View, call: CallRecord, notification: Notification) -> dict[str, Any]:
    """A notification as REST shows it."""
    note = notification.noted.note
    sid = spell(view.profile, NOTIFICATION, notification.id)
    when = rfc2822(notification.at)
    return {
        "sid": sid,
        "account_sid": view.account_sid,
        "api_version": API_VERSION,
        "call_sid": spell(view.profile, CALL, call.id),
        "date_created": when,
        "date_updated": when,
        "message_date": when,
        "error_code": note.code,
        "log": notification.log,
        "message_text": note.message,
        "more_info": f"https://www.twilio.com/docs/errors/{note.code}" if note.code.isdigit() else "",
        "request_method": note.detail.get("method", ""),
        "request_url": note.detail.get("url", ""),
        "uri": f"{view.call_path(call)}/Notifications/{sid}.json",
    }


def single(view: View, call: CallRecord, notification: Notification) -> dict[str, Any]:
    """One notification by itself, where the services show the request as well."""
    extra = {"request_variables": "", "response_headers": "", "response_body": ""}
    return resource(view, call, notification) | extra
