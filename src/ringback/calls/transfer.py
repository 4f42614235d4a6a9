"""Transfer: a party asks that the one it is connected with be connected with somebody else (REFER, RFC 3515,
RFC 5589).

Where the application wants to decide (`Dial.refer_hook`, `Configure.refer_hook`) it does. Else a device of
the account gets what it asks for, as at any private exchange: blind, or attended (Replaces, RFC 3891).
Nobody else does, since whoever is called at a stranger's wish is called at our cost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ringback.calls.application import Application, NewCall, Referred
from ringback.calls.bridge import Bridge
from ringback.calls.dial import dial
from ringback.calls.discretion import without_credentials, without_userinfo
from ringback.calls.events import Bridged, CallEvent, ReferReceived, VerbEnded, VerbStarted
from ringback.calls.lease import Lease
from ringback.calls.outcome import Outcome
from ringback.calls.status import EndedBy
from ringback.calls.verbs import Callee, Dial, HangUp, Hook, Target
from ringback.calls.waiting import first_of
from ringback.routing.inbound import Answering, Connecting, Refused
from ringback.sip.errors import SipParseError
from ringback.sip.referral import SIPFRAG, Referral, Replaces, sipfrag

if TYPE_CHECKING:
    from uuid import UUID

    from ringback.calls.call import Call
    from ringback.calls.engine import Engine
    from ringback.sip.incoming import IncomingRequest

RING_SECONDS = 60.0
_GRACE = 5.0
"""Seconds that a leg which has just answered gets to be connected."""
_TRANSFERRED = HangUp(cause="it transferred the other party")


def transfer(call: Call, incoming: IncomingRequest) -> None:
    """A REFER came on this call. It is answered at once where nothing is to be waited for."""
    try:
        referral = Referral.of(incoming.request)
    except SipParseError as error:
        incoming.reply(error.status, error.reason)
        return
    asked = _Asked(call, incoming, referral)
    if call.bridge is None and call.lease is not None:
        call.beside(_once_connected(asked))
    else:
        _decide(asked)


async def _once_connected(asked: _Asked) -> None:
    """A leg that has just answered is about to be connected: a telephone may be quicker than that."""
    connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def happened(event: CallEvent) -> None:
        if isinstance(event, Bridged) and not connected.done():
            connected.set_result(None)

    with asked.referrer.watching(happened):
        await first_of(connected, timeout=_GRACE)
    _decide(asked)


def _decide(asked: _Asked) -> None:
    """Who decides, and what is to be done."""
    call, referral = asked.referrer, asked.referral
    bridge = call.bridge
    remains = call if bridge is None else bridge.other(call)
    hook = call.settings.refer_hook
    if bridge is not None:
        hook = bridge.refer_hook or bridge.caller.settings.refer_hook
    # What is done is the concern of the party that remains: whoever asked may hang up at once.
    if hook is not None:
        remains.beside(_decided_by_application(asked, bridge, remains, hook))
    elif bridge is None or call.record.client is None:
        asked.refuse(403, "no application decides on it, and it is not a connected device that asks")
    else:
        other = None
        if referral.replaces is not None:
            other = replaced_call(call.engine, call.record.account_id, referral.replaces)
        _connect_with(asked, bridge, remains, other)


def _connect_with(asked: _Asked, bridge: Bridge, remains: Call, other: Call | None) -> None:
    """`other` is the second call of the one who asks, in an attended transfer."""
    if other is None:
        way = _way(asked, remains)
        if isinstance(way, Refused):
            asked.refuse(way.status, way.reason)
        else:
            remains.beside(_blind(asked, bridge, remains, way))
    elif other.bridge is None or other.bridge is bridge:
        asked.refuse(488, "the call to be replaced is connected with nobody else")
    else:
        remains.beside(_attended(asked, bridge, other, other.bridge))


class _Asked:
    """One REFER: how it is answered, and what its sender is told of what comes of it."""

    def __init__(self, referrer: Call, incoming: IncomingRequest, referral: Referral) -> None:
        self.referrer = referrer
        self.referral = referral
        self.headers = without_credentials(incoming.request.headers.items())
        self._incoming = incoming
        self._told = False
        """Whether a final status was."""

    def accept(self) -> None:
        """202, and the first NOTIFY."""
        self._answer(202)
        self.report(100)

    def refuse(self, status: int, why: str) -> None:
        """A final response that says no."""
        self._answer(status)
        self.referrer.note("warning", "refer", f"the transfer to {self.referral.target} is refused: {why}")

    def _answer(self, status: int) -> None:
        self._incoming.reply(status)
        target = without_userinfo(str(self.referral.target))
        self.referrer.append(ReferReceived(refer_to=target, sip_status=status))

    def report(self, status: int, reason: str = "") -> None:
        """Tell how the call that it asked for stands; a final status is the last that is told."""
        session = self.referrer.leg.session
        if session is None or not self.referral.reports or self._told:
            return
        self._told = status >= 200
        state = "terminated;reason=noresource" if status >= 200 else "active;expires=120"
        headers = [("Event", "refer"), ("Subscription-State", state)]
        session.send_request("NOTIFY", headers, sipfrag(status, reason), SIPFRAG)

    def done(self, status: int, reason: str = "") -> None:
        """The last report; the referrer's part in the call ends."""
        self.report(status, reason)
        self.referrer.drop(_TRANSFERRED, EndedBy.SERVER)


