"""Rewrites of a SELECT, made on its syntax tree: each rule changes a tree in place and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pglast.enums import (
    BoolExprType,
    BoolTestType,
    CTEMaterialize,
    JoinType,
    LimitOption,
    SetOperation,
    SubLinkType,
)
from pglast.visitors import Skip, Visitor

from workbench.proof.slow import conditions, ranges
from workbench.proof.slow.structure import Structure
from workbench.proof.slow.syntax import (
    Entry,
    Scope,
    all_scopes,
    common_tables,
    has_aggregate,
    queries,
)
from workbench.proof.slow.syntax_reasons import existence, joined_for_nothing, not_ins
from workbench.proof.slow.tree import Tree, ast

_ARMS = 4  # of an OR: more make the text longer than it is worth
_AND = BoolExprType.AND_EXPR


@dataclass(frozen=True)
class Change:
    """What a rule did to a tree: in words, and where it does not mean quite the same."""

    summary: str
    caveat: str = ""
    may_differ: bool = False  # it is shown to be another question where there are NULLs


Rule = Callable[[Tree, Sequence[Scope]], Change | None]


def rewritten(rule: Rule, tree: Tree, structure: Structure, search_path: Sequence[str]) -> Change | None:
    """Change *tree* by *rule*; None where the rule does not apply, and then the tree is as it was."""
    if not isinstance(tree, ast.SelectStmt):
        return None
    return rule(tree, all_scopes(structure, tree, search_path))


# conditions


class _Comparisons(Visitor):
    """Replaces the comparisons of one scope, not those of the subqueries in it."""

    def __init__(self, change: Callable[[Tree], Tree | None]) -> None:
        self._change = change
        self.changed = 0

    def visit_SubLink(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
        return Skip

    def visit_A_Expr(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
        made = self._change(node)
        if made is None:
            return None
        self.changed += 1
        return made


def replace_conditions(place: Scope, change: Callable[[Tree], Tree | None]) -> int:
    """Apply *change* to the comparisons in WHERE and in the ON of joins; how many it replaced."""
    visitor = _Comparisons(change)
    query = place.query
    if query.whereClause is not None:
        holder = ast.SelectStmt(whereClause=query.whereClause)
        visitor(holder)
        query.whereClause = holder.whereClause
    for item in query.fromClause or ():
        _replace_on(item, visitor)
    return visitor.changed


def _replace_on(item: Tree, visitor: _Comparisons) -> None:
    if isinstance(item, ast.JoinExpr):
        if item.quals is not None:
            holder = ast.SelectStmt(whereClause=item.quals)
            visitor(holder)
            item.quals = holder.whereClause
        _replace_on(item.larg, visitor)
        _replace_on(item.rarg, visitor)


def function_to_range(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """A column within a function that stands for a range of it: the column itself, between two bounds."""
    changed: list[str] = []
    for place in scopes:

        def change(node: Tree, place: Scope = place) -> Tree | None:
            made = ranges.as_range(node, place)
            if made is not None:
                changed.append(conditions.printed_plainly(node))
            return made

        replace_conditions(place, change)
    if not changed:
        return None
    return Change(f"the column itself is compared instead of {' and '.join(changed)}")


def not_in_to_not_exists(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """NOT IN (SELECT …) as NOT EXISTS, which the planner makes an anti join of."""
    by_query = {id(each.query): each for each in scopes}
    for outer in scopes:
        for found in not_ins([outer, *(each for each in scopes if each is not outer)]):
            if by_query.get(id(found.inner.query)) is None or outer.query.whereClause is None:
                continue
            if not any(found.negation is each for each in conditions.conjuncts(outer.query.whereClause)):
                continue
            exists = _not_exists(outer, found.inner, found.link)
            if exists is None:
                continue
            outer.query.whereClause = _without(outer.query.whereClause, [found.negation], [exists])
            if found.nullable:
                return Change(
                    "NOT EXISTS asks for rows without a partner, which an anti join finds at once",
                    f"where {found.nullable} is NULL, NOT IN gives no row at all, and NOT EXISTS gives those "
                    "without a partner",
                    may_differ=True,
                )
            return Change(
                "NOT EXISTS asks the same, since neither side can be NULL, and becomes an anti join"
            )
    return None


def _not_exists(outer: Scope, inner: Scope, link: Tree) -> Tree | None:
    query = inner.query
    if query.op or query.groupClause or query.limitCount or query.limitOffset or has_aggregate(query):
        return None
    if query.withClause or query.valuesLists or len(query.targetList or ()) != 1 or not query.fromClause:
        return None
    if {each.alias for each in outer.entries} & {each.alias for each in inner.entries}:
        return None
    left = _qualified(link.testexpr, outer)
    right = _qualified(query.targetList[0].val, inner)
    if left is None or right is None:
        return None
    and_where(query, ast.A_Expr(kind=_OP, name=(ast.String(sval="="),), lexpr=right, rexpr=left))
    query.targetList = (ast.ResTarget(val=_integer(1)),)
    query.distinctClause = None
    query.sortClause = None
    return _not(ast.SubLink(subLinkType=SubLinkType.EXISTS_SUBLINK, subselect=query))


_OP = conditions.OPERATOR


def _qualified(expression: Tree, place: Scope) -> Tree | None:
    """*expression*, a column, with its alias before it; None where it is not surely of this scope."""
    if not isinstance(expression, ast.ColumnRef):
        return None
    named = place.resolve(expression)
    if named is None:
        return None
    return column_of(named[0].alias, named[1].name)


def column_of(*names: str) -> Tree:
    return ast.ColumnRef(fields=tuple(ast.String(sval=name) for name in names))


def _integer(value: int) -> Tree:
    return ast.A_Const(isnull=False, val=ast.Integer(ival=value))


def _not(node: Tree) -> Tree:
    return ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(node,))


def all_of(parts: Sequence[Tree]) -> Tree | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else ast.BoolExpr(boolop=_AND, args=tuple(parts))


def and_where(query: Tree, condition: Tree) -> None:
    query.whereClause = all_of([*conditions.conjuncts(query.whereClause), condition])


def _without(clause: Tree | None, taken: Sequence[Tree], added: Sequence[Tree] = ()) -> Tree | None:
    kept = [each for each in conditions.conjuncts(clause) if not any(each is one for one in taken)]
    return all_of([*kept, *added])


def count_to_exists(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """``(select count(*) …) > 0`` as EXISTS."""
    changed = 0

    class _Counts(Visitor):
        def visit_A_Expr(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
            nonlocal changed
            found = existence(node)
            if found is None:
                return None
            query, wanted = found
            query.targetList = (ast.ResTarget(val=_integer(1)),)
            query.sortClause = None
            changed += 1
            made = ast.SubLink(subLinkType=SubLinkType.EXISTS_SUBLINK, subselect=query)
            return made if wanted else _not(made)

    _Counts()(tree)
    return Change("EXISTS stops at the first row instead of counting all") if changed else None


# OR


def or_to_union(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """OR between columns as UNION ALL, each arm without the rows of those before it: no row comes twice."""
    if not isinstance(tree, ast.SelectStmt) or not scopes or not plain_select(tree) or has_aggregate(tree):
        return None
    if tree.lockingClause or tree.withClause or not _sorts_by_output(tree):
        return None
    for each in conditions.conjuncts(tree.whereClause):
        arms = conditions.alternatives(each)
        if not 2 <= len(arms) <= _ARMS or not _of_different_columns(arms):
            continue
        rest = [one for one in conditions.conjuncts(tree.whereClause) if one is not each]
        made = []
        for number, arm in enumerate(arms):
            before = [
                ast.BooleanTest(arg=other, booltesttype=BoolTestType.IS_NOT_TRUE) for other in arms[:number]
            ]
            made.append(
                ast.SelectStmt(
                    targetList=tree.targetList,
                    fromClause=tree.fromClause,
                    whereClause=all_of([*rest, arm, *before]),
                    op=SetOperation.SETOP_NONE,
                    limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
                    groupDistinct=False,
                    all=False,
                )
            )
        union = made[0]
        for right in made[1:]:
            union = ast.SelectStmt(
                op=SetOperation.SETOP_UNION,
                all=True,
                larg=union,
                rarg=right,
                limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
                groupDistinct=False,
            )
        tree.targetList, tree.fromClause, tree.whereClause = None, None, None
        tree.op, tree.all, tree.larg, tree.rarg = union.op, True, union.larg, union.rarg
        return Change(
            f"UNION ALL of {len(arms)} arms, each by its own index, without the rows of those before it"
        )
    return None


def _of_different_columns(arms: Sequence[Tree]) -> bool:
    names = {tuple(sorted(map(conditions.printed_plainly, conditions.columns_in(arm)))) for arm in arms}
    return len(names) > 1 and () not in names


def plain_select(query: Tree) -> bool:
    """Whether it is a SELECT of rows: no groups, no DISTINCT, no set operation, no window."""
    return not (
        query.op
        or query.groupClause
        or query.havingClause
        or query.distinctClause
        or query.windowClause
        or query.valuesLists
        or query.intoClause
    ) and bool(query.fromClause and query.targetList)


def _sorts_by_output(query: Tree) -> bool:
    """Whether ORDER BY names output columns only, as a UNION's has to."""
    names = set()
    for target in query.targetList:
        if target.name:
            names.add(target.name)
        elif isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.String):
            names.add(target.val.fields[-1].sval)
    for each in query.sortClause or ():
        if isinstance(each.node, ast.A_Const) and isinstance(each.node.val, ast.Integer):
            continue
        if not (
            isinstance(each.node, ast.ColumnRef)
            and len(each.node.fields) == 1
            and isinstance(each.node.fields[0], ast.String)
            and each.node.fields[0].sval in names
        ):
            return False
    return True


