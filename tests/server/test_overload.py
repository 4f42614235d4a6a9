"""When a part of the server fails: calls that are up go on or end with a clear cause, new ones are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.patience import PATIENCE, rest_client
from tests.server.site import NUMBERS, SPEAKS, Site, hears_sound, site_settings
from tests.server.wire import Wire, wire

from ringback.calls.capacity import Capacity
from ringback.calls.pausing import STORE
from ringback.config.tables import TrunkTable
from ringback.media.model import PlaneStatistics
from ringback.net.lag import EVERY
from ringback.routing.throttle import FLOOR, SPARED, Throttle
from ringback.sip.headers import Headers
from ringback.sip.message import Request
from ringback.sip.uri import Uri
from ringback.store.errors import StoreUnavailable
from ringback.store.records import Append, CallFilter
from ringback.testing.kit import RunningServer, WebApp
from ringback.testing.softphone import CallFailed, PhoneCall, Softphone

LAML = SPEAKS["laml"]


@pytest.fixture
async def site(data: Path) -> AsyncIterator[Site]:
    """A server of the test's own, since the test breaks it."""
    async with (
        WebApp() as app,
        RunningServer(site_settings(app, data)) as server,
        rest_client() as rest,
    ):
        yield Site(app, server, rest)


async def up(site: Site, phone: Softphone) -> PhoneCall:
    """A call that hears a prompt over and over."""
    site.reply("laml", "voice", LAML.play(site.tone("/tone.wav", 0.2), loop=0))
    call = await phone.call(NUMBERS["laml"])
    await call.answered()
    await call.hears(0.3)
    return call


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells: whether the media plane is there."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - what is asked about has no event
            await asyncio.sleep(0.02)


def kill_worker(site: Site) -> None:
    [worker] = site.server.plane.stats().workers
    assert worker.pid > 1
    os.kill(worker.pid, signal.SIGKILL)


async def health(site: Site) -> int:
    async with site.rest.get(f"{site.server.http_url}/health") as reply:
        return reply.status


async def refusal(phone: Softphone, number: str) -> int:
    call = await phone.call(number)
    with pytest.raises(CallFailed) as refused:
        await call.answered()
    return refused.value.status


@contextlib.contextmanager
def no_time(site: Site, monkeypatch: pytest.MonkeyPatch, *, left: float = 0.0) -> Iterator[None]:
    """What is measured leaves no time for a new call, but for those that are `left`."""
    with monkeypatch.context() as forced:
        forced.setattr(Throttle, "measured", lambda throttle, pressure: None)
        forced.setattr(site.server.capacity.throttle, "rate", 0.0)
        forced.setattr(site.server.capacity.throttle, "_tokens", left)
        yield


