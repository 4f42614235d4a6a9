"""A server under load in virtual time: one processor, an event loop, and the real `Capacity` at its door.

A call needs some turns of the event loop, with an application, commits (see `tests.calls.disk`) and its own
messages between them, and as much work as on a machine that does about 200 calls a second. Messages wait in
a socket of which each turn reads for 4 ms at the most; `Capacity` sees how long, and how late the loop is.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from tests.calls.disk import Disk

from ringback.calls.capacity import Capacity
from ringback.calls.meter import Meter
from ringback.media.model import PlaneStatistics, TickStatistics
from ringback.net.lag import EVERY
from ringback.routing.directory import Directory

Work = Callable[[], None]

IN_TIME = 0.2
"""Seconds within which a caller wants to be answered."""
REFUSAL, NOBODY = 0.00002, 0.0005
"""What it takes to refuse a call for want of time, and to say that there is no such number."""
TALK = 1.0
SLICE = 0.004
"""Seconds for which messages are read in one turn."""


class Turn(msgspec.Struct, frozen=True):
    """A turn of the event loop that a call needs: what it takes, and how long after the one before it is due.
    `message`: it comes through the SIP socket, and waits there to be read. `commit`: it waits for one."""

    work: float
    after: float = 0.0
    message: bool = False
    commit: bool = False


SET_UP = (
    Turn(0.0008, message=True),  # INVITE
    Turn(0.0003),
    Turn(0.0002),
    Turn(0.0006, after=0.003),  # the application's document
    Turn(0.0003),
    Turn(0.0002),
    Turn(0.0002),
    Turn(0.0005, commit=True),
    Turn(0.0003),  # 200
)
END = (
    Turn(0.0003, after=0.0005, message=True),  # ACK
    Turn(0.0006, after=TALK),  # the prompt is over: BYE
    Turn(0.0004, commit=True),  # and the callback
    Turn(0.0002, message=True),  # the caller's 200
    Turn(0.0001, after=0.002),
)
COST = sum(turn.work for turn in (*SET_UP, *END))
CAPACITY = 1 / COST
"""Calls a second that fill the processor."""


class Call:
    """What became of one."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.answered: float | None = None
        self.refused = False
        self.turns = iter((*SET_UP, *END))

    @property
    def waited(self) -> float:
        """Seconds until it was answered."""
        assert self.answered is not None
        return self.answered - self.began

    @property
    def good(self) -> bool:
        """It was answered in time."""
        return self.answered is not None and self.waited <= IN_TIME


class Outcome(msgspec.Struct, frozen=True):
    """What became of the calls of some seconds."""

    offered: int
    good: int
    refused: int
    goodput: float
    """Good calls a second."""
    median: float
    p99: float
    """Seconds to the answer."""


