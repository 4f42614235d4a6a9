"""The folder that recordings are written into: `<account>/<id>.wav`, and what is made of that beside it.

`fetched/<id>.wav` are copies of recordings that are stored elsewhere, for as long as somebody asks for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from soundfile import SoundFileError

from ringback.calls.recordings.files import RATE, Measure, measure, reason, trim
from ringback.calls.recordings.recording import Recording, RecordingStatus
from ringback.calls.recordings.renditions import Renditions
from ringback.media.wav import repair
from ringback.net.clock import utcnow
from ringback.store.privacy import own_folder

logger = logging.getLogger(__name__)
T = TypeVar("T")
_THREADS = 2
_FETCHED_SECONDS = 3600.0
"""How long a copy stays that nobody asks for."""
_FORMS = ("mono.wav", "mp3", "mono.mp3")
"""What may be there beside the file itself."""


class RecordingFolder:
    """`min_free` is in octets: with less room on the disk no recording is begun."""

    def __init__(self, path: Path, *, min_free: int = 0) -> None:
        self.path = path
        self._min_free = min_free
        self._free: int | None = None
        self._finishers = ThreadPoolExecutor(_THREADS, thread_name_prefix="ringback-recorded")
        """Calls wait for what these do: nobody else gives them work."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ringback-recordings")
        self._renditions = Renditions()
        self._making: dict[Path, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Wait for what is being finished; what is only made of a file is made again when it is wanted."""
        await self._stop_making(list(self._making))
        for threads in (self._finishers, self._threads):
            await asyncio.to_thread(threads.shutdown)

    def new(self, recording: Recording) -> Path:
        """Where a new recording is to be written, by whoever makes its folder, too.

        Nothing is asked of the disk here. Raises OSError if it was full when it was last looked at.
        """
        if self._free is not None and self._free < self._min_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.place(recording)

    async def look(self) -> None:
        """See how much room there is. Raises OSError."""

        def free() -> int:
            own_folder(self.path)
            return shutil.disk_usage(self.path).free

        self._free = await self._run(free)

    def place(self, recording: Recording) -> Path:
        """Where the recording's file is, while it is here."""
        return self.path / self.name(recording)

    def name(self, recording: Recording) -> str:
        """The same, below the folder."""
        return f"{recording.account_id}/{recording.id}.wav"

    async def finish(
        self, recording: Recording, error: str | None, *, interrupted: str | None = None
    ) -> Recording:
        """What an ended recording came to: completed, absent, or failed (for `error`); trimmed as planned.

        One that was `interrupted` is completed with what there is of it, and failed where there is nothing.
        """
        changes: dict[str, object] = {"updated_at": utcnow()}
        try:
            work = partial(_finished, self.place(recording), recording.plan.trim and not error)
            found = await asyncio.get_running_loop().run_in_executor(self._finishers, work)
        except (OSError, SoundFileError) as fault:
            return msgspec.structs.replace(
                recording,
                status=RecordingStatus.FAILED,
                error=error or interrupted or reason(fault),
                **changes,
            )
        changes |= {"duration": found.seconds, "size": found.octets, "error": error or interrupted}
        if found.seconds:
            status = RecordingStatus.FAILED if error else RecordingStatus.COMPLETED
            return msgspec.structs.replace(recording, status=status, location=self.name(recording), **changes)
        await self.remove(recording)
        status = RecordingStatus.FAILED if error or interrupted else RecordingStatus.ABSENT
        return msgspec.structs.replace(recording, status=status, **{**changes, "size": 0})

    async def repair(self, recording: Recording) -> float:
        """Make a file playable whose writer was killed; its seconds. Raises OSError, ValueError."""
        return await self._run(lambda: repair(str(self.place(recording))) / RATE)

    async def fetched(self, recording: Recording, fetch: Callable[[Path], Coroutine[Any, Any, None]]) -> Path:
        """A copy of a recording that is stored elsewhere; `fetch` brings it, and raises what it raises."""
        path = self._copy(recording)

        def touched() -> bool:
            own_folder(self.path)
            own_folder(path.parent)
            if path.exists():
                path.touch()
                return True
            return False

        if not await self._run(touched):
            await self._once(path, lambda: fetch(path))
        return path

    async def tidy(self, idle: float = _FETCHED_SECONDS) -> None:
        """Remove the copies that nobody has asked for in `idle` seconds."""

        def unlink() -> None:
            for path in (self.path / "fetched").glob("*"):
                with contextlib.suppress(FileNotFoundError):  # removed in this moment, or moved to its place
                    if time.time() - path.stat().st_mtime >= idle:
                        path.unlink()

        await self._run(unlink)

    async def rendition(self, source: Path, *, form: str, mono: bool) -> Path:
        """The file as `wav` or `mp3`, mixed down or as it is; made once.

        Raises OSError, SoundFileError; Overloaded where too many others wait for theirs.
        """
        path = source
        if mono and (await self._run(partial(measure, source))).channels > 1:
            path = source.with_suffix(".mono.wav")
            await self._once(path, partial(self._renditions.make, "mono", source, path))
        if form == "mp3":
            source, path = path, path.with_suffix(".mp3")
            await self._once(path, partial(self._renditions.make, "mp3", source, path))
        return path

    async def remove(self, recording: Recording) -> None:
        """Remove the file and all that was made of it, or is being made. Raises OSError."""
        files = [
            each
            for path in (self.place(recording), self._copy(recording))
            for each in (path, *(path.with_suffix(f".{form}") for form in _FORMS))
        ]

        def unlink() -> None:
            for path in files:
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.making").unlink(missing_ok=True)

        await self._run(unlink)
        # What began before the file was gone may have read it.
        while await self._stop_making(files):
            await self._run(unlink)

    async def _stop_making(self, files: Iterable[Path]) -> bool:
        """Whether any of these was being made."""
        making = [self._making[path] for path in files if path in self._making]
        for task in making:
            task.cancel()
        if making:
            await asyncio.wait(making)
        return bool(making)

    def _copy(self, recording: Recording) -> Path:
        return self.path / "fetched" / f"{recording.id}.wav"

    async def _once(self, path: Path, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Make a file that is not there; whoever wants it meanwhile waits for the same one."""
        if path not in self._making and await self._run(path.exists):
            return
        making = self._making.get(path)
        if making is None:
            making = self._making[path] = asyncio.get_running_loop().create_task(make())
            making.add_done_callback(lambda made: self._made(path, made))
        # Whoever goes away leaves it to the others, and to who comes back for it.
        await asyncio.wait({making})
        if making.cancelled():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path.name)
        making.result()

    def _made(self, path: Path, making: asyncio.Task[None]) -> None:
        self._making.pop(path, None)
        if not making.cancelled():
            making.exception()  # whoever wanted it may have gone: then nobody is to be told

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _finished(path: Path, trims: bool) -> Measure:
    if trims:
        try:
            trim(path)
        except OSError as error:
            # A recording with silence at its ends is better than none.
            logger.warning("%s could not be trimmed: %s", path.name, error)
    return measure(path)
