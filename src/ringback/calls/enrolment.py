"""Devices that register here: challenged, then the registrar decides."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ringback.calls.doorkeeper import Admitted, Denied, Doorkeeper, Verdict
from ringback.net.clock import utcnow
from ringback.routing.directory import Client, Directory
from ringback.routing.inbound import device_of
from ringback.routing.reach import Reach
from ringback.routing.registrar import (
    Binding,
    BindingStore,
    Registrar,
    Registration,
    parse_contacts,
    parse_path,
)
from ringback.sip.errors import SipParseError
from ringback.sip.incoming import IncomingRequest
from ringback.sip.message import Request
from ringback.sip.uri import NameAddr

logger = logging.getLogger(__name__)


class Enrolment:
    """Takes the REGISTERs that the SIP endpoint hands up, and knows who is registered."""

    def __init__(
        self,
        directory: Directory,
        registrar: Registrar,
        bindings: BindingStore,
        doorkeeper: Doorkeeper,
        reach: Reach,
    ) -> None:
        self._reach = reach
        self._directory = directory
        self._registrar = registrar
        self._bindings = bindings
        self._doorkeeper = doorkeeper

    async def restore(self) -> None:
        """Take over what was registered in an earlier life, but for devices that are no longer known."""
        now = utcnow().timestamp()
        known: list[Binding] = []
        for binding in await self._bindings.load():
            if self._is_known(binding):
                known.append(binding)
            else:
                self._bindings.drop(binding)
        self._registrar.restore(known, now)

    def _is_known(self, binding: Binding) -> bool:
        """Whether it is a device's still, and not another account's of the same name."""
        client = self._directory.client(binding.username)
        if client is None:
            return self._welcome(binding)
        return binding.account_id in (client.account_id, None)

    def registered(self) -> list[Binding]:
        """Every binding that is live."""
        now = utcnow().timestamp()
        return [b for name in self._registrar.usernames(now) for b in self._registrar.lookup(name, now)]

    def expire(self) -> None:
        """Let go of what has run out."""
        for binding in self._registrar.expire(utcnow().timestamp()):
            self._bindings.drop(binding)
            self._part_with(binding.username)

    def drop(self, binding: Binding) -> None:
        """Let go of a contact that is not there any more."""
        self._registrar.drop(binding)
        self._bindings.drop(binding)
        self._part_with(binding.username)

    def forget(self, username: str) -> None:
        """Let go of a client that is configured no more."""
        for binding in self._registrar.forget(username):
            self._bindings.drop(binding)

    def register(self, incoming: IncomingRequest) -> None:
        """A REGISTER."""
        try:
            request = incoming.request
            client = self._client(request)
            self._doorkeeper.prove(
                request, incoming.source, client, lambda verdict: self._judged(incoming, client, verdict)
            )
        except SipParseError as error:
            incoming.reply(error.status, error.reason)
        except Exception:
            logger.exception("a REGISTER from %s could not be taken", incoming.source)
            incoming.reply(500)

    def _client(self, request: Request) -> Client | None:
        """Whose contacts are to be changed: a configured device, or one that a web application knows."""
        uri = request.to.uri
        return device_of(self._directory, uri.user or "", uri.host)

    def _judged(self, incoming: IncomingRequest, client: Client | None, verdict: Verdict) -> None:
        if not isinstance(verdict, Admitted) or client is None:
            headers = () if isinstance(verdict, Admitted) else verdict.headers
            status = 403 if isinstance(verdict, Admitted) else verdict.status
            reason = verdict.reason if isinstance(verdict, Denied) else ""
            incoming.reply(status, reason or None, headers=headers)
            return
        try:
            self._register(incoming, client, verdict)
        except SipParseError as error:
            incoming.reply(error.status, error.reason)

    def _register(self, incoming: IncomingRequest, client: Client, admitted: Admitted) -> None:
        request = incoming.request
        holder = self._directory.client(client.username)
        if holder is not None and holder.account_id != client.account_id:
            incoming.reply(403)  # somebody else's took the name while a web application was asked
            return
        contacts, everything = parse_contacts(request.headers.get_all("Contact"))
        path = parse_path(request.headers.get_all("Path"))
        why = self._way_refused(path, contacts, incoming)
        if why is not None:
            logger.warning("device %s is not registered: %s", client.username, why)
            incoming.reply(403)
            return
        registered = self._registrar.register(
            Registration(
                username=client.username,
                account_id=client.account_id,
                flow=incoming.source,
                call_id=request.call_id,
                cseq=request.cseq.number,
                contacts=contacts,
                everything=everything,
                expires=request.expires,
                longest=admitted.expires,
                user_agent=request.headers.get("User-Agent") or "",
                path=path,
            ),
            utcnow().timestamp(),
        )
        for binding in registered.dropped:
            self._bindings.drop(binding)
        for binding in registered.kept:
            self._bindings.keep(binding)
            self._welcome(binding)
        self._part_with(client.username)
        headers = [("Contact", contact) for contact in registered.contacts]
        if registered.status == 200:
            headers += [("Path", hop) for hop in path]  # RFC 3327 section 5.3: the device learns its way
        if registered.min_expires is not None:
            headers.append(("Min-Expires", str(registered.min_expires)))
        if registered.status == 200:
            headers += admitted.headers
        incoming.reply(registered.status, registered.reason or None, headers=headers)

    def _way_refused(
        self, path: Sequence[str], contacts: Sequence[NameAddr], incoming: IncomingRequest
    ) -> str | None:
        """Why the contacts must not be reached through this Path."""
        hops = [NameAddr.parse(hop).uri for hop in path]
        refusals = (self._reach.path_refusal(hops, each.uri, incoming.source) for each in contacts)
        return next((why for why in refusals if why is not None), None)

    # -- devices that only a web application knows: in the directory while they are registered

    def _welcome(self, binding: Binding) -> bool:
        """Let such a device be called by its name; False where no account answers for it."""
        account = self._directory.account(binding.account_id) if binding.account_id is not None else None
        if account is None or account.registration_hook is None:
            return False
        if self._directory.client(binding.username) is None:
            guest = Client.guest_of(account.id, binding.username)
            self._directory.put(guest)
        return True

    def _part_with(self, username: str) -> None:
        client = self._directory.client(username)
        registered = self._registrar.lookup(username, utcnow().timestamp())
        if client is not None and client.guest and not registered:
            self._directory.remove(client)
