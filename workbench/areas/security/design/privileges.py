"""Privileges: what nobody is to have is taken away, and exactly what the intent says is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import FoundPrivilege
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.design.routines import keeper_needs, reference
from workbench.areas.security.design.row_security import identity_function, own_view, parents
from workbench.areas.security.design.text import NOTHING, identifiers, raw, render, roles
from workbench.areas.security.intent.model import OPERATIONS, Operation, TableName
from workbench.catalog.model import Table, qualified

_OPTION = raw(" with grant option")


def takers(draft: Draft) -> tuple[str, ...]:
    """PUBLIC and the roles of the intent: what they have beyond the intent is taken away."""
    return ("", *(each.name for each in draft.users))


def revoke_parts(draft: Draft) -> Iterator[Part]:
    """PUBLIC and the intent's roles lose what they have; what the intent gives comes after."""
    yield from _database(draft)
    yield from _schemas(draft)
    yield from _relations(draft)
    yield from _routines(draft)
    yield from _types(draft)
    yield from _large_objects(draft)


def _found(draft: Draft, kinds: Sequence[str]) -> list[FoundPrivilege]:
    """What the takers held before; what a role of the design's own holds came from the design."""
    made = {each.name for each in draft.roles if not each.existing}
    takers_ = set(takers(draft))
    schemas = set(draft.schemas)
    found = []
    for each in draft.found.privileges:
        place = each.name if each.kind == "schema" else each.schema
        if each.kind not in kinds or each.grantee not in takers_ or each.grantee in made:
            continue
        if each.kind != "database" and place not in schemas:
            continue
        found.append(each)
    return found


def _restored(found: Iterable[FoundPrivilege]) -> str:
    """The grants that give *found* back."""
    grouped: dict[tuple[str, str, bool, str, str], list[FoundPrivilege]] = defaultdict(list)
    for each in found:
        column = each.part if each.kind == "column" else ""
        grouped[each.kind, each.grantee, each.grantable, each.privilege, column].append(each)
    return "\n".join(
        render(
            "grant",
            privileges=raw(privilege)
            if kind != "column"
            else composed.SQL("{} ({})").format(raw(privilege), composed.Identifier(column)),
            kind=raw("table" if kind == "column" else kind),
            objects=composed.SQL(", ").join([_object(each) for each in members]),
            grantees=roles((grantee,)),
            option=_OPTION if grantable else NOTHING,
        )
        for (kind, grantee, grantable, privilege, column), members in sorted(grouped.items())
    )


def _object(found: FoundPrivilege) -> composed.Composable:
    if found.kind == "schema":
        return composed.Identifier(found.name)
    named = composed.Identifier(found.schema, found.name)
    return composed.SQL("{}({})").format(named, raw(found.part)) if found.kind == "routine" else named


def _database(draft: Draft) -> Iterator[Part]:
    def closing(privilege: str) -> str:
        return _on_database(f"revoke {privilege} on database %I from public")

    def opening(privilege: str) -> str:
        return _on_database(f"grant {privilege} on database %I to public")

    made = {each.name for each in draft.roles if not each.existing}
    held = {each.privilege for each in draft.found.privileges if each.kind == "database" and not each.grantee}
    for privilege, why in (
        ("connect", "A login of another database has no business here"),
        ("temporary", "Temporary tables shadow names and fill the disk"),
    ):
        yield Part(
            "revoke",
            f"{privilege} on the database from PUBLIC",
            closing(privilege),
            opening(privilege) if privilege in held else "",
            f"{why} (PUBLIC has it from the start; manual 5.8)",
            mutations=(Mutation(f"{privilege} to PUBLIC", opening(privilege), closing(privilege)),),
        )
    for each in draft.found.privileges:
        if each.kind == "database" and each.grantee in set(takers(draft)) - {""} - made:
            yield Part(
                "revoke",
                f"{each.privilege} on the database from {each.grantee}",
                _on_database(f"revoke {each.privilege} on database %I from %I", each.grantee),
                _on_database(f"grant {each.privilege} on database %I to %I", each.grantee),
                "More than the intent says",
                role=each.grantee,
            )


def _on_database(statement: str, grantee: str = "") -> str:
    return render(
        "database_privileges", statement=composed.Literal(statement), grantee=composed.Literal(grantee)
    )


