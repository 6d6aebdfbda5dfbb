"""How a statement uses each table, read off the planner's own plan.

The plan has views expanded, subqueries pulled up, names resolved and conditions moved to where they hold:
what an index could serve stands there, whatever the statement looks like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from workbench.areas.optimization.advisor.expressions import (
    ColumnOf,
    Condition,
    bare_columns_in,
    columns_in,
    conditions,
    operand,
    parsed,
)
from workbench.proof.plans import Node, Plan

_CONDITIONS = (
    "Filter",
    "Index Cond",
    "Recheck Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
)
_GROUPING = frozenset({"Aggregate", "Group", "WindowAgg"})
_KEYS = ("Sort Key", "Presorted Key", "Group Key", "Grouping Sets", "Order By", "Cache Key")


@dataclass(frozen=True)
class Ordering:
    """A column of the order that is asked for, and its direction."""

    column: str
    descending: bool = False
    nulls_first: bool | None = None


@dataclass(frozen=True)
class Use:
    """How one statement uses one table under one alias; column names are the table's.

    *conditions* are those on this table alone, *joined* the columns that are equal to another table's or an
    outer query's, each with the alias it is joined to. *needed* are all columns that are read, None where
    that is not known. *rows* is the planner's estimate of the rows that are left.
    """

    schema: str
    table: str
    alias: str
    conditions: tuple[Condition, ...] = ()
    joined: Mapping[str, frozenset[str]] = field(default_factory=dict)
    orderings: tuple[tuple[Ordering, ...], ...] = ()
    grouped: tuple[tuple[str, ...], ...] = ()
    extremes: frozenset[str] = frozenset()
    needed: frozenset[str] | None = None
    rows: float = 0.0


def uses_of(
    plan: Plan,
    columns: Mapping[tuple[str, str], Sequence[str]],
    roots: Mapping[tuple[str, str], tuple[str, str]],
) -> list[Use]:
    """The uses of tables in *plan*, which must have been read with VERBOSE.

    *columns* are the columns of each table (schema, name); what is not among them (functions, catalogs) is
    left out. A partition goes by its topmost parent, which *roots* give.
    """
    reading = _Reading(columns, roots)
    reading.visit(plan.root, None)
    return reading.uses()


class _Reading:
    def __init__(
        self,
        columns: Mapping[tuple[str, str], Sequence[str]],
        roots: Mapping[tuple[str, str], tuple[str, str]],
    ) -> None:
        self._columns = columns
        self._roots = roots
        self._tables: dict[str, tuple[str, str]] = {}
        self._rows: dict[str, float] = {}
        self._conditions: list[Condition] = []
        self._mentioned: dict[str, set[str]] = defaultdict(set)
        self._outputs: dict[str, set[str]] = {}
        self._bare: set[str] = set()  # columns without an alias above a scan
        self._orderings: dict[str, list[tuple[Ordering, ...]]] = defaultdict(list)
        self._grouped: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self._extremes: dict[str, set[str]] = defaultdict(set)

    def visit(self, node: Node, parent: Node | None) -> None:
        alias = str(node.get("Alias", ""))
        table = (node.get("Schema", ""), node.get("Relation Name", ""))
        table = self._roots.get(table, table)
        scans = alias != "" and table in self._columns and node["Node Type"] != "ModifyTable"
        if scans:
            self._tables[alias] = table
            self._rows[alias] = float(node.get("Plan Rows", 0.0))
        for name in _CONDITIONS:
            for text in _texts(node.get(name)):
                if node["Node Type"] in _GROUPING:  # HAVING is of groups, not of rows
                    self._mention(columns_in(text))
                else:
                    self._condition(text)
        for name in _KEYS:
            for text in _texts(node.get(name)):
                self._mention(columns_in(text))
        self._order(node)
        texts = _texts(node.get("Output"))
        found = frozenset().union(*map(columns_in, texts))
        bare = frozenset().union(*map(bare_columns_in, texts))
        if not scans or parent is None:
            self._bare |= bare
        if scans:
            self._outputs[alias] = {column for of, column in found if of == alias} | bare
        else:
            self._mention(found)
            self._extremes_of(node)
        if parent is None:
            self._mention(found)
        for child in node.get("Plans", ()):
            self.visit(child, node)

    def _condition(self, text: str) -> None:
        found = conditions(text)
        self._conditions += found
        self._mention(columns_in(text))

    def _mention(self, columns: Iterable[ColumnOf]) -> None:
        for alias, column in columns:
            self._mentioned[alias].add(column)

    def _order(self, node: Node) -> None:
        if node["Node Type"] in ("Sort", "Incremental Sort"):
            found = [_ordering(text) for text in _texts(node.get("Sort Key"))]
            if prefix := _of_one_table(found):
                self._orderings[prefix[0]].append(prefix[1])
        if node["Node Type"] in ("Aggregate", "Group", "Unique") and node.get("Group Key"):
            keys = [(each.column, Ordering("")) for each in map(_bare, node["Group Key"]) if each.column]
            if prefix := _of_one_table(keys):
                self._grouped[prefix[0]].append(
                    tuple(column for (alias, column), _ in keys if alias == prefix[0])
                )

    def _extremes_of(self, node: Node) -> None:
        if node["Node Type"] != "Aggregate" or node.get("Group Key"):
            return
        for text in _texts(node.get("Output")):
            tree: Any = parsed(text)
            if isinstance(tree, ast.FuncCall) and _name_of(tree) in ("min", "max") and tree.args:
                column = operand(tree.args[0]).column
                if column:
                    self._extremes[column[0]].add(column[1])

    def uses(self) -> list[Use]:
        joined = self._joined()
        if len(self._tables) == 1:
            self._mentioned[next(iter(self._tables))] |= self._bare
        return [self._use(alias, table, joined) for alias, table in self._tables.items()]

    def _use(self, alias: str, table: tuple[str, str], joined: Mapping[ColumnOf, frozenset[ColumnOf]]) -> Use:
        known = set(self._columns[table])
        others = set(self._tables) - {alias}
        own = tuple(
            dict.fromkeys(
                each
                for each in self._conditions
                if each.left.columns
                and {of for of, _ in each.left.columns} == {alias}
                and not (each.right and any(of in others for of, _ in each.right.columns))
            )
        )
        mentioned = self._mentioned[alias] & known
        output = self._outputs[alias] & known
        # a scan may hand up whole rows where nobody minds: then only what is mentioned above it is needed
        needed = mentioned if output == known and mentioned != known else mentioned | output
        return Use(
            *table,
            alias,
            conditions=own,
            joined={
                column: frozenset(of for of, _ in others)
                for (of_alias, column), others in joined.items()
                if of_alias == alias and column in known
            },
            orderings=tuple(dict.fromkeys(self._orderings[alias])),
            grouped=tuple(dict.fromkeys(self._grouped[alias])),
            extremes=frozenset(self._extremes[alias] & known),
            needed=frozenset(needed),
            rows=self._rows[alias],
        )

    def _joined(self) -> dict[ColumnOf, frozenset[ColumnOf]]:
        """Columns that are equal to columns of others; what is equal to the same is equal."""
        groups: dict[ColumnOf, set[ColumnOf]] = {}
        for each in self._conditions:
            if each.comparison != "equal" or each.right is None or each.operator != "=":
                continue
            left, right = each.left.column, each.right.column
            if not left or not right or left[0] == right[0]:
                continue
            merged = groups.get(left, {left}) | groups.get(right, {right})
            for column in merged:
                groups[column] = merged
        return {
            column: frozenset(other for other in group if other[0] != column[0])
            for column, group in groups.items()
            if len({alias for alias, _ in group}) > 1
        }


def _name_of(call: Any) -> str:
    return str(call.funcname[-1].sval)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [text for each in value for text in _texts(each)]


def _bare(text: str) -> Any:
    return operand(parsed(text)) if parsed(text) is not None else operand(ast.A_Const(isnull=True))


def _ordering(text: str) -> tuple[ColumnOf | None, Ordering]:
    """A sort key of a plan: the column, or None for an expression, with its direction."""
    words = text
    nulls_first: bool | None = None
    for suffix, value in ((" NULLS FIRST", True), (" NULLS LAST", False)):
        if words.endswith(suffix):
            words, nulls_first = words.removesuffix(suffix), value
    descending = words.endswith(" DESC")
    column = _bare(words.removesuffix(" DESC")).column
    return column, Ordering(column[1] if column else "", descending, nulls_first)


def _of_one_table(
    keys: Sequence[tuple[ColumnOf | None, Ordering]],
) -> tuple[str, tuple[Ordering, ...]] | None:
    """The longest beginning of *keys* that is of one table: its alias, and the order."""
    if not keys or keys[0][0] is None:
        return None
    alias = keys[0][0][0]
    prefix = []
    for column, ordering in keys:
        if column is None or column[0] != alias:
            break
        prefix.append(ordering)
    return alias, tuple(prefix)
