"""Documents for rows: the designs compared, as the notebook shows them and the report keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.areas.nosql.examine import OpenModel, require_server
from workbench.areas.nosql.tables import (
    choice_rows,
    comparison_as_dict,
    design_rows,
    latency_rows,
    option_rows,
    pattern_rows,
)
from workbench.catalog.reflect import reflect
from workbench.documents.design import (
    AccessPattern,
    DesignComparison,
    Workload,
    choose_designs,
    patterns_of_sql,
    read_patterns,
)
from workbench.errors import BadInput, SourceError
from workbench.proof.results import AreaResults
from workbench.source import OpenSource

ROWS = 200_000
_TENTH_MORE = 1.1  # what two runs of the same may differ by
_CLAIM = "Every row is found back in the documents of each design, by counts and checksums"


@dataclass(frozen=True)
class Designed:
    """A comparison of designs as rows for tables; without one, *why_not* says why."""

    comparison: DesignComparison | None = None
    why_not: str = ""
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
        return "\n".join([self.comparison.decision, *self.comparison.notes, *self.comparison.losses])


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
    """What the file *patterns* declares; None without a file. Raises PatternError."""
    if not patterns:
        return None
    path = Path(patterns)
    catalog = reflect(rows.connection)
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
    return Designed(
        comparison=found,
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
    _record_speed(results, found)


def _record_speed(results: AreaResults, found: DesignComparison) -> None:
    chosen, baseline = found.chosen, found.baseline
    detail = "; ".join(f"{each.name} {each.measured_ms:,.0f} ms an hour" for each in found.built)
    results.add_proof(
        "The chosen documents serve the access patterns no slower than a collection a table, within a tenth",
        chosen.measured_ms <= baseline.measured_ms * _TENTH_MORE,
        found.engine,
        detail=detail,
    )


def design_artifact(designed: Designed) -> dict[str, Any] | None:
    """The comparison as plain data, to be taken home."""
    return None if designed.comparison is None else comparison_as_dict(designed.comparison)
