"""Watching for sequences of keys, as a state machine without IO."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = 3.0
"""Seconds between two keys after which they no longer belong together."""


class PatternMatcher:
    """Finds the patterns in what is pressed. Times are seconds of any one clock."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = sorted(patterns, key=len, reverse=True)
        self._pressed = ""
        self._last = float("-inf")

    def key(self, key: str, now: float) -> str | None:
        """A key was pressed; the pattern that it completes, the longest of several."""
        self._pressed = key if now - self._last > _GAP else self._pressed + key
        self._last = now
        for pattern in self._patterns:
            if pattern and self._pressed.endswith(pattern):
                self._pressed = ""
                return pattern
        longest = len(self._patterns[0]) if self._patterns else 0
        self._pressed = self._pressed[len(self._pressed) - min(longest, len(self._pressed)) :]
        return None
