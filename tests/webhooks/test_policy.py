from __future__ import annotations

import pytest

from ringback.webhooks.policy import FetchPolicy, Overrides, RetryPolicy, parse_overrides


@pytest.mark.parametrize(
    ("fragment", "overrides"),
    [
        ("", Overrides()),
        ("section-2", Overrides()),
        ("ct=2000", Overrides(connect_timeout=2.0)),
        ("ot=2000", Overrides(connect_timeout=2.0)),
        ("ct=1&rt=99999&tt=20000", Overrides(connect_timeout=0.1, read_timeout=15.0, total_timeout=15.0)),
        ("ct=50000", Overrides(connect_timeout=10.0)),
        ("rc=9&rp=all", Overrides(retry_count=5, retry_on=frozenset({"ct", "rt", "4xx", "5xx"}))),
        ("rc=2&rp=ct,5xx", Overrides(retry_count=2, retry_on=frozenset({"ct", "5xx"}))),
        ("rc=2,rp=ct,5xx,rt=500", Overrides(None, 0.5, None, 2, frozenset({"ct", "5xx"}))),
        ("rp=RT, 4xx", Overrides(retry_on=frozenset({"rt", "4xx"}))),
        ("rc=-1&ct=abc&rp=maybe&e=ashburn&sni=y", Overrides()),
    ],
)
def test_fragments(fragment: str, overrides: Overrides) -> None:
    assert parse_overrides(fragment) == overrides


def test_what_is_not_overridden_stays() -> None:
    policy = FetchPolicy(connect_timeout=2.0, total_timeout=None, retries=RetryPolicy(1))
    assert Overrides().applied(policy) == policy
    changed = parse_overrides("rt=3000&rc=3&rp=5xx&tt=4000").applied(policy)
    assert (changed.connect_timeout, changed.read_timeout, changed.total_timeout) == (2.0, 3.0, 4.0)
    assert changed.retries == RetryPolicy(4, frozenset({"5xx"}))


def test_accepted_statuses() -> None:
    assert FetchPolicy().accepts(201)
    assert not FetchPolicy().accepts(302)
    assert not FetchPolicy(accept=frozenset({200, 202, 204})).accepts(201)
