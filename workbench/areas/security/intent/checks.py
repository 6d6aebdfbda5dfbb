"""What an intent says that cannot be meant, or that the database does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.areas.security.audit.hidden import key_columns
from workbench.areas.security.intent.contradictions import (
    forbidden_rules,
    inherited_rules,
    repeated_rules,
    rule_problems,
)
from workbench.areas.security.intent.model import Intent, RowOwner, TableName
from workbench.areas.security.intent.problems import Problem
from workbench.catalog.model import Catalog, Column, Table, qualified
from workbench.errors import printable

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_TEXTS = frozenset({"text", "character varying", "character", "citext"})


def problems_of(intent: Intent, catalog: Catalog) -> list[Problem]:
    """Every problem of *intent*, whose names are all in *catalog*; none where it can be used."""
    circles = [*_role_circles(intent), *_owner_circles(intent)]
    found = [
        *circles,
        *_role_problems(intent),
        *_identity_problems(intent, catalog),
        *_owner_problems(intent, catalog),
        *_label_problems(intent),
        *_audit_problems(intent, catalog),
        *_own_schema_problems(intent),
        *rule_problems(intent, catalog),
        *repeated_rules(intent),
        *forbidden_rules(intent, catalog),
    ]
    return found if circles else [*found, *inherited_rules(intent, catalog)]


def _role_circles(intent: Intent) -> Iterator[Problem]:
    inherits = {each.name: each.inherits for each in intent.roles}
    told: set[str] = set()
    for role in intent.roles:
        path = _circle(role.name, inherits)
        if path and not told & set(path):
            told |= set(path)
            way = " → ".join(printable(each) for each in path)
            yield Problem(role.line or 1, f"{way} inherit in a circle: take one of them out of inherits")


def _circle(start: str, inherits: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The way from *start* back to itself; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is read
        for above in inherits.get(way[-1], ()):
            if above == start:
                return [*way, start]
            if above not in seen:
                seen.add(above)
                ways.append([*way, above])
    return []


def _role_problems(intent: Intent) -> Iterator[Problem]:
    owning = {each.name: each.kind for each in intent.roles if each.kind in ("owner", "audit owner")}
    for kind in ("owner", "audit owner"):
        names = [name for name, each in owning.items() if each == kind]
        if len(names) > 1:
            line = intent.role(names[1]).line or 1
            yield Problem(
                line, f"{printable(names[0])} and {printable(names[1])} are both of kind {kind}: keep one"
            )
    if "owner" not in owning.values():
        yield Problem(1, "no role is of kind owner: declare one that owns the tables and nobody logs in as")
    for role in intent.roles:
        for above in role.inherits:
            if above in owning:
                yield Problem(
                    role.line or 1,
                    f"{printable(role.name)} inherits from {printable(above)}, which may do anything with "
                    "what it owns: inherit from another role",
                )
        if role.identified == "token" and intent.identity is None:
            yield Problem(
                role.line or 1,
                f"{printable(role.name)} acts for an identity, and none is declared: add identity (is: "
                "schema.table.column)",
            )
        if role.kind != "login" and role.connection_limit is not None:
            yield Problem(
                role.line or 1, f"nobody logs in as {printable(role.name)}: leave connection_limit out"
            )


def _identity_problems(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    if intent.identity is not None:
        table = catalog.table(*intent.identity.table)
        column = intent.identity.column
        if not any(key == {column} for key in _keys(table)) or table.column(column).nullable:
            yield Problem(
                _first_line(intent),
                f"the identity {qualified(*intent.identity.table, column)} is no key of its table: name a "
                "column that is unique and never null",
            )


def _first_line(intent: Intent) -> int:
    return intent.identity.line if intent.identity and intent.identity.line else 1


def _keys(table: Table) -> list[set[str]]:
    """The sets of columns of which no two rows have the same values (NULL apart)."""
    constraints = [set(each.columns) for each in table.constraints if each.kind in ("primary key", "unique")]
    indexes = [
        {name for name in each.columns if name}
        for each in table.indexes
        if each.unique and each.valid and each.predicate is None and None not in each.columns
    ]
    return [*constraints, *indexes]


def _owner_problems(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    for owner in intent.owners.values():
        line, table = owner.line or 1, catalog.table(*owner.table)
        if owner.parent is not None:
            yield from _parent_problems(intent, catalog, owner, owner.parent, line)
        elif intent.identity is None:
            yield Problem(
                line, f"{table.qualified} has an owner and no identity is declared: add identity (is: …)"
            )
        elif owner.column is not None:
            identity = catalog.table(*intent.identity.table).column(intent.identity.column)
            if not comparable(table.column(owner.column), identity):
                yield Problem(
                    line,
                    f"{qualified(*owner.table, owner.column)} is of type {table.column(owner.column).type}, "
                    f"and an identity of type {identity.type}: name the column that holds the identity",
                )


def _parent_problems(
    intent: Intent, catalog: Catalog, owner: RowOwner, parent_name: TableName, line: int
) -> Iterator[Problem]:
    table, parent = catalog.table(*owner.table), catalog.table(*parent_name)
    if parent_name not in intent.owners:
        yield Problem(
            line, f"whose rows those of {parent.qualified} are is not said: add it to owners as well"
        )
    pairs = set(owner.parent_columns)
    if len(owner.parent_columns) != len(owner.columns) or not any(key <= pairs for key in _keys(parent)):
        columns = ", ".join(owner.columns)
        yield Problem(
            line,
            f"{table.qualified} ({columns}) names no key of {parent.qualified}, so a row may have several "
            "owners or none: name the columns of a foreign key, and its parent_columns",
        )
        return
    for mine, theirs in zip(owner.columns, owner.parent_columns, strict=True):
        if not comparable(table.column(mine), parent.column(theirs)):
            yield Problem(
                line,
                f"{qualified(*owner.table, mine)} and {qualified(*parent_name, theirs)} are of different "
                "types: name columns that can be equal",
            )


def comparable(one: Column, other: Column) -> bool:
    """Whether two columns can be equal: of one type, or both whole numbers, or both texts."""
    types = {one.base_type.partition("(")[0], other.base_type.partition("(")[0]}
    return len(types) == 1 or types <= _INTEGERS or types <= _TEXTS


def _owner_circles(intent: Intent) -> Iterator[Problem]:
    parents = {
        qualified(*name): (qualified(*each.parent),)
        for name, each in intent.owners.items()
        if each.parent is not None
    }
    told: set[str] = set()
    for name, owner in intent.owners.items():
        path = _circle(qualified(*name), parents)
        if path and not told & set(path):
            told |= set(path)
            yield Problem(
                owner.line or 1,
                f"{' → '.join(path)} own each other in a circle: name the column that holds the identity",
            )


def _label_problems(intent: Intent) -> Iterator[Problem]:
    first: dict[tuple[str, str, str], str] = {}
    for label in intent.labels:
        for column in label.columns:
            former = first.setdefault(column, label.name)
            if former != label.name:
                yield Problem(
                    label.line or 1,
                    f"{qualified(*column)} has the labels {printable(former)} and {printable(label.name)}: "
                    "keep one, or make a third for it",
                )


def _audit_problems(intent: Intent, catalog: Catalog) -> Iterator[Problem]:
    if intent.audit is None:
        return
    line = intent.audit.line or 1
    if not any(each.kind == "audit owner" for each in intent.roles):
        yield Problem(line, "no role is of kind audit owner: declare one that owns the trail")
    if intent.audit.schema == intent.schema:
        yield Problem(
            line, f"the trail and the design's functions are both in {intent.schema}: name two schemas"
        )
    kept_out = {
        column: label for label in intent.labels if label.audited != "kept" for column in label.columns
    }
    for name in sorted({*intent.audit.tables, *intent.audit.by_row}):
        table = catalog.table(*name)
        key = key_columns(table)
        hidden = [column.name for column in table.columns if (*name, column.name) in kept_out]
        in_key = [column for column in key if column in hidden]
        if in_key:
            label = kept_out[(*name, in_key[0])]
            yield Problem(
                label.line or 1,
                f"{qualified(*name, in_key[0])} is in the key by which the trail names the rows, and label "
                f"{printable(label.name)} keeps it out: say audited: kept in a label of its own, or give the "
                "table another key",
            )
        if hidden and not key and name not in intent.audit.by_row:
            yield Problem(
                line,
                f"{table.qualified} has no key, and its labels keep values out of the trail, so that nothing "
                "tells which row was changed: give it a primary key, or name it under by_row",
            )


def _own_schema_problems(intent: Intent) -> Iterator[Problem]:
    own = {intent.schema, *([intent.audit.schema] if intent.audit else [])}
    for rule in (*intent.rules, *intent.never):
        for schema, name in rule.tables:
            if schema in own:
                yield Problem(
                    rule.line or 1,
                    f"{qualified(schema, name)} is in a schema that the design makes itself: name another "
                    "schema for the design, or leave the table out",
                )
