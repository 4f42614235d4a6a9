"""When is what found: the detector told of speech and tones at given times."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.calls.amd import TOLD_LATE_MS, Detector, Finding
from ringback.calls.detection import Ears
from ringback.calls.verbs import MachineDetection
from ringback.media.model import SpeechStarted, SpeechStopped, ToneEnded, ToneStarted

LONG = (500, 9000)
BEEP = 1000.0


class Story:
    """What is heard, and what is found of it by the end."""

    def __init__(self, **wanted: Any) -> None:
        self.detector = Detector(MachineDetection(**wanted))
        self.found: list[Finding] = []

    def speech(self, *spans: tuple[int, int]) -> Story:
        """Speech from, to."""
        for began, ended in spans:
            self._until(began)
            self.found += self.detector.speech_started(began)
            self._until(ended)
            self.found += self.detector.speech_stopped(ended)
        return self

    def tone(self, began: int, ended: int, frequency: float = BEEP) -> Story:
        """A tone from, to."""
        self._until(began)
        self.found += self.detector.tone_started(began, frequency)
        self._until(ended)
        self.found += self.detector.tone_ended(ended)
        return self

    def end(self, at: int = 120_000) -> list[tuple[str, int]]:
        """What was found, and when."""
        self._until(at)
        assert self.detector.over
        return [(found.what, found.at) for found in self.found]

    def _until(self, at: int) -> None:
        # Speech that is under way is told of late: its end may come before what `at` would make of it.
        self.found += self.detector.expire(at)


def test_a_person_says_a_few_words_and_waits() -> None:
    story = Story().speech((600, 1100))
    assert story.end() == [("human", 2300)]
    assert story.found[0].reason == "short greeting"
    assert Story().speech((600, 1100), (1500, 2400)).end() == [("human", 3600)]


def test_a_machine_speaks_on() -> None:
    story = Story().speech(LONG)
    assert story.end() == [("machine-start", 500 + 2400 + TOLD_LATE_MS)]
    assert story.found[0].reason == "long greeting"
    assert Story().speech((500, 1500), (2000, 2700), (3100, 6000)).end() == [("machine-start", 3100)]
    assert Story(speech_threshold_ms=6000).speech((500, 5000)).end() == [("human", 6200)]


def test_many_words_are_a_machines() -> None:
    words = [(500 + 300 * number, 700 + 300 * number) for number in range(7)]
    assert Story(words_threshold=6).speech(*words).end() == [("machine-start", 2300)]
    assert Story(words_threshold=6).speech(*words[:6]).end() == [("human", 3400)]


def test_silence_is_nobody() -> None:
    story = Story()
    assert story.end() == [("unknown", 5000)]
    assert story.found[0].reason == "no-speech"


def test_the_time_for_a_decision_is_limited() -> None:
    story = Story(timeout_ms=3000, speech_threshold_ms=6000).speech((2500, 3500))
    assert story.end() == [("unknown", 3000)]
    assert story.found[0].reason == "timeout"


def test_the_end_of_a_greeting_is_waited_for() -> None:
    assert Story(wait_for_end=True).speech(LONG).tone(9400, 9800).end() == [("machine-end-beep", 9800)]
    assert Story(wait_for_end=True).speech(LONG).end() == [("machine-end-silence", 10_200)]
    assert Story(wait_for_end=True).speech((500, 60_000)).end() == [("machine-end-other", 23_100)]
    short = Story(wait_for_end=True, timeout_ms=10_000)
    assert short.speech((500, 60_000)).end() == [("machine-end-other", 10_000)]
    assert Story(wait_for_end=True).speech((500, 1000)).end() == [("human", 2200)]


def test_that_it_is_a_machine_is_told_at_once_where_asked_for() -> None:
    story = Story(wait_for_end=True, partial_results=True).speech(LONG).tone(9400, 9800)
    assert story.end() == [("machine-start", 3100), ("machine-end-beep", 9800)]
    assert [(found.verdict, found.partial) for found in story.found] == [(True, True), (True, False)]


def test_a_beep_is_a_machines_however_short_its_greeting() -> None:
    story = Story().speech((500, 1000)).tone(1500, 1800)
    assert story.end() == [("machine-start", 1500)]
    assert (story.found[0].reason, story.found[0].frequency) == ("beep", BEEP)
    assert Story(wait_for_end=True).tone(1500, 1800).end() == [("machine-end-beep", 1800)]


def test_a_machine_that_is_listened_to_further() -> None:
    story = Story(follow=True).speech(LONG).tone(11_000, 11_500)
    assert story.end() == [("machine-start", 3100), ("machine-end-silence", 10_200), ("tone", 11_000)]
    assert [found.verdict for found in story.found] == [True, False, False]
    silent = Story(follow=True).speech(LONG)
    assert silent.end()[1:] == [("machine-end-silence", 10_200), ("tone-timeout", 23_100)]
    early = Story(follow=True).speech((500, 1000)).tone(1500, 1800)
    assert early.end() == [("machine-start", 1500), ("tone", 1500)]


@pytest.mark.parametrize("frequency", [1100.0, 1070.0, 2100.0, 2110.0])
def test_a_fax_sounds_before_anybody_speaks(frequency: float) -> None:
    story = Story().tone(700, 1200, frequency)
    assert story.end() == [("fax", 1050)]
    assert story.found[0].frequency == frequency
    assert Story(wait_for_end=True).tone(700, 4000, frequency).end() == [("fax", 1050)]
    assert Story().tone(700, 900, frequency).end() == [("machine-start", 900)]
    assert Story().speech((200, 600)).tone(700, 1200, frequency).end() == [("machine-start", 700)]


def test_what_began_with_a_tone_was_no_speech() -> None:
    detector = Detector(MachineDetection())
    detector.speech_started(650)
    assert detector.tone_started(700, 1100.0) == []
    assert [found.what for found in detector.expire(1050)] == ["fax"]


def test_the_networks_own_tone_is_nobodys() -> None:
    assert Story().tone(500, 1500, 425.0).end() == [("unknown", 5000)]


def test_nothing_is_found_after_the_end() -> None:
    story = Story().speech((600, 1100))
    story.end()
    assert story.detector.speech_started(130_000) == []
    assert story.detector.speech_stopped(130_000) == []
    assert story.detector.tone_started(130_000, BEEP) == []
    assert story.detector.tone_ended(130_000) == []
    assert len(story.found) == 1


def test_sounds_are_told_late_and_happened_before() -> None:
    ears = Ears(MachineDetection())
    assert ears.hear(SpeechStarted(60), 660) == []
    assert ears.hear(SpeechStopped(500), 1300) == []
    assert ears.deadline == 600 + 500 + 1200
    assert [(found.what, found.at) for found in ears.wait(2400)] == [("human", 2300)]
    assert ears.over
    ears = Ears(MachineDetection(wait_for_end=True))
    assert ears.hear(ToneStarted(1400.0), 580) == []
    [found] = ears.hear(ToneEnded(1400.0, 300), 800)
    assert (found.what, found.at) == ("machine-end-beep", 800)


def test_speech_that_is_told_twice_goes_on() -> None:
    """Somebody else began to listen in the middle of it."""
    ears = Ears(MachineDetection())
    ears.hear(SpeechStarted(60), 660)
    ears.hear(SpeechStarted(80), 1500)
    assert ears.hear(SpeechStopped(600), 2200) == []
    assert ears.deadline == 1420 + 600 + 1200
