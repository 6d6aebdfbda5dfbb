"""What a database is, in few characters: the proof that a source was left as it was.

Two digests of the same structure and the same rows are equal whatever the oids, the order of the rows or
the session's settings; they compare databases of one major version of PostgreSQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice

from psycopg2.sql import SQL, Composed, Identifier, Literal

from workbench import sql
from workbench.catalog.model import qualified
from workbench.catalog.reflect import one_snapshot
from workbench.engines.postgres import Connection

_TABLES_PER_STATEMENT = 100  # a longer union would go deep into the server's stack


def catalog_digest(conn: Connection) -> str:
    """SHA-256 of the database's structure, privileges and sequences, in hexadecimal digits."""
    digest = hashlib.sha256()
    for line in structure(conn):
        digest.update("\0".join(line).encode() + b"\n")
    return digest.hexdigest()


def structure(conn: Connection) -> list[tuple[str, str, str]]:
    """What `catalog_digest` rests on: (kind, object, facts as JSON) in order; two lists show a difference."""
    with one_snapshot(conn):
        rows = sql.fetch(conn, "catalog/digest/structure.sql")
    return [(row["kind"], row["object"], row["facts"]) for row in rows]


def data_digest(conn: Connection) -> dict[str, str]:
    """Per table (qualified name) that holds rows of its own: ``rows:hash``, whatever the rows' order.

    Every row is read. The hash is the sum of 64-bit hashes of the rows' text, so that it shows a change and
    is no defence against a forger. Raises psycopg2.errors.InsufficientPrivilege where a table may not be
    read, or where a policy would hide rows from this role.
    """
    found: dict[str, str] = {}
    with one_snapshot(conn):
        sql.run(conn, ["catalog/digest/settings.sql"])
        tables = [(row["schema"], row["name"]) for row in sql.fetch(conn, "catalog/digest/tables.sql")]
        remaining = iter(tables)
        with conn.cursor() as cur:
            while batch := list(islice(remaining, _TABLES_PER_STATEMENT)):
                cur.execute(_rows_digest(batch))
                found.update(cur.fetchall())
    return found


def activity_counters(conn: Connection, *, system: bool = False) -> dict[str, dict[str, int]]:
    """Per table (qualified name): rows inserted, updated and deleted, and how often vacuumed and analyzed.

    With *system*, of the system's own tables: a change there is a change of structure, a temporary table's
    included. A session's own work is counted once it is idle or has ended, up to a second later.
    """
    sql.run(conn, ["catalog/fresh_activity.sql"])
    rows = sql.fetch(conn, "catalog/activity.sql", {"system": system})
    return {qualified(row.pop("schema"), row.pop("name")): row for row in rows}


def _rows_digest(tables: Sequence[tuple[str, str]]) -> Composed:
    """One statement with a row (qualified name, digest) for each of the *tables* (schema, name)."""
    select = SQL(sql.read("catalog/digest/rows.sql"))
    selects = [select.format(label=Literal(qualified(*table)), table=Identifier(*table)) for table in tables]
    return SQL(" union all ").join(selects)
