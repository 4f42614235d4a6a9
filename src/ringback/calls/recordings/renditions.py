"""Other forms of recordings, made by a process of their own each: one at a time, behind everything else.

Encoding takes the better part of a core for a while. In a thread it would hold up what calls wait for, and
who may ask for audio is whoever knows its address.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from ringback.calls.control import Overloaded
from ringback.media.process import ended, environment

logger = logging.getLogger(__name__)
_MOST_WAITING = 16


class Renditions:
    """`most` may wait for the one that is being made; whoever comes then is told to come back."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._most = most
        self._waiting = 0
        self._turn = asyncio.Semaphore(1)

    async def make(self, what: str, source: Path, to: Path) -> None:
        """`mono` or `mp3` (see `files.main`). Raises OSError, Overloaded."""
        if self._turn.locked() and self._waiting >= self._most:
            raise Overloaded("too many recordings are being converted")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._run(what, source, to)
        finally:
            self._turn.release()

    async def _run(self, what: str, source: Path, to: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ringback.calls.recordings.files",
            what,
            str(source),
            str(to),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            logger.warning(
                "%s was not made (%s): %s", to, ended(process.returncode), said.decode(errors="replace")
            )
            raise OSError(f"{to.name} could not be made")
