"""`/metrics`: what Prometheus reads before, during and after real calls, and who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain
from tests.patience import rest_client
from tests.server.neutral import HANG_UP, Neutral, Phones, callee, talk
from tests.server.site import DIALECTS, NUMBERS, SPEAKS, Site, basic, site_settings

from ringback.calls.events import Bridged, RecordingChanged
from ringback.calls.verbs import Answering, Dial, Record, RecordingPlan
from ringback.config.tables import AccountTable, GatewayTable, TrunkTable
from ringback.routing.directory import Trunk
from ringback.testing.kit import DEVICE, DEVICE_PASSWORD, TOKEN, RunningServer, WebApp
from ringback.testing.softphone import CallFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = {"Host": "ringback.example.com"}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Figures:
    """A scrape: the value of a series, by name and labels."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = {family.name: family for family in families}
        samples = [sample for family in self.families.values() for sample in family.samples]
        self._values = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
        assert len(self._values) == len(samples), "no series may be there twice"

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[f"ringback_{name}", frozenset(labels.items())]


async def scrape(site: Site) -> Figures:
    async with site.rest.get(f"{site.server.http_url}/metrics") as reply:
        assert reply.status == 200
        assert reply.content_type == "text/plain"
        return Figures(plain(await reply.text()))


class Since:
    """What has changed since a scrape."""

    def __init__(self, site: Site, before: Figures) -> None:
        self._site = site
        self._before = before
        self._now = before

    async def look(self) -> None:
        self._now = await scrape(self._site)

    def __call__(self, name: str, **labels: str) -> float:
        return self._now(name, **labels) - self._before(name, **labels)


async def since(site: Site) -> Since:
    return Since(site, await scrape(site))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_call_that_is_answered(site: Site, dialect: str) -> None:
    grown, speaks = await since(site), SPEAKS[dialect]
    asked = "laml" if dialect == "twilio" else dialect
    site.reply(dialect, "voice", speaks.play(site.tone("/tone.wav", 30)))
    async with site.caller() as phone:
        call = await phone.call(NUMBERS[dialect])
        await call.answered()
        now = await scrape(site)
        assert now("calls", direction="inbound", state="in-progress") == 1
        assert now("media_legs") == 1
        assert now("trunk_calls", trunk="local") == 1
        call.hang_up()
        statuses = await site.statuses(dialect)
    await grown.look()
    assert grown("call_setups_total", direction="inbound", outcome="answered") == 1
    assert grown("call_setup_seconds_count", direction="inbound") == 1
    assert 0 < grown("call_setup_seconds_sum", direction="inbound") < 10
    assert grown("webhook_seconds_count", dialect=asked, outcome="ok") == 1
    assert grown("webhook_seconds_sum", dialect=asked, outcome="ok") > 0
    assert grown("callbacks_total", transport="http", outcome="delivered") == len(statuses)
    assert grown("rtp_packets_received_total") + grown("rtp_packets_sent_total") > 0
    now = await scrape(site)
    assert now("calls", direction="inbound", state="in-progress") == 0
    assert now("callbacks_waiting") == now("media_legs") == now("trunk_calls", trunk="local") == 0


async def test_an_application_that_fails(site: Site) -> None:
    """Its questions and its callbacks: one that is not accepted is given up, one that broke is repeated."""
    grown = await since(site)
    site.app.reply("/callapi/voice", lambda _: web.Response(status=500))
    site.app.reply("/status/callapi", lambda _: web.Response(status=500), lambda _: web.Response(status=404))
    async with site.caller() as phone:
        call = await phone.call(NUMBERS["callapi"])
        with pytest.raises(CallFailed):
            await call.answered()
        await site.server.settled()
    await grown.look()
    assert grown("webhook_seconds_count", dialect="callapi", outcome="failed") == 1
    assert grown("callback_repeats_total") == 1
    failed = grown("callbacks_total", transport="http", outcome="failed")
    assert failed + 1 == sum(asked.path == "/status/callapi" for asked in site.app.asked)
    assert grown("call_setups_total", direction="inbound", outcome="answered") == 0


async def test_calls_that_are_not_answered(site: Site) -> None:
    grown = await since(site)
    site.reply("laml", "voice", SPEAKS["laml"].reject_busy())
    async with site.caller() as phone:
        for number in (NUMBERS["laml"], "+14155550999"):
            with pytest.raises(CallFailed):
                await (await phone.call(number)).answered()
    async with site.server.phone("bob", "") as bob:
        await site.create("laml", f"sip:bob@{bob.listening.partition(':')[2]}")
        called = await bob.incoming()
        called.ring()
        called.reject(603)
        await site.server.settled()
    await grown.look()
    assert grown("call_setups_total", direction="inbound", outcome="rejected-busy") == 1
    assert grown("call_setups_total", direction="outbound-api", outcome="declined") == 1
    assert grown("call_setup_seconds_count", direction="inbound") == 0
    assert (await scrape(site))("invites_refused_total", code="404") >= 1


async def test_a_pair(site: Site, app: Neutral, phones: Phones) -> None:
    caller, bob, _ = phones
    grown = await since(site)
    app.answer("new-call", Dial(callees=(callee(bob),)), HANG_UP)
    call = await caller.call(NUMBERS["laml"])
    called = await bob.incoming()
    called.answer()
    await asyncio.gather(call.answered(), app.event(Bridged), talk(call, called))
    now = await scrape(site)
    assert now("calls", direction="outbound-dial", state="in-progress") == 1
    assert now("media_legs") == 2
    called.hang_up()
    await site.server.settled()
    await grown.look()
    assert grown("call_setups_total", direction="outbound-dial", outcome="answered") == 1
    received, sent = grown("rtp_packets_received_total"), grown("rtp_packets_sent_total")
    assert received > 0
    assert sent > 0
    assert 0 <= grown("rtp_packets_lost_total") <= received


