"""Who a call says it comes from: From, P-Asserted-Identity, Remote-Party-ID, Privacy, Diversion.

:rfc:`3323` (privacy), :rfc:`3325` (asserted identity), :rfc:`5806` (diversion). Remote-Party-ID is a draft
that never became an RFC, and is used all the same.
"""

from __future__ import annotations

import msgspec

from ringback.routing.numbers import dialled, is_telephone_number
from ringback.routing.trunk import Trunk
from ringback.sip.errors import SipParseError
from ringback.sip.message import Request
from ringback.sip.uri import NameAddr, Uri

CLIENT_PREFIXES = ("client:", "user:")
_WITHHELD = frozenset({"anonymous", "private", "restricted", "withheld"})
_NOWHERE = "anonymous.invalid"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What an INVITE says about who calls. `domain` is the host of From; empty: our own address."""

    user: str
    name: str = ""
    domain: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def is_withheld(caller_id: str) -> bool:
    """Whether a caller id asks not to be shown, or is that of somebody who did not want to be."""
    text = caller_id.strip().lower().removeprefix("sip:")
    return text.partition("@")[0] in _WITHHELD


def shown_caller(request: Request, trunk: Trunk | None) -> NameAddr:
    """Who calls, as an application may see it: the asserted identity where the carrier is trusted with it and
    the caller does not mind, else From. Somebody unknown is `anonymous`."""
    caller = request.from_
    if trunk is not None and trunk.trust_identity and not _wants_privacy(request):
        caller = _asserted_identity(request) or caller
    uri = caller.uri
    if is_withheld(uri.user or "anonymous") or uri.host.lower().endswith(_NOWHERE):
        return NameAddr(uri.with_(user="anonymous"), "Anonymous" if caller.display_name else "")
    return caller


def calling_user(uri: Uri) -> str:
    """The user part of a caller: a number without the parameters and separators of :rfc:`3966`, a name as it
    is."""
    user = uri.user or ""
    number = user.partition(";")[0]
    return dialled(number) if is_telephone_number(number) else user


def _wants_privacy(request: Request) -> bool:
    wanted = {word.strip().lower() for word in (request.headers.get("Privacy") or "").split(";")}
    return bool(wanted & {"id", "user", "header"})


def _asserted_identity(request: Request) -> NameAddr | None:
    """The first identity that names somebody."""
    try:
        return next((identity for identity in request.asserted_identities if identity.uri.user), None)
    except SipParseError:
        return None


def plain_caller(caller_id: str, name: str) -> Caller:
    """The caller as whoever is not a carrier sees it."""
    if is_withheld(caller_id):
        return _anonymous(())
    user, domain = _user_and_host(caller_id)
    return Caller(user=user, name=name, domain=domain)


def caller_over(trunk: Trunk, host: str, caller_id: str, name: str, forwarded_by: str) -> Caller:
    """The caller as a carrier wants to see it; `host` is the gateway's, `forwarded_by` our number that the
    call came to before."""
    user, domain = _user_and_host(caller_id)
    user = _number(trunk, user)
    withheld = is_withheld(caller_id)
    headers = (
        *_asserted(trunk, host, "" if withheld else user, name, withheld),
        *_diversion(trunk, host, forwarded_by),
    )
    if withheld:
        return _anonymous(headers)
    # A carrier that authenticates us knows us under its own domain.
    return Caller(user=user, name=name, domain=host if trunk.username else domain, headers=headers)


def _anonymous(headers: tuple[tuple[str, str], ...]) -> Caller:
    return Caller(user="anonymous", name="Anonymous", domain=_NOWHERE, headers=(("Privacy", "id"), *headers))


def _asserted(trunk: Trunk, host: str, user: str, name: str, withheld: bool) -> tuple[tuple[str, str], ...]:
    number = _number(trunk, trunk.identity) or user
    if trunk.caller_id == "from" or not is_telephone_number(number):
        return ()
    identity = NameAddr(Uri(user=number, host=host), "" if withheld else name)
    if trunk.caller_id == "pai":
        return (("P-Asserted-Identity", str(identity)),)
    privacy = "full" if withheld else "off"
    return (("Remote-Party-ID", f"{identity};party=calling;screen=yes;privacy={privacy}"),)


def _diversion(trunk: Trunk, host: str, forwarded_by: str) -> tuple[tuple[str, str], ...]:
    number = _number(trunk, dialled(forwarded_by))
    if not trunk.diversion or not is_telephone_number(number):
        return ()
    return (("Diversion", f"<{Uri(user=number, host=host)}>;reason=unconditional"),)


def _number(trunk: Trunk, text: str) -> str:
    return trunk.formatted(text) if is_telephone_number(text) else text


def user_of(caller_id: str) -> str:
    """The user part of From that a caller id becomes."""
    return _user_and_host(caller_id)[0]


def _user_and_host(caller_id: str) -> tuple[str, str]:
    """User and host of From: a SIP URI keeps its host, a number or a client is at our own address."""
    text = caller_id.strip()
    for prefix in CLIENT_PREFIXES:
        if text.lower().startswith(prefix):
            return text[len(prefix) :].partition("@")[0], ""
    if "@" not in text:
        return dialled(text.removeprefix("tel:")), ""
    try:
        uri = Uri.parse(text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")
    except SipParseError:
        return text.partition("@")[0], ""
    return uri.user or "", uri.host
