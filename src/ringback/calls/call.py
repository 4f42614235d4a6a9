"""A call: what is known about it, its party, and the operations that verbs are built on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ringback.calls import events
from ringback.calls.application import Application, Ask, Document, place_of
from ringback.calls.configure import CallSettings
from ringback.calls.ending import Ending, ending_of
from ringback.calls.engine import Engine
from ringback.calls.leg import HeaderList, Leg, Sound
from ringback.calls.log import CallLog
from ringback.calls.negotiation import NotAcceptable
from ringback.calls.record import CallRecord, apply
from ringback.calls.recordings.recorder import Recorder
from ringback.calls.reports import LegReports
from ringback.calls.requests import InDialogRequests
from ringback.calls.retiring import Retiring
from ringback.calls.runner import Runner
from ringback.calls.status import CallStatus, EndedBy
from ringback.calls.time_limit import TimeLimit
from ringback.calls.timeline import current_call
from ringback.calls.verbs import HangUp, Note, Play, Reject, Say
from ringback.calls.waiting import first_of, until
from ringback.calls.whisper import whisper
from ringback.media.model import MediaUnavailable, SpeechDetection
from ringback.net.clock import utcnow

if TYPE_CHECKING:
    from ringback.calls.bridge import Bridge
    from ringback.calls.lease import Lease

logger = logging.getLogger(__name__)
_LAST_WORD_SECONDS = 60.0
"""How long an application may take to hear how the last verb ended, with every repetition."""
T = TypeVar("T")
KeyListener = Callable[[str], None]
Watcher = Callable[[events.CallEvent], None]
SoundListener = Callable[[Sound], None]


class Call:
    """One party and one application, for as long as the call lives.

    Verbs use the awaitable operations (`answer`, `hang_up`, `ask` …); what its leg has to say comes by its
    `reports`; what runs is the `runner`'s business. Control from outside goes the same ways, one at a time.
    """

    def __init__(self, record: CallRecord, application: Application, engine: Engine) -> None:
        self.engine = engine
        self.application = application
        self.log = CallLog(record, engine)
        self.reports = LegReports(self)
        self.leg = Leg(engine.plane, self.reports, advertise=engine.advertise)
        self.runner = Runner(self)
        self._retiring = Retiring(self)
        self.recorder = Recorder(self)
        self.control_lock = asyncio.Lock()
        self.requests = InDialogRequests()
        self.settings = CallSettings()
        self.max_forwards = 70
        """How many more hops its INVITE may take; what it dials gets one less."""
        self.lease: Lease | None = None
        """The Dial that placed it, for as long as that holds it."""
        self.legs: set[Call] = set()
        """The calls that its Dials placed and that are up."""
        self.bridge: Bridge | None = None
        """What connects it with another call."""
        loop = asyncio.get_running_loop()
        self.over_future: asyncio.Future[None] = loop.create_future()
        """Resolved when the call has ended; verbs wait for it beside what they wait for."""
        self._ended: asyncio.Future[None] = loop.create_future()
        """Resolved when the end is on record."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Resolved when that is durable: recordings have been closed by then."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Resolved when everything the call held is freed and its end is durable."""
        self.stored: asyncio.Future[None] | None = None
        """Resolved when the first event is durable; the 200 to an INVITE waits for it."""
        self.answered: asyncio.Future[bool] = loop.create_future()
        """Outbound: True at the answer, False when there will be none."""
        self.detection: asyncio.Task[None] | None = None
        """What finds out who answered, beside the script."""
        self._watchers: list[Watcher] = []
        self._sound_listeners: list[SoundListener] = []
        self._beside: set[asyncio.Task[None]] = set()
        self._whisper: asyncio.Task[None] | None = None
        self.time_limit = TimeLimit(engine.max_call_seconds, self._too_long)
        self._ending: tuple[Ending, datetime] | None = None
        self._closing: asyncio.Task[None] | None = None

    # -- what is known

    @property
    def record(self) -> CallRecord:
        """The call as of now."""
        return self.log.record

    @property
    def shown(self) -> CallRecord:
        """The same for who looks from outside: what was hung up is over, although its recordings and figures
        may take a moment to be on record."""
        if self._ending is None or self.record.status.final:
            return self.record
        ending, at = self._ending
        return apply(self.record, ending.event(None), at)

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.over_future.done()

    @property
    def is_answered(self) -> bool:
        """Whether 200 was sent or received."""
        return self.record.answered_at is not None

    def append(self, event: events.CallEvent) -> None:
        """Let the event have happened."""
        self.log.append(event, self.application)
        if self._watchers:
            self._show(event)

    def commit(self, event: events.CallEvent, *, at: datetime | None = None) -> asyncio.Future[None]:
        """The same, now or `at` a moment shortly before; the future resolves when it is durable."""
        committed = self.log.commit(event, self.application, at=at)
        self._show(event)
        return committed

    def _show(self, event: events.CallEvent) -> None:
        for watcher in tuple(self._watchers):
            watcher(event)

    def note(self, level: str, code: str, message: str, **detail: Any) -> None:
        """Record something worth knowing."""
        self.append(events.Noted(note=Note(level=level, code=code, message=message, detail=detail)))

    # -- asking

    async def ask(self, ask: Ask) -> Document | None:
        """Ask the application. None: go on. A call that ends meanwhile abandons the question."""
        return await self.while_up(self._ask(ask))

    async def report(self, ask: Ask) -> None:
        """Ask the application although the call is over, once its end is on record: the answer comes too late
        to be run."""
        await asyncio.wait({self._ended})
        document = await self._ask(ask)
        for note in document.notes if document is not None else ():
            self.append(events.Noted(note=note))

    async def _ask(self, ask: Ask) -> Document | None:
        self.append(events.DocumentAsked(what=ask.what, url=place_of(ask)))
        began = time.monotonic()
        document = await self._answer_to(ask)
        if document is not None:
            names = tuple(type(verb).__name__ for verb in document.verbs)
            elapsed = round((time.monotonic() - began) * 1000)
            self.append(events.DocumentReceived(verbs=names, milliseconds=elapsed))
        return document

    async def _answer_to(self, ask: Ask) -> Document | None:
        try:
            return await self.application.ask(ask, self.record)
        except Exception as error:
            # An application may do anything wrong; only a fault of ours comes here. It ends one call.
            logger.exception("call %s: asking the application failed", self.record.id)
            self.note("error", "internal", f"asking the application failed: {error!r}")
            hang_up = HangUp(sip_status=500, ended_as=CallStatus.FAILED, cause="internal error")
            return Document(verbs=(hang_up,), application=self.application, at_end=hang_up)

    # -- waiting

    async def while_up(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do something for as long as the call is up; None when it ended first."""
        return await until(self.over_future, work)

    async def wait_over(self, seconds: float) -> bool:
        """Wait that long; True as soon as the call is over."""
        await first_of(self.over_future, timeout=seconds)
        return self.over

    @contextlib.contextmanager
    def watching(self, watcher: Watcher) -> Iterator[None]:
        """Be told of what happens to the call from here on, until the block ends."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @contextlib.contextmanager
    def hearing(self, listener: KeyListener) -> Iterator[None]:
        """Hear the party's keys from here on, until the block ends."""

        def watcher(event: events.CallEvent) -> None:
            if isinstance(event, events.DigitReceived):
                listener(event.key)

        with self.watching(watcher):
            yield

    @contextlib.contextmanager
    def listening(
        self, listener: SoundListener, *, speech: SpeechDetection | None = None, tones: bool = False
    ) -> Iterator[None]:
        """Hear when the party begins and ceases to speak, and steady tones, until the block ends."""
        self._sound_listeners.append(listener)
        try:
            with self.leg.listening(speech, tones=tones):
                yield
        finally:
            self._sound_listeners.remove(listener)

    def sounded(self, sound: Sound) -> None:
        """Speech, or a steady tone, was heard: tell those who listen."""
        for listener in list(self._sound_listeners):
            listener(sound)

    def beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the script; the end of the call ends it."""
        task = asyncio.get_running_loop().create_task(self._named(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    def whisper(self, verbs: Sequence[Say | Play]) -> None:
        """Speak or play to this party alone, over whatever it hears, in place of an earlier whisper."""
        if self._whisper is not None:
            self._whisper.cancel()
        self._whisper = self.beside(whisper(self, verbs))

    async def _named(self, work: Coroutine[Any, Any, None]) -> None:
        current_call.set(str(self.record.id))
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("call %s: something beside its script failed", self.record.id)
            self.note("error", "internal", "something failed in a way that was not foreseen")

    # -- operations

    def ring(self, headers: HeaderList = ()) -> None:
        """Inbound: send 180."""
        if self.is_answered or self.over:
            return
        self.leg.ring(headers)
        if self.record.status is CallStatus.INITIATED:
            self.append(events.CallRinging(sip_status=180, sip_reason="Ringing", early_media=False))

    async def answer(self) -> None:
        """Inbound: send 200, once. An outbound call is answered by the far end."""
        if self.is_answered or self.over or self.leg.session is None:
            return
        if not await self._is_stored() or self.is_answered or self.over:
            return
        if not self._media_opened(self.leg.answer):
            return
        self.append(events.CallAnswered(dialog=self.leg.dialog()))
        self.time_limit.start()

    def early_media(self) -> None:
        """Inbound: send 183 with SDP, once."""
        early = self.record.status is CallStatus.EARLY_MEDIA
        if early or self.is_answered or self.over or not self._media_opened(self.leg.early_media):
            return
        if self.leg.has_media:
            reason = "Session Progress"
            self.append(events.CallRinging(sip_status=183, sip_reason=reason, early_media=True))

    async def reject(self, verb: Reject) -> None:
        """Inbound and not answered: the final response. Answered: nothing, or a hang-up."""
        if self.is_answered:
            if verb.hang_up_if_answered:
                await self.hang_up(HangUp(ended_as=verb.ended_as, cause=verb.cause))
            return
        self.leg.reject(verb.sip_status, verb.reason, verb.headers)
        self.end(
            Ending(
                status=verb.ended_as,
                cause=verb.cause or "rejected by the application",
                by=EndedBy.APPLICATION,
                sip_status=verb.sip_status,
                sip_reason=verb.reason,
            )
        )

    async def hang_up(self, verb: HangUp, by: EndedBy = EndedBy.APPLICATION) -> None:
        """End the call in whatever state it is. The application's last word is heard out first."""
        if by is EndedBy.APPLICATION and self.leg.unheard() > 0:
            await self.wait_over(self.leg.unheard())
        self.drop(verb, by)

    def drop(self, verb: HangUp, by: EndedBy) -> None:
        """The same at once."""
        if self.over:
            return
        record = self.record
        inbound = record.direction == "inbound"
        if self.is_answered or not inbound:
            self.leg.hang_up(verb.headers)
        else:
            self.leg.reject(verb.sip_status, None, verb.headers)
        sip_status = None if self.is_answered or not inbound else verb.sip_status
        self.end(ending_of(record, by, verb.cause, verb.ended_as, sip_status))

    def dialled(self, record: CallRecord, application: Application) -> Call:
        """Another call, which this one places: with media beside this one's, and one hop less to go."""
        leg = Call(record, application, self.engine)
        leg.leg.near = self.leg
        leg.max_forwards = max(0, self.max_forwards - 1)
        return leg

    def go_alone(self) -> None:
        """It gets something of its own to do: the bridge that it is in ends, and whoever dialled it goes on
        without it."""
        if self.bridge is not None:
            self.bridge.part()
        if self.lease is not None:
            self.lease.let_go(self)

    async def give_up(self, status: CallStatus, cause: str, by: EndedBy) -> None:
        """Outbound and not answered: CANCEL. The answer may still win, then this is a hang-up."""
        if self.over:
            return
        self.leg.cancel()
        self.end(Ending(status=status, cause=cause, by=by, sip_status=487, sip_reason="Request Terminated"))

    def set_application(self, application: Application) -> None:
        """Let another application answer and take the callbacks from now on; the one before is closed."""
        former, self.application = self.application, application
        if former is not application:
            self._retiring.retire(former)
        record = msgspec.structs.replace(
            self.record,
            dialect=application.dialect,
            profile=application.profile,
            application_state=dict(application.state()),
        )
        if record != self.record:  # mostly the same application goes on: then nothing is to be stored
            self.log.record = record

    def _media_opened(self, open_media: Callable[[], None]) -> bool:
        """Open media for an inbound call; failing that, refuse it."""
        try:
            open_media()
        except (MediaUnavailable, NotAcceptable) as error:
            status = 488 if isinstance(error, NotAcceptable) else 503
            self.leg.reject(status, None)
            self.end(Ending(status=CallStatus.FAILED, cause=str(error), by=EndedBy.SERVER, sip_status=status))
            return False
        return True

    async def _is_stored(self) -> bool:
        """Wait until the first event is durable; a call that cannot be stored is refused."""
        if self.stored is None:
            return True
        if not self.stored.done():
            await first_of(self.stored, self.over_future)
        if self.over or self.stored.exception() is None:
            return not self.over
        self.leg.reject(503, None, (("Retry-After", "5"),))
        self.end(
            Ending(
                status=CallStatus.FAILED,
                cause="the call could not be stored",
                by=EndedBy.SERVER,
                sip_status=503,
            )
        )
        return False

    def _too_long(self) -> None:
        if not self.over:
            self.leg.hang_up()
            self.end(ending_of(self.record, EndedBy.SERVER, "the time limit passed"))

    # -- the end

    def end(self, ending: Ending) -> None:
        """The one place where a call ends, whatever ended it."""
        if self.over:
            return
        self.over_future.set_result(None)
        if not self.answered.done():
            self.answered.set_result(False)
        self.time_limit.cancel()
        for task in self._beside:
            task.cancel()
        at = utcnow()
        self._ending = ending, at
        self._closing = asyncio.get_running_loop().create_task(self._close(ending, at))

    async def _close(self, ending: Ending, at: datetime) -> None:
        """Free what the call holds, then let its end be known. Runs outside whatever ended the call."""
        try:
            await self.recorder.close()
            committed = self.commit(ending.event(await self._statistics()), at=at)
            self._ended.set_result(None)
            await first_of(committed)
            self.ended.set_result(None)
            await self.runner.wind_up(_LAST_WORD_SECONDS)
        except Exception:
            logger.exception("call %s: its end could not be recorded", self.record.id)
        finally:
            with contextlib.suppress(Exception):
                await self.application.close()
            await self._retiring.closed()
            # Whatever went wrong: the call is over, and who waits for that must hear it.
            for moment in (self._ended, self.ended, self.closed):
                if not moment.done():
                    moment.set_result(None)

    async def _statistics(self) -> events.MediaStatistics | None:
        """Free the media; what they counted, where the media plane can say."""
        try:
            async with asyncio.timeout(2.0):
                return await self.leg.close()
        except TimeoutError:
            self.note("warning", "media", "the media plane gave no statistics in time")
        except Exception:
            logger.exception("call %s: its media could not be closed", self.record.id)
            self.note("error", "internal", "the media could not be closed")
        return None
