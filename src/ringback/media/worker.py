"""The media worker: a process of its own that keeps time. `python -m ringback.media.worker FD SETTINGS`.

One thread, one loop: wait for a phase's tick, listening to RTCP and relaying meanwhile; hear what the control
side says; drain, tick, send. Commands act on what the next tick does, so none is heard sooner: each would
wake a process that has nothing to do for some milliseconds, on a core that others want. It ends when the
control side closes the connection or dies, and RTP ends with it.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import select
import signal
import socket
import sys
import time

import msgspec

from ringback.media import protocol
from ringback.media.clockwork import FRAME, Clockwork
from ringback.media.desk import Desk
from ringback.media.outbox import Outbox
from ringback.media.process import step_forward

log = logging.getLogger("ringback.media.worker")

READ = 1 << 18
MUCH = 1 << 16
"""Octets read at once after which more is on its way (a long source), and is fetched before the next tick."""
HASTE = 0.001
"""Seconds by which commands may hold up a tick; what is left then is done after it."""
SLACK = 0.0003
"""Seconds before a tick is due in which nothing else is begun."""
RELAY_GAPS = (0.0006, 0.0010)
"""Seconds, at least and at most, from one look at what is to be relayed to the next: what comes meanwhile
goes in one batch."""
RELAY_SHARE = 0.2
"""The share of the time that looking may take, until the gap is at its longest."""
PULSE = 1.0
QUIET = 3
"""Pulses at rest, after which nothing that they tell changes: the first may have seen the last leg."""
PRIORITY = -10
"""Niceness, where it is permitted: sound that comes late is lost, everything else only waits."""


class Worker:
    """The loop around a `Desk` of legs.

    Raises OSError where no ports, or no such transport, are to be had.
    """

    def __init__(self, connection: socket.socket, settings: protocol.Settings) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._deframer = protocol.Deframer()
        self._commands: list[bytes] = []
        self._expects_more = False
        self._outbox = Outbox(connection)
        self._settings = settings
        self._desk = Desk(settings, self._outbox.put)
        self._clock = Clockwork(time.monotonic(), settings.epoch)
        self._pulse = 0.0
        self._quiet = 0
        self._running = True
        self._relay_due = 0.0

        self._desk.begin(time.monotonic())
        self._outbox.flush()

    def run(self) -> None:
        """Work until told to stop, or until the control side is gone."""
        # What exists by now stays; collecting it again and again would take time from ticks.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._clock = Clockwork(time.monotonic(), self._settings.epoch)
        try:
            while self._running:
                if self._clock.phase == 0:
                    if self._desk.idle:
                        self._rest()
                    else:
                        self._quiet = 0
                self._wait()
                self._hear()
                self._tick()
        except ConnectionError as error:
            log.info("the control side is gone: %s", error)
        finally:
            self._desk.shut()
            self._connection.close()

    def _rest(self) -> None:
        """No leg is open: sleep until the control side says something, or it is time to tell how it goes."""
        if not (self._commands or self._outbox.waiting):
            told = self._quiet >= QUIET and self._desk.supplied
            left = None if told else max(0.0, self._pulse - time.monotonic())
            select.select([self._connection.fileno()], [], [], left)
            self._clock.resume(time.monotonic())
            self._desk.align(self._clock.phase)

    def _wait(self) -> None:
        """Until the next tick is due: relay, hear RTCP, and go on with what commands were left."""
        connection, rtcp, wake = self._connection.fileno(), self._desk.rtcp_poll.fileno(), self._desk.wake
        while self._running:
            readers = [rtcp, connection] if self._expects_more else [rtcp]
            rest = self._relay() if self._desk.relays else FRAME
            if rest <= 0:
                readers.append(wake)
                rest = FRAME
            left = 0.0 if self._commands else max(0.0, min(rest, self._clock.due - time.monotonic()))
            writers = [connection] if self._outbox.waiting else []
            readable, writable, _ = select.select(readers, writers, [], left)
            if rtcp in readable:
                self._desk.receive_rtcp()
            if connection in readable:
                self._read()
            if writable:
                self._outbox.flush()
            if self._commands:
                self._obey(self._clock.due - SLACK)
            if time.monotonic() >= self._clock.due - (SLACK if self._commands else 0.0):
                return

    def _hear(self) -> None:
        """What the control side has said until now."""
        self._read()
        if self._commands:
            self._obey(time.monotonic() + HASTE)

    def _relay(self) -> float:
        """Relay, if it is time to. Returns for how many seconds it then is not; 0 if nothing has come."""
        now = time.monotonic()
        if now < self._relay_due:
            return self._relay_due - now
        if not self._desk.relay():
            return 0.0
        spent = time.monotonic() - now
        gap = min(max(spent / RELAY_SHARE, RELAY_GAPS[0]), RELAY_GAPS[1])
        self._relay_due = now + spent + gap
        return gap

    def _tick(self) -> None:
        clock = self._clock
        begun = time.monotonic()
        missed = clock.begin(begun)
        if missed:
            self._desk.skip(missed)
        self._desk.tick(clock.phase, begun, clock.due)
        now = time.monotonic()
        clock.end(now - begun)
        if now >= self._pulse:
            self._pulse = now + PULSE
            self._quiet += 1
            self._beat(now)
        self._outbox.flush()

    def _beat(self, now: float) -> None:
        """Once a second: tell how it goes, lend what came free, collect the little garbage there is."""
        statistics = msgspec.structs.replace(
            self._clock.statistics(),
            worker=self._settings.worker,
            pid=os.getpid(),
            events_dropped=self._outbox.dropped,
            **self._desk.figures(),
        )
        self._outbox.put(protocol.Pulse(statistics))
        self._desk.lend(now)
        self._desk.settle()
        gc.collect(0)

    def _read(self) -> None:
        try:
            data = self._connection.recv(READ)
        except BlockingIOError:
            self._expects_more = False
            return
        if not data:
            raise ConnectionError("it closed the connection")
        self._expects_more = len(data) >= MUCH
        self._commands += self._deframer.feed(data)

    def _obey(self, until: float) -> None:
        """Carry out commands until then, one at least."""
        done = 0
        for body in self._commands:
            done += 1
            try:
                command = protocol.command_decoder.decode(body)
                self._desk.obey(command, time.monotonic())
            except (msgspec.MsgspecError, ValueError, LookupError):
                # One leg's trouble; all others' calls go on.
                log.exception("a command could not be carried out")
                continue
            if isinstance(command, protocol.Shutdown):
                self._running = False
                break
            if time.monotonic() >= until:
                break
        del self._commands[:done]


def main(arguments: list[str]) -> None:
    """Run a worker on the inherited socket `arguments[0]`, with `arguments[1]` its settings as JSON."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    settings = msgspec.json.decode(arguments[1], type=protocol.Settings)
    if settings.core is not None:
        os.sched_setaffinity(0, {settings.core})
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    except OSError:
        pass  # not permitted: the tick then competes like everybody else
    step_forward()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C and service managers reach the whole group; the control side ends us in its own time.
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with socket.socket(fileno=int(arguments[0])) as inherited:
        # The lowest free number: select(2) takes none above 1023, and a busy parent's are higher.
        connection = inherited.dup()
    try:
        worker = Worker(connection, settings)
    except OSError as error:
        connection.setblocking(True)
        with contextlib.suppress(OSError):  # the control side is gone: nobody wants to know
            connection.sendall(protocol.frame(protocol.Failed(str(error))))
        sys.exit(1)
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1:])
