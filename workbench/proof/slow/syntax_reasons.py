"""Why a statement is slow by its very words: read from the syntax tree, weighed by the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pglast.enums import BoolExprType, CTEMaterialize, SubLinkType
from pglast.visitors import Visitor

from workbench.proof.slow import conditions
from workbench.proof.slow.model import NodeTime, Reason, Remedy
from workbench.proof.slow.plan_reasons import MATTERS, ROWS, Context, facts_of
from workbench.proof.slow.structure import name_in_sql
from workbench.proof.slow.syntax import Entry, Scope, all_scopes, common_tables, joined_by_name, queries
from workbench.proof.slow.tree import Tree, ast

_MUCH_OUTPUT_BYTES = 1 << 20
_WIDE_BYTES = 500
_TOAST_PAGES = 64
_FAR = 1_000  # rows that an OFFSET reads for nothing


@dataclass(frozen=True)
class NotIn:
    """A NOT IN with a subquery; *nullable* says whose NULL would empty the result, if any can."""

    negation: Tree
    link: Tree
    inner: Scope
    nullable: str


def syntax_reasons(context: Context, statement: Tree, search_path: Sequence[str]) -> Iterator[Reason]:
    """The reasons that the statement's syntax shows, where its plan does not say that they cost nothing."""
    scopes = all_scopes(context.structure, statement, search_path)
    yield from _offset(context, statement)
    for each in not_ins(scopes):
        yield from _not_in(each)
    yield from _select_star(context, scopes)
    yield from _distinct(context, scopes)
    yield from _count_for_existence(context, statement)
    yield from _cartesian(context, scopes)
    yield from _materialized(context, statement)


# paging


def _offset(context: Context, statement: Tree) -> Iterator[Reason]:
    """OFFSET that reads many rows to skip them."""
    if not any(query.limitOffset is not None for query in queries(statement)):
        return
    for one in context.nodes:
        below = context.children(one)
        if one.type != "Limit" or not below:
            continue
        read = below[0].actual if below[0].actual is not None else one.estimated
        kept = one.actual if one.actual is not None else one.estimated
        if one.actual is None:
            continue
        skipped = (read or 0.0) - (kept or 0.0)
        if skipped >= _FAR and skipped > (kept or 0.0):
            yield Reason(
                "offset_paging",
                one.number,
                f"OFFSET reads {skipped:,.0f} rows to skip them, and more with every page",
                facts_of(context, one, rows_skipped=skipped, rows_kept=kept),
                advice="Page by the last key seen: where (sort key) > (the last one), with an index on it.",
                object="the statement",
            )


# NOT IN


