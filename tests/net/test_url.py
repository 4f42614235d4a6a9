from __future__ import annotations

import pytest

from ringback.net.url import BadUrl, resolve, target


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://Example.COM:80/a?x=1", "http://example.com/a?x=1"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        (
            "http://example.com/a%2Fb?x=%2B1&y=a+b&z=%20#frag",
            "http://example.com/a%2Fb?x=%2B1&y=a+b&z=%20",
        ),
        ("http://example.com/ä b?q=ü", "http://example.com/%C3%A4%20b?q=%C3%BC"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        (" http://127.0.0.1/x ", "http://127.0.0.1/x"),
    ],
)
def test_what_is_sent(url: str, sent: str) -> None:
    assert target(url).url == sent


def test_credentials_and_fragment_are_taken_off() -> None:
    at = target("https://us%40er:p%3Aw@example.com/a#ct=2000")
    assert at.url == "https://example.com/a"
    assert (at.username, at.password, at.fragment, at.port) == ("us@er", "p:w", "ct=2000", 443)
    assert target("https://example.com/a").username is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/voice",
        "ftp://example.com/",
        "http://",
        "http:///path",
        "http://ex ample.com/",
        "http://example.com:99999/",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://[::1/",
        "http://./",
        "file:///etc/passwd",
    ],
)
def test_what_is_refused(url: str) -> None:
    with pytest.raises(BadUrl):
        target(url)


def test_other_schemes_must_be_asked_for() -> None:
    assert target("wss://example.com/a", schemes=("ws", "wss")).port == 443
    with pytest.raises(BadUrl, match="ws://"):
        target("http://example.com/a", schemes=("ws", "wss"))


def test_references() -> None:
    assert resolve("http://example.com/a/b?x=1", "c") == "http://example.com/a/c"
    assert resolve("http://example.com/a/b?x=1", "?y=2") == "http://example.com/a/b?y=2"
    assert resolve("http://example.com/a", " //other.example/z ") == "http://other.example/z"
