"""Documents for rows: the designs compared, as the notebook shows them and the report keeps them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import example, sql
from workbench.areas.nosql.tables import (
    choice_rows,
    design_rows,
    latency_rows,
    option_rows,
    pattern_rows,
)
from workbench.catalog.reflect import reflect
from workbench.diagrams.picture import Picture
from workbench.documents.design import (
    AccessPattern,
    DesignComparison,
    Workload,
    as_dict,
    choose_designs,
    patterns_of_sql,
    patterns_of_workload,
    picture_of,
    read_patterns,
    saved_ms,
    shell_script,
)
from workbench.documents.opening import OpenModel, require_server
from workbench.errors import BadInput, SourceError
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults
from workbench.source import OpenSource

ROWS = 200_000
_MOST_LOSSES = 5
_WIDTH = 100  # characters, of what is printed
_CLAIM = "Every row is found back in the documents of each design, by counts and checksums"


@dataclass(frozen=True)
class Designed:
    """A comparison of designs as rows for tables; without one, *why_not* says why."""

    comparison: DesignComparison | None = None
    why_not: str = ""
    picture: Picture | None = field(default=None, repr=False)
    patterns: list[dict[str, Any]] = field(default_factory=list)
    unmapped: list[dict[str, Any]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    designs: list[dict[str, Any]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    latencies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def caption(self) -> str:
        if self.comparison is None:
            return self.why_not
        return f"{self.comparison.considered:,} designs priced, {len(self.designs)} built and run"

    @property
    def decision(self) -> str:
        """What was decided, and what limits it."""
        if self.comparison is None:
            return self.why_not
        losses = self.comparison.losses
        told = [self.comparison.decision, *self.comparison.notes, *losses[:_MOST_LOSSES]]
        if len(losses) > _MOST_LOSSES:
            told.append(f"and {len(losses) - _MOST_LOSSES} more columns, which design.json names")
        return "\n".join(textwrap.fill(each, _WIDTH) for each in told)


def design_documents(
    opened: OpenModel, *, patterns: Path | str | None = None, rows: int = ROWS
) -> DesignComparison:
    """Document designs for the rows of *opened*, priced, the best built, verified and run.

    *patterns* is a file of access patterns (JSON) or a workload (.sql); without it the example's declared
    workload or what the keys suggest. At most *rows* of the largest table are taken. Raises SourceError
    where the source has no tables, EngineError where there is no engine, BadInput.
    """
    if opened.rows is None:
        raise SourceError(
            f"{opened.source.spec} holds documents: a design starts from rows, so give a .sql file, "
            "a postgresql:// URL or the example"
        )
    server = require_server(opened)
    return choose_designs(opened.rows, declared_patterns(opened.rows, patterns), server, rows=rows)


def declared_patterns(
    rows: OpenSource, patterns: Path | str | None
) -> Sequence[AccessPattern] | Workload | None:
    """What the file *patterns* declares; without one what the example does, None for any other source.

    Raises PatternError.
    """
    path = Path(patterns) if patterns else None
    if path is None and rows.source.kind != "example":
        return None
    catalog = reflect(rows.connection)
    if path is None:
        reads = patterns_of_workload(example.workload(), catalog)
        writes = patterns_of_sql(sql.asset_root("sql") / "nosql" / "writes.sql", catalog)
        return Workload(reads.patterns + writes.patterns, reads.unmapped + writes.unmapped)
    return patterns_of_sql(path, catalog) if path.suffix.lower() == ".sql" else read_patterns(path, catalog)


def compare_designs(opened: OpenModel, *, patterns: Path | str | None = None, rows: int = ROWS) -> Designed:
    """`design_documents` for a notebook: where the source allows no comparison, the reason why.

    What is wrong with a file that the caller named is still an error.
    """
    if opened.rows is None:
        return Designed(why_not="The source holds documents already: designs are compared for rows.")
    if opened.server is None:
        return Designed(why_not=opened.why_no_server)
    try:
        found = design_documents(opened, patterns=patterns, rows=rows)
    except BadInput as exc:
        if patterns:
            raise
        return Designed(why_not=str(exc))
    catalog = reflect(opened.rows.connection)
    return Designed(
        comparison=found,
        picture=picture_of(catalog, found.chosen, title=f"{opened.source.title}: {found.chosen.name}"),
        patterns=pattern_rows(found.patterns),
        unmapped=[{"statement": each.name, "why": each.reason} for each in found.unmapped],
        options=option_rows(found),
        designs=design_rows(found),
        choices=choice_rows(found),
        latencies=latency_rows(found),
    )


def record_design(results: AreaResults, opened: OpenModel, designed: Designed) -> None:
    """Put into *results* the decision, and whether each design that was built holds every row."""
    found = designed.comparison
    if found is None:
        if opened.rows is not None:
            results.add_proof(
                _CLAIM, "not proved", opened.proved_on, why_not=designed.why_not, how_to=opened.how_to
            )
        return
    unequal = [each.name for each in found.built if not each.verification.equal]
    results.add_proof(
        _CLAIM,
        not unequal,
        found.engine,
        detail=f"not of {', '.join(unequal)}"
        if unequal
        else f"{found.chosen.verification.rows:,} rows in each of {len(found.built)} designs",
    )
    results.add_fact("Designs priced", found.considered, f"for {len(found.patterns)} access patterns")
    results.add_fact(
        "Saved by the chosen documents",
        f"{saved_ms(found.chosen, found.baseline):,.0f} ms an hour",
        "against a collection a table, by paired runs on the same keys",
    )


def add_design_artifacts(results: AreaResults, designed: Designed) -> None:
    """Add the picture, the comparison and the commands that make the chosen collections to *results*."""
    if designed.comparison is None or designed.picture is None:
        return
    results.add_artifact(
        "design.svg", designed.picture.svg, "the documents for the access patterns", cover=True
    )
    results.add_artifact(
        "design.json", as_json(as_dict(designed.comparison)), "the designs, their costs and measurements"
    )
    script = shell_script(designed.comparison.chosen)
    results.add_artifact("design.js", script, "the chosen collections and indexes, for mongosh")
