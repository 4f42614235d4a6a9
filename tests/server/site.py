"""One server for a module's tests, with an application in each dialect, and what those applications say.

A test names what it wants said in neutral words (`site.speaks["jambonz"].gather(...)`); each dialect's words
for it are here.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile
from aiohttp import web
from tests.patience import PATIENCE

from ringback.config.tables import AccountTable, ApplicationTable, ClientTable, NumberTable, TrunkTable
from ringback.routing.directory import Account
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, Asked, RunningServer, WebApp, settings_for
from ringback.testing.softphone import PhoneCall, Softphone

DIALECTS = ("laml", "twilio", "jambonz", "callapi")
NUMBERS = {name: f"+1415555010{place}" for place, name in enumerate(DIALECTS)}
OTHER_TOKEN = "other-token"

Document = str | list[dict[str, Any]]


class Xml:
    """LaML, TwiML, RCML."""

    def __init__(self, name: str) -> None:
        self.name = name

    def document(self, *verbs: str) -> Document:
        return f"<Response>{''.join(verbs)}</Response>"

    def say(self, text: str) -> str:
        return f"<Say>{text}</Say>"

    def play(self, url: str, *, loop: int = 1) -> str:
        return f'<Play loop="{loop}">{url}</Play>'

    def pause(self, seconds: int) -> str:
        return f'<Pause length="{seconds}"/>'

    def gather(self, action: str, *prompts: str, keys: int, timeout: int = 5) -> str:
        inside = "".join(prompts)
        return f'<Gather action="{action}" numDigits="{keys}" timeout="{timeout}">{inside}</Gather>'

    def redirect(self, url: str) -> str:
        return f"<Redirect>{url}</Redirect>"

    def reject_busy(self) -> str:
        return '<Reject reason="busy"/>'

    def hang_up(self) -> str:
        return "<Hangup/>"

    def digits(self, asked: Asked) -> str:
        return str(asked.fields["Digits"])

    def status(self, asked: Asked) -> str:
        return str(asked.fields["CallStatus"])


class Json:
    """jambonz."""

    name = "jambonz"

    def document(self, *verbs: dict[str, Any]) -> Document:
        return list(verbs)

    def say(self, text: str) -> dict[str, Any]:
        return {"verb": "say", "text": text}

    def play(self, url: str, *, loop: int = 1) -> dict[str, Any]:
        return {"verb": "play", "url": url, "loop": loop}

    def pause(self, seconds: int) -> dict[str, Any]:
        return {"verb": "pause", "length": seconds}

    def gather(self, action: str, *prompts: dict[str, Any], keys: int, timeout: int = 5) -> dict[str, Any]:
        inside = {p["verb"]: {k: v for k, v in p.items() if k != "verb"} for p in prompts}
        return {
            "verb": "gather",
            "input": ["digits"],
            "actionHook": action,
            "numDigits": keys,
            "timeout": timeout,
            **inside,
        }

    def redirect(self, url: str) -> dict[str, Any]:
        return {"verb": "redirect", "actionHook": url}

    def reject_busy(self) -> dict[str, Any]:
        return {"verb": "sip:decline", "status": 486}

    def hang_up(self) -> dict[str, Any]:
        return {"verb": "hangup"}

    def digits(self, asked: Asked) -> str:
        return str(asked.fields["digits"])

    def status(self, asked: Asked) -> str:
        return str(asked.fields["call_status"])


SPEAKS: dict[str, Any] = {name: Json() if name == "jambonz" else Xml(name) for name in DIALECTS}


class Site:
    """The server, its web application, and a client of its REST interfaces."""

    def __init__(self, app: WebApp, server: RunningServer, rest: aiohttp.ClientSession) -> None:
        self.app = app
        self.server = server
        self.rest = rest

    @property
    def account(self) -> Account:
        """The account that everything belongs to."""
        return next(account for account in self.server.directory.all(Account) if account.name == "test")

    def reply(self, dialect: str, path: str, *verbs: Any) -> None:
        """Answer `/dialect/path` with a document of these verbs."""
        self.app.reply(f"/{dialect}/{path}", SPEAKS[dialect].document(*verbs))

    def caller(self, number: str = "+14155559999") -> Softphone:
        """A phone behind the trunk: nobody asks it for a password."""
        return self.server.phone(number, "")

    def tone(self, path: str, seconds: float, hertz: float = 440.0) -> str:
        """Serve a tone as a WAV file; its URL."""
        return serve_tone(self.app, path, seconds, hertz)

    async def statuses(self, dialect: str) -> list[str]:
        """The statuses told so far, once everything has been told."""
        await self.server.settled()
        speaks = SPEAKS[dialect]
        return [speaks.status(asked) for asked in self.app.asked if asked.path == f"/status/{dialect}"]

    # -- REST

    async def create(self, dialect: str, to: str, **fields: Any) -> str:
        """Place a call to a SIP URI or a device; its SID."""
        status, body = await self.post(dialect, "Calls", **self.call_fields(dialect, to), **fields)
        assert status in (200, 201), (status, body)
        return str(body["sid"])

    def call_fields(self, dialect: str, to: str) -> dict[str, Any]:
        """What a call to that address is created with."""
        voice, told = f"{self.app.url}/{dialect}/voice", f"{self.app.url}/status/{dialect}"
        if dialect == "jambonz":
            target = {"type": "sip", "sipUri": to} if to.startswith("sip:") else {"type": "user", "name": to}
            return {
                "from": "+14155550100",
                "to": target,
                "call_hook": voice,
                "call_status_hook": told,
                "speech_synthesis_vendor": "default",
                "speech_synthesis_language": "en-US",
                "speech_synthesis_voice": "default",
                "speech_recognizer_vendor": "default",
                "speech_recognizer_language": "en-US",
            }
        fields = {"From": "+14155550100", "To": to if ":" in to else f"client:{to}", "Url": voice}
        events = "initiated ringing answered completed"
        fields["StatusCallback"] = told
        fields["StatusCallbackEvent"] = events.replace(" ", ",") if dialect == "callapi" else events
        return fields

    async def post(self, dialect: str, path: str, **fields: Any) -> tuple[int, Any]:
        """POST below the account, as the dialect does it; status and body."""
        return await self.request("POST", dialect, path, **fields)

    async def request(
        self, method: str, dialect: str, path: str, *, token: str = TOKEN, account: Any = None, **fields: Any
    ) -> tuple[int, Any]:
        """Any request below the account; status and the JSON that came."""
        sid = (account or self.account).id
        url = f"{self.server.http_url}{_BASES[dialect].format(sid=sid, hex=sid.hex)}/{path}"
        options: dict[str, Any] = {}
        if dialect == "jambonz":
            options["headers"] = {"Authorization": f"Bearer {token}"}
            if fields:
                options["json"] = fields
        else:
            user = f"AC{sid.hex}" if dialect == "twilio" else str(sid)
            options["headers"] = basic(user, token)
            options["data"] = _form(fields)
            if not url.endswith(".json"):
                url += ".json"
        async with self.rest.request(method, url, **options) as reply:
            text = await reply.text()
        try:
            return reply.status, json.loads(text) if text else None
        except ValueError:
            return reply.status, text

    async def call(self, dialect: str, sid: str) -> dict[str, Any]:
        """The call as REST shows it."""
        status, body = await self.request("GET", dialect, f"Calls/{sid}")
        assert status == 200, (status, body)
        return dict(body)


_BASES = {
    "laml": "/api/laml/2010-04-01/Accounts/{sid}",
    "twilio": "/2010-04-01/Accounts/AC{hex}",
    "jambonz": "/v1/Accounts/{sid}",
    "callapi": "/call/2012-04-24/Accounts/{sid}",
}


def basic(user: str, password: str) -> dict[str, str]:
    """The header of Basic credentials."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def _form(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, str(value))
        for name, values in fields.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    ]


