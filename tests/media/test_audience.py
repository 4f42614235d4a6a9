"""Rows that nobody but their partner hears: their packets are only counted, and counted right."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from tests.media.pair import Pair, likeness, packets, voice
from tests.media.rig import FRAME, PEER, Network, Rig
from tests.media.rig import packet as rtp_packet
from tests.ports import free_ports

from ringback.media import protocol
from ringback.media.clockwork import PHASES
from ringback.media.desk import Desk
from ringback.media.latch import WINDOW
from ringback.media.model import FirstRtp, LegStatistics, NoRtp, RemoteMedia, RtpResumed, SpeechDetection

pytestmark = pytest.mark.usefixtures("both_ways")

COUNTED = (
    "packets_received",
    "octets_received",
    "packets_lost",
    "packets_duplicated",
    "packets_reordered",
    "packets_invalid",
    "mean_ptime_ms",
    "jitter_ms",
    "remote_ssrc",
)


def counted(rig: Rig, row: int = 0) -> dict[str, object]:
    """What is counted of what a row receives."""
    statistics: LegStatistics = rig.phase.statistics(row, rig.now)
    return {name: getattr(statistics, name) for name in COUNTED}


def test_packets_of_a_relayed_row_go_no_further() -> None:
    pair = Pair()
    pair.talk(packets(voice(1, 50)), packets(voice(2, 50)))
    # The first is looked at, and by what it is like the next ones are known.
    assert pair.passed == 2 * 48
    assert pair.phase.statistics(0, pair.now).buffer_ms == 0
    assert pair.phase.statistics(0, pair.now).frames_concealed == 0


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_row_that_is_heard(seed: int) -> None:
    network = Network(seed, loss=0.05, jitter=2, duplicate=0.05)
    pair, alone = Pair(), Rig()
    alone.remote()
    for arrived in network.carry(packets(voice(1, 400))):
        said = [(0, data) for data in arrived]
        pair.step(*said)
        alone.step(*said)
    assert pair.passed > 20
    assert counted(pair) == counted(alone)
    assert pair.phase.intake.reception.report(0) == alone.phase.intake.reception.report(0)


class Callers:
    """Two telephones on loopback, bridged by a worker's desk."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.offers: list[protocol.Offer] = []
        first = free_ports(10)
        settings = protocol.Settings(
            worker=0,
            transport="sockets",
            rtp_host="127.0.0.1",
            first_port=first,
            last_port=first + 9,
            max_legs=4,
        )
        self.desk = Desk(settings, self._told)
        self.desk.begin(self.now)
        self.phones = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        one, two = self.offers[:2]
        for offer, phone in zip((one, two), self.phones, strict=True):
            phone.bind(("127.0.0.1", 0))
            host, port = phone.getsockname()
            self.obey(protocol.Open(offer.row, offer.generation))
            remote = RemoteMedia(host, port, send_dtmf_pt=101, receive_dtmf_pts=frozenset({101}))
            self.obey(protocol.SetRemote(offer.row, offer.generation, remote))
        self.obey(protocol.Bridge(one.row, one.generation, two.row, two.generation))

    def _told(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Lend):
            self.offers += message.offers

    def obey(self, command: protocol.Command) -> None:
        self.desk.obey(command, self.now)

    def say(self, number: int) -> None:
        """The first telephone sends a packet."""
        self.phones[0].sendto(rtp_packet(number, number * 160), ("127.0.0.1", self.offers[0].rtp_port))

    def tick(self) -> None:
        """Of both rows, the first telephone's before the other's."""
        self.now += FRAME
        for offer in self.offers[:2]:
            self.desk.tick(offer.row % PHASES, self.now, self.now)

    def close(self) -> None:
        self.desk.shut()
        for phone in self.phones:
            phone.close()


@pytest.fixture
def callers() -> Iterator[Callers]:
    callers = Callers()
    yield callers
    callers.close()


