"""The HTTP library's exceptions, told apart by the stage at which they happen."""

from __future__ import annotations

import errno
import ssl

import aiohttp

from ringback.net.guard import AddressRefused
from ringback.net.reply import HttpFailure


def failure_of(error: Exception, url: str) -> HttpFailure:
    """The library's exception as ours, the most particular first."""
    if isinstance(error, HttpFailure):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, AddressRefused):
        return HttpFailure("refused-address", text, url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return HttpFailure("dns", str(error.os_error) or text, url)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return HttpFailure("connect", "the connection was not made in time", url)
    if isinstance(error, TimeoutError):
        return HttpFailure("timeout", "the server fell silent", url)
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return HttpFailure("tls", text, url)
    if isinstance(error, aiohttp.InvalidURL):
        return HttpFailure("invalid-url", text, url)
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return HttpFailure("protocol", f"the handshake was answered with {error.status}", url, error.status)
    if isinstance(error, (aiohttp.ServerDisconnectedError, ConnectionResetError)):
        return HttpFailure("connect", "the server closed the connection without a reply", url)
    if isinstance(error, aiohttp.ClientConnectorError):
        return HttpFailure("connect", _not_connected(error), url)
    if isinstance(error, OSError):
        return HttpFailure("connect", text, url)
    return HttpFailure("protocol", text, url)


def _not_connected(error: aiohttp.ClientConnectorError) -> str:
    """In our words: the library's name how TLS would have been done, also where there was to be none."""
    host = f"[{error.host}]" if ":" in error.host else error.host
    where = f"{host}:{error.port}"
    if error.errno == errno.ECONNREFUSED:
        return f"nothing listens at {where}"
    return f"{where} cannot be reached: {error.strerror or error.os_error}"
