"""One question to an application over HTTP."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.errors import (
    INVALID_PAYLOAD,
    WEBHOOK_CONNECTION,
    WEBHOOK_FAILURE,
    HookFailed,
)
from ringback.dialects.jambonz.payload import Payload, encode, query
from ringback.net.cookies import Cookies
from ringback.webhooks.ask import Asker, WebhookFailure, WebhookRequest
from ringback.webhooks.policy import FetchPolicy, RetryPolicy

ACCEPTED = frozenset({200, 202, 204})
USER_AGENT = ("User-Agent", "jambonz")
SCHEME: Final = "jambonz"

# Ten seconds of silence are the limit of one attempt; the fragment of the URL may ask for up to five more.
POLICY = FetchPolicy(
    connect_timeout=10.0,
    read_timeout=10.0,
    total_timeout=90.0,
    max_redirects=0,
    max_body=512 * 1024,
    retries=RetryPolicy(attempts=1, on=frozenset({"ct"})),
    accept=ACCEPTED,
)


class HttpConversation:
    """The questions of one call to its webhooks: signed with the account's secret, with its cookies."""

    def __init__(self, asker: Asker, secret: str) -> None:
        self._asker = asker
        self._secret = secret
        self._cookies = Cookies()

    async def ask(self, hook: Hook, payload: Payload) -> Any:
        """Post the payload (or, by GET, send its flat fields as the query); the decoded JSON of the reply.

        None: the reply is empty or is not JSON.

        Raises:
            HookFailed: no connection, no reply in time, a status that is not accepted, broken JSON.
        """
        body = encode(payload)
        get = hook.method == "GET"
        request = WebhookRequest(
            url=hook.url,
            method=hook.method,
            fields=query(payload) if get else (),
            json=None if get else body,
            unsent_json=body if get else b"",
            headers=(USER_AGENT,),
            auth=(hook.username, hook.password or "") if hook.username else None,
            scheme=SCHEME,
            key=self._secret,
            policy=POLICY,
        )
        try:
            reply = await self._asker.ask(request, self._cookies)
        except WebhookFailure as failure:
            code = WEBHOOK_FAILURE if failure.kind == "http-status" else WEBHOOK_CONNECTION
            raise HookFailed(code, failure.message, url=failure.url, status=failure.status) from failure
        if "application/json" not in reply.content_type or not reply.body.strip():
            return None
        try:
            return msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            message = f"malformed jambonz payload: not JSON ({error})"
            raise HookFailed(INVALID_PAYLOAD, message, url=reply.url, status=reply.status) from None
