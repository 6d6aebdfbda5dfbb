"""What an intent allows: the oracle that designs are made from and attacks are judged by."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.areas.security.intent.model import Intent, Operation, Permission, Rule, TableName
from workbench.catalog.model import Catalog, Table


def permission(
    intent: Intent, catalog: Catalog, role: str, table: TableName, operation: Operation
) -> Permission | None:
    """What *role* may do with *operation* on *table*, by its own rules and those it inherits, or None.

    A rule without columns reaches all that *role* itself sees by label, also where it is inherited: of
    insert and update without those that the server alone writes (generated, identity always). A delete
    has no columns.
    """
    rules = list(rules_for(intent, role, table, operation))
    if not rules:
        return None
    found = catalog.table(*table)
    seen = reachable_columns(intent, found, role, operation)
    grants = [
        (rule.rows, rule.where, _columns_of(rule, found, operation) if rule.columns else seen)
        for rule in rules
    ]
    return Permission(role, table, operation, tuple(dict.fromkeys(grants)))


def rules_for(intent: Intent, role: str, table: TableName, operation: Operation) -> Iterator[Rule]:
    """The rules of *role* and of the roles that it inherits, its own first."""
    for each in intent.lineages.get(role, ()):
        yield from intent.rules_by_use.get((each, table, operation), ())


def hidden_columns(intent: Intent, role: str, table: TableName) -> frozenset[str]:
    """The columns of *table* with a label that *role* does not see, neither itself nor by inheritance."""
    roles = set(intent.lineages.get(role, (role,)))
    return frozenset(
        column for column, label in intent.labels_by_table.get(table, ()) if roles.isdisjoint(label.seen_by)
    )


def reachable_columns(intent: Intent, table: Table, role: str, operation: Operation) -> tuple[str, ...]:
    """The columns of *table* that a rule of *role* without columns reaches, in their order."""
    if operation == "delete":
        return ()
    hidden = hidden_columns(intent, role, (table.schema, table.name))
    return tuple(
        column.name
        for column in table.columns
        if column.name not in hidden
        and (operation == "select" or not (column.generated or column.identity == "always"))
    )


def _columns_of(rule: Rule, table: Table, operation: Operation) -> tuple[str, ...]:
    if operation == "delete":
        return ()
    return tuple(column.name for column in table.columns if column.name in (rule.columns or ()))
