"""Exactly what the intent says is given, column by column where it is not all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import NO_LOGIN, Draft
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.design.routines import NOT_USED, keeper_needs, kept, reference, safe_path
from workbench.areas.security.design.row_security import identity_function, own_view, parents
from workbench.areas.security.design.statements import grant, on_database, revoke
from workbench.areas.security.design.text import NOTHING, identifiers, raw, render
from workbench.areas.security.intent.model import OPERATIONS, Operation, TableName
from workbench.catalog.model import Table, qualified


def grant_parts(draft: Draft) -> Iterator[Part]:
    """Exactly what the intent says: connect, usage, columns, sequences, functions."""
    yield from _connect(draft)
    yield from _usage(draft)
    yield from _tables(draft)
    yield from _sequences(draft)
    yield from _execute(draft)
    yield from _keeper(draft)
    yield from _identity(draft)


def _connect(draft: Draft) -> Iterator[Part]:
    for role in draft.users:
        if role.kind == "login":
            opened = on_database("grant connect on database %I to %I", role.name)
            closed = on_database("revoke connect on database %I from %I", role.name)
            yield Part(
                "grant",
                f"connect to {role.name}",
                opened,
                closed,
                "A login of the intent",
                role=role.name,
                mutations=(Mutation("connect revoked", closed, opened),),
            )


def _granted(draft: Draft, role: str) -> Iterator[tuple[Table, Operation, tuple[str, ...]]]:
    """What *role* must be granted on each relation, its groups' grants left out."""
    for table in draft.relations:
        name = (table.schema, table.name)
        for operation in OPERATIONS:
            columns = draft.columns(role, name, operation)
            if columns is not None and not _shows_everybodys_rows(draft, table):
                yield table, operation, columns


def _shows_everybodys_rows(draft: Draft, table: Table) -> bool:
    """Whether the rules restrict rows that no row security binds: of a foreign table, or materialized."""
    name = (table.schema, table.name)
    if table.kind == "foreign table":
        return name in draft.under_row_security
    bases = set(draft.found.view_bases.get(name, {}))
    return table.kind == "materialized view" and bool(bases & draft.under_row_security)


def _usage(draft: Draft) -> Iterator[Part]:
    """USAGE where a table is granted, and where the types of its columns are: their operators live there."""
    users: dict[str, list[str]] = defaultdict(list)
    holding: set[str] = set()
    for role in draft.users:
        tables = {(table.schema, table.name): table for table, _, _ in _granted(draft, role.name)}
        holding |= {schema for schema, _ in tables}
        wanted = {schema for schema, _ in tables} | {
            schema for table in tables.values() for schema in _type_schemas(draft, table)
        }
        for schema in sorted(wanted):
            if not any(above in users[schema] for above in draft.inherited[role.name]):
                users[schema].append(role.name)
    for schema, names in sorted(users.items()):
        object_ = composed.Identifier(schema)
        granted = grant("usage", "schema", object_, names)
        revoked = revoke("usage", "schema", object_, names)
        if not _maygrant(draft, schema):
            continue
        mutations = (
            draft.mutation("usage revoked", revoked, granted),
            draft.mutation(
                "create granted",
                grant("create", "schema", object_, names),
                revoke("create", "schema", object_, names),
            ),
        )
        yield Part(
            "grant",
            f"usage of schema {qualified(schema)}",
            granted,
            revoked,
            "Names in the schema can be looked up, and nothing created",
            mutations=mutations if schema in holding else mutations[:1],
        )


def _type_schemas(draft: Draft, table: Table) -> Iterator[str]:
    """The schemas of the types of *table*'s columns."""
    for schema in (each.name for each in draft.found.schemas):
        prefix = f"{qualified(schema)}."
        if any(each.type.startswith(prefix) or each.base_type.startswith(prefix) for each in table.columns):
            yield schema


def _maygrant(draft: Draft, schema: str) -> bool:
    """Whether the schema is the deployer's or the design's; of another's, PUBLIC's right is left as it is."""
    if schema in draft.schemas or draft.found.superuser:
        return True
    ours = {draft.found.deployer, *(each.name for each in draft.roles)}
    return any(each.name == schema and each.owner in ours for each in draft.found.schemas)


def _tables(draft: Draft) -> Iterator[Part]:
    for role in draft.users:
        granted: dict[TableName, list[tuple[Operation, tuple[str, ...]]]] = defaultdict(list)
        for table, operation, columns in _granted(draft, role.name):
            granted[table.schema, table.name].append((operation, columns))
        for table in draft.relations:
            name = (table.schema, table.name)
            if granted[name]:
                yield _table(draft, role.name, table, granted[name])


