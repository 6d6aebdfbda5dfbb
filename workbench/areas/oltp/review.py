"""The checks of sql/oltp/checks/, run in one query, and each finding's fix proved in a scratch copy.

findings = review(source, scratch, engine=server.description)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import psycopg2
import psycopg2.errors
from pglast import parse_sql, parser
from psycopg2 import sql as composed
from psycopg2.extras import Json, RealDictCursor

from workbench import sql
from workbench.areas.oltp.proofs import PROOFS, Proof
from workbench.catalog.reflect import one_snapshot, schema_oids
from workbench.engines.postgres import Connection
from workbench.proof.findings import SEVERITIES, Evidence, Finding

AREA = "oltp"
CHECKS = "oltp/checks"
Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
_FIXES_IN_A_TRANSACTION = 200


def review(
    conn: Connection, scratch: Connection, *, engine: str, schemas: Sequence[str] | None = None
) -> list[Finding]:
    """What the checks say of the database behind *conn*, proved in *scratch*, its copy on *engine*.

    The worst come first, then by object. Raises SchemaNotFound.
    """
    return verify(run_checks(conn, schemas=schemas), scratch, engine)


def run_checks(conn: Connection, *, schemas: Sequence[str] | None = None) -> list[Finding]:
    """The findings of all checks about *schemas*, by default all but the system's, not yet verified.

    Reads the catalog alone, in four queries however many tables there are; nothing is written.
    The worst come first, then by object. Raises SchemaNotFound.
    """
    return _sorted(_finding(row) for row in _rows(conn, schemas).values())


def verify(findings: Sequence[Finding], scratch: Connection, engine: str) -> list[Finding]:
    """The *findings*, each verified if its fix closes it in *scratch* and brings up nothing new.

    *scratch* is an autocommit connection of a superuser to a copy of the database. Fixes run in
    transactions that are rolled back, CONCURRENTLY taken out because it cannot run in one; tables never
    analysed are analysed, which stays. *engine* is the name that the evidence bears.
    """
    _analyse_new_tables(scratch)
    baseline = _rows(scratch)
    proved = {
        finding.id: replace(
            finding, unverified_because="the scratch copy does not show it, so the fix could not be tried"
        )
        for finding in findings
    }
    shown = [finding for finding in findings if _key(finding) in baseline]
    for wave in _waves(shown, baseline):
        proved |= {finding.id: finding for finding in _prove(scratch, wave, baseline, engine)}
    return _sorted(proved[finding.id] for finding in findings)


def _sorted(findings: Any) -> list[Finding]:
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), found.object, found.check))


def _key(finding: Finding) -> Key:
    return finding.check, finding.object


def _finding(row: Row) -> Finding:
    return Finding(
        area=AREA,
        **{name: row[name] for name in ("check", "severity", "object", "title", "why", "fix")},
    )


def _scope(conn: Connection, schemas: Sequence[str] | None) -> dict[str, list[int]]:
    oids = schema_oids(conn, schemas)
    tables = sql.fetch(conn, "oltp/reviewed_tables.sql", {"schemas": oids})
    return {"schemas": oids, "tables": [row["oid"] for row in tables]}


def _all_checks() -> str:
    """The statements of all check files as one."""
    statements = (sql.read(name).rstrip().rstrip(";") for name in sql.files(CHECKS))
    return "\nunion all\n".join(f"(\n{statement}\n)" for statement in statements)


def _rows(conn: Connection, schemas: Sequence[str] | None = None) -> dict[Key, Row]:
    """What the checks return, by check and object."""
    with one_snapshot(conn):
        scope = _scope(conn, schemas)
        with conn.cursor(cursor_factory=RealDictCursor) as cur:
            cur.execute(_all_checks(), scope)
            rows = [dict(row) for row in cur.fetchall()]
        _spare_views(conn, rows)
    return {(row["check"], row["object"]): row for row in rows}


def _spare_views(conn: Connection, rows: Sequence[Row]) -> None:
    """Let the fixes that change a column's type drop the views on it first and create them again."""
    retyped = [
        {"key": position, "columns": row["details"]["retyped"]}
        for position, row in enumerate(rows)
        if row["details"].get("retyped")
    ]
    for views in sql.fetch(conn, "oltp/views_on_columns.sql", {"columns": Json(retyped)}):
        row = rows[views["key"]]
        row["fix"] = f"{views['drops']}\n{row['fix']}\n{views['creates']}"


