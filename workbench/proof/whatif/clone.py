"""A clone that holds statistics and no rows: it plans as its source would, whatever is asked of it.

Candidate indexes are created once, sized and hidden; a question shows some of them within a
transaction that is rolled back.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import psycopg2
import psycopg2.extensions
from pglast.parser import scan
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.plans import Plan
from workbench.proof.whatif.candidates import Maker
from workbench.proof.whatif.model import Added, IndexDefinition, WhatIfIndex

_COST = re.compile(r'"Total Cost": ([0-9.]+)')
_INDEX = re.compile(r'"Index Name": ("(?:[^"\\]|\\.)*")')
_BARE_LITERAL = re.compile(r"[0-9.]+|'(?:[^']|'')*'|true|false|null", re.IGNORECASE)
_JSON_OID = 114
_MOST_DEAD_ROWS = 1_500  # of pg_index: each toggled index leaves one, and every look at its table passes it
_MOST_STEPPED_ROWS = 200  # of them in one transaction, whose versions nothing can sweep
_as_text = psycopg2.extensions.new_type((_JSON_OID,), "json as text", lambda value, _: value)


@dataclass(frozen=True)
class ExistingIndex:
    """An index of the source. Its own and others' *constraints* may stand on it: then it cannot go.

    An index on a partitioned table is one with those of its partitions, which are *members* and of which
    *size_bytes* is the sum.
    """

    oid: int
    schema: str
    table: str
    name: str
    definition: str
    method: str
    size_bytes: int
    is_unique: bool
    is_valid: bool
    constraints: tuple[str, ...]
    members: tuple[int, ...]

    @property
    def needed(self) -> bool:
        """Whether a constraint stands on it."""
        return bool(self.constraints)

    @property
    def qualified(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True)
class PlanCost:
    """The planner's cost of one statement, and the oids of the indexes that its plan scans."""

    total_cost: float
    indexes: tuple[int, ...]


@dataclass(frozen=True)
class _Question:
    """Which indexes are shown and hidden, and which settings hold, while something is planned."""

    shown: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()
    settings: tuple[tuple[str, str], ...] = ()


_AS_IT_IS = _Question()


