"""Legs that do whatever comes to the mind of a seed, on a desk in virtual time with true sockets."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from tests.media.rig import event, packet
from tests.patience import PATIENCE
from tests.ports import free_ports

from ringback.media import protocol, tapline
from ringback.media.clockwork import PHASES, STEP
from ringback.media.desk import Desk
from ringback.media.model import (
    DTMF_KEYS,
    Digit,
    DigitsSent,
    Direction,
    FirstRtp,
    LegStatistics,
    PlaybackDone,
    RecordingClosed,
    RemoteMedia,
    Report,
    SpeechDetection,
)

MOST = 30
"""Legs open at a time."""
PAIRS = 60
CODECS: dict[int, Any] = {0: "PCMU", 8: "PCMA", 9: "G722"}
DIRECTIONS: list[Direction] = ["sendrecv", "sendonly", "recvonly", "inactive"]
CLIP = 1
HEARD = np.random.default_rng(1).integers(0, 256, 160).astype(np.uint8).tobytes()


class Handle(NamedTuple):
    """A leg, of those that its row has had."""

    row: int
    generation: int


class Party:
    """A leg and its peer. Each has an address, SSRCs and a key of its own, so that what is another's is seen
    to be."""

    def __init__(self, serial: int, offer: protocol.Offer) -> None:
        self.handle = Handle(offer.row, offer.generation)
        self.to = ("127.0.0.1", offer.rtp_port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((f"127.1.{serial % 250}.1", 0))
        self.address = self.socket.getsockname()
        self.key = serial % len(DTMF_KEYS)
        self.ssrc = serial + 1
        self.speaks = 0
        self.sequence = self.timestamp = 1000 * serial
        self.remote: RemoteMedia | None = None
        self.said = self.keys = 0
        self.ids: set[int] = set()
        self.recordings: set[int] = set()
        self.heard = 0
        self.streams: set[int] = set()
        self.numbers: deque[int] = deque(maxlen=200)

    def say(self, wild: random.Random) -> None:
        """A packet as the next of its series, or something else."""
        odd = wild.random()
        if odd > 0.98:
            self.speaks = wild.choice([0, 8, 9])
        if odd < 0.02:
            self.sequence += wild.choice([1, 5, 5000])
        elif odd < 0.03:
            self.timestamp += wild.choice([-800, 160, 50_000])
        elif odd < 0.05:
            self.send(packet(self.sequence, self.timestamp, b"\x40", payload_type=13, ssrc=self.ssrc))
        elif odd < 0.07:
            self.keys += 1
            self.send(
                packet(self.sequence, self.timestamp, event(self.key, 160), payload_type=101, ssrc=self.ssrc)
            )
        else:
            self.send(
                packet(
                    self.sequence,
                    self.timestamp,
                    HEARD,
                    payload_type=self.speaks,
                    ssrc=self.ssrc,
                )
            )

    def send(self, data: bytes) -> None:
        """A packet, behind all before it."""
        self.sequence += 1
        self.timestamp += 160
        self.said += 1
        self.socket.sendto(data, self.to)

    def listen(self) -> None:
        """Take in what came: one stream, without a packet twice."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, source = self.socket.recvfrom(2048)
                assert source == self.to
                if 192 <= data[1] <= 223:
                    continue  # RTCP
                number = int.from_bytes(data[2:4], "big")
                assert number not in self.numbers
                self.numbers.append(number)
                self.streams.add(int.from_bytes(data[8:12], "big"))
                self.heard += 1