def _analyse_new_tables(conn: Connection) -> None:
    with one_snapshot(conn):
        tables = sql.fetch(conn, "oltp/never_analysed.sql", _scope(conn, None))
    if tables:
        names = (composed.Identifier(row["schema"], row["name"]) for row in tables)
        conn.execute(composed.SQL("analyze {}").format(composed.SQL(", ").join(names)))


def _waves(findings: Sequence[Finding], rows: dict[Key, Row]) -> Iterator[list[Finding]]:
    """The findings in lists none of which has two about one table: so each fix is seen to act alone."""
    waves: list[list[Finding]] = []
    taken: dict[tuple[str, str], int] = {}
    for finding in findings:
        details = rows[_key(finding)]["details"]
        table = (details["schema"], details.get("table") or finding.object)
        position = taken.get(table, 0)
        taken[table] = position + 1
        if position == len(waves):
            waves.append([])
        waves[position].append(finding)
    for wave in waves:
        for start in range(0, len(wave), _FIXES_IN_A_TRANSACTION):
            yield wave[start : start + _FIXES_IN_A_TRANSACTION]


@dataclass
class _Attempt:
    """What became of one fix; *failure* says why it could not be run or proved."""

    finding: Finding
    row: Row
    state: Any = None
    elapsed_ms: float = 0.0
    left_out: int = 0  # statements about roles that the copy's server lacks
    failure: str = ""
    broken: bool = False  # rows break the constraint that the fix would validate


def _prove(conn: Connection, wave: Sequence[Finding], baseline: dict[Key, Row], engine: str) -> list[Finding]:
    """The findings of *wave* after their fixes ran together; halves, where that brought up a new finding."""
    with _rolled_back(conn):
        attempts = [_attempt(conn, finding, baseline[_key(finding)]) for finding in wave]
        after = _rows(conn)
        new = _new(baseline, after)
        if not new or len(wave) == 1:
            return [_judged(conn, attempt, after, new, engine) for attempt in attempts]
    middle = len(wave) // 2
    return [
        found for half in (wave[:middle], wave[middle:]) for found in _prove(conn, half, baseline, engine)
    ]


def _new(before: dict[Key, Row], after: dict[Key, Row]) -> list[Key]:
    """The findings that were not there before; one that asks for the same fix as another did is not new."""
    fixes = {row["fix"] for row in before.values()}
    return sorted(key for key, row in after.items() if key not in before and row["fix"] not in fixes)


@contextmanager
def _rolled_back(conn: Connection) -> Iterator[None]:
    """A transaction of which nothing stays."""
    conn.execute("begin")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("rollback")


@contextmanager
def _savepoint(conn: Connection) -> Iterator[None]:
    """What runs in the block is undone if it fails, and nothing else is."""
    conn.execute("savepoint workbench_fix")
    try:
        yield
    except psycopg2.Error:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_fix")
        raise
    conn.execute("release savepoint workbench_fix")


def _attempt(conn: Connection, finding: Finding, row: Row) -> _Attempt:
    """The fix of *finding* run in the open transaction, with what its proof must see before."""
    attempt = _Attempt(finding, row)
    try:
        with _savepoint(conn):
            attempt.finding = replace(finding, fix=_proof(finding).fix(conn, finding.fix, row))
            attempt.state = _proof(finding).before(conn, row)
        statements, attempt.left_out = _runnable(conn, _without_concurrently(attempt.finding.fix))
        with _savepoint(conn):
            started = time.perf_counter()
            conn.execute(statements)
            attempt.elapsed_ms = (time.perf_counter() - started) * 1000
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        attempt.failure = f"the fix fails in the scratch copy: {_message(exc)}"
        attempt.broken = isinstance(exc, psycopg2.IntegrityError)
    return attempt


