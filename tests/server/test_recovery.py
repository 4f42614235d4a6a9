"""Open calls that a start finds, and that no settings or no reader fit any more: they end all the same."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.calls.making import answered_record, one_of_each_event
from tests.calls.recordings.tapes import tone, write_wav
from tests.patience import PATIENCE
from tests.server.site import site_settings

from ringback.calls import events
from ringback.calls.record import CallRecord
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.rows import to_recording_row
from ringback.calls.rows import to_row
from ringback.calls.status import Direction
from ringback.calls.verbs import RecordingPlan
from ringback.config.tables import TrunkTable
from ringback.net.clock import utcnow
from ringback.routing.directory import Account
from ringback.sip.auth import Credentials
from ringback.sip.message import Request, make_response
from ringback.sip.parse import parse_message
from ringback.store.records import Append, CallFilter, CallRow
from ringback.store.store import Store
from ringback.testing.kit import RunningServer, WebApp


async def left_open(data: Path, call: CallRecord, row: CallRow | None = None) -> None:
    """Store a call as a server leaves it that was killed in the middle of a verb."""
    async with await Store.open("sqlite", data) as store:
        happened = [one_of_each_event()[0], events.CallAnswered(), *one_of_each_event()[6:9]]
        for sequence, event in enumerate(happened):
            await store.append(
                Append(
                    call_id=str(call.id),
                    sequence=sequence,
                    kind=events.kind_of(event),
                    at=call.created_at.timestamp(),
                    payload=events.encode(event),
                    row=(row or to_row(call)) if sequence < 2 else None,
                )
            )


async def after_a_start(app: WebApp, data: Path) -> tuple[CallRow, list[str]]:
    """The one call, and the kinds of its events."""
    async with RunningServer(site_settings(app, data)) as server:
        [row] = await server.store.calls(CallFilter())
        return row, [event.kind for event in await server.store.events(row.id)]


CASES: dict[str, dict[str, Any]] = {
    "an account that is not configured": {"account_id": uuid4()},
    "a dialog that cannot be read": {"dialog": {"call_id": "abc"}},
    "a dialog that makes no sense": {
        "dialog": {
            "call_id": "abc",
            "local": "",
            "remote": "<<",
            "route_set": [],
            "remote_target": "nowhere",
            "local_cseq": 1,
        }
    },
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
async def test_it_ends_all_the_same(
    data: Path, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with WebApp() as app:
        account = site_settings(app, data).directory().all(Account)[0].id
        await left_open(data, answered_record(**{"account_id": account, **changes}))
        with caplog.at_level(logging.WARNING):
            row, kinds = await after_a_start(app, data)
        assert (row.status, row.cause) == ("completed", "the server was restarted")
        assert kinds.count("call.ended") == 1
        assert kinds[-1] == "call.ended"
        assert caplog.records, "somebody is told what was odd"


async def test_a_row_that_cannot_be_read_keeps_no_server_from_starting(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = answered_record()
    row = msgspec.structs.replace(to_row(call), status="teleported")
    await left_open(data, call, row)
    async with WebApp() as app:
        with caplog.at_level(logging.ERROR):
            stored, _ = await after_a_start(app, data)
        assert stored.status == "teleported"
        assert "could not be ended" in caplog.text


async def test_a_carrier_that_wants_to_know_who_hangs_up_is_told(data: Path) -> None:
    """The credentials are those of the trunk that the call went out through."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", 0))
        carrier.setblocking(False)
        port = carrier.getsockname()[1]
        dialog = {
            "call_id": "abc",
            "local": "<sip:us@carrier.example>;tag=1",
            "remote": "<sip:them@carrier.example>;tag=2",
            "route_set": [],
            "remote_target": f"sip:them@127.0.0.1:{port}",
            "local_cseq": 1,
            "peer": {"transport": "udp", "host": "127.0.0.1", "port": port},
        }
        async with WebApp() as app:
            settings = site_settings(app, data)
            host = f"127.0.0.1:{port}"
            trunk = TrunkTable(name="carrier", account="test", host=host, username="us", password="secret")
            settings = msgspec.structs.replace(settings, trunk=(*settings.trunk, trunk))
            account = settings.directory().all(Account)[0].id
            outbound = {"direction": Direction.OUTBOUND_API, "trunk": "carrier"}
            await left_open(data, answered_record(account_id=account, dialog=dialog, **outbound))

            async def asked() -> Request:
                message, source = await asyncio.wait_for(loop.sock_recvfrom(carrier, 65536), PATIENCE)
                request = parse_message(message)
                assert isinstance(request, Request)
                status = 200 if "Proxy-Authorization" in request.headers else 407
                response = make_response(request, status, to_tag="2")
                if status == 407:
                    response.headers.add("Proxy-Authenticate", 'Digest realm="carrier", nonce="n"')
                await loop.sock_sendto(carrier, response.encode(), source)
                return request

            async with RunningServer(settings):
                assert (await asked()).method == "BYE"
                again = await asked()
    value = Credentials.parse(again.headers.get("Proxy-Authorization") or "")
    assert value is not None
    assert value.response == value.expected_response("secret", "BYE")
    assert value.username == "us"


async def test_recordings_of_a_call_that_is_not_known_are_settled(data: Path) -> None:
    async with WebApp() as app:
        account = site_settings(app, data).directory().all(Account)[0].id
        now = utcnow()
        lost = Recording(
            id=uuid4(),
            account_id=account,
            call_id=uuid4(),
            plan=RecordingPlan(),
            status=RecordingStatus.IN_PROGRESS,
            created_at=now,
            updated_at=now,
        )
        path = data / "recordings" / str(account) / f"{lost.id}.wav"
        path.parent.mkdir(parents=True)
        write_wav(path, tone(0.5))
        async with await Store.open("sqlite", data) as store:
            await store.put_recording(to_recording_row(lost))
        async with RunningServer(site_settings(app, data)) as server:
            row = await server.store.recording(str(lost.id))
            assert row is not None
            assert (row.status, row.error) == ("failed", "nothing is known of its call")
            assert await server.store.unsettled_recordings() == []
            assert not path.exists()
