"""Starting and stopping: what is promised to calls, to callbacks, and to whoever else wants the ports."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.patience import rest_client
from tests.server.site import NUMBERS, SPEAKS, site_settings

from ringback.config import Settings
from ringback.config.tables import CallsSection, ServerSection
from ringback.running import DataInUse, running_server
from ringback.server import Server
from ringback.store.records import CallFilter
from ringback.store.store import Store
from ringback.telephony import Telephony
from ringback.testing.kit import RunningServer, WebApp
from ringback.testing.softphone import CallFailed, Softphone

LAML = SPEAKS["laml"]


def patient(app: WebApp, data: Path, seconds: int) -> Settings:
    """Settings with so much time for running calls."""
    made: Settings = site_settings(app, data, calls=CallsSection(shutdown_seconds=seconds))
    return made


def on_ports(settings: Settings, **server: Any) -> Settings:
    section: ServerSection = msgspec.structs.replace(settings.server, **server)
    return msgspec.structs.replace(settings, server=section)


async def test_calls_get_time_and_end_by_themselves(data: Path) -> None:
    async with WebApp() as app:
        server = RunningServer(patient(app, data, 10))
        await server.start()
        app.reply("/laml/voice", LAML.document(LAML.say("so long"), LAML.hang_up()))
        async with server.phone("caller", "") as phone:
            call = await phone.call(NUMBERS["laml"])
            await call.answered()
            stopping = asyncio.create_task(server.stop())
            late = await phone.call(NUMBERS["laml"])
            with pytest.raises(CallFailed) as refused:
                await late.answered()
            assert refused.value.status == 503
            assert await call.ended() == "remote"
            await stopping
        assert [asked.fields["CallStatus"] for asked in app.asked if "status" in asked.path] == ["completed"]
    async with await Store.open("sqlite", data) as store:
        [row] = await store.calls(CallFilter())
        assert (row.status, row.cause) == ("completed", "hung up")


async def test_calls_that_do_not_end_are_ended_and_their_callbacks_delivered(data: Path) -> None:
    async with WebApp() as app:
        server = RunningServer(patient(app, data, 0))
        await server.start()
        app.reply("/laml/voice", LAML.document(LAML.gather("/laml/digits", keys=1, timeout=60)))
        async with server.phone("caller", "") as phone:
            calls = [await phone.call(NUMBERS["laml"]) for _ in range(5)]
            for call in calls:
                await call.answered()
            await server.stop()
            assert [await call.ended() for call in calls] == ["remote"] * 5
        told = [asked.fields["CallStatus"] for asked in app.asked if "status" in asked.path]
        assert told == ["completed"] * 5
    async with await Store.open("sqlite", data) as store:
        assert await store.pending() == []
        for row in await store.calls(CallFilter()):
            assert (row.status, row.cause) == ("completed", "the server is shutting down")


async def test_a_stopped_server_can_be_started_again_on_its_data(data: Path) -> None:
    async with WebApp() as app:
        for _ in range(2):
            async with RunningServer(site_settings(app, data)) as server:
                assert running_server(data) is not None
                async with (
                    rest_client() as client,
                    client.get(f"{server.http_url}/health") as reply,
                ):
                    assert reply.status == 200
            assert running_server(data) is None


async def test_two_servers_do_not_share_a_data_directory(data: Path) -> None:
    async with WebApp() as app, RunningServer(site_settings(app, data)):
        second = Server(site_settings(app, data))
        with pytest.raises(DataInUse, match="in use by process"):
            await second.start()
        await second.stop()
        assert running_server(data) is not None, "the first one is still announced"


@pytest.mark.parametrize("what", ["http", "sip-udp", "sip-tcp"])
async def test_a_port_that_is_taken_leaves_nothing_open(data: Path, what: str) -> None:
    kind = socket.SOCK_DGRAM if what == "sip-udp" else socket.SOCK_STREAM
    async with WebApp() as app:
        with socket.socket(socket.AF_INET, kind) as holder:
            holder.bind(("127.0.0.1", 0))
            if kind is socket.SOCK_STREAM:
                holder.listen()
            place = f"127.0.0.1:{holder.getsockname()[1]}"
            changes: dict[str, Any] = (
                {"http": place} if what == "http" else {"sip": (f"{what.removeprefix('sip-')}:{place}",)}
            )
            server = Server(on_ports(site_settings(app, data), **changes))
            with pytest.raises(OSError, match="in use"):
                await server.start()
            await server.stop()
        async with RunningServer(site_settings(app, data)):
            """The data directory is free again."""


async def test_http_opens_last(data: Path, free_port: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who can reach HTTP can call: whatever comes earlier is told to come back."""
    port = free_port()
    refused: list[bool] = []
    receive = Telephony.receive

    async def watched(self: Telephony, *given: Any) -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        async with Softphone("caller", server=self.endpoint.listening[0].partition(":")[2]) as phone:
            call = await phone.call(NUMBERS["laml"])
            with pytest.raises(CallFailed, match="503"):
                await call.answered()
        refused.append(True)
        await receive(self, *given)

    monkeypatch.setattr(Telephony, "receive", watched)
    async with WebApp() as app:
        app.reply("/laml/voice", LAML.document(LAML.say("hello")))
        async with RunningServer(on_ports(site_settings(app, data), http=f"127.0.0.1:{port}")) as server:
            assert refused == [True]
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            async with server.phone("caller", "") as phone:
                await (await phone.call(NUMBERS["laml"])).answered()
