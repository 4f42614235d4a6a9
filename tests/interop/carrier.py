"""A trunk whose far end is SIPp, with an ear and a mouth of the test's own for its audio; and the server that
dials over it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from tests.interop import scenes
from tests.interop.listening import likeness, voice
from tests.interop.sipp import Finished, Seen, Sipp
from tests.patience import PATIENCE
from tests.ports import kept_port

from ringback.calls.control import CallFilter
from ringback.calls.record import CallRecord
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    GatewayTable,
    NumberTable,
    TrunkTable,
)
from ringback.routing.directory import Account, Trunk
from ringback.testing.kit import NUMBER, TOKEN, Asked, RunningServer, WebApp, settings_for
from ringback.testing.phone_audio import PhoneAudio, Samples
from ringback.testing.softphone import Softphone

CALLED = "+13105550123"
CALLER = "+14155559999"
TWILIO = "+14155550101"
"""The same application in Twilio's profile, in which numbers and addresses can be dialled at once."""
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
HERS, HIS = voice(0.3, 2), voice(0.3, 3)
"""What a caller and the carrier say."""
_EVENTS = "initiated ringing answered completed"


class Carrier:
    """One scene at SIPp, as it goes on."""

    def __init__(self, sipp: Sipp, audio: PhoneAudio) -> None:
        self.sipp = sipp
        self.audio = audio

    async def sees(self, start: str, count: int = 1, timeout: float = PATIENCE) -> Seen:
        """The nth message that came with such a first line, once it is there. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                running = self.sipp.running
                came = Finished("", self.sipp.seen).received(start)
                if len(came) >= count:
                    return came[count - 1]
                assert running, (start, (await self.sipp.finished()).failed)
                await asyncio.sleep(0.01)

    async def speaks(self, codec: str = "PCMU", *, audio: PhoneAudio | None = None, invite: int = 1) -> None:
        """Begin to send audio to where an INVITE wants it; `audio`: of another port than before."""
        await self._towards(await self.sees("INVITE", invite), codec, audio)

    async def _towards(self, description: Seen, codec: str, audio: PhoneAudio | None) -> None:
        port = re.search(r"^m=audio (\d+)", description.text, re.M)
        assert port is not None
        (audio or self.audio).start(
            ("127.0.0.1", int(port[1])),
            codec=codec,
            payload_type={"PCMU": 0, "PCMA": 8}[codec],
            dtmf_pt=101,
            receive_dtmf=frozenset({101}),
        )

    async def cue(self) -> None:
        """Let the scene go on where it waits."""
        call_id = (await self.sees("INVITE")).header("Call-ID")
        lines = (
            f"MESSAGE sip:carrier@127.0.0.1:{self.sipp.port} SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKcue",
            "From: <sip:prompter@127.0.0.1>;tag=1",
            "To: <sip:carrier@127.0.0.1>",
            f"Call-ID: {call_id}",
            "CSeq: 1 MESSAGE",
            "Content-Length: 0",
            "",
            "",
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as prompter:
            prompter.sendto("\r\n".join(lines).encode(), ("127.0.0.1", self.sipp.port))

    async def finished(self) -> Finished:
        """Wait for the end of the scene, which must have gone as it should."""
        finished = await self.sipp.finished()
        assert not finished.failed, finished.failed
        return finished


class Exchange:
    """A server between callers and a trunk. `gateways` are the ports of the trunk's."""

    def __init__(self, app: WebApp, server: RunningServer, directory: Path, gateways: Sequence[int]) -> None:
        self.app = app
        self.server = server
        self.gateways = gateways
        self._directory = directory
        self._scenes = 0

    @asynccontextmanager
    async def carrier(
        self, *steps: scenes.Step, gateway: int | None = 0, port: int = 0
    ) -> AsyncIterator[Carrier]:
        """A scene at a gateway, or, with None, at an address of its own, with any `port` or this one.

        Steps that are functions get the port of its audio.
        """
        self._scenes += 1
        mouth = PhoneAudio()
        await mouth.open("127.0.0.1")
        text = scenes.scene(*(step(mouth.port) if callable(step) else step for step in steps))
        if gateway is not None:
            port = self.gateways[gateway]
        sipp = Sipp(f"scene{self._scenes}", self._directory, scene=text, port=port)
        try:
            await sipp.start()
            await sipp.listening()
            yield Carrier(sipp, mouth)
        finally:
            await sipp.stop()
            await mouth.close()

    @asynccontextmanager
    async def calling(self, *steps: str, port: int = 0) -> AsyncIterator[Sipp]:
        """A scene that begins with a request to this server."""
        self._scenes += 1
        sipp = Sipp(f"scene{self._scenes}", self._directory, scene=scenes.scene(*steps), port=port)
        try:
            await sipp.start(self.server.sip_address)
            yield sipp
        finally:
            await sipp.stop()

    def caller(self, number: str = CALLER) -> Softphone:
        """A telephone behind the trunk."""
        return self.server.phone(number, "")

    def dials(self, *nouns: str, attributes: str = "", before: str = "") -> None:
        """Answer the next callers with a Dial, which tells everything about its legs."""
        self.app.forget()
        self.app.reply("/done", "<Response><Hangup/></Response>")
        inside = "".join(nouns or [number()])
        self.app.reply(
            "/voice", f"<Response>{before}<Dial action='/done' {attributes}>{inside}</Dial></Response>"
        )

    async def probed(self) -> None:
        """Wait until every gateway has been asked whether it is there. Raises TimeoutError."""
        (trunk,) = self.server.directory.all(Trunk)
        async with asyncio.timeout(PATIENCE):
            while True:
                states = [self.server.telephony.gateways.state(trunk, gateway) for gateway in trunk.gateways]
                if None not in states:
                    return
                await asyncio.sleep(0.01)

    async def calls(self) -> list[CallRecord]:
        """All calls since the beginning, the newest first, once they have ended and everything is told."""
        await self.server.settled()
        account = self.server.directory.all(Account)[0]
        return list(await self.server.switchboard.list(CallFilter(account_id=account.id), limit=500))

    async def pair(self) -> tuple[CallRecord, CallRecord]:
        """The last call that came in, and the only leg that was dialled for it."""
        calls = await self.calls()
        caller = next(call for call in calls if call.parent_id is None)
        (callee,) = [call for call in calls if call.parent_id == caller.id]
        return caller, callee

    def told(self, path: str = "/status/leg") -> list[Asked]:
        """What was told there, in order."""
        return [asked for asked in self.app.asked if asked.path == path]

    def statuses(self, path: str = "/status/leg") -> list[str]:
        """The statuses that were told there."""
        return [str(asked.fields["CallStatus"]) for asked in self.told(path)]

    async def events(self, call: CallRecord, kind: str) -> list[dict[str, Any]]:
        """The events of a call of this kind."""
        stored = await self.server.store.events(str(call.id))
        return [msgspec.json.decode(event.payload) for event in stored if event.kind == kind]