class Gateway:
    """Where recordings go: which of them are begun and ended on a row."""

    def __init__(self) -> None:
        self.name = f"soak-{time.monotonic_ns()}"
        self._listener: socket.socket | None = None
        self._line: socket.socket | None = None
        self._reader = tapline.Reader()
        self.running: dict[int, int] = {}
        """Rows by recording."""
        self.blocks = 0
        self.begin()

    def begin(self) -> None:
        """Be there."""
        if self._listener is None:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(f"\0{self.name}")
            self._listener.listen()
            self._listener.setblocking(False)

    def work(self) -> None:
        """Take in what came."""
        if self._listener is None:
            return
        with contextlib.suppress(BlockingIOError):
            self._line, _ = self._listener.accept()
            self._line.setblocking(False)
            self._reader = tapline.Reader()
            self.running.clear()
        with contextlib.suppress(BlockingIOError):
            while self._line is not None:
                for message in self._reader.feed(self._line.recv(1 << 20)):
                    self._take(message)

    def break_off(self) -> None:
        """End the line, and lose all recordings."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def close(self) -> None:
        """Be gone."""
        self.break_off()
        if self._listener is not None:
            self._listener.close()
        self._listener = None

    def _take(self, message: tapline.Order | tapline.Block) -> None:
        if isinstance(message, tapline.Start):
            self.running[message.id] = message.row
        elif isinstance(message, tapline.Stop):
            assert self.running.pop(message.id) == message.row
        elif isinstance(message, tapline.Block):
            self.blocks += 1
            assert set(message.rows.tolist()) <= set(self.running.values())


class Soak:
    """A desk, and parties that do whatever comes to the mind of a seed."""

    def __init__(self, seed: int, kind: str) -> None:
        self.wild = random.Random(seed)
        self.gateway = Gateway()
        first = free_ports(2 * PAIRS)
        self.settings = protocol.Settings(
            worker=0,
            rtp_host="127.0.0.1",
            first_port=first,
            last_port=first + 2 * PAIRS - 1,
            max_legs=40,
            lend_ahead=16,
            arena_bytes=1 << 20,
            port_rest=0.1,
            no_rtp_after=0.3,
            report_every=0.5,
            transport=kind,
            gateway=self.gateway.name,
        )
        self.offers: list[protocol.Offer] = []
        self.parties: dict[Handle, Party] = {}
        self.gone: deque[Party] = deque(maxlen=20)
        self.closed: dict[Handle, LegStatistics] = {}
        self.ended = 0
        self.events = 0
        self.desk = Desk(self.settings, self._take)
        self.now = time.monotonic()
        self.steps = 0
        self._serial = 0
        self._ids = 0
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stranger.bind(("127.9.9.9", 0))
        self.desk.begin(self.now)
        clip = np.random.default_rng(2).integers(-3000, 3000, 800).astype("<i2").tobytes()
        self.obey(protocol.Upload(CLIP, len(clip), 0, clip))

    def obey(self, command: protocol.Command) -> None:
        self.desk.obey(protocol.command_decoder.decode(protocol.frame(command)[4:]), self.now)

    def live(self, ticks: int) -> None:
        """Time passes."""
        desk, wild = self.desk, self.wild
        for _ in range(ticks):
            number = self.steps % PHASES
            if number == 0 and desk.idle and wild.random() < 0.5:
                self.steps += wild.randrange(1, PHASES)
                number = self.steps % PHASES
                desk.align(number)
            if desk.relays and wild.random() < 0.8:
                desk.relay()
            if wild.random() < 0.01:
                desk.skip(wild.choice([1, 2, 50]))
            self.now += STEP
            self.steps += 1
            desk.tick(number, self.now, self.now)
            if select.select([desk.rtcp_poll.fileno()], [], [], 0)[0]:
                desk.receive_rtcp()
            if self.steps % 40 == 0:
                desk.lend(self.now)
                desk.settle()
            self.gateway.work()

    def act(self) -> None:
        """One thing, of all that may happen."""
        wild, parties = self.wild, list(self.parties.values())
        if len(parties) < 2 or (len(parties) < MOST and wild.random() < 0.12):
            self._open()
            return
        party, other = wild.sample(parties, 2)
        deeds: list[tuple[int, Callable[[], None]]] = [
            (4, lambda: self._set_remote(party)),
            (6, lambda: self._play(party)),
            (3, lambda: self.obey(protocol.StopPlayback(*party.handle, wild.random() < 0.3))),
            (2, lambda: self._listen(party)),
            (14, lambda: self.obey(protocol.Bridge(*party.handle, *other.handle))),
            (2, lambda: self.obey(protocol.Bridge(*party.handle, *party.handle))),
            (2, lambda: self.obey(protocol.Bridge(*party.handle, 3, 1, 1))),
            (4, lambda: self.obey(protocol.Bridge(*party.handle, -1, 0))),
            (2, lambda: self.obey(protocol.Mute(*party.handle, wild.random() < 0.5))),
            (2, lambda: self.obey(protocol.Amplify(*party.handle, wild.choice([0.0, 0.0, 6.0])))),
            (2, lambda: self._record(party)),
            (3, lambda: self._change_recording(party)),
            (3, lambda: self._press(party)),
            (8, lambda: self._close(party)),
            (3, self._say_to_who_is_gone),
            (3, self._disturb),
        ]
        wild.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()

    def speak(self) -> None:
        """Most parties say something, and hear what was sent to them."""
        for party in self.parties.values():
            if party.remote is not None and self.wild.random() < 0.7:
                for _ in range(self.wild.choice([1, 1, 1, 2])):
                    party.say(self.wild)
            party.listen()

    def close_all(self) -> None:
        """All legs end."""
        for party in list(self.parties.values()):
            self._close(party)
        self.live(PHASES)

    def shut(self) -> None:
        self.desk.shut()
        self.gateway.close()
        self.stranger.close()
        for party in (*self.parties.values(), *self.gone):
            party.socket.close()

    def _open(self) -> None:
        if not self.offers:
            return
        offer = self.offers.pop(self.wild.randrange(len(self.offers)))
        self._serial += 1
        party = Party(self._serial, offer)
        self.obey(protocol.Open(*party.handle))
        self.parties[party.handle] = party
        if self.wild.random() < 0.9:
            self._set_remote(party)

    def _set_remote(self, party: Party) -> None:
        wild = self.wild
        number = wild.choice([0, 0, 0, 8, 9])
        party.remote = RemoteMedia(
            host=party.address[0],
            port=party.address[1],
            send_payload_type=number,
            codec=CODECS[number],
            receive=CODECS,
            send_dtmf_pt=wild.choice([101, 101, None]),
            receive_dtmf_pts=frozenset({101}),
            ptime=wild.choice([20, 20, 20, 40]),
            direction=wild.choices(DIRECTIONS, [6, 1, 1, 1])[0],
            rtcp_mux=wild.random() < 0.3,
        )
        self.obey(protocol.SetRemote(*party.handle, party.remote))

    def _play(self, party: Party) -> None:
        wild = self.wild
        segments = [
            protocol.Segment(wild.choice([CLIP, CLIP, -1, 99]), wild.choice([40, 160, 333, 800]))
            for _ in range(wild.randrange(3))
        ]
        command = protocol.Play(
            *party.handle,
            self._id(party),
            segments,
            wild.choice([1, 1, 2, 0]) if segments else 1,
            wild.choice([0, 100]),
            wild.choice([0, 0xFFFF]),
            wild.random() < 0.3,
            wild.random() < 0.3,
        )
        self.obey(command)

    def _listen(self, party: Party) -> None:
        wild = self.wild
        speech = SpeechDetection() if wild.random() < 0.5 else None
        self.obey(protocol.Listen(*party.handle, wild.choice([None, False]), speech, wild.random() < 0.3))

    def _record(self, party: Party) -> None:
        id = self._id(party)
        party.recordings.add(id)
        self.obey(protocol.StartRecording(*party.handle, id, "/nowhere", 1, "both"))

    def _change_recording(self, party: Party) -> None:
        wild = self.wild
        if wild.random() < 0.1:
            wild.choice([self.gateway.break_off, self.gateway.close])()
        elif wild.random() < 0.3:
            self.gateway.begin()
        if not party.recordings:
            return
        id = wild.choice(sorted(party.recordings))
        if wild.random() < 0.5:
            party.recordings.discard(id)
            self.obey(protocol.StopRecording(*party.handle, id))
        else:
            self.obey(protocol.PauseRecording(*party.handle, id, wild.random() < 0.5, True))

    def _press(self, party: Party) -> None:
        self.obey(
            protocol.SendDigits(*party.handle, self._id(party), "1w5"[: self.wild.randrange(4)], 40, 20)
        )

    def _close(self, party: Party) -> None:
        calm = self.wild.random() < 0.3
        if calm:
            self._overtake()
            self.live(16 * PHASES)  # what was said has come, behind all that is thrown in
            party.listen()
        del self.parties[party.handle]
        if len(self.gone) == self.gone.maxlen:
            self.gone.popleft().socket.close()
        self.gone.append(party)
        self.obey(protocol.Close(*party.handle))
        statistics = self.closed.pop(party.handle)
        self.ended += 1
        party.listen()
        assert party.streams <= {statistics.local_ssrc}
        assert statistics.remote_ssrc in (None, party.ssrc)
        assert statistics.remote_address in (None, party.address)
        assert party.heard <= statistics.packets_sent
        assert statistics.packets_received <= party.said
        if calm:
            flooded = sum(phase.intake.flooded for phase in self.desk.phases)
            assert party.said - statistics.packets_received <= flooded
            assert statistics.packets_sent == party.heard
            assert statistics.dtmf_packets_received <= party.keys
        for command in (
            protocol.Play(*party.handle, -1, [], 1, 0, 0, False),
            protocol.SendDigits(*party.handle, -1, "1", 40, 20),
            protocol.Bridge(*party.handle, *party.handle),
            protocol.Close(*party.handle),
        ):
            self.obey(command)  # comes too late

    def _overtake(self) -> None:
        """Wait until what was said is there: a busy kernel delivers later, but in order."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.bind(("127.0.0.1", 0))
            last.settimeout(PATIENCE)
            self.stranger.sendto(b"last", last.getsockname())
            assert last.recv(16) == b"last"

    def _say_to_who_is_gone(self) -> None:
        if self.gone:
            self.wild.choice(self.gone).say(self.wild)

    def _disturb(self) -> None:
        party = self.wild.choice(list(self.parties.values()))
        stuff = self.wild.choice(
            [
                packet(5, 800, HEARD, ssrc=party.ssrc ^ 0x8000_0000),
                packet(5, 800, event(0, 160), payload_type=101, ssrc=7),
                b"\x80\xc8\x00\x01\0\0\0\1",
                b"?",
                b"",
            ]
        )
        for _ in range(self.wild.choice([1, 20])):
            self.stranger.sendto(stuff, party.to)

    def _id(self, party: Party) -> int:
        self._ids += 1
        party.ids.add(self._ids)
        return self._ids

    def _take(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Lend):
            self.offers += message.offers
        elif isinstance(message, protocol.Closed):
            self.closed[Handle(message.row, message.generation)] = message.statistics
        elif isinstance(message, protocol.Happened):
            self.events += 1
            handle = Handle(message.row, message.generation)
            # While a leg ends, it is told of no more.
            party, what = self.parties[handle], message.event
            if isinstance(what, PlaybackDone | DigitsSent | RecordingClosed):
                assert what.id in party.ids
            elif isinstance(what, FirstRtp):
                assert (what.host, what.port) == party.address
            elif isinstance(what, Digit):
                assert what.key == DTMF_KEYS[party.key]
            elif isinstance(what, Report):
                assert what.statistics.remote_ssrc in (None, party.ssrc)
