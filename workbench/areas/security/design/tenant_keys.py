"""References that cannot cross from one identity's rows to another's, and what stays visible of keys."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.text import NOTHING, identifiers, name_of, raw, render
from workbench.catalog.model import Constraint, Table, qualified

_PG15 = 150_000
_ACTIONS = {
    "cascade": "cascade",
    "restrict": "restrict",
    "set null": "set null",
    "set default": "set default",
}


def tenant_key_parts(draft: Draft) -> Iterator[Part]:
    """For each reference between two tables that hold the identity, one that holds it as well."""
    made: set[str] = set()
    for table in draft.tables:
        owner = draft.intent.owners.get((table.schema, table.name))
        if owner is None or owner.column is None:
            continue
        for key in table.foreign_keys:
            if key.references is None or key.inherited or not key.enforced or _ours(draft, key):
                continue
            above = draft.intent.owners.get(key.references)
            if above is None or above.column is None or not key.columns:
                continue
            if above.column in key.referenced_columns or owner.column in key.columns:
                continue
            parent = draft.catalog.table(*key.references)
            unique = _unique(draft, parent, key, above.column)
            if unique is not None and unique.object not in made:
                made.add(unique.object)
                yield unique
            yield _reference(draft, table, parent, key, owner.column, above.column)


def _ours(draft: Draft, key: Constraint) -> bool:
    return key.name.startswith(f"{draft.intent.name}_tenant_")


def _unique(draft: Draft, parent: Table, key: Constraint, identity: str) -> Part | None:
    columns = (identity, *key.referenced_columns)
    name = name_of(draft.intent.name, "tenant", parent.name, *columns)
    for each in parent.constraints:
        if each.kind in ("unique", "primary key") and set(each.columns) == set(columns) and each.name != name:
            return None
    table = composed.Identifier(parent.schema, parent.name)
    return Part(
        "tenant key",
        f"{name} of {parent.qualified}",
        render(
            "tenant_unique",
            table=table,
            table_name=composed.Literal(_regclass(parent)),
            constraint=composed.Identifier(name),
            constraint_name=composed.Literal(name),
            columns=identifiers(columns),
        ),
        render("constraint_undo", table=table, constraint=composed.Identifier(name)),
        "What a reference that holds the identity refers to",
        table=(parent.schema, parent.name),
    )


def _reference(draft: Draft, table: Table, parent: Table, key: Constraint, own: str, above: str) -> Part:
    name = name_of(draft.intent.name, "tenant", table.name, *key.columns)
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    child = composed.Identifier(table.schema, table.name)
    apply = render(
        "tenant_key",
        table=child,
        table_name=composed.Literal(_regclass(table)),
        constraint=composed.Identifier(name),
        constraint_name=composed.Literal(name),
        columns=identifiers((own, *key.columns)),
        parent=composed.Identifier(parent.schema, parent.name),
        parent_name=composed.Literal(parent.qualified),
        parent_columns=identifiers((above, *key.referenced_columns)),
        actions=_actions(draft, key),
        same_key=composed.SQL(" and ").join(
            [
                composed.SQL("p.{} = c.{}").format(composed.Identifier(there), composed.Identifier(here))
                for here, there in pairs
            ]
        ),
        same_identity=composed.SQL("p.{} = c.{}").format(
            composed.Identifier(above), composed.Identifier(own)
        ),
    )
    drop = render("constraint_undo", table=child, constraint=composed.Identifier(name))
    return Part(
        "tenant key",
        f"{name} of {table.qualified}",
        apply,
        drop,
        f"{key.name} is checked as the owner, past row security: it would accept a row of somebody else and "
        "tell that it exists",
        table=(table.schema, table.name),
        mutations=(draft.mutation("foreign key dropped", drop, apply),),
    )


def _actions(draft: Draft, key: Constraint) -> composed.Composable:
    """As the reference that is there says it; the identity itself is never set to null."""
    found: list[composed.Composable] = []
    deleted = _ACTIONS.get(key.on_delete.lower())
    if deleted in ("set null", "set default"):
        if draft.found.server_version >= _PG15:
            found.append(composed.SQL(" on delete {} ({})").format(raw(deleted), identifiers(key.columns)))
    elif deleted:
        found.append(raw(f" on delete {deleted}"))
    if key.on_update.lower() in ("cascade", "restrict"):
        found.append(raw(f" on update {key.on_update.lower()}"))
    if key.deferrable:
        found.append(raw(" deferrable" + (" initially deferred" if key.initially_deferred else "")))
    return composed.SQL("").join(found) if found else NOTHING


def _regclass(table: Table) -> str:
    return ".".join('"' + each.replace('"', '""') + '"' for each in (table.schema, table.name))


def remark_shared_keys(draft: Draft) -> None:
    """A unique key without the identity tells whoever may write it that somebody else has the value."""
    for table in draft.tables:
        owner = draft.intent.owners.get((table.schema, table.name))
        if owner is None or owner.column is None:
            continue
        for index in table.indexes:
            columns = tuple(each for each in index.columns if each)
            if not index.unique or not columns or owner.column in columns or len(columns) < len(index.keys):
                continue
            if any(table.column(each).base_type == "uuid" for each in columns):
                continue  # random, so that nobody guesses one
            writers = [
                role.name
                for role in draft.users
                if role.identified == "token"
                for operation in ("insert", "update")
                if (may := draft.permission(role.name, (table.schema, table.name), operation))
                and set(columns) & set(may.columns)
            ]
            if writers:
                draft.remarks.append(
                    f"unique key {qualified(index.name)} of {table.qualified} tells {writers[0]} that "
                    f"somebody has a value: {_closed(table, columns, owner.column)}"
                )


def _closed(table: Table, columns: tuple[str, ...], identity: str) -> str:
    """What would close it: the server gives the value, or each identity has its own."""
    given = [each for each in columns if table.column(each).default or table.column(each).identity]
    if given:
        return f"leave {', '.join(map(qualified, given))} out of the columns that it may insert or update"
    return f"unique ({', '.join(map(qualified, (identity, *columns)))}) would not"
