"""A whole server, one web application, and REST in every dialect: what the end-to-end tests stand on.

>>> async with World.running(data) as world:
...     number = world.number("callapi", "<Response><Say>Hello</Say></Response>")
...     async with world.server.phone() as phone:
...         call = await phone.call(number)
...         await call.ended()
...     record = await world.record(call)

Every case has a number of its own, so that many can run at a time on one server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import aiohttp
import msgspec
from tests.patience import PATIENCE, rest_client

from ringback.calls.control import CallFilter
from ringback.calls.events import Noted, decode
from ringback.calls.record import CallRecord
from ringback.calls.verbs import Note
from ringback.config import Settings
from ringback.config.tables import AccountTable, ApplicationTable, ClientTable, NumberTable, TrunkTable
from ringback.dialects.spelling import read_sid
from ringback.routing.directory import Account
from ringback.testing.kit import (
    DEVICE,
    DEVICE_PASSWORD,
    TOKEN,
    Answer,
    Asked,
    Reply,
    RunningServer,
    WebApp,
    settings_for,
)
from ringback.testing.softphone import PhoneCall, Softphone

FLAVOURS = ("signalwire", "twilio", "jambonz", "callapi")
"""The dialects, LaML in both profiles."""

LAML = ("signalwire", "twilio")
XML = ("signalwire", "twilio", "callapi")
KINDS = ("", "-hasty", "-get")
"""Of each an application: as it comes, with short time-outs, asked by GET."""

OTHER_TOKEN = "other-token"
TRUNK = "local"
STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")

SPEECH = {
    "speech_synthesis_vendor": "default",
    "speech_synthesis_language": "en-US",
    "speech_synthesis_voice": "default",
    "speech_recognizer_vendor": "default",
    "speech_recognizer_language": "en-US",
}
"""What a jambonz call without application has to say."""

HANG_UP: dict[str, Reply] = {
    "signalwire": "<Response><Hangup/></Response>",
    "twilio": "<Response><Hangup/></Response>",
    "jambonz": [{"verb": "answer"}, {"verb": "hangup"}],
    "callapi": "<Response><Hangup/></Response>",
}
"""A document that answers and hangs up."""

WAIT: dict[str, Reply] = {
    "signalwire": '<Response><Gather timeout="60"/></Response>',
    "twilio": '<Response><Gather timeout="60"/></Response>',
    "jambonz": [{"verb": "answer"}, {"verb": "pause", "length": 60}],
    "callapi": '<Response><Gather timeout="60"/></Response>',
}
"""A document that answers and waits for the caller to hang up."""


class RestReply(msgspec.Struct, frozen=True):
    """What a REST request brought."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


class Rest:
    """The REST surface as one flavour's client sees it, with one account's credentials."""

    def __init__(self, world: World, flavour: str, account: Account, token: str) -> None:
        self.world = world
        self.flavour = flavour
        self.account_sid = f"AC{account.id.hex}" if flavour in ("twilio", "callapi") else str(account.id)
        self.base = {
            "signalwire": f"/api/laml/2010-04-01/Accounts/{self.account_sid}",
            "twilio": f"/2010-04-01/Accounts/{self.account_sid}",
            "jambonz": f"/v1/Accounts/{self.account_sid}",
            "callapi": f"/call/2012-04-24/Accounts/{self.account_sid}",
        }[flavour]
        bearer = flavour == "jambonz"
        self.credentials = f"Bearer {token}" if bearer else aiohttp.encode_basic_auth(self.account_sid, token)

    @property
    def suffix(self) -> str:
        """What official clients put at the end of a path."""
        return ".json" if self.flavour in ("twilio", "callapi") else ""

    @property
    def calls(self) -> str:
        """The path of the calls."""
        return f"{self.base}/Calls{self.suffix}"

    def call(self, sid: str) -> str:
        """The path of one call."""
        return f"{self.base}/Calls/{sid}{self.suffix}"

    async def request(self, method: str, path: str, **options: Any) -> RestReply:
        """Any request, with the credentials unless `headers` has others."""
        headers = {"Authorization": self.credentials, **options.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value}
        async with self.world.http.request(
            method, f"{self.world.server.http_url}{path}", headers=kept, **options
        ) as reply:
            text = await reply.text()
            return RestReply(
                reply.status, {name.lower(): value for name, value in reply.headers.items()}, text
            )

    async def get(self, path: str, **query: str) -> Any:
        """The JSON of a successful GET."""
        reply = await self.request("GET", path, params=query)
        assert reply.status == 200, reply
        return reply.json

    def creation(self, to: str, url: str, status: str = "", **more: Any) -> dict[str, Any]:
        """The body of a request that places a call to a SIP URI, subscribed to every event."""
        if self.flavour == "jambonz":
            hooks = {"call_hook": url} | ({"call_status_hook": status} if status else {})
            to_ = {"type": "sip", "sipUri": to}
            return {"json": {"from": "+14155550100", "to": to_, **SPEECH, **hooks, **more}}
        form: dict[str, Any] = {"From": "+14155550100", "To": to, "Url": url}
        if status:
            joined = ",".join(STATUS_EVENTS)
            events: Any = joined if self.flavour == "callapi" else STATUS_EVENTS
            form |= {"StatusCallback": status, "StatusCallbackEvent": events}
        return {"data": _form({**form, **more})}

    async def place(self, to: str, url: str, status: str = "", **more: Any) -> str:
        """Place a call to a SIP URI; its SID."""
        reply = await self.request("POST", self.calls, **self.creation(to, url, status, **more))
        assert reply.status in (200, 201), reply
        return str(reply.json["sid"])

    async def cancel(self, sid: str) -> None:
        """Give up a call that was not answered."""
        if self.flavour == "jambonz":
            reply = await self.request("PUT", self.call(sid), json={"call_status": "no-answer"})
        else:
            reply = await self.request("POST", self.call(sid), data={"Status": "canceled"})
        assert reply.status in (200, 202), reply


