"""Slow statements: their plan as a picture, why they are slow, and what was proved to be faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workbench.areas.optimization.slow_findings import slow_findings
from workbench.diagrams.picture import Picture
from workbench.diagrams.plan_tree import PlanNode, plan_tree
from workbench.proof.slow.model import Explained, NodeTime, SlowStatement, own_costs
from workbench.proof.slow.statements import slow_statements
from workbench.proof.slow.timing import expressions, node_type
from workbench.proof.trials.database import RowsFrom
from workbench.proof.workload.model import Workload
from workbench.source import OpenSource

__all__ = [
    "plan_picture",
    "reason_table",
    "rewrite_table",
    "slow_findings",
    "slow_picture",
    "slow_queries",
    "slow_table",
]


def slow_queries(
    opened: OpenSource,
    workload: Workload,
    *,
    most: int = 10,
    execute: bool | None = None,
    timeout_s: float = 30,
    limit_s: float = 600,
    rows: RowsFrom | None = None,
) -> list[SlowStatement]:
    """The *most* slow statements of *workload* by their part of its time, each with reasons and rewrites.

    What is run where is said by `slow_statements`. Raises BadInput where the workload has no statement.
    """
    return slow_statements(
        opened, workload, most=most, execute=execute, timeout_s=timeout_s, limit_s=limit_s, rows=rows
    )


# tables


def slow_table(found: Iterable[SlowStatement]) -> list[Mapping[str, Any]]:
    """A row a statement: its share, times in ms, pages of 8 KB, the costly node, what was found, proved."""
    return [
        {
            "statement": each.statement.name,
            "share": f"{each.share:.1%}",
            "share_of": f"{each.basis} {'cost' if each.basis == 'estimated' else 'time'}",
            "mean_ms": each.mean_ms,
            "weight": each.statement.weight,
            "pages_read": each.blocks_read,
            "pages_hit": each.blocks_hit,
            "temporary_pages": each.temp_blocks,
            "outcome": each.outcome,
            "costly_node": each.costly.label if each.costly else "",
            "reasons": len(each.reasons),
            "rewrites": sum(rewrite.verdict == "accepted" for rewrite in each.rewrites),
            "note": each.note,
        }
        for each in found
    ]


def reason_table(found: Iterable[SlowStatement]) -> list[Mapping[str, Any]]:
    """A row a reason, those that a trial refuted among them: what it says, its fix, what became of it."""
    return [
        {
            "statement": each.statement.name,
            "reason": reason.kind.replace("_", " "),
            "says": reason.summary,
            "fix": reason.fix or reason.advice,
            "tried": ("refuted: " if reason in each.refuted else "") + reason.tried.summary
            if reason.tried
            else "",
        }
        for each in found
        for reason in (*each.reasons, *each.refuted)
    ]


def rewrite_table(found: Iterable[SlowStatement]) -> list[Mapping[str, Any]]:
    """A row a rewrite, the rejected ones with their figures: times in ms, on what results were compared."""
    return [
        {
            "statement": each.statement.name,
            "rewrite": rewrite.kind.replace("_", " "),
            "verdict": rewrite.verdict,
            "why": rewrite.why,
            "before_ms": rewrite.before_ms,
            "after_ms": rewrite.after_ms,
            "times_as_fast": rewrite.ratio,
            "compared_on": "; ".join(rewrite.compared),
            "caveat": rewrite.caveat,
            "sql": rewrite.sql,
        }
        for each in found
        for rewrite in each.rewrites
    ]


# pictures


def slow_picture(slow: SlowStatement) -> Picture | None:
    """The plan of a slow statement; None where it could not be planned. Raises DrawingFailed."""
    return plan_picture(slow.explained, title=slow.statement.name) if slow.explained else None


def plan_picture(explained: Explained, *, title: str) -> Picture:
    """A plan as a tree with the costly node marked. Raises DrawingFailed."""
    costly = explained.costly
    costs = own_costs(explained.nodes)
    return plan_tree(
        [_drawn(one, costs[one.number], explained.plan.total_cost) for one in explained.nodes],
        title=title,
        costly=costly.number if costly else None,
    )


def _drawn(one: NodeTime, cost: float, whole: float) -> PlanNode:
    node = one.node
    conditions = [f"{title}: {text}" for title, text in expressions(node)]
    keys = [f"{title}: {', '.join(node[title])}" for title in ("Sort Key", "Group Key") if title in node]
    inner = node.get("Parent Relationship", "") in ("InitPlan", "SubPlan")
    return PlanNode(
        one.number,
        one.parent,
        node_type(node),
        one.estimated,
        target=one.label.removeprefix(node_type(node)).strip(),
        details=(*conditions, *keys),
        actual=one.actual,
        loops=one.loops,
        self_ms=one.self_ms,
        cost=cost,
        share=one.share if one.share is not None else cost / whole if whole else 0.0,
        notes=tuple(_remarkable(one)),
        subplan=str(node.get("Subplan Name", "")) if inner else "",
    )


def _remarkable(one: NodeTime) -> Iterator[str]:
    """What of a node's figures tells something."""
    removed = sum(
        float(one.node.get(title, 0)) for title in ("Rows Removed by Filter", "Rows Removed by Join Filter")
    )
    if removed * one.loops >= 1000:
        yield f"{removed * one.loops:,.0f} rows thrown away"
    written = int(one.node.get("Temp Written Blocks", 0))
    if written and one.type in ("Sort", "Hash", "Aggregate", "Materialize", "WindowAgg", "CTE Scan"):
        yield f"{written * 8 / 1024:,.1f} MB written to disk"
    if int(one.node.get("Heap Fetches", 0)):
        yield f"{int(one.node['Heap Fetches']):,} rows fetched from the table"
    if workers := int(one.node.get("Workers Launched", 0)):
        yield f"{workers} worker{'' if workers == 1 else 's'}"
