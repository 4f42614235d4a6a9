"""The gateway process seen from the control side: its start, what it is to record, what comes of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from typing import TYPE_CHECKING

from ringback.media import protocol, wav
from ringback.media.gateway import Done, done_decoder
from ringback.media.model import RecordingClosed
from ringback.media.process import ended, environment, step_back

if TYPE_CHECKING:
    from ringback.media.leg import MediaLeg
    from ringback.media.link import WorkerLink

log = logging.getLogger(__name__)

BACKLOG = 128
STOP_TIMEOUT = 20.0
"""It may only just be starting, on a busy machine; and disks may be slow."""
GRACE = 2.0
"""Seconds in which the gateway says what it has of a worker that is gone."""


class GatewayLink:
    """Starts the gateway with the first recording, and again with the next one after it was lost.

    Its socket is made here and outlives it: what workers say before it listens waits there, and with them.
    """

    def __init__(self) -> None:
        self.address = f"ringback-{secrets.token_hex(16)}"
        """Where workers reach it, in the abstract namespace."""
        self._listener: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._waiting: dict[int, tuple[MediaLeg, str]] = {}
        self._repairs: set[asyncio.Task[None]] = set()
        self._last_id = 0
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    def expect(self, leg: MediaLeg, path: str) -> int:
        """A recording is being asked for. Returns its id; the leg is told when it is closed."""
        self._last_id += 1
        self._waiting[self._last_id] = (leg, path)
        if self._running is None and not self._stopping:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return self._last_id

    def listen(self) -> None:
        """Make the socket. Raises OSError."""
        self._stopping = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(f"\0{self.address}")
        self._listener.listen(BACKLOG)

    def lose(self, link: WorkerLink, cause: str) -> None:
        """A worker is gone. The gateway tells what it has; what it never heard of is closed here."""
        ids = {id for id, (leg, _) in self._waiting.items() if leg.link is link}
        if ids:
            asyncio.get_running_loop().call_later(GRACE, self._give_up, ids, cause)

    async def stop(self) -> None:
        """End the gateway, after the workers: it finishes what it has."""
        self._stopping = True
        running, process = self._running, self._process
        if running is not None:
            if self._writer is not None and self._writer.can_write_eof():
                self._writer.write_eof()
            done, _ = await asyncio.wait({running}, timeout=STOP_TIMEOUT)
            if not done and process is not None:
                process.kill()
            await asyncio.wait({running})
        self._give_up(set(self._waiting), "the media plane was stopped")
        if self._repairs:
            await asyncio.wait(set(self._repairs))
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _run(self) -> None:
        """One life of the process."""
        cause = "the recordings' process cannot be started"
        try:
            cause = f"the recordings' process ended ({await self._live()})"
        except OSError as error:
            cause = f"{cause}: {error.strerror}"
        finally:
            self._process = self._writer = self._running = None
            if self._stopping:
                cause = "the media plane was stopped"
            else:
                log.error("%s", cause)
            self._give_up(set(self._waiting), cause)

    async def _live(self) -> str:
        if self._listener is None:
            raise OSError("the media plane is not running")
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), self._listener.fileno())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ringback.media.gateway",
                *(str(descriptor) for descriptor in descriptors),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=descriptors,
                env=environment(),
            )
        step_back(self._process.pid)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        if self._stopping:
            self._writer.write_eof()
        await self._read(reader)
        self._writer.close()
        code = await self._process.wait()
        return ended(code)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        deframer = protocol.Deframer()
        try:
            while data := await reader.read(1 << 16):
                for body in deframer.feed(data):
                    self._receive(done_decoder.decode(body))
        except ConnectionError:
            pass

    def _receive(self, done: Done) -> None:
        waiting = self._waiting.pop(done.id, None)
        if waiting is None:
            return
        leg, path = waiting
        if done.error is not None:
            log.warning("recording %s: %s", path, done.error)
            leg.stop_recording(done.id)  # its worker need not go on sending what nobody writes
        leg.deliver(RecordingClosed(done.id, done.samples, done.error, done.interrupted))

    def _give_up(self, ids: set[int], cause: str) -> None:
        """Nothing more will be heard of these: what is in their files is what there is."""
        for id in ids:
            waiting = self._waiting.pop(id, None)
            if waiting is not None:
                task = asyncio.get_running_loop().create_task(self._close(id, *waiting, cause))
                self._repairs.add(task)
                task.add_done_callback(self._repairs.discard)

    async def _close(self, id: int, leg: MediaLeg, path: str, cause: str) -> None:
        leg.stop_recording(id)
        try:
            samples = await asyncio.to_thread(wav.repair, path)
        except (OSError, ValueError) as error:
            log.warning("recording %s: %s", path, error)
            leg.deliver(RecordingClosed(id, 0, cause))
        else:
            leg.deliver(RecordingClosed(id, samples, interrupted=cause))
