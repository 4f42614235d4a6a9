"""`ringback bench`: what it says to those who name no mode, and to options that are wrong."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import options, results
from ringback.cli.app import app
from ringback.cli.bench import MODES

WITH_OPTIONS = sorted(MODES.keys() - {"room"})


@pytest.mark.parametrize(
    ("given", "said"), [("foo", "There is no mode 'foo'"), ("--quick", "ringback bench all --quick")]
)
def test_who_names_no_mode_is_told_of_them(given: str, said: str) -> None:
    result = CliRunner().invoke(app, ["bench", given], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert said in result.output
    assert all(mode in result.output for mode in MODES)


def parser(mode: str) -> argparse.ArgumentParser:
    """The command line of a bench."""
    module = importlib.import_module(f"bench.{mode.replace('-', '_')}")
    found = module.arguments()
    assert isinstance(found, argparse.ArgumentParser)
    return found


@pytest.mark.parametrize("mode", WITH_OPTIONS)
def test_every_option_has_a_text_and_its_default(mode: str) -> None:
    help_of = " ".join(parser(mode).format_help().split())
    for action in parser(mode)._actions:
        assert action.help, action.option_strings
        if action.default not in (None, argparse.SUPPRESS) and action.default is not False:
            assert "default: " in help_of.partition(f" {action.option_strings[0]} ")[2]
    assert "python -m bench" not in help_of
    assert "`bench." not in help_of


@pytest.mark.parametrize("mode", WITH_OPTIONS)
def test_names_of_options_are_not_cut_short(mode: str) -> None:
    with pytest.raises(SystemExit):
        parser(mode).parse_args(["--jso", "x"])


def test_defaults_are_said_as_they_are_given() -> None:
    given = options.plain_parser("x", None)
    given.add_argument("--many", type=options.rates, default=[20.0, 50.5], help="rates")
    given.add_argument("--none", type=options.natural, default=0, help="held")
    given.add_argument("--flag", action="store_true", help="a switch")
    said = given.format_help()
    assert "rates; default: 20,50.5" in said
    assert "held; default: 0" in said
    assert "a switch\n" in said


def test_a_result_may_go_into_a_new_folder(tmp_path: Path) -> None:
    assert results.target(str(tmp_path / "new" / "x.json")).parent.is_dir()


def test_where_nothing_can_be_written_is_said_before_all_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(argparse.ArgumentTypeError, match="no folder for "):
        results.target(str(tmp_path / "file" / "x.json"))
    with pytest.raises(argparse.ArgumentTypeError, match="cannot be written"):
        results.target(str(tmp_path))
    with pytest.raises(argparse.ArgumentTypeError, match="no folder "):
        options.folder(str(tmp_path / "file" / "x"))
