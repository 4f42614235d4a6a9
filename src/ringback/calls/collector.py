"""Collecting digits, as a state machine without IO: keys and times in, an outcome out."""

from __future__ import annotations

from ringback.calls.outcome import EndOfVerb, Outcome
from ringback.calls.verbs import Gather


class DigitCollector:
    """What a Gather has heard so far and until when it waits. Times are seconds of any one clock."""

    def __init__(self, verb: Gather) -> None:
        self._verb = verb
        self._digits = ""
        self._prompting = bool(verb.prompts)
        self.deadline: float | None = None
        """When `expire` is due; None while there is no limit."""
        self.outcome: Outcome | None = None
        """How it ended; None while it goes on."""

    @property
    def digits(self) -> str:
        """The keys so far."""
        return self._digits

    def prompts_ended(self, now: float) -> None:
        """The prompts are over (or there were none): the wait for the first key begins."""
        self._prompting = False
        if not self._digits:
            self.deadline = _later(now, self._verb.first_digit_timeout)
        elif self.deadline is None:
            self._wait_for_next(now)

    def key(self, key: str, now: float) -> None:
        """A key was pressed."""
        if self.outcome or not self._verb.accepts_digits:
            return
        if key in self._verb.finish_keys:
            self._finish(finish_key=key)
            return
        if not self._digits and self._verb.start_keys is not None and key not in self._verb.start_keys:
            return
        self._digits += key
        if self._verb.max_digits is not None and len(self._digits) >= self._verb.max_digits:
            self._finish()
        elif self._verb.barge_in or not self._prompting:
            self._wait_for_next(now)

    def expire(self) -> None:
        """The deadline passed."""
        if self._digits and len(self._digits) >= self._verb.min_digits:
            self._finish()
        else:
            self.outcome = Outcome(end=EndOfVerb.TIMEOUT)

    def hung_up(self) -> None:
        """The call ended."""
        self.outcome = Outcome(end=EndOfVerb.HUNG_UP, digits=self._digits or None)

    def _wait_for_next(self, now: float) -> None:
        verb = self._verb
        if verb.inter_digit_timeout is not None and len(self._digits) >= min(verb.min_digits, 1):
            self.deadline = _later(now, verb.inter_digit_timeout)
        elif self.deadline is None:
            self.deadline = _later(now, verb.first_digit_timeout)

    def _finish(self, finish_key: str | None = None) -> None:
        self.outcome = Outcome(digits=self._digits, finish_key=finish_key)


def _later(now: float, seconds: float | None) -> float | None:
    return None if seconds is None else now + seconds
