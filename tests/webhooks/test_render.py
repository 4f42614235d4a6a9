from __future__ import annotations

from ringback.webhooks.render import FORM, append_query, form_encode, render, signer
from ringback.webhooks.sign import form_signature, jambonz_signature


def test_forms() -> None:
    fields = (("To", "+1415"), ("Name", "Zoë & co"), ("Empty", ""), ("Null", None))
    assert form_encode(fields) == "To=%2B1415&Name=Zo%C3%AB+%26+co&Empty=&Null"


def test_queries_are_appended() -> None:
    fields = (("a", "1"),)
    assert append_query("http://x/y", fields) == "http://x/y?a=1"
    assert append_query("http://x/y?", fields) == "http://x/y?a=1"
    assert append_query("http://x/y?b=2", fields) == "http://x/y?b=2&a=1"
    assert append_query("http://x/y?b=2#rc=3", fields) == "http://x/y?b=2&a=1#rc=3"
    assert append_query("http://x/y", ()) == "http://x/y"


def test_get_carries_fields_in_the_query() -> None:
    rendered = render("get", "http://x/y?b=2", fields=(("a", "1"),))
    assert (rendered.method, rendered.url, rendered.body) == ("GET", "http://x/y?b=2&a=1", b"")
    assert rendered.fields == ()


def test_post_keeps_the_query_or_moves_it() -> None:
    kept = render("POST", "http://x/y?b=2", fields=(("a", "1"),))
    assert (kept.url, kept.body, kept.headers) == ("http://x/y?b=2", b"a=1", (("Content-Type", FORM),))
    moved = render("POST", "http://x/y?b=+2&c=#rt=1", fields=(("a", "1"),), query_to_body=True)
    assert (moved.url, moved.body) == ("http://x/y#rt=1", b"b=+2&c=&a=1")
    assert moved.fields == (("b", " 2"), ("c", ""), ("a", "1"))


def test_json_is_posted_as_it_is() -> None:
    rendered = render("POST", "http://x/y", json=b'{"a":1}')
    assert (rendered.body, rendered.headers) == (b'{"a":1}', (("Content-Type", "application/json"),))
    assert "bodySHA256=" in render("POST", "http://x/y", json=b"{}", hash_body=True).url


def test_fields_are_signed_only_while_they_are_the_body() -> None:
    rendered = render("POST", "http://x/y", fields=(("a", "1"),))
    sign = signer("twilio", "k", rendered, 0.0)
    assert sign is not None
    posted = dict(sign("POST", "http://x/y", rendered.body))
    redirected = dict(sign("GET", "http://x/z", b""))
    assert posted["X-Twilio-Signature"] == form_signature("k", "http://x/y", (("a", "1"),))
    assert redirected["X-Twilio-Signature"] == form_signature("k", "http://x/z")


def test_a_jambonz_get_signs_what_it_does_not_send() -> None:
    sign = signer("jambonz", "k", render("GET", "http://x/y"), 9.0, b'{"a":1}')
    assert sign is not None
    assert sign("GET", "http://x/y", b"") == (("Jambonz-Signature", jambonz_signature("k", b'{"a":1}', 9)),)
    assert signer("none", "k", render("GET", "http://x/y"), 9.0) is None
