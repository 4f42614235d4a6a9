"""How many calls a second can be placed by REST: `ringback bench outbound --rates 50,100,150 --seconds 5`.

Every call is a whole one: `POST …/Calls`, an INVITE to a far end that answers at once, one question to the
application, one second of prompt (cached), the server's BYE, the status callback durable and delivered, media
both ways meanwhile. The whole server shares one core; the load (client, far ends, application) has another.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import aiohttp

from bench import options as common
from bench import rates
from bench.api import Api
from bench.callees import Callees
from bench.machine import on_core
from bench.ramp import Load
from bench.rates import Spent, Step, percentiles
from bench.results import Figure
from bench.scene import Scene, scene
from bench.session import Session

RATES = "50,100,150,200,240"
AIM = 240
TRUNK = """
[[trunk]]
name = "far"
host = "{address}"
"""


class Placed:
    """One call on its way. Times are of the monotonic clock, 0.0 before they are there."""

    def __init__(self, number: int) -> None:
        self.identity = f"+1415{2_000_000 + number:07d}"
        self.to = f"+1416{2_000_000 + number:07d}"
        self.posted = 0.0
        self.status = 0
        """The request's HTTP status; 0 when nothing came."""
        self.accepted = 0.0
        self.called = 0.0
        """The INVITE came, and was answered."""
        self.asked = 0.0
        self.ended = 0.0
        """The server hung up."""
        self.told = 0.0

    @property
    def whole(self) -> bool:
        """It was placed, answered, asked about and ended."""
        return bool(self.accepted and self.called and self.asked and self.ended)

    @property
    def done(self) -> bool:
        """Nothing more is to come: it was refused, or the application told of its end."""
        return bool((self.status and not self.accepted) or (self.whole and self.told))


class Outgoing(Load[Placed]):
    """Calls placed by REST, to far ends that answer at once."""

    def __init__(self, around: Scene, callees: Callees, api: Api) -> None:
        super().__init__(around.server, around.application, around.far)
        self._application = around.application
        self._callees = callees
        self._api = api
        self._repeated = 0
        self._requests: asyncio.TaskGroup
        self._session: aiohttp.ClientSession
        callees.on_called = self._called
        callees.on_ended = self._ended

    @contextlib.asynccontextmanager
    async def placing(self) -> AsyncIterator[None]:
        """Requests run beside each other, on connections that stay."""
        self._repeated = self._callees.repeated
        async with self._api.session() as self._session, asyncio.TaskGroup() as self._requests:
            yield

    def place(self, number: int) -> Placed:
        """Ask for a call."""
        call = Placed(number)
        self._requests.create_task(self._post(call))
        return call

    async def _post(self, call: Placed) -> None:
        order = self._api.order(call.identity, call.to, self._application.url)
        call.posted = time.monotonic()
        try:
            async with self._session.post(self._api.base, **order) as reply:
                await reply.read()
                call.status = reply.status
        except (aiohttp.ClientError, TimeoutError):
            return
        if call.status in (200, 201):
            call.accepted = time.monotonic()

    def _called(self, identity: str, _: int) -> None:
        call = self.find(identity)
        if call is not None:
            call.called = time.monotonic()

    def _ended(self, identity: str) -> None:
        call = self.find(identity)
        if call is not None:
            call.ended = call.ended or time.monotonic()

    def step_of(self, calls: Sequence[Placed], rate: float, spent: Spent) -> Step:
        """What became of them."""
        whole = [call for call in calls if call.whole]
        return Step(
            rate=rate,
            calls=len(calls),
            failures=Counter(call.status for call in calls if not call.whole),
            untold=sum(not call.told for call in calls),
            repeated=self._callees.repeated - self._repeated,
            times={
                "POST→reply": percentiles([call.accepted - call.posted for call in whole]),
                "POST→INVITE": percentiles([call.called - call.posted for call in whole]),
                "200→question": percentiles([max(0.0, call.asked - call.called) for call in whole]),
                "BYE→callback": percentiles(
                    [max(0.0, call.told - call.ended) for call in whole if call.told]
                ),
            },
            spent=spent,
        )


async def measure(options: argparse.Namespace, cores: tuple[int, int]) -> list[Step]:
    """Rate after rate on one server."""
    callees = Callees(0, ("PCMU",))
    try:
        async with scene(cores, settings=TRUNK.format(address=callees.address)) as around:
            callees.hear_at(around.far.port)
            load = Outgoing(around, callees, Api(options.dialect, around.server.http))
            await load.warm_up()
            return await load.ramp(options.rates, options.seconds, options.runs)
    finally:
        callees.close()


def figure(steps: Sequence[Step], dialect: str, floor: float | None) -> Figure:
    """The highest rate that was held, in one row."""
    return rates.figure(
        "outbound", AIM, steps, floor, lambda best: f"{dialect}, POST p99 {best.waited[1]:.0f} ms"
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("outbound", __doc__, runs=1)
    common.add_rates(parser, RATES, 5.0)
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when what was tried was held."""
    session = Session(arguments(), width=160)
    options = session.options
    with on_core(session.cores[1]):
        floor = session.floor()
        steps = asyncio.run(measure(options, session.cores))
    session.console.print(rates.table(f"Calls placed by REST ({options.dialect})", steps))
    for remark in rates.remarks(steps):
        session.console.print(remark)
    session.conclude([figure(steps, options.dialect, floor)], steps)


if __name__ == "__main__":
    main()
