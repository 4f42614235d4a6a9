from __future__ import annotations

import socket

import pytest

from ringback.media import addresses
from ringback.media.latch import may_latch


@pytest.mark.parametrize(
    ("host", "family", "back"),
    [
        ("192.0.2.1", socket.AF_INET, "192.0.2.1"),
        ("2001:db8::1", socket.AF_INET6, "2001:db8::1"),
        ("[2001:db8::1]", socket.AF_INET6, "2001:db8::1"),
        ("192.0.2.1", socket.AF_INET6, "192.0.2.1"),
        ("::ffff:192.0.2.1", socket.AF_INET, "192.0.2.1"),
    ],
)
def test_addresses_round_trip(host: str, family: int, back: str) -> None:
    assert addresses.unpack(addresses.pack(host, 40000, family)) == (back, 40000)


@pytest.mark.parametrize(
    ("host", "family"), [("2001:db8::1", socket.AF_INET), ("phone.example", socket.AF_INET)]
)
def test_what_cannot_be_reached_is_refused(host: str, family: int) -> None:
    with pytest.raises(ValueError, match=r"address|reached"):
        addresses.pack(host, 1, family)


@pytest.mark.parametrize(
    ("signalled", "source", "signalling", "nat_open", "allowed"),
    [
        ("203.0.113.5", "203.0.113.5", None, False, True),
        ("198.51.100.5", "198.51.100.77", None, False, True),
        ("9.9.9.9", "8.8.8.8", None, False, False),
        ("9.9.9.9", "8.8.8.8", None, True, True),
        ("192.168.1.7", "8.8.8.8", None, False, True),
        ("192.168.1.7", "8.8.8.8", "8.8.8.1", False, True),
        ("192.168.1.7", "8.8.8.8", "9.9.9.9", False, False),
        ("192.168.1.7", "8.8.8.8", "10.0.0.1", False, True),
        ("192.168.1.7", "10.0.0.3", None, False, False),
        ("9.9.9.9", "10.0.0.3", None, False, False),
        ("2a00:1450::1", "2a00:1450::ffff", None, False, True),
        ("2a00:1450::1", "2a00:1450:0:1::1", None, False, False),
        ("9.9.9.9", "2a00:1450::1", None, False, False),
        ("127.0.0.1", "127.0.0.9", None, False, True),
    ],
)
def test_whose_media_may_be_taken(
    signalled: str, source: str, signalling: str | None, nat_open: bool, allowed: bool
) -> None:
    assert may_latch(signalled, source, signalling, nat_open) is allowed
