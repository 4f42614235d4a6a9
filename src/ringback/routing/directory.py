"""Who and what is known here: accounts, applications, numbers, trunks, clients, and the look-ups over them.

The configuration file seeds the directory; the REST surfaces put and remove objects while it is in use. It is
plain memory: a look-up never waits.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TypeVar, get_args
from uuid import UUID

import msgspec

from ringback.routing.numbers import canonical, compile_pattern, is_pattern, specificity
from ringback.routing.trunk import Gateway as Gateway
from ringback.routing.trunk import Limit as Limit
from ringback.routing.trunk import Trunk as Trunk
from ringback.store.ids import derived_id


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. One UUID; every dialect's spelling derives from it."""

    id: UUID
    name: str
    token: str  # LaML and CallAPI password, jambonz bearer token
    signing_key: str = ""  # of LaML webhooks; empty: the token
    webhook_secret: str = ""  # of jambonz webhooks
    service_provider_sid: UUID | None = None
    device_application_id: UUID | None = None  # answers what a device dials when nothing else does
    devices_dial_out: bool = False  # devices reach telephone numbers through the account's trunks
    sip_realm: str = ""  # the realm that devices prove themselves for; empty: the server's
    registration_hook: HookAddress | None = None  # asked whether a device is who it says it is
    limit: Limit = Limit()  # of all the account's calls together
    max_queued: int = 1000  # calls created by REST that wait for their turn

    @property
    def webhook_signing_key(self) -> str:
        """The key that signs LaML webhooks."""
        return self.signing_key or self.token


class HookAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A web address of the account's, and how to ask there."""

    url: str
    method: str = "POST"
    username: str = ""  # HTTP Basic credentials
    password: str = ""


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """An application's defaults for text to audio and audio to text; empty means the server's own."""

    synthesis_vendor: str = ""
    synthesis_language: str = ""
    synthesis_voice: str = ""
    recognizer_vendor: str = ""
    recognizer_language: str = ""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What answers a call: the user's web application, and the dialect it speaks."""

    id: UUID
    account_id: UUID
    name: str
    dialect: str  # "laml", "jambonz", "callapi"
    profile: str = ""  # laml only: "signalwire", "twilio"
    voice_url: str = ""
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    refer_url: str = ""  # callapi only
    refer_method: str = "POST"
    username: str = ""  # HTTP Basic credentials of the webhooks
    password: str = ""
    env_vars: dict[str, str] = {}
    app_json: str = ""  # jambonz: verbs used instead of asking voice_url
    speech: Speech = Speech()


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A telephone number or pattern of an account, and the application that answers it."""

    id: UUID
    account_id: UUID
    number: str  # "+14155550100", "+1415555*", "/^1415/"
    application_id: UUID | None = None


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A SIP device that registers here: dialled as a Client or user.

    A guest is one that is not configured: the web application behind the account's registration hook knows
    it.
    """

    id: UUID
    account_id: UUID
    username: str
    password: str
    guest: bool = False

    @classmethod
    def guest_of(cls, account_id: UUID, username: str) -> Client:
        """A device that a registration hook answers for."""
        id = derived_id(account_id, "client", username)
        return cls(id=id, account_id=account_id, username=username, password="", guest=True)


Entry = Account | Application | Number | Trunk | Client
EntryT = TypeVar("EntryT", Account, Application, Number, Trunk, Client)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Name = tuple[type, UUID | None, str]  # kind, account (None: unique over all accounts), name


class DirectoryError(ValueError):
    """An object contradicts the directory: a name that is taken, an account that does not exist."""


