"""What all parts of a design are made from: the intent, the database and the names of the design."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from psycopg2 import sql as composed

from workbench.areas.security.design.found import Found, FoundRoutine
from workbench.areas.security.design.model import Mutation
from workbench.areas.security.design.statements import grant, revoke
from workbench.areas.security.design.text import keeper_name, raw, render
from workbench.areas.security.intent.model import (
    OPERATIONS,
    Intent,
    Operation,
    Permission,
    RoleIntent,
    Rows,
    TableName,
)
from workbench.areas.security.intent.permissions import permission
from workbench.catalog.model import Catalog, Table

Condition = tuple[Rows, str | None]
_PG16 = 160_000
NO_LOGIN = "no login has the role"


@dataclass
class Draft:
    """A design in the making; *remarks* grow while the parts are made."""

    intent: Intent
    catalog: Catalog
    found: Found
    replace: bool = False
    remarks: list[str] = field(default_factory=list)
    touched: dict[FoundRoutine, dict[TableName, frozenset[Operation]]] = field(default_factory=dict)
    _permissions: dict[tuple[str, TableName, Operation], Permission | None] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What the comment of a role or schema of this design holds."""
        return f"(security design of intent {self.intent.name})"

    @property
    def owner(self) -> str:
        return self.intent.owner.name

    @property
    def audit_owner(self) -> str | None:
        return next((each.name for each in self.intent.roles if each.kind == "audit owner"), None)

    @property
    def keeper(self) -> str:
        """The role that nobody logs in as, which trigger functions and the check of tokens run as."""
        return keeper_name(self.intent)

    @cached_property
    def roles(self) -> tuple[RoleIntent, ...]:
        """The intent's roles and the keeper."""
        keeper = RoleIntent(
            self.keeper,
            "group",
            "Runs the trigger functions and checks tokens; nobody is it or a member of it.",
        )
        return (*self.intent.roles, keeper)

    @property
    def owners(self) -> tuple[str, ...]:
        """The roles that own something: the owner, the keeper, the audit owner."""
        return tuple(each for each in (self.owner, self.keeper, self.audit_owner) if each)

    @property
    def users(self) -> tuple[RoleIntent, ...]:
        """The roles that rules are about."""
        return tuple(each for each in self.intent.roles if each.kind in ("group", "login"))

    @property
    def identified(self) -> tuple[str, ...]:
        """The roles that act for an identity."""
        return tuple(each.name for each in self.users if each.identified == "token")

    @cached_property
    def inherited(self) -> dict[str, frozenset[str]]:
        """The roles whose rules each role has as well, near and far."""
        near = {each.name: each.inherits for each in self.intent.roles}

        def above(name: str, seen: frozenset[str]) -> frozenset[str]:
            for each in near.get(name, ()):
                if each not in seen:
                    seen = above(each, seen | {each})
            return seen

        return {name: above(name, frozenset()) for name in near}

    def logins_of(self, role: str) -> tuple[str, ...]:
        """The logins that have the privileges of *role*."""
        return tuple(
            each.name
            for each in self.users
            if each.kind == "login" and (each.name == role or role in self.inherited[each.name])
        )

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables that hold rows, without partitions, in the order of their names."""
        return tuple(
            each
            for each in sorted(self.catalog.tables, key=lambda table: (table.schema, table.name))
            if each.partition_of is None and each.kind in ("table", "partitioned table", "foreign table")
        )

    @cached_property
    def relations(self) -> tuple[Table, ...]:
        """The same with the views."""
        views = [each for each in self.catalog.tables if each.kind in ("view", "materialized view")]
        return tuple(sorted((*self.tables, *views), key=lambda table: (table.schema, table.name)))

    def leaves(self, table: Table) -> Iterator[Table]:
        """The partitions of *table*, and theirs."""
        for each in self.catalog.tables:
            if each.partition_of == (table.schema, table.name):
                yield each
                yield from self.leaves(each)

    @cached_property
    def made_schemas(self) -> frozenset[str]:
        """The schemas that are the design's own, which a second run finds."""
        audit = {self.intent.audit.schema} if self.intent.audit else set()
        return frozenset({self.intent.schema, *audit})

    @cached_property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of the source that hold relations, routines or types."""
        found = self.found
        holding = {each.schema for each in found.relations} | {each.schema for each in found.routines}
        holding |= {each.schema for each in found.types}
        return tuple(
            each.name
            for each in self.found.schemas
            if each.name in holding and each.name not in self.made_schemas
        )

    @cached_property
    def routines(self) -> tuple[FoundRoutine, ...]:
        return tuple(each for each in self.found.routines if each.schema not in self.made_schemas)

    def permission(self, role: str, table: TableName, operation: Operation) -> Permission | None:
        """What the intent allows, as its own module says it."""
        key = (role, table, operation)
        if key not in self._permissions:
            self._permissions[key] = permission(self.intent, self.catalog, role, table, operation)
        return self._permissions[key]

    def columns(self, role: str, table: TableName, operation: Operation) -> tuple[str, ...] | None:
        """The columns that *role* must be granted itself; None where its groups bring all that it may."""
        wanted = self.permission(role, table, operation)
        if wanted is None:
            return None
        above = [self.permission(each, table, operation) for each in sorted(self.inherited[role])]
        brought = {name for each in above if each for name in each.columns}
        missing = tuple(name for name in wanted.columns if name not in brought)
        if operation == "delete":
            return () if not any(above) else None
        return missing or None

    def conditions(self, role: str, table: TableName, operation: Operation) -> tuple[Condition, ...]:
        """Of which rows, one of which must hold; those that the groups of *role* bring are left out."""
        brought = {
            each
            for above in self.inherited[role]
            for each in _conditions(self.permission(above, table, operation))
        }
        if ("all", None) in brought:
            return ()
        found = _conditions(self.permission(role, table, operation))
        if ("all", None) in found:
            return (("all", None),)
        return tuple(each for each in found if each not in brought)

    def all_conditions(self, role: str, table: TableName, operation: Operation) -> tuple[Condition, ...]:
        """Of which rows, those of the groups included."""
        return _conditions(self.permission(role, table, operation))

    @cached_property
    def under_row_security(self) -> frozenset[TableName]:
        """The tables whose rows have an owner, or of which somebody may reach some rows alone."""
        restricted = {
            (table.schema, table.name)
            for table in self.tables
            for role in self.users
            for operation in OPERATIONS
            for condition in self.all_conditions(role.name, (table.schema, table.name), operation)
            if condition != ("all", None)
        }
        return frozenset(restricted | set(self.intent.owners))

    def mutation(self, name: str, break_it: str, mend: str) -> Mutation:
        """A mutation of what an owning role owns: the deployer joins it and leaves again."""
        return Mutation(name, self._joined(break_it), self._joined(mend))

    def given_away(
        self, change: Callable[[composed.Composable], str], owner: str, schema: str | None = None
    ) -> Mutation:
        """What *owner* owns is given to one who holds no right to it, which the giving back would take.

        Nor to its *schema*, without which an owner can name nothing in it.
        """
        to = composed.Identifier(self.taker)
        given, back = [change(to)], [change(composed.Identifier(owner))]
        if schema is not None:
            place = composed.Identifier(schema)
            given.append(grant("usage", "schema", place, (self.taker,)))
            back.append(revoke("usage", "schema", place, (self.taker,)))
        return Mutation(f"given to {self.taker}", "\n".join(given), "\n".join(back), by="superuser")

    @cached_property
    def taker(self) -> str:
        """A login without any right to a table, else the deployer."""
        names = [(table.schema, table.name) for table in self.relations]
        for role in self.users:
            if role.kind == "login" and role.identified != "token" and not role.existing:
                rights = (self.permission(role.name, name, each) for name in names for each in OPERATIONS)
                if not any(rights):
                    return role.name
        return self.found.deployer

    def _joined(self, text: str) -> str:
        return "\n".join((self.join, text, self.leave))

    @property
    def options(self) -> composed.SQL:
        """What a membership of the deployer says where the server can: inherited, and to be set."""
        return raw(" with inherit true, set true" if self.found.server_version >= _PG16 else "")

    @cached_property
    def join(self) -> str:
        """The deployer becomes a member of the owning roles."""
        return "\n".join(
            render(
                "membership",
                role=composed.Identifier(each),
                member=raw("current_user"),
                options=self.options,
            )
            for each in self.joined
        )

    @cached_property
    def leave(self) -> str:
        return "\n".join(
            render("membership_undo", role=composed.Identifier(each), member=raw("current_user"))
            for each in self.joined
        )

    @cached_property
    def joined(self) -> tuple[str, ...]:
        """The owning roles that the deployer is no member of by itself."""
        return tuple(
            each for each in self.owners if not (self.intent_role(each).existing and self._is_member(each))
        )

    def intent_role(self, name: str) -> RoleIntent:
        return {each.name: each for each in self.roles}[name]

    def _is_member(self, role: str) -> bool:
        return any(
            each.role == role and each.member == self.found.deployer for each in self.found.memberships
        )

    def before(self, owner: str) -> str:
        """Who owned what *owner* owns now: the deployer, where that is a role of the design's own."""
        made = {each.name for each in self.roles if not each.existing}
        return self.found.deployer if owner in made else owner

    def named(self, role: str) -> composed.Composable:
        """*role* as SQL; the deployer as whoever runs the script, who is called otherwise elsewhere."""
        return raw("current_user") if role == self.found.deployer else composed.Identifier(role)


def _conditions(found: Permission | None) -> tuple[Condition, ...]:
    return tuple(dict.fromkeys((rows, where) for rows, where, _ in found.grants)) if found else ()
