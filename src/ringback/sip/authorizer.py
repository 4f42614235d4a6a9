"""Answering challenges with the credentials of one call or registration (RFC 3261 section 22)."""

from __future__ import annotations

from ringback.sip.auth import Credentials, DigestClient
from ringback.sip.message import Request, Response

MAX_TRIES = 2


class Authorizer:
    """Credentials in use. Requests after the first challenge carry them unasked."""

    def __init__(self, username: str, password: str) -> None:
        self._client = DigestClient(username, password)
        self._headers: dict[str, str] = {}
        self._fresh: dict[str, str] = {}

    def learn(self, response: Response, request: Request, tries: int) -> bool:
        """Takes the challenge of a 401 or 407; False when it cannot, or should not, be answered again."""
        ours = response.status == 401
        rows = response.headers.get_all("WWW-Authenticate" if ours else "Proxy-Authenticate")
        header = "Authorization" if ours else "Proxy-Authorization"
        if tries >= MAX_TRIES or not self._client.worth_another_try(rows, request.headers.get_all(header)):
            return False
        value = self._client.authorize(rows, request.method, str(request.uri), request.body)
        credentials = Credentials.parse(value) if value is not None else None
        if value is None or credentials is None:
            return False
        self._headers[credentials.realm] = header
        self._fresh[credentials.realm] = value
        return True

    def authorize(self, request: Request) -> None:
        """Adds the credentials that the next request should carry, for every realm that asked."""
        fresh, self._fresh = self._fresh, {}
        for realm, header in self._headers.items():
            value = fresh.get(realm) or self._client.preauthorize(
                realm, request.method, str(request.uri), request.body
            )
            if value is not None:
                request.headers.add(header, value)
