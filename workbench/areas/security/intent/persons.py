"""Who the rows belong to: a guess that follows the foreign keys to the table of accounts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from workbench.areas.security.intent.model import Identity, RowOwner, TableName
from workbench.catalog.model import Catalog, Constraint, Table, qualified

# the likelier ones first; within a tier the table that more tables lead to
_TIERS: tuple[frozenset[str], ...] = (
    frozenset({"user", "appuser", "authuser", "useraccount", "login", "member", "account", "profile"}),
    frozenset({"customer", "client", "subscriber", "tenant"}),
    frozenset({"person", "people", "patient", "student", "employee", "staff"}),
)


@dataclass(frozen=True)
class Ownership:
    """The guessed *identity* (None where no table looks like accounts) and the *owners* of rows, by table.

    *reasons* say for each table from which foreign key its owner was guessed.
    """

    identity: Identity | None
    owners: dict[TableName, RowOwner]
    reasons: dict[TableName, str]


def guess_ownership(catalog: Catalog) -> Ownership:
    """The table of accounts by its name, and the tables whose rows lead to it by keys that are never null."""
    candidates = [
        (tier, found)
        for table in catalog.base_tables
        if (tier := _tier(table.name)) is not None and (found := identity_of(table)) is not None
    ]
    best: tuple[tuple[int, int, TableName], Ownership] | None = None
    for tier, identity in candidates:
        ownership = owners_of(catalog, identity)
        rank = (tier, -len(ownership.owners), identity.table)
        if best is None or rank < best[0]:
            best = (rank, ownership)
    return best[1] if best else Ownership(None, {}, {})


def _tier(name: str) -> int | None:
    flat = name.lower().replace("_", "")
    for number, names in enumerate(_TIERS):
        if flat in names or flat.removesuffix("s") in names or flat.removesuffix("es") in names:
            return number
    return None


def identity_of(table: Table, column: str | None = None) -> Identity | None:
    """An identity that is the key of *table*, or its unique *column*; None where the key is no one column."""
    key = table.primary_key
    if column is None:
        if key is None or len(key.columns) != 1:
            return None
        column = key.columns[0]
    return Identity((table.schema, table.name), column, table.column(column).base_type)


def owners_of(catalog: Catalog, identity: Identity) -> Ownership:
    """The owner of each table that leads to *identity*, the nearest way first."""
    owners = {identity.table: RowOwner(identity.table, identity.column)}
    reasons = {identity.table: "a row is its own account"}
    children = _children(catalog)
    waiting = deque([identity.table])
    while waiting:
        parent = waiting.popleft()
        for table, key in children.get(parent, []):
            name = (table.schema, table.name)
            if name in owners:
                continue
            found = (
                _direct(table, key, identity) if parent == identity.table else _through(table, key, catalog)
            )
            if found is not None:
                owners[name] = found
                reasons[name] = f"foreign key ({', '.join(key.columns)}) to {qualified(*parent)}"
                waiting.append(name)
    return Ownership(identity, owners, reasons)


def _children(catalog: Catalog) -> dict[TableName, list[tuple[Table, Constraint]]]:
    """By table, who refers to it, the likeliest owner's key first; a partition's keys are its root's."""
    found: dict[TableName, list[tuple[Table, Constraint]]] = {}
    for each in catalog.tables:
        root = _root(catalog, each)
        for key in each.foreign_keys:
            if key.references and key.references != (root.schema, root.name):
                found.setdefault(key.references, []).append((root, key))
    for pairs in found.values():
        pairs.sort(key=lambda pair: (pair[0].schema, pair[0].name, *_unlikely(*pair)))
    return found


def _root(catalog: Catalog, table: Table) -> Table:
    while table.partition_of is not None:
        table = catalog.table(*table.partition_of)
    return table


def _unlikely(table: Table, key: Constraint) -> tuple[bool, bool, bool, tuple[str, ...]]:
    primary = table.primary_key.columns if table.primary_key else ()
    return (
        not set(key.columns) <= set(primary),
        not set(key.columns) & set(key.referenced_columns),
        any(table.column(name).nullable for name in key.columns),
        key.columns,
    )


def _direct(table: Table, key: Constraint, identity: Identity) -> RowOwner | None:
    """By the column that refers to the identity; a NULL there makes the row nobody's."""
    pairs = dict(zip(key.referenced_columns, key.columns, strict=True))
    column = pairs.get(identity.column)
    return RowOwner((table.schema, table.name), column) if column else None


def _through(table: Table, key: Constraint, catalog: Catalog) -> RowOwner | None:
    """By a key of the parent that is never null: what may be there or not makes no part of the parent's."""
    if key.references is None or any(table.column(name).nullable for name in key.columns):
        return None
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    primary = catalog.table(*key.references).primary_key
    if primary is not None and set(primary.columns) <= set(key.referenced_columns):
        pairs = [pair for pair in pairs if pair[1] in primary.columns]
    return RowOwner(
        (table.schema, table.name),
        None,
        key.references,
        tuple(mine for mine, _ in pairs),
        tuple(theirs for _, theirs in pairs),
    )
