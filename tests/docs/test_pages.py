"""Every page that comes with the product: its links lead somewhere, its commands and their options exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from typer.core import TyperGroup

from ringback.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")
_COMMAND = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?ringback (\[?[a-z].*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def code(page: Path) -> Iterator[str]:
    """What a reader may type: code spans, indented lines and the lines of blocks for a shell."""
    text = page.read_text("utf-8")
    for language, block in _FENCED.findall(text):
        if language in ("sh", "console"):
            yield from block.replace("\\\n", " ").splitlines()
    prose = _FENCED.sub("", text)
    yield from re.findall(r"^    (\S.*)", prose, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", prose)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of them on the web."""
    found = re.findall(r"^#+ (.*)", _FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def options(command: Any) -> set[str]:
    """The options of a command and of its subcommands."""
    found = {name for parameter in command.params for name in parameter.opts}
    below = command.commands.values() if isinstance(command, TyperGroup) else ()
    return found.union({"--help"}, *(options(each) for each in below))


def bench_options(said: str) -> set[str]:
    """Those of the bench in `bench MODE …`, which reads them itself: as they stand in its source."""
    mode = re.match(r"bench ([a-z-]+)", said)
    names = ["options", "results", *([mode[1].replace("-", "_")] if mode else [])]
    files = (ROOT / "bench" / f"{name}.py" for name in names)
    return {
        each for file in files if file.is_file() for each in re.findall(r'"(--[a-z-]+)"', file.read_text())
    }


def test_every_page_is_looked_at() -> None:
    names = {path.name for path in PAGES}
    assert {
        "README.md",
        "SECURITY.md",
        "decisions.md",
        "reference.md",
        "how-to.md",
        "tutorial-laml.md",
    } <= names


def test_links_lead_somewhere(page: Path) -> None:
    for groups in _LINK.findall(_FENCED.sub("", page.read_text("utf-8"))):
        link = unquote("".join(groups))
        if re.match(r"https?://|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert ROOT in (target, *target.parents), link
        assert not anchor or anchor in headings(target), link


def test_commands_and_their_options_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for line in code(page):
        for said in _COMMAND.findall(line.partition(" # ")[0]):
            name = re.split(r"[^a-z]", said)[0]
            assert name in group.commands, line
            known = options(group.commands[name])
            if name == "bench":
                known |= bench_options(said)
            unknown = set(_OPTION.findall(said)) - known
            assert not unknown, (line, unknown)


def test_targets_programs_and_modules_exist(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for line in code(page):
        command = line.partition(" # ")[0]
        for target in re.findall(r"(?:^|\$ |&& |; )make ([a-z]+)", command):
            assert target in targets, line
        for file in re.findall(r"(?<![\w/.-])((?:examples|bench|docs|src|tests)/[\w./-]*\w)", command):
            assert (ROOT / file).exists(), line
        for module in re.findall(r"python3? -m ((?:ringback|bench)[\w.]*)", command):
            assert importlib.util.find_spec(module) is not None, line


def test_shell_blocks_are_shell(page: Path) -> None:
    for language, block in _FENCED.findall(page.read_text("utf-8")):
        if language in ("sh", "console"):
            lines = (line.removeprefix("$ ") for line in block.splitlines())
            subprocess.run(["bash", "-n"], input="\n".join(lines).encode(), check=True, timeout=10)
