"""Values for a table's columns by a row's number: by statistics, by type, or as unique keys ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2 import sql

from workbench.catalog.model import Column, Table, quoted
from workbench.proof.constraints.expressions import read
from workbench.proof.constraints.search import Condition, RowSearch
from workbench.proof.rows.model import ColumnStatistics, TableStatistics
from workbench.proof.rows.sources import ENOUGH, Source, kind_of, share_of, source
from workbench.proof.rows.values import by_statistics, chance, distinct_values, seed_of, spread

_NULL_FRACTION = 0.1  # of a column that may be null and of which nothing is known
_WIDTH = 24  # of texts of which nothing is known
_FEW = 0.5  # of the rows
NUMBER = sql.SQL("workbench.n")


class Unfillable(Exception):
    """A table that gets no rows, and why in one line."""


@dataclass
class ColumnDrawing:
    """How the values of one table's columns are drawn. The drawn ones stand over the row's NUMBER."""

    search: RowSearch
    wanted: int
    statistics: TableStatistics | None
    seed: int
    _values: dict[str, sql.Composable] = field(default_factory=dict, init=False)
    _parents: dict[str, sql.Composable] = field(default_factory=dict, init=False)  # the keys, used or not

    @property
    def table(self) -> Table:
        return self.search.table

    def _column_statistics(self, name: str) -> ColumnStatistics | None:
        return self.statistics.columns.get(name) if self.statistics else None

    def _seed(self, *parts: object) -> int:
        return seed_of(self.seed, self.table.schema, self.table.name, *parts)

    @property
    def _stored(self) -> list[Column]:
        return [column for column in self.table.columns if not column.generated]

    def _unique_sets(self) -> list[tuple[str, ...]]:
        """The columns of each unique index, those in its expressions among them."""
        return [
            tuple(dict.fromkeys(name for key in index.keys for name in read(key)[0]))
            for index in self.table.indexes
            if index.unique
        ]

    def _known_values(self, name: str) -> bool:
        found = self._column_statistics(name)
        return bool(found and (found.common_values or found.bounds))

    def _source(self, column: Column, conditions: Sequence[Condition]) -> Source | None:
        statistics = self._column_statistics(column.name)
        width = statistics.width_bytes if statistics and statistics.width_bytes else _WIDTH
        known = statistics.bounds[1::40][:3] if statistics else ()
        return source(self.search, column, conditions, self._seed(column.name), width=width, known=known)

    def _none_found(self, column: Column, conditions: Sequence[Condition]) -> None:
        if not column.nullable:
            names = ", ".join(each.name for each in conditions if each.name) or "its partitions' bounds"
            raise Unfillable(f"no value was found for {quoted(column.name)} that satisfies {names}")
        self._values[column.name] = sql.SQL("null")

    def _drawn_value(self, column: Column, conditions: Sequence[Condition]) -> sql.Composable | None:
        """A value by the statistics where it mostly satisfies the conditions, else one of its type's."""
        found = self._source(column, conditions)
        native = self._null_at_times(column, found.make(self._index(column, found))) if found else None
        statistics = self._column_statistics(column.name)
        kind = kind_of(self.search, column)
        if statistics is None or not self._known_values(column.name):
            return native
        if self._is_unique(column.name):
            return native

        def made(number: sql.Composable) -> sql.Composable:
            rest = native or sql.SQL("null")
            return by_statistics(kind, statistics, number, self.wanted, self._seed(column.name), rest)

        alone = [each for each in conditions if set(each.columns) == {column.name}]
        if alone and share_of(self.search, column, made, alone) < ENOUGH:
            return native
        return self._null_at_times(column, made(NUMBER))

    def _drawn_or_numbered(self, column: Column) -> sql.Composable | None:
        if self._is_unique(column.name) or not self._known_values(column.name):
            found = self._source(column, ())
            if found is None:
                return None
            return self._null_at_times(column, found.make(self._index(column, found)))
        return self._drawn_value(column, ())

    def _is_unique(self, name: str) -> bool:
        """Whether it is for this column to tell the rows of a unique index apart.

        Not where it has few values, as the number of a line within its order has: the parent tells, too.
        """
        statistics = self._column_statistics(name)
        several = distinct_values(statistics, self.wanted) if statistics else None
        for columns in self._unique_sets():
            own = [each for each in columns if each not in self._values]
            if name in columns and (not own or own[0] == name):
                alone = self._parents.keys().isdisjoint(columns)
                return alone or several is None or several > _FEW * self.wanted
        return False

    def _index(self, column: Column, found: Source) -> sql.Composable:
        """The number of the value for a row: each its own where it must differ, else one of some."""
        if self._is_unique(column.name):
            return sql.SQL("({} - 1)").format(NUMBER)
        statistics = self._column_statistics(column.name)
        known = distinct_values(statistics, self.wanted) if statistics else None
        several = min(known or max(1, self.wanted // 2), found.several)
        return spread(NUMBER, several, self.wanted, self._seed(column.name, "index"))

    def _null_at_times(self, column: Column, made: sql.Composable) -> sql.Composable:
        if not column.nullable:
            return made
        statistics = self._column_statistics(column.name)
        nulls = statistics.null_fraction if statistics else _NULL_FRACTION
        if not nulls:
            return made
        return sql.SQL("case when {} >= {} then {} end").format(
            chance(NUMBER, self._seed(column.name, "null")), sql.Literal(nulls), made
        )

    def _derived(
        self, values: Mapping[str, sql.Composable], joins: sql.Composable, count: int, *, first: int
    ) -> sql.Composable:
        """Rows by the table's own name: the values, their number, and what is generated from them."""
        name = sql.Identifier(self.table.name)
        last = first + count - 1
        inner = sql.SQL(
            "select workbench.n as workbench_n, {values} from (select n, (n - 1)::float8 / {wanted} as share"
            " from pg_catalog.generate_series({first}::bigint, {last}::bigint) n) as workbench"
            " {joins} offset 0"
        ).format(
            values=sql.SQL(", ").join(
                sql.SQL("({})::{} as {}").format(
                    made,
                    sql.SQL(self.search.setting.literal_type(self.search.columns[one])),
                    sql.Identifier(one),
                )
                for one, made in values.items()
            ),
            wanted=sql.Literal(max(1, self.wanted)),
            first=sql.Literal(first),
            last=sql.Literal(last),
            joins=joins,
        )
        generated = {
            one: condition
            for one, condition in self.search._generated.items()
            if set(condition.columns) <= set(values)
        }
        if generated:
            inner = sql.SQL("select {name}.*, {expressions} from ({inner}) as {name}").format(
                name=name,
                expressions=sql.SQL(", ").join(
                    sql.SQL("{} as {}").format(condition.query, sql.Identifier(one))
                    for one, condition in generated.items()
                ),
                inner=inner,
            )
        return sql.SQL("({}) as {}").format(inner, name)
