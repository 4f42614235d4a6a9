"""A conference room with everybody talking: not to be measured, as this version has none."""

from __future__ import annotations

from rich.console import Console

from bench import results
from bench.options import plain_parser


def main() -> None:
    """Say so."""
    parser = plain_parser("room", __doc__)
    results.add_option(parser)
    parser.parse_args()
    Console(highlight=False).print("no conference rooms in this version")


if __name__ == "__main__":
    main()
