"""The facts of `model`, read from a server in five queries however many tables there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg2
import psycopg2.errors

from workbench import sql
from workbench.areas.optimization.structure.model import (
    ColumnFacts,
    IndexFacts,
    ServerFacts,
    Structure,
    TableFacts,
)
from workbench.catalog.reflect import one_snapshot, schema_oids
from workbench.engines.postgres import Connection
from workbench.errors import SourceError, SourceTimeout

FOLDER = "optimization/structure"
Row = dict[str, Any]
_ATTEMPTS = 3


def read_structure(conn: Connection, *, is_live: bool, schemas: Sequence[str] | None = None) -> Structure:
    """How the tables of *schemas*, by default all but the system's, lie on disk.

    Nothing is written. *is_live* says whether the counters tell of a life, and not of our own loading.
    Raises SchemaNotFound; SourceTimeout where a table is locked for longer than the connection waits, and
    SourceError where other sessions drop things at every attempt.
    """
    failure: psycopg2.Error | None = None
    for _ in range(_ATTEMPTS):
        try:
            with one_snapshot(conn):
                return _structure(conn, is_live, schemas)
        except (psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled) as exc:
            raise SourceTimeout(
                f"database {conn.info.dbname!r}: sizes could not be read in time "
                f"({(exc.diag.message_primary or str(exc)).strip()}): try again once no table of it is locked"
            ) from exc
        except psycopg2.errors.InternalError_ as exc:  # a table or an index was dropped meanwhile
            failure = exc
    raise SourceError(
        f"database {conn.info.dbname!r} was changed while it was read ({str(failure).strip()}), "
        f"{_ATTEMPTS} times: try again when no one drops anything in it"
    ) from failure


def _structure(conn: Connection, is_live: bool, schemas: Sequence[str] | None) -> Structure:
    oids = schema_oids(conn, schemas)
    tables = sql.fetch(conn, f"{FOLDER}/tables.sql", {"schemas": oids})
    parameters = {"tables": [row["oid"] for row in tables]}
    columns = _grouped(sql.fetch(conn, f"{FOLDER}/columns.sql", parameters), "oid")
    indexes = _grouped(sql.fetch(conn, f"{FOLDER}/indexes.sql", parameters), "table_oid")
    (server,) = sql.fetch(conn, f"{FOLDER}/server.sql")
    return Structure(
        ServerFacts(page_bytes=server.pop("block_bytes"), has_lz4=bool(server.pop("has_lz4")), **server),
        [_table(row, columns.get(row["oid"], []), indexes.get(row["oid"], [])) for row in tables],
        is_live,
    )


def _grouped(rows: Sequence[Row], key: str) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped


def _table(row: Row, columns: Sequence[Row], indexes: Sequence[Row]) -> TableFacts:
    return TableFacts(
        **row,
        columns=tuple(
            ColumnFacts(**{name: value for name, value in each.items() if name != "oid"}) for each in columns
        ),
        indexes=tuple(IndexFacts(**{**each, "columns": tuple(each["columns"])}) for each in indexes),
    )
