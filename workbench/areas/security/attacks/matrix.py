"""The generated cross product: every role, every relation, every operation, rows of every owner."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.attacks.actors import Actor, actors, refused_login
from workbench.areas.security.attacks.cases import Case, statement
from workbench.areas.security.attacks.execution import Outcome, attempt, send, take_back
from workbench.areas.security.attacks.expectation import Expectation, Permitted
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.relations import (
    Events,
    Writing,
    closed_cases,
    owner_cases,
    sequence_cases,
    superuser_cases,
    writable,
)
from workbench.areas.security.attacks.rows import read_rows
from workbench.areas.security.attacks.tables import TableCases
from workbench.areas.security.intent.model import Intent, Operation, Permission, TableName
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import Catalog, Sequence, Table, qualified
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.errors import EngineError

_VIEWS = "security/attacks/matrix/writable_views.sql"
_ATTRIBUTES = "security/attacks/matrix/attributes.sql"
Only = Callable[[Case], bool]
Progress = Callable[[int, int], None]  # how many are done, of how many


@dataclass(frozen=True)
class Matrix:
    """All cases against *target*, which can be tried more than once while its block lasts."""

    target: Target
    cases: tuple[tuple[Actor, tuple[Case, ...]], ...]
    left_out: tuple[str, ...]

    def attempts(self, *, only: Only | None = None, progress: Progress | None = None) -> list[Attempt]:
        """What becomes of the cases that *only* picks, each actor's on one new connection, one by one."""
        chosen = [
            (actor, [each for each in cases if only is None or only(each)]) for actor, cases in self.cases
        ]
        total = sum(len(cases) for _, cases in chosen)
        found: list[Attempt] = []
        for actor, cases in chosen:
            if cases:
                found += _tried(self.target, actor, cases)
            if progress is not None:
                progress(len(found), total)
        return found


def matrix_attempts(target: Target, *, only: Only | None = None) -> list[Attempt]:
    """What became of every case of the cross product that *only* picks. Raises EngineError (see `actors`)."""
    with matrix(target) as made:
        return made.attempts(only=only)


@contextlib.contextmanager
def matrix(target: Target) -> Iterator[Matrix]:
    """The cases against *target*; the rows and logins that they need are there for the block.

    Raises EngineError where a role that is to be attacked is a superuser.
    """
    with actors(target) as (found, left_out), target.place.server.session(target.database) as conn:
        plan = _Plan(conn, target, left_out)
        cases = tuple((actor, tuple(plan.cases(actor))) for actor in found)
        yield Matrix(target, cases, tuple(dict.fromkeys(left_out)))


