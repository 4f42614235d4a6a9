"""How identifiers look here: lower-case dashed UUIDs, without a prefix."""

from __future__ import annotations

from uuid import UUID, uuid5

from ringback.calls.record import CallRecord
from ringback.store.ids import spelled

_NO_APPLICATION = "jambonz call without an application"


def spell(id: UUID) -> str:
    """A UUID as every `…_sid` here shows it."""
    return spelled(id)


def application_sid(call: CallRecord) -> str:
    """The application that controls the call.

    The field is always there: a call that was placed with hooks of its own shows one identifier that stays
    the same for its account.
    """
    return spell(call.application_id or uuid5(call.account_id, _NO_APPLICATION))
