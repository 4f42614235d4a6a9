"""What callers hear while it rings, by country, and the tune for who waits."""

from __future__ import annotations

import pytest

from ringback.media.model import Silence, Tone
from ringback.media.tones import HOLD_MUSIC, RINGING_TONES, ringing_tone

SPOKEN_OF = (
    "at au bg br be ch cl cn cz de dk ee es fi fr gr hu il in it lt jp mx my nl no nz ph pl pt ru se sg th "
    "uk us us-old tw ve za"
)


@pytest.mark.parametrize("country", SPOKEN_OF.split())
def test_every_country_that_applications_name(country: str) -> None:
    pattern = RINGING_TONES[country]
    assert ringing_tone(country.upper()) == pattern
    assert isinstance(pattern[0], Tone)
    assert isinstance(pattern[-1], Silence)
    assert all(380 <= sum(t.frequencies) / len(t.frequencies) <= 460 for t in pattern if isinstance(t, Tone))


def test_two_that_are_known_by_ear() -> None:
    sounds = [
        (sound.milliseconds, sound.frequencies if isinstance(sound, Tone) else ())
        for sound in (*ringing_tone("us"), *ringing_tone("uk"))
    ]
    assert sounds == [
        (2000, (440.0, 480.0)),
        (4000, ()),
        (400, (400.0, 450.0)),
        (200, ()),
        (400, (400.0, 450.0)),
        (2000, ()),
    ]


@pytest.mark.parametrize("country", ["", "atlantis"])
def test_no_country_is_the_recommended_tone(country: str) -> None:
    assert ringing_tone(country) == ringing_tone("de")


def test_the_tune_is_quiet() -> None:
    assert all(sound.level <= -20 for sound in HOLD_MUSIC if isinstance(sound, Tone))
    assert sum(sound.milliseconds for sound in HOLD_MUSIC) > 5000