class World:
    """The server, the application, and what there is to know about their calls."""

    def __init__(self, server: RunningServer, app: WebApp, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.app = app
        self.http = http
        self.accounts = {account.name: account for account in server.directory.all(Account)}
        self._answers: dict[str, Answer] = {}
        self._numbers = _numbers()
        for flavour in FLAVOURS:
            for kind in KINDS:
                app.reply(f"/voice/{flavour}{kind}", self._answer)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, data: Path, change: Callable[[Settings], Settings] = lambda settings: settings
    ) -> AsyncIterator[World]:
        """For the length of a block, on settings of which something may be changed."""
        async with (
            WebApp() as app,
            rest_client() as http,
            RunningServer(change(world_settings(app, data))) as server,
        ):
            yield cls(server, app, http)

    @property
    def account(self) -> Account:
        """The account that the numbers belong to."""
        return self.accounts["test"]

    def rest(self, flavour: str) -> Rest:
        """REST as the account that the numbers belong to."""
        return Rest(self, flavour, self.account, TOKEN)

    def foreign_rest(self, flavour: str) -> Rest:
        """REST as another account."""
        return Rest(self, flavour, self.accounts["other"], OTHER_TOKEN)

    # -- numbers

    def number(self, flavour: str, answer: Answer, *, kind: str = "") -> str:
        """A number of that flavour, whose first document is this. `kind`: see `KINDS`."""
        number = f"+14155{_block(flavour, kind):02d}{next(self._numbers):04d}"
        self.answer(number, answer)
        return number

    def answer(self, number: str, answer: Answer) -> None:
        """Let this be the first document of a number that an application answers for."""
        self._answers[_digits(number)] = answer

    async def _answer(self, asked: Asked) -> Reply:
        answer = self._answers[_digits(called(asked))]
        if not callable(answer):
            return answer
        made = answer(asked)
        return await made if isinstance(made, Awaitable) else made

    def requests(self, path: str, **fields: str) -> list[Asked]:
        """The requests to a path, in order, with these fields."""
        return [
            asked
            for asked in self.app.asked
            if asked.path == path and all(asked.fields.get(name) == value for name, value in fields.items())
        ]

    async def told(self, path: str, **fields: Any) -> Asked:
        """Wait for a request to a path with these fields. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while True:
                asked = await self.app.request(path)
                if all(asked.fields.get(name) == value for name, value in fields.items()):
                    return asked

    # -- calls

    async def record(self, call: PhoneCall | str) -> CallRecord:
        """What is known about a call: the phone's own, or one of that SID."""
        if isinstance(call, str):
            id = read_sid(call)
            assert id is not None
            return await self.server.switchboard.get(self.account.id, id)
        sip_call_id = call.session.call_id
        for record in await self.records():
            if record.sip_call_id == sip_call_id:
                return await self.record(str(record.id))  # a list shows what is stored, not yet what is
        raise AssertionError(f"no call has the Call-ID {sip_call_id}")

    async def records(self) -> Sequence[CallRecord]:
        """Every call, newest first."""
        which = CallFilter(account_id=self.account.id)
        return await self.server.switchboard.list(which, limit=1000)

    async def notes(self, id: UUID) -> list[Note]:
        """What the time line of a call says in words, in order."""
        events = [decode(stored.payload) for stored in await self.server.store.events(str(id))]
        return [event.note for event in events if isinstance(event, Noted)]

    async def works(self, flavour: str) -> None:
        """Prove that a call goes as it should."""
        number = self.number(flavour, HANG_UP[flavour])
        async with self.server.phone() as phone:
            call = await phone.call(number)
            await call.answered()
            assert await call.ended() == "remote"