def _schemas(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("schema",))
    for name in draft.schemas:
        mine = [each for each in found if each.name == name]
        object_ = composed.Identifier(name)
        closed = _revoke("all", "schema", object_, takers(draft))
        create = _grant("create, usage", "schema", object_, ("",))
        shut = _revoke("all", "schema", object_, ("",))
        yield Part(
            "revoke",
            f"schema {qualified(name)}",
            closed,
            _restored(mine),
            "Who may create in a schema can shadow what others call (CVE-2018-1058)",
            mutations=(draft.mutation("create and usage to PUBLIC", create, shut),),
        )


def _relations(draft: Draft) -> Iterator[Part]:
    for kind, kinds in (("table", ("table", "column")), ("sequence", ("sequence",))):
        for schema in draft.schemas:
            objects = [
                composed.Identifier(each.schema, each.name)
                for each in draft.found.relations
                if each.schema == schema and (each.kind == "S") == (kind == "sequence")
            ]
            if objects:
                yield Part(
                    "revoke",
                    f"{kind}s of {qualified(schema)}",
                    _revoke("all", kind, composed.SQL(", ").join(objects), takers(draft)),
                    _restored(each for each in _found(draft, kinds) if each.schema == schema),
                    "What the intent does not say is refused",
                )


def _routines(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("routine",))
    for schema in draft.schemas:
        routines = [each for each in draft.routines if each.schema == schema]
        if not routines:
            continue
        objects = composed.SQL(", ").join([reference(each) for each in routines])
        closed = _revoke("all", "routine", objects, takers(draft))
        names = {(each.name, each.arguments) for each in routines}
        callable_ = [reference(each) for each in routines if not each.trigger]
        some = composed.SQL(", ").join(callable_) if callable_ else None
        yield Part(
            "revoke",
            f"routines of {qualified(schema)}",
            closed,
            _restored(each for each in found if each.schema == schema and (each.name, each.part) in names),
            "PUBLIC may execute every new function (manual 5.8)",
            mutations=(
                draft.mutation(
                    "execute to PUBLIC",
                    _grant("execute", "routine", some, ("",)),
                    _revoke("execute", "routine", some, ("",)),
                ),
            )
            if some is not None
            else (),
        )


def _types(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("type",))
    for schema in draft.schemas:
        types = [each for each in draft.found.types if each.schema == schema]
        if types:
            yield Part(
                "revoke",
                f"types of {qualified(schema)}",
                _revoke(
                    "all",
                    "type",
                    composed.SQL(", ").join([composed.Identifier(each.schema, each.name) for each in types]),
                    takers(draft),
                ),
                _restored(each for each in found if each.schema == schema),
                "Who builds on a type keeps its owner from changing it",
            )


def _large_objects(draft: Draft) -> Iterator[Part]:
    if not draft.found.large_objects_open:
        return
    closed = render("large_objects", action=raw("revoke"), direction=raw("from"))
    opened = render("large_objects", action=raw("grant"), direction=raw("to"))
    if not draft.found.superuser:
        command = " ".join(closed.split())
        draft.remarks.append(
            f"everybody may create large objects, and {draft.found.deployer} cannot change that: let a "
            f"superuser run {command}"
        )
        return
    yield Part(
        "revoke",
        "large objects from PUBLIC",
        closed,
        opened,
        "Everybody may create large objects, which no row security and no schema binds",
        mutations=(Mutation("large objects to PUBLIC", opened, closed),),
    )


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
            opened = _on_database("grant connect on database %I to %I", role.name)
            closed = _on_database("revoke connect on database %I from %I", role.name)
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
        granted = _grant("usage", "schema", object_, names)
        revoked = _revoke("usage", "schema", object_, names)
        if not _may_grant(draft, schema):
            continue
        mutations = (
            draft.mutation("usage revoked", revoked, granted),
            draft.mutation(
                "create granted",
                _grant("create", "schema", object_, names),
                _revoke("create", "schema", object_, names),
            ),
        )
        yield Part(
            "grant",
            f"usage of schema {qualified(schema)}",
            granted,
            revoked,
            "Names in the schema can be looked up, and nothing created",
            mutations=mutations if schema in holding else (),
        )


def _type_schemas(draft: Draft, table: Table) -> Iterator[str]:
    """The schemas of the types of *table*'s columns."""
    for schema in (each.name for each in draft.found.schemas):
        prefix = f"{qualified(schema)}."
        if any(each.type.startswith(prefix) or each.base_type.startswith(prefix) for each in table.columns):
            yield schema


