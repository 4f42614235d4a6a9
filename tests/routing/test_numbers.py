"""Numbers and patterns."""

from __future__ import annotations

import pytest

from ringback.routing.numbers import canonical, compile_pattern, is_pattern, is_telephone_number, specificity


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+14155550100", "14155550100"),
        ("14155550100", "14155550100"),
        ("+1 (415) 555-01.00", "14155550100"),
        ("ivr", "ivr"),
        ("*98", "*98"),
        ("first-line", "first-line"),
        (" 911 ", "911"),
        ("", ""),
    ],
)
def test_canonical(written: str, key: str) -> None:
    assert canonical(written) == key


@pytest.mark.parametrize("text", ["+14155550100", "911", "*98", "+1 (415) 555-0100", "#31#"])
def test_telephone_numbers(text: str) -> None:
    assert is_telephone_number(text)


@pytest.mark.parametrize("text", ["", "+", "alice", "1-800-FLOWERS", "sip:1@h", "++1", "1" * 33, "١٢٣"])
def test_no_telephone_numbers(text: str) -> None:
    assert not is_telephone_number(text)


@pytest.mark.parametrize("text", ["*", "+*", "+1415*", "+1415???", "/^1/", "1*5"])
def test_patterns(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["+14155550100", "*98", "ivr", "/", "//"])
def test_no_patterns(text: str) -> None:
    assert not is_pattern(text)


@pytest.mark.parametrize(
    ("pattern", "dialled", "expected"),
    [
        ("+1415*", "+14155550100", True),
        ("+1415*", "14155550100", True),
        ("+1415*", "+4414155550100", False),
        ("1415*", "+1415", True),
        ("+1415???", "+1415123", True),
        ("+1415???", "+14151234", False),
        ("*", "anything", True),
        ("+*", "anything", True),
        (r"/^\+?1415(5|6)/", "+14156", True),
        (r"/^\+?1415(5|6)/", "14157", False),
        ("+1.415*", "+14155", True),
    ],
)
def test_matching(pattern: str, dialled: str, expected: bool) -> None:
    assert (compile_pattern(pattern).search(dialled) is not None) is expected


def test_a_broken_expression_is_named() -> None:
    with pytest.raises(ValueError, match=r"/\(/ is not a regular expression"):
        compile_pattern("/(/")


def test_the_most_particular_comes_first() -> None:
    patterns = ["*", "/^1/", "+1415*", "+1*", "+14155?"]
    assert sorted(patterns, key=specificity) == ["+14155?", "+1415*", "+1*", "*", "/^1/"]
