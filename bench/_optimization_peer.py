"""The peer: a simple advisor of single-column B-trees, greedy by benefit a byte.

Its candidates are the columns that a statement names. It plans on the same clone, for the same objective and
with the same predicted sizes as the advisor it stands beside.
"""

from __future__ import annotations

import math

from pglast import ast, parse_sql
from pglast.visitors import Visitor

from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, WhatIfIndex
from workbench.proof.workload import Statement, Workload

_LEAST_GAIN = 0.003  # of the objective, below which no more index is taken


class _Named(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_ColumnRef(self, _ancestors: object, node: ast.ColumnRef) -> None:  # noqa: N802 - pglast's name
        last = node.fields[-1]
        if isinstance(last, ast.String):
            self.names.add(last.sval)

    def visit_RangeVar(self, _ancestors: object, node: ast.RangeVar) -> None:  # noqa: N802
        self.names.add(node.relname)


def names_in(statement: Statement) -> frozenset[str]:
    """The columns and tables that *statement* names."""
    visitor = _Named()
    visitor(parse_sql(statement.sql))
    return frozenset(visitor.names)


class SingleColumns:
    """The greedy choice, with every cost asked once."""

    def __init__(self, clone: StatisticsClone, workload: Workload, objective: str) -> None:
        self._clone, self._objective = clone, objective
        self._statements = list(workload.statements)
        self._names = [names_in(each) for each in self._statements]
        self._costs: dict[tuple[int, frozenset[int]], float] = {}
        self._candidates = self._columns()
        self._key = {
            each.oid: frozenset((each.definition.table, each.definition.keys[0].text))
            for each in self._candidates
        }
        self._base = [self._cost(place, frozenset()) for place in range(len(self._statements))]

    def _columns(self) -> list[WhatIfIndex]:
        named = sorted(set().union(*self._names))
        rows = self._clone.connection.execute(
            """
            select n.nspname, c.relname, a.attname
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_class c on c.oid = a.attrelid
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r'
              and a.attnum > 0
              and not a.attisdropped
              and n.nspname !~ '^(pg_|information_schema$)'
              and c.relname = any(%(named)s)
              and a.attname = any(%(named)s)
            order by n.nspname, c.relname, a.attnum
            """,
            {"named": named},
        ).fetchall()
        return list(
            self._clone.add(
                [IndexDefinition(schema, table, (Key(column),)) for schema, table, column in rows]
            ).indexes
        )

    def within(self, budget_bytes: int) -> tuple[IndexDefinition, ...]:
        """The indexes that it would create within *budget_bytes*."""
        chosen: list[WhatIfIndex] = []
        value, room = self._value(frozenset()), float(budget_bytes)
        while True:
            oids = frozenset(each.oid for each in chosen)
            gains = [
                (value - self._value(oids | {each.oid}), each)
                for each in self._candidates
                if each.oid not in oids and each.size_bytes <= room
            ]
            worth = [(gain, each) for gain, each in gains if gain >= _LEAST_GAIN]
            if not worth:
                return tuple(each.definition for each in chosen)
            gain, best = max(worth, key=lambda found: found[0] / found[1].size_bytes)
            chosen.append(best)
            room -= best.size_bytes
            value -= gain

    def _value(self, oids: frozenset[int]) -> float:
        """The objective: a part of the cost without indexes, or the mean logarithm of the ratios."""
        weights = [each.weight for each in self._statements]
        costs = [self._cost(place, oids) for place in range(len(self._statements))]
        if self._objective == "total":
            return sum(w * c for w, c in zip(weights, costs, strict=True)) / sum(
                w * c for w, c in zip(weights, self._base, strict=True)
            )
        return sum(
            weight * math.log(max(cost, 1e-9) / max(base, 1e-9))
            for weight, cost, base in zip(weights, costs, self._base, strict=True)
        ) / sum(weights)

    def _cost(self, place: int, oids: frozenset[int]) -> float:
        named = self._names[place]
        mattering = frozenset(oid for oid in oids if self._key[oid] <= named)
        found = self._costs.get((place, mattering))
        if found is None:
            each = self._statements[place]
            found = self._clone.cost(
                each.sql, each.values, indexes=mattering, search_path=each.search_path
            ).total_cost
            self._costs[place, mattering] = found
        return found