def replaced_call(engine: Engine, account_id: UUID, replaces: Replaces) -> Call | None:
    """The call of the account whose dialog Replaces names, if there is one."""
    session = engine.endpoint.find_call(replaces.call_id, replaces.to_tag, replaces.from_tag)
    if session is None:
        return None
    for other in engine.roster.with_call_id(replaces.call_id):
        if other.leg.session is session and other.record.account_id == account_id:
            return other
    return None


# -- by the application's will


async def _decided_by_application(asked: _Asked, bridge: Bridge | None, remains: Call, hook: Hook) -> None:
    """Ask; what is answered runs on the party that remains, and whoever asked is released."""
    referrer, referral = asked.referrer, asked.referral
    target = referral.target
    document = await remains.ask(
        Referred(
            hook=hook,
            refer_to=str(target),
            refer_to_user=target.user or "",
            referred_by=str(referral.referred_by) if referral.referred_by else None,
            headers=asked.headers,
            referring_call=referrer.record.id,
            referred_call=remains.record.id,
        )
    )
    if document is None or document.declined is not None or remains.over:
        status = document.declined if document is not None else None
        asked.refuse(status or 603, "the application declines")
        return
    asked.accept()
    if bridge is None:
        asked.report(200)
    else:
        await _set_apart(bridge)
        asked.done(200)
    async with remains.control_lock:
        if not remains.over:
            await remains.runner.replace(document)


# -- as a device wants it


def _way(asked: _Asked, remains: Call) -> Dial | Application | Refused:
    """What a device asks for is what it would get by calling the target itself: an application, another
    device, a number or a SIP URI elsewhere if it may call outside."""
    engine, target = remains.engine, asked.referral.target
    record = asked.referrer.record
    reached = engine.placing.dialled_by(record.account_id, record.client or "", target)
    match reached:
        case Refused():
            return reached
        case Answering(application=configured):
            account = engine.placing.account(configured.account_id)
            assert account is not None  # an application goes with its account
            return engine.dialects[configured.dialect].application(account, configured)
        case Connecting(called=called, is_number=is_number):
            return _call_to(asked, Target(kind="number" if is_number else "client", address=called))
        case None:
            return _call_to(asked, Target(kind="sip", address=str(target)))


async def _blind(asked: _Asked, bridge: Bridge, remains: Call, way: Dial | Application) -> None:
    """The party that remains gets what was asked for."""
    asked.accept()
    try:
        await _set_apart(bridge)
        async with remains.control_lock:
            if remains.over:
                return
            if isinstance(way, Dial):
                await remains.runner.occupy(_dial_instead(asked, remains, way))
                return
            remains.set_application(way)
            await remains.runner.replace(NewCall())
            asked.done(200, "OK")  # an application is there already
    finally:
        if remains.over:
            asked.done(487)


