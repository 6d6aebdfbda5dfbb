"""Statements measured with two sets of indexes, in turns, within the same database."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psycopg2

from workbench.proof.plans import Plan
from workbench.proof.trials import fingerprint
from workbench.proof.trials.model import Results, Side, StatementOutcome, StatementTrial
from workbench.proof.trials.ratios import outcome, ratio, undecided
from workbench.proof.trials.runs import CannotRun, Copy, Run, Visible, reason, shape
from workbench.proof.workload.model import Statement

_AT_MOST = 4  # times as many runs, where so many do not tell, and so many by all means
_CHEAP_MS = 1_000.0
_BUFFERS_APART = 0.02  # of the buffers of equal plans: below, a function beneath them does nothing else


class OutOfTime(Exception):
    """The limit was reached before what was asked for was done."""


@dataclass
class Clock:
    """The time that is left: a limit for all, and one for each statement. *held_s* is kept back."""

    limit_s: float
    timeout_s: float
    held_s: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def left_s(self) -> float:
        return self.limit_s - self.held_s - self.elapsed_s

    def statement_s(self) -> float:
        """The time that a statement may take now. Raises OutOfTime where there is none."""
        if self.left_s <= 0:
            raise OutOfTime(f"the limit of {self.limit_s:g} s was reached before it")
        return min(self.timeout_s, self.left_s)


@dataclass
class _Runs:
    """The runs of one statement with one set of indexes, the one that warms up left out."""

    visible: Visible
    warm_up: Run | None = None
    timed: list[Run] = field(default_factory=list)
    over_ms: float | None = None

    @property
    def last(self) -> Run | None:
        return self.timed[-1] if self.timed else self.warm_up

    @property
    def times_ms(self) -> list[float]:
        return [run.elapsed_ms for run in self.timed]


class Measuring:
    """Measures statements on *copy*; a pair of equal plans is not measured twice."""

    def __init__(self, copy: Copy, clock: Clock, runs: int) -> None:
        self.copy = copy
        self.clock = clock
        self.runs = runs
        self._plans: dict[tuple[object, ...], Plan | str] = {}
        self._known: dict[tuple[object, ...], StatementTrial] = {}
        self._over: dict[tuple[object, ...], float] = {}  # of plans that ran into the time-out

    def plan_all(self, statements: Sequence[Statement], visible: Visible) -> list[Plan | str]:
        """The plans with these indexes, or why there is none."""
        missing = [each for each in statements if (visible, *_identity(each)) not in self._plans]
        if missing:
            found = self.copy.plans(missing, visible, timeout_s=self.clock.statement_s())
            self._plans.update(zip(((visible, *_identity(each)) for each in missing), found, strict=True))
        return [self._plans[visible, *_identity(each)] for each in statements]

    def compare(self, statement: Statement, without: Visible, with_change: Visible) -> StatementTrial:
        """One statement with both sets of indexes; what fails, or for what no time is left, says so."""
        try:
            before, after = (self.plan_all([statement], each)[0] for each in (without, with_change))
        except OutOfTime as exc:
            return StatementTrial(statement, "not tried", str(exc))
        if isinstance(before, str) or isinstance(after, str):
            return StatementTrial(statement, *_failure(before, after))
        same = shape(before) == shape(after)
        writes = (without, with_change) if not statement.reads_only else ()
        key = (*_identity(statement), shape(before), shape(after), *writes)
        if key not in self._known:
            found = self._compared(statement, without, with_change, before, after, same)
            if found.outcome == "not tried":
                return found
            self._known[key] = found
        return self._known[key]

    def _compared(
        self,
        statement: Statement,
        without: Visible,
        with_change: Visible,
        before: Plan,
        after: Plan,
        same: bool,
    ) -> StatementTrial:
        sides = [
            _Runs(visible, over_ms=self._over.get((*_identity(statement), shape(plan))))
            for visible, plan in ((without, before), (with_change, after))
        ]
        planned = (
            Side(plan=before, indexes=self.copy.declared(before)),
            Side(plan=after, indexes=self.copy.declared(after)),
        )
        untimed = StatementTrial(statement, "not tried", "", *planned)
        try:
            if same and statement.reads_only and self._does_the_same(statement, sides):
                side = self._side(sides[0], fallback=planned[0])
                if side.over_ms is not None:
                    why = f"more than {side.over_ms:,.0f} ms, by the same plan on both sides"
                    return replace(untimed, outcome="timed out", why=why, without=side, with_change=side)
                return replace(untimed, outcome="same plan", without=side, with_change=side)
            self._in_turns(statement, sides)
        except CannotRun as exc:
            return replace(untimed, why=str(exc))
        except OutOfTime as exc:
            if not (sides[0].timed and sides[1].timed):
                return replace(untimed, why=str(exc))
        except psycopg2.Error as exc:
            if self.copy.conn.closed:
                raise
            return replace(untimed, outcome="failed", why=reason(exc))
        for ran, plan in zip(sides, (before, after), strict=True):
            if ran.over_ms is not None:
                self._over[*_identity(statement), shape(plan)] = ran.over_ms
        return self._judged(statement, sides, planned)

    def _does_the_same(self, statement: Statement, sides: list[_Runs]) -> bool:
        """Whether equal plans touch as many pages, too: a function that they call may plan otherwise."""
        self._once(statement, sides[0])
        warm = sides[0].warm_up
        if warm is None or warm.elapsed_ms > _CHEAP_MS:
            return True
        self._once(statement, sides[0])
        self._once(statement, sides[1])
        first, second = (side.last for side in sides)
        if first is None or second is None:
            return False
        touched = [run.plan.buffers or 0 for run in (first, second)]
        return abs(touched[0] - touched[1]) <= 8 + _BUFFERS_APART * max(touched)

    def _once(self, statement: Statement, side: _Runs) -> None:
        """One run, the first of which does not count; a time-out is noted."""
        if side.over_ms is not None:
            return
        given_s = self.clock.statement_s()
        try:
            run = self.copy.run(statement, side.visible, timeout_s=given_s)
        except psycopg2.errors.QueryCanceled as exc:
            if given_s < self.clock.timeout_s:
                raise OutOfTime(f"the limit of {self.clock.limit_s:g} s was reached while it ran") from exc
            side.over_ms = given_s * 1000
            return
        if not statement.reads_only:
            self.copy.tidy(run.plan)
        if side.warm_up is None:
            side.warm_up = run
        else:
            side.timed.append(run)

    def _in_turns(self, statement: Statement, sides: list[_Runs]) -> None:
        """Runs in turns, each round begun by the other side, more of them where so many do not tell."""
        for side in sides:
            if side.warm_up is None:
                self._once(statement, side)
        for side in sides:
            side.timed.clear()
        for number in range(self.runs * _AT_MOST):
            if any(side.over_ms is not None for side in sides):
                self._of_the_other(statement, sides)
                return
            if number >= self.runs and not self._undecided(sides):
                return
            for side in sides if number % 2 else sides[::-1]:
                self._once(statement, side)

    def _of_the_other(self, statement: Statement, sides: list[_Runs]) -> None:
        """Where one side ran into the time-out, one more run of the other one is enough."""
        for side in sides:
            side.timed.clear()
            self._once(statement, side)

    def _undecided(self, sides: list[_Runs]) -> bool:
        before, after = (side.times_ms for side in sides)
        found = ratio(before, after)
        return found is not None and undecided(found, before, after)

    def _side(self, side: _Runs, *, fallback: Side) -> Side:
        timed = side.timed or ([side.warm_up] if side.warm_up else [])
        if not timed:
            return replace(fallback, over_ms=side.over_ms)
        last = timed[-1]
        return Side(
            times_ms=tuple(run.elapsed_ms for run in timed),
            planning_ms=statistics.median(run.plan.planning_ms or 0.0 for run in timed),
            buffers=last.plan.buffers,
            buffers_read=last.plan.root.get("Shared Read Blocks"),
            rows=last.plan.actual_rows,
            indexes=self.copy.declared(last.plan),
            wal_bytes=last.plan.root.get("WAL Bytes"),
            changed_rows=last.changed_rows,
            hot_rows=last.hot_rows,
            over_ms=side.over_ms,
            plan=last.plan,
        )

    def _judged(self, statement: Statement, sides: list[_Runs], planned: tuple[Side, Side]) -> StatementTrial:
        before, after = sides
        shown = [self._side(side, fallback=fallback) for side, fallback in zip(sides, planned, strict=True)]
        found = StatementTrial(statement, "no difference", "", shown[0], shown[1])
        if before.over_ms is not None and after.over_ms is not None:
            return replace(
                found, outcome="timed out", why=f"more than {before.over_ms:,.0f} ms on both sides"
            )
        if before.over_ms is not None or after.over_ms is not None:
            return replace(found, **_over(before, after))  # type: ignore[arg-type]
        pairs = min(len(before.timed), len(after.timed))
        times = before.times_ms[:pairs], after.times_ms[:pairs]
        measured = ratio(*times)
        if measured is None:
            return replace(found, outcome="not tried", why="no pair of runs was finished")
        compared = self._results(statement, sides)
        decided = outcome(measured, *times)
        why = f"{measured.value:.2f} times as long ({measured.low:.2f} to {measured.high:.2f})"
        if compared.outcome == "different":
            return replace(found, outcome="broken", why=compared.why, ratio=measured, results=compared)
        return replace(found, outcome=decided, why=why, ratio=measured, results=compared)

    def _results(self, statement: Statement, sides: list[_Runs]) -> Results:
        if not statement.reads_only:
            return Results("not compared", why="it writes")
        try:
            return fingerprint.compared(
                self.copy, statement, sides[0].visible, sides[1].visible, self.clock.statement_s
            )
        except OutOfTime as exc:
            return Results("not compared", why=str(exc))
        except psycopg2.Error as exc:
            if self.copy.conn.closed:
                raise
            return Results("not compared", why=reason(exc))


def _over(before: _Runs, after: _Runs) -> dict[str, object]:
    """The outcome where one side alone ran into the time-out."""
    over, finished, word = (
        (before, after, "faster") if before.over_ms is not None else (after, before, "slower")
    )
    run = finished.last
    elapsed_ms = run.elapsed_ms if run else 0.0
    side = "without" if over is before else "with"
    return {
        "outcome": word,
        "why": f"{elapsed_ms:,.1f} ms, against more than {over.over_ms:,.0f} ms {side} the change",
    }


def _failure(before: Plan | str, after: Plan | str) -> tuple[StatementOutcome, str]:
    """The outcome of a statement that cannot even be planned on one side or both."""
    if isinstance(before, str):
        return "failed", before
    return "broken", f"it fails with the change: {after}"


def _identity(statement: Statement) -> tuple[object, ...]:
    return statement.name, statement.sql, statement.values, statement.search_path
