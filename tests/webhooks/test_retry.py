"""The retry policy in virtual time: nothing waits here."""

from __future__ import annotations

import pytest

from ringback.net.reply import FailureKind
from ringback.webhooks.policy import RetryOn, RetryPolicy
from ringback.webhooks.retry import category, next_delay


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("connect", None, "ct"),
        ("dns", None, "ct"),
        ("tls", None, "ct"),
        ("timeout", None, "rt"),
        ("refused-address", None, None),
        ("too-large", None, None),
        ("too-many-redirects", None, None),
        (None, 404, "4xx"),
        (None, 503, "5xx"),
        (None, 200, None),
        (None, 302, None),
        (None, None, None),
    ],
)
def test_categories(kind: FailureKind | None, status: int | None, word: RetryOn | None) -> None:
    assert category(kind, status) == word


def test_delays_grow_and_end() -> None:
    policy = RetryPolicy(attempts=7, on=frozenset({"ct"}))
    delays = [next_delay(policy, attempt, "connect") for attempt in range(1, 8)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0, None]


def test_only_what_the_policy_names_is_repeated() -> None:
    policy = RetryPolicy(attempts=3, on=frozenset({"5xx", "rt"}), backoff=(1.0,))
    assert next_delay(policy, 1, status=500) == 1.0
    assert next_delay(policy, 1, "timeout") == 1.0
    assert next_delay(policy, 1, status=404) is None
    assert next_delay(policy, 1, "connect") is None


def test_no_backoff_means_at_once() -> None:
    assert next_delay(RetryPolicy(attempts=2, backoff=()), 1, "connect") == 0.0


def test_the_default_is_one_attempt() -> None:
    assert next_delay(RetryPolicy(), 1, "connect") is None
