"""What the tests of the call engine are made of: records, events, and an engine whose parts are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from tests.patience import PATIENCE

from ringback.calls import events, verbs
from ringback.calls.application import Application, Ask, Document
from ringback.calls.call import Call
from ringback.calls.engine import Engine
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record import CallRecord
from ringback.calls.recordings.archive import Archive
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.roster import Roster
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.timeline import TimeLine
from ringback.calls.verbs import Callee
from ringback.store.records import Append
from ringback.store.store import Store
from ringback.webhooks.deliver import Deliverer
from ringback.webhooks.delivery import Delivery

CALL = UUID("11111111-1111-4111-8111-111111111111")
ACCOUNT = UUID("22222222-2222-4222-8222-222222222222")
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
HOOK = verbs.Hook(url="http://app.example/next")


def record(**changes: Any) -> CallRecord:
    """An inbound call that has just arrived."""
    values: dict[str, Any] = {
        "id": CALL,
        "account_id": ACCOUNT,
        "dialect": "laml",
        "direction": Direction.INBOUND,
        "status": CallStatus.INITIATED,
        "from_": "+14155550101",
        "to": "+14155550100",
        "sip_call_id": "abc@phone.example",
        "created_at": NOON,
        "updated_at": NOON,
    }
    return CallRecord(**{**values, **changes})


def answered_record(**changes: Any) -> CallRecord:
    """An inbound call that is up."""
    return record(
        **{"status": CallStatus.IN_PROGRESS, "answered_at": NOON, "sip_status": 200, "progress": 2, **changes}
    )


CALLEE = verbs.Callee(target=verbs.Target(kind="client", address="bob"), shown="bob", screening=HOOK)
RECORDING = Recording(
    id=UUID("5d0e2f8c-43b2-4d1f-9a66-0d1f6f5a6b11"),
    account_id=ACCOUNT,
    call_id=CALL,
    plan=verbs.RecordingPlan(report=HOOK),
    status=RecordingStatus.COMPLETED,
    created_at=NOON,
    updated_at=NOON,
    duration=1.5,
)


def one_of_each_verb() -> list[verbs.Verb]:
    """Every verb once, with something in each field that is shown."""
    note = verbs.Note(level="error", code="13000", message="Dial is not supported")
    return [
        verbs.Answer(),
        verbs.Ring(),
        verbs.Say(texts=("hello", "there")),
        verbs.Play(clips=(verbs.Clip("http://app.example/a.wav"), verbs.Silence(500))),
        verbs.Pause(seconds=2),
        verbs.Gather(prompts=(verbs.Say(texts=("press a key",)), verbs.Pause(seconds=1))),
        verbs.SendDigits(digits="1w2"),
        verbs.Redirect(hook=HOOK),
        verbs.Reject(sip_status=486),
        verbs.HangUp(),
        verbs.Tag(data={"a": 1}),
        verbs.Dial(callees=(CALLEE,), recording=verbs.RecordingPlan(source="dial-verb", report=HOOK)),
        verbs.Record(recording=verbs.RecordingPlan(source="record-verb"), action=HOOK),
        verbs.ControlRecording(what="start"),
        verbs.Refer(refer_to="sip:bob@192.0.2.9", action=HOOK),
        verbs.Transfer(by=verbs.Refer(refer_to="sip:bob@192.0.2.9"), action=HOOK),
        verbs.SendRequest(method="INFO", content_type="text/plain", body="hello"),
        verbs.Configure(hold_music=verbs.Clip("http://app.example/music.wav")),
        verbs.Unbuilt(name="Conference", note=note),
    ]


def one_of_each_event() -> list[events.CallEvent]:
    """Every event once."""
    return [
        events.CallReceived(
            from_="alice",
            to="100",
            caller_name="Alice",
            forwarded_from=None,
            sip_call_id="abc",
            source="udp:192.0.2.1:5060",
            trunk="carrier",
            client=None,
        ),
        events.CallRequested(direction=Direction.OUTBOUND_API, from_="100", to="200", caller_name=None),
        events.CallInitiated(sip_call_id="abc", target="sip:200@192.0.2.1"),
        events.CallRinging(sip_status=183, sip_reason="Session Progress", early_media=True),
        events.CallAnswered(dialog={"call_id": "abc"}),
        events.CallEnded(
            status=CallStatus.BUSY,
            cause="the far end answered 486 Busy Here",
            by=EndedBy.REMOTE,
            sip_status=486,
            sip_reason="Busy Here",
            headers=(("Reason", "Q.850;cause=17"),),
            media=events.MediaStatistics(packets_in=50, jitter_in_avg=1.5),
        ),
        events.DocumentAsked(what="action", url="http://app.example/next"),
        events.DocumentReceived(verbs=("Say", "HangUp"), milliseconds=12),
        events.VerbStarted(verb=verbs.Pause(seconds=1.5)),
        events.VerbEnded(verb="Gather", outcome=Outcome(digits="42")),
        events.DigitReceived(key="5", method="rfc4733"),
        events.CallTagged(data={"order": 7}),
        events.CallControlled(what="redirect", detail={"url": "http://app.example/other"}),
        events.Noted(note=verbs.Note(level="warning", code="12200", message="what a document")),
        events.MediaMissing(seconds=3.0, cause="the caller sends nothing"),
        events.MediaResumed(),
        events.Bridged(other=CALL),
        events.Unbridged(other=CALL),
        events.Held(held=True),
        events.KeysMatched(keys="*9", hook=HOOK),
        events.AnswererDetected(what="human", milliseconds=900, reason="short greeting"),
        events.ReferProgress(sip_status=180, sip_reason="Ringing"),
        events.ReferReceived(refer_to="sip:carol@192.0.2.9", sip_status=202),
        events.RecordingChanged(recording=RECORDING),
        events.TranscriptionFailed(id=CALL, recording=RECORDING, hook=HOOK),
        events.CallRerouted(
            target="sip:200@192.0.2.2", trunk="backup", sip_status=503, sip_reason="No", cause="rejected"
        ),
    ]


class FakeStore:
    """Keeps what is appended; commits at once, or when told, or refuses."""

    def __init__(self, *, commits_at_once: bool = True) -> None:
        self.appends: list[Append] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.refuses: Exception | None = None
        self._at_once = commits_at_once
        self._more = asyncio.Event()

    def append(self, append: Append, *, new_call: bool = False) -> asyncio.Future[None]:
        if self.refuses is not None:
            raise self.refuses
        self.appends.append(append)
        self._more.set()
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._at_once:
            committed.set_result(None)
        else:
            self.waiting.append(committed)
        return committed

    def post(self, append: Append) -> None:
        self.append(append)

    def trace(self, call_id: str, at: float, kind: str, data: bytes) -> None:
        """Nobody looks."""

    async def holds(self, kind: str) -> None:
        """Wait until an event of this kind is in the log."""
        while not any(append.kind == kind for append in self.appends):
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), PATIENCE)

    @property
    def events(self) -> list[events.CallEvent]:
        """The log, decoded."""
        return [events.decode(append.payload) for append in self.appends]


class FakeDeliverer:
    """Keeps what it is offered."""

    def __init__(self) -> None:
        self.offered: list[Delivery] = []

    def offer(self, deliveries: Sequence[Delivery]) -> None:
        self.offered.extend(deliveries)


class FakeApplication:
    """Answers each question with the next of its documents; wants a callback for every end."""

    dialect = "laml"
    profile = "signalwire"
    rings_at_once = True

    def __init__(self, *answers: Document | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[Ask] = []
        self.told: list[events.CallEvent] = []
        self.closed = False

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        self.asked.append(ask)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def for_callee(self, callee: Callee, caller: CallRecord) -> FakeApplication:
        return self

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        return ()

    def deliveries(self, event: events.CallEvent, call: CallRecord) -> list[Delivery]:
        if not isinstance(event, events.CallEnded):
            return []
        return [Delivery(id="1", account_id=str(ACCOUNT), call_id=str(CALL), url="http://app.example/status")]

    def notify(self, event: events.CallEvent, call: CallRecord) -> None:
        self.told.append(event)

    def state(self) -> Mapping[str, Any]:
        return {"url": "http://app.example/voice"}

    async def close(self) -> None:
        self.closed = True


def fake_engine(
    store: FakeStore, deliverer: FakeDeliverer | None = None, archive: Archive | None = None
) -> Engine:
    """An engine without SIP, media and audio: enough for documents of verbs that need none."""
    time_line = TimeLine(cast("Store", store))
    return Engine(
        endpoint=cast("Any", None),
        plane=cast("Any", None),
        store=cast("Store", store),
        deliverer=cast("Deliverer", deliverer or FakeDeliverer()),
        audio=cast("Any", None),
        time_line=time_line,
        roster=Roster(time_line),
        placing=cast("Any", None),
        archive=archive or cast("Any", None),
    )


def document(
    application: Application, *them: verbs.Verb, at_end: verbs.Verb | None = None, **more: Any
) -> Document:
    """A document of these verbs."""
    return Document(verbs=them, application=application, at_end=at_end, **more)


def fake_call(application: Application, store: FakeStore | None = None, **changes: Any) -> Call:
    """A call that is up, on an engine in memory."""
    return Call(answered_record(**changes), application, fake_engine(store or FakeStore()))


HUNG_UP = Outcome(end=EndOfVerb.HUNG_UP)
