"""Digest authentication, the server's side: challenge a request and check what comes back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from ringback.sip.auth import Challenge, Credentials, supports
from ringback.sip.errors import SipParseError
from ringback.sip.uri import Uri

_STAMP: Final = 12  # hex digits of milliseconds
_SALT: Final = 16
_SEAL: Final = 32


class Verdict(msgspec.Struct, frozen=True):
    """``username`` is set when the credentials hold; else challenge again, with ``stale`` as given here.
    ``wrong``: somebody tried a password that is not right."""

    username: str | None = None
    stale: bool = False
    wrong: bool = False


class Claim(msgspec.Struct, frozen=True):
    """Credentials whose nonce is good, for somebody else to judge; else challenge, with ``stale``."""

    credentials: Credentials | None = None
    stale: bool = False


class DigestServer:
    """Nonces are signed and dated, not stored; only the counts of those in use are, within bounds.

    ``lookup`` gives a user's password, None for nobody; both outcomes take the same work and look the same.
    ``clock`` gives seconds, which never run backwards.
    """

    def __init__(
        self,
        realm: str,
        lookup: Callable[[str], str | None],
        clock: Callable[[], float],
        *,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        qop: tuple[str, ...] = ("auth",),
        nonce_lifetime: float = 300.0,
        max_nonces: int = 10_000,
    ) -> None:
        if not all(map(supports, algorithms)):
            raise ValueError(f"not all of these digest algorithms are known: {', '.join(algorithms)}")
        self.realm = realm
        self._lookup = lookup
        self._clock = clock
        self._algorithms = algorithms
        self._qop = qop
        self._lifetime = nonce_lifetime
        self._max_nonces = max_nonces
        self._secret = secrets.token_bytes(32)
        self._decoy = secrets.token_hex(16)  # the password of users that do not exist
        self._counts: OrderedDict[str, int] = OrderedDict()  # nonce -> highest count accepted
        self._floor = 0.0  # nonces made before this are stale: the memory of their counts was given up

    def challenges(self, *, stale: bool = False) -> list[str]:
        """The values of the WWW-Authenticate (Proxy-Authenticate) fields, strongest first
        (:rfc:`8760#section-2.3`).
        """
        return [
            Challenge(self.realm, self._make_nonce(), algorithm, self._qop, None, stale).build()
            for algorithm in self._algorithms
        ]

    def verify(self, authorization: Iterable[str], method: str, uri: Uri, body: bytes = b"") -> Verdict:
        """Check the Authorization (Proxy-Authorization) rows of a request. Never raises for bad input."""
        credentials = self._find(authorization)
        if credentials is None or not _same_user(credentials.uri, uri):
            return Verdict()
        password = self._lookup(credentials.username)
        expected = credentials.expected_response(self._decoy if password is None else password, method, body)
        right = hmac.compare_digest(expected.encode(), credentials.response.lower().encode())
        if not right or password is None:
            return Verdict(wrong=True)
        if not self._count(credentials):
            return Verdict(stale=True)
        return Verdict(credentials.username)

    def claim(self, authorization: Iterable[str], uri: Uri) -> Claim:
        """The credentials of a request, their nonce checked and used up; whether they are right is not known
        here. Never raises for bad input."""
        credentials = self._find(authorization)
        if credentials is None or not _same_user(credentials.uri, uri):
            return Claim()
        if not self._count(credentials):
            return Claim(stale=True)
        return Claim(credentials)

    def _find(self, authorization: Iterable[str]) -> Credentials | None:
        offered = {algorithm.upper() for algorithm in self._algorithms}
        for row in authorization:
            try:
                credentials = Credentials.parse(row)
            except SipParseError:
                continue
            if (
                credentials is not None
                and credentials.realm == self.realm
                and credentials.algorithm.upper() in offered
                and (credentials.qop or "auth").lower() in ("auth", "auth-int")
            ):
                return credentials
        return None

    def _count(self, credentials: Credentials) -> bool:
        """Note the use of a nonce; False when it is not ours, too old, or was used with this count before.

        Without qop there is no count (:rfc:`2617#section-3.2.2`): such a nonce serves once.
        """
        nonce = credentials.nonce
        made = self._made_at(nonce)
        if made is None or not self._floor <= made or self._clock() - made > self._lifetime:
            return False
        count = credentials.count or 0
        if count <= self._counts.get(nonce, -1 if credentials.qop is None else 0):
            return False
        self._counts[nonce] = count
        while len(self._counts) > self._max_nonces:
            oldest, _ = self._counts.popitem(last=False)
            self._floor = max(self._floor, (self._made_at(oldest) or 0.0) + 0.001)
        return True

    def _make_nonce(self) -> str:
        return self._sealed(f"{int(self._clock() * 1000):0{_STAMP}x}" + secrets.token_hex(_SALT // 2))

    def _sealed(self, text: str) -> str:
        seal = hmac.new(self._secret, f"{self.realm}:{text}".encode(), hashlib.sha256).hexdigest()
        return text + seal[:_SEAL]

    def _made_at(self, nonce: str) -> float | None:
        """When we made this nonce, in seconds; None when we did not."""
        text = nonce[: _STAMP + _SALT]
        if not hmac.compare_digest(self._sealed(text).encode(), nonce.encode()):
            return None
        return int(text[:_STAMP], 16) / 1000


def _same_user(claimed: str, uri: Uri) -> bool:
    """Credentials for one callee must not open another; hosts may differ, since proxies rewrite them.

    A digest-uri that names nobody, only the server, is what some peers (SIPp) compute over: it opens whatever
    its nonce was made for, once.
    """
    try:
        return Uri.parse(claimed).user in (uri.user, None)
    except SipParseError:
        return False
