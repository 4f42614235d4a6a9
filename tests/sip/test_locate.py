from __future__ import annotations

import random
from collections import Counter

import pytest

from ringback.sip.locate import DnsRecords, Locator, Naptr, Srv, in_order
from ringback.sip.uri import Uri


class FakeRecords:
    """A zone of a few names; notes what is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.naptrs: dict[str, list[Naptr]] = {}
        self.srvs: dict[str, list[Srv]] = {}
        self.hosts: dict[str, list[str]] = {
            "a.example": ["192.0.2.1", "2001:db8::1"],
            "b.example": ["192.0.2.2"],
        }

    async def naptr(self, name: str) -> list[Naptr]:
        self.asked.append(f"NAPTR {name}")
        return self.naptrs.get(name, [])

    async def srv(self, name: str) -> list[Srv]:
        self.asked.append(f"SRV {name}")
        return self.srvs.get(name, [])

    async def addresses(self, name: str) -> list[str]:
        self.asked.append(f"A {name}")
        return self.hosts.get(name, [])


@pytest.fixture
def records() -> FakeRecords:
    return FakeRecords()


async def located(records: FakeRecords, text: str) -> list[str]:
    return [str(flow) for flow in await Locator(records).locate(Uri.parse(text))]


@pytest.mark.parametrize(
    ("uri", "flows"),
    [
        ("sip:x@192.0.2.7", ["udp:192.0.2.7:5060"]),
        ("sip:x@192.0.2.7:5070;transport=tcp", ["tcp:192.0.2.7:5070"]),
        ("sip:x@[2001:db8::7]", ["udp:[2001:db8::7]:5060"]),
        ("sip:x@a.example;maddr=192.0.2.9", ["udp:192.0.2.9:5060"]),
        ("sips:x@192.0.2.7", ["tls:192.0.2.7:5060"]),
    ],
)
async def test_addresses_never_ask(records: FakeRecords, uri: str, flows: list[str]) -> None:
    assert await located(records, uri) == flows
    assert records.asked == []


async def test_a_port_asks_for_addresses_only(records: FakeRecords) -> None:
    assert await located(records, "sip:x@a.example:5070") == ["udp:192.0.2.1:5070", "udp:[2001:db8::1]:5070"]
    assert await located(records, "sip:x@b.example:5070;transport=tcp") == ["tcp:192.0.2.2:5070"]
    assert records.asked == ["A a.example", "A b.example"]


async def test_naptr_chooses_the_transport(records: FakeRecords) -> None:
    records.naptrs["d.example"] = [
        Naptr(20, 0, "S", "SIP+D2U", "_sip._udp.d.example"),
        Naptr(10, 5, "S", "SIP+D2T", "_sip._tcp.d.example"),
        Naptr(5, 5, "S", "SIPS+D2T", "_sips._tcp.d.example"),
        Naptr(1, 5, "U", "E2U+sip", "x"),
    ]
    records.srvs["_sip._tcp.d.example"] = [Srv(2, 0, 5062, "b.example"), Srv(1, 0, 5061, "a.example")]
    flows = await located(records, "sip:x@d.example")
    assert flows == ["tcp:192.0.2.1:5061", "tcp:[2001:db8::1]:5061", "tcp:192.0.2.2:5062"]


async def test_srv_without_naptr(records: FakeRecords) -> None:
    records.srvs["_sip._udp.d.example"] = [Srv(1, 0, 5061, "."), Srv(2, 0, 5062, "b.example")]
    assert await located(records, "sip:x@d.example") == ["udp:192.0.2.2:5062"]
    records.asked.clear()
    assert await located(records, "sip:x@d.example;transport=tcp") == []
    assert records.asked == ["SRV _sip._tcp.d.example", "A d.example"]


async def test_plain_addresses_are_the_last_resort(records: FakeRecords) -> None:
    assert await located(records, "sip:x@b.example") == ["udp:192.0.2.2:5060"]
    records.hosts["b"] = ["192.0.2.3"]
    records.asked.clear()
    assert await located(records, "sip:x@b") == ["udp:192.0.2.3:5060"]
    assert records.asked == ["A b"]


@pytest.mark.parametrize("uri", ["sips:x@a.example", "sip:x@a.example;transport=ws", "tel:+14155550100"])
async def test_what_cannot_be_reached(records: FakeRecords, uri: str) -> None:
    assert await located(records, uri) == []


def test_weights_share_the_load() -> None:
    random.seed(3)
    rows = [Srv(1, 30, 1, "a"), Srv(1, 10, 2, "b"), Srv(0, 0, 3, "c")]
    first = Counter(in_order(rows)[1].target for _ in range(2000))
    assert in_order(rows)[0].target == "c"
    assert 2.5 < first["b"] / first["a"] * 9 < 3.5


async def test_the_systems_own_names() -> None:
    assert "127.0.0.1" in await DnsRecords().addresses("localhost")
    assert await DnsRecords().addresses("bad name") == []
