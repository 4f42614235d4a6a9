"""Derived identifiers never change: installations depend on these very values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from ringback.store import derived_id, new_id
from ringback.store.ids import ordered_id

ACCOUNT = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")


def test_the_same_name_gives_the_same_id() -> None:
    assert derived_id(None, "account", "demo") == UUID("a7eeee22-98e6-551a-a5b3-6389882ee3b1")
    assert derived_id(ACCOUNT, "application", "ivr") == UUID("746b1ab8-c90b-54e5-bc97-f8adf16c389a")


def test_account_kind_and_name_all_count() -> None:
    ids = {
        derived_id(ACCOUNT, "application", "a"),
        derived_id(ACCOUNT, "application", "b"),
        derived_id(ACCOUNT, "trunk", "a"),
        derived_id(None, "application", "a"),
    }
    assert len(ids) == 4
    assert all(id.version == 5 for id in ids)


def test_new_ids_are_in_the_stores_spelling() -> None:
    id = new_id()
    assert id == str(UUID(id))
    assert id != new_id()


def test_ordered_ids_sort_by_their_moment() -> None:
    first = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
    ids = [ordered_id(first + timedelta(milliseconds=number)) for number in range(50)]
    assert ids == sorted(ids)
    assert {(id.version, id.variant) for id in ids} == {(7, RFC_4122)}
    assert ids[0].int >> 80 == first.timestamp() * 1000


def test_ordered_ids_of_one_moment_differ() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    ids = {ordered_id(now) for _ in range(1000)}
    assert len({id.int >> 64 & 0xFFF for id in ids}) > 500
    assert len({id.int & (1 << 62) - 1 for id in ids}) == 1000
