"""Which header fields others may put on a call."""

from __future__ import annotations

import pytest

from ringback.sip.core import checked
from ringback.sip.header_policy import IDENTITY, PROTOCOL, is_custom, may_set
from ringback.sip.headers import COMPACT


@pytest.mark.parametrize("name", ["X-Case", "x-case", "User-to-User", "USER-TO-USER"])
def test_custom_fields(name: str) -> None:
    assert is_custom(name)
    assert may_set(name, identity=False)


@pytest.mark.parametrize("name", ["x", "X", "Subject", "Referred-By", "P-Asserted-Identity", "Replaces", ""])
def test_fields_that_mean_something(name: str) -> None:
    """`x` is the compact form of Session-Expires."""
    assert not is_custom(name)


@pytest.mark.parametrize("name", sorted(PROTOCOL))
def test_the_protocols_own(name: str) -> None:
    assert not may_set(name.title())
    with pytest.raises(ValueError, match="written by the protocol"):
        checked([(name, "x")])


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "Path", "Content-Encoding", "e"])
def test_what_only_the_server_says(name: str) -> None:
    assert not may_set(name)


@pytest.mark.parametrize("name", sorted(IDENTITY))
def test_identities_are_set_where_nobody_checks_them(name: str) -> None:
    assert may_set(name.upper())
    assert not may_set(name.upper(), identity=False)


def test_a_compact_form_is_no_way_around() -> None:
    for short, name in COMPACT.items():
        for identity in (True, False):
            assert may_set(short, identity=identity) == may_set(name, identity=identity)
