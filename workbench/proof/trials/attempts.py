"""The search for the part of a change that may be kept: culprits out, each index measured by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.catalog.model import qualified
from workbench.proof.trials.measure import Measuring, OutOfTime
from workbench.proof.trials.model import Rejected, StatementTrial
from workbench.proof.trials.ratios import RESOLUTION_MS
from workbench.proof.trials.runs import Name, Visible, shape, written
from workbench.proof.workload.model import Statement

_CLEARLY = 0.95  # of the weighted time: what less is saved by keeping a culprit does not excuse it
_AS_GOOD = 1.01  # of the planned cost
_CULPRITS_TRIED = 4
_ROUNDS = 8
_KEPT_BACK = 0.3  # of the limit: for measuring what is kept in the end

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Part:
    """An index of the change, by its place and by its name as plans show it."""

    name: Name
    shown: str
    create: bool
    size_bytes: int = 0
    tables: frozenset[str] = frozenset()  # where it lies, and the partitions beneath


@dataclass
class Search:
    """Which parts of the change are kept, and what was found out about the others on the way.

    *created* are the indexes that were built for the trial, all of them; those not kept are hidden.
    """

    measuring: Measuring
    statements: Sequence[Statement]
    created: Sequence[Part]
    kept: list[Part]
    progress: Progress
    leave_one_out: int
    rejected: list[Rejected] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    unused: list[Part] = field(default_factory=list)
    saved_ms: dict[str, float] = field(default_factory=dict)
    not_tried: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)

    @property
    def without(self) -> Visible:
        return Visible(frozenset(part.name for part in self.created))

    def visible(self, kept: Sequence[Part]) -> Visible:
        """What is seen with the parts *kept*: the indexes made for them, and not those that they drop."""
        names = {part.name for part in kept}
        hidden = {part.name for part in self.created if part.name not in names}
        return Visible(frozenset(hidden | {part.name for part in kept if not part.create}))

    def run(self) -> list[StatementTrial]:
        """The statements' figures with what is kept in the end."""
        try:
            self._leave_out_unused()
            self._prefer_smaller()
            self._leave_out_culprits()
            self._leave_out_one_by_one()
        except OutOfTime as exc:
            self.not_tried.append(f"the search ended early: {exc}")
        return self.measured()

    def keep_existing(self, needed: Mapping[str, Sequence[str]]) -> bool:
        """Keep existing indexes that are *needed* after all, with the reasons; whether there are such."""
        parts = [part for part in self.kept if not part.create and part.shown in needed]
        for part in parts:
            self._reject([part], "it is needed: " + "; ".join(needed[part.shown]))
        return bool(parts)

    def measured(self) -> list[StatementTrial]:
        """All statements with what is kept now."""
        return self._measured(self.kept)

    def _measured(self, kept: Sequence[Part]) -> list[StatementTrial]:
        """All statements with *kept* against nothing, those whose plans change and weigh most first."""
        visible = self.visible(kept)
        found: dict[int, StatementTrial] = {}
        order = self._by_weight(visible)
        for done, number in enumerate(order):
            statement = self.statements[number]
            self.progress(done, len(order), f"measuring {statement.name}")
            found[number] = self.measuring.compare(statement, self.without, visible)
        return [found[number] for number in range(len(self.statements))]

    def _by_weight(self, visible: Visible) -> list[int]:
        try:
            before = self.measuring.plan_all(self.statements, self.without)
            after = self.measuring.plan_all(self.statements, visible)
        except OutOfTime:
            return list(range(len(self.statements)))

        def key(number: int) -> tuple[bool, float]:
            plans = before[number], after[number]
            if isinstance(plans[0], str) or isinstance(plans[1], str):
                return True, 0.0
            cost = self.statements[number].weight * plans[0].total_cost
            return shape(plans[0]) == shape(plans[1]), -cost

        return sorted(range(len(self.statements)), key=key)

    def used_by(self, part: Part, kept: Sequence[Part]) -> list[Statement]:
        """The statements whose plan has *part*: with *kept*, or without the change where it is dropped."""
        visible = self.visible(kept) if part.create else self.without
        plans = self.measuring.plan_all(self.statements, visible)
        return [
            statement
            for statement, plan in zip(self.statements, plans, strict=True)
            if not isinstance(plan, str) and part.shown in self.measuring.copy.declared(plan)
        ]

    def _leave_out_unused(self) -> None:
        """New indexes that no plan has; again, as the statistics of expressions change plans, too."""
        while unused := [part for part in self.kept if part.create and not self.used_by(part, self.kept)]:
            self.unused += unused
            self._reject(unused, f"none of the plans of the {len(self.statements):,} statements uses it")

    def _prefer_smaller(self) -> None:
        """Instead of an index that plans take, smaller ones with which they cost as much."""
        order = sorted((p for p in self.kept if p.create), key=lambda part: (-part.size_bytes, part.shown))
        for part in order:
            instead = self._instead(part)
            if not instead:
                continue
            rest = [*(each for each in self.kept if each is not part), *instead]
            if self._planned_cost(rest) <= _AS_GOOD * self._planned_cost(self.kept):
                names = ", ".join(each.shown for each in instead)
                self._swap(part, instead, f"{names} is smaller, and by the plans' costs as good")

    def _planned_cost(self, kept: Sequence[Part]) -> float:
        plans = self.measuring.plan_all(self.statements, self.visible(kept))
        return sum(
            statement.weight * plan.total_cost
            for statement, plan in zip(self.statements, plans, strict=True)
            if not isinstance(plan, str)
        )

    def _swap(self, part: Part, instead: Sequence[Part], why: str) -> None:
        self._reject([part], why)
        self.kept += instead
        for each in instead:
            self.reasons.pop(each.shown, None)

    def _reject(self, parts: Sequence[Part], why: str) -> None:
        tried = tuple(part.shown for part in self.kept)
        self.rejected.append(Rejected(tried, tuple(part.shown for part in parts), why))
        self.reasons.update((part.shown, why) for part in parts)
        self.kept = [part for part in self.kept if part not in parts]

    def _leave_out_culprits(self) -> None:
        """What makes a query slower or breaks a statement, until nothing does or what does is worth it."""
        excused: set[Part] = set()
        for _ in range(_ROUNDS):
            trials = self._measured(self.kept)
            worst = self._worst(trials)
            for trial in worst:
                culprits = [part for part in self._culprits(trial) if part not in excused]
                if not culprits:
                    continue
                rest = [part for part in self.kept if part not in culprits]
                if trial.outcome == "slower" and (excuse := self._excuse(trials, rest)):
                    excused.update(culprits)
                    names = ", ".join(part.shown for part in culprits)
                    self.excused.append(
                        f"{trial.name} is slower ({trial.why}) by {names}, which is kept: {excuse}"
                    )
                    continue
                self._reject(culprits, f"{trial.name} is {trial.outcome}: {trial.why}")
                self._leave_out_unused()
                break
            else:
                return
        self.not_tried.append(
            f"after {_ROUNDS} rounds of leaving out what slows a statement, some are still slower"
        )

    def _worst(self, trials: Sequence[StatementTrial]) -> list[StatementTrial]:
        bad = [
            trial
            for trial in trials
            if trial.outcome == "broken" or (trial.outcome == "slower" and trial.statement.reads_only)
        ]
        return sorted(bad, key=lambda trial: (trial.outcome != "broken", trial.saved_ms or 0.0))

    def _culprits(self, trial: StatementTrial) -> list[Part]:
        """The one part without which the statement is as fast as before, or else all that its plans have."""
        suspects = [part for part in self.kept if self._suspected(part, trial)]
        if len(suspects) > 1:
            for part in suspects[:_CULPRITS_TRIED]:
                rest = [each for each in self.kept if each is not part]
                found = self.measuring.compare(trial.statement, self.without, self.visible(rest))
                if found.outcome in ("same plan", "no difference", "faster"):
                    return [part]
        return suspects

    def _suspected(self, part: Part, trial: StatementTrial) -> bool:
        if trial.outcome == "broken" and not part.create:
            return True
        return part.shown in (trial.with_change if part.create else trial.without).indexes

    def _excuse(self, trials: Sequence[StatementTrial], rest: Sequence[Part]) -> str:
        """Why a culprit is kept: the workload takes clearly less time with it; "" where it does not."""
        with_it = without_it = 0.0
        for one, other in zip(trials, self._measured(rest), strict=True):
            times = _taken_ms(one), _taken_ms(other)
            if times[0] is not None and times[1] is not None:
                with_it += one.statement.weight * times[0]
                without_it += one.statement.weight * times[1]
        if not without_it or with_it >= _CLEARLY * without_it:
            return ""
        return f"the statements take {with_it:,.1f} ms with it and {without_it:,.1f} ms without"

    def _leave_out_one_by_one(self) -> None:
        """Each new index against the set without it, the largest first; what saves nothing is left out."""
        order = sorted((p for p in self.kept if p.create), key=lambda part: (-part.size_bytes, part.shown))
        for number, part in enumerate(order):
            if number >= self.leave_one_out:
                self.not_tried.append(f"{len(order) - number} indexes were not measured by themselves")
                return
            clock = self.measuring.clock
            if clock.left_s < _KEPT_BACK * clock.limit_s:
                left = len(order) - number
                self.not_tried.append(f"{left} indexes were not measured by themselves: the time was short")
                return
            self.progress(number, len(order), f"without {part.shown}")
            self._leave_out(part)

    def _leave_out(self, part: Part) -> None:
        """What *part* saves by itself; where it saves nothing it goes, perhaps for a smaller one."""
        instead = self._instead(part)
        rest = [*(each for each in self.kept if each is not part), *instead]
        trials = list(self._with_and_without(part, rest))
        measured = [trial for trial in trials if trial.saved_ms is not None]
        missing = [trial for trial in trials if trial.saved_ms is None]
        if missing:
            self.not_tried.append(f"{part.shown} by itself with {missing[0].name}: {missing[0].why}")
        if not any(trial.statement.reads_only for trial in measured):
            return
        saved = sum(t.statement.weight * (t.saved_ms or 0.0) for t in measured if t.beyond_noise)
        faster = any(trial.outcome == "faster" for trial in measured)
        if faster and saved > 0:
            self.saved_ms[part.shown] = saved
            return
        why = _within_noise(measured) if not faster else f"it costs {-saved:,.1f} ms more than it saves"
        if instead:
            why = f"{', '.join(each.shown for each in instead)} does as well and is smaller; {why}"
        self._swap(part, instead, why)

    def _instead(self, part: Part) -> list[Part]:
        """Smaller indexes that no plan used while *part* was there, and that one uses without it."""
        smaller = [
            each
            for each in self.unused
            if each not in self.kept and each.tables == part.tables and each.size_bytes < part.size_bytes
        ]
        if not smaller:
            return []
        rest = [*(each for each in self.kept if each is not part), *smaller]
        return [each for each in smaller if self.used_by(each, rest)]

    def _with_and_without(self, part: Part, rest: Sequence[Part]) -> Iterator[StatementTrial]:
        """The statements that *part* concerns, with the *rest* alone against the whole set."""
        concerned = self.used_by(part, self.kept)
        for statement in [*concerned, *(each for each in self._written(part) if each not in concerned)]:
            yield self.measuring.compare(statement, self.visible(rest), self.visible(self.kept))

    def _written(self, part: Part) -> list[Statement]:
        """The statements that write to the table of *part*."""
        plans = self.measuring.plan_all(self.statements, self.visible(self.kept))
        return [
            statement
            for statement, plan in zip(self.statements, plans, strict=True)
            if not isinstance(plan, str)
            and not part.tables.isdisjoint(qualified(*each) for each in written(plan))
        ]


