"""Pressing keys where nobody can hear them: it ends, and is noted."""

from __future__ import annotations

import asyncio

import pytest
from tests.calls.making import FakeApplication, FakeStore, fake_call

from ringback.calls import verbs
from ringback.calls.call import Call
from ringback.calls.events import Noted
from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.pressing import send_digits
from ringback.testing.virtual_time import in_virtual_time

Sent = asyncio.Future[None]


def call_that_sends(answer: Sent | Exception | None) -> tuple[Call, FakeStore]:
    """A call whose leg answers so when it is to send digits."""
    store = FakeStore()
    call = fake_call(FakeApplication(), store)

    def send(digits: str, duration_ms: int) -> Sent | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    call.leg.send_digits = send  # type: ignore[method-assign]
    return call, store


def notes(store: FakeStore) -> list[str]:
    return [event.note.message for event in store.events if isinstance(event, Noted)]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ValueError("cannot press 'x'"), "cannot press 'x'"),
        (None, "there is no media to send digits on"),
    ],
)
async def test_what_cannot_be_pressed_is_noted(answer: Exception | None, problem: str) -> None:
    call, store = call_that_sends(answer)
    assert await send_digits(call, verbs.SendDigits(digits="x")) == Outcome(
        end=EndOfVerb.FAILED, error=problem
    )
    assert notes(store) == [problem]


@in_virtual_time
async def test_a_call_on_hold_keeps_the_verb_for_as_long_as_the_keys_take() -> None:
    loop = asyncio.get_running_loop()
    call, store = call_that_sends(loop.create_future())
    began = loop.time()
    outcome = await send_digits(call, verbs.SendDigits(digits="12wW", duration_ms=200))
    assert outcome.end is EndOfVerb.FAILED
    assert loop.time() - began == pytest.approx(2 * 0.3 + 0.5 + 1.0 + 2.0)
    assert notes(store) == ["the far end holds the call: keys go out when it listens again"]


@in_virtual_time
async def test_keys_that_went_out_are_done() -> None:
    loop = asyncio.get_running_loop()
    sent = loop.create_future()
    call, store = call_that_sends(sent)
    loop.call_later(0.2, sent.set_result, None)
    assert await send_digits(call, verbs.SendDigits(digits="1")) == Outcome()
    assert notes(store) == []
