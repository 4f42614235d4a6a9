"""URLs as they are sent: checked, percent-encoded where they must be, otherwise untouched.

What is sent is also what is signed, so nothing here may rewrite an escape that the application wrote.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import msgspec

from ringback.net.guard import DEFAULT_PORTS

_KEEP = "%/:=&?~+!$,;'@()*[]|"  # everything else that is not unreserved is percent-encoded
_LEGACY_IPV4 = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*", re.IGNORECASE)
_DOTTED = re.compile(r"(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}")
_BAD = re.compile(r"[\x00-\x20\x7f]")


class BadUrl(ValueError):
    """A URL that cannot be requested; the message says what was expected and what came."""


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart: what to request (no fragment, no credentials) and what was said beside it.

    `url` is `origin` (scheme, host and, where it is not the default, port) and `path` (with the query);
    `is_literal` where the host is an address rather than a name.
    """

    url: str
    origin: str
    path: str
    scheme: str
    host: str
    is_literal: bool
    port: int
    username: str | None
    password: str
    fragment: str


@lru_cache(maxsize=1024)  # the same few webhooks again and again
def target(url: str, *, schemes: tuple[str, ...] = ("http", "https")) -> Target:
    """Take a URL apart (RFC 3986); `BadUrl` when it has no host, a foreign scheme or control characters."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"{url!r} is not a URL: {error}") from None
    scheme = parts.scheme.lower()
    if scheme not in schemes:
        raise BadUrl(
            f"expected a URL that starts with {' or '.join(f'{s}://' for s in schemes)}, got {url!r}"
        )
    if not parts.hostname or _BAD.search(parts.netloc):
        raise BadUrl(f"expected a host in {url!r}")
    host = _host(parts.hostname, url)
    default = DEFAULT_PORTS[scheme]
    bracketed = f"[{host}]" if ":" in host else host
    netloc = bracketed if port in (None, default) else f"{bracketed}:{port}"
    origin = f"{scheme}://{netloc}"
    path = quote(parts.path or "/", safe=_KEEP)
    at = urlunsplit((scheme, netloc, path, quote(parts.query, safe=_KEEP), ""))
    return Target(
        url=at,
        origin=origin,
        path=at.removeprefix(origin),
        scheme=scheme,
        host=host,
        is_literal=":" in host or host.replace(".", "").isdigit(),
        port=default if port is None else port,
        username=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
        fragment=parts.fragment,
    )


@lru_cache(maxsize=1024)  # prompts have the same few names
def resolve(base: str, reference: str) -> str:
    """A reference in a document or a Location header, made absolute (RFC 3986 section 5)."""
    return urljoin(base, reference.strip())


def _host(host: str, url: str) -> str:
    name = host.rstrip(".").lower()
    if not name:
        raise BadUrl(f"expected a host in {url!r}")
    # 127.1 and 2130706433 are addresses to some libraries and names to others: refuse the ambiguity.
    if _LEGACY_IPV4.fullmatch(name) and not _DOTTED.fullmatch(name):
        raise BadUrl(f"{host!r} is not an IPv4 address in dotted form")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadUrl(f"{host!r} is not a host name") from None
