"""All settings of a server as one value, and what follows from them."""

from __future__ import annotations

import msgspec

from ringback.config.seeding import seed
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    CallsSection,
    ClientTable,
    DevicesSection,
    LogSection,
    NumberTable,
    RecordingsSection,
    ServerSection,
    SpeechSection,
    StoreSection,
    TrunkTable,
    WebhooksSection,
)
from ringback.net.guard import AddressPolicy, origin_of
from ringback.net.own import is_loopback
from ringback.routing.directory import Directory, Entry


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `load` read. `source` names the file for messages; `demo` is true when there was none."""

    source: str
    demo: bool = False
    server: ServerSection = ServerSection()
    webhooks: WebhooksSection = WebhooksSection()
    speech: SpeechSection = SpeechSection()
    calls: CallsSection = CallsSection()
    devices: DevicesSection = DevicesSection()
    store: StoreSection = StoreSection()
    recordings: RecordingsSection = RecordingsSection()
    log: LogSection = LogSection()
    account: tuple[AccountTable, ...] = ()
    application: tuple[ApplicationTable, ...] = ()
    number: tuple[NumberTable, ...] = ()
    trunk: tuple[TrunkTable, ...] = ()
    client: tuple[ClientTable, ...] = ()

    @property
    def local_only(self) -> bool:
        """Whether nobody but this machine reaches REST and the page: each listener is bound to loopback."""
        listeners = (self.server.http_address, self.server.https_address)
        return all(is_loopback(address[0]) for address in listeners if address is not None)

    @property
    def allow_private(self) -> bool:
        """Whether webhooks, audio and SIP targets may lead to private addresses."""
        if self.webhooks.allow_private is not None:
            return self.webhooks.allow_private
        return self.local_only

    def address_policy(self) -> AddressPolicy:
        """The guard over everything that applications name; what this file names is always allowed."""
        return AddressPolicy(
            allow_private=self.allow_private,
            always_allowed=frozenset(origin_of(url) for url in self.named_urls()),
        )

    def named_urls(self) -> tuple[str, ...]:
        """Every URL that the configuration names, and the trunks as SIP URIs."""
        urls = [self.speech.base_url] if self.speech.base_url else []
        for table in self.application:
            named = (table.voice_url, table.fallback_url, table.status_callback, table.refer_url)
            urls += [url for url in named if url]
        urls += [account.registration_hook for account in self.account if account.registration_hook]
        urls += [f"sip://{gateway.host}" for trunk in self.trunk for gateway in trunk.all_gateways]
        return tuple(dict.fromkeys(urls))

    def entries(self) -> list[Entry]:
        """The objects that the tables describe, accounts first; raises ConfigError when they contradict each
        other."""
        return seed(self.source, self.account, self.application, self.number, self.trunk, self.client)

    def directory(self) -> Directory:
        """A directory of those objects; raises ConfigError."""
        return Directory(self.entries())
