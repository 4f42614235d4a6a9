"""A conference room with everybody talking: not to be measured, as this version has none."""

from __future__ import annotations

import argparse

from rich.console import Console

from bench import results


def main() -> None:
    """Say so."""
    parser = argparse.ArgumentParser(prog="ringback bench room", description=__doc__)
    results.add_option(parser)
    parser.parse_args()
    Console(highlight=False).print("no conference rooms in this version")


if __name__ == "__main__":
    main()
