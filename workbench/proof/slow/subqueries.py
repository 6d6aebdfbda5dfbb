"""Subqueries that are run for every row: aggregated once by their key, and joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pglast.enums import JoinType, LimitOption, SubLinkType
from pglast.visitors import Skip, Visitor

from workbench.proof.slow import conditions
from workbench.proof.slow.rewriting import Change, all_of, column_of, has_subquery, plain_select
from workbench.proof.slow.structure import name_in_sql
from workbench.proof.slow.syntax import Scope, has_aggregate, joined_by_name
from workbench.proof.slow.tree import Tree, ast

_EQUAL = "="
_OVER_NOTHING = frozenset(("sum", "avg", "min", "max", "array_agg", "string_agg", "bool_and", "bool_or"))


@dataclass(frozen=True)
class _Correlated:
    """A scalar aggregate over the rows that equal some of the outer query's columns."""

    link: Tree
    inner: Scope
    keys: Sequence[tuple[Tree, Tree]]  # inner column, outer expression
    rest: Sequence[Tree]
    counts: bool


def aggregate_once(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """A correlated aggregate as a join to the aggregate by its key.

    Every inner row of another key is aggregated as well, so it is not always faster.
    """
    by_query = {id(each.query): each for each in scopes}
    for outer in scopes:
        if not plain_select(outer.query) or (has_aggregate(outer.query) and _grouped(outer)):
            continue
        found = list(_correlated(outer, by_query))
        if not found or not _stars_named(outer):
            continue
        taken = {each.alias for place in scopes for each in place.entries}
        for number, one in enumerate(found):
            name = _free(taken)
            taken.add(name)
            _join(outer, one, name)
            if number == len(found) - 1:
                return Change(
                    "the aggregate is made once for all keys and joined, instead of once for each row"
                )
    return None


def _stars_named(outer: Scope) -> bool:
    """Write ``*`` as ``a.*, b.*``, so that it takes no column of what is joined; False where it cannot be."""
    targets = []
    for target in outer.query.targetList:
        star = isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.A_Star)
        if not star or len(target.val.fields) > 1:
            targets.append(target)
            continue
        if any(list(joined_by_name(item)) for item in outer.query.fromClause):
            return False  # a column that USING merges comes once
        for each in outer.entries:
            fields = (ast.String(sval=each.alias), ast.A_Star())
            targets.append(ast.ResTarget(val=ast.ColumnRef(fields=fields)))
    outer.query.targetList = tuple(targets)
    return True


def _grouped(outer: Scope) -> bool:
    return bool(outer.query.groupClause)


