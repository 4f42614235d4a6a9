"""What everything is measured against: a C loop that only receives and sends."""

from __future__ import annotations

import asyncio

from bench.load import FarEnds, program


async def bare(legs: int, seconds: float, cores: tuple[int, int]) -> float:
    """Microseconds per leg and 20 ms of such a loop on the server's core."""
    pipe = asyncio.subprocess.PIPE
    far = FarEnds(seconds, cores[1])
    await far.start()
    loop = await asyncio.create_subprocess_exec(
        "taskset",
        "-c",
        str(cores[0]),
        str(program()),
        "loop",
        "127.0.0.1",
        str(legs),
        str(seconds),
        stdout=pipe,
        stderr=pipe,
    )
    assert loop.stdout is not None
    ports = [int(await loop.stdout.readline()) for _ in range(legs)]
    await far.run(ports)
    _, errors = await loop.communicate()
    used = float(errors.decode().split(":")[1].strip(" }\n"))
    return used / seconds / legs / 50 * 1e6
