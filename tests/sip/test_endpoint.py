"""Two endpoints on real sockets of the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from tests.patience import PATIENCE

from ringback.sip.endpoint import SipEndpoint
from ringback.sip.events import Answered, Confirmed, Ended, Failed, SessionEvent
from ringback.sip.flow import Flow, Trace
from ringback.sip.inbound import InboundCall
from ringback.sip.incoming import IncomingRequest
from ringback.sip.locate import Locator
from ringback.sip.uri import NameAddr, Uri

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ALICE = NameAddr(Uri.parse("sip:alice@127.0.0.1"), "Alice")
LISTEN = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0"]


class Events:
    """Events, awaited one after the other."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[SessionEvent] = asyncio.Queue()

    def __call__(self, event: SessionEvent) -> None:
        self.queue.put_nowait(event)

    async def next(self, kind: type) -> Any:
        """The next event of that kind; others are skipped."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(event := await self.queue.get(), kind):
                pass
            return event


class Server:
    """An endpoint that answers every call."""

    def __init__(self, **options: Any) -> None:
        self.traces: list[Trace] = []
        options.setdefault("on_trace", self.traces.append)
        self.endpoint = SipEndpoint(on_invitation=self._take, **options)
        self.calls: list[InboundCall] = []
        self.events = Events()
        self.take: Callable[[InboundCall], None] = lambda call: call.answer(SDP)

    def _take(self, call: InboundCall) -> None:
        self.calls.append(call)
        call.on_event = self.events
        self.take(call)

    def uri(self, transport: str = "udp", wide: bool = False) -> Uri:
        for text in self.endpoint.listening:
            if text.startswith(transport) and ("[" in text) == wide:
                return Uri.parse(f"sip:bob@{text[4:]};transport={transport}")
        raise LookupError(transport)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.endpoint.start(LISTEN)
    yield server
    await server.endpoint.stop()


@pytest.fixture
async def client() -> AsyncIterator[SipEndpoint]:
    client = SipEndpoint()
    await client.start(LISTEN)
    yield client
    await client.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("wide", [False, True])
async def test_a_call_from_end_to_end(
    server: Server, client: SipEndpoint, transport: str, wide: bool
) -> None:
    target, events = server.uri(transport, wide), Events()
    call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    assert (await events.next(Answered)).sdp == SDP
    await server.events.next(Confirmed)
    inbound = server.calls[0]
    assert inbound.source.transport == transport
    assert inbound.local_address == call.local_address == ("::1" if wide else "127.0.0.1")
    assert inbound.remote.display_name == "Alice"
    async with asyncio.timeout(PATIENCE):
        assert (await inbound.info("text/plain", b"hello")).status == 200
        assert (await inbound.bye()).status == 200
    assert (await events.next(Ended)).by == "remote"


async def test_digits_in_both_directions_of_hanging_up(server: Server, client: SipEndpoint) -> None:
    target, events = server.uri(), Events()
    call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    await events.next(Answered)
    async with asyncio.timeout(PATIENCE):
        assert (await call.bye()).status == 200
    assert (await server.events.next(Ended)).by == "remote"


async def test_the_trace_shows_every_message(server: Server, client: SipEndpoint) -> None:
    target, events = server.uri("tcp"), Events()
    call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    await events.next(Answered)
    await call.bye()
    await server.events.next(Ended)
    lines = [(trace.direction, trace.message.split(b"\r\n")[0].split(b" sip:")[0]) for trace in server.traces]
    assert lines[0] == ("in", b"INVITE")
    assert lines[1] == ("out", b"SIP/2.0 100 Trying")
    assert ("in", b"ACK") in lines
    assert lines[-2:] == [("in", b"BYE"), ("out", b"SIP/2.0 200 OK")]
    assert {trace.transport for trace in server.traces} == {"tcp"}
    assert server.traces[0].local == str(target).partition("@")[2].partition(";")[0]


async def test_a_refused_connection_fails_the_call(client: SipEndpoint, free_port: Callable[[], int]) -> None:
    target, events = Uri.parse(f"sip:bob@127.0.0.1:{free_port()};transport=tcp"), Events()
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    failed = await events.next(Failed)
    assert (failed.status, failed.cause) == (503, "transport")


@pytest.mark.parametrize("transport", ["tls", "ws"])
async def test_a_transport_we_do_not_speak(client: SipEndpoint, transport: str) -> None:
    target, events = Uri.parse(f"sip:bob@127.0.0.1;transport={transport}"), Events()
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    assert (await events.next(Failed)).cause == "transport"


async def test_a_large_request_falls_back_to_udp(client: SipEndpoint) -> None:
    server = Server()
    await server.endpoint.start(["udp:127.0.0.1:0"])
    target, events = server.uri(), Events()
    extra = [("X-Long", "x" * 1500)]
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, headers=extra, on_event=events)
    await events.next(Answered)
    assert server.calls[0].request.headers.get("X-Long") == "x" * 1500
    assert server.calls[0].source.transport == "udp"
    await server.endpoint.stop()


async def test_names_are_looked_up(server: Server) -> None:
    port = server.uri().port or 0

    class Names(Locator):
        async def locate(self, uri: Uri) -> list[Flow]:
            if uri.host == "broken.example":
                raise ZeroDivisionError
            return [Flow("udp", "127.0.0.1", port)] if uri.host == "known.example" else []

    client = SipEndpoint(locator=Names())
    await client.start(["udp:127.0.0.1:0"])
    for host, kind in (("known", Answered), ("unknown", Failed), ("broken", Failed)):
        target, events = Uri.parse(f"sip:bob@{host}.example"), Events()
        call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
        await events.next(kind)
        await call.bye()
    await client.stop(grace=1)


async def test_options_and_requests_and_registrations(client: SipEndpoint) -> None:
    taken: list[IncomingRequest] = []

    def take(incoming: IncomingRequest) -> None:
        taken.append(incoming)
        incoming.reply(200, headers=[("Expires", "60")])

    server = Server(on_register=take, on_request=take, methods=["MESSAGE"])
    await server.endpoint.start(LISTEN)
    async with asyncio.timeout(PATIENCE):
        assert (await client.options(server.uri("tcp"))).status == 200
        reply = await client.request(
            "MESSAGE", server.uri(), from_=ALICE, body=b"hi", headers=[("Content-Type", "text/plain")]
        )
        assert reply.status == 200
        registrar = server.uri().with_(user=None)
        registration = client.register(registrar, aor=ALICE, expires=60)
        assert (await registration.first).status == 200
        assert (await registration.unregister()).status == 200
    assert [incoming.request.method for incoming in taken] == ["MESSAGE", "REGISTER", "REGISTER"]
    assert taken[0].source.host == "127.0.0.1"
    await server.endpoint.stop()


async def test_new_calls_are_refused_on_the_way_out(server: Server, client: SipEndpoint) -> None:
    server.endpoint.refuse_new(503, 9)
    target, events = server.uri(), Events()
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    failed = await events.next(Failed)
    assert (failed.status, failed.headers.get("Retry-After")) == (503, "9")


async def test_an_orphan_is_ended_over_real_sockets(server: Server, client: SipEndpoint) -> None:
    target, events = server.uri(), Events()
    call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    await events.next(Answered)
    state = call.dialog_state()
    assert state is not None
    reborn = SipEndpoint()
    await reborn.start(["udp:127.0.0.1:0"])
    async with asyncio.timeout(PATIENCE):
        assert (await reborn.bye_orphan(state)).status == 200
    assert (await server.events.next(Ended)).by == "remote"
    assert server.endpoint.find_call("x", "y", "z") is None
    await reborn.stop()


async def test_what_is_advertised_is_what_peers_are_told(client: SipEndpoint) -> None:
    server = Server(advertise="203.0.113.5:5099")
    await server.endpoint.start(["udp:0.0.0.0:0", "tcp:0.0.0.0:0"])
    port = server.endpoint.listening[0].rpartition(":")[2]
    target, events = Uri.parse(f"sip:bob@127.0.0.1:{port}"), Events()
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    answered = await events.next(Answered)
    assert answered.headers.get("Contact") == "<sip:bob@203.0.113.5:5099>"
    assert server.calls[0].local_address == "203.0.113.5"
    assert server.endpoint.local_address(target) == "203.0.113.5"
    server.calls[0].bye()
    await server.endpoint.stop()


async def test_a_wildcard_is_told_as_the_address_on_the_route(client: SipEndpoint) -> None:
    server = Server()
    await server.endpoint.start(["udp:0.0.0.0:0"])
    port = server.endpoint.listening[0].rpartition(":")[2]
    target, events = Uri.parse(f"sip:bob@127.0.0.1:{port}"), Events()
    client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
    answered = await events.next(Answered)
    assert answered.headers.get("Contact") == f"<sip:bob@127.0.0.1:{port}>"
    assert server.endpoint.local_address(Uri.parse("sip:x@name.example")) not in ("", "0.0.0.0")
    await server.endpoint.stop()


@pytest.mark.parametrize("listen", ["udp:", "127.0.0.1:5060", "tls:127.0.0.1:1", "udp:127.0.0.1:x"])
async def test_listening_points_are_checked(listen: str) -> None:
    endpoint = SipEndpoint()
    with pytest.raises(ValueError, match=r"expected|invalid"):
        await endpoint.start([listen])


async def test_a_port_that_is_taken_leaves_nothing_open(server: Server) -> None:
    endpoint = SipEndpoint()
    with pytest.raises(OSError, match="in use"):
        await endpoint.start(
            ["udp:127.0.0.1:0", f"udp:{str(server.uri()).partition('@')[2].partition(';')[0]}"]
        )
    assert endpoint.listening == []


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_loop_that_servers_run_on(transport: str) -> None:
    async def one_call() -> None:
        server, client = Server(), SipEndpoint()
        await server.endpoint.start(LISTEN)
        await client.start(LISTEN)
        target, events = server.uri(transport), Events()
        call = client.invite(target, from_=ALICE, to=NameAddr(target), offer=SDP, on_event=events)
        await events.next(Answered)
        assert (await call.bye()).status == 200
        await client.stop()
        await server.endpoint.stop()

    uvloop.run(one_call())
