"""The calls that are up, found by their ids."""

from __future__ import annotations

from uuid import UUID

from tests.calls.making import ACCOUNT, FakeApplication, FakeStore, answered_record, fake_engine

from ringback.calls.call import Call
from ringback.calls.verbs import HangUp


async def test_calls_are_found_by_the_call_id_of_their_dialogs() -> None:
    """Two have the same where a call of ours comes back in."""
    engine = fake_engine(FakeStore())
    ids = UUID(int=1), UUID(int=2), UUID(int=3)
    names = "a@192.0.2.1", "a@192.0.2.1", "b@192.0.2.1"
    calls = [
        Call(answered_record(id=id, account_id=ACCOUNT, sip_call_id=name), FakeApplication(), engine)
        for id, name in zip(ids, names, strict=True)
    ]
    for call in calls:
        engine.roster.take(call)
    assert set(engine.roster.with_call_id(names[0])) == set(calls[:2])
    assert set(engine.roster.with_call_id(names[2])) == {calls[2]}
    for call in calls[1:]:
        await call.hang_up(HangUp())
        await call.closed
    await engine.roster.emptied(timeout=0)
    assert set(engine.roster.with_call_id(names[0])) == {calls[0]}
    assert not engine.roster.with_call_id(names[2])
    assert not engine.roster.with_call_id("nobody@192.0.2.1")
