"""Sequences of keys that are watched for."""

from __future__ import annotations

import pytest

from ringback.calls.patterns import PatternMatcher


@pytest.mark.parametrize(
    ("patterns", "keys", "found"),
    [
        pytest.param(("*1",), "*1", ["*1"], id="one"),
        pytest.param(("*1",), "12*1", ["*1"], id="after other keys"),
        pytest.param(("*1", "*2"), "*2*1", ["*2", "*1"], id="several"),
        pytest.param(("1", "11"), "11", ["1", "1"], id="the shorter one is there first"),
        pytest.param(("11", "111"), "111", ["11"], id="a key counts once"),
        pytest.param(("21", "1"), "21", ["21"], id="of two that end together the longer one"),
        pytest.param((), "123", [], id="none"),
        pytest.param(("",), "1", [], id="an empty one"),
    ],
)
def test_what_is_found(patterns: tuple[str, ...], keys: str, found: list[str]) -> None:
    matcher = PatternMatcher(patterns)
    matches = [matcher.key(key, float(now)) for now, key in enumerate(keys)]
    assert [match for match in matches if match is not None] == found


def test_a_long_pause_begins_anew() -> None:
    matcher = PatternMatcher(("12",))
    assert matcher.key("1", 0.0) is None
    assert matcher.key("2", 3.1) is None
    assert matcher.key("1", 5.0) is None
    assert matcher.key("2", 7.9) == "12"
