"""Where a call goes: to a registered client, over a trunk to a telephone number, or to a SIP URI directly."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from ringback.routing.directory import Client, Directory, Gateway, Trunk
from ringback.routing.identity import CLIENT_PREFIXES, Caller, caller_over, plain_caller
from ringback.routing.numbers import dialled, is_telephone_number
from ringback.routing.registrar import Binding
from ringback.routing.trunk import in_order
from ringback.sip.errors import SipParseError
from ringback.sip.flow import join_host_port
from ringback.sip.grammar import NO_PARAMS
from ringback.sip.uri import NameAddr, Uri


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What is dialled, and how the application wants it dialled.

    `to` is a telephone number, `sip:…`, `tel:…`, `client:alice`, `user:alice`, or a client's bare user name.
    `credentials` (user name, password) answer a SIP URI's challenge, or that of the proxy on the way there;
    `trunk` names one to be used.
    """

    to: str
    caller_id: str = ""  # a number, a user name, or a SIP URI
    caller_name: str = ""
    trunk: str = ""
    credentials: tuple[str, str] | None = None
    forwarded_by: str = ""  # the number of ours at which the call that is passed on came in
    proxy: str = ""  # a SIP URI where the request goes first


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One INVITE to send."""

    target: Uri  # Request-URI, and where the request goes when `route` is empty
    to: NameAddr
    caller_id: str  # user part of From
    caller_name: str = ""  # display name of From
    from_domain: str = ""  # host of From; empty: the address that we advertise
    headers: tuple[tuple[str, str], ...] = ()  # who calls, in the carrier's words
    route: tuple[Uri, ...] = ()
    credentials: tuple[str, str] | None = None
    trunk: Trunk | None = None
    gateway: Gateway | None = None  # of that trunk, where the request goes there and nowhere else first
    client: Client | None = None


class Routed(msgspec.Struct, frozen=True):
    """The ways a call may go: all at once (`parallel`: one client's contacts), or the next when one fails."""

    routes: tuple[Route, ...]
    parallel: bool = False


class Unroutable(msgspec.Struct, frozen=True):
    """No way; the SIP status that says so best (404, 480, 403), and why."""

    sip_status: int
    reason: str


class Surroundings(msgspec.Struct, frozen=True):
    """What routing needs to know beside the directory.

    `registered` gives a client's live contacts; `may_reach` says why a SIP URI must not be called, or None;
    `local_hosts` are the host names and addresses under which this server is called, as `host` (at any port)
    or `host:port`; `carriers_at` gives the trunks that have a gateway where a SIP URI leads; `gateway_up`
    says what is known about a gateway; `chance` shares calls out among gateways.
    """

    registered: Callable[[str], Sequence[Binding]]
    may_reach: Callable[[Uri], str | None]
    local_hosts: frozenset[str] = frozenset()
    carriers_at: Callable[[Uri], Sequence[Trunk]] = lambda uri: ()
    gateway_up: Callable[[Trunk, Gateway], bool] = lambda trunk, gateway: True
    chance: Callable[[], float] = random.random


def route_call(
    directory: Directory, around: Surroundings, account_id: UUID, wanted: Destination
) -> Routed | Unroutable:
    """Where a call of an account goes."""
    if wanted.proxy:
        return _by_proxy(directory, around, account_id, wanted)
    to = wanted.to.strip()
    for prefix in CLIENT_PREFIXES:
        if to.lower().startswith(prefix):
            return _to_client(directory, around, account_id, to[len(prefix) :], wanted)
    if is_telephone_number(to):
        return _to_number(directory, around, account_id, to, wanted)
    client = directory.client(to)
    if client is not None and client.account_id == account_id:
        return _to_client(directory, around, account_id, to, wanted)
    return _to_uri(directory, around, account_id, to, wanted)


def _by_proxy(
    directory: Directory, around: Surroundings, account_id: UUID, wanted: Destination
) -> Routed | Unroutable:
    """The same ways, through a proxy that the application names. It is given no trunk's password, and says
    nothing about a gateway."""
    try:
        proxy = Uri.parse(wanted.proxy)
    except SipParseError as error:
        return Unroutable(404, f"the proxy {wanted.proxy!r} is no SIP URI: {error.reason}")
    if proxy.scheme not in ("sip", "sips"):
        return Unroutable(404, f"the proxy {wanted.proxy!r} is no SIP URI")
    if around.carriers_at(proxy):
        return Unroutable(403, f"{proxy.hostport} is a trunk's gateway, and no proxy")
    refusal = around.may_reach(proxy)
    if refusal is not None:
        return Unroutable(403, f"{proxy.hostport} must not be reached: {refusal}")
    routed = route_call(directory, around, account_id, msgspec.structs.replace(wanted, proxy=""))
    if isinstance(routed, Unroutable):
        return routed
    hop = proxy.with_(user=None, params=proxy.params.with_("lr"))
    routes = tuple(
        msgspec.structs.replace(
            route, route=(hop, *route.route), credentials=wanted.credentials, gateway=None
        )
        for route in routed.routes
    )
    return Routed(routes, parallel=routed.parallel)


def _to_client(
    directory: Directory, around: Surroundings, account_id: UUID, name: str, wanted: Destination
) -> Routed | Unroutable:
    username = name.strip().partition("@")[0]
    client = directory.client(username)
    if client is None or client.account_id != account_id:
        return Unroutable(404, f"the account has no client {username!r}")
    bindings = around.registered(username)
    if not bindings:
        return Unroutable(480, f"client {username} is not registered")
    caller = plain_caller(wanted.caller_id, wanted.caller_name)
    routes = tuple(
        _route(caller, binding.target, to=binding.uri, route=binding.route, client=client)
        for binding in bindings
    )
    return Routed(routes, parallel=True)


def _to_number(
    directory: Directory, around: Surroundings, account_id: UUID, number: str, wanted: Destination
) -> Routed | Unroutable:
    """Over the account's trunks in their order, over each one's gateways in theirs."""
    trunks = [trunk for trunk in directory.all(Trunk, account_id) if trunk.gateways]
    if wanted.trunk:
        trunks = [trunk for trunk in trunks if trunk.name == wanted.trunk]
    if not trunks:
        named = f"no trunk {wanted.trunk!r}" if wanted.trunk else "no trunk"
        return Unroutable(404, f"the account has {named} that takes calls to telephone numbers")
    return Routed(tuple(route for trunk in trunks for route in _over_trunk(around, trunk, number, wanted)))


def _over_trunk(around: Surroundings, trunk: Trunk, number: str, wanted: Destination) -> list[Route]:
    def up(gateway: Gateway) -> bool:
        return around.gateway_up(trunk, gateway)

    return [
        _over_gateway(trunk, gateway, number, wanted)
        for gateway in in_order(trunk.gateways, up, around.chance)
    ]


def _over_gateway(trunk: Trunk, gateway: Gateway, called: str, wanted: Destination) -> Route:
    """Over one gateway to a number, or to a name that it knows."""
    target = gateway.uri(trunk.called(dialled(called)) if is_telephone_number(called) else called or None)
    caller = caller_over(trunk, target.host, wanted.caller_id, wanted.caller_name, wanted.forwarded_by)
    return _route(
        caller,
        target,
        to=target.with_(params=NO_PARAMS),
        credentials=(trunk.username, trunk.password) if trunk.username else None,
        trunk=trunk,
        gateway=gateway,
    )


def _to_uri(
    directory: Directory, around: Surroundings, account_id: UUID, text: str, wanted: Destination
) -> Routed | Unroutable:
    try:
        uri = Uri.parse(text if ":" in text.partition("@")[0] else f"sip:{text}")
    except SipParseError as error:
        return Unroutable(404, f"{text!r} is no number, no client and no SIP URI: {error.reason}")
    if uri.scheme == "tel":
        return _to_number(directory, around, account_id, uri.number, wanted)
    if uri.scheme not in ("sip", "sips") or ("@" not in text and not text.lower().startswith("sip")):
        return Unroutable(404, f"{text!r} is no number, no client and no SIP URI")
    if uri.user and is_local(uri, around):
        local = _to_local(directory, around, account_id, uri, wanted)
        if local is not None:
            return local
    carriers = around.carriers_at(uri)
    if carriers:
        return _to_carrier(around, carriers, account_id, uri, wanted)
    refusal = around.may_reach(uri)
    if refusal is not None:
        return Unroutable(403, f"{uri.hostport} must not be called: {refusal}")
    caller = plain_caller(wanted.caller_id, wanted.caller_name)
    return Routed((_route(caller, uri, to=uri.with_(headers=""), credentials=wanted.credentials),))


def _to_carrier(
    around: Surroundings, carriers: Sequence[Trunk], account_id: UUID, uri: Uri, wanted: Destination
) -> Routed | Unroutable:
    """A URI at a gateway is no way past its trunk: past its limits, and how it wants numbers and callers."""
    trunk = next((trunk for trunk in carriers if trunk.account_id == account_id), None)
    if trunk is None:
        return Unroutable(403, f"{uri.hostport} is a gateway of another account's trunk")
    called = uri.number if is_telephone_number(uri.number) else uri.user or ""
    routes = _over_trunk(around, trunk, called, wanted)
    if wanted.credentials is not None:
        routes = [msgspec.structs.replace(route, credentials=wanted.credentials) for route in routes]
    return Routed(tuple(routes))


def is_local(uri: Uri, around: Surroundings) -> bool:
    """Whether a SIP URI is of this server's own domain."""
    host = uri.host.lower()
    return host in around.local_hosts or join_host_port(host, uri.port or 5060) in around.local_hosts


def _to_local(
    directory: Directory, around: Surroundings, account_id: UUID, uri: Uri, wanted: Destination
) -> Routed | Unroutable | None:
    """A URI of our own domain: the client or the telephone number that it names, if it names one."""
    client = directory.client(uri.user or "")
    if client is not None and client.account_id == account_id:
        return _to_client(directory, around, account_id, client.username, wanted)
    if is_telephone_number(uri.number):
        return _to_number(directory, around, account_id, uri.number, wanted)
    return None


def _route(
    caller: Caller,
    target: Uri,
    *,
    to: Uri,
    route: tuple[Uri, ...] = (),
    credentials: tuple[str, str] | None = None,
    trunk: Trunk | None = None,
    gateway: Gateway | None = None,
    client: Client | None = None,
) -> Route:
    return Route(
        target=target,
        to=NameAddr(to),
        caller_id=caller.user,
        caller_name=caller.name,
        from_domain=caller.domain,
        headers=caller.headers,
        route=route,
        credentials=credentials,
        trunk=trunk,
        gateway=gateway,
        client=client,
    )
