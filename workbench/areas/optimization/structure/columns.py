"""Columns without a value, or with the same one in every row: questions, counted in full, never a DROP.

Statistics only suggest them: a sample of 30,000 rows misses three values in a million. What is said is
counted in all rows, by a query that is read-only and has a time-out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg2
import psycopg2.errors
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.structure.model import AREA, ColumnFacts, Limits, Structure, TableFacts
from workbench.areas.optimization.structure.reading import FOLDER
from workbench.areas.optimization.structure.wording import percent
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding
from workbench.proof.plans import rolled_back

ONLY_NULL = "only_null_column"
ONE_VALUE = "one_value_column"
_TABLES_IN_ALL = 10  # times the time-out of one table is the time for all of them
Suspicion = Literal["only null", "one value"]


@dataclass(frozen=True)
class Suspect:
    """A column of which the sample saw no value, or one alone; *table* is the one that people know."""

    table: str
    oid: int
    name: str
    title: str
    suspicion: Suspicion


@dataclass(frozen=True)
class Counted:
    """What counting all rows gave; *is_one* where all values are equal."""

    suspect: Suspect
    rows: int
    values: int
    is_one: bool

    @property
    def is_true(self) -> bool:
        if self.suspect.suspicion == "only null":
            return self.values == 0
        return self.values == self.rows and self.is_one

    def as_row(self) -> dict[str, object]:
        return {
            "column": f"{self.suspect.table}.{self.suspect.title}",
            "sample_saw": self.suspect.suspicion,
            "rows": self.rows,
            "rows_with_value": self.values,
            "share_with_value": self.values / self.rows if self.rows else 0.0,
            "holds": self.is_true,
        }


def column_findings(
    conn: Connection, structure: Structure, limits: Limits, engine: str
) -> tuple[list[Finding], list[dict[str, object]], list[str]]:
    """Findings, a row for each column that was counted, and a line for each table that was not."""
    suspects = _suspects(structure, limits)
    counted: list[Counted] = []
    lines: list[str] = []
    deadline = time.monotonic() + _TABLES_IN_ALL * limits.column_check_s
    for title, of_table in suspects.items():
        left_s = min(limits.column_check_s, deadline - time.monotonic())
        reason = "no time was left"
        if left_s > 0:
            try:
                counted += _counted(conn, title, of_table, left_s)
                continue
            except psycopg2.errors.QueryCanceled:
                reason = f"counting took more than {limits.column_check_s:g} s"
            except psycopg2.Error as exc:
                if conn.closed:
                    raise
                reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
        lines.append(f"columns of {title} in which the sample saw no value or one alone: {reason}")
    true = [each for each in counted if each.is_true]
    dependents = _dependents(conn, true)
    findings = [_finding(each, dependents.get(number, []), engine) for number, each in enumerate(true, 1)]
    return findings, [each.as_row() for each in counted], lines


def _suspects(structure: Structure, limits: Limits) -> dict[str, list[Suspect]]:
    found: dict[str, list[Suspect]] = {}
    for title, tables in structure.by_root().items():
        full = [table for table in tables if table.rows]
        if not full or sum(table.rows or 0 for table in full) < limits.column_rows or full[0].is_view:
            continue
        for column in full[0].stored:
            same = [_same(table, column.name) for table in full]
            for suspicion, agrees in (("only null", _saw_none), ("one value", _saw_one)):
                if column.name is not None and all(each is not None and agrees(each) for each in same):
                    found.setdefault(title, []).append(
                        Suspect(title, full[0].root or full[0].oid, column.name, column.title, suspicion)  # type: ignore[arg-type]
                    )
    return found


def _same(table: TableFacts, name: str | None) -> ColumnFacts | None:
    return next((column for column in table.stored if column.name == name), None)


def _saw_none(column: ColumnFacts) -> bool:
    return column.null_fraction == 1


def _saw_one(column: ColumnFacts) -> bool:
    """A moment is left out: rows that were loaded at once have one."""
    return (
        column.distinct == 1 and column.null_fraction == 0 and not column.generated and column.category != "D"
    )


def _counted(conn: Connection, table: str, suspects: Sequence[Suspect], limit_s: float) -> list[Counted]:
    """All rows of *table* counted at once; *table* is quoted by the server."""
    counts: list[composed.Composable] = []
    for number, suspect in enumerate(suspects):
        counts.append(
            composed.SQL(
                "pg_catalog.count(t.{column}) as {values},\n  {one} as {is_one}"
            ).format(
                column=composed.Identifier(suspect.name),
                values=composed.Identifier(f"values_{number}"),
                is_one=composed.Identifier(f"is_one_{number}"),
                one=composed.SQL(
                    "pg_catalog.min(t.{column}::text collate \"C\") = pg_catalog.max(t.{column}::text "
                    "collate \"C\")"
                ).format(column=composed.Identifier(suspect.name))
                if suspect.suspicion == "one value"
                else composed.SQL("false"),
            )
        )  # fmt: skip
    statement = composed.SQL(sql.read(f"{FOLDER}/column_values.sql")).format(
        counts=composed.SQL(",\n  ").join(counts), table=composed.SQL(table)
    )
    # row_security off: a policy that hides rows is an error, and no wrong count
    with rolled_back(conn, {"statement_timeout": f"{int(limit_s * 1000)}ms", "row_security": "off"}):
        row = conn.execute(statement).fetchone()
    rows, *rest = row or (0,)
    return [
        Counted(suspect, rows, rest[2 * number], bool(rest[2 * number + 1]))
        for number, suspect in enumerate(suspects)
    ]


def _dependents(conn: Connection, counted: Sequence[Counted]) -> dict[int, list[str]]:
    parameters = {
        "tables": [each.suspect.oid for each in counted],
        "names": [each.suspect.name for each in counted],
    }
    rows = sql.fetch(conn, f"{FOLDER}/column_dependents.sql", parameters) if counted else []
    return {row["number"]: row["dependents"] for row in rows}


def _finding(each: Counted, dependents: Sequence[str], engine: str) -> Finding:
    suspect = each.suspect
    place = f"{suspect.table}.{suspect.title}"
    is_null = suspect.suspicion == "only null"
    depending = "; ".join(dependents) if dependents else "nothing in the catalog"
    facts: dict[str, Any] = {
        "rows": each.rows,
        "rows_with_value": each.values,
        "dependents": list(dependents),
    }
    return Finding(
        AREA,
        ONLY_NULL if is_null else ONE_VALUE,
        "info",
        place,
        f"{place}: {'none' if is_null else 'all'} of {each.rows} rows "
        + ("has a value" if is_null else "have the same value"),
        "A question, not a verdict: is it written by something that has not run yet, or was it forgotten? A "
        f"program may still name it. What depends on it: {depending}.",
        f"-- ask who writes {place}; to count again:\n"
        f"select pg_catalog.count(*), pg_catalog.count({suspect.title}) from {suspect.table};",
        verified=True,
        evidence=(
            Evidence(
                "counted",
                f"All {each.rows} rows were counted, {each.values} have a value "
                f"({percent(each.values / each.rows if each.rows else 0)}). Depending on it: {depending}.",
                engine,
                facts,
            ),
        ),
    )
