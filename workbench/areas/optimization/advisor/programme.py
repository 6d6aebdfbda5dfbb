"""The choice of indexes as an integer programme, from above and from below, solved by HiGHS.

From above: each statement runs by one of the plans that were seen, and a plan needs its indexes (CoPhy: Dash,
Polyzotis, Ailamaki, VLDB 2011). What it chooses can be had for what it says. From below: where none of the
indexes X is there, a statement costs no less than with all the others; such facts are cuts on what any choice
can cost (Benders decomposition). Its optimum is a bound that no set of the same candidates can pass, as far
as a further index never makes the planner's cost worse.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from workbench.areas.optimization.advisor.costs import Indexes, members

_INFINITE = np.inf
_OPTIMAL = 0  # the solver's status; at its time limit, what it has is above the optimum


@dataclass(frozen=True)
class Limits:
    """What a choice must keep to: *sizes* in bytes, *kept* are the indexes that stay whatever is chosen."""

    sizes: Sequence[float]
    budget: float
    kept: Indexes = 0


@dataclass(frozen=True)
class Choice:
    """The chosen indexes, and the objective in percent of what it is where nothing is changed."""

    indexes: Indexes
    objective: float


@dataclass(frozen=True)
class Option:
    """A plan that *statement* can have where it has the indexes *needs*; *value* counts in the objective."""

    statement: int
    needs: Indexes
    value: float


class _Rows:
    """Constraints, row by row, of a sparse matrix."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._values: list[float] = []
        self._lower: list[float] = []
        self._upper: list[float] = []

    def add(
        self, terms: Iterator[tuple[int, float]] | Sequence[tuple[int, float]], lower: float, upper: float
    ) -> None:
        number = len(self._lower)
        for column, value in terms:
            self._rows.append(number)
            self._columns.append(column)
            self._values.append(value)
        self._lower.append(lower)
        self._upper.append(upper)

    def constraint(self, columns: int) -> LinearConstraint:
        matrix = sparse.csr_matrix(
            (self._values, (self._rows, self._columns)), shape=(len(self._lower), columns)
        )
        return LinearConstraint(matrix, self._lower, self._upper)


def best_of_known(
    options: Sequence[Option],
    limits: Limits,
    upkeep: Sequence[float],
    *,
    seconds: float,
    gap: float = 0.001,
) -> Choice | None:
    """The best set whose plans are all among *options*; None where no set was found in *seconds*.

    *upkeep* is what each index adds to the objective by being there.
    """
    numbers = sorted({n for each in options for n in members(each.needs)} | set(members(limits.kept)))
    position = {number: place for place, number in enumerate(numbers)}
    first = len(numbers)
    by_statement: dict[int, list[int]] = {}
    for place, option in enumerate(options):
        by_statement.setdefault(option.statement, []).append(place)
    rows = _Rows()
    rows.add([(position[n], limits.sizes[n]) for n in numbers], -_INFINITE, limits.budget)
    for places in by_statement.values():
        rows.add([(first + place, 1.0) for place in places], 1.0, 1.0)
        needed: dict[int, list[int]] = {}
        for place in places:
            for number in members(options[place].needs):
                needed.setdefault(number, []).append(place)
        for number, users in needed.items():
            rows.add([*((first + place, 1.0) for place in users), (position[number], -1.0)], -_INFINITE, 0.0)
    objective = np.array([*(upkeep[n] for n in numbers), *(option.value for option in options)])
    integral = np.array([1] * first + [0] * len(options))
    lower = np.array([float(limits.kept >> n & 1) for n in numbers] + [0.0] * len(options))
    solved = _solve(objective, rows, integral, lower, np.ones(len(objective)), seconds, gap)
    if solved.x is None:
        return None
    return Choice(_chosen(solved.x, numbers), float(solved.fun))


@dataclass(frozen=True)
class Cut:
    """The value of *statement* is at least *floor*; it is more by each step whose layers are all absent.

    A step is a set of indexes and what the value rises by where neither they nor those of the steps before
    are there.
    """

    statement: int
    floor: float
    steps: tuple[tuple[Indexes, float], ...]


