"""Writes that the intent allows and the table's own rules accept, found by trying them as a superuser."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import psycopg2
from psycopg2 import sql

from workbench.areas.security.attacks.expectation import Permitted
from workbench.areas.security.attacks.probes.running import statement
from workbench.areas.security.attacks.rows import key_of, owner_of_row, unique_columns
from workbench.areas.security.intent.model import Operation, RoleIntent, TableName
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import Column, Constraint, Table, qualified
from workbench.engines.postgres import Connection

_RAISED = "exec_stmt_raise"  # the server's function behind PL/pgSQL's RAISE
_MOST_ROWS = 8
_MOST_VALUES = 8
_MOST_PARENTS = 8
_MOST_COMBINATIONS = 40
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric"})
_TEXTS = frozenset({"text", "character varying", "citext", "character"})
_MOMENTS = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
Row = Mapping[str, str | None]
Effects = Mapping[str, tuple[int, ...]]  # by relation: rows inserted, updated, deleted
Grant = tuple[sql.Composable, tuple[str, ...]]  # which rows, and which columns of them


@dataclass(frozen=True)
class ValidWrite:
    """*statements* that *role* may send for *identity* ("" for nobody), each of which changes one row.

    A superuser sent them to the whole design, with every constraint checked, and they were accepted.
    *effects* is how many rows of each table they inserted, updated and deleted then, with their triggers;
    None where a function that they call lacks a privilege, which is the design's fault and not theirs.
    """

    role: str
    identity: str
    table: TableName
    operation: Operation
    part: str
    statements: tuple[str, ...]
    effects: Effects | None = None


@dataclass(frozen=True)
class NoValidWrite:
    """What the intent lets *role* do, and of which no attempt was accepted: *reason* is the last refusal."""

    role: str
    table: TableName
    operation: Operation
    column: str
    reason: str


@dataclass(frozen=True)
class ValidWrites:
    """The writes that were found, and those for which none was."""

    writes: tuple[ValidWrite, ...]
    missing: tuple[NoValidWrite, ...]

    def left_out(self, operation: Operation) -> Iterator[str]:
        """What could not be tried of *operation*, one line a table."""
        tables: dict[TableName, list[NoValidWrite]] = {}
        for each in self.missing:
            if each.operation == operation:
                tables.setdefault(each.table, []).append(each)
        for table, missing in sorted(tables.items()):
            columns = ", ".join(dict.fromkeys(qualified(each.column) for each in missing if each.column))
            what = f"{operation} of {columns}" if columns else operation
            roles = ", ".join(dict.fromkeys(each.role for each in missing))
            yield f"{qualified(*table)}: no valid {what} by {roles} was found: {missing[0].reason}"


def valid_writes(target: Target) -> ValidWrites:
    """A valid insert, update of each column, and delete for whatever the intent lets a login do.

    All is tried in one transaction of a superuser that is taken back.
    """
    with target.place.server.session(target.database) as conn:
        conn.execute("begin; set local statement_timeout = '20s'; set local lock_timeout = '2s'")
        search = _Search(target, conn)
        for role in target.intent.roles:
            if role.kind == "login":
                search.of_role(role)
        conn.execute("rollback")
    made = {(each.role.name, each.name) for each in search.parts}
    missing = [
        each for each in search.missing if each.operation != "insert" or (each.role, each.table) not in made
    ]
    return ValidWrites(tuple(search.writes), tuple(missing))


def effects(conn: Connection) -> Effects:
    """What the session has done and not yet reported: rows inserted, updated and deleted, by relation."""
    return {name: tuple(counts) for name, *counts in conn.execute(statement("working.effects")).fetchall()}


def since(before: Effects, after: Effects) -> Effects:
    """What was done between the two."""
    nothing = (0, 0, 0)
    done = {
        name: tuple(now - then for now, then in zip(counts, before.get(name, nothing), strict=True))
        for name, counts in after.items()
    }
    return {name: counts for name, counts in done.items() if any(counts)}


@dataclass
class _Search:
    target: Target
    conn: Connection
    writes: list[ValidWrite] = field(default_factory=list)
    missing: list[NoValidWrite] = field(default_factory=list)
    parts: list[_Table] = field(default_factory=list)  # of which rows are made together with their parent
    _changes: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        intent, catalog = self.target.intent, self.target.place.catalog

        @cache
        def permitted(role: str, table: TableName, operation: Operation):  # type: ignore[no-untyped-def]
            return permission(intent, catalog, role, table, operation)

        self.permitted: Permitted = permitted

    def of_role(self, role: RoleIntent) -> None:
        """All that *role* may write."""
        for table in sorted(self.target.place.catalog.tables, key=lambda each: (each.schema, each.name)):
            name = (table.schema, table.name)
            if table.kind not in ("table", "partitioned table"):
                continue
            attempts = _Table(self, role, table)
            if self.permitted(role.name, name, "insert"):
                attempts.insert()
            if self.permitted(role.name, name, "update"):
                attempts.update()
            if self.permitted(role.name, name, "delete"):
                attempts.delete()

    def text(self, query: sql.Composable) -> str:
        return query.as_string(self.conn)

    def rows(self, query: sql.Composable) -> list[tuple[str | None, ...]]:
        return self.conn.execute(query).fetchall()

    def trouble(self, statements: Sequence[str], reach: sql.Composable) -> str:
        """Why *statements* are not a valid write of a row in *reach*; nothing where they are.

        That a privilege is missing, which can only be one of a function's, is no fault of theirs.
        """
        ending = self.text(statement("working.in_reach", reach=reach))
        with self._undone():
            try:
                for each in statements[:-1]:
                    self.conn.execute(each)
                found = self.conn.execute(f"{statements[-1]}\n{ending}").fetchall()
                self.conn.execute(statement("working.everything_checked"))
            except psycopg2.errors.InsufficientPrivilege as exc:
                return str(exc).splitlines()[0] if exc.diag.source_function == _RAISED else ""
            except psycopg2.Error as exc:
                return (exc.diag.message_primary or str(exc)).splitlines()[0]
        return "" if found == [(True,)] else "the row is not one that the role reaches"

    def effects_of(self, statements: Sequence[str]) -> Effects | None:
        """What *statements*, which are valid, do."""
        before = effects(self.conn)
        with self._undone():
            try:
                for each in statements:
                    self.conn.execute(each)
                self.conn.execute(statement("working.everything_checked"))
            except psycopg2.errors.InsufficientPrivilege:
                return None
            after = effects(self.conn)
        return since(before, after)

    @contextlib.contextmanager
    def _undone(self) -> Iterator[None]:
        self.conn.execute("savepoint before_write")
        yield
        self.conn.execute("rollback to savepoint before_write")


class _Table:
    """What *role* may write in *table*."""

    def __init__(self, search: _Search, role: RoleIntent, table: Table) -> None:
        self.search, self.role, self.table = search, role, table
        self.name: TableName = (table.schema, table.name)
        self.identifier = sql.Identifier(*self.name)
        self.acting = role.identified == "token"
        self.identity = search.target.identities.a if self.acting else ""
        self.owner = search.target.intent.owners.get(self.name)
        self.inserted: tuple[str, Row] | None = None

    # which rows and columns

    def grants(self, operation: Operation, identity: str) -> Iterator[Grant]:
        """Of each rule for *operation* the condition of its rows, and its columns."""
        found = self.search.permitted(self.role.name, self.name, operation)
        for rows, where, columns in found.grants if found else ():
            conditions = [sql.SQL("({})").format(sql.SQL(where))] if where else []
            if rows == "own":
                if not identity or self.owner is None:
                    continue
                owner = owner_of_row(self.search.target.intent, self.name)
                conditions.append(sql.SQL("{} = {}").format(owner, sql.Literal(identity)))
            yield sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true"), columns

    def seen(self, columns: Iterable[str]) -> sql.Composable | None:
        """The condition of the rows in which the role may read *columns*; None where it may in none."""
        wanted = set(columns)
        found = [reach for reach, allowed in self.grants("select", self.identity) if wanted <= set(allowed)]
        return sql.SQL(" or ").join(sql.SQL("({})").format(each) for each in found) if found else None

    def held(self, reach: sql.Composable, most: int = _MOST_ROWS) -> list[Row]:
        """Rows in *reach*, their values as text by column."""
        names = [each.name for each in self.table.columns]
        order = key_of(self.table) or names[:1]
        query = statement(
            "working.rows",
            held=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", each)) for each in names),
            table=self.identifier,
            reach=reach,
            order=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", each)) for each in order),
            most=sql.Literal(most),
        )
        return [dict(zip(names, values, strict=True)) for values in self.search.rows(query)]

    def row(self, key: Sequence[str], values: Row) -> sql.Composable:
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier("t", each), sql.Literal(values[each])) for each in key
        )

    def add(self, operation: Operation, part: str, statements: Sequence[str], identity: str) -> None:
        effects = self.search.effects_of(statements)
        self.search.writes.append(
            ValidWrite(self.role.name, identity, self.name, operation, part, tuple(statements), effects)
        )

    def missing(self, operation: Operation, reason: str, column: str = "") -> None:
        self.search.missing.append(NoValidWrite(self.role.name, self.name, operation, column, reason))

    # inserts

    def insert(self) -> None:
        """A copy of a row, with values of its own where they must be unique: in every form that is valid."""
        reason = "there is no row to copy"
        for identity in self._identities():
            found, reason = self._inserts(identity)
            for part, (texts, values) in found.items():
                self.add("insert", part, texts, identity)
                if self.inserted is None and identity == self.identity and len(texts) == 1:
                    self.inserted = texts[0], values
            if found:
                return
        self.missing("insert", reason)

    def _identities(self) -> Iterator[str]:
        """For whom: A, then somebody without a row, then somebody new."""
        yield self.identity
        intent = self.search.target.intent
        column = self.owner.column if self.owner else None
        if not self.acting or column is None or intent.identity is None:
            return
        if self.name != intent.identity.table:
            query = statement(
                "working.identity_without",
                key=sql.Identifier(intent.identity.column),
                identities=sql.Identifier(*intent.identity.table),
                table=self.identifier,
                column=sql.Identifier(column),
            )
            yield from (value for (value,) in self.search.rows(query) if value is not None)
            return
        yield from (each for each in self._fresh(self.table.column(column), None) if each)

    def _inserts(self, identity: str) -> tuple[dict[str, tuple[tuple[str, ...], Row]], str]:
        found: dict[str, tuple[tuple[str, ...], Row]] = {}
        reason = "there is no row to copy"
        for reach, columns in self.grants("insert", identity):
            for part, names in self._forms(columns, self.search.text(reach)).items():
                for values in self._new_rows(reach, columns, identity):
                    text = self._insert(names, values)
                    reason = self.search.trouble([text], reach)
                    if not reason:
                        found.setdefault(part, ((text,), values))
                        break
            whole = self._with_parts(reach, columns, identity)
            if whole is not None:
                found.setdefault("a row with its parts", (whole, {}))
        return found, reason

    def _insert(self, columns: Iterable[str], values: Row) -> str:
        names = list(columns)
        return self.search.text(
            statement(
                "working.insert",
                table=self.identifier,
                columns=sql.SQL(", ").join(map(sql.Identifier, names)),
                values=sql.SQL(", ").join(sql.Literal(values[each]) for each in names),
            )
        )

    def _forms(self, columns: Sequence[str], reach: str) -> dict[str, tuple[str, ...]]:
        """The columns of a whole row, and of rows whose defaults stand; of the last no more than it needs."""
        kept = {self.owner.column, *self.owner.columns} if self.owner else set()
        facts = {each: self.table.column(each) for each in columns}
        defaulted = {
            each for each in columns if each not in kept and (facts[each].default or facts[each].identity)
        }
        looked_at = defaulted & set(re.findall(r"\w+", reach))
        optional = {each for each in columns if each not in kept and facts[each].nullable}
        forms = {
            "a whole row": set(),
            "a row that starts as its table wants": looked_at,
            "its defaults left out": defaulted,
            "what it needs": defaulted | optional,
        }
        found: dict[str, tuple[str, ...]] = {}
        for part, omitted in forms.items():
            names = tuple(each for each in columns if each not in omitted)
            if names and names not in found.values():
                found[part] = names
        return found

    def _sources(self, reach: sql.Composable, identity: str) -> list[Row]:
        """Rows to be copied: those in reach, the identity's own, and where it owns by a column any."""
        found = self.held(reach, 3)
        if identity and self.owner is not None:
            owner = owner_of_row(self.search.target.intent, self.name)
            found += self.held(sql.SQL("{} = {}").format(owner, sql.Literal(identity)))
        if self.owner is None or self.owner.column is not None:
            found += self.held(sql.SQL("true"), 3)
        return found

    def _new_rows(self, reach: sql.Composable, columns: Sequence[str], identity: str) -> Iterator[Row]:
        """Copies of rows with values that no other row has, in the end in all their texts."""
        owned = self.owner is not None and self.owner.column is not None and identity
        given = {self.owner.column: identity} if self.owner and self.owner.column and owned else {}
        texts = {each.name for each in self.table.columns if each.base_type in _TEXTS}
        texts -= {name for key in self.table.foreign_keys for name in key.columns} | set(given)
        for row in self._sources(reach, identity):
            made = {**row, **given}
            for parents in self._other_parents(set(given)):
                fresh: dict[str, str | None] = {}
                for fresh in self._fresh_values({**made, **parents}, set(given)):
                    yield {**made, **parents, **fresh}
            changed = {each: f"{row[each]}7" for each in texts if row[each]}
            yield {**made, **fresh, **changed}

    def _fresh_values(self, row: Row, given: set[str]) -> Iterator[dict[str, str | None]]:
        """Values for the columns of its keys, together; several kinds of each are tried in step."""
        columns = [each for each in unique_columns(self.table) if each.name not in given]
        kinds = {each.name: self._fresh(each, row[each.name]) for each in columns}
        for number in range(max((len(each) for each in kinds.values()), default=1)):
            yield {name: found[min(number, len(found) - 1)] for name, found in kinds.items() if found}

    def _fresh(self, column: Column, old: str | None, step: int = 1) -> list[str | None]:
        """Values that no row of the table has in *column*, of the types that keys mostly have."""
        where = {"column": sql.Identifier(column.name), "table": self.identifier}
        if column.base_type in _NUMBERS:
            query = statement("working.next_number", step=sql.Literal(step), **where)
        elif column.base_type == "uuid":
            query = statement("working.new_uuid")
        elif column.base_type in _MOMENTS:
            query = statement("working.next_moment", **where)
        elif column.base_type in _TEXTS:
            return [f"{old}7", *(old[:-1] + each for each in "7xQ" if each != old[-1])] if old else ["x"]
        else:
            return [old]
        return [value for (value,) in self.search.rows(query)]

    def _other_parents(self, given: set[str]) -> Iterator[dict[str, str | None]]:
        """Keys of other parents, for a table in which a row is told apart by its parents alone."""
        yield {}
        fresh = {each.name for each in unique_columns(self.table)}
        keys = [each.columns for each in self.table.constraints if each.kind in ("primary key", "unique")]
        told = {name for key in keys if not fresh & set(key) for name in key} - given
        references = [each for each in self.table.foreign_keys if told & set(each.columns)]
        choices = [self._parent_keys(each) for each in references if each.references is not None]
        for chosen in itertools.islice(itertools.product(*choices), _MOST_COMBINATIONS if choices else 0):
            yield {name: value for each in chosen for name, value in each.items() if name not in given}

    def _parent_keys(self, key: Constraint) -> list[dict[str, str | None]]:
        assert key.references is not None
        names = [sql.SQL("{}::text").format(sql.Identifier("t", each)) for each in key.referenced_columns]
        query = statement(
            "working.rows",
            held=sql.SQL(", ").join(names),
            table=sql.Identifier(*key.references),
            reach=sql.SQL("true"),
            order=sql.SQL(", ").join(sql.SQL("{} desc").format(each) for each in names),
            most=sql.Literal(_MOST_PARENTS),
        )
        return [dict(zip(key.columns, values, strict=True)) for values in self.search.rows(query)]

    def _with_parts(
        self, reach: sql.Composable, columns: Sequence[str], identity: str
    ) -> tuple[str, ...] | None:
        """A copy of a row together with copies of the rows that belong to it, the parts after it."""
        intent = self.search.target.intent
        parts = [
            (_Table(self.search, self.role, self.search.target.place.catalog.table(*owner.table)), owner)
            for owner in intent.owners.values()
            if owner.parent == self.name and self.search.permitted(self.role.name, owner.table, "insert")
        ]
        looked_at = set(re.findall(r"\w+", self.search.text(reach)))
        named = [each for each in columns if each not in looked_at or not self.table.column(each).default]
        for source in self._sources(reach, identity) if parts else ():
            given = {self.owner.column: identity} if self.owner and self.owner.column and identity else {}
            fresh = next(self._fresh_values({**source, **given}, set(given)), {})
            new = {**source, **given, **fresh}
            statements = [self._insert(named, new)]
            for part, owner in parts:
                pairs = list(zip(owner.columns, owner.parent_columns, strict=True))
                below = {ours: source[theirs] for ours, theirs in pairs}
                allowed = next((names for _, names in part.grants("insert", identity)), ())
                for row in part.held(part.row(owner.columns, below)):
                    moved = {**row, **{ours: new[theirs] for ours, theirs in pairs}}
                    statements.append(part._insert(allowed, moved))
            reached = sql.SQL("true")
            if len(statements) > 1 and not self.search.trouble(statements, reached):
                self.search.parts += [part for part, _ in parts]
                return tuple(statements)
        return None

    # updates

    def update(self) -> None:
        """Each column of one row changed to a value that it has not."""
        key = key_of(self.table)
        seen = self.seen(key) if key else None
        if seen is None:
            self.missing("update", "it can name no row" if key else "the table has no key")
            return
        for reach, columns in self.grants("update", self.identity):
            both = sql.SQL("({}) and ({})").format(reach, seen)
            for column in columns:
                text, reason = self._remembered(column, key, both)
                if text:
                    self.add("update", f"column {qualified(column)}", [text], self.identity)
                else:
                    self.missing("update", reason, column)

    def _remembered(self, column: str, key: Sequence[str], reach: sql.Composable) -> tuple[str, str]:
        """What was found for one role is good for another that reaches the same rows."""
        known = (self.name, column, self.search.text(reach))
        if known not in self.search._changes:
            self.search._changes[known] = self._change(self.table.column(column), key, reach)
        return self.search._changes[known]

    def _change(self, column: Column, key: Sequence[str], reach: sql.Composable) -> tuple[str, str]:
        rows, reason = self.held(reach), "there is no such row"
        values = self._values(column, reach) if rows else []
        for row in rows:
            for value in (*values, *self._fresh(column, row[column.name])):
                if value == row[column.name]:
                    continue
                text = self.search.text(
                    statement(
                        "working.update",
                        table=self.identifier,
                        column=sql.Identifier(column.name),
                        value=sql.Literal(value),
                        row=self.row(key, row),
                    )
                )
                reason = self.search.trouble([text], reach)
                if not reason:
                    return text, ""
        return "", reason

    def _values(self, column: Column, reach: sql.Composable) -> list[str | None]:
        """Values of the column: of rows in reach, then of any, then none."""
        found: list[str | None] = []
        if column.base_type == "boolean":
            return ["true", "false"]
        for place in (reach, sql.SQL("true")):
            query = statement(
                "working.values",
                column=sql.Identifier(column.name),
                table=self.identifier,
                reach=place,
                most=sql.Literal(_MOST_VALUES),
            )
            found += [value for (value,) in self.search.rows(query)]
        return [*dict.fromkeys(found), *([None] if column.nullable else [])]

    # deletes

    def delete(self) -> None:
        """A row that nothing holds; of a table where all are held one that the role has just inserted."""
        key = key_of(self.table)
        seen = self.seen(key) if key else None
        if seen is None:
            self.missing("delete", "it can name no row" if key else "the table has no key")
            return
        reason = "there is no such row"
        for reach, _ in self.grants("delete", self.identity):
            both = sql.SQL("({}) and ({})").format(reach, seen)
            for before, row in self._deletable(key, both):
                text = self.search.text(
                    statement("working.delete", table=self.identifier, row=self.row(key, row))
                )
                reason = self.search.trouble([*before, text], both)
                if not reason:
                    self.add("delete", "a row", [*before, text], self.identity)
                    return
        self.missing("delete", reason)

    def _deletable(self, key: Sequence[str], reach: sql.Composable) -> Iterator[tuple[list[str], Row]]:
        for row in self.held(reach):
            yield [], row
        if self.inserted is not None and all(self.inserted[1].get(each) for each in key):
            yield [self.inserted[0]], self.inserted[1]
