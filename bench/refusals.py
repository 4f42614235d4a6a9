"""What a refusal costs: `python -m bench.refusals` is a SIP endpoint without time for any call.

It prints its port, refuses until its standard input ends, then prints how many it refused and the processor
seconds that it took, kernel included: reading, refusing, sending, the ACK.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time

import msgspec

from bench.machine import on_core
from ringback.sip.admission import Refusal
from ringback.sip.endpoint import SipEndpoint
from ringback.sip.refusal import RawInvite

_TO = re.compile(rb"\r\n(To: [^\r]+)")
_HEAD = (
    "{method} sip:+14155550100@127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK-flood-{number}\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:+14155550199@{local}>;tag=f{number}\r\n"
    "{to}\r\n"
    "Call-ID: flood-{number}@{local}\r\n"
    "CSeq: 1 {method}\r\n"
)
_OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
TO = "To: <sip:+14155550100@127.0.0.1>"
AT_ONCE = 50
"""Refusals that may be under way: a busy carrier, not a queue that only grows."""


class Cost(msgspec.Struct, frozen=True):
    """Refusals, and what they took of a processor, in µs each."""

    refusals: int
    microseconds: float


class _Full:
    """An `Admission` without room."""

    def __init__(self) -> None:
        self.refused = 0

    def full(self) -> bool:
        return True

    def enter(self) -> None:
        raise AssertionError("there is no room")

    def spare(self) -> None:
        """Nobody came in."""
        raise AssertionError("always full")

    def refuse(self, host: str) -> Refusal:
        self.refused += 1
        return Refusal(503, 1 + self.refused % 3)


def invite(number: int, local: str) -> bytes:
    """An INVITE as a carrier sends it."""
    head = _HEAD.format(method="INVITE", local=local, number=number, to=TO)
    contact = f"Contact: <sip:{local}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n"
    body = f"Content-Type: application/sdp\r\nContent-Length: {len(_OFFER)}\r\n\r\n{_OFFER}"
    return (head + contact + body).encode()


def raw(count: int) -> Cost:
    """Reading and answering the bytes alone, without any socket."""
    invites = [invite(number, "127.0.0.1:5062") for number in range(count)]
    began = time.process_time()
    for data in invites:
        read = RawInvite.read(data, "127.0.0.1", 5062)
        assert read is not None
        read.refusal(503, 2)
    return Cost(count, (time.process_time() - began) / count * 1e6)


async def over_sockets(count: int, core: int) -> Cost:
    """An endpoint on that core refuses so many calls of ours."""
    pipe = asyncio.subprocess.PIPE
    with on_core(core):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.refusals", stdin=pipe, stdout=pipe
        )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    await asyncio.to_thread(_flood, port, count)
    out, _ = await process.communicate(b"")
    return msgspec.json.decode(out, type=Cost)


def _flood(port: int, count: int) -> None:
    """Place calls one after the other, some at once, and acknowledge each refusal."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.connect(("127.0.0.1", port))
        ours.settimeout(5.0)
        local = f"127.0.0.1:{ours.getsockname()[1]}"
        for number in range(min(count, AT_ONCE)):
            ours.send(invite(number, local))
        for number in range(count):
            answer = ours.recv(65536)
            to = _TO.search(answer)
            assert answer.startswith(b"SIP/2.0 503 "), answer
            assert to is not None
            ack = _HEAD.format(method="ACK", local=local, number=number, to=to[1].decode())
            ours.send(f"{ack}Content-Length: 0\r\n\r\n".encode())
            if number + AT_ONCE < count:
                ours.send(invite(number + AT_ONCE, local))


async def _refuse() -> None:
    full = _Full()
    endpoint = SipEndpoint(admission=full)
    await endpoint.start(["udp:127.0.0.1:0"])
    sys.stdout.write(endpoint.listening[0].rpartition(":")[2] + "\n")
    sys.stdout.flush()
    began = time.process_time()
    await asyncio.to_thread(sys.stdin.read)
    spent = time.process_time() - began
    await endpoint.stop()
    sys.stdout.buffer.write(msgspec.json.encode(Cost(full.refused, spent / max(1, full.refused) * 1e6)))


def main() -> None:
    """Be the endpoint."""
    import uvloop  # as the server has it

    uvloop.run(_refuse())


if __name__ == "__main__":
    main()
