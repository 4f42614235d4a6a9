from __future__ import annotations

import pytest

from ringback.speech.protocol import MAX_TEXT, SpeechError
from ringback.speech.ssml import is_ssml, sanitise, strip_ssml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<speak>hi</speak>", True),
        (' <?xml version="1.0"?> <speak version="1.1">hi</speak>', True),
        ("<SPEAK/>", True),
        ("speak up", False),
        ("<speaker/>", False),
    ],
)
def test_recognition(text: str, expected: bool) -> None:
    assert is_ssml(text) is expected


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a &amp; b &lt; c", "a &amp; b &lt; c"),
        ('<break time="2s"/>', '<break time="2000ms"/>'),
        ('<break time="90s"/>', '<break time="10000ms"/>'),
        ('<break strength="strong"/>', '<break strength="strong"/>'),
        ("<break/>", '<break strength="medium"/>'),
        ('<prosody rate="slow" onload="x">a</prosody>', '<prosody rate="slow">a</prosody>'),
        ('<emphasis level="strong">a</emphasis>', '<emphasis level="strong">a</emphasis>'),
        ('<say-as interpret-as="spell-out">abc</say-as>', '<say-as interpret-as="characters">abc</say-as>'),
        ('<say-as interpret-as="digits">12</say-as>', '<say-as interpret-as="tts:digits">12</say-as>'),
        ('<say-as interpret-as="date">1 May</say-as>', "1 May"),
        ('<say-as interpret-as="expletive">x</say-as>', '<break strength="medium"/>'),
        ('<lang xml:lang="fr-FR">oui</lang>', '<voice xml:lang="fr">oui</voice>'),
        ('<voice name="Joanna">a</voice>', "a"),
        ('<lang xml:lang="tlh">a</lang>', "a"),
        ('<w role="amazon:VB">read</w>', "read"),
        ('<audio src="file:///etc/passwd">x</audio>y', "y"),
        ('<p><s>a</s></p><sub alias="B">b</sub>', '<p><s>a</s></p><sub alias="B">b</sub>'),
        ("a<!-- comment -->b<?pi x?>c", "abc"),
        ('<phoneme alphabet="ipa" ph="a">a</phoneme>', '<phoneme alphabet="ipa" ph="a">a</phoneme>'),
    ],
)
def test_what_is_kept(given: str, kept: str) -> None:
    assert sanitise(f'<speak version="1.0">{given}</speak>') == f"<speak>{kept}</speak>"


def test_namespaces_are_no_hindrance() -> None:
    effect = '<amazon:effect xmlns:amazon="a">hi</amazon:effect>'
    text = f'<speak xmlns="http://www.w3.org/2001/10/synthesis">{effect}</speak>'
    assert sanitise(text) == "<speak>hi</speak>"


def test_malformed_ssml_is_said_as_text() -> None:
    assert sanitise("<speak>one <break> two & three</speak>") == "<speak>one two &amp; three</speak>"


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE speak [<!ENTITY a "lol">]><speak>&a;</speak>'
    assert "lol</speak>" not in sanitise(bomb)


def test_too_long() -> None:
    for call in (sanitise, strip_ssml):
        with pytest.raises(SpeechError) as failed:
            call("<speak>" + "x" * MAX_TEXT + "</speak>")
        assert failed.value.kind == "too-long"


def test_words_alone() -> None:
    text = '<speak><p>one</p><p>two</p><sub alias="Doctor">Dr</sub> who<break/>ever</speak>'
    assert strip_ssml(text) == "one two Doctor who ever"
    assert strip_ssml("plain <b>words</b>") == "plain words"
    assert strip_ssml("<speak>broken <b></speak>") == "broken"
