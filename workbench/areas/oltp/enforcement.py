"""Constraints that are declared and not in force: what the attempts to break them brought to light."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg2
from psycopg2 import sql

from workbench.catalog.model import Catalog, quoted
from workbench.engines.postgres import Connection
from workbench.proof.constraints import Attempt, attempt_once_fixed
from workbench.proof.findings import Evidence, Finding

CHECK = "constraint_not_enforced"
_NOT_IN_FORCE = re.compile(r"(?: NOT VALID| NOT ENFORCED)+\Z")


def unenforced_constraints(
    conn: Connection, catalog: Catalog, attempts: Sequence[Attempt], *, engine: str
) -> list[Finding]:
    """A finding for each attempt that the database accepted, in their order.

    Each is verified by the accepted statement and by the fix, after which the same statement is refused;
    both are rolled back. *conn* is the connection that `attempt_constraints` had.
    """
    return [_finding(conn, catalog, attempt, engine) for attempt in attempts if attempt.outcome == "accepted"]


def _finding(conn: Connection, catalog: Catalog, attempt: Attempt, engine: str) -> Finding:
    fix = _fix(conn, catalog, attempt)
    accepted = Evidence(
        "attempt",
        f"the database accepted what {quoted(attempt.constraint)} should refuse: {attempt.reason}",
        engine,
        {"statement": attempt.statement, "base_row": attempt.base_row, "elapsed_ms": attempt.elapsed_ms},
    )
    closing, unverified = _closed(conn, catalog, attempt, fix, engine)
    return Finding(
        area="oltp",
        check=CHECK,
        severity="error",
        object=f"{attempt.table}.{quoted(attempt.constraint)}",
        title=f"The {attempt.kind} {quoted(attempt.constraint)} of {attempt.table} is not enforced",
        why=f"A row that violates it was accepted: {attempt.reason}. Whoever reads the schema relies on it.",
        fix=fix,
        verified=not unverified,
        unverified_because=unverified,
        evidence=(accepted, *closing),
    )


def _closed(
    conn: Connection, catalog: Catalog, attempt: Attempt, fix: str, engine: str
) -> tuple[tuple[Evidence, ...], str]:
    """The evidence that *fix* puts the constraint in force and "", or none and why it could not be had."""
    try:
        again = attempt_once_fixed(conn, catalog, attempt, fix)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return (), f"the fix fails: {exc.diag.message_primary}"
    if again.outcome != "refused":
        return (), f"after the fix the attempt was {again.outcome}: {again.reason}"
    facts = {"statement": again.statement, "sqlstate": again.sqlstate, "elapsed_ms": again.elapsed_ms}
    return (Evidence("fix-closes-finding", "after the fix the same attempt is refused", engine, facts),), ""


def _fix(conn: Connection, catalog: Catalog, attempt: Attempt) -> str:
    """The constraint declared anew, which checks all rows; for an index that is none, that built anew."""
    table = next(table for table in catalog.tables if table.qualified == attempt.table)
    if attempt.kind == "unique index":
        index = sql.Identifier(table.schema, attempt.constraint)
        return sql.SQL("reindex index {};").format(index).as_string(conn)
    statement = sql.SQL("alter table {table} drop constraint {name}, add constraint {name} {definition};")
    return statement.format(
        table=sql.Identifier(table.schema, table.name),
        name=sql.Identifier(attempt.constraint),
        definition=sql.SQL(_NOT_IN_FORCE.sub("", attempt.definition)),
    ).as_string(conn)
