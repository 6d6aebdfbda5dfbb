"""One constraint, tried: the statements run in a savepoint, and what the server says is weighed."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg2
from pglast.keywords import RESERVED_KEYWORDS
from psycopg2 import sql
from psycopg2.extensions import Diagnostics

from workbench import sql as files
from workbench.catalog.model import quoted
from workbench.engines.postgres import Connection
from workbench.proof.constraints.attempt import Attempt
from workbench.proof.constraints.lifting import DEFAULT_PARTITION, Lift, lift
from workbench.proof.constraints.targets import Setting, Target
from workbench.proof.constraints.violations import Plan, Violation

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_SHOWN = 600
_MOST_LIFTS = 40
_STATES = {
    "primary key": ("23505", "23P01"),
    "unique": ("23505", "23P01"),
    "unique index": ("23505",),
    "exclusion": ("23P01",),
    "foreign key": ("23503",),
    "check": ("23514",),
    "domain check": ("23514",),
    "not null": ("23502",),
    "domain not null": ("23502",),
    "generated identity": ("428C9",),
}


@dataclass(frozen=True)
class _Answer:
    """What one run of a statement gave: the server's diagnostics, or none where it was taken."""

    diagnostics: Diagnostics | None
    rows: int
    still_there: bool = True


def untried(target: Target, reason: str) -> Attempt:
    """The record of a constraint for which no statement was run."""
    return Attempt(
        target.owner, target.constraint, target.kind, target.definition, "not tried", reason=_line(reason)
    )


def try_out(conn: Connection, setting: Setting, target: Target, plan: Plan) -> Attempt:
    """Run the violations of *plan* in turn until one is refused by *target* itself, or accepted.

    First as they are; then, each constraint that refuses the same row before *target* does is lifted.
    """
    if plan.reason:
        return untried(target, plan.reason)
    started = time.perf_counter()
    attempt = untried(target, "no statement was found to try")
    for most in (0, _MOST_LIFTS):
        for violation in plan.violations:
            attempt = _tried(conn, setting, target, violation, most)
            if attempt.outcome != "not tried":
                break
        else:
            continue
        break
    elapsed_ms = (time.perf_counter() - started) * 1000
    return replace(attempt, base_row=plan.base.origin if plan.base else "", elapsed_ms=elapsed_ms)


def _tried(conn: Connection, setting: Setting, target: Target, violation: Violation, most: int) -> Attempt:
    """One violation, with at most *most* constraints lifted one after the other."""
    lifts: list[Lift] = []
    while True:
        answer = _run(conn, target, violation, lifts)
        attempt = _weighed(conn, setting, target, violation, lifts, answer)
        if attempt.outcome != "not tried" or len(lifts) >= most or answer.diagnostics is None:
            return attempt
        found = lift(setting, target.table, answer.diagnostics) if target.table else None
        if found is None or found.lifted in {one.lifted for one in lifts}:
            return attempt
        lifts.append(found)


def _run(conn: Connection, target: Target, violation: Violation, lifts: list[Lift]) -> _Answer:
    """The server's answer; whatever it is, the savepoint is rolled back."""
    conn.execute("savepoint workbench_attempt")
    try:
        for statement in (*(one.statement for one in lifts), *violation.before, *violation.machinery):
            conn.execute(statement)
        rows = conn.execute(violation.statement).rowcount
        if violation.deferrable:
            conn.execute("set constraints all immediate")
        return _Answer(None, rows, not lifts or _still_there(conn, target))
    except psycopg2.Error as exc:
        if conn.closed or isinstance(exc, psycopg2.errors.QueryCanceled):
            raise
        return _Answer(exc.diag, 0)
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_attempt; release savepoint workbench_attempt")


def _still_there(conn: Connection, target: Target) -> bool:
    """Whether *target* outlived what was lifted: a cascade can take a foreign key along."""
    if target.table is None or (target.declared is None and target.index is None):
        return True
    names = {"schema": target.table.schema, "table": target.table.name, "name": target.constraint}
    return bool(files.fetch(conn, "proof/still_there.sql", names)[0]["found"])


