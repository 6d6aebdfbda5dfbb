"""Each way to write, tried on each audited table: what changed, counted apart, against what was logged."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit.hidden import hidden_columns, key_columns
from workbench.areas.security.audit.parts import audited_tables
from workbench.areas.security.intent.model import Intent, TableName
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import Catalog, Table
from workbench.engines.postgres import Connection

Form = Literal[
    "insert",
    "update",
    "update of nothing",
    "update of the key",
    "delete",
    "insert on conflict update",
    "merge",
    "copy",
    "update through a partition",
    "truncate",
]
_ROWS = 5  # written by each form
_PG15 = 150_000
_CHANGED_KEY = {
    "uuid": "pg_catalog.gen_random_uuid()",
    "text": "{column} || '1'",
    "integer": "{column} + 1000000",
    "bigint": "{column} + 1000000",
    "smallint": "32767 - {column}",
}


@dataclass(frozen=True)
class AuditProof:
    """One way to write, tried on *table* and rolled back.

    *expected* and *logged* are entries as (inserted, updated, deleted, truncated): what the rows before and
    after the statement say, and what the trail says. Of *rules* false the table's own triggers and foreign
    keys had to be off, for they refuse it; the trail's triggers are ENABLE ALWAYS. *stopped* is the server's
    reason where a check refuses it even so, and None where it was written.
    """

    table: TableName
    form: Form
    expected: tuple[int, int, int, int]
    logged: tuple[int, int, int, int]
    rules: bool = True
    stopped: str | None = None

    @property
    def as_expected(self) -> bool:
        return self.expected == self.logged


def prove_audit(target: Target) -> list[AuditProof]:
    """Each form of writing on each audited table of *target* that holds rows; nothing stays written.

    The rows are compared before and after, which no trigger takes part in. A superuser writes, whom neither
    grants nor policies stop; constraints and the table's own triggers do, and then the proof says so.
    """
    with target.place.server.session(target.database) as conn:
        return prove_forms(conn, target.intent, target.place.catalog)


def prove_forms(conn: Connection, intent: Intent, catalog: Catalog) -> list[AuditProof]:
    """The same on a superuser's connection."""
    found: list[AuditProof] = []
    for table in audited_tables(intent, catalog):
        trial = _Trial(conn, intent, catalog, table)
        for form, write in trial.forms():
            found.append(trial.tried(form, write))
    return found


