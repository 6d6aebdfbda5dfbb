"""The vocabulary of slow statements: where the time goes, why, and what would be faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.proof.plans import Node, Plan
from workbench.proof.workload.model import Statement

Outcome = Literal["run", "planned", "timed out", "failed"]
Basis = Literal["observed", "measured", "estimated"]
Verdict = Literal["accepted", "rejected", "not proved"]


@dataclass(frozen=True)
class NodeTime:
    """A node of a plan with the time it took itself, without its children; None where it was not run.

    *number* counts the nodes from the root down, in the order of `Plan.nodes`; *parent* is that of the
    node above, None for the root. *estimated* and *actual* are rows over all loops. Times in ms, of the
    clock: what parallel workers did at the same time counts once.
    """

    number: int
    parent: int | None
    node: Node = field(repr=False)
    label: str  # "Seq Scan on public.orders o"
    self_ms: float | None = None
    total_ms: float | None = None
    share: float | None = None
    loops: float = 1.0
    processes: float = 1.0
    estimated: float = 0.0
    actual: float | None = None

    @property
    def type(self) -> str:
        return str(self.node["Node Type"])

    @property
    def factor(self) -> float | None:
        """How far the estimated rows are off, 1 or more; None where the node never ran."""
        if self.actual is None or not self.loops:
            return None
        actual, estimated = max(self.actual, 1.0), max(self.estimated, 1.0)
        return max(actual / estimated, estimated / actual)


@dataclass(frozen=True)
class Explained:
    """What EXPLAIN says of one statement; *jit_ms*, *triggers* and *written_ms* only where it was run."""

    plan: Plan
    nodes: Sequence[NodeTime] = field(repr=False)
    jit_ms: float = 0.0
    triggers: Sequence[Mapping[str, Any]] = ()
    output_ms: float | None = None  # of turning the rows into text, with what is fetched out of line
    output_bytes: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def ran(self) -> bool:
        return self.plan.execution_ms is not None

    @property
    def costly(self) -> NodeTime | None:
        """The node that takes most of the time itself; of a plan that was not run, most of the cost."""
        if not self.nodes:
            return None
        if self.ran:
            return max(self.nodes, key=lambda each: each.self_ms or 0.0)
        costs = own_costs(self.nodes)
        return max(self.nodes, key=lambda each: costs[each.number])


def own_costs(nodes: Sequence[NodeTime]) -> Mapping[int, float]:
    """The cost of each node without that of its children, by number, in the planner's units.

    EXPLAIN gives the cost of one execution: the inner side of a nested loop counts as often as there are
    outer rows, a subquery as often as its holder gives rows; what adds to too much is scaled to the whole.
    """
    times: dict[int, float] = {}
    below: dict[int, float] = {}
    outer_rows: dict[int, float] = {}
    for one in nodes:
        if one.parent is not None and one.node.get("Parent Relationship") == "Outer":
            outer_rows[one.parent] = max(float(one.node["Plan Rows"]), 1.0)
    for one in nodes:
        above = nodes[one.parent] if one.parent is not None else None
        times[one.number] = (times[above.number] if above else 1.0) * _executions(one, above, outer_rows)
        if above:
            cost = float(one.node["Total Cost"]) * times[one.number]
            below[above.number] = below.get(above.number, 0.0) + cost
    found = {
        one.number: max(float(one.node["Total Cost"]) * times[one.number] - below.get(one.number, 0.0), 0.0)
        for one in nodes
    }
    whole = float(nodes[0].node["Total Cost"]) if nodes else 0.0
    total = sum(found.values())
    return {number: cost * whole / total if total > whole else cost for number, cost in found.items()}


def _executions(one: NodeTime, above: NodeTime | None, outer_rows: Mapping[int, float]) -> float:
    """How often the plan expects a node to run for each run of the one above."""
    place = one.node.get("Parent Relationship")
    if above is None or place not in ("Inner", "SubPlan"):
        return 1.0
    if place == "SubPlan":
        name = str(one.node.get("Subplan Name", ""))
        hashed = any(f"hashed {name}" in str(text) for text in above.node.values() if isinstance(text, str))
        return 1.0 if hashed else max(float(above.node["Plan Rows"]), 1.0)
    if above.type != "Nested Loop" or one.type in ("Materialize", "Memoize"):
        return 1.0
    return outer_rows.get(above.number, 1.0)


@dataclass(frozen=True)
class Remedy:
    """What can be tried on a copy: statements to run before, settings to use, or both.

    *outside* are statements that no transaction may hold (VACUUM).
    """

    statements: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    outside: Sequence[str] = ()


@dataclass(frozen=True)
class Tried:
    """What became of a remedy on a copy: the plan before and after, and one line on the difference."""

    helped: bool
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    before: Explained | None = field(default=None, repr=False)
    after: Explained | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reason:
    """Why a statement is slow, from its plan or its syntax tree.

    *node* is the number of the plan's node, None where the syntax alone shows it; *object* is the table,
    column or statement it is about; *facts* have units in their names; *fix* is SQL that can be run, or
    empty where the answer is a rewrite or a decision, which *advice* says.
    """

    kind: str
    node: int | None
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    advice: str = ""
    object: str = ""
    remedy: Remedy | None = field(default=None, repr=False)
    tried: Tried | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Rewrite:
    """Another text for a statement; *caveat* says where it does not mean quite the same to its caller.

    *equal* is None where nothing could be compared. Times are medians in ms of interleaved runs.
    """

    kind: str
    sql: str
    summary: str
    verdict: Verdict = "not proved"
    why: str = ""
    caveat: str = ""
    equal: bool | None = None
    compared: Sequence[str] = ()  # on what the results were compared
    before_ms: float | None = None
    after_ms: float | None = None
    runs: int = 0
    before: Explained | None = field(default=None, repr=False)
    after: Explained | None = field(default=None, repr=False)

    @property
    def ratio(self) -> float | None:
        """How many times as fast it is; below 1 where it is slower."""
        return self.before_ms / self.after_ms if self.before_ms is not None and self.after_ms else None


@dataclass(frozen=True)
class SlowStatement:
    """A statement of a workload with its part of the whole, its plan and what makes it slow.

    *share* is of the workload's total by *basis*: times that the server observed, times measured here,
    or estimated costs. *mean_ms* is None where nothing was timed; with the outcome "timed out" it is
    what was waited at least. *note* says what was not done and why.
    """

    statement: Statement
    share: float
    basis: Basis
    outcome: Outcome
    mean_ms: float | None = None
    total_ms: float | None = None
    blocks_read: float | None = None
    blocks_hit: float | None = None
    temp_blocks: float | None = None
    explained: Explained | None = field(default=None, repr=False)
    reasons: Sequence[Reason] = ()
    refuted: Sequence[Reason] = ()  # what looked like one, until it was tried
    rewrites: Sequence[Rewrite] = ()
    rows_from: str = ""  # of the copy that things were tried on
    note: str = ""

    @property
    def plan(self) -> Plan | None:
        return self.explained.plan if self.explained else None

    @property
    def costly(self) -> NodeTime | None:
        return self.explained.costly if self.explained else None
