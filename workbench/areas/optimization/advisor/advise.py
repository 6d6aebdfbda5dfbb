"""Which indexes a workload should have: candidates, costs on the clone, and the search, put together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg2

from workbench import sql
from workbench.areas.optimization.advisor.advice import (
    Advice,
    Droppable,
    NotChosen,
    Objective,
    Recommended,
    StatementCost,
)
from workbench.areas.optimization.advisor.candidates import key_candidates
from workbench.areas.optimization.advisor.costs import Costs, Indexes, as_set, members
from workbench.areas.optimization.advisor.pool import Pool, asked_columns, tables_of
from workbench.areas.optimization.advisor.programme import Limits
from workbench.areas.optimization.advisor.search import Found, Search, Stage, useful
from workbench.areas.optimization.advisor.special import OperatorClass, operator_classes, special_candidates
from workbench.areas.optimization.advisor.upkeep import Prices, Writing, upkeep_of, writings
from workbench.areas.optimization.advisor.uses import Use, uses_of
from workbench.errors import BadInput
from workbench.proof.plans import Plan
from workbench.proof.whatif import IndexDefinition, StatisticsClone, WhatIfIndex
from workbench.proof.workload import Statement, Unread, Workload

_MOST_SEARCHED = 200  # statements; of more, those that cost the most
_MOST_REJECTED = 20
_LEAST_SHARE = 0.001  # of the objective: what the whole budget must be worth at least
_SERIAL = {"max_parallel_workers_per_gather": "0"}


def advise(
    clone: StatisticsClone,
    workload: Workload,
    *,
    budget_bytes: int,
    objective: Objective = "total",
    deadline_s: float = 60.0,
    most_calls: int | None = None,
    gap: float = 0.01,
    progress: Callable[[Stage], None] = lambda stage: None,
) -> Advice:
    """The new indexes of at most *budget_bytes* that make *workload* cheapest, as far as *deadline_s* goes.

    The search ends before the deadline where the set is proven to be within *gap* of the best, or no cut
    on the bound is left. Raises BadInput for a budget or a deadline that is none, and where no statement
    of the workload can be planned.
    """
    if budget_bytes < 0 or not math.isfinite(budget_bytes):
        raise BadInput(f"a budget of {budget_bytes} bytes cannot be: give 0 or more, such as 500MB")
    if not deadline_s > 0:
        raise BadInput(f"a deadline of {deadline_s} s cannot be: give more than 0")
    asking = _Asking(clone, workload, objective)
    return asking.advice(budget_bytes, deadline_s, most_calls, gap, progress)


@dataclass
class _Planned:
    """A statement that can be planned: its cost as things are, how it uses the tables, and which indexes."""

    statement: Statement
    cost: float
    uses: list[Use]
    writes: list[Writing]
    used: tuple[int, ...] = ()


class _Asking:
    """One question to the clone: what is there, what could be, and what it costs."""

    def __init__(self, clone: StatisticsClone, workload: Workload, objective: Objective) -> None:
        self._clone = clone
        self._objective = objective
        self._began = time.monotonic()
        self._calls_before = clone.calls
        self._tables = tables_of(clone)
        self._prices = _prices(clone)
        self._planned, self._unread = self._plan_all(workload)
        if not self._planned:
            raise BadInput(
                "no statement of the workload can be planned: "
                + (self._unread[0].reason if self._unread else "it holds none")
            )
        self._notes: list[str] = []
        self._searched = self._worth_searching()

    def advice(
        self,
        budget_bytes: int,
        deadline_s: float,
        most_calls: int | None,
        gap: float,
        progress: Callable[[Stage], None],
    ) -> Advice:
        indexes, own = self._candidates(budget_bytes)
        pool = Pool(indexes, [each for each in self._clone.existing() if each.is_valid])
        columns = self._columns(pool)
        siblings = pool.siblings()
        costs = Costs(
            [pool.numbered(each) | pool.existing for each in own],
            lambda number, visible: self._ask(pool, costs.relevant[number], number, visible),
        )
        everything = pool.existing | useful(costs, pool.existing, as_set(range(len(pool))), siblings)
        costs.relevant = [self._relevant(each, pool, columns) & everything for each in self._searched]
        written = [(each.statement.weight, write) for each in self._planned for write in each.writes]
        upkeep = [upkeep_of(pool.kept(number, columns), written, self._prices) for number in range(len(pool))]
        base = sum(each.statement.weight * each.cost for each in self._searched) + sum(
            upkeep[number] for number in members(pool.existing)
        )
        percent = 100.0 / base if base else 1.0
        weights = sum(each.statement.weight for each in self._searched) or 1.0
        search = Search(
            costs,
            value=self._value(percent, weights),
            percent=(lambda value: value) if self._objective == "total" else _of_logarithm,
            limits=Limits(pool.sizes, float(budget_bytes), pool.fixed),
            upkeep=[each * percent for each in upkeep],
            start=pool.existing,
            everything=everything,
            siblings=siblings,
            tie_break=[100 * _LEAST_SHARE * size / max(1.0, float(budget_bytes)) for size in pool.sizes],
            deadline_s=max(0.1, deadline_s - (time.monotonic() - self._began)),
            most_calls=most_calls,
            gap=gap,
            progress=progress,
        )
        found = search.run()
        return self._told(pool, costs, search, found, upkeep, budget_bytes)

    def _plan_all(self, workload: Workload) -> tuple[list[_Planned], list[Unread]]:
        planned: list[_Planned] = []
        unread: list[Unread] = []
        names = {table: list(facts.columns) for table, facts in self._tables.facts.items()}
        for each in workload.statements:
            try:
                now = self._clone.cost(each.sql, each.values, search_path=each.search_path)
                plan = self._shape(each)
                uses = uses_of(plan, names, self._tables.roots)
                writes = writings(each.sql, plan, self._tables.roots)
                planned.append(_Planned(each, now.total_cost, uses, writes, now.indexes))
            except (psycopg2.Error, BadInput) as exc:
                unread.append(Unread(each.name, each.where, str(exc).strip().splitlines()[0]))
        return planned, unread

    def _shape(self, statement: Statement) -> Plan:
        """A plan that shows what is asked: without parallel workers, with the parameters as they are."""
        with self._clone.having(settings=_SERIAL):
            values = None if statement.values else statement.values
            return self._clone.explain(statement.sql, values, search_path=statement.search_path)

    def _worth_searching(self) -> list[_Planned]:
        ranked = sorted(self._planned, key=lambda each: -each.statement.weight * each.cost)
        kept = ranked[:_MOST_SEARCHED]
        if len(kept) < len(ranked):
            whole = sum(each.statement.weight * each.cost for each in ranked) or 1.0
            part = sum(each.statement.weight * each.cost for each in kept) / whole
            self._notes.append(
                f"indexes are searched for the {len(kept)} statements that cost the most, {part:.1%} of the "
                f"cost of all {len(ranked):,}; the others are planned before and after"
            )
        return kept

    def _candidates(self, budget_bytes: int) -> tuple[list[WhatIfIndex], list[set[IndexDefinition]]]:
        """The indexes that could be created, and of them those that each statement asks for itself."""
        classes = operator_classes(
            sql.fetch(self._clone.connection, "optimization/advisor/operator_classes.sql")
        )
        own: list[set[IndexDefinition]] = []
        for planned in self._searched:
            asked = [self._of_use(use, planned.statement, classes) for use in planned.uses]
            own.append(set().union(*asked))
        added = self._clone.add(sorted(set().union(*own)))
        there = self._already_there(added.indexes)
        fitting = [
            each for each in added.indexes if each.oid not in there and each.size_bytes <= budget_bytes
        ]
        return fitting, own

    def _of_use(
        self, use: Use, statement: Statement, classes: Sequence[OperatorClass]
    ) -> set[IndexDefinition]:
        table = self._tables.facts[use.schema, use.table]
        plain = key_candidates(use, table)
        has_parameters = bool(statement.values) or statement.values is None
        return plain | special_candidates(use, table, classes, plain, constants=has_parameters)

    def _already_there(self, indexes: Sequence[WhatIfIndex]) -> set[int]:
        existing = [each.oid for each in self._clone.existing() if each.is_valid]
        asked = {"candidates": [each.oid for each in indexes], "existing": existing}
        rows = sql.fetch(self._clone.connection, "optimization/advisor/already_there.sql", asked)
        return {row["oid"] for row in rows}

    def _columns(self, pool: Pool) -> Mapping[int, frozenset[str]]:
        rows = sql.fetch(
            self._clone.connection, "optimization/advisor/index_columns.sql", {"indexes": list(pool.oids)}
        )
        return {row["oid"]: frozenset(row["columns"]) for row in rows}

    def _relevant(self, planned: _Planned, pool: Pool, columns: Mapping[int, frozenset[str]]) -> Indexes:
        found: Indexes = 0
        for use in planned.uses:
            asked = asked_columns(use)
            for number in pool.of_table.get((use.schema, use.table), ()):
                held = columns.get(pool.oids[number], frozenset())
                if held & asked or (use.needed is not None and use.needed <= held):
                    found |= 1 << number
        return found | as_set(pool.numbers[oid] for oid in planned.used if oid in pool.numbers)

    def _ask(self, pool: Pool, relevant: Indexes, number: int, visible: Indexes) -> tuple[float, Indexes]:
        """x those *visible* are there; the other existing ones stay."""
        each = self._searched[number].statement
        shown = [pool.oids[n] for n in members(visible & ~pool.existing)]
        hidden = [pool.oids[n] for n in members(pool.existing & relevant & ~visible)]
        cost = self._clone.cost(
            each.sql, each.values, indexes=shown, without=hidden, search_path=each.search_path
        )
        used = as_set(pool.numbers[oid] for oid in cost.indexes if oid in pool.numbers)
        return cost.total_cost, used & visible

    def _value(self, percent: float, weights: float) -> Callable[[int, float], float]:
        searched = self._searched
        if self._objective == "total":
            return lambda number, cost: percent * searched[number].statement.weight * cost
        return lambda number, cost: (
            100.0
            * searched[number].statement.weight
            / weights
            * math.log(max(cost, 1e-9) / max(searched[number].cost, 1e-9))
        )

    def _told(
        self,
        pool: Pool,
        costs: Costs,
        search: Search,
        found: Found,
        upkeep: Sequence[float],
        budget_bytes: int,
    ) -> Advice:
        chosen = found.indexes & ~pool.existing
        gone = pool.existing & ~found.indexes
        elapsed_s = time.monotonic() - self._began
        calls = self._clone.calls - self._calls_before
        return Advice(
            recommended=self._recommended(pool, costs, search, found),
            droppable=tuple(Droppable(pool.there[number], upkeep[number]) for number in members(gone)),
            rejected=self._rejected(pool, costs, search, found, budget_bytes),
            statements=self._statement_costs(pool, found),
            unread=tuple(self._unread),
            objective=self._objective,
            budget_bytes=budget_bytes,
            size_bytes=sum(int(pool.sizes[number]) for number in members(chosen)),
            relative_cost=search.percent(found.objective) / 100,
            bound=search.percent(found.bound) / 100,
            finished=found.exhausted,
            candidates=(search.everything & ~pool.existing).bit_count(),
            whatif_calls=calls,
            elapsed_s=elapsed_s,
            stages=found.stages,
            notes=(*self._notes, *self._clone.lost),
        )

    def _recommended(self, pool: Pool, costs: Costs, search: Search, found: Found) -> tuple[Recommended, ...]:
        chosen = list(members(found.indexes & ~pool.existing))
        lost = {
            number: max(0.0, search.objective(found.indexes & ~(1 << number)) - found.objective)
            for number in chosen
        }
        whole = sum(lost.values()) or 1.0
        users: dict[int, list[str]] = {number: [] for number in chosen}
        for place, planned in enumerate(self._searched):
            for number in members(costs.answer(place, found.indexes).used):
                if number in users:
                    users[number].append(planned.statement.name)
        ranked = sorted(chosen, key=lambda number: (-lost[number], number))
        return tuple(
            Recommended(pool.new[number], lost[number] / whole, tuple(users[number])) for number in ranked
        )

    def _rejected(
        self, pool: Pool, costs: Costs, search: Search, found: Found, budget_bytes: int
    ) -> tuple[NotChosen, ...]:
        """The candidates that gain most alone and were not chosen, with their gain beside the chosen ones."""
        base = search.objective(search.start)
        room = budget_bytes - sum(pool.sizes[n] for n in members(found.indexes & ~pool.existing))
        left = list(members(search.everything & ~found.indexes & ~pool.existing))
        alone = {number: base - self._seen(costs, search, 1 << number | pool.existing) for number in left}
        told = []
        for number in sorted(left, key=lambda number: (-alone[number], number))[:_MOST_REJECTED]:
            beside = found.objective - search.objective(found.indexes | 1 << number)
            if beside <= 100 * _LEAST_SHARE:
                reason = "beside the chosen ones it gains nothing"
            elif pool.sizes[number] > room:
                reason = (
                    f"beside the chosen ones it gains {beside / 100:.1%}, and the budget has no room for it"
                )
            else:
                reason = f"beside the chosen ones it gains {beside / 100:.1%}, found when the time was over"
            told.append(
                NotChosen(pool.new[number].definition, int(pool.sizes[number]), alone[number] / 100, reason)
            )
        return tuple(told)

    def _seen(self, costs: Costs, search: Search, indexes: Indexes) -> float:
        """The objective of *indexes* by the plans that were seen, which may miss some."""
        return sum(
            min(search.value(place, plan.cost) for plan in costs.plans(place) if not plan.used & ~indexes)
            for place in range(len(self._searched))
        )

    def _statement_costs(self, pool: Pool, found: Found) -> tuple[StatementCost, ...]:
        shown = [pool.oids[number] for number in members(found.indexes & ~pool.existing)]
        by_oid = {each.oid: each.definition for each in pool.new.values()}
        told = []
        for each in self._planned:
            after = self._clone.cost(
                each.statement.sql,
                each.statement.values,
                indexes=shown,
                search_path=each.statement.search_path,
            )
            told.append(
                StatementCost(
                    each.statement,
                    each.cost,
                    after.total_cost,
                    tuple(by_oid[oid] for oid in after.indexes if oid in by_oid),
                )
            )
        return tuple(told)


def _of_logarithm(value: float) -> float:
    return 100.0 * math.exp(value / 100.0)


def _prices(clone: StatisticsClone) -> Prices:
    shown = [
        float(clone.connection.execute("select pg_catalog.current_setting(%s)", [name]).fetchone()[0])  # type: ignore[index]
        for name in ("random_page_cost", "cpu_operator_cost")
    ]
    return Prices(*shown)