def world_settings(app: WebApp, data: Path) -> Settings:
    """An application and a block of numbers for each flavour, a device, a trunk, and another account."""
    applications = [_application(app, flavour, kind) for kind in KINDS for flavour in FLAVOURS]
    numbers = [
        NumberTable(
            number=f"+14155{_block(flavour, kind):02d}????", application=f"{flavour}{kind}", account="test"
        )
        for kind in KINDS
        for flavour in FLAVOURS
    ]
    return settings_for(
        data,
        *applications,
        number=tuple(numbers),
        account=(
            AccountTable(name="test", token=TOKEN),
            AccountTable(name="other", token=OTHER_TOKEN),
        ),
        trunk=(TrunkTable(name=TRUNK, account="test", inbound_from=("127.0.0.0/8",)),),
        client=(ClientTable(username=DEVICE, password=DEVICE_PASSWORD, account="test"),),
    )


def with_socket(url: str, number: str) -> Callable[[Settings], Settings]:
    """For `World.running`: one more jambonz application, on a WebSocket, which answers `number`."""

    def change(settings: Settings) -> Settings:
        application = ApplicationTable(name="socket", account="test", dialect="jambonz", voice_url=url)
        reached_by = NumberTable(number=number, application="socket", account="test")
        return msgspec.structs.replace(
            settings,
            application=(*settings.application, application),
            number=(*settings.number, reached_by),
        )

    return change


def _application(app: WebApp, flavour: str, kind: str) -> ApplicationTable:
    dialect = "laml" if flavour in LAML else flavour
    hasty = "#rt=500&tt=1000" if kind == "-hasty" else ""
    method: Literal["GET", "POST"] = "GET" if kind == "-get" else "POST"
    return ApplicationTable(
        name=f"{flavour}{kind}",
        account="test",
        dialect=dialect,  # type: ignore[arg-type]
        profile=flavour if flavour in LAML else "",  # type: ignore[arg-type]
        voice_url=f"{app.url}/voice/{flavour}{kind}{hasty}",
        voice_method=method,
        status_callback=f"{app.url}/status/{flavour}",
        env_vars={"GREETING": "hello"} if flavour == "jambonz" else {},
    )


def _block(flavour: str, kind: str) -> int:
    return KINDS.index(kind) * len(FLAVOURS) + FLAVOURS.index(flavour)


def called(asked: Asked) -> str:
    """The number called, in any dialect's request."""
    return str(asked.fields.get("To") or asked.fields.get("to"))


def uri_of(phone: Softphone) -> str:
    """Where a phone is reached without the help of a registrar."""
    return f"sip:{phone.username}@{phone.listening.partition(':')[2]}"


async def settled_tasks(before: set[asyncio.Task[Any]], timeout: float = PATIENCE) -> list[str]:
    """Wait until no task is left that was not there before; the names of those that stay.

    A connection that HTTP keeps alive, at the application's end, is one task and may stay.
    """
    new = {task for task in asyncio.all_tasks() - before if "RequestHandler.start" not in _work(task)}
    new.discard(asyncio.current_task())
    if not new:
        return []
    _, pending = await asyncio.wait(new, timeout=timeout)
    return [_work(task) for task in pending]


def _work(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task))


def _form(values: dict[str, Any]) -> list[tuple[str, str]]:
    """A list or tuple is a repeated parameter."""
    return [
        (name, str(one))
        for name, value in values.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


def _digits(number: str) -> str:
    return number.removeprefix("+")


def _numbers() -> Iterator[int]:
    while True:
        yield from range(10_000)