def _weighed(
    conn: Connection,
    setting: Setting,
    target: Target,
    violation: Violation,
    lifts: list[Lift],
    answer: _Answer,
) -> Attempt:
    attempt = replace(untried(target, ""), statement=_shown(conn, violation, lifts))
    lifted = [one.lifted for one in lifts if not one.rests]
    found = answer.diagnostics
    if found is None:
        if not answer.rows:
            return replace(attempt, reason="the statement found no row to act on")
        if not answer.still_there:
            return replace(attempt, reason=f"it depends on {', '.join(lifted)}, which came first")
        return replace(attempt, outcome="accepted", reason=_cause(setting, target))
    attempt = replace(
        attempt, sqlstate=found.sqlstate, constraint_reported=found.constraint_name or found.column_name
    )
    if _names_target(setting, target, found):
        reason = _lifted(lifted)
        if target.declared and not target.declared.validated:
            reason = "; ".join(filter(None, (reason, "NOT VALID: older rows were never checked")))
        return replace(attempt, outcome="refused", reason=reason)
    return replace(attempt, reason=_line(_other(found)))


def _lifted(names: Sequence[str]) -> str:
    if not names:
        return ""
    if len(names) == 1:
        return f"{names[0]} was lifted: it refuses the same row first"
    return f"{', '.join(names)} were lifted: they refuse the same row first"


def _names_target(setting: Setting, target: Target, found: Diagnostics) -> bool:
    """Whether the server's refusal names *target*, under its own name or that of a partition's copy."""
    if found.sqlstate not in _STATES.get(target.kind, ()):
        return False
    if target.kind == "generated identity":
        return True
    if target.domain:
        names = (target.domain.schema, target.domain.name)
        reported = (found.schema_name, found.datatype_name)
        if target.kind == "domain not null":
            return reported == names
        return found.datatype_name is not None and found.constraint_name == target.constraint
    table = target.table
    if table is None:
        return False
    tables = {(one.schema, one.name) for one in (table, *setting.partitions(table))}
    if found.table_name != DEFAULT_PARTITION and (found.schema_name, found.table_name) not in tables:
        return False
    if target.kind == "not null":
        return not found.datatype_name and found.column_name == target.columns[0]
    own = (table.schema, table.name, target.constraint)
    reported_name = (found.schema_name, found.table_name, found.constraint_name)
    if target.kind == "check":
        return found.constraint_name == target.constraint
    return reported_name == own or reported_name in setting.copies.get(own, frozenset())


def _cause(setting: Setting, target: Target) -> str:
    """Why a constraint takes what it should refuse, as far as the catalog tells."""
    if target.declared and not target.declared.enforced:
        return "it is declared NOT ENFORCED"
    if target.table:
        key = (target.table.schema, target.table.name, target.constraint)
        if {trigger.enabled for trigger in setting.constraint_triggers.get(key, ())} & {"D", "R"}:
            return "the triggers that check it are disabled"
    if target.index and not target.index.valid:
        return "its index is invalid"
    return "the server took a row that violates it"


def _other(found: Diagnostics) -> str:
    """Why a refusal proves nothing about the constraint that was tried."""
    name = found.constraint_name or found.column_name
    where = f" by {quoted(name)}" if name else ""
    return f"what was tried is refused{where} first ({found.sqlstate}: {found.message_primary})"


def _shown(conn: Connection, violation: Violation, lifts: list[Lift]) -> str:
    """The statements on one line, cut where they are long."""
    parts: list[sql.Composable] = [
        *(one.statement for one in lifts if not one.rests),
        *violation.before,
        violation.statement,
    ]
    return _line(_TOKEN.sub(_bare, "; ".join(part.as_string(conn) for part in parts)))


def _bare(token: re.Match[str]) -> str:
    """A quoted identifier without its quotes where it needs none; a string as it is."""
    text = token[0]
    name = text[1:-1]
    return name if text[0] == '"' and quoted(name) == name and name not in RESERVED_KEYWORDS else text


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + "…"
