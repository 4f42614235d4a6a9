"""The one place where everything is put together: settings in, a running server out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
from starlette.applications import Starlette

from ringback.audio.cache import AudioCache
from ringback.audio.sources import AudioLibrary
from ringback.calls.application import Dialect
from ringback.calls.capacity import Capacity
from ringback.calls.direct import Direct
from ringback.calls.engine import Engine
from ringback.calls.meter import Meter
from ringback.calls.recordings.archive import Archive
from ringback.calls.recordings.copying import CopySender
from ringback.calls.recordings.folder import RecordingFolder
from ringback.calls.recordings.storage import ObjectStorage
from ringback.calls.recordings.stored import StoredRecordings
from ringback.calls.recovery import finish_what_was_left
from ringback.calls.retention import Retention
from ringback.calls.roster import Roster
from ringback.calls.services import Services
from ringback.calls.switchboard import Switchboard
from ringback.calls.timeline import SocketMessage, TimeLine
from ringback.config import ConfigError, Settings
from ringback.config.tables import SpeechSection
from ringback.console.metrics import Metrics
from ringback.console.page import console_routes
from ringback.dialects.callapi import CallApi
from ringback.dialects.jambonz import Jambonz
from ringback.dialects.jambonz.authenticate import JambonzAuthenticator
from ringback.dialects.laml import Laml
from ringback.housekeeping import repeat
from ringback.media.plane import MediaPlane
from ringback.net.http import HttpPool
from ringback.net.lag import LoopLag
from ringback.reloading import RELOADED, Changes, Plan, planned
from ringback.routing.directory import Directory
from ringback.routing.limits import Limits
from ringback.running import Running, exclusive
from ringback.serving import WebListeners
from ringback.sip.flow import join_host_port
from ringback.speech.espeak import Espeak
from ringback.speech.openai import OpenAiSpeech
from ringback.speech.protocol import TextToSpeech
from ringback.speech.speaker import Speaker
from ringback.store.ids import instance_of
from ringback.store.store import Store
from ringback.telephony import Telephony
from ringback.webhooks.ask import Asker
from ringback.webhooks.deliver import Deliverer
from ringback.webhooks.delivery import Delivery
from ringback.webhooks.outbox import StoreOutbox
from ringback.webhooks.retry import Outcome

_LOOK_SECONDS = 5.0
_PRUNE_SECONDS = 600.0
_DRAIN_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Server:
    """A server that is being started, runs, and is stopped; `stop` may follow a failed `start`."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None = None) -> None:
        """`reread` reads the configuration once more, for `reload`; it raises ConfigError."""
        self.settings = settings
        self._reread = reread
        self._reloading = asyncio.Lock()
        self.directory: Directory = settings.directory()
        self._stack = contextlib.AsyncExitStack()
        self.limits = Limits(time.monotonic)
        self.meter = Meter()
        self.metrics = Metrics(self)
        self.capacity = Capacity(self.directory, self.meter, time.monotonic)
        self._policy = settings.address_policy()
        self.telephony = Telephony(settings, self.directory, self._policy, self._stack)
        self.web: WebListeners
        self.store: Store
        self.time_line: TimeLine
        self.plane: MediaPlane
        self.switchboard: Switchboard
        self.deliverer: Deliverer
        self.running: Running

    @property
    def http_url(self) -> str:
        """Where HTTP is really served."""
        return self.web.url

    @property
    def https_url(self) -> str | None:
        """Where HTTPS is really served, if it is."""
        return self.web.secure_url

    @property
    def sip(self) -> list[str]:
        """Where SIP is really spoken, such as `udp:127.0.0.1:5060`."""
        return self.telephony.endpoint.listening

    async def start(self) -> None:
        """Open everything; HTTP last, when SIP and media can take a call.

        Raises:
            OSError: a configured port is taken, the data directory is in use (DataInUse), or the certificate
                cannot be used.
            MediaUnavailable, ringback.store.errors.StoreError
        """
        settings = self.settings
        data = settings.server.data_path
        self._stack.enter_context(exclusive(data))
        self.web = WebListeners(settings.server)
        self._stack.push_async_callback(self.web.close)
        await self._open_store(data)
        http = self._open_http()
        self._open_delivery(http)
        await self._open_media()
        traced = self.time_line.sip if settings.store.trace_megabytes else None
        await self.telephony.open(traced, self.capacity)
        engine = self._engine(http, data)
        await engine.archive.folder.look()
        dialects = self._open_calls(engine, http, data)
        by_name: dict[str, Dialect] = {dialect.name: dialect for dialect in (*dialects, Direct())}
        engine.dialects.update(by_name)
        asker = Asker(http, on_asked=partial(self.meter.asked, Jambonz.name))
        await self.telephony.receive(engine, by_name, JambonzAuthenticator(asker))
        # What an earlier life left to tell comes before what is told of the calls that it left open.
        await self.deliverer.start()
        await finish_what_was_left(engine, self.directory, by_name)
        self._stack.push_async_callback(self._shut_down)
        self.telephony.join_carriers()
        self.telephony.endpoint.refuse_new(None)
        self._watch_lag()
        routes = [route for dialect in dialects for route in dialect.routes()]
        await self.web.serve(Starlette(routes=[*console_routes(self), *routes]))
        self.running = Running(http=self.http_url, sip=tuple(self.sip), source=settings.source)
        self._stack.enter_context(self.running.announced(data))

    async def stop(self) -> None:
        """Take no more calls, let those that are up end within the configured time, then close everything."""
        await self._stack.aclose()

    async def _shut_down(self) -> None:
        self.telephony.endpoint.refuse_new(503)
        await self.switchboard.shut_down(self.settings.calls.shutdown_seconds)
        await self.deliverer.drain(_DRAIN_SECONDS)

    # -- opening, part by part

    async def _open_store(self, data: Path) -> None:
        settings = self.settings
        trace_limit = settings.store.trace_megabytes * 2**20
        self.store = await Store.open(settings.server.database, data, trace_limit=trace_limit)
        self._stack.push_async_callback(self.store.close)
        self.time_line = TimeLine(self.store)

    def _open_http(self) -> HttpPool:
        http = HttpPool(self._policy, user_agent="ringback")
        self._stack.push_async_callback(http.close)
        http.on_exchange = self.time_line.fetched
        return http

    def _open_delivery(self, http: HttpPool) -> None:
        self.deliverer = Deliverer(
            http, StoreOutbox(self.store), keys=self._signing_key, on_result=self._delivered
        )
        self._stack.push_async_callback(self.deliverer.stop)

    async def _open_media(self) -> None:
        host, first, last = self.settings.server.rtp_range
        self.plane = MediaPlane(
            rtp_host=host, port_range=(first, last), workers=self.settings.server.media_workers
        )
        self._stack.push_async_callback(self.plane.stop)
        await self.plane.start()

    def _watch_lag(self) -> None:
        self.capacity.watch(self.telephony.endpoint, self.store, self.plane)
        lag = LoopLag(
            self.metrics.lagged,
            self.capacity.lagged,
            busy=lambda: self.switchboard.live > 0 or self.capacity.limited,
        )
        self._stack.callback(lag.close)
        self.capacity.on_enter = lag.wake
        lag.start()

    def _engine(self, http: HttpPool, data: Path) -> Engine:
        speaker = Speaker(_providers(self.settings.speech, http))
        self._stack.push_async_callback(speaker.close)
        audio = AudioLibrary(http, speaker, cache=AudioCache(data / "audio-cache"))
        self._stack.push_async_callback(audio.close)
        return Engine(
            endpoint=self.telephony.endpoint,
            plane=self.plane,
            store=self.store,
            deliverer=self.deliverer,
            audio=audio,
            time_line=self.time_line,
            roster=Roster(self.time_line),
            placing=self.telephony.placing(self.limits),
            archive=self._archive(http, data),
            limits=self.limits,
            admission=self.capacity,
            meter=self.meter,
            advertise=self.settings.server.advertised[0],
            max_call_seconds=self.settings.calls.max_call_seconds,
        )

    def _archive(self, http: HttpPool, data: Path) -> Archive:
        settings = self.settings.recordings
        storage = ObjectStorage(settings.storage, settings.storage_options) if settings.storage else None
        archive = Archive(
            RecordingFolder(data / "recordings", min_free=settings.min_free_megabytes * 2**20),
            self.store,
            CopySender(http),
            storage=storage,
            patience=settings.give_up_hours * 3600.0,
        )
        self._stack.push_async_callback(archive.close)
        repeat(self._stack, _LOOK_SECONDS, archive.folder.look)
        days = self.settings.store.retention_days
        retention = Retention(self.store, archive, calls=days, recordings=settings.retention_days)
        repeat(self._stack, _PRUNE_SECONDS, retention.forget)
        return archive

    def _open_calls(self, engine: Engine, http: HttpPool, data: Path) -> Sequence[Laml | Jambonz | CallApi]:
        settings = self.settings
        self.switchboard = Switchboard(engine)
        services = Services(
            directory=self.directory,
            http=http,
            store=self.store,
            public_url=(settings.server.public_url or self.http_url).rstrip("/"),
            calls=self.switchboard,
            recordings=StoredRecordings(self.store, engine.archive),
            instance=instance_of(data),
            sip_address=join_host_port(*self.telephony.address),
            registered=self.telephony.contacts,
            on_message=self._messaged,
            on_asked=self.meter.asked,
        )
        return Laml(services), Jambonz(services), CallApi(services)

    # -- while it runs

    async def reload(self) -> Changes:
        """Take over the configuration as it is now; raises ConfigError, and then nothing changes."""
        if self._reread is None:
            raise ConfigError(
                ["this server has no configuration to read again: it needs `ringback serve` with a file"]
            )
        async with self._reloading:  # what the one before made of it is what the next one changes
            read = await asyncio.to_thread(self._reread)
            return self._take_over(planned(self.directory, self.settings, read))

    def _take_over(self, plan: Plan) -> Changes:
        self.telephony.sign_off(plan.signed_off)
        taken = {name: getattr(plan.settings, name) for name in RELOADED}
        self.settings = msgspec.structs.replace(self.settings, **taken)
        self.directory.become(plan.directory)
        self._policy.become(self.settings.address_policy())
        self.telephony.trunks_changed()
        self.capacity.forget()
        if self.limits.on_free is not None:
            self.limits.on_free(None)  # there may be room now for calls that wait
        changes = "; ".join(plan.changes.lines()) or "nothing has changed"
        logger.info("the configuration was read again: %s", changes)
        return plan.changes

    @property
    def accepts_calls(self) -> bool:
        """Whether new calls are taken."""
        return self.store.healthy and not self.switchboard.closing

    # -- what the parts ask for while running

    def _delivered(self, delivery: Delivery, outcome: Outcome) -> None:
        self.time_line.delivered(delivery, outcome)
        self.meter.delivered(outcome)

    def _messaged(self, message: SocketMessage) -> None:
        self.time_line.messaged(message)
        self.meter.messaged(message)

    def _signing_key(self, delivery: Delivery) -> str:
        account = self.directory.account(UUID(delivery.account_id))
        if account is None:
            return ""
        jambonz = delivery.scheme == "jambonz"
        return account.webhook_secret if jambonz else account.webhook_signing_key


def _providers(settings: SpeechSection, http: HttpPool) -> list[TextToSpeech]:
    built_in = Espeak()
    if settings.provider == "espeak":
        return [built_in]
    other = OpenAiSpeech(
        http,
        base_url=settings.base_url,
        api_key=settings.api_key,
        model=settings.model,
        voice=settings.voice,
    )
    return [other, built_in]
