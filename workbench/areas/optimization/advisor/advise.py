"""Which indexes a workload should have: candidates, costs on the clone, and the search, put together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg2

from workbench import sql
from workbench.areas.optimization.advisor import remarks
from workbench.areas.optimization.advisor.advice import (
    Advice,
    Objective,
    StatementCost,
)
from workbench.areas.optimization.advisor.candidates import key_candidates
from workbench.areas.optimization.advisor.costs import Costs, Indexes, as_set, members
from workbench.areas.optimization.advisor.drops import Drops, needed_by_keys, redundancies, standing_of
from workbench.areas.optimization.advisor.pool import Pool, asked_columns, tables_of
from workbench.areas.optimization.advisor.programme import Limits
from workbench.areas.optimization.advisor.search import Found, Search, Stage, useful
from workbench.areas.optimization.advisor.special import OperatorClass, operator_classes, special_candidates
from workbench.areas.optimization.advisor.telling import Telling
from workbench.areas.optimization.advisor.upkeep import Prices, Writing, upkeep_of, writings
from workbench.areas.optimization.advisor.uses import Use, uses_of
from workbench.errors import BadInput
from workbench.proof.plans import Plan
from workbench.proof.whatif import IndexDefinition, PlanCost, StatisticsClone, WhatIfIndex
from workbench.proof.workload import Statement, Unread, Workload, compress

_MOST_SEARCHED = 200  # statements; of more, those that cost the most
_LEAST_SHARE = 0.001  # of the objective: what the whole budget must be worth at least
# a plan that shows what is asked: indexes that are there would hide orders and the searches of other columns
_SHAPE = {
    "max_parallel_workers_per_gather": "0",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
}


def advise(
    clone: StatisticsClone,
    workload: Workload,
    *,
    budget_bytes: int,
    objective: Objective = "total",
    deadline_s: float = 60.0,
    most_calls: int | None = None,
    gap: float = 0.02,
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
    constants: bool = False


@dataclass(frozen=True)
class _Took:
    """How long the search took, and besides it the reading of samples."""

    elapsed_s: float
    sampled_s: float


class _Asking:
    """One question to the clone: what is there, what could be, and what it costs."""

    def __init__(self, clone: StatisticsClone, workload: Workload, objective: Objective) -> None:
        self._clone = clone
        self._objective = objective
        self._began = time.monotonic()
        self._calls_before, self._sampled_before_s = clone.calls, clone.sampled_s
        self._tables = tables_of(clone)
        self._prices = _prices(clone)
        self._planned, self._unread = self._plan_all(workload)
        if not self._planned:
            raise BadInput(
                "no statement of the workload can be planned: "
                + "; ".join([self._unread[0].reason if self._unread else "it holds none", *clone.lost[:2]])
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
        pool = self._pool(indexes)
        columns = self._columns(pool)
        siblings = pool.siblings()
        costs = Costs(
            [pool.numbered(each) | pool.existing for each in own],
            lambda number, visible: self._ask(pool, costs.relevant[number], number, visible),
        )
        written = [(each.statement.weight, write) for each in self._planned for write in each.writes]
        upkeep = [upkeep_of(pool.kept(number, columns), written, self._prices) for number in range(len(pool))]
        base = sum(each.statement.weight * each.cost for each in self._searched) + sum(
            upkeep[number] for number in members(pool.existing)
        )
        percent = 100.0 / base if base else 1.0
        weights = sum(each.statement.weight for each in self._searched) or 1.0
        value = self._value(percent, weights)
        everything = pool.existing | useful(costs, pool.existing, as_set(range(len(pool))), siblings)
        costs.relevant = [self._relevant(each, pool, columns) & everything for each in self._searched]
        search = Search(
            costs,
            value=value,
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
        names = [each.statement.name for each in self._searched]
        found = search.run()
        sampled_s = self._clone.sampled_s - self._sampled_before_s
        took = _Took(time.monotonic() - self._began - sampled_s, sampled_s)
        return self._told(Telling(pool, costs, search, names, upkeep), found, budget_bytes, gap, took)

    def _plan_all(self, workload: Workload) -> tuple[list[_Planned], list[Unread]]:
        """The statements with their costs, and what they write; uses are read of the searched ones only."""
        planned: list[_Planned] = []
        unread: list[Unread] = []
        for each in workload.statements:
            try:
                now = self._clone.cost(each.sql, each.values, search_path=each.search_path)
                writes = (
                    [] if each.reads_only else writings(each.sql, self._with_values(each), self._tables.roots)
                )
                planned.append(_Planned(each, now.total_cost, [], writes, now.indexes))
            except (psycopg2.Error, BadInput) as exc:
                unread.append(Unread(each.name, each.where, str(exc).strip().splitlines()[0]))
        return planned, unread

    def _shape(self, statement: Statement) -> Plan:
        with self._clone.having(settings=_SHAPE):
            values = None if statement.values else statement.values
            return self._clone.explain(statement.sql, values, search_path=statement.search_path)

    def _with_values(self, statement: Statement) -> Plan:
        with self._clone.having(settings=_SHAPE):
            return self._clone.explain(statement.sql, statement.values, search_path=statement.search_path)

    def _worth_searching(self) -> list[_Planned]:
        """Those that cost the most, one for all that differ in constants alone where there are very many."""
        statements = [each.statement for each in self._planned]
        small = compress(
            Workload(statements), most=_MOST_SEARCHED, costs=[each.cost for each in self._planned]
        )
        self._notes += small.notes
        planned = {(one.name, one.sql, one.values): each for each in self._planned if (one := each.statement)}
        return [
            self._read(replace(planned[each.name, each.sql, each.values], statement=each))
            for each in small.statements
        ]

    def _read(self, planned: _Planned) -> _Planned:
        """*planned* with its uses, and whether literals in them are the statement's own."""
        statement = planned.statement
        names = {table: list(facts.columns) for table, facts in self._tables.facts.items()}
        constants = bool(statement.values) or statement.values is None
        try:
            plan = self._shape(statement)
        except psycopg2.Error:
            # parameters whose types only their values tell
            plan, constants = self._with_values(statement), False
        return replace(planned, uses=uses_of(plan, names, self._tables.roots), constants=constants)

    def _candidates(self, budget_bytes: int) -> tuple[list[WhatIfIndex], list[set[IndexDefinition]]]:
        """The indexes that could be created, and of them those that each statement asks for itself."""
        classes = operator_classes(
            sql.fetch(self._clone.connection, "optimization/advisor/operator_classes.sql")
        )
        own: list[set[IndexDefinition]] = []
        for planned in self._searched:
            asked = [self._of_use(use, planned.constants, classes) for use in planned.uses]
            own.append(set().union(*asked))
        added = self._clone.add(sorted(set().union(*own)))
        uses, facts = [use for each in self._searched for use in each.uses], self._tables.facts
        self._notes += remarks.never_analysed(uses, facts) + remarks.without_statistics(uses, facts)
        self._notes += remarks.searches_within_text(uses, facts, classes)
        self._notes += remarks.refused_expressions(added.refused)
        there = self._already_there(added.indexes)
        fitting = [
            each for each in added.indexes if each.oid not in there and each.size_bytes <= budget_bytes
        ]
        return fitting, own

    def _of_use(self, use: Use, constants: bool, classes: Sequence[OperatorClass]) -> set[IndexDefinition]:
        table = self._tables.facts[use.schema, use.table]
        if not table.rows:
            return set()
        plain = key_candidates(use, table)
        return plain | special_candidates(use, table, classes, plain, constants=constants)

    def _pool(self, indexes: Sequence[WhatIfIndex]) -> Pool:
        existing = [each for each in self._clone.existing() if each.is_valid]
        standing = standing_of(self._clone.connection, [each.oid for each in existing])
        needed = needed_by_keys(standing, redundancies(self._clone.connection, list(standing)))
        return Pool(indexes, existing, needed)

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
        """The cost where of the *relevant* indexes the *visible* are there; other existing ones stay."""
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

    def _told(self, telling: Telling, found: Found, budget_bytes: int, gap: float, took: _Took) -> Advice:
        pool, search = telling.pool, telling.search
        found, trifles = telling.without_trifles(telling.thrifty(found, gap), gap)
        drops = self._drops(telling, found)
        gone = as_set(pool.numbers[oid] for oid in drops.hidden)
        objective = search.objective((found.indexes | pool.existing) & ~gone)
        chosen = found.indexes & ~pool.existing
        by_oid = {each.oid: each.definition for each in pool.new.values()}
        calls = self._clone.calls - self._calls_before
        return Advice(
            recommended=telling.recommended(found),
            droppable=tuple(drops.droppable),
            rejected=telling.rejected(found, trifles, budget_bytes),
            statements=tuple(
                StatementCost(
                    each.statement,
                    each.cost,
                    after.total_cost,
                    tuple(by_oid[oid] for oid in after.indexes if oid in by_oid),
                )
                for each, after in zip(self._planned, drops.now, strict=True)
            ),
            unread=tuple(self._unread),
            objective=self._objective,
            budget_bytes=budget_bytes,
            size_bytes=sum(int(pool.sizes[number]) for number in members(chosen)),
            relative_cost=search.percent(objective) / 100,
            bound=search.percent(min(found.bound, objective)) / 100,
            finished=found.exhausted,
            candidates=(search.everything & ~pool.existing).bit_count(),
            whatif_calls=calls,
            elapsed_s=took.elapsed_s,
            sampled_s=took.sampled_s,
            stages=found.stages,
            notes=(
                *self._notes,
                *remarks.unseen_uses(self._unread, drops.droppable),
                *(f"the clone differs from the source: {each}" for each in self._clone.lost),
            ),
            kept=tuple(drops.kept),
        )

    def _drops(self, telling: Telling, found: Found) -> Drops:
        """The existing indexes that can go where the new ones are there."""
        pool = telling.pool
        shown = [pool.oids[number] for number in members(found.indexes & ~pool.existing)]

        def ask(place: int, hidden: Collection[int]) -> PlanCost:
            each = self._planned[place].statement
            return self._clone.cost(
                each.sql, each.values, indexes=shown, without=hidden, search_path=each.search_path
            )

        conn, existing = self._clone.connection, list(pool.there.values())
        standing = standing_of(conn, [*(each.oid for each in existing), *shown])
        touched = {(use.schema, use.table) for each in self._searched for use in each.uses}
        touched |= {(write.schema, write.table) for each in self._planned for write in each.writes}
        drops = Drops(
            ask,
            [PlanCost(each.cost, each.used) for each in self._planned],
            existing,
            standing,
            redundancies(conn, list(standing)),
            {oid: pool.new[pool.numbers[oid]].definition for oid in shown},
            {each.oid: telling.upkeep[number] for number, each in pool.there.items()},
            touched,
        )
        drops.decide([pool.oids[number] for number in members(pool.existing & ~found.indexes)])
        return drops


def _of_logarithm(value: float) -> float:
    return 100.0 * math.exp(value / 100.0)


def _prices(clone: StatisticsClone) -> Prices:
    shown = [
        float(clone.connection.execute("select pg_catalog.current_setting(%s)", [name]).fetchone()[0])  # type: ignore[index]
        for name in ("random_page_cost", "cpu_operator_cost")
    ]
    return Prices(*shown)
