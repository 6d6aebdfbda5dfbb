"""The audit trail that is live in a database, compared with the intent that it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg2.errors

from workbench.areas.security.audit import CoverageGap, audit_coverage, audited_tables, repair_script
from workbench.areas.security.intent.reading import read_intent
from workbench.catalog.reflect import reflect
from workbench.errors import BadInput, NotAuthorized
from workbench.source import OpenSource


@dataclass(frozen=True)
class AuditCoverage:
    """How many *tables* are to be audited, the *gaps*, and *repair*, the SQL that closes them."""

    tables: int
    gaps: tuple[CoverageGap, ...]
    repair: str


def coverage_of(opened: OpenSource, intent: Path) -> AuditCoverage:
    """The trail in *opened* against that of the file *intent*; only read.

    Raises BadInput for an intent that does not fit or has no audit, and where there is no trail,
    NotAuthorized for a login that may not read the trail.
    """
    catalog = reflect(opened.connection)
    declared = read_intent(intent, catalog)
    if declared.audit is None:
        raise BadInput(f"{intent}: intent {declared.name} declares no audit: there is nothing to compare")
    try:
        gaps = tuple(audit_coverage(opened.connection, declared, catalog))
    except psycopg2.errors.InsufficientPrivilege as exc:
        owner = next(each.name for each in declared.roles if each.kind == "audit owner")
        raise NotAuthorized(
            f"{opened.connection.info.user} may not read all of the trail in schema {declared.audit.schema}: "
            f"name the login of a superuser or of a member of {owner}"
        ) from exc
    return AuditCoverage(len(audited_tables(declared, catalog)), gaps, repair_script(declared, catalog, gaps))
