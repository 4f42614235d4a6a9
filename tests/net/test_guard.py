from __future__ import annotations

import pytest

from ringback.net.guard import AddressPolicy, AddressRefused, origin_of, refusal, same_origin

PRIVATE = {
    "127.0.0.1": "loopback",
    "127.8.9.1": "loopback",
    "::1": "loopback",
    "10.0.0.1": "private",
    "172.16.5.4": "private",
    "192.168.1.1": "private",
    "192.0.2.1": "private",
    "169.254.7.7": "link-local",
    "fe80::1%eth0": "link-local",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "100.64.0.1": "shared address space",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.1.2.3": "private",
    "::127.0.0.1": "loopback",
    "64:ff9b::a00:1": "private",
    "2002:7f00:1::": "loopback",
}
NEVER = {
    "169.254.169.254": "metadata service",
    "::ffff:169.254.169.254": "metadata service",
    "64:ff9b::a9fe:a9fe": "metadata service",
    "fd00:ec2::254": "metadata service",
    "100.100.100.200": "metadata service",
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "reserved",
    "240.0.0.1": "reserved",
    "not an address": "not an address",
}
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize(("address", "why"), {**PRIVATE, **NEVER}.items())
def test_what_is_not_public_is_refused(address: str, why: str) -> None:
    assert refusal(address, allow_private=False) == why


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_can_be_opened(address: str) -> None:
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize(("address", "why"), NEVER.items())
def test_some_addresses_never_are(address: str, why: str) -> None:
    assert refusal(address, allow_private=True) == why


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert refusal(address, allow_private=False) is None


def test_a_configured_origin_may_be_private_but_not_the_metadata_service() -> None:
    policy = AddressPolicy(
        always_allowed=frozenset({("http", "app.internal", 5000), ("sip", "10.0.0.9", 5060)})
    )
    policy.check("http://app.internal:5000/voice", "10.0.0.7")
    policy.check("ws://APP.internal.:5000/voice", "127.0.0.1")
    policy.check("sip://10.0.0.9", "10.0.0.9")
    with pytest.raises(AddressRefused, match="metadata"):
        policy.check("http://app.internal:5000/voice", "169.254.169.254")
    with pytest.raises(AddressRefused, match="private"):
        policy.check("http://app.internal:5001/voice", "10.0.0.7")


def test_one_bad_address_refuses_the_host() -> None:
    with pytest.raises(AddressRefused) as refused:
        AddressPolicy().check_host("mixed.example", 80, ["93.184.216.34", "10.0.0.1"])
    assert (refused.value.address, refused.value.why) == ("10.0.0.1", "private")
    assert "mixed.example:80" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Example.com/a", ("http", "example.com", 80)),
        ("https://example.com:8443", ("https", "example.com", 8443)),
        ("wss://user:pw@example.com/x", ("wss", "example.com", 443)),
        ("http://[::1]:8080/", ("http", "::1", 8080)),
    ],
)
def test_origins(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("HTTP://u:p@A.example:80/other?x#y", True),
        ("https://a.example/", False),
        ("http://a.example:8080/", False),
        ("http://b.example/", False),
        ("/relative", False),
        ("http://a.example:99999/", False),
    ],
)
def test_the_same_origin(other: str, same: bool) -> None:
    assert same_origin("http://a.example/voice", other) is same
    assert same_origin(other, "http://a.example/voice") is same


@pytest.mark.parametrize("url", ["/relative", "mailto:a@b", "http://host:99999/"])
def test_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match=r"host|Port|port"):
        origin_of(url)
