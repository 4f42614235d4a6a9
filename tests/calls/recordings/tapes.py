"""A media leg that records what a test says, in place of the media plane."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from tests.calls.making import FakeApplication, FakeStore, answered_record, fake_engine
from tests.patience import PATIENCE

from ringback.calls.call import Call
from ringback.calls.events import RecordingChanged
from ringback.calls.recordings.archive import Archive
from ringback.calls.recordings.folder import RecordingFolder
from ringback.calls.recordings.recording import Recording
from ringback.calls.recordings.storage import Storage
from ringback.media.model import LegStatistics, PlaybackDone, RecordingClosed
from ringback.store.records import RecordingRow

Samples = npt.NDArray[np.int16]


def tone(seconds: float, hertz: float = 440.0, level: int = 8000) -> Samples:
    """A sine at 8 kHz."""
    time = np.arange(round(seconds * 8000)) / 8000
    return (np.sin(2 * np.pi * hertz * time) * level).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * 8000), np.int16)


def write_wav(path: Path, *channels: Samples) -> None:
    """A file with these channels."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(np.stack(channels, axis=1).astype("<i2").tobytes())


class FakeRecording:
    """One recording: the file is written when it ends."""

    def __init__(self, path: Path, channels: int, said: Samples) -> None:
        self.path = path
        self.channels = channels
        self.said = said
        self.changes: list[Any] = []
        self.done: asyncio.Future[RecordingClosed] = asyncio.get_running_loop().create_future()

    def pause(self, *, silence: bool) -> None:
        self.changes.append(("pause", silence))

    def resume(self) -> None:
        self.changes.append("resume")

    def stop(self, error: str | None = None, interrupted: str | None = None) -> None:
        if not self.done.done():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(self.path, *[self.said] * self.channels)
            self.done.set_result(RecordingClosed(1, len(self.said), error, interrupted))


class FakeMedia:
    """A media leg whose recordings all hold the same sound."""

    def __init__(self, said: Samples) -> None:
        self.said = said
        self.recordings: list[FakeRecording] = []
        self.played: list[Any] = []
        self.listened: list[tuple[Any, bool]] = []

    def record(self, path: str, *, channels: int, track: str) -> FakeRecording:
        made = FakeRecording(Path(path), channels, self.said)
        self.recordings.append(made)
        return made

    def listen(self, *, speech: Any, tones: bool) -> None:
        self.listened.append((speech, tones))

    def play(self, sources: Any, **_: Any) -> Any:
        self.played.append(sources)
        done = asyncio.get_running_loop().create_future()
        done.set_result(PlaybackDone(1, "completed", 400, 400))
        return type("Playback", (), {"id": 1, "done": done})()

    def stop_playback(self, *, over: bool = False) -> None:
        """Nothing plays."""

    async def close(self) -> LegStatistics:
        return LegStatistics()


class RowStore(FakeStore):
    """Keeps the rows of recordings as well."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, RecordingRow] = {}

    def append(self, append: Any, *, new_call: bool = False) -> asyncio.Future[None]:
        self.rows |= {row.id: row for row in append.recordings}
        return super().append(append, new_call=new_call)

    async def more(self) -> None:
        """Wait for the next event."""
        self._more.clear()
        await self._more.wait()

    async def put_recording(self, row: RecordingRow) -> None:
        self.rows[row.id] = row

    async def recording(self, recording_id: str) -> RecordingRow | None:
        return self.rows.get(recording_id)

    async def delete_recording(self, recording_id: str) -> bool:
        return self.rows.pop(recording_id, None) is not None


class Copies:
    """Takes the application's copies, after so many failures."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.sent: list[bytes] = []

    async def __call__(self, recording: Recording, path: Path) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(await asyncio.to_thread(path.read_bytes))


class Tape:
    """A call that is up and can be recorded; `changes` is what was told of its recordings."""

    def __init__(
        self, folder: Path, said: Samples, *, storage: Storage | None = None, patience: float = 60.0
    ) -> None:
        self.store = RowStore()
        self.copies = Copies()
        self.media = FakeMedia(said)
        self.archive = Archive(
            RecordingFolder(folder),
            cast("Any", self.store),
            self.copies,
            storage=storage,
            patience=patience,
            first_wait=0.001,
        )
        self.application = FakeApplication()
        self.call = Call(answered_record(), self.application, fake_engine(self.store, archive=self.archive))
        self.call.leg._media = cast("Any", self.media)

    @property
    def changes(self) -> list[Recording]:
        return [event.recording for event in self.store.events if isinstance(event, RecordingChanged)]

    @property
    def statuses(self) -> list[str]:
        return [recording.status.value for recording in self.changes]

    async def final(self) -> Recording:
        """The recording, when nothing more will happen to it."""
        async with asyncio.timeout(PATIENCE):
            while not (self.changes and self.changes[-1].status.final):
                await self.store.more()
        return self.changes[-1]

    async def hang_up(self) -> None:
        self.call.reports.leg_ended("remote", (), "")
        await asyncio.wait_for(self.call.closed, PATIENCE)
