"""The search for the best set of indexes, which can be stopped at any time and says how far it can be off."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.areas.optimization.advisor.costs import Answer, Costs, Indexes, as_set, members
from workbench.areas.optimization.advisor.programme import (
    Bound,
    Choice,
    Cut,
    Limits,
    Option,
    best_of_known,
)

_THRESHOLDS = (0.5, 1e-4)  # of an index in part: which of them a descent keeps
_MOST_RELAXED = 40
_SLOW_RISE = 0.05  # percent: a bound that rises by less a round is left to whole indexes
_SHORTEST_S, _LONGEST_S = 0.3, 10.0  # of one programme
_LEAST_GAP = 0.002
_ROUGH_GAP = 0.02
_NEGLIGIBLE = 1e-4  # a step of a cut, as a part of its floor


@dataclass(frozen=True)
class Stage:
    """How far the search was: seconds and planner calls since it began, objective and bound in percent."""

    elapsed_s: float
    calls: int
    objective: float
    bound: float
    indexes: Indexes


@dataclass(frozen=True)
class Found:
    """The best set that was found, its objective, and a bound; both in percent of where nothing is changed.

    *exhausted* is false where the deadline or the limit of calls ended the search before the gap was small.
    """

    indexes: Indexes
    objective: float
    bound: float
    stages: tuple[Stage, ...]
    exhausted: bool


Value = Callable[[int, float], float]
Progress = Callable[[Stage], None]


@dataclass
class Search:
    """*value* turns a statement's cost into its part of the objective, *percent* the objective into percent.

    *start* is the set that is there now; *siblings* are the indexes that do for a statement what another one
    does and are not smaller: a descent leaves them out with it.
    """

    costs: Costs
    value: Value
    limits: Limits
    upkeep: Sequence[float]
    start: Indexes
    everything: Indexes
    siblings: Sequence[Indexes]
    tie_break: Sequence[float]
    percent: Callable[[float], float] = lambda value: value
    deadline_s: float = 60.0
    most_calls: int | None = None
    gap: float = 0.02
    progress: Progress = lambda stage: None
    _began: float = field(default_factory=time.monotonic)
    _best: tuple[float, Indexes] = (math.inf, 0)
    _lower: float = 0.0
    _stages: list[Stage] = field(default_factory=list)

    def run(self) -> Found:
        """The best set within the deadline. The set that is there now is the first of them."""
        self._consider(self.start)
        self._bound = Bound(
            [self.value(each, self._answer(each, self.everything).cost) for each in self._statements],
            self.limits,
            self.upkeep,
        )
        self._lower = sum(self._bound.floors)
        for each in self._statements:
            self._descend(each, self.limits.kept, whole_families=True)
        self._improve()
        self._tighten_relaxed()
        done = self._tighten()
        self._settle()
        return Found(self._best[1], self._best[0], min(self._lower, self._best[0]), tuple(self._stages), done)

    @property
    def _statements(self) -> range:
        return range(len(self.costs.relevant))

    @property
    def _left_s(self) -> float:
        return self.deadline_s - (time.monotonic() - self._began)

    @property
    def _over(self) -> bool:
        return self._left_s <= 0 or (self.most_calls is not None and self.costs.calls >= self.most_calls)

    @property
    def _close(self) -> bool:
        return self.percent(self._best[0]) <= self.percent(self._lower) * (1 + self.gap)

    @property
    def _solver_gap(self) -> float:
        """What the solver may leave, so that the whole search can leave *gap*."""
        return max(_LEAST_GAP, self.gap / 4)

    def _answer(self, statement: int, indexes: Indexes) -> Answer:
        return self.costs.answer(statement, indexes)

    def objective(self, indexes: Indexes) -> float:
        """The objective of *indexes*, asked of the planner."""
        upkeep = sum(self.upkeep[number] for number in members(indexes))
        return upkeep + sum(self.value(each, self._answer(each, indexes).cost) for each in self._statements)

    def _consider(self, indexes: Indexes) -> None:
        found = self.objective(indexes)
        if found < self._best[0] - 1e-9:
            self._best = (found, self._pruned(indexes))
            self._note()

    def _pruned(self, indexes: Indexes) -> Indexes:
        """*indexes* without those that no plan uses and that cost nothing to leave out."""
        used = self.limits.kept
        for each in self._statements:
            used |= self._answer(each, indexes).used
        return indexes & (used | self.start)

    def _note(self) -> None:
        stage = Stage(
            time.monotonic() - self._began,
            self.costs.calls,
            self.percent(self._best[0]),
            self.percent(self._lower),
            self._best[1],
        )
        self._stages.append(stage)
        self.progress(stage)

    def _descend(self, statement: int, target: Indexes, *, whole_families: bool = False) -> None:
        """From all indexes down to *target*: a cut is what was seen on the way."""
        siblings = self.siblings if whole_families else ()
        steps: list[tuple[Indexes, float]] = []
        floor = last = self.value(statement, self._answer(statement, self.everything).cost)
        for leaving, answer in descent(self.costs, statement, self.everything, target, siblings):
            risen = self.value(statement, answer.cost)
            steps.append((leaving, max(0.0, risen - last)))
            last = max(last, risen)
            if self._over:
                break
        self._bound.add(Cut(statement, floor, _joined(steps, _NEGLIGIBLE * max(abs(floor), 1e-9))))

    def _improve(self) -> None:
        """The best of the plans that were seen, then asked again as a whole, until nothing better comes."""
        former = math.inf
        while self._best[0] < former - 1e-6 and not self._left_s <= 0:
            former = self._best[0]
            chosen = self._best_known()
            if chosen is None:
                return
            self._consider(chosen.indexes)

    def _settle(self) -> None:
        """Of sets that are as good, the smaller one."""
        chosen = self._best_known()
        if chosen is None:
            return
        found = self._pruned(chosen.indexes)
        objective = self.objective(found)
        if objective + self._tied(found) < self._best[0] + self._tied(self._best[1]) - 1e-9:
            self._best = (objective, found)
            self._note()

    def _tied(self, indexes: Indexes) -> float:
        return sum(self.tie_break[number] for number in members(indexes))

    def _best_known(self) -> Choice | None:
        options = [
            Option(each, plan.used, self.value(each, plan.cost))
            for each in self._statements
            for plan in self.costs.plans(each)
        ]
        weighed = [one + other for one, other in zip(self.upkeep, self.tie_break, strict=True)]
        seconds = min(_LONGEST_S, max(_SHORTEST_S, self._left_s / 4))
        return best_of_known(options, self.limits, weighed, seconds=seconds, gap=self._solver_gap)

    def _tighten_relaxed(self) -> None:
        """Cuts where indexes may be there in part: cheap, and nearly all that the bound needs."""
        former = -math.inf
        for turn in range(_MOST_RELAXED):
            if self._over or self._close:
                return
            solved = self._bound.relaxed(max(1.0, self._left_s))
            if solved is None:
                return
            optimum, parts = solved
            self._lower = max(self._lower, optimum)
            self._note()
            for threshold in _THRESHOLDS:
                kept = self.limits.kept | as_set(n for n, part in parts.items() if part >= threshold)
                for each in self._statements:
                    self._descend(each, kept)
            self._consider(self._rounded(parts))
            if turn % 2 == 1:
                self._look_ahead()
                self._improve()
            if turn > 2 and optimum - former < _SLOW_RISE:
                break
            former = optimum
        self._improve()

    def _look_ahead(self) -> None:
        """The set that seems best by the cuts so far, before they are many and a programme takes long."""
        bound, choice = self._bound.solved(_SHORTEST_S, _ROUGH_GAP)
        self._lower = max(self._lower, bound)
        if choice is not None:
            self._consider(choice.indexes)
            for each in self._statements:
                self._descend(each, choice.indexes)

    def _rounded(self, parts: Mapping[int, float]) -> Indexes:
        """Whole indexes out of *parts* of them, the largest parts first, as far as the budget goes."""
        found, left = self.limits.kept, self.limits.budget
        for number, part in sorted(parts.items(), key=lambda each: (-each[1], each[0])):
            if part > _THRESHOLDS[-1] and self.limits.sizes[number] <= left:
                found |= 1 << number
                left -= self.limits.sizes[number]
        return found

    def _tighten(self) -> bool:
        """Cuts at the sets that seem best, until the gap is small; false where the deadline came first."""
        stuck = 0
        while not self._close:
            if self._over:
                return False
            seconds = min(_LONGEST_S, max(_SHORTEST_S, self._left_s))
            bound, choice = self._bound.solved(seconds, self._solver_gap)
            before = (self._lower, self._best[0], len(self._bound.cuts))
            self._lower = max(self._lower, bound)
            if choice is not None:
                self._consider(choice.indexes)
            for target in [self._best[1], *([choice.indexes] if choice else [])]:
                for each in self._statements:
                    self._descend(each, target)
            self._improve()
            self._note()
            stuck = stuck + 1 if before == (self._lower, self._best[0], len(self._bound.cuts)) else 0
            if stuck == 2:
                return True  # no cut is left: what remains of the gap is the solver's tolerance
        return True


def descent(
    costs: Costs, statement: int, begin: Indexes, target: Indexes, siblings: Sequence[Indexes] = ()
) -> Iterator[tuple[Indexes, Answer]]:
    """From *begin* down to *target*: what the plan uses and is not of *target* goes, until nothing is left.

    Each step is the indexes that went and the answer without them. With *siblings* an index takes its
    own along: fewer steps.
    """
    visible = begin & (costs.relevant[statement] | target)
    answer = costs.answer(statement, visible)
    while leaving := answer.used & ~target:
        if siblings:
            leaving |= _all_of(siblings, leaving) & visible & ~target
        visible &= ~leaving
        answer = costs.answer(statement, visible)
        yield leaving, answer


def _all_of(siblings: Sequence[Indexes], indexes: Indexes) -> Indexes:
    found: Indexes = 0
    for number in members(indexes):
        found |= siblings[number]
    return found


def useful(costs: Costs, kept: Indexes, everything: Indexes, siblings: Sequence[Indexes]) -> Indexes:
    """The indexes of *everything* that some statement's plan uses on its way from all down to *kept*."""
    found: Indexes = 0
    for statement in range(len(costs.relevant)):
        found |= costs.answer(statement, everything).used
        for _, answer in descent(costs, statement, everything, kept, siblings):
            found |= answer.used
    return found & everything


def _joined(steps: Sequence[tuple[Indexes, float]], negligible: float) -> tuple[tuple[Indexes, float], ...]:
    """*steps* where one that hardly rises goes with the next; the last ones that do not rise are left out."""
    joined: list[tuple[Indexes, float]] = []
    waiting: Indexes = 0
    for indexes, rise in steps:
        waiting |= indexes
        if rise > negligible:
            joined.append((waiting, rise))
            waiting = 0
    return tuple(joined)
