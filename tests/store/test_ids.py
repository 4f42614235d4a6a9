"""Derived identifiers never change: installations depend on these very values."""

from __future__ import annotations

from uuid import UUID

from ringback.store import derived_id, new_id

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
