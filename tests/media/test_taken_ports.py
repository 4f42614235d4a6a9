"""A range of ports whose beginning another server holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ringback.media.plane import MediaPlane
from ringback.media.ports import bind_pair
from ringback.media.seats import TRIES


async def test_a_worker_finds_the_ports_behind_those_of_others(free_port: Callable[..., int]) -> None:
    taken = 3 * TRIES
    first = min(free_port("udp"), 65_000 - 4 * taken) & ~1
    with contextlib.ExitStack() as held:
        taken_ports = set()
        for port in range(first + 2, first + 2 * taken, 2):  # all but one
            with contextlib.suppress(OSError):
                for bound in bind_pair("127.0.0.1", port):
                    held.enter_context(bound)
                taken_ports.add(port)
        plane = MediaPlane(rtp_host="127.0.0.1", port_range=(first, first + 4 * taken))
        await plane.start()
        try:
            legs = [plane.open_leg(lambda event: None) for _ in range(3)]
            assert taken_ports.isdisjoint(leg.address[1] for leg in legs)
            for leg in legs:
                await leg.close()
        finally:
            await plane.stop()
