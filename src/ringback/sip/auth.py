"""Digest authentication: challenges and credentials as values, and the client's side.

:rfc:`7616`, as SIP uses it: :rfc:`3261#section-22` and :rfc:`8760`. MD5, SHA-256 and SHA-512-256 with their
-sess forms; qop none, auth and auth-int. The server's side is ``ringback.sip.auth_server``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import WS, quote, unquote

_SCHEME: Final = re.compile(r"[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+(.*)", re.DOTALL)
_PARAM: Final = re.compile(
    r"([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*" r'("[^"\\]*(?:\\.[^"\\]*)*"|[^\s",]*)[ \t]*(?:,[ \t,]*|\Z)',
    re.DOTALL,
)
_NC: Final = re.compile(r"[0-9A-Fa-f]{1,8}")
_MAX_REALMS: Final = 32

Hash = Callable[[bytes], str]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


_HASHES: Final[dict[str, Hash]] = {"SHA-512-256": _sha512_256, "SHA-256": _sha256, "MD5": _md5}
# Strongest first. SHA-512-256 is missing from some builds of OpenSSL.
_STRENGTH: Final = [
    name for name in _HASHES if name != "SHA-512-256" or "sha512_256" in hashlib.algorithms_available
]


def supports(algorithm: str) -> bool:
    return algorithm.upper().removesuffix("-SESS") in _STRENGTH


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
        fields = _digest_params(text)
        if fields is None:
            return None
        if "realm" not in fields or "nonce" not in fields:
            raise SipParseError("Incomplete Challenge")
        return Challenge(
            realm=fields["realm"],
            nonce=fields["nonce"],
            algorithm=fields.get("algorithm") or "MD5",
            qop=tuple(item for item in re.split(r"[ \t,]+", fields.get("qop", "").lower()) if item),
            opaque=fields.get("opaque"),
            stale=fields.get("stale", "").lower() == "true",
            domain=fields.get("domain"),
        )

    def build(self) -> str:
        """The header field value."""
        parts = [f"realm={quote(self.realm)}"]
        if self.domain is not None:
            parts.append(f"domain={quote(self.domain)}")
        parts.append(f"nonce={quote(self.nonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"qop={quote(','.join(self.qop))}")
        return "Digest " + ", ".join(parts)


class Credentials(msgspec.Struct, frozen=True):
    """An Authorization or Proxy-Authorization value. ``nc`` stays text: the digest covers it as it is
    written.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = ""
    algorithm: str = "MD5"
    qop: str | None = None
    cnonce: str | None = None
    nc: str | None = None
    opaque: str | None = None

    @staticmethod
    def parse(text: str) -> Credentials | None:
        """Read a header field value; None when its scheme is not Digest. Raises SipParseError (400)."""
        fields = _digest_params(text)
        if fields is None:
            return None
        if any(name not in fields for name in ("username", "realm", "nonce", "uri", "response")):
            raise SipParseError("Incomplete Credentials")
        qop, nc, cnonce = fields.get("qop"), fields.get("nc"), fields.get("cnonce")
        if qop is not None and (cnonce is None or nc is None or _NC.fullmatch(nc) is None):
            raise SipParseError("Incomplete Credentials")
        return Credentials(
            username=fields["username"],
            realm=fields["realm"],
            nonce=fields["nonce"],
            uri=fields["uri"],
            response=fields["response"],
            algorithm=fields.get("algorithm") or "MD5",
            qop=qop,
            cnonce=cnonce,
            nc=nc,
            opaque=fields.get("opaque"),
        )

    @property
    def count(self) -> int | None:
        """The nonce count as a number."""
        return None if self.nc is None else int(self.nc, 16)

    def build(self) -> str:
        """The header field value."""
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f'response="{self.response}"',
            f"algorithm={self.algorithm}",
        ]
        if self.cnonce is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            parts.append(f"qop={self.qop}, nc={self.nc}")
        return "Digest " + ", ".join(parts)

    def expected_response(self, password: str, method: str, body: bytes = b"") -> str:
        """The response that the right password gives (:rfc:`7616#section-3.4.1`). ``supports(algorithm)``
        must hold.
        """
        name = self.algorithm.upper()
        hash_ = _HASHES[name.removesuffix("-SESS")]
        key = hash_(f"{self.username}:{self.realm}:{password}".encode())
        if name.endswith("-SESS"):
            key = hash_(f"{key}:{self.nonce}:{self.cnonce or ''}".encode())
        request = f"{method}:{self.uri}"
        if self.qop is not None and self.qop.lower() == "auth-int":
            request += ":" + hash_(body)
        middle = self.nonce
        if self.qop is not None:
            middle += f":{self.nc}:{self.cnonce}:{self.qop}"
        return hash_(f"{key}:{middle}:{hash_(request.encode())}".encode())


