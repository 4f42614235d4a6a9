"""Registering with somebody else's registrar (RFC 3261 section 10), and staying registered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ringback.sip.agent import Credentials, UserAgent
from ringback.sip.authorizer import Authorizer
from ringback.sip.core import HeaderList, new_call_id, new_tag
from ringback.sip.message import Response
from ringback.sip.pending import Pending
from ringback.sip.refresh import parse_seconds
from ringback.sip.session import resolved
from ringback.sip.timers import Timer
from ringback.sip.uri import NameAddr, Uri

RETRY = 30.0
"""Seconds until a registration that failed is tried again."""


class Registration:
    """One binding at one registrar, refreshed before it ends.

    ``registered``; ``expires``, the seconds granted at the last success; ``response``, the last final
    response; ``first``, which resolves with the first one.
    """

    def __init__(
        self,
        agent: UserAgent,
        registrar: Uri,
        aor: NameAddr,
        credentials: Credentials | None,
        expires: int,
        on_change: Callable[[Registration], None] | None,
        headers: HeaderList,
    ) -> None:
        self.registered = False
        self.expires = 0
        self.response: Response | None = None
        self.first: Pending[Response] = Pending()
        self._agent = agent
        self._registrar = registrar
        self._aor = aor.without_params()
        self._tag = new_tag()
        self._call_id = new_call_id()
        self._numbers = count(1)
        self._credentials = credentials
        self._authorizer = self._new_authorizer()
        self._wanted = expires
        self._on_change = on_change
        self._headers = list(headers)
        self._timer: Timer | None = None
        self._stopped = False

    def refresh(self) -> Pending[Response]:
        """Sends REGISTER now."""
        self._cancel_timer()
        pending = self._send(self._wanted)
        pending.then(self._answered)
        return pending

    def unregister(self) -> Pending[Response]:
        """Removes the binding and stops."""
        if self._stopped:
            return resolved("cancelled")
        self._stopped = True
        self._cancel_timer()
        pending = self._send(0)
        pending.then(self._answered)
        return pending

    def stop(self) -> None:
        """Stops refreshing and leaves the binding to expire."""
        self._stopped = True
        self._cancel_timer()

    def _send(self, expires: int) -> Pending[Response]:
        return self._agent.request(
            "REGISTER",
            self._registrar,
            from_=self._aor.with_tag(self._tag),
            to=self._aor,
            headers=[*self._headers, ("Expires", str(expires))],
            authorizer=self._authorizer,
            call_id=self._call_id,
            cseq=lambda: next(self._numbers),
        )

    def _answered(self, response: Response) -> None:
        self.response = response
        success = 200 <= response.status < 300
        if success and not self._stopped:
            self.expires = self._granted(response)
            self._again_in(max(self.expires * 0.9 - 1, 1.0))
        elif response.status == 423 and self._raise_interval(response):
            self.refresh()
            return
        elif not self._stopped:
            self._authorizer = self._new_authorizer()  # the registrar may call its realm otherwise by then
            self._again_in(RETRY)
        self.registered = success and not self._stopped
        self.first.resolve(response)
        if self._on_change is not None:
            self._agent.core.notify(self._on_change, self)

    def _new_authorizer(self) -> Authorizer | None:
        return Authorizer(*self._credentials) if self._credentials is not None else None

    def _granted(self, response: Response) -> int:
        """What the registrar granted our Contact: its own parameter, else Expires, else what we asked for."""
        user = self._aor.uri.user
        for contact in response.contacts:
            seconds, _ = parse_seconds(contact.params.get("expires"))
            if seconds is not None and (contact.uri.user == user or len(response.contacts) == 1):
                return seconds
        return response.expires or self._wanted

    def _raise_interval(self, response: Response) -> bool:
        minimum, _ = parse_seconds(response.headers.get("Min-Expires"))
        if self._stopped or minimum is None or minimum <= self._wanted:
            return False
        self._wanted = minimum
        return True

    def _again_in(self, seconds: float) -> None:
        self._timer = self._agent.core.timers.after(seconds, lambda: self._refresh_if_needed())

    def _refresh_if_needed(self) -> None:
        if not self._stopped:
            self.refresh()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
