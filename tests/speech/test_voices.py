from __future__ import annotations

import pytest

from ringback.speech.languages import match_language
from ringback.speech.protocol import Gender
from ringback.speech.voices import resolve_voice


@pytest.mark.parametrize(
    ("voice", "language", "gender", "name"),
    [
        ("", "", "", "en-us+f2"),
        ("man", "", "", "en-us+m3"),
        ("woman", "en-GB", "", "en+f2"),
        ("alice", "pt-BR", "", "pt-br+f2"),
        ("MAN", "bf", "", "fr-be+m3"),
        ("man", "bp", "", "pt-br+m3"),
        ("woman", "dan", "", "da+f2"),
        ("man", "no", "", "nb+m3"),
        ("man", "el", "", "el+m3"),
        ("", "de-DE", "male", "de+m3"),
        ("default", "es_MX", "", "es-419+f2"),
        ("woman", "zh-HK", "", "yue+f2"),
    ],
)
def test_what_is_here(voice: str, language: str, gender: Gender, name: str) -> None:
    found = resolve_voice(voice, language, gender)
    assert (found.voice.name, found.exact, found.note) == (name, True, "")


@pytest.mark.parametrize(
    ("voice", "language", "name"),
    [
        ("Polly.Joanna", "", "en-us+f2"),
        ("Polly.Matthew-Neural", "", "en-us+m3"),
        ("Polly.Lea-Generative", "", "fr+f2"),
        ("Polly.Liam-Neural", "fr-CA", "fr+m3"),
        ("Polly.Unheard-Of", "de-DE", "de+f2"),
        ("Joanna", "", "en-us+f2"),
        ("Google.en-US-Wavenet-D", "", "en-us+m3"),
        ("Google.es-ES-Chirp3-HD-Aoede", "", "es+f2"),
        ("gcloud.de-DE-Standard-A", "", "de+f2"),
        ("cmn-CN-Wavenet-B", "", "cmn+m3"),
        ("en-US-JennyNeural", "", "en-us+f2"),
        ("es-419-Something", "", "es-419+f2"),
        ("somebody", "", "en-us+f2"),
        ("man", "cf", "fr+m3"),
        ("man", "en-AU", "en+m3"),
        ("man", "tlh", "en-us+m3"),
    ],
)
def test_the_nearest_with_a_note(voice: str, language: str, name: str) -> None:
    found = resolve_voice(voice, language)
    assert (found.voice.name, found.exact) == (name, False)
    assert found.note.endswith(f"the built-in voice {name} speaks")


RCML = "bf bp en en-gb cf cs dan fi es fr de el it nl no pl pt ru ar ca sv tr"


@pytest.mark.parametrize("code", RCML.split())
def test_every_two_letter_code_of_rcml_is_a_language_here(code: str) -> None:
    assert match_language(code) is not None
