from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.sip.errors import SipParseError
from ringback.sip.grammar import NO_PARAMS, Params, is_token, quote, split_list, unquote


@given(st.text())
def test_quote_and_unquote_are_inverse(text: str) -> None:
    assert unquote(quote(text)) == text


def test_unquote_leaves_plain_text_alone() -> None:
    assert unquote("plain") == "plain"
    assert unquote("") == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ('"a,b" <sip:x,y@z>, c', ['"a,b" <sip:x,y@z>', " c"]),
        ('"esc\\",aped",b', ['"esc\\",aped"', "b"]),
    ],
)
def test_split_list(text: str, parts: list[str]) -> None:
    assert split_list(text) == parts


def test_split_list_refuses_an_open_quote() -> None:
    with pytest.raises(SipParseError, match="Quotes"):
        split_list('"open, b')


def test_params_are_read_and_written() -> None:
    params = Params.parse(';Tag=1 ; lr;reason = "a \\"b\\""')
    assert dict(params) == {"tag": "1", "lr": "", "reason": 'a "b"'}
    assert str(params) == ';tag=1;lr;reason="a \\"b\\""'
    assert "lr" in params
    assert params.get("missing") is None
    assert len(params) == 3
    assert params == Params.parse(str(params))
    assert hash(params) == hash(Params.parse(str(params)))
    assert params != "text"
    assert repr(Params({"a": "1"})) == "Params(';a=1')"


def test_params_without_a_first_semicolon() -> None:
    assert dict(Params.parse("a=1;b")) == {"a": "1", "b": ""}
    assert Params.parse("  ") is NO_PARAMS


def test_params_change_by_copies() -> None:
    params = NO_PARAMS.with_("tag", "x").with_("text", "two words").with_("LR")
    assert str(params) == ';tag=x;text="two words";lr'
    assert str(params.without("tag", "lr")) == ';text="two words"'
    assert not NO_PARAMS
    with pytest.raises(ValueError, match="parameter name"):
        NO_PARAMS.with_("bad name")


@pytest.mark.parametrize(
    "text",
    [";a=1;a=2", ";;", ";a;", ";=1", ";a=b c", ';a="open', ";a=1,b", ';a="\x00"', ';a="\\\x00"', ";a=\x0b1"],
)
def test_params_refuse_what_is_not_certain(text: str) -> None:
    with pytest.raises(SipParseError):
        Params.parse(text)


def test_is_token() -> None:
    assert is_token("a-b.c!%*_+`'~")
    assert not is_token("a b")
    assert not is_token("")
