"""A cookie jar for one conversation, such as the requests of one call (RFC 6265)."""

from __future__ import annotations

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from aiohttp import CookieJar
from yarl import URL

_MOST = 50  # cookies kept; an application that sets more is broken or hostile
_LONGEST = 4096


class Cookies:
    """What the servers of one conversation asked to be reminded of; each host sees only its own.

    Needs a running event loop when it is first used. Cheap while no cookie was ever set.
    """

    def __init__(self) -> None:
        self._jar: CookieJar | None = None

    def store(self, url: str, set_cookie: Iterable[str]) -> None:
        """Take the `Set-Cookie` values of a response from `url`; what cannot be parsed is left out."""
        for value in set_cookie:
            if len(value) > _LONGEST:
                continue
            cookie: SimpleCookie = SimpleCookie()
            try:
                cookie.load(value)
            except CookieError:
                continue
            if self._jar is None:
                self._jar = CookieJar(unsafe=True)  # hosts given as addresses keep cookies too
            if len(self._jar) < _MOST:
                self._jar.update_cookies(cookie, URL(url, encoded=True))

    def header(self, url: str) -> str:
        """The `Cookie` value for a request to `url`; empty when there is none."""
        if self._jar is None:
            return ""
        found = self._jar.filter_cookies(URL(url, encoded=True))
        return "; ".join(f"{name}={morsel.coded_value}" for name, morsel in found.items())
