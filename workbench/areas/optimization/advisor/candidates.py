"""Indexes that could serve a use of a table: which keys in which order, and with which columns beside them.

Equality first, then joins, then a range or the order that is asked for (Lahdenmäki and Leach, *Relational
Database Index Design and the Optimizers*, 2005, chapter 4); the columns that are only read are included, so
that the table need not be visited (PostgreSQL manual, section 11.9).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.areas.optimization.advisor.expressions import Condition
from workbench.areas.optimization.advisor.uses import Ordering, Use
from workbench.proof.whatif import IndexDefinition, Key

MOST_KEYS = 4
_MOST_EQUAL = 3
_MOST_ORDERED = 4
_MOST_INCLUDED = 8
_FEW_INCLUDED = 2  # which are worth it even where the table has no other columns
_MOST_OF_A_ROW = 0.75
_UNKNOWN_BYTES = 8.0
_MOST_FILTERED = 2

Keys = tuple[Key, ...]


@dataclass(frozen=True)
class ColumnFacts:
    """What the candidates need to know of a column; *distinct* is a number of values, *correlation* of ±1.

    *average_width_bytes* and the rest are None where nothing was analysed. *base_type* is without modifiers.
    """

    base_type: str
    distinct: float | None = None
    null_fraction: float = 0.0
    correlation: float | None = None
    average_width_bytes: float | None = None
    collates_as_c: bool = True


@dataclass(frozen=True)
class TableFacts:
    """A table's size, its columns, and whether it can have indexes at all."""

    rows: float
    size_bytes: int
    columns: Mapping[str, ColumnFacts]


def key_candidates(use: Use, table: TableFacts) -> set[IndexDefinition]:
    """B-tree indexes for *use*: sequences of keys, each without and with the other columns that are read."""
    found: set[IndexDefinition] = set()
    for keys in _key_sequences(use, table):
        found.add(IndexDefinition(use.schema, use.table, keys))
        found.update(_covering(use, table, keys))
    return found


def _key_sequences(use: Use, table: TableFacts) -> set[Keys]:
    columns = table.columns
    equal = _by_selectivity(_compared(use, "equal", columns), columns)
    ranges = _by_selectivity(_compared(use, "range", columns), columns)
    prefixes = _by_selectivity(_compared(use, "prefix", columns), columns)
    joined = [each for each in use.joined if each in columns]
    others = [each for each in _filtered(use, columns) if each not in {*equal, *ranges, *prefixes}]

    begins: list[tuple[str, ...]] = [()]
    begins += [tuple(equal[:count]) for count in range(1, min(len(equal), _MOST_EQUAL) + 1)]
    begins += [(each,) for each in equal[1:]]
    begins += [pair[::-1] for pair in itertools.combinations(equal[:_MOST_EQUAL], 2)]
    ends: list[tuple[str, ...]] = [(), *((each,) for each in [*ranges, *prefixes])]

    sequences: set[Keys] = set()
    for begin, end in itertools.product(dict.fromkeys(begins), ends):
        sequences.add(_keys([*begin, *end], use, table))
        for join in _join_keys(use, joined):
            sequences.add(_keys([*begin, *join, *end], use, table))
            sequences.add(_keys([*join, *begin, *end], use, table))
            if end:
                sequences.add(_keys([*begin, *end, *join], use, table))
    for order in (*use.orderings, *(tuple(map(Ordering, each)) for each in use.grouped)):
        for begin in dict.fromkeys([(), tuple(equal[:_MOST_EQUAL])]):
            sequences.add(_ordered(begin, order[:_MOST_ORDERED], use, table))
    for column in use.extremes:
        for begin in dict.fromkeys([(), tuple(equal[:_MOST_EQUAL]), *_join_keys(use, joined)]):
            sequences.add(_keys([*begin, column], use, table))
    for kind in ("equal", "range", "prefix"):
        # each arm of an OR can have an index of its own, and their bitmaps are combined
        sequences |= {_keys([each], use, table) for each in _compared(use, kind, columns, alternatives=True)}
    filters = (*equal, *ranges, *prefixes, *others)
    for keys in list(sequences):
        sequences.add(_with_filters(keys, filters, use, table))
    return {each for each in sequences if each and len(each) <= MOST_KEYS + 1}


