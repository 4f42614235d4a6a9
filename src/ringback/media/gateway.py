"""The gateway: a process that writes recordings, so that no tick ever waits for a disk.
`python -m ringback.media.gateway CONTROL LISTENER`, two inherited sockets.

Workers connect to the listener and send what their tapped rows hear and send (`ringback.media.tapline`); the
control side is told when a file is complete. What is written goes to the disk once a second, all of it at
once and by a thread: hundreds of files would be hundreds of commits of the file system's journal. It ends
when the control side closes its connection or dies, with all files whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import msgspec

from ringback.media.protocol import HEADER
from ringback.media.recorder import File, Recorder, Take, reason
from ringback.media.tapline import Block, Reader, trust
from ringback.media.wav import WavFile

log = logging.getLogger("ringback.media.gateway")

READ = 1 << 20
SYNC_EVERY = 1.0
SYNCERS = 4
POLITENESS = 5
"""Niceness: ticks come first."""
SERVER_ENDED = "the server ended"
WORKER_ENDED = "the media worker ended"


Result = TypeVar("Result")


class Done(msgspec.Struct, frozen=True, array_like=True):
    """Gateway to control, after a 32-bit little-endian length: a recording's file is complete and on disk."""

    id: int
    samples: int
    error: str | None = None
    interrupted: str | None = None


_encoder = msgspec.msgpack.Encoder()
done_decoder = msgspec.msgpack.Decoder(Done)


class Line:
    """One worker's connection."""

    def __init__(self, connection: socket.socket, recorder: Recorder) -> None:
        self.connection = connection
        self.recorder = recorder
        self.reader = Reader()


class Gateway:
    """The loop around the workers' recorders."""

    def __init__(self, control: socket.socket, listener: socket.socket) -> None:
        self._control = control
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._lines: set[Line] = set()
        self._syncers = ThreadPoolExecutor(SYNCERS, thread_name_prefix="sync")
        self._results: deque[Callable[[], None]] = deque()
        """What the threads leave to do here."""
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._dirty: dict[int, tuple[Recorder, Take]] = {}
        self._syncing: set[int] = set()
        """Disks."""
        self._next_sync = 0.0
        for readable in (control, listener):
            readable.setblocking(False)
            self._selector.register(readable, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def run(self) -> None:
        """Work until the control side is gone; then leave every file whole."""
        while self._turn():
            self._sync()
        while self._accept():
            pass  # what was said while we only started counts, too
        for line in list(self._lines):
            self._read(line)
            self._drop(line, SERVER_ENDED)
        self._syncers.shutdown()
        self._take_results()

    def _turn(self) -> bool:
        left = max(0.0, self._next_sync - time.monotonic()) if self._dirty else None
        for key, _ in self._selector.select(left):
            if isinstance(key.data, Line):
                self._read(key.data, once=True)
            elif key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._control:
                return False  # nothing is ever said there: it is closed
            else:
                os.eventfd_read(self._bell)
        self._take_results()
        return True

    def _accept(self) -> bool:
        """Take in a worker that connects. Returns whether there was anybody."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        try:
            trust(connection)
        except PermissionError as error:
            log.warning("a worker was refused: %s", error)
            connection.close()
            return True
        connection.setblocking(False)
        line = Line(connection, self._recorder())
        self._lines.add(line)
        self._selector.register(connection, selectors.EVENT_READ, line)
        return True

    def _recorder(self) -> Recorder:
        recorder = Recorder(
            _open_file, lambda take: self._dirty.__setitem__(take.id, (recorder, take)), self._finish
        )
        return recorder

    def _read(self, line: Line, *, once: bool = False) -> None:
        """Take in what a worker sent: all of it, or as much as there is at `once`."""
        while line in self._lines:
            try:
                data = line.connection.recv(READ)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop(line, WORKER_ENDED)
                return
            try:
                for message in line.reader.feed(data):
                    if isinstance(message, Block):
                        line.recorder.take(message)
                    else:
                        line.recorder.obey(message)
            except ValueError as error:
                # What follows on the line means nothing any more.
                self._drop(line, f"the media worker could not be understood: {error}")
            if once:
                return

    def _drop(self, line: Line, cause: str) -> None:
        if line not in self._lines:
            return
        self._lines.discard(line)
        self._selector.unregister(line.connection)
        line.connection.close()
        line.recorder.close(cause)

    def _sync(self) -> None:
        """Once a second: what was written goes to the disk, if that has done with what came before."""
        now = time.monotonic()
        if now < self._next_sync:
            return
        self._next_sync = now + SYNC_EVERY
        due: dict[int, list[tuple[Recorder, Take]]] = {}
        for id, (recorder, take) in list(self._dirty.items()):
            if take.file.disk not in self._syncing:
                due.setdefault(take.file.disk, []).append((recorder, take))
                del self._dirty[id]
        for disk, written in due.items():
            self._syncing.add(disk)
            files = [take.file for _, take in written]
            self._in_thread(partial(_sync_files, files), partial(self._synced, disk, written))

    def _synced(self, disk: int, written: list[tuple[Recorder, Take]], errors: list[str | None]) -> None:
        self._syncing.discard(disk)
        for (recorder, take), error in zip(written, errors, strict=True):
            if error is not None:
                recorder.fail(take.id, error)

    def _finish(self, id: int, file: File | None, error: str | None, interrupted: str | None) -> None:
        """A recording has ended: it is told once it is on the disk."""
        self._dirty.pop(id, None)
        if file is None:
            self._tell(Done(id, 0, error))
            return
        samples = file.samples

        def finished(problem: str | None) -> None:
            self._tell(Done(id, samples, error or problem, interrupted))

        self._in_thread(partial(_close_file, file), finished)

    def _in_thread(self, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        def deliver(done: Future[Result]) -> None:
            self._results.append(lambda: then(done.result()))
            os.eventfd_write(self._bell, 1)

        self._syncers.submit(work).add_done_callback(deliver)

    def _take_results(self) -> None:
        while self._results:
            self._results.popleft()()

    def _tell(self, done: Done) -> None:
        body = _encoder.encode(done)
        self._control.setblocking(True)
        with contextlib.suppress(OSError):  # the next turn sees that it is gone
            self._control.sendall(len(body).to_bytes(HEADER, "little") + body)
        self._control.setblocking(False)


def _open_file(path: str, channels: int) -> File:
    """Make a file, and its folder, which nobody else reads either. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return WavFile(path, channels)


def _sync_files(files: list[File]) -> list[str | None]:
    """In a thread: those of one disk. Returns what went wrong with each."""
    try:
        any(file.sync_disk() for file in files)  # the first that is not closed meanwhile
    except OSError:
        return [_sync_file(file) for file in files]
    return [None] * len(files)


def _sync_file(file: File) -> str | None:
    try:
        file.sync()
    except OSError as error:
        return reason(error)
    return None


def _close_file(file: File) -> str | None:
    """In a thread. Returns what went wrong."""
    problem = None
    try:
        file.commit()
        file.sync()
    except OSError as error:
        problem = reason(error)
    with contextlib.suppress(OSError):
        file.close()
    return problem


def main(arguments: list[str]) -> None:
    """Run a gateway on the inherited sockets."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C and service managers reach the whole group; the control side ends us in its own time.
        signal.signal(number, signal.SIG_IGN)
    os.nice(POLITENESS)
    with socket.socket(fileno=int(arguments[0])) as control, socket.socket(fileno=int(arguments[1])) as door:
        Gateway(control, door).run()


if __name__ == "__main__":
    main(sys.argv[1:])
