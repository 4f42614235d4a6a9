"""One request of an exchange, and the next one after a redirect."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import msgspec

from ringback.net.cookies import Cookies
from ringback.net.guard import origin_of
from ringback.net.reply import Headers, HttpFailure, Sign
from ringback.net.url import BadUrl, Target, resolve, target

HTTP_SCHEMES = ("http", "https")
WS_SCHEMES = ("ws", "wss")


class Step(msgspec.Struct, frozen=True):
    """One request on the wire. `credentials` are those of the caller, for this origin."""

    method: str
    target: Target
    headers: Headers
    body: bytes
    credentials: tuple[str, str] | None


def first_step(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    auth: tuple[str, str] | None,
    schemes: tuple[str, ...],
) -> Step:
    """The request as it was asked for; `HttpFailure("invalid-url")` when its URL cannot be one."""
    try:
        at = target(url, schemes=schemes)
    except BadUrl as error:
        raise HttpFailure("invalid-url", str(error), url) from error
    return Step(method, at, headers, body, auth)


def redirected(
    step: Step,
    status: int,
    location: str,
    keep_method: bool,
    schemes: tuple[str, ...] = HTTP_SCHEMES,
) -> Step:
    """The request that follows a redirect; credentials stay behind when the origin changes."""
    absolute = resolve(step.target.url, location)
    if schemes == WS_SCHEMES and urlsplit(absolute).scheme in HTTP_SCHEMES:
        absolute = "ws" + absolute[4:]
    try:
        at = target(absolute, schemes=schemes)
    except BadUrl as error:
        raise HttpFailure("protocol", f"redirected to a bad place: {error}", step.target.url) from error
    same_origin = origin_of(at.url) == origin_of(step.target.url)
    headers = tuple(h for h in step.headers if same_origin or h[0].lower() not in ("authorization", "cookie"))
    credentials = step.credentials
    if credentials is None and step.target.username is not None:
        credentials = (step.target.username, step.target.password)
    if not same_origin:
        credentials = None
    if keep_method or status in (307, 308) or step.method in ("GET", "HEAD"):
        return Step(step.method, at, headers, step.body, credentials)
    bodiless = tuple(h for h in headers if not h[0].lower().startswith("content-"))
    return Step("GET", at, bodiless, b"", credentials)


def step_headers(step: Step, cookies: Cookies | None, sign: Sign | None) -> Headers:
    """Everything that is sent beside the pool's own headers, the signature made last."""
    headers = list(step.headers)
    credentials = step.credentials
    if step.target.username is not None:
        credentials = (step.target.username, step.target.password)
    if credentials is not None and not any(name.lower() == "authorization" for name, _ in headers):
        token = base64.b64encode(":".join(credentials).encode()).decode()
        headers.append(("Authorization", f"Basic {token}"))
    if cookies is not None and (cookie := cookies.header(step.target.url)):
        headers.append(("Cookie", cookie))
    if sign is not None:
        headers.extend(sign(step.method, step.target.url, step.body))
    return tuple(headers)
