"""The benches that measure moments: what they hear, what they say of it, and one short run of each."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
from bench.application import VOICE, Application
from bench.callees import Callees
from bench.callers import Caller
from bench.ear import HEADER, PCMU, SAMPLES, SILENT, Ear, Line, key_tone
from bench.load import Delays, Echo, Heard, LiveEnds, compiled
from bench.ticks import Ticks
from bench.visits import quantile
from tests.bench.running import said_by
from tests.patience import PATIENCE

from bench import barge_in, first_audio, machine, mixed, relay_delay
from ringback.media import codecs

CORES = machine.default_cores()


class Peer:
    """The server's end of a line: a plain socket."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, payload: bytes, payload_type: int = PCMU) -> None:
        """A packet to the ear."""
        head = HEADER.pack(0x80, payload_type, 0, 0, 1)
        self._socket.sendto(head + payload, ("127.0.0.1", self._ear.port))

    async def receive(self) -> tuple[int, int, bytes]:
        """Payload type with the marker, timestamp, and payload of what the ear's line says."""
        data = await asyncio.to_thread(self._socket.recv, 2048)
        _, kind, _, stamp, _ = HEADER.unpack_from(data)
        return kind, stamp, data[HEADER.size :]


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    heard = Ear()
    yield heard
    heard.close()


@pytest.fixture
async def peer(ear: Ear) -> AsyncIterator[Peer]:
    end = Peer(ear)
    yield end
    end.close()


@pytest.fixture
async def line(ear: Ear, peer: Peer) -> Line:
    return ear.line(peer.port)


# -- the ear


