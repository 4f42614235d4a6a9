"""How a call is placed, for whoever wants one: where it goes, its first event, the INVITE, the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from ringback.calls.application import Application
from ringback.calls.branches import Branches, Way
from ringback.calls.control import CallerNotOwned, Overloaded, Unroutable
from ringback.calls.discretion import without_userinfo
from ringback.calls.ending import Ending
from ringback.calls.events import CallInitiated, CallRequested, CallRerouted
from ringback.calls.leg import HeaderList
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.timeline import current_call
from ringback.calls.verbs import Target
from ringback.media.model import MediaUnavailable
from ringback.net.clock import utcnow
from ringback.routing.directory import Account, Client, Directory
from ringback.routing.gateways import Gateways
from ringback.routing.identity import calling_user, is_withheld, user_of
from ringback.routing.inbound import Answering, Called, Connecting, Device, Refused, answer
from ringback.routing.limits import Limits, Over, Share
from ringback.routing.numbers import is_telephone_number
from ringback.routing.outbound import Destination, Route, Routed, Surroundings, is_local, route_call
from ringback.routing.outbound import Unroutable as NoRoute
from ringback.sip.errors import SipParseError
from ringback.sip.events import Failed, SessionEvent
from ringback.sip.header_policy import may_set
from ringback.sip.outbound import OutboundCall
from ringback.sip.uri import NameAddr, Uri
from ringback.store.errors import StoreError
from ringback.store.ids import ordered_id

if TYPE_CHECKING:
    from ringback.calls.call import Call


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A call to be placed: the ways it may go, and what every INVITE says."""

    routed: Routed
    ring_timeout: float
    headers: tuple[tuple[str, str], ...] = ()
    from_host: str | None = None
    """Host of From, where the route does not say."""
    session_expires: int | None = None
    """Seconds between two signs of life (RFC 4028), where they are not the usual ones."""
    share: Share | None = None
    """The account's and the trunk's, where it was had before."""


