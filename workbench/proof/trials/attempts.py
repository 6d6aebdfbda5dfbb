"""The search for the part of a change that may be kept: culprits out, each index measured by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from workbench.catalog.model import qualified
from workbench.proof.plans import Plan
from workbench.proof.trials.measure import Measuring, OutOfTime
from workbench.proof.trials.model import Rejected, StatementTrial
from workbench.proof.trials.runs import Name, Visible, shape
from workbench.proof.workload.model import Statement

_CLEARLY = 0.95  # of the weighted time: what less is saved by keeping a culprit does not excuse it
_CULPRITS_TRIED = 4
_ROUNDS = 8

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
            self._leave_out_culprits()
            self._leave_out_one_by_one()
        except OutOfTime as exc:
            self.not_tried.append(f"the search ended early: {exc}")
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
            why = f"none of the plans of the {len(self.statements):,} statements uses it"
            self._reject(unused, why)

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
        with_it = total_ms(trials)[1]
        without_it = total_ms(self._measured(rest))[1]
        if not without_it or with_it >= _CLEARLY * without_it:
            return ""
        return f"the statements take {with_it:,.1f} ms with it and {without_it:,.1f} ms without"

    def _leave_out_one_by_one(self) -> None:
        """Each new index against the set without it, the largest first; what saves nothing is left out."""
        order = sorted((p for p in self.kept if p.create), key=lambda part: (-part.size_bytes, part.shown))
        for number, part in enumerate(order):
            if part not in self.kept:
                continue
            if number >= self.leave_one_out:
                self.not_tried.append(f"{len(order) - number} indexes were not measured by themselves")
                return
            self.progress(number, len(order), f"without {part.shown}")
            trials = list(self._with_and_without(part))
            measured = [trial for trial in trials if trial.saved_ms is not None]
            missing = [trial for trial in trials if trial.saved_ms is None]
            if missing:
                self.not_tried.append(f"{part.shown} by itself with {missing[0].name}: {missing[0].why}")
            if not any(trial.statement.reads_only for trial in measured):
                continue
            clear = [trial for trial in measured if trial.beyond_noise]
            saved = sum(trial.statement.weight * (trial.saved_ms or 0.0) for trial in clear)
            if not any(trial.outcome == "faster" for trial in measured):
                self._reject([part], _within_noise(measured))
            elif saved <= 0:
                self._reject([part], f"it costs {-saved:,.1f} ms more than it saves, writes among it")
            else:
                self.saved_ms[part.shown] = saved

    def _with_and_without(self, part: Part) -> Iterator[StatementTrial]:
        """The statements that *part* concerns, without it against the whole set."""
        rest = self.visible([each for each in self.kept if each is not part])
        concerned = self.used_by(part, self.kept)
        for statement in [*concerned, *(each for each in self._written(part) if each not in concerned)]:
            yield self.measuring.compare(statement, rest, self.visible(self.kept))

    def _written(self, part: Part) -> list[Statement]:
        """The statements that write to the table of *part*."""
        plans = self.measuring.plan_all(self.statements, self.visible(self.kept))
        return [
            statement
            for statement, plan in zip(self.statements, plans, strict=True)
            if not isinstance(plan, str) and not part.tables.isdisjoint(_targets(plan))
        ]


def _targets(plan: Plan) -> set[str]:
    """The tables that a plan writes to, by qualified names."""
    found = set()
    for node in plan.nodes():
        if node["Node Type"] == "ModifyTable":
            for target in node.get("Target Tables", [node]):
                found.add(qualified(target.get("Schema", ""), target.get("Relation Name", "")))
    return found


def _within_noise(trials: Sequence[StatementTrial]) -> str:
    shown = [f"{trial.name} {trial.why or trial.outcome}" for trial in trials if trial.statement.reads_only]
    return "no statement is faster with it than without it alone: " + "; ".join(shown[:3])


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