@contextlib.contextmanager
def late(kind: type, name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is measured there has that value; everything that follows from it is real."""
    with monkeypatch.context() as forced:
        forced.setattr(kind, name, value)
        yield


class Punctual:
    """SIP and media that are never late, whatever the machine does that tests run on."""

    def waited(self) -> float:
        return 0.0

    def stats(self) -> PlaneStatistics:
        return PlaneStatistics((), 0)


@contextlib.asynccontextmanager
async def looked_at(site: Site) -> AsyncIterator[None]:
    """How late the server's store is is looked at as on any server; nothing else is late."""
    capacity = site.server.capacity
    capacity.watch(Punctual(), site.server.store, Punctual())

    async def look() -> None:
        while True:
            Capacity.lagged(capacity, 0.0)
            await asyncio.sleep(EVERY)

    looking = asyncio.create_task(look())
    yield
    looking.cancel()


def invite(phone: Wire, to: str, call_id: str) -> Request:
    """A call from a carrier, as it is on the wire."""
    body = (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
    fields = {
        "Max-Forwards": "70",
        "From": f"<sip:+14155559999@{phone.address}>;tag=a",
        "To": f"<{to}>",
        "Call-ID": call_id,
        "Contact": f"<sip:{phone.address}>",
        "Content-Type": "application/sdp",
    }
    return Request("INVITE", Uri.parse(to), Headers(fields.items()), body)


@pytest.mark.parametrize("status", [503, 480])
async def test_without_time_new_calls_are_refused_and_those_that_are_up_go_on(
    data: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    carrier = TrunkTable(name="local", account="test", inbound_from=("127.0.0.0/8",), overload_status=status)
    async with (
        WebApp() as app,
        RunningServer(site_settings(app, data, trunk=(carrier,))) as server,
        rest_client() as rest,
    ):
        site = Site(app, server, rest)
        async with site.caller() as phone, wire() as other:
            call = await up(site, phone)
            with no_time(site, monkeypatch):
                waits = set()
                for number in range(30):
                    to = f"sip:{NUMBERS['laml']}@{server.sip_address}"
                    refused = await other.ask(server.sip_address, invite(other, to, f"refused-{number}"))
                    assert refused.status == status
                    waits.add(refused.headers.get("Retry-After"))
                assert waits == {"1", "2", "3"}
                for dialect in ("laml", "jambonz", "callapi"):
                    told, _ = await site.post(
                        dialect, "Calls", **site.call_fields(dialect, "sip:bob@127.0.0.1:9")
                    )
                    assert told == (480 if dialect == "jambonz" else 503)
                assert await health(site) == 200, "it is at work, not ill"
                async with rest.get(f"{server.http_url}/metrics") as reply:
                    metrics = await reply.text()
                assert "ringback_overloaded 1.0" in metrics
                assert "ringback_overload_refusals_total 33.0" in metrics
                assert f'ringback_invites_refused_total{{code="{status}"}} 30.0' in metrics
                await hears_sound(call, 0.2)
                call.hang_up()
                assert await call.ended()
            assert await site.statuses("laml") == ["completed"]
            assert len(server.telephony.endpoint._agent.core.layer) < 10, "of those refused nothing is kept"


async def test_a_device_that_is_challenged_comes_in_once_with_its_call(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reply("laml", "voice", LAML.play(site.tone("/tone.wav", 0.2), loop=0))
    challenge = 1.0 - SPARED
    async with site.server.phone() as device:
        await device.register()
        with no_time(site, monkeypatch, left=2 * (1.0 + challenge) + 0.5):
            for _ in range(2):
                call = await device.call(NUMBERS["laml"])
                await call.answered()
                call.hang_up()
                await call.ended()
            assert await refusal(device, NUMBERS["laml"]) == 503
        assert site.server.capacity.refused == 1


async def answer_to(site: Site, phone: Wire, call_id: str) -> int:
    """The final status of a new call."""
    to = f"sip:{NUMBERS['laml']}@{site.server.sip_address}"
    return (await phone.ask(site.server.sip_address, invite(phone, to, call_id))).status


async def test_when_the_store_is_late_new_calls_are_refused_until_it_is_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.reply("laml", "voice", LAML.reject_busy())
    capacity = site.server.capacity
    async with looked_at(site), wire() as phone:
        assert await answer_to(site, phone, "before") == 486
        with late(type(site.server.store), "delay", property(lambda store: 10 * STORE), monkeypatch):
            await until(lambda: capacity.limited)
            answers = [await answer_to(site, phone, f"late-{number}") for number in range(int(4 * FLOOR))]
        assert set(answers) == {486, 503}, "some come in, however late it is"
        assert capacity.refused == answers.count(503)
        await until(lambda: not capacity.limited)
        assert await answer_to(site, phone, "after") == 486


async def test_without_its_log_no_call_begins_and_those_that_are_up_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.caller() as phone:
        call = await up(site, phone)
        with monkeypatch.context() as broken:
            broken.setattr(type(site.server.store), "healthy", False)
            assert await refusal(phone, NUMBERS["laml"]) == 503
            fields = {
                "From": "+14155550100",
                "To": "sip:bob@127.0.0.1:9",
                "Url": f"{site.app.url}/laml/voice",
            }
            status, _ = await site.post("laml", "Calls", **fields)
            assert status == 503
            assert await health(site) == 503
            await hears_sound(call, 0.2)
        assert await health(site) == 200
        call.hang_up()
        assert await site.statuses("laml") == ["completed"]


async def test_a_full_backlog_does_not_end_a_call(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(append: Append, *, new_call: bool = False) -> asyncio.Future[None]:
        raise StoreUnavailable("the backlog is full")

    async with site.caller() as phone:
        call = await up(site, phone)
        with monkeypatch.context() as broken:
            broken.setattr(site.server.store, "append", full)
            await call.press("1")
            await call.hears(len(call.heard()) / 8000 + 0.2)
        call.hang_up()
        assert await site.statuses("laml") == ["completed"]


async def test_a_lost_media_worker_ends_its_calls_with_a_clear_cause_and_is_replaced(site: Site) -> None:
    async with site.caller() as phone:
        call = await up(site, phone)
        kill_worker(site)
        assert await call.ended() == "remote"
        assert (await site.statuses("laml"))[-1] in ("failed", "completed")
        [row] = await site.server.store.calls(CallFilter(), limit=1)
        assert (row.status, row.ended_by) == ("failed", "server")
        assert row.cause == "media was lost: the media worker ended (signal 9)"
        await until(lambda: site.server.plane.available)
        again = await up(site, phone)
        again.hang_up()


async def test_while_there_is_no_media_calls_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.reply("laml", "voice", LAML.say("hello"))
    monkeypatch.setattr("ringback.media.plane.RESTART_AFTER", 60.0)
    async with site.caller() as phone:
        kill_worker(site)
        await until(lambda: not site.server.plane.available)
        assert await refusal(phone, NUMBERS["laml"]) == 503
        assert (await site.statuses("laml"))[-1] == "failed"
