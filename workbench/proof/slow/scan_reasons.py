"""Why scans and joins read too much: conditions that no index can serve, and rows read for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.catalog.model import Column, Table
from workbench.proof.access_paths import SMALL_PAGES
from workbench.proof.slow import conditions
from workbench.proof.slow.conditions import Found
from workbench.proof.slow.model import NodeTime, Reason, Remedy
from workbench.proof.slow.plan_reasons import MATTERS, ROWS, Context, facts_of
from workbench.proof.slow.structure import name_in_sql
from workbench.proof.slow.syntax import explicit_casts
from workbench.proof.slow.timing import expressions
from workbench.proof.slow.tree import Tree, ast

_LIKE = ("~~", "~~*")
_RANGES = ("=", "<", "<=", ">", ">=")
_MOST = 0.9  # of the rows read are thrown away
_MUCH = 0.75  # the same, where an index could not have served
_PATTERN_CLASSES = {
    "text": "text_pattern_ops",
    "character varying": "varchar_pattern_ops",
    "character": "bpchar_pattern_ops",
}
_SEARCHED = ("Filter", "Join Filter", "Hash Cond", "Merge Cond")
_RARE = 0.2  # of a table's rows wanted: an index that finds them would be used


@dataclass(frozen=True)
class _Scan:
    """A scan that throws rows away: what it read and kept, over all loops; estimates where it was not run.

    The scans of all partitions of a table are one, with the node of the longest.
    """

    node: NodeTime
    table: Table
    label: str
    read: float
    kept: float

    @property
    def removed(self) -> float:
        return self.read - self.kept

    def wastes(self, share: float) -> bool:
        """Whether it throws away *share* of what it reads, and not just a few rows."""
        return self.removed >= ROWS and self.removed >= share * self.read


def scan_reasons(context: Context, statement: Tree) -> Iterator[Reason]:
    """The reasons that the conditions of scans and joins show, whether the plan was run or not.

    *statement* is the statement's syntax: it tells the casts that its author wrote from those that the
    types ask for.
    """
    casts = explicit_casts(statement)
    for one in context.nodes:
        if not one.loops:
            continue
        scan = _scan(context, one)
        explained: list[str] = []
        if scan:
            for found in _found(context, one, ("Filter",)):
                for reason in _about(context, scan, found, casts):
                    explained.append(conditions.printed_plainly(found.condition))
                    yield reason
            yield from _or_across_columns(context, scan)
            yield from _discarding(context, scan, explained)
        yield from _joins(context, one, casts)
        yield from _or_across_tables(context, one)
        yield from _not_pruned(context, one)


def _scan(context: Context, one: NodeTime) -> _Scan | None:
    """The sequential scan *one* where it reads a table worth an index for a few of its rows."""
    table, owner = context.table(one), context.owner(one)
    if table is None or owner is None or not _reads_through(one):
        return None
    scans = [one] if table == owner else _of_partitions(context, one, owner)
    if one is not scans[0] or context.structure.pages(owner) <= SMALL_PAGES:
        return None
    read, kept = 0.0, 0.0
    for each in scans:
        found = context.table(each)
        if each.actual is None:
            read += float(found.rows_estimated or 0.0) if found else 0.0
            kept += float(each.node["Plan Rows"])
        else:
            read += each.actual + float(each.node.get("Rows Removed by Filter", 0)) * each.loops
            kept += each.actual
    if one.actual is not None and sum(each.share or 0.0 for each in scans) < MATTERS:
        return None
    longest = max(scans, key=lambda each: each.self_ms or 0.0)
    label = f"{one.type} on {len(scans)} partitions of {owner.qualified}" if len(scans) > 1 else one.label
    return _Scan(longest, owner, label, read, kept)


def _reads_through(one: NodeTime) -> bool:
    return one.type in ("Seq Scan", "Sample Scan") and "Filter" in one.node


def _of_partitions(context: Context, one: NodeTime, owner: Table) -> list[NodeTime]:
    """The scans of partitions of *owner* beneath the same Append."""
    append = next((each for each in context.above(one) if each.type in ("Append", "Merge Append")), None)
    if append is None:
        return [one]
    return [
        each
        for each in context.beneath(append)
        if _reads_through(each) and each.loops and context.owner(each) == owner
    ]


def _found(context: Context, one: NodeTime, titles: Sequence[str]) -> Iterator[Found]:
    """The comparisons with a column in the conditions of a node; of a scan those with its own columns."""
    alone = context.owner(one)
    known = {one.node.get("Alias", ""): alone} if alone else context.aliases
    for title, text in expressions(one.node):
        if title in titles:
            for each in conditions.conjuncts(conditions.condition(text)):
                yield from conditions.comparisons(each, known, alone)


# one comparison


def _about(
    context: Context, scan: _Scan, found: Found, casts: frozenset[tuple[str, str]]
) -> Iterator[Reason]:
    """What keeps an index from serving one comparison of a wasteful scan."""
    if not scan.wastes(_MUCH):
        return
    side = conditions.unwrapped(found.side, found.column, context.structure)
    if found.operator in _LIKE and found.side is getattr(found.condition, "lexpr", None):
        if conditions.bare(side):
            yield from _pattern(context, scan, found)
        return
    if conditions.bare(side) or found.operator not in _RANGES or _indexed(context, found):
        return
    yield _wrapped(context, scan.node, found, side, casts, _rows(scan))


def _rows(scan: _Scan) -> str:
    return f"{scan.read:,.0f} rows are read for {scan.kept:,.0f}"


def _wrapped(
    context: Context,
    one: NodeTime,
    found: Found,
    side: Tree,
    casts: frozenset[tuple[str, str]],
    effect: str,
) -> Reason:
    """A column inside an expression, which only an index on that very expression would serve."""
    column = _name(found.table, found.column)
    text = conditions.in_short(found.side, found.column, context.structure)
    facts = facts_of(
        context,
        one,
        condition=conditions.printed_plainly(found.condition),
        expression=text,
        column_type=found.column.type,
    )
    if isinstance(side, ast.TypeCast) and conditions.bare(side.arg):
        target = conditions.type_name(side.typeName)
        if (found.column.name, target) not in casts:
            return Reason(
                "implicit_cast",
                one.number,
                f"{column} is {found.column.type}, and is cast to {target} to be compared: {effect}",
                facts | {"cast_to": target},
                advice=f"Compare it with a value of its own type, {found.column.type}: "
                "then an index on the column serves.",
                object=column,
            )
    return Reason(
        "non_sargable",
        one.number,
        f"{column} is compared within {text}, which an index on the column cannot serve: {effect}",
        facts,
        fix=_create_index(found, text),
        advice="Compare the column itself, with a range where the expression stands for one; "
        "or index the expression.",
        object=column,
        remedy=_expression_index(found, text),
    )


def _create_index(found: Found, expression: str) -> str:
    table = name_in_sql(found.table.schema, found.table.name)
    return f"{_create(found.table)} {table} (({expression}));"


def _create(table: Table) -> str:
    """CREATE INDEX, concurrently where that can be: a partitioned table takes none."""
    return "create index on" if table.kind == "partitioned table" else "create index concurrently on"


def _expression_index(found: Found, expression: str) -> Remedy:
    table = name_in_sql(found.table.schema, found.table.name)
    return Remedy(statements=(f"create index on {table} (({expression}))", f"analyze {table}"))


def _indexed(context: Context, found: Found) -> bool:
    """Whether an index begins with the very expression: then the planner had the choice."""
    wanted = conditions.in_short(found.side, found.column, context.structure)
    return any(
        conditions.in_short(key.expression, found.column, context.structure) == wanted
        for _, key in context.structure.leading(found.table)
    )


def _pattern(context: Context, scan: _Scan, found: Found) -> Iterator[Reason]:
    """LIKE with a wildcard in front, or on a collation whose order is not that of the bytes."""
    pattern = conditions.constant_text(found.other)
    if not pattern:
        return
    column, one = _name(found.table, found.column), scan.node
    table = name_in_sql(found.table.schema, found.table.name)
    name = name_in_sql(found.column.name)
    facts = facts_of(context, one, pattern=pattern, condition=conditions.printed_plainly(found.condition))
    if pattern[0] in "%_":
        if any(index.method in ("gin", "gist") for index, _ in _indexes_on(context, found)):
            return
        fix = f"{_create(found.table)} {table} using gin ({name} gin_trgm_ops);"
        tried = (
            "create extension if not exists pg_trgm",
            f"create index on {table} using gin ({name} gin_trgm_ops)",
        )
        yield Reason(
            "leading_wildcard",
            one.number,
            f"the pattern {pattern!r} on {column} begins with a wildcard, "
            f"so no B-tree can find it: {_rows(scan)}",
            facts,
            fix=f"create extension if not exists pg_trgm;\n{fix}",
            advice="Full text search finds words; trigrams find any three characters and more of a text.",
            object=column,
            remedy=Remedy(statements=tried) if len(pattern.strip("%_")) >= 3 else None,
        )
        return
    classes = {key.operator_class for index, key in _indexes_on(context, found) if index.method == "btree"}
    kind = _PATTERN_CLASSES.get(found.column.base_type)
    if (
        found.operator == "~~"
        and kind
        and classes
        and not any(each.endswith("pattern_ops") for each in classes)
        and not context.structure.sorts_by_bytes(found.column)
    ):
        yield Reason(
            "like_collation",
            one.number,
            f"the index on {column} is in the order of a language, in which a prefix such as {pattern!r} "
            f"is no range: {_rows(scan)}",
            facts | {"collation": found.column.collation or "the database's"},
            fix=f"{_create(found.table)} {table} ({name} {kind});",
            object=column,
            remedy=Remedy(statements=(f"create index on {table} ({name} {kind})",)),
        )


def _indexes_on(context: Context, found: Found):  # type: ignore[no-untyped-def]
    """The indexes whose first key is the column."""
    for index, key in context.structure.leading(found.table):
        if conditions.bare(key.expression) and key.expression.fields[-1].sval == found.column.name:
            yield index, key


# a whole scan


def _or_across_columns(context: Context, scan: _Scan) -> Iterator[Reason]:
    """OR between columns of one table, where not each has an index to be joined by bitmaps."""
    for each in conditions.conjuncts(conditions.condition(scan.node.node["Filter"])):
        arms = conditions.alternatives(each)
        names = [sorted({conditions.without_alias(c) for c in conditions.columns_in(arm)}) for arm in arms]
        if not scan.wastes(_MOST) or len({tuple(name) for name in names}) < 2:
            continue
        yield Reason(
            "or_across_columns",
            scan.node.number,
            f"OR between {' and '.join(sorted({n for name in names for n in name}))} of "
            f"{scan.table.qualified} "
            f"is served only where each arm has an index: {_rows(scan)}",
            facts_of(context, scan.node, condition=conditions.printed_plainly(each), arms=len(arms)),
            advice="With an index for each arm the planner joins bitmaps; a UNION ALL uses each alone.",
            object=scan.table.qualified,
        )


def _discarding(context: Context, scan: _Scan, explained: Sequence[str]) -> Iterator[Reason]:
    """A sequential scan that throws most rows away for conditions that an index could serve."""
    if not scan.wastes(_MOST):
        return
    equal: list[Found] = []
    ranged: list[Found] = []
    for found in _found(context, scan.node, ("Filter",)):
        side = conditions.unwrapped(found.side, found.column, context.structure)
        if conditions.bare(side) and found.operator in _RANGES:
            (equal if found.operator == "=" else ranged).append(found)
    columns = list(dict.fromkeys(each.column.name for each in [*equal, *ranged[:1]]))[:3]
    if not columns:
        return
    table = name_in_sql(scan.table.schema, scan.table.name)
    there = [
        index.name
        for index, key in context.structure.leading(scan.table)
        if conditions.bare(key.expression) and key.expression.fields[-1].sval in columns
    ]
    keys = ", ".join(map(name_in_sql, columns))
    yield Reason(
        "discarding_scan",
        scan.node.number,
        f"{scan.label} reads {scan.read:,.0f} rows and throws {scan.removed:,.0f} of them away",
        facts_of(
            context,
            scan.node,
            rows_read=scan.read,
            rows_kept=scan.kept,
            filter=scan.node.node["Filter"],
            pages=context.structure.pages(scan.table),
            indexes_there=there,
            columns=columns,
        ),
        fix="" if there else f"{_create(scan.table)} {table} ({keys});",
        advice=f"{', '.join(there)} begins with a filtered column, and the planner reads all for cheaper"
        ": "
        "compare its estimate with the rows kept."
        if there
        else "The advisor weighs this index against all other statements.",
        object=f"{scan.table.qualified}.{name_in_sql(columns[0])}",
        remedy=None if there else Remedy(statements=(f"create index on {table} ({keys})",)),
    )


# joins


def _joins(context: Context, one: NodeTime, casts: frozenset[tuple[str, str]]) -> Iterator[Reason]:
    """Join conditions on an expression, where the column's own index could have found the few rows wanted."""
    if one.type not in ("Hash Join", "Merge Join", "Nested Loop"):
        return
    if context.explained.ran and context.share(one) < MATTERS:
        return
    sides = [
        each for each in context.children(one) if each.node.get("Parent Relationship") in ("Outer", "Inner")
    ]
    for found in _found(context, one, ("Hash Cond", "Merge Cond", "Join Filter")):
        side = conditions.unwrapped(found.side, found.column, context.structure)
        if conditions.bare(side) or found.operator not in _RANGES or _indexed(context, found):
            continue
        rows = float(found.table.rows_estimated or 0.0)
        other = [each for each in sides if not _reads(context, each, found.table)]
        if len(sides) != 2 or len(other) != 1 or rows < ROWS or not conditions.columns_in(found.other):
            continue
        if context.structure.pages(found.table) <= SMALL_PAGES:
            continue
        wanted = other[0].actual if other[0].actual is not None else other[0].estimated
        reads_all = any(
            each.type == "Seq Scan" and context.owner(each) == found.table for each in context.beneath(one)
        )
        if reads_all and wanted <= _RARE * rows:
            effect = f"all {rows:,.0f} rows are read to join {wanted:,.0f}"
            yield _wrapped(context, one, found, side, casts, effect)


