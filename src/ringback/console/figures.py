"""How the server stands at this moment, as families of metrics: read where it is known, when asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ringback.calls.status import CallStatus, Direction
from ringback.media.model import TickStatistics
from ringback.net.slices import gradually
from ringback.routing.trunk import Trunk

if TYPE_CHECKING:
    from ringback.calls.call import Call
    from ringback.server import Server

Values = Mapping[tuple[str, ...], float]
_WORKER = ("worker",)


async def figures(server: Server) -> list[Metric]:
    """All of them. Many calls are counted in slices; everything else is a look at a number."""
    found = list(_calls(await gradually(map(_place, server.switchboard.engine.roster.calls))))
    found += [
        _gauge("queued_calls", "Calls that wait for their turn under a limit.", server.switchboard.queued),
        _gauge("accepting_calls", "1 while new calls are taken, else 0.", server.accepts_calls),
        *_overload(server),
        *_work(server),
        *_media(server),
        *_trunks(server),
        *_devices(server),
    ]
    return found


_Place = tuple[tuple[str, str], int]
"""Direction and state of a call, and how many recordings of it are being made."""


def _place(call: Call) -> _Place:
    record = call.record
    return (record.direction.value, record.status.value), len(call.recorder.live)


def _calls(places: list[_Place]) -> Iterator[Metric]:
    counts: Counter[tuple[str, str]] = Counter(place for place, _ in places)
    states = [state.value for state in CallStatus if not state.final]
    values: Values = {(way.value, state): counts[way.value, state] for way in Direction for state in states}
    yield _labelled("calls", "Calls that are up.", ("direction", "state"), values)
    recording = sum(recordings for _, recordings in places)
    yield _gauge("recordings_in_progress", "Recordings that are being made, or paused.", recording)


def _overload(server: Server) -> Iterator[Metric]:
    """How what is late limits new calls."""
    capacity = server.capacity
    yield _gauge("overloaded", "1 while new calls are refused for want of time, else 0.", capacity.limited)
    text = "How late work is: 1 is as late as it may be while calls are refused."
    yield _gauge("overload_pressure", text, capacity.throttle.pressure)
    text = "New calls a second that are let in; +Inf while all are."
    rate = capacity.throttle.rate
    yield _gauge("overload_calls_per_second", text, math.inf if rate is None else rate)
    text = "New calls that were refused for want of time, over SIP and over REST."
    yield CounterMetricFamily("ringback_overload_refusals", text, value=float(capacity.refused))


def _work(server: Server) -> Iterator[Metric]:
    """What waits to be done beside the calls."""
    callbacks = server.deliverer.queued
    yield _gauge("callbacks_waiting", "Callbacks that are neither delivered nor given up.", callbacks)
    waiting = server.switchboard.engine.archive.waiting
    yield _gauge("recordings_waiting", "Recordings that ended and are being stored or sent.", waiting)
    yield _gauge("store_backlog", "Writes that wait for their commit.", server.store.backlog)
    yield _gauge("store_healthy", "1 while commits hold and come in time, else 0.", server.store.healthy)


def _media(server: Server) -> Iterator[Metric]:
    stats = server.plane.stats()
    yield _gauge("media_legs", "Media legs that are open.", stats.legs)
    for name, text, read in _GAUGES:
        yield _labelled(name, text, _WORKER, {(str(w.worker),): read(w) for w in stats.workers})
    for name, text, read in _COUNTS:
        yield _labelled(name, text, _WORKER, {(str(w.worker),): read(w) for w in stats.workers}, counts=True)


_OfWorkers = tuple[tuple[str, str, Callable[[TickStatistics], float]], ...]
_GAUGES: _OfWorkers = (
    ("media_tick_p99_seconds", "99th percentile of the last 2048 ticks.", lambda w: w.tick_p99_ms / 1000),
    ("media_tick_max_seconds", "The longest tick of the worker's life.", lambda w: w.tick_max_ms / 1000),
    ("media_tick_late_max_seconds", "The latest start of a tick.", lambda w: w.late_max_ms / 1000),
)
_COUNTS: _OfWorkers = (
    ("media_ticks", "Ticks: four every 20 ms.", lambda w: w.ticks),
    ("media_ticks_late", "Ticks that began more than 5 ms late.", lambda w: w.late),
    ("media_tick_overruns", "Frames of 20 ms left out because a tick came too late.", lambda w: w.overruns),
    ("media_cpu_seconds", "Processor time of the worker.", lambda w: w.cpu_seconds),
    ("media_packets_received", "Packets that came.", lambda w: w.packets_received),
    ("media_packets_sent", "Packets that were sent.", lambda w: w.packets_sent),
    ("media_packets_dropped", "Packets beyond a leg's share; sends refused.", lambda w: w.packets_dropped),
    ("media_frames_unrecorded", "Frames of 20 ms that recordings lack.", lambda w: w.frames_unrecorded),
)


def _trunks(server: Server) -> Iterator[Metric]:
    """By name: of trunks with one name in several accounts, the sum of the calls and the worst gateway."""
    calls: Counter[tuple[str, ...]] = Counter()
    up: dict[tuple[str, ...], float] = {}
    registered: dict[tuple[str, ...], float] = {}
    for trunk in server.directory.all(Trunk):
        calls[(trunk.name,)] += server.limits.calls[trunk.id]
        for gateway in trunk.gateways:
            key = (trunk.name, gateway.host, gateway.transport)
            up[key] = min(up.get(key, 1.0), float(server.telephony.gateways.up(trunk, gateway)))
            registration = server.telephony.carriers.registration(trunk, gateway)
            if registration is not None:
                registered[key] = min(registered.get(key, 1.0), float(registration.registered))
    names = ("trunk", "gateway", "transport")
    yield _labelled("trunk_calls", "Calls over a trunk.", ("trunk",), calls)
    yield _labelled("trunk_gateway_up", "1 while calls go to the gateway, 0 while not.", names, up)
    text = "1 while we are registered at the gateway, else 0."
    yield _labelled("trunk_gateway_registered", text, names, registered)


def _devices(server: Server) -> Iterator[Metric]:
    devices, contacts = server.telephony.registrations
    yield _gauge("registered_devices", "Devices with a registered contact.", devices)
    yield _gauge("registered_contacts", "Registered contacts.", contacts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ringback_{name}", text, value=float(value))


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: Values, *, counts: bool = False
) -> Metric:
    family = (CounterMetricFamily if counts else GaugeMetricFamily)(f"ringback_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, float(value))
    return family
