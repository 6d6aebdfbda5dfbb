"""The facts of `model`, read from a server in five queries however many tables there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

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

FOLDER = "optimization/structure"
Row = dict[str, Any]


def read_structure(conn: Connection, *, is_live: bool, schemas: Sequence[str] | None = None) -> Structure:
    """How the tables of *schemas*, by default all but the system's, lie on disk.

    Nothing is written. *is_live* says whether the counters tell of a life, and not of our own loading.
    Raises SchemaNotFound.
    """
    with one_snapshot(conn):
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
