"""Screening: a callee that answered says first, on a document of its own, whether it is to be connected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.calls.application import Screening
from ringback.calls.status import EndedBy
from ringback.calls.verbs import HangUp, Hook

if TYPE_CHECKING:
    from ringback.calls.call import Call


async def screened(leg: Call, hook: Hook, timeout: float | None) -> bool:
    """Run the document on the callee's leg; whether the callee is still there at its end.

    One that takes longer than `timeout` seconds is hung up.
    """
    ask = Screening(hook=hook, headers=tuple(leg.leg.response_headers))
    try:
        async with asyncio.timeout(timeout):
            return await leg.runner.run_out(ask)
    except TimeoutError:
        leg.drop(HangUp(cause=f"its screening took longer than {timeout:g} s"), EndedBy.SERVER)
        return False
