"""The legs of a worker: rows lent, opened and closed, commands carried out, RTCP sent and received.

Between the loop, which knows the time, and the phases, which know no sockets.
"""

from __future__ import annotations

import heapq
import secrets
import select
import socket
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ringback.media import addresses, protocol, rtp, transport
from ringback.media.arrivals import Few, Many
from ringback.media.bridges import Bridges
from ringback.media.clockwork import PHASES
from ringback.media.cold import ColdLeg
from ringback.media.crossing import Crossings, Crossroad, Far
from ringback.media.exchange import Corner, Exchange
from ringback.media.model import RecordingClosed, Report
from ringback.media.moments import ahead, on_our_clock
from ringback.media.playout import Arena
from ringback.media.ports import Ports, bind_pair, drain
from ringback.media.rtcp import next_interval
from ringback.media.straight import Departures
from ringback.media.streams import HEAD
from ringback.media.tapline import Block, Pause, Start, Stop, TapLine
from ringback.media.tick import Phase
from ringback.media.waiting import Waiting

Int64 = npt.NDArray[np.int64]

TRIES = 32
"""Ports tried at a time, when others hold some of ours."""
LEND_AT_ONCE = 8
"""Legs lent at a time, as long as the control side has others: each message wakes it."""
REPORTS_PER_TICK = 4
RTCP_SIZE = 1500