class Directory:
    """Indexes over the five kinds of objects. `put` adds or replaces by id, `remove` takes away."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[type, dict[UUID, Entry]] = {kind: {} for kind in get_args(Entry)}
        self._names: dict[Name, Entry] = {}
        self._exact: dict[str, tuple[Number, ...]] = {}
        self._patterns: list[tuple[re.Pattern[str], Number]] = []
        self._networks: list[tuple[Network, Trunk]] = []
        for entry in entries:
            self.put(entry)

    # -- changes

    def put(self, entry: Entry) -> None:
        """Add or replace; raises DirectoryError for a taken name or an unknown account."""
        kind = type(entry)
        name = unique_name(entry)
        holder = self._names.get(name)
        if holder is not None and holder.id != entry.id:
            raise DirectoryError(f"{kind.__name__.lower()} {name[2]!r} exists already")
        if not isinstance(entry, Account) and self.account(entry.account_id) is None:
            raise DirectoryError(f"{kind.__name__.lower()} {name[2]!r} names an account that does not exist")
        prepared = _prepare(entry)  # raises before anything has changed
        old = self._entries[kind].get(entry.id)
        if old is not None:
            self._unindex(old)
        self._entries[kind][entry.id] = entry
        self._names[name] = entry
        if isinstance(entry, Number):
            self._index_number(entry, prepared)
        elif isinstance(entry, Trunk):
            self._networks += [(network, entry) for network in trunk_networks(entry)]

    def remove(self, entry: Entry) -> None:
        """Take an object away; an account takes all that is its own with it."""
        held = self._entries[type(entry)].pop(entry.id, None)
        if held is None:
            return
        self._unindex(held)
        if isinstance(held, Account):
            for other in self.everything():
                if not isinstance(other, Account) and other.account_id == held.id:
                    self.remove(other)

    def _index_number(self, number: Number, pattern: re.Pattern[str] | None) -> None:
        if pattern is None:
            key = canonical(number.number)
            self._exact[key] = (*self._exact.get(key, ()), number)
        else:
            self._patterns.append((pattern, number))
            self._patterns.sort(key=lambda item: specificity(item[1].number))

    def _unindex(self, entry: Entry) -> None:
        self._names.pop(unique_name(entry), None)
        if isinstance(entry, Number):
            key = canonical(entry.number)
            rest = tuple(number for number in self._exact.get(key, ()) if number.id != entry.id)
            if rest:
                self._exact[key] = rest
            else:
                self._exact.pop(key, None)
            self._patterns = [item for item in self._patterns if item[1].id != entry.id]
        elif isinstance(entry, Trunk):
            self._networks = [item for item in self._networks if item[1].id != entry.id]

    def become(self, other: Directory) -> None:
        """Hold what the other one holds, at once: nobody finds a directory that is half changed."""
        self.__dict__.update(other.__dict__)

    # -- look-ups

    def everything(self) -> list[Entry]:
        """All objects, kind by kind, accounts first; those of a kind in the order in which they came."""
        return [entry for entries in self._entries.values() for entry in entries.values()]

    def __contains__(self, entry: object) -> bool:
        """Whether an object of that kind and identifier is there, in this or an earlier form."""
        return isinstance(entry, Entry) and entry.id in self._entries[type(entry)]

    def get(self, kind: type[EntryT], id: UUID) -> EntryT | None:
        """The object of that kind with that identifier."""
        entry = self._entries[kind].get(id)
        return entry if isinstance(entry, kind) else None

    def all(self, kind: type[EntryT], account_id: UUID | None = None) -> list[EntryT]:
        """All objects of a kind, in the order in which they came; of one account or of all."""
        return [
            entry
            for entry in self._entries[kind].values()
            if isinstance(entry, kind)
            and (account_id is None or isinstance(entry, Account) or entry.account_id == account_id)
        ]

    def account(self, id: UUID) -> Account | None:
        """The account with that identifier."""
        return self.get(Account, id)

    def application(self, id: UUID) -> Application | None:
        """The application with that identifier."""
        return self.get(Application, id)

    def application_named(self, account_id: UUID, name: str) -> Application | None:
        """The application of that name in the account."""
        return self._named(Application, account_id, name)

    def number(self, dialled: str, account_id: UUID | None = None) -> Number | None:
        """What answers a dialled number, with or without +; an exact entry before a pattern."""
        for number in self._exact.get(canonical(dialled), ()):
            if account_id is None or number.account_id == account_id:
                return number
        for pattern, number in self._patterns:
            if (account_id is None or number.account_id == account_id) and pattern.search(dialled):
                return number
        return None

    def client(self, username: str) -> Client | None:
        """The device with that user name, which is unique over all accounts."""
        return self._named(Client, None, username)

    def trunk_named(self, account_id: UUID, name: str) -> Trunk | None:
        """The trunk of that name in the account."""
        return self._named(Trunk, account_id, name)

    def trunks_from(self, source_ip: str) -> tuple[Trunk, ...]:
        """The trunks whose `inbound_from` holds the address, the narrowest network first."""
        try:
            address = ipaddress.ip_address(source_ip)
        except ValueError:
            return ()
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        found = [item for item in self._networks if address in item[0]]
        found.sort(key=lambda item: -item[0].prefixlen)
        return tuple(dict.fromkeys(trunk for _, trunk in found))

    def _named(self, kind: type[EntryT], account_id: UUID | None, name: str) -> EntryT | None:
        entry = self._names.get((kind, account_id, name))
        return entry if isinstance(entry, kind) else None


def trunk_networks(trunk: Trunk) -> list[Network]:
    """The networks a trunk's calls may come from; raises DirectoryError for what is no address."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in trunk.inbound_from]
    except ValueError as error:
        raise DirectoryError(f"trunk {trunk.name!r}: {error}") from error


def unique_name(entry: Entry) -> Name:
    """Under which name an object must be the only one of its kind."""
    if isinstance(entry, Account):
        return (Account, None, entry.name)
    if isinstance(entry, Client):
        # A REGISTER names no account: the user name alone must tell whose device it is.
        return (Client, None, entry.username)
    if isinstance(entry, Number):
        return (Number, entry.account_id, canonical(entry.number))
    return (type(entry), entry.account_id, entry.name)


def _prepare(entry: Entry) -> re.Pattern[str] | None:
    """Check what has a syntax of its own; the compiled pattern of a number that is one."""
    if isinstance(entry, Trunk):
        trunk_networks(entry)
    if isinstance(entry, Number) and is_pattern(entry.number):
        try:
            return compile_pattern(entry.number)
        except ValueError as error:
            raise DirectoryError(str(error)) from error
    return None
