"""What follows from the settings: who can reach the server decides what it opens to whom."""

from __future__ import annotations

import pytest

from ringback.config import Settings
from ringback.config.tables import ServerSection, WebhooksSection


@pytest.mark.parametrize(
    ("http", "https", "local"),
    [
        ("127.0.0.1:8080", "", True),
        ("localhost:8080", "", True),
        ("[::1]:8080", "127.0.0.2:8443", True),
        ("0.0.0.0:8080", "", False),
        ("[::]:8080", "", False),
        ("192.0.2.1:8080", "127.0.0.1:8443", False),
        ("127.0.0.1:8080", "0.0.0.0:8443", False),
        ("127.0.0.1:8080", "[::]:8443", False),
        ("127.0.0.1:8080", "ringback.example.com:8443", False),
    ],
)
def test_private_addresses_are_open_only_while_no_listener_is_reached_from_elsewhere(
    http: str, https: str, local: bool
) -> None:
    settings = Settings(source="test", server=ServerSection(http=http, https=https))
    assert settings.local_only is local
    assert settings.allow_private is local
    assert settings.address_policy().allow_private is local


@pytest.mark.parametrize("said", [True, False])
def test_what_the_file_says_about_private_addresses_counts(said: bool) -> None:
    for https in ("", "0.0.0.0:8443"):
        server = ServerSection(https=https)
        settings = Settings(source="test", server=server, webhooks=WebhooksSection(allow_private=said))
        assert settings.allow_private is said