async def test_what_is_silent_is_not_heard(line: Line, peer: Peer) -> None:
    peer.send(SILENT * (SAMPLES // 2))
    peer.send(b"\x00" * 4, payload_type=101)
    peer.send(b"\xff" * (SAMPLES - 1) + b"\xfe")
    first = await line.sounds(PATIENCE)
    peer.send(b"\x80" * SAMPLES)
    assert await line.falls_silent(0.1) > first == line.first


async def test_what_was_heard_is_forgotten(line: Line, peer: Peer) -> None:
    peer.send(b"\x80" * SAMPLES)
    before = await line.sounds(PATIENCE)
    line.listen()
    with pytest.raises(TimeoutError):
        await line.sounds(0.01)
    peer.send(b"\x80" * SAMPLES)
    assert await line.sounds(PATIENCE) > before


async def test_a_key_is_events_with_one_timestamp_and_an_end_three_times(line: Line, peer: Peer) -> None:
    kind, _, payload = await peer.receive()
    assert (kind, payload.strip(SILENT)) == (PCMU, b"")
    assert not line.spoke
    line.press("#")
    packets = [await peer.receive() for _ in range(9)]
    events = [packet for packet in packets if packet[0] & 0x7F == 101]
    assert [kind for kind, _, _ in events] == [0x80 | 101] + [101] * 7
    assert len({stamp for _, stamp, _ in events}) == 1
    assert [payload[0] for _, _, payload in events] == [11] * 8
    assert [payload[1] >> 7 for _, _, payload in events] == [0] * 5 + [1] * 3
    assert line.spoke


def test_a_key_in_the_audio_begins_where_it_should() -> None:
    packets = key_tone("5", 40, lead=100)
    assert len(packets) == 3
    heard = codecs.decode(np.frombuffer(b"".join(packets), np.uint8).reshape(1, -1), codecs.PCMU)[0]
    assert not heard[:100].any()
    assert np.abs(heard[100:420]).max() > 10000
    assert not heard[421:].any()


# -- far ends and callees


@pytest.mark.skipif(not compiled(), reason="no C compiler")
@pytest.mark.parametrize("payload_type", [0, 8])
async def test_packets_carry_the_moment_of_their_sending(payload_type: int) -> None:
    echo, live = Echo(CORES[1]), LiveEnds(CORES[1])
    await echo.start()
    await live.start()
    live.add_bridged(echo.port, payload_type)
    heard = await live.measure_all(0.5)
    await echo.stop()
    assert heard.expected == 0
    assert heard.relay.sent >= 20
    assert heard.relay.received == heard.relay.sent
    assert 0 < heard.relay.delay_median_ms <= heard.relay.delay_p99_ms <= heard.relay.delay_max_ms


async def test_a_callee_answers_an_invitation_each_time_and_tells_of_it_once() -> None:
    callees = Callees(40000, ("PCMA",))
    called: list[tuple[str, int]] = []
    callees.on_called = lambda caller, port: called.append((caller, port))
    host, _, port = callees.uri.partition("@")[2].partition(":")
    body = "v=0\r\nm=audio 20000 RTP/AVP 8\r\n"
    invite = (
        f"INVITE {callees.uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n"
        f"From: <sip:+14152000007@127.0.0.1>;tag=1\r\nTo: <{callees.uri}>\r\nCall-ID: 1@here\r\n"
        f"CSeq: 1 INVITE\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(PATIENCE)
        for _ in range(2):
            caller.sendto(invite.encode(), (host, int(port)))
            answer = (await asyncio.to_thread(caller.recv, 65536)).decode()
            assert answer.startswith("SIP/2.0 200 ")
            assert f"To: <{callees.uri}>;tag=callee\r\n" in answer
            assert "m=audio 40000 RTP/AVP 8\r\n" in answer
        caller.sendto(invite.replace("INVITE", "BYE").encode(), (host, int(port)))
        answer = (await asyncio.to_thread(caller.recv, 65536)).decode()
        assert "m=audio" not in answer
    callees.close()
    assert called == [("+14152000007", 20000)]


def test_a_caller_is_known_by_its_identity() -> None:
    assert Caller.number_of(Caller(7).identity) == 7
    assert Caller.number_of(Caller(1_000_001).identity.removeprefix("+")) == 1_000_001


async def test_the_application_chooses_counts_and_thinks() -> None:
    documents = {"laml": ("text/plain", "voice"), "laml/fresh": ("text/plain", "fresh {count}")}
    application = Application(documents, 0.1)
    application.which = lambda caller: "fresh" if caller == "+2" else VOICE
    thoughts = [0.0, 0.001, 0.002]
    application.thinking = thoughts.pop
    await application.start()
    async with aiohttp.ClientSession() as session:

        async def asked(caller: str) -> str:
            async with session.post(f"{application.url}/laml/voice", data={"From": caller}) as reply:
                return await reply.text()

        assert [await asked(caller) for caller in ("+1", "+2", "+2")] == ["voice", "fresh 0", "fresh 1"]
    await application.stop()
    assert not thoughts


# -- verdicts


def waited(first: list[float], later: list[float], unheard: int = 0) -> first_audio.Run:
    """A run of first audio, made up."""
    return first_audio.Run(
        dialect="laml",
        first=first,
        answered=first,
        later=later,
        fresh=[],
        unheard=unheard,
        core=0.1,
        others=0.0,
    )


def interrupted(what: str, wait: float, unstopped: int = 0, calls: int = 20) -> barge_in.Run:
    """A run of barge-in, made up."""
    return barge_in.Run(what=what, legs=0, waits=[wait] * calls, unstopped=unstopped, others=0.0)


def connected(
    median: float = 0.5,
    p99: float = 2.0,
    *,
    received: int = 1000,
    worst: float = 1.0,
    legs: int = 1000,
    pairs: int = 100,
    slow: int = 0,
) -> relay_delay.Run:
    """A run of connected calls, made up."""
    relay = Delays(
        sent=1000,
        received=received,
        delay_median_ms=median,
        delay_p99_ms=p99,
        delay_max_ms=9.0,
        load_late_ms=0.1,
        load_cpu_seconds=0.1,
    )
    heard = Heard(
        expected=1000,
        received=1000,
        punctual=1000,
        silent_legs=0,
        worst_leg=worst,
        largest_deviation_ms=1.0,
        load_cpu_seconds=0.1,
        relay=relay,
    )
    return relay_delay.Run(
        way="plain",
        pairs=pairs,
        legs=legs,
        up=legs + 2 * pairs,
        seconds=10.0,
        cpu={"media": 3.0},
        heard=heard,
        ticks=Ticks(slow, 3, 0, 1.5),
        floor=5.0,
        others=0.0,
    )


@pytest.mark.parametrize(
    ("run", "reached"),
    [
        (waited([20.0] * 20, [20.0] * 20), True),
        (waited([20.1] * 20, [20.0] * 20), False),
        (waited([1.0] * 19 + [40.0], [1.0] * 20), True),
        (waited([1.0] * 20, [1.0] * 19 + [40.1]), False),
        (waited([1.0] * 20, [1.0] * 20, unheard=1), False),
        (waited([1.0] * 10, [1.0] * 10), None),
    ],
)
def test_when_first_audio_is_in_time(run: first_audio.Run, reached: bool | None) -> None:
    assert [figure.reached for figure in first_audio.figures([run])] == [reached]


@pytest.mark.parametrize(
    ("runs", "reached"),
    [
        ([interrupted("key", 40.0), interrupted("tone", 80.0), interrupted("speech", 40.0)], True),
        ([interrupted("key", 40.1)], False),
        ([interrupted("tone", 80.1)], False),
        ([interrupted("speech", 40.1)], False),
        ([interrupted("key", 1.0, unstopped=1)], False),
        ([interrupted("key", 1.0, calls=3)], None),
    ],
)
def test_when_silence_is_in_time(runs: list[barge_in.Run], reached: bool | None) -> None:
    assert barge_in.figure(runs).reached is reached


@pytest.mark.parametrize(
    ("run", "relayed", "both"),
    [
        (connected(), True, True),
        (connected(median=1.1), False, False),
        (connected(p99=6.0), True, False),
        (connected(p99=11.0), False, False),
        (connected(received=998), False, False),
        (connected(worst=0.98), True, False),
        (connected(legs=10), True, None),
        (connected(pairs=10), None, None),
        (connected(slow=1), True, False),
    ],
)
def test_when_connected_calls_are_in_time(
    run: relay_delay.Run, relayed: bool | None, both: bool | None
) -> None:
    assert relay_delay.figure([run]).reached is relayed
    assert mixed.figure([run]).reached is both


def test_quantiles() -> None:
    assert quantile([], 0.5) == 0.0
    assert [quantile([3.0, 1.0, 2.0, 4.0], part) for part in (0.0, 0.5, 1.0)] == [1.0, 3.0, 4.0]


# -- the whole


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        (
            "first_audio",
            ["--calls", "1", "--fresh", "1", "--legs", "1"],
            ["laml, 1", "jambonz, 1", "callapi, 1"],
        ),
        ("barge_in", ["--calls", "1", "--legs", "1"], ["key 0 ms", "tone ", "speech 0 ms"]),
        ("relay_delay", ["--pairs", "1", "--seconds", "1", "--way", "transcoded"], ["transcoded, 1 pairs"]),
        (
            "mixed",
            ["--pairs", "1", "--legs", "2", "--seconds", "1", "--way", "recorded"],
            ["2 legs, 1 pairs"],
        ),
    ],
)
def test_a_short_run(module: str, arguments: list[str], said: list[str]) -> None:
    if not compiled() and module in ("relay_delay", "mixed"):
        pytest.skip("no C compiler")
    printed = said_by(["-m", "bench", module, *arguments])
    for words in said:
        assert words in printed
    for fault in ("NOTHING HEARD", "WENT ON", "MISSING"):
        assert fault not in printed
