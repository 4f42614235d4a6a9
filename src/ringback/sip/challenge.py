"""Asking a peer who it is: the server side of digest authentication for requests (RFC 3261 section 22)."""

from __future__ import annotations

from ringback.sip.auth_server import DigestServer, Verdict
from ringback.sip.message import Request


def challenge(
    server: DigestServer, *, stale: bool = False, proxy: bool = False
) -> tuple[int, list[tuple[str, str]]]:
    """Status and header fields that challenge a request: for ``call.reject`` and ``incoming.reply``.

    401 with WWW-Authenticate, or 407 with Proxy-Authenticate.
    """
    status, name = (407, "Proxy-Authenticate") if proxy else (401, "WWW-Authenticate")
    return status, [(name, value) for value in server.challenges(stale=stale)]


def verify(server: DigestServer, request: Request, *, proxy: bool = False) -> Verdict:
    """Checks the credentials that a request carries. Never raises for bad input."""
    rows = request.headers.get_all("Proxy-Authorization" if proxy else "Authorization")
    return server.verify(rows, request.method, request.uri, request.body)
