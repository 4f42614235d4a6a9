"""A range of ports whose beginning another server holds."""

from __future__ import annotations

import contextlib

from tests.ports import free_ports

from ringback.media.plane import MediaPlane
from ringback.media.ports import bind_pair
from ringback.media.seats import TRIES


async def test_a_worker_finds_the_ports_behind_those_of_others() -> None:
    taken = 2 * TRIES
    last = (first := free_ports(2 * taken + 20)) + 2 * taken + 19
    with contextlib.ExitStack() as held:
        taken_ports = range(first + 2, first + 2 * taken, 2)  # all but one
        for port in taken_ports:
            for bound in bind_pair("127.0.0.1", port):
                held.enter_context(bound)
        plane = MediaPlane(rtp_host="127.0.0.1", port_range=(first, last))
        await plane.start()
        try:
            legs = [plane.open_leg(lambda event: None) for _ in range(3)]
            assert not any(leg.address[1] in taken_ports for leg in legs)
            for leg in legs:
                await leg.close()
        finally:
            await plane.stop()
