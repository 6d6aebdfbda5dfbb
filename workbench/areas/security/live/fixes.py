"""SQL that closes a difference between the live design and the intent, in the terms of the live design."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg2 import sql as composed

from workbench.areas.security.access.model import PUBLIC, AccessFacts, RelationFact, RoutineFact
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.design.model import Design
from workbench.areas.security.design.text import text_of
from workbench.areas.security.intent.model import OPERATIONS, Operation, Permission, TableName
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.live.differences import Difference
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import qualified

_LONGEST_NAME_BYTES = 63
_SERVERS_OWN = {"pg_read_all_data": ("select",), "pg_write_all_data": ("insert", "update", "delete")}
_AT = {"12": "references", "21": "trigger"}


@dataclass(frozen=True)
class Fix:
    """*statements* close it; where *why_not* is set they are not tried, and that says why."""

    statements: str
    why_not: str = ""


@dataclass
class Fixing:
    """Fixes for *target*, whose rights are *facts*; *design* is the intent's own, where there is one."""

    target: Target
    facts: AccessFacts
    design: Design | None

    def of(self, difference: Difference) -> Fix:
        """The SQL for *difference*; never empty."""
        make: dict[str, Callable[[Difference], Fix]] = {
            "rows": self._of_rows,
            "view": self._of_view,
            "sequence": self._of_sequences,
            "role": self._of_role,
            "way around": self._of_way_around,
        }
        return make[difference.kind](difference)

    # tables

    def _of_rows(self, difference: Difference) -> Fix:
        table = difference.table
        assert table is not None
        role, operation = difference.role, difference.operation
        if self._relation(table).owner in self._held(role):
            return Fix(
                f"-- {role} owns {qualified(*table)}: give it to a role that nobody logs in as",
                "whose table it is decides what else depends on it",
            )
        if not difference.more:
            return self._opened(difference, table)
        may = self._may(role, table, operation)
        statements: list[str] = []
        if may is None or any(each.name.partition(" column ")[1] for each in difference.attempts):
            statements += self._without(role, table, operation)
        if may is not None and not all(" column " in each.name for each in difference.attempts):
            if self.facts.roles_by_name[role].bypass_row_security:
                return Fix(
                    _say("alter role {} nobypassrls;", _name(role)), "it changes the role for all databases"
                )
            if not (self.target.asks or not self._own(may)):
                return self._of_design(table, role)
            statements += self._row_security(role, table, operation, may)
        return Fix("\n".join(statements))

    def _without(self, role: str, table: TableName, operation: str) -> list[str]:
        """Takes *operation* from *role*, from whomever it has it; who needs it gets it back by name."""
        statements: list[str] = []
        holders = self._holders(role, table, operation)
        for holder in holders:
            if holder in _SERVERS_OWN:
                statements.append(_say("revoke {} from {};", _name(holder), _name(role)))
            else:
                statements.append(
                    _say("revoke {} on {} from {};", _word(operation), _relation(table), _grantee(holder))
                )
        for each in self.target.intent.roles:
            may = self._may(each.name, table, operation)
            if may is not None and {*holders} & {PUBLIC, *self._held(each.name)}:
                statements.append(self._grant(each.name, table, operation, may))
        return statements

    def _grant(self, role: str, table: TableName, operation: str, may: Permission) -> str:
        columns: composed.Composable = composed.SQL("")
        every = {each.name for each in self.target.place.catalog.table(*table).columns}
        if operation in ("select", "insert", "update") and set(may.columns) != every:
            columns = composed.SQL(" ({})").format(composed.SQL(", ").join(map(_name, may.columns)))
        what = (_word(operation), columns, _relation(table), _name(role))
        return _say("grant {}{} on {} to {};", *what)

    def _row_security(
        self, role: str, table: TableName, operation: Operation | str, may: Permission
    ) -> Iterator[str]:
        """Row security as the intent says; where there is some, what it says limits it further."""
        if self._relation(table).row_security:
            yield from self._policy(role, table, operation, self._condition(may), "restrictive")
            return
        yield _say("alter table {} enable row level security;", _relation(table))
        for each in self.target.intent.roles:
            for other in OPERATIONS:
                found = self._may(each.name, table, other)
                if found is not None:
                    yield from self._policy(each.name, table, other, self._condition(found), "permissive")

    def _policy(
        self, role: str, table: TableName, operation: str, condition: composed.Composable, kind: str
    ) -> Iterator[str]:
        name = f"intent_{operation}_{role}".encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")
        clauses = [] if operation == "insert" else [composed.SQL("using ({})").format(condition)]
        if operation in ("insert", "update"):
            clauses.append(composed.SQL("with check ({})").format(condition))
        yield _say("drop policy if exists {} on {};", _name(name), _relation(table))
        yield _say(
            "create policy {} on {} as {} for {} to {}\n    {};",
            _name(name),
            _relation(table),
            _word(kind),
            _word(operation),
            _name(role),
            composed.SQL(" ").join(clauses),
        )

    def _condition(self, may: Permission) -> composed.Composable:
        """The rows that one of the grants reaches."""
        parts = []
        for rows, where in dict.fromkeys((rows, where) for rows, where, _ in may.grants):
            both = [self._of_whoever_asks(may.table, qualified(*may.table))] if rows == "own" else []
            if where:
                both.append(composed.SQL("({})").format(composed.SQL(where)))
            if not both:
                return composed.SQL("true")
            parts.append(composed.SQL(" and ").join(both))
        return composed.SQL(" or ").join(parts)

    def _of_whoever_asks(self, table: TableName, alias: str, depth: int = 0) -> composed.Composable:
        """That a row of *table*, called *alias* (as SQL), belongs to whom the session acts for."""
        owner = self.target.intent.owners[table]
        here = composed.SQL(alias)
        if owner.parent is None:
            return composed.SQL("{}.{} = {}").format(
                here, _name(owner.column or ""), composed.SQL(self.target.asks)
            )
        above = f"owner_{depth}"
        pairs = composed.SQL(" and ").join(
            composed.SQL("{}.{} = {}.{}").format(composed.SQL(above), _name(theirs), here, _name(ours))
            for theirs, ours in zip(owner.parent_columns, owner.columns, strict=True)
        )
        return composed.SQL("exists (select from {} {} where {} and {})").format(
            _relation(owner.parent),
            composed.SQL(above),
            pairs,
            self._of_whoever_asks(owner.parent, above, depth + 1),
        )

    def _opened(self, difference: Difference, table: TableName) -> Fix:
        """What the intent allows and the design refuses."""
        role, operation = difference.role, difference.operation
        may = self._may(role, table, operation)
        if may is None:
            return self._looked_into(difference)
        statements = []
        if not self._holders(role, table, operation) or set(may.columns) - self._columns_held(
            role, table, operation
        ):
            statements = [
                _say("grant usage on schema {} to {};", _name(table[0]), _name(role)),
                self._grant(role, table, operation, may),
            ]
        if self._relation(table).row_security and not any(
            each.permissive
            and (each.schema, each.table_name) == table
            and each.command in ("all", operation)
            and {PUBLIC, *self._held(role)} & set(each.roles)
            for each in self.facts.policies
        ):
            if self._own(may) and not self.target.asks:
                return self._of_design(table, role)
            statements += self._policy(role, table, operation, self._condition(may), "permissive")
        return Fix("\n".join(statements)) if statements else self._looked_into(difference)

    def _looked_into(self, difference: Difference) -> Fix:
        example = difference.example
        words = f"-- as {difference.role}, for {example.identity or 'nobody'}:\n{example.statement}"
        return Fix(words, "what stands in the way is to be looked into: the statement shows it")

    def _of_design(self, table: TableName, role: str) -> Fix:
        """The parts of the intent's design for *role* and *table*."""
        parts = [
            each.apply
            for each in (self.design.parts if self.design else ())
            if each.table == table and each.apply and each.role in (None, role)
        ]
        return Fix(
            "-- with the rest of the design, which proves for whom a session acts:\n" + "\n".join(parts),
            "nothing in the live design says for whom a session acts, so no policy alone can close it; "
            "the whole design is what was proved",
        )

    # what is no table

    def _of_view(self, difference: Difference) -> Fix:
        table = difference.table
        assert table is not None
        revokes = [
            _say("revoke {} on {} from {};", _word(difference.operation), _relation(table), _grantee(each))
            for each in self._holders(difference.role, table, difference.operation)
        ]
        options = ""
        if self._relation(table).kind == "view":
            options = "-- or, where its rows may be read by who may read the tables:\n-- " + _say(
                "alter view {} set (security_invoker = true);\n", _relation(table)
            )
        return Fix(options + "\n".join(revokes)) if revokes else self._looked_into(difference)

    def _of_sequences(self, difference: Difference) -> Fix:
        held = [
            (each.privilege, (each.schema, each.name), each.grantee)
            for each in self.facts.granted
            if each.kind == "sequence"
            and (each.schema, each.name) in difference.tables
            and each.grantee in {PUBLIC, *self._held(difference.role)}
            and each.privilege
            in {a.operation for a in difference.attempts if a.table == (each.schema, each.name)}
        ]
        lines = [
            _say("revoke {} on sequence {} from {};", _word(privilege), _relation(name), _grantee(grantee))
            for privilege, name, grantee in dict.fromkeys(held)
        ]
        return Fix("\n".join(lines)) if lines else self._looked_into(difference)

    def _of_role(self, difference: Difference) -> Fix:
        role = _name(difference.role)
        if difference.operation == "set role":
            others = [each.name.removeprefix("set role ") for each in difference.attempts]
            lines = [_say("revoke {} from {};", _name(each), role) for each in others]
        elif difference.operation == "connect":
            lines = [_say("alter role {} {};", role, composed.SQL("nologin" if difference.more else "login"))]
        else:
            lines = [_say("alter role {} nobypassrls nocreaterole nocreatedb noreplication;", role)]
        return Fix("\n".join(lines), "it changes the role for all databases of the cluster")

    def _of_way_around(self, difference: Difference) -> Fix:
        number = difference.number
        if number == "5":
            return Fix(
                "\n".join(
                    _say("alter table {} force row level security;", _relation(each))
                    for each in difference.tables
                )
            )
        if number == "18" and (routine := self._routine(difference.example)) is not None:
            path = composed.SQL(", ").join(
                map(composed.Identifier, ("pg_catalog", routine.schema, "pg_temp"))
            )
            return Fix(
                _say(
                    "alter routine {}({}) set search_path = {};",
                    composed.Identifier(routine.schema, routine.name),
                    composed.SQL(routine.arguments),
                    path,
                )
            )
        if number in _AT and "the privilege " in difference.attempts[0].name:
            return Fix("\n".join(self._taken_everywhere(difference.role, _AT[number])))
        if number == "4":
            return Fix(
                "-- workbench security design writes one that proves the identity by a signed token",
                "no setting that a session may write can prove who it is; the design's own proof is beside",
            )
        parts = [
            each.apply for each in (self.design.parts if self.design else ()) if each.kind == "tenant key"
        ]
        return Fix(
            "\n".join(parts) or "-- a foreign key that holds the owner's column as well",
            "it is a part of the whole design, which is what was proved",
        )

    def _taken_everywhere(self, role: str, privilege: str) -> Iterator[str]:
        for each in self.facts.granted:
            if (
                each.privilege == privilege
                and each.kind in ("table", "column")
                and each.grantee in {PUBLIC, *self._held(role)}
            ):
                yield _say(
                    "revoke {} on {} from {};",
                    _word(privilege),
                    _relation((each.schema, each.name)),
                    _grantee(each.grantee),
                )

    def _routine(self, attempt: Attempt) -> RoutineFact | None:
        name = attempt.name.partition("(")[0]
        found = [each for each in self.facts.routines if qualified(each.schema, each.name) == name]
        return found[0] if len(found) == 1 else None

    # who holds what

    def _may(self, role: str, table: TableName, operation: str) -> Permission | None:
        if operation not in OPERATIONS:
            return None
        known = {(each.schema, each.name) for each in self.target.place.catalog.tables}
        if table not in known:
            return None
        return permission(self.target.intent, self.target.place.catalog, role, table, operation)

    @staticmethod
    def _own(may: Permission) -> bool:
        return any(rows == "own" for rows, _, _ in may.grants)

    def _relation(self, table: TableName) -> RelationFact:
        return self.facts.relations_by_name[table]

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self.facts.memberships:
            if each.inherits:
                found.setdefault(each.member, []).append(each.role)
        return found

    def _held(self, role: str) -> set[str]:
        """*role* and those whose privileges it has."""
        waiting = [role]
        for each in waiting:  # grows while it is read
            waiting.extend(above for above in self._groups.get(each, ()) if above not in waiting)
        return set(waiting)

    def _holders(self, role: str, table: TableName, operation: str) -> Sequence[str]:
        """From whom *role* has *operation* on *table*: itself, its groups, PUBLIC."""
        held = self._held(role)
        found = {
            each.grantee
            for each in self.facts.granted
            if each.kind in ("table", "column")
            and (each.schema, each.name) == table
            and each.privilege == operation
            and each.grantee in {PUBLIC, *held}
        }
        found |= {
            name for name, privileges in _SERVERS_OWN.items() if name in held and operation in privileges
        }
        return sorted(found)

    def _columns_held(self, role: str, table: TableName, operation: str) -> set[str]:
        held = {PUBLIC, *self._held(role)}
        facts = [
            each
            for each in self.facts.granted
            if (each.schema, each.name) == table and each.privilege == operation and each.grantee in held
        ]
        if any(each.kind == "table" for each in facts) or held & set(_SERVERS_OWN):
            return {each.name for each in self.target.place.catalog.table(*table).columns}
        return {each.part for each in facts}


def _name(name: str) -> composed.Identifier:
    return composed.Identifier(name)


def _word(word: str) -> composed.SQL:
    """A privilege, a command or a kind of policy, which the server has a fixed list of."""
    return composed.SQL(word)


def _relation(table: TableName) -> composed.Identifier:
    return composed.Identifier(*table)


def _grantee(role: str) -> composed.Composable:
    return composed.SQL("public") if role == PUBLIC else _name(role)


def _say(pattern: str, *values: composed.Composable) -> str:
    return text_of(composed.SQL(pattern).format(*values))


def joined(fixes: Iterable[Fix]) -> str:
    """The statements of those of *fixes* that can be tried."""
    return "\n".join(each.statements for each in fixes if not each.why_not)
