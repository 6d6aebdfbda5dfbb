"""The posture of a PostgreSQL server and one of its databases, only read.

review = review_posture(opened)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.extensions import quote_ident

from workbench.areas.security.posture.by_hand import by_hand
from workbench.areas.security.posture.checks import HELPS, Check, checks
from workbench.areas.security.posture.model import AREA, Control, PostureReview, State
from workbench.areas.security.posture.running import Run, is_known, is_readable, run_checks
from workbench.engines.postgres import Connection
from workbench.proof.findings import SEVERITIES, Finding
from workbench.source import OpenSource

_ONLY_READ = "it is only read on the named server; workbench security prove tries it in a copy"


def review_posture(opened: OpenSource, *, schemas: Sequence[str] | None = None) -> PostureReview:
    """What the checks say of *opened*: of a named database its server too, of others the database alone.

    Nothing is written, and no right is needed: what this role may not read is said, with the grant that
    would help. Raises SchemaNotFound, SourceTimeout, SourceError.
    """
    return review_connection(
        opened.connection,
        looked_at_on=opened.looked_at_on,
        with_server=opened.read_only,
        schemas=schemas,
    )


def review_connection(
    conn: Connection, *, looked_at_on: str, with_server: bool, schemas: Sequence[str] | None = None
) -> PostureReview:
    """The same of the database behind *conn*; *with_server* says whether its cluster is looked at, too."""
    due = [each for each in checks() if with_server or each.scope == "database"]
    run = run_checks(conn, due, schemas)
    found = Counter(row["check"] for row in run.rows)
    controls = [_control(conn, check, run, found[check.name]) for check in due]
    return PostureReview(
        findings=tuple(worst_first([_finding(row) for row in run.rows])),
        controls=(*controls, *(by_hand() if with_server else ())),
        looked_at_on=looked_at_on,
        role=run.rights["role"],
    )


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """*findings*, the worst first, then by object and check."""
    return sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), each.object, each.check))


def _finding(row: Mapping[str, Any]) -> Finding:
    return Finding(
        area=AREA,
        **{name: row[name] for name in ("check", "severity", "object", "title", "why", "fix")},
        unverified_because=_ONLY_READ,
    )


def _control(conn: Connection, check: Check, run: Run, found: int) -> Control:
    state, detail, helps = _state(conn, check, run, found)
    return Control(check.section, check.control, check.name, check.scope, state, found, detail, helps)


def _state(conn: Connection, check: Check, run: Run, found: int) -> tuple[State, str, str]:
    if not is_known(check, conn):
        return "not applicable", f"the server has it from PostgreSQL {check.needs} on", ""
    if not is_readable(check, run.rights):
        helps = HELPS[check.reads].format(role=quote_ident(run.rights["role"], conn))
        return "not readable", f"{run.rights['role']} may not read what it looks at", helps
    if reason := run.refused.get(check.name):
        return "not readable", f"the server refuses: {reason}", "read it as a superuser"
    return ("failed" if found else "passed"), check.title, ""
