"""Time lines on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from ringback.calls.timeline import Line
from ringback.cli.printable import printable

_STYLES = {
    "call": "bold",
    "sip": "blue",
    "webhook": "green",
    "callback": "magenta",
    "verb": "cyan",
    "key": "bold yellow",
    "media": "red",
    "note": "yellow",
}


class Watcher:
    """Prints lines as they come, each with the seconds since the first of its call; `together`: of all calls,
    where they belong to one conversation. `names`: what each call is called there, by its SID."""

    def __init__(
        self,
        console: Console,
        *,
        full: bool = False,
        together: bool = False,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._console = console
        self._full = full
        self._together = together
        self._names = names or {}
        self._width = max(map(len, self._names.values()), default=0)
        self._began: dict[str, float] = {}
        self.lines: list[Line] = []

    def __call__(self, line: Line) -> None:
        """Print one line."""
        self.lines.append(line)
        began = self._began.setdefault("" if self._together else line.call_id, line.at)
        text = Text(f"  {line.at - began:7.3f}  ", style="dim")
        text.append(f"{line.kind:<8} ", style=_STYLES.get(line.kind, ""))
        if self._names:
            text.append(f"{self._names.get(line.call_id, ''):<{self._width}}  ", style="italic")
        text.append(printable(line.text))
        self._console.print(text, soft_wrap=True)
        if self._full:
            self._details(line)

    def _details(self, line: Line) -> None:
        for name in ("message", "request", "response"):
            content = str(line.data.get(name, "")).strip()
            if content:
                indented = "\n".join(f"             │ {printable(row)}" for row in content.splitlines())
                self._console.print(Text(indented, style="dim"), soft_wrap=True)
        fields = line.data.get("fields")
        if isinstance(fields, dict):
            for name, value in fields.items():
                shown = printable(f"{name} = {value}")
                self._console.print(Text(f"             │ {shown}", style="dim"), soft_wrap=True)
