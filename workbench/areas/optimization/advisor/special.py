"""Indexes beyond a B-tree on columns: on expressions, on a part of the rows, and of other methods.

Which method an operator calls for is asked of the operator classes that the database has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from workbench.areas.optimization.advisor.candidates import (
    ColumnFacts,
    Keys,
    TableFacts,
    is_plain,
    within_row,
)
from workbench.areas.optimization.advisor.expressions import Condition
from workbench.areas.optimization.advisor.uses import Use
from workbench.proof.whatif import IndexDefinition, Key, Method

_RARE = 0.5  # the part of the rows that a partial index may have at most to be worth its condition
_FEW_VALUES = 50  # of a column whose values are states and not data
_LONG_BYTES = 32.0  # from which on a hash is much smaller than the value
_ORDERED = 0.9  # correlation of a column with the place of its rows, for BRIN
_BRIN_LEAST_BYTES = 8 << 20  # smaller tables are read as fast
_MOST_OF_A_METHOD = 3
_SEARCHES = frozenset(
    [
        "@>",
        "<@",
        "&&",
        "?",
        "?|",
        "?&",
        "@?",
        "@@",
        "@@@",
        "~~",
        "~~*",
        "~",
        "~*",
        "%",
        "%>",
        "<%",
        "<<",
        ">>",
        "-|-",
        "<<=",
        ">>=",
        "&<",
        "&>",
        "~=",
        "<<|",
        "|>>",
        "=",
    ]
)


@dataclass(frozen=True)
class OperatorClass:
    """An operator class of *method*; its indexes search by *operators* on columns of *type_name*."""

    method: Method
    name: tuple[str, ...]
    is_default: bool
    type_name: str
    operators: frozenset[str]

    def serves(self, operator: str, type_name: str) -> bool:
        if operator not in self.operators:
            return False
        return (
            self.type_name == type_name
            or (self.type_name == "anyarray" and type_name.endswith("[]"))
            or (self.type_name == "anyrange" and type_name.endswith("range"))
            or (self.type_name == "text" and type_name in ("character varying", "character"))
        )


def special_candidates(
    use: Use,
    table: TableFacts,
    classes: Iterable[OperatorClass],
    plain: Iterable[IndexDefinition],
    *,
    constants: bool,
) -> set[IndexDefinition]:
    """Candidates for *use* beyond *plain*, its B-trees on columns.

    *constants* says that the literals of the statement are its own and not values that somebody put in:
    only then they may stand in the condition of a partial index.
    """
    found = set(_on_expressions(use, table))
    found.update(_other_methods(use, table, list(classes)))
    found.update(_hashes(use, table))
    found.update(_block_ranges(use, table))
    predicates = list(_predicates(use, table, constants=constants))
    for each in [*plain, *found]:
        found.update(_partial(each, predicates))
    return found


def _on_expressions(use: Use, table: TableFacts) -> Iterator[IndexDefinition]:
    equal = [
        Key(each.left.column[1])
        for each in use.conditions
        if each.comparison == "equal" and each.left.column and each.right and is_plain(each, table.columns)
    ]
    for each in use.conditions:
        if each.comparison not in ("equal", "range", "prefix") or each.right is None or within_row(each):
            continue
        if not each.left.columns or is_plain(each, table.columns):
            continue
        key = Key(each.left.text, is_expression=True)
        yield IndexDefinition(use.schema, use.table, (key,))
        if equal:
            yield IndexDefinition(use.schema, use.table, (*dict.fromkeys(equal[:2]), key))


def _other_methods(use: Use, table: TableFacts, classes: list[OperatorClass]) -> Iterator[IndexDefinition]:
    for each in use.conditions:
        if each.operator not in _SEARCHES or not each.left.columns:
            continue
        column = each.left.column
        known = column is not None and column[1] in table.columns
        if not known or not is_plain(each, table.columns):
            yield from _on_document(use, each, classes)
            continue
        assert column is not None
        facts = table.columns[column[1]]
        if each.operator == "=" or (each.comparison == "prefix" and facts.collates_as_c):
            continue
        serving = _preferred([one for one in classes if one.serves(each.operator, facts.base_type)])
        for one in serving[: _MOST_OF_A_METHOD * 2]:
            key = Key(column[1], operator_class=() if one.is_default else one.name)
            yield IndexDefinition(use.schema, use.table, (key,), method=one.method)


def _on_document(use: Use, condition: Condition, classes: list[OperatorClass]) -> Iterator[IndexDefinition]:
    """A search in an expression, such as to_tsvector('english', body)."""
    if condition.left.column is not None or "(" not in condition.left.text:
        return
    serving = [
        one
        for one in classes
        if condition.operator in one.operators and one.is_default and one.type_name in ("tsvector", "jsonb")
    ]
    for one in _preferred(serving):
        key = Key(condition.left.text, is_expression=True)
        yield IndexDefinition(use.schema, use.table, (key,), method=one.method)


def _preferred(classes: list[OperatorClass]) -> list[OperatorClass]:
    """GIN where it serves: GiST finds by signatures rows that do not match, which the planner does not price.

    PostgreSQL manual, section 12.9: GIN indexes are the preferred text search index type.
    """
    return [each for each in classes if each.method == "gin"] or classes


def _hashes(use: Use, table: TableFacts) -> Iterator[IndexDefinition]:
    for each in use.conditions:
        column = each.left.column
        if each.comparison != "equal" or each.operator != "=" or not column:
            continue
        if is_plain(each, table.columns) and _is_long(table.columns[column[1]]):
            yield IndexDefinition(use.schema, use.table, (Key(column[1]),), method="hash")


def _block_ranges(use: Use, table: TableFacts) -> Iterator[IndexDefinition]:
    if table.size_bytes < _BRIN_LEAST_BYTES:
        return
    for each in use.conditions:
        column = each.left.column
        if each.comparison not in ("range", "equal") or not column or within_row(each):
            continue
        if is_plain(each, table.columns) and abs(table.columns[column[1]].correlation or 0.0) >= _ORDERED:
            yield IndexDefinition(use.schema, use.table, (Key(column[1]),), method="brin")


def _is_long(column: ColumnFacts) -> bool:
    return (column.average_width_bytes or 0.0) >= _LONG_BYTES


@dataclass(frozen=True)
class _Predicate:
    """A condition that can stand in a partial index, and the columns that need not be keys then."""

    text: str
    columns: frozenset[str]
    replaces_key: bool
    needs_key: bool = True


def _predicates(use: Use, table: TableFacts, *, constants: bool) -> Iterator[_Predicate]:
    within = [each for each in use.conditions if within_row(each) and not each.alternatives]
    for several in dict.fromkeys([*((each,) for each in within), tuple(within)]):
        if several:
            columns = frozenset(name for each in several for _, name in each.columns)
            yield _Predicate(" and ".join(each.text for each in several), columns, False, needs_key=False)
    for each in use.conditions:
        column = each.left.column
        if each.alternatives or column is None or column[1] not in table.columns or each.left.casts:
            continue
        facts = table.columns[column[1]]
        own = frozenset({column[1]})
        if each.operator in ("is null", "is not null"):
            share = facts.null_fraction if each.operator == "is null" else 1 - facts.null_fraction
            if share <= _RARE:
                yield _Predicate(each.text, own, True)
        elif each.comparison == "equal" and each.literal and _is_state(each, facts.distinct, constants):
            yield _Predicate(each.text, own, True)
    for name in _often_null(use, table):
        yield _Predicate(_not_null(name), frozenset({name}), False)


def _is_state(condition: Condition, distinct: float | None, constants: bool) -> bool:
    """Whether the literal is one of few values and written by who wrote the statement; a flag always is."""
    if condition.right is not None and condition.right.text in ("true", "false"):
        return True
    return constants and condition.operator == "=" and distinct is not None and 1 < distinct <= _FEW_VALUES


def _often_null(use: Use, table: TableFacts) -> list[str]:
    """Columns that are looked up by a value and are mostly null: those rows need not be in the index."""
    looked_up = {
        each.left.column[1]
        for each in use.conditions
        if each.comparison == "equal" and each.operator == "=" and each.left.column
    }
    looked_up |= set(use.joined)
    return sorted(
        name for name in looked_up if name in table.columns and table.columns[name].null_fraction >= _RARE
    )


def _not_null(name: str) -> str:
    return '"' + name.replace('"', '""') + '" is not null'


def _partial(index: IndexDefinition, predicates: Iterable[_Predicate]) -> Iterator[IndexDefinition]:
    if index.predicate or index.method not in ("btree", "gin", "gist"):
        return
    for each in predicates:
        if each.replaces_key:
            keys: Keys = tuple(key for key in index.keys if key.text not in each.columns)
            included = tuple(name for name in index.included if name not in each.columns)
            yield replace(index, keys=keys or index.keys[:1], included=included, predicate=each.text)
        elif not each.needs_key:
            included = tuple(name for name in index.included if name not in each.columns)
            yield from (
                replace(index, included=names, predicate=each.text) for names in {index.included, included}
            )
        elif index.keys[0].text in each.columns:
            yield replace(index, predicate=each.text)


def operator_classes(rows: Iterable[Mapping[str, object]]) -> list[OperatorClass]:
    """The classes out of the rows of sql/optimization/advisor/operator_classes.sql."""
    grouped: dict[tuple[object, ...], set[str]] = {}
    for row in rows:
        key = (row["method"], row["class_schema"], row["class_name"], row["is_default"], row["type_name"])
        grouped.setdefault(key, set()).add(str(row["operator_name"]))
    return [
        OperatorClass(
            method,  # type: ignore[arg-type]
            (str(name),) if schema == "pg_catalog" else (str(schema), str(name)),
            bool(is_default),
            str(type_name),
            frozenset(operators),
        )
        for (method, schema, name, is_default, type_name), operators in grouped.items()
    ]
