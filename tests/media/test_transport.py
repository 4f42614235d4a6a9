from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ringback.media import addresses, uring
from ringback.media.arrivals import FEW, Few, Many
from ringback.media.ports import bind_pair
from ringback.media.rtp import HEADER, Batch, heads
from ringback.media.send import Outgoing
from ringback.media.straight import FewDepartures
from ringback.media.streams import HEAD, LENGTH
from ringback.media.transport import Transport, choose

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
KINDS = [
    "sockets",
    pytest.param(
        "io_uring",
        marks=pytest.mark.skipif(
            not uring.works(socket.AF_INET), reason="this kernel has no io_uring for us"
        ),
    ),
]


def packets_of(batch: Batch) -> list[tuple[int, bytes, tuple[str, int]]]:
    """Row, packet and source of each."""
    return [
        (row, batch.data[batch.slots[n], : batch.lengths[n]].tobytes(), addresses.unpack(batch.sources[n]))
        for n, row in enumerate(batch.rows.tolist())
    ]


class Wire:
    """A transport of one phase with some rows, and a peer."""

    def __init__(self, kind: str, family: socket.AddressFamily, rows: int) -> None:
        self.family = family
        self.transport: Transport = choose(kind, 1, 8, family)
        self.peer = socket.socket(family, socket.SOCK_DGRAM)
        self.peer.bind((HOSTS[family], 0))
        self.peer.settimeout(2)
        self.ports = [self.attach(row) for row in range(rows)]

    def attach(self, row: int) -> int:
        rtp = socket.socket(self.family, socket.SOCK_DGRAM)
        rtp.setblocking(False)
        rtp.bind((HOSTS[self.family], 0))
        self.transport.attach(0, row, rtp)
        return int(rtp.getsockname()[1])

    def overtaken(self) -> None:
        """Wait until what the peer has sent is there: a busy kernel delivers later, but in order."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as last:
            last.bind((HOSTS[self.family], 0))
            last.settimeout(2)
            self.peer.sendto(b"last", last.getsockname())
            assert last.recv(16) == b"last"

    def remotes(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
        host, port = self.peer.getsockname()[:2]
        return np.tile(addresses.pack(host, port, self.family), (8, 1))

    def receive(self, count: int) -> list[tuple[int, bytes, tuple[str, int]]]:
        """The next packets, by row, until `count` are there; loopback delivers before `send` returns."""
        got: list[tuple[int, bytes, tuple[str, int]]] = []
        for _ in range(1000):
            batch: Batch | None = self.transport.receive(0)
            if batch is not None:
                got += packets_of(batch)
            if len(got) >= count:
                break
        return got

    def close(self) -> None:
        self.transport.close()
        self.peer.close()


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(kind: str, family: socket.AddressFamily = socket.AF_INET, rows: int = 2) -> Wire:
        made.append(Wire(kind, family, rows))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("kind", KINDS)
def test_packets_go_both_ways(wire: Callable[..., Wire], kind: str, family: socket.AddressFamily) -> None:
    line = wire(kind, family)
    for number, port in enumerate([line.ports[0], line.ports[1], line.ports[0]]):
        line.peer.sendto(bytes([number]) * (100 + number), (HOSTS[family], port))
    source = line.peer.getsockname()[:2]
    got = line.receive(3)
    assert sorted(got) == [
        (0, b"\0" * 100, source),
        (0, b"\2" * 102, source),
        (1, b"\1" * 101, source),
    ]
    assert [data[0] for row, data, _ in got if row == 0] == [0, 2]
    packets = np.arange(8 * 512, dtype=np.uint16).astype(np.uint8).reshape(8, 512)
    packets[:, 0] = np.arange(8)
    line.transport.send(0, Outgoing(np.array([1, 0]), packets, np.array([172, 92])), line.remotes())
    for row, length in ((1, 172), (0, 92)):
        data, address = line.peer.recvfrom(2048)
        assert data == packets[row, :length].tobytes()
        assert address[1] == line.ports[row]
    assert line.transport.refused == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_came_before_a_row_was_taken_is_thrown_away(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=0)
    rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rtp.setblocking(False)
    rtp.bind(("127.0.0.1", 0))
    for _ in range(10):
        line.peer.sendto(b"old", rtp.getsockname())
    line.overtaken()
    line.transport.attach(0, 3, rtp)
    line.peer.sendto(b"new", rtp.getsockname())
    assert [(row, data) for row, data, _ in line.receive(1)] == [(3, b"new")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_used_again_with_another_socket(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    line.peer.sendto(b"first", ("127.0.0.1", line.ports[0]))
    line.transport.detach(0, 0)
    port = line.attach(0)
    line.peer.sendto(b"second", ("127.0.0.1", port))
    assert [(row, data) for row, data, _ in line.receive(1)] == [(0, b"second")]
    packets = np.full((8, 512), 9, np.uint8)
    line.transport.send(0, Outgoing(np.array([0]), packets, np.array([20])), line.remotes())
    assert line.peer.recvfrom(2048)[1][1] == port


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_given_up_at_once_takes_nothing_of_the_next(
    wire: Callable[..., Wire], kind: str
) -> None:
    line = wire(kind, rows=0)
    line.attach(0)
    line.transport.detach(0, 0)
    port = line.attach(1)  # its socket has the number of the one before
    line.peer.sendto(b"for the second", ("127.0.0.1", port))
    assert [(row, data) for row, data, _ in line.receive(1)] == [(1, b"for the second")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_port_of_a_row_that_was_given_up_is_free(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=2)
    line.transport.receive(0)
    for row, port in enumerate(line.ports):
        line.transport.detach(0, row)
        if row == 0:
            line.transport.flush(0)
        else:
            line.transport.receive(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_is_taken_in_over_several_ticks(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=8)
    for number in range(150):
        for port in line.ports:
            line.peer.sendto(number.to_bytes(2, "big") + bytes(20), ("127.0.0.1", port))
    got = line.receive(1200)
    assert len(got) == 1200
    for row in range(8):
        assert [int.from_bytes(data[:2], "big") for at, data, _ in got if at == row] == list(range(150))


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_is_gone_does_no_harm(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    remotes = np.tile(addresses.pack("127.0.0.1", gone.getsockname()[1], socket.AF_INET), (8, 1))
    gone.close()
    packets = np.zeros((8, 512), np.uint8)
    for _ in range(3):
        line.transport.send(0, Outgoing(np.array([0]), packets, np.array([172])), remotes)
        line.transport.receive(0)
    line.peer.sendto(b"still here", ("127.0.0.1", line.ports[0]))
    assert [data for _, data, _ in line.receive(1)] == [b"still here"]


@pytest.mark.parametrize("kind", KINDS)
def test_arrival_is_when_a_packet_came_not_when_it_was_fetched(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    sent = []
    for _ in range(5):
        line.peer.sendto(b"on its way", ("127.0.0.1", line.ports[0]))
        sent.append(time.time())
        time.sleep(0.003)
    arrivals: list[float] = []
    while len(arrivals) < len(sent):
        batch = line.transport.receive(0)
        arrivals += [] if batch is None else batch.arrivals.tolist()
    # The packet is there before `sendto` returns, however long this process then had to wait.
    assert all(arrival <= after for arrival, after in zip(arrivals, sent, strict=True))
    assert all(later - sooner > 0.0029 for sooner, later in itertools.pairwise(arrivals))


@pytest.mark.parametrize("kind", KINDS)
def test_packets_larger_than_a_slot_do_no_harm(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    line.peer.sendto(bytes(9000), ("127.0.0.1", line.ports[0]))
    line.peer.sendto(b"next", ("127.0.0.1", line.ports[0]))
    assert line.receive(2)[-1][1] == b"next"


@pytest.mark.parametrize("kind", KINDS)
def test_empty_packets_hold_nothing_up(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    for data in (b"", b"", b"", b"next"):
        line.peer.sendto(data, ("127.0.0.1", line.ports[0]))
    line.overtaken()
    batch = line.transport.receive(0)
    assert batch is not None
    assert [data for _, data, _ in packets_of(batch)] == [b"", b"", b"", b"next"]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("count", [3, FEW + 1])
@pytest.mark.parametrize("kind", KINDS)
def test_hastened_rows_are_taken_together_and_their_packets_stay(
    wire: Callable[..., Wire], kind: str, count: int, family: socket.AddressFamily
) -> None:
    line = wire(kind, family, rows=8)
    for row in range(1, 8):
        line.transport.hasten(0, row)
    assert line.transport.receive_hastened() is None
    said = [(1 + number % 7, bytes([number]) * (20 + number)) for number in range(count)]
    for row, data in said:
        line.peer.sendto(data, (HOSTS[family], line.ports[row]))
    assert line.transport.receive(0) is None
    slots, rows = [], []
    for _ in range(7):  # without io_uring each socket is asked once at a time
        came = line.transport.receive_hastened()
        if came is not None:
            assert isinstance(came, Few) == (len(came.rows) <= FEW)
            slots += list(came.slots)
            rows += list(came.rows)
            if isinstance(came, Many):
                # The headers of all slots are where the packets are.
                places = came.data[came.slots, :HEADER]
                assert (came.heads[came.slots].view(np.uint8).reshape(-1, HEADER) == places).all()
                assert (came.marks[:, LENGTH] == 20 + places[:, 0]).all()
                assert (came.marks[:, HEAD] == heads(line.transport.recall(came.slots, came.rows))).all()
    batch = line.transport.recall(np.array(slots), np.array(rows))
    assert sorted(packets_of(batch)) == sorted((*one, line.peer.getsockname()[:2]) for one in said)
    line.transport.release(batch.slots)


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_packets_go_on_from_where_they_came_in(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=2)
    line.transport.hasten(0, 0)
    line.transport.hasten(0, 1)
    for number in range(12):  # more than the queue holds at once
        line.peer.sendto(bytes([number]) * 30, ("127.0.0.1", line.ports[0]))
        came = line.transport.receive_hastened()
        assert isinstance(came, Few)
        at = came.memory.start + came.slots[0] * came.memory.stride
        assert came.memory.octets[at : at + 30] == bytes([number]) * 30
        came.memory.octets[at] = 255
        line.transport.send_few(FewDepartures([1] * 12, came.slots * 12, [29] * 12), line.remotes())
        for _ in range(12):
            data, address = line.peer.recvfrom(2048)
            assert data == b"\xff" + bytes([number]) * 28
            assert address[1] == line.ports[1]
    assert line.transport.refused == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_hastened_peer_that_is_gone_does_no_harm(wire: Callable[..., Wire], kind: str) -> None:
    line = wire(kind, rows=1)
    line.transport.hasten(0, 0)
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    remotes = np.tile(addresses.pack("127.0.0.1", gone.getsockname()[1], socket.AF_INET), (8, 1))
    gone.close()
    line.peer.sendto(b"some packet", ("127.0.0.1", line.ports[0]))
    came = line.transport.receive_hastened()
    assert isinstance(came, Few)
    for _ in range(3):
        line.transport.send_few(FewDepartures([0], came.slots, [11]), remotes)
        line.transport.receive_hastened()
    line.peer.sendto(b"still here", ("127.0.0.1", line.ports[0]))
    again = line.transport.receive_hastened() or line.transport.receive_hastened()
    assert isinstance(again, Few)
    [(_, data, _)] = packets_of(line.transport.recall(np.array(again.slots), np.array(again.rows)))
    assert data == b"still here"


def test_ports_are_bound_in_pairs() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1] & ~1
    rtp, rtcp = bind_pair("127.0.0.1", port)
    with rtp, rtcp:
        assert (rtp.getsockname()[1], rtcp.getsockname()[1]) == (port, port + 1)
        with pytest.raises(OSError, match="in use"):
            bind_pair("127.0.0.1", port)
