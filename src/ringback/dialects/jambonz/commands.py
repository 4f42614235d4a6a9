"""Commands on an application's socket, done on the live call."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from ringback.calls.application import Document
from ringback.calls.control import Calls, ControlError
from ringback.dialects.jambonz.configure import configure
from ringback.dialects.jambonz.errors import InvalidApplication
from ringback.dialects.jambonz.markup import Parsed, parse, read_digits, read_duration
from ringback.dialects.jambonz.protocol import Command
from ringback.dialects.jambonz.session import Session, read_hook
from ringback.dialects.jambonz.validate import check
from ringback.dialects.spelling import read_sid

DTMF_MS = 250  # milliseconds for each key, where a command or request names none


class CommandFailed(Exception):
    """A command that was not done; the message says why."""


class Commanded(Protocol):
    """The application whose socket it is."""

    session: Session

    def take(self, parsed: Parsed) -> Document:
        """The document of verbs that were pushed; the session is as they leave it."""
        ...


async def execute(
    command: Command, application: Commanded, calls: Calls, account_id: UUID, call_id: UUID
) -> None:
    """Do one command.

    Raises:
        CommandFailed: with the reason for the application.
    """
    work = _Work(application, calls, account_id, call_id)
    doer = _COMMANDS.get(command.name)
    if doer is None:
        raise CommandFailed(f"command {command.name[:60]} is not supported")
    try:
        if command.call_sid is not None and read_sid(command.call_sid) != call_id:
            await work.elsewhere(command)
        else:
            await doer(work, command)
    except InvalidApplication as error:
        raise CommandFailed(error.message) from error
    except ControlError as error:
        raise CommandFailed(error.message) from error


class _Work:
    """The commands that there are, one method each."""

    def __init__(self, application: Commanded, calls: Calls, account_id: UUID, call_id: UUID) -> None:
        self._application = application
        self._calls = calls
        self._account_id = account_id
        self._call_id = call_id

    async def elsewhere(self, command: Command) -> None:
        """A command for another call: those that need no document."""
        other = read_sid(command.call_sid or "")
        if other is None:
            raise CommandFailed("callSid is not a call sid")
        if command.name in ("redirect", "config"):
            raise CommandFailed(f"command {command.name} is not supported for another call")
        work = _Work(self._application, self._calls, self._account_id, other)
        await _COMMANDS[command.name](work, command)

    async def redirect(self, command: Command) -> None:
        """Other verbs at once, further verbs at the end, or another hook."""
        data = command.data
        if isinstance(data, dict) and data.get("call_hook"):
            hook = read_hook(_hook_value(data["call_hook"]), self._application.session, "redirect")
            await self._calls.redirect(self._account_id, self._call_id, hook=hook, while_ringing=True)
            return
        if isinstance(data, dict):
            data = data.get("parent_call")
        if not isinstance(data, list):
            raise CommandFailed("redirect needs an array of verbs or a call_hook")
        parsed = parse(data, self._application.session)
        document = self._application.take(parsed)
        if command.queue:
            await self._calls.append(self._account_id, self._call_id, parsed.verbs)
            return
        await self._calls.redirect(self._account_id, self._call_id, document=document, while_ringing=True)

    async def call_status(self, command: Command) -> None:
        status = _value(command.data, "call_status")
        if status == "completed":
            await self._calls.hang_up(self._account_id, self._call_id)
        elif status == "no-answer":
            await self._calls.cancel(self._account_id, self._call_id, as_no_answer=True)
        else:
            raise CommandFailed("invalid call_status")

    async def config(self, command: Command) -> None:
        data = command.data
        if not isinstance(data, dict):
            raise CommandFailed("config: must be an object")
        check("config", data)
        session, unbuilt = configure(data, self._application.session)
        self._application.session = session
        for verb in unbuilt:
            raise CommandFailed(verb.note.message)

    async def dtmf(self, command: Command) -> None:
        digits, duration = read_dtmf(command.data)
        await self._calls.send_digits(self._account_id, self._call_id, digits, duration_ms=duration)

    async def tag(self, command: Command) -> None:
        if not isinstance(command.data, dict):
            raise CommandFailed("invalid tag data")
        await self._calls.tag(self._account_id, self._call_id, command.data)

    async def mute(self, command: Command) -> None:
        status = _value(command.data, "mute_status")
        if status not in ("mute", "unmute"):
            raise CommandFailed("invalid mute_status")
        await self._calls.mute(self._account_id, self._call_id, muted=status == "mute")


def read_dtmf(data: Any) -> tuple[str, int]:
    """Keys and milliseconds out of `{dtmf: {digit, duration}}`, `{digit, duration}`, `{dtmf: "1"}` or `"1"`.

    Raises:
        InvalidApplication: `invalid dtmf`
    """
    inner = data.get("dtmf", data) if isinstance(data, dict) else data
    fields = inner if isinstance(inner, dict) else {"digit": inner}
    digit = fields.get("digit")
    if isinstance(digit, int) and not isinstance(digit, bool):
        digit = str(digit)
    if not isinstance(digit, str):
        raise InvalidApplication("invalid dtmf")
    try:
        digits = read_digits(digit, "dtmf")
    except InvalidApplication:
        raise InvalidApplication("invalid dtmf") from None
    duration = fields.get("duration", data.get("duration") if isinstance(data, dict) else None)
    return digits, read_duration(duration, DTMF_MS)


def _value(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, dict) else data


def _hook_value(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise InvalidApplication("redirect: property call_hook has invalid data type")
    return value


_COMMANDS = {
    "redirect": _Work.redirect,
    "call:status": _Work.call_status,
    "config": _Work.config,
    "dtmf": _Work.dtmf,
    "tag": _Work.tag,
    "mute:status": _Work.mute,
    "mute": _Work.mute,
}