def _table(
    draft: Draft, role: str, table: Table, granted: Sequence[tuple[Operation, tuple[str, ...]]]
) -> Part:
    object_ = composed.Identifier(table.schema, table.name)
    every = {column.name for column in table.columns}
    privileges = {
        operation: _privilege(operation, columns, whole=set(columns) == every)
        for operation, columns in granted
    }
    together = composed.SQL(", ").join(privileges.values())
    apply = grant(together, "table", object_, (role,))
    mutations = []
    if draft.logins_of(role):
        for operation, columns in granted:
            dropped = revoke(privileges[operation], "table", object_, (role,))
            mutations.append(draft.mutation(f"{operation} revoked", dropped, apply))
            if columns and _lacks_columns(draft, role, table, operation):
                widened = grant(operation, "table", object_, (role,))
                # a revoke of the whole table takes the columns' grants along
                narrowed = revoke(operation, "table", object_, (role,)) + "\n" + apply
                mutations.append(draft.mutation(f"{operation} of every column", widened, narrowed))
        mutations += _more_operations(draft, role, table)
        mutations.append(
            draft.mutation(
                "truncate granted",
                grant("truncate", "table", object_, (role,)),
                revoke("truncate", "table", object_, (role,)),
            )
        )
    return Part(
        "grant",
        f"{table.qualified} to {role}",
        apply,
        revoke("all", "table", object_, (role,)),
        "What the intent says of this role, column by column where it is not all of them",
        role=role,
        table=(table.schema, table.name),
        mutations=tuple(mutations),
        spared="" if mutations else NO_LOGIN,
    )


def _privilege(operation: str, columns: tuple[str, ...], *, whole: bool) -> composed.Composable:
    if operation == "delete" or whole:
        return raw(operation)
    return composed.SQL("{} ({})").format(raw(operation), identifiers(columns))


def _lacks_columns(draft: Draft, role: str, table: Table, operation: Operation) -> bool:
    """Whether a login with this role is to be refused some column that can be named in *operation*."""
    every = {
        column.name
        for column in table.columns
        if operation == "select" or not (column.generated or column.identity == "always")
    }
    return any(
        bool(every - set(may.columns))
        for login in draft.logins_of(role)
        if (may := draft.permission(login, (table.schema, table.name), operation)) is not None
    )


def _more_operations(draft: Draft, role: str, table: Table) -> Iterator[Mutation]:
    """One operation more; under row security with a policy, for without one it reaches no row."""
    name = (table.schema, table.name)
    if table.kind not in ("table", "partitioned table"):
        return
    for operation in OPERATIONS:
        if all(draft.permission(login, name, operation) for login in draft.logins_of(role)):
            continue
        if draft.permission(role, name, operation) is not None:
            continue
        object_ = composed.Identifier(*name)
        more = grant(operation, "table", object_, (role,))
        less = revoke(operation, "table", object_, (role,))
        if name in draft.under_row_security:
            extra = {"policy": composed.Identifier("one_operation_more"), "table": object_}
            more += "\n" + render(
                "policy",
                **extra,
                command=raw(operation),
                roles=composed.Identifier(role),
                using=NOTHING if operation == "insert" else raw(" using (true)"),
                check=raw(" with check (true)") if operation in ("insert", "update") else NOTHING,
            )
            less += "\n" + render("policy_undo", **extra)
        yield draft.mutation(f"{operation} granted", more, less)


def _sequences(draft: Draft) -> Iterator[Part]:
    users: dict[TableName, list[str]] = defaultdict(list)
    for role in draft.users:
        for table, operation, _ in _granted(draft, role.name):
            for each in draft.found.needed_sequences:
                sequence = (each.sequence_schema, each.sequence_name)
                here = (each.schema, each.name) == (table.schema, table.name)
                if operation == "insert" and here and role.name not in users[sequence]:
                    users[sequence].append(role.name)
    for sequence, names in sorted(users.items()):
        object_ = composed.Identifier(*sequence)
        granted = grant("usage", "sequence", object_, names)
        revoked = revoke("usage", "sequence", object_, names)
        yield Part(
            "grant",
            f"usage of sequence {qualified(*sequence)}",
            granted,
            revoked,
            "An insert takes the next number; its last value would tell how many there are",
            mutations=(
                draft.mutation("usage revoked", revoked, granted),
                draft.mutation(
                    "select granted",
                    grant("select", "sequence", object_, names),
                    revoke("select", "sequence", object_, names),
                ),
            ),
        )


