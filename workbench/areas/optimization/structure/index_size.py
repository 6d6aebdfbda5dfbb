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
_NEVER_SHARED = ("numeric", "double precision", "real", "jsonb", "interval")  # equal ones may look different
_NEVER_SHARED_CATEGORIES = frozenset(("A", "R", "C"))  # arrays, ranges, composite types


def leaf_bytes(table: TableFacts, index: IndexFacts) -> float:
    """The bytes of all entries of *index*, line pointers with them, as if built anew.

    Rows with a null among their keys and rows without are counted apart: they differ in length, and the
    number of distinct values is that of the rows without.
    """
    rows = index.rows if index.rows is not None else table.rows or 0.0
    columns = [column for column in table.columns if column.position in index.columns]
    columns.sort(key=lambda column: index.columns.index(column.position))
    complete = math.prod(1 - null_share(column) for column in columns)
    shares = _shares_entries(index, columns)
    never_null = [column for column in columns if null_share(column) == 0]
    return _of_rows(rows * complete, _entry_bytes(columns), _distinct(columns, rows), shares) + _of_rows(
        rows * (1 - complete), _entry_bytes(columns, with_nulls=True), _distinct(never_null, rows), shares
    )


def _of_rows(rows: float, entry_bytes: float, distinct: float, shares: bool) -> float:
    """The bytes of the entries of *rows* rows, with lists of addresses where equal keys share one."""
    if rows < 1:
        return 0.0
    each = rows / max(1.0, min(distinct, rows))
    if not shares or each < 1.05:
        return rows * (entry_bytes + LINE_POINTER_BYTES)
    most = max(1.0, (_LONGEST_LIST_BYTES - entry_bytes) // _ROW_ADDRESS_BYTES)
    if each < 2:  # some keys are there twice, the others once
        pairs = rows - rows / each
        single = rows - 2 * pairs
        return single * (entry_bytes + LINE_POINTER_BYTES) + pairs * (
            _list_bytes(entry_bytes, 2) + LINE_POINTER_BYTES
        )
    lists = math.ceil(each / most)
    return (rows / each) * lists * (_list_bytes(entry_bytes, each / lists) + LINE_POINTER_BYTES)


def _list_bytes(entry_bytes: float, addresses: float) -> float:
    """An entry with a list, aligned to 8."""
    return entry_bytes + math.ceil(addresses * _ROW_ADDRESS_BYTES / 8) * 8


def _entry_bytes(columns: list[ColumnFacts], *, with_nulls: bool = False) -> float:
    """The mean bytes of an entry whose keys are all there, or of one with a null among them."""
    size = 0.0
    for column in columns:
        share = 1.0
        if with_nulls and null_share(column):
            share = 0.0 if len(columns) == 1 else 1 - null_share(column)
        if is_aligned(column) and column.length > 0 and share:
            alignment = ALIGNMENT_BYTES[column.alignment]
            size = math.ceil(size / alignment) * alignment
        size += share * value_bytes(column)
    varying = any(column.varies for column in columns) and size > 0
    aligned = size + 3.5 if varying else math.ceil(size / 8) * 8
    return _ENTRY_HEADER_BYTES + aligned + (_ENTRY_BITMAP_BYTES if with_nulls else 0)


def _shares_entries(index: IndexFacts, columns: list[ColumnFacts]) -> bool:
    return (
        index.deduplicates
        and not index.is_unique
        and len(index.columns) == index.key_columns
        and not any(
            (column.type or "").startswith(_NEVER_SHARED) or column.category in _NEVER_SHARED_CATEGORIES
            for column in columns
        )
    )


def _distinct(columns: list[ColumnFacts], rows: float) -> float:
    """How many different keys there are at the most, the columns taken as independent."""
    product = 1.0
    for column in columns:
        known = column.distinct
        if known is None or (known == 0 and null_share(column) < 1):
            return max(rows, 1.0)
        product *= max(known if known > 0 else -known * rows, 1.0)
    return max(1.0, min(product, rows))
