"""Which header fields others may put on a call of ours: the one place that says so.

The protocol writes its own. What proves or asserts something to the next hop is not for whoever merely asks
for a call: a stranger's password, a caller that nobody checked.
"""

from __future__ import annotations

from typing import Final

from ringback.sip.headers import key_of

PROTOCOL: Final = frozenset(
    {
        "via",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "max-forwards",
        "route",
        "record-route",
        "content-length",
    }
    | {"rseq", "rack", "require", "session-expires", "min-se", "allow", "supported", "proxy-require"}
)
"""What the protocol itself writes (RFC 3261 section 20): nobody else may."""

_RESERVED: Final = frozenset(
    {"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"}
    | {"authentication-info", "path", "service-route", "content-encoding", "content-disposition"}
)
"""What only the server has reason to write: digests, the way back, what the body is."""

IDENTITY: Final = frozenset(
    {"p-asserted-identity", "p-preferred-identity", "remote-party-id", "privacy", "diversion"}
    | {"history-info", "identity", "identity-info", "p-served-user", "p-asserted-service"}
    | {"p-charge-info", "p-charging-vector", "p-charging-function-addresses", "p-access-network-info"}
)
"""What a carrier believes about who calls, and who pays."""


def is_custom(name: str) -> bool:
    """Whether a field means nothing to anybody but the two applications: `X-…`, User-to-User (RFC 7433).
    A REFER may have a call carry these and no others."""
    key = key_of(name)
    return key.startswith("x-") or key == "user-to-user"


def may_set(name: str, *, identity: bool = True) -> bool:
    """Whether an application may set a field. `identity`: also those that say who calls, which it may not
    where caller ids are verified."""
    key = key_of(name)
    return key not in PROTOCOL and key not in _RESERVED and (identity or key not in IDENTITY)
