"""The `ringback` command."""

from __future__ import annotations

from ringback.cli.app import app


def main() -> None:
    """What `ringback` runs."""
    app()
