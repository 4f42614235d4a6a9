"""Just enough HTML: text is escaped unless it is Markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
small { color: #777; font-weight: normal; }
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Text as HTML."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def join(parts: Iterable[Markup]) -> Markup:
    """Parts one after the other."""
    return Markup("\n".join(parts))


def row(*cells: str) -> Markup:
    """A table's row."""
    return Markup("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")


def table(title: str, columns: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """A table under its title; without rows just a word that there are none."""
    head = Markup(f"<h3>{escape(title)}</h3>")
    if not rows:
        return join([head, Markup("<p><small>none</small></p>")])
    names = Markup("<tr>" + "".join(f"<th>{escape(name)}</th>" for name in columns) + "</tr>")
    return join([head, Markup("<table>"), names, *rows, Markup("</table>")])


def document(title: str, body: Markup) -> str:
    """A whole page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )
