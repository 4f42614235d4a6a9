"""A small world: two accounts with the same carrier, a few applications, two devices."""

from __future__ import annotations

from uuid import UUID

import pytest

from ringback.routing.directory import Account, Application, Client, Directory, Gateway, Number, Trunk

DEMO, OTHER = UUID(int=1), UUID(int=2)


def application(number: int, name: str, account_id: UUID = DEMO) -> Application:
    return Application(id=UUID(int=100 + number), account_id=account_id, name=name, dialect="laml")


@pytest.fixture
def directory() -> Directory:
    return Directory(
        [
            Account(id=DEMO, name="demo", token="t"),
            Account(id=OTHER, name="other", token="t", device_application_id=UUID(int=103)),
            application(1, "ivr"),
            application(2, "menu"),
            application(3, "theirs", OTHER),
            Number(id=UUID(int=201), account_id=DEMO, number="+14155550100", application_id=UUID(int=101)),
            Number(id=UUID(int=202), account_id=DEMO, number="+1415555*", application_id=UUID(int=102)),
            Number(id=UUID(int=203), account_id=DEMO, number="+14155550111"),
            Number(id=UUID(int=204), account_id=OTHER, number="14155550177", application_id=UUID(int=103)),
            Trunk(
                id=UUID(int=301),
                account_id=DEMO,
                name="carrier",
                gateways=(Gateway(host="192.0.2.1:5080"),),
                username="us",
                password="secret",
                inbound_from=("192.0.2.0/24",),
            ),
            Trunk(
                id=UUID(int=302),
                account_id=DEMO,
                name="backup",
                gateways=(Gateway(host="sip.example.com", transport="tcp"),),
            ),
            Trunk(
                id=UUID(int=303),
                account_id=OTHER,
                name="carrier",
                inbound_from=("192.0.2.1", "2001:db8::/32"),
            ),
            Client(id=UUID(int=401), account_id=DEMO, username="alice", password="a"),
            Client(id=UUID(int=402), account_id=DEMO, username="bob", password="b"),
            Client(id=UUID(int=403), account_id=OTHER, username="carol", password="c"),
        ]
    )
