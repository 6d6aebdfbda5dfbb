"""Sets of really built indexes in one database, under one ANALYZE: what the planner says with each of them.

All indexes of all sets are built once and hidden (`pg_index.indisvalid`); a set is shown within a transaction
that is rolled back. So nothing but the indexes differs between two sets: the sample of one ANALYZE moves a
cost by as much as two sets may differ.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2 import sql as composed

from workbench.engines.postgres import Connection
from workbench.proof.plans import Plan, as_composable, read_plan, rolled_back, set_local
from workbench.proof.whatif import IndexDefinition
from workbench.proof.whatif.clone import bound
from workbench.proof.workload import Statement

Definitions = Sequence[IndexDefinition]
MB = 1_000_000
_numbers = itertools.count(1)


@dataclass(frozen=True)
class BuiltIndex:
    """An index that was built; *size_bytes* is its main fork."""

    oid: int
    name: str
    size_bytes: int
    rows: float


@dataclass
class Built:
    """The indexes built in the database of *conn*, a superuser's connection to a scratch database."""

    conn: Connection
    indexes: dict[IndexDefinition, BuiltIndex] = field(default_factory=dict)

    def build(self, definition: IndexDefinition) -> BuiltIndex:
        """Build *definition*, unless that was done."""
        if definition not in self.indexes:
            name = f"bench_{next(_numbers)}"
            self.conn.execute(definition.create(name))
            self.indexes[definition] = self._read(definition, name)
        return self.indexes[definition]

    def _read(self, definition: IndexDefinition, name: str) -> BuiltIndex:
        row = self.conn.execute(
            """
            select c.oid::bigint, pg_catalog.pg_relation_size(c.oid), c.reltuples
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname = %s and c.relname = %s
            """,
            [definition.schema, name],
        ).fetchone()
        assert row is not None
        return BuiltIndex(row[0], name, row[1], row[2])

    def settle(self) -> None:
        """VACUUM and ANALYZE with all of them there, then hide them."""
        self.conn.execute("vacuum (analyze)")
        self._show([each.oid for each in self.indexes.values()], False)

    def _show(self, oids: Sequence[int], shown: bool) -> None:
        self.conn.execute(
            "update pg_catalog.pg_index set indisvalid = %s where indexrelid = any(%s::oid[])",
            [shown, list(oids)],
        )

    @contextlib.contextmanager
    def showing(
        self, definitions: Iterable[IndexDefinition], settings: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """A transaction in which *definitions* alone are there, besides what was there before."""
        with rolled_back(self.conn, settings):
            self._show([self.indexes[each].oid for each in definitions], True)
            yield

    def plans(
        self,
        statements: Sequence[Statement],
        definitions: Iterable[IndexDefinition],
        settings: Mapping[str, str] | None = None,
    ) -> list[Plan]:
        """The plans of *statements* where *definitions* are there."""
        with self.showing(definitions, settings):
            return [self._plan(each) for each in statements]

    def _plan(self, statement: Statement) -> Plan:
        look_in(self.conn, statement)
        return read_plan(self.conn, "verbose, format json", as_composable(text(statement)))

    def size_bytes(self, definitions: Iterable[IndexDefinition]) -> int:
        return sum(self.indexes[each].size_bytes for each in definitions)

    def drop(self) -> None:
        """Drop them all."""
        for definition, each in self.indexes.items():
            name = composed.Identifier(definition.schema, each.name)
            self.conn.execute(composed.SQL("drop index {}").format(name))
        self.indexes.clear()


def look_in(conn: Connection, statement: Statement) -> None:
    """The search path of *statement*, where it has one, until the transaction ends."""
    if statement.search_path:
        quoted = composed.SQL(", ").join([composed.Identifier(each) for each in statement.search_path])
        set_local(conn, {"search_path": quoted.as_string(conn)})


def text(statement: Statement) -> str:
    """The statement with its values in their places; a percent sign in it is one."""
    return bound(statement.sql, tuple(statement.values)) if statement.values else statement.sql


def relative(
    before: Sequence[float], after: Sequence[float], weights: Sequence[float], objective: str
) -> float:
    """The cost *after* over that *before*: of the weighted sums, or the geometric mean of the ratios."""
    if objective == "total":
        with_weights = [sum(w * c for w, c in zip(weights, costs, strict=True)) for costs in (after, before)]
        return with_weights[0] / with_weights[1]
    logs = [
        weight * math.log(max(new, 1e-9) / max(old, 1e-9))
        for old, new, weight in zip(before, after, weights, strict=True)
    ]
    return math.exp(sum(logs) / sum(weights))
