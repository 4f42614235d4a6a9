"""Keys that arrive as SIP INFO: `application/dtmf-relay` and `application/dtmf`, as phones send them."""

from __future__ import annotations

KEYS = frozenset("0123456789*#ABCD")
_EVENTS = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def key_of_info(content_type: str, body: bytes) -> str | None:
    """The key an INFO names; None if it names none.

    The relay form is lines of `Signal=5` and `Duration=160`; the plain form is the key alone. Both are also
    seen with the event numbers of RFC 4733 (`10` for *).
    """
    kind = content_type.partition(";")[0].strip().lower()
    text = body.decode("latin-1").strip()
    if kind == "application/dtmf-relay":
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                return _key(value)
        return None
    return _key(text) if kind == "application/dtmf" else None


def _key(text: str) -> str | None:
    text = text.strip().upper()
    key = _EVENTS.get(text, text)
    return key if key in KEYS else None
