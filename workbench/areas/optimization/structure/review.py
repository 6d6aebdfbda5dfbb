"""The structure of a source reviewed: facts read, bloat counted or estimated, findings, their proofs.

review = review_structure(opened)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.bloat import index_bloat, table_bloat, usable_extension
from workbench.areas.optimization.structure.columns import column_findings
from workbench.areas.optimization.structure.layout import padding_findings, prove_padding
from workbench.areas.optimization.structure.long_reads import (
    long_read_findings,
    long_reads,
    prove_long_reads,
)
from workbench.areas.optimization.structure.model import (
    Bloat,
    Limits,
    Structure,
    StructureReview,
    TableFacts,
)
from workbench.areas.optimization.structure.partition_trial import try_partitioning
from workbench.areas.optimization.structure.partitioning import (
    Candidate,
    PartitionTrial,
    candidates,
    partition_finding,
)
from workbench.areas.optimization.structure.reading import FOLDER, read_structure
from workbench.areas.optimization.structure.rewriting import prove_waste
from workbench.areas.optimization.structure.toast import look_at_values, prove_toast, toast_findings
from workbench.areas.optimization.structure.unjudged import not_judged, without_values
from workbench.areas.optimization.structure.updates import hot_findings, try_updates, written_columns
from workbench.areas.optimization.structure.use import use_findings
from workbench.areas.optimization.structure.vacuum import (
    activity_findings,
    age_findings,
    blocker_findings,
    settings_findings,
)
from workbench.areas.optimization.structure.waste import waste_findings
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, SourceError
from workbench.proof.findings import SEVERITIES, Finding
from workbench.proof.workload.model import Workload
from workbench.source import OpenSource

_COUNTING_SCHEMA = "workbench_pgstattuple"
_MOST_PROOFS = 20


def review_structure(
    opened: OpenSource,
    *,
    workload: Workload | None = None,
    schemas: Sequence[str] | None = None,
    limits: Limits | None = None,
    volume: float = 1.0,
) -> StructureReview:
    """How the tables of *opened* lie on disk, and what would be better, the worst first.

    A named database is only read. *workload* tells which columns are asked for and updated; without it,
    what rests on it is not judged. *volume* is how many times the rows the layout is judged at.
    Raises SchemaNotFound, and BadInput for a volume that is not above 0.
    """
    if not 0 < volume <= 1e6:
        raise BadInput(f"a volume of {volume} times the rows cannot be: give more than 0 and at most 1000000")
    limits = limits or Limits()
    structure = read_structure(opened.connection, is_live=opened.read_only, schemas=schemas)
    bloat, not_counted = _measured(opened, structure, limits)
    counted_on = opened.looked_at_on if structure.is_live else opened.proved_on
    findings = _waste(opened, structure, bloat, limits, counted_on)
    findings += _activity(opened, structure, limits)
    findings += _proved_layout(opened, structure, limits, volume)
    updates, not_updated = _updates(opened, structure, workload, limits)
    findings += updates
    findings += _long_reads(opened, structure, workload, limits)
    in_full, counted, not_counted_columns = _columns(opened, structure, limits)
    findings += in_full
    trials, not_tried = _partition_trials(opened, structure, workload, limits, volume)
    advised = [partition_finding(each, opened.proved_on, volume) for each in _best(trials)]
    findings += [each for each in advised if each]
    return StructureReview(
        findings=sorted(
            findings, key=lambda found: (SEVERITIES.index(found.severity), found.object, found.check)
        ),
        tables=table_rows(structure, bloat),
        columns=counted,
        partitioning=[trial.as_row() for trial in trials],
        not_judged=[
            *not_counted,
            *not_counted_columns,
            *not_updated,
            *not_tried,
            *without_values(workload),
            *not_judged(structure, bloat, limits),
        ],
    )


def structure_rows(review: StructureReview, *, most: int | None = None) -> list[dict[str, object]]:
    """The table of sizes, the largest first, at most *most* rows: bytes, counts, shares from 0 to 1."""
    rows = [dict(row) for row in review.tables]
    return rows if most is None else rows[:most]


def table_rows(structure: Structure, bloat: Mapping[int, Bloat]) -> list[dict[str, object]]:
    """A row a table, partitions summed up to the partitioned table, the largest first."""
    rows = [_row(title, tables, structure, bloat) for title, tables in structure.by_root().items()]
    return sorted(rows, key=lambda row: (-int(str(row["total_bytes"])), str(row["table"])))


def _row(
    title: str, tables: Sequence[TableFacts], structure: Structure, bloat: Mapping[int, Bloat]
) -> dict[str, object]:
    heaps = [bloat[table.oid] for table in tables]
    indexes = [bloat[index.oid] for table in tables for index in table.indexes]
    updated = sum(table.updated for table in tables)
    hows = sorted({each.how for each in heaps})
    return {
        "table": title,
        "partitions": sum(table.root is not None for table in tables),
        "rows": _sum(table.rows for table in tables),
        "heap_bytes": sum(table.heap_bytes for table in tables),
        "toast_bytes": sum(table.toast_bytes for table in tables),
        "index_bytes": sum(table.index_bytes for table in tables),
        "total_bytes": sum(table.total_bytes for table in tables),
        "bloat_bytes": _sum(each.wasted_bytes for each in heaps),
        "bloat_known_by": ", ".join(hows),
        "bloat_error_share": max((each.error_share or 0 for each in heaps), default=0),
        "index_bloat_bytes": sum(each.wasted_bytes or 0 for each in indexes),
        "fill_percent": min(table.fill_percent for table in tables),
        "dead_rows": sum(table.dead for table in tables) if structure.is_live else None,
        "updates": updated if structure.is_live else None,
        "hot_share": sum(table.hot_updated for table in tables) / updated
        if updated and structure.is_live
        else None,
        "vacuumed_at": _oldest(table.vacuumed_at for table in tables) if structure.is_live else None,
        "analyzed_at": _oldest(table.analyzed_at for table in tables) if structure.is_live else None,
        "xid_age": max(table.xid_age for table in tables) if structure.is_live else None,
    }


def _sum(parts: Iterator[Any]) -> Any:
    """The sum; None where a part is not known."""
    listed = list(parts)
    return None if any(each is None for each in listed) else sum(listed)


def _oldest(moments: Iterator[Any]) -> Any:
    listed = list(moments)
    return None if any(each is None for each in listed) else min(listed)


# Bloat


def _measured(opened: OpenSource, structure: Structure, limits: Limits) -> tuple[dict[int, Bloat], list[str]]:
    """The bloat by oid, and why it was not counted. What is ours is counted in a copy, page by page alike."""
    if structure.is_live:
        extension, why = usable_extension(opened.connection)
        found = _both(opened.connection, structure, limits, extension)
        estimated = "bloat is estimated from the planner's statistics, with the error that is stated"
        return found, [f"{estimated}: {why}"] if why else []
    with _counting_copy(opened) as conn:
        return _both(conn, structure, limits, _COUNTING_SCHEMA), []


def _both(conn: Connection, structure: Structure, limits: Limits, extension: str | None) -> dict[int, Bloat]:
    return {
        **table_bloat(conn, structure, limit_s=limits.exact_s / 2, extension=extension),
        **index_bloat(conn, structure, limit_s=limits.exact_s / 2, extension=extension),
    }


@contextmanager
def _counting_copy(opened: OpenSource) -> Iterator[Connection]:
    """A superuser's connection to a copy that has pgstattuple; it runs no code of the copy's."""
    opened.server.require_extension("pgstattuple")
    with opened.scratch() as scratch, opened.server.session(scratch.info.dbname) as conn:
        schema = composed.Identifier(_COUNTING_SCHEMA)
        conn.execute(composed.SQL("create schema {}").format(schema))
        conn.execute(composed.SQL("create extension pgstattuple schema {}").format(schema))
        yield conn


def _waste(
    opened: OpenSource, structure: Structure, bloat: Mapping[int, Bloat], limits: Limits, counted_on: str
) -> list[Finding]:
    """Bloat, rewritten in a copy where the rows are ours; the example's comes from its generator alone."""
    if opened.source.kind == "example":
        return []
    found = waste_findings(opened.connection, structure, bloat, limits, counted_on)
    if structure.is_live or not found:
        return found
    with opened.scratch() as scratch:
        proved = prove_waste(scratch, structure, found[:_MOST_PROOFS], opened.proved_on)
    return [*proved, *found[_MOST_PROOFS:]]


