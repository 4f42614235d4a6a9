"""Fetch a document: one question to an application, with its redirects, retries and signature."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from ringback.net.clock import Clock, SystemClock, elapsed_ms
from ringback.net.cookies import Cookies
from ringback.net.http import FailureKind, Headers, HttpFailure, HttpLimits, HttpPool, HttpReply, Redirects
from ringback.net.url import BadUrl, target
from ringback.webhooks.policy import FetchPolicy, parse_overrides
from ringback.webhooks.render import Rendered, render, signer
from ringback.webhooks.retry import next_delay
from ringback.webhooks.sign import SigningScheme

WebhookFailureKind = FailureKind | str  # a FailureKind, or "http-status"


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    `fields` go into the query or the form (a value of None is a bare name), `json` is the exact body to
    post instead. `auth` is (user, password), used where the URL names none. `unsent_json` is what jambonz
    signs on a GET. `query_to_body` moves the URL's query into a posted form.
    """

    url: str
    method: str = "POST"
    fields: tuple[tuple[str, str | None], ...] = ()
    json: bytes | None = None
    headers: Headers = ()
    auth: tuple[str, str] | None = None
    scheme: SigningScheme = "none"
    key: str = ""
    policy: FetchPolicy = FetchPolicy()
    query_to_body: bool = False
    hash_body: bool = False
    unsent_json: bytes = b""


class WebhookReply(HttpReply, frozen=True):
    """An accepted reply. `url` is the one that answered, and the base of relative URLs in the document;
    `elapsed_ms` counts from the first attempt."""

    attempts: int = 1


class WebhookFailure(Exception):
    """No usable document. `kind` is an `HttpFailure` kind, or "http-status" for a status that the policy
    does not accept; then `status` and `reply` are set."""

    def __init__(
        self,
        kind: WebhookFailureKind,
        status: int | None,
        message: str,
        url: str,
        *,
        attempts: int = 1,
        elapsed_ms: float = 0.0,
        reply: WebhookReply | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.message = message
        self.url = url
        self.attempts = attempts
        self.elapsed_ms = elapsed_ms
        self.reply = reply


OnAsked = Callable[[bool, float], None]
"""Told of each question: whether an accepted reply came, and the seconds since its first attempt."""


class Asker:
    """Asks over a pool. Holds no state of its own: cookies belong to the call and are passed in."""

    def __init__(
        self, http: HttpPool, *, clock: Clock | None = None, on_asked: OnAsked | None = None
    ) -> None:
        self._http = http
        self._on_asked = on_asked
        self._clock = clock if clock is not None else SystemClock()

    async def ask(self, request: WebhookRequest, cookies: Cookies | None = None) -> WebhookReply:
        """Send the request and return an accepted reply; raises `WebhookFailure`.

        The URL's fragment overrides the policy (`parse_overrides`) and is never sent.
        """
        policy = effective_policy(request.url, request.policy)
        rendered = render(
            request.method,
            request.url,
            fields=request.fields,
            json=request.json,
            query_to_body=request.query_to_body,
            hash_body=request.hash_body,
        )
        try:
            reply = await self._attempts(request, rendered, policy, cookies)
        except WebhookFailure as failure:
            self._asked(False, failure.elapsed_ms)
            raise
        self._asked(True, reply.elapsed_ms)
        return reply

    def _asked(self, ok: bool, milliseconds: float) -> None:
        if self._on_asked is not None:
            self._on_asked(ok, milliseconds / 1000)

    async def _attempts(
        self, request: WebhookRequest, rendered: Rendered, policy: FetchPolicy, cookies: Cookies | None
    ) -> WebhookReply:
        started = time.monotonic()
        headers = (*rendered.headers, *request.headers)
        redirects = Redirects(policy.max_redirects, policy.redirect_keeps_method)
        attempt = 0
        while True:
            attempt += 1
            failure = None
            try:
                reply = await self._http.request(
                    rendered.method,
                    rendered.url,
                    headers=headers,
                    body=rendered.body,
                    limits=limits_of(policy, _left(policy, started)),
                    redirects=redirects,
                    cookies=cookies,
                    sign=signer(
                        request.scheme, request.key, rendered, self._clock.now(), request.unsent_json
                    ),
                    auth=request.auth,
                )
            except HttpFailure as error:
                failure, delay = error, next_delay(policy.retries, attempt, error.kind)
            else:
                if policy.accepts(reply.status):
                    return _accepted(reply, started, attempt)
                delay = next_delay(policy.retries, attempt, status=reply.status)
            left = _left(policy, started)
            if delay is None or (left is not None and delay >= left):
                if failure is not None:
                    raise _failed(failure, started, attempt) from failure
                raise _refused(reply, started, attempt)
            await asyncio.sleep(delay)


def effective_policy(url: str, policy: FetchPolicy) -> FetchPolicy:
    """The policy with what the URL's fragment overrides."""
    try:
        return parse_overrides(target(url).fragment).applied(policy)
    except BadUrl:
        return policy  # the request itself reports what is wrong with the URL


def limits_of(policy: FetchPolicy, left: float | None) -> HttpLimits:
    """The HTTP limits of one attempt that has `left` seconds."""
    return HttpLimits(policy.connect_timeout, policy.read_timeout, left, policy.max_body)


def _left(policy: FetchPolicy, started: float) -> float | None:
    if policy.total_timeout is None:
        return None
    return max(policy.total_timeout - (time.monotonic() - started), 0.001)


def _accepted(reply: HttpReply, started: float, attempts: int) -> WebhookReply:
    return WebhookReply(
        status=reply.status,
        headers=reply.headers,
        body=reply.body,
        content_type=reply.content_type,
        named_charset=reply.named_charset,
        url=reply.url,
        elapsed_ms=elapsed_ms(started),
        attempts=attempts,
    )


def _failed(failure: HttpFailure, started: float, attempts: int) -> WebhookFailure:
    return WebhookFailure(
        failure.kind,
        failure.status,
        failure.message,
        failure.url,
        attempts=attempts,
        elapsed_ms=elapsed_ms(started),
    )


def _refused(reply: HttpReply, started: float, attempts: int) -> WebhookFailure:
    answer = _accepted(reply, started, attempts)
    message = f"the application answered with status {reply.status}"
    return WebhookFailure(
        "http-status",
        reply.status,
        message,
        reply.url,
        attempts=attempts,
        elapsed_ms=answer.elapsed_ms,
        reply=answer,
    )