@asynccontextmanager
async def open_exchange(
    directory: Path,
    gateways: Sequence[int] = (),
    *,
    transports: Sequence[Literal["udp", "tcp"]] = ("udp", "udp"),
    loops: bool = False,
    **trunk: Any,
) -> AsyncIterator[Exchange]:
    """A server with a trunk; `gateways` are the ports of its two gateways, `trunk` further settings of it.

    `loops`: the first one is the server itself.
    """
    ports = gateways or two_ports()
    table = TrunkTable(
        **{
            "name": "carrier",
            "gateways": tuple(
                GatewayTable(host=f"127.0.0.1:{port}", transport=transport, priority=place)
                for place, (port, transport) in enumerate(zip(ports, transports, strict=True))
            ),
            "username": "ringback",
            "password": "opensesame",
            "inbound_from": ("127.0.0.0/8",),
            **trunk,
        }
    )
    data = directory / "data"
    async with WebApp() as app:
        applications = [
            ApplicationTable(
                name=profile,
                dialect="laml",
                profile=profile,
                voice_url=f"{app.url}/voice",
                status_callback=f"{app.url}/status",
            )
            for profile in ("signalwire", "twilio")
        ]
        settings = settings_for(
            data,
            *applications,
            number=(
                NumberTable(number=NUMBER, application="signalwire"),
                NumberTable(number=TWILIO, application="twilio"),
            ),
            account=(AccountTable(name="test", token=TOKEN),),
            trunk=(table,),
        )
        if loops:
            sip = (f"udp:127.0.0.1:{ports[0]}",)
            settings = msgspec.structs.replace(
                settings, server=msgspec.structs.replace(settings.server, sip=sip)
            )
        async with RunningServer(settings) as server:
            yield Exchange(app, server, directory, ports)


def two_ports() -> tuple[int, int]:
    """Two ports that nobody holds, also between scenes."""
    return kept_port(), kept_port()


def number(called: str = CALLED) -> str:
    """The noun that calls a number over the trunk."""
    return f"<Number {_reports()}>{called}</Number>"


def client(name: str) -> str:
    """The noun that calls a registered device."""
    return f"<Client {_reports()}>{name}</Client>"


def sip(carrier: Carrier, where: str = "leg") -> str:
    """The noun that calls a scene at its own address."""
    return f"<Sip {_reports(where)}>{carrier.sipp.uri}</Sip>"


def _reports(where: str = "leg") -> str:
    return f"statusCallback='/status/{where}' statusCallbackEvent='{_EVENTS}'"


async def says(mouth: PhoneAudio, words: Samples, ear: PhoneAudio, timeout: float = PATIENCE) -> None:
    """Say something again and again until it has been heard: nobody knows just when two are connected."""
    since = due = len(ear.heard)
    async with asyncio.timeout(timeout):
        while True:
            heard = ear.heard
            if likeness(heard[max(since, len(heard) - 4 * len(words)) :], words) >= 0.9:
                return
            if len(heard) >= due:
                due = len(heard) + len(words)
                mouth.say(words)
            await ear.arrival()


async def talk(one: PhoneAudio, other: PhoneAudio) -> None:
    """Both speak at once, and each hears what the other says."""
    await asyncio.gather(says(one, HERS, other), says(other, HIS, one))
