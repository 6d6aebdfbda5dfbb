"""A statement's syntax with its names resolved: the tables behind aliases, the columns behind names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pglast.enums import JoinType
from pglast.visitors import Visitor

from workbench.catalog.model import Column, Table
from workbench.proof.slow.conditions import columns_in, type_name
from workbench.proof.slow.structure import Structure
from workbench.proof.slow.tree import Tree, ast


@dataclass(frozen=True)
class Entry:
    """An item of FROM: *table* where the catalog has it; *outer* where a join may fill it with nulls."""

    alias: str
    table: Table | None = None
    query: Tree | None = None
    outer: bool = False
    cross: bool = False  # CROSS JOIN: meant to be multiplied
    lateral: bool = False
    one_row: bool = False
    renamed: bool = False
    inherited_from: bool = False  # other tables inherit from it without being partitions


@dataclass(frozen=True)
class Scope:
    """One SELECT with what its FROM offers; *above* is the scope of the query it stands in."""

    query: Tree = field(repr=False)
    entries: Sequence[Entry]
    above: Scope | None = None

    def resolve(self, reference: Tree) -> tuple[Entry, Column] | None:
        """The table's entry and column behind a name of this scope itself; None where it is not sure."""
        names = [each.sval if isinstance(each, ast.String) else None for each in reference.fields]
        if names[-1] is None:
            return None
        if any(each.table is None or each.renamed for each in self.entries) and len(names) == 1:
            return None  # it may be a column of what is not known
        found = [
            (each, column)
            for each in self.entries
            if (len(names) == 1 or each.alias == names[-2]) and each.table and not each.renamed
            for column in each.table.columns
            if column.name == names[-1]
        ]
        return found[0] if len(found) == 1 else None

    def entry(self, alias: str) -> Entry | None:
        return next((each for each in self.entries if each.alias == alias), None)


class _Casts(Visitor):
    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def visit_TypeCast(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        for each in columns_in(node.arg):
            if isinstance(each.fields[-1], ast.String):
                self.found.add((each.fields[-1].sval, type_name(node.typeName)))


def explicit_casts(statement: Tree) -> frozenset[tuple[str, str]]:
    """The casts of columns that a statement's author wrote: column and type."""
    visitor = _Casts()
    visitor(statement)
    return frozenset(visitor.found)


class _Queries(Visitor):
    def __init__(self) -> None:
        self.found: list[Tree] = []

    def visit_SelectStmt(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        self.found.append(node)


def queries(statement: Tree) -> Sequence[Tree]:
    """All SELECTs of a statement, the outer ones first."""
    visitor = _Queries()
    visitor(statement)
    return visitor.found


class _FunctionNames(Visitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_FuncCall(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        self.found.append(node.funcname[-1].sval)


def function_names(statement: Tree) -> Sequence[str]:
    visitor = _FunctionNames()
    visitor(statement)
    return list(dict.fromkeys(visitor.found))


def common_tables(statement: Tree) -> Mapping[str, Tree]:
    """The CTEs of a statement by name."""
    found: dict[str, Tree] = {}

    class _Named(Visitor):
        def visit_CommonTableExpr(self, ancestors: Any, node: Tree) -> None:  # noqa: N802
            found[node.ctename] = node

    _Named()(statement)
    return found


def all_scopes(structure: Structure, statement: Tree, search_path: Sequence[str]) -> Sequence[Scope]:
    """A scope for each SELECT of the statement, the outer ones first."""
    named = common_tables(statement)
    return [scope(each, structure, search_path, named=named) for each in queries(statement)]


def scope(
    query: Tree,
    structure: Structure,
    search_path: Sequence[str],
    *,
    named: Mapping[str, Tree],
    above: Scope | None = None,
) -> Scope:
    """What the FROM of *query* offers; *named* are the CTEs, which hide tables of their names."""
    entries = [
        entry for item in query.fromClause or () for entry in _entries(item, structure, search_path, named)
    ]
    return Scope(query, tuple(entries), above)


def _entries(
    item: Tree,
    structure: Structure,
    search_path: Sequence[str],
    named: Mapping[str, Tree],
    *,
    outer: bool = False,
    cross: bool = False,
) -> Iterator[Entry]:
    if isinstance(item, ast.JoinExpr):
        plain = item.quals is None and not item.usingClause and not item.isNatural
        crossed = cross or (plain and item.jointype == JoinType.JOIN_INNER)
        left = outer or item.jointype in (JoinType.JOIN_RIGHT, JoinType.JOIN_FULL)
        right = outer or item.jointype in (JoinType.JOIN_LEFT, JoinType.JOIN_FULL)
        yield from _entries(item.larg, structure, search_path, named, outer=left, cross=crossed)
        yield from _entries(item.rarg, structure, search_path, named, outer=right, cross=crossed)
        return
    alias = item.alias.aliasname if getattr(item, "alias", None) else getattr(item, "relname", "")
    renamed = bool(getattr(item, "alias", None) and item.alias.colnames)
    if isinstance(item, ast.RangeVar):
        table = None
        if item.schemaname:
            table = structure.table(item.schemaname, item.relname)
        elif item.relname not in named:
            table = structure.find(item.relname, search_path)
        heirs = table is not None and structure.has_heirs(table)
        yield Entry(alias, table, outer=outer, cross=cross, renamed=renamed, inherited_from=heirs)
    elif isinstance(item, ast.RangeSubselect):
        yield Entry(
            alias,
            query=item.subquery if isinstance(item.subquery, ast.SelectStmt) else None,
            outer=outer,
            cross=cross,
            lateral=bool(item.lateral),
            one_row=gives_one_row(item.subquery),
        )
    else:
        yield Entry(alias, outer=outer, cross=cross, lateral=True)


def gives_one_row(query: Tree) -> bool:
    """Whether a SELECT gives one row however much there is: an aggregate without groups, or no FROM."""
    if query.valuesLists:
        return len(query.valuesLists) == 1
    if query.groupClause or query.op:
        return False
    if not query.fromClause:
        return True
    calls = [target.val for target in query.targetList or () if isinstance(target.val, ast.FuncCall)]
    return bool(calls) and any(call.agg_star or _aggregate(call) for call in calls)


_AGGREGATES = frozenset(
    ("count", "sum", "avg", "min", "max", "array_agg", "string_agg", "bool_and", "bool_or", "every")
)


def _aggregate(call: Tree) -> bool:
    return call.over is None and call.funcname[-1].sval in _AGGREGATES


def has_aggregate(query: Tree) -> bool:
    """Whether the targets or HAVING of *query* itself hold a call that may be an aggregate or a window."""
    found: list[Tree] = []

    class _Calls(Visitor):
        def visit_FuncCall(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
            if node.over is not None or node.agg_star or node.funcname[-1].sval in _AGGREGATES:
                found.append(node)

    for target in query.targetList or ():
        _Calls()(target)
    return bool(found) or query.havingClause is not None


def joined_by_name(item: Tree) -> Iterator[list[str]]:
    """The aliases that USING, NATURAL or an outer join's ON connect."""
    if isinstance(item, ast.JoinExpr):
        if item.usingClause or item.isNatural:
            yield [*_names(item.larg), *_names(item.rarg)]
        yield from joined_by_name(item.larg)
        yield from joined_by_name(item.rarg)


def _names(item: Tree) -> Iterator[str]:
    if isinstance(item, ast.JoinExpr):
        yield from _names(item.larg)
        yield from _names(item.rarg)
    else:
        yield item.alias.aliasname if getattr(item, "alias", None) else getattr(item, "relname", "")
