"""The legs of a worker: rows lent, opened and closed, commands carried out, ticks made.

Between the loop, which knows the time, and the phases, which know no sockets.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from ringback.media import addresses, protocol, transport
from ringback.media.bridges import Bridges
from ringback.media.clockwork import PHASES
from ringback.media.crossing import Crossings, Crossroad, Far
from ringback.media.exchange import Corner, Exchange
from ringback.media.forwarding import Forwarding
from ringback.media.model import RecordingClosed
from ringback.media.moments import on_our_clock
from ringback.media.playout import Arena
from ringback.media.reporting import Reporting
from ringback.media.seats import Seat, Seats
from ringback.media.tapline import Block, Order, Pause, Start, Stop, TapLine
from ringback.media.tick import Phase


class Desk:
    """`tell` takes messages for the control side.

    Rows here are the worker's: phase and row within it in one number.
    """

    def __init__(self, settings: protocol.Settings, tell: Callable[[protocol.Message], None]) -> None:
        self._tell = tell
        family = addresses.family_of(settings.rtp_host)
        self._arena = Arena(settings.arena_bytes)
        capacity = -(-settings.max_legs // PHASES)
        exchange = Exchange(capacity, PHASES)
        self.phases = [
            Phase(capacity, self._arena, family, Corner(exchange, number), settings.no_rtp_after)
            for number in range(PHASES)
        ]
        self._crossroad = Crossroad(settings.crossroad, settings.worker) if settings.crossroad else None
        self._crossings = Crossings(settings.worker, exchange, self._cross)
        self._bridges = Bridges(self.phases, self._crossings)
        self._transport = transport.choose(settings.transport, PHASES, capacity, family)
        self._forwarding = Forwarding(self.phases, self._transport, self._bridges, exchange.streams.remote)
        self._reporting = Reporting(self.phases, family, settings.report_every, tell)
        self.rtcp_poll = self._reporting.poll
        self._tap_line = TapLine(settings.gateway, settings.worker, settings.max_legs)
        self._seats = Seats(settings)
        self._cname = f"{secrets.token_hex(6)}@ringback"
        self._received = 0
        self._sent = 0

    def lend(self, now: float) -> None:
        """Keep the control side supplied with legs that are ready to be opened."""
        self._offer(self._seats.lend(now))

    @property
    def supplied(self) -> bool:
        """Whether the control side has as many as it may, or there are no more."""
        return self._seats.supplied

    def begin(self, now: float) -> None:
        """Lend for the first time. Raises OSError if no port at all can be bound."""
        self._offer(self._seats.lend_first(now))

    def obey(self, command: protocol.Command, now: float) -> None:
        """Carry out a command. Those for a leg that is gone are ignored.

        Raises ValueError, LookupError for one that cannot be: the leg it was for stays as it was.
        """
        if isinstance(command, protocol.Upload):
            self._arena.write(command.source, command.total, command.offset, command.data)
        elif isinstance(command, protocol.Forget):
            self._arena.forget(command.source)
        elif not isinstance(command, protocol.Shutdown):
            seat = self._seats.get(command.row, command.generation)
            if seat is not None:
                self._obey_leg(command, seat, now)

    def _obey_leg(self, command: protocol.LegCommand, seat: Seat, now: float) -> None:
        phase, row = self.phases[command.row % PHASES], command.row // PHASES
        if isinstance(command, protocol.Open):
            self._open(seat, phase, row, now)
        elif not seat.open:
            return
        elif isinstance(command, protocol.SetRemote):
            self._set_remote(command, seat, phase, now)
        elif isinstance(command, protocol.Play):
            phase.play(row, command)
        elif isinstance(command, protocol.Close):
            self._close(seat, phase, row, now)
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
        else:
            self._change_recording(command, phase, row)
        self._pass_on(command.row % PHASES)

    def tick(self, number: int, now: float, due: float) -> None:
        """One phase's tick, and when it was due."""
        phase = self.phases[number]
        phase.begin(due)
        self._tap_line.flush()
        if not phase.count:
            self._transport.flush(number)
            self._reporting.send_due(now)
            return
        batch = self._transport.receive(number)
        if batch is not None:
            self._received += len(batch.rows)
            phase.receive(on_our_clock(batch), now)
        self._forwarding.take(number, now)
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
            self._reporting.hear(row * PHASES + number, data, source)
        phase.rtcp.clear()
        self._reporting.send_due(now)
        self._pass_on(number)

    @property
    def idle(self) -> bool:
        """Whether a tick would do nothing: no leg is open, and all of every recording is on its way."""
        return not self._reporting and not self._tap_line.waiting

    @property
    def wake(self) -> int:
        """A file descriptor that is readable when something may have come to be relayed."""
        return self._transport.wake

    @property
    def relays(self) -> bool:
        """Whether anybody is bridged."""
        return bool(self._forwarding)

    def relay(self) -> bool:
        """Send on what has come to bridged rows; their ticks get it, too. Returns whether anything had."""
        return self._forwarding.relay()

    def settle(self) -> None:
        """Once a second: what need not be done at each tick."""
        self._forwarding.settle()

    def align(self, number: int) -> None:
        """After a rest it goes on with this phase: those before it leave a frame out, to be where all are."""
        for phase in self.phases[:number]:
            phase.skip(1)

    def skip(self, frames: int) -> None:
        """Whole frames were missed."""
        for phase in self.phases:
            phase.skip(frames)

    def receive_rtcp(self) -> None:
        """Take in what came to the RTCP ports."""
        self._reporting.receive()

    def figures(self) -> dict[str, int | str]:
        """The part of the worker's statistics that is about legs and packets."""
        return {
            "transport": self._transport.name,
            "legs": sum(len(phase.legs) for phase in self.phases),
            "rows": sum(phase.count for phase in self.phases),
            "packets_received": self._received + self._forwarding.received,
            "packets_sent": self._sent + self._forwarding.sent,
            "frames_unrecorded": self._tap_line.lost,
            "packets_dropped": self._transport.refused + sum(phase.intake.flooded for phase in self.phases),
        }

    def shut(self) -> None:
        """Say BYE for every leg and close all sockets."""
        now = time.monotonic()
        for seat in self._seats.all():
            if seat.open:
                self._close(seat, self.phases[seat.row % PHASES], seat.row // PHASES, now)
            else:
                seat.rtp.close()
                seat.rtcp.close()
        self._tap_line.close()
        self._transport.close()
        if self._crossroad is not None:
            self._crossroad.close()
        self._reporting.shut()

    def _offer(self, lent: list[Seat]) -> None:
        for seat in lent:
            self.phases[seat.row % PHASES].prepare(seat.row // PHASES)
        if lent:
            offers = [protocol.Offer(seat.row, seat.generation, seat.port, seat.port + 1) for seat in lent]
            self._tell(protocol.Lend(offers))

    def _open(self, seat: Seat, phase: Phase, row: int, now: float) -> None:
        phase.open(row, seat.generation, self._cname, now)
        self._transport.attach(seat.row % PHASES, row, seat.rtp)
        self._reporting.open(seat)
        if self._seats.open(seat):
            self.lend(now)

    def _close(self, seat: Seat, phase: Phase, row: int, now: float) -> None:
        self._reporting.close(seat)
        self._forwarding.part(seat.row)
        for id in phase.taps.of(row):
            self._change_recording(protocol.StopRecording(seat.row, seat.generation, id), phase, row)
        statistics = phase.close(row, now)
        self._forwarding.forget(seat.row)
        self._transport.detach(seat.row % PHASES, row)
        if self.idle:
            for number in range(PHASES):
                self._transport.flush(number)  # no tick may come for a while
        self._seats.give_back(seat, now)
        phase.events = [event for event in phase.events if event[0] != row]
        self._tell(protocol.Closed(seat.row, seat.generation, statistics))

    def _bridge(self, command: protocol.Bridge) -> None:
        if command.peer_row < 0:
            self._forwarding.part(command.row)
        elif command.peer_worker is not None:
            far = Far(command.peer_worker, command.peer_row, command.peer_generation)
            self._forwarding.cross(command.row, command.generation, far)
        else:
            peer = self._seats.get(command.peer_row, command.peer_generation)
            if peer is not None and peer.open:
                self._forwarding.join(command.row, command.peer_row)

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

    def _start_recording(self, command: protocol.StartRecording, phase: Phase, row: int) -> None:
        start = Start(command.row, phase.frame, command.id, command.path, command.channels, command.track)
        self._drop_lost_taps()
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
            order: Order = Stop(command.row, phase.frame, command.id)
        else:
            order = Pause(command.row, phase.frame, command.id, command.paused, command.silence)
        if self._tap_line.connected:  # as it may have been found not to be, by what came before
            self._tap_line.order(order)

    def _pass_tapped(self, number: int, block: Block) -> None:
        if self._tap_line.connected:
            self._tap_line.block(block._replace(rows=block.rows * PHASES + number))
        self._drop_lost_taps()

    def _drop_lost_taps(self) -> None:
        """Where the gateway is gone, so are its recordings: the control side knows."""
        if not self._tap_line.connected:
            for phase in self.phases:
                phase.taps.clear()

    def _set_remote(self, command: protocol.SetRemote, seat: Seat, phase: Phase, now: float) -> None:
        row = seat.row // PHASES
        begun = phase.legs[row].remote is not None
        phase.set_remote(row, command.remote, now)
        self._bridges.refresh(seat.row)
        if not begun:
            self._reporting.expect(seat, now)

    def _pass_on(self, number: int) -> None:
        phase = self.phases[number]
        for row, generation, event in phase.events:
            self._tell(protocol.Happened(row * PHASES + number, generation, event))
        phase.events.clear()
