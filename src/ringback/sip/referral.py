"""Transfer as values: what a REFER asks for (RFC 3515, 3892, 4488), Replaces (RFC 3891), and message/sipfrag
(RFC 3420) with the state of the subscription (RFC 6665) that reports how it goes.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import WS, Params
from ringback.sip.header_policy import is_custom
from ringback.sip.message import Request
from ringback.sip.reasons import REASONS
from ringback.sip.uri import NameAddr, Uri

SIPFRAG: Final = "message/sipfrag;version=2.0"

_STATUS_LINE: Final = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?(?:\r?\n|\Z)")
_CALL_ID: Final = re.compile(r"[!-:<-~]+")


class Replaces(msgspec.Struct, frozen=True, kw_only=True):
    """The dialog that a call takes the place of, as its other end sees it."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @staticmethod
    def parse(text: str) -> Replaces:
        """Read the value of a Replaces header field. Raises SipParseError (400)."""
        call_id, semicolon, rest = text.strip(WS).partition(";")
        params = Params.parse(semicolon + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not _CALL_ID.fullmatch(call_id.strip(WS)) or not to_tag or not from_tag:
            raise SipParseError("Malformed Replaces")
        return Replaces(
            call_id=call_id.strip(WS), to_tag=to_tag, from_tag=from_tag, early_only="early-only" in params
        )

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    def within(self, uri: Uri) -> Uri:
        """The URI of a Refer-To that asks for a call with this Replaces."""
        return uri.with_(headers=f"Replaces={quote(str(self), safe='')}")


class Referral(msgspec.Struct, frozen=True, kw_only=True):
    """What a REFER asks for."""

    target: Uri
    """Whom to call, without the header fields that its URI may carry."""
    replaces: Replaces | None = None
    """Attended: the dialog at the target that the new call takes the place of."""
    headers: tuple[tuple[str, str], ...] = ()
    """The other header fields that the new call is to carry: custom ones only (RFC 3261 section 19.1.5 leaves
    it to whoever calls)."""
    referred_by: NameAddr | None = None
    reports: bool = True
    """Whether its sender wants NOTIFY (`Refer-Sub: false` declines them)."""

    @staticmethod
    def of(request: Request) -> Referral:
        """Read a REFER. Raises SipParseError (400)."""
        rows = request.headers.get_all("Refer-To")
        if len(rows) != 1:
            raise SipParseError("Missing Refer-To" if not rows else "Repeated Refer-To")
        uri = NameAddr.parse(rows[0]).uri
        replaces, headers = _headers_of(uri)
        referred_by = request.headers.get("Referred-By")
        return Referral(
            target=uri.with_(headers="") if uri.headers else uri,
            replaces=replaces,
            headers=headers,
            referred_by=NameAddr.parse(referred_by) if referred_by is not None else None,
            reports=(request.headers.get("Refer-Sub") or "true").strip(WS).lower() != "false",
        )


class SubscriptionState(msgspec.Struct, frozen=True):
    """How a subscription stands (RFC 6665 section 8.2.3)."""

    state: str
    reason: str | None = None

    @staticmethod
    def parse(text: str) -> SubscriptionState:
        """Read the value of a Subscription-State header field. Raises SipParseError (400)."""
        state, semicolon, rest = text.partition(";")
        return SubscriptionState(state.strip(WS).lower(), Params.parse(semicolon + rest).get("reason"))

    @property
    def over(self) -> bool:
        """Whether no NOTIFY follows."""
        return self.state == "terminated"


def sipfrag(status: int, reason: str = "") -> bytes:
    """The status line that tells how the referred call stands."""
    return f"SIP/2.0 {status} {reason or REASONS.get(status, '')}\r\n".encode()


def read_sipfrag(body: bytes) -> tuple[int, str] | None:
    """Status and reason in the body of a NOTIFY; None where there is no status line."""
    match = _STATUS_LINE.match(body.lstrip())
    if match is None:
        return None
    status = int(match.group(1))
    return status, (match.group(2) or b"").decode("utf-8", "replace") or REASONS.get(status, "")


def _headers_of(uri: Uri) -> tuple[Replaces | None, tuple[tuple[str, str], ...]]:
    replaces = None
    headers = []
    for part in uri.headers.split("&") if uri.headers else ():
        name, _, value = part.partition("=")
        name, value = unquote(name), unquote(value)
        if name.lower() == "replaces":
            replaces = Replaces.parse(value)
        elif is_custom(name):
            headers.append((name, value))
    return replaces, tuple(headers)
