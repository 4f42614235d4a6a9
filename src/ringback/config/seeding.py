"""Accounts, applications, numbers, trunks and clients made of their tables, with derived identifiers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from uuid import UUID

from ringback.config.reading import ConfigError, Reader
from ringback.config.tables import AccountTable, ApplicationTable, ClientTable, NumberTable, TrunkTable
from ringback.routing.directory import (
    Account,
    Application,
    Client,
    Directory,
    DirectoryError,
    Entry,
    Gateway,
    HookAddress,
    Limit,
    Name,
    Number,
    Speech,
    Trunk,
    unique_name,
)
from ringback.routing.numbers import canonical
from ringback.store.ids import derived_id

_SERVICE_PROVIDER = derived_id(None, "service_provider", "default")


def seed(
    file: str,
    accounts: Sequence[AccountTable],
    applications: Sequence[ApplicationTable],
    numbers: Sequence[NumberTable],
    trunks: Sequence[TrunkTable],
    clients: Sequence[ClientTable],
) -> list[Entry]:
    """Everything the tables describe, accounts first; raises ConfigError with all that is wrong."""
    seeding = _Seeding(file, accounts, applications)
    seeding.name("account", [table.name for table in accounts])
    seeding.name("application", [table.name for table in applications])
    seeding.name("number", [table.number for table in numbers])
    seeding.name("trunk", [table.name for table in trunks])
    seeding.name("client", [table.username for table in clients])
    for index, account in enumerate(accounts):
        seeding.account(account, f"account[{index}]")
    for index, application in enumerate(applications):
        seeding.application(application, f"application[{index}]")
    for index, number in enumerate(numbers):
        seeding.number(number, f"number[{index}]")
    for index, trunk in enumerate(trunks):
        seeding.trunk(trunk, f"trunk[{index}]")
    for index, client in enumerate(clients):
        seeding.client(client, f"client[{index}]")
    if seeding.reader.problems:
        raise ConfigError(seeding.reader.problems)
    return seeding.entries


class _Seeding:
    """Turns tables into entries one by one; a trial directory finds what contradicts."""

    def __init__(
        self, file: str, accounts: Sequence[AccountTable], applications: Sequence[ApplicationTable]
    ) -> None:
        self.reader = Reader(file)
        self.entries: list[Entry] = []
        self._trial = Directory()
        self._places: dict[tuple[type, UUID] | Name, str] = {}
        """Where each entry is, by kind and identifier, and by what it alone may be called."""
        self._accounts = {table.name: table.sid or account_id(table.name) for table in accounts}
        self._applications = {
            (owner, table.name): table.sid or derived_id(owner, "application", table.name)
            for table in applications
            if (owner := self._owner(table.account)) is not None
        }

    def name(self, kind: str, names: Sequence[str]) -> None:
        """Let what is said about the tables of a kind have their names in it."""
        for index, name in enumerate(names):
            self.reader.name(f"{kind}[{index}]", f'{kind} "{name}"')

    def account(self, table: AccountTable, where: str) -> None:
        own = self._accounts[table.name]
        answers = self._application_id(own, table.device_application, f"{where}.device_application")
        self._add(
            Account(
                id=own,
                name=table.name,
                token=table.token,
                signing_key=table.signing_key,
                webhook_secret=table.webhook_secret or _derived_secret(table.token),
                service_provider_sid=table.service_provider_sid or _SERVICE_PROVIDER,
                device_application_id=answers,
                devices_dial_out=table.devices_dial_out,
                sip_realm=table.sip_realm,
                registration_hook=_registration_hook(table),
                limit=Limit(table.max_calls, table.calls_per_second),
                max_queued=table.max_queued,
            ),
            where,
        )

    def application(self, table: ApplicationTable, where: str) -> None:
        owner = self._account_id(table.account, where)
        if owner is None:
            return
        speech = Speech(
            synthesis_vendor=table.speech_synthesis_vendor,
            synthesis_language=table.speech_synthesis_language,
            synthesis_voice=table.speech_synthesis_voice,
            recognizer_vendor=table.speech_recognizer_vendor,
            recognizer_language=table.speech_recognizer_language,
        )
        profile = (table.profile or "signalwire") if table.dialect == "laml" else ""
        self._add(
            Application(
                id=self._applications[owner, table.name],
                account_id=owner,
                name=table.name,
                dialect=table.dialect,
                profile=profile,
                voice_url=table.voice_url,
                voice_method=table.voice_method,
                fallback_url=table.fallback_url,
                fallback_method=table.fallback_method,
                status_callback=table.status_callback,
                status_callback_method=table.status_callback_method,
                refer_url=table.refer_url,
                refer_method=table.refer_method,
                username=table.username,
                password=table.password,
                env_vars=table.env_vars,
                app_json=table.app_json,
                speech=speech,
            ),
            where,
        )

    def number(self, table: NumberTable, where: str) -> None:
        owner = self._account_id(table.account, where)
        if owner is None:
            return
        self._add(
            Number(
                id=table.sid or derived_id(owner, "number", canonical(table.number)),
                account_id=owner,
                number=table.number,
                application_id=self._application_id(owner, table.application, f"{where}.application"),
            ),
            where,
        )

    def trunk(self, table: TrunkTable, where: str) -> None:
        owner = self._account_id(table.account, where)
        if owner is None:
            return
        self._add(
            Trunk(
                id=table.sid or derived_id(owner, "trunk", table.name),
                account_id=owner,
                name=table.name,
                gateways=tuple(
                    Gateway(host=at.host, transport=at.transport, priority=at.priority, weight=at.weight)
                    for at in table.all_gateways
                ),
                username=table.username,
                password=table.password,
                register=table.register,
                options_seconds=table.options_seconds,
                answer_seconds=table.answer_seconds,
                limit=Limit(table.max_calls, table.calls_per_second),
                number_format=table.number_format,
                strip=table.strip,
                prefix=table.prefix,
                caller_id=table.caller_id,
                identity=table.identity,
                diversion=table.diversion,
                inbound_from=table.inbound_from,
                application_id=self._application_id(owner, table.application, f"{where}.application"),
                called_from=table.called_from,
                trust_identity=table.trust_identity,
                overload_status=table.overload_status,
            ),
            where,
        )

    def client(self, table: ClientTable, where: str) -> None:
        owner = self._account_id(table.account, where)
        if owner is None:
            return
        self._add(
            Client(
                id=table.sid or derived_id(owner, "client", table.username),
                account_id=owner,
                username=table.username,
                password=table.password,
            ),
            where,
        )

    def _add(self, entry: Entry, where: str) -> None:
        earlier = self._places.get((type(entry), entry.id))
        if earlier is not None:
            self._contradiction("the same one twice", where, earlier)
            return
        try:
            self._trial.put(entry)
        except DirectoryError as error:
            self._contradiction(str(error), where, self._places.get(unique_name(entry)))
        else:
            self.entries.append(entry)
            self._places[type(entry), entry.id] = self._places[unique_name(entry)] = where

    def _contradiction(self, what: str, where: str, earlier: str | None) -> None:
        """With both places, where there are two."""
        beside = f" and {self.reader.place(earlier)}" if earlier else ""
        self.reader.problems.append(f"{what}, at {self.reader.place(where)}{beside}")

    def _owner(self, name: str) -> UUID | None:
        if not name and len(self._accounts) == 1:
            return next(iter(self._accounts.values()))
        return self._accounts.get(name)

    def _account_id(self, name: str, where: str) -> UUID | None:
        owner = self._owner(name)
        if owner is None:
            self.reader.unknown_name("an account", name, self._accounts, f"{where}.account")
        return owner

    def _application_id(self, owner: UUID, name: str, where: str) -> UUID | None:
        if not name:
            return None
        found = self._applications.get((owner, name))
        if found is None:
            known = [known for account, known in self._applications if account == owner]
            self.reader.unknown_name("an application of the account", name, known, where)
        return found


def account_id(name: str) -> UUID:
    """The identifier of an account whose `sid` is not given."""
    return derived_id(None, "account", name)


def _registration_hook(table: AccountTable) -> HookAddress | None:
    if not table.registration_hook:
        return None
    return HookAddress(
        url=table.registration_hook,
        method=table.registration_hook_method,
        username=table.registration_hook_username,
        password=table.registration_hook_password,
    )


def _derived_secret(token: str) -> str:
    """A secret for jambonz webhooks that is the same after every restart without being written down."""
    return "wh_secret_" + hmac.new(token.encode(), b"webhook_secret", hashlib.sha256).hexdigest()[:40]
