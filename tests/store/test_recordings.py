"""The rows of recordings: stored with their events, found, and gone with their calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.store.making import ACCOUNT, call_id, delivery, event, recording, recording_id, row

from ringback.store import RecordingFilter, RecordingRow, Store, StoredRecordRefused


async def test_a_recording_is_stored_with_its_event(store: Store) -> None:
    due = delivery()
    made = recording(error="disk\0full", started_at=1000.5, ended_at=1002.0, size=2**33)
    await store.append(event(row=row(), deliveries=(due,), recordings=(recording(),)))
    with pytest.raises(StoredRecordRefused):
        await store.append(event(recordings=(recording(status="failed"),)))
    assert await store.recording(recording_id()) == recording()
    await store.append(event(sequence=1, recordings=(recording(status="odd"), recording(size=2**33))))
    found = await store.recording(recording_id())
    assert found is not None
    assert (found.status, found.size) == ("completed", 2**33)
    await store.put_recording(made)
    kept = await store.recording(recording_id())
    assert kept is not None
    assert kept.error == "disk\N{REPLACEMENT CHARACTER}full"
    assert await store.recording(recording_id(404)) is None


async def _six(store: Store) -> None:
    """Two calls, three recordings each; the last one is another account's and goes on."""
    fields: list[dict[str, Any]] = [
        {"duration": 9.0},
        {"duration": 1.0, "status": "absent"},
        {},
        {"call": 2},
        {"call": 2, "status": "failed"},
        {"call": 2, "account_id": call_id(9), "status": "in-progress", "settled_at": None},
    ]
    rows = tuple(recording(number, **more) for number, more in enumerate(fields, 1))
    await store.append(event(1, row=row(1, ended_at=1100.0), recordings=rows[:3]))
    await store.append(event(2, row=row(2, ended_at=1101.0), recordings=rows[3:]))


async def test_those_that_a_text_was_wanted_of(store: Store) -> None:
    rows = tuple(recording(number, transcribed=number == 2) for number in range(1, 5))
    await store.append(event(1, row=row(1), recordings=rows))
    found = await store.recordings(RecordingFilter(transcribed=True), limit=9, offset=0)
    assert [each.id for each in found] == [recording_id(2)]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [6, 5, 4, 3, 2, 1]),
    ({"accounts": (ACCOUNT,)}, [5, 4, 3, 2, 1]),
    ({"calls": (call_id(1),)}, [3, 2, 1]),
    ({"calls": (call_id(1), call_id(2)), "statuses": ("absent", "failed")}, [5, 2]),
    ({"created_from": 1002.0, "created_to": 1004.0}, [3, 2]),
    ({"order": "oldest"}, [1, 2, 3, 4, 5, 6]),
    ({"order": "duration", "calls": (call_id(1),)}, [2, 3, 1]),
    ({"order": "-duration", "calls": (call_id(1),)}, [1, 3, 2]),
    ({"order": "created_at"}, [1, 2, 3, 4, 5, 6]),
    ({"order": "-call_id"}, [6, 5, 4, 3, 2, 1]),
    ({"order": "colour"}, [6, 5, 4, 3, 2, 1]),
]


async def test_filters_orders_and_pages(store: Store) -> None:
    await _six(store)
    for wanted, expected in FILTERS:
        which = RecordingFilter(**wanted)
        ids = [found.id for found in await store.recordings(which)]
        assert ids == [recording_id(number) for number in expected], wanted
        assert await store.count_recordings(which) == len(expected)
    page = await store.recordings(RecordingFilter(), limit=2, offset=3)
    assert [found.id for found in page] == [recording_id(3), recording_id(2)]


async def test_what_is_unfinished_is_found_after_a_restart(store: Store) -> None:
    await _six(store)
    assert [found.id for found in await store.unsettled_recordings()] == [recording_id(6)]


async def test_a_recording_is_removed_alone_or_with_its_call(store: Store) -> None:
    await _six(store)
    assert await store.delete_recording(recording_id(1))
    assert not await store.delete_recording(recording_id(1))
    assert await store.delete_call(call_id(1))
    assert [found.call_id for found in await store.recordings(RecordingFilter())] == [call_id(2)] * 3


class Release:
    """Removes files, but for some."""

    def __init__(self, *stuck: str) -> None:
        self.stuck = set(stuck)
        self.rows: list[str] = []

    async def __call__(self, rows: Sequence[RecordingRow]) -> set[str]:
        self.rows += [each.id for each in rows]
        return self.stuck & {each.id for each in rows}


async def test_pruning_releases_the_files_first_and_keeps_what_is_unfinished(store: Store) -> None:
    await _six(store)
    release = Release()
    assert await store.prune(2000.0, release=release) == 1
    assert release.rows == [recording_id(number) for number in (1, 2, 3)]
    assert await store.call(call_id(1)) is None
    assert await store.call(call_id(2)) is not None, "one of its recordings goes on"


async def test_a_call_whose_files_cannot_be_removed_stays_and_the_others_go(store: Store) -> None:
    for number in range(1, 8):
        rows = (recording(number, number),)
        await store.append(event(number, row=row(number, ended_at=1100.0 + number), recordings=rows))
    release = Release(recording_id(2), recording_id(3))
    assert await store.prune(2000.0, piece=2, release=release) == 5
    left = await store.recordings(RecordingFilter(order="oldest"))
    assert [found.id for found in left] == [recording_id(2), recording_id(3)]
    assert len(release.rows) == 7, "each is tried once"
    assert await store.prune(2000.0, release=Release()) == 2


async def test_recordings_may_go_before_their_calls(store: Store) -> None:
    await _six(store)
    release = Release(recording_id(2))
    assert await store.prune_recordings(1006.0, piece=2, release=release) == 4
    left = await store.recordings(RecordingFilter(order="oldest"))
    assert [found.id for found in left] == [recording_id(2), recording_id(6)]
    assert await store.call(call_id(1)) is not None