@dataclass
class Bound:
    """A programme from below; *floors* are the least value of each statement."""

    floors: Sequence[float]
    limits: Limits
    upkeep: Sequence[float]
    cuts: list[Cut] = field(default_factory=list)
    _seen: set[tuple[int, tuple[Indexes, ...]]] = field(default_factory=set, repr=False)

    def add(self, cut: Cut) -> bool:
        """Whether the cut says something new."""
        key = (cut.statement, tuple(indexes for indexes, _ in cut.steps))
        if not cut.steps or key in self._seen:
            return False
        self._seen.add(key)
        self.cuts.append(cut)
        return True

    def relaxed(self, seconds: float) -> tuple[float, Mapping[int, float]] | None:
        """The optimum where indexes may be there in part, and the part of each; None where time was short."""
        solved, numbers = self._solved(integral=False, seconds=seconds, gap=0.0)
        if solved.x is None or solved.status != _OPTIMAL:
            return None
        return float(solved.fun), {number: float(solved.x[place]) for place, number in enumerate(numbers)}

    def solved(self, seconds: float, gap: float = 0.002) -> tuple[float, Choice | None]:
        """A bound that no choice passes, and the choice that seems to reach it."""
        solved, numbers = self._solved(integral=True, seconds=seconds, gap=gap)
        dual = solved.mip_dual_bound
        bound = float(dual) if dual is not None else sum(self.floors)
        if solved.x is None:
            return bound, None
        return bound, Choice(_chosen(solved.x, numbers), float(solved.fun))

    def _solved(self, *, integral: bool, seconds: float, gap: float) -> tuple[Any, list[int]]:
        numbers = sorted(
            {n for cut in self.cuts for indexes, _ in cut.steps for n in members(indexes)}
            | set(members(self.limits.kept))
        )
        position = {number: place for place, number in enumerate(numbers)}
        statements = len(self.floors)
        first = len(numbers)
        rows = _Rows()
        rows.add([(position[n], self.limits.sizes[n]) for n in numbers], -_INFINITE, self.limits.budget)
        width = first + statements
        for cut in self.cuts:
            before: int | None = None
            terms = [(first + cut.statement, 1.0)]
            for indexes, rise in cut.steps:
                # whether any index of the steps so far is there
                present = [(position[n], -1.0) for n in members(indexes)]
                if before is not None:
                    present.append((before, -1.0))
                rows.add([(width, 1.0), *present], -_INFINITE, 0.0)
                terms.append((width, rise))
                before = width
                width += 1
            rows.add(terms, cut.floor + sum(rise for _, rise in cut.steps), _INFINITE)
        more = width - first - statements
        objective = np.array([*(self.upkeep[n] for n in numbers), *([1.0] * statements), *([0.0] * more)])
        lower = np.array(
            [*(float(self.limits.kept >> n & 1) for n in numbers), *self.floors, *([0.0] * more)]
        )
        upper = np.array([*([1.0] * first), *([_INFINITE] * statements), *([1.0] * more)])
        whole = np.array([int(integral)] * first + [0] * (statements + more))
        return _solve(objective, rows, whole, lower, upper, seconds, gap), numbers


def _chosen(solution: Any, numbers: Sequence[int]) -> Indexes:
    return sum(1 << number for place, number in enumerate(numbers) if solution[place] > 0.5)


def _solve(
    objective: Any, rows: _Rows, integral: Any, lower: Any, upper: Any, seconds: float, gap: float
) -> Any:
    with _standard_output_closed():
        return milp(
            objective,
            constraints=rows.constraint(len(objective)),
            integrality=integral,
            bounds=Bounds(lower, np.maximum(lower, upper)),
            options={"time_limit": max(0.05, seconds), "mip_rel_gap": gap},
        )


@contextlib.contextmanager
def _standard_output_closed() -> Iterator[None]:
    """HiGHS prints lines of its own to the process's standard output, where JSON may be expected."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
