"""Inbound calls: who is calling, who answers, and the call that comes of it. Devices register here, too."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from ringback.calls.application import Dialect, NewCall, SipMessageFacts
from ringback.calls.call import Call
from ringback.calls.discretion import redacted, without_credentials
from ringback.calls.events import CallReceived
from ringback.calls.negotiation import NotAcceptable
from ringback.calls.record import CallRecord
from ringback.calls.status import CallStatus, Direction
from ringback.net.clock import utcnow
from ringback.routing.directory import Account, Directory
from ringback.routing.inbound import Answering, Device, InviteFacts, Refused, answer, identify
from ringback.routing.registrar import BindingStore, Registrar, Registration, parse_contacts, parse_path
from ringback.sip.auth import Credentials
from ringback.sip.auth_server import DigestServer
from ringback.sip.errors import SipParseError
from ringback.sip.flow import join_host_port
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Request
from ringback.sip.uri import NameAddr
from ringback.store.errors import StoreError

if TYPE_CHECKING:
    from ringback.calls.engine import Engine

logger = logging.getLogger(__name__)


class Reception:
    """Takes what the SIP endpoint hands up: INVITEs of new calls, and REGISTERs."""

    def __init__(
        self,
        engine: Engine,
        directory: Directory,
        dialects: Mapping[str, Dialect],
        registrar: Registrar,
        digest: DigestServer,
        bindings: BindingStore,
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._dialects = dialects
        self._registrar = registrar
        self._digest = digest
        self._bindings = bindings

    def invitation(self, session: InboundCall) -> None:
        """An INVITE of a new call; 100 has gone out."""
        try:
            self._admit(session)
        except SipParseError as error:
            session.reject(400, error.reason)
        except NotAcceptable as error:
            self._refuse(session, Refused(488, str(error)))
        except StoreError as error:
            logger.error("call %s is refused: %s", session.call_id, error)
            session.reject(503, headers=(("Retry-After", "5"),))
        except Exception:
            # A fault of ours costs this caller the call, and nobody else anything.
            logger.exception("call %s from %s could not be taken", session.call_id, session.source)
            session.reject(500)

    def _admit(self, session: InboundCall) -> None:
        request = session.request
        facts = InviteFacts(
            request_uri=request.uri,
            from_uri=request.from_.uri,
            source_ip=session.source.host,
            authorization_user=_claimed_user(request),
        )
        caller = identify(self._directory, facts)
        if isinstance(caller, Refused):
            self._refuse(session, caller)
            return
        if isinstance(caller, Device) and not self._proven(request, caller):
            session.reject(
                407, headers=self._challenges(request, "Proxy-Authenticate", "Proxy-Authorization")
            )
            return
        answering = answer(self._directory, caller, request.uri)
        if isinstance(answering, Refused):
            self._refuse(session, answering)
            return
        account = self._directory.account(answering.application.account_id)
        if account is not None:
            self._begin(session, account, answering)

    def _begin(self, session: InboundCall, account: Account, answering: Answering) -> None:
        configured = answering.application
        application = self._dialects[configured.dialect].application(account, configured)
        request = session.request
        received = _received(session, answering)
        now = utcnow()
        record = CallRecord(
            id=uuid4(),
            account_id=account.id,
            application_id=configured.id,
            number_id=answering.number.id if answering.number else None,
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
        call.stored = call.log.append(received, application, new_call=True)
        self._engine.roster.take(call)
        if application.rings_at_once:
            call.ring()
        call.runner.run(NewCall(invite=_facts_of(session)))

    def _refuse(self, session: InboundCall, refused: Refused) -> None:
        """Say why, where people look; the caller learns the code only."""
        logger.warning("call %s from %s is refused: %s", session.call_id, session.source, refused.reason)
        self._engine.time_line.refused(str(session.source), refused.status, refused.reason)
        session.reject(refused.status)

    # -- devices

    def register(self, incoming: IncomingRequest) -> None:
        """A REGISTER: challenged, then the registrar decides."""
        try:
            self._register(incoming)
        except SipParseError as error:
            incoming.reply(error.status, error.reason)
        except Exception:
            logger.exception("a REGISTER from %s could not be taken", incoming.source)
            incoming.reply(500)

    def _register(self, incoming: IncomingRequest) -> None:
        request = incoming.request
        client = self._directory.client(request.to.uri.user or "")
        username = self._digest_user(request, "Authorization")
        if client is None or username != client.username:
            # Unknown and known users get the same challenge: who exists is nobody's business.
            incoming.reply(401, headers=self._challenges(request, "WWW-Authenticate", "Authorization"))
            return
        contacts, everything = parse_contacts(request.headers.get_all("Contact"))
        path = parse_path(request.headers.get_all("Path"))
        registered = self._registrar.register(
            Registration(
                username=client.username,
                flow=incoming.source,
                call_id=request.call_id,
                cseq=request.cseq.number,
                contacts=contacts,
                everything=everything,
                expires=request.expires,
                user_agent=request.headers.get("User-Agent") or "",
                path=path,
            ),
            utcnow().timestamp(),
        )
        for binding in registered.dropped:
            self._bindings.drop(binding)
        for binding in registered.kept:
            self._bindings.keep(binding)
        headers = [("Contact", contact) for contact in registered.contacts]
        if registered.status == 200:
            headers += [("Path", hop) for hop in path]  # RFC 3327 section 5.3: the device learns its way
        if registered.min_expires is not None:
            headers.append(("Min-Expires", str(registered.min_expires)))
        incoming.reply(registered.status, registered.reason or None, headers=headers)

    def _proven(self, request: Request, device: Device) -> bool:
        return self._digest_user(request, "Proxy-Authorization") == device.client.username

    def _digest_user(self, request: Request, field: str) -> str | None:
        """The user whose digest is right, None if there is none."""
        rows = request.headers.get_all(field)
        return self._digest.verify(rows, request.method, request.uri, request.body).username

    def _challenges(self, request: Request, field: str, answer: str) -> list[tuple[str, str]]:
        """The challenge, marked stale where only the nonce was too old."""
        rows = request.headers.get_all(answer)
        stale = bool(rows) and self._digest.verify(rows, request.method, request.uri).stale
        return [(field, value) for value in self._digest.challenges(stale=stale)]


def _claimed_user(request: Request) -> str | None:
    value = request.headers.get("Proxy-Authorization") or request.headers.get("Authorization")
    if value is None:
        return None
    credentials = Credentials.parse(value)
    return credentials.username if credentials else None


def _received(session: InboundCall, answering: Answering) -> CallReceived:
    request = session.request
    caller = request.from_
    return CallReceived(
        from_=caller.uri.user or caller.uri.host,
        to=request.uri.user or request.uri.host,
        caller_name=caller.display_name or None,
        forwarded_from=_diverted_from(request),
        sip_call_id=session.call_id,
        source=str(session.source),
        trunk=answering.trunk.name if answering.trunk else None,
        client=answering.client.username if answering.client else None,
        from_uri=str(caller.uri),
        to_uri=str(request.uri),
    )


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
        raw=redacted(request.encode().decode("utf-8", "replace")),
        source_address=session.source.host,
        source_port=session.source.port,
        transport=session.source.transport,
    )
