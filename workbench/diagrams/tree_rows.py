"""Rows of a tree in one table: indented names, bars, figures; what several pictures draw alike, as DOT."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.diagrams import cards, layout

BAR_HEIGHT = 9  # points
INDENT = 14
INK = "#0f172a"
MUTED = "#475569"
GUIDE = "#cbd5e1"
EMPTY = "#e8edf3"


def indents(depth: int) -> str:
    """A cell a level, with a line at its right."""
    return f'<td border="1" sides="R" color="{GUIDE}"></td>' * depth


def bar(parts: Sequence[tuple[str, float]], width: int, *, rest: str = EMPTY) -> str:
    """A cell with a bar of *width* points: *parts* by colour and share of it, the *rest* pale."""
    cells: list[tuple[str, int]] = []
    room, so_far = width, 0.0
    for colour, share in parts:
        so_far += share
        size = min(max(round(so_far * width) - (width - room), 1 if share else 0), room)
        if size and cells and cells[-1][0] == colour:
            cells[-1] = (colour, cells[-1][1] + size)
        elif size:
            cells.append((colour, size))
        room -= size
    if room:
        cells.append((rest, room))
    drawn = "".join(
        f'<td fixedsize="true" width="{size}" height="{BAR_HEIGHT}" bgcolor="{colour}"></td>'
        for colour, size in cells
    )
    return (
        '<td align="left"><table border="0" cellborder="0" cellspacing="0" cellpadding="0" '
        f'fixedsize="true" width="{width}" height="{BAR_HEIGHT}"><tr>{drawn}</tr></table></td>'
    )


def cell(text: str, *, limit: int = 40, align: str = "left", span: int = 1) -> str:
    """A cell with *text*, shortened to *limit* characters."""
    return (
        f'<td align="{align}" colspan="{span}"><font color="{INK}">{cards.shown(text, limit)}   </font></td>'
        if text
        else f'<td colspan="{span}"></td>'
    )


def digraph(heading: str, summary: str, rows: Sequence[str], legend: str) -> str:
    """A picture of one table of *rows* under its heading, with a *legend* below, as DOT."""
    table = (
        f'<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{"".join(rows)}</table>'
        if len(rows) > 1
        else ""
    )
    label = (
        '<table border="0" cellborder="0" cellspacing="0" cellpadding="2">'
        f'<tr><td align="left"><font point-size="16" color="{INK}"><b>{cards.shown(heading, 90)}</b></font>'
        "</td></tr>"
        f'<tr><td align="left"><font color="{MUTED}">{cards.shown(summary, 140)}</font></td></tr>'
        f'<tr><td height="6"></td></tr><tr><td align="left">{table}</td></tr>'
        f'<tr><td height="6"></td></tr><tr><td align="left">{legend}</td></tr></table>'
    )
    return (
        "digraph {\n"
        "  graph [bgcolor=white pad=0.15 margin=0];\n"
        f'  node [shape=plain fontname="{layout.FONT}" fontsize=11];\n'
        f"  tree [label=<{label}>];\n}}\n"
    )
