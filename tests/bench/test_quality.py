"""The bench of what is left of speech: its networks, its distance, and a journey."""

from __future__ import annotations

from io import StringIO

import numpy as np
import numpy.typing as npt
import pytest
from bench.impaired import INTERVAL, Network
from rich.console import Console

from bench import likeness, quality

Int16 = npt.NDArray[np.int16]
COUNT = 20_000


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """PESQ is not installed, whether or not it is."""
    monkeypatch.setattr(likeness, "_pesq", None)


@pytest.fixture(scope="module")
def sound() -> Int16:
    time = np.arange(24_000) / 8000
    syllables = np.maximum(np.sin(2 * np.pi * 3 * time), 0)
    wave = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * 4000 * syllables
    return np.asarray(wave).astype(np.int16)


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("burst", [1.0, 2.5])
def test_as_many_packets_are_lost_as_was_said_and_in_such_bursts(loss: float, burst: float) -> None:
    lost = Network(loss=loss, burst=burst).lost(COUNT, np.random.default_rng(1))
    assert lost.mean() == pytest.approx(loss, rel=0.25)
    begun = np.count_nonzero(lost[1:] & ~lost[:-1])
    # Independent losses come one after the other now and then, too.
    assert lost.sum() / begun == pytest.approx(max(burst, 1 / (1 - loss)), rel=0.2)


def test_packets_are_held_up_as_was_said() -> None:
    chance = np.random.default_rng(2)
    uniform = Network(jitter=30).held_up(COUNT, chance)
    assert 0 <= uniform.min() < 0.001
    assert 0.029 < uniform.max() <= 0.030
    normal = Network(jitter=30, shape="normal").held_up(COUNT, chance)
    assert normal.mean() == pytest.approx(0.030, rel=0.05)
    assert normal.std() == pytest.approx(0.015, rel=0.1)
    ordered = Network(jitter=60, ordered=True).held_up(COUNT, chance)
    assert (np.diff(ordered + np.arange(COUNT) * INTERVAL) >= -1e-9).all()
    spells = Network(jitter=100, shape="spells").held_up(500, chance)
    assert spells[:25].all()
    assert not spells[25:250].any()


def test_the_distance_grows_with_what_is_missing(sound: Int16) -> None:
    places = np.arange(len(sound) // 160) * 160
    cut = sound.reshape(-1, 160).copy()
    cut[::10] = 0
    torn = sound.reshape(-1, 160).copy()
    torn[::3] = 0
    assert likeness.distance(sound, sound, places) == 0
    few = likeness.distance(sound, cut.reshape(-1), places)
    assert 1 < few < likeness.distance(sound, torn.reshape(-1), places)


def test_over_the_best_of_networks_everything_is_heard_one_frame_later(sound: Int16) -> None:
    for journey in quality.carry(Network(), [sound], 3):
        first = int(np.argmax(journey.places >= 0))
        heard = journey.heard[first * 160 :]
        assert (heard == journey.coded[: len(heard)]).all()
        assert len(heard) == len(sound)
        # Once it waits for a tick, and once it is the frame that is waited for.
        assert ((journey.delays > 0.02) & (journey.delays <= 0.04)).all()
        assert not journey.lost.any()
        assert (journey.concealed, journey.late) == (0, 0)


@pytest.mark.usefixtures("plain")
def test_what_is_lost_is_missed_less_than_with_silence_or_repetition(sound: Int16) -> None:
    scores = [quality.score(network, [sound], 2) for network in (quality.LOSSY, quality.SHAKY)]
    lossy, shaky = scores
    assert 0 < lossy.ideal < lossy.ours < lossy.repetition < lossy.silence
    assert 0.01 < lossy.concealed < 0.1
    assert shaky.delay > lossy.delay
    out = StringIO()
    Console(file=out, width=200).print(quality.show(scores))
    assert "5% lost" in out.getvalue()
    assert "jitter 30 ms uniform" in out.getvalue()
    assert quality.figure(scores).values["5% lost: delay p95, ms"] == round(lossy.delay_p95)
