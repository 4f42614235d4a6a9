"""Whether a device is who it says it is: by its password here, or by asking the account's web application."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from typing import Protocol

import msgspec

from ringback.net.clock import utcnow
from ringback.routing.directory import Account, Client, Directory
from ringback.routing.failures import Failures
from ringback.routing.hush import Hush
from ringback.sip.auth import Credentials
from ringback.sip.auth_server import DigestServer
from ringback.sip.flow import Flow
from ringback.sip.message import Request

logger = logging.getLogger(__name__)

REALM = "ringback"
_MOST_ASKED = 256
"""Questions to web applications at a time; whoever comes then is told to come back."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody claims to be a device; the nonce is good, the digest is for the web application to judge."""

    method: str
    credentials: Credentials
    source: Flow
    expires: int | None
    headers: tuple[tuple[str, str], ...]


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """It is that device. `expires`: a registration lasts no longer, in seconds; the URLs stand in for those
    of the application that answers a call; `headers` go with the 200 to a REGISTER."""

    expires: int | None = None
    voice_url: str = ""
    status_callback: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """It is not, or must not. `bar`: seconds in which that address may try nothing more at that account."""

    status: int = 403
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    bar: float = 0.0


class Challenged(msgspec.Struct, frozen=True):
    """It has to prove it first."""

    status: int
    headers: tuple[tuple[str, str], ...]


Verdict = Admitted | Denied | Challenged


class DeviceAuthenticator(Protocol):
    """Asks a web application about a device; each dialect that has such a thing provides one."""

    async def judge(self, account: Account, attempt: Attempt) -> Admitted | Denied:
        """What the application says; never raises for what it did wrong."""
        ...


class Doorkeeper:
    """Proves devices. `algorithms`: of the challenges, strongest first."""

    def __init__(
        self,
        directory: Directory,
        failures: Failures,
        authenticator: DeviceAuthenticator | None = None,
        *,
        algorithms: tuple[str, ...] = ("MD5",),
    ) -> None:
        self._directory = directory
        self._failures = failures
        self._authenticator = authenticator
        self._algorithms = algorithms
        self._hush = Hush(time.monotonic)
        self._digests: dict[str, DigestServer] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def prove(
        self, request: Request, source: Flow, client: Client | None, then: Callable[[Verdict], None]
    ) -> None:
        """Call `then` with the verdict: at once, or when the web application has said it.

        A REGISTER for somebody unknown (`client` is None) is treated as one with a wrong password: who exists
        is nobody's business.
        """
        field = "Authorization" if request.method == "REGISTER" else "Proxy-Authorization"
        rows = request.headers.get_all(field)
        wait = self._failures.barred(source.host, client.account_id if client else None) if rows else 0
        if wait:
            if request.method == "REGISTER":  # a refused call is told of like any other
                why = f"too many attempts from there, the next in {wait} s"
                self._complain(request, source, client, why, about=source.host)
            then(Denied(status=503, reason="Too Many Attempts", headers=(("Retry-After", str(wait)),)))
            return
        digest = self._digest(self._realm(request))
        account = self._directory.account(client.account_id) if client is not None else None
        if client is not None and account is not None and account.registration_hook is not None:
            self._ask(request, source, client, account, digest, then)
            return
        verdict = digest.verify(rows, request.method, request.uri, request.body)
        if client is not None and verdict.username == client.username:
            then(Admitted())
            return
        if verdict.wrong or verdict.username is not None:
            self._failures.note(source.host)
            # Names that nobody has are a stranger's to make up: they count as one.
            about = source.host, client.username if client else None
            why = "wrong password" if client is not None else "no such device"
            self._complain(request, source, client, why, about=about)
        then(_challenge(request, digest, stale=verdict.stale))

    def _complain(
        self, request: Request, source: Flow, client: Client | None, why: str, *, about: Hashable
    ) -> None:
        kept_back = self._hush.tell(about)
        if kept_back is None:
            return
        name = client.username if client is not None else request.to.uri.user
        more = f" (and {kept_back} others since the last such line)" if kept_back else ""
        logger.warning("%s of device %s from %s is refused: %s%s", request.method, name, source, why, more)

    def _ask(
        self,
        request: Request,
        source: Flow,
        client: Client,
        account: Account,
        digest: DigestServer,
        then: Callable[[Verdict], None],
    ) -> None:
        field = "Authorization" if request.method == "REGISTER" else "Proxy-Authorization"
        claim = digest.claim(request.headers.get_all(field), request.uri)
        if claim.credentials is None or claim.credentials.username != client.username:
            then(_challenge(request, digest, stale=claim.stale))
            return
        if self._authenticator is None or len(self._asking) >= _MOST_ASKED:
            then(Denied(status=503, headers=(("Retry-After", "5"),)))
            return
        attempt = Attempt(
            method=request.method,
            credentials=claim.credentials,
            source=source,
            expires=request.expires,
            headers=tuple(request.headers.items()),
        )
        work = self._judged(self._authenticator, account, attempt, then)
        task = asyncio.get_running_loop().create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _judged(
        self,
        authenticator: DeviceAuthenticator,
        account: Account,
        attempt: Attempt,
        then: Callable[[Verdict], None],
    ) -> None:
        try:
            verdict = await authenticator.judge(account, attempt)
        except Exception:
            logger.exception("asking about device %s failed", attempt.credentials.username)
            verdict = Denied(status=500)
        if isinstance(verdict, Denied):
            if (
                verdict.status == 403
            ):  # what is no verdict, but a fault of the application, is not held against it
                self._failures.note(attempt.source.host, account.id)
            if verdict.bar > 0:
                self._failures.bar(attempt.source.host, verdict.bar, account.id)
        then(verdict)

    def _realm(self, request: Request) -> str:
        """The account's own realm where the request is for its domain; the same for everybody there."""
        named = request.to if request.method == "REGISTER" else request.from_
        host = named.uri.host.lower()
        realms = (account.sip_realm for account in self._directory.all(Account) if account.sip_realm)
        return next((realm for realm in realms if realm.lower() == host), REALM)

    def _digest(self, realm: str) -> DigestServer:
        digest = self._digests.get(realm)
        if digest is None:
            digest = DigestServer(
                realm, self._password, lambda: utcnow().timestamp(), algorithms=self._algorithms
            )
            self._digests[realm] = digest
        return digest

    def _password(self, username: str) -> str | None:
        client = self._directory.client(username)
        # One that only a web application knows has none here, and nobody may come in with that.
        return (client.password or None) if client is not None else None


def _challenge(request: Request, digest: DigestServer, *, stale: bool) -> Challenged:
    register = request.method == "REGISTER"
    field = "WWW-Authenticate" if register else "Proxy-Authenticate"
    return Challenged(
        401 if register else 407, tuple((field, value) for value in digest.challenges(stale=stale))
    )
