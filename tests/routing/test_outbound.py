"""Where calls go."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.routing.conftest import DEMO, OTHER

from ringback.routing.carrier_hosts import CarrierHosts
from ringback.routing.directory import Directory, Gateway, Trunk
from ringback.routing.outbound import Destination, Route, Routed, Surroundings, Unroutable, route_call
from ringback.routing.registrar import Registrar, Registration
from ringback.sip.flow import Flow
from ringback.sip.uri import NameAddr, Uri


def _guard(uri: Uri) -> str | None:
    return "private" if uri.host.startswith("10.") else None


def around(registrar: Registrar | None = None, carriers: CarrierHosts | None = None) -> Surroundings:
    registered = registrar or Registrar()
    return Surroundings(
        registered=lambda username: registered.lookup(username, 0.0),
        may_reach=_guard,
        local_hosts=frozenset({"ringback.example"}),
        carriers_at=(carriers or CarrierHosts(Directory())).of,
    )


def registered(*contacts: str, flow: Flow | None = None, path: tuple[str, ...] = ()) -> Registrar:
    registrar = Registrar(max_contacts=5)
    registrar.register(
        Registration(
            username="alice",
            flow=flow or Flow("udp", "203.0.113.5", 61000),
            call_id="c",
            cseq=1,
            contacts=tuple(map(NameAddr.parse, contacts)),
            path=path,
        ),
        0.0,
    )
    return registrar


def routes(
    directory: Directory, to: str, where: Surroundings | None = None, **fields: Any
) -> tuple[Route, ...]:
    found = route_call(directory, where or around(), DEMO, Destination(to=to, **fields))
    assert isinstance(found, Routed)
    return found.routes


def refused(directory: Directory, to: str, where: Surroundings | None = None, **fields: Any) -> Unroutable:
    found = route_call(directory, where or around(), DEMO, Destination(to=to, **fields))
    assert isinstance(found, Unroutable)
    return found


@pytest.mark.parametrize("to", ["+14155550100", "+1 (415) 555-0100", "tel:+1-415-555-0100"])
def test_numbers_go_over_the_trunks_in_order(directory: Directory, to: str) -> None:
    first, second = routes(directory, to, caller_id="+14155550199", caller_name="Us")
    assert str(first.target) == "sip:+14155550100@192.0.2.1:5080"
    assert first.trunk is not None
    assert (first.trunk.name, first.credentials, first.from_domain) == (
        "carrier",
        ("us", "secret"),
        "192.0.2.1",
    )
    assert (first.caller_id, first.caller_name) == ("+14155550199", "Us")
    assert str(second.target) == "sip:+14155550100@sip.example.com;transport=tcp"
    assert str(second.to) == "<sip:+14155550100@sip.example.com>"
    assert (second.credentials, second.from_domain) == (None, "")


def test_a_trunk_may_be_named(directory: Directory) -> None:
    (only,) = routes(directory, "911", trunk="backup")
    assert only.trunk is not None
    assert only.trunk.name == "backup"
    assert refused(directory, "911", trunk="nowhere").sip_status == 404


def test_an_account_without_trunks_reaches_no_number(directory: Directory) -> None:
    found = route_call(directory, around(), OTHER, Destination(to="+14155550100"))
    assert isinstance(found, Unroutable)
    assert found.sip_status == 404


@pytest.mark.parametrize(
    "to",
    ["client:alice", "user:alice", "Client:alice", "alice", "client:alice@x", "sip:alice@ringback.example"],
)
def test_clients_are_called_where_they_registered_from(directory: Directory, to: str) -> None:
    where = around(registered("<sip:alice@10.0.0.1:5062;transport=udp;ob>"))
    (route,) = routes(directory, to, where)
    assert str(route.target) == "sip:alice@203.0.113.5:61000;ob"
    assert route.client is not None
    assert route.client.username == "alice"


def test_a_client_on_tcp_is_called_over_its_connection(directory: Directory) -> None:
    where = around(registered("<sip:alice@10.0.0.1>", flow=Flow("tcp", "2001:db8::5", 61000)))
    (route,) = routes(directory, "client:alice", where)
    assert str(route.target) == "sip:alice@[2001:db8::5]:61000;transport=tcp"


def test_a_client_behind_a_proxy_is_called_through_it(directory: Directory) -> None:
    where = around(registered("<sip:alice@10.0.0.1>", path=("<sip:proxy.example;lr>",)))
    (route,) = routes(directory, "client:alice", where)
    assert str(route.target) == "sip:alice@10.0.0.1"
    assert [str(hop) for hop in route.route] == ["sip:proxy.example;lr"]


def test_all_contacts_ring_at_once(directory: Directory) -> None:
    where = around(registered("<sip:alice@h1>", "<sip:alice@h2>"))
    found = route_call(directory, where, DEMO, Destination(to="client:alice"))
    assert isinstance(found, Routed)
    assert found.parallel
    assert len(found.routes) == 2


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("client:bob", 480),
        ("client:carol", 404),  # of another account
        ("client:nobody", 404),
        ("carol", 404),
        ("", 404),
        ("mailto:a@b", 404),
        ("https://host/x", 404),
        ("sip:", 404),
        ("sip:a b@h", 404),
        ("sip:eve@10.0.0.1", 403),
        ("eve@10.0.0.1", 403),
    ],
)
def test_what_leads_nowhere(directory: Directory, to: str, status: int) -> None:
    assert refused(directory, to).sip_status == status


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("sip:eve@example.org", "sip:eve@example.org"),
        ("sip:eve@example.org:5070;transport=tcp?X-A=b", "sip:eve@example.org:5070;transport=tcp?X-A=b"),
        ("sips:example.org", "sips:example.org"),
        ("eve@example.org", "sip:eve@example.org"),
        ("sip:stranger@ringback.example", "sip:stranger@ringback.example"),
    ],
)
def test_sip_uris_are_called_directly(directory: Directory, to: str, target: str) -> None:
    (route,) = routes(directory, to, credentials=("me", "pw"))
    assert str(route.target) == target
    assert "?" not in str(route.to)
    assert route.credentials == ("me", "pw")


def test_a_number_at_our_own_domain_goes_over_a_trunk(directory: Directory) -> None:
    first, _ = routes(directory, "sip:+14155550100@ringback.example")
    assert first.trunk is not None


CARRIER_URIS = [
    "sip:+49-30-123@192.0.2.1:5080",
    "sip:+4930123@192.0.2.1",  # any port of a carrier's
    "sip:+4930123@192.0.2.1:5062;transport=tcp",
    "sip:+4930123@[::ffff:192.0.2.1]:5080",
    "sip:+4930123@harmless.example;maddr=192.0.2.1",
    "sip:+4930123@192.0.2.1;maddr=harmless.example",
    "+4930123@192.0.2.1",
]


@pytest.mark.parametrize("to", CARRIER_URIS)
def test_a_uri_at_a_gateway_goes_over_its_trunk(directory: Directory, to: str) -> None:
    (route,) = routes(directory, to, around(carriers=CarrierHosts(directory)))
    assert str(route.target) == "sip:+4930123@192.0.2.1:5080"
    assert route.trunk is not None
    assert (route.trunk.name, route.credentials) == ("carrier", ("us", "secret"))


@pytest.mark.parametrize("to", [*CARRIER_URIS, "sip:+4930123@SIP.example.com.", "sips:sip.example.com"])
def test_a_uri_at_a_gateway_of_another_account_is_refused(directory: Directory, to: str) -> None:
    where = around(carriers=CarrierHosts(directory))
    found = route_call(directory, where, OTHER, Destination(to=to))
    assert isinstance(found, Unroutable)
    assert found.sip_status == 403


def test_a_name_at_a_gateway_stays_as_it_is(directory: Directory) -> None:
    where = around(carriers=CarrierHosts(directory))
    (route,) = routes(directory, "sip:sales@sip.example.com", where, credentials=("me", "pw"))
    assert str(route.target) == "sip:sales@sip.example.com;transport=tcp"
    assert route.trunk is not None
    assert (route.trunk.name, route.credentials) == ("backup", ("me", "pw"))


async def test_the_address_that_a_gateways_name_leads_to_is_the_carriers(directory: Directory) -> None:
    carriers = CarrierHosts(directory)

    async def locate(uri: Uri) -> list[Flow]:
        return [Flow("tcp", "198.51.100.7", 5060)] if uri.host == "sip.example.com" else []

    async def lost(uri: Uri) -> list[Flow]:
        return []

    for look_up in (locate, lost):  # what cannot be found for once is where it was
        await carriers.refresh(look_up)
        (route,) = routes(directory, "sip:+4930123@198.51.100.7", around(carriers=carriers))
        assert str(route.target) == "sip:+4930123@sip.example.com;transport=tcp"


def test_on_loopback_each_port_is_somebody_else(directory: Directory) -> None:
    directory.put(
        Trunk(id=UUID(int=309), account_id=OTHER, name="l", gateways=(Gateway(host="127.0.0.1:5070"),))
    )
    where = around(carriers=CarrierHosts(directory))
    assert refused(directory, "sip:1@127.0.0.1:5070", where).sip_status == 403
    assert routes(directory, "sip:1@127.0.0.1:5071", where)[0].trunk is None


def test_a_proxy_gets_no_password_of_a_trunk(directory: Directory) -> None:
    where = around(carriers=CarrierHosts(directory))
    first, _ = routes(directory, "+4930123", where, proxy="sip:proxy.example")
    assert first.trunk is not None  # whose limits count, and whose form numbers have
    assert (first.credentials, first.gateway) == (None, None)
    own, _ = routes(directory, "+4930123", where, proxy="sip:proxy.example", credentials=("me", "pw"))
    assert own.credentials == ("me", "pw")


@pytest.mark.parametrize("proxy", ["sip:192.0.2.1", "sip:sip.example.com:5090", "sip:x;maddr=192.0.2.1"])
def test_a_gateway_is_no_proxy(directory: Directory, proxy: str) -> None:
    where = around(carriers=CarrierHosts(directory))
    assert refused(directory, "sip:eve@example.org", where, proxy=proxy).sip_status == 403


@pytest.mark.parametrize(
    ("caller_id", "user", "domain"),
    [
        ("+14155550199", "+14155550199", ""),
        ("+1 (415) 555-0199", "+14155550199", ""),
        ("tel:+1-415-555.0199", "+14155550199", ""),
        ("Front desk (2)", "Front desk (2)", ""),
        ("client:alice", "alice", ""),
        ("sip:alice@example.org", "alice", "example.org"),
        ("alice@example.org", "alice", "example.org"),
        ("alice@bad host\r\nX: y", "alice", ""),
        ("", "", ""),
    ],
)
def test_who_is_shown_as_caller(directory: Directory, caller_id: str, user: str, domain: str) -> None:
    (route,) = routes(directory, "sip:eve@example.org", caller_id=caller_id)
    assert (route.caller_id, route.from_domain) == (user, domain)