class Seat:
    """A lent or open row: its ports and sockets."""

    __slots__ = ("generation", "open", "port", "rtcp", "rtp")

    def __init__(self, generation: int, port: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.generation = generation
        self.port = port
        self.rtp = rtp
        self.rtcp = rtcp
        self.open = False


class Desk:
    """`tell` takes messages for the control side.

    Rows here are the worker's: phase and row within it in one number.
    """

    def __init__(self, settings: protocol.Settings, tell: Callable[[protocol.Message], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._family = addresses.family_of(settings.rtp_host)
        self._arena = Arena(settings.arena_bytes)
        capacity = -(-settings.max_legs // PHASES)
        exchange = Exchange(capacity, PHASES)
        self._streams = exchange.streams
        self.phases = [
            Phase(capacity, self._arena, self._family, Corner(exchange, number), settings.no_rtp_after)
            for number in range(PHASES)
        ]
        self._crossroad = Crossroad(settings.crossroad, settings.worker) if settings.crossroad else None
        self._crossings = Crossings(settings.worker, exchange, self._cross)
        self._bridges = Bridges(self.phases, self._crossings)
        self._waiting = Waiting(PHASES)
        self._transport = transport.choose(settings.transport, PHASES, capacity, self._family)
        self._ports = Ports(settings.first_port, settings.last_port, settings.port_rest)
        self._tap_line = TapLine(settings.gateway, settings.worker, settings.max_legs)
        self._free = list(range(settings.max_legs))
        self._seats: dict[int, Seat] = {}
        self._generations = [0] * settings.max_legs
        self._lent = 0
        self._cname = f"{secrets.token_hex(6)}@ringback"
        self._reports: list[tuple[float, int, int]] = []
        self._rtcp_rows: dict[int, int] = {}
        self.rtcp_poll = select.epoll()
        self._received = 0
        self._sent = 0
        self._refusal = "the range holds no even port with an odd one after it"

    def lend(self, now: float) -> None:
        """Keep the control side supplied with legs that are ready to be opened."""
        offers = []
        while self._lent < self._settings.lend_ahead and self._free:
            bound = self._bind(now)
            if bound is None:
                break
            row = heapq.heappop(self._free)
            self._generations[row] += 1
            seat = self._seats[row] = Seat(self._generations[row], *bound)
            self.phases[row % PHASES].prepare(row // PHASES)
            offers.append(protocol.Offer(row, seat.generation, seat.port, seat.port + 1))
            self._lent += 1
        if offers:
            self._tell(protocol.Lend(offers))

    @property
    def supplied(self) -> bool:
        """Whether the control side has as many as it may, or there are no more."""
        return self._lent >= self._settings.lend_ahead or not self._free or self._ports.used_up

    def begin(self, now: float) -> None:
        """Lend for the first time. Raises OSError if no port at all can be bound.

        Another server may hold the beginning of the range: here is the time to look for what lies behind it.
        """
        for _ in range(len(self._ports) // TRIES + 1):
            self.lend(now)
            if self._lent == self._settings.lend_ahead:
                break
        if not self._lent:
            settings = self._settings
            where = f"{settings.rtp_host} from {settings.first_port} to {settings.last_port}"
            raise OSError(f"no pair of RTP ports can be bound on {where}: {self._refusal}")

    def obey(self, command: protocol.Command, now: float) -> None:
        """Carry out a command. Those for a leg that is gone are ignored.

        Raises ValueError, LookupError for one that cannot be: the leg it was for stays as it was.
        """
        if isinstance(command, protocol.Upload):
            self._arena.write(command.source, command.total, command.offset, command.data)
        elif isinstance(command, protocol.Forget):
            self._arena.forget(command.source)
        elif not isinstance(command, protocol.Shutdown):
            seat = self._seats.get(command.row)
            if seat is not None and seat.generation == command.generation:
                self._obey_leg(command, seat, now)

    def _obey_leg(self, command: protocol.LegCommand, seat: Seat, now: float) -> None:
        phase, row = self.phases[command.row % PHASES], command.row // PHASES
        if isinstance(command, protocol.Open):
            self._open(command.row, seat, now)
        elif not seat.open:
            return
        elif isinstance(command, protocol.SetRemote):
            self._set_remote(command, phase, row, now)
        elif isinstance(command, protocol.Play):
            phase.play(row, command)
        elif isinstance(command, protocol.StopPlayback):
            phase.stop_playback(row, over=command.over)
        elif isinstance(command, protocol.SendDigits):
            phase.send_digits(row, command.id, command.digits, command.duration_ms, command.gap_ms)
        elif isinstance(command, protocol.Listen):
            phase.listen(row, command.dtmf_inband, command.speech, command.tones)
        elif isinstance(command, protocol.Bridge):
            self._bridge(command)
        elif isinstance(command, protocol.Mute):
            phase.voices.mute(row, command.muted)
            self._bridges.refresh(command.row)
        elif isinstance(command, protocol.Amplify):
            phase.voices.amplify(row, command.decibels)
            self._bridges.refresh(command.row)
        elif isinstance(command, protocol.StartRecording):
            self._start_recording(command, phase, row)
        elif isinstance(command, protocol.PauseRecording | protocol.StopRecording):
            self._change_recording(command, phase, row)
        elif isinstance(command, protocol.Close):
            self._close(command.row, seat, now)
        self._pass_on(command.row % PHASES)

    def tick(self, number: int, now: float, due: float) -> None:
        """One phase's tick, and when it was due."""
        phase = self.phases[number]
        phase.begin(due)
        self._tap_line.flush()
        if not phase.count:
            self._transport.flush(number)
            self._send_reports(now)
            return
        batch = self._transport.receive(number)
        if batch is not None:
            self._received += len(batch.rows)
            phase.receive(on_our_clock(batch), now)
        self._take_relayed(number, now)
        self._bridges.pass_keys(number)
        self._hear_crossings()
        self._crossings.before(number)
        outgoing = phase.tick(now)
        self._crossings.after(number)
        if len(outgoing.rows):
            self._sent += len(outgoing.rows)
            self._transport.send(number, outgoing, phase.gate.remote)
        if phase.tapped is not None:
            self._pass_tapped(number, phase.tapped)
        for row, data, source in phase.rtcp:
            self._hear_rtcp(row * PHASES + number, data, source)
        phase.rtcp.clear()
        self._send_reports(now)
        self._pass_on(number)

    @property
    def idle(self) -> bool:
        """Whether a tick would do nothing: no leg is open, and all of every recording is on its way."""
        return not self._rtcp_rows and not self._tap_line.waiting

    @property
    def wake(self) -> int:
        """A file descriptor that is readable when something may have come to be relayed."""
        return self._transport.wake

    @property
    def relays(self) -> bool:
        """Whether anybody is bridged."""
        return bool(self._bridges)

    def relay(self) -> bool:
        """Send on what has come to bridged rows; their ticks get it, too. Returns whether anything had."""
        came = self._transport.receive_hastened()
        if came is None:
            return False
        self._received += len(came.rows)
        if isinstance(came, Few):
            self._relay_few(came)
        else:
            self._relay_many(came)
        return True

    def _relay_few(self, few: Few) -> None:
        departures, rest, kept, words = self._bridges.relay.forward_few(few)
        slots, rows = few.slots, few.rows
        if departures.rows:
            self._sent += len(departures.rows)
            self._transport.send_few(departures, self._streams.remote)
        if rest:
            batch = self._transport.recall(
                np.array([slots[index] for index in rest]), np.array([rows[index] for index in rest])
            )
            self._depart(self._bridges.relay.pass_on(batch, rtp.heads(batch)))
        if kept:
            self._waiting.put_few(
                [slots[index] for index in kept],
                [rows[index] for index in kept],
                [words[index] for index in kept],
            )
        if len(kept) < len(slots):
            self._transport.release(np.array(list(set(slots).difference(slots[index] for index in kept))))

    def _relay_many(self, many: Many) -> None:
        departures, kept = self._bridges.relay.forward(many)
        self._depart(departures)
        if not kept.any():
            self._transport.release(many.slots)
            return
        self._waiting.put(many.slots[kept], many.rows[kept], many.marks[kept, HEAD])
        self._transport.release(many.slots[~kept])

    def _depart(self, ready: list[Departures]) -> None:
        for departures in ready:
            self._sent += len(departures.rows)
            self._transport.send_hastened(departures, self._streams.remote)

    def settle(self) -> None:
        """Once a second: what need not be done at each tick."""
        self._bridges.relay.settle()

    def align(self, number: int) -> None:
        """After a rest it goes on with this phase: those before it leave a frame out, to be where all are."""
        for phase in self.phases[:number]:
            phase.skip(1)

    def skip(self, frames: int) -> None:
        """Whole frames were missed."""
        for phase in self.phases:
            phase.skip(frames)

    def receive_rtcp(self, now: float) -> None:
        """Take in what came to the RTCP ports."""
        for descriptor, _ in self.rtcp_poll.poll(0, 64):
            row = self._rtcp_rows.get(descriptor)
            seat = self._seats.get(row) if row is not None else None
            if row is None or seat is None:
                continue
            try:
                data, source = seat.rtcp.recvfrom(RTCP_SIZE)
            except OSError:
                continue  # an ICMP error taken off the socket
            self._hear_rtcp(row, data, (source[0].removeprefix("::ffff:"), source[1]))

    def figures(self) -> dict[str, int | str]:
        """The part of the worker's statistics that is about legs and packets."""
        return {
            "transport": self._transport.name,
            "legs": sum(len(phase.legs) for phase in self.phases),
            "rows": sum(phase.count for phase in self.phases),
            "packets_received": self._received,
            "packets_sent": self._sent,
            "frames_unrecorded": self._tap_line.lost,
            "packets_dropped": self._transport.refused + sum(phase.intake.flooded for phase in self.phases),
        }

    def shut(self) -> None:
        """Say BYE for every leg and close all sockets."""
        now = time.monotonic()
        for row, seat in list(self._seats.items()):
            if seat.open:
                self._close(row, seat, now)
            else:
                seat.rtp.close()
                seat.rtcp.close()
        self._tap_line.close()
        self._transport.close()
        if self._crossroad is not None:
            self._crossroad.close()
        self.rtcp_poll.close()

    def _bind(self, now: float) -> tuple[int, socket.socket, socket.socket] | None:
        for _ in range(TRIES):
            port = self._ports.take(now)
            if port is None:
                return None
            try:
                return port, *bind_pair(self._settings.rtp_host, port)
            except OSError as error:
                self._refusal = error.strerror or str(error)
                self._ports.give_back(port, now)
        return None

    def _open(self, row: int, seat: Seat, now: float) -> None:
        seat.open = True
        self._lent -= 1
        self.phases[row % PHASES].open(row // PHASES, seat.generation, self._cname, now)
        self._transport.attach(row % PHASES, row // PHASES, seat.rtp)
        drain(seat.rtcp)
        self._rtcp_rows[seat.rtcp.fileno()] = row
        self.rtcp_poll.register(seat.rtcp.fileno(), select.EPOLLIN)
        if self._lent <= self._settings.lend_ahead - LEND_AT_ONCE:
            self.lend(now)

    def _close(self, row: int, seat: Seat, now: float) -> None:
        phase = self.phases[row % PHASES]
        leg = phase.legs[row // PHASES]
        self._send_rtcp(row, seat, leg, goodbye=True)
        self._part(row)
        for id in phase.taps.of(row // PHASES):
            self._change_recording(protocol.StopRecording(row, seat.generation, id), phase, row // PHASES)
        statistics = phase.close(row // PHASES, now)
        del self._seats[row]
        self._transport.release(self._waiting.forget(row))
        self._transport.detach(row % PHASES, row // PHASES)
        self.rtcp_poll.unregister(seat.rtcp.fileno())
        del self._rtcp_rows[seat.rtcp.fileno()]
        seat.rtcp.close()
        if self.idle:
            for number in range(PHASES):
                self._transport.flush(number)  # no tick may come for a while
        self._ports.give_back(seat.port, now)
        heapq.heappush(self._free, row)
        phase.events = [event for event in phase.events if event[0] != row // PHASES]
        self._tell(protocol.Closed(row, seat.generation, statistics))

    def _take_relayed(self, number: int, now: float) -> None:
        """What the relay has seen comes to its rows, in the order in which it came.

        It was just settled anew who is heard: what comes from now on may be passed, behind what was kept.
        """
        self._take_kept(number, now)
        if self._bridges:
            self.relay()
        if self._take_kept(number, now):
            self.relay()  # the tick that follows takes as long again
        self._bridges.relay.account(ahead())

    def _take_kept(self, number: int, now: float) -> bool:
        """Returns whether there was anything."""
        kept = self._waiting.take(number)
        if kept is None:
            return False
        self._bridges.relay.account(ahead())  # what was passed before
        batch = self._transport.recall(kept.slots, kept.rows // PHASES)
        self.phases[number].take(on_our_clock(batch), kept.words, now)
        self._transport.release(kept.slots)
        return True

    def _bridge(self, command: protocol.Bridge) -> None:
        if command.peer_row < 0:
            self._part(command.row)
            return
        if command.peer_worker is not None:
            self.relay()
            far = Far(command.peer_worker, command.peer_row, command.peer_generation)
            self._slow(self._bridges.cross(command.row, command.generation, far))
            return
        peer = self._seats.get(command.peer_row)
        if peer is not None and peer.open and peer.generation == command.peer_generation:
            self.relay()
            self._slow(self._bridges.join(command.row, command.peer_row))
            for row in (command.row, command.peer_row):
                self._transport.hasten(row % PHASES, row // PHASES)

    def _part(self, row: int) -> None:
        if row in self._bridges:
            self.relay()  # what has come before
            self._bridges.relay.account(ahead())
        self._slow(self._bridges.part(row))

    def _cross(self, worker: int, datagram: bytes) -> None:
        if self._crossroad is not None:
            self._crossroad.send(worker, datagram)

    def _hear_crossings(self) -> None:
        """Take in what other workers' rows said."""
        if self._crossroad is not None:
            for datagram in self._crossroad.receive():
                pressed = self._crossings.receive(datagram)
                if pressed is not None:
                    self._bridges.press(*pressed)

    def _slow(self, rows: list[int]) -> None:
        """Rows are bridged no more."""
        for row in rows:
            self._transport.slow(row % PHASES, row // PHASES)

    def _start_recording(self, command: protocol.StartRecording, phase: Phase, row: int) -> None:
        start = Start(command.row, phase.frame, command.id, command.path, command.channels, command.track)
        try:
            self._tap_line.order(start)
        except OSError as error:
            failed = RecordingClosed(command.id, 0, f"recordings cannot be written: {error}")
            self._tell(protocol.Happened(command.row, command.generation, failed))
        else:
            phase.taps.add(row, command.id)

    def _change_recording(
        self, command: protocol.PauseRecording | protocol.StopRecording, phase: Phase, row: int
    ) -> None:
        if not (phase.taps.has(row, command.id) and self._tap_line.connected):
            return
        if isinstance(command, protocol.StopRecording):
            # What has come by now was said before the end, though nobody has heard it yet.
            for block in phase.unread(row):
                self._pass_tapped(command.row % PHASES, block)
            phase.taps.remove(row, command.id)
            self._tap_line.order(Stop(command.row, phase.frame, command.id))
        else:
            pause = Pause(command.row, phase.frame, command.id, command.paused, command.silence)
            self._tap_line.order(pause)

    def _pass_tapped(self, number: int, block: Block) -> None:
        if self._tap_line.connected:
            self._tap_line.block(block._replace(rows=block.rows * PHASES + number))
        if not self._tap_line.connected:
            # The gateway is gone, and so are its recordings: the control side knows.
            for phase in self.phases:
                phase.taps.clear()

    def _set_remote(self, command: protocol.SetRemote, phase: Phase, row: int, now: float) -> None:
        leg = phase.legs[row]
        begun = leg.remote is not None
        phase.set_remote(row, command.remote, now)
        self._bridges.refresh(command.row)
        if not begun:
            # The first report comes after half an interval (RFC 3550, 6.2).
            due = now + next_interval(self._settings.report_every) / 2
            heapq.heappush(self._reports, (due, command.row, command.generation))

    def _send_reports(self, now: float) -> None:
        for _ in range(REPORTS_PER_TICK):
            if not self._reports or self._reports[0][0] > now:
                return
            _, row, generation = heapq.heappop(self._reports)
            seat = self._seats.get(row)
            if seat is None or seat.generation != generation:
                continue
            phase = self.phases[row % PHASES]
            leg = phase.legs[row // PHASES]
            self._send_rtcp(row, seat, leg)
            report = Report(phase.statistics(row // PHASES, now))
            self._tell(protocol.Happened(row, generation, report))
            due = now + next_interval(self._settings.report_every)
            heapq.heappush(self._reports, (due, row, generation))

    def _send_rtcp(self, row: int, seat: Seat, leg: ColdLeg, goodbye: bool = False) -> None:
        phase, at = self.phases[row % PHASES], row // PHASES
        destination = phase.rtcp_destination(at)
        if destination is None:
            return
        host, port, muxed = destination
        data = leg.reporter.compound(
            time.time(),
            timestamp=int(phase.senders.timestamp[at]),
            packets=int(phase.senders.packets[at]),
            octets=int(phase.senders.octets[at]),
            block=phase.intake.reception.report(row),
            goodbye=goodbye,
        )
        if self._family == socket.AF_INET6 and ":" not in host:
            host = f"::ffff:{host}"
        try:
            (seat.rtp if muxed else seat.rtcp).sendto(data, (host, port))
        except OSError:
            pass  # unreachable for now; the next report is due soon

    def _hear_rtcp(self, row: int, data: bytes, source: tuple[str, int]) -> None:
        self.phases[row % PHASES].hear_rtcp(row // PHASES, data, source, time.time())

    def _pass_on(self, number: int) -> None:
        phase = self.phases[number]
        for row, generation, event in phase.events:
            self._tell(protocol.Happened(row * PHASES + number, generation, event))
        phase.events.clear()
