"""Commands on an application's socket, done on the live call."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from ringback.calls.application import Document
from ringback.calls.control import Calls, ControlError, WrongState
from ringback.calls.verbs import Configure, ControlRecording, Hook, Unbuilt, Verb
from ringback.dialects.jambonz.configure import configure
from ringback.dialects.jambonz.errors import ApiError, InvalidApplication
from ringback.dialects.jambonz.live import read_option
from ringback.dialects.jambonz.markup import Parsed, parse
from ringback.dialects.jambonz.protocol import Command
from ringback.dialects.jambonz.session import Session, read_hook
from ringback.dialects.jambonz.validate import check
from ringback.dialects.spelling import read_sid


class CommandFailed(Exception):
    """A command that was not done; the message says why."""


class Commanded(Protocol):
    """The application whose socket it is."""

    session: Session

    def take(self, parsed: Parsed) -> Document:
        """The document of verbs that were pushed; the session is as they leave it."""
        ...

    def callee(self, call_id: UUID | None = None) -> tuple[Commanded, UUID] | None:
        """The leg that a dial connected, or the dialled leg of that id: its application, and its id."""
        ...

    async def place(self, body: Any) -> None:
        """Place another call, as a request over REST does.

        Raises:
            ApiError, ControlError
        """
        ...


async def execute(
    command: Command, application: Commanded, calls: Calls, account_id: UUID, call_id: UUID
) -> None:
    """Do one command.

    Raises:
        CommandFailed: with the reason for the application.
    """
    work = _Work(application, calls, account_id, call_id)
    try:
        if command.call_sid is not None and read_sid(command.call_sid) != call_id:
            work = work.elsewhere(command)
        if command.name in _OPTIONS:
            await work.change(command)
        elif command.name in _COMMANDS:
            await _COMMANDS[command.name](work, command)
        else:
            raise CommandFailed(f"command {command.name[:60]} is not supported")
    except (InvalidApplication, ControlError) as error:
        raise CommandFailed(error.message) from error
    except ApiError as error:
        raise CommandFailed(str(error)) from error


class _Work:
    """The commands that there are, one method each."""

    def __init__(self, application: Commanded, calls: Calls, account_id: UUID, call_id: UUID) -> None:
        self._application = application
        self._calls = calls
        self._account_id = account_id
        self._call_id = call_id

    def elsewhere(self, command: Command) -> _Work:
        """The same for another call: for a leg that was dialled everything, else what needs no document."""
        other = read_sid(command.call_sid or "")
        if other is None:
            raise CommandFailed("callSid is not a call sid")
        callee = self._application.callee(other)
        if callee is not None:
            return _Work(callee[0], self._calls, self._account_id, other)
        if command.name in ("redirect", "config"):
            raise CommandFailed(f"command {command.name} is not supported for another call")
        return _Work(self._application, self._calls, self._account_id, other)

    async def change(self, command: Command) -> None:
        """Whatever REST can do too."""
        option, nested = _OPTIONS[command.name]
        data = command.data
        value = data[option] if nested and isinstance(data, dict) and option in data else data
        await read_option(option, value).apply(
            self._calls, self._account_id, self._call_id, self._application.session
        )

    async def redirect(self, command: Command) -> None:
        """Other verbs now, further verbs at the end, or other hooks; for this call, its callee, or both."""
        data = command.data
        if isinstance(data, list):
            document = self._document(data)
            if command.queue:
                await self._calls.append(self._account_id, self._call_id, document.verbs)
            else:
                await self._replace(document)
            return
        asked = data if isinstance(data, dict) else {}
        if not any(asked.get(key) for key in _PARTS):
            raise CommandFailed("redirect needs an array of verbs or a call_hook")
        for key in ("parent_call", "child_call"):
            if asked.get(key) is not None and not isinstance(asked[key], list):
                raise CommandFailed(f"redirect: property {key} has invalid data type")
        callee = self._connected() if asked.get("child_call") else None
        callee_to = callee._document(asked["child_call"]) if callee else self._hook(asked, "child_call_hook")
        to: Hook | Document | None = self._hook(asked, "call_hook")
        if to is None and asked.get("parent_call"):
            to = self._document(asked["parent_call"])
        if to is not None and callee_to is not None:
            await self._calls.redirect_both(self._account_id, self._call_id, to=to, callee_to=callee_to)
        elif isinstance(callee_to, Document):
            assert callee is not None
            await callee._replace(callee_to)
        elif callee_to is not None:
            await self._calls.redirect_callee(self._account_id, self._call_id, hook=callee_to)
        elif to is not None:
            await self._replace(to)

    async def _replace(self, to: Hook | Document) -> None:
        ids = self._account_id, self._call_id
        if isinstance(to, Document):
            await self._calls.redirect(*ids, document=to, while_ringing=True)
        else:
            await self._calls.redirect(*ids, hook=to, while_ringing=True)

    def _hook(self, fields: dict[str, Any], key: str) -> Hook | None:
        value = fields.get(key)
        if value and not isinstance(value, str | dict):
            raise InvalidApplication(f"redirect: property {key} has invalid data type")
        return read_hook(value, self._application.session, "redirect")

    def _connected(self) -> _Work:
        callee = self._application.callee()
        if callee is None:
            raise WrongState("there is no callee that is connected")
        return _Work(callee[0], self._calls, self._account_id, callee[1])

    def _document(self, verbs: list[Any]) -> Document:
        return self._application.take(parse(verbs, self._application.session))

    async def call_status(self, command: Command) -> None:
        data = command.data
        status = data.get("call_status") if isinstance(data, dict) else data
        if status == "completed":
            await self._calls.hang_up(self._account_id, self._call_id)
        elif status == "no-answer":
            await self._calls.cancel(self._account_id, self._call_id, as_no_answer=True)
        else:
            raise CommandFailed("invalid call_status")

    async def config(self, command: Command) -> None:
        """The session at once, and the call; parts that are not built are an error after the others."""
        data = command.data
        if not isinstance(data, dict):
            raise CommandFailed("config: must be an object")
        check("config", data)
        session, verbs, _ = configure(data, self._application.session)
        self._application.session = session
        for verb in verbs:
            await self._configure(verb)

    async def _configure(self, verb: Verb) -> None:
        match verb:
            case Unbuilt():
                raise CommandFailed(verb.note.message)
            case Configure():
                await self._calls.configure(self._account_id, self._call_id, verb)
            case ControlRecording(what="start"):
                await self._calls.start_recording(self._account_id, self._call_id, verb.recording)
            case ControlRecording():
                await self._calls.change_recording(
                    self._account_id,
                    self._call_id,
                    verb.what,
                    name=verb.recording.custom_id,
                    silence=verb.silence,
                )

    async def dial(self, command: Command) -> None:
        await self._application.place(command.data)


_PARTS = ("call_hook", "child_call_hook", "parent_call", "child_call")


_COMMANDS = {
    "redirect": _Work.redirect,
    "call:status": _Work.call_status,
    "config": _Work.config,
    "dial": _Work.dial,
}
# What REST can do too: its name there, and whether the data may have that name around the value.
_OPTIONS = {
    "mute:status": ("mute_status", True),
    "mute": ("mute_status", True),
    "tag": ("tag", False),
    "dtmf": ("dtmf", False),
    "whisper": ("whisper", True),
    "record": ("record", True),
    "sip:request": ("sip_request", True),
    "boostAudioSignal": ("boostAudioSignal", True),
    "media:path": ("media_path", True),
    "transfer": ("transfer", True),
    "conf:mute-status": ("conf_mute_status", True),
    "conf:hold-status": ("conf_hold_status", True),
    "conf:participant-action": ("conferenceParticipantAction", True),
    "listen:status": ("listen_status", True),
    "stream:status": ("listen_status", True),
    "transcribe:status": ("transcribe_status", True),
}
