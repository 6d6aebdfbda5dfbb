"""A query's plan as a tree: a card a node, with its rows, its time, and the node that costs most marked."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.diagrams import cards, layout
from workbench.diagrams.cards import Palette
from workbench.diagrams.layout import FONT
from workbench.diagrams.picture import Picture

_INK = "#0f172a"
_MUTED = "#475569"
_EDGE = "#94a3b8"
_EMPTY = "#e8edf3"
_COSTLY = "#b91c1c"
_OFF = "#b45309"
_BAR_WIDTH = 120
_BAR_HEIGHT = 8
_TARGET_LENGTH = 44
_DETAIL_LENGTH = 46
_DETAILS = 4  # lines
_SMALL = 0.01
_PLAIN_KINDS = frozenset(("Hash", "Parallel Hash", "Gather", "Limit", "Materialize", "Append", "Result"))
_HEAT = ((0.5, "#dc2626"), (0.2, "#ea580c"), (0.05, "#d9a021"), (0.0, "#64748b"))  # from a share on
_OFF_FROM = 10.0
_FAMILIES: Mapping[str, Palette] = {
    "scan": cards.PALETTES[0],
    "join": cards.PALETTES[1],
    "sort, group": cards.PALETTES[3],
    "other": cards.PALETTES[7],
}


@dataclass(frozen=True)
class PlanNode:
    """A node as drawn; *parent* is the number of the one above, None at the top.

    *kind* is its type, *target* what it reads and by which index, *details* are its conditions and keys,
    *notes* what is remarkable of it. Rows are over all loops; *actual* is None where it was not run, *loops*
    0 where it was never reached. Times in ms; *share* is of the statement's time, of its cost where nothing
    was run. *subplan* is what it is to the node above ("InitPlan 1", "CTE x"), if anything.
    """

    number: int
    parent: int | None
    kind: str
    estimated: float
    target: str = ""
    details: Sequence[str] = ()
    actual: float | None = None
    loops: float = 1.0
    self_ms: float | None = None
    cost: float = 0.0
    share: float = 0.0
    notes: Sequence[str] = ()
    subplan: str = ""


def plan_tree(nodes: Sequence[PlanNode], *, title: str, costly: int | None = None) -> Picture:
    """*nodes* as a tree, the root at the top; lines are as wide as many rows go up them.

    *costly* is the number of the node to mark. Raises DrawingFailed.
    """
    dot = _digraph(nodes, title, costly)
    (picture,) = layout.draw([dot], "svg")
    heading = cards.visible(cards.shortened(title, 120))
    tooltips = {_name(node): cards.visible(_tooltip(node)) for node in nodes}
    return Picture(
        title=heading,
        svg=layout.page_svg(picture, title=heading, tooltips=tooltips),
        dot=dot,
        alt=_alt(nodes, heading, costly),
    )


def _alt(nodes: Sequence[PlanNode], heading: str, costly: int | None) -> str:
    """The picture in words: how many nodes, and where the time goes."""
    marked = next((node for node in nodes if node.number == costly), None)
    said = f"{heading}: a plan of {len(nodes)} node{'' if len(nodes) == 1 else 's'}."
    if marked:
        name = " ".join(filter(None, (marked.kind, marked.target)))
        said += f" The costliest is {name}, with {_percent(marked.share)} of the {_unit(marked)}."
    return cards.visible(said)


def _unit(node: PlanNode) -> str:
    return "estimated cost" if node.self_ms is None else "time"


# the graph


def _digraph(nodes: Sequence[PlanNode], title: str, costly: int | None) -> str:
    body = [_card(node, marked=node.number == costly) for node in nodes]
    body += [_line(node) for node in nodes if node.parent is not None]
    inner = "\n  ".join(body)
    heading = _heading(nodes, title)
    return (
        "digraph {\n"
        f'  graph [rankdir=TB bgcolor=white pad=0.3 nodesep=0.25 ranksep=0.4 fontname="{FONT}" ordering=out '
        f"labelloc=t labeljust=l label=<{heading}>];\n"
        f'  node [shape=plain fontname="{FONT}" fontsize=11];\n'
        f'  edge [fontname="{FONT}" color="{_EDGE}" dir=back arrowtail=normal arrowsize=0.6];\n'
        f"  {inner}\n}}\n"
    )


def _heading(nodes: Sequence[PlanNode], title: str) -> str:
    ran = any(node.actual is not None for node in nodes)
    told = (
        "each card: rows estimated → rows that came, and the node's own time"
        if ran
        else "planned, not run: rows and costs are estimates"
    )
    keys = "".join(
        f'<td bgcolor="{palette.header}" width="14" height="10" fixedsize="true"></td>'
        f'<td><font color="{_MUTED}" point-size="10">{family}   </font></td>'
        for family, palette in _FAMILIES.items()
    )
    return (
        '<table border="0" cellborder="0" cellspacing="0" cellpadding="2">'
        f'<tr><td align="left"><font point-size="17" color="{_INK}"><b>{cards.shown(title, 90)}</b></font>'
        "</td></tr>"
        f'<tr><td align="left"><font point-size="11" color="{_MUTED}">{told}</font></td></tr>'
        '<tr><td align="left"><table border="0" cellborder="0" cellspacing="2" cellpadding="0">'
        f"<tr>{keys}</tr>"
        '</table></td></tr><tr><td height="8"></td></tr></table>'
    )


def _line(node: PlanNode) -> str:
    rows = node.estimated if node.actual is None else node.actual
    width = 0.8 + 0.75 * math.log10(max(rows, 1.0))
    dashed = " style=dashed" if node.subplan or not node.loops else ""
    return f"n{node.parent} -> {_name(node)} [penwidth={width:.2f}{dashed}];"


def _name(node: PlanNode) -> str:
    return f"n{node.number}"


# a card


def _card(node: PlanNode, *, marked: bool) -> str:
    palette = _FAMILIES[_family(node.kind)]
    border, colour = (3, _COSTLY) if marked else (1, palette.line)
    if not marked and _passes_on(node):
        return _slim_card(node, palette)
    rows = "".join(_rows(node, palette, marked=marked))
    label = (
        f'<table border="{border}" cellborder="0" cellspacing="0" cellpadding="1" style="rounded" '
        f'color="{colour}" bgcolor="white">{rows}</table>'
    )
    return f'{_name(node)} [id="{_name(node)}" label=<{label}>];'


def _passes_on(node: PlanNode) -> bool:
    """Whether a node only hands rows on, in no time and as was expected: it gets one line."""
    return (
        node.kind in _PLAIN_KINDS
        and node.share < _SMALL
        and not (node.notes or node.details or node.target or node.subplan)
        and (node.actual is None or _factor(node) < _OFF_FROM)
    )


def _slim_card(node: PlanNode, palette: Palette) -> str:
    rows = node.estimated if node.actual is None else node.actual
    told = cards.shown(f"{_count(rows)} rows" if node.loops else "never reached")
    return (
        f'{_name(node)} [id="{_name(node)}" label=<<table border="1" cellborder="0" cellspacing="0" '
        f'cellpadding="3" style="rounded" color="{palette.line}" bgcolor="{palette.header}"><tr><td>'
        f'<font color="{palette.ink}"> <b>{cards.shown(node.kind, 40)}</b></font>'
        f'<font color="{_MUTED}" point-size="10">   {told}  </font></td></tr></table>>];'
    )


def _rows(node: PlanNode, palette: Palette, *, marked: bool) -> Iterator[str]:
    if marked:
        yield _text_row(f"costliest by {_unit(node)}", _COSTLY, size=9, bold=True)
    if node.subplan:
        yield _text_row(node.subplan, _MUTED, size=9)
    kind = cards.shown(node.kind, 40)
    yield (
        '<tr><td colspan="2" cellpadding="2">'
        '<table border="0" cellborder="0" cellspacing="0" cellpadding="3" '
        f'style="rounded" bgcolor="{palette.header}"><tr><td align="left"><font color="{palette.ink}">'
        f"<b>{kind}  </b></font></td></tr></table></td></tr>"
    )
    if node.target:
        yield _text_row(node.target, _INK, limit=_TARGET_LENGTH)
    for line in _wrapped(node.details):
        yield _text_row(line, _MUTED, size=9, limit=_DETAIL_LENGTH)
    yield _estimate_row(node)
    for note in node.notes:
        yield _text_row(note, _OFF, size=9, limit=_DETAIL_LENGTH)
    if node.loops:
        yield _time_row(node)


def _wrapped(details: Sequence[str]) -> Iterator[str]:
    """The conditions in lines that a card holds; what does not fit is cut."""
    lines = [line for each in details for line in textwrap.wrap(cards.shortened(each, 400), _DETAIL_LENGTH)]
    yield from lines[:_DETAILS]
    if len(lines) > _DETAILS:
        yield "…"


def _family(kind: str) -> str:
    words = kind.split()
    if "Scan" in words:
        return "scan"
    if "Join" in words or kind.startswith("Nested"):
        return "join"
    if words[-1] in ("Sort", "Unique", "Group", "WindowAgg") or kind.endswith("Aggregate"):
        return "sort, group"
    return "other"


def _text_row(text: str, colour: str, *, size: int = 10, limit: int = 60, bold: bool = False) -> str:
    shown = cards.shown(text, limit)
    shown = f"<b>{shown}</b>" if bold else shown
    return (
        f'<tr><td colspan="2" align="left"><font color="{colour}" point-size="{size}"> {shown}   </font>'
        "</td></tr>"
        if shown
        else ""
    )


def _estimate_row(node: PlanNode) -> str:
    """The rows, estimated and as they came, with how far the estimate is off."""
    if not node.loops:
        return _text_row("never reached", _MUTED)
    if node.actual is None:
        return _text_row(f"{_count(node.estimated)} rows estimated", _INK)
    loops = f" in {_count(node.loops)} loops" if node.loops > 1 else ""
    text = f"rows {_count(node.estimated)} → {_count(node.actual)}{loops}"
    factor = _factor(node)
    word = "more" if node.actual > node.estimated else "fewer"
    off = f'  <font color="{_OFF}"><b>{_count(factor)} times {word}</b></font>' if factor >= _OFF_FROM else ""
    return (
        f'<tr><td colspan="2" align="left"><font color="{_INK}" point-size="10"> {cards.shown(text)}</font>'
        f'<font point-size="10">{off}   </font></td></tr>'
    )


def _factor(node: PlanNode) -> float:
    actual, estimated = max(node.actual or 0.0, 1.0), max(node.estimated, 1.0)
    return max(actual / estimated, estimated / actual)


def _time_row(node: PlanNode) -> str:
    """A bar of the node's own share, with its time, or its cost where it was not run."""
    colour = next(colour for least, colour in _HEAT if node.share >= least)
    filled = min(max(round(node.share * _BAR_WIDTH), 1 if node.share > 0 else 0), _BAR_WIDTH)
    parts = [(filled, colour), (_BAR_WIDTH - filled, _EMPTY)]
    cells = "".join(
        f'<td fixedsize="true" width="{width}" height="{_BAR_HEIGHT}" bgcolor="{shade}"></td>'
        for width, shade in parts
        if width
    )
    own = f"cost {_count(node.cost)}" if node.self_ms is None else _time(node.self_ms)
    told = cards.shown(f"{_percent(node.share)} · {own}")
    bar = (
        '<table border="0" cellborder="0" cellspacing="0" cellpadding="0" fixedsize="true" '
        f'width="{_BAR_WIDTH}" height="{_BAR_HEIGHT}"><tr>{cells}</tr></table>'
    )
    return (
        f'<tr><td align="left" cellpadding="4" width="{_BAR_WIDTH + 8}" '
        f'height="{_BAR_HEIGHT + 8}" fixedsize="true">{bar}</td>'
        f'<td align="left"><font color="{_INK}" point-size="10">{told}   </font></td></tr>'
    )


# words


def _tooltip(node: PlanNode) -> str:
    rows = f"{node.estimated:,.0f} rows estimated"
    if node.actual is not None:
        rows += f", {node.actual:,.0f} came in {node.loops:,.0f} loop{'' if node.loops == 1 else 's'}"
    own = "" if node.self_ms is None else f"{node.self_ms:,.3f} ms of its own, {_percent(node.share)}"
    parts = (node.kind, node.target, *node.details, rows, own, *node.notes)
    return "\n".join(cards.shortened(part, 1000) for part in parts if part)


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "<1%"
    return f"{share:.0%}"


def _count(number: float) -> str:
    """A count in at most four figures: 950, 12.3k, 4.56M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size * (10 if unit == "k" else 1):
            return f"{number / size:.3g}{unit}" if number < 1e12 else f"{number:.3g}"
    return f"{number:,.0f}" if number >= 1 or not number else f"{number:.2g}"


def _time(ms: float) -> str:
    if ms >= 1000:
        return f"{ms / 1000:,.3g} s" if ms < 1e6 else f"{ms / 1000:,.0f} s"
    return f"{ms:.3g} ms" if ms >= 0.001 or not ms else "<0.001 ms"
