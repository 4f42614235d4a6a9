"""How many calls a second one core takes: `ringback bench cps --rates 20,50,100,150,200 --seconds 10`.

Every call is a whole one: an INVITE, one question to the application, one second of prompt (cached), the
server's BYE, the status callback durable and delivered, media both ways meanwhile. The whole server shares
one core; the load (callers, application, far ends of RTP) has another, and says how much of it it took.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections import Counter
from collections.abc import Sequence

from bench import options as common
from bench import rates
from bench.application import Application
from bench.callers import Caller, Callers
from bench.load import Far
from bench.machine import on_core, python_build
from bench.parts import PARTS_FILE, Parts, parts_of
from bench.ramp import Load
from bench.rates import Spent, Step, percentiles
from bench.results import Figure
from bench.scene import scene
from bench.session import Session
from bench.system import NUMBERS, SERVE, System

RATES = "20,50,100,150,200"
AIM = 300


class Incoming(Load[Caller]):
    """Callers of one number."""

    def __init__(self, server: System, application: Application, far: Far, dialect: str) -> None:
        super().__init__(server, application, far)
        self._callers = Callers(server.sip, NUMBERS[dialect], far.port)

    @property
    def calls(self) -> Sequence[Caller]:
        """All calls so far, in order."""
        return self._callers.calls

    def close(self) -> None:
        """No more calls."""
        self._callers.close()

    def place(self, number: int) -> Caller:
        """A call comes."""
        return self._callers.call(number)

    def step_of(self, calls: Sequence[Caller], rate: float, spent: Spent) -> Step:
        """What became of them."""
        answered = [call for call in calls if call.status == 200 and call.asked]
        failed = [call for call in calls if not (call.status == 200 and call.ended)]
        over = [call for call in answered if call.told and call.ended]
        return Step(
            rate=rate,
            calls=len(calls),
            failures=Counter(call.status if call.ended else 0 for call in failed),
            untold=sum(not call.told for call in calls),
            repeated=sum(call.retransmissions for call in calls),
            times={
                "INVITE→200": percentiles([call.answered - call.invited for call in answered]),
                "INVITE→question": percentiles([call.asked - call.invited for call in answered]),
                "reply→200": percentiles([call.answered - call.asked for call in answered]),
                "BYE→callback": percentiles([max(0.0, call.told - call.ended) for call in over]),
            },
            spent=spent,
        )


async def measure(
    options: argparse.Namespace, cores: tuple[int, int], *, sampled: bool = False
) -> tuple[list[Step], Parts | None]:
    """Rate after rate on one server. `sampled`: the lowest rate only, and where its processor time goes."""
    module = ("bench.parts",) if sampled else SERVE
    async with scene(cores, module=module) as around:
        server = around.server
        load = Incoming(server, around.application, around.far, options.dialect)
        await load.warm_up()
        if not sampled:
            steps = await load.ramp(options.rates, options.seconds, options.runs)
            load.close()
            return steps, None
        server.signal(signal.SIGUSR1)
        steps = await load.ramp([min(options.rates)], options.seconds, 1)
        load.close()
        await server.stop()
        return steps, parts_of(server.data / PARTS_FILE)


def figure(steps: Sequence[Step], floor: float | None) -> Figure:
    """The highest rate that was held, in one row."""
    return rates.figure(
        "cps",
        AIM,
        steps,
        floor,
        lambda best: f"INVITE to 200 p99 {best.waited[1]:.0f} ms, {best.repeated} sent twice",
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("cps", __doc__, runs=1)
    common.add_rates(parser, RATES, 10.0)
    parser.add_argument(
        "--parts", action="store_true", help="also show where the processor time of a call goes"
    )
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when what was tried was held."""
    session = Session(arguments(), width=160)
    options, console = session.options, session.console
    console.print(python_build())
    with on_core(session.cores[1]):
        floor = session.floor()
        steps, _ = asyncio.run(measure(options, session.cores))
        console.print(rates.table("Calls a second", steps))
        for remark in rates.remarks(steps):
            console.print(remark)
        if options.parts:
            sampled, parts = asyncio.run(measure(options, session.cores, sampled=True))
            assert parts is not None
            console.print(parts.table(sampled[0].calls))
    session.conclude([figure(steps, floor)], steps)


if __name__ == "__main__":
    main()
