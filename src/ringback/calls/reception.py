"""Inbound calls: who is calling, who answers, and the call that comes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ringback.calls.application import Application, Dialect, NewCall, SipMessageFacts
from ringback.calls.call import Call
from ringback.calls.direct import DirectCall
from ringback.calls.discretion import redacted, without_credentials
from ringback.calls.doorkeeper import Admitted, Challenged, Denied, Doorkeeper, Verdict
from ringback.calls.events import CallReceived
from ringback.calls.negotiation import NotAcceptable
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.calls.transfer import replaced_call, take_place
from ringback.calls.verbs import Target
from ringback.net.clock import utcnow
from ringback.routing.directory import Account, Directory
from ringback.routing.identity import calling_user, shown_caller
from ringback.routing.inbound import (
    Answering,
    Called,
    Connecting,
    Device,
    FromTrunk,
    InviteFacts,
    Refused,
    answer,
    dialled_user,
    identify,
)
from ringback.routing.limits import Over
from ringback.sip.auth import Credentials
from ringback.sip.errors import SipParseError
from ringback.sip.flow import join_host_port
from ringback.sip.inbound import InboundCall
from ringback.sip.message import Request
from ringback.sip.referral import Replaces
from ringback.sip.uri import NameAddr
from ringback.store.errors import StoreError
from ringback.store.ids import ordered_id

if TYPE_CHECKING:
    from ringback.calls.engine import Engine

logger = logging.getLogger(__name__)


class Reception:
    """Takes the INVITEs of new calls that the SIP endpoint hands up."""

    def __init__(
        self,
        engine: Engine,
        directory: Directory,
        dialects: Mapping[str, Dialect],
        doorkeeper: Doorkeeper,
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._dialects = dialects
        self._doorkeeper = doorkeeper

    def invitation(self, session: InboundCall) -> None:
        """An INVITE of a new call; 100 has gone out."""
        self._guarded(session, lambda: self._admit(session))

    def _guarded(self, session: InboundCall, work: Callable[[], None]) -> None:
        try:
            work()
        except SipParseError as error:
            self._reject(session, 400, error.reason)
        except NotAcceptable as error:
            self._refuse(session, Refused(488, str(error)))
        except StoreError as error:
            logger.error("call %s is refused: %s", session.call_id, error)
            self._reject(session, 503, headers=(("Retry-After", "5"),))
        except Exception:
            # A fault of ours costs this caller the call, and nobody else anything.
            logger.exception("call %s from %s could not be taken", session.call_id, session.source)
            self._reject(session, 500)

    def _admit(self, session: InboundCall) -> None:
        request = session.request
        claimed = _claimed(request)
        facts = InviteFacts(
            from_uri=request.from_.uri,
            source_ip=session.source.host,
            authorization_user=claimed.username if claimed else None,
            authorization_realm=claimed.realm if claimed else "",
        )
        caller = identify(self._directory, facts)
        if isinstance(caller, Refused):
            self._refuse(session, caller)
        elif isinstance(caller, Device):
            self._doorkeeper.prove(
                request,
                session.source,
                caller.client,
                lambda verdict: self._judged(session, caller, verdict),
            )
        else:
            self._answer(session, caller, Admitted())

    def _judged(self, session: InboundCall, caller: Device, verdict: Verdict) -> None:
        if session.state == "ended":
            return  # the caller gave up while the web application was asked
        if isinstance(verdict, Challenged):
            self._reject(session, verdict.status, headers=verdict.headers)
        elif isinstance(verdict, Denied):
            name = caller.client.username
            refused = Refused(verdict.status, f"device {name} is not admitted", verdict.reason)
            self._refuse(session, refused, verdict.headers)
        else:
            self._guarded(session, lambda: self._answer(session, caller, verdict))

    def _answer(self, session: InboundCall, caller: Device | FromTrunk, admitted: Admitted) -> None:
        request = session.request
        replaced = self._replaced(session, caller)
        if isinstance(replaced, Refused):
            self._refuse(session, replaced)
            return
        if replaced is not None:
            answering: Answering | Connecting | Refused = _in_place_of(caller, request)
        else:
            answering = answer(self._directory, caller, _called(request))
        if isinstance(answering, Refused):
            self._refuse(session, answering)
            return
        owner = answering.client if isinstance(answering, Connecting) else answering.application
        account = self._directory.account(owner.account_id)
        if account is None:
            return
        trunk = None if isinstance(answering, Connecting) else answering.trunk
        share = self._engine.limits.admit(account, (trunk,))
        if isinstance(share, Over):
            self._refuse(session, Refused(503, share.why, share.words), (("Retry-After", "5"),))
            return
        try:
            call = self._begin(session, account, answering, admitted)
        except BaseException:
            share.end()
            raise
        call.over_future.add_done_callback(lambda _: share.end())
        if replaced is not None:
            call.beside(take_place(call, replaced))
        else:
            call.runner.run(NewCall(invite=partial(_facts_of, session)))

    def _replaced(self, session: InboundCall, caller: Device | FromTrunk) -> Call | Refused | None:
        """The connected call in whose place this one comes, where it says so (RFC 3891)."""
        rows = session.request.headers.get_all("Replaces")
        if not rows:
            return None
        if len(rows) > 1:
            return Refused(400, "more than one Replaces")
        if not isinstance(caller, Device):
            return Refused(403, "a trunk may not take the place of a call")
        replaces = Replaces.parse(rows[0])
        found = replaced_call(self._engine, caller.account_id, replaces)
        if found is None:
            return Refused(481, "the call to be replaced is not there")
        if replaces.early_only:
            return Refused(486, "the call to be replaced is answered")
        if found.bridge is None:
            return Refused(488, "the call to be replaced is connected with nobody")
        return found

    def _begin(
        self, session: InboundCall, account: Account, answering: Answering | Connecting, admitted: Admitted
    ) -> Call:
        application = self._application(account, answering, admitted)
        request = session.request
        received = self._received(session, answering)
        now = utcnow()
        configured = answering if isinstance(answering, Answering) else None
        record = CallRecord(
            id=ordered_id(now),
            account_id=account.id,
            application_id=configured.application.id if configured else None,
            number_id=configured.number.id if configured and configured.number else None,
            dialect=application.dialect,
            profile=application.profile,
            direction=Direction.INBOUND,
            status=CallStatus.INITIATED,
            from_=received.from_,
            to=received.to,
            from_uri=received.from_uri,
            to_uri=received.to_uri,
            caller_name=received.caller_name,
            forwarded_from=received.forwarded_from,
            sip_call_id=session.call_id,
            trunk=received.trunk,
            client=received.client,
            source=received.source,
            local_address=join_host_port(session.local_address, session.source.local_port or None),
            created_at=now,
            updated_at=now,
            invite_headers=without_credentials(request.headers.items()),
            application_state=dict(application.state()),
        )
        call = Call(record, application, self._engine)
        call.leg.receive(session)
        if request.max_forwards is not None:
            call.max_forwards = request.max_forwards
        self._engine.time_line.follow(session.call_id, str(record.id))
        call.stored = call.log.commit(received, application, new_call=True)
        self._engine.roster.take(call)
        if application.rings_at_once:
            call.ring()
        return call

    def _received(self, session: InboundCall, answering: Answering | Connecting) -> CallReceived:
        request, client = session.request, answering.client
        trunk = None if isinstance(answering, Connecting) else answering.trunk
        caller = shown_caller(request, trunk)
        if client is not None:
            caller = self._engine.placing.caller_of_device(client, caller)
        return CallReceived(
            from_=calling_user(caller.uri) or caller.uri.host,
            to=answering.called,
            caller_name=caller.display_name or None,
            forwarded_from=_diverted_from(request),
            sip_call_id=session.call_id,
            source=str(session.source),
            trunk=trunk.name if trunk else None,
            client=client.username if client else None,
            from_uri=str(caller.uri),
            to_uri=str(request.uri),
        )

    def _application(
        self, account: Account, answering: Answering | Connecting, admitted: Admitted
    ) -> Application:
        if isinstance(answering, Connecting):
            kind = "number" if answering.is_number else "client"
            return DirectCall(Target(kind=kind, address=answering.called))
        configured = answering.application
        if admitted.voice_url:
            configured = msgspec.structs.replace(configured, voice_url=admitted.voice_url, app_json="")
        if admitted.status_callback:
            configured = msgspec.structs.replace(configured, status_callback=admitted.status_callback)
        return self._dialects[configured.dialect].application(account, configured)

    def _refuse(
        self, session: InboundCall, refused: Refused, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Say why, where people look; the caller learns the code only."""
        logger.warning("call %s from %s is refused: %s", session.call_id, session.source, refused.reason)
        self._engine.time_line.refused(str(session.source), refused.status, refused.reason)
        self._engine.meter.refused(refused.status)
        self._reject(session, refused.status, refused.words or None, headers)

    def _reject(
        self,
        session: InboundCall,
        status: int,
        words: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """No call comes of it: whoever measures how many there is time for need not count it."""
        self._engine.admission.spare()
        session.reject(status, words, headers)


def _claimed(request: Request) -> Credentials | None:
    value = request.headers.get("Proxy-Authorization") or request.headers.get("Authorization")
    return None if value is None else Credentials.parse(value)


def _called(request: Request) -> Called:
    party = request.headers.get("P-Called-Party-ID")
    try:
        party_uri = NameAddr.parse(party).uri if party else None
    except SipParseError:
        party_uri = None
    return Called(request.uri, request.to.uri, party_uri)


def _in_place_of(caller: Device | FromTrunk, request: Request) -> Connecting:
    """What a call that takes another's place is: a device's, which no application answers."""
    assert isinstance(caller, Device)
    return Connecting(client=caller.client, called=dialled_user(request.uri))


def _diverted_from(request: Request) -> str | None:
    """Who forwarded the call here: the user in Diversion (RFC 5806)."""
    value = request.headers.get("Diversion")
    if value is None:
        return None
    try:
        return NameAddr.parse(value).uri.user
    except SipParseError:
        return None


def _facts_of(session: InboundCall) -> SipMessageFacts:
    request = session.request
    return SipMessageFacts(
        method=request.method,
        uri=str(request.uri),
        headers=without_credentials(request.headers.items()),
        body=request.body.decode("utf-8", "replace"),
        raw=redacted(request.encode()).decode("utf-8", "replace"),
        source_address=session.source.host,
        source_port=session.source.port,
        transport=session.source.transport,
    )
