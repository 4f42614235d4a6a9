"""How long lists and single calls take with many calls stored: `ringback bench rest --calls 100000`.

The calls are put into a new SQLite database before the server starts. Then each question is asked over and
over for some time on one connection, and at last all of them in turn on eight. The whole server shares one
core; the client has another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from rich.table import Table

from bench import history
from bench import options as common
from bench.api import Api
from bench.machine import busy, on_core
from bench.rates import LOAD_LIMIT, percentiles
from bench.results import Figure
from bench.session import Session
from bench.system import System, system
from ringback.net.clock import utcnow

CALLS = 100_000
P99_MS = 50.0
CLIENTS = 8
PAGES = 50
LEAST = 5
"""A slow question is asked at least so often."""
DIALECTS = ("laml", "jambonz", "callapi")
UNUSED = "http://127.0.0.1:9"
"""No application is asked anything here."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One question's figures. Times in ms."""

    dialect: str
    question: str
    times: int
    median: float
    p99: float
    cpu: float
    """Processor ms of the server for one request."""
    octets: int
    load: float
    others: float


Questions = dict[str, str]
"""What is asked, and the URL."""


def laml(api: Api, some: str, fiftieth: str) -> Questions:
    """What a SignalWire or Twilio client asks."""
    day = (utcnow() - timedelta(days=10)).date().isoformat()
    person = history.person(7)
    return {
        "first page of 50": _list(api.base, PageSize="50"),
        f"page {PAGES}": fiftieth,
        "1,000 in a page": _list(api.base, PageSize="1000"),
        "Status=busy": _list(api.base, Status="busy"),
        "From": _list(api.base, From=person),
        "To": _list(api.base, To=person),
        "one day": _list(api.base, StartTime=day),
        "Status, From and a date": _list(api.base, **{"Status": "busy", "From": person, "StartTime>": day}),
        "one call": f"{api.base}/{some}",
        "Transcriptions": f"{api.account}/Transcriptions",
    }


def jambonz(api: Api, some: str) -> Questions:
    """What a jambonz client asks."""
    recent = f"{api.account}/RecentCalls"
    return {
        "Calls (live and of the last hour)": api.base,
        "CallCount": f"{api.account}/CallCount",
        "RecentCalls, first page of 25": _list(recent, page="1", count="25"),
        f"RecentCalls, page {PAGES}": _list(recent, page=str(PAGES), count="25"),
        "RecentCalls, not answered": _list(recent, page="1", count="25", answered="false"),
        "RecentCalls of a number": _list(recent, page="1", count="25", filter=history.person(7)),
        "RecentCalls of a trunk": _list(recent, page="1", count="25", trunk="load"),
        "RecentCalls, two days": _list(recent, page="1", count="25", days="2"),
        "one call": f"{api.base}/{some}",
    }


def callapi(api: Api, some: str) -> Questions:
    """What a CallAPI or RestComm client asks."""
    base = f"{api.base}.json"
    day = (utcnow() - timedelta(days=10)).date().isoformat()
    return {
        "first page of 50": _list(base, PageSize="50"),
        f"page {PAGES}": _list(base, PageSize="50", Page=str(PAGES)),
        "Status=busy": _list(base, Status="busy"),
        "From": _list(base, From=history.person(7)),
        "To": _list(base, To=history.person(7)),
        "since ten days": _list(base, StartTime=day),
        "SortBy=Duration:desc": _list(base, SortBy="Duration:desc"),
        "ListCalls (today's)": f"{api.account}/ListCalls.json",
        "one call": f"{api.base}/{some}.json",
    }


def _list(base: str, **query: str) -> str:
    return f"{base}?{urlencode(query)}"


async def questions_of(api: Api, session: aiohttp.ClientSession) -> Questions:
    """All questions of a dialect, with a call and a page that there are."""
    if api.dialect == "jambonz":
        page = await _json(session, _list(f"{api.account}/RecentCalls", page="1", count="25"))
        return jambonz(api, str(page["data"][0]["call_sid"]))
    page = await _json(session, _list(f"{api.base}.json", PageSize="50"))
    some = str(page["calls"][0]["sid"])
    if api.dialect == "callapi":
        return callapi(api, some)
    following, host = "", api.account.partition("/api/")[0]
    for _ in range(PAGES - 1):
        if not page["next_page_uri"]:
            break  # fewer calls are stored
        following = f"{host}{page['next_page_uri']}"
        page = await _json(session, following)
    return laml(api, some, following or _list(api.base, PageSize="50"))


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url) as reply:
        reply.raise_for_status()
        body: dict[str, Any] = await reply.json()
        return body


async def ask(
    server: System, session: aiohttp.ClientSession, dialect: str, question: str, url: str, seconds: float
) -> Answer:
    """Ask one question over and over on one connection. Raises aiohttp.ClientError for any bad answer."""
    core = server.core
    took: list[float] = []
    octets = await _get(session, url)  # what is cached now may be cached
    usage, load, others = server.usage(), time.process_time(), busy(core)
    began = time.monotonic()
    while time.monotonic() < began + seconds or len(took) < LEAST:
        asked = time.monotonic()
        await _get(session, url)
        took.append(time.monotonic() - asked)
    elapsed = time.monotonic() - began
    used = sum(server.usage().since(usage).values())
    median, p99 = percentiles(took)
    return Answer(
        dialect=dialect,
        question=question,
        times=len(took),
        median=median,
        p99=p99,
        cpu=used * 1000 / len(took),
        octets=octets,
        load=(time.process_time() - load) / elapsed,
        others=max(0.0, busy(core) - others - used) / elapsed,
    )


