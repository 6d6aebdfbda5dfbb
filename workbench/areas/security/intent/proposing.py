"""An intent for a database in which nobody but its owner has a right: a proposal from the structure."""

from __future__ import annotations

import re
from dataclasses import replace

from workbench.areas.security.intent.drafting import (
    Draft,
    RuleDraft,
    audit_of,
    free_name,
    is_trail,
    labels_of,
    writable,
)
from workbench.areas.security.intent.model import Intent, Label, RoleIntent, Rule, TableName
from workbench.areas.security.intent.persons import Ownership, guess_ownership
from workbench.areas.security.intent.sensitive import sensitive_columns
from workbench.catalog.model import Catalog, Table, qualified

_LINK_EXTRAS = 3  # such as a flag and two times
_TOOL = re.compile(
    r"^(schema_?migrations?|flyway_schema_history|alembic_version|databasechangelog(lock)?|"
    r"__efmigrationshistory|django_migrations|knex_migrations(_lock)?|spatial_ref_sys)$",
    re.IGNORECASE,
)


def proposed_intent(catalog: Catalog, name: str, taken: set[str]) -> Intent:
    """Owner, reader, writer, app, audit owner and auditor; the app is identified where accounts were found.

    *taken* are the names of the cluster's roles, of which none is reused.
    """
    owner, audit, reader, writer, app, auditor = (
        free_name(f"{name}_{part}", taken)
        for part in ("owner", "audit", "reader", "writer", "app", "auditor")
    )
    ownership = guess_ownership(catalog)
    made = own_schemas(catalog)
    identified = ownership.identity is not None
    labels, notes = labels_of(
        [each for each in sensitive_columns(catalog) if not is_trail(catalog.table(*each.column[:2]))],
        catalog,
        {"personal": (writer, app) if identified else (writer,), "payment": (writer,)},
    )
    described = "Guessed: correct who needs what."
    roles = (
        RoleIntent(owner, "owner", "Owns the tables; nobody logs in as it."),
        RoleIntent(audit, "audit owner", "Owns the audit trail; nobody logs in as it."),
        RoleIntent(reader, "group", "Reads what no label keeps back."),
        RoleIntent(writer, "group", "Keeps the data; deletes nothing.", (reader,)),
        RoleIntent(app, "login", "The application on behalf of one account at a time.", (), "token")
        if identified
        else RoleIntent(app, "login", "The application.", (writer,)),
        RoleIntent(auditor, "login", "Reads the audit trail and nothing else."),
    )
    tables = [each for each in _sorted(catalog) if not _TOOL.match(each.name)]
    kept_back = [each for each in tables if is_trail(each)]
    used = [each for each in tables if each not in kept_back]
    everything = tuple((each.schema, each.name) for each in used)
    intent = Intent(
        name=name,
        roles=roles,
        rules=(),
        never=(Rule(reader, everything, ("insert", "update", "delete")),) if everything else (),
        owners=ownership.owners,
        labels=labels,
        audit=replace(audit_of(catalog, labels, made[1], frozenset(made)), readers=(auditor,)),
        identity=ownership.identity,
        schema=made[0],
        notes={**notes, **_notes(ownership, app, described)},
    )
    draft = Draft(intent, catalog)
    shown = _shown_tables(catalog, ownership, labels)
    for table in used:
        draft.rules += _group_rules(table, labels, reader, writer)
        if identified:
            draft.rules += _app_rules(table, labels, ownership, app, shown)
    draft.remarks += [
        f"{each.qualified} looks like an audit trail: no role has a rule for it." for each in kept_back
    ]
    draft.remarks += _left_alone(catalog)
    return draft.finished()


def own_schemas(catalog: Catalog) -> tuple[str, str]:
    """The names of the design's schema and of the trail's, neither of which is in the database."""
    taken = set(catalog.schemas)
    return free_name("access", taken), free_name("audit", taken)


def _sorted(catalog: Catalog) -> list[Table]:
    return sorted(catalog.base_tables, key=lambda each: (each.schema, each.name))


def _left_alone(catalog: Catalog) -> list[str]:
    found = [each.qualified for each in _sorted(catalog) if _TOOL.match(each.name)]
    return [f"{each} belongs to a tool: no role has a rule for it." for each in found]