def _correlated(outer: Scope, by_query: dict[int, Scope]) -> Iterator[_Correlated]:
    links: list[Tree] = []

    class _Links(Visitor):
        def visit_SubLink(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
            links.append(node)
            return Skip

    parts = [*(outer.query.targetList or ())]
    if outer.query.whereClause is not None:
        parts.append(ast.SelectStmt(whereClause=outer.query.whereClause))
    for part in parts:
        _Links()(part)
    for link in links:
        inner = by_query.get(id(link.subselect))
        if link.subLinkType == SubLinkType.EXPR_SUBLINK and inner is not None:
            made = _as_correlated(outer, inner, link)
            if made is not None:
                yield made


def _as_correlated(outer: Scope, inner: Scope, link: Tree) -> _Correlated | None:
    query = inner.query
    if (
        not plain_select(query)
        or query.limitCount
        or query.limitOffset
        or query.withClause
        or query.lockingClause
    ):
        return None
    if len(query.targetList) != 1 or not inner.entries or any(each.table is None for each in inner.entries):
        return None
    kind = _aggregate_kind(query.targetList[0].val)
    if kind is None:
        return None
    keys: list[tuple[Tree, Tree]] = []
    rest: list[Tree] = []
    for each in conditions.conjuncts(query.whereClause):
        key = _key(each, inner, outer)
        if key is not None:
            keys.append(key)
        elif has_subquery(each) or not _only(each, inner):
            return None
        else:
            rest.append(each)
    on = [reference for part in (query.fromClause or ()) for reference in conditions.columns_in(part)]
    targets = conditions.columns_in(query.targetList[0].val)
    if not keys or any(inner.resolve(reference) is None for reference in [*on, *targets]):
        return None
    return _Correlated(link, inner, keys, rest, kind == "count")


def _aggregate_kind(value: Tree) -> str | None:
    """``count`` for a bare count, ``null`` for an expression that is NULL over no rows; else None."""
    calls: list[Tree] = []
    other: list[Tree] = []

    class _Calls(Visitor):
        def visit(self, ancestors: Any, node: Any) -> Any:
            if isinstance(node, ast.FuncCall):
                calls.append(node)
                return Skip
            if isinstance(node, ast.CoalesceExpr | ast.CaseExpr | ast.NullTest | ast.SubLink):
                other.append(node)
            return None

    _Calls()(ast.ResTarget(val=value))
    if other or len(calls) != 1 or calls[0].over is not None:
        return None
    name = calls[0].funcname[-1].sval
    if name == "count" and value is calls[0]:
        return "count"
    return "null" if name in _OVER_NOTHING else None


def _key(each: Tree, inner: Scope, outer: Scope) -> tuple[Tree, Tree] | None:
    """The inner column and the outer one that the condition *each* equates."""
    if not isinstance(each, ast.A_Expr) or each.kind != conditions.OPERATOR:
        return None
    if conditions.operator(each) != _EQUAL or len(each.name) != 1:
        return None
    for own, other in ((each.lexpr, each.rexpr), (each.rexpr, each.lexpr)):
        if isinstance(own, ast.ColumnRef) and isinstance(other, ast.ColumnRef):
            mine = inner.resolve(own)
            if mine and inner.resolve(other) is None:
                theirs = outer.resolve(other)
                if theirs is not None:
                    return own, column_of(theirs[0].alias, theirs[1].name)
    return None


def _only(each: Tree, inner: Scope) -> bool:
    return all(inner.resolve(reference) is not None for reference in conditions.columns_in(each))


def _free(taken: set[str]) -> str:
    number, name = 1, "by_key"
    while name in taken:
        number += 1
        name = f"by_key_{number}"
    return name


def _join(outer: Scope, one: _Correlated, name: str) -> None:
    """Put the aggregate by its keys behind the outer FROM, and its column in the place of the subquery."""
    query = one.inner.query
    targets = [
        ast.ResTarget(name=f"key_{number}", val=own) for number, (own, _) in enumerate(one.keys, start=1)
    ]
    grouped = ast.SelectStmt(
        targetList=(*targets, ast.ResTarget(name="value", val=query.targetList[0].val)),
        fromClause=query.fromClause,
        whereClause=all_of(list(one.rest)),
        groupClause=tuple(own for own, _ in one.keys),
        groupDistinct=False,
        op=query.op,
        limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
        all=False,
    )
    joined = [
        ast.A_Expr(
            kind=conditions.OPERATOR,
            name=(ast.String(sval=_EQUAL),),
            lexpr=column_of(name, f"key_{number}"),
            rexpr=theirs,
        )
        for number, (_, theirs) in enumerate(one.keys, start=1)
    ]
    left, *others = outer.query.fromClause
    for item in others:
        left = ast.JoinExpr(jointype=JoinType.JOIN_INNER, isNatural=False, larg=left, rarg=item, rtindex=0)
    outer.query.fromClause = (
        ast.JoinExpr(
            jointype=JoinType.JOIN_LEFT,
            isNatural=False,
            larg=left,
            rarg=ast.RangeSubselect(lateral=False, subquery=grouped, alias=ast.Alias(aliasname=name)),
            quals=all_of(joined),
            rtindex=0,
        ),
    )
    _put(outer.query, one, column_of(name, "value"))


def _put(query: Tree, one: _Correlated, column: Tree) -> None:
    made: Tree = column
    if one.counts:
        nothing = ast.A_Const(isnull=False, val=ast.Integer(ival=0))
        made = ast.CoalesceExpr(args=(column, nothing))

    class _Place(Visitor):
        def visit_SubLink(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
            return made if node is one.link else Skip

    for target in query.targetList:
        if target.val is one.link and target.name is None:
            target.name = _default_name(one)  # as the subquery would have named it
        _Place()(target)
    if query.whereClause is not None:
        holder = ast.SelectStmt(whereClause=query.whereClause)
        _Place()(holder)
        query.whereClause = holder.whereClause


def _default_name(one: _Correlated) -> str:
    """The name that PostgreSQL gives the column of a subquery: that of its target."""
    target = one.inner.query.targetList[0]
    if target.name:
        return str(target.name)
    if isinstance(target.val, ast.FuncCall):
        return str(target.val.funcname[-1].sval)
    return "?column?"


# paging


def order_keys(tree: Tree, scopes: Sequence[Scope]) -> Sequence[tuple[str, bool]] | None:
    """The columns of ORDER BY as SQL, with whether they descend, where they decide the order of one table.

    None where a page cannot be asked for by them: several tables, a nullable or an unknown column, mixed
    directions, no key among them.
    """
    if (
        not isinstance(tree, ast.SelectStmt)
        or not scopes
        or not plain_select(tree)
        or len(scopes[0].entries) != 1
    ):
        return None
    place, entry = scopes[0], scopes[0].entries[0]
    if entry.table is None or not tree.sortClause or tree.limitCount is None or tree.limitOffset is None:
        return None
    if has_aggregate(tree) or tree.lockingClause or tree.limitOption.name != "LIMIT_OPTION_COUNT":
        return None
    keys: list[tuple[str, bool]] = []
    names: list[str] = []
    outputs = {target.name for target in tree.targetList if target.name}
    for each in tree.sortClause:
        named = place.resolve(each.node) if isinstance(each.node, ast.ColumnRef) else None
        if named is None or named[1].nullable or named[1].name in outputs or each.useOp:
            return None
        if each.sortby_nulls.name != "SORTBY_NULLS_DEFAULT":
            return None
        names.append(named[1].name)
        keys.append((name_in_sql(entry.alias, named[1].name), each.sortby_dir.name == "SORTBY_DESC"))
    unique = [each for each in entry.table.constraints if each.kind in ("primary key", "unique")]
    if len({down for _, down in keys}) != 1 or not any(set(each.columns) <= set(names) for each in unique):
        return None
    return keys
