"""The tutorials name only what exists, and what they show is what the examples do."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from ringback.cli.app import app
from ringback.config import load

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs").glob("tutorial-*.md"))


@pytest.fixture(params=TUTORIALS, ids=lambda path: path.stem)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text("utf-8")


def test_there_is_one_for_each_dialect() -> None:
    assert [path.stem for path in TUTORIALS] == ["tutorial-callapi", "tutorial-jambonz", "tutorial-laml"]


def test_every_command_exists(text: str) -> None:
    known = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    named = set(re.findall(r"(?:^    |`)ringback (\w+)", text, re.MULTILINE))
    assert named == {"serve", "call", "trace", "doctor"}
    assert named <= known
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", text)) & {"demo", "run"} <= targets


def test_every_file_exists(text: str) -> None:
    for name in re.findall(r"\]\(\.\./([^)]+)\)", text) + re.findall(r"python (examples/\S+\.py)", text):
        assert (ROOT / name).is_file(), name


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
    (shown,) = re.findall(r"```(?:xml|json)\n(.*?)```", text, re.DOTALL)
    # Python's trailing commas apart.
    assert "".join(shown.split()).strip("[]{}") in source.replace(",}", "}").replace(",]", "]")


def test_shell_blocks_are_shell(text: str) -> None:
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        subprocess.run(["bash", "-n"], input=block.encode(), check=True, timeout=10)
