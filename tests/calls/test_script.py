"""A call's life as the script runs it: documents replace each other, end, wait; a hang-up is a value."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.calls.making import HOOK, FakeApplication, FakeStore, document, fake_call
from tests.patience import PATIENCE

from ringback.calls import verbs
from ringback.calls.application import Action, Document, Failed, NewCall, Redirected
from ringback.calls.ending import Ending
from ringback.calls.events import CallEnded, DocumentAsked, Noted, VerbEnded, VerbStarted
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.status import CallStatus, EndedBy

OTHER = verbs.Hook(url="http://other.example/")
NOTE = verbs.Note(level="error", code="13000", message="it is not there")
HANG_UP = verbs.HangUp()


class Run:
    """A call on its application, run to its end (or until nothing moves any more)."""

    def __init__(self, application: FakeApplication) -> None:
        self.store = FakeStore()
        self.application = application
        self.call = fake_call(application, self.store)

    async def to_its_end(self, first: Document | NewCall | None = None) -> CallEnded:
        self.call.runner.run(first or NewCall())
        await asyncio.wait_for(self.call.closed, PATIENCE)
        [end] = [event for event in self.store.events if isinstance(event, CallEnded)]
        return end

    @property
    def started(self) -> list[str]:
        return [type(e.verb).__name__ for e in self.store.events if isinstance(e, VerbStarted)]

    @property
    def outcomes(self) -> list[Outcome]:
        return [event.outcome for event in self.store.events if isinstance(event, VerbEnded)]

    @property
    def notes(self) -> list[verbs.Note]:
        return [event.note for event in self.store.events if isinstance(event, Noted)]


def tag(word: str) -> verbs.Tag:
    """A verb that leaves a mark and takes no time."""
    return verbs.Tag(data={"word": word})


async def test_verbs_run_in_order_then_what_is_due_at_the_end() -> None:
    app = FakeApplication()
    app.answers = [document(app, tag("a"), verbs.Pause(seconds=0), at_end=HANG_UP)]
    run = Run(app)
    end = await run.to_its_end()
    assert run.started == ["Tag", "Pause", "HangUp"]
    assert (end.status, end.by, end.cause) == (CallStatus.COMPLETED, EndedBy.APPLICATION, "hung up")
    assert run.call.record.custom == {"word": "a"}
    assert [type(ask) for ask in app.asked] == [NewCall]
    assert app.closed


async def test_a_redirect_asks_for_a_document_that_replaces_this_one() -> None:
    app = FakeApplication()
    app.answers = [
        document(app, verbs.Redirect(hook=HOOK, status_hook=OTHER), tag("never")),
        document(app, tag("b"), HANG_UP),
    ]
    run = Run(app)
    await run.to_its_end()
    assert app.asked[1:] == [Redirected(hook=HOOK, status_hook=OTHER)]
    assert run.started == ["Redirect", "Tag", "HangUp"]
    asked = [event for event in run.store.events if isinstance(event, DocumentAsked)]
    assert [(ask.what, ask.url) for ask in asked] == [("new-call", None), ("redirect", HOOK.url)]


async def test_a_document_may_hand_the_call_to_another_application() -> None:
    second = FakeApplication()
    second.answers = [document(second, HANG_UP)]
    first = FakeApplication()
    first.answers = [document(second, verbs.Redirect(hook=HOOK))]
    run = Run(first)
    await run.to_its_end()
    assert [type(ask) for ask in first.asked] == [NewCall]
    assert [type(ask) for ask in second.asked] == [Redirected]
    assert second.closed


async def test_after_a_hang_up_nothing_runs() -> None:
    app = FakeApplication()
    app.answers = [document(app, HANG_UP, tag("never"), at_end=tag("nor this"))]
    run = Run(app)
    await run.to_its_end()
    assert run.started == ["HangUp"]
    assert run.outcomes == [Outcome(end=EndOfVerb.HUNG_UP)]


async def test_a_caller_who_hangs_up_ends_the_verb_with_a_value() -> None:
    app = FakeApplication()
    app.answers = [document(app, verbs.Pause(seconds=60), tag("never"))]
    run = Run(app)
    asyncio.get_running_loop().call_later(0.01, run.call.reports.leg_ended, "remote", (), "")
    end = await run.to_its_end()
    assert run.outcomes == [Outcome(end=EndOfVerb.HUNG_UP)]
    assert (end.by, end.cause) == (EndedBy.REMOTE, "the far end hung up")


async def test_a_caller_who_hangs_up_abandons_the_question() -> None:
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    class Slow(FakeApplication):
        async def ask(self, ask: object, call: object) -> Document | None:
            asked.set()
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()
            return None

    run = Run(Slow())
    ended = asyncio.create_task(run.to_its_end())
    await asked.wait()
    run.call.reports.leg_ended("remote", (), "")
    await ended
    assert cancelled.is_set()
    assert run.started == []


@pytest.mark.parametrize(
    ("gather", "keys", "asks"),
    [
        pytest.param(verbs.Gather(action=HOOK, max_digits=1), "7", True, id="entered"),
        pytest.param(verbs.Gather(action=HOOK, first_digit_timeout=0), "", False, id="nothing entered"),
        pytest.param(verbs.Gather(max_digits=1), "7", False, id="no action"),
        pytest.param(
            verbs.Gather(action=HOOK, first_digit_timeout=0, report_empty=True),
            "",
            True,
            id="nothing is reported, too",
        ),
    ],
)
async def test_an_action_is_asked_with_the_outcome(gather: verbs.Gather, keys: str, asks: bool) -> None:
    app = FakeApplication()
    app.answers = [document(app, gather, HANG_UP), None]
    run = Run(app)
    for key in keys:
        asyncio.get_running_loop().call_later(0.01, run.call.reports.leg_key, key, "info")
    await run.to_its_end()
    actions = [ask for ask in app.asked if isinstance(ask, Action)]
    assert [(ask.hook, ask.outcome.digits) for ask in actions] == ([(HOOK, keys or None)] if asks else [])
    assert run.started == ["Gather", "HangUp"], "an answer of None goes on with the document"


async def test_a_useless_answer_leaves_its_notes_and_the_document_goes_on() -> None:
    app = FakeApplication()
    app.answers = [
        document(app, verbs.Gather(action=HOOK, first_digit_timeout=0, report_empty=True), HANG_UP),
        document(app, tag("never"), notes=(NOTE,), goes_on=True),
    ]
    run = Run(app)
    await run.to_its_end()
    assert run.started == ["Gather", "HangUp"]
    assert run.notes == [NOTE]


async def test_without_an_end_it_waits_for_more() -> None:
    app = FakeApplication()
    app.answers = [document(app, tag("a"))]
    run = Run(app)
    ended = asyncio.create_task(run.to_its_end())
    await run.store.holds("call.tagged")
    run.call.runner.append([tag("b"), HANG_UP])
    await ended
    assert run.started == ["Tag", "Tag", "HangUp"]
    assert run.call.record.custom == {"word": "b"}


async def test_control_replaces_what_runs_and_the_call_stays_up() -> None:
    app = FakeApplication()
    app.answers = [document(app, verbs.Pause(seconds=60), tag("never"))]
    run = Run(app)
    ended = asyncio.create_task(run.to_its_end())
    await run.store.holds("verb.started")
    await run.call.runner.replace(document(app, tag("b"), HANG_UP))
    await ended
    assert run.started == ["Pause", "Tag", "HangUp"]


@pytest.mark.parametrize(
    ("verb", "answers", "started"),
    [
        pytest.param(
            verbs.Unbuilt(name="Dial", note=NOTE, failure=False), [], ["HangUp"], id="left out: the rest runs"
        ),
        pytest.param(
            verbs.Unbuilt(name="Dial", note=NOTE, failure=False, then=(HANG_UP,)),
            [],
            ["HangUp"],
            id="its own end instead of the rest",
        ),
        pytest.param(
            verbs.Unbuilt(name="Dial", note=NOTE), [None], ["HangUp"], id="the application says go on"
        ),
    ],
)
async def test_a_verb_that_is_not_built(
    verb: verbs.Unbuilt, answers: list[Document | None], started: list[str]
) -> None:
    app = FakeApplication()
    app.answers = [document(app, verb, HANG_UP), *answers]
    run = Run(app)
    await run.to_its_end()
    assert run.notes == [NOTE]
    assert run.started == started
    assert [ask for ask in app.asked if isinstance(ask, Failed)] == (
        [Failed(verb=verb, note=NOTE)] if verb.failure else []
    )


async def test_a_fallback_takes_over_from_a_verb_that_is_not_built() -> None:
    app = FakeApplication()
    app.answers = [
        document(app, verbs.Unbuilt(name="Dial", note=NOTE), tag("never")),
        document(app, tag("fallback"), HANG_UP),
    ]
    run = Run(app)
    await run.to_its_end()
    assert run.started == ["Tag", "HangUp"]


async def test_a_dialect_that_breaks_ends_one_call_with_a_clear_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = Run(FakeApplication(RuntimeError("a mistake")))
    with caplog.at_level(logging.ERROR):
        end = await run.to_its_end()
    assert (end.status, end.cause) == (CallStatus.FAILED, "internal error")
    assert "a mistake" in run.notes[0].message
    assert "asking the application failed" in caplog.text


async def test_a_verb_that_needs_media_where_there_is_none_fails_as_a_value() -> None:
    app = FakeApplication()
    app.answers = [document(app, verbs.SendDigits(digits="1"), HANG_UP)]
    run = Run(app)
    await run.to_its_end()
    assert run.outcomes[0] == Outcome(end=EndOfVerb.FAILED, error="there is no media to send digits on")


async def test_the_first_end_counts() -> None:
    app = FakeApplication()
    app.answers = [document(app, verbs.Pause(seconds=60))]
    run = Run(app)
    ended = asyncio.create_task(run.to_its_end())
    await run.store.holds("verb.started")
    run.call.reports.leg_ended("remote", (), "")
    await run.call.hang_up(verbs.HangUp())
    run.call.reports.leg_failed(486, "Busy Here", "rejected")
    assert (await ended).cause == "the far end hung up"


async def test_an_end_that_cannot_be_told_or_recorded_ends_the_call_nonetheless(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FakeApplication()
    app.answers = [document(app, HANG_UP)]
    run = Run(app)

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(run.call.leg, "close", broken)
    monkeypatch.setattr(run.call.log, "append", broken)
    with caplog.at_level(logging.ERROR):
        run.call.end(Ending.failed(486, "Busy Here", "rejected"))
        await asyncio.wait_for(run.call.closed, PATIENCE)
    assert app.closed
    assert "its end could not be recorded" in caplog.text


async def test_media_that_cannot_be_closed_leave_their_figures_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FakeApplication()
    app.answers = [document(app, HANG_UP)]
    run = Run(app)

    async def broken() -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(run.call.leg, "close", broken)
    with caplog.at_level(logging.ERROR):
        end = await run.to_its_end()
    assert (end.status, end.media) == (CallStatus.COMPLETED, None)
    assert [note.message for note in run.notes] == ["the media could not be closed"]
