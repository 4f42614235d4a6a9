"""Placing a call: from the request to the INVITE, the answer, and the application's first document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

from ringback.calls.application import NewCall
from ringback.calls.call import Call
from ringback.calls.control import CallerNotOwned, CallRequest, Overloaded, Unroutable
from ringback.calls.ending import Ending
from ringback.calls.engine import Engine
from ringback.calls.events import CallInitiated, CallRequested
from ringback.calls.pressing import send_digits
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction, EndedBy
from ringback.calls.timeline import current_call
from ringback.calls.verbs import SendDigits, Target
from ringback.media.model import MediaUnavailable
from ringback.net.clock import utcnow
from ringback.routing.directory import Directory
from ringback.routing.outbound import Destination, Route, Surroundings, route_call
from ringback.routing.outbound import Unroutable as NoRoute
from ringback.sip.events import SessionEvent
from ringback.sip.outbound import OutboundCall
from ringback.sip.uri import NameAddr, Uri
from ringback.store.errors import StoreError


class Outgoing:
    """Prepares calls and places them."""

    def __init__(
        self, directory: Directory, around: Surroundings, *, domain: str, verify_caller_id: bool = False
    ) -> None:
        self._directory = directory
        self._around = around
        self._domain = domain
        self._verify_caller_id = verify_caller_id
        self._placing: set[asyncio.Task[None]] = set()

    def prepare(self, request: CallRequest, engine: Engine) -> tuple[Call, Callable[[], None]]:
        """The call, being stored as queued (`call.stored`), and what starts placing it.

        Raises:
            Unroutable, CallerNotOwned, Overloaded
        """
        route = self._route(request)
        record = self._record(request)
        call = Call(record, request.application, engine)
        requested = CallRequested(
            direction=Direction.OUTBOUND_API,
            from_=record.from_,
            to=record.to,
            caller_name=record.caller_name,
        )
        engine.time_line.follow(record.sip_call_id, str(record.id))
        try:
            call.stored = call.log.append(requested, request.application, new_call=True)
        except StoreError as error:
            raise Overloaded(f"the call cannot be stored: {error}") from error
        return call, lambda: self._start(call, request, route)

    def _route(self, request: CallRequest) -> Route:
        target = request.to
        caller = request.caller_id or request.from_
        if self._verify_caller_id and self._directory.number(caller, request.account.id) is None:
            raise CallerNotOwned(f"{caller} is no number of this account")
        wanted = Destination(
            to=_spelled(target),
            caller_id=caller,
            caller_name=request.caller_name or "",
            trunk=target.trunk or "",
            credentials=(target.username, target.password or "") if target.username else None,
        )
        routed = route_call(self._directory, self._around, request.account.id, wanted)
        if isinstance(routed, NoRoute):
            raise Unroutable(routed.reason)
        return routed.routes[0]

    def _record(self, request: CallRequest) -> CallRecord:
        id, now = uuid4(), utcnow()
        application = request.application
        return CallRecord(
            id=id,
            account_id=request.account.id,
            application_id=request.application_id,
            dialect=application.dialect,
            profile=application.profile,
            direction=Direction.OUTBOUND_API,
            status=CallStatus.QUEUED,
            from_=request.from_,
            to=request.to_shown,
            caller_name=request.caller_name,
            sip_call_id=f"{id.hex}@{self._domain}",
            custom=request.custom,
            created_at=now,
            updated_at=now,
            application_state=dict(application.state()),
        )

    def _start(self, call: Call, request: CallRequest, route: Route) -> None:
        task = asyncio.get_running_loop().create_task(_place(call, request, route, self._domain))
        self._placing.add(task)
        task.add_done_callback(self._placing.discard)


async def _place(call: Call, request: CallRequest, route: Route, domain: str) -> None:
    """INVITE, wait for the answer, then let the application say what to do."""
    current_call.set(str(call.record.id))
    if call.over or not _invite(call, request, route, domain):
        return
    if not await _answered(call, request.ring_timeout):
        return
    if request.time_limit is not None:
        call.limit_time(request.time_limit)
    if request.send_digits:
        await send_digits(call, SendDigits(digits=request.send_digits))
    if not call.over:
        call.run(request.document or NewCall())


def _invite(call: Call, request: CallRequest, route: Route, domain: str) -> bool:
    engine = call.engine
    caller = NameAddr(
        Uri(user=route.caller_id or None, host=route.from_domain or request.from_host or domain),
        display_name=route.caller_name,
    )

    def invite(offer: bytes, on_event: Callable[[SessionEvent], None]) -> OutboundCall:
        return engine.endpoint.invite(
            route.target,
            from_=caller,
            to=route.to,
            offer=offer,
            on_event=on_event,
            headers=request.to.headers,
            credentials=route.credentials,
            route=route.route,
            call_id=call.record.sip_call_id,
        )

    trunk = route.trunk.name if route.trunk is not None else None
    call.append(CallInitiated(sip_call_id=call.record.sip_call_id, target=str(route.target), trunk=trunk))
    try:
        call.leg.place(invite, engine.endpoint.local_address(route.target))
    except (MediaUnavailable, ValueError) as error:
        status = 503 if isinstance(error, MediaUnavailable) else 500
        call.end(Ending(status=CallStatus.FAILED, cause=str(error), by=EndedBy.SERVER, sip_status=status))
        return False
    return True


async def _answered(call: Call, ring_timeout: float) -> bool:
    """Wait for the answer as long as it may ring."""
    await asyncio.wait({call.answered}, timeout=ring_timeout)
    if call.answered.done():
        return call.answered.result()
    cause = f"no answer within {ring_timeout:g} s"
    await call.give_up(CallStatus.NO_ANSWER, cause, EndedBy.SERVER)
    return False


def _spelled(target: Target) -> str:
    return f"client:{target.address}" if target.kind == "client" else target.address