class _Negated(Visitor):
    def __init__(self) -> None:
        self.found: list[tuple[Tree, Tree]] = []

    def visit_BoolExpr(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        if node.boolop == BoolExprType.NOT_EXPR:
            link = node.args[0]
            if (
                isinstance(link, ast.SubLink)
                and link.subLinkType == SubLinkType.ANY_SUBLINK
                and not link.operName
            ):
                self.found.append((node, link))


def not_ins(scopes: Sequence[Scope]) -> list[NotIn]:
    """The NOT IN with a subquery of each scope's WHERE, with what could be NULL in it."""
    by_query = {id(each.query): each for each in scopes}
    found = []
    for outer in scopes:
        if outer.query.whereClause is None:
            continue
        visitor = _Negated()
        visitor(outer.query.whereClause)
        for negation, link in visitor.found:
            inner = by_query.get(id(link.subselect))
            if inner is not None and any(
                negation is each for each in conditions.conjuncts(outer.query.whereClause)
            ):
                found.append(NotIn(negation, link, inner, _nullable(outer, link, inner)))
    return found


def _nullable(outer: Scope, link: Tree, inner: Scope) -> str:
    """What may be NULL on either side, in words; empty where neither can."""
    query = inner.query
    target = query.targetList[0].val if query.targetList and len(query.targetList) == 1 else None
    parts = []
    if not never_null(target, inner):
        parts.append(
            f"{conditions.printed_plainly(target) if target is not None else 'a column'} of the subquery"
        )
    if not never_null(link.testexpr, outer):
        parts.append(conditions.printed_plainly(link.testexpr))
    return " and ".join(parts)


def never_null(expression: Tree | None, place: Scope) -> bool:
    """Whether an expression is a column that is declared NOT NULL, or that WHERE says is not null."""
    if isinstance(expression, ast.A_Const):
        return not expression.isnull
    if not isinstance(expression, ast.ColumnRef):
        return False
    named = place.resolve(expression)
    if named and not named[1].nullable and not named[0].outer and not _null_before(named[0], named[1].name):
        return True
    for each in conditions.conjuncts(place.query.whereClause):
        not_null = isinstance(each, ast.NullTest) and each.nulltesttype.name == "IS_NOT_NULL"
        if not_null and named and isinstance(each.arg, ast.ColumnRef) and place.resolve(each.arg) == named:
            return True
    return False


def _null_before(entry: Entry, column: str) -> bool:
    """Whether rows may have NULL though the column is NOT NULL: not validated, or inherited by others."""
    constraints = entry.table.constraints if entry.table else ()
    return entry.inherited_from or any(
        each.kind == "not null" and column in each.columns and not each.validated for each in constraints
    )


def _not_in(each: NotIn) -> Iterator[Reason]:
    if each.nullable:
        yield Reason(
            "not_in_nullable",
            None,
            f"NOT IN with a NULL in it is never true: {each.nullable} may be NULL, "
            "and the planner cannot make an anti join of it",
            {"condition": conditions.printed_plainly(each.negation), "nullable": each.nullable},
            advice="NOT EXISTS is what is meant most often; it gives other rows where there are NULLs, "
            "so decide which rows are wanted.",
            object="the statement",
        )


# what is asked for and not needed


def _select_star(context: Context, scopes: Sequence[Scope]) -> Iterator[Reason]:
    """SELECT * at the top over columns that are wide or stored out of line."""
    top = scopes[0] if scopes else None
    if top is None or not any(_is_star(target.val) for target in top.query.targetList or ()):
        return
    for entry in top.entries:
        table = entry.table
        if table is None:
            continue
        width = sum(column.average_width_bytes or 0 for column in table.columns)
        toast = int(context.structure.of(table, "toast_pages", 0))
        out = context.explained.output_bytes
        heavy = width >= _WIDE_BYTES or toast >= _TOAST_PAGES
        if len(table.columns) < 2 or not heavy or (out is not None and out < _MUCH_OUTPUT_BYTES):
            continue
        widest = sorted(table.columns, key=lambda column: -(column.average_width_bytes or 0))[:3]
        yield Reason(
            "select_star",
            None,
            f"* asks for all {len(table.columns)} columns of {table.qualified}, {width:,} bytes a row"
            + (f" and {toast:,} pages out of line" if toast >= _TOAST_PAGES else "")
            + (f": {out / 1024:,.0f} kB are sent" if out is not None else ""),
            {
                "row_bytes": width,
                "toast_pages": toast,
                "output_bytes": out,
                "output_ms": context.explained.output_ms,
                "widest": [column.name for column in widest],
            },
            advice="Name the columns that are used: an index may hold them all.",
            object=table.qualified,
        )
        return


def _is_star(value: Tree) -> bool:
    return isinstance(value, ast.ColumnRef) and isinstance(value.fields[-1], ast.A_Star)


def _distinct(context: Context, scopes: Sequence[Scope]) -> Iterator[Reason]:
    """DISTINCT over a join whose other tables only multiply the rows."""
    for each in scopes:
        spare = joined_for_nothing(each)
        if not spare or not context.explained.ran:
            continue
        for one in context.nodes:
            below = context.children(one)
            grouped = one.type == "Unique" or (one.type == "Aggregate" and one.node.get("Group Key"))
            if not grouped or not below or (below[0].actual or 0.0) < 2 * max(one.actual or 0.0, 1.0):
                continue
            if (below[0].actual or 0.0) - (one.actual or 0.0) < ROWS or context.share(one) < MATTERS:
                continue
            yield Reason(
                "distinct_over_join",
                one.number,
                f"DISTINCT takes away what the join multiplies: {below[0].actual:,.0f} rows become "
                f"{one.actual:,.0f}, and nothing is asked of {', '.join(spare)}",
                facts_of(context, one, rows_joined=below[0].actual, rows_distinct=one.actual, joined=spare),
                advice="EXISTS asks whether there is a row, and multiplies nothing.",
                object=", ".join(spare),
            )
            return


def joined_for_nothing(place: Scope) -> list[str]:
    """The aliases that a SELECT DISTINCT joins and asks no column of; none where that is not sure."""
    query = place.query
    if (
        not query.distinctClause
        or any(each is not None for each in query.distinctClause)
        or len(place.entries) < 2
    ):
        return []
    if query.groupClause or query.havingClause or query.limitCount:
        return []
    used: set[str] = set()
    for part in [*(query.targetList or ()), *(query.sortClause or ())]:
        for reference in conditions.columns_in(part):
            named = place.resolve(reference)
            if named is None:
                return []
            used.add(named[0].alias)
    if not used:
        return []
    return [each.alias for each in place.entries if each.alias not in used]


class _Counts(Visitor):
    def __init__(self) -> None:
        self.found: list[Tree] = []

    def visit_A_Expr(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        if existence(node):
            self.found.append(node)


def existence(node: Tree) -> tuple[Tree, bool] | None:
    """The SELECT whose ``count(*)`` is compared with nothing, and whether rows are wanted or not."""
    if not isinstance(node.lexpr, ast.SubLink) or node.lexpr.subLinkType != SubLinkType.EXPR_SUBLINK:
        return None
    query = node.lexpr.subselect
    targets: Sequence[Tree] = query.targetList or ()
    if len(targets) != 1 or query.groupClause or query.havingClause or query.limitCount or query.limitOffset:
        return None
    call = targets[0].val
    if (
        not isinstance(call, ast.FuncCall)
        or not call.agg_star
        or call.over
        or call.agg_filter
        or not query.fromClause
    ):
        return None
    if call.funcname[-1].sval != "count" or not isinstance(node.rexpr, ast.A_Const):
        return None
    number = getattr(node.rexpr.val, "ival", None) if not node.rexpr.isnull else None
    wanted = {(">", 0): True, (">=", 1): True, ("<>", 0): True, ("=", 0): False, ("<", 1): False}
    answer = wanted.get((conditions.operator(node), 0 if number is None else number))
    return None if answer is None or not _whole(node.rexpr) else (query, answer)


def _whole(constant: Tree) -> bool:
    return isinstance(constant.val, ast.Integer)


def _count_for_existence(context: Context, statement: Tree) -> Iterator[Reason]:
    """count(*) compared with 0: all rows are counted to know whether there is one."""
    visitor = _Counts()
    visitor(statement)
    for each in visitor.found:
        yield Reason(
            "count_for_existence",
            None,
            "all rows are counted to know whether there is one",
            {"condition": conditions.printed_plainly(each)},
            advice="EXISTS stops at the first row.",
            object="the statement",
        )


# joins without a condition


def _cartesian(context: Context, scopes: Sequence[Scope]) -> Iterator[Reason]:
    """Tables in FROM that no condition connects, where the plan multiplies them."""
    for each in scopes:
        groups = unconnected(each)
        if len(groups) < 2:
            continue
        for one in context.nodes:
            if _multiplies(context, one):
                outer, inner = context.children(one)[:2]
                rows = one.actual if one.actual is not None else one.estimated
                yield Reason(
                    "cartesian_product",
                    one.number,
                    f"no condition connects {' with '.join(', '.join(group) for group in groups)}: "
                    f"each row of one meets each of the other, {rows:,.0f} rows",
                    facts_of(context, one, rows=rows, outer=outer.label, inner=inner.label),
                    advice="Add the missing join condition; where all pairs are wanted, write CROSS JOIN.",
                    object="the statement",
                )
                return


def _multiplies(context: Context, one: NodeTime) -> bool:
    if one.type != "Nested Loop" or "Join Filter" in one.node:
        return False
    sides = [
        each for each in context.children(one) if each.node.get("Parent Relationship") in ("Outer", "Inner")
    ]
    if len(sides) != 2 or one.node.get("Join Type", "Inner") != "Inner":
        return False
    if any("Index Cond" in each.node for each in (sides[1], *context.beneath(sides[1]))):
        return False
    sizes = [float(each.node["Plan Rows"]) for each in sides]
    return min(sizes) > 1


def unconnected(place: Scope) -> list[list[str]]:
    """The items of FROM in groups that conditions connect; CROSS JOIN, LATERAL and single rows connect."""
    if len(place.entries) < 2:
        return []
    group = {each.alias: number for number, each in enumerate(place.entries)}
    if len(group) < len(place.entries):
        return []

    def connect(names: Sequence[str]) -> None:
        numbers = {group[name] for name in names}
        for name, number in group.items():
            if number in numbers:
                group[name] = min(numbers)

    for condition in _join_conditions(place.query):
        names = {
            place_of
            for reference in conditions.columns_in(condition)
            if (place_of := _alias(place, reference))
        }
        if any(_alias(place, reference) is None for reference in conditions.columns_in(condition)):
            return []  # whose column it is, is not known
        connect([name for name in names if name in group])
    for item in place.query.fromClause or ():
        for joined in joined_by_name(item):
            connect([name for name in joined if name in group])
    free = {each.alias for each in place.entries if each.cross or each.lateral or each.one_row}
    groups: dict[int, list[str]] = {}
    for name, number in group.items():
        groups.setdefault(number, []).append(name)
    return [names for names in groups.values() if not set(names) <= free] if len(groups) > 1 else []


def _alias(place: Scope, reference: Tree) -> str | None:
    names = [each.sval if isinstance(each, ast.String) else None for each in reference.fields]
    if len(names) > 1:
        return names[-2]
    named = place.resolve(reference)
    return named[0].alias if named else None


def _join_conditions(query: Tree) -> Iterator[Tree]:
    yield from conditions.conjuncts(query.whereClause)
    for item in query.fromClause or ():
        yield from _quals(item)


def _quals(item: Tree) -> Iterator[Tree]:
    if isinstance(item, ast.JoinExpr):
        if item.quals is not None:
            yield from conditions.conjuncts(item.quals)
        yield from _quals(item.larg)
        yield from _quals(item.rarg)


# CTEs and functions


def _materialized(context: Context, statement: Tree) -> Iterator[Reason]:
    """CTEs that are stored whole and then read for a few rows."""
    named = common_tables(statement)
    for one in context.nodes:
        cte = named.get(str(one.node.get("CTE Name", "")))
        removed = float(one.node.get("Rows Removed by Filter", 0)) * one.loops
        if one.type != "CTE Scan" or cte is None or cte.cterecursive or removed < ROWS:
            continue
        if removed < 9 * max(one.actual or 0.0, 1.0):
            continue
        told = cte.ctematerialized == CTEMaterialize.CTEMaterializeAlways
        yield Reason(
            "materialized_cte",
            one.number,
            f"the CTE {name_in_sql(cte.ctename)} is stored whole and read for {one.actual or 0:,.0f} of its "
            f"rows: the condition does not reach into it",
            facts_of(context, one, rows_removed=removed, filter=one.node.get("Filter", ""), told=told),
            advice="AS NOT MATERIALIZED lets the planner filter inside it.",
            object=f"CTE {cte.ctename}",
        )


def parallel_reasons(context: Context, unsafe: Sequence[tuple[str, str, str]]) -> Iterator[Reason]:
    """A large sequential scan in one process, for a function of the statement is PARALLEL UNSAFE."""
    if not unsafe or any(one.type in ("Gather", "Gather Merge") for one in context.nodes):
        return
    for one in context.nodes:
        table = context.table(one)
        if one.type != "Seq Scan" or table is None or context.structure.pages(table) < 1024:
            continue
        names = [f"{name_in_sql(schema, name)}({arguments})" for schema, name, arguments in unsafe]
        change = [f"alter function {each} parallel safe" for each in names]
        yield Reason(
            "not_parallel",
            one.number,
            f"{one.label} is read by one process, for {', '.join(names)} is PARALLEL UNSAFE, "
            "as functions are unless they say otherwise",
            facts_of(context, one, functions=names, pages=context.structure.pages(table)),
            fix="\n".join(f"{each};" for each in change),
            advice="Only where the function writes nothing and uses no sequence, cursor or temporary table.",
            object=table.qualified,
            remedy=Remedy(statements=tuple(change)),
        )
        return
