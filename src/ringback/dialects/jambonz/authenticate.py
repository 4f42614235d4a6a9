"""The registration hook: the web application says whether a device is who it says it is.

jambonz documentation, "Client authentication": the digest that the device sent is posted, and the
application, which alone knows the passwords, computes its own and compares.
"""

from __future__ import annotations

import logging
from typing import Any

from ringback.calls.doorkeeper import Admitted, Attempt, Denied
from ringback.calls.verbs import Hook
from ringback.dialects.jambonz.asking import HttpConversation
from ringback.dialects.jambonz.errors import HookFailed, InvalidApplication
from ringback.dialects.jambonz.headers import Headers, headers_of
from ringback.dialects.jambonz.payload import Payload
from ringback.dialects.jambonz.session import is_absolute
from ringback.routing.directory import Account
from ringback.sip.header_policy import may_set
from ringback.webhooks.ask import Asker

log = logging.getLogger(__name__)

_DAY = 86_400.0
_REGISTRARS = frozenset({"expires", "min-expires", "x-reason", "content-type"})


class JambonzAuthenticator:
    """`ringback.calls.doorkeeper.DeviceAuthenticator` over HTTP."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def judge(self, account: Account, attempt: Attempt) -> Admitted | Denied:
        """Ask; what is no plain yes is a no."""
        address = account.registration_hook
        if address is None:
            return Denied()
        hook = Hook(
            url=address.url,
            method=address.method,
            username=address.username or None,
            password=address.password or None,
        )
        conversation = HttpConversation(self._asker, account.webhook_secret)
        try:
            reply = await conversation.ask(hook, _payload(attempt, hook.method))
        except HookFailed as failure:
            status = failure.status or 500
            return Denied(status=status if 400 <= status < 700 else 500)
        return _verdict(reply)


def _payload(attempt: Attempt, method: str) -> Payload:
    digest = attempt.credentials
    fields: dict[str, Any] = {
        "method": attempt.method,
        "source_address": attempt.source.host,
        "source_port": attempt.source.port,
        "expires": attempt.expires,
        "scheme": "digest",
        "username": digest.username,
        "realm": digest.realm,
        "nonce": digest.nonce,
        "uri": digest.uri,
        "algorithm": digest.algorithm,
        "response": digest.response,
        "qop": digest.qop,
        "nc": digest.nc,
        "cnonce": digest.cnonce,
        "opaque": digest.opaque,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    if method != "GET":
        known["headers"] = {name.lower(): value for name, value in attempt.headers}
    return known


def _verdict(reply: Any) -> Admitted | Denied:
    said = reply if isinstance(reply, dict) else {}
    if said.get("status") != "ok":
        message = said.get("msg")
        reason = message if isinstance(message, str) else ""
        told = (("X-Reason", _one_line(reason)),) if reason else ()
        return Denied(
            status=403, headers=(*told, *_headers(said.get("headers"))), bar=_seconds(said.get("blacklist"))
        )
    expires = said.get("expires")
    return Admitted(
        expires=expires
        if isinstance(expires, int) and not isinstance(expires, bool) and expires > 0
        else None,
        voice_url=_url(said.get("call_hook")),
        status_callback=_url(said.get("call_status_hook")),
        headers=_headers(said.get("headers")),
    )


def _seconds(blacklist: Any) -> float:
    if blacklist is True:
        return _DAY
    return float(blacklist) if isinstance(blacklist, int | float) and blacklist > 0 else 0.0


def _url(hook: Any) -> str:
    """The URL of a hook, which is one or an object with one."""
    url = hook.get("url") if isinstance(hook, dict) else hook
    return url if isinstance(url, str) and is_absolute(url) else ""


def _headers(value: Any) -> Headers:
    """What the application adds to the answer; what is the registrar's to say, or no header, is left out."""
    found: list[tuple[str, str]] = []
    for name, text in value.items() if isinstance(value, dict) else ():
        if not may_set(name) or name.lower() in _REGISTRARS:
            continue
        try:
            found += headers_of({name: text})
        except InvalidApplication as error:
            log.warning("a registration hook's reply: %s", error.message)
    return tuple(found)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
