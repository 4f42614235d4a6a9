"""Digest authentication (:rfc:`7616`, for SIP :rfc:`3261#section-22` and :rfc:`8760`), both roles.

MD5 and SHA-256 with their -sess forms; qop none, auth and auth-int.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec


class Challenge(msgspec.Struct, frozen=True):
    """One challenge of WWW-Authenticate or Proxy-Authenticate."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    """As written: ``MD5``, ``MD5-sess``, ``SHA-256`` …"""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    domain: str | None = None

    @staticmethod
    def parse(text: str) -> Challenge | None:
        """Read a header field value; None when its scheme is not Digest. Raises SipParseError (400)."""
        raise NotImplementedError

    def build(self) -> str:
        """The header field value."""
        raise NotImplementedError


class Credentials(msgspec.Struct, frozen=True):
    """An Authorization or Proxy-Authorization value."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str | None = None
    cnonce: str | None = None
    nc: int | None = None
    opaque: str | None = None

    @staticmethod
    def parse(text: str) -> Credentials | None:
        """Read a header field value; None when its scheme is not Digest. Raises SipParseError (400)."""
        raise NotImplementedError

    def build(self) -> str:
        raise NotImplementedError


class DigestClient:
    """Answers challenges as one user; remembers nonces, so that later requests can carry credentials unasked.

    Whether a challenger may be answered at all, and how often, is the caller's decision: see ``worth_another_try``.
    """

    def __init__(self, username: str, password: str) -> None: ...

    def authorize(self, challenges: Iterable[str], method: str, uri: str, body: bytes = b"") -> str | None:
        """The credentials for the strongest challenge (header field values as received) that we can answer, or None.

        The value goes into Authorization for a 401 and into Proxy-Authorization for a 407. ``uri`` is the Request-URI
        as written.
        """
        raise NotImplementedError

    def preauthorize(self, realm: str, method: str, uri: str, body: bytes = b"") -> str | None:
        """Credentials for a realm whose challenge was answered before, with the next nonce count; None without one."""
        raise NotImplementedError

    def worth_another_try(self, challenges: Iterable[str], tries: int) -> bool:
        """Whether a request that was challenged again after ``tries`` attempts may be sent once more.

        True for the first challenge, and for a second one that says ``stale`` or names a realm not answered yet.
        """
        raise NotImplementedError


class DigestServer:
    """Challenges and checks requests. Nonces are signed and dated, not stored; only nonce counts are remembered.

    ``lookup`` gives a user's password, None for nobody; both outcomes take the same work and look the same.
    ``clock`` gives seconds.
    """

    def __init__(
        self,
        realm: str,
        lookup: Callable[[str], str | None],
        clock: Callable[[], float],
        *,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        nonce_lifetime: float = 300.0,
    ) -> None: ...

    def challenges(self, *, stale: bool = False) -> list[str]:
        """The values of the WWW-Authenticate (Proxy-Authenticate) fields, strongest first (:rfc:`8760#section-2.3`)."""
        raise NotImplementedError

    def verify(self, authorization: Iterable[str], method: str, uri: str, body: bytes = b"") -> Verdict:
        """Check the Authorization (Proxy-Authorization) rows of a request. Never raises for bad input."""
        raise NotImplementedError


class Verdict(msgspec.Struct, frozen=True):
    """``username`` is set when the credentials hold; else challenge again, with ``stale`` as given here."""

    username: str | None = None
    stale: bool = False
