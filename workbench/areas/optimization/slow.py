"""Slow statements: their plan as a picture, why they are slow, and what was proved to be faster."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.diagrams.picture import Picture
from workbench.diagrams.plan_tree import PlanNode, plan_tree
from workbench.proof.slow.model import Explained, NodeTime, own_cost
from workbench.proof.slow.timing import expressions, node_type


def plan_picture(explained: Explained, *, title: str) -> Picture:
    """A plan as a tree with the costly node marked. Raises DrawingFailed."""
    costly = explained.costly
    return plan_tree(
        [_drawn(explained, one) for one in explained.nodes],
        title=title,
        costly=costly.number if costly else None,
    )


def _drawn(explained: Explained, one: NodeTime) -> PlanNode:
    node = one.node
    kind = node_type(node)
    cost = own_cost(one, explained.nodes)
    whole = explained.plan.total_cost
    conditions = [f"{title}: {text}" for title, text in expressions(node)]
    keys = [f"{title}: {', '.join(node[title])}" for title in ("Sort Key", "Group Key") if title in node]
    place = node.get("Parent Relationship", "")
    return PlanNode(
        one.number,
        one.parent,
        kind,
        one.estimated,
        target=_target(one),
        details=(*conditions, *keys),
        actual=one.actual,
        loops=one.loops,
        self_ms=one.self_ms,
        cost=cost,
        share=one.share if one.share is not None else cost / whole if whole else 0.0,
        notes=tuple(_remarkable(one)),
        subplan=str(node.get("Subplan Name", "")) if place in ("InitPlan", "SubPlan") else "",
    )


def _target(one: NodeTime) -> str:
    """What the node reads, without its type."""
    plain = str(one.node["Node Type"])
    found = one.label.removeprefix(node_type(one.node)).strip()
    return found if found else "" if plain else plain


def _remarkable(one: NodeTime) -> Iterator[str]:
    """What of a node's figures tells something."""
    removed = float(one.node.get("Rows Removed by Filter", 0)) * one.loops
    removed += float(one.node.get("Rows Removed by Join Filter", 0)) * one.loops
    if removed >= 1000:
        yield f"{removed:,.0f} rows thrown away"
    written = int(one.node.get("Temp Written Blocks", 0))
    if one.type in ("Sort", "Hash", "Aggregate", "Materialize", "WindowAgg", "CTE Scan") and written:
        yield f"{written * 8 / 1024:,.1f} MB written to disk"
    if int(one.node.get("Heap Fetches", 0)):
        yield f"{int(one.node['Heap Fetches']):,} rows fetched from the table"
    if workers := int(one.node.get("Workers Launched", 0)):
        yield f"{workers} worker{'' if workers == 1 else 's'}"