def _taken_ms(trial: StatementTrial) -> float | None:
    """The time of the statement with the change, the time-out where it ran into it."""
    side = trial.with_change
    return side.median_ms if side.over_ms is None else side.over_ms


def _within_noise(trials: Sequence[StatementTrial]) -> str:
    shown = [f"{trial.name} {_told_apart(trial)}" for trial in trials if trial.statement.reads_only]
    return "no statement is faster with it than without it alone: " + "; ".join(shown[:3])


def _told_apart(trial: StatementTrial) -> str:
    """How far the two are apart; where that is too little to be told, how little."""
    saved = trial.saved_ms
    if trial.ratio is not None and saved is not None and abs(saved) < RESOLUTION_MS:
        return f"differs by {abs(saved):.3f} ms, too little to be told"
    return trial.why or trial.outcome


def total_ms(trials: Sequence[StatementTrial]) -> tuple[float, float]:
    """The weighted times without and with the change of what was measured; a time-out counts as such."""
    before = after = 0.0
    for trial in trials:
        saved = trial.saved_ms
        if saved is None:
            continue
        first = trial.without.median_ms
        first = (trial.without.over_ms or 0.0) if first is None else first
        before += trial.statement.weight * first
        after += trial.statement.weight * (first - saved)
    return before, after