class LoadedServer:
    """Calls come as `load` says, until which is over. `pauses`: (from, seconds) in which nothing is done, as
    while another program runs. `stalls`: the same of the disk alone, and `each`: what a write adds to a
    commit, in seconds. `uneven`: by what part the work of a turn differs, at random."""

    def __init__(
        self,
        *,
        seed: int = 1,
        pauses: Iterable[tuple[float, float]] = (),
        stalls: Iterable[tuple[float, float]] = (),
        each: float = 0.0,
        uneven: float = 0.3,
    ) -> None:
        self.now = 0.0
        self.calls: list[Call] = []
        self.rates: list[float | None] = []
        """What calls were limited to, 20 times a second."""
        self.capacity = Capacity(Directory(), Meter(), lambda: self.now)
        self.disk = Disk(lambda: self.now, self._at, stalls=stalls, each=each)
        self.capacity.watch(self, self.disk, self)
        self._chance = random.Random(seed)
        self._uneven = uneven
        self._pauses = deque(sorted(pauses))
        self._order = 0
        self._due: list[tuple[float, int, bool, Work]] = []
        """When, in which order, whether it is a message, and what it makes us do."""
        self._ready: deque[Work] = deque()
        self._messages: deque[tuple[float, Work]] = deque()
        """When they came."""
        self._waited = 0.0
        self._look_again(EVERY)

    # -- what `Capacity` looks at

    def waited(self) -> float:
        """How long the latest message waited."""
        waited, self._waited = self._waited, 0.0
        return waited

    def stats(self) -> PlaneStatistics:
        """Media that are never late."""
        return PlaneStatistics((TickStatistics(pid=1),), 0)

    # -- the load

    def load(self, seconds: float, rate: float, *, even: bool = False, strangers: float = 0.0) -> None:
        """From now on so many calls a second come for that long, at random or evenly, and so many strangers
        for numbers that are not there."""
        until, when = self.now + seconds, self.now
        while True:
            when += 1 / rate if even else self._chance.expovariate(rate)
            if when >= until:
                break
            call = Call(when)
            self.calls.append(call)
            self._at(when, partial(self._invited, call), message=True)
        for number in range(round(strangers * seconds)):
            self._at(self.now + number / strangers, self._asked_for_nobody, message=True)
        self._run(until)

    def outcome(self, first: float, last: float) -> Outcome:
        """Of the calls that came between two moments, both at least half a second ago."""
        calls = [call for call in self.calls if first <= call.began < last]
        times = sorted(call.waited for call in calls if call.answered is not None) or [0.0]
        good = sum(call.good for call in calls)
        return Outcome(
            offered=len(calls),
            good=good,
            refused=sum(call.refused for call in calls),
            goodput=good / (last - first),
            median=times[len(times) // 2],
            p99=times[len(times) * 99 // 100],
        )

    # -- a call

    def _invited(self, call: Call) -> None:
        if self.capacity.full():
            self.capacity.refuse("")
            call.refused = True
            self._spend(REFUSAL)
        else:
            self.capacity.enter()
            self._turn(call, next(call.turns))

    def _asked_for_nobody(self) -> None:
        if self.capacity.full():
            self.capacity.refuse("")
            self._spend(REFUSAL)
        else:
            self.capacity.enter()
            self._spend(NOBODY)
            self.capacity.spare()

    def _turn(self, call: Call, turn: Turn) -> None:
        self._spend(turn.work * self._chance.uniform(1 - self._uneven, 1 + self._uneven))
        if turn is SET_UP[-1]:
            call.answered = self.now
        following = next(call.turns, None)
        if following is None:
            return
        then = partial(self._turn, call, following)
        if following.commit:
            self.disk.write(then)
        else:
            self._at(self.now + following.after, then, following.message)

    # -- the event loop

    def _look_again(self, due: float) -> None:
        def look() -> None:
            self.capacity.lagged(self.now - due)
            self.rates.append(self.capacity.throttle.rate)
            self._look_again(self.now + EVERY)

        self._at(due, look)

    def _at(self, when: float, work: Work, message: bool = False) -> None:
        self._order += 1
        heapq.heappush(self._due, (when, self._order, message, work))

    def _run(self, until: float) -> None:
        while self.now < until:
            if not self._ready and not self._messages:
                self._advance(max(self.now, self._due[0][0]))
            while self._due and self._due[0][0] <= self.now:
                when, _, message, work = heapq.heappop(self._due)
                if message:
                    self._messages.append((when, work))
                else:
                    self._ready.append(work)
            self._read()
            for _ in range(len(self._ready)):
                self._ready.popleft()()

    def _read(self) -> None:
        if self._messages:
            self._waited = self.now - self._messages[0][0]
        until = self.now + SLICE
        while self._messages and self.now < until:
            self._messages.popleft()[1]()

    def _spend(self, seconds: float) -> None:
        self._advance(self.now + seconds)

    def _advance(self, until: float) -> None:
        self.now = until
        while self._pauses and self._pauses[0][0] <= self.now:
            self.now += self._pauses.popleft()[1]
