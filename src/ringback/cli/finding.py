"""What the doctor's examinations come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `level` is ok, warning or error; `advice` says what to do."""

    level: str
    what: str
    advice: str = ""


MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
