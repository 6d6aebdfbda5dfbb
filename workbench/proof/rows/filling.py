"""One table filled: a value for each column by its row's number, and no row that a condition refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql

from workbench.catalog.model import Column, Constraint, quoted
from workbench.proof.constraints.expressions import Literals
from workbench.proof.constraints.search import Condition
from workbench.proof.rows.drawing import NUMBER, ColumnDrawing, Unfillable
from workbench.proof.rows.parents import KeyTables, drawn, null_fraction
from workbench.proof.rows.values import chance

_ROUNDS = 5
_MOST_TRIED = 5  # times as many as wanted in a round
_TRIED_AT_LEAST = 2_000
_FEWEST_PASS = 0.01
_POOL = 4_000
_ENOUGH_IN_POOL = 20
_FOUND_BY_SEARCH = 200


@dataclass
class _Pool:
    """Assignments to columns that conditions tie together, in a temporary table numbered from 0."""

    table: str
    columns: tuple[str, ...]
    count: int


@dataclass
class TableFilling(ColumnDrawing):
    """How one table is filled. *later* are the foreign keys whose parents are filled after it, or itself.

    *leaves* are the conditions of its partitions, of which a row satisfies one.
    """

    keys: KeyTables
    later: Sequence[Constraint]
    leaves: Sequence[Condition] = ()
    _joins: list[sql.Composable] = field(default_factory=list, init=False)
    _filters: list[sql.Composable] = field(default_factory=list, init=False)
    _samples: dict[str, tuple[str, int]] = field(default_factory=dict, init=False)  # of parents' keys

    def fill(self) -> int:
        """Insert the rows; how many there are now. Raises Unfillable, psycopg2.Error."""
        if not self.table.columns:
            raise Unfillable("it has no columns")
        self._foreign_keys()
        self._conditioned()
        self._plain()
        return self._insert()

    def _foreign_keys(self) -> None:
        """Keys drawn from the parents, the widest foreign keys first; what overlaps with them is filtered."""
        own = (self.table.schema, self.table.name)
        for number, key in enumerate(
            sorted(self.table.foreign_keys, key=lambda one: (-len(one.columns), one.name))
        ):
            if key.references is None or key in self.later:
                for name in key.columns if key in self.later else ():
                    if self.table.column(name).nullable and name not in self._values:
                        self._values[name] = sql.SQL("null")
                continue
            if key.references == own:
                raise ValueError(f"{key.name} refers to its own table and must be filled later")
            known = [name for name in key.columns if name in self._values]
            parents = self.keys.of(key.references, key.referenced_columns)
            if not parents.count:
                self._without_parents(key)
            elif known:
                self._filters.append(self._has_parent(key))
                if len(known) < len(key.columns):
                    self._joined_on(key, known, parents.table, number)
            else:
                self._drawn(key, parents.table, number)

    def _without_parents(self, key: Constraint) -> None:
        names = [name for name in key.columns if self.table.column(name).nullable]
        if not names:
            raise Unfillable(
                f"{quoted(key.name)} needs rows of {'.'.join(key.references or ())}, which has none"
            )
        for name in names:
            self._values[name] = sql.SQL("null")

    def _drawn(self, key: Constraint, keys_table: str, number: int) -> None:
        parents = self.keys.of(key.references or ("", ""), key.referenced_columns)
        statistics = self._column_statistics(key.columns[0]) if len(key.columns) == 1 else None
        each_once = any(
            index.unique and not index.predicate and set(index.columns) <= set(key.columns)
            for index in self.table.indexes
        )
        if each_once:
            self.wanted = min(self.wanted, parents.count)
        seed = self._seed(key.name)
        place = drawn(NUMBER, parents, self.wanted, statistics, seed, each_once=each_once)
        nulls = null_fraction(self.table, key, statistics)
        alias = sql.Identifier(f"workbench_parent_{number}")
        self._joins.append(
            sql.SQL("join {} as {} on {}.place = {}").format(
                sql.Identifier("pg_temp", keys_table), alias, alias, place
            )
        )
        for n, name in enumerate(key.columns):
            drawn_key = sql.SQL("{}.{}").format(alias, sql.Identifier(f"k{n}"))
            self._parents[name] = drawn_key
            self._samples[name] = (keys_table, n)
            self._values[name] = drawn_key
            if nulls and self.table.column(name).nullable:
                self._values[name] = sql.SQL("case when {} >= {} then {} end").format(
                    chance(NUMBER, seed ^ 5), sql.Literal(nulls), drawn_key
                )

    def _joined_on(self, key: Constraint, known: Sequence[str], keys_table: str, number: int) -> None:
        """Of the parents that share the columns that are known already, one at random."""
        alias = sql.Identifier(f"workbench_parent_{number}")
        sizes = sql.Identifier(f"workbench_sizes_{number}")
        grouped = sql.Identifier(
            "pg_temp", self.keys.grouped(keys_table, [key.columns.index(n) for n in known])
        )

        def same(table: sql.Composable) -> sql.Composable:
            return sql.SQL(" and ").join(
                sql.SQL("{}.{} = {}").format(
                    table, sql.Identifier(f"k{key.columns.index(name)}"), self._values[name]
                )
                for name in known
            )

        self._joins.append(
            sql.SQL(
                "left join {grouped} as {sizes} on {sizes}.member = 0 and {first}"
                " left join {grouped} as {alias} on {second}"
                " and {alias}.member = pg_catalog.floor({random} * {sizes}.members)::bigint"
            ).format(
                grouped=grouped,
                sizes=sizes,
                alias=alias,
                first=same(sizes),
                second=same(alias),
                random=chance(NUMBER, self._seed(key.name)),
            )
        )
        for n, name in enumerate(key.columns):
            if name not in self._values:
                self._values[name] = sql.SQL("{}.{}").format(alias, sql.Identifier(f"k{n}"))
                if not self.table.column(name).nullable:
                    self._filters.append(sql.SQL("{} is not null").format(self.search.reference(name)))

    def _has_parent(self, key: Constraint) -> sql.Composable:
        complete = sql.SQL(" or ").join(
            sql.SQL("{} is null").format(self.search.reference(name)) for name in key.columns
        )
        same = sql.SQL(" and ").join(
            sql.SQL("workbench_parent.{} = {}").format(sql.Identifier(there), self.search.reference(here))
            for here, there in zip(key.columns, key.referenced_columns, strict=True)
        )
        return sql.SQL("({} or exists (select from {} as workbench_parent where {}))").format(
            complete, sql.Identifier(*(key.references or ())), same
        )

    def _conditioned(self) -> None:
        """Columns that conditions speak of, from pools of assignments that satisfy them together."""
        conditions = [*self.search.checks, *self._place()]
        self._filters += [sql.SQL("({}) is not false").format(each.query) for each in conditions]
        for number, (group, about) in enumerate(self.search._groups(conditions)):
            free = [name for name in group if name not in self._values]
            tied = [name for name in group if name in self._parents and self.table.column(name).nullable]
            inner = [each for each in about if set(self.search.settable(each.columns)) <= {*free, *tied}]
            if not free or not inner:
                continue
            used = {name for each in inner for name in self.search.settable(each.columns)}
            tied = [name for name in tied if name in used]
            found = self._alone(free[0], inner) if len(free) == 1 and not tied else None
            if not found:
                self._from_pool(self._pool([*free, *tied], inner, number), number)

    def _place(self) -> list[Condition]:
        """Where a row must lie: in one of the partitions."""
        if not self.leaves:
            return list(self.search.place)
        names = tuple(dict.fromkeys(name for leaf in self.leaves for name in leaf.columns))
        literals = Literals(
            [text for leaf in self.leaves for text in leaf.literals.strings],
            [number for leaf in self.leaves for number in leaf.literals.numbers],
        )
        query = sql.SQL("({})").format(sql.SQL(" or ").join(leaf.query for leaf in self.leaves))
        return [Condition(query, names, literals)]

    def _alone(self, name: str, conditions: Sequence[Condition]) -> bool:
        """Whether a column that has conditions by itself got a source all of whose values satisfy them."""
        column = self.search.columns[name]
        if self._known_values(name):
            return False
        found = self._source(column, conditions)
        if found is None or found.share < 1:
            return False
        self._values[name] = self._null_at_times(column, found.make(self._index(column, found)))
        return True

    def _pool(self, names: Sequence[str], conditions: Sequence[Condition], number: int) -> _Pool:
        """Assignments to *names* that satisfy the conditions, drawn at random, else searched for."""
        columns = [self.search.columns[name] for name in names]
        table = f"workbench_pool_{number}_{abs(self._seed()) % 1_000_000}"
        drawn_values: dict[str, sql.Composable] = {}
        for column in columns:
            made = (
                self._sampled_key(column)
                if column.name in self._parents
                else self._drawn_value(column, conditions)
            )
            if made is None:
                self._none_found(column, conditions)
                made = sql.SQL("null")
            drawn_values[column.name] = made
        tried = max(_POOL, 2 * self.wanted)
        self._create_pool(table, columns, drawn_values, conditions, tried)
        count = self._count(table)
        if count < _ENOUGH_IN_POOL:
            count += self._search_into(table, columns, conditions, count)
        if not count:
            described = ", ".join(each.name for each in conditions if each.name) or "its partitions' bounds"
            raise Unfillable(
                f"no values of {', '.join(map(quoted, names))} were found that satisfy {described}"
            )
        return _Pool(table, tuple(names), count)

    def _sampled_key(self, column: Column) -> sql.Composable:
        """A key of the parent or null: conditions on a foreign key mostly ask whether it is null."""
        keys_table, n = self._samples[column.name]
        return sql.SQL("case when {} < 0.5 then (select k.{} from {} as k where k.place = 0) end").format(
            chance(NUMBER, self._seed(keys_table, "sampled")),
            sql.Identifier(f"k{n}"),
            sql.Identifier("pg_temp", keys_table),
        )

    def _key_text(self, column: Column) -> list[str | None]:
        keys_table, n = self._samples[column.name]
        row = self.search.conn.execute(
            sql.SQL("select k.{}::text from {} as k where k.place = 0").format(
                sql.Identifier(f"k{n}"), sql.Identifier("pg_temp", keys_table)
            )
        ).fetchone()
        return [row[0] if row else None, None]

    def _create_pool(
        self,
        table: str,
        columns: Sequence[Column],
        values: Mapping[str, sql.Composable],
        conditions: Sequence[Condition],
        tried: int,
    ) -> None:
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        rows = self._derived(values, sql.SQL(""), tried, first=1)
        statement = sql.SQL(
            "create temporary table {table} on commit drop as"
            " select pg_catalog.row_number() over (order by workbench_n) - 1 as place, {names}"
            " from {rows} where {conditions}"
        ).format(
            table=sql.Identifier(table),
            names=names,
            rows=rows,
            conditions=sql.SQL(" and ").join(
                sql.SQL("({}) is not false").format(each.query) for each in conditions
            ),
        )
        self.search.conn.execute("savepoint workbench_pool")
        try:
            self.search.conn.execute(statement)
        except psycopg2.DataError:  # one of the drawn rows makes an expression fail: search one by one
            self.search.conn.execute("rollback to savepoint workbench_pool")
            self.search.conn.execute(
                sql.SQL(
                    "create temporary table {} on commit drop as select 0::bigint as place, {} where false"
                ).format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(
                        sql.SQL("null::{} as {}").format(
                            sql.SQL(self.search.setting.literal_type(column)), sql.Identifier(column.name)
                        )
                        for column in columns
                    ),
                )
            )
        self.search.conn.execute("release savepoint workbench_pool")

    def _search_into(
        self, table: str, columns: Sequence[Column], conditions: Sequence[Condition], count: int
    ) -> int:
        free = {
            column.name: self._key_text(column)
            if column.name in self._parents
            else self.search.candidates(column, conditions)
            for column in columns
        }
        rows = self.search.find({}, free, kept=conditions, limit=_FOUND_BY_SEARCH)
        for place, row in enumerate(rows):
            self.search.conn.execute(
                sql.SQL("insert into {} values ({}, {})").format(
                    sql.Identifier("pg_temp", table),
                    sql.Literal(count + place),
                    sql.SQL(", ").join(
                        sql.SQL("{}::{}").format(
                            sql.Literal(row[column.name]), sql.SQL(self.search.setting.literal_type(column))
                        )
                        for column in columns
                    ),
                )
            )
        return len(rows)

    def _count(self, table: str) -> int:
        self.search.conn.execute(sql.SQL("analyze {}").format(sql.Identifier("pg_temp", table)))
        row = self.search.conn.execute(
            sql.SQL("select pg_catalog.count(*) from {}").format(sql.Identifier("pg_temp", table))
        ).fetchone()
        return int(row[0]) if row else 0

    def _from_pool(self, pool: _Pool, number: int) -> None:
        alias = sql.Identifier(f"workbench_drawn_{number}")
        unique = any(set(columns) & set(pool.columns) for columns in self._unique_sets())
        place = (
            sql.SQL("(({} - 1) % {})").format(NUMBER, sql.Literal(pool.count))
            if unique
            else sql.SQL("pg_catalog.floor({} * {})::bigint").format(
                chance(NUMBER, self._seed(*pool.columns)), sql.Literal(pool.count)
            )
        )
        self._joins.append(
            sql.SQL("join {} as {} on {}.place = {}").format(
                sql.Identifier("pg_temp", pool.table), alias, alias, place
            )
        )
        for name in pool.columns:
            value = sql.SQL("{}.{}").format(alias, sql.Identifier(name))
            if name in self._parents:
                value = sql.SQL("case when {} is not null then {} end").format(value, self._parents[name])
            self._values[name] = value

    def _plain(self) -> None:
        """The other columns: by their statistics, else by their type."""
        for column in self._stored:
            if column.name in self._values:
                continue
            made = self._drawn_or_numbered(column)
            if made is None:
                self._none_found(column, ())
                made = sql.SQL("null")
            self._values[column.name] = made

    def _insert(self) -> int:
        """Rounds of rows, more of them where conditions or unique keys let few pass."""
        inserted, tried = 0, 0
        for _ in range(_ROUNDS):
            missing = self.wanted - inserted
            share = max(inserted / tried, _FEWEST_PASS) if tried else 1.0
            count = min(int(missing / share * 1.1) + 10, _MOST_TRIED * max(self.wanted, 1_000))
            count = count if tried else missing
            added = self._round(count, first=tried + 1, limit=missing)
            inserted += added
            tried += count
            if inserted >= self.wanted or (added < _FEWEST_PASS * count and tried >= _TRIED_AT_LEAST):
                break
        if not inserted:
            raise Unfillable(f"none of {tried:,} rows tried satisfies all of its constraints")
        return inserted

    def _round(self, count: int, *, first: int, limit: int) -> int:
        names = sql.SQL(", ").join(sql.Identifier(name) for name in self._values)
        statement = sql.SQL(
            "insert into {table} ({names}) overriding system value select {names} from {rows}"
            " where {filters} order by workbench_n limit {limit} on conflict do nothing"
        ).format(
            table=sql.Identifier(self.table.schema, self.table.name),
            names=names,
            rows=self._derived(self._values, sql.SQL(" ").join(self._joins), count, first=first),
            filters=sql.SQL(" and ").join(self._filters) if self._filters else sql.SQL("true"),
            limit=sql.Literal(limit),
        )
        return int(self.search.conn.execute(statement).rowcount)
