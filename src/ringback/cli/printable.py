"""What came from the network, made fit for a terminal and for logs of one entry a line."""

from __future__ import annotations

import re

# C0, DEL and C1; what else ends a line; what turns the direction of writing round.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text with its control characters written out (`\n`, `\x1b`): no forged lines, no moved cursor."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
