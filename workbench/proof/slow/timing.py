"""Where the time of a plan goes: each node's own, without its children, by the clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.catalog.model import qualified, quoted
from workbench.proof.plans import Node
from workbench.proof.slow.model import NodeTime

_TEXT = re.compile(r"'(?:[^']|'')*'")
_EXPRESSIONS = (
    "Filter",
    "Index Cond",
    "Recheck Cond",
    "Join Filter",
    "Hash Cond",
    "Merge Cond",
    "One-Time Filter",
    "TID Cond",
)


@dataclass
class _Timed:
    """A node while times are worked out; *total_ms* over all loops, by the clock."""

    number: int
    parent: int | None
    node: Node
    processes: float
    total_ms: float
    children: list[int] = field(default_factory=list)
    self_ms: float = 0.0


def node_times(root: Node) -> list[NodeTime]:
    """The nodes of a plan from the root down, each with its own time where the plan was run.

    A node's time is its total over all loops, divided by the processes that ran it side by side beneath a
    Gather, less that of its children. A CTE's plan counts within the scan that reads it first, an InitPlan
    within the node that asks for its value: EXPLAIN shows both elsewhere.
    """
    timed = list(_walk(root))
    for each in timed:
        each.self_ms = each.total_ms - sum(
            timed[child].total_ms for child in each.children if not _runs_elsewhere(timed[child].node)
        )
    for each in timed:
        if _runs_elsewhere(each.node):
            _charge(each, timed)
    ran = "Actual Total Time" in root
    whole = timed[0].total_ms
    return [_node_time(each, whole if ran else None) for each in timed]


def label(node: Node) -> str:
    """The node in a few words, such as ``Index Scan using orders_pkey on public.orders o``."""
    words = [node_type(node)]
    if "Index Name" in node:
        words.append(f"using {quoted(node['Index Name'])}")
    if "Relation Name" in node:
        name = qualified(*filter(None, (node.get("Schema"), node["Relation Name"])))
        words.append(f"on {name}")
        if node.get("Alias", node["Relation Name"]) != node["Relation Name"]:
            words.append(quoted(node["Alias"]))
    elif "CTE Name" in node or "Function Name" in node:
        words.append(f"on {quoted(node.get('CTE Name') or node['Function Name'])}")
    elif node["Node Type"] == "Subquery Scan":
        words.append(f"on {quoted(node.get('Alias', '?'))}")
    return " ".join(words)


def node_type(node: Node) -> str:
    """The type as EXPLAIN's text has it: the kind of join, of aggregate, of write."""
    kind = str(node["Node Type"])
    if kind in ("Hash Join", "Merge Join", "Nested Loop"):
        join = node.get("Join Type", "Inner")
        if join != "Inner":
            kind = f"{kind.removesuffix(' Join')} {join} Join"
    elif kind == "Aggregate":
        strategy = {"Hashed": "Hash", "Sorted": "Group", "Mixed": "Mixed"}.get(node.get("Strategy", ""), "")
        kind = f"{strategy}Aggregate"
        mode = node.get("Partial Mode", "Simple")
        kind = kind if mode == "Simple" else f"{mode} {kind}"
    elif kind == "ModifyTable":
        kind = str(node.get("Operation", kind))
    elif kind == "SetOp":
        kind = f"SetOp {node.get('Command', '')}".strip()
    return f"Parallel {kind}" if node.get("Parallel Aware") else kind


def expressions(node: Node) -> Iterator[tuple[str, str]]:
    """The conditions of a node as EXPLAIN prints them, with their titles."""
    for title in _EXPRESSIONS:
        if isinstance(node.get(title), str):
            yield title, node[title]


def _walk(root: Node) -> Iterator[_Timed]:
    """The nodes from the root down; numbers are positions."""
    made: list[_Timed] = []

    def visit(node: Node, parent: _Timed | None, processes: float) -> None:
        loops = float(node.get("Actual Loops", 1))
        total = float(node.get("Actual Total Time", 0.0)) * loops / max(processes, 1.0)
        one = _Timed(len(made), parent.number if parent else None, node, processes, total)
        made.append(one)
        if parent:
            parent.children.append(one.number)
        for child in node.get("Plans", ()):
            visit(child, one, _processes(node, child, processes))

    visit(root, None, 1.0)
    yield from made


def _processes(node: Node, child: Node, processes: float) -> float:
    """How many processes run *child* side by side: beneath a Gather as many as began it."""
    if node["Node Type"] not in ("Gather", "Gather Merge") or child.get("Parent Relationship") != "Outer":
        # what an InitPlan does, the leader does alone
        return 1.0 if child.get("Parent Relationship") == "InitPlan" else processes
    loops = float(node.get("Actual Loops", 1)) or 1.0
    began = float(child.get("Actual Loops", 1)) / loops
    return max(began, 1.0)


def _runs_elsewhere(node: Node) -> bool:
    return node.get("Parent Relationship") == "InitPlan"


def _charge(plan: _Timed, timed: Sequence[_Timed]) -> None:
    """Take the time of an InitPlan from the node that ran it."""
    name = str(plan.node.get("Subplan Name", ""))
    inside = set(_inside(plan, timed))
    if name.startswith("CTE "):
        readers = [
            each
            for each in timed
            if each.node["Node Type"] in ("CTE Scan", "WorkTable Scan")
            and each.node.get("CTE Name") == name.removeprefix("CTE ")
            and each.number not in inside
        ]
    else:
        readers = [each for each in timed if each.number not in inside and _mentions(each.node, name)]
    above = [timed[plan.parent]] if plan.parent is not None else []
    able = [each for each in reversed(readers) if each.self_ms >= 0.95 * plan.total_ms]
    for one in [*able, *above][:1]:
        one.self_ms -= plan.total_ms


def _inside(plan: _Timed, timed: Sequence[_Timed]) -> Iterator[int]:
    yield plan.number
    for child in plan.children:
        yield from _inside(timed[child], timed)


def _mentions(node: Node, subplan: str) -> bool:
    """Whether *node* uses the value of the InitPlan: ``(InitPlan 1).col1``, before version 17 ``$0``."""
    returned = re.search(r"\(returns (.*)\)", subplan)
    number = subplan.partition(" (")[0]
    marks = [f"({number})."] + ([each.strip() for each in returned[1].split(",")] if returned else [])
    texts = [text for _, text in expressions(node)] + [str(each) for each in node.get("Output", ())]
    return any(
        re.search(re.escape(mark) + (r"\b" if mark.startswith("$") else ""), _TEXT.sub("", text))
        for text in texts
        for mark in marks
    )


def _node_time(one: _Timed, whole_ms: float | None) -> NodeTime:
    node = one.node
    loops = float(node.get("Actual Loops", 1))
    runs = loops / max(one.processes, 1.0)
    made = NodeTime(
        one.number,
        one.parent,
        node,
        label(node),
        loops=loops,
        processes=one.processes,
        estimated=float(node["Plan Rows"]) * max(loops, 1.0),
    )
    if whole_ms is None:
        return replace(made, estimated=float(node["Plan Rows"]), loops=1.0)
    self_ms = max(one.self_ms, 0.0)
    return replace(
        made,
        self_ms=self_ms,
        total_ms=one.total_ms,
        share=self_ms / whole_ms if whole_ms else 0.0,
        actual=float(node.get("Actual Rows", 0)) * loops,
        estimated=float(node["Plan Rows"]) * (loops if runs else 1.0),
    )


def by_number(nodes: Sequence[NodeTime]) -> Mapping[int, NodeTime]:
    return {each.number: each for each in nodes}