# DISTINCT and UNION


def distinct_to_exists(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """DISTINCT over a join of which only one side is asked for: EXISTS asks for the others."""
    for place in scopes:
        query = place.query
        spare = set(joined_for_nothing(place))
        conjuncts = _flat_conditions(query)
        if not spare or conjuncts is None or query.lockingClause:
            continue
        parts = _split(place, conjuncts, spare)
        items = {each.alias: item for each, item in zip(place.entries, _flat_items(query), strict=False)}
        if parts is None or len(items) != len(place.entries):
            continue
        kept, moved = parts
        inner = ast.SelectStmt(
            targetList=(ast.ResTarget(val=_integer(1)),),
            fromClause=tuple(items[each.alias] for each in place.entries if each.alias in spare),
            whereClause=all_of(moved),
            op=SetOperation.SETOP_NONE,
            limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
            groupDistinct=False,
            all=False,
        )
        exists = ast.SubLink(subLinkType=SubLinkType.EXISTS_SUBLINK, subselect=inner)
        left = [each for each in place.entries if each.alias not in spare]
        query.fromClause = tuple(items[each.alias] for each in left)
        query.whereClause = all_of([*kept, exists])
        if len(left) == 1 and _has_key(query, place, left[0]):
            query.distinctClause = None
        return Change(f"EXISTS asks whether {', '.join(sorted(spare))} has a row, and multiplies nothing")
    return None


def _flat_items(query: Tree) -> list[Tree]:
    found: list[Tree] = []

    def visit(item: Tree) -> None:
        if isinstance(item, ast.JoinExpr):
            visit(item.larg)
            visit(item.rarg)
        else:
            found.append(item)

    for item in query.fromClause or ():
        visit(item)
    return found


def _flat_conditions(query: Tree) -> list[Tree] | None:
    """All conditions of WHERE and ON; None where a join is no inner one by ON, or one has a subquery."""
    found = list(conditions.conjuncts(query.whereClause))
    for item in query.fromClause or ():
        inner = _inner_quals(item)
        if inner is None:
            return None
        found += inner
    if any(not isinstance(item, ast.RangeVar) for item in _flat_items(query)):
        return None
    return None if any(has_subquery(each) for each in found) else found


def _inner_quals(item: Tree) -> list[Tree] | None:
    if not isinstance(item, ast.JoinExpr):
        return []
    if item.jointype != JoinType.JOIN_INNER or item.usingClause or item.isNatural or item.alias:
        return None
    left, right = _inner_quals(item.larg), _inner_quals(item.rarg)
    if left is None or right is None:
        return None
    return [*conditions.conjuncts(item.quals), *left, *right]


def has_subquery(tree: Tree) -> bool:
    found: list[Tree] = []

    class _Links(Visitor):
        def visit_SubLink(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
            found.append(node)

    _Links()(tree)
    return bool(found)


def _split(place: Scope, conjuncts: Sequence[Tree], spare: set[str]) -> tuple[list[Tree], list[Tree]] | None:
    """The conditions that stay, and those that ask something of *spare*; None where a name is not sure."""
    kept: list[Tree] = []
    moved: list[Tree] = []
    for each in conjuncts:
        named = [place.resolve(reference) for reference in conditions.columns_in(each)]
        if any(one is None for one in named):
            return None
        aliases = {one[0].alias for one in named if one}
        (moved if aliases & spare else kept).append(each)
        for reference in conditions.columns_in(each) if aliases & spare else ():
            one = place.resolve(reference)
            if one:  # the subquery has names of its own: say whose column it is
                reference.fields = column_of(one[0].alias, one[1].name).fields
    return kept, moved


def _has_key(query: Tree, place: Scope, entry: Entry) -> bool:
    """Whether the targets hold a key of the table, so that no row can come twice."""
    table = entry.table
    if table is None or entry.outer or entry.inherited_from:
        return False  # a key does not hold for the rows of tables that inherit
    names = set()
    for target in query.targetList or ():
        named = place.resolve(target.val) if isinstance(target.val, ast.ColumnRef) else None
        if named and named[0] is entry:
            names.add(named[1].name)
    keys = [each for each in table.constraints if each.kind in ("primary key", "unique")]
    return any(
        set(key.columns) <= names and not any(table.column(each).nullable for each in key.columns)
        for key in keys
        if not key.deferrable
    )


def distinct_unneeded(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """DISTINCT of rows that a key tells apart already."""
    for place in scopes:
        query = place.query
        plain = query.distinctClause and not any(each is not None for each in query.distinctClause)
        if not plain or len(place.entries) != 1 or query.groupClause or query.op or has_aggregate(query):
            continue
        if _has_key(query, place, place.entries[0]):
            query.distinctClause = None
            return Change("no row can come twice, for a key is among the columns: DISTINCT is left out")
    return None


def union_to_union_all(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """UNION of arms that differ in a constant and have no row twice: UNION ALL."""
    by_query = {id(each.query): each for each in scopes}
    for query in queries(tree):
        if query.op != SetOperation.SETOP_UNION or query.all:
            continue
        arms = [query.larg, query.rarg]
        places = [by_query.get(id(each)) for each in arms]
        if any(each.op or not each.targetList or each.groupClause or has_aggregate(each) for each in arms):
            continue
        if not _differ(arms[0].targetList, arms[1].targetList):
            continue
        if all(
            place and len(place.entries) == 1 and _has_key(place.query, place, place.entries[0])
            for place in places
        ):
            query.all = True
            return Change("UNION ALL: the arms differ in a constant, and a key tells the rows of each apart")
    return None


def _differ(left: Sequence[Tree], right: Sequence[Tree]) -> bool:
    """Whether two rows of targets have different constants of one kind in one place."""
    for one, other in zip(left, right, strict=False):
        values = [getattr(each.val, "val", None) for each in (one, other)]
        if all(isinstance(each.val, ast.A_Const) and not each.val.isnull for each in (one, other)):
            same_kind = type(values[0]) is type(values[1]) and isinstance(values[0], ast.String | ast.Integer)
            if same_kind and conditions.printed_plainly(one.val) != conditions.printed_plainly(other.val):
                return True
    return False


# CTEs


def inline_cte(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """CTEs as NOT MATERIALIZED, so that conditions reach into them."""
    changed = []
    for name, cte in common_tables(tree).items():
        recursive = cte.cterecursive or (tree.withClause is not None and tree.withClause.recursive)
        stored = cte.ctematerialized == CTEMaterialize.CTEMaterializeAlways or _read_often(tree, name)
        if isinstance(cte.ctequery, ast.SelectStmt) and not recursive and stored:
            cte.ctematerialized = CTEMaterialize.CTEMaterializeNever
            changed.append(name)
    if not changed:
        return None
    return Change(f"NOT MATERIALIZED lets the planner filter inside {', '.join(changed)}")


def _read_often(tree: Tree, name: str) -> bool:
    found: list[Tree] = []

    class _Read(Visitor):
        def visit_RangeVar(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
            if node.relname == name and not node.schemaname:
                found.append(node)

    _Read()(tree)
    return len(found) > 1
