"""`/metrics`: everything that is counted, and how things stand, in Prometheus' words.

What touches calls is read on the loop, in slices; the text is made in a thread, where reading `/proc` may
take its time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ringback.console.figures import figures

if TYPE_CHECKING:
    from ringback.server import Server

_BREATH = 0.0001
"""Seconds between two families of metrics, for the loop."""
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """The metrics of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._registry = CollectorRegistry()
        lag = Histogram(
            "ringback_loop_lag_seconds",
            "How late the control process's event loop comes to what is due, sampled 20 times a second, "
            "5 times while no call is up.",
            buckets=_LAG_BUCKETS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self.lagged: Callable[[float], None] = lag.observe
        """To be told how many seconds late the loop was, again and again."""

    async def exposed(self, accept: str) -> tuple[bytes, str]:
        """The text and its media type, in the format that an Accept header asks for."""
        snapshot = _Snapshot(await figures(self._server), (self._server.meter.registry, self._registry))
        encode, media_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, snapshot), media_type


class _Snapshot(Collector):
    """What was read a moment ago, and what registries hold, as one registry."""

    def __init__(self, read: Sequence[Metric], registries: Sequence[Collector]) -> None:
        self._read = read
        self._registries = registries

    def collect(self) -> Iterator[Metric]:
        for metric in chain(self._read, *(registry.collect() for registry in self._registries)):
            # When a counter was made is one series more for each, which nobody looks at.
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric
            # Only who sleeps lets go of the interpreter at once: the loop need not wait for the whole text.
            time.sleep(_BREATH)
