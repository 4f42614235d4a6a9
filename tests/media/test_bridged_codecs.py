"""Bridged legs of any two codecs, with a true worker process: a test each, while all talk at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.media.pair import Audio, heard, resemblance, speaks
from tests.media.test_bridged_legs import Party, converse, started

from ringback.media.model import Codec
from ringback.media.plane import MediaPlane

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODECS: tuple[Codec, ...] = ("PCMU", "PCMA", "G722")
PAIRS = [pair for pair in itertools.product(CODECS, CODECS) if pair != ("PCMU", "PCMU")]

Conversation = tuple[Party, Party, tuple[Audio, Audio]]
"""Two parties, and what each said."""


def _party(plane: MediaPlane, codec: Codec) -> Party:
    changes: dict[str, Any] = speaks(codec)
    return Party(plane, **changes)


async def _conversation(one: Party, other: Party) -> Conversation:
    for party in (one, other):
        await party.until_heard(bool)
    one.leg.bridge(other.leg)
    said = await converse(one, other)
    await other.until_heard(lambda heard: len(heard) > 70)
    return one, other, said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def conversations() -> AsyncIterator[dict[tuple[Codec, Codec], asyncio.Task[Conversation]]]:
    """One for each pair, all on one plane."""
    plane = await started()
    parties = [(_party(plane, one), _party(plane, other)) for one, other in PAIRS]
    talks = [asyncio.create_task(_conversation(*both)) for both in parties]
    await asyncio.wait(talks)
    yield dict(zip(PAIRS, talks, strict=True))
    for party in itertools.chain.from_iterable(parties):
        party.hang_up()
    await plane.stop()


@pytest.mark.parametrize(("one", "other"), PAIRS)
async def test_each_hears_in_its_own_codec(
    conversations: dict[tuple[Codec, Codec], asyncio.Task[Conversation]], one: Codec, other: Codec
) -> None:
    first, second, said = conversations[one, other].result()
    assert resemblance(said[0], heard(second.heard, other)) > 0.98
    assert resemblance(said[1], heard(first.heard, one)) > 0.98
