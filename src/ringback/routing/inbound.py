"""Who is calling, and which application answers: pure functions over the directory.

An INVITE is judged in two steps. `identify` says who sent it: a device, which has to prove it by digest, or a
trunk, known by its address; anything else is refused. `answer` says which application the address called
stands for.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from ringback.routing.directory import Account, Application, Client, Directory, Number, Trunk
from ringback.routing.numbers import dialled, is_telephone_number
from ringback.sip.uri import Uri

APPLICATION_PREFIX = "app-"  # "app-<sid>" as the user part names an application, as at jambonz


class InviteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What of an INVITE (or another request outside a dialog) decides who is calling."""

    from_uri: Uri
    source_ip: str
    authorization_user: str | None = None  # the user name that the Authorization field claims, proven or not
    authorization_realm: str = ""


class Called(msgspec.Struct, frozen=True):
    """Where an INVITE says whom it is for."""

    request_uri: Uri
    to: Uri | None = None
    party: Uri | None = None  # P-Called-Party-ID (:rfc:`7315#section-4.2`)

    def by(self, trunk: Trunk) -> Uri:
        """What was called, from where the carrier puts it; the Request-URI where it is not there."""
        if trunk.called_from == "to":
            return self.to or self.request_uri
        if trunk.called_from == "p-called-party-id":
            return self.party or self.request_uri
        return self.request_uri


class Device(msgspec.Struct, frozen=True):
    """A client, to be challenged; its account is the caller once the digest is right.

    It need not be a configured one: where an account has a registration hook, the web application behind it
    knows the devices.
    """

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
    """Nobody answers; what the caller is told, and why. `words`: another reason phrase than the usual."""

    status: int
    reason: str
    words: str = ""


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """The application that answers, and what was called. `number` is the entry that led to it, `trunk` the
    way it came."""

    application: Application
    called: str
    number: Number | None = None
    trunk: Trunk | None = None
    client: Client | None = None


class Connecting(msgspec.Struct, frozen=True, kw_only=True):
    """No application: a device is connected with another one, or with a telephone number."""

    client: Client
    called: str
    is_number: bool = False


def identify(directory: Directory, facts: InviteFacts) -> Device | FromTrunk | Refused:
    """Who is calling. A From or an Authorization that names a client is that client, from wherever, but at no
    other account's realm."""
    homes = homes_of(directory, facts.from_uri.host, facts.authorization_realm)
    sender = directory.client(facts.from_uri.user or "")
    if facts.authorization_user is not None:
        claimed = directory.client(facts.authorization_user)
        if claimed is not None and sender is not None and claimed.id != sender.id:
            reason = f"{claimed.username} may not call as {sender.username}"
            return Refused(403, reason)
        sender = claimed or sender
    if sender is not None and not _at_home(sender, homes):
        return Refused(403, f"{sender.username} is a device of another account than {homes[0].sip_realm}'s")
    if sender is not None:
        return Device(sender)
    claims = facts.authorization_user or facts.from_uri.user or ""
    guest = _guest_at(homes, claims)
    if guest is not None:
        return Device(guest)
    trunks = directory.trunks_from(facts.source_ip)
    if trunks:
        return FromTrunk(trunks)
    guest = None if homes else _guest_anywhere(directory, claims)
    if guest is not None:
        return Device(guest)
    user = facts.from_uri.user or "anonymous"
    return Refused(403, f"{user} is no client, and {facts.source_ip} is no trunk's inbound_from")


def device_of(directory: Directory, username: str, *realms: str) -> Client | None:
    """The device of that name: a configured one, or one that a registration hook knows.

    None where a realm is one account's and the name that of another's device, which is not to be judged by
    either.
    """
    homes = homes_of(directory, *realms)
    known = directory.client(username)
    if known is not None:
        return known if _at_home(known, homes) else None
    return _guest_at(homes, username) if homes else _guest_anywhere(directory, username)


def homes_of(directory: Directory, *realms: str) -> tuple[Account, ...]:
    """The accounts whose realm the first of the realms is that is any account's."""
    accounts = [account for account in directory.all(Account) if account.sip_realm]
    for realm in realms:
        homes = tuple(account for account in accounts if account.sip_realm.lower() == realm.lower())
        if homes:
            return homes
    return ()


def _at_home(client: Client, homes: tuple[Account, ...]) -> bool:
    return not homes or any(client.account_id == account.id for account in homes)


def _guest_at(homes: tuple[Account, ...], username: str) -> Client | None:
    """The device of that name which only the registration hook of such an account knows."""
    hooked = [account for account in homes if account.registration_hook is not None]
    return Client.guest_of(hooked[0].id, username) if username and hooked else None


def _guest_anywhere(directory: Directory, username: str) -> Client | None:
    """Where no realm tells: of the only account that has such a hook, if it has no realm of its own."""
    hooked = [account for account in directory.all(Account) if account.registration_hook is not None]
    if not username or len(hooked) != 1 or hooked[0].sip_realm:
        return None
    return Client.guest_of(hooked[0].id, username)


def answer(
    directory: Directory, caller: Device | FromTrunk, called: Called
) -> Answering | Connecting | Refused:
    """Which application answers what was called: 404 when nothing is configured for it."""
    if isinstance(caller, Device):
        return _for_device(directory, caller.client, dialled_user(called.request_uri))
    tried = ""
    for trunk in caller.trunks:
        tried = dialled_user(called.by(trunk))
        found = _find(directory, trunk.account_id, tried) if tried else None
        if found is not None:
            return msgspec.structs.replace(found, trunk=trunk)
    for trunk in caller.trunks:
        application = _configured(directory, trunk.application_id)
        if application is not None:
            return Answering(application=application, called=dialled_user(called.by(trunk)), trunk=trunk)
    if not tried:
        return Refused(404, f"{called.request_uri} names nobody")
    names = ", ".join(trunk.name for trunk in caller.trunks)
    return Refused(404, f"nothing answers {tried} in the account of trunk {names}")


def dialled_user(uri: Uri) -> str:
    """The user part that was called, without parameters (:rfc:`3261#section-19.1.1`, :rfc:`3966`) and, in a
    number, without visual separators."""
    return dialled((uri.user or "").partition(";")[0])


def _for_device(directory: Directory, client: Client, called: str) -> Answering | Connecting | Refused:
    """A number, an application, another device, a number outside; last what answers for devices."""
    if not called:
        return Refused(404, "the request names nobody")
    account = directory.account(client.account_id)
    found = _find(directory, client.account_id, called)
    if found is not None:
        return msgspec.structs.replace(found, client=client)
    other = directory.client(called)
    if other is not None and other.account_id == client.account_id and other.id != client.id:
        return Connecting(client=client, called=called)
    if account is not None and account.devices_dial_out and is_telephone_number(called):
        return Connecting(client=client, called=called, is_number=True)
    application = None if account is None else _configured(directory, account.device_application_id)
    if application is None:
        return Refused(404, f"nothing answers {called} in the account of {client.username}")
    return Answering(application=application, called=called, client=client)


def _find(directory: Directory, account_id: UUID, called: str) -> Answering | None:
    number = directory.number(called, account_id)
    if number is not None:
        application = _configured(directory, number.application_id)
        if application is not None:
            return Answering(application=application, called=called, number=number)
    application = _addressed(directory, account_id, called)
    return None if application is None else Answering(application=application, called=called)


def _configured(directory: Directory, application_id: UUID | None) -> Application | None:
    return None if application_id is None else directory.application(application_id)


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