def site_settings(app: WebApp, data: Path, **changes: Any) -> Any:
    """Settings with an application and a number in each dialect, a device, and a second account."""
    applications = [
        ApplicationTable(
            name=name,
            account="test",
            dialect="laml" if name == "twilio" else name,  # type: ignore[arg-type]
            profile="twilio" if name == "twilio" else "",
            voice_url=f"{app.url}/{name}/voice",
            status_callback=f"{app.url}/status/{name}",
        )
        for name in DIALECTS
    ]
    values: dict[str, Any] = {
        "account": (AccountTable(name="test", token=TOKEN), AccountTable(name="other", token=OTHER_TOKEN)),
        "number": tuple(
            NumberTable(number=number, account="test", application=name) for name, number in NUMBERS.items()
        ),
        "trunk": (TrunkTable(name="local", account="test", inbound_from=("127.0.0.0/8", "::1/128")),),
        "client": (
            ClientTable(username=DEVICE, account="test", password=DEVICE_PASSWORD),
            ClientTable(username="bob", account="test", password="builder"),
        ),
    }
    return settings_for(data, *applications, **{**values, **changes})


def wav(seconds: float, hertz: float = 440.0) -> bytes:
    """A tone as a WAV file of 8 kHz."""
    time = np.arange(int(seconds * 8000)) / 8000
    samples = (np.sin(2 * np.pi * hertz * time) * 12000).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, subtype="PCM_16", format="WAV")
    return file.getvalue()


def serve_tone(app: WebApp, path: str, seconds: float, hertz: float = 440.0) -> str:
    body = wav(seconds, hertz)
    app.reply(path, lambda _: web.Response(body=body, content_type="audio/wav"))
    return f"{app.url}{path}"


def loud_seconds(samples: Sequence[int] | np.ndarray[Any, Any]) -> float:
    """How much of what was heard is sound: frames of 20 ms louder than silence, and the short holes between
    them, which a busy machine makes."""
    frames = np.asarray(samples[: len(samples) // 160 * 160], dtype=np.float64).reshape(-1, 160)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 500)
    steps = np.diff(loud, prepend=loud[:1] - 1)
    return float(np.where(steps <= _HOLE, steps, 1).sum() * 0.02)


async def hears_sound(call: PhoneCall, seconds: float) -> None:
    """Wait until so much sound has come. Raises TimeoutError."""
    since = len(call.heard())
    async with asyncio.timeout(PATIENCE):
        while loud_seconds(call.heard()[since:]) < seconds:
            await call.audio.arrival()


_HOLE = 10
"""Frames."""