@dataclass(frozen=True)
class _Trial:
    conn: Connection
    intent: Intent
    catalog: Catalog
    table: Table

    @property
    def name(self) -> TableName:
        return self.table.schema, self.table.name

    @property
    def key(self) -> tuple[str, ...]:
        return key_columns(self.table)

    def forms(self) -> Iterator[tuple[Form, Callable[[], None]]]:
        """The ways that this table can be written at all."""
        yield "insert", self._insert
        yield "update", self._update
        yield "update of nothing", self._update_of_nothing
        yield "delete", self._delete
        yield "copy", self._copy
        if self.key:
            if self.table.column(self.key[-1]).base_type in _CHANGED_KEY:
                yield "update of the key", self._update_of_the_key
            yield "insert on conflict update", self._on_conflict
            if self.conn.server_version >= _PG15:
                yield "merge", self._merge
        if self._leaf():
            yield "update through a partition", self._update_leaf
        yield "truncate", self._truncate

    def tried(self, form: Form, write: Callable[[], None]) -> AuditProof:
        """*write* in a transaction that is rolled back; again without rules where one stops it."""
        proof = self._once(form, write, rules=True)
        return proof if proof.stopped is None else self._once(form, write, rules=False)

    def _once(self, form: Form, write: Callable[[], None], *, rules: bool) -> AuditProof:
        self.conn.execute("begin")
        try:
            self.conn.execute("set constraints all deferred")
            if not rules:
                self.conn.execute("set local session_replication_role = replica")
            write()
            return AuditProof(self.name, form, self._expected(form), self._logged(), rules)
        except psycopg2.Error as exc:
            reason = exc.diag.message_primary or str(exc).strip().splitlines()[0]
            return AuditProof(self.name, form, (0, 0, 0, 0), (0, 0, 0, 0), rules, reason)
        finally:
            self.conn.execute("rollback")

    def _names(self) -> dict[str, composing.Composable]:
        omitted = hidden_columns(self.intent, self.catalog, self.name).omitted
        shown = [
            each.name
            for each in self.table.columns
            if each.name not in omitted and each.generated != "virtual"
        ]
        return {
            "table": composing.Identifier(*self.name),
            "key": _row_of(self.key or shown),
            "record": _row_of(shown),
            "key_columns": composing.SQL(", ").join([composing.Identifier(each) for each in self.key]),
            "columns": composing.SQL(", ").join([composing.Identifier(each) for each in self._writable()]),
            "rows": composing.Literal(_ROWS),
        }

    def _writable(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.table.columns if not each.generated)

    def _run(self, template: str, **names: composing.Composable) -> None:
        self.conn.execute(composing.SQL(template).format(**{**self._names(), **names}))

    def _begin_counting(self) -> None:
        """What comes after this is what the trail is asked for."""
        self._run(sql.read("security/audit/proof_before.sql"))
        self._run(
            "create temporary table audit_since on commit drop as "
            "select coalesce(max(entry_id), 0) as entry_id from {audit}.log",
            audit=composing.Identifier(self._schema),
        )

    @property
    def _schema(self) -> str:
        assert self.intent.audit is not None
        return self.intent.audit.schema

    def _expected(self, form: Form) -> tuple[int, int, int, int]:
        query = composing.SQL(sql.read("security/audit/proof_expected.sql")).format(**self._names())
        row = self.conn.execute(query).fetchone()
        assert row is not None
        inserted, updated, deleted = row
        if form != "truncate":
            return (
                (inserted, updated, deleted, 0) if self.key else (inserted + updated, 0, deleted + updated, 0)
            )
        rows_logged = self.intent.audit is not None and self.intent.audit.truncate == "rows"
        return 0, 0, deleted if rows_logged else 0, 1 + len(self._members())

    def _members(self) -> list[Table]:
        """The partitions of the table, and theirs."""
        found, parents = [], {self.name}
        while more := [each for each in self.catalog.tables if each.partition_of in parents]:
            found += more
            parents = {(each.schema, each.name) for each in more}
        return found

    def _leaf(self) -> Table | None:
        return next((each for each in self._members() if each.kind == "table" and each.rows_estimated), None)

    def _logged(self) -> tuple[int, int, int, int]:
        query = composing.SQL(
            """
            select
                count(*) filter (where l.action = 'I'), count(*) filter (where l.action = 'U'),
                count(*) filter (where l.action = 'D'), count(*) filter (where l.action = 'T')
            from {audit}.log l
            where l.entry_id > (select entry_id from pg_temp.audit_since)
                and l.transaction_id = pg_current_xact_id()
                and l.relation_id = %s::regclass
            """
        ).format(audit=composing.Identifier(self._schema))
        row = self.conn.execute(query, [composing.Identifier(*self.name).as_string(self.conn)]).fetchone()
        assert row is not None
        return row

    def _take_aside(self) -> None:
        """Some rows, in a table of their own."""
        self._run(
            "create temporary table audit_aside on commit drop as select {columns} from {table} limit {rows}"
        )

    def _take_out(self) -> None:
        self._take_aside()
        if self.key:
            self._run(
                "delete from {table} t where ({key_columns}) in "
                "(select {key_columns} from pg_temp.audit_aside)"
            )
        else:
            self._run("delete from {table}")

    def _insert(self) -> None:
        self._take_out()
        self._begin_counting()
        self._run(
            "insert into {table} ({columns}) overriding system value "
            "select {columns} from pg_temp.audit_aside"
        )

    def _copy(self) -> None:
        self._take_out()
        self._begin_counting()
        aside = io.StringIO()
        names = self._names()
        with self.conn.cursor() as cur:
            cur.copy_expert(
                composing.SQL("copy (select {columns} from pg_temp.audit_aside) to stdout")
                .format(**names)
                .as_string(cur),
                aside,
            )
            aside.seek(0)
            cur.copy_expert(
                composing.SQL("copy {table} ({columns}) from stdin").format(**names).as_string(cur), aside
            )

    def _changeable(self) -> Iterator[composing.Composable]:
        for column in reversed(self.table.columns):
            if column.name not in self.key and not column.generated and column.identity != "always":
                yield composing.Identifier(column.name)

    def _update(self) -> None:
        self._change_one_column(composing.Identifier(*self.name))

    def _update_leaf(self) -> None:
        leaf = self._leaf()
        assert leaf is not None
        self._change_one_column(composing.Identifier(leaf.schema, leaf.name))

    def _change_one_column(self, written: composing.Composable) -> None:
        self._begin_counting()
        self._first_that_changes(
            "update {written} t set {column} = (select o.{column} from {written} o "
            "where o.{column}::text is distinct from t.{column}::text limit 1) "
            "where ctid in (select ctid from {written} limit {rows})",
            written=written,
        )

    def _first_that_changes(self, template: str, **names: composing.Composable) -> None:
        """The statement with the first column that its constraints let, and that then has another value."""
        refused: psycopg2.Error | None = None
        for column in self._changeable():
            self.conn.execute("savepoint before")
            try:
                self._run(template, column=column, **names)
            except psycopg2.Error as exc:
                refused = exc
                self.conn.execute("rollback to savepoint before")
                continue
            if any(self._expected("update")):
                return
        if refused is not None:
            raise refused

    def _update_of_nothing(self) -> None:
        self._begin_counting()
        column = composing.Identifier(next(iter(self._writable_by_update())))
        self._run("update {table} set {column} = {column}", column=column)

    def _writable_by_update(self) -> Iterator[str]:
        for column in self.table.columns:
            if not column.generated and column.identity != "always":
                yield column.name

    def _update_of_the_key(self) -> None:
        self._begin_counting()
        column = self.table.column(self.key[-1])
        changed = composing.SQL(_CHANGED_KEY[column.base_type]).format(
            column=composing.Identifier(column.name)
        )
        self._run(
            "update {table} t set {column} = {changed} where ctid in (select ctid from {table} limit {rows})",
            column=composing.Identifier(column.name),
            changed=changed,
        )

    def _delete(self) -> None:
        self._begin_counting()
        self._run("delete from {table} t where ctid in (select ctid from {table} limit {rows})")

    def _on_conflict(self) -> None:
        self._take_aside()
        self._begin_counting()
        self._first_that_changes(
            "insert into {table} as t ({columns}) overriding system value select {columns} "
            "from pg_temp.audit_aside on conflict ({key_columns}) do update set {column} = "
            "(select o.{column} from {table} o "
            "where o.{column}::text is distinct from t.{column}::text limit 1)"
        )

    def _merge(self) -> None:
        self._take_aside()
        self._begin_counting()
        pairs = [composing.SQL("t.{c} = a.{c}").format(c=composing.Identifier(each)) for each in self.key]
        self._first_that_changes(
            "merge into {table} t "
            "using (select a.*, row_number() over () as place from pg_temp.audit_aside a) a "
            "on {matched} when matched and a.place = 1 then delete when matched then update set {column} = "
            "(select o.{column} from {table} o "
            "where o.{column}::text is distinct from t.{column}::text limit 1)",
            matched=composing.SQL(" and ").join(pairs),
        )

    def _truncate(self) -> None:
        self._begin_counting()
        self._run("truncate {table} cascade")


def _row_of(columns: Sequence[str]) -> composing.Composable:
    """The values of *columns* of the row t as one text."""
    return composing.SQL("row({})::text").format(
        composing.SQL(", ").join([composing.Identifier("t", each) for each in columns])
    )
