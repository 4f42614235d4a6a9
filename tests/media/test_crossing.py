"""Rows of two workers that hear each other, without the workers."""

from __future__ import annotations

from tests.media.pair import Audio, heard, likeness, packets, voice
from tests.media.rig import Rig, Sent, event, packet

from ringback.media.bridges import Bridges
from ringback.media.crossing import Crossings, Far


class Side(Rig):
    """A worker with one row, and what it has for the other."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self.out: list[tuple[int, bytes]] = []
        self.crossings = Crossings(worker, self.exchange, lambda to, data: self.out.append((to, data)))
        self.bridges = Bridges([self.phase], self.crossings)
        self.remote()
        self.bridges.cross(0, 1, Far(1 - worker, 0, 1))

    def pass_time(self, *said: bytes) -> Sent:
        self.crossings.before(0)
        sent = self.step(*((0, data) for data in said))[0]
        self.crossings.after(0)
        return sent


def exchange(sides: tuple[Side, Side], *, lose: bool = False) -> None:
    """The datagrams on their way arrive."""
    for side, other in (sides, sides[::-1]):
        for to, data in side.out:
            assert to == sides.index(other)
            pressed = None if lose else other.crossings.receive(data)
            if pressed is not None:
                other.bridges.press(*pressed)
        side.out.clear()


def converse(sides: tuple[Side, Side], one: list[bytes], other: list[bytes]) -> tuple[list[Sent], list[Sent]]:
    sent: tuple[list[Sent], list[Sent]] = ([], [])
    for said in zip(one, other, strict=True):
        for side, data, kept in zip(sides, said, sent, strict=True):
            kept.append(side.pass_time(data))
        exchange(sides)
    return sent


def test_both_hear_each_other() -> None:
    sides = Side(0), Side(1)
    one, other = voice(1, 50), voice(2, 50)
    sent = converse(sides, packets(one), packets(other))
    assert likeness(one, heard(sent[1])) > 0.99
    assert likeness(other, heard(sent[0])) > 0.99


def test_what_is_lost_between_is_silence() -> None:
    sides = Side(0), Side(1)
    said: Audio = voice(1, 20)
    converse(sides, packets(said), packets(said))
    exchange(sides, lose=True)
    sides[1].pass_time()
    sides[1].pass_time()
    assert not sides[1].pass_time().samples().any()


def test_keys_cross() -> None:
    sides = Side(0), Side(1)
    sides[0].pass_time(packet(1, 160, event(4, 160), payload_type=101, marker=True))
    exchange(sides)
    sent = [sides[1].pass_time() for _ in range(3)]
    assert {one.payload_type for one in sent} == {101}
    assert {one.payload[0] for one in sent} == {4}


def test_what_is_for_nobody_is_dropped() -> None:
    sides = Side(0), Side(1)
    sides[0].pass_time(packet(1, 160))
    [(_, frame)] = sides[0].out
    stale = frame[:4] + bytes([frame[4] + 1]) + frame[5:]
    for data in (b"", frame[:10], frame[:-2], stale, bytes(400)):
        assert sides[1].crossings.receive(data) is None
    sides[1].bridges.part(0)
    assert sides[1].crossings.receive(frame) is None
    sides[1].bridges.refresh(0)
    assert sides[1].step()[0].silent
