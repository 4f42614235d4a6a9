"""Connections with all their ways to go wrong, on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest
from tests.patience import PATIENCE

from ringback.sip import sockets, transport
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.flow import Flow, Outgoing
from ringback.sip.message import Response
from ringback.sip.sockets import IDLE_TIME, MESSAGE_TIME, Connection, Tracer
from ringback.sip.stream import StreamParser
from ringback.sip.transport import Transports
from ringback.sip.uri import NameAddr, Uri

OPTIONS = (
    b"OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:%d;branch=z9hG4bK%d\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: 1\r\n"
    b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Raw:
    """A TCP client that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.parser = StreamParser()

    async def response(self) -> Response:
        async with asyncio.timeout(PATIENCE):
            while True:
                data = await self.reader.read(4096)
                assert data
                for item in self.parser.feed(data):
                    assert isinstance(item, Response)
                    return item

    async def closed(self) -> bool:
        """True once the other side has closed, in good order or not."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(4096):
                    pass
            except ConnectionResetError:
                pass
        return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


@pytest.fixture
async def endpoint() -> AsyncIterator[SipEndpoint]:
    endpoint = SipEndpoint()
    await endpoint.start(["tcp:127.0.0.1:0", "udp:127.0.0.1:0"])
    yield endpoint
    await endpoint.stop()


def port_of(endpoint: SipEndpoint, kind: str = "tcp") -> int:
    return next(int(text.rpartition(":")[2]) for text in endpoint.listening if text.startswith(kind))


@pytest.fixture
async def raw(endpoint: SipEndpoint) -> AsyncIterator[Raw]:
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint)))
    yield raw
    await raw.close()


async def test_messages_may_come_in_pieces(raw: Raw) -> None:
    data = b"\r\n" + OPTIONS % (5060, 1) + OPTIONS % (5060, 2)
    for start in range(0, len(data), 50):
        raw.writer.write(data[start : start + 50])
        await raw.writer.drain()
        await asyncio.sleep(0)
    assert (await raw.response()).status == 200


async def test_a_ping_is_answered_with_a_pong(raw: Raw) -> None:
    raw.writer.write(b"\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        assert await raw.reader.readexactly(2) == b"\r\n"


async def test_a_stream_that_lost_its_framing_is_closed(raw: Raw) -> None:
    raw.writer.write((OPTIONS % (5060, 1)).replace(b"Content-Length: 0\r\n", b"") + b"rubbish")
    assert (await raw.response()).status == 400
    assert await raw.closed()


async def test_a_malformed_request_is_answered_and_the_next_one_too(raw: Raw) -> None:
    raw.writer.write((OPTIONS % (5060, 1)).replace(b"1 OPTIONS", b"1 INVITE"))
    assert (await raw.response()).status == 400
    raw.writer.write(OPTIONS % (5060, 2))
    assert (await raw.response()).status == 200


async def test_what_is_too_large_is_cut_off(raw: Raw) -> None:
    raw.writer.write(b"OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n" + b"X-A: b\r\n" * 20000)
    assert await raw.closed()


async def test_slow_and_silent_connections_are_overdue() -> None:
    class Owner:
        receiver: sockets.Receiver
        trace = Tracer(None)

        def connected(self, connection: Connection) -> None: ...

        def disconnected(self, connection: Connection, keys: list[str]) -> None: ...

        def failed(self, key: str) -> None: ...

    now = time.monotonic()
    accepted, opened = Connection(Owner(), 1, opened=False), Connection(Owner(), 2, opened=True)
    assert not accepted.overdue(now + MESSAGE_TIME - 1)
    assert accepted.overdue(now + MESSAGE_TIME + 1)
    assert not opened.overdue(now + IDLE_TIME - 1)
    assert opened.overdue(now + IDLE_TIME + 1)
    opened._parser.feed(b"OPTIONS")
    assert opened.overdue(now + MESSAGE_TIME + 1)


async def test_line_ends_alone_keep_no_place(monkeypatch: pytest.MonkeyPatch, endpoint: SipEndpoint) -> None:
    """Whoever has sent a message may keep its connection with pings, nobody else."""
    pinging, heard = [Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint))) for _ in range(2)]
    heard.writer.write(OPTIONS % (5060, 1))
    assert (await heard.response()).status == 200
    later = time.monotonic() + MESSAGE_TIME - 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for raw in (pinging, heard):
        raw.writer.write(b"\r\n\r\n")
        assert await raw.reader.readexactly(2) == b"\r\n"
    monkeypatch.undo()
    overdue = [item.overdue(later + 2) for item in endpoint._transports._connections.values()]
    assert sorted(overdue) == [False, True]
    await pinging.close()
    await heard.close()


async def test_routes_are_asked_for_again() -> None:
    transports = Transports(SipEndpoint(), Tracer(None))
    now = time.monotonic()
    transports._routes["127.0.0.1"] = ("192.0.2.9", now + 10)
    assert transports.route_to("127.0.0.1") == "192.0.2.9"
    transports._routes["127.0.0.1"] = ("192.0.2.9", now)
    assert transports.route_to("127.0.0.1") == "127.0.0.1"
    _, until = transports._routes["127.0.0.1"]
    assert until == pytest.approx(now + transport.ROUTE_TIME, abs=5)


async def test_overdue_connections_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SWEEP", 0.01)
    monkeypatch.setattr(sockets, "MESSAGE_TIME", 0.02)
    endpoint = SipEndpoint()
    await endpoint.start(["tcp:127.0.0.1:0"])
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint)))
    raw.writer.write(b"OPTIONS sip:")
    assert await raw.closed()
    await raw.close()
    await endpoint.stop()


async def test_there_is_a_limit_to_connections(
    monkeypatch: pytest.MonkeyPatch, endpoint: SipEndpoint
) -> None:
    monkeypatch.setattr(transport, "MAX_CONNECTIONS", 1)
    first = Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint)))
    first.writer.write(OPTIONS % (5060, 1))
    assert (await first.response()).status == 200
    second = Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint)))
    assert await second.closed()
    first.writer.write(OPTIONS % (5060, 2))
    assert (await first.response()).status == 200
    await first.close()
    await second.close()


async def test_a_connection_that_breaks_fails_what_waits_on_it(endpoint: SipEndpoint) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE):
        response = await endpoint.options(Uri.parse(f"sip:127.0.0.1:{port};transport=tcp"))
    assert response.status == 503
    server.close()
    await server.wait_closed()


async def test_one_connection_serves_many_requests(endpoint: SipEndpoint) -> None:
    other = SipEndpoint()
    await other.start(["tcp:127.0.0.1:0"])
    target = Uri.parse(f"sip:127.0.0.1:{port_of(other)};transport=tcp")
    async with asyncio.timeout(PATIENCE):
        responses = [await pending for pending in [endpoint.options(target) for _ in range(5)]]
        responses.append(await endpoint.options(target))
    assert {response.status for response in responses} == {200}
    assert len({response.via.rport for response in responses}) == 1
    await other.stop()


async def test_a_response_finds_another_way_when_its_connection_has_gone() -> None:
    waiting: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
    server = SipEndpoint(
        on_request=lambda incoming: waiting.put_nowait(lambda: incoming.reply(202)), methods=["MESSAGE"]
    )
    await server.start(["tcp:127.0.0.1:0"])
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port_of(server)))
    data = (OPTIONS % (listener.sockets[0].getsockname()[1], 1)).replace(b"OPTIONS", b"MESSAGE")
    raw.writer.write(data)
    async with asyncio.timeout(PATIENCE):
        reply = await waiting.get()
        raw.writer.transport.abort()
        server._transports._gone = asyncio.Event()
        await server._transports._gone.wait()
        reply()
        assert (await arrived).startswith(b"SIP/2.0 202")
    await raw.close()
    listener.close()
    await listener.wait_closed()
    await server.stop()


async def test_datagrams_that_are_no_sip_are_ignored(endpoint: SipEndpoint) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port_of(endpoint, "udp")))
        client.setblocking(False)
        stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
        for data in (b"", b"\r\n\r\n", b"\0", stun, b"rubbish", b"\xff" * 1400):
            client.send(data)
        client.send((OPTIONS % (client.getsockname()[1], 1)).replace(b"/TCP", b"/UDP"))
        async with asyncio.timeout(PATIENCE):
            reply = await asyncio.get_running_loop().sock_recv(client, 65536)
        assert reply.startswith(b"SIP/2.0 200")
        with pytest.raises(BlockingIOError):
            client.recv(65536)


async def test_sockets_are_chosen_by_the_way_to_the_peer() -> None:
    class Deaf:
        failures: asyncio.Queue[str] = asyncio.Queue()

        def turn_away(self, data: bytes, host: str, port: int) -> None: ...

        def datagram(self, data: bytes, flow: Flow) -> None: ...

        def message(self, message: object, flow: Flow) -> None: ...

        def malformed(self, error: object, flow: Flow) -> None: ...

        def send_failed(self, key: str) -> None:
            self.failures.put_nowait(key)

        def settled(self) -> None: ...

    deaf = Deaf()
    transports = Transports(deaf, Tracer(None))
    await transports.start(["udp:127.0.0.1:0", "udp:127.0.0.2:0", "tcp:127.0.0.1:0"])
    first, second, _ = transports.listening
    assert transports.local_for(Flow("udp", "127.0.0.1", 9))[2] == first.local_port
    to_second = Flow("udp", "127.0.0.1", 9, second.local_host, second.local_port)
    assert transports.local_for(to_second) == ("udp", "127.0.0.2", second.local_port)
    assert transports.local_for(Flow("udp", "::1", 9))[0] == "udp"  # the wrong family is better than none
    for flow in (
        Flow("udp", "::1", 9),
        Flow("tcp", "127.0.0.1", 9, connection=99),
        Flow("tls", "127.0.0.1", 9),
    ):
        transports.send(Outgoing(flow, b"x", str(flow)))
        async with asyncio.timeout(PATIENCE):
            assert await deaf.failures.get() == str(flow)
    assert transports.route_to("127.0.0.1") == transports.route_to("127.0.0.1") == "127.0.0.1"
    transports.close()
    await transports.wait_closed()


async def test_stopping_waits_for_the_last_bye() -> None:
    server, client = SipEndpoint(), SipEndpoint()
    await server.start(["udp:127.0.0.1:0"])
    await client.start(["udp:127.0.0.1:0"])
    name = NameAddr(Uri.parse("sip:a@127.0.0.1"))
    pending = client.request("MESSAGE", Uri.parse(f"sip:127.0.0.1:{port_of(server, 'udp')}"), from_=name)
    await client.stop(grace=5)
    assert pending.value is not None
    assert pending.value.status == 405
    await server.stop()


async def test_a_fault_of_ours_stays_with_one_message(
    endpoint: SipEndpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port_of(endpoint)))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(endpoint._agent, "receive_message", fail)
        raw.writer.write(OPTIONS % (5060, 1) + b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await raw.reader.readexactly(2) == b"\r\n"
    raw.writer.write(OPTIONS % (5060, 2))
    assert (await raw.response()).status == 200
    assert "ZeroDivisionError" in caplog.text
    await raw.close()
