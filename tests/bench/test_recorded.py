"""What the bench of recordings finds in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from bench.load import Punctuality
from bench.media import Run
from bench.recorded import Files, figure, good, look

RATE = 8000


def written(path: Path, seconds: float, left: float, right: float) -> None:
    """A recording of two channels, each with sound in this share of it."""
    frames = np.zeros((round(seconds * RATE), 2), np.int16)
    for channel, share in enumerate((left, right)):
        frames[: round(share * len(frames)), channel] = 1000
    soundfile.write(path, frames, RATE, subtype="PCM_16")


def test_a_file_is_whole_that_has_both_sides_for_the_whole_run(tmp_path: Path) -> None:
    written(tmp_path / "whole.wav", 2.5, 0.9, 1.0)
    assert look(tmp_path, 2.0).whole == 1
    written(tmp_path / "short.wav", 1.9, 1.0, 1.0)
    written(tmp_path / "one side.wav", 2.5, 0.9, 0.0)
    written(tmp_path / "with gaps.wav", 2.5, 0.7, 1.0)
    files = look(tmp_path, 2.0)
    assert (files.whole, files.shortest) == (1, 1.9)
    assert files.octets == sum(path.stat().st_size for path in tmp_path.iterdir())


def run(*, lost: int = 0, worst: float = 1.0) -> Run:
    """A run of two legs, made up."""
    made = Run(legs=2, seconds=2.0)
    made.by_worker, made.unrecorded = [0.1], lost
    made.heard = Punctuality(
        expected=200,
        received=200,
        punctual=200,
        silent_legs=0,
        worst_leg=worst,
        largest_deviation_ms=1.0,
        load_cpu_seconds=0.1,
    )
    return made


def test_a_run_is_good_only_if_no_frame_missed_its_recording() -> None:
    whole = Files(whole=2, shortest=2.1, octets=1)
    assert good(run(), whole)
    assert not good(run(lost=1), whole)
    assert not good(run(), Files(whole=1, shortest=2.1, octets=1))
    found = figure([(run(), whole), (run(worst=0.991), whole), (run(lost=3), whole)], None)
    assert "worst leg of all runs 99.10% on time, 2 of 2 files whole and 3 frames lost" in found.result
    assert found.reached is None  # two of three were good, and two legs say nothing of eight hundred
    assert figure([(run(lost=1), whole)], None).reached is False
