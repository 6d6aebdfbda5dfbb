"""How many bytes a row takes, from the types' alignments, the null bitmap and the columns' mean widths.

The rules are those of PostgreSQL's heap_form_tuple: a header of 23 bytes, a bit a column where the row
has a null, all of it aligned to 8; then the values, each aligned as its type asks, but for a variable
one of less than 127 bytes, which has a header of one byte and is not aligned. Source: PostgreSQL manual,
66.6 Database Page Layout; src/include/varatt.h.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.areas.optimization.structure.model import (
    LINE_POINTER_BYTES,
    PAGE_HEADER_BYTES,
    ColumnFacts,
)

ALIGNMENT_BYTES = {"c": 1, "s": 2, "i": 4, "d": 8}
_TUPLE_HEADER_BYTES = 23
_MAXIMUM_ALIGNMENT = 8
_LONGEST_SHORT_VALUE = 126
_FEW_ROWS = 6
_UNIFORM = tuple([1 / _MAXIMUM_ALIGNMENT] * _MAXIMUM_ALIGNMENT)


def row_bytes(columns: Sequence[ColumnFacts]) -> float:
    """The expected bytes of a row whose values stand in the order of *columns*, end aligned to 8.

    Exact where no value varies in length; nulls are taken as independent of each other. Where the
    place of a value depends on others', all places modulo 8 are followed with their probabilities.
    """
    total = header_bytes(columns)
    places = (1.0, *[0.0] * (_MAXIMUM_ALIGNMENT - 1))
    for column in columns:
        added, places = _placed(column, places)
        total += added
    return total + _padding(places, _MAXIMUM_ALIGNMENT)


def header_bytes(columns: Sequence[ColumnFacts]) -> float:
    """The expected bytes before the first value: with the bitmap where a row has a null."""
    without = _aligned(_TUPLE_HEADER_BYTES)
    with_nulls = _aligned(_TUPLE_HEADER_BYTES + (len(columns) + 7) // 8)
    complete = 1.0
    for column in columns:
        complete *= 1 - null_share(column)
    return without * complete + with_nulls * (1 - complete)


def null_share(column: ColumnFacts) -> float:
    """The share of rows in which nothing of the column is stored."""
    if not column.is_stored:
        return 1.0
    return 0.0 if column.not_null else column.null_fraction or 0.0


def value_bytes(column: ColumnFacts) -> float:
    """The mean bytes of a stored value; a variable one without statistics counts as its header."""
    return float(column.length) if column.length > 0 else float(column.average_bytes or 1)


def is_aligned(column: ColumnFacts) -> bool:
    """Whether the stored values begin at the type's alignment."""
    if column.length == -1 and column.storage != "p":
        return value_bytes(column) > _LONGEST_SHORT_VALUE
    return column.length != -2


def rows_per_page(bytes_a_row: float, *, page_bytes: int, fill_percent: int, varies: bool) -> float:
    """How many rows an insert puts onto a page before it goes on to the next.

    A page has a whole number of rows of one length. Where lengths vary half a row is lost at its end, and of
    rows so long that few fit all that is not whole: how they happen to be packed is not known, and a page
    that is as full as it can be must not look wasted.
    """
    fitting = rows_fitting(bytes_a_row, page_bytes=page_bytes, fill_percent=fill_percent)
    most = (page_bytes - PAGE_HEADER_BYTES) // (_aligned(_TUPLE_HEADER_BYTES) + LINE_POINTER_BYTES)
    held = fitting - 0.5 if varies and fitting >= _FEW_ROWS else float(int(fitting + 1e-9))
    return min(max(held, 1.0), float(most))


def rows_fitting(bytes_a_row: float, *, page_bytes: int, fill_percent: int) -> float:
    """How many rows would fit onto a page up to its fill factor if they could be cut."""
    usable = page_bytes - PAGE_HEADER_BYTES - page_bytes * (100 - fill_percent) // 100
    return usable / (bytes_a_row + LINE_POINTER_BYTES)


def varies(columns: Sequence[ColumnFacts]) -> bool:
    """Whether rows differ in length."""
    return any(column.is_stored and (column.varies or 0 < null_share(column) < 1) for column in columns)


def best_order(columns: Sequence[ColumnFacts]) -> list[ColumnFacts]:
    """The columns in an order that loses nothing to alignment between them.

    Those of fixed length first, the widest alignment before the others, what is never null before what
    may be; then the variable ones, long values before short. Within that, as they stand.
    """
    kept = [column for column in columns if not column.dropped]
    return sorted(
        kept,
        key=lambda column: (
            column.length < 0,
            -ALIGNMENT_BYTES[column.alignment] if column.length > 0 else -is_aligned(column),
            null_share(column) > 0,
        ),
    )


def _placed(column: ColumnFacts, places: tuple[float, ...]) -> tuple[float, tuple[float, ...]]:
    """The expected bytes that a column adds to a row that ends at *places* (modulo 8), and where it ends."""
    missing = null_share(column)
    if missing == 1:
        return 0.0, places
    alignment = ALIGNMENT_BYTES[column.alignment] if is_aligned(column) else 1
    added = (1 - missing) * (_padding(places, alignment) + value_bytes(column))
    if column.varies:
        ends = _UNIFORM
    else:
        moved = [0.0] * _MAXIMUM_ALIGNMENT
        for place, share in enumerate(places):
            end = -(-place // alignment) * alignment + round(value_bytes(column))
            moved[end % _MAXIMUM_ALIGNMENT] += share
        ends = tuple(moved)
    return added, tuple(
        missing * before + (1 - missing) * after for before, after in zip(places, ends, strict=True)
    )


def _padding(places: Sequence[float], alignment: int) -> float:
    """The expected bytes between *places* and the next multiple of *alignment*."""
    return sum(share * (-place % alignment) for place, share in enumerate(places))


def _aligned(size: int) -> int:
    return -(-size // _MAXIMUM_ALIGNMENT) * _MAXIMUM_ALIGNMENT
