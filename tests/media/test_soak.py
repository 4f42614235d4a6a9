"""Legs opened, bridged, recorded, played to and closed in any order, by a desk in virtual time: it lives,
nobody gets what is another's, all is counted, and nothing stays of a leg that has ended.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from tests.media.rig import packet
from tests.media.soak import CLIP, Soak

from ringback.media import protocol, uring
from ringback.media.clockwork import PHASES
from ringback.media.desk import Desk
from ringback.media.model import RemoteMedia
from ringback.media.rows import Rows
from ringback.media.send import Senders
from ringback.media.streams import Streams
from ringback.media.windows import Windows

DRAWN = {"ssrc", "sequence", "timestamp", "end", "out", "_sequence", "_end", "_numbers", "_out"}
"""What begins at random, and the tables in which it lies."""
SHAPE = "Expected.shape"
"""It says nothing as long as nothing is expected."""


def parts_of(desk: Desk, row: int) -> Iterator[tuple[Rows, int]]:
    """All that a desk keeps of a row, and the row's place in it."""
    relay, phase = desk._bridges.relay, desk.phases[row % PHASES]
    wide: tuple[Rows, ...] = (relay, relay._streams, phase.intake.reception)
    for part in wide:
        yield part, row
    intake = phase.intake
    for part in (*phase._parts, intake.jitter, intake.moments, intake.expected, intake._events):
        yield part, row // PHASES


def state(desk: Desk, row: int) -> dict[str, str]:
    """What is known of a row, but for numbers that are drawn."""
    known: dict[str, str] = {}
    for index, (part, place) in enumerate(parts_of(desk, row)):
        for key, value in vars(part).items():
            name = f"{index} {type(part).__name__}.{key}"
            if (isinstance(part, Senders | Streams) and key in DRAWN) or name.endswith(SHAPE):
                continue
            if isinstance(value, np.ndarray) and len(value) == part.capacity:
                known[name] = repr(value[place].tolist())
            elif isinstance(value, dict | set):
                known[name] = str(place in value)
            elif isinstance(value, Windows):
                known[name] = str(value._now - value._begun[place])
    return known


def check_nothing_stays(desk: Desk) -> None:
    """All legs have ended: no row is anybody's."""
    streams = desk._bridges.relay._streams
    for flags in (streams.routed, streams.carried, streams.latched, streams.tapped):
        assert not flags.any()
    for phase in desk.phases:
        assert (phase.count, phase.legs, phase.events, phase.keys, phase.rtcp) == (0, {}, [], [], [])
        assert not any((phase._keying, phase.corner, phase.taps, phase.players, phase.whispers))
        assert not phase.ears.listening(phase.capacity).any()
    assert not any((desk.relays, desk._reporting, desk._crossings._far))
    assert all(not part for part in desk._forwarding._waiting._parts)
    assert desk._arena._clips[CLIP].users == 0


def check_rows_are_as_new(used: Soak) -> None:
    """A leg that begins finds its row as the first one on it did."""
    new = Soak(0, "sockets")
    try:
        for row in range(used.settings.max_legs):
            phase, at = divmod(row, PHASES)[::-1]
            for desk in (used.desk, new.desk):
                desk.phases[phase].prepare(at)
                desk.phases[phase].open(at, 1000, "soak", used.now)
            assert state(used.desk, row) == state(new.desk, row)
    finally:
        new.shut()


def soak(seed: int, kind: str, deeds: int) -> Soak:
    """Live through so many deeds."""
    soak = Soak(seed, kind)
    try:
        for _ in range(deeds):
            for _ in range(soak.wild.choice([0, 1, 1, 3])):
                soak.act()
            soak.speak()
            soak.live(soak.wild.choice([1, 2, 4, 4]))
        soak.close_all()
        check_nothing_stays(soak.desk)
    finally:
        soak.shut()
    check_rows_are_as_new(soak)
    return soak


@pytest.mark.parametrize("kind", ["sockets", "io_uring"])
@pytest.mark.parametrize("seed", [2, 9, 10])
def test_nothing_is_mixed_up_and_nothing_stays(seed: int, kind: str) -> None:
    if kind == "io_uring" and not uring.works(socket.AF_INET):
        pytest.skip("this kernel has no io_uring for us")
    lived = soak(seed, kind, 400)
    assert lived.ended > 20
    assert lived.events > 100


def test_a_leg_ends_whose_recording_is_nowhere() -> None:
    soak = Soak(0, "sockets")
    try:
        soak.act()
        [party] = soak.parties.values()
        soak.obey(protocol.SetRemote(*party.handle, RemoteMedia(*party.address)))
        soak.obey(protocol.StartRecording(*party.handle, 1, "/nowhere", 1, "both"))
        for _ in range(3):
            party.send(packet(party.sequence, party.timestamp))
        soak.live(PHASES)
        assert soak.gateway.blocks
        soak.gateway.close()
        soak.obey(protocol.Close(*party.handle))
        assert soak.closed[party.handle].packets_received == 3
        soak.live(PHASES)
    finally:
        soak.shut()
