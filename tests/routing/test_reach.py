"""Which addresses SIP requests may go to, when private ones are refused."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from tests.routing.conftest import DEMO

from ringback.net.guard import AddressPolicy
from ringback.routing.carrier_hosts import CarrierHosts
from ringback.routing.directory import Directory, Gateway, Trunk
from ringback.routing.reach import Reach
from ringback.routing.registrar import Registrar, Registration
from ringback.sip.flow import Flow
from ringback.sip.uri import NameAddr

TRUNKS = (
    Trunk(id=UUID(int=1), account_id=DEMO, name="address", gateways=(Gateway(host="10.0.0.1:5080"),)),
    Trunk(id=UUID(int=2), account_id=DEMO, name="name", gateways=(Gateway(host="PBX.internal"),)),
    Trunk(id=UUID(int=3), account_id=DEMO, name="inbound", inbound_from=("10.2.0.0/24", "10.3.0.9")),
    Trunk(id=UUID(int=4), account_id=DEMO, name="anyone", inbound_from=("0.0.0.0/0",)),
)


def reach(directory: Directory, *, allow_private: bool = False) -> Reach:
    for trunk in TRUNKS:
        directory.put(trunk)
    registrar = Registrar()
    device = Registration(
        username="alice",
        flow=Flow("udp", "10.9.0.1", 5060),
        call_id="1",
        cseq=1,
        contacts=(NameAddr.parse("<sip:alice@10.9.0.1>"),),
        expires=300,
    )
    registrar.register(device, time.time())
    return Reach(AddressPolicy(allow_private=allow_private), directory, registrar, CarrierHosts(directory))


@pytest.mark.parametrize(
    ("address", "name", "peer", "allowed"),
    [
        pytest.param("8.8.8.8", "8.8.8.8", "", True, id="public"),
        pytest.param("10.5.5.5", "10.5.5.5", "", False, id="private"),
        pytest.param("10.0.0.1", "10.0.0.1", "", True, id="a trunk's host"),
        pytest.param("10.9.0.1", "10.9.0.1", "", True, id="a registered device"),
        pytest.param("172.18.0.5", "pbx.internal", "", True, id="what a trunk's name leads to"),
        pytest.param("172.18.0.5", "evil.example", "", False, id="what another name leads to"),
        pytest.param("10.2.0.7", "10.2.0.7", "", False, id="calls may come from there, not go there"),
        pytest.param("10.2.0.7", "10.2.0.7", "10.2.0.8", True, id="in a carrier's call: its own network"),
        pytest.param("10.2.0.7", "10.2.0.7", "10.3.0.9", True, id="in a carrier's call: another of its own"),
        pytest.param("10.5.5.5", "10.5.5.5", "10.2.0.8", False, id="in a carrier's call: elsewhere"),
        pytest.param("10.5.5.5", "10.5.5.5", "9.9.9.9", False, id="a trunk open to all trusts nobody"),
    ],
)
def test_what_may_be_reached(directory: Directory, address: str, name: str, peer: str, allowed: bool) -> None:
    flow = Flow("udp", address, 5060)
    assert reach(directory).allows(flow, name, peer) is allowed
    assert reach(directory, allow_private=True).allows(flow, name, peer)


def test_a_carrier_is_reached_under_its_own_name_only(directory: Directory) -> None:
    judge = reach(directory, allow_private=True)
    carrier = Flow("udp", "10.0.0.1", 5060)
    assert judge.allows(carrier, "10.0.0.1")
    assert not judge.allows(carrier, "alias.example")
    assert judge.allows(carrier, "alias.example", "9.9.9.9")  # what belongs to a call that is up


def test_a_device_at_a_carriers_address_is_reached_where_it_registered_from(directory: Directory) -> None:
    device_and_carrier = Trunk(
        id=UUID(int=9), account_id=DEMO, name="pbx", gateways=(Gateway(host="10.9.0.1:5080"),)
    )
    judge = reach(directory)
    directory.put(device_and_carrier)
    assert judge.allows(Flow("udp", "10.9.0.1", 5060), "alias.example")
    assert not judge.allows(Flow("udp", "10.9.0.1", 5070), "alias.example")


def test_why_not(directory: Directory) -> None:
    judge = reach(directory)
    assert judge.refusal("127.0.0.1") == "loopback"
    assert judge.refusal("[::1]") == "loopback"
    assert judge.refusal("10.0.0.1") is None
    assert judge.refusal("a.name.example") is None  # judged once it is an address
