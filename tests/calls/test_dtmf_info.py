"""Keys in SIP INFO, in the forms that phones send."""

from __future__ import annotations

import pytest

from ringback.calls.dtmf_info import key_of_info

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


@pytest.mark.parametrize(
    ("content_type", "body", "key"),
    [
        (RELAY, "Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, "Duration=160\nSignal= * \n", "*"),
        (RELAY, "signal=11\r\nduration=160", "#"),
        (RELAY, "Signal=a\r\n", "A"),
        (f"{RELAY}; charset=utf-8", "Signal=1", "1"),
        ("Application/DTMF-Relay", "Signal=1", "1"),
        (PLAIN, "7", "7"),
        (PLAIN, " 10\r\n", "*"),
        (PLAIN, "d", "D"),
        (RELAY, "Duration=160\r\n", None),
        (RELAY, "Signal=16\r\n", None),
        (RELAY, "", None),
        (PLAIN, "12345", None),
        (PLAIN, "\xff", None),
        ("text/plain", "5", None),
        ("", "5", None),
    ],
)
def test_the_key_of_an_info(content_type: str, body: str, key: str | None) -> None:
    assert key_of_info(content_type, body.encode("latin-1")) == key
