"""What `PUT …/Calls/{sid}` asks for, read and checked. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ringback.dialects.jambonz.errors import ApiError, InvalidApplication
from ringback.dialects.jambonz.live import OPTIONS, Change, read_option

# One of these at a time; `child_call_hook` may go with `call_hook`, `whisper` with any.
_HOOKS = ("call_hook", "child_call_hook")
_UNBUILT = ("dub", "noise_isolation_status")
_ALL = (*_HOOKS, "call_status", *OPTIONS, *_UNBUILT)
_STATUSES = ("completed", "no-answer")


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for. Hooks come as they were written."""

    call_hook: Any = None
    child_call_hook: Any = None
    call_status_hook: Any = None
    call_status: str | None = None
    changes: tuple[Change, ...] = ()


def read_update(body: Any, call_sid: str) -> Update:
    """The request's body, checked.

    Raises:
        ApiError: 400 with the service's message; an option that is not built is one too.
    """
    fields = body if isinstance(body, dict) else {}
    asked = [name for name in _ALL if _given(fields.get(name))]
    if fields.get("call_status_hook") and "call_hook" not in asked:
        message = "call_status_hook can be updated only when call_hook is also being updated"
        raise ApiError(400, f"{message} for call_sid {call_sid}")
    counted = [name for name in asked if name != "whisper"] or asked
    if not counted:
        raise ApiError(400, "no valid options supplied to updateCall")
    if len(counted) > 1 and set(counted) != set(_HOOKS):
        raise ApiError(400, "multiple options are not allowed in updateCall")
    changes = tuple(_change(name, fields[name]) for name in asked if name in OPTIONS)
    for name in asked:
        if name in _UNBUILT:
            raise ApiError(400, f"{name} is not supported")
    status = fields["call_status"] if "call_status" in asked else None
    if status is not None and status not in _STATUSES:
        raise ApiError(400, "invalid call_status")
    return Update(
        call_hook=fields.get("call_hook"),
        child_call_hook=fields.get("child_call_hook"),
        call_status_hook=fields.get("call_status_hook"),
        call_status=status,
        changes=changes,
    )


def _given(value: Any) -> bool:
    """What counts as there: anything but what JavaScript holds to be false."""
    return isinstance(value, dict | list) or bool(value)


def _change(name: str, value: Any) -> Change:
    try:
        return read_option(name, value)
    except InvalidApplication as error:
        raise ApiError(400, error.message) from None
