"""Keys of filled tables, from which the foreign keys of others are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2 import sql

from workbench.catalog.model import Constraint, Table
from workbench.engines.postgres import Connection
from workbench.proof.rows.model import ColumnStatistics
from workbench.proof.rows.values import chance

_NULL_FRACTION = 0.1  # of a foreign key that may be null and of which nothing is known


@dataclass(frozen=True)
class Keys:
    """A temporary table of a parent's keys, numbered from 0 by *place*; its columns are k0, k1, …"""

    table: str
    count: int


@dataclass
class KeyTables:
    """The keys of each parent, gathered when first asked for, until the transaction ends."""

    conn: Connection
    _made: int = 0
    _known: dict[tuple[tuple[str, str], tuple[str, ...]], Keys] = field(default_factory=dict)

    def of(self, references: tuple[str, str], columns: tuple[str, ...]) -> Keys:
        """The different complete keys of *columns* of a table, in an order of no meaning."""
        found = self._known.get((references, columns))
        if found is None:
            found = self._gathered(references, columns)
            self._known[references, columns] = found
        return found

    def forget(self, references: tuple[str, str]) -> None:
        """The table's rows have changed: gather its keys again."""
        for key in [each for each in self._known if each[0] == references]:
            del self._known[key]

    def grouped(self, table: str, shared: Sequence[int]) -> str:
        """The keys of *table* numbered from 0 among those that share the columns of these positions."""
        self._made += 1
        name = f"workbench_grouped_{self._made}"
        columns = sql.SQL(", ").join(sql.Identifier(f"k{n}") for n in shared)
        self.conn.execute(
            sql.SQL(
                "create temporary table {name} on commit drop as select k.*,"
                " pg_catalog.row_number() over (partition by {columns} order by place) - 1 as member,"
                " pg_catalog.count(*) over (partition by {columns}) as members from {table} as k"
            ).format(name=sql.Identifier(name), columns=columns, table=sql.Identifier("pg_temp", table))
        )
        self.conn.execute(sql.SQL("analyze {}").format(sql.Identifier("pg_temp", name)))
        return name

    def _gathered(self, references: tuple[str, str], columns: tuple[str, ...]) -> Keys:
        self._made += 1
        name = f"workbench_keys_{self._made}"
        self.conn.execute(
            sql.SQL(
                "create temporary table {name} on commit drop as"
                " select pg_catalog.row_number() over (order by pg_catalog.md5({text})) - 1 as place,"
                " {numbered}"
                " from (select distinct {columns} from {table} where {complete}) as workbench_distinct"
            ).format(
                name=sql.Identifier(name),
                text=sql.SQL(" || ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in columns),
                numbered=sql.SQL(", ").join(
                    sql.SQL("{} as {}").format(sql.Identifier(one), sql.Identifier(f"k{n}"))
                    for n, one in enumerate(columns)
                ),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                table=sql.Identifier(*references),
                complete=sql.SQL(" and ").join(
                    sql.SQL("{} is not null").format(sql.Identifier(one)) for one in columns
                ),
            )
        )
        self.conn.execute(sql.SQL("analyze {}").format(sql.Identifier("pg_temp", name)))
        row = self.conn.execute(
            sql.SQL("select pg_catalog.count(*) from {}").format(sql.Identifier("pg_temp", name))
        ).fetchone()
        return Keys(name, int(row[0]) if row else 0)


def null_fraction(table: Table, key: Constraint, statistics: ColumnStatistics | None) -> float:
    """How often the foreign key names no parent."""
    if not any(table.column(name).nullable for name in key.columns):
        return 0.0
    return statistics.null_fraction if statistics else _NULL_FRACTION


def drawn(
    number: sql.Composable,
    keys: Keys,
    rows: int,
    statistics: ColumnStatistics | None,
    seed: int,
    *,
    each_once: bool,
) -> sql.Composable:
    """The place of the parent's key for a child's row *number*, with the child's skew where it is known.

    With the most common parent's share f among the parents in use u, places are drawn as floor(u r^a) with
    a = ln u / -ln f, which gives the first place the share f and the others a power law's.
    """
    if each_once:
        return sql.SQL("(({} - 1) % {})").format(number, sql.Literal(keys.count))
    used, exponent = keys.count, 1.0
    if statistics:
        distinct = statistics.distinct if statistics.distinct > 0 else -statistics.distinct * rows
        used = max(1, min(keys.count, math.ceil(distinct))) if distinct else keys.count
        if statistics.common_fractions and used > 1:
            share = statistics.common_fractions[0] / max(1e-9, 1.0 - statistics.null_fraction)
            if 1.5 / used < share < 1.0:
                exponent = math.log(used) / -math.log(share)
    return sql.SQL("pg_catalog.floor({} * pg_catalog.power({}, {}))::bigint").format(
        sql.Literal(used), chance(number, seed), sql.Literal(exponent)
    )
