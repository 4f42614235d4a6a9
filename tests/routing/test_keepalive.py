"""Registered devices are asked whether they are still there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from ringback.routing.keepalive import KeepAlive
from ringback.routing.registrar import Binding
from ringback.sip.flow import Flow
from ringback.testing.virtual_time import in_virtual_time


def binding(name: str, contact: str = "sip:a@10.0.0.1") -> Binding:
    return Binding(
        username=name,
        contact=contact,
        flow=Flow("udp", "192.0.2.9", 40000),
        call_id="c",
        cseq=1,
        registered_at=0.0,
        expires_at=1e9,
    )


class Devices:
    """Contacts, what each answers, and how often it was asked."""

    def __init__(self, *bindings: Binding) -> None:
        self.bindings = list(bindings)
        self.answers: dict[str, int] = {}
        self.asked: list[str] = []

    async def ask(self, binding: Binding) -> int:
        self.asked.append(binding.username)
        return self.answers.get(binding.username, 200)

    @contextlib.asynccontextmanager
    async def kept_alive(self, seconds: float = 60.0, *, everybody: bool = False) -> AsyncIterator[None]:
        keep_alive = KeepAlive(
            lambda: self.bindings, self.ask, self.bindings.remove, everybody=everybody, tries=3
        )
        task = asyncio.get_running_loop().create_task(keep_alive.run(seconds))
        yield
        task.cancel()
        await asyncio.wait({task})


@in_virtual_time
async def test_each_is_asked_once_in_the_interval() -> None:
    devices = Devices(binding("alice"), binding("bob"))
    async with devices.kept_alive():
        await asyncio.sleep(119.0)
    assert devices.asked == ["alice", "bob"] * 2


@in_virtual_time
async def test_only_those_behind_a_nat_are_asked_unless_all_are() -> None:
    direct = binding("carol", "sip:carol@192.0.2.9")
    for everybody, asked in ((False, []), (True, ["carol"])):
        devices = Devices(direct)
        async with devices.kept_alive(everybody=everybody):
            await asyncio.sleep(59.0)
        assert devices.asked == asked


@pytest.mark.parametrize(
    ("status", "stays"), [(200, True), (404, True), (486, True), (408, False), (503, False)]
)
@in_virtual_time
async def test_who_does_not_answer_is_dropped_after_some_tries(status: int, stays: bool) -> None:
    devices = Devices(binding("alice"))
    devices.answers["alice"] = status
    async with devices.kept_alive():
        await asyncio.sleep(90.0)
        assert devices.bindings
        await asyncio.sleep(60.0)
        assert bool(devices.bindings) is stays


@in_virtual_time
async def test_an_answer_in_between_counts() -> None:
    devices = Devices(binding("alice"))
    devices.answers["alice"] = 408
    async with devices.kept_alive():
        await asyncio.sleep(90.0)
        devices.answers["alice"] = 200
        await asyncio.sleep(60.0)
        devices.answers["alice"] = 408
        await asyncio.sleep(120.0)
        assert devices.bindings


@in_virtual_time
async def test_one_that_cannot_be_asked_stays() -> None:
    class Odd(Devices):
        async def ask(self, binding: Binding) -> int:
            raise ValueError("no URI")

    devices = Odd(binding("alice"))
    async with devices.kept_alive():
        await asyncio.sleep(600.0)
    assert devices.bindings
