"""How the softphone speaks on a machine that has no time for it."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time

import numpy as np
from tests.patience import PATIENCE

from ringback.testing.phone_audio import FRAME, PhoneAudio

SECONDS = 0.4


async def test_a_phone_that_was_held_up_leaves_a_gap_and_says_everything() -> None:
    loop = asyncio.get_running_loop()
    phone = PhoneAudio()
    await phone.open("127.0.0.1")
    words = (np.sin(np.arange(20 * FRAME) * 0.3) * 8000).astype(np.int16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setblocking(False)
        ear.bind(("127.0.0.1", 0))
        phone.say(words)
        phone.start(ear.getsockname())
        heard = [await loop.sock_recv(ear, 2048)]
        loop.call_soon(time.sleep, SECONDS)
        async with asyncio.timeout(PATIENCE):
            await phone.said()
            while len(heard) < 20:
                heard.append(await loop.sock_recv(ear, 2048))
    await phone.close()
    heads = [struct.unpack_from("!HI", packet, 2) for packet in heard]
    assert [number for number, _ in heads] == list(range(heads[0][0], heads[0][0] + 20))
    steps = [(after - before) // FRAME for (_, before), (_, after) in itertools.pairwise(heads)]
    assert max(steps) >= SECONDS / 0.02 - 1
    assert all(packet[12:].strip(b"\xff") for packet in heard), "nothing that was to be said is missing"
