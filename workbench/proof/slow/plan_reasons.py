"""Why a statement is slow, read from its plan: one function a concern, each with its thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.catalog.model import Table
from workbench.proof.plans import Node
from workbench.proof.slow.conditions import aliases
from workbench.proof.slow.model import Explained, NodeTime, Reason, Remedy, own_costs
from workbench.proof.slow.structure import Structure, name_in_sql
from workbench.proof.slow.timing import expressions

MATTERS = 0.02  # of the statement's time: less is not worth a reason
ROWS = 1_000  # read for nothing: fewer are not worth a reason
_MEMORY_STEP_KB = 1024
_MEMORY_MOST_KB = 2 * 1024 * 1024
_LOOPS = 100
_PAIRS = 1e8


@dataclass(frozen=True)
class Context:
    """A plan with what is known of its tables."""

    explained: Explained
    structure: Structure

    @property
    def nodes(self) -> Sequence[NodeTime]:
        return self.explained.nodes

    @cached_property
    def aliases(self) -> Mapping[str, Table]:
        return aliases(self.explained.plan.root, self.structure)

    @cached_property
    def _children(self) -> Mapping[int, Sequence[NodeTime]]:
        found: dict[int, list[NodeTime]] = {}
        for each in self.nodes:
            if each.parent is not None:
                found.setdefault(each.parent, []).append(each)
        return found

    def children(self, one: NodeTime) -> Sequence[NodeTime]:
        return self._children.get(one.number, ())

    def beneath(self, one: NodeTime) -> Iterator[NodeTime]:
        for child in self.children(one):
            yield child
            yield from self.beneath(child)

    def above(self, one: NodeTime) -> Iterator[NodeTime]:
        while one.parent is not None:
            one = self.nodes[one.parent]
            yield one

    def table(self, one: NodeTime) -> Table | None:
        name = one.node.get("Relation Name")
        return self.structure.table(one.node.get("Schema", ""), name) if name else None

    def owner(self, one: NodeTime) -> Table | None:
        """The table that a scan reads; of a partition the partitioned table."""
        table = self.table(one)
        return self.structure.root(table) if table else None

    @property
    def whole_ms(self) -> float:
        return self.explained.plan.execution_ms or 0.0

    def share(self, one: NodeTime) -> float:
        """The part of the statement's time that the node and what is beneath it took."""
        whole = self.nodes[0].total_ms
        return (one.total_ms or 0.0) / whole if whole else 0.0


def plan_reasons(context: Context) -> Iterator[Reason]:
    """The reasons that a plan shows for itself, those of a plan that was run only where it was."""
    if context.explained.ran:
        for one in context.nodes:
            if one.loops:
                yield from _spill(context, one)
                yield from _filtering_index_scan(context, one)
                yield from _lossy_bitmap(context, one)
                yield from _heap_fetches(context, one)
                yield from _correlated_subquery(context, one)
                yield from _nested_loop(context, one)
        yield from _around(context)
    else:
        for one in context.nodes:
            yield from _nested_loop_planned(context, one)
            yield from _correlated_planned(context, one)


def where(one: NodeTime) -> str:
    return one.label


def facts_of(context: Context, one: NodeTime, **more: Any) -> dict[str, Any]:
    """The figures that every reason gives of its node."""
    found: dict[str, Any] = {"node": one.label}
    if one.self_ms is not None:
        found |= {"self_ms": round(one.self_ms, 3), "share": round(one.share or 0.0, 3)}
    return found | more


# what does not fit into memory


