"""Who ends the legs of a Dial: the Dial does, at its own end, but for those that went their own way."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.calls.leg import HeaderList
from ringback.calls.status import EndedBy
from ringback.calls.verbs import HangUp

if TYPE_CHECKING:
    from ringback.calls.call import Call


class Lease:
    """Holds legs until the block ends, however it ends; then hangs up those that it still holds."""

    def __init__(self) -> None:
        self._legs: list[Call] = []

    def take(self, leg: Call) -> None:
        """Hold it from now on."""
        leg.lease = self
        self._legs.append(leg)

    def holds(self, leg: Call) -> bool:
        """Whether the leg is still the Dial's."""
        return leg.lease is self

    def let_go(self, leg: Call) -> None:
        """The leg goes its own way."""
        leg.lease = None

    def drop(self, cause: str, *, but: Call | None = None, headers: HeaderList = ()) -> None:
        """Hang up, or cancel, every leg that is held, `but` one."""
        for leg in self._legs:
            if leg is not but and self.holds(leg):
                leg.lease = None
                leg.drop(HangUp(cause=cause, headers=tuple(headers)), EndedBy.SERVER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop("the call that dialled it went on without it")
