"""Findings of bloat proved by the rewrite itself, in a scratch copy of what is ours."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg2

from workbench.areas.optimization.structure.model import Structure, TableFacts
from workbench.areas.optimization.structure.reading import read_structure
from workbench.areas.optimization.structure.waste import INDEX_BLOAT, TABLE_BLOAT, TOAST_BLOAT
from workbench.areas.optimization.structure.wording import in_bytes, of_table
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding

_HALF = 0.5  # of what is claimed must come back, for a claim to hold


@dataclass(frozen=True)
class _Rewritten:
    elapsed_ms: float = 0.0
    refused: str = ""


def prove_waste(
    conn: Connection, structure: Structure, findings: Sequence[Finding], engine: str
) -> list[Finding]:
    """*findings* with the bytes that REINDEX or VACUUM FULL gave back in the copy behind *conn*.

    Those of other checks are returned as they are. The copy is of the database that *structure* is of.
    """
    before = _sizes(structure)
    runs: dict[str, _Rewritten] = {}
    by_root = structure.by_root()
    for finding in findings:
        if finding.check == INDEX_BLOAT:
            runs[finding.id] = _run(conn, _reindexes(conn, structure, finding.object))
    for finding in findings:
        if finding.check in (TABLE_BLOAT, TOAST_BLOAT):
            runs[finding.id] = _run(conn, _rewrites(conn, by_root[finding.object]))
    if not runs:
        return list(findings)
    after = _sizes(read_structure(conn, is_live=False))
    return [
        _judged(finding, before, after, runs[finding.id], engine) if finding.id in runs else finding
        for finding in findings
    ]


def _sizes(structure: Structure) -> dict[tuple[str, str], int]:
    """The bytes of what a finding can be about, by its check and its object."""
    sizes: dict[tuple[str, str], int] = {}
    for table in structure.tables:
        parts = [
            (TABLE_BLOAT, table.root_title, table.heap_bytes),
            (TOAST_BLOAT, table.root_title, table.toast_bytes),
            *((INDEX_BLOAT, index.root_title, index.size_bytes) for index in table.indexes),
        ]
        for check, title, size_bytes in parts:
            sizes[check, title] = sizes.get((check, title), 0) + size_bytes
    return sizes


def _reindexes(conn: Connection, structure: Structure, title: str) -> list[str]:
    return [
        of_table(conn, "reindex index {}", index.schema, index.name)
        for table in structure.tables
        for index in table.indexes
        if index.root_title == title
    ]


def _rewrites(conn: Connection, tables: Sequence[TableFacts]) -> list[str]:
    """VACUUM first: VACUUM FULL keeps the dead rows that a transaction in any database might see, as its own
    snapshot goes by the oldest of the server."""
    return [
        of_table(conn, f"vacuum {how} {{}}", table.schema, table.name)
        for table in tables
        for how in ("", "(full)")
    ]


def _run(conn: Connection, statements: Sequence[str]) -> _Rewritten:
    started = time.perf_counter()
    try:
        for statement in statements:
            conn.execute(statement)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return _Rewritten(refused=(exc.diag.message_primary or str(exc)).strip().splitlines()[0])
    return _Rewritten((time.perf_counter() - started) * 1000)


def _judged(
    finding: Finding,
    before: Mapping[tuple[str, str], int],
    after: Mapping[tuple[str, str], int],
    run: _Rewritten,
    engine: str,
) -> Finding:
    if run.refused:
        return replace(
            finding, verified=False, unverified_because=f"the copy could not be rewritten: {run.refused}"
        )
    key = (finding.check, finding.object)
    gained = before[key] - after[key]
    claimed = int(finding.evidence[0].facts["wasted_bytes"])
    summary = (
        f"Rewritten in a copy in {run.elapsed_ms:.0f} ms, while nobody could have used it: "
        f"{in_bytes(before[key])} before, {in_bytes(after[key])} after."
    )
    facts = {
        "before_bytes": before[key],
        "after_bytes": after[key],
        "elapsed_ms": round(run.elapsed_ms, 3),
        "holds": gained >= _HALF * claimed,
    }
    evidence = (*finding.evidence, Evidence("rewritten", summary, engine, facts))
    if not facts["holds"]:
        return replace(finding, verified=False, unverified_because=summary, evidence=evidence)
    return replace(finding, evidence=evidence)