def _digest_params(text: str) -> dict[str, str] | None:
    """The parameters of a Digest challenge or credentials, unquoted, names in lower case; None for other
    schemes.
    """
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise SipParseError("Malformed Authentication")
    if match.group(1).lower() != "digest":
        return None
    rest = match.group(2).strip(WS + ",")
    fields: dict[str, str] = {}
    position = 0
    while position < len(rest):
        param = _PARAM.match(rest, position)
        if param is None or (name := param.group(1).lower()) in fields:
            raise SipParseError("Malformed Authentication")
        fields[name] = unquote(param.group(2))
        position = param.end()
    return fields


class _Nonce(msgspec.Struct):
    """A nonce that we answered, and how often."""

    challenge: Challenge
    cnonce: str
    count: int = 0


class DigestClient:
    """Answers challenges as one user; remembers nonces, so that later requests can carry credentials unasked.

    Whether a challenger may be answered at all is the caller's decision: credentials go to no one unasked
    for.
    """

    def __init__(self, username: str, password: str, *, cnonce: Callable[[], str] | None = None) -> None:
        self._username = username
        self._password = password
        self._cnonce = cnonce or (lambda: secrets.token_hex(8))
        self._nonces: OrderedDict[str, _Nonce] = OrderedDict()  # by realm; the least recently used goes first

    def authorize(self, challenges: Iterable[str], method: str, uri: str, body: bytes = b"") -> str | None:
        """The credentials for the strongest challenge (header field values as received) that we can answer,
        or None.

        The value goes into Authorization for a 401 and into Proxy-Authorization for a 407. ``uri`` is the
        Request-URI as written. When several realms challenge, call it for the challenges of each.
        """
        known = [challenge for challenge in _parse_all(challenges) if _answerable(challenge)]
        if not known:
            return None
        best = min(known, key=lambda challenge: _STRENGTH.index(_base(challenge.algorithm)))
        nonce = self._nonces.get(best.realm)
        if (
            nonce is None
            or nonce.challenge.nonce != best.nonce
            or nonce.challenge.algorithm != best.algorithm
        ):
            self._nonces[best.realm] = _Nonce(best, self._cnonce())
        while len(self._nonces) > _MAX_REALMS:
            self._nonces.popitem(last=False)
        return self.preauthorize(best.realm, method, uri, body)

    def preauthorize(self, realm: str, method: str, uri: str, body: bytes = b"") -> str | None:
        """Credentials for a realm answered before, with the next nonce count; None for a realm not met
        yet.
        """
        nonce = self._nonces.get(realm)
        if nonce is None:
            return None
        self._nonces.move_to_end(realm)
        nonce.count += 1
        challenge = nonce.challenge
        qop = ("auth" if "auth" in challenge.qop else "auth-int") if challenge.qop else None
        sess = challenge.algorithm.upper().endswith("-SESS")
        credentials = Credentials(
            username=self._username,
            realm=realm,
            nonce=challenge.nonce,
            uri=uri,
            algorithm=challenge.algorithm,
            qop=qop,
            cnonce=nonce.cnonce if qop or sess else None,
            nc=f"{nonce.count:08x}" if qop else None,
            opaque=challenge.opaque,
        )
        response = credentials.expected_response(self._password, method, body)
        return msgspec.structs.replace(credentials, response=response).build()

    @staticmethod
    def worth_another_try(challenges: Iterable[str], sent: Iterable[str]) -> bool:
        """Whether credentials could succeed where those of the challenged request (its field values) did not.

        True for a realm that the request had no credentials for, for a nonce that has become stale, and for
        one that had worked before; false when a fresh nonce was answered in vain: the password is wrong.
        """
        refused = {row.realm: row for row in map(Credentials.parse, sent) if row is not None}
        for challenge in _parse_all(challenges):
            row = refused.get(challenge.realm)
            if row is None or (challenge.nonce != row.nonce and (challenge.stale or (row.count or 0) > 1)):
                return _answerable(challenge)
        return False


def _parse_all(challenges: Iterable[str]) -> list[Challenge]:
    """Those that can be read; the others might as well not be there."""
    found: list[Challenge] = []
    for text in challenges:
        try:
            challenge = Challenge.parse(text)
        except SipParseError:
            continue
        if challenge is not None:
            found.append(challenge)
    return found


def _answerable(challenge: Challenge) -> bool:
    known_qop = not challenge.qop or "auth" in challenge.qop or "auth-int" in challenge.qop
    return known_qop and supports(challenge.algorithm)


def _base(algorithm: str) -> str:
    return algorithm.upper().removesuffix("-SESS")
