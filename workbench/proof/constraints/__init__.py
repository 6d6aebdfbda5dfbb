"""Constraints proved by trying to break them: each is violated once, and must refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench import sql
from workbench.catalog.model import Catalog, Table
from workbench.engines.postgres import Connection
from workbench.errors import FeatureUnavailable
from workbench.proof.constraints.attempt import KINDS, Attempt, Kind, Outcome, constraint_summary
from workbench.proof.constraints.candidates import ValidLiterals
from workbench.proof.constraints.casts import cast_plan
from workbench.proof.constraints.rows import BaseRow, existing_rows, generated_row, put_to_sleep
from workbench.proof.constraints.search import RowSearch
from workbench.proof.constraints.targets import Setting, Target, read_setting, targets
from workbench.proof.constraints.trial import try_out, untried
from workbench.proof.constraints.violations import plan

__all__ = [
    "KINDS",
    "Attempt",
    "Kind",
    "Outcome",
    "attempt_constraints",
    "attempt_once_fixed",
    "constraint_summary",
]

_LONGEST_STATEMENT_S = 5.0


def attempt_constraints(conn: Connection, catalog: Catalog, *, limit_s: float = 60) -> list[Attempt]:
    """Try to break every constraint of *catalog* once, in the database of *conn*; one Attempt each.

    *conn* is an autocommit connection to a scratch copy of what the catalog describes, of a role that
    may alter its tables and set session_replication_role: what other people's code does as a superuser
    is not for us to find out. All happens in one transaction that is rolled back: rows, definitions and
    sequences are left as they were. A row that the table has is changed or copied so that it breaks one
    constraint; an empty table is given a row first. User triggers, rules and the other foreign keys rest
    meanwhile. A constraint that another one always precedes is tried with that one lifted, which its
    reason says. After *limit_s* the constraints that are left are named as not tried. Raises
    FeatureUnavailable where the role may not set session_replication_role.
    """
    deadline = time.monotonic() + limit_s
    with _undone(conn, limit_s):
        setting = read_setting(conn, catalog)
        return list(_attempts(conn, setting, targets(setting), deadline, limit_s))


def attempt_once_fixed(
    conn: Connection, catalog: Catalog, accepted: Attempt, fix: str, *, limit_s: float = 60
) -> Attempt:
    """What becomes of an *accepted* attempt once the statement *fix* has run; *fix* is rolled back, too.

    Raises psycopg2.Error where *fix* fails, as it does where rows violate the constraint.
    """
    with _undone(conn, limit_s):
        conn.execute(fix)
        setting = read_setting(conn, catalog)
        again = [
            target
            for target in targets(setting)
            if (target.owner, target.constraint, target.kind)
            == (accepted.table, accepted.constraint, accepted.kind)
        ]
        (found,) = _attempts(conn, setting, again, time.monotonic() + limit_s, limit_s)
        return found


@contextmanager
def _undone(conn: Connection, limit_s: float) -> Iterator[None]:
    """A transaction in which constraints can be tried one by one, rolled back after the block."""
    if not conn.autocommit or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
        raise ValueError(
            "attempts need an autocommit connection outside a transaction, to roll back what they do"
        )
    try:
        try:
            sql.run(conn, ["proof/transaction/begin.sql"], {"statement_timeout": _statement_timeout(limit_s)})
        except psycopg2.errors.InsufficientPrivilege as exc:
            raise FeatureUnavailable(
                "trying to break constraints",
                conn.info.user,
                hint="grant set on parameter session_replication_role to it, or name a superuser",
            ) from exc
        sql.run(conn, ["proof/transaction/operators.sql", "proof/valid_literals.sql"])
        yield
    finally:
        if not conn.closed:
            sql.run(conn, ["proof/transaction/rollback.sql"])


def _attempts(
    conn: Connection, setting: Setting, tried: Sequence[Target], deadline: float, limit_s: float
) -> Iterator[Attempt]:
    """The attempts on the targets, those on one table together."""
    valid = ValidLiterals(conn)
    by_table: dict[tuple[str, str], list[Target]] = {}
    for target in tried:
        key = (target.table.schema, target.table.name) if target.table else ("", "")
        by_table.setdefault(key, []).append(target)
    rows = existing_rows(conn, [group[0].table for group in by_table.values() if group[0].table])
    for key, group in by_table.items():
        table = group[0].table
        if table is None:
            yield from (_by_cast(conn, setting, target, valid) for target in group)
        elif time.monotonic() > deadline:
            yield from (untried(target, _out_of_time(limit_s)) for target in group)
        else:
            yield from _on_table(conn, setting, table, group, rows.get(key), valid, deadline, limit_s)


def _on_table(
    conn: Connection,
    setting: Setting,
    table: Table,
    group: Sequence[Target],
    existing: BaseRow | None,
    valid: ValidLiterals,
    deadline: float,
    limit_s: float,
) -> Iterator[Attempt]:
    """The attempts on one table, all from one row of it."""
    for target in group:
        if target.impossible:
            yield untried(target, target.impossible)
    open_targets = [target for target in group if not target.impossible]
    if not open_targets:
        return
    search = RowSearch(conn, setting, table, valid)
    conn.execute("savepoint workbench_table")
    put_to_sleep(conn, setting, table)
    base, reason = (existing, "") if existing else _made(search)
    for target in open_targets:
        if time.monotonic() > deadline:
            yield untried(target, _out_of_time(limit_s))
        elif base is None:
            yield _by_cast(conn, setting, target, valid) if target.domain else untried(target, reason)
        else:
            yield _from_row(conn, setting, search, target, base)
    conn.execute("rollback to savepoint workbench_table; release savepoint workbench_table")


def _made(search: RowSearch) -> tuple[BaseRow | None, str]:
    """A row made for the table, or none and why: also where the server would not even look for one."""
    search.conn.execute("savepoint workbench_made")
    try:
        return generated_row(search)
    except psycopg2.Error as exc:
        if search.conn.closed:
            raise
        search.conn.execute("rollback to savepoint workbench_made")
        return None, f"the table is empty, and the search for a row failed: {exc.diag.message_primary}"


def _from_row(
    conn: Connection, setting: Setting, search: RowSearch, target: Target, base: BaseRow
) -> Attempt:
    """The attempt on one target; what the server cannot evaluate, or not in time, is left untried."""
    conn.execute("savepoint workbench_target")
    try:
        return try_out(conn, setting, target, plan(search, target, base))
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return untried(target, f"the search for a value that violates it failed: {exc.diag.message_primary}")
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_target; release savepoint workbench_target")


def _by_cast(conn: Connection, setting: Setting, target: Target, valid: ValidLiterals) -> Attempt:
    return try_out(conn, setting, target, cast_plan(conn, setting, target, valid))


def _statement_timeout(limit_s: float) -> str:
    """So that one check that never returns costs a part of the time and no more."""
    return f"{int(max(0.1, min(_LONGEST_STATEMENT_S, limit_s / 4)) * 1000)}ms"


def _out_of_time(limit_s: float) -> str:
    return f"the limit of {limit_s:g} s was reached before it"