async def test_a_recording(site: Site, app: Neutral, phones: Phones) -> None:
    grown = await since(site)
    plan = RecordingPlan(source="record-verb")
    app.answer(
        "new-call",
        Record(answering=Answering.ANSWER, recording=plan, silence_timeout=None, beep=False),
        HANG_UP,
    )
    call = await phones[0].call(NUMBERS["laml"])
    await app.event(RecordingChanged)
    assert (await scrape(site))("recordings_in_progress") == 1
    await call.answered()
    call.hang_up()
    await site.server.settled()
    await grown.look()
    ended = [grown("recordings_total", outcome=outcome) for outcome in ("completed", "absent", "failed")]
    assert sum(ended) == 1
    assert ended[2] == 0
    now = await scrape(site)
    assert now("recordings_in_progress") == now("recordings_waiting") == 0


async def test_how_the_server_is(site: Site) -> None:
    now = await scrape(site)
    assert now("accepting_calls") == now("store_healthy") == 1
    assert now("queued_calls") == 0
    assert now("media_ticks_total", worker="0") > 0
    assert now("media_tick_overruns_total", worker="0") >= 0
    assert 0 < now("media_tick_p99_seconds", worker="0") <= now("media_tick_max_seconds", worker="0") < 60
    assert now("loop_lag_seconds_count") > 0
    assert now.families["process_resident_memory_bytes"].samples[0].value > 1e6


async def test_the_other_format(site: Site) -> None:
    url = f"{site.server.http_url}/metrics"
    async with site.rest.get(url, headers={"Accept": OPEN_METRICS}) as reply:
        assert reply.content_type == "application/openmetrics-text"
        families = Figures(open_metrics(await reply.text())).families  # type: ignore[no-untyped-call]  # it has no annotations
    assert families.keys() == {name.removesuffix("_total") for name in (await scrape(site)).families}
    assert not any(name.endswith("_created") for name in families)


async def test_every_metric_is_in_the_reference(site: Site) -> None:
    page = (Path(__file__).parents[2] / "docs/reference.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `ringback_")]
    told = {row.split("`")[1].partition("{")[0] for row in rows}
    families = (await scrape(site)).families.values()
    ours = {f"{f.name}_total" if f.type == "counter" else f.name for f in families}
    assert told == {name for name in ours if name.startswith("ringback_")}


# -- carriers, devices, queues


@asynccontextmanager
async def another(data: Path, **changes: Any) -> AsyncIterator[Site]:
    async with (
        WebApp() as app,
        RunningServer(site_settings(app, data, **changes)) as server,
        rest_client() as rest,
    ):
        yield Site(app, server, rest)


async def test_gateways_that_are_down_and_calls_that_wait(data: Path) -> None:
    """Gateways that are named twice, too: a series may be there once only."""
    hosts = ("192.0.2.1", "192.0.2.2", "192.0.2.1")
    gateways = tuple(GatewayTable(host=host, priority=place) for place, host in enumerate(hosts))
    account = AccountTable(name="test", token=TOKEN, max_calls=1)
    trunk = TrunkTable(name="carrier", account="test", gateways=gateways)
    async with another(data, trunk=(trunk,), account=(account,)) as site:
        [carrier] = site.server.directory.all(Trunk)
        site.server.telephony.gateways.note(carrier, carrier.gateways[1], "no answer")
        async with site.server.phone("bob", "") as bob:
            uri = f"sip:bob@{bob.listening.partition(':')[2]}"
            for _ in range(3):
                await site.create("laml", uri)
            await bob.incoming()
            now = await scrape(site)
            await site.server.switchboard.end_all()
            await site.server.settled()
    assert now("trunk_gateway_up", trunk="carrier", gateway="192.0.2.1", transport="udp") == 1
    assert now("trunk_gateway_up", trunk="carrier", gateway="192.0.2.2", transport="udp") == 0
    assert now("queued_calls") == now("calls", direction="outbound-api", state="queued") == 2


async def test_devices(site: Site) -> None:
    async with site.server.phone(DEVICE, DEVICE_PASSWORD) as phone:
        await phone.register()
        now = await scrape(site)
        assert now("registered_devices") == now("registered_contacts") == 1


# -- who may read it


async def status(site: Site, **headers: str) -> int:
    async with site.rest.get(f"{site.server.http_url}/metrics", headers=headers) as reply:
        assert ("ringback_calls" in await reply.text()) is (reply.status == 200)
        return reply.status


async def test_what_tells_of_all_accounts_is_not_for_one_of_them(site: Site) -> None:
    assert await status(site, **ELSEWHERE) == 401
    assert await status(site, **ELSEWHERE, **basic("test", TOKEN)) == 401
    assert await status(site, **ELSEWHERE, Authorization="Bearer ") == 401


async def test_the_only_account_may_read_it_and_who_has_the_token(data: Path) -> None:
    async with WebApp() as app, rest_client() as rest:
        settings = app.settings("laml", data)
        section = msgspec.structs.replace(settings.server, metrics_token="watchful")
        async with RunningServer(msgspec.structs.replace(settings, server=section)) as server:
            site = Site(app, server, rest)
            assert await status(site, **ELSEWHERE, **basic("test", TOKEN)) == 200
            assert await status(site, **ELSEWHERE, **basic("test", "wrong")) == 401
            assert await status(site, **ELSEWHERE, Authorization="Bearer watchful") == 200
            assert await status(site, **ELSEWHERE, Authorization="Bearer wrong") == 401
