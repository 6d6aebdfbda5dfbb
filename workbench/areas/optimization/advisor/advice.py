"""What the advisor says: the set of indexes, what it gains, how far off it can be, what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from workbench.areas.optimization.advisor.search import Stage
from workbench.proof.whatif import ExistingIndex, IndexDefinition, WhatIfIndex
from workbench.proof.workload import Statement, Unread

Objective = Literal["total", "ratio"]


@dataclass(frozen=True)
class StatementCost:
    """A statement's planner cost before and after, and the new indexes that its plan then uses."""

    statement: Statement
    before: float
    after: float
    indexes: tuple[IndexDefinition, ...] = ()

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else 1.0


@dataclass(frozen=True)
class Recommended:
    """An index to create. *size_bytes* is predicted; *share* is its part of the gain, in the planner's costs.

    The share is what is lost where this index alone is missing, over the sum of that for all of them.
    """

    index: WhatIfIndex
    share: float
    statements: tuple[str, ...]


@dataclass(frozen=True)
class NotChosen:
    """A candidate that was considered and not chosen: what it would gain alone, and why it was left."""

    definition: IndexDefinition
    size_bytes: int
    gain_alone: float
    reason: str


DropKind = Literal["duplicate", "prefix", "unused", "dearer"]


@dataclass(frozen=True)
class Droppable:
    """An existing index that can go once the recommended ones are there; *upkeep* is what it costs in writes.

    It is a "duplicate" of *redundant_with*, or the beginning of its keys ("prefix"); no statement of the
    workload uses it ("unused"); or its upkeep is "dearer" than what it saves. *reason* says it in words;
    *needs_new* that it holds only where the recommended indexes are there.
    """

    index: ExistingIndex
    upkeep: float
    kind: DropKind = "unused"
    reason: str = ""
    redundant_with: str = ""
    needs_new: bool = False


@dataclass(frozen=True)
class KeptIndex:
    """An existing index that no statement of the workload uses and that stays, and why."""

    index: ExistingIndex
    reason: str


@dataclass(frozen=True)
class Advice:
    """The best set that was found for a workload.

    *relative_cost* and *bound* are parts of the cost without any change: of the sum of the weighted costs
    for the objective "total", of their geometric mean for "ratio"; no set of the same *candidates* within
    the budget comes below *bound*. *elapsed_s* is the time from the first plan to the set, *sampled_s*
    besides it that of reading rows for the sizes of candidates; *whatif_calls* are all planner calls.
    """

    recommended: tuple[Recommended, ...]
    droppable: tuple[Droppable, ...]
    rejected: tuple[NotChosen, ...]
    statements: tuple[StatementCost, ...]
    unread: tuple[Unread, ...]
    objective: Objective
    budget_bytes: int
    size_bytes: int
    relative_cost: float
    bound: float
    finished: bool
    candidates: int
    whatif_calls: int
    elapsed_s: float
    stages: tuple[Stage, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    kept: tuple[KeptIndex, ...] = ()
    sampled_s: float = 0.0

    @property
    def gap(self) -> float:
        """How far the set can be from the best one of the same candidates, as a part of that one's cost."""
        return self.relative_cost / self.bound - 1 if self.bound else 0.0
