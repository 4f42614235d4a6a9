"""What a call has, and what knows the call that has it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.calls.call import Call


class Part:
    """A part of a call: used by way of it, and of no use without it.

    The call holds its parts, and is held by whoever does something with it. Were it held by its parts, too,
    all that it has would stay after its end until garbage is collected, which stops every other call
    meanwhile.
    """

    def __init__(self, call: Call) -> None:
        self._held = weakref.ref(call)

    @property
    def _call(self) -> Call:
        call = self._held()
        assert call is not None, "a part of a call is used although nobody holds the call"
        return call
