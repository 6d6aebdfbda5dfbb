"""The vocabulary of filling a schema: how many rows are wanted, and what became of each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.catalog.model import qualified

TableName = tuple[str, str]  # schema and name
MAXIMUM_ROWS = 100_000_000


@dataclass(frozen=True)
class ColumnStatistics:
    """What pg_stats says of a column; values as the server prints them.

    *distinct* is as pg_stats gives it: above 0 a count, below 0 minus the ratio to the rows.
    """

    null_fraction: float = 0.0
    distinct: float = 0.0
    width_bytes: int = 0
    common_values: tuple[str, ...] = ()
    common_fractions: tuple[float, ...] = ()
    bounds: tuple[str, ...] = ()
    correlation: float | None = None


@dataclass(frozen=True)
class TableStatistics:
    """The rows of a table by the planner's count, and its columns' statistics where they may be read."""

    rows: float
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict, repr=False)


Statistics = Mapping[TableName, TableStatistics]


@dataclass(frozen=True)
class RowPlan:
    """How many rows each base table is to have, what their values are to be like, and the *seed* of all."""

    rows: Mapping[TableName, int]
    statistics: Statistics = field(default_factory=dict, repr=False)
    seed: int = 1


@dataclass(frozen=True)
class FilledTable:
    """A table and its rows now; *why* says what kept it from the rows that were *wanted*."""

    schema: str
    name: str
    wanted: int
    rows: int
    why: str = ""

    @property
    def qualified(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True)
class Filled:
    """What filling a schema came to, a table each in the order of their names."""

    tables: Sequence[FilledTable]
    elapsed_s: float
    notes: Sequence[str] = ()

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def filled(self) -> tuple[FilledTable, ...]:
        return tuple(table for table in self.tables if table.rows)

    @property
    def empty(self) -> tuple[FilledTable, ...]:
        """The tables that were to have rows and have none."""
        return tuple(table for table in self.tables if table.wanted and not table.rows)
