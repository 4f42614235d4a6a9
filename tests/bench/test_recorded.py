"""What the bench of recordings finds in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from bench.recorded import look

RATE = 8000


def written(path: Path, seconds: float, left: float, right: float) -> None:
    """A recording of two channels, each with sound in this share of it."""
    frames = np.zeros((round(seconds * RATE), 2), np.int16)
    for channel, share in enumerate((left, right)):
        frames[: round(share * len(frames)), channel] = 1000
    soundfile.write(path, frames, RATE, subtype="PCM_16")


def test_a_file_is_whole_that_has_both_sides_for_the_whole_run(tmp_path: Path) -> None:
    written(tmp_path / "whole.wav", 2.1, 0.5, 0.5)
    assert look(tmp_path, 2.0).whole == 1
    written(tmp_path / "short.wav", 1.9, 0.5, 0.5)
    written(tmp_path / "one side.wav", 2.1, 0.5, 0.0)
    written(tmp_path / "with gaps.wav", 2.1, 0.3, 0.5)
    files = look(tmp_path, 2.0)
    assert (files.whole, files.shortest) == (1, 1.9)
    assert files.octets == sum(path.stat().st_size for path in tmp_path.iterdir())
