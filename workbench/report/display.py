"""What notebooks show: tables, findings and SQL, escaped, with a text for where HTML is not shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.proof.findings import Finding
from workbench.proof.results import AreaResults
from workbench.report.overview import Overview, counted, words
from workbench.report.rendering import render

if TYPE_CHECKING:
    import pandas


_LONG = 60


@dataclass(frozen=True)
class Shown:
    """Something to look at, in the forms that a front end may choose from."""

    bundle: Mapping[str, str]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return dict(self.bundle)

    def __repr__(self) -> str:
        return self.bundle["text/plain"]


@dataclass(frozen=True)
class _Column:
    """A column; its *kind* is ``number``, ``long`` (text of more than a few words) or nothing."""

    name: str
    kind: str


def show_table(
    rows: pandas.DataFrame | Iterable[Mapping[str, Any]] | Iterable[Sequence[Any]],
    *,
    columns: Sequence[str] | None = None,
    caption: str = "",
    most: int = 100,
) -> None:
    """Show *rows* as a table; above *most* rows the rest is counted.

    *rows* are mappings, whose keys are the columns, a data frame (without its index), or sequences
    with *columns*.
    """
    names, values = _table(rows, columns)
    left_out = len(values) - most
    shown = [[_cell(value) for value in row] for row in values[:most]]
    more = f"and {counted(left_out, 'row', 'rows')} more" if left_out > 0 else ""
    listed = [
        _Column(name.replace("_", " "), _kind([row[n] for row in values])) for n, name in enumerate(names)
    ]
    html = render("shown_table.html.j2", columns=listed, rows=shown, caption=caption, left_out=more)
    _show({"text/html": html, "text/plain": _text_table(caption, listed, shown, more)})


def show_findings(findings: Iterable[Finding]) -> None:
    """Show *findings* by check, the worst first, each with its fix and evidence to unfold."""
    results = AreaResults("shown", "shown")
    results.add_findings(findings)
    overview = Overview((results,))
    if not overview.groups:
        _show({"text/html": "<p class='good'>Nothing found.</p>", "text/plain": "Nothing found."})
        return
    html = render("shown_findings.html.j2", groups=overview.groups, total=len(overview.findings))
    lines = [f"{each.severity:5}  {each.object}  {each.title}" for each in overview.findings]
    # ids are the first page's; on a page of its own a finding may be shown twice
    _show({"text/html": re.sub(r' id="[^"]*"', "", html), "text/plain": "\n".join(lines)})


def show_sql(text: str) -> None:
    """Show *text* as SQL with its syntax in colours."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    _show({"text/markdown": f"{fence}sql\n{text.strip()}\n{fence}", "text/plain": text.strip()})


def _show(bundle: Mapping[str, str]) -> None:
    from IPython.display import display

    display(Shown(bundle))  # type: ignore[no-untyped-call]


def _table(rows: Any, columns: Sequence[str] | None) -> tuple[list[str], list[list[Any]]]:
    if hasattr(rows, "itertuples"):
        return [str(name) for name in rows.columns], [
            list(row) for row in rows.itertuples(index=False, name=None)
        ]
    listed = list(rows)
    if listed and isinstance(listed[0], Mapping):
        names = list(columns) if columns else [str(name) for name in listed[0]]
        return names, [[row[name] for name in names] for row in listed]
    return list(columns or ()), [list(row) for row in listed]


def _kind(values: Sequence[Any]) -> str:
    given = [value for value in values if value is not None]
    if given and all(hasattr(value, "__round__") and not isinstance(value, bool) for value in given):
        return "number"
    return "long" if any(len(str(value)) > _LONG for value in given) else ""


def _cell(value: Any) -> str:
    return "" if value is None or value != value else words(value)


def _text_table(caption: str, columns: Sequence[_Column], rows: Sequence[Sequence[str]], more: str) -> str:
    if not rows:
        return f"{caption}: nothing" if caption else "nothing"
    lines = [[" ".join(cell.split()) for cell in row] for row in ([column.name for column in columns], *rows)]
    widths = [max((len(line[n]) for line in lines), default=0) for n in range(len(columns))]
    aligned = [
        "  ".join(
            cell.rjust(width) if column.kind == "number" else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join(part for part in (caption, *aligned, more) if part)
