"""The XML reader: every input is an element tree or a MarkupError."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.dialects import xml
from ringback.dialects.xml import MarkupError, parse


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"<a>" + b" " * 65536 + b"</a>", "too-large"),
        (b"\xff<a/>", "encoding"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "encoding"),
        (b"<?xml version='1.0' encoding='punycode'?><a/>", "encoding"),
        (b"<!DOCTYPE a><a/>", "doctype"),
        (b"<?xml version='1.0'?><!-- x -->\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "doctype"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "doctype"),
        (b"<a>&nbsp;</a>", "malformed"),
        (b"<a>&</a>", "malformed"),
        (b"<a><b></a>", "malformed"),
        (b"<a/><a/>", "malformed"),
        (b" <?xml version='1.0'?><a/>", "malformed"),
        (b"<a/><!DOCTYPE a>", "malformed"),
        (b"<a>\x00</a>", "malformed"),
        (b"plain words", "malformed"),
        (b"<a>" * 33 + b"</a>" * 33, "too-deep"),
        (b"<a>" * 9000 + b"</a>", "malformed"),
        (b"<a>" + b"<b/>" * 2000 + b"</a>", "too-many"),
    ],
)
def test_documents_that_are_refused(document: bytes, kind: str) -> None:
    with pytest.raises(MarkupError) as caught:
        parse(document)
    assert caught.value.kind == kind
    assert caught.value.message


def test_an_error_names_its_line() -> None:
    with pytest.raises(MarkupError) as caught:
        parse(b"<?xml version='1.0'\n?>\n<a>\n<b>\n</a>")
    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("document", "charset"),
    [
        ("<a>é</a>".encode(), None),
        ("\ufeff<a>é</a>".encode(), None),
        ("<a>é</a>".encode("utf-16"), None),
        ("<a>é</a>".encode("latin-1"), "iso-8859-1"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>".encode("latin-1"), None),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>".encode(), "utf-8"),
    ],
)
def test_encodings(document: bytes, charset: str | None) -> None:
    assert parse(document, charset=charset).text == "é"


def test_comments_and_instructions_are_gone_and_text_is_whole() -> None:
    root = parse(b"<a>one <!-- x -->two<?y z?> <![CDATA[<three>]]></a>")
    assert xml.text_of(root) == "one two <three>"
    assert not xml.has_children(root)


def test_names_and_attributes() -> None:
    root = parse(b"<n:a xmlns:n='urn:x' n:b='1' c='2' xml:lang='en'><x:y/></n:a>")
    assert xml.local_name(root) == "a"
    assert xml.attributes(root) == {"c": "2", "xml:lang": "en"}
    assert [xml.local_name(child) for child in xml.children(root)] == ["y"]
    assert xml.line_of(root) == 1


def test_bare_ampersands_where_they_are_tolerated() -> None:
    root = parse(b"<a b='1&2'>x & y &amp; &#65; <![CDATA[& &amp;]]> &z</a>", tolerate_ampersands=True)
    assert root.get("b") == "1&2"
    assert xml.text_of(root) == "x & y & A & &amp; &z"


def test_own_text_is_not_that_of_children() -> None:
    assert xml.own_text(parse(b"<a> one <b>two</b> three </a>")) == "one three"


def test_speech_markup_is_written_out_and_unknown_elements_are_unwrapped() -> None:
    root = parse(b"<Say>a &amp; <break time='1s'/> <e:x y='1'>b <p>c</p></e:x> d</Say>")
    written, unknown = xml.ssml(root, {"break", "p"})
    assert written == '<speak>a &amp; <break time="1s"/> b <p>c</p> d</speak>'
    assert unknown == ("x",)


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet="<>/&;!-[]?ab '\"=\x00é", max_size=80)))
def test_any_bytes_are_a_tree_or_an_error(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    kinds = set()
    for tolerant in (False, True):
        try:
            parse(raw, tolerate_ampersands=tolerant)
        except MarkupError as error:
            kinds.add(error.kind)
    assert kinds <= {"empty", "encoding", "doctype", "malformed"}
