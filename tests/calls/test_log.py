"""The log: one durable step for an event, the record and its callbacks; callbacks after the commit only."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.calls.making import FakeApplication, FakeDeliverer, FakeStore, answered_record, fake_engine

from ringback.calls import events
from ringback.calls.log import CallLog
from ringback.calls.status import CallStatus, EndedBy
from ringback.store.errors import StoreUnavailable
from ringback.webhooks.outbox import from_stored

ENDED = events.CallEnded(
    status=CallStatus.COMPLETED, cause="hung up", by=EndedBy.REMOTE, sip_status=200, sip_reason="OK"
)
KEY = events.DigitReceived(key="1", method="rfc4733")


class Bench:
    """A log on a store that commits when it is told."""

    def __init__(self) -> None:
        self.store = FakeStore(commits_at_once=False)
        self.deliverer = FakeDeliverer()
        self.application = FakeApplication()
        self.log = CallLog(answered_record(), fake_engine(self.store, self.deliverer), sequence=4)

    def append(self, event: events.CallEvent) -> None:
        self.log.append(event, self.application)

    def commit(self, event: events.CallEvent, *, new_call: bool = False) -> asyncio.Future[None]:
        return self.log.commit(event, self.application, new_call=new_call)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_an_event_the_row_and_the_callbacks_are_one_append(bench: Bench) -> None:
    bench.append(ENDED)
    [append] = bench.store.appends
    assert (append.sequence, append.kind) == (5, "call.ended")
    assert events.decode(append.payload) == ENDED
    assert append.row is not None
    assert append.row.status == "completed"
    assert [from_stored(stored).url for stored in append.deliveries] == ["http://app.example/status"]
    assert bench.log.record.status is CallStatus.COMPLETED
    assert bench.application.told == [ENDED]


async def test_callbacks_are_sent_after_the_commit_never_before(bench: Bench) -> None:
    committed = bench.commit(ENDED)
    assert bench.deliverer.offered == []
    asyncio.get_running_loop().call_soon(bench.store.waiting[0].set_result, None)
    await committed
    assert [delivery.id for delivery in bench.deliverer.offered] == ["1"]


async def test_callbacks_of_what_was_never_stored_are_never_sent(bench: Bench) -> None:
    committed = bench.commit(ENDED)
    bench.store.waiting[0].set_exception(StoreUnavailable("closed"))
    with pytest.raises(StoreUnavailable):
        await committed
    assert bench.deliverer.offered == []


async def test_the_row_is_stored_when_it_changed(bench: Bench) -> None:
    for event in (KEY, KEY, ENDED, KEY):
        bench.append(event)
    assert [append.row is not None for append in bench.store.appends] == [True, False, True, False]
    assert [append.sequence for append in bench.store.appends] == [5, 6, 7, 8]


async def test_a_running_call_goes_on_without_its_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.store.refuses = StoreUnavailable("the disk is full")
    with caplog.at_level(logging.ERROR):
        await bench.commit(ENDED)
    assert bench.log.record.status is CallStatus.COMPLETED
    assert bench.application.told == [ENDED]
    assert "the disk is full" in caplog.text


async def test_a_new_call_does_not_begin_without_its_log(bench: Bench) -> None:
    bench.store.refuses = StoreUnavailable("the disk is full")
    with pytest.raises(StoreUnavailable):
        bench.commit(KEY, new_call=True)
    assert bench.application.told == []


async def test_without_an_application_nobody_is_told(bench: Bench) -> None:
    bench.log.append(ENDED, None)
    [append] = bench.store.appends
    assert append.deliveries == ()


@pytest.mark.parametrize("what", ["deliveries", "notify"])
async def test_an_application_that_breaks_takes_no_event_along(
    bench: Bench, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(bench.application, what, broken)
    with caplog.at_level(logging.ERROR):
        bench.append(ENDED)
    [append] = bench.store.appends
    assert events.decode(append.payload) == ENDED
    assert bench.log.record.status is CallStatus.COMPLETED
    assert "a mistake" in caplog.text