def _or_across_tables(context: Context, one: NodeTime) -> Iterator[Reason]:
    """OR between columns of several tables, which can be checked only when they are joined."""
    removed = float(one.node.get("Rows Removed by Join Filter", 0)) * one.loops
    removed += float(one.node.get("Rows Removed by Filter", 0)) * one.loops
    if "Join" not in one.type and one.type != "Nested Loop":
        return
    if removed < ROWS or removed < _MOST * (removed + (one.actual or 0.0)):
        return
    for title, text in expressions(one.node):
        if title not in ("Join Filter", "Filter"):
            continue
        for each in conditions.conjuncts(conditions.condition(text)):
            arms = conditions.alternatives(each)
            named = [
                {
                    found[0].qualified
                    for c in conditions.columns_in(arm)
                    if (found := conditions.resolved(c, context.aliases))
                }
                for arm in arms
            ]
            tables = sorted(set().union(*named)) if named else []
            if len(tables) > 1 and any(one_arm != named[0] for one_arm in named):
                yield Reason(
                    "or_across_tables",
                    one.number,
                    f"OR between {' and '.join(tables)} is checked after the join: {removed:,.0f} rows are "
                    "joined for nothing",
                    facts_of(
                        context,
                        one,
                        condition=conditions.printed_plainly(each),
                        rows_removed=removed,
                        rows_kept=one.actual,
                    ),
                    advice="A UNION of one query for each arm finds the rows of each by its own index.",
                    object=", ".join(tables),
                )