@dataclass
class StatisticsClone:
    """Made by `statistics_clone`. *connection* is where plans are made, as a role without rights.

    *lost* says, a line each, what of the source could not be carried over; *calls* counts the plans made.
    """

    connection: Connection
    server: Server
    lost: tuple[str, ...]
    _maker: Maker = field(repr=False)
    _schema: str = field(repr=False)
    calls: int = 0
    _existing: tuple[ExistingIndex, ...] = field(default=(), repr=False)
    _members: dict[int, tuple[int, ...]] = field(default_factory=dict, repr=False)
    _by_name: dict[str, int] = field(default_factory=dict, repr=False)
    _by_qualified: dict[str, int] = field(default_factory=dict, repr=False)
    _asked: _Question = field(default=_AS_IT_IS, repr=False)
    _open: _Question = field(default=_AS_IT_IS, repr=False)
    _prefixes: dict[_Question, str] = field(default_factory=dict, repr=False)
    _dead_rows: int = field(default=0, repr=False)
    _stepped: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        self._existing = _existing_indexes(self._maker.admin)
        for each in self._existing:
            self._members[each.oid] = each.members
        names = sql.fetch(
            self._maker.admin,
            "proof/whatif/created_indexes.sql",
            {"indexes": [each.oid for each in self._existing]},
        )
        for row in names:
            self._learn(row["schema_name"], row["name"], row["root"])

    def _learn(self, schema: str, name: str, oid: int) -> None:
        self._by_qualified[qualified(schema, name)] = oid
        # 0: a name that several schemas have, which the short form of a plan does not tell apart
        self._by_name[name] = 0 if name in self._by_name else oid

    @property
    def sampled_s(self) -> float:
        """How long the samples of rows took to read and to count, in seconds."""
        return self._maker.sizer.samples.seconds

    def existing(self) -> tuple[ExistingIndex, ...]:
        """The indexes of the source, ordered by schema, table and name."""
        return self._existing

    def add(self, candidates: Sequence[IndexDefinition]) -> Added:
        """Create *candidates*, give them the size they would have, and hide them until `having` asks.

        Those that the engine refuses are told with its reason.
        """
        self._leave()
        created, refused = self._maker.make(candidates)
        for each in created:
            self._members[each.oid] = each.members
            for schema, name in each.names:
                self._learn(schema, name, each.oid)
        return Added(
            tuple(
                WhatIfIndex(each.definition, each.oid, each.name, each.size_bytes, each.rows)
                for each in created
            ),
            tuple(refused),
        )

    @contextlib.contextmanager
    def having(
        self,
        indexes: Collection[int] = (),
        *,
        without: Collection[int] = (),
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        """Within the block the candidates *indexes* are there, and the existing ones *without* are not.

        *settings* hold as well. Blocks nest; all is as before after the block.
        """
        outer = self._asked
        shown, hidden = self._whole(indexes), self._whole(without)
        self._asked = _Question(
            (outer.shown | shown) - hidden,
            (outer.hidden | hidden) - shown,
            tuple(sorted({**dict(outer.settings), **(settings or {})}.items())),
        )
        try:
            self._enter(self._asked)
            yield
        finally:
            self._asked = outer
            self._enter(outer)

    def explain(
        self, statement: str, values: Sequence[str] | None = (), *, search_path: Sequence[str] = ()
    ) -> Plan:
        """The plan of *statement* as things are asked now; *values* are SQL literals for its parameters.

        With None for *values* it is planned for any. Raises psycopg2.Error as the engine does.
        """
        question = self._question(search_path)
        with self.connection.cursor() as cursor:
            found = self._plan(cursor, question, "verbose, format json", statement, values)
        return Plan(found[0]["Plan"])

    def cost(
        self,
        statement: str,
        values: Sequence[str] | None = (),
        *,
        indexes: Collection[int] | None = None,
        without: Collection[int] = (),
        search_path: Sequence[str] = (),
    ) -> PlanCost:
        """The cost of *statement* and the indexes in its plan, in one round trip.

        With *indexes* the question is its own: these are shown and no others, whatever `having` says.
        """
        question = self._question(search_path)
        if indexes is not None:
            hidden = self._whole(without)
            question = replace(question, shown=self._whole(indexes) - hidden, hidden=hidden)
        with self.connection.cursor() as cursor:
            psycopg2.extensions.register_type(_as_text, cursor)
            shown = self._plan(cursor, question, "format json", statement, values)
        total = _COST.search(shown)
        if not total:
            raise BadInput(f"EXPLAIN gives no plan: {statement[:80]!r} is rewritten to nothing")
        used = [self._by_name.get(json.loads(name), 0) for name in _INDEX.findall(shown)]
        if 0 in used:
            with self.connection.cursor() as cursor:
                plan = Plan(
                    self._plan(cursor, question, "verbose, format json", statement, values)[0]["Plan"]
                )
            found = plan.indexes_used()
            used = [self._by_qualified[name] for name in found if name in self._by_qualified]  # no catalog's
        return PlanCost(float(total[1]), tuple(dict.fromkeys(used)))

    def _whole(self, indexes: Collection[int]) -> frozenset[int]:
        """*indexes* with those of their partitions."""
        unknown = [each for each in indexes if each not in self._members]
        if unknown:
            raise BadInput(
                f"index {unknown[0]} is not in the clone: give the oid of one that exists or was added"
            )
        return frozenset(member for each in indexes for member in self._members[each])

    def _question(self, search_path: Sequence[str]) -> _Question:
        if not search_path:
            return self._asked
        quoted = ", ".join('"' + each.replace('"', '""') + '"' for each in search_path)
        settings = {**dict(self._asked.settings), "search_path": quoted}
        return replace(self._asked, settings=tuple(sorted(settings.items())))

    def _plan(
        self,
        cursor: psycopg2.extensions.cursor,
        question: _Question,
        options: str,
        statement: str,
        values: Sequence[str] | None,
    ) -> Any:
        """What EXPLAIN gives: the state that *question* asks for is entered in the same round trip."""
        if values is None:
            options += ", generic_plan"
        text = bound(statement, tuple(values)) if values else statement
        self.calls += 1
        try:
            cursor.execute(self._prefix(question) + f"explain ({options}) " + text)
            found = cursor.fetchone()
        except (psycopg2.Error, UnicodeError):
            self._leave()
            raise
        self._open = question
        if found is None:
            raise BadInput(f"EXPLAIN gives no plan: {statement[:80]!r} is rewritten to nothing")
        return found[0]

    def _prefix(self, question: _Question) -> str:
        """What must run before *question* can be asked; nothing where the last one was the same."""
        if question == self._open:
            return ""
        if self._dead_rows > _MOST_DEAD_ROWS:
            self._leave()
            self._maker.admin.execute("vacuum pg_catalog.pg_index")
            self._dead_rows = 0
        show = (question.shown - self._open.shown) | (self._open.hidden - question.hidden)
        hide = (self._open.shown - question.shown) | (question.hidden - self._open.hidden)
        whole = len(question.shown) + len(question.hidden)
        steps = len(show) + len(hide)
        self._dead_rows += min(whole, steps)
        if (
            _AS_IT_IS not in (question, self._open)
            and question.settings == self._open.settings
            and steps < whole
            and self._stepped + steps <= _MOST_STEPPED_ROWS
        ):
            # what stays as it is need not be read again
            self._stepped += steps
            return self._toggle(show, hide).as_string(self.connection)
        self._stepped = 0
        before = "rollback;" if self._open != _AS_IT_IS else ""
        if question == _AS_IT_IS:
            return before
        if question not in self._prefixes:
            self._prefixes[question] = self._toggling(question).as_string(self.connection)
        return before + self._prefixes[question]

    def _toggling(self, question: _Question) -> composed.Composed:
        toggle = composed.SQL("begin;") + self._toggle(question.shown, question.hidden)
        for name, setting in question.settings:
            toggle += composed.SQL("select pg_catalog.set_config({}, {}, true);").format(
                composed.Literal(name), composed.Literal(setting)
            )
        return toggle

    def _toggle(self, show: Collection[int], hide: Collection[int]) -> composed.Composed:
        return composed.SQL("select {}.toggle({}::oid[], {}::oid[]);").format(
            composed.Identifier(self._schema),
            composed.Literal(_array(show)),
            composed.Literal(_array(hide)),
        )

    def _enter(self, question: _Question) -> None:
        prefix = self._prefix(question)
        if prefix:
            try:
                self.connection.execute(prefix)
            except psycopg2.Error:
                self._leave()
                raise
        self._open = question

    def _leave(self) -> None:
        if not self.connection.closed:
            self.connection.execute("rollback")
        self._open = _AS_IT_IS


def _array(oids: Collection[int]) -> str:
    return "{" + ",".join(map(str, sorted(oids))) + "}"


@lru_cache(maxsize=20_000)
def bound(statement: str, values: tuple[str, ...]) -> str:
    """*statement* with the SQL literals *values* in the place of ``$1`` …

    Raises BadInput where a parameter has no value.
    """
    encoded = statement.encode()
    parts: list[bytes] = []
    end = 0
    for token in scan(statement):
        if token.name != "PARAM":
            continue
        start, stop = _byte_range(statement, token.start, token.end)
        number = int(encoded[start + 1 : stop])
        if not 1 <= number <= len(values):
            raise BadInput(f"there is no value for ${number}: {len(values)} are given ({statement[:60]!r})")
        value = values[number - 1]
        parts += [encoded[end:start], (value if _BARE_LITERAL.fullmatch(value) else f"({value})").encode()]
        end = stop
    return b"".join([*parts, encoded[end:]]).decode()


def _byte_range(statement: str, start: int, end: int) -> tuple[int, int]:
    return len(statement[:start].encode()), len(statement[: end + 1].encode())


def _existing_indexes(admin: Connection) -> tuple[ExistingIndex, ...]:
    rows = sql.fetch(admin, "proof/whatif/existing_indexes.sql")
    children: dict[int, list[int]] = {}
    by_oid = {row["oid"]: row for row in rows}
    for row in rows:
        if row["parent_oid"] in by_oid:
            children.setdefault(row["parent_oid"], []).append(row["oid"])

    def whole(oid: int) -> list[int]:
        return [oid, *(each for child in children.get(oid, ()) for each in whole(child))]

    found = []
    for row in rows:
        if row["parent_oid"] in by_oid:
            continue
        members = whole(row["oid"])
        found.append(
            ExistingIndex(
                oid=row["oid"],
                schema=row["schema_name"],
                table=row["table_name"],
                name=row["name"],
                definition=row["definition"],
                method=row["method"],
                size_bytes=sum(by_oid[each]["size_bytes"] for each in members),
                is_unique=row["is_unique"],
                is_valid=row["is_valid"],
                constraints=tuple(row["constraints"]),
                members=tuple(members),
            )
        )
    return tuple(found)
