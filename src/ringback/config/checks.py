"""What types alone cannot say about a value: addresses, port ranges, URLs, limits, secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from ringback.calls.recordings.storage import ObjectStorage, StorageError
from ringback.config.reading import Reader
from ringback.config.tables import (
    AccountTable,
    ApplicationTable,
    CallsSection,
    ClientTable,
    DevicesSection,
    RecordingsSection,
    ServerSection,
    SpeechSection,
    StoreSection,
    TrunkTable,
)
from ringback.routing.numbers import is_telephone_number
from ringback.sip.flow import parse_listen, split_address

_HOST_NAME = re.compile(r"[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*")
_HTTP = ("http", "https")
_WEBSOCKET = ("ws", "wss")
_NO_REFUSALS = frozenset({401, 407, 422, 423, 494})
"""What a caller answers by asking again, in another way."""
_STORAGE = ("s3://", "gs://", "az://")


def check_server(reader: Reader, server: ServerSection) -> None:
    """`[server]`."""
    _address(reader, server.http, "server.http", port=None)
    if server.https:
        _address(reader, server.https, "server.https", port=None)
        if bool(server.tls_certificate) != bool(server.tls_key):
            missing = "tls_key" if server.tls_certificate else "tls_certificate"
            reader.expected("tls_certificate and tls_key, or neither", None, f"server.{missing}")
    if not server.sip:
        reader.expected("at least one udp:HOST:PORT or tcp:HOST:PORT", None, "server.sip")
    for index, text in enumerate(server.sip):
        if not _holds(parse_listen, text):
            reader.expected("udp:HOST:PORT or tcp:HOST:PORT", text, f"server.sip[{index}]")
    if server.advertise and not _holds(lambda: _advertised(server)):
        reader.expected("ADDRESS or ADDRESS:PORT that others reach", server.advertise, "server.advertise")
    if not _holds(lambda: _port_range(server)):
        wanted = "HOST:FIRST-LAST with an even port and the next for each media worker"
        reader.expected(wanted, server.rtp, "server.rtp")
    if server.public_url:
        _url(reader, server.public_url, _HTTP, "server.public_url")
    _at_least(reader, 1, server.media_workers, "server.media_workers")
    if server.database != "sqlite" and not server.database.startswith(("postgresql://", "postgres://")):
        reader.expected("sqlite or postgresql://…", server.database, "server.database")


def check_speech(reader: Reader, speech: SpeechSection) -> None:
    """`[speech]`."""
    if speech.base_url:
        _url(reader, speech.base_url, _HTTP, "speech.base_url")
    elif speech.provider == "openai":
        reader.expected("the address of the provider", "", "speech.base_url")


def check_calls(reader: Reader, calls: CallsSection) -> None:
    """`[calls]`."""
    _at_least(reader, 1, calls.max_call_seconds, "calls.max_call_seconds")
    _at_least(reader, 0, calls.shutdown_seconds, "calls.shutdown_seconds")


def check_devices(reader: Reader, devices: DevicesSection) -> None:
    """`[devices]`."""
    for key, least in (("max_contacts", 1), ("min_expires", 1), ("nat_expires", 1), ("keep_alive_tries", 1)):
        _at_least(reader, least, getattr(devices, key), f"devices.{key}")
    _at_least(reader, devices.min_expires, devices.default_expires, "devices.default_expires")
    _at_least(reader, devices.default_expires, devices.max_expires, "devices.max_expires")
    _at_least(reader, 5, devices.keep_alive_seconds, "devices.keep_alive_seconds")
    for proxy in devices.proxies:
        if not _is_host(proxy):
            reader.expected("an address, a network or a host name", proxy, "devices.proxies")
    _at_least(reader, 0, devices.failures, "devices.failures")
    _at_least(reader, 0, devices.failures_per_minute, "devices.failures_per_minute")


def _is_host(text: str) -> bool:
    """An address, a network, or what may be a host name."""
    return _holds(ipaddress.ip_interface, text) or _HOST_NAME.fullmatch(text) is not None


def check_accounts(reader: Reader, accounts: Sequence[AccountTable]) -> None:
    """Limits and addresses of `[[account]]`."""
    for index, table in enumerate(accounts):
        where = f"account[{index}]"
        if table.registration_hook:
            _url(reader, table.registration_hook, _HTTP, f"{where}.registration_hook")
        for key in ("max_calls", "calls_per_second", "max_queued"):
            _at_least(reader, 0, getattr(table, key), f"{where}.{key}")


def check_store(reader: Reader, store: StoreSection) -> None:
    """`[store]`."""
    _at_least(reader, 0, store.retention_days, "store.retention_days")
    _at_least(reader, 0, store.trace_megabytes, "store.trace_megabytes")


def check_recordings(reader: Reader, recordings: RecordingsSection) -> None:
    """`[recordings]`."""
    if recordings.storage and not recordings.storage.startswith(_STORAGE):
        reader.expected("s3://…, gs://… or az://…", recordings.storage, "recordings.storage")
    elif recordings.storage:
        try:
            ObjectStorage(recordings.storage, recordings.storage_options)
        except StorageError as error:
            reader.problems.append(f"{error}, at {reader.file}:recordings.storage")
    _at_least(reader, 0, recordings.give_up_hours, "recordings.give_up_hours")
    _at_least(reader, 0, recordings.min_free_megabytes, "recordings.min_free_megabytes")
    _at_least(reader, 0, recordings.retention_days, "recordings.retention_days")


def check_secrets(reader: Reader, accounts: Sequence[AccountTable], clients: Sequence[ClientTable]) -> None:
    """What lets somebody in must be something: an empty token or password would let in everybody."""
    for index, account in enumerate(accounts):
        if not account.token:
            reader.expected("a token", account.token, f"account[{index}].token")
    for index, client in enumerate(clients):
        for key in ("username", "password"):
            if not getattr(client, key):
                reader.expected(f"a {key}", "", f"client[{index}].{key}")


def check_applications(reader: Reader, applications: Sequence[ApplicationTable]) -> None:
    """The URLs of `[[application]]`; jambonz applications may be WebSocket servers."""
    for index, table in enumerate(applications):
        for key in ("voice_url", "fallback_url", "status_callback", "refer_url"):
            value = getattr(table, key)
            if value:
                _url(reader, value, _schemes(table.dialect), f"application[{index}].{key}")


def application_url_mistake(dialect: str, url: str) -> str | None:
    """What the URL of an application should have been; None for one that is good."""
    return _url_mistake(url, _schemes(dialect))


def _schemes(dialect: str) -> tuple[str, ...]:
    return _HTTP + _WEBSOCKET if dialect == "jambonz" else _HTTP


def check_trunks(reader: Reader, trunks: Sequence[TrunkTable]) -> None:
    """Addresses, numbers and limits of `[[trunk]]`."""
    for index, table in enumerate(trunks):
        where = f"trunk[{index}]"
        if table.host and table.gateways:
            reader.expected("host or gateways, not both", table.host, f"{where}.host")
        if table.host:
            _address(reader, table.host, f"{where}.host")
        for place, gateway in enumerate(table.gateways):
            _address(reader, gateway.host, f"{where}.gateways[{place}].host")
            _at_least(reader, 0, gateway.priority, f"{where}.gateways[{place}].priority")
            _at_least(reader, 0, gateway.weight, f"{where}.gateways[{place}].weight")
        if table.register and not (table.all_gateways and table.username):
            reader.expected("host and username for a trunk that registers", None, f"{where}.register")
        for key in ("strip", "prefix", "identity"):
            value = getattr(table, key)
            if value and not is_telephone_number(value):
                reader.expected("the digits of a telephone number", value, f"{where}.{key}")
        for key in ("options_seconds", "max_calls", "calls_per_second"):
            _at_least(reader, 0, getattr(table, key), f"{where}.{key}")
        _at_least(reader, 1, table.answer_seconds, f"{where}.answer_seconds")
        if not 400 <= table.overload_status <= 699 or table.overload_status in _NO_REFUSALS:
            wanted = "a SIP status that refuses, such as 503, 480 or 600"
            reader.expected(wanted, table.overload_status, f"{where}.overload_status")


def _at_least(reader: Reader, least: float, value: float, where: str) -> None:
    if value < least:
        reader.expected(f"at least {least}", value, where)


def _address(reader: Reader, text: str, where: str, port: int | None = 1) -> None:
    """`port`: the one that is meant where none is given; None: it must be given."""

    def parsed() -> None:
        host, number = split_address(text, -1 if port is None else port)
        if not host or "/" in host or "@" in host or not 0 <= number <= 65535:
            raise ValueError(text)

    if not _holds(parsed):
        reader.expected("HOST:PORT", text, where)


def _advertised(server: ServerSection) -> None:
    """It is written into session descriptions, and not every telephone looks up a name there."""
    host, port = server.advertised
    if ipaddress.ip_address(host).is_unspecified or not 0 <= port <= 65535:
        raise ValueError(server.advertise)


def _url(reader: Reader, text: str, schemes: tuple[str, ...], where: str) -> None:
    wanted = _url_mistake(text, schemes)
    if wanted is not None:
        reader.expected(wanted, text, where)


def _url_mistake(text: str, schemes: tuple[str, ...]) -> str | None:
    def parsed() -> None:
        parts = urlsplit(text)
        if parts.scheme.lower() not in schemes or not parts.hostname or parts.port == 0:
            raise ValueError(text)

    return None if _holds(parsed) else f"a URL ({', '.join(schemes)})"


def _port_range(server: ServerSection) -> None:
    host, first, last = server.rtp_range
    pairs = range(first + first % 2, last, 2)
    if not host or not 0 < first < last <= 65535 or len(pairs) < server.media_workers:
        raise ValueError(server.rtp)


def _holds(check: Callable[..., object], *arguments: str) -> bool:
    try:
        check(*arguments)
    except ValueError:
        return False
    return True
