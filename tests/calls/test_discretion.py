"""Credentials are taken out of what others get to see."""

from __future__ import annotations

import pytest
from tests.calls.making import one_of_each_event, one_of_each_verb

from ringback.calls import events, verbs
from ringback.calls.discretion import (
    discreet,
    document_shown,
    redacted,
    without_credentials,
    without_userinfo,
)
from ringback.calls.outcome import Outcome


def test_header_fields_with_credentials_are_left_out() -> None:
    headers = (("Via", "x"), ("Authorization", "Digest a"), ("proxy-authorization", "Digest b"), ("X-A", "1"))
    assert without_credentials(headers) == (("Via", "x"), ("X-A", "1"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('Authorization: Digest response="0f"', "Authorization: (removed)"),
        ("proxy-authorization : Digest a,\r\n  b", "proxy-authorization : (removed)"),
        ("X-Authorization: kept", "X-Authorization: kept"),
        ("Subject: Authorization: kept", "Subject: Authorization: kept"),
    ],
)
def test_lines_with_credentials_are_emptied(line: str, shown: str) -> None:
    message = "INVITE sip:a@b SIP/2.0\r\n{}\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"
    assert redacted(message.format(line).encode()) == message.format(shown).encode()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("http://bob:s3cret@app.example/a?b=c@d", "http://app.example/a?b=c@d"),
        ("wss://s3cret@app.example", "wss://app.example"),
        ("POST https://bob:s3@cret@[::1]:8080/  200", "POST https://[::1]:8080/  200"),
        (
            "<Play>http://bob:s3&amp;cret@a/</Play><Play>http://b/@</Play>",
            "<Play>http://a/</Play><Play>http://b/@</Play>",
        ),
        (r'{"url":"http:\/\/bob:s3cret@a\/b"}', r'{"url":"http:\/\/a\/b"}'),
        ("calling sip:bob@host, mail a@b", "calling sip:bob@host, mail a@b"),
        ("<Sip>sip:bob:s3cret@host;a=b</Sip>", "<Sip>sip:bob@host;a=b</Sip>"),
        ("To: <sips:bob:s3cret@host>", "To: <sips:bob@host>"),
        ("sip:host:5060 and a@b", "sip:host:5060 and a@b"),
        ("'http://app.example' and bob@b", "'http://app.example' and bob@b"),
    ],
)
def test_urls_are_shown_without_credentials(text: str, seen: str) -> None:
    assert without_userinfo(text) == seen


def test_passwords_in_a_document_are_not_shown() -> None:
    document = r'[{"url": "/x", "username": "bob", "password" : "s3\"cret", "text": "password"}]'
    assert document_shown(document) == document.replace(r"s3\"cret", "(removed)")
    markup = """<Sip username="bob" password='s3 "cret'>sip:a@b</Sip>"""
    assert document_shown(markup) == '<Sip username="bob" password="(removed)">sip:a@b</Sip>'


HOOK = verbs.Hook(url="http://bob:s3cret@app.example/a", username="bob", password="s3cret")


@pytest.mark.parametrize(
    "event",
    [
        events.DocumentAsked(what="action", url=HOOK.url),
        events.VerbStarted(verb=verbs.Redirect(hook=HOOK, status_hook=HOOK)),
        events.VerbStarted(
            verb=verbs.Gather(prompts=(verbs.Play(clips=(verbs.Clip(HOOK.url),)),), action=HOOK)
        ),
        events.VerbStarted(
            verb=verbs.Dial(
                callees=(
                    verbs.Callee(
                        target=verbs.Target(
                            kind="sip", address="sip:a:s3cret@app.example", username="bob", password="s3cret"
                        ),
                        shown="sip:a:s3cret@app.example",
                    ),
                )
            )
        ),
        events.VerbEnded(verb="Play", outcome=Outcome(error=f"{HOOK.url} answered with status 404")),
        events.CallControlled(what="redirect", detail={"url": HOOK.url}),
        events.Noted(note=verbs.Note(level="error", code="1", message=HOOK.url, detail={"url": HOOK.url})),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_event_in_the_log_holds_credentials(event: events.CallEvent) -> None:
    logged, text = discreet(event)
    assert type(logged) is type(event)
    assert b"s3cret" not in text
    assert b"bob" not in text
    assert b"app.example" in text
    assert events.decode(text) == logged


@pytest.mark.parametrize(
    "event",
    [*one_of_each_event(), *(events.VerbStarted(verb=verb) for verb in one_of_each_verb())],
    ids=events.kind_of,
)
def test_an_event_without_credentials_is_logged_as_it_is(event: events.CallEvent) -> None:
    assert discreet(event) == (event, events.encode(event))
