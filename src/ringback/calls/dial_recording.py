"""The recording of a Dial: of the caller's leg, on which both are heard."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.calls.recordings.recording import Recording
from ringback.calls.verbs import Dial, RecordFrom

if TYPE_CHECKING:
    from ringback.calls.call import Call


class DialRecording:
    """Made for the length of a block, from where the verb says it begins; nothing where it wants none."""

    def __init__(self, call: Call, verb: Dial) -> None:
        self._call = call
        self._verb = verb
        self._begun: Recording | None = None

    def __enter__(self) -> Self:
        # A caller who is not answered has no media yet: nothing is to be heard before there is.
        if self._verb.record_from is RecordFrom.RINGING and self._call.leg.has_media:
            self.connected()
        return self

    def connected(self) -> None:
        """The two are about to hear each other."""
        if self._verb.recording is not None and self._begun is None:
            self._begun = self._call.recorder.start(self._verb.recording)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun is not None:
            self._call.recorder.stop_soon(self._begun.id)

    async def made(self) -> Recording | None:
        """What was recorded, if there is a file of it; after the block. See `Recorder.made`."""
        return await self._call.recorder.made(self._begun.id) if self._begun is not None else None
