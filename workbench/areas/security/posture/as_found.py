"""A copy of the source in which everything belongs to whom it belongs there, for attempts on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg2

from workbench import sql
from workbench.areas.security.posture.model import PostureReview
from workbench.areas.security.posture.proving import prove_findings
from workbench.areas.security.posture.review import review_posture, worst_first
from workbench.areas.security.trial.standing import place_copy, security_place
from workbench.catalog.reflect import one_snapshot, schema_oids
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, SourceError
from workbench.source import OpenSource

_COPY = "security/posture/copy"


def prove_posture(
    opened: OpenSource, review: PostureReview | None = None, *, limit_s: float = 120.0
) -> PostureReview:
    """*review*, by default the one of *opened*, with its findings tried in a private cluster.

    The named database is read and nothing else. Where no copy of it can be had, each finding says why;
    what is not tried within *limit_s* does, too.
    """
    review = review or review_posture(opened)
    if not any(each.scope == "database" and each.found for each in review.controls):
        return review
    try:
        with as_found_copy(opened) as (conn, engine):
            findings = prove_findings(conn, review.findings, engine, limit_s=limit_s)
    except (SourceError, BadInput) as exc:
        findings = [replace(each, unverified_because=str(exc)) for each in review.findings]
    return replace(review, findings=tuple(worst_first(findings)))


@contextmanager
def as_found_copy(opened: OpenSource) -> Iterator[tuple[Connection, str]]:
    """A superuser's connection to a copy with the source's roles, owners and privileges, and its engine.

    Roles have no password and reach no file; what belongs to a superuser there belongs here to a role
    that is none, so that no function of the source runs as one. The rows are the source's own, or of a
    named database generated. Gone after the block. Raises SourceError, BadInput.
    """
    roles, rights = _statements(opened)
    with (
        security_place(opened) as place,
        place_copy(place, "as found") as name,
        place.server.session(name) as conn,
    ):
        _run_each(conn, roles)
        _run_each(conn, rights)
        yield conn, place.server.description


def _statements(opened: OpenSource) -> tuple[list[str], list[str]]:
    conn = opened.connection
    ours = [opened.load.role] if opened.load else []
    with one_snapshot(conn):
        parameters = {"schemas": schema_oids(conn, None), "ours": ours}
        roles = sql.fetch(conn, f"{_COPY}/roles.sql", parameters)
        rights = sql.fetch(conn, f"{_COPY}/rights.sql", parameters)
    return [row["statement"] for row in roles], [row["statement"] for row in rights]


def _run_each(conn: Connection, statements: Sequence[str]) -> None:
    """Runs what can be run: of an object that the copy lacks, or a role that is there, nothing is asked."""
    for statement in statements:
        with suppress(psycopg2.Error):
            conn.execute(statement)
