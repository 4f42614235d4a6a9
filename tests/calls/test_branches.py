"""One call over several ways: at once, or the next when one fails."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ringback.calls.branches import ELSEWHERE, Branches, Way
from ringback.routing.limits import Over
from ringback.sip.events import Answered, Ended, Failed, Offer, Progress, SessionEvent
from ringback.sip.headers import Headers
from ringback.sip.outbound import OutboundCall
from ringback.testing.virtual_time import in_virtual_time


class FakeSession:
    """An INVITE that was sent; the test says what comes of it."""

    def __init__(self, on_event: Any) -> None:
        self.on_event = on_event
        self.heard = False
        self.did: list[Any] = []

    def cancel(self, headers: Any = ()) -> None:
        self.did.append("cancel")

    def bye(self, headers: Any = ()) -> None:
        self.did.append(("bye", headers) if headers else "bye")

    def refuse_offer(self) -> None:
        self.did.append("refuse")

    def happens(self, event: SessionEvent) -> None:
        self.heard = True
        if self.on_event is not None:
            self.on_event(event)


class Ways:
    """So many ways, what became of each, and what the owner heard."""

    def __init__(self, count: int, *, over: dict[int, Over] | None = None) -> None:
        self.sessions: dict[int, FakeSession] = {}
        self.there: list[tuple[int, bool]] = []
        self.next: list[tuple[int, int]] = []
        self.events: list[SessionEvent] = []
        self._over = over or {}
        self.ways = [self._way(number) for number in range(count)]

    def _way(self, number: int) -> Way:
        def start(on_event: Any) -> OutboundCall:
            self.sessions[number] = FakeSession(on_event)
            return cast("OutboundCall", self.sessions[number])

        return Way(
            start=start,
            admit=lambda: self._over.get(number),
            told=lambda there: self.there.append((number, there)),
        )

    def begin(self, *, parallel: bool = False) -> Branches:
        return Branches(
            self.ways,
            self.events.append,
            parallel=parallel,
            on_next=lambda place, failed: self.next.append((place, failed.status)),
        )


def failed(status: int, cause: str = "rejected") -> Failed:
    return Failed(status, "Reason", Headers(), cause)


RINGING = Progress(180, "Ringing", None, Headers())
EARLY = Progress(183, "Session Progress", b"sdp", Headers())
ANSWERED = Answered(200, "OK", b"sdp", Headers())


# -- one after the other


@pytest.mark.parametrize(
    ("failure", "goes_on"),
    [
        (failed(503), True),
        (failed(500), True),
        (failed(408, "timeout"), True),
        (failed(503, "transport"), True),
        (failed(502, "unresolved"), True),
        (failed(403, "refused"), True),
        (failed(408), False),  # somebody said so: it rang there
        (failed(486), False),
        (failed(404), False),
        (failed(403), False),
        (failed(603), False),
    ],
)
@in_virtual_time
async def test_the_next_way_is_tried_when_the_network_failed(failure: Failed, goes_on: bool) -> None:
    ways = Ways(2)
    ways.begin()
    assert list(ways.sessions) == [0]
    ways.sessions[0].happens(failure)
    await asyncio.sleep(0)
    assert list(ways.sessions) == ([0, 1] if goes_on else [0])
    assert ways.events == ([] if goes_on else [failure])
    assert ways.next == ([(1, failure.status)] if goes_on else [])


@in_virtual_time
async def test_the_call_goes_on_over_the_way_that_answers() -> None:
    ways = Ways(2)
    branches = ways.begin()
    ways.sessions[0].happens(failed(503))
    second = ways.sessions[1]
    second.happens(RINGING)
    second.happens(ANSWERED)
    second.happens(Ended("remote", Headers(), ""))
    assert ways.events == [RINGING, ANSWERED, Ended("remote", Headers(), "")]
    assert branches.chosen is cast("Any", second)
    branches.bye()
    assert second.did == ["bye"]
    assert ways.there == [(0, True), (1, True)]


@in_virtual_time
async def test_a_way_on_which_nothing_comes_is_passed_over() -> None:
    ways = Ways(3)
    ways.begin()
    await asyncio.sleep(5.1)
    assert list(ways.sessions) == [0, 1]
    assert ways.sessions[0].did == ["cancel"]
    assert ways.there == [(0, False)]
    ways.sessions[0].happens(ANSWERED)  # too late: it ends itself
    ways.sessions[1].heard = True  # 100
    await asyncio.sleep(60.0)
    assert list(ways.sessions) == [0, 1]
    assert ways.events == []


@in_virtual_time
async def test_the_last_way_has_all_the_time() -> None:
    ways = Ways(2)
    ways.begin()
    await asyncio.sleep(60.0)
    assert list(ways.sessions) == [0, 1]
    assert ways.sessions[1].did == []
    ways.sessions[1].happens(failed(408, "timeout"))
    await asyncio.sleep(0)
    assert ways.events == [failed(408, "timeout")]


@in_virtual_time
async def test_when_all_fail_the_one_that_was_heard_from_is_reported() -> None:
    ways = Ways(2)
    ways.begin()
    ways.sessions[0].happens(failed(503))
    ways.sessions[1].happens(failed(408, "timeout"))
    await asyncio.sleep(0)
    assert ways.events == [failed(503)]


@in_virtual_time
async def test_a_way_over_its_limit_is_passed_over() -> None:
    over = Over(words="Maximum Calls In Progress", why="trunk t has 1 call")
    ways = Ways(3, over={0: over, 1: over})
    ways.begin()
    assert list(ways.sessions) == [2]
    assert ways.next == [(1, 503), (2, 503)]
    ways = Ways(2, over={0: over, 1: over})
    ways.begin()
    assert ways.events == []  # not before whoever began it can know
    await asyncio.sleep(0)
    assert ways.events == [Failed(503, over.words, Headers(), over.why)]


@in_virtual_time
async def test_who_gave_up_wants_no_further_way() -> None:
    ways = Ways(2)
    branches = ways.begin()
    branches.cancel()
    assert ways.sessions[0].did == ["cancel"]
    ways.sessions[0].happens(failed(503, "cancelled"))
    await asyncio.sleep(60.0)
    assert list(ways.sessions) == [0]
    assert ways.events == [failed(503, "cancelled")]


@in_virtual_time
async def test_nothing_is_told_once_nobody_listens() -> None:
    ways = Ways(2)
    branches = ways.begin()
    branches.close()
    ways.sessions[0].happens(failed(503))
    await asyncio.sleep(60.0)
    assert (list(ways.sessions), ways.events) == ([0], [])


# -- all at once


@in_virtual_time
async def test_the_first_to_answer_wins_and_the_others_stop_ringing() -> None:
    ways = Ways(3)
    branches = ways.begin(parallel=True)
    assert list(ways.sessions) == [0, 1, 2]
    assert branches.chosen is None
    ways.sessions[0].happens(failed(486))
    ways.sessions[1].happens(RINGING)
    ways.sessions[2].happens(ANSWERED)
    assert ways.sessions[0].did == []
    assert ways.sessions[1].did == [("bye", ELSEWHERE)]
    assert branches.chosen is cast("Any", ways.sessions[2])
    ways.sessions[1].happens(failed(487, "cancelled"))
    assert ways.events == [RINGING, ANSWERED]


@in_virtual_time
async def test_two_answers_at_once_make_one_call() -> None:
    ways = Ways(2)
    branches = ways.begin(parallel=True)
    ways.sessions[0].happens(ANSWERED)
    ways.sessions[1].happens(ANSWERED)
    assert "bye" in ways.sessions[1].did
    assert ways.events == [ANSWERED]
    assert branches.chosen is cast("Any", ways.sessions[0])


@pytest.mark.parametrize(
    ("first", "second", "reported"),
    [
        (failed(480), failed(486), 486),
        (failed(486), failed(480), 486),
        (failed(408, "timeout"), failed(480), 480),
        (failed(503), failed(404), 404),
        (failed(503, "transport"), failed(500), 500),
        (failed(480), failed(480), 480),
    ],
)
@in_virtual_time
async def test_the_best_failure_is_reported(first: Failed, second: Failed, reported: int) -> None:
    ways = Ways(2)
    ways.begin(parallel=True)
    ways.sessions[0].happens(first)
    await asyncio.sleep(0)
    assert ways.events == []
    ways.sessions[1].happens(second)
    await asyncio.sleep(0)
    (event,) = ways.events
    assert isinstance(event, Failed)
    assert event.status == reported


@in_virtual_time
async def test_a_refusal_for_everybody_stops_all() -> None:
    ways = Ways(2)
    ways.begin(parallel=True)
    ways.sessions[0].happens(failed(603))
    assert ways.sessions[1].did == ["cancel"]
    ways.sessions[1].happens(failed(487, "cancelled"))
    await asyncio.sleep(0)
    assert ways.events == [failed(603)]


@in_virtual_time
async def test_one_is_heard_before_the_answer() -> None:
    ways = Ways(2)
    branches = ways.begin(parallel=True)
    ways.sessions[1].happens(EARLY)
    assert branches.chosen is cast("Any", ways.sessions[1])
    ways.sessions[0].happens(EARLY)
    ways.sessions[0].happens(Offer(b"sdp", "UPDATE"))
    assert ways.sessions[0].did == ["refuse"]
    assert ways.events == [EARLY, Progress(183, "Session Progress", None, Headers())]
    ways.sessions[1].happens(failed(480))
    ways.sessions[0].happens(EARLY)  # now it is the one
    ways.sessions[0].happens(Offer(b"sdp", "UPDATE"))
    assert ways.events[-2:] == [EARLY, Offer(b"sdp", "UPDATE")]


@in_virtual_time
async def test_header_fields_that_cannot_be_sent_are_said_at_once() -> None:
    def refuse(on_event: Any) -> OutboundCall:
        raise ValueError("no header field")

    ways = Ways(1)
    with pytest.raises(ValueError, match="no header field"):
        Branches([*ways.ways, Way(start=refuse)], ways.events.append, parallel=True)
    assert ways.sessions[0].did == ["cancel"]
    with pytest.raises(ValueError, match="no header field"):
        Branches([Way(start=refuse)], ways.events.append)
