"""What a schema holds, at a glance."""

from __future__ import annotations

from collections import Counter
from typing import Any

from workbench.catalog.model import Catalog

_COMMENT_LENGTH = 90


def table_overview(catalog: Catalog) -> list[dict[str, Any]]:
    """A row a table, ordered by name: rows (the planner's estimate), bytes, columns, keys in and out.

    A partitioned table stands for its partitions.
    """
    references = Counter(
        key.references for table in catalog.base_tables for key in table.foreign_keys if key.references
    )
    return [
        {
            "table": table.qualified,
            "rows": None if table.rows_estimated is None else round(table.rows_estimated),
            "bytes": table.total_size_bytes,
            "columns": len(table.columns),
            "primary key": ", ".join(table.primary_key.columns) if table.primary_key else "none",
            "refers to": len(table.foreign_keys),
            "referred to by": references[table.schema, table.name],
            "indexes": len(table.indexes),
            "comment": _first_sentence(table.comment or ""),
        }
        for table in sorted(catalog.base_tables, key=lambda each: (each.schema, each.name))
    ]


def _first_sentence(comment: str) -> str:
    first = comment.strip().partition(". ")[0].partition("\n")[0].rstrip(".")
    return first if len(first) <= _COMMENT_LENGTH else f"{first[: _COMMENT_LENGTH - 1]}…"


def size_of(catalog: Catalog) -> dict[str, int]:
    """How much there is: schemas, tables, views, columns, foreign keys, constraints, indexes, rows, bytes.

    What a partition has of its parent is counted once, what it has of its own as well.
    """
    tables = catalog.base_tables
    constraints = [each for table in catalog.tables for each in table.constraints if not each.inherited]
    overview = table_overview(catalog)
    return {
        "schemas": len({table.schema for table in tables}),
        "tables": len(tables),
        "partitions": sum(table.partition_of is not None for table in catalog.tables),
        "views": sum("view" in table.kind for table in catalog.tables),
        "columns": sum(len(table.columns) for table in tables),
        "foreign keys": sum(each.kind == "foreign key" for each in constraints),
        "constraints": len(constraints),
        "indexes": sum(not each.inherited for table in catalog.tables for each in table.indexes),
        "rows": sum(row["rows"] or 0 for row in overview),
        "bytes": sum(row["bytes"] for row in overview),
    }
