"""Who answered: a person, a machine or a fax, judged by when there is speech and when there are tones.

Sans-IO. A person says a few words and waits; a machine speaks on, and ends in a beep or in silence. Times are
milliseconds since the answer; what is heard goes in by the methods named like it, `expire` is due at
`deadline`, and each returns what is found by then.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from ringback.calls.verbs import MachineDetection

FAX_MS = 350
"""A fax that calls sounds for half a second at a time, one that answers for longer (ITU-T T.30)."""
FAX_TONES = ((1100.0, 38.0), (2100.0, 15.0))
"""CNG and CED, and how far they may be off."""
PROGRESS_TONE = (425.0, 6.0)
"""Rings, is busy and congested in most of the world: the network's, not the answerer's (ITU-T E.180)."""
TOLD_LATE_MS = 200
"""By which the end of speech is told after it happened (`ringback.calls.detection.SPEECH`)."""
MISTAKEN_MS = 150
"""What was taken for the beginning of speech so shortly before a tone was the tone's."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """See `ringback.calls.events.AnswererDetected`."""

    what: str
    at: int
    verdict: bool = True
    partial: bool = False
    reason: str = ""
    frequency: float | None = None


class _State(Enum):
    WHO = 1
    """Nobody knows yet."""
    MACHINE = 2
    """A machine, whose greeting is waited out."""
    BEEP = 3
    """It has stopped speaking; a tone may follow."""
    OVER = 4


class Detector:
    """Over after the verdict, except for a machine that is to be listened to further."""

    def __init__(self, wanted: MachineDetection) -> None:
        self._wanted = wanted
        self._state = _State.WHO
        self._first: int | None = None
        """When the greeting began."""
        self._started: int | None = None
        """When the speech under way began; None in silence."""
        self._quiet_since = 0
        self._bursts = 0
        self._tone: tuple[int, float] | None = None
        """The tone that sounds: since when, and Hz."""
        self._recognised = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is to be found."""
        return self._state is _State.OVER

    @property
    def deadline(self) -> int:
        """When `expire` is due."""
        return min(self._deadlines())

    def speech_started(self, at: int) -> list[Finding]:
        """Speech began at `at`, which may be a moment ago. Told again, it goes on."""
        if self._started is not None or self.over:
            return []
        self._started = at
        self._bursts += 1
        if self._first is None:
            self._first = at
        if self._state is not _State.WHO:
            return []
        words = self._wanted.words_threshold
        if words is not None and self._bursts > words:
            return self._machine(at, "many words")
        if at - self._first > self._wanted.speech_threshold_ms:
            return self._machine(at, "long greeting")
        return []

    def speech_stopped(self, at: int) -> list[Finding]:
        """Speech ended at `at`, which may be a while ago."""
        if self._started is not None:
            self._started = None
            self._quiet_since = at
        return []

    def tone_started(self, at: int, frequency: float) -> list[Finding]:
        """A steady tone began."""
        if self.over or _near(frequency, *PROGRESS_TONE):
            return []
        self._take_back(at)
        self._tone = (at, frequency)
        if self._fax_candidate() or self._wanted.wait_for_end:
            return []  # it must last, or is waited out
        return self._beep(at, frequency)

    def tone_ended(self, at: int) -> list[Finding]:
        """It is over."""
        tone, self._tone = self._tone, None
        if tone is None or self.over:
            return []
        self._quiet_since = max(self._quiet_since, at)
        return self._beep(at, tone[1])

    def expire(self, now: int) -> list[Finding]:
        """Time has passed."""
        found: list[Finding] = []
        while not self.over and self.deadline <= now:
            found += self._expire(self.deadline)
        return found

    def _deadlines(self) -> list[int]:
        wanted = self._wanted
        if self._state is _State.WHO:
            due = [wanted.timeout_ms]
            if self._tone is not None:
                due += [self._tone[0] + FAX_MS] if self._fax_candidate() else []
            elif self._first is None:
                due.append(wanted.silence_timeout_ms)
            elif self._started is None:
                due.append(self._quiet_since + wanted.speech_end_ms)
            else:
                due.append(self._first + wanted.speech_threshold_ms + TOLD_LATE_MS)
            return due
        due = [self._recognised + wanted.tone_timeout_ms]
        if wanted.wait_for_end:
            due.append(max(self._recognised, wanted.timeout_ms))
        if self._state is _State.MACHINE and self._started is None and self._tone is None:
            due.append(max(self._recognised, self._quiet_since + wanted.speech_end_ms))
        return due

    def _expire(self, at: int) -> list[Finding]:
        wanted = self._wanted
        if self._state is not _State.WHO:
            return self._expire_machine(at)
        if at >= wanted.timeout_ms:
            return self._end("unknown", at, "timeout")
        if self._tone is not None:
            return self._end("fax", at, frequency=self._tone[1])
        if self._first is None:
            return self._end("unknown", at, "no-speech")
        if self._started is None:
            return self._end("human", at, "short greeting")
        return self._machine(at, "long greeting")

    def _expire_machine(self, at: int) -> list[Finding]:
        wanted = self._wanted
        last = self._recognised + wanted.tone_timeout_ms
        if wanted.wait_for_end:
            last = min(last, max(self._recognised, wanted.timeout_ms))
        if at < last:
            if wanted.wait_for_end:
                return self._end("machine-end-silence", at)
            self._state = _State.BEEP
            return [Finding(what="machine-end-silence", at=at, verdict=False)]
        if wanted.wait_for_end:
            return self._end("machine-end-other", at)
        self._state = _State.OVER
        return [Finding(what="tone-timeout", at=at, verdict=False)]

    def _machine(self, at: int, reason: str, frequency: float | None = None) -> list[Finding]:
        """It is a machine. What follows depends on what is wanted."""
        wanted = self._wanted
        self._recognised = at
        partial = wanted.wait_for_end
        found = Finding(what="machine-start", at=at, partial=partial, reason=reason, frequency=frequency)
        self._state = _State.MACHINE if wanted.wait_for_end or wanted.follow else _State.OVER
        return [found] if wanted.partial_results or not partial else []

    def _beep(self, at: int, frequency: float) -> list[Finding]:
        """A tone that is no fax: a machine's, whose greeting it ends."""
        found: list[Finding] = []
        if self._state is _State.WHO:
            found += self._machine(at, "beep", frequency)
        if self.over:
            return found
        if self._wanted.wait_for_end:
            return found + self._end("machine-end-beep", at, frequency=frequency)
        self._state = _State.OVER
        return [*found, Finding(what="tone", at=at, verdict=False, frequency=frequency)]

    def _end(self, what: str, at: int, reason: str = "", frequency: float | None = None) -> list[Finding]:
        self._state = _State.OVER
        return [Finding(what=what, at=at, reason=reason, frequency=frequency)]

    def _take_back(self, at: int) -> None:
        """What began just before a tone was no speech."""
        if self._started is not None and at - self._started <= MISTAKEN_MS:
            if self._first == self._started:
                self._first = None
            self._started = None
            self._bursts -= 1

    def _fax_candidate(self) -> bool:
        """A tone of a fax's before anybody spoke: it is one if it lasts."""
        return (
            self._state is _State.WHO
            and self._first is None
            and self._tone is not None
            and any(_near(self._tone[1], *fax) for fax in FAX_TONES)
        )


def _near(frequency: float, centre: float, off: float) -> bool:
    return abs(frequency - centre) <= off
