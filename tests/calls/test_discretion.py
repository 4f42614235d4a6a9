"""Credentials are taken out of what others get to see."""

from __future__ import annotations

import pytest

from ringback.calls.discretion import redacted, without_credentials


def test_header_fields_with_credentials_are_left_out() -> None:
    headers = (("Via", "x"), ("Authorization", "Digest a"), ("proxy-authorization", "Digest b"), ("X-A", "1"))
    assert without_credentials(headers) == (("Via", "x"), ("X-A", "1"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('Authorization: Digest response="0f"', "Authorization: (removed)"),
        ("proxy-authorization : Digest a,\r\n  b", "proxy-authorization : (removed)"),
        ("X-Authorization: kept", "X-Authorization: kept"),
        ("Subject: Authorization: kept", "Subject: Authorization: kept"),
    ],
)
def test_lines_with_credentials_are_emptied(line: str, shown: str) -> None:
    message = "INVITE sip:a@b SIP/2.0\r\n{}\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"
    assert redacted(message.format(line)) == message.format(shown)
