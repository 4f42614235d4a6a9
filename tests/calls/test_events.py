"""Events in the log and in words."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from tests.calls.making import one_of_each_event, one_of_each_verb

from ringback.calls import events, verbs
from ringback.calls.describe import describe
from ringback.calls.outcome import EndOfVerb, Outcome

KINDS = {"call", "verb", "key", "note", "media"}


@pytest.mark.parametrize("event", one_of_each_event(), ids=events.kind_of)
def test_an_event_is_read_back_from_the_log(event: events.CallEvent) -> None:
    stored = events.encode(event)
    assert events.decode(stored) == event
    assert msgspec.json.decode(stored)["type"] == events.kind_of(event)


@pytest.mark.parametrize("verb", one_of_each_verb(), ids=lambda verb: type(verb).__name__)
def test_a_verb_is_read_back_from_the_log(verb: verbs.Verb) -> None:
    event = events.VerbStarted(verb=verb)
    assert events.decode(events.encode(event)) == event


def test_a_kind_of_another_version_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        events.decode(b'{"type":"call.teleported"}')


@pytest.mark.parametrize("event", one_of_each_event(), ids=events.kind_of)
def test_every_event_has_words(event: events.CallEvent) -> None:
    kind, text = describe(event)
    assert kind in KINDS
    assert text
    assert "\n" not in text


@pytest.mark.parametrize("verb", one_of_each_verb(), ids=lambda verb: type(verb).__name__)
def test_every_verb_has_words(verb: verbs.Verb) -> None:
    kind, text = describe(events.VerbStarted(verb=verb))
    assert kind == "verb"
    assert text.startswith(type(verb).__name__)


def test_there_is_one_of_each_verb() -> None:
    assert {type(verb) for verb in one_of_each_verb()} == set(get_args(verbs.Verb))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.VerbStarted(verb=verbs.Say(texts=("x" * 200,))), f"Say “{'x' * 79}…”"),
        (events.VerbStarted(verb=verbs.Play(clips=(verbs.Silence(500),))), "Play 500 ms of silence"),
        (
            events.VerbEnded(verb="Play", outcome=Outcome(end=EndOfVerb.FAILED, error="404")),
            "Play ended: failed, 404",
        ),
        (events.VerbEnded(verb="Gather", outcome=Outcome(digits="12")), "Gather ended: done, digits '12'"),
        (events.VerbEnded(verb="Say", outcome=Outcome(end=EndOfVerb.HUNG_UP)), "Say ended: hung-up"),
        (events.DocumentReceived(verbs=(), milliseconds=3), "document after 3 ms: nothing"),
    ],
)
def test_how_it_reads(event: events.CallEvent, text: str) -> None:
    assert describe(event)[1] == text
