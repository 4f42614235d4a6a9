"""Messages on an application's WebSocket (sub-protocol `ws.jambonz.org`): read and written. Pure."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

SUBPROTOCOL = "ws.jambonz.org"
MAX_MESSAGE = 24 * 1024  # bytes, from the application; more closes the socket with 1009
_SHOWN = 1000


class Ack(msgspec.Struct, frozen=True):
    """The application's answer to the message with this id."""

    msgid: str
    data: Any = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something the application wants done."""

    name: str
    data: Any = None
    queue: bool = False
    """Run after what the call has still to do, instead of at once."""
    call_sid: str | None = None


class Malformed(msgspec.Struct, frozen=True):
    """A message that breaks the rules: why, and what it was."""

    details: str
    content: str

    def error(self) -> dict[str, Any]:
        """The data of the `jambonz:error` that answers it."""
        return {"msg": "InvalidMessage", "details": self.details, "content": self.content}


_WITHOUT_DATA = frozenset({"llm:tool-output", "tts:flush", "tts:clear"})


def read_message(text: str) -> Ack | Command | Malformed:
    """One text frame from the application."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Malformed(f"not JSON: {error}", text[:_SHOWN])
    if not isinstance(message, dict):
        return Malformed("message must be an object", text[:_SHOWN])
    match message.get("type"):
        case "ack":
            msgid = message.get("msgid")
            if not isinstance(msgid, str):
                return Malformed("ack without msgid", text[:_SHOWN])
            return Ack(msgid, message.get("data"))
        case "command":
            return _command(message, text)
        case None:
            return Malformed("missing type", text[:_SHOWN])
        case other:
            return Malformed(f"unknown type {str(other)[:60]}", text[:_SHOWN])


def _command(message: dict[str, Any], text: str) -> Command | Malformed:
    name, data = message.get("command"), message.get("data")
    if not isinstance(name, str):
        return Malformed("missing command", text[:_SHOWN])
    if data is None and name not in _WITHOUT_DATA:
        return Malformed(f"missing data for command {name[:60]}", text[:_SHOWN])
    call_sid = message.get("callSid")
    return Command(
        name=name,
        data=data,
        queue=message.get("queueCommand") is True,
        call_sid=call_sid if isinstance(call_sid, str) and call_sid else None,
    )


def new_msgid() -> str:
    """A short id, unique on a socket."""
    return secrets.token_urlsafe(12)


def write_message(kind: str, msgid: str, call_sid: str, data: dict[str, Any], hook: str | None = None) -> str:
    """One text frame for the application."""
    message: dict[str, Any] = {"type": kind, "msgid": msgid, "call_sid": call_sid}
    if hook is not None:
        message["hook"] = hook
    message["data"] = data
    return msgspec.json.encode(message).decode()
