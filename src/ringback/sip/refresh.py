"""Session timers (RFC 4028): both sides agree how long a call may live without a sign of life."""

from __future__ import annotations

from collections.abc import Callable

from ringback.sip.core import Settings
from ringback.sip.message import Request, Response
from ringback.sip.timers import Timer, Timers

GRACE = 32.0
"""Before the end, so much earlier hangs up who does not refresh; a third of short intervals (section 10)."""


def parse_seconds(value: str | None) -> tuple[int | None, str]:
    """Seconds and refresher of ``1800;refresher=uac``; None for anything that is no number."""
    if value is None:
        return None, ""
    number, *params = value.replace(" ", "").lower().split(";")
    seconds = int(number) if number.isascii() and number.isdigit() and len(number) <= 9 else None
    refresher = next((param[10:] for param in params if param.startswith("refresher=")), "")
    return seconds, refresher if refresher in ("uac", "uas") else ""


class SessionTimer:
    """The session timer of one call. ``refresh`` and ``expire`` are called when their time has come."""

    def __init__(
        self, settings: Settings, timers: Timers, refresh: Callable[[], None], expire: Callable[[], None]
    ) -> None:
        self._timers = timers
        self._due: tuple[Callable[[], None], Callable[[], None]] | None = (refresh, expire)
        self._wanted = settings.session_expires
        self._minimum = settings.min_se
        self._timer: Timer | None = None
        self.interval = 0
        """Seconds agreed; 0 when there is no session timer."""
        self.we_refresh = False

    def want(self, seconds: int) -> None:
        """Ask for this interval in place of the usual one; 0 for none."""
        self._wanted = seconds

    # Our requests

    def ask(self, request: Request, again: bool = False) -> None:
        """Adds what an INVITE or UPDATE of ours proposes; a refresh keeps the roles."""
        seconds = self.interval or self._wanted
        if not self._wanted and not self.interval:
            return
        refresher = ";refresher=uac" if self.we_refresh else ";refresher=uas"
        value = f"{max(seconds, self._minimum)}{refresher if again and self.interval else ''}"
        request.headers.set("Session-Expires", value)
        request.headers.set("Min-SE", str(self._minimum))

    def raise_minimum(self, response: Response) -> bool:
        """Takes the longer interval that a 422 asks for; False when it asks for nothing new (section 6)."""
        minimum, _ = parse_seconds(response.headers.get("Min-SE"))
        if minimum is None or minimum <= max(self._minimum, self.interval or self._wanted):
            return False
        self._minimum = self._wanted = minimum
        self.interval = 0
        return True

    def learn(self, response: Response) -> None:
        """What the 2xx to our request settles (section 7.2)."""
        seconds, refresher = parse_seconds(response.headers.get("Session-Expires"))
        self.interval = seconds or 0
        self.we_refresh = refresher != "uas"
        self._arm()

    # The peer's requests

    def too_short(self, request: Request) -> int | None:
        """The Min-SE for a 422, when the peer wants an interval below it and would understand (section 9)."""
        seconds, _ = parse_seconds(request.headers.get("Session-Expires"))
        if seconds is None or seconds >= self._minimum or "timer" not in request.supported:
            return None
        return self._minimum

    def settle(self, request: Request, response: Response) -> None:
        """Settles the interval with our 2xx to the peer's INVITE or UPDATE (section 9)."""
        understands = "timer" in request.supported
        seconds, refresher = parse_seconds(request.headers.get("Session-Expires"))
        least, _ = parse_seconds(request.headers.get("Min-SE"))
        if seconds is None:
            self.interval = max(self._wanted, least or 0) if self._wanted and understands else 0
        elif self._wanted and understands:
            self.interval = max(min(seconds, self._wanted), least or 0, self._minimum)
        else:
            self.interval = seconds
        self.we_refresh = not understands or refresher != "uac"
        if self.interval:
            role = "uas" if self.we_refresh else "uac"
            response.headers.set("Session-Expires", f"{self.interval};refresher={role}")
            if understands:
                response.headers.add("Require", "timer")
        self._arm()

    # Time

    def stop(self) -> None:
        """The call is over, whatever may still be answered; it is not held any longer."""
        self._disarm()
        self._due = None

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self._disarm()
        if not self.interval or self._due is None:
            return
        _, expire = self._due
        if self.we_refresh:
            self._timer = self._timers.after(self.interval / 2, self._begin_refresh)
        else:
            self._timer = self._timers.after(self._until_expiry(), expire)

    def _until_expiry(self) -> float:
        return self.interval - min(GRACE, self.interval / 3)

    def _begin_refresh(self) -> None:
        if self._due is None:
            return
        refresh, expire = self._due
        # A refresh that fails leaves this deadline standing; one that succeeds arms anew.
        left = max(self._until_expiry() - self.interval / 2, 0.0)
        self._timer = self._timers.after(left, expire)
        refresh()
