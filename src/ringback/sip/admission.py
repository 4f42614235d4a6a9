"""Whether there is room for a new call, as the SIP side asks it: before anything is done about the call."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """What a caller gets for whom there is no room: a final status, and in how many seconds to try again."""

    status: int
    retry_after: int


class Admission(Protocol):
    """Whoever measures how much there is to do."""

    def full(self) -> bool:
        """There is no room for a new call now."""

    def enter(self) -> None:
        """A new call comes in."""

    def spare(self) -> None:
        """One that came in came to nothing at once: next to no time was needed for it."""

    def refuse(self, host: str) -> Refusal:
        """A new call from this address is refused. With what?"""


class Always:
    """There is always room."""

    def full(self) -> bool:
        """No."""
        return False

    def enter(self) -> None:
        """Let it."""

    def spare(self) -> None:
        """Nobody counts."""

    def refuse(self, host: str) -> Refusal:
        """Nobody is."""
        raise AssertionError("never full")


class Never:
    """There is none: the server is not ready yet, or is going down."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal

    def full(self) -> bool:
        """Yes."""
        return True

    def enter(self) -> None:
        """Nobody does."""
        raise AssertionError("always full")

    def spare(self) -> None:
        """Nobody came in."""
        raise AssertionError("always full")

    def refuse(self, host: str) -> Refusal:
        """The same for everybody."""
        return self.refusal