class Placing:
    """Finds the ways to a target, and places calls on them."""

    def __init__(
        self,
        directory: Directory,
        around: Surroundings,
        limits: Limits,
        gateways: Gateways,
        *,
        domain: str,
        verify_caller_id: bool = False,
    ) -> None:
        self._directory = directory
        self._around = around
        self._limits = limits
        self._gateways = gateways
        self._domain = domain
        self._verify_caller_id = verify_caller_id

    def account(self, account_id: UUID) -> Account | None:
        """Whose calls they are."""
        return self._directory.account(account_id)

    def verify(self, caller_id: str, account_id: UUID) -> None:
        """Raise CallerNotOwned where caller ids are checked, and this one is not the account's."""
        if self._verify_caller_id and self._directory.number(caller_id, account_id) is None:
            raise CallerNotOwned(f"{caller_id} is no number of this account")

    def caller_of_device(self, client: Client, caller: NameAddr) -> NameAddr:
        """Who a device's call is from: whom it names, if that is itself, nobody, or where caller ids are
        checked a number of its account; else itself."""
        user = calling_user(caller.uri)
        own = user == client.username or is_withheld(user)
        if not self._verify_caller_id or own or self._directory.number(user, client.account_id) is not None:
            return caller
        return NameAddr(caller.uri.with_(user=client.username))

    def routes(
        self,
        account_id: UUID,
        target: Target,
        *,
        caller_id: str,
        caller_name: str,
        forwarded_by: str = "",
        from_trunk: bool = False,
    ) -> Routed:
        """The ways to a target; `forwarded_by`: our number at which the call that is passed on came in;
        `from_trunk`: the caller id is that of a call which a carrier brought, and answers for.

        Raises:
            Unroutable
            CallerNotOwned: it would go to a carrier with a number that is not the account's.
        """
        target = _without_password(target)
        wanted = Destination(
            to=f"client:{target.address}" if target.kind == "client" else target.address,
            caller_id=caller_id,
            caller_name=caller_name,
            trunk=target.trunk or "",
            credentials=(target.username, target.password or "") if target.username else None,
            forwarded_by=forwarded_by,
            proxy=target.proxy or "",
        )
        routed = route_call(self._directory, self._around, account_id, wanted)
        if isinstance(routed, NoRoute):
            raise Unroutable(routed.reason, routed.sip_status)
        user = user_of(caller_id)
        if not from_trunk and is_telephone_number(user) and any(route.trunk for route in routed.routes):
            self.verify(user, account_id)
        return routed

    def dialled_by(self, account_id: UUID, device: str, uri: Uri) -> Answering | Connecting | Refused | None:
        """What a device of the account reaches that calls this URI; None where that is none of ours, and its
        account lets devices call outside."""
        if uri.scheme != "tel" and not is_local(uri, self._around):
            account = self.account(account_id)
            if account is not None and account.devices_dial_out:
                return None
            return Refused(403, f"{device} may not call outside: {uri.hostport} is elsewhere")
        client = self._directory.client(device) or Client.guest_of(account_id, device)
        return answer(self._directory, Device(client), Called(uri))

    def record(self, application: Application, direction: Direction, **known: Any) -> CallRecord:
        """The record of a call that is only wanted so far; `known` are further fields of it."""
        now = utcnow()
        id = ordered_id(now)
        return CallRecord(
            id=id,
            dialect=application.dialect,
            profile=application.profile,
            direction=direction,
            status=CallStatus.QUEUED,
            sip_call_id=f"{id.hex}@{self._domain}",
            created_at=now,
            updated_at=now,
            application_state=dict(application.state()),
            **{**known, "to": without_userinfo(known["to"])},
        )

    def share(self, account_id: UUID, routed: Routed) -> Share | Over:
        """The account's share of one more call, over the first trunk that takes it."""
        trunks = dict.fromkeys(route.trunk for route in routed.routes)
        return self._limits.admit(self.account(account_id), tuple(trunks))

    async def place(self, call: Call, placement: Placement) -> bool:
        """INVITE, and wait for the answer as long as it may ring; whether it was answered.

        One that was not has ended then.
        """
        current_call.set(str(call.record.id))
        if call.over or not self._invite(call, placement):
            return False
        await asyncio.wait({call.answered}, timeout=placement.ring_timeout)
        if call.answered.done():
            return call.answered.result()
        cause = f"no answer within {placement.ring_timeout:g} s"
        await call.give_up(CallStatus.NO_ANSWER, cause, EndedBy.SERVER)
        return False

    def _invite(self, call: Call, placement: Placement) -> bool:
        routed = placement.routed
        share = placement.share or self.share(call.record.account_id, routed)
        if isinstance(share, Over):
            call.end(Ending.failed(503, share.words, share.why))
            return False
        call.over_future.add_done_callback(lambda _: share.end())
        first = routed.routes[0]
        trunk = _carrier(first)
        call.append(CallInitiated(sip_call_id=call.record.sip_call_id, target=str(first.target), trunk=trunk))
        try:
            call.leg.place(
                lambda offer, on_event: self._branches(call, placement, share, offer, on_event),
                call.engine.endpoint.local_address(first.target),
            )
        except (MediaUnavailable, ValueError) as error:
            status = 503 if isinstance(error, MediaUnavailable) else 500
            call.end(Ending(status=CallStatus.FAILED, cause=str(error), by=EndedBy.SERVER, sip_status=status))
            return False
        return True

    def _branches(
        self,
        call: Call,
        placement: Placement,
        share: Share,
        offer: bytes,
        on_event: Callable[[SessionEvent], None],
    ) -> Branches:
        routed = placement.routed

        def rerouted(place: int, failed: Failed) -> None:
            if call.over:
                return
            route = routed.routes[place]
            call.append(
                CallRerouted(
                    target=str(route.target),
                    trunk=_carrier(route),
                    sip_status=failed.status,
                    sip_reason=failed.reason,
                    cause=failed.cause,
                )
            )

        permitted = self._permitted(call, placement.headers)
        own = call.application.invite_headers(call.record)
        placement = msgspec.structs.replace(placement, headers=tuple(_merged(permitted, own)))
        ways = [self._way(call, placement, share, offer, route) for route in routed.routes]
        return Branches(ways, on_event, parallel=routed.parallel, on_next=rerouted)

    def _permitted(self, call: Call, wanted: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The header fields that may be sent of those that were asked for."""
        identity = not self._verify_caller_id
        refused = [name for name, _ in wanted if not may_set(name, identity=identity)]
        if refused:
            why = f"{', '.join(refused)}: not sent, as nobody but the server may say that here"
            call.note("warning", "headers", why)
        return tuple(field for field in wanted if field[0] not in refused)

    def _way(self, call: Call, placement: Placement, share: Share, offer: bytes, route: Route) -> Way:
        host = route.from_domain or placement.from_host or self._domain
        caller = NameAddr(Uri(user=route.caller_id or None, host=host), display_name=route.caller_name)
        trunk, gateway = route.trunk, route.gateway

        def start(on_event: Callable[[SessionEvent], None]) -> OutboundCall:
            return call.engine.endpoint.invite(
                route.target,
                from_=caller,
                to=route.to,
                offer=offer,
                on_event=on_event,
                headers=_merged(route.headers, placement.headers),
                credentials=route.credentials,
                route=route.route,
                call_id=call.record.sip_call_id,
                max_forwards=call.max_forwards,
                session_expires=placement.session_expires,
            )

        def told(there: bool) -> None:
            if trunk is not None and gateway is not None:
                self._gateways.note(trunk, gateway, "" if there else "a call got no answer")

        return Way(
            start=start,
            admit=lambda: share.move(trunk),
            told=told,
            answer_seconds=trunk.answer_seconds if trunk is not None else Way.answer_seconds,
        )


def _carrier(route: Route) -> str | None:
    """The trunk that the call is seen to go over: one whose gateway is not asked itself is none."""
    return route.trunk.name if route.trunk is not None and route.gateway is not None else None


def _merged(ours: HeaderList, wanted: HeaderList) -> list[tuple[str, str]]:
    """The header fields of an INVITE; what is `wanted` wins."""
    said = {name.lower() for name, _ in wanted}
    return [*(field for field in ours if field[0].lower() not in said), *wanted]


def _without_password(target: Target) -> Target:
    """A password in a SIP URI answers a challenge; on the way there it would be read by everybody."""
    text = target.address
    if target.kind != "sip" or ":" not in text.partition("@")[0].partition(":")[2]:
        return target
    try:
        uri = Uri.parse(text)
    except SipParseError:
        return target
    if uri.password is None:
        return target
    return msgspec.structs.replace(
        target,
        address=str(uri.with_(password=None)),
        username=target.username or uri.user,
        password=target.password or uri.password,
    )


def begin(call: Call) -> None:
    """Let the call be wanted: its first event, which is durable once `call.stored` is.

    Raises:
        Overloaded: no new call can be stored.
    """
    record = call.record
    requested = CallRequested(
        direction=record.direction, from_=record.from_, to=record.to, caller_name=record.caller_name
    )
    call.engine.time_line.follow(record.sip_call_id, str(record.id))
    try:
        call.stored = call.log.commit(requested, call.application, new_call=True)
    except StoreError as error:
        raise Overloaded(f"the call cannot be stored: {error}") from error
