"""From one configuration to another: what changes, what stays, and what must not be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from ringback.config import ConfigError, Settings
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    CallsSection,
    ClientTable,
    NumberTable,
    ServerSection,
    TrunkTable,
)
from ringback.reloading import planned
from ringback.routing.directory import Application, Client, Number, Trunk


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "source": "ringback.toml",
        "account": (AccountTable(name="a", token="t"),),
        "application": (ApplicationTable(name="ivr", dialect="laml", voice_url="http://one/"),),
        "number": (NumberTable(number="+14155550100", application="ivr"),),
        "trunk": (TrunkTable(name="one", host="h1"), TrunkTable(name="two", host="h2")),
        "client": (ClientTable(username="alice", password="p"), ClientTable(username="bob", password="p")),
    }
    return Settings(**{**values, **changes})


def test_what_changes_is_named() -> None:
    old = settings()
    new = settings(
        application=(ApplicationTable(name="ivr", dialect="laml", voice_url="http://two/"),),
        number=(NumberTable(number="+14155550177", application="ivr"),),
        server=ServerSection(media_workers=2),
        calls=CallsSection(max_call_seconds=60),
    )
    plan = planned(old.directory(), old, new)
    assert plan.changes.added == ("number +14155550177",)
    assert plan.changes.changed == ("application ivr",)
    assert plan.changes.removed == ("number +14155550100",)
    assert plan.changes.after_restart == ("server.media_workers", "calls.max_call_seconds")
    assert plan.directory.number("14155550177") is not None
    assert plan.directory.number("14155550100") is None
    assert plan.directory.all(Application)[0].voice_url == "http://two/"


def test_what_has_another_sid_and_its_name_is_changed() -> None:
    own = UUID("11111111-1111-4111-8111-111111111111")
    new = settings(
        application=(ApplicationTable(name="ivr", dialect="laml", voice_url="http://one/", sid=own),)
    )
    changes = planned(settings().directory(), settings(), new).changes
    assert (changes.added, changes.removed) == ((), ())
    assert set(changes.changed) == {"application ivr", "number +14155550100"}  # the number leads there


def test_nothing_changes_when_nothing_has() -> None:
    plan = planned(settings().directory(), settings(), settings())
    assert plan.changes == msgspec.structs.replace(plan.changes, added=(), changed=(), removed=())
    assert plan.signed_off == ()


def test_trunks_stand_in_the_order_of_the_file() -> None:
    old = settings()
    new = settings(trunk=(TrunkTable(name="two", host="h2"), TrunkTable(name="one", host="h9")))
    plan = planned(old.directory(), old, new)
    assert [trunk.name for trunk in plan.directory.all(Trunk)] == ["two", "one"]


def test_what_came_over_rest_stays_unless_its_account_goes() -> None:
    old = settings()
    directory = old.directory()
    (account,) = {number.account_id for number in directory.all(Number)}
    made = Number(id=UUID(int=9), account_id=account, number="+4930", application_id=None)
    directory.put(made)
    assert made in planned(directory, old, settings(number=())).directory.all(Number)
    other = settings(
        account=(AccountTable(name="b", token="t"),), application=(), number=(), trunk=(), client=()
    )
    assert planned(directory, old, other).directory.all(Number) == []


def test_a_name_that_rest_took_is_a_mistake_and_changes_nothing() -> None:
    old = settings()
    directory = old.directory()
    (account,) = {number.account_id for number in directory.all(Number)}
    directory.put(Number(id=UUID(int=9), account_id=account, number="+4930", application_id=None))
    before = directory.everything()
    with pytest.raises(ConfigError, match="made over REST"):
        planned(directory, old, settings(number=(NumberTable(number="+4930"),)))
    assert directory.everything() == before


def test_two_may_change_names() -> None:
    one, two = UUID(int=1), UUID(int=2)
    old = settings(
        client=(
            ClientTable(username="alice", password="p", sid=one),
            ClientTable(username="bob", password="p", sid=two),
        )
    )
    new = settings(
        client=(
            ClientTable(username="bob", password="p", sid=one),
            ClientTable(username="alice", password="p", sid=two),
        )
    )
    assert {c.username: c.id for c in planned(old.directory(), old, new).directory.all(Client)} == {
        "bob": one,
        "alice": two,
    }


def test_devices_that_are_gone_or_have_another_password_are_signed_off() -> None:
    old = settings()
    assert planned(old.directory(), old, settings(client=())).signed_off == ("alice", "bob")
    changed = settings(
        client=(ClientTable(username="alice", password="new"), ClientTable(username="bob", password="p"))
    )
    assert planned(old.directory(), old, changed).signed_off == ("alice",)


def test_guests_stay_while_somebody_knows_them() -> None:
    hooked = settings(account=(AccountTable(name="a", token="t", registration_hook="http://h/"),))
    directory = hooked.directory()
    (account,) = {number.account_id for number in directory.all(Number)}
    directory.put(Client.guest_of(account, "dave"))
    assert planned(directory, hooked, hooked).directory.client("dave") is not None
    plan = planned(directory, hooked, settings())
    assert plan.directory.client("dave") is None
    assert plan.signed_off == ("dave",)
