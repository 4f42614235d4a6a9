"""What a worker has of the sources that are played: sent once, kept while there is room.

Long sources travel in slices between which everything else goes on: other legs' commands, and the rest of the
event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from ringback.media import protocol, tones
from ringback.media.model import Playable, Silence, Tone
from ringback.media.source import Source

RATE = 8000
SLICE = 64 << 10
"""Octets of a source per frame: small enough that commands behind it wait well under a tick."""


class _Item:
    """A source at the worker, or on its way there."""

    __slots__ = ("number", "octets", "samples", "shipment")

    def __init__(self, number: int, octets: int) -> None:
        self.number = number
        self.octets = octets
        self.samples = octets // 2
        self.shipment: asyncio.Task[None] | None = None


class Stock:
    """The control side's book of one worker's sources.

    `send` passes a command on; `give_way` returns when the connection takes more and others had a turn.
    At most `budget` octets are kept; the least recently played make room.
    """

    def __init__(
        self,
        budget: int,
        send: Callable[[protocol.Upload | protocol.Forget], None],
        give_way: Callable[[], Awaitable[None]],
    ) -> None:
        self.budget = budget
        self._send = send
        self._give_way = give_way
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._octets = 0
        self._next = 0

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def supply(self, playables: Sequence[Playable]) -> asyncio.Future[None] | None:
        """Send the worker what it has not got of these.

        Returns None when all of it is there, else what to wait for before asking again. Raises ValueError for
        a source that is larger than the budget.
        """
        sources = [_source(playable) for playable in playables if not isinstance(playable, Silence)]
        missing = None
        for source in sources:
            item = self._items.get(source.key)
            if item is None:
                item = self._items[source.key] = self._begin(source, sources)
            else:
                self._items.move_to_end(source.key)
            missing = missing or item.shipment
        return missing

    def segments(self, playables: Sequence[Playable]) -> list[protocol.Segment]:
        """The playables as the worker knows them, once `supply` has returned None."""
        return [self._segment(playable) for playable in playables]

    def close(self) -> None:
        """The worker is gone."""
        for item in self._items.values():
            if item.shipment is not None:
                item.shipment.cancel()
        self._items.clear()

    def _segment(self, playable: Playable) -> protocol.Segment:
        if isinstance(playable, Silence):
            return protocol.Segment(-1, max(0, playable.milliseconds) * 8)
        item = self._items[_source(playable).key]
        return protocol.Segment(item.number, item.samples)

    def _begin(self, source: Source, wanted: Sequence[Source]) -> _Item:
        octets = len(source.pcm) * RATE // source.rate // 2 * 2
        if octets > self.budget:
            raise ValueError(
                f"source {source.key!r} has {octets} octets; a worker keeps at most {self.budget}"
            )
        self._make_room(octets, wanted)
        self._next += 1
        self._octets += octets
        item = _Item(self._next, octets)
        if source.rate != RATE or octets > SLICE:
            item.shipment = asyncio.get_running_loop().create_task(self._ship(source, item))
        elif octets:
            self._send(protocol.Upload(item.number, octets, 0, source.pcm[:octets]))
        return item

    def _make_room(self, octets: int, wanted: Sequence[Source]) -> None:
        if self._octets + octets <= self.budget:
            return
        kept = {source.key for source in wanted}
        for key, item in list(self._items.items()):
            if self._octets + octets <= self.budget:
                return
            if key not in kept and item.shipment is None:
                del self._items[key]
                self._octets -= item.octets
                self._send(protocol.Forget(item.number))

    async def _ship(self, source: Source, item: _Item) -> None:
        try:
            pcm = source.pcm[: item.octets]
            if source.rate != RATE:
                pcm = await asyncio.to_thread(at_8khz, source)
                item.samples = len(pcm) // 2
            for offset in range(0, len(pcm), SLICE):
                self._send(protocol.Upload(item.number, len(pcm), offset, pcm[offset : offset + SLICE]))
                await self._give_way()
        finally:
            # Also when it went wrong: the worker then says of the playback that it failed.
            item.shipment = None


def _source(playable: Source | Tone) -> Source:
    return tones.source(playable) if isinstance(playable, Tone) else playable


def at_8khz(source: Source) -> bytes:
    """The source's samples at the rate of G.711."""
    import numpy as np
    import soxr

    samples = soxr.resample(np.frombuffer(source.pcm, "<i2"), source.rate, RATE)
    return bytes(samples.astype("<i2").tobytes())
