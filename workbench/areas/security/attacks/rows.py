"""The rows that are attacked: one of each kind of each table, made where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Intent, TableName
from workbench.areas.security.trial.model import Identities
from workbench.catalog.model import Catalog, Column, Table
from workbench.engines.postgres import Connection

_SAMPLES = "security/attacks/matrix/samples.sql"
_MADE_ROW = "security/attacks/matrix/made_row.sql"
WHOSE = ("own", "other", "unowned")


@dataclass(frozen=True)
class Sample:
    """One row of a table, its *values* as text by column. *count* rows are of the same kind.

    *whose* is ``own`` (of identity A), ``other``, ``unowned``, or ``any`` in a table without owners;
    *meets* says which of the intent's conditions the row meets.
    """

    whose: str
    meets: Mapping[str, bool]
    count: int
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class TableRows:
    """What a table holds. *key* are columns that tell its rows apart, empty where it has none.

    *deciding* are the columns that say whose a row is and which conditions it meets.
    """

    table: Table
    samples: tuple[Sample, ...]
    key: tuple[str, ...]
    deciding: frozenset[str] = frozenset()
    has_children: bool = False
    owning: frozenset[str] = frozenset()  # of those the columns that say whose a row is

    @property
    def owned(self) -> bool:
        """Whether its rows belong to somebody."""
        return all(each.whose != "any" for each in self.samples)


def conditions_of(intent: Intent, table: TableName) -> tuple[str, ...]:
    """The conditions that rules of the intent put on rows of *table*, in their order."""
    found = (rule.where for rule in intent.rules if table in rule.tables)
    return tuple(dict.fromkeys(where for where in found if where))


def read_rows(
    conn: Connection, intent: Intent, catalog: Catalog, identities: Identities, tables: Iterable[Table]
) -> tuple[dict[TableName, TableRows], list[str]]:
    """The rows of *tables* by name, and what could not be had, one line each.

    *conn* is a superuser's in the copy that is attacked. A kind of row that the source lacks is made
    there: a row of another kind is copied and belongs to somebody else.
    """
    reading = _Reading(conn, intent, catalog, identities)
    wanted = sorted(
        tables, key=lambda each: (reading.depth((each.schema, each.name)), each.schema, each.name)
    )
    with_children = {
        each for table in catalog.tables for each in (table.partition_of, *table.inherits) if each
    }
    inherited = {each for table in catalog.tables for each in table.inherits}
    found: dict[TableName, TableRows] = {}
    left_out: list[str] = []
    for table in wanted:
        name = (table.schema, table.name)
        samples = reading.samples(table)
        if name in intent.owners and samples:
            trouble = reading.make_missing(table, samples, found)
            left_out += trouble
            samples = reading.samples(table)
        if not samples and table.kind != "view":
            left_out.append(f"{table.qualified}: holds no row, so only the rights to it were tried")
        found[name] = TableRows(
            table,
            samples,
            () if name in inherited else key_of(table),  # who inherits may have the same keys
            _deciding(intent, table),
            name in with_children,
            _owning(intent, table),
        )
    return found, left_out


@dataclass
class _Reading:
    conn: Connection
    intent: Intent
    catalog: Catalog
    identities: Identities

    def depth(self, table: TableName) -> int:
        """How many parents are between *table* and the column that names the owner."""
        owner = self.intent.owners.get(table)
        return 0 if owner is None or owner.parent is None else 1 + self.depth(owner.parent)

    def samples(self, table: Table) -> tuple[Sample, ...]:
        name = (table.schema, table.name)
        conditions = conditions_of(self.intent, name)
        whose: composed.Composable = composed.Literal("any")
        preferred: composed.Composable = composed.Literal(False)
        if name in self.intent.owners:
            owner = owner_of_row(self.intent, name)
            whose = composed.SQL(
                "case when {owner} is null then 'unowned' when {owner} = {a} then 'own' else 'other' end"
            ).format(owner=owner, a=composed.Literal(self.identities.a))
            preferred = composed.SQL("{} = {}").format(owner, composed.Literal(self.identities.b))
        columns = [each.name for each in table.columns]
        query = composed.SQL(sql.read(_SAMPLES)).format(
            table=composed.Identifier(*name),
            whose=whose,
            preferred=preferred,
            conditions=composed.SQL(", ").join(
                composed.SQL("(") + composed.SQL(each) + composed.SQL(") is true") for each in conditions
            ),
            held=composed.SQL(", ").join(
                composed.SQL("{}::text").format(composed.Identifier("t", each)) for each in columns
            ),
        )
        return tuple(
            Sample(
                whose, dict(zip(conditions, meets, strict=True)), count, dict(zip(columns, held, strict=True))
            )
            for whose, meets, count, held in self.conn.execute(query).fetchall()
        )

    def make_missing(
        self, table: Table, samples: Sequence[Sample], found: Mapping[TableName, TableRows]
    ) -> list[str]:
        """Make the kinds of rows that *table* lacks and can have; what cannot be made, one line each."""
        trouble = []
        met = {tuple(each.meets.items()): each for each in samples}
        have = {(each.whose, tuple(each.meets.items())) for each in samples}
        for meets, template in met.items():
            for whose in WHOSE:
                if (whose, meets) in have or (whose == "unowned" and not self._may_be_unowned(table)):
                    continue
                if reason := self._make(table, template, whose, found):
                    which = "".join(f", where {each} is {str(holds).lower()}" for each, holds in meets)
                    trouble.append(
                        f"{table.qualified}: no row ({whose}{which}) is there or could be made: {reason}"
                    )
        return trouble

    def _may_be_unowned(self, table: Table) -> bool:
        owner = self.intent.owners[table.schema, table.name]
        names = (owner.column,) if owner.column else owner.columns
        return any(table.column(each).nullable for each in names)

    def _make(self, table: Table, template: Sample, whose: str, found: Mapping[TableName, TableRows]) -> str:
        """Insert a copy of *template* that is *whose*; why that was not possible, else nothing."""
        changed = self._belonging(table, whose, found)
        if changed is None:
            return "the table that says who owns it has no such row"
        values: dict[str, composed.Composable] = {
            each.name: composed.Literal(changed.get(each.name, template.values[each.name]))
            for each in table.columns
            if not each.generated
        }
        for column in unique_columns(table):
            if column.name in changed or column.name not in values:
                continue
            if column.default or column.identity:
                del values[column.name]
            else:
                old = template.values[column.name]
                values[column.name] = _unused(table, column, old, WHOSE.index(whose))
        try:
            self.conn.execute(
                composed.SQL("begin; set local session_replication_role = replica; {} commit").format(
                    composed.SQL(sql.read(_MADE_ROW)).format(
                        table=composed.Identifier(table.schema, table.name),
                        columns=composed.SQL(", ").join(map(composed.Identifier, values)),
                        values=composed.SQL(", ").join(values.values()),
                    )
                )
            )
        except psycopg2.Error as exc:
            self.conn.execute("rollback")
            return (exc.diag.message_primary or str(exc)).splitlines()[0]
        return ""

    def _belonging(
        self, table: Table, whose: str, found: Mapping[TableName, TableRows]
    ) -> dict[str, str | None] | None:
        """The values by which a row is *whose*; None where there can be none."""
        owner = self.intent.owners[table.schema, table.name]
        if owner.column is not None:
            return {
                owner.column: {"own": self.identities.a, "other": self.identities.b, "unowned": None}[whose]
            }
        if whose == "unowned":
            return {each: None for each in owner.columns if table.column(each).nullable}
        parents = found[owner.parent].samples if owner.parent and owner.parent in found else ()
        parent = next((each for each in parents if each.whose == whose), None)
        if parent is None:
            return None
        return {
            ours: parent.values[theirs]
            for ours, theirs in zip(owner.columns, owner.parent_columns, strict=True)
        }


def owner_of_row(intent: Intent, table: TableName, alias: str = "t") -> composed.Composable:
    """To whom the row *alias* of *table* belongs, as text; a superuser asks."""
    owner = intent.owners[table]
    if owner.column is not None:
        return composed.SQL("{}::text").format(composed.Identifier(alias, owner.column))
    assert owner.parent is not None
    above = alias + "p"
    pairs = zip(owner.parent_columns, owner.columns, strict=True)
    same = composed.SQL(" and ").join(
        composed.SQL("{} = {}").format(composed.Identifier(above, theirs), composed.Identifier(alias, ours))
        for theirs, ours in pairs
    )
    return composed.SQL("(select {} from {} as {} where {})").format(
        owner_of_row(intent, owner.parent, above),
        composed.Identifier(*owner.parent),
        composed.Identifier(above),
        same,
    )


def _deciding(intent: Intent, table: Table) -> frozenset[str]:
    text = " ".join(conditions_of(intent, (table.schema, table.name)))
    return _owning(intent, table) | columns_named(table, text)


def _owning(intent: Intent, table: Table) -> frozenset[str]:
    owner = intent.owners.get((table.schema, table.name))
    return frozenset(each for each in (owner.column, *owner.columns) if each) if owner else frozenset()


def columns_named(table: Table, text: str) -> frozenset[str]:
    """The columns of *table* that the condition *text* names."""
    words = set(re.findall(r"\w+", text))
    return frozenset(each.name for each in table.columns if each.name in words or f'"{each.name}"' in text)


def unique_columns(table: Table) -> list[Column]:
    """The columns of keys, those behind expressions too, that refer to no other table."""
    keys = [each.columns for each in table.constraints if each.kind in ("primary key", "unique")]
    words = [set(re.findall(r"\w+", key)) for each in table.indexes if each.unique for key in each.keys]
    referring = {name for each in table.foreign_keys for name in each.columns}
    unique = {name for names in (*keys, *words) for name in names} - referring
    return [each for each in table.columns if each.name in unique]


def _unused(table: Table, column: Column, old: str | None, number: int) -> composed.Composable:
    """A value that no row of *table* has in *column*, of the types that keys mostly have."""
    name = composed.Identifier(column.name)
    if column.base_type in ("smallint", "integer", "bigint", "numeric"):
        return composed.SQL("(select pg_catalog.max({}) + 1 from {})").format(
            name, composed.Identifier(table.schema, table.name)
        )
    if column.base_type == "uuid":
        return composed.SQL("pg_catalog.gen_random_uuid()")
    if old is not None and column.base_type in ("text", "character varying", "citext"):
        return composed.Literal(f"{old}{number}")  # most checks of a form let one digit more pass
    return composed.Literal(old)


def key_of(table: Table) -> tuple[str, ...]:
    """The primary key, else the first unique columns that are never null."""
    if table.primary_key is not None:
        return table.primary_key.columns
    for each in table.constraints:
        if each.kind == "unique" and not any(table.column(name).nullable for name in each.columns):
            return each.columns
    return ()