def _not_pruned(context: Context, one: NodeTime) -> Iterator[Reason]:
    """All partitions read because the condition is on an expression of the partition key."""
    if one.type not in ("Append", "Merge Append") or int(one.node.get("Subplans Removed", 0)):
        return
    scans = [each for each in context.beneath(one) if (table := context.table(each)) and table.partition_of]
    parents = {table.partition_of for each in scans if (table := context.table(each))}
    if len(parents) != 1:
        return
    (key,) = parents
    parent = context.structure.table(*key) if key else None
    if parent is None or len({each.node["Relation Name"] for each in scans}) < max(
        len(context.structure.partitions(parent)), 2
    ):
        return
    kept = sum(each.actual or 0.0 for each in scans)
    removed = sum(float(each.node.get("Rows Removed by Filter", 0)) * each.loops for each in scans)
    if scans[0].actual is not None and removed < kept:
        return  # most of the rows are wanted: no pruning would help
    keys = set(context.structure.of(parent, "partition_columns", ()))
    for found in _found(context, scans[0], ("Filter", "Index Cond", "Recheck Cond")):
        side = conditions.unwrapped(found.side, found.column, context.structure)
        if found.column.name in keys and not conditions.bare(side) and found.operator in _RANGES:
            text = conditions.in_short(found.side, found.column, context.structure)
            yield Reason(
                "no_pruning",
                one.number,
                f"all {len(scans)} partitions of {parent.qualified} are read: {text} "
                f"is compared, and they are told apart by {found.column.name}",
                facts_of(
                    context, one, partitions=len(scans), condition=conditions.printed_plainly(found.condition)
                ),
                advice=f"Compare {found.column.name} itself, with a range.",
                object=parent.qualified,
            )
            return


def _reads(context: Context, one: NodeTime, table: Table) -> bool:
    return any(context.owner(each) == table for each in (one, *context.beneath(one)))


def _name(table: Table, column: Column) -> str:
    return f"{table.qualified}.{name_in_sql(column.name)}"
