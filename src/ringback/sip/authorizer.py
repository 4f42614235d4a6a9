"""Answering challenges with the credentials of one call or registration (RFC 3261 section 22)."""

from __future__ import annotations

from ringback.sip.auth import Challenge, DigestClient
from ringback.sip.errors import SipParseError
from ringback.sip.message import Request, Response

MAX_TRIES = 2


class Authorizer:
    """Credentials in use. Requests after the first challenge carry them unasked."""

    def __init__(self, username: str, password: str) -> None:
        self._client = DigestClient(username, password)
        self._fresh: dict[str, str] = {}
        self._realms: dict[str, str] = {}

    def learn(self, response: Response, request: Request, tries: int) -> bool:
        """Takes the challenge of a 401 or 407; False when it cannot, or should not, be answered again."""
        ours = response.status == 401
        rows = response.headers.get_all("WWW-Authenticate" if ours else "Proxy-Authenticate")
        header = "Authorization" if ours else "Proxy-Authorization"
        sent = request.headers.get_all(header)
        if tries >= MAX_TRIES or not self._client.worth_another_try(rows, sent):
            return False
        value = self._client.authorize(rows, request.method, str(request.uri), request.body)
        if value is None:
            return False
        self._fresh[header] = value
        self._realms.update(dict.fromkeys(_realms(rows), header))
        return True

    def authorize(self, request: Request) -> None:
        """Adds the credentials that the next request should carry."""
        for realm, header in self._realms.items():
            if header in self._fresh:
                continue
            value = self._client.preauthorize(realm, request.method, str(request.uri), request.body)
            if value is not None:
                request.headers.add(header, value)
        for header, value in self._fresh.items():
            request.headers.add(header, value)
        self._fresh.clear()


def _realms(rows: list[str]) -> list[str]:
    found: list[str] = []
    for row in rows:
        try:
            challenge = Challenge.parse(row)
        except SipParseError:
            continue
        if challenge is not None:
            found.append(challenge.realm)
    return found
