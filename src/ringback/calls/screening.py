"""Screening: a callee that answered says first, on a document of its own, whether it is to be connected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.calls.application import Document, Screening
from ringback.calls.status import EndedBy
from ringback.calls.verbs import Callee, Gather, HangUp, Play, Say

if TYPE_CHECKING:
    from ringback.calls.call import Call


async def briefed(leg: Call, verbs: Sequence[Say | Play | Gather]) -> bool:
    """Run what the Dial itself says on the callee's leg; whether the callee is still there at its end."""
    if not verbs:
        return True
    return await leg.runner.run_out(Document(verbs=tuple(verbs), application=leg.application, at_end=None))


async def screened(leg: Call, callee: Callee) -> bool:
    """Run the application's document on the callee's leg; whether the callee is still there at its end.

    One that takes longer than its time-out is hung up. Without a hook everybody is let through.
    """
    hook, timeout = callee.screening, callee.screening_timeout
    if hook is None:
        return True
    ask = Screening(hook=hook, headers=tuple(leg.leg.response_headers))
    try:
        async with asyncio.timeout(timeout):
            return await leg.runner.run_out(ask)
    except TimeoutError:
        leg.drop(HangUp(cause=f"its screening took longer than {timeout:g} s"), EndedBy.SERVER)
        return False
