"""What is there and what could be: the tables, and all indexes under one numbering."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from workbench import sql
from workbench.areas.optimization.advisor.candidates import ColumnFacts, TableFacts
from workbench.areas.optimization.advisor.costs import Indexes, as_set
from workbench.areas.optimization.advisor.upkeep import Kept
from workbench.areas.optimization.advisor.uses import Use
from workbench.proof.whatif import ExistingIndex, IndexDefinition, StatisticsClone, WhatIfIndex

TableName = tuple[str, str]


@dataclass(frozen=True)
class Tables:
    """The tables by schema and name, and of each partition its topmost parent."""

    facts: Mapping[TableName, TableFacts]
    roots: Mapping[TableName, TableName]


class Pool:
    """Candidates and existing indexes under one numbering: the candidates first.

    *needed* are the oids of those existing ones that stay whatever the workload says.
    """

    def __init__(
        self,
        candidates: Sequence[WhatIfIndex],
        existing: Sequence[ExistingIndex],
        needed: Collection[int] = (),
    ) -> None:
        first = len(candidates)
        self.new = dict(enumerate(candidates))
        self.there = dict(enumerate(existing, start=first))
        self.oids = [*(each.oid for each in candidates), *(each.oid for each in existing)]
        self.numbers = {oid: number for number, oid in enumerate(self.oids)}
        # what is there takes nothing from the budget
        self.sizes = [float(each.size_bytes) for each in candidates] + [0.0] * len(existing)
        self.existing = as_set(self.there)
        self.fixed = as_set(number for number, each in self.there.items() if each.oid in needed)
        self.of_table: dict[TableName, list[int]] = {}
        for number, each in self.new.items():
            self.of_table.setdefault((each.definition.schema, each.definition.table), []).append(number)
        for number, index in self.there.items():
            self.of_table.setdefault((index.schema, index.table), []).append(number)

    def __len__(self) -> int:
        return len(self.oids)

    def numbered(self, definitions: set[IndexDefinition]) -> Indexes:
        """The candidates of *definitions*, as far as they can be created."""
        return as_set(number for number, each in self.new.items() if each.definition in definitions)

    def kept(self, number: int, columns: Mapping[int, frozenset[str]]) -> Kept:
        held = columns.get(self.oids[number], frozenset())
        if number in self.new:
            new = self.new[number]
            return Kept(
                (new.definition.schema, new.definition.table),
                new.definition.method,
                held,
                new.rows,
                new.size_bytes,
            )
        old = self.there[number]
        return Kept((old.schema, old.table), old.method, held, old.size_bytes / 20.0, old.size_bytes)

    def siblings(self) -> list[Indexes]:
        """For each index those that begin with the same key and are not smaller, itself among them."""
        families: dict[tuple[object, ...], list[int]] = {}
        for number, each in self.new.items():
            definition = each.definition
            family = (definition.schema, definition.table, definition.method, definition.keys[0])
            families.setdefault(family, []).append(number)
        found = [1 << number for number in range(len(self))]
        for family_members in families.values():
            for number in family_members:
                found[number] |= as_set(n for n in family_members if self.sizes[n] >= self.sizes[number])
        return found


def asked_columns(use: Use) -> frozenset[str]:
    """The columns by which rows are found, joined, ordered or grouped."""
    return frozenset(
        [column for each in use.conditions for _, column in each.left.columns]
        + list(use.joined)
        + [each.column for order in use.orderings for each in order]
        + [column for group in use.grouped for column in group]
        + list(use.extremes)
    )


def tables_of(clone: StatisticsClone) -> Tables:
    """The tables of the clone with what the candidates need to know."""
    facts: dict[TableName, TableFacts] = {}
    columns: dict[TableName, dict[str, ColumnFacts]] = {}
    roots: dict[TableName, TableName] = {}
    for row in sql.fetch(clone.connection, "optimization/advisor/columns.sql"):
        table = (row["schema_name"], row["table_name"])
        rows = row["rows_estimated"]
        distinct = row["n_distinct"]
        if distinct is not None and distinct < 0:
            distinct = -distinct * rows
        columns.setdefault(table, {})[row["column_name"]] = ColumnFacts(
            row["base_type"],
            distinct,
            row["null_fraction"],
            row["correlation"],
            row["average_width_bytes"],
            row["collates_as_c"],
        )
        if table not in facts:
            facts[table] = TableFacts(rows, row["pages"] * 8192, columns[table])
            roots.update(dict.fromkeys(map(tuple, row["partitions"]), table))
    return Tables(facts, roots)
