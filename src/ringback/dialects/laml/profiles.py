"""The two profiles of the dialect: SignalWire's Compatibility API and Twilio's 2010-04-01.

Whatever differs between them and is no more than a value stands here; see "Profiles" in each service's guides
on webhooks, TwiML/cXML voices and REST return codes.
"""

from __future__ import annotations

import msgspec

from ringback.webhooks.policy import FetchPolicy, RetryPolicy
from ringback.webhooks.sign import SigningScheme

API_VERSION = "2010-04-01"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One service's habits."""

    name: str
    path: str
    """Where the service's own links begin."""
    signing: SigningScheme
    fetch: FetchPolicy
    """Of documents: the application's URLs, actions, redirects, fallbacks."""
    callbacks: FetchPolicy
    """Of status callbacks."""
    user_agent: str
    idempotency_header: str
    default_voice: str
    skips_unknown: bool
    """Unknown verbs and attributes are skipped with a warning; otherwise the document fails."""
    apologises: bool
    """A failing application is announced to the caller before hanging up."""
    speaks_plain_text: bool
    """`text/plain` that is no document is spoken, `audio/*` is played."""
    created_status: int
    """The HTTP status of a created call."""


TWILIO = Profile(
    name="twilio",
    path="/2010-04-01",
    signing="twilio",
    fetch=FetchPolicy(
        connect_timeout=5.0,
        read_timeout=15.0,
        total_timeout=15.0,
        max_redirects=10,
        max_body=4 * 1024 * 1024,  # the reply may be audio; a document is held to 64 kB when it is read
        retries=RetryPolicy(attempts=2, on=frozenset({"ct"}), backoff=(0.0,)),
    ),
    callbacks=FetchPolicy(
        connect_timeout=5.0,
        read_timeout=15.0,
        total_timeout=15.0,
        max_redirects=10,
        retries=RetryPolicy(attempts=2, on=frozenset({"ct"})),
    ),
    user_agent="TwilioProxy/1.1",
    idempotency_header="I-Twilio-Idempotency-Token",
    default_voice="man",
    skips_unknown=True,
    apologises=True,
    speaks_plain_text=True,
    created_status=201,
)

SIGNALWIRE = Profile(
    name="signalwire",
    path="/api/laml/2010-04-01",
    signing="signalwire",
    fetch=FetchPolicy(connect_timeout=2.0, read_timeout=5.0, total_timeout=15.0, max_redirects=3),
    callbacks=FetchPolicy(
        connect_timeout=2.0,
        read_timeout=5.0,
        total_timeout=15.0,
        max_redirects=3,
        retries=RetryPolicy(attempts=3, on=frozenset({"ct", "rt", "5xx"})),
    ),
    user_agent="ringback",
    idempotency_header="",
    default_voice="woman",
    skips_unknown=False,
    apologises=False,
    speaks_plain_text=False,
    created_status=200,
)

_PROFILES = {profile.name: profile for profile in (TWILIO, SIGNALWIRE)}


def profile_named(name: str) -> Profile:
    """The profile of that name; SignalWire's for an empty or unknown one."""
    return _PROFILES.get(name, SIGNALWIRE)


def profile_of_account_sid(text: str) -> Profile | None:
    """The profile that an account's spelling in a path or credential chooses; None when it is no spelling."""
    if text.startswith("AC") and len(text) == 34:
        return TWILIO
    return SIGNALWIRE if text.count("-") == 4 else None
