"""What a call does is one thing at a time, whoever steers it."""

from __future__ import annotations

import asyncio

from tests.calls.making import FakeApplication, FakeStore, document, fake_call
from tests.patience import PATIENCE

from ringback.calls import verbs
from ringback.calls.application import NewCall
from ringback.calls.events import VerbEnded, VerbStarted

WAITS = verbs.Pause(seconds=60)


def started(store: FakeStore) -> list[str]:
    """The verbs that ran."""
    return [type(event.verb).__name__ for event in store.events if isinstance(event, VerbStarted)]


async def test_what_comes_before_the_first_document_is_replaced_with_it() -> None:
    app, store = FakeApplication(), FakeStore()
    call = fake_call(app, store)
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def set_up() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    call.runner.run(NewCall(), after=set_up)
    await begun.wait()
    await call.runner.replace(document(app, WAITS))
    assert stopped.is_set()
    await store.holds("verb.started")
    await call.hang_up(verbs.HangUp())
    await asyncio.wait_for(call.closed, PATIENCE)
    assert app.asked == []
    assert started(store) == ["Pause"]


async def test_a_call_that_was_given_something_to_do_does_not_begin_anew() -> None:
    """A redirect may come between the answer and the first document."""
    app, store = FakeApplication(), FakeStore()
    call = fake_call(app, store)
    await call.runner.replace(document(app, WAITS))
    call.runner.run(NewCall())
    await store.holds("verb.started")
    await call.hang_up(verbs.HangUp())
    await asyncio.wait_for(call.closed, PATIENCE)
    assert app.asked == []


async def test_of_two_that_replace_at_once_the_last_one_stays() -> None:
    app, store = FakeApplication(), FakeStore()
    call = fake_call(app, store)
    call.runner.run(document(app, WAITS))
    await store.holds("verb.started")
    first, second = (document(app, verb) for verb in (verbs.Tag(data={"a": 1}), verbs.Pause(seconds=50)))
    await asyncio.gather(call.runner.replace(first), call.runner.replace(second))
    assert not await call.runner.run_out(document(app, verbs.Answer())), "it does something already"
    await call.hang_up(verbs.HangUp())
    await asyncio.wait_for(call.closed, PATIENCE)
    assert started(store)[-1] == "Tag"
    ended = [event.verb for event in store.events if isinstance(event, VerbEnded)]
    assert ended == ["Tag"], "the others were stopped"