def _join_keys(use: Use, joined: Sequence[str]) -> list[tuple[str, ...]]:
    """Each joined column, and the columns that are joined to the same table, together."""
    by_partner: dict[str, list[str]] = defaultdict(list)
    for column in joined:
        for partner in use.joined[column]:
            by_partner[partner].append(column)
    several = [
        order
        for columns in by_partner.values()
        if len(columns) > 1
        for order in itertools.permutations(sorted(columns)[:3])
    ]
    return list(dict.fromkeys([*((each,) for each in joined), *several]))


def _with_filters(keys: Keys, filters: Sequence[str], use: Use, table: TableFacts) -> Keys:
    """*keys* and, behind them, the columns of conditions that can then be checked in the index."""
    present = {key.text for key in keys}
    more = [each for each in filters if each not in present][:_MOST_FILTERED]
    return (*keys, *_keys(more, use, table))


def _keys(columns: Iterable[str], use: Use, table: TableFacts) -> Keys:
    patterns = {
        each.left.column[1] for each in use.conditions if each.comparison == "prefix" and each.left.column
    }
    return tuple(
        Key(name, operator_class=_pattern_class(table.columns[name]) if name in patterns else ())
        for name in dict.fromkeys(columns)
    )


def _pattern_class(column: ColumnFacts) -> tuple[str, ...]:
    if column.collates_as_c:
        return ()
    return {
        "character varying": ("varchar_pattern_ops",),
        "character": ("bpchar_pattern_ops",),
    }.get(column.base_type, ("text_pattern_ops",))


def _ordered(begin: Sequence[str], order: Sequence[Ordering], use: Use, table: TableFacts) -> Keys:
    """Keys in the order asked for; read backwards an index gives the opposite order of all its columns."""
    wanted = [each for each in order if each.column in table.columns and each.column not in begin]
    if not wanted:
        return ()
    flip = wanted[0].descending
    sorted_keys = tuple(
        Key(
            each.column,
            descending=each.descending != flip,
            nulls_first=None if each.nulls_first is None else each.nulls_first != flip,
        )
        for each in wanted
    )
    return (*_keys(begin, use, table), *sorted_keys)


def _covering(use: Use, table: TableFacts, keys: Keys) -> Iterator[IndexDefinition]:
    if use.needed is None:
        return
    present = {key.text for key in keys}
    rest = sorted(use.needed - present)
    if not rest or len(rest) > _MOST_INCLUDED or any(each not in table.columns for each in rest):
        return
    if len(rest) > _FEW_INCLUDED and _is_most_of_the_row([*present, *rest], table):
        return
    yield IndexDefinition(use.schema, use.table, keys, included=tuple(rest))


def _is_most_of_the_row(names: Iterable[str], table: TableFacts) -> bool:
    """Whether an index on *names* would be little less than a second copy of the table."""

    def width(column: ColumnFacts | None) -> float:
        return (column.average_width_bytes if column else None) or _UNKNOWN_BYTES

    whole = sum(width(each) for each in table.columns.values())
    return sum(width(table.columns.get(name)) for name in set(names)) > _MOST_OF_A_ROW * whole


def _compared(
    use: Use, comparison: str, columns: Mapping[str, ColumnFacts], *, alternatives: bool = False
) -> list[str]:
    """The columns that are compared like that, in all rows or, with *alternatives*, in an arm of an OR."""
    found = [
        each.left.column[1]
        for each in use.conditions
        if each.comparison == comparison
        and each.alternatives == alternatives
        and each.left.column
        and is_plain(each, columns)
        and not within_row(each)
    ]
    return list(dict.fromkeys(found))


def _filtered(use: Use, columns: Mapping[str, ColumnFacts]) -> list[str]:
    found = [column for each in use.conditions for _, column in sorted(each.columns)]
    return [each for each in dict.fromkeys(found) if each in columns]


def within_row(condition: Condition) -> bool:
    """Whether the condition compares columns of one row with each other: nothing to search for."""
    return condition.right is not None and bool(
        {alias for alias, _ in condition.left.columns} & {alias for alias, _ in condition.right.columns}
    )


def is_plain(condition: Condition, columns: Mapping[str, ColumnFacts]) -> bool:
    """Whether the condition is on a column itself: a cast of varchar to text leaves it what it is."""
    column = condition.left.column
    if column is None or column[1] not in columns:
        return False
    base = columns[column[1]].base_type
    return all(
        cast == base or (cast, base) in (("text", "character varying"), ("bpchar", "character"))
        for cast in condition.left.casts
    )


def _by_selectivity(names: Iterable[str], columns: Mapping[str, ColumnFacts]) -> list[str]:
    """The most selective first; what was never analysed last."""
    return sorted(names, key=lambda name: (-(columns[name].distinct or 0.0), name))
