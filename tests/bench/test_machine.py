"""What the benches say of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import machine

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sdb1 /run/big xfs rw 0 0
tmpfs /with\\040blank tmpfs rw 0 0
/dev/sdc1 /twice xfs rw 0 0
tmpfs /twice tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/running", "ext4"),
        ("/run/some", "tmpfs"),
        ("/run/big/some", "xfs"),
        ("/with blank/some", "tmpfs"),
        ("/twice", "tmpfs"),
    ],
)
def test_a_folder_is_on_the_nearest_mount(folder: str, kind: str) -> None:
    assert machine.file_system(Path(folder), MOUNTS) == kind


def test_a_machine_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert machine.file_system(tmp_path, "") == "unknown"
    monkeypatch.setattr(machine, "MOUNTS", tmp_path / "none")
    assert machine.file_system(tmp_path) == "unknown"


def test_who_measures_in_memory_is_warned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(machine, "MOUNTS", mounts)
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\n")
    assert not machine.durability(tmp_path)
    mounts.write_text("tmpfs / tmpfs rw 0 0\n")
    assert f"{tmp_path} is on tmpfs: nothing here is durable" in machine.durability(tmp_path)
