"""What a carrier's answer means, and what to change at which end: one line for each."""

from __future__ import annotations

from ringback.cli.finding import Finding
from ringback.sip.message import Response

_NOT_REACHED = {
    408: (
        "no answer at all",
        "check host, port and transport; let SIP out of (and back into) your firewall; ask the carrier to"
        " allow your public address: many say nothing to addresses that they do not know",
    ),
    503: (
        "nothing could be sent there",
        "nobody listens at that port, or there is no route: check host, port and transport with the carrier",
    ),
    502: ("its name has no address", "check the spelling of host, and the name servers of this machine"),
    403: ("its address must not be reached", "it is not public: name it as the host of the trunk"),
}
_OPTIONS = {
    401: ("ok", "wants a digest for OPTIONS", ""),
    407: ("ok", "wants a digest for OPTIONS", ""),
    403: (
        "warning",
        "does not like us",
        "ask the carrier to allow your public address; calls may work all the same",
    ),
    503: (
        "error",
        "takes no calls",
        "it is overloaded or out of service, or does not allow your address and says so: ask the carrier",
    ),
}
_REGISTER = {
    401: "the carrier does not take this username and password: compare both with what it gave you",
    407: "the carrier does not take this username and password: compare both with what it gave you",
    403: "the carrier bars the account: a wrong password, another address than agreed, or nothing paid",
    404: "the carrier has no such user at this host: check username, and host: is it the domain it gave you?",
    405: "this gateway is no registrar: set register = false, or give the registrar's host",
    423: "the carrier wants longer registrations; the server does as it says by itself",
    488: "the carrier refuses what we say: ask it for its log of this attempt",
    503: "the carrier's registrar is overloaded or out of service: ask it, or use another gateway",
}
_INVITE = {
    401: "set username and password of the trunk to what the carrier gave you",
    407: "set username and password of the trunk to what the carrier gave you",
    402: "the carrier wants to be paid: look at your balance there",
    403: "the carrier bars this call: a caller id that is not yours (--from, identity, caller_id), a barred"
    " destination, or an address of ours that it does not know",
    404: "the carrier does not know the number as it was sent: change number_format, strip or prefix",
    484: "the carrier finds the number incomplete: change number_format, strip or prefix",
    604: "the carrier does not know the number as it was sent: change number_format, strip or prefix",
    488: "the carrier takes none of our codecs: ask it to allow G.711 (PCMU or PCMA) with RTP/AVP",
    606: "the carrier takes none of our codecs: ask it to allow G.711 (PCMU or PCMA) with RTP/AVP",
    415: "the carrier takes no SDP of this kind: ask it for its log of this attempt",
    420: "the carrier requires an extension that we do not have: ask it which, and whether it can do without",
    482: "the call came round to where it was: the carrier sends it back to us",
    483: "the call goes round in circles at the carrier",
    503: "the carrier has no line free, or bars our address this way: ask it how many calls you may have",
}
_REACHED = frozenset({408, 480, 486, 487, 600, 603})
"""Answers of whoever was called: up to there the trunk is well."""


def of_options(who: str, response: Response) -> Finding:
    """The answer to OPTIONS."""
    if is_local(response):
        return _unreachable(who, "OPTIONS", response)
    level, what, advice = _OPTIONS.get(response.status, ("ok", "is there", ""))
    if 500 <= response.status < 600 and response.status not in _OPTIONS:
        level, advice = "warning", "it has trouble: ask the carrier when calls fail, too"
    return Finding(level, f"{who} {what}: OPTIONS got {_spelled(response)}", advice)


def of_register(who: str, response: Response) -> Finding:
    """The answer to REGISTER without a contact: it changes nothing, and proves the credentials."""
    if is_local(response):
        return _unreachable(who, "REGISTER", response)
    if 200 <= response.status < 300:
        bound = len(response.headers.get_all("Contact"))
        contacts = "1 contact is bound" if bound == 1 else f"{bound} contacts are bound"
        return Finding("ok", f"{who} takes our username and password ({contacts})")
    advice = _REGISTER.get(response.status, "ask the carrier for its log of this attempt")
    return Finding("error", f"{who}: REGISTER got {_spelled(response)}", advice)


def of_invite(who: str, status: int, reason: str, cause: str, address: str) -> Finding:
    """The final answer to the test call; `cause` as in `ringback.sip.events.Failed`."""
    if cause in ("timeout", "transport", "unresolved", "refused"):
        return _unreachable(who, "INVITE", Response(status))
    what = f"{who}: the call got {status} {reason}".rstrip()
    if status in _REACHED:
        return Finding("ok", f"{what}: whoever was called does not answer, the trunk does")
    advice = _INVITE.get(status, "ask the carrier for its log of this attempt")
    return Finding("error", what, f"{advice} (our address was {address})" if status == 403 else advice)


def is_local(response: Response) -> bool:
    """Whether it stands for a failure that no peer reported: every answer from the network has a Via."""
    return response.headers.get("Via") is None


def _unreachable(who: str, method: str, response: Response) -> Finding:
    what, advice = _NOT_REACHED.get(response.status, ("it failed", "ask the carrier"))
    return Finding("error", f"{who}: {method} got nowhere: {what}", advice)


def _spelled(response: Response) -> str:
    return f"{response.status} {response.reason}".rstrip()