class _Plan:
    """What each actor tries; *conn* is a superuser's in the database that is attacked."""

    def __init__(self, conn: Connection, target: Target, left_out: list[str]) -> None:
        self.conn, self.target, self.left_out = conn, target, left_out
        self.intent: Intent = target.intent
        self.catalog: Catalog = target.place.catalog
        self.now = reflect(conn)
        self.permitted = _permitted(self.intent, self.catalog)
        self.rows, trouble = read_rows(
            conn, self.intent, self.catalog, target.identities, self.governed_tables
        )
        left_out += trouble
        self.events: Events = {
            (row["schema"], row["name"]): [each for each in ("insert", "update", "delete") if row[each]]
            for row in sql.fetch(conn, _VIEWS)
        }
        self.unwritable = frozenset(
            each.name for table in self.now.tables for each in table.columns if not writable(each)
        )

    @property
    def governed_tables(self) -> list[Table]:
        """The tables of the source that hold rows, and of its partitions those that a rule names."""
        return [
            each
            for each in self.catalog.tables
            if each.kind in ("table", "partitioned table", "foreign table")
            and (each.partition_of is None or self._named(each))
        ]

    def _named(self, table: Table) -> bool:
        return any((table.schema, table.name) in rule.tables for rule in self.intent.rules)

    @cached_property
    def hidden(self) -> frozenset[TableName]:
        """The tables whose rows are somebody's, or of which some role may reach some rows alone."""
        limited = (rule for rule in self.intent.rules if rule.where or rule.rows == "own")
        return frozenset({*self.intent.owners, *(name for rule in limited for name in rule.tables)})

    def cases(self, actor: Actor) -> Iterator[Case]:
        writing = Writing(self.conn, actor, self.unwritable)
        if actor.kind == "superuser":
            for rows in self.rows.values():
                yield from superuser_cases(writing, rows)
            return
        if actor.login != actor.role:
            yield _login_case(actor)
        if actor.kind == "owner":
            for name, rows in self.rows.items():
                if name in self.hidden and rows.table.kind != "foreign table":
                    yield from owner_cases(writing, rows.table)
                    for leaf in self._partitions(rows.table):
                        yield from owner_cases(writing, leaf)
            return
        yield from self._role_cases(actor)
        for name in sorted(self.rows):
            rows = self.rows[name]
            expected = Expectation(actor.role, bool(actor.identity), rows, self.permitted)
            yield from TableCases(self.conn, actor, expected, self.left_out).cases()
        for table in self.catalog.tables:
            if (table.schema, table.name) in self.rows:
                continue
            yield from closed_cases(writing, table, self.events)
        if actor.kind == "user":
            for table in self.made_tables:
                yield from closed_cases(
                    writing, table, self.events, readable=self._may_read(actor.role, table)
                )
        for sequence in self.now.sequences:
            if (sequence.schema, sequence.name) in self._source_sequences or actor.kind == "user":
                yield from sequence_cases(writing, sequence, needed=self._takes(actor.role, sequence))

    def _partitions(self, table: Table) -> Iterator[Table]:
        """The partitions of *table* that no rule names, and theirs."""
        for each in self.catalog.tables:
            if each.partition_of == (table.schema, table.name) and (each.schema, each.name) not in self.rows:
                yield each
                yield from self._partitions(each)

    @cached_property
    def made_tables(self) -> list[Table]:
        """The relations of the design itself: the audit trail, the keys."""
        known = {(each.schema, each.name) for each in self.catalog.tables}
        return [each for each in self.now.tables if (each.schema, each.name) not in known]

    @cached_property
    def _source_sequences(self) -> set[TableName]:
        return {(each.schema, each.name) for each in self.catalog.sequences}

    def _may_read(self, role: str, table: Table) -> bool:
        """Of a relation of the design: a view shows each role its own rows, the trail is for readers."""
        audit = self.intent.audit
        return (table.schema == self.intent.schema and table.kind == "view") or (
            audit is not None
            and table.schema == audit.schema
            and bool(set(audit.readers) & set(self.intent.lineages[role]))
        )

    @cached_property
    def _takers(self) -> Mapping[str, list[TableName]]:
        """The tables with a column of each default, by the default."""
        found: dict[str, list[TableName]] = {}
        for name, rows in self.rows.items():
            for column in rows.table.columns:
                if column.default and not column.generated:
                    found.setdefault(column.default, []).append(name)
        return found

    def _takes(self, role: str, sequence: Sequence) -> bool:
        """Whether *role* inserts into a table with a column whose default takes *sequence*."""
        name = qualified(sequence.schema, sequence.name).replace("'", "''")
        takers = self._takers.get(f"nextval('{name}'::regclass)", ())
        return any(self.permitted(role, each, "insert") is not None for each in takers)

    def _role_cases(self, actor: Actor) -> Iterator[Case]:
        """What the role may not be, and whom it may not become."""
        yield Case(
            f"{_who(actor)}/attributes", "attributes of the role", actor.role, actor.identity, "attributes",
            sql.read(_ATTRIBUTES), "refused",
        )  # fmt: skip
        if actor.identity:
            return  # who one may become does not depend on it
        others = [
            each.name for each in self.intent.roles if each.name not in self.intent.lineages[actor.role]
        ]
        for other in (*others, self.target.place.deployer, self.target.place.server.user):
            yield Case(
                f"{_who(actor)}/set role/{qualified(other)}", f"set role {other}", actor.role, "", "set role",
                statement(self.conn, "set role", role=composed.Identifier(other)), "refused",
            )  # fmt: skip


def _permitted(intent: Intent, catalog: Catalog) -> Permitted:
    @cache
    def permitted(role: str, table: TableName, operation: Operation) -> Permission | None:
        return permission(intent, catalog, role, table, operation)

    return permitted


def _who(actor: Actor) -> str:
    return actor.role + (f"@{actor.identity}" if actor.identity else "")


def _login_case(actor: Actor) -> Case:
    return Case(
        f"{_who(actor)}/connect", "log in", actor.role, "", "connect", "connect", "refused", how="connect"
    )


def _tried(target: Target, actor: Actor, cases: list[Case]) -> list[Attempt]:
    """*cases* on one connection of *actor*; where it is not let in, that is the one attempt."""
    design = target.design is not None
    found = [
        attempt(each, _login(target, actor.role), design=design) for each in cases if each.how == "connect"
    ]
    try:
        conn = actor.connect(target)
    except (psycopg2.Error, EngineError) as exc:
        case = Case(
            f"{_who(actor)}/connect", "log in", actor.role, actor.identity, "connect", "connect", "allowed"
        )
        words = str(exc).strip().splitlines()[-1]
        return [*found, attempt(case, Outcome(sqlstate="42501", message=words), design=design)]
    with contextlib.closing(conn):
        found += [attempt(each, send(conn, each), design=design) for each in cases if each.how != "connect"]
        take_back(conn)
    return found


def _login(target: Target, role: str) -> Outcome:
    reason = refused_login(target, role)
    return Outcome(sqlstate="42501", message=reason) if reason else Outcome()
