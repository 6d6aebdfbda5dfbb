"""How many bytes a freshly built B-tree needs for its entries, from the columns' statistics.

An entry is a header of 8 bytes, with a bitmap of 8 more where a key is null, the values aligned, all of it
aligned to 8, and a line pointer of 4. Equal keys share one entry with a list of row addresses of 6 bytes
each, up to a tenth of a page. Source: src/backend/access/nbtree/README, Deduplication; nbtsort.c.
"""

from __future__ import annotations

import math

from workbench.areas.optimization.structure.model import (
    LINE_POINTER_BYTES,
    ColumnFacts,
    IndexFacts,
    TableFacts,
)
from workbench.areas.optimization.structure.rows import (
    ALIGNMENT_BYTES,
    is_aligned,
    null_share,
    value_bytes,
)

_ENTRY_HEADER_BYTES = 8
_ENTRY_BITMAP_BYTES = 8
_ROW_ADDRESS_BYTES = 6
_LONGEST_LIST_BYTES = 8192 // 10 // 8 * 8 - LINE_POINTER_BYTES
_NEVER_SHARED = ("numeric", "double precision", "real", "jsonb")  # equal values that look different


def leaf_bytes(table: TableFacts, index: IndexFacts) -> float:
    """The bytes of all entries of *index*, line pointers with them, as if built anew."""
    rows = index.rows if index.rows is not None else table.rows or 0.0
    columns = [column for column in table.columns if column.position in index.columns]
    columns.sort(key=lambda column: index.columns.index(column.position))
    entry = _entry_bytes(columns)
    if not _shares_entries(index, columns):
        return rows * (entry + LINE_POINTER_BYTES)
    distinct = _distinct(columns, rows)
    each = rows / distinct
    if each < 1.5:
        return rows * (entry + LINE_POINTER_BYTES)
    most = max(1.0, (_LONGEST_LIST_BYTES - entry) // _ROW_ADDRESS_BYTES)
    lists = distinct * max(1, math.ceil(each / most))
    return lists * (entry + LINE_POINTER_BYTES) + rows * _ROW_ADDRESS_BYTES


def _entry_bytes(columns: list[ColumnFacts]) -> float:
    size = 0.0
    complete = 1.0
    for column in columns:
        missing = null_share(column)
        complete *= 1 - missing
        if is_aligned(column) and column.length > 0:
            alignment = ALIGNMENT_BYTES[column.alignment]
            size = math.ceil(size / alignment) * alignment
        size += (1 - missing) * value_bytes(column)
    aligned = size + 3.5 if any(column.length < 0 for column in columns) else math.ceil(size / 8) * 8
    return _ENTRY_HEADER_BYTES + aligned + (1 - complete) * _ENTRY_BITMAP_BYTES


def _shares_entries(index: IndexFacts, columns: list[ColumnFacts]) -> bool:
    return (
        index.deduplicates
        and not index.is_unique
        and len(index.columns) == index.key_columns
        and not any((column.type or "").startswith(_NEVER_SHARED) for column in columns)
    )


def _distinct(columns: list[ColumnFacts], rows: float) -> float:
    """How many different keys there are at the most, the columns taken as independent."""
    product = 1.0
    for column in columns:
        known = column.distinct
        if known is None or known == 0:
            return max(rows, 1.0)
        values = known if known > 0 else -known * rows
        product *= max(values, 1.0) + (1 if null_share(column) else 0)
    return max(1.0, min(product, rows))
