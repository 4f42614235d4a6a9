"""What was written goes to the disk: all files of one at once, each by itself where that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from ringback.media.gateway import _sync_files
from ringback.media.wav import WavFile


class Troubled(WavFile):
    """A file on a disk that fails, perhaps for this very file."""

    trouble: OSError | None = None

    def sync_disk(self) -> bool:
        raise OSError(errno.EIO, "somebody's file")

    def sync(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def test_a_disk_is_synced_by_the_first_file_that_is_open(tmp_path: Path) -> None:
    files = [WavFile(str(tmp_path / f"{name}.wav"), 1) for name in "abc"]
    assert {file.disk for file in files} == {os.stat(tmp_path).st_dev}
    for file in files:
        file.append(np.ones(800, np.int16))
        file.commit()
    files[0].close()
    assert not files[0].sync_disk()
    assert files[1].sync_disk()
    assert _sync_files(list(files)) == [None] * 3
    for file in files[1:]:
        file.close()
    assert _sync_files(list(files)) == [None] * 3


def test_where_a_disk_fails_it_is_found_out_for_which_file(tmp_path: Path) -> None:
    files = [Troubled(str(tmp_path / f"{name}.wav"), 1) for name in "abc"]
    files[1].trouble = OSError(errno.ENOSPC, "No space left on device")
    assert _sync_files(list(files)) == [None, "No space left on device", None]
    for file in files:
        file.close()


def test_a_disk_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = WavFile(str(tmp_path / "a.wav"), 1)
    monkeypatch.setattr("ringback.media.wav._syncfs", lambda descriptor: -1)
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        file.sync_disk()
    file.close()
