"""The tutorials: the way to a first call in each dialect, and what they show is what the examples do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ringback.config import load

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs").glob("tutorial-*.md"))


@pytest.fixture(params=TUTORIALS, ids=lambda path: path.stem)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text("utf-8")


def test_there_is_one_for_each_dialect() -> None:
    assert [path.stem for path in TUTORIALS] == ["tutorial-callapi", "tutorial-jambonz", "tutorial-laml"]


def test_every_command_for_a_first_call_is_shown(text: str) -> None:
    named = set(re.findall(r"(?:^    |`)ringback (\w+)", text, re.MULTILINE))
    assert named == {"serve", "call", "trace", "doctor"}


def test_the_settings_are_read(text: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    tomllib.loads(block)
    file = tmp_path / "ringback.toml"
    file.write_text(block, "utf-8")
    directory = load(file, {"RINGBACK_SERVER__DATA": str(tmp_path / "data")}).directory()
    assert directory.number("+14155550100") is not None
    assert directory.client("alice") is not None


def test_the_document_shown_is_the_examples(text: str) -> None:
    (example,) = set(re.findall(r"examples/(\w+_hello\.py)", text))
    source = "".join((ROOT / "examples" / example).read_text("utf-8").split())
    shown, *_ = re.findall(r"```(?:xml|json)\n(.*?)```", text, re.DOTALL)
    # Python's trailing commas apart.
    assert "".join(shown.split()).strip("[]{}") in source.replace(",}", "}").replace(",]", "]")
