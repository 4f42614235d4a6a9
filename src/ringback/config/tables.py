"""The tables of `ringback.toml`, key by key, with their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec

from ringback.routing.trunk import CalledFrom, CallerIdForm, NumberFormat
from ringback.sip.flow import split_address

Method = Literal["GET", "POST"]
Dialect = Literal["laml", "jambonz", "callapi"]
Transport = Literal["udp", "tcp"]
Profile = Literal["", "signalwire", "twilio"]


class ServerSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[server]`: where it listens, what it keeps where."""

    http: str = "127.0.0.1:8080"
    https: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    sip: tuple[str, ...] = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")
    rtp: str = "127.0.0.1:20000-29999"
    digest: Literal["MD5", "SHA-256", "both"] = "MD5"  # the challenges that devices get
    advertise: str = ""  # ADDRESS or ADDRESS:PORT; empty: ours on the way to each peer
    public_url: str = ""  # default: made of `http`
    data: str = "ringback-data"
    database: str = "sqlite"
    media_workers: int = 1
    metrics_token: str = ""  # lets in whoever asks for /metrics from elsewhere, as a bearer token

    @property
    def http_address(self) -> tuple[str, int]:
        """Host and port of the HTTP listener."""
        return split_address(self.http, 8080)

    @property
    def https_address(self) -> tuple[str, int] | None:
        """Host and port of the HTTPS listener, if there is to be one."""
        return split_address(self.https, 8443) if self.https else None

    @property
    def advertised(self) -> tuple[str, int]:
        """The address that peers are told in SIP and SDP, and the port in SIP; "" and 0: our own."""
        return split_address(self.advertise, 0) if self.advertise else ("", 0)

    @property
    def rtp_range(self) -> tuple[str, int, int]:
        """Host, first and last port for RTP."""
        address, _, last = self.rtp.rpartition("-")
        host, first = split_address(address, 0)
        return host, first, int(last)

    @property
    def digest_algorithms(self) -> tuple[str, ...]:
        """The challenges, strongest first.

        MD5 alone is the default: telephones are in use that give up on seeing any other algorithm, even
        beside MD5, where they should go by what they know (RFC 8760 section 2.3).
        """
        return ("SHA-256", "MD5") if self.digest == "both" else (self.digest,)

    @property
    def base_url(self) -> str:
        """What links to this server are made of, without a slash at the end."""
        return (self.public_url or f"http://{self.http}").rstrip("/")

    @property
    def data_path(self) -> Path:
        """The data directory, as an absolute path."""
        return Path(self.data).absolute()


class WebhooksSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[webhooks]`."""

    allow_private: bool | None = None  # default: true while http and https are bound to loopback


class SpeechSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[speech]`: who turns text into audio."""

    provider: Literal["espeak", "openai"] = "espeak"
    base_url: str = ""
    api_key: str = ""
    model: str = ""
    voice: str = ""


class CallsSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[calls]`."""

    verify_caller_id: bool = False
    max_call_seconds: int = 14_400
    shutdown_seconds: int = 30  # how long running calls may go on after a stop was asked for


class DevicesSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[devices]`: the SIP devices that register here. Seconds, where a key has no other unit."""

    max_contacts: int = 5  # of one client; the oldest gives way
    min_expires: int = 30
    default_expires: int = 3600
    max_expires: int = 7200
    nat_expires: int = 30  # granted at most over UDP through a NAT, which forgets the way back after that
    keep_alive: Literal["nat", "always", "never"] = "always"  # whom OPTIONS go to
    keep_alive_seconds: int = 60
    keep_alive_tries: int = 3  # so many without an answer in a row, and the contact is dropped
    proxies: tuple[str, ...] = ()  # names, addresses, networks: devices may register through these (Path)
    failures: int = 20  # wrong passwords from one address at once; 0: any number
    failures_per_minute: float = 10.0


class StoreSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[store]`: how long things are kept."""

    retention_days: int = 0  # of calls, their events, traces and recordings, since their end; 0: for ever
    trace_megabytes: int = 64  # 0: no trace


class RecordingsSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[recordings]`: where they go when they are finished."""

    storage: str = ""  # s3://…, gs://…, az://…; empty: the folder `recordings` in the data directory
    storage_options: dict[str, str] = {}  # credentials, endpoint …; default: the provider's environment
    give_up_hours: float = 72.0  # how long storing one is tried
    min_free_megabytes: int = 100  # with less room on the disk none is begun
    retention_days: int = 0  # 0: as long as their calls


