"""Who is calling, and which application answers: pure functions over the directory.

An INVITE is judged in two steps. `identify` says who sent it: a device, which has to prove it by digest, or a
trunk, known by its address; anything else is refused. `answer` says which application the address called
stands for.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from ringback.routing.directory import Application, Client, Directory, Number, Trunk
from ringback.sip.uri import Uri

APPLICATION_PREFIX = "app-"  # "app-<sid>" as the user part names an application, as at jambonz


class InviteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What of an INVITE (or another request outside a dialog) decides who is calling."""

    request_uri: Uri
    from_uri: Uri
    source_ip: str
    authorization_user: str | None = None  # the user name that the Authorization field claims, proven or not


class Device(msgspec.Struct, frozen=True):
    """A configured client, to be challenged; its account is the caller once the digest is right."""

    client: Client

    @property
    def account_id(self) -> UUID:
        """Whose device it is."""
        return self.client.account_id


class FromTrunk(msgspec.Struct, frozen=True):
    """A carrier, known by its source address. Several accounts may use the same carrier: the called number
    decides among `trunks`."""

    trunks: tuple[Trunk, ...]


class Refused(msgspec.Struct, frozen=True):
    """Nobody answers; what the caller is told, and why."""

    status: int
    reason: str


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """The application that answers. `number` is the entry that led to it, `trunk` the way it came."""

    application: Application
    number: Number | None = None
    trunk: Trunk | None = None
    client: Client | None = None


def identify(directory: Directory, facts: InviteFacts) -> Device | FromTrunk | Refused:
    """Who is calling. A From or an Authorization that names a client is that client, from wherever."""
    sender = directory.client(facts.from_uri.user or "")
    if facts.authorization_user is not None:
        claimed = directory.client(facts.authorization_user)
        if claimed is not None and sender is not None and claimed.id != sender.id:
            reason = f"{claimed.username} may not call as {sender.username}"
            return Refused(403, reason)
        sender = claimed or sender
    if sender is not None:
        return Device(sender)
    trunks = directory.trunks_from(facts.source_ip)
    if trunks:
        return FromTrunk(trunks)
    user = facts.from_uri.user or "anonymous"
    return Refused(403, f"{user} is no client, and {facts.source_ip} is no trunk's inbound_from")


def answer(directory: Directory, caller: Device | FromTrunk, request_uri: Uri) -> Answering | Refused:
    """Which application answers what was called: 404 when nothing is configured for it."""
    dialled = dialled_user(request_uri)
    if not dialled:
        return Refused(404, f"{request_uri} names nobody")
    if isinstance(caller, Device):
        found = _find(directory, caller.account_id, dialled) or _for_devices(directory, caller.account_id)
        if found is None:
            return Refused(404, f"nothing answers {dialled} in the account of {caller.client.username}")
        return msgspec.structs.replace(found, client=caller.client)
    for trunk in caller.trunks:
        found = _find(directory, trunk.account_id, dialled)
        if found is not None:
            return msgspec.structs.replace(found, trunk=trunk)
    names = ", ".join(trunk.name for trunk in caller.trunks)
    return Refused(404, f"nothing answers {dialled} in the account of trunk {names}")


def dialled_user(uri: Uri) -> str:
    """The user part that was called, without parameters (:rfc:`3261#section-19.1.1`, :rfc:`3966`)."""
    return (uri.user or "").partition(";")[0]


def _find(directory: Directory, account_id: UUID, dialled: str) -> Answering | None:
    number = directory.number(dialled, account_id)
    if number is not None and number.application_id is not None:
        application = directory.application(number.application_id)
        if application is not None:
            return Answering(application=application, number=number)
    application = _addressed(directory, account_id, dialled)
    return None if application is None else Answering(application=application)


def _addressed(directory: Directory, account_id: UUID, dialled: str) -> Application | None:
    """The application that the user part itself names: "ivr", or "app-" and its identifier."""
    named = directory.application_named(account_id, dialled)
    if named is not None or not dialled.startswith(APPLICATION_PREFIX):
        return named
    try:
        sid = UUID(dialled.removeprefix(APPLICATION_PREFIX))
    except ValueError:
        return None
    application = directory.application(sid)
    return application if application is not None and application.account_id == account_id else None


def _for_devices(directory: Directory, account_id: UUID) -> Answering | None:
    account = directory.account(account_id)
    if account is None or account.device_application_id is None:
        return None
    application = directory.application(account.device_application_id)
    return None if application is None else Answering(application=application)
