"""Record: what ends it, what comes of it; and the verb that begins and ends recording the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.calls.making import HOOK, document
from tests.calls.recordings.tapes import Samples, Tape, silence, tone
from tests.patience import PATIENCE

from ringback.calls import verbs
from ringback.calls.application import Action, Document
from ringback.calls.events import Noted, RecordingChanged, TranscriptionFailed, VerbEnded, VerbStarted
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.record_verb import BEEP, Patience
from ringback.calls.verbs import ControlRecording, Record, RecordingPlan
from ringback.media.model import SpeechStarted, SpeechStopped

TRIM = RecordingPlan(source="record-verb", track="inbound", trim=True)
HANG_UP = verbs.HangUp()


class Run:
    """A Record on a call, then whatever the application answers."""

    def __init__(self, folder: Path, said: Samples) -> None:
        self.tape = Tape(folder, said)
        self.tape.application.answers = [document(self.tape.application, HANG_UP)]

    async def to_its_end(self, *them: verbs.Verb) -> None:
        self.tape.call.runner.run(document(self.tape.application, *them, HANG_UP))
        await asyncio.wait_for(self.tape.call.closed, PATIENCE)

    async def recording(self) -> None:
        """Wait until it is recorded."""
        while not self.tape.call.recorder.live:
            await self.tape.store.more()

    @property
    def outcomes(self) -> list[Outcome]:
        return [event.outcome for event in self.tape.store.events if isinstance(event, VerbEnded)]

    @property
    def started(self) -> list[str]:
        return [type(e.verb).__name__ for e in self.tape.store.events if isinstance(e, VerbStarted)]

    @property
    def actions(self) -> list[Action]:
        return [ask for ask in self.tape.application.asked if isinstance(ask, Action)]


def key(tape: Tape) -> None:
    tape.call.reports.leg_key("7", "rfc4733")
    tape.call.reports.leg_key("#", "rfc4733")


ENDS: list[tuple[str, Record, Callable[[Tape], object], str | None, EndOfVerb]] = [
    ("a key", Record(recording=TRIM, action=HOOK, finish_keys=frozenset("#")), key, "#", EndOfVerb.DONE),
    (
        "silence",
        Record(recording=TRIM, action=HOOK, silence_timeout=0.01),
        lambda tape: None,
        None,
        EndOfVerb.DONE,
    ),
    (
        "length",
        Record(recording=TRIM, action=HOOK, silence_timeout=None, max_seconds=0.01),
        lambda tape: None,
        None,
        EndOfVerb.DONE,
    ),
    (
        "the caller",
        Record(recording=TRIM, action=HOOK),
        lambda tape: tape.call.reports.leg_ended("remote", (), ""),
        None,
        EndOfVerb.HUNG_UP,
    ),
    (
        "somebody outside",
        Record(recording=TRIM, action=HOOK),
        lambda tape: tape.call.recorder.change("stop"),
        None,
        EndOfVerb.DONE,
    ),
]


@pytest.mark.parametrize(
    ("verb", "what", "pressed", "end"), [pytest.param(*rest, id=id) for id, *rest in ENDS]
)
async def test_what_ends_it_and_what_is_told(
    tmp_path: Path, verb: Record, what: Callable[[Tape], object], pressed: str | None, end: EndOfVerb
) -> None:
    run = Run(tmp_path, tone(0.5))
    ended = asyncio.create_task(run.to_its_end(verb))
    await run.recording()
    what(run.tape)
    await ended
    outcome = run.outcomes[0]
    assert (outcome.end, outcome.digits, outcome.finish_key) == (end, pressed, pressed)
    assert outcome.recording is not None
    assert outcome.recording.duration == 0.5
    assert [ask.outcome.end for ask in run.actions] == [end]
    # The action's answer runs, unless the call is over.
    assert run.started == (["Record"] if end is EndOfVerb.HUNG_UP else ["Record", "HangUp"])
    assert run.tape.media.played == [[BEEP]]
    assert run.tape.media.listened[-1] == (None, False)


@pytest.mark.parametrize(("reports", "asked"), [(True, 1), (False, 0)])
async def test_an_empty_recording_is_reported_where_the_dialect_does_so(
    tmp_path: Path, reports: bool, asked: int
) -> None:
    run = Run(tmp_path, silence(0.5))
    verb = Record(recording=TRIM, action=HOOK, report_empty=reports, max_seconds=0.01, beep=False)
    await run.to_its_end(verb)
    assert run.outcomes[0].recording is None
    assert len(run.actions) == asked
    assert not run.tape.media.played
    assert run.tape.statuses == ["in-progress", "processing", "absent"]


async def test_a_recording_that_cannot_be_ends_the_verb_and_not_the_call(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    run.tape.archive.folder._min_free = 2**62
    await run.tape.archive.folder.look()
    await run.to_its_end(Record(recording=TRIM, action=HOOK))
    assert run.outcomes[0].end is EndOfVerb.FAILED
    assert run.tape.statuses == ["failed"]
    assert len(run.actions) == 1


async def test_a_redirect_keeps_what_was_said_so_far_and_asks_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    ended = asyncio.create_task(run.to_its_end(Record(recording=TRIM, action=HOOK)))
    await run.recording()
    await run.tape.call.runner.replace(document(run.tape.application, HANG_UP))
    await ended
    assert run.actions == []
    assert run.tape.statuses == ["in-progress", "processing", "completed"]


async def test_a_transcription_is_told_to_have_failed(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    plan = RecordingPlan(source="record-verb", transcription=HOOK)
    await run.to_its_end(Record(recording=plan, max_seconds=0.01))
    [failed] = [event for event in run.tape.store.events if isinstance(event, TranscriptionFailed)]
    assert (failed.hook, failed.recording.duration) == (HOOK, 0.5)


async def test_an_answer_that_comes_too_late_leaves_its_notes(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    note = verbs.Note(level="warning", code="11200", message="what an answer")
    app = run.tape.application
    app.answers = [Document(verbs=(HANG_UP,), application=app, at_end=None, notes=(note,))]
    ended = asyncio.create_task(run.to_its_end(Record(recording=TRIM, action=HOOK)))
    await run.recording()
    run.tape.call.reports.leg_ended("remote", (), "")
    await ended
    assert [event.note for event in run.tape.store.events if isinstance(event, Noted)] == [note]
    assert run.started == ["Record"]


def test_silence_counts_from_the_beginning_and_from_the_last_word() -> None:
    patience = Patience(Record(recording=TRIM, silence_timeout=5.0, max_seconds=60.0), 100.0)
    assert patience.deadline == 105.0
    patience.hears(SpeechStarted(80), 103.0)
    assert patience.deadline == 160.0
    patience.hears(SpeechStopped(900), 110.0)
    assert patience.deadline == pytest.approx(114.4), "the silence that proved it has passed already"
    patience.hears(SpeechStarted(80), 112.0)
    patience.hears(SpeechStopped(900), 159.0)
    assert patience.deadline == 160.0
    endless = Patience(Record(recording=TRIM, silence_timeout=None, max_seconds=60.0), 100.0)
    assert endless.deadline == 160.0


async def test_recording_the_call_is_controlled_by_verbs(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    await run.to_its_end(
        ControlRecording(what="start", recording=RecordingPlan(channels=2)),
        ControlRecording(what="pause", silence=False),
        ControlRecording(what="resume"),
        ControlRecording(what="stop"),
        ControlRecording(what="stop"),
    )
    assert run.tape.statuses == ["in-progress", "paused", "in-progress", "processing", "completed"]
    assert run.tape.media.recordings[0].changes == [("pause", False), "resume"]
    assert [outcome.end.value for outcome in run.outcomes[:5]] == ["done"] * 4 + ["failed"]
    [note] = [event.note for event in run.tape.store.events if isinstance(event, Noted)]
    assert note.message == "stop: nothing is being recorded"


async def test_verbs_choose_a_recording_by_its_name(tmp_path: Path) -> None:
    run = Run(tmp_path, tone(0.5))
    named = RecordingPlan(custom_id="greeting")
    await run.to_its_end(
        ControlRecording(what="start", recording=named),
        ControlRecording(what="start"),
        ControlRecording(what="stop", recording=named),
        ControlRecording(what="pause", recording=named),
    )
    assert [outcome.end.value for outcome in run.outcomes[:4]] == ["done"] * 3 + ["failed"]
    changes = [event.recording for event in run.tape.store.events if isinstance(event, RecordingChanged)]
    assert [change.plan.custom_id for change in changes if change.status == "processing"] == [
        "greeting",
        None,
    ]
    [note] = [event.note for event in run.tape.store.events if isinstance(event, Noted)]
    assert note.message == "pause: nothing of the name 'greeting' is being recorded"