class LogSection(msgspec.Struct, frozen=True, kw_only=True):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class AccountTable(msgspec.Struct, frozen=True, kw_only=True):
    """`[[account]]`."""

    name: str
    token: str
    sid: UUID | None = None
    signing_key: str = ""
    webhook_secret: str = ""
    service_provider_sid: UUID | None = None
    device_application: str = ""
    devices_dial_out: bool = False
    sip_realm: str = ""
    registration_hook: str = ""
    registration_hook_method: Method = "POST"
    registration_hook_username: str = ""
    registration_hook_password: str = ""
    max_calls: int = 0  # 0, here and below: no limit
    calls_per_second: float = 0.0
    max_queued: int = 1000


class ApplicationTable(msgspec.Struct, frozen=True, kw_only=True):
    """`[[application]]`."""

    name: str
    dialect: Dialect
    account: str = ""  # default, here and below: the only account
    sid: UUID | None = None
    profile: Profile = ""  # laml only; empty: signalwire
    voice_url: str = ""
    voice_method: Method = "POST"
    fallback_url: str = ""
    fallback_method: Method = "POST"
    status_callback: str = ""
    status_callback_method: Method = "POST"
    refer_url: str = ""  # callapi only: asked when a party of a Dial wants to be transferred
    refer_method: Method = "POST"
    username: str = ""
    password: str = ""
    env_vars: dict[str, str] = {}
    app_json: str = ""
    speech_synthesis_vendor: str = ""
    speech_synthesis_language: str = ""
    speech_synthesis_voice: str = ""
    speech_recognizer_vendor: str = ""
    speech_recognizer_language: str = ""


class NumberTable(msgspec.Struct, frozen=True, kw_only=True):
    """`[[number]]`."""

    number: str
    application: str = ""
    account: str = ""
    sid: UUID | None = None


class GatewayTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the `gateways` of a trunk."""

    host: str
    transport: Transport = "udp"
    priority: int = 0
    weight: int = 1


class TrunkTable(msgspec.Struct, frozen=True, kw_only=True):
    """`[[trunk]]`."""

    name: str
    account: str = ""
    sid: UUID | None = None
    host: str = ""  # the short form of one gateway, with `transport`
    transport: Transport = "udp"
    gateways: tuple[GatewayTable, ...] = ()
    username: str = ""
    password: str = ""
    register: bool = False
    options_seconds: int = 0
    answer_seconds: float = 5.0
    max_calls: int = 0
    calls_per_second: float = 0.0
    number_format: NumberFormat = "as-dialled"
    strip: str = ""
    prefix: str = ""
    caller_id: CallerIdForm = "from"
    identity: str = ""
    diversion: bool = False
    inbound_from: tuple[str, ...] = ()
    application: str = ""
    called_from: CalledFrom = "request-uri"
    trust_identity: bool = False
    overload_status: int = 503

    @property
    def all_gateways(self) -> tuple[GatewayTable, ...]:
        """Those of the list, or the one of `host`."""
        return self.gateways or (
            (GatewayTable(host=self.host, transport=self.transport),) if self.host else ()
        )


class ClientTable(msgspec.Struct, frozen=True, kw_only=True):
    """`[[client]]`."""

    username: str
    password: str
    account: str = ""
    sid: UUID | None = None
