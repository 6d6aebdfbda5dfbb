"""Running the checks: in one statement where it goes, one by one where one of them cannot be run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg2
import psycopg2.errors
from psycopg2.extras import RealDictCursor

from workbench import sql
from workbench.areas.security.posture.checks import Check
from workbench.areas.security.posture.policies import evaluated_per_row
from workbench.catalog.reflect import one_snapshot, schema_oids
from workbench.engines.postgres import Connection
from workbench.errors import SourceError, SourceTimeout

Row: TypeAlias = dict[str, Any]
_ATTEMPTS = 3
_TIMED_OUT = (psycopg2.errors.QueryCanceled, psycopg2.errors.LockNotAvailable)


@dataclass
class Run:
    """What the checks returned, and why some of them could not be run, by the check's name."""

    rows: list[Row] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    rights: Mapping[str, Any] = field(default_factory=dict)


def run_checks(conn: Connection, checks: Sequence[Check], schemas: Sequence[str] | None = None) -> Run:
    """The rows of those *checks* that the role of *conn* may run and the server's version has.

    Nothing is written. Raises SchemaNotFound; SourceTimeout where the server's or the source's time limit
    ends a check; SourceError where other sessions drop things at every attempt.
    """
    failure: psycopg2.Error | None = None
    for _ in range(_ATTEMPTS):
        try:
            with one_snapshot(conn):
                return _run(conn, checks, schemas)
        except psycopg2.errors.InternalError_ as exc:  # something was dropped meanwhile
            failure = exc
        except _TIMED_OUT as exc:
            raise SourceTimeout(
                f"database {conn.info.dbname!r}: its posture could not be read in time "
                f"({(exc.diag.message_primary or str(exc)).strip()}): give more time by --timeout"
            ) from exc
    raise SourceError(
        f"database {conn.info.dbname!r} was changed while it was read ({str(failure).strip()}), "
        f"{_ATTEMPTS} times: try again when no one drops anything in it"
    ) from failure


def _run(conn: Connection, checks: Sequence[Check], schemas: Sequence[str] | None) -> Run:
    parameters = {"schemas": schema_oids(conn, schemas)}
    (rights,) = sql.fetch(conn, "security/posture/rights.sql")
    run = Run(rights=rights)
    due = [each for each in checks if is_readable(each, rights) and is_known(each, conn)]
    try:
        with _savepoint(conn):
            run.rows = _rows(conn, due, parameters)
    except (psycopg2.errors.InternalError_, *_TIMED_OUT):
        raise
    except psycopg2.Error:
        if conn.closed:
            raise
        _run_singly(conn, due, parameters, run)
    run.rows = [row for row in run.rows if _stands(conn, row)]
    return run


def _run_singly(conn: Connection, due: Sequence[Check], parameters: Mapping[str, Any], run: Run) -> None:
    for check in due:
        try:
            with _savepoint(conn):
                run.rows += _rows(conn, [check], parameters)
        except (psycopg2.errors.InternalError_, *_TIMED_OUT):
            raise
        except psycopg2.Error as exc:
            if conn.closed:
                raise
            run.refused[check.name] = (exc.diag.message_primary or str(exc)).strip()


def is_readable(check: Check, rights: Mapping[str, Any]) -> bool:
    """Whether the role with *rights* may read what *check* looks at."""
    return check.reads == "all" or bool(rights[check.reads])


def is_known(check: Check, conn: Connection) -> bool:
    """Whether the server behind *conn* has what *check* asks for."""
    return conn.server_version >= check.needs * 10_000


def _rows(conn: Connection, checks: Sequence[Check], parameters: Mapping[str, Any]) -> list[Row]:
    if not checks:
        return []
    statements = (sql.read(check.file).rstrip().rstrip(";") for check in checks)
    with conn.cursor(cursor_factory=RealDictCursor) as cur:
        cur.execute("\nunion all\n".join(f"(\n{statement}\n)" for statement in statements), parameters)
        return [dict(row) for row in cur.fetchall()]


def _stands(conn: Connection, row: Row) -> bool:
    """Whether a row is a finding: of a policy's condition, what SQL cannot tell is told here."""
    if row["check"] != "policy_evaluated_per_row":
        return True
    found = evaluated_per_row(row["details"], conn)
    if found is None:
        return False
    row["fix"] = found
    return True


@contextmanager
def _savepoint(conn: Connection) -> Iterator[None]:
    conn.execute("savepoint workbench_check")
    try:
        yield
    except psycopg2.Error:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_check")
        raise
    conn.execute("release savepoint workbench_check")
