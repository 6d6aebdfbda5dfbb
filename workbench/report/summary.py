"""The report in a page of Markdown, to post in a pull request or a chat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.proof.runs import NotebookRun
from workbench.report.context import ReportContext
from workbench.report.overview import (
    SEVERITY_WORDS,
    CheckGroup,
    Overview,
    counted,
    line_numbers,
    size,
    words,
)

_MOST_CHECKS = 30
_MOST_OBJECTS = 3
_MOST_LISTED = 20
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>$])")


def summary(overview: Overview, runs: Sequence[NotebookRun], context: ReportContext) -> str:
    """What was looked at, found, proved and not proved; names of a source are inert in it."""
    blocks = [
        f"## Design review: {text(context.title)}",
        text(overview.verdict),
        *_troubled(runs),
        *_looked_at(overview),
        *_changed(overview),
        *_found(overview),
        *_refuted(overview),
        *_unproved(overview),
        f"Repeat it: {code(context.command)}  \n{_made_by(context)}",
    ]
    return "\n\n".join(blocks) + "\n"


def text(value: str) -> str:
    """*value* as Markdown that shows just that, on one line: no markup, no HTML, no mention."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(value.split())).replace("&", "&amp;")
    return escaped.replace("@", "@\N{ZERO WIDTH SPACE}")


def code(value: str) -> str:
    """*value* as a code span, which shows what it holds as it is, in a table, too."""
    plain = " ".join(value.split())
    fence = "`" * (max((len(run) for run in re.findall(r"`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}".replace("|", r"\|")


def _troubled(runs: Sequence[NotebookRun]) -> list[str]:
    troubled = [run for run in runs if not run.ok]
    if not troubled:
        return []
    lines = [f"- {text(run.notebook.title)} ({run.outcome}): {text(run.error)}" for run in troubled]
    return [f"### {counted(len(troubled), 'notebook', 'notebooks')} did not finish", "\n".join(lines)]


def _looked_at(overview: Overview) -> list[str]:
    lines = []
    for looked in overview.looked_at:
        facts = [
            _counted(looked.collections, "collection", "collections"),
            _counted(looked.documents, "document", "documents"),
            _counted(looked.tables, "table", "tables"),
            f"{'about ' if looked.rows_estimated else ''}{counted(looked.rows, 'row', 'rows')}"
            if looked.rows
            else "",
            size(looked.size_bytes),
        ]
        held = ", ".join(fact for fact in facts if fact)
        lines.append(f"- **{text(looked.source)}** on {text(looked.server)}{': ' + held if held else ''}")
    return ["### Looked at", "\n".join(lines)] if lines else []


def _counted(count: int | None, one: str, several: str) -> str:
    return "" if count is None else counted(count, one, several)


def _changed(overview: Overview) -> list[str]:
    lines = []
    for looked in overview.looked_at:
        lines += [
            f"- stood in for {code(each.what)}: {text(each.instead)} ({line_numbers(each.lines)})".replace(
                " ()", ""
            )
            for each in looked.stood_in
        ]
        lines += [
            f"- left out line {each.line}, {code(each.statement)}: {text(each.why)}"
            for each in looked.left_out
        ]
    return ["### Not run as written", "\n".join(_first(lines, _MOST_LISTED))] if lines else []


def _found(overview: Overview) -> list[str]:
    groups = overview.groups
    if not groups:
        return []
    rows = [_row(group) for group in groups[:_MOST_CHECKS]]
    table = "\n".join(
        ["| Severity | Check | Objects | Proved | Such as |", "| --- | --- | ---: | ---: | --- |", *rows]
    )
    more = (
        [f"… and {len(groups) - _MOST_CHECKS} more checks in the report."]
        if len(groups) > _MOST_CHECKS
        else []
    )
    return ["### Found", table, *more]


def _row(group: CheckGroup) -> str:
    objects = ", ".join(code(found.object[:120]) for found in group.findings[:_MOST_OBJECTS])
    more = ", …" if len(group.findings) > _MOST_OBJECTS else ""
    cells = [
        SEVERITY_WORDS[group.severity][0],
        text(group.name),
        str(len(group.findings)),
        str(group.verified),
        objects + more,
    ]
    return f"| {' | '.join(cells)} |"


def _refuted(overview: Overview) -> list[str]:
    lines = [f"- {text(proof.claim)}: {text(proof.detail)}" for proof in overview.with_outcome("refuted")]
    return ["### Refuted", "\n".join(_first(lines, _MOST_LISTED))] if lines else []


def _unproved(overview: Overview) -> list[str]:
    lines = []
    for each in overview.unproved:
        claims = counted(len(each.claims), "claim", "claims")
        lines.append(
            f"- {claims}: {text(each.why_not)}"
            + (f"; would help: {code(each.how_to)}" if each.how_to else "")
        )
    return ["### Not proved", "\n".join(_first(lines, _MOST_LISTED))] if lines else []


def _first(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"- … and {len(lines) - most} more in the report"]


def _made_by(context: ReportContext) -> str:
    parts = [f"database-workbench {context.version}", *context.engines]
    parts += [f"{label.replace('_', ' ')} {words(value)}" for label, value in context.settings.items()]
    return text(", ".join(parts))