# Activity


def _activity(opened: OpenSource, structure: Structure, limits: Limits) -> list[Finding]:
    """What the counters and the settings say; of what we loaded ourselves, only its own options."""
    conn, source = opened.connection, opened.looked_at_on
    found = list(settings_findings(conn, structure, source))
    if structure.is_live:
        blockers = sql.fetch(conn, f"{FOLDER}/blockers.sql")
        databases = sql.fetch(conn, f"{FOLDER}/databases.sql")
        if not structure.server.is_replica:
            found += activity_findings(conn, structure, blockers, limits, source)
        found += age_findings(conn, structure, databases, source)
        found += blocker_findings(blockers, conn.info.dbname, limits, source)
        found += use_findings(conn, structure, limits, source)
    return found


# Layout


def _proved_layout(opened: OpenSource, structure: Structure, limits: Limits, volume: float) -> list[Finding]:
    padded = padding_findings(structure, limits, volume)
    long = list(toast_findings(structure, limits))
    if not padded and not long:
        return []
    by_root = structure.by_root()
    with _rows_at(opened) as (conn, engine):
        proved: list[Finding | None] = [
            prove_padding(conn, each, by_root[each.object], is_copy=not structure.is_live, engine=engine)
            for each in padded[:_MOST_PROOFS]
        ]
        if structure.is_live:
            proved += [
                look_at_values(conn, each, by_root[each.object], engine) for each in long[:_MOST_PROOFS]
            ]
        else:
            proved += [prove_toast(conn, each, by_root[each.object], engine) for each in long[:_MOST_PROOFS]]
    return [*filter(None, proved), *padded[_MOST_PROOFS:], *long[_MOST_PROOFS:]]


