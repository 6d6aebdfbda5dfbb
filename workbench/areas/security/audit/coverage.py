"""The registry: whether each declared table is audited still, in every partition, by what was put there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit.hidden import hidden_columns
from workbench.areas.security.audit.parts import audit_parts, audited_tables, is_by_row
from workbench.areas.security.design.text import quoted_name
from workbench.areas.security.intent.model import Intent, TableName
from workbench.catalog.model import Catalog
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

_FUNCTIONS = (
    "refuse_change",
    "record_statement",
    "record_row",
    "record_truncated_rows",
    "seal",
    "as_of",
)


@dataclass(frozen=True)
class CoverageGap:
    """What is not as declared: *part* (a trigger, function, role …) of *relation* has *problem*.

    *table* is the declared table concerned, None where it is the trail itself.
    """

    table: TableName | None
    relation: str
    part: str
    problem: str


def audit_coverage(conn: Connection, intent: Intent, catalog: Catalog) -> list[CoverageGap]:
    """Where the database differs from the declared audit; empty where all of it is in place.

    Compared are each trigger (there, ENABLE ALWAYS, its function, event, condition, columns hidden), the
    functions' bodies, rights and owner, the append-only triggers, who may read or write the trail, the
    partitions of the tables and of the log. *catalog* is of the time of the design; the state is read now.
    Raises BadInput where there is no trail at all.
    """
    if intent.audit is None:
        return []
    audit = intent.audit
    query = composing.SQL(sql.read("security/audit/coverage.sql")).format(
        audit=composing.Identifier(audit.schema)
    )
    parameters = {
        "declared": json.dumps(_declared(intent, catalog)),
        "audit": audit.schema,
        "functions": json.dumps(_functions(intent, catalog)),
        "owner": next(role.name for role in intent.roles if role.kind == "audit owner"),
        "readers": list(audit.readers),
    }
    try:
        found = conn.execute(query, parameters).fetchall()
    except (psycopg2.errors.InvalidSchemaName, psycopg2.errors.UndefinedTable) as exc:
        raise BadInput(
            f"the audit trail of {intent.name} is not here (schema {audit.schema}): apply the design first"
        ) from exc
    return [
        CoverageGap((schema, table) if table else None, relation, part, problem)
        for schema, table, relation, part, problem in found
    ]


def _declared(intent: Intent, catalog: Catalog) -> list[dict[str, object]]:
    assert intent.audit is not None
    found = []
    for table in audited_tables(intent, catalog):
        name = (table.schema, table.name)
        hidden = hidden_columns(intent, catalog, name)
        found.append(
            {
                "schema_name": table.schema,
                "table_name": table.name,
                "by_row": is_by_row(intent.audit, catalog, name),
                "redacted": list(hidden.redacted),
                "omitted": list(hidden.omitted),
                "truncation": intent.audit.truncate,
            }
        )
    return found


def _functions(intent: Intent, catalog: Catalog) -> dict[str, dict[str, object]]:
    """Of each function of the trail the MD5 of the body that the design gives it, and whose rights it has."""
    text = "\n".join(part.apply for part in audit_parts(intent, catalog))
    found: dict[str, dict[str, object]] = {}
    for function in _FUNCTIONS:
        declared = re.search(
            rf"create or replace function \S+?\.{function}\((?P<head>.*?)as \$body\$(?P<body>.*?)\$body\$",
            text,
            re.S,
        )
        if declared:
            found[function] = {
                "body": hashlib.md5(declared["body"].encode(), usedforsecurity=False).hexdigest(),
                "definer": "security definer" in declared["head"],
            }
    return found


def repair_script(intent: Intent, catalog: Catalog, gaps: Iterable[CoverageGap]) -> str:
    """SQL that brings what *gaps* name back to the design; empty without gaps.

    A detached partition is named in a comment: whether it is attached again or audited as a table of its
    own is the architect's to decide.
    """
    gaps = list(gaps)
    if not gaps:
        return ""
    tables = {gap.table for gap in gaps if gap.problem not in ("detached", "gone")}
    statements = [part.apply for part in audit_parts(intent, catalog) if part.table in tables]
    notes = [f"-- {gap.relation}: {gap.part} {gap.problem}" for gap in gaps]
    return "\n".join([*notes, "begin;", *_revokes(intent, gaps), *statements, "commit;", ""])


def _revokes(intent: Intent, gaps: Sequence[CoverageGap]) -> list[str]:
    """What takes privileges back that nobody declared."""
    return [
        f"revoke all on {gap.relation} from {'public' if gap.part == 'public' else quoted_name(gap.part)};"
        for gap in gaps
        if gap.problem.startswith("may ")
    ]
