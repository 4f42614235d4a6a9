"""The media plane's transports with nothing around them: `python -m bench.bare_transport KIND COUNT SECONDS`.

As `sockets.c own`, whose ports and result it prints in the same way, but with NumPy arrays for all streams of
a phase. What `bench.sockets` starts.
"""

from __future__ import annotations

import socket
import sys
import time

import msgspec
import numpy as np

from ringback.media import addresses
from ringback.media.send import Outgoing
from ringback.media.transport import choose

PHASES, STEP, PACKET, HOST = 4, 0.005, 172, "127.0.0.1"


class Used(msgspec.Struct, frozen=True):
    """What it took."""

    cpu_seconds: float
    received: int
    sent: int


def exchange(kind: str, count: int, seconds: float) -> Used:
    """Receive from and send to so many streams, and say what that took."""
    rows = -(-count // PHASES)
    transport = choose(kind, PHASES, rows, socket.AF_INET)
    for number in range(count):
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.setblocking(False)
        rtp.bind((HOST, 0))
        sys.stdout.write(f"{rtp.getsockname()[1]}\n")
        transport.attach(number % PHASES, number // PHASES, rtp)
    sys.stdout.flush()
    remotes = np.zeros((PHASES, rows, addresses.WORDS), np.uint64)
    for number in range(count):
        port = int(sys.stdin.readline())
        remotes[number % PHASES, number // PHASES] = addresses.pack(HOST, port, socket.AF_INET)
    packets = np.full((rows, 512), 0x55, np.uint8)
    outgoing = [
        Outgoing(np.arange(len(mine)), packets, np.full(len(mine), PACKET))
        for mine in (range(phase, count, PHASES) for phase in range(PHASES))
    ]
    for phase in range(PHASES):
        transport.flush(phase)
    received, sent, began, due = 0, 0, time.process_time(), time.monotonic()
    for tick in range(round(seconds / STEP)):
        time.sleep(max(0.0, due + tick * STEP - time.monotonic()))
        phase = tick % PHASES
        batch = transport.receive(phase)
        received += len(batch.rows) if batch is not None else 0
        transport.send(phase, outgoing[phase], remotes[phase])
        sent += len(outgoing[phase].rows)
    used = Used(time.process_time() - began, received, sent)
    transport.close()
    return used


if __name__ == "__main__":
    used = exchange(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.buffer.write(msgspec.json.encode(used))
