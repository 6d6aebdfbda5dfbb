"""A design of the kind that tutorials show, repaired just so far that it runs; what the attacks are shown on.

Its roles are the intent's, so that the same attacks can be run on it. Each fault is kept on purpose:

- the identity is a setting, `app.current_user_id`, that any session may set to anybody's;
- of all tables with owned rows one has row security; the others, the trail among them, have none;
- row security is not forced, so the tables' owner is not bound by it;
- one policy for all commands with a USING alone, so that who may read a row may delete it and change
  each of its columns; for readers, writers and admins there is no policy at all, so that they see nothing
  of the table, whatever they were granted;
- readers read every table, with the personal columns and the trail, and every table made later;
- writers write every table, so that they can forge, change and erase the trail;
- the program has all four operations on every table; support reads every table;
- admins hold TRUNCATE (which row security does not stop), TRIGGER and REFERENCES, may create objects
  among the tables, and may call every function;
- PUBLIC keeps what PostgreSQL gives it: temporary tables, every function, every type;
- the trail is a table of the tables' owner, written with the rights of the writer; it holds every value
  and the text of the statement, and learns nothing of TRUNCATE or of the other tables;
- views, SECURITY DEFINER functions and partitions stay as they were found.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.design import read_found
from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.roles import membership_parts, require_right_to_make, role_parts
from workbench.areas.security.intent.model import Intent, RoleIntent, TableName
from workbench.areas.security.trial import identities_of, place_copy
from workbench.areas.security.trial.model import Place, Target
from workbench.catalog.model import Catalog
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

SETTING = "app.current_user_id"
_FOLDER = "security/naive"


@contextlib.contextmanager
def naive(place: Place, intent: Intent) -> Iterator[Target]:
    """A copy of *place* with the naive design for the roles of *intent*; gone after the block.

    Raises BadInput where the roles cannot be made, or there is nothing that rows belong to.
    """
    with place_copy(place, "naive") as database:
        with contextlib.closing(place.connect(database)) as conn:
            draft = Draft(intent, place.catalog, read_found(conn))
            require_right_to_make(draft)
            for part in (*role_parts(draft), *membership_parts(draft)):
                if part.apply:
                    conn.execute(part.apply)
            for statement in naive_statements(intent, place.catalog):
                conn.execute(statement)
        yield Target(place, database, intent, None, identities_of(place, intent), _assume, name="naive")


def naive_statements(intent: Intent, catalog: Catalog) -> Iterator[composed.Composable]:
    """The naive design as statements for the owner of the tables, once the roles are there."""
    protected = protected_table(intent)
    log = audit_log(intent)
    function = composed.Identifier(log[0], "audit_trigger_function")
    yield _statement("010_audit_log", log=composed.Identifier(*log))
    yield _statement("020_audit_function", log=composed.Identifier(*log), function=function)
    for table in _audited(intent, protected):
        yield _statement(
            "030_audit_trigger",
            trigger=composed.Identifier(_short("audit_", table[1])),
            table=composed.Identifier(*table),
            function=function,
            key=composed.Literal(_first_key(catalog, table)),
        )
    schemas = sorted({each.schema for each in catalog.tables})
    for role in intent.roles:
        for file in _files_of(intent, role):
            for schema in schemas:
                yield _statement(
                    file, schema=composed.Identifier(schema), role=composed.Identifier(role.name)
                )
    yield from _policies(intent, catalog, protected)


def protected_table(intent: Intent) -> TableName:
    """The one table that gets row security: the one with an owner column that most others belong through.

    Raises BadInput where no table has one.
    """
    parents = [each.parent for each in intent.owners.values()]
    direct = sorted(name for name, owner in intent.owners.items() if owner.column)
    if not direct:
        raise BadInput(f"intent {intent.name} says of no table to whom its rows belong: declare owners")
    return max(direct, key=lambda name: (parents.count(name), name))


def audit_log(intent: Intent) -> TableName:
    """The naive trail, a table beside the one that is protected."""
    return protected_table(intent)[0], "audit_log"


def _audited(intent: Intent, protected: TableName) -> tuple[TableName, ...]:
    """The protected table and that of the identities."""
    identities = (intent.identity.table,) if intent.identity else ()
    return tuple(dict.fromkeys((*identities, protected)))


def _files_of(intent: Intent, role: RoleIntent) -> tuple[str, ...]:
    """What a role is granted: the program and support by habit, a group by the most that it may do."""
    if role.kind not in ("group", "login"):
        return ()
    if role.identified == "token":
        return "040_reader", "050_writer"
    own = {each for rule in intent.rules if rule.role == role.name for each in rule.operations}
    if role.kind == "login":
        reads_trail = intent.audit is not None and role.name in intent.audit.readers
        return ("040_reader",) if own or reads_trail else ()
    above = {each for name in role.inherits for each in _files_of(intent, intent.role(name))}
    if "050_writer" in above:
        return ("060_admin", "050_writer")
    return ("040_reader", "050_writer") if own - {"select"} else ("040_reader",)


def _policies(intent: Intent, catalog: Catalog, protected: TableName) -> Iterator[composed.Composable]:
    column = intent.owners[protected].column or ""
    table = composed.Identifier(*protected)
    for role in intent.roles:
        names = {"table": table, "role": composed.Identifier(role.name)}
        if role.identified == "token":
            yield _statement(
                "070_row_security",
                policy=composed.Identifier(_short("user_", role.name)),
                column=composed.Identifier(column),
                type=composed.SQL(catalog.table(*protected).column(column).type),
                **names,
            )
        elif role.kind == "login" and any(
            rule.role == role.name and protected in rule.tables and rule.rows == "all"
            for rule in intent.rules
        ):
            yield _statement(
                "080_support", policy=composed.Identifier(_short("support_", role.name)), **names
            )


def _first_key(catalog: Catalog, table: TableName) -> str:
    found = catalog.table(*table)
    return found.primary_key.columns[0] if found.primary_key else found.columns[0].name


def _short(prefix: str, name: str) -> str:
    """A name that is not cut by the server."""
    return (prefix + name).encode()[:63].decode(errors="ignore")


def _statement(name: str, **parts: composed.Composable) -> composed.Composable:
    return composed.SQL(sql.read(f"{_FOLDER}/{name}.sql")).format(**parts)


def _assume(conn: Connection, identity: str | None) -> None:
    conn.execute("select pg_catalog.set_config(%s, %s, false)", [SETTING, identity or ""])
