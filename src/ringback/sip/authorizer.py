"""Answering challenges with the credentials of one call or registration (RFC 3261 section 22)."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.sip.auth import Challenge, Credentials, DigestClient
from ringback.sip.errors import SipParseError
from ringback.sip.flow import Flow
from ringback.sip.message import Request, Response

MAX_TRIES = 2


class Authorizer:
    """Credentials in use: for the target that they were configured for, and nobody behind or beside it.

    A digest over a stranger's nonce lets the stranger guess the password at leisure. So only requests to the
    addresses that ``trust`` was told carry credentials, and only the realm that asked first gets them.
    Requests after the first challenge carry them unasked.
    """

    def __init__(self, username: str, password: str) -> None:
        self._client = DigestClient(username, password)
        self._hosts: set[str] = set()
        self._realm: str | None = None
        self._header = ""
        self._fresh: str | None = None

    def trust(self, flows: Iterable[Flow]) -> None:
        """Addresses of the target."""
        self._hosts.update(flow.host for flow in flows)

    def learn(self, response: Response, request: Request, flow: Flow, tries: int) -> bool:
        """Takes the challenge of a 401 or 407; False when it cannot, or should not, be answered (again)."""
        ours = response.status == 401
        header = "Authorization" if ours else "Proxy-Authorization"
        rows = response.headers.get_all("WWW-Authenticate" if ours else "Proxy-Authenticate")
        rows = [row for row in rows if self._realm in (None, _realm_of(row))]
        if flow.host not in self._hosts or tries >= MAX_TRIES:
            return False
        if not self._client.worth_another_try(rows, request.headers.get_all(header)):
            return False
        value = self._client.authorize(rows, request.method, str(request.uri), request.body)
        credentials = Credentials.parse(value) if value is not None else None
        if credentials is None:
            return False
        self._realm, self._header, self._fresh = credentials.realm, header, value
        return True

    def authorize(self, request: Request, flow: Flow) -> None:
        """Adds the credentials that a request on that flow should carry."""
        if self._realm is None or flow.host not in self._hosts:
            return
        value, self._fresh = self._fresh, None
        value = value or self._client.preauthorize(
            self._realm, request.method, str(request.uri), request.body
        )
        if value is not None:
            request.headers.add(self._header, value)


def _realm_of(row: str) -> str | None:
    """The realm of a challenge; None for one that cannot be read."""
    try:
        challenge = Challenge.parse(row)
    except SipParseError:
        return None
    return challenge.realm if challenge is not None else None
