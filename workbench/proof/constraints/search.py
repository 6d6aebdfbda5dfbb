"""Rows that satisfy or break conditions, searched among candidate values on the server itself."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from workbench.catalog.model import Column, Table, quoted
from workbench.engines.postgres import Connection
from workbench.proof.constraints import candidates
from workbench.proof.constraints.expressions import Literals, read
from workbench.proof.constraints.targets import Setting, check_expression

Values = dict[str, str | None]  # column → its value as the server prints it
Candidates = dict[str, list[str | None]]  # column → what to try, the likeliest first
LARGEST_PRODUCT = 20_000
_ONE_BY_ONE = 300
_SEED = 20_240_229


@dataclass(frozen=True)
class Condition:
    """A condition on the columns of a row; *name* of the constraint that it comes from, "" where of none."""

    query: sql.Composable
    columns: tuple[str, ...]
    literals: Literals
    name: str = ""


class RowSearch:
    """The search for values of one table's columns that make conditions true, false, or not false."""

    def __init__(self, conn: Connection, setting: Setting, table: Table, valid: candidates.ValidLiterals):
        self.conn = conn
        self.setting = setting
        self.table = table
        self.columns = {column.name: column for column in table.columns}
        self.tried = 0
        self.valid = valid
        self._generated = {c.name: self.condition(c.default or "null") for c in table.columns if c.generated}
        self.checks = [*self._table_checks(), *self._domain_checks()]
        self.place = list(self._partition_conditions())

    def condition(self, expression: str, name: str = "") -> Condition:
        """*expression* in the server's own words, as a condition on this table's columns."""
        names, literals = read(expression)
        return Condition(
            sql.SQL("(") + sql.SQL(expression) + sql.SQL(")"),
            tuple(one for one in names if one in self.columns),
            literals,
            name,
        )

    def of_value(self, expression: str, column: str, name: str = "") -> Condition:
        """A domain's *expression* of VALUE, as a condition on *column*."""
        _, literals = read(expression)
        query = sql.SQL("(select ({}) from (select {}) as d(value))").format(
            sql.SQL(expression), self.reference(column)
        )
        return Condition(query, (column,), literals, name)

    def reference(self, column: str) -> sql.Composable:
        return sql.Identifier(self.table.name, column)

    def _table_checks(self) -> Iterator[Condition]:
        for constraint in self.table.constraints:
            if constraint.kind == "check" and constraint.enforced:
                yield self.condition(check_expression(constraint.definition), constraint.name)

    def _domain_checks(self) -> Iterator[Condition]:
        for column in self.table.columns:
            domain = self.setting.domain(column)
            for check in domain.checks if domain else ():
                yield self.of_value(check.expression, column.name, check.name)

    def _partition_conditions(self) -> Iterator[Condition]:
        """Where a row must lie: in this partition, or in one beneath this partitioned table."""
        for table in (self.table, *self.setting.partitions(self.table)):
            condition = self.setting.partition_conditions.get((table.schema, table.name))
            if condition:
                yield self.condition(condition)
                return

    def inputs(self, column: str) -> tuple[str, ...]:
        """The columns that decide the value of *column*: itself, or those of its generation expression."""
        generated = self._generated.get(column)
        return generated.columns if generated else (column,)

    def settable(self, names: Iterable[str]) -> tuple[str, ...]:
        """The columns to set so that the columns *names* change."""
        return tuple(dict.fromkeys(one for name in names for one in self.inputs(name)))

    def candidates(
        self, column: Column, conditions: Sequence[Condition], known: Iterable[str | None] = ()
    ) -> list[str | None]:
        """Values for *column*: *known* ones, the literals of *conditions* and around, its type's, null."""
        full = self.setting.literal_type(column)
        domain = self.setting.domain(column)
        plain = domain.plain_type if domain else column.base_type
        literals = [
            literal
            for condition in conditions
            if column.name in self.settable(condition.columns)
            for literal in candidates.around(condition.literals, plain)
        ]
        kept = [one for one in known if one is not None]
        valid = [
            *kept,
            *self.valid.of(full, literals),
            *self.valid.of(full, candidates.of_type(plain, full, column.enum_labels)),
        ]
        found: list[str | None] = list(dict.fromkeys(valid))
        return [*found[:2], None, *found[2:]] if column.nullable else found

    def find(
        self,
        base: Values,
        free: Candidates,
        *,
        true: Sequence[Condition] = (),
        false: Sequence[Condition] = (),
        kept: Sequence[Condition] = (),
        limit: int = 3,
    ) -> list[Values]:
        """Up to *limit* assignments to the *free* columns with which all conditions come out as asked.

        The other columns are as in *base*. *kept* conditions may be true or null, as a check may be.
        The candidates are cut, in a few different ways, where their combinations are too many.
        """
        where = [
            *(c.query for c in true),
            *(sql.SQL("({}) is false").format(c.query) for c in false),
            *(sql.SQL("({}) is not false").format(c.query) for c in kept),
        ]
        conditions = [*true, *false, *kept]
        for part in _affordable(free):
            self.tried += _product(part)
            found = self._rows(base, part, where, conditions, limit)
            if found:
                return found
        return []

    def _rows(
        self,
        base: Values,
        free: Candidates,
        where: list[sql.Composable],
        conditions: list[Condition],
        limit: int,
    ) -> list[Values]:
        """The rows of all combinations at once; each alone where one of them makes an expression fail."""
        with contextlib.suppress(psycopg2.DataError):
            return self._select(base, free, where, conditions, limit)
        found: list[Values] = []
        for combination in itertools.islice(itertools.product(*free.values()), _ONE_BY_ONE):
            one: Candidates = {name: [value] for name, value in zip(free, combination, strict=True)}
            try:
                found += self._select(base, one, where, conditions, 1)
            except psycopg2.DataError:
                continue  # this one fails, and so it neither satisfies nor breaks anything
            if len(found) >= limit:
                break
        return found

    def _select(
        self,
        base: Values,
        free: Candidates,
        where: list[sql.Composable],
        conditions: list[Condition],
        limit: int,
    ) -> list[Values]:
        """The free columns of the combinations that *where* lets through."""
        query = sql.SQL("select {} from {} where {} limit {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(self.reference(name)) for name in free)
            or sql.SQL("null"),
            self._combinations(base, free, conditions),
            sql.SQL(" and ").join(where) if where else sql.SQL("true"),
            sql.Literal(limit),
        )
        self.conn.execute("savepoint workbench_search")
        try:
            rows = self.conn.execute(query).fetchall()
        finally:
            self.conn.execute("rollback to savepoint workbench_search; release savepoint workbench_search")
        return [dict(zip(free, row, strict=True)) if free else {} for row in rows]

    def _combinations(self, base: Values, free: Candidates, conditions: list[Condition]) -> sql.Composable:
        """A derived table by the table's own name: the free columns' candidates crossed, the others fixed."""
        needed = dict.fromkeys(one for c in conditions for one in (*c.columns, *self.settable(c.columns)))
        generated = [one for one in needed if one in self._generated]
        fixed = [one for one in needed if one not in free and one not in self._generated]
        selected = [
            *(
                sql.SQL("c{}.v as {}").format(sql.SQL(str(n)), sql.Identifier(one))
                for n, one in enumerate(free)
            ),
            *(self._cast(one, base.get(one)) + sql.SQL(" as ") + sql.Identifier(one) for one in fixed),
        ]
        lists = [
            sql.SQL("(values {}) as c{}(v)").format(
                sql.SQL(", ").join(sql.SQL("(") + self._cast(name, v) + sql.SQL(")") for v in values),
                sql.SQL(str(n)),
            )
            for n, (name, values) in enumerate(free.items())
        ]
        inner = sql.SQL("select {}").format(
            sql.SQL(", ").join(selected) if selected else sql.SQL("null as v")
        )
        if lists:
            inner += sql.SQL(" from ") + sql.SQL(" cross join ").join(lists)
        name = sql.Identifier(self.table.name)
        if generated:
            inner = sql.SQL("select {name}.*, {expressions} from ({inner}) as {name}").format(
                name=name,
                expressions=sql.SQL(", ").join(
                    sql.SQL("{} as {}").format(self._generated[one].query, sql.Identifier(one))
                    for one in generated
                ),
                inner=inner,
            )
        return sql.SQL("({}) as {}").format(inner, name)

    def _cast(self, column: str, value: str | None) -> sql.Composable:
        kind = sql.SQL(self.setting.literal_type(self.columns[column]))
        return sql.Literal(value) + sql.SQL("::") + kind

    def row(self) -> tuple[Values | None, str]:
        """A value for each stored column such that all checks hold, and ""; or None and what was not found.

        Columns that conditions tie together are searched together, each such group by itself.
        """
        found: Values = {}
        for group, conditions in self._groups([*self.checks, *self.place]):
            free = {name: self.candidates(self.columns[name], conditions) for name in group}
            for name, values in free.items():
                if not values:
                    return None, f"no value was found for {quoted(name)} of type {self.columns[name].type}"
            if not conditions:
                found.update({name: values[0] for name, values in free.items()})
                continue
            rows = self.find({}, free, kept=conditions, limit=1)
            if not rows:
                names = ", ".join(c.name for c in conditions if c.name) or "the bounds of a partition"
                return None, f"no row was found that satisfies {names}"
            found.update(rows[0])
        return found, ""

    def _groups(self, conditions: list[Condition]) -> list[tuple[list[str], list[Condition]]]:
        """The stored columns, those that share a condition in one group, with that group's conditions."""
        group_of = {c.name: {c.name} for c in self.table.columns if not c.generated}
        for condition in conditions:
            joined = set().union(*(group_of[one] for one in self.settable(condition.columns)))
            for name in joined:
                group_of[name] = joined
        groups = {id(group): sorted(group, key=list(self.columns).index) for group in group_of.values()}
        return [
            (group, [c for c in conditions if set(self.settable(c.columns)) & set(group)])
            for group in groups.values()
        ]


def _product(free: Candidates) -> int:
    product = 1
    for values in free.values():
        product *= len(values)
    return product


def _affordable(free: Candidates, rounds: int = 6) -> Iterator[Candidates]:
    """*free* itself where its combinations are few, else cuts of it: the first values, then random ones."""
    if _product(free) <= LARGEST_PRODUCT:
        yield free
        return
    width = max(2, int(LARGEST_PRODUCT ** (1 / len(free))))
    chance = random.Random(_SEED)  # noqa: S311  # the same choice in every run
    yield {name: values[:width] for name, values in free.items()}
    for _ in range(rounds - 1):
        yield {
            name: values if len(values) <= width else chance.sample(values, width)
            for name, values in free.items()
        }
