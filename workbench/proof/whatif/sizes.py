"""How many pages an index would have, from statistics: nbtree's own arithmetic over expected tuples.

Sources: nbtree/README, nbtdedup.c, nbtsort.c (fill factors 90 and 70), itup.h of PostgreSQL 18.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PAGE = 8192
_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}
_TUPLE_HEADER, _LINE_POINTER, _TID = 8, 4, 6
_PAGE_OVERHEAD = 24 + 16
_LEAF_FILL, _INNER_FILL = 90, 70
_UNKNOWN_WIDTH = 32  # what the planner takes for a column of unknown width


@dataclass(frozen=True)
class Column:
    """A column of an index: bytes of a value, share of nulls, distinct values (as pg_stats has it)."""

    length: int
    alignment: str
    avg_width: float | None
    null_frac: float
    n_distinct: float | None
    deduplicates: bool

    def distinct(self, rows: float) -> float:
        """The expected number of distinct values among *rows*; 200 where it is unknown, as in the planner."""
        if not self.n_distinct:
            return max(1.0, min(rows, 200.0))
        return min(rows, self.n_distinct if self.n_distinct > 0 else -self.n_distinct * rows) or 1.0


@dataclass(frozen=True)
class Size:
    """Pages of the main fork and the level of the root above the leaves."""

    pages: int
    height: int


def aligned(size_bytes: float, to: int = 8) -> int:
    return math.ceil(size_bytes / to) * to


def tuple_bytes(columns: Sequence[Column]) -> int:
    """The bytes of an index tuple without its line pointer."""
    offset = 0.0
    for column in columns:
        if column.length > 0:
            offset = aligned(offset, _ALIGNMENT[column.alignment]) + column.length
        else:
            width = column.avg_width or _UNKNOWN_WIDTH
            # a short varlena has a header of one byte and no alignment; avg_width counts the header
            offset = offset + width if width < 127 else aligned(offset, 4) + width
    return aligned(_TUPLE_HEADER + offset)


def btree(
    rows: float, keys: Sequence[Column], included: Sequence[Column], distinct: float, *, unique: bool
) -> Size:
    """The size of a freshly built B-tree of *rows* tuples with *distinct* different keys."""
    if rows <= 0:
        return Size(1, 0)
    key_bytes = tuple_bytes(keys)
    usable = PAGE - _PAGE_OVERHEAD - PAGE * (100 - _LEAF_FILL) // 100
    if not unique and not included and all(each.deduplicates for each in keys):
        total = _posting_bytes(rows, distinct, key_bytes)
        leaves = total / (usable - key_bytes / 2)
    else:
        whole = tuple_bytes([*keys, *included]) + _LINE_POINTER
        leaves = rows / max(1, math.floor((usable - whole * 0.5) / whole + 0.5))
    return _tree(max(1, math.ceil(leaves)), key_bytes + (8 if rows / max(1.0, distinct) > 1.5 else 0))


def _posting_bytes(rows: float, distinct: float, key_bytes: int) -> float:
    """Bytes of all leaf tuples where duplicates share a tuple with a list of their row ids."""
    each = max(1.0, rows / max(1.0, distinct))
    most = max(1, (PAGE // 10 - _LINE_POINTER - key_bytes) // _TID)  # nbtsort.c: a tenth of a page

    def group(size: int) -> int:
        full, rest = divmod(size, most)
        found = full * (aligned(key_bytes + _TID * most) + _LINE_POINTER)
        if rest:
            found += (key_bytes if rest == 1 else aligned(key_bytes + _TID * rest)) + _LINE_POINTER
        return found

    if each >= 60:
        return rows / each * group(round(each))
    # how many rows a key has, as Poisson has it; keys without a row are not there
    probability, total, counted = math.exp(-each), 0.0, 0.0
    for size in range(int(each * 4) + 20):
        if size:
            total += probability * group(size)
            counted += probability * size
        probability *= each / (size + 1)
    return total * rows / counted


def _tree(leaves: int, pivot_bytes: int) -> Size:
    fan_out = inner_fan_out(pivot_bytes)
    pages, level, here = leaves + 1, 0, leaves
    while here > 1:
        here = math.ceil(here / fan_out)
        pages += here
        level += 1
    return Size(pages, level)


def inner_fan_out(pivot_bytes: int) -> int:
    return max(2, int((PAGE - _PAGE_OVERHEAD) * _INNER_FILL / 100 / (pivot_bytes + _LINE_POINTER)))


def btree_height(pages: int, keys: Sequence[Column]) -> int:
    """The level of the root of a B-tree that has *pages*."""
    fan_out, height, here = inner_fan_out(tuple_bytes(keys)), 0, max(1, pages - 1)
    while here > 1:
        here = math.ceil(here / fan_out)
        height += 1
    return height


def distinct_keys(rows: float, keys: Sequence[Column]) -> float:
    """Distinct combinations of *keys*: their product, as far as *rows* can show them."""
    if len(keys) == 1:
        return keys[0].distinct(rows) + (1 if keys[0].null_frac else 0)
    product = math.prod(each.distinct(rows) for each in keys)
    return max(1.0, product * -math.expm1(-rows / product))