def _may_grant(draft: Draft, schema: str) -> bool:
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
    apply = _grant(together, "table", object_, (role,))
    mutations = []
    if draft.logins_of(role):
        for operation, columns in granted:
            dropped = _revoke(privileges[operation], "table", object_, (role,))
            mutations.append(draft.mutation(f"{operation} revoked", dropped, apply))
            if columns and _lacks_columns(draft, role, table, operation):
                widened = _grant(operation, "table", object_, (role,))
                # a revoke of the whole table takes the columns' grants along
                narrowed = _revoke(operation, "table", object_, (role,)) + "\n" + apply
                mutations.append(draft.mutation(f"{operation} of every column", widened, narrowed))
        mutations += _more_operations(draft, role, table)
        mutations.append(
            draft.mutation(
                "truncate granted",
                _grant("truncate", "table", object_, (role,)),
                _revoke("truncate", "table", object_, (role,)),
            )
        )
    return Part(
        "grant",
        f"{table.qualified} to {role}",
        apply,
        _revoke("all", "table", object_, (role,)),
        "What the intent says of this role, column by column where it is not all of them",
        role=role,
        table=(table.schema, table.name),
        mutations=tuple(mutations),
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
        more = _grant(operation, "table", object_, (role,))
        less = _revoke(operation, "table", object_, (role,))
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
        granted = _grant("usage", "sequence", object_, names)
        revoked = _revoke("usage", "sequence", object_, names)
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
                    _grant("select", "sequence", object_, names),
                    _revoke("select", "sequence", object_, names),
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
        granted = _grant("execute", "routine", object_, names)
        revoked = _revoke("execute", "routine", object_, names)
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
    for parent in parents(draft):
        needs.setdefault(parent, set()).add("select")
    extensions = {each.name for each in draft.found.schemas if each.extensions} if needs else set()
    for schema in sorted({schema for schema, _ in needs} | extensions):
        if not _may_grant(draft, schema):
            continue
        object_ = composed.Identifier(schema)
        yield Part(
            "grant",
            f"usage of schema {qualified(schema)} to {draft.keeper}",
            _grant("usage", "schema", object_, (draft.keeper,)),
            _revoke("usage", "schema", object_, (draft.keeper,)),
            "Trigger functions name what is in it",
            role=draft.keeper,
        )
    for name in sorted(needs):
        object_ = composed.Identifier(*name)
        order = [each for each in OPERATIONS if each in needs[name]]
        granted = _grant(", ".join(order), "table", object_, (draft.keeper,))
        yield Part(
            "grant",
            f"{qualified(*name)} to {draft.keeper}",
            granted,
            _revoke("all", "table", object_, (draft.keeper,)),
            "What the trigger functions do to it",
            role=draft.keeper,
            table=name,
        )


def _identity(draft: Draft) -> Iterator[Part]:
    names = draft.identified
    if draft.intent.identity is None or not names:
        return
    schema = composed.Identifier(draft.intent.schema)
    function = composed.SQL("{}()").format(identity_function(draft))
    for kind, object_, privilege, title in (
        ("schema", schema, "usage", f"usage of schema {qualified(draft.intent.schema)}"),
        ("function", function, "execute", f"execute of {qualified(draft.intent.schema)}.current_identity()"),
    ):
        granted = _grant(privilege, kind, object_, names)
        revoked = _revoke(privilege, kind, object_, names)
        yield Part(
            "grant",
            title,
            granted,
            revoked,
            "The policies ask for whom the role acts",
            mutations=(draft.mutation(f"{privilege} revoked", revoked, granted),),
        )
    for parent in parents(draft):
        view = own_view(draft, parent)
        granted = _grant("select", "table", view, names)
        revoked = _revoke("select", "table", view, names)
        yield Part(
            "grant",
            f"{qualified(*view.strings)} to identified roles",
            granted,
            revoked,
            "The policies ask which rows of the parent are the identity's",
            mutations=(draft.mutation("select revoked", revoked, granted),),
        )


def _grant(
    privileges: str | composed.Composable,
    kind: str,
    objects: composed.Composable,
    grantees: Sequence[str],
) -> str:
    return render(
        "grant",
        privileges=raw(privileges) if isinstance(privileges, str) else privileges,
        kind=raw(kind),
        objects=objects,
        grantees=roles(grantees),
        option=NOTHING,
    )


def _revoke(
    privileges: str | composed.Composable,
    kind: str,
    objects: composed.Composable,
    grantees: Sequence[str],
) -> str:
    return render(
        "revoke",
        privileges=raw(privileges) if isinstance(privileges, str) else privileges,
        kind=raw(kind),
        objects=objects,
        grantees=roles(grantees),
    )
