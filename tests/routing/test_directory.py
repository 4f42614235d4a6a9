"""The directory: look-ups, changes, contradictions."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from tests.routing.conftest import DEMO, OTHER, application

from ringback.routing.directory import Account, Application, Client, Directory, DirectoryError, Number, Trunk


def test_look_ups_by_id_and_name(directory: Directory) -> None:
    demo = directory.account(DEMO)
    assert demo is not None
    assert demo.name == "demo"
    ivr = directory.application_named(DEMO, "ivr")
    assert ivr is not None
    assert directory.application(ivr.id) is ivr
    assert directory.application_named(OTHER, "ivr") is None
    assert directory.get(Trunk, ivr.id) is None
    assert directory.account(UUID(int=99)) is None
    assert [entry.name for entry in directory.all(Application, DEMO)] == ["ivr", "menu"]
    assert len(directory.all(Application)) == 3
    assert len(directory.all(Account)) == 2


@pytest.mark.parametrize(
    ("dialled", "account_id", "expected"),
    [
        ("+14155550100", None, 201),
        ("14155550100", None, 201),
        ("+1 415 555 0100", DEMO, 201),
        ("+14155550123", DEMO, 202),
        ("14155550123", DEMO, 202),
        ("+14155550177", None, 204),
        ("+14155550177", DEMO, 202),
        ("+14155550100", OTHER, None),
        ("+4930123456", None, None),
    ],
)
def test_numbers(directory: Directory, dialled: str, account_id: UUID | None, expected: int | None) -> None:
    found = directory.number(dialled, account_id)
    assert (None if found is None else found.id.int) == expected


def test_trunks_by_source(directory: Directory) -> None:
    def ids(source: str) -> list[int]:
        return [trunk.id.int for trunk in directory.trunks_from(source)]

    assert ids("192.0.2.1") == [303, 301]  # the narrowest first
    assert ids("192.0.2.7") == [301]
    assert ids("::ffff:192.0.2.7") == [301]
    assert ids("2001:db8::5") == [303]
    assert ids("198.51.100.1") == []
    assert ids("no address") == []


def test_what_is_put_replaces_and_what_is_removed_is_gone(directory: Directory) -> None:
    alice = directory.client("alice")
    assert alice is not None
    directory.put(msgspec.structs.replace(alice, username="alicia"))
    assert directory.client("alice") is None
    renamed = directory.client("alicia")
    assert renamed is not None
    assert alice in directory
    directory.remove(renamed)
    directory.remove(renamed)
    assert directory.client("alicia") is None
    assert renamed not in directory


def test_a_number_changes_its_pattern(directory: Directory) -> None:
    number = directory.get(Number, UUID(int=202))
    assert number is not None
    directory.put(msgspec.structs.replace(number, number="+49*"))
    assert directory.number("+14155550123") is None
    assert directory.number("+4930") is not None
    directory.put(msgspec.structs.replace(number, number="+4930"))
    assert directory.number("+49301") is None
    directory.remove(number)
    assert directory.number("+4930") is None


def test_the_same_number_in_two_accounts_is_two_numbers(directory: Directory) -> None:
    theirs = Number(id=UUID(int=299), account_id=OTHER, number="14155550100")
    directory.put(theirs)
    assert directory.number("+14155550100", OTHER) is theirs
    directory.remove(theirs)
    assert directory.number("+14155550100", OTHER) is None
    assert directory.number("+14155550100", DEMO) is not None


def test_a_trunk_changes_its_sources(directory: Directory) -> None:
    trunk = directory.trunk_named(DEMO, "carrier")
    assert trunk is not None
    directory.put(msgspec.structs.replace(trunk, inbound_from=()))
    assert [found.id.int for found in directory.trunks_from("192.0.2.7")] == []


def test_an_account_takes_its_own_with_it(directory: Directory) -> None:
    demo = directory.account(DEMO)
    assert demo is not None
    directory.remove(demo)
    assert directory.all(Application, DEMO) == []
    assert directory.client("alice") is None
    assert directory.number("+14155550100") is None
    assert [trunk.id.int for trunk in directory.trunks_from("192.0.2.7")] == []
    assert directory.client("carol") is not None


@pytest.mark.parametrize(
    "entry",
    [
        Account(id=UUID(int=9), name="demo", token=""),
        application(9, "ivr"),
        Client(id=UUID(int=9), account_id=OTHER, username="alice", password=""),
        Number(id=UUID(int=9), account_id=DEMO, number="1-415-555-0100"),
    ],
)
def test_a_taken_name_is_refused(
    directory: Directory, entry: Account | Application | Client | Number
) -> None:
    with pytest.raises(DirectoryError, match="exists already"):
        directory.put(entry)
    assert entry not in directory


def test_contradictions_are_refused_and_change_nothing(directory: Directory) -> None:
    with pytest.raises(DirectoryError, match="does not exist"):
        directory.put(application(9, "x", UUID(int=77)))
    with pytest.raises(DirectoryError, match="regular expression"):
        directory.put(Number(id=UUID(int=201), account_id=DEMO, number="/(/"))
    assert directory.number("+14155550100") is not None
    with pytest.raises(DirectoryError, match="carrier9"):
        directory.put(
            Trunk(id=UUID(int=9), account_id=DEMO, name="carrier9", inbound_from=("carrier.example",))
        )


def test_keys_of_an_account() -> None:
    plain = Account(id=DEMO, name="a", token="t")
    assert plain.webhook_signing_key == "t"
    assert msgspec.structs.replace(plain, signing_key="k").webhook_signing_key == "k"
