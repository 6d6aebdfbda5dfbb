"""Findings about a database tried in a copy of it, and their fixes shown to end them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import psycopg2

from workbench.areas.security.posture.attempts import ATTEMPTS, Attempt, Outcome, undone
from workbench.areas.security.posture.checks import checks
from workbench.areas.security.posture.hijack import hijack, make_outsider
from workbench.areas.security.posture.running import Row, run_checks
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding

Key: TypeAlias = tuple[str, str]
_ATTEMPTS: Mapping[str, Attempt] = {**ATTEMPTS, "definer_search_path": hijack}
_REFUSED = "42501"
_IN_A_TRANSACTION = 250
_NOT_SHOWN = "the copy does not show it, so it could not be tried there"


def prove_findings(
    conn: Connection, findings: Sequence[Finding], engine: str, *, limit_s: float = 120.0
) -> list[Finding]:
    """*findings* with what became of each in a copy: the attempt before and after its fix, and the fix.

    *conn* is an autocommit connection of a superuser to a copy of the database in a cluster that may be
    thrown away; whatever is done is rolled back. One is verified where the attempt got what the finding
    says and the fix ends it, or, of a finding that needs no attempt, where the fix ends it; and no fix
    may bring up another above ``info``. *engine* is the name that the evidence bears. What is not tried
    within *limit_s* says so.
    """
    deadline = time.monotonic() + limit_s
    baseline = _rows(conn)
    shown: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if (finding.check, finding.object) in baseline:
            shown[finding.check].append(finding)
    proved = {
        finding.id: replace(finding, unverified_because=_why_not_shown(finding)) for finding in findings
    }
    for group in (part for each in shown.values() for part in _parts(each)):
        if time.monotonic() > deadline:
            why = f"it was not tried: the {limit_s:g} s for trials were over"
            proved |= {each.id: replace(each, unverified_because=why) for each in group}
            continue
        proved |= {each.id: each for each in _prove(conn, group, baseline, engine)}
    return [proved[finding.id] for finding in findings]


def _parts(group: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    for start in range(0, len(group), _IN_A_TRANSACTION):
        yield group[start : start + _IN_A_TRANSACTION]


def _why_not_shown(finding: Finding) -> str:
    scopes = {each.name: each.scope for each in checks()}
    if scopes.get(finding.check) == "server":
        return "it is about the server itself: a copy on another server has its own settings"
    return _NOT_SHOWN


def _rows(conn: Connection) -> dict[Key, Row]:
    due = [each for each in checks() if each.scope == "database"]
    return {(row["check"], row["object"]): row for row in run_checks(conn, due).rows}


@contextmanager
def _rolled_back(conn: Connection) -> Iterator[None]:
    conn.execute("begin")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("rollback")


def _prove(
    conn: Connection, group: Sequence[Finding], baseline: Mapping[Key, Row], engine: str
) -> list[Finding]:
    """The findings of one check, their fixes run together; one by one, where that brought up another."""
    with _rolled_back(conn):
        outsider = make_outsider(conn)
        rows = [baseline[finding.check, finding.object] for finding in group]
        before = [_tried(conn, row, outsider) for row in rows]
        failures = [_fix(conn, finding) for finding in group]
        after = [_tried(conn, row, outsider) for row in rows]
        left = _rows(conn)
    new = sorted(key for key, row in left.items() if key not in baseline and row["severity"] != "info")
    if new and len(group) > 1:
        return [found for each in group for found in _prove(conn, [each], baseline, engine)]
    return [_judged(*each, left, new, engine) for each in zip(group, before, failures, after, strict=True)]


def _tried(conn: Connection, row: Row, outsider: str) -> Outcome:
    """What became of the attempt on the finding *row*; nothing of it stays."""
    tried = _ATTEMPTS.get(row["check"])
    if tried is None:
        return Outcome(None, "")
    try:
        with undone(conn):
            return tried(conn, row["details"], outsider)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        said = (exc.diag.message_primary or str(exc)).strip()
        reached = False if exc.pgcode == _REFUSED else None
        return Outcome(reached, f"the server said: {said}", {"sqlstate": exc.pgcode})


def _fix(conn: Connection, finding: Finding) -> str:
    """Runs the fix; why it failed, or "" where it did not."""
    conn.execute("savepoint workbench_fix")
    try:
        conn.execute(finding.fix)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        conn.execute("rollback to savepoint workbench_fix")
        return (exc.diag.message_primary or str(exc)).strip()
    conn.execute("release savepoint workbench_fix")
    return ""


def _judged(
    finding: Finding,
    before: Outcome,
    failure: str,
    after: Outcome,
    left: Mapping[Key, Row],
    new: Sequence[Key],
    engine: str,
) -> Finding:
    evidence: list[Evidence] = []
    if before.text:
        then = f" After the fix: {after.text}." if after.text and before.reached else ""
        evidence.append(
            Evidence(
                "attempt",
                f"In a copy {before.text}.{then}",
                engine,
                {"reached": before.reached, **before.facts, "reached_after_fix": after.reached},
            )
        )
    closed = not failure and (finding.check, finding.object) not in left
    if closed and not new:
        evidence.append(
            Evidence(
                "fix-closes-finding",
                "The fix ran in a copy; then the check found nothing there, and no other found anything new "
                "above info.",
                engine,
                {"new_findings": 0},
            )
        )
    doubt = _doubt(before, failure, after, closed=closed, new=new)
    return replace(
        finding, verified=not doubt, unverified_because=doubt, evidence=(*finding.evidence, *evidence)
    )


def _doubt(before: Outcome, failure: str, after: Outcome, *, closed: bool, new: Sequence[Any]) -> str:
    """Why the finding is not verified; "" where it is."""
    if before.text and before.reached is None:
        return f"it could not be shown in a copy: {before.text}"
    if before.reached is False:
        return f"tried in a copy and not shown: {before.text}"
    if failure:
        return f"the fix fails in the copy: {failure}"
    if not closed:
        return "the fix runs in the copy, yet the check still finds it: it is for a person to decide"
    if new:
        check, found = new[0]
        return f"the fix ends it and brings up another: {check} on {found}"
    if before.reached and after.reached:
        return "the fix runs in the copy, yet the attempt still succeeds"
    return ""
