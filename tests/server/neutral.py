"""An application that speaks no dialect: tests of the engine say in its own verbs what is to be done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tests.patience import PATIENCE

from ringback.calls import events, verbs
from ringback.calls.application import Application, Ask, Document
from ringback.calls.call import Call
from ringback.calls.events import CallEvent
from ringback.calls.record import CallRecord
from ringback.testing.kit import RunningServer
from ringback.testing.phone_audio import RATE, Samples
from ringback.testing.softphone import PhoneCall, Softphone
from ringback.webhooks.delivery import Delivery

Phones = tuple[Softphone, Softphone, Softphone]
HANG_UP = verbs.HangUp()
HOOK = verbs.Hook(url="http://app.example/next")


class Neutral:
    """Answers what it is asked with what a test has put down for it: by the question's name, in order.

    Of all calls: those that a Dial places are served by the same one.
    """

    dialect = "laml"
    profile = "signalwire"
    rings_at_once = False

    def __init__(self, *first: verbs.Verb) -> None:
        self.answers: dict[str, deque[Sequence[verbs.Verb]]] = {}
        self.asked: list[tuple[Ask, CallRecord]] = []
        self.told: list[tuple[CallEvent, CallRecord]] = []
        self._more = asyncio.Event()
        if first:
            self.answer("new-call", *first)

    def answer(self, what: str, *them: verbs.Verb) -> None:
        """Answer the next question of this name with these verbs."""
        self.answers.setdefault(what, deque()).append(them)

    async def ask(self, ask: Ask, call: CallRecord) -> Document | None:
        self.asked.append((ask, call))
        self._more.set()
        answers = self.answers.get(ask.what)
        if not answers:
            return None
        return Document(verbs=tuple(answers.popleft()), application=self, at_end=None)

    def for_callee(self, callee: verbs.Callee, caller: CallRecord) -> Application:
        return self

    def invite_headers(self, call: CallRecord) -> Sequence[tuple[str, str]]:
        return ()

    def deliveries(self, event: CallEvent, call: CallRecord) -> list[Delivery]:
        return []

    def notify(self, event: CallEvent, call: CallRecord) -> None:
        self.told.append((event, call))
        self._more.set()

    def state(self) -> Mapping[str, Any]:
        return {}

    async def close(self) -> None:
        """It goes on for other calls."""

    # -- what tests look at

    async def question(self, what: str, timeout: float = PATIENCE) -> Any:
        """The first question of this name, once it has been asked."""
        return await self._wait(lambda: next((a for a, _ in self.asked if a.what == what), None), timeout)

    async def event(self, kind: type[CallEvent], timeout: float = PATIENCE, **fields: Any) -> Any:
        """The first event of this kind with these fields, once it has happened."""

        def found() -> Any:
            for event, _ in self.told:
                if isinstance(event, kind) and all(getattr(event, n) == v for n, v in fields.items()):
                    return event
            return None

        return await self._wait(found, timeout)

    async def _wait(self, found: Any, timeout: float) -> Any:
        async with asyncio.timeout(timeout):
            while (value := found()) is None:
                self._more.clear()
                await self._more.wait()
        return value

    def outcome(self, verb: str = "Dial") -> Any:
        """How the only verb of this name ended."""
        [outcome] = self.outcomes(verb)
        return outcome

    def outcomes(self, verb: str = "Dial") -> list[Any]:
        """How the verbs of this name ended."""
        return [e.outcome for e, _ in self.told if isinstance(e, events.VerbEnded) and e.verb == verb]

    def ends(self) -> dict[str, CallRecord]:
        """The records of the calls that are over, by whom they were to."""
        return {r.to: r for e, r in self.told if isinstance(e, events.CallEnded)}


def callee(phone: Softphone, name: str = "", **more: Any) -> verbs.Callee:
    """A phone, called at its own address."""
    who = name or phone.username
    address = f"sip:{who}@{phone.listening.partition(':')[2]}"
    return verbs.Callee(target=verbs.Target(kind="sip", address=address), shown=who, **more)


def phone_events(call: PhoneCall) -> list[str]:
    """What the phone was answered: `180`, `183`, `200` …, without repetitions."""
    return list(dict.fromkeys(each.partition(" ")[0] for each in call.events if each[0].isdigit()))


def live_call(server: RunningServer, to: str) -> Call:
    """The call that is up and goes to that one."""
    return next(call for call in server.switchboard.engine.roster.calls if call.record.to == to)


# -- sound


def tone(hertz: float, seconds: float = 3.0) -> Samples:
    """A steady tone."""
    time = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * hertz * time) * 8000).astype(np.int16)


def has_tone(samples: Samples, hertz: float) -> bool:
    """Whether the tone makes up most of what was heard at the end (200 ms)."""
    tail = samples[-RATE // 5 :].astype(np.float64)
    if len(tail) < RATE // 5 or not tail.any():
        return False
    time = np.arange(len(tail)) / RATE
    matched = abs(np.dot(tail, np.exp(-2j * np.pi * hertz * time))) * 2 / len(tail)
    return bool(matched > 0.6 * np.sqrt(2) * np.sqrt((tail**2).mean()))


async def hears_tone(call: PhoneCall, hertz: float, timeout: float = PATIENCE) -> None:
    """Wait until the phone hears this tone. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not has_tone(call.heard(), hertz):
            await call.audio.arrival()


async def talk(one: PhoneCall, other: PhoneCall) -> None:
    """Both speak at once, and both hear the other."""
    await sound(one, 440.0, other, 900.0)


async def sound(one: PhoneCall, hertz: float, other: PhoneCall, others_hertz: float) -> None:
    """Each breaks off what it says for a tone, and hears the other's."""
    for call, own in ((one, hertz), (other, others_hertz)):
        call.audio.hush()
        call.audio.say(tone(own))
    await asyncio.gather(hears_tone(one, others_hertz), hears_tone(other, hertz))