def _execute(draft: Draft) -> Iterator[Part]:
    known = {(each.schema, each.name, each.arguments): each for each in draft.routines}
    users: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for role in draft.users:
        for table, operation, _ in _granted(draft, role.name):
            reads = table.kind == "view" or any(column.generated == "virtual" for column in table.columns)
            if operation == "delete" or (operation == "select" and not reads):
                continue
            for each in draft.found.used_routines:
                routine = (each.routine_schema, each.routine_name, each.arguments)
                here = (each.schema, each.name) == (table.schema, table.name)
                if here and routine in known and role.name not in users[routine]:
                    users[routine].append(role.name)
    for routine, names in sorted(users.items()):
        object_ = reference(known[routine])
        granted = grant("execute", "routine", object_, names)
        revoked = revoke("execute", "routine", object_, names)
        yield Part(
            "grant",
            f"execute of {qualified(*routine[:2])}({routine[2]})",
            granted,
            revoked,
            "A default, a check, an index or a view of what the role may write or read calls it",
            mutations=(draft.mutation("execute revoked", revoked, granted),),
        )


def _keeper(draft: Draft) -> Iterator[Part]:
    needs = {name: set(operations) for name, operations in keeper_needs(draft).items()}
    used = {*keeper_needs(draft, called=True), *parents(draft)}
    called = {schema for schema, _ in keeper_needs(draft, called=True)}
    for parent in parents(draft):
        needs.setdefault(parent, set()).add("select")
    extensions = set(_extensions_named(draft)) if needs else set()
    for schema in sorted({schema for schema, _ in needs} | extensions):
        if _maygrant(draft, schema):
            yield _to_keeper(
                draft,
                "usage",
                "schema",
                composed.Identifier(schema),
                f"usage of schema {qualified(schema)}",
                "Trigger functions name what is in it",
                used=schema in extensions | called,
            )
    for name in sorted(needs):
        order = [each for each in OPERATIONS if each in needs[name]]
        yield _to_keeper(
            draft,
            ", ".join(order),
            "table",
            composed.Identifier(*name),
            qualified(*name),
            "What the trigger functions do to it",
            used=name in used,
            table=name,
        )


def _to_keeper(
    draft: Draft,
    privileges: str,
    kind: str,
    object_: composed.Composable,
    title: str,
    why: str,
    *,
    used: bool,
    table: TableName | None = None,
) -> Part:
    granted = grant(privileges, kind, object_, (draft.keeper,))
    revoked = revoke("all" if kind == "table" else privileges, kind, object_, (draft.keeper,))
    return Part(
        "grant",
        f"{title} to {draft.keeper}",
        granted,
        revoked,
        why,
        role=draft.keeper,
        table=table,
        mutations=(draft.mutation("all revoked", revoked, granted),) if used else (),
        spared="" if used else NOT_USED,
    )


def _extensions_named(draft: Draft) -> Iterator[str]:
    """The schemas of extensions that the keeper's routines name, or look for names in."""
    for schema in (each.name for each in draft.found.schemas if each.extensions):
        for routine in kept(draft):
            path = routine.search_path if safe_path(routine.search_path) else schema
            if re.search(rf"\b{re.escape(schema)}\b", f"{path} {routine.source}"):
                yield schema


def _identity(draft: Draft) -> Iterator[Part]:
    names = draft.identified
    if draft.intent.identity is None or not names:
        return
    schema = composed.Identifier(draft.intent.schema)
    function = composed.SQL("{}()").format(identity_function(draft))
    place = qualified(draft.intent.schema)
    for kind, object_, privilege, title, why in (
        ("schema", schema, "usage", f"usage of schema {place}", "A program may ask for whom it acts"),
        (
            "function",
            function,
            "execute",
            f"execute of {place}.current_identity()",
            "The policies ask for whom the role acts",
        ),
    ):
        granted = grant(privilege, kind, object_, names)
        revoked = revoke(privilege, kind, object_, names)
        yield Part(
            "grant",
            title,
            granted,
            revoked,
            why,
            mutations=(draft.mutation(f"{privilege} revoked", revoked, granted),),
        )
    for parent in parents(draft):
        view = own_view(draft, parent)
        granted = grant("select", "table", view, names)
        revoked = revoke("select", "table", view, names)
        yield Part(
            "grant",
            f"{qualified(*view.strings)} to identified roles",
            granted,
            revoked,
            "The policies ask which rows of the parent are the identity's",
            mutations=(draft.mutation("select revoked", revoked, granted),),
        )