def _updates(
    opened: OpenSource, structure: Structure, workload: Workload | None, limits: Limits
) -> tuple[list[Finding], list[str]]:
    written = written_columns(workload, structure)
    if structure.is_live:
        return list(hot_findings(opened.connection, structure, written, limits, opened.looked_at_on)), []
    if not written:
        return [], []
    with opened.scratch() as scratch:
        return try_updates(scratch, structure, written, opened.proved_on)


def _long_reads(
    opened: OpenSource, structure: Structure, workload: Workload | None, limits: Limits
) -> list[Finding]:
    if workload is None:
        return []
    reads = long_reads(opened.connection, structure, workload, limits)
    found = list(long_read_findings(reads, workload))
    if structure.is_live or not found:
        return [finding for finding, _ in found]
    with opened.scratch() as scratch:
        proved = [prove_long_reads(scratch, each, rests_on, opened.proved_on) for each, rests_on in found]
    return [each for each in proved if each]


def _columns(
    opened: OpenSource, structure: Structure, limits: Limits
) -> tuple[list[Finding], list[dict[str, object]], list[str]]:
    if opened.source.kind == "example":
        return (
            [],
            [],
            ["bloat and columns without a value: the example's rows are generated, by nobody's use"],
        )
    return column_findings(opened.connection, structure, limits, opened.looked_at_on)


# Partitioning


def _partition_trials(
    opened: OpenSource, structure: Structure, workload: Workload | None, limits: Limits, volume: float
) -> tuple[list[PartitionTrial], list[str]]:
    """What became of each way to partition a large table, and why none was tried."""
    large = [
        table.title
        for table in structure.tables
        if table.root is None and table.total_bytes * volume >= limits.partition_bytes
    ]
    if not large:
        return [], []
    if workload is None or not workload.statements:
        return [], [f"partitioning of {', '.join(large[:5])}: it depends on the workload, and none is given"]
    trials: list[PartitionTrial] = []
    try:
        for candidate in candidates(structure, workload, limits, volume):
            span = _span(opened.connection, candidate) if structure.is_live else None
            if structure.is_live and candidate.way == "range" and span is None:
                trials.append(
                    PartitionTrial(candidate, refused="no histogram tells its moments (analyze it)")
                )
                continue
            with opened.scratch() as scratch:
                trials.append(
                    try_partitioning(
                        scratch, candidate, workload.statements, span, limit_s=limits.partition_s
                    )
                )
    except SourceError as exc:
        if not opened.read_only:
            raise
        return trials, [f"partitioning of {', '.join(large[:5])}: {exc}"]
    return trials, []


def _span(conn: Connection, candidate: Candidate) -> tuple[str, str] | None:
    """The moments of a column by the histogram of the source, which is only read."""
    table = candidate.table
    rows = sql.fetch(
        conn,
        f"{FOLDER}/column_range.sql",
        {"schema": table.schema, "table": table.name, "column": candidate.column},
    )
    return (rows[0]["least"], rows[0]["greatest"]) if rows and rows[0]["least"] else None


def _best(trials: Sequence[PartitionTrial]) -> list[PartitionTrial]:
    """Of each table the trial that pays most."""
    by_table: dict[str, list[PartitionTrial]] = {}
    for trial in trials:
        if trial.verdict.startswith(("yes", "perhaps")):
            by_table.setdefault(trial.candidate.table.title, []).append(trial)
    return [
        min(of_table, key=lambda trial: (trial.time_ratio or 1.0, -trial.pruned_share))
        for of_table in by_table.values()
    ]


@contextmanager
def _rows_at(opened: OpenSource) -> Iterator[tuple[Connection, str]]:
    """Where the rows are: a copy that may be changed, or the named database itself, only to be read."""
    if opened.read_only:
        yield opened.connection, opened.looked_at_on
        return
    with opened.scratch() as scratch:
        yield scratch, opened.proved_on