def test_packets_are_counted_in_the_order_in_which_they_came(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, number = divmod(callers.offers[0].row, PHASES)
    phase, kept = callers.desk.phases[number], callers.desk._forwarding._waiting._parts
    begin = phase.begin
    said = lost = 0
    for number in range(10):
        callers.say(number)
        callers.tick()
    for number in range(10, 60, 5):

        def meanwhile(due: float, number: int = number) -> None:
            begin(due)
            callers.say(number + 3)

        callers.say(number)
        callers.desk.relay()
        assert not kept[phase.corner.number], "it was passed"
        callers.say(number + 2)
        callers.desk.relay()
        assert kept[phase.corner.number], "after a loss it is looked at"
        with monkeypatch.context() as late:
            late.setattr(phase, "begin", meanwhile)
            callers.tick()
        callers.say(number + 4)
        callers.tick()
        said, lost = said + 4, lost + 1
    statistics = phase.statistics(row, callers.now)
    assert (statistics.packets_received, statistics.packets_lost) == (10 + said, lost)
    assert (statistics.packets_reordered, statistics.packets_duplicated) == (0, 0)


def test_jitter_is_that_of_the_network() -> None:
    pair, alone = Pair(), Rig()
    alone.remote()
    delays = np.random.default_rng(3).uniform(0, 0.008, 200)
    for number, data in enumerate(packets(voice(1, 200))):
        for rig in (pair, alone):
            begun = rig.now
            rig.now += float(delays[number])
            rig.step((0, data))
            rig.now = begun + FRAME
    ours, theirs = pair.phase.statistics(0, 0.0).jitter_ms, alone.phase.statistics(0, 0.0).jitter_ms
    assert msgspec.structs.astuple(ours) == pytest.approx(msgspec.structs.astuple(theirs))
    assert ours.mean is not None
    assert ours.mean > 1
    assert pair.passed > 150


def test_a_packet_that_comes_twice_at_once_is_a_duplicate() -> None:
    pair = Pair()
    said = packets(voice(1, 30))
    pair.talk(said[:20])
    pair.step((0, said[20]), (0, said[20]), (0, said[21]))
    pair.talk(said[22:])
    statistics = pair.phase.statistics(0, pair.now)
    assert (statistics.packets_received, statistics.packets_duplicated, statistics.packets_lost) == (31, 1, 0)


def test_who_begins_to_listen_hears_what_is_said_from_then_on() -> None:
    pair = Pair()
    said = voice(1, 120)
    data = packets(said)
    pair.talk(data[:40])
    before = pair.passed
    assert before > 30
    pair.phase.taps.add(1, 7)
    sent: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
    for packet in data[40:80]:
        pair.talk([packet])
        assert pair.phase.tapped is not None
        sent.append(pair.phase.tapped.frames[0, 1].copy())
    assert pair.passed == before
    assert likeness(said[42:], np.concatenate(sent), 0, 3200) > 0.98
    pair.phase.taps.remove(1, 7)
    pair.talk(data[80:])
    assert pair.passed > before + 30
    assert pair.phase.statistics(0, pair.now).packets_lost == 0


def test_speech_is_heard_as_soon_as_somebody_listens() -> None:
    pair = Pair()
    data = packets(voice(1, 100))
    pair.talk(data[:30])
    pair.phase.listen(0, None, SpeechDetection())
    before = pair.passed
    pair.talk(data[30:])
    assert pair.passed <= before + 1
    assert any(type(event).__name__ == "SpeechStarted" for event in pair.events)


def test_a_relayed_row_that_falls_silent_is_told_and_so_is_its_return() -> None:
    pair = Pair()
    data = packets(voice(1, 60))
    pair.talk(data[:30])
    assert len(pair.of(FirstRtp)) == 1
    pair.rest(200)
    missing = [event for event in pair.of(NoRtp) if isinstance(event, NoRtp) and event.cause == "stopped"]
    assert len(missing) == 1
    pair.talk(data[30:])
    assert len(pair.of(RtpResumed)) == 1
    assert pair.phase.statistics(0, pair.now).packets_lost == 0


def test_what_was_passed_closes_the_latch() -> None:
    pair = Pair(zero={"nat_open": True})
    stranger = ("203.0.113.9", 999)
    data = packets(voice(1, WINDOW + 40))
    pair.talk(data[: WINDOW + 10])
    assert pair.passed > WINDOW - 5
    for packet in data[WINDOW + 10 :]:
        pair.step((0, packet, stranger))
    statistics = pair.phase.statistics(0, pair.now)
    assert statistics.packets_wrong_source == 30
    assert statistics.remote_address == PEER


def test_after_the_bridge_a_row_is_heard_again() -> None:
    pair = Pair()
    data = packets(voice(1, 60))
    pair.talk(data[:30])
    pair.bridges.part(0)
    for packet in data[30:]:
        pair.step((0, packet))
    statistics = pair.phase.statistics(0, pair.now)
    assert statistics.buffer_ms == 20
    assert (statistics.packets_received, statistics.packets_lost, statistics.buffer_resyncs) == (60, 0, 0)


def test_nothing_is_read_for_rows_that_nobody_hears_or_has() -> None:
    rig = Rig(4)
    for row in (0, 1, 3):
        rig.remote(row)
    rig.bridges.join(0, 1)
    said = packets(voice(1, 20))
    for packet in said[:10]:
        rig.step((0, packet), (1, packet), (3, packet))
    assert rig.phase.audience.heard[:4].tolist() == [False, False, True, True]
    rig.phase.close(2, rig.now)
    rig.phase.close(3, rig.now)
    rig.step((0, said[10]), (1, said[10]))
    assert not rig.phase.audience.heard[: rig.phase.count].any()
    assert not rig.phase.audience.everybody
    rig.phase.open(2, 2, "rig", rig.now)
    rig.step()
    assert rig.phase.audience.heard[:3].tolist() == [False, False, True]
    rig.bridges.part(0)
    rig.step()
    assert rig.phase.audience.everybody


def test_what_was_passed_of_a_leg_that_ended_is_nobodys_news() -> None:
    rig = Rig(4)
    for row in range(4):
        rig.remote(row)
    rig.bridges.join(0, 1)
    rig.bridges.join(2, 3)
    said = packets(voice(1, 20))
    for data in said[:-1]:
        rig.step(*((row, data) for row in range(4)))
    rig.relay((1, said[-1]))
    assert rig.passed
    rig.bridges.part(1)
    rig.phase.close(1, rig.now)
    told = len(rig.events)
    rig.step((2, said[-1]), (3, said[-1]))
    assert len(rig.events) == told
