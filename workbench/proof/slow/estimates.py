"""Where the planner's row counts go wrong: the lowest node that is off, the factor, and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.catalog.model import Column, Table
from workbench.proof.slow import conditions
from workbench.proof.slow.model import NodeTime, Reason, Remedy
from workbench.proof.slow.plan_reasons import ROWS, Context, facts_of
from workbench.proof.slow.structure import name_in_sql
from workbench.proof.slow.timing import expressions
from workbench.proof.slow.tree import ast

FACTOR = 10.0  # less is in the nature of estimates
_STALE = 0.1  # of the rows changed since the last ANALYZE; autovacuum comes at this by default
_ROUNDED = 180_000  # before, EXPLAIN rounds the rows of a loop
_STATISTICS_ON_EXPRESSIONS = 140_000
_TRANSIENT = ("Hash", "Sort", "Materialize", "Memoize", "Gather", "Gather Merge", "Limit", "Incremental Sort")
_NO_ROWS = ("BitmapAnd", "BitmapOr", "ModifyTable")


def estimate_reasons(context: Context) -> Iterator[Reason]:
    """Statistics that are missing, and estimates that are off where nothing beneath them is."""
    yield from _missing(context)
    if context.explained.ran:
        by_table: dict[str, list[Reason]] = {}
        for one in context.nodes:
            if _begins_here(context, one):
                table, owner = context.table(one), context.owner(one)
                key = owner.qualified if owner and table != owner else f"{one.number}"
                by_table.setdefault(key, []).append(_misestimate(context, one))
        yield from map(_of_all_partitions, by_table.values())


def _of_all_partitions(reasons: Sequence[Reason]) -> Reason:
    """One reason for the partitions of a table: the worst, with the fixes of all, for each has statistics."""
    worst = max(reasons, key=lambda each: float(each.facts["factor"]))
    if len(reasons) == 1:
        return worst
    statements = [text for each in reasons if each.remedy for text in each.remedy.statements]
    return replace(
        worst,
        summary=f"{worst.summary}; {len(reasons) - 1} more of its partitions likewise",
        fix="\n".join(dict.fromkeys(each.fix for each in reasons if each.fix)),
        remedy=Remedy(statements=tuple(dict.fromkeys(statements))) if statements else None,
    )


# statistics that are not there


def _missing(context: Context) -> Iterator[Reason]:
    """Tables never analysed, and columns in conditions that have no statistics."""
    seen: set[str] = set()
    for one in context.nodes:
        table = context.table(one)
        if table is None or table.kind == "view" or not context.structure.of(table, "may_read", False):
            continue
        if table.qualified in seen or (one.actual is not None and one.actual < 1):
            continue
        name = name_in_sql(table.schema, table.name)
        if not context.structure.of(table, "analysed", False):
            if one.actual is not None and one.actual >= ROWS:
                seen.add(table.qualified)
                yield _without_statistics(
                    context, one, table.qualified, f"{table.qualified} was never analysed", name
                )
            continue
        for column in _compared(context, one, table):
            if column.distinct is None and (table.rows_estimated or 0.0) >= ROWS:
                seen.add(table.qualified)
                label = f"{table.qualified}.{name_in_sql(column.name)}"
                yield _without_statistics(
                    context, one, label, f"{label} is in a condition and has no statistics", name
                )


def _without_statistics(context: Context, one: NodeTime, label: str, summary: str, table: str) -> Reason:
    return Reason(
        "missing_statistics",
        one.number,
        f"{summary}: its rows are guessed by fixed fractions",
        facts_of(context, one, rows_estimated=one.estimated, rows=one.actual),
        fix=f"analyze {table};",
        object=label,
        remedy=Remedy(statements=(f"analyze {table}",)),
    )


def _compared(context: Context, one: NodeTime, table: Table) -> Sequence[Column]:
    """The columns of *table* in the conditions of a scan."""
    found: dict[str, Column] = {}
    own = {one.node.get("Alias", ""): table}
    for _, text in expressions(one.node):
        parsed = conditions.condition(text)
        for reference in conditions.columns_in(parsed) if parsed is not None else ():
            named = conditions.resolved(reference, own, table)
            if named and named[0] == table:
                found[named[1].name] = named[1]
    return list(found.values())


# estimates that are off


def _off(context: Context, one: NodeTime, factor: float) -> bool:
    """Whether the estimate of a node is off by *factor*, in a way that its own end does not explain."""
    if (
        one.actual is None
        or not one.loops
        or one.type in _NO_ROWS
        or one.factor is None
        or one.factor < factor
    ):
        return False
    if max(one.actual, one.estimated) < ROWS:
        return False
    if context.structure.server_version < _ROUNDED and abs(one.actual - one.estimated) <= 0.5 * one.loops:
        return False
    # who needed only a few of its rows made it stop; more than estimated is more all the same
    return one.actual > one.estimated or not _stopped_early(context, one)


def _stopped_early(context: Context, one: NodeTime) -> bool:
    """Whether something above may have stopped the node before it gave all its rows."""
    below = one
    for above in context.above(one):
        if _reads_all(above):
            return False
        if above.type in ("Limit", "Merge Join") or below.node.get("Parent Relationship") == "SubPlan":
            return True
        if above.type in ("Nested Loop", "Hash Join") and above.node.get("Join Type") in ("Semi", "Anti"):
            return True
        if above.node.get("Inner Unique") and below.node.get("Parent Relationship") == "Inner":
            return True
        below = above
    return False


def _reads_all(above: NodeTime) -> bool:
    """Whether a node takes all rows from below before it gives the first."""
    if above.type == "Aggregate":
        return above.node.get("Strategy") in ("Plain", "Hashed")
    return above.type in ("Sort", "Hash")


def _begins_here(context: Context, one: NodeTime) -> bool:
    if one.type in _TRANSIENT or not _off(context, one, FACTOR):
        return False
    return not any(_off(context, each, FACTOR / 3) for each in context.beneath(one))


def _misestimate(context: Context, one: NodeTime) -> Reason:
    cause, fix, remedy = _cause(context, one)
    actual = one.actual or 0.0
    direction = "more" if actual > one.estimated else "fewer"
    return Reason(
        "misestimate",
        one.number,
        f"{one.label} gives {actual:,.0f} rows where {one.estimated:,.0f} were estimated, "
        f"{one.factor or 1:,.0f} times {direction}: {cause}",
        facts_of(
            context,
            one,
            rows=actual,
            rows_estimated=one.estimated,
            factor=round(one.factor or 1.0, 1),
            cause=cause,
            conditions=dict(expressions(one.node)),
        ),
        fix=fix,
        object=one.label,
        remedy=remedy,
    )


def _cause(context: Context, one: NodeTime) -> tuple[str, str, Remedy | None]:
    """What most likely misleads the planner, in words; the fix and what is tried of it."""
    table = context.table(one)
    if table is None:
        return _cause_above_tables(context, one)
    name = name_in_sql(table.schema, table.name)
    analyze = f"analyze {name}"
    if not context.structure.of(table, "analysed", False):
        return "it was never analysed", f"{analyze};", Remedy(statements=(analyze,))
    modified = float(context.structure.of(table, "modified_rows", 0))
    if modified > _STALE * max(float(table.rows_estimated or 0.0), 1.0):
        return (
            f"{modified:,.0f} rows were changed since it was analysed",
            f"{analyze};",
            Remedy(statements=(analyze,)),
        )
    bare, wrapped = _sides(context, one, table)
    if wrapped and context.structure.server_version >= _STATISTICS_ON_EXPRESSIONS:
        create = f"on {', '.join(f'({each})' for each in wrapped)} from {name}"
        return (
            f"nothing is known of {', '.join(wrapped)}",
            f"create statistics {create};\n{analyze};",
            Remedy(statements=(f"create statistics {create}", analyze)),
        )
    if len(bare) > 1:
        columns = ", ".join(map(name_in_sql, bare[:8]))
        create = f"on {columns} from {name}"
        return (
            f"{columns} are taken for independent of each other",
            f"create statistics {create};\n{analyze};",
            Remedy(statements=(f"create statistics {create}", analyze)),
        )
    if len(bare) == 1:
        wider = f"alter table {name} alter column {name_in_sql(bare[0])} set statistics 1000"
        return (
            f"the sample of {bare[0]} is too coarse for the value, or the values come from another table",
            f"{wider};\n{analyze};",
            Remedy(statements=(wider, analyze)),
        )
    if any("SubPlan" in text for _, text in expressions(one.node)):
        return "what a subquery will give is not known while planning", "", None
    return "its condition is none that statistics help with", "", None


def _cause_above_tables(context: Context, one: NodeTime) -> tuple[str, str, Remedy | None]:
    """The cause at a join, an aggregate, a function."""
    if one.type in ("Function Scan", "ProjectSet"):
        return "a function's rows are taken to be as many as its declaration says, 1,000 by default", "", None
    keys = one.node.get("Group Key", ())
    if one.type in ("Aggregate", "Group") and len(keys) > 1:
        found = [conditions.condition(each) for each in keys]
        named = [
            conditions.resolved(each, context.aliases) for each in found if isinstance(each, ast.ColumnRef)
        ]
        tables = {each[0].qualified: each[0] for each in named if each}
        if len(named) == len(keys) and all(named) and len(tables) == 1:
            (table,) = tables.values()
            name = name_in_sql(table.schema, table.name)
            columns = ", ".join(name_in_sql(each[1].name) for each in named if each)
            create = f"(ndistinct) on {columns} from {name}"
            return (
                f"the combinations of {columns} are not known, only each column's values",
                f"create statistics {create};\nanalyze {name};",
                Remedy(statements=(f"create statistics {create}", f"analyze {name}")),
            )
    if "Join" in one.type or one.type == "Nested Loop":
        return "what is joined is related in a way that no statistic holds", "", None
    return "no statistic tells how many rows come out of it", "", None


def _sides(context: Context, one: NodeTime, table: Table) -> tuple[list[str], list[str]]:
    """The columns that a scan's conditions compare bare, and the expressions they compare instead."""
    bare: list[str] = []
    wrapped: list[str] = []
    own = {one.node.get("Alias", ""): table}
    for _, text in expressions(one.node):
        for each in conditions.conjuncts(conditions.condition(text)):
            for found in conditions.comparisons(each, own, table):
                if conditions.columns_in(found.other):
                    continue  # a join: no statistic of this table alone tells of it
                side = conditions.unwrapped(found.side, found.column, context.structure)
                if conditions.bare(side):
                    bare.append(found.column.name)
                elif found.operator not in ("~~", "~~*"):
                    wrapped.append(conditions.in_short(found.side, found.column, context.structure))
    return list(dict.fromkeys(bare)), list(dict.fromkeys(wrapped))