def _judged(
    conn: Connection, attempt: _Attempt, after: dict[Key, Row], new: Sequence[Key], engine: str
) -> Finding:
    """The finding with its evidence, or with the reason why there is none."""
    finding = attempt.finding
    if attempt.failure:
        return _refused(conn, attempt, engine)
    if _key(finding) in after:
        return replace(
            finding, unverified_because="the fix runs in the scratch copy, yet the check still finds it"
        )
    if new:
        check, found = new[0]
        return replace(
            finding, unverified_because=f"the fix closes it and brings up another: {check} on {found}"
        )
    closed = Evidence(
        "fix-closes-finding",
        f"The fix ran in a scratch copy in {attempt.elapsed_ms:.1f} ms; then the check found nothing there, "
        "and no other check found anything new."
        + (f" Left out: {attempt.left_out} for roles that are not there." if attempt.left_out else ""),
        engine,
        {"elapsed_ms": round(attempt.elapsed_ms, 3), "new_findings": 0, "left_out": attempt.left_out},
    )
    try:
        with _savepoint(conn):
            more = _proof(finding).after(conn, attempt.row, attempt.state, engine)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(finding, evidence=(closed,), unverified_because=f"its proof fails: {_message(exc)}")
    return _with_evidence(finding, closed, more)


def _with_evidence(finding: Finding, closed: Evidence, more: Sequence[Evidence]) -> Finding:
    doubt = next((found for found in more if found.facts.get("holds") is False), None)
    if doubt:
        return replace(finding, evidence=(closed, *more), unverified_because=doubt.summary)
    if any(found.facts.get("worth_it_now") is False for found in more):
        finding = replace(finding, severity="info")
    return replace(finding, verified=True, evidence=(closed, *more))


def _refused(conn: Connection, attempt: _Attempt, engine: str) -> Finding:
    """A finding whose fix failed: where rows break the constraint, they are the finding."""
    finding, violations = attempt.finding, attempt.row["details"].get("violations")
    if finding.check != "constraint_not_valid" or not attempt.broken or not violations:
        return replace(finding, unverified_because=attempt.failure)
    counted = conn.execute(
        composed.SQL("select pg_catalog.count(*) from ({}) as violation").format(composed.SQL(violations))
    ).fetchone()
    rows = counted[0] if counted else 0
    return replace(
        finding,
        severity="error",
        title=f"{rows} {'row breaks' if rows == 1 else 'rows break'} {finding.object}, which is NOT VALID",
        fix=f"-- the rows to correct, before: {finding.fix}\n{violations};",
        verified=rows > 0,
        unverified_because="" if rows else attempt.failure,
        evidence=(
            Evidence(
                "violating-rows",
                f"{rows} {'row' if rows == 1 else 'rows'} of the scratch copy break the constraint, "
                "and validating it fails.",
                engine,
                {"rows": rows},
            ),
        ),
    )


def _proof(finding: Finding) -> Proof:
    return PROOFS.get(finding.check, Proof())


def _message(exc: psycopg2.Error) -> str:
    """What the server said, in one line."""
    parts = [exc.diag.message_primary or str(exc).strip(), exc.diag.message_detail or ""]
    return " ".join(" ".join(part.split()) for part in parts if part)


def _without_concurrently(statements: str) -> str:
    """*statements* without the keyword CONCURRENTLY, which cannot run in a transaction; all else as it is."""
    kept, position = [], 0
    for token in parser.scan(statements):
        if token.name == "CONCURRENTLY":
            kept.append(statements[position : token.start])
            position = token.end + 1
    return "".join([*kept, statements[position:]])


def _runnable(conn: Connection, statements: str) -> tuple[str, int]:
    """*statements* without owners and grants for roles that the server of the copy lacks, and how many."""
    parts = [statements[part] for part in parser.split(statements, only_slices=True)]
    named = {part: roles for part in parts if (roles := _roles_given(part))}
    if not named:
        return statements, 0
    known = {name for (name,) in conn.execute("select rolname from pg_catalog.pg_roles").fetchall()}
    kept = [part for part in parts if named.get(part, set()) <= known]
    return ";\n".join(kept), len(parts) - len(kept)


def _roles_given(statement: str) -> set[str]:
    """The roles that *statement* gives an object or a privilege to."""
    node: Any = parse_sql(statement)[0].stmt
    kind = type(node).__name__
    if kind == "GrantStmt":
        roles = node.grantees
    elif kind == "AlterTableStmt":  # which ALTER VIEW ... OWNER TO is as well
        roles = [command.newowner for command in node.cmds if command.newowner]
    else:
        return set()
    return {role.rolename for role in roles if role.rolename}