def _spill(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Sorts, hashes, aggregates and stored rows that went to disk for want of work_mem."""
    disk_kb = on_disk_kb(one.node)
    if disk_kb is None or (one.share or 0.0) < MATTERS / 2:
        return
    needed = _needed_kb(one.node, disk_kb)
    steps = _steps(needed)
    yield Reason(
        "spill",
        one.number,
        f"{one.type} does not fit into work_mem and writes {disk_kb / 1024:,.1f} MB to disk",
        facts_of(
            context,
            one,
            disk_kb=disk_kb,
            work_mem_needed_kb=steps[0],
            temp_blocks_written=one.node.get("Temp Written Blocks", 0),
            work_mem=context.explained.settings.get("work_mem", ""),
        ),
        fix=f"set work_mem = '{_memory(steps[0])}';  -- in the session or for the role, not for all",
        advice="Each sort and hash of each process may take as much: raise it where the statement runs.",
        object=one.label,
        remedy=Remedy(settings={"work_mem": _memory(steps[0])}),
    )


def on_disk_kb(node: Node) -> int | None:
    """What a node wrote to disk, over its processes; None where it kept all in memory."""
    found = [_disk_kb(node)] + [_disk_kb(worker) for worker in node.get("Workers", ())]
    return sum(found) if any(found) else None


def _disk_kb(part: Mapping[str, Any]) -> int:
    if part.get("Sort Space Type") == "Disk":
        return int(part.get("Sort Space Used", 0))
    if int(part.get("Hash Batches", 1)) > 1:
        return int(part.get("Peak Memory Usage", 0)) * (int(part["Hash Batches"]) - 1) or 1
    if int(part.get("HashAgg Batches", 0)) > 1 or int(part.get("Disk Usage", 0)) > 0:
        return int(part.get("Disk Usage", 0)) or 1
    if part.get("Storage") == "Disk":
        return int(part.get("Maximum Storage", 0)) or 1
    return 0


def _needed_kb(node: Node, disk_kb: int) -> float:
    """What it would take in memory, where rows have headers and pointers that the disk has not."""
    if "Sort Space Type" in node or "Sort Method" in node:
        return disk_kb * 2.0
    memory_kb = float(node.get("Peak Memory Usage", 0))
    if "Hash Batches" in node:
        return memory_kb * float(node["Hash Batches"]) * 0.6  # hash_mem_multiplier doubles what it may take
    return (memory_kb + disk_kb * 3.0) * 0.6


def _steps(needed_kb: float) -> Sequence[int]:
    step = _MEMORY_STEP_KB
    while step < needed_kb and step < _MEMORY_MOST_KB:
        step *= 2
    return (step,)


def _memory(kb: int) -> str:
    return f"{kb // 1024}MB"


# index scans that do more than they need


def _filtering_index_scan(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Index scans that fetch rows to throw most of them away."""
    removed = float(one.node.get("Rows Removed by Filter", 0)) * one.loops
    if one.type not in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan") or removed < ROWS:
        return
    if removed < 9 * (one.actual or 0.0) or context.share(one) < MATTERS:
        return
    table = context.table(one)
    yield Reason(
        "filtering_index_scan",
        one.number,
        f"{one.label} fetches {removed + (one.actual or 0):,.0f} rows and throws {removed:,.0f} of them away",
        facts_of(context, one, rows_removed=removed, rows_kept=one.actual, filter=one.node.get("Filter", "")),
        advice="The index finds too much: add the filtered columns to its key, or index them by themselves.",
        object=table.qualified if table else one.label,
    )


def _lossy_bitmap(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Bitmaps that do not fit into work_mem and remember pages instead of rows."""
    lossy = int(one.node.get("Lossy Heap Blocks", 0))
    removed = float(one.node.get("Rows Removed by Index Recheck", 0)) * one.loops
    if not lossy or removed < ROWS:
        return
    table = context.table(one)
    pages = lossy + int(one.node.get("Exact Heap Blocks", 0))
    size = _steps(pages * 0.1)[0]
    yield Reason(
        "lossy_bitmap",
        one.number,
        f"the bitmap of {one.label} does not fit into work_mem: {removed:,.0f} rows are checked for nothing",
        facts_of(
            context,
            one,
            lossy_blocks=lossy,
            exact_blocks=one.node.get("Exact Heap Blocks", 0),
            removed=removed,
        ),
        fix=f"set work_mem = '{_memory(size)}';",
        object=table.qualified if table else one.label,
        remedy=Remedy(settings={"work_mem": _memory(size)}),
    )


def _heap_fetches(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Index-only scans that go to the table after all, for its pages are not known to be all visible."""
    fetched = float(one.node.get("Heap Fetches", 0))
    rows = one.actual or 0.0
    table = context.table(one)
    if one.type != "Index Only Scan" or fetched < ROWS or fetched < 0.1 * rows or table is None:
        return
    pages = context.structure.pages(table)
    fix = f"vacuum {name_in_sql(table.schema, table.name)};"
    yield Reason(
        "heap_fetches",
        one.number,
        f"{one.label} is to read the index alone, and fetches {fetched:,.0f} rows from the table",
        facts_of(
            context,
            one,
            heap_fetches=fetched,
            rows=rows,
            pages=pages,
            pages_all_visible=context.structure.of(table, "visible_pages", 0),
        ),
        fix=fix,
        advice="If it comes back soon, let autovacuum come sooner to this table.",
        object=table.qualified,
        remedy=Remedy(outside=(fix,)),
    )


# what is done over and over


def _correlated_subquery(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Subqueries that are run again for every row."""
    if one.node.get("Parent Relationship") != "SubPlan" or one.loops < _LOOPS or one.parent is None:
        return
    if context.share(one) < 0.1:
        return
    holder = context.nodes[one.parent]
    yield Reason(
        "correlated_subquery",
        one.number,
        f"a subquery is run {one.loops:,.0f} times, once for each row of {holder.label}",
        facts_of(
            context,
            one,
            runs=one.loops,
            total_ms=round(one.total_ms or 0.0, 3),
            subplan=one.node.get("Subplan Name", ""),
        ),
        advice="Join to it, or aggregate once and join to the result.",
        object=one.label,
    )


def _correlated_planned(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Subqueries that take most of the estimated cost, for they are to be run for every row."""
    if one.node.get("Parent Relationship") != "SubPlan" or one.parent is None:
        return
    holder = context.nodes[one.parent]
    costs = own_costs(context.nodes)
    cost = sum(costs[each.number] for each in (one, *context.beneath(one)))
    rows = float(holder.node["Plan Rows"])
    if rows >= _LOOPS and cost >= 0.3 * context.explained.plan.total_cost:
        yield Reason(
            "correlated_subquery",
            one.number,
            f"a subquery is to be run for each of the {rows:,.0f} rows of {holder.label}",
            facts_of(context, one, runs_estimated=rows, subplan=one.node.get("Subplan Name", "")),
            advice="Join to it, or aggregate once and join to the result.",
            object=one.label,
        )


def _nested_loop(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Nested loops that read their inner side row by row, again and again."""
    if one.type != "Nested Loop" or context.share(one) < 0.3:
        return
    sides = [
        each for each in context.children(one) if each.node.get("Parent Relationship") in ("Outer", "Inner")
    ]
    if len(sides) != 2:
        return
    outer, inner = sides
    if inner.loops < _LOOPS or _found_by_index(context, inner):
        return
    visited = (inner.actual or 0.0) + float(inner.node.get("Rows Removed by Filter", 0)) * inner.loops
    conditions = [text for title, text in expressions(one.node) if title == "Join Filter"]
    if visited < 100 * ROWS or not conditions:
        return
    yield Reason(
        "large_nested_loop",
        one.number,
        f"the nested loop compares {visited:,.0f} pairs: its inner side is read {inner.loops:,.0f} times",
        facts_of(
            context,
            one,
            outer_rows=outer.actual,
            outer_rows_estimated=outer.estimated,
            inner=inner.label,
            pairs=visited,
            join_filter=conditions[0],
            share_with_children=round(context.share(one), 3),
        ),
        advice="An index on the inner side's join column, an equality to be hashed, or better estimates.",
        object=inner.label,
        remedy=Remedy(settings={"enable_nestloop": "off"}),
    )


def _nested_loop_planned(context: Context, one: NodeTime) -> Iterator[Reason]:
    """Nested loops that are to compare more pairs than any machine does in a second."""
    sides = [
        each for each in context.children(one) if each.node.get("Parent Relationship") in ("Outer", "Inner")
    ]
    if one.type != "Nested Loop" or len(sides) != 2 or _found_by_index(context, sides[1]):
        return
    pairs = float(sides[0].node["Plan Rows"]) * float(sides[1].node["Plan Rows"])
    conditions = [text for title, text in expressions(one.node) if title == "Join Filter"]
    if pairs >= _PAIRS and conditions:
        yield Reason(
            "large_nested_loop",
            one.number,
            f"the nested loop is to compare {pairs:,.0f} pairs by {conditions[0]}",
            facts_of(context, one, pairs_estimated=pairs, join_filter=conditions[0], inner=sides[1].label),
            advice="An equality can be hashed or found by an index; a range joined to a range cannot.",
            object=sides[1].label,
        )


def _found_by_index(context: Context, inner: NodeTime) -> bool:
    return any("Index Cond" in each.node for each in (inner, *context.beneath(inner)))


# around the execution


def _around(context: Context) -> Iterator[Reason]:
    """Time that no node of the plan takes: compiling, planning, triggers."""
    plan = context.explained.plan
    execution, planning = plan.execution_ms or 0.0, plan.planning_ms or 0.0
    if context.explained.jit_ms >= 50 and context.explained.jit_ms >= 0.2 * execution:
        yield Reason(
            "jit_time",
            None,
            f"compiling takes {context.explained.jit_ms:,.0f} ms of the {execution:,.0f} ms",
            {"jit_ms": context.explained.jit_ms, "execution_ms": execution},
            fix="set jit = off;  -- or raise jit_above_cost",
            object="the statement",
            remedy=Remedy(settings={"jit": "off"}),
        )
    if planning >= 20 and planning > execution:
        yield Reason(
            "planning_time",
            None,
            f"planning takes {planning:,.1f} ms, longer than the execution of {execution:,.1f} ms",
            {"planning_ms": planning, "execution_ms": execution},
            advice="Prepare the statement once; with many partitions, name the partition key as a constant.",
            object="the statement",
        )
    for trigger in context.explained.triggers:
        time_ms = float(trigger.get("Time", 0.0))
        if time_ms >= 0.3 * execution and time_ms >= 10:
            name = trigger.get("Constraint Name") or trigger.get("Trigger Name", "")
            yield Reason(
                "trigger_time",
                None,
                f"the trigger {name} on {trigger.get('Relation', '')} takes {time_ms:,.1f} ms "
                f"of the {execution:,.1f} ms in {trigger.get('Calls', 0):,} calls",
                {"trigger_ms": time_ms, "calls": trigger.get("Calls", 0), "execution_ms": execution},
                advice="A foreign key needs an index on the referencing columns; "
                "a row trigger can often be one of the statement.",
                object=str(trigger.get("Relation", "")),
            )