def _hidden(table: Table, labels: tuple[Label, ...], role: str) -> set[str]:
    return {
        column
        for label in labels
        if role not in label.seen_by
        for schema, name, column in label.columns
        if (schema, name) == (table.schema, table.name)
    }


def _group_rules(table: Table, labels: tuple[Label, ...], reader: str, writer: str) -> list[RuleDraft]:
    name = (table.schema, table.name)
    every = {column.name for column in table.columns}
    rules = [RuleDraft(reader, name, ("select",))] if every - _hidden(table, labels, reader) else []
    seen = _hidden(table, labels, writer)
    if not rules and every - seen:
        rules.append(RuleDraft(writer, name, ("select",)))
    columns = writable(table)
    if columns:
        unseen = bool(seen & set(columns))
        rules.append(
            RuleDraft(
                writer,
                name,
                ("insert", "update"),
                columns=columns if unseen else None,
                why="It writes what nobody reads, such as a new password." if unseen else "",
            )
        )
    return rules


def _app_rules(
    table: Table, labels: tuple[Label, ...], ownership: Ownership, app: str, shown: set[TableName]
) -> list[RuleDraft]:
    name: TableName = (table.schema, table.name)
    hidden = _hidden(table, labels, app)
    reachable = {column.name for column in table.columns} - hidden
    if name not in ownership.owners:
        return [RuleDraft(app, name, ("select",), why=_SHARED)] if name in shown else []
    rules = [RuleDraft(app, name, ("select",), "own")] if reachable else []
    columns = writable(table)
    if columns:
        account = ownership.identity is not None and name == ownership.identity.table
        rules.append(
            RuleDraft(
                app,
                name,
                ("update",) if account else ("insert", "update"),
                "own",
                columns=columns if hidden & set(columns) else None,
                why=_ACCOUNT if account else _OWN,
            )
        )
    return rules


_SHARED = (
    "Guessed: the rows that an account's own rows refer to, without a label and without an owner.\n"
    "Add what the application shows besides, take out what is not for everybody."
)
_ACCOUNT = (
    "Guessed. Who signs up needs an insert as well; name the columns that an account may change itself."
)
_OWN = "Guessed: name the columns that an account may write itself, such as no amounts."


def _shown_tables(catalog: Catalog, ownership: Ownership, labels: tuple[Label, ...]) -> set[TableName]:
    """What belongs to nobody, has no label, and is referred to by what is owned, also through pure links."""
    labelled = {(schema, table) for label in labels for schema, table, _ in label.columns}
    closed = labelled | set(ownership.owners)
    tables = {(each.schema, each.name): each for each in catalog.base_tables}
    waiting = list(ownership.owners)
    shown: set[TableName] = set()

    def show(name: TableName | None) -> None:
        if name in tables and name not in closed and name not in shown:
            shown.add(name)
            waiting.append(name)

    links = [each for each in tables.values() if _is_link(each)]
    for name in waiting:  # grows while it is read
        for key in tables[name].foreign_keys if name in tables else ():
            show(key.references)
        if name in shown:
            for link in links:
                others = {key.references for key in link.foreign_keys}
                if name in others and not others & closed:
                    show((link.schema, link.name))
    return shown


def _is_link(table: Table) -> bool:
    """Whether its key is made of foreign keys and little stands beside it."""
    key = set(table.primary_key.columns) if table.primary_key else set()
    referring = {name for each in table.foreign_keys for name in each.columns}
    return len(key) > 1 and key <= referring and len(table.columns) - len(key) <= _LINK_EXTRAS


def _notes(ownership: Ownership, app: str, described: str) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {
        (): (
            "Derived from the structure, for nobody but the owner has a right in this database: a proposal.\n"
            "What no rule allows is refused. Correct it, then prove it."
        ),
        ("role", app): described,
    }
    if ownership.identity is None:
        found[()] += (
            "\nNo table looks like accounts (users, customers, …): there is no identity, no row is anybody's."
        )
        return found
    table = qualified(*ownership.identity.table)
    found["identity",] = (
        f"Guessed: {table} looks like the accounts, by its name. Is it for these that the app acts?"
    )
    for name, why in ownership.reasons.items():
        found["owner", *name] = f"Guessed: {why}."
    return found
