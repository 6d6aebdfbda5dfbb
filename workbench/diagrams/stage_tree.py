"""The plan of an operation on collections as a tree: a row a stage, with what it read and gave.

Several plans of one operation, such as before and after an index, are drawn one below the other in one
picture, their bars by one scale. The one stage that reads most is marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.diagrams import cards, layout
from workbench.diagrams.picture import Picture
from workbench.diagrams.tree_rows import INDENT, INK, MUTED, bar, cell, digraph, indents

_WIDTH = 90
_NAME_WIDTH = 110
_MOST = 60  # stages of one plan
_KEYS, _DOCUMENTS, _RETURNED = "#d08a1d", "#2f6fc4", "#2f8f5b"
_COSTLY = "#b91c1c"
_COLUMNS = 7  # right of the names: two a figure, one of words
_RULE = "#e2e8f0"


@dataclass(frozen=True)
class Stage:
    """A stage of a plan. Keys and documents are what it examined itself, None where it reads none.

    *about* says what it reads by: an index with its bounds, a filter. *inputs* are the stages that it
    takes its documents from.
    """

    name: str
    about: str = ""
    keys: int | None = None
    documents: int | None = None
    returned: int | None = None
    inputs: tuple[Stage, ...] = ()

    @property
    def read(self) -> int:
        return (self.keys or 0) + (self.documents or 0)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Stage]]:
        """Each stage with its depth, the outermost first."""
        yield depth, self
        for each in self.inputs:
            yield from each.walk(depth + 1)


@dataclass(frozen=True)
class StageTree(Picture):
    """The tree of one plan or more. *stages* counts the rows drawn."""

    stages: int = 0


def stage_tree(title: str, plans: Mapping[str, Stage]) -> StageTree:
    """The *plans* by their heading (``before``, ``after``) as one picture. Raises DrawingFailed."""
    walked = {heading: list(plan.walk()) for heading, plan in plans.items()}
    drawn = {heading: stages[:_MOST] for heading, stages in walked.items()}
    levels = max((depth + 1 for stages in drawn.values() for depth, _ in stages), default=1)
    everything = [stage for stages in drawn.values() for _, stage in stages]
    most = max(
        (max(each.keys or 0, each.documents or 0, each.returned or 0) for each in everything), default=0
    )
    costly = max(everything, key=lambda stage: stage.read, default=None)
    rows = [_fixed(levels)]
    for heading, stages in drawn.items():
        rows.append(_heading(heading, levels))
        rows += [
            _row(stage, depth, levels, most, marked=stage is costly and stage.read > 0)
            for depth, stage in stages
        ]
    summary = "   ·   ".join(f"{heading}: {_told(plan)}" for heading, plan in plans.items())
    dot = digraph(title, summary, rows, _legend())
    (picture,) = layout.draw([dot], "svg")
    shown = cards.visible(cards.shortened(title, 120))
    left = sum(len(walked[heading]) - len(drawn[heading]) for heading in plans)
    return StageTree(
        title=shown,
        svg=layout.page_svg(picture, title=shown, tooltips={}),
        dot=dot,
        alt=cards.visible(f"{shown}. {summary}."),
        notes=(f"{left:,} stages left out",) if left else (),
        stages=sum(map(len, drawn.values())),
    )


def _told(plan: Stage) -> str:
    stages = [stage for _, stage in plan.walk()]
    keys, documents = sum(each.keys or 0 for each in stages), sum(each.documents or 0 for each in stages)
    given = "" if plan.returned is None else f" for {plan.returned:,} returned"
    return f"{keys:,} keys and {documents:,} documents{given}"


def _fixed(levels: int) -> str:
    """A row that fixes the width of the columns for the names."""
    widths = [*[INDENT] * (levels - 1), _NAME_WIDTH]
    cells = "".join(f'<td fixedsize="true" width="{width}" height="1"></td>' for width in widths)
    return f'<tr>{cells}<td colspan="{_COLUMNS}"></td></tr>'


def _heading(heading: str, levels: int) -> str:
    titles = [(heading, levels), ("keys read", 2), ("documents read", 2), ("given", 2), ("by", 1)]
    return (
        "<tr>"
        + "".join(
            f'<td colspan="{span}" align="left" border="1" sides="B" color="{_RULE}">'
            f'<font color="{MUTED}" point-size="10">{cards.shown(title, 60)}    </font></td>'
            for title, span in titles
        )
        + "</tr>"
    )


def _row(stage: Stage, depth: int, levels: int, most: int, *, marked: bool) -> str:
    colour = _COSTLY if marked else INK
    name = f'<font color="{colour}"><b>{cards.shown(stage.name, 36)}</b>  </font>'
    figures = "".join(
        _figure(value, most, ink)
        for value, ink in ((stage.keys, _KEYS), (stage.documents, _DOCUMENTS), (stage.returned, _RETURNED))
    )
    return (
        f'<tr>{indents(depth)}<td colspan="{levels - depth}" align="left">{name}</td>'
        f"{figures}{cell(stage.about, limit=110)}</tr>"
    )


def _figure(value: int | None, most: int, colour: str) -> str:
    if value is None:
        return '<td colspan="2"></td>'
    return bar([(colour, value / most if most else 0.0)], _WIDTH) + cell(f"{value:,}", align="right")


def _legend() -> str:
    return (
        f'<font color="{MUTED}" point-size="10">a stage takes its documents from those indented below it; '
        f'all bars by one scale;    <font color="{_COSTLY}"><b>red</b></font> reads most</font>'
    )


__all__ = ["Stage", "StageTree", "stage_tree"]