async def _get(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as reply:
        reply.raise_for_status()
        return len(await reply.read())


async def together(
    session: aiohttp.ClientSession, urls: Sequence[str], seconds: float
) -> tuple[float, tuple[float, float]]:
    """All questions in turn on several connections: requests a second, and (median, p99) in ms."""
    took: list[float] = []
    until = time.monotonic() + seconds

    async def client(first: int) -> None:
        number = first
        while time.monotonic() < until:
            asked = time.monotonic()
            await _get(session, urls[number % len(urls)])
            took.append(time.monotonic() - asked)
            number += 1

    began = time.monotonic()
    await asyncio.gather(*(client(number * len(urls) // CLIENTS) for number in range(CLIENTS)))
    return len(took) / (time.monotonic() - began), percentiles(took)


class Found(msgspec.Struct, frozen=True):
    """All of one server's answers."""

    answers: list[Answer]
    rates: dict[str, tuple[float, tuple[float, float]]]
    """By dialect, of all questions in turn: see `together`."""


async def measure(count: int, seconds: float, cores: tuple[int, int], dialects: Sequence[str]) -> Found:
    """Fill a store, start a server on it, and ask."""
    answers, rates = [], {}

    async def prepare(data: Any) -> None:
        await history.fill(data, count)

    async with system(UNUSED, cores[0], prepare=prepare) as server:
        for dialect in dialects:
            api = Api(dialect, server.http)
            async with api.session() as session:
                questions = await questions_of(api, session)
                for question, url in questions.items():
                    answers.append(await ask(server, session, dialect, question, url, seconds))
                rates[dialect] = await together(session, list(questions.values()), 2 * seconds)
    return Found(answers, rates)


def middle(founds: Sequence[Found]) -> list[Answer]:
    """The median of each figure over the runs."""
    combined = []
    for same in zip(*(found.answers for found in founds), strict=True):
        first = same[0]
        figures = {
            name: statistics.median(getattr(answer, name) for answer in same)
            for name in ("median", "p99", "cpu")
        }
        worst = {name: max(getattr(answer, name) for answer in same) for name in ("load", "others")}
        combined.append(msgspec.structs.replace(first, **figures, **worst))
    return combined


def table(answers: Sequence[Answer], count: int, floor: float | None) -> Table:
    """A line a question."""
    shown = Table(title=f"REST with {count:,} calls stored, the whole server on one core")
    for heading in ("dialect", "question", "median ms", "p99 ms", "CPU ms", "x bare C", "a second", "KB"):
        shown.add_column(heading, justify="left" if heading in ("dialect", "question") else "right")
    for answer in answers:
        shown.add_row(
            answer.dialect,
            answer.question,
            f"{answer.median:.1f}",
            f"{answer.p99:.1f}",
            f"{answer.cpu:.1f}",
            f"{answer.cpu * 1000 / floor:,.0f}" if floor else "-",
            f"{1000 / answer.median:.0f}" if answer.median else "-",
            f"{answer.octets / 1024:.0f}",
            style="" if answer.p99 <= P99_MS else "red",
        )
    return shown


def figure(answers: Sequence[Answer], rates: Mapping[str, float], count: int, floor: float | None) -> Figure:
    """All questions in one row: the slowest counts."""
    slowest = max(answers, key=lambda answer: answer.p99)
    typical = statistics.median(answer.cpu for answer in answers)
    spoken = ", ".join(f"{dialect} {rate:.0f}" for dialect, rate in rates.items())
    return Figure(
        "rest",
        f"{count:,} stored: slowest p99 {slowest.p99:.0f} ms ({slowest.dialect}: {slowest.question}); "
        f"a question takes {typical:.1f} ms of processor time in the median; all in turn, a second: {spoken}",
        reached=slowest.p99 <= P99_MS and (True if count >= CALLS else None),
        ratio=typical * 1000 / floor if floor else None,
        values={"slowest_p99_ms": slowest.p99, "median_cpu_ms": typical, "calls": count},
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = common.parser("rest", __doc__, runs=1)
    parser.add_argument("--calls", type=common.positive, default=CALLS, help="how many are stored")
    parser.add_argument("--seconds", type=common.seconds, default=1.0, help="how long each question is asked")
    parser.add_argument("--dialect", choices=DIALECTS, help="only this one; default: all of them")
    return parser


def main() -> None:
    """Read the command line and measure; exit 0 when every question was quick enough."""
    session = Session(arguments(), width=130)
    options, say = session.options, session.console.print
    dialects = (options.dialect,) if options.dialect else DIALECTS
    with on_core(session.cores[1]):
        floor = session.floor()
    founds = session.repeat(lambda: measure(options.calls, options.seconds, session.cores, dialects))
    answers = middle(founds)
    say(table(answers, options.calls, floor))
    rates = {}
    for dialect in dialects:
        rates[dialect] = statistics.median(found.rates[dialect][0] for found in founds)
        p99 = statistics.median(found.rates[dialect][1][1] for found in founds)
        say(f"{dialect}: all in turn, {CLIENTS} connections: {rates[dialect]:.0f} a second, p99 {p99:.0f} ms")
    if max(answer.load for answer in answers) > LOAD_LIMIT:
        say("THE LOAD WAS BUSY: its own core may have been the limit")
    session.conclude([figure(answers, rates, options.calls, floor)], answers)


if __name__ == "__main__":
    main()
