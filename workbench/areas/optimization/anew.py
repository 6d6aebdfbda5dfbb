"""The indexes found anew: as if the source had none but those of its keys and constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.optimization.index_tables import described
from workbench.areas.optimization.indexes import Advised
from workbench.areas.optimization.sizes import in_words
from workbench.engines.postgres import Connection
from workbench.source import OpenSource, changed_copy


@dataclass(frozen=True)
class FreeIndex:
    """An index that the design is free to have: no key and no constraint stands on it."""

    schema: str
    name: str
    table: str
    definition: str
    size_bytes: int


@contextmanager
def keys_only(opened: OpenSource) -> Iterator[tuple[OpenSource, list[FreeIndex]]]:
    """A copy of *opened* without the indexes that no key or constraint needs, and those indexes.

    Raises SourceError for a named database, whose copy would have no rows.
    """
    gone: list[FreeIndex] = []
    with changed_copy(opened, _dropping(gone)) as copy:
        yield copy, gone


def _dropping(gone: list[FreeIndex]) -> Callable[[Connection], None]:
    def drop(conn: Connection) -> None:
        for row in sql.fetch(conn, "optimization/free_indexes.sql"):
            gone.append(
                FreeIndex(
                    row["schema_name"],
                    row["index_name"],
                    row["table_name"],
                    row["definition"],
                    row["size_bytes"],
                )
            )
        if gone:
            names = [composed.Identifier(each.schema, each.name) for each in gone]
            conn.execute(composed.SQL("drop index {}").format(composed.SQL(", ").join(names)))
        conn.execute("analyze")

    return drop


def found_again(gone: list[FreeIndex], advised: Advised) -> list[dict[str, Any]]:
    """For each index that was left out, what the advice has on its table; and what it has beyond."""
    by_table: dict[tuple[str, str], list[str]] = {}
    for each in advised.advice.recommended:
        definition = each.index.definition
        by_table.setdefault((definition.schema, definition.table), []).append(described(definition))
    rows = [
        {
            "declared": each.definition.split(" USING ", 1)[-1],
            "table": each.table,
            "size": in_words(each.size_bytes),
            "advised_on_the_table": "; ".join(by_table.get((each.schema, each.table), ["none"])),
        }
        for each in gone
    ]
    tables = {(each.schema, each.table) for each in gone}
    return rows + [
        {"declared": "none", "table": table, "size": "", "advised_on_the_table": "; ".join(found)}
        for (schema, table), found in by_table.items()
        if (schema, table) not in tables
    ]
