"""What types alone cannot say about a value: addresses, port ranges, URLs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from ringback.config.reading import Reader
from ringback.config.tables import ApplicationTable, ServerSection, SpeechSection, TrunkTable
from ringback.sip.flow import parse_listen, split_address

_HTTP = ("http", "https")
_WEBSOCKET = ("ws", "wss")


def check_server(reader: Reader, server: ServerSection) -> None:
    """`[server]`."""
    _address(reader, server.http, "server.http")
    if server.https:
        _address(reader, server.https, "server.https")
        if bool(server.tls_certificate) != bool(server.tls_key):
            missing = "tls_key" if server.tls_certificate else "tls_certificate"
            reader.expected("tls_certificate and tls_key, or neither", None, f"server.{missing}")
    for index, text in enumerate(server.sip):
        if not _holds(parse_listen, text):
            reader.expected("udp:HOST:PORT or tcp:HOST:PORT", text, f"server.sip[{index}]")
    if not _holds(lambda: _port_range(server)):
        reader.expected("HOST:FIRST-LAST with at least two ports", server.rtp, "server.rtp")
    if server.public_url:
        _url(reader, server.public_url, _HTTP, "server.public_url")
    if server.media_workers < 1:
        reader.expected("at least 1", server.media_workers, "server.media_workers")
    if not server.sip:
        reader.expected("at least one udp:HOST:PORT or tcp:HOST:PORT", None, "server.sip")
    if server.database != "sqlite" and not server.database.startswith(("postgresql://", "postgres://")):
        reader.expected("sqlite or postgresql://…", server.database, "server.database")

    if server.advertise and not _holds(lambda: _advertised(server)):
        reader.expected("ADDRESS or ADDRESS:PORT that others reach", server.advertise, "server.advertise")

def check_speech(reader: Reader, speech: SpeechSection) -> None:
    """`[speech]`."""
    if speech.base_url:
        _url(reader, speech.base_url, _HTTP, "speech.base_url")
    elif speech.provider == "openai":
        reader.expected("the address of the provider", "", "speech.base_url")


def check_applications(reader: Reader, applications: Sequence[ApplicationTable]) -> None:
    """The URLs of `[[application]]`; jambonz applications may be WebSocket servers."""
    for index, table in enumerate(applications):
        schemes = _HTTP + _WEBSOCKET if table.dialect == "jambonz" else _HTTP
        for key in ("voice_url", "fallback_url", "status_callback"):
            value = getattr(table, key)
            if value:
                _url(reader, value, schemes, f"application[{index}].{key}")


def check_trunks(reader: Reader, trunks: Sequence[TrunkTable]) -> None:
    """The addresses of `[[trunk]]`."""
    for index, table in enumerate(trunks):
        if table.host:
            _address(reader, table.host, f"trunk[{index}].host")
        if table.register and not (table.host and table.username):
            reader.expected("host and username for a trunk that registers", None, f"trunk[{index}].register")


def _address(reader: Reader, text: str, where: str) -> None:
    def parsed() -> None:
        host, port = split_address(text, 1)
        if not host or "/" in host or "@" in host or not 0 <= port <= 65535:
            raise ValueError(text)

    if not _holds(parsed):
        reader.expected("HOST:PORT", text, where)


def _url(reader: Reader, text: str, schemes: tuple[str, ...], where: str) -> None:
    def parsed() -> None:
        parts = urlsplit(text)
        if parts.scheme.lower() not in schemes or not parts.hostname or parts.port == 0:
            raise ValueError(text)

    if not _holds(parsed):
        reader.expected(f"a URL ({', '.join(schemes)})", text, where)


def _port_range(server: ServerSection) -> None:
    host, first, last = server.rtp_range
    if not host or not 0 < first < last <= 65535:
        raise ValueError(server.rtp)


def _holds(check: Callable[..., object], *arguments: str) -> bool:
    try:
        check(*arguments)
    except ValueError:
        return False
    return True
def _advertised(server: ServerSection) -> None:
    """It is written into session descriptions, and not every telephone looks up a name there."""
    host, port = server.advertised
    if ipaddress.ip_address(host).is_unspecified or not 0 <= port <= 65535:
        raise ValueError(server.advertise)