async def _dial_instead(asked: _Asked, remains: Call, verb: Dial) -> None:
    """Call the target. Who asked waits until it is there and is released then; should it not come, the two
    are connected again, or, where who asked is gone, the party that remains is hung up."""
    referrer, outcome = asked.referrer, None

    def happened(event: CallEvent) -> None:
        if isinstance(event, Bridged):
            asked.done(200, "OK")

    remains.append(VerbStarted(verb=verb))
    try:
        with remains.watching(happened):
            outcome = await dial(remains, verb, on_ringing=asked.report)
        remains.append(VerbEnded(verb=type(verb).__name__, outcome=outcome))
    finally:
        if outcome is None or remains.over:  # somebody has another use for it, or nobody has any more
            asked.done(487)
    if outcome.bridged:
        remains.drop(HangUp(cause="the other party hung up"), EndedBy.SERVER)
        return
    asked.report(*_failure(outcome))
    if referrer.over:
        remains.drop(HangUp(cause="the target of its transfer cannot be had"), EndedBy.SERVER)
    elif not remains.over:
        await _stay_connected(remains, referrer)


def _failure(outcome: Outcome) -> tuple[int, str]:
    """What to tell of a target that was not connected; one that answered went away before that."""
    status = outcome.sip_status or 480
    return (status, outcome.sip_reason or "") if status >= 300 else (480, "")


async def _set_apart(bridge: Bridge) -> None:
    """Neither ends with the other any more, and both have nothing to do: not what follows a Dial either."""
    caller, callee = bridge.caller, bridge.callee
    caller.go_alone()
    callee.go_alone()
    await caller.runner.leave()
    await callee.runner.leave()


def _call_to(asked: _Asked, target: Target) -> Dial:
    referral, headers = asked.referral, asked.referral.headers
    if referral.replaces is not None:  # a dialog that is not ours: whoever is there knows it
        headers = (*headers, ("Replaces", str(referral.replaces)))
    if referral.referred_by is not None:
        headers = (*headers, ("Referred-By", str(referral.referred_by)))
    callee = Callee(
        target=msgspec.structs.replace(target, headers=headers),
        shown=referral.target.user or target.address,
    )
    return Dial(callees=(callee,), ring_timeout=RING_SECONDS)


async def _attended(asked: _Asked, bridge: Bridge, other: Call, others: Bridge) -> None:
    """The two that remain are connected; both calls of the one who asked are over.

    The Dial of a caller goes on with the new party in its callee's place; where neither of the two has such
    a Dial, they stay connected until one hangs up.
    """
    one, two = bridge.other(asked.referrer), others.other(other)
    asked.accept()
    try:
        if bridge.caller is one:
            await _take_over(bridge, two)
        elif others.caller is two:
            await _take_over(others, one)
        else:
            await one.runner.occupy(_stay_connected(one, two))
    finally:
        asked.done(200)
        other.drop(_TRANSFERRED, EndedBy.SERVER)


async def take_place(call: Call, replaced: Call) -> None:
    """An incoming call takes the place of one that is connected, which ends (RFC 3891)."""
    await call.answer()
    bridge = replaced.bridge
    if call.over or not call.is_answered:
        return
    if bridge is None or replaced.over:
        call.drop(HangUp(cause="the call that it was to replace is gone"), EndedBy.SERVER)
    elif bridge.callee is replaced:
        await _take_over(bridge, call)
    else:
        remains = bridge.callee
        await _set_apart(bridge)
        await call.runner.occupy(_stay_connected(call, remains))
    replaced.drop(HangUp(cause="another call took its place"), EndedBy.SERVER)


async def _take_over(bridge: Bridge, guest: Call) -> None:
    """Put the guest in the place of the callee, in the bridge and with the Dial that holds it."""
    leaves = bridge.callee
    lease = leaves.lease
    guest.go_alone()
    await guest.runner.leave()
    if bridge.over.done() or lease is None:
        guest.drop(HangUp(cause="the other party hung up while it was being transferred"), EndedBy.SERVER)
        return
    lease.let_go(leaves)
    lease.take(guest)
    bridge.exchange(guest)


async def _stay_connected(one: Call, two: Call) -> None:
    """Until one of the two hangs up: then the other is, too."""
    two.go_alone()
    await two.runner.leave()
    with Lease() as lease:
        lease.take(two)
        with Bridge(one, two) as bridge:
            await bridge.over
    one.drop(HangUp(cause="the other party hung up"), EndedBy.SERVER)
