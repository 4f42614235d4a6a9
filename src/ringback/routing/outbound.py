"""Where a call goes: to a registered client, over a trunk to a telephone number, or to a SIP URI directly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from ringback.routing.directory import Client, Directory, Trunk
from ringback.routing.numbers import dialled, is_telephone_number
from ringback.routing.registrar import Binding
from ringback.sip.errors import SipParseError
from ringback.sip.flow import join_host_port
from ringback.sip.grammar import NO_PARAMS
from ringback.sip.uri import NameAddr, Uri

_CLIENT_PREFIXES = ("client:", "user:")


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What is dialled, and how the application wants it dialled.

    `to` is a telephone number, `sip:…`, `tel:…`, `client:alice`, `user:alice`, or a client's bare user name.
    `credentials` (user name, password) answer a SIP URI's challenge; `trunk` names one to be used.
    """

    to: str
    caller_id: str = ""  # a number, a user name, or a SIP URI
    caller_name: str = ""
    trunk: str = ""
    credentials: tuple[str, str] | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One INVITE to send."""

    target: Uri  # Request-URI, and where the request goes when `route` is empty
    to: NameAddr
    caller_id: str  # user part of From
    caller_name: str = ""  # display name of From
    from_domain: str = ""  # host of From; empty: the address that we advertise
    route: tuple[Uri, ...] = ()
    credentials: tuple[str, str] | None = None
    trunk: Trunk | None = None
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
    or `host:port`.
    """

    registered: Callable[[str], Sequence[Binding]]
    may_reach: Callable[[Uri], str | None]
    local_hosts: frozenset[str] = frozenset()


def route_call(
    directory: Directory, around: Surroundings, account_id: UUID, wanted: Destination
) -> Routed | Unroutable:
    """Where a call of an account goes."""
    to = wanted.to.strip()
    for prefix in _CLIENT_PREFIXES:
        if to.lower().startswith(prefix):
            return _to_client(directory, around, account_id, to[len(prefix) :], wanted)
    if is_telephone_number(to):
        return _to_number(directory, account_id, to, wanted)
    client = directory.client(to)
    if client is not None and client.account_id == account_id:
        return _to_client(directory, around, account_id, to, wanted)
    return _to_uri(directory, around, account_id, to, wanted)


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
    routes = tuple(
        _route(wanted, _observed(binding), to=binding.uri, route=_paths(binding), client=client)
        for binding in bindings
    )
    return Routed(routes, parallel=True)


def _to_number(
    directory: Directory, account_id: UUID, number: str, wanted: Destination
) -> Routed | Unroutable:
    trunks = [trunk for trunk in directory.all(Trunk, account_id) if trunk.host]
    if wanted.trunk:
        trunks = [trunk for trunk in trunks if trunk.name == wanted.trunk]
    if not trunks:
        named = f"no trunk {wanted.trunk!r}" if wanted.trunk else "no trunk"
        return Unroutable(404, f"the account has {named} that takes calls to telephone numbers")
    return Routed(tuple(_over_trunk(trunk, number, wanted) for trunk in trunks))


def _over_trunk(trunk: Trunk, number: str, wanted: Destination) -> Route:
    target = trunk.uri(dialled(number))
    return _route(
        wanted,
        target,
        to=target.with_(params=NO_PARAMS),
        # A carrier that authenticates us knows us under its own domain.
        from_domain=target.host if trunk.username else "",
        credentials=(trunk.username, trunk.password) if trunk.username else None,
        trunk=trunk,
    )


def _to_uri(
    directory: Directory, around: Surroundings, account_id: UUID, text: str, wanted: Destination
) -> Routed | Unroutable:
    try:
        uri = Uri.parse(text if ":" in text.partition("@")[0] else f"sip:{text}")
    except SipParseError as error:
        return Unroutable(404, f"{text!r} is no number, no client and no SIP URI: {error.reason}")
    if uri.scheme == "tel":
        return _to_number(directory, account_id, uri.number, wanted)
    if uri.scheme not in ("sip", "sips") or ("@" not in text and not text.lower().startswith("sip")):
        return Unroutable(404, f"{text!r} is no number, no client and no SIP URI")
    if uri.user and _is_local(uri, around):
        local = _to_local(directory, around, account_id, uri, wanted)
        if local is not None:
            return local
    refusal = around.may_reach(uri)
    if refusal is not None:
        return Unroutable(403, f"{uri.hostport} must not be called: {refusal}")
    return Routed((_route(wanted, uri, to=uri.with_(headers=""), credentials=wanted.credentials),))


def _is_local(uri: Uri, around: Surroundings) -> bool:
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
        return _to_number(directory, account_id, uri.number, wanted)
    return None


def _route(
    wanted: Destination,
    target: Uri,
    *,
    to: Uri,
    from_domain: str = "",
    route: tuple[Uri, ...] = (),
    credentials: tuple[str, str] | None = None,
    trunk: Trunk | None = None,
    client: Client | None = None,
) -> Route:
    user, domain = _caller(wanted.caller_id)
    return Route(
        target=target,
        to=NameAddr(to),
        caller_id=user,
        caller_name=wanted.caller_name,
        from_domain=from_domain or domain,
        route=route,
        credentials=credentials,
        trunk=trunk,
        client=client,
    )


def _caller(caller_id: str) -> tuple[str, str]:
    """User and host of From: a SIP URI keeps its host, a number or a client is at our own address."""
    text = caller_id.strip()
    for prefix in _CLIENT_PREFIXES:
        if text.lower().startswith(prefix):
            return text[len(prefix) :].partition("@")[0], ""
    if "@" not in text:
        return dialled(text.removeprefix("tel:")), ""
    try:
        uri = Uri.parse(text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")
    except SipParseError:
        return text.partition("@")[0], ""
    return uri.user or "", uri.host


def _observed(binding: Binding) -> Uri:
    """The contact at the address its REGISTER came from: behind a NAT the one it names leads nowhere."""
    contact, flow = binding.uri, binding.flow
    if binding.path:
        return contact
    params = contact.params
    if flow.transport != "udp":
        params = params.with_("transport", flow.transport)
    elif "transport" in params:
        params = params.without("transport")
    return contact.with_(host=flow.host, port=flow.port, params=params, headers="")


def _paths(binding: Binding) -> tuple[Uri, ...]:
    """The proxies the REGISTER came through (:rfc:`3327`), which lead back to the client."""
    return tuple(NameAddr.parse(path).uri for path in binding.path)
