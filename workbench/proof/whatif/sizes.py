"""How many pages an index would have once built: the engine's own arithmetic over the tuples to expect.

Sources: nbtsort.c, nbtdedup.c, nbtree/README, hashpage.c, hashutil.c, brin_pageops.c of PostgreSQL 18.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.proof.whatif.distinct import Floats, Groups

PAGE = 8192
_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}
_TUPLE_HEADER, _NULL_HEADER, _LINE_POINTER, _TID = 8, 16, 4, 6
_ROOM = PAGE - 24 - 16 - _LINE_POINTER  # without header, special space and the high key's pointer
_LEAF_RESERVE = PAGE * (100 - 90) // 100
_INNER_ROOM = _ROOM - PAGE * (100 - 70) // 100
_LONGEST_POSTING = PAGE * 10 // 100 // 8 * 8 - 8  # _bt_load's maxpostingsize
_MOSTLY_LONG = 20
_SHORT = 127  # a varlena below it has a header of one byte and no alignment


@dataclass(frozen=True)
class Column:
    """A column of an index: its type, and the bytes of its values in sampled rows (0 for a null)."""

    length: int
    alignment: str
    widths: Floats
    deduplicates: bool


@dataclass(frozen=True)
class Size:
    """Pages of the main fork, and of a B-tree the level of the root above the leaves."""

    pages: int
    height: int = 0


def tuple_bytes(columns: Sequence[Column]) -> Floats:
    """The bytes of the index tuples of the sampled rows, without line pointers."""
    offset = np.zeros(len(columns[0].widths))
    nulls = np.zeros(len(offset), dtype=bool)
    for column in columns:
        absent = column.widths <= 0
        alignment = _ALIGNMENT[column.alignment]
        if column.length > 0:
            after = np.ceil(offset / alignment) * alignment + column.length
        else:
            start = np.where(column.widths < _SHORT, offset, np.ceil(offset / alignment) * alignment)
            after = start + column.widths
        offset = np.where(absent, offset, after)
        nulls |= absent
    return np.ceil((np.where(nulls, _NULL_HEADER, _TUPLE_HEADER) + offset) / 8) * 8


def btree(groups: Groups, keys: Sequence[Column], included: Sequence[Column], *, unique: bool) -> Size:
    """The size of a freshly built B-tree over *groups* of rows with equal keys."""
    if groups.rows < 1:
        return Size(1)
    key_bytes = tuple_bytes(keys)
    mean_key = float(key_bytes.mean())
    if not unique and not included and all(each.deduplicates for each in keys):
        leaves = _posting_leaves(groups, mean_key)
    else:
        leaves = groups.rows / _items_a_page(tuple_bytes([*keys, *included]) + _LINE_POINTER)
    leaves = max(1, math.ceil(leaves))
    return tree(leaves, pivot_bytes(groups, leaves, mean_key))


def pivot_bytes(groups: Groups, leaves: float, mean_key: float) -> float:
    """A key that separates two leaves: with a row id behind it where equal keys lie on both sides."""
    crossing = min(1.0, leaves / groups.distinct)
    return mean_key + 8 * crossing


def _items_a_page(item_bytes: Floats, count: Floats | None = None, *, spare: float = 0.0) -> float:
    """Items on a leaf, which is full when less than its reserve is free (_bt_buildadd).

    A posting list's *spare* bytes, those that its key alone would not have, fill up the reserve.
    """
    mean = float(np.average(item_bytes, weights=count))
    square = float(np.average(item_bytes**2, weights=count))
    room = min(_ROOM - _LEAF_RESERVE + spare, _ROOM - mean)
    if square - mean**2 < 0.25:
        return max(1.0, math.floor(room / mean))
    return max(1.0, (room - square / (2 * mean)) / mean)


def _posting_leaves(groups: Groups, key_bytes: float) -> float:
    """Leaves where rows of equal keys share tuples that list their row ids."""
    most = max(2, int((_LONGEST_POSTING - key_bytes) // _TID))
    long_bytes = math.ceil((key_bytes + _TID * most) / 8) * 8 + _LINE_POINTER
    # a mean between two numbers of rows is some keys with the one and some with the other
    below = np.floor(groups.size)
    above = groups.size - below
    size = np.concatenate([below, below + 1])
    count = np.concatenate([groups.count * (1 - above), groups.count * above])
    full = np.floor(size / most)
    rest = size - full * most
    listed = np.ceil((key_bytes + _TID * rest) / 8) * 8
    rest_bytes = np.where(rest <= 1, key_bytes, listed) + _LINE_POINTER
    rest_count = np.where(rest > 0, count, 0.0)
    long_count = float((count * full).sum())
    short_total = float((rest_count * rest_bytes).sum())
    if long_count * long_bytes > _MOSTLY_LONG * short_total:  # long lists fill pages by themselves
        leaves = long_count / math.floor((_ROOM - long_bytes) / long_bytes)
        return leaves + short_total / (_ROOM - _LEAF_RESERVE)
    item_bytes = np.append(rest_bytes, long_bytes)
    item_count = np.append(rest_count, long_count)
    mean = float(np.average(item_bytes, weights=item_count))
    spare = max(0.0, mean - _LINE_POINTER - key_bytes)
    return float(item_count.sum()) / _items_a_page(item_bytes, item_count, spare=spare)


def tree(leaves: int, pivot: float) -> Size:
    """The inner pages above *leaves*, filled to 70 per cent, and the meta page."""
    fan_out = inner_fan_out(pivot)
    pages, level, here = leaves + 1, 0, leaves
    while here > 1:
        here = math.ceil(here / fan_out)
        pages += here
        level += 1
    return Size(pages, level)


def inner_fan_out(pivot: float) -> int:
    return max(2, int(_INNER_ROOM / (pivot + _LINE_POINTER)))


def btree_height(pages: int, pivot: float) -> int:
    """The level of the root of a B-tree that has *pages*."""
    if pages <= 2:
        return 0
    leaves = pages - 1
    for _ in range(3):  # the leaves are what the inner pages leave
        leaves = max(1, pages - (tree(leaves, pivot).pages - leaves))
    return tree(leaves, pivot).height


def hash_index(groups: Groups) -> Size:
    """A hash index: buckets by the rows (_hash_init_metabuffer), and overflow pages by their spread."""
    item = _TUPLE_HEADER + 8 + _LINE_POINTER  # the hash code alone is stored
    fill = PAGE * 75 // 100 // item
    buckets = _bucket_count(max(2.0, math.ceil(groups.rows / fill)))
    capacity = (PAGE - 24 - 16) // item
    overflow = float((groups.count * np.floor(groups.size / capacity)).sum())
    left = groups.size % capacity
    mean = float((groups.count * left).sum()) / buckets
    deviation = math.sqrt(max(1e-9, float((groups.count * left**2).sum()) / buckets))
    standard = (capacity - mean) / deviation
    overflow += buckets * 0.5 * math.erfc(standard / math.sqrt(2))
    return Size(math.ceil(2 + buckets + overflow))


def _bucket_count(wanted: float) -> int:
    """The next number of buckets that hashpage.c allocates: doublings, later in four steps each."""
    group = max(0, math.ceil(math.log2(wanted)))
    if group < 10:
        return 1 << group
    half = 1 << (group - 1)
    return half + half // 4 * math.ceil((wanted - half) / (half // 4))


def brin(table_pages: int, key_bytes: float, pages_a_range: int = 128) -> Size:
    """A BRIN index of minima and maxima: meta page, map of ranges, a tuple a range."""
    ranges = math.ceil(max(1, table_pages) / pages_a_range)
    item = math.ceil((8 + 2 * key_bytes) / 8) * 8 + _LINE_POINTER
    return Size(1 + math.ceil(ranges / 1360) + math.ceil(ranges / max(1, (PAGE - 32) // item)))
