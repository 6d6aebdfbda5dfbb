"""The trail as parts of a design: its objects, and the triggers of each audited table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit.hidden import Hidden, hidden_columns
from workbench.areas.security.design.model import Mutation, Part, PartKind
from workbench.areas.security.design.text import quoted_name, text_of
from workbench.areas.security.intent.model import AuditIntent, Intent, TableName
from workbench.catalog.model import Catalog, Table, qualified, quoted
from workbench.errors import BadInput

_FOLDER = "security/audit/"
Names: TypeAlias = Mapping[str, composing.Composable]
_WATCH = "procedure {audit}.watch(regclass, boolean, text[], text[], text)"
# the file, what kind of part it is, its object, what takes it away, and why it is there
_ENSURE = "select {audit}.ensure_partitions(current_date, (current_date + interval '3 months')::date)"
_MAY_ASK = """do $body$
begin
    if to_regprocedure({access_function}) is not null then
        grant usage on schema {access} to {owner};
        grant execute on function {identity} to {owner};
    end if;
end
$body$"""
_MAY_NOT_ASK = """do $body$
begin
    if to_regprocedure({access_function}) is not null then
        revoke execute on function {identity} from {owner};
        revoke usage on schema {access} from {owner};
    end if;
end
$body$"""
_OPENED = """grant usage on schema {audit} to {writer};
grant insert, update, delete on {audit}.log to {writer}"""
_CLOSED = """revoke insert, update, delete on {audit}.log from {writer};
revoke usage on schema {audit} from {writer}"""
_OWNED = {
    "005_schema.sql": "schema {audit}",
    "010_log.sql": "table {audit}.log",
    "030_partitions.sql": "function {audit}.ensure_partitions(date, date)",
    "035_key_of.sql": "function {audit}.key_of(oid)",
    "040_record_statement.sql": "function {audit}.record_statement()",
    "050_record_row.sql": "function {audit}.record_row()",
    "055_record_truncated_rows.sql": "function {audit}.record_truncated_rows()",
    "060_watch.sql": _WATCH,
    "070_seals.sql": "table {audit}.seals",
    "080_as_of.sql": "function {audit}.as_of(regclass, timestamptz, jsonb)",
    "090_retirement.sql": "function {audit}.detach_month(date, text, bigint, bigint, bytea)",
}
_OBJECTS: tuple[tuple[str, PartKind, str, str, str], ...] = (
    (
        "005_schema.sql",
        "schema",
        "",
        "drop schema if exists {audit}",
        "The trail has an owner that nobody logs in as: who may write tables may not write it.",
    ),
    (
        "010_log.sql",
        "audit",
        "log",
        "drop table if exists {audit}.watched, {audit}.log",
        "Who changed what and when. A hash index takes a key of any length (section 11.2.2).",
    ),
    (
        "020_append_only.sql",
        "trigger",
        "log append_only",
        "drop procedure if exists {audit}.protect(regclass, boolean);\n"
        "drop function if exists {audit}.refuse_change() cascade",
        "Not even the owner changes an entry without first changing the table, which the registry shows.",
    ),
    (
        "030_partitions.sql",
        "function",
        "ensure_partitions",
        "drop function if exists {audit}.ensure_partitions(date, date)",
        "A month is retired by detaching a partition; what came without one waits in the default partition.",
    ),
    (
        "035_key_of.sql",
        "function",
        "key_of",
        "drop function if exists {audit}.key_of(oid)",
        "An entry names its row by the key that pg_index has, whatever its columns and types.",
    ),
    (
        "040_record_statement.sql",
        "function",
        "record_statement",
        "drop function if exists {audit}.record_statement()",
        "One call a statement; a full join on the key keeps both halves of a changed key.",
    ),
    (
        "050_record_row.sql",
        "function",
        "record_row",
        "drop function if exists {audit}.record_row()",
        "One call a row: less work for a table that is written one row at a time.",
    ),
    (
        "055_record_truncated_rows.sql",
        "function",
        "record_truncated_rows",
        "drop function if exists {audit}.record_truncated_rows()",
        "TRUNCATE fires no trigger for its rows (CREATE TRIGGER, Notes).",
    ),
    (
        "060_watch.sql",
        "function",
        "watch",
        f"drop {_WATCH.replace('procedure ', 'procedure if exists ', 1)};\n"
        "drop procedure if exists {audit}.unwatch(regclass)",
        "Statement triggers of a partitioned table do not fire for a statement that names a partition.",
    ),
    (
        "070_seals.sql",
        "audit",
        "seals",
        "drop function if exists {audit}.seal();\n"
        "drop table if exists {audit}.retired, {audit}.seal_months, {audit}.seals",
        "Who can do everything can change everything: a hash chain with an anchor kept outside shows it.",
    ),
    (
        "080_as_of.sql",
        "function",
        "as_of",
        "drop function if exists {audit}.as_of(regclass, timestamptz, jsonb)",
        "Any row as of any time, for who may see all rows of the table.",
    ),
    (
        "090_retirement.sql",
        "function",
        "detach_month",
        "drop function if exists {audit}.detach_month(date, text, bigint, bigint, bytea)",
        "A month leaves the log only when its entries are sealed and in a file.",
    ),
    (
        "100_grants.sql",
        "revoke",
        "",
        "",
        "Functions may be called by everybody unless that is revoked (section 5.8).",
    ),
)


def audit_parts(intent: Intent, catalog: Catalog) -> tuple[Part, ...]:
    """The trail of *intent* in the order in which it is applied; empty where nothing is audited.

    All of it works for a deployer that is no superuser: it owns the audited tables or is a member of
    their owner, and has or may grant itself the audit owner's role. Raises BadInput where there is no
    role of kind ``audit owner``, a table is not in *catalog*, or a label hides a column of a key.
    """
    audit = intent.audit
    if audit is None or not (audit.tables or audit.by_row):
        return ()
    names = names_of(intent, audit)
    tables = audited_tables(intent, catalog)
    parts = [*_objects(intent, audit, names), *_readers(audit, names)]
    parts += [part for table in tables for part in _table_parts(intent, audit, catalog, table, names)]
    return tuple(parts)


def audited_tables(intent: Intent, catalog: Catalog) -> tuple[Table, ...]:
    """The audited tables in the order of their names; a partitioned one stands for its partitions."""
    audit = intent.audit
    if audit is None:
        return ()
    known = {(table.schema, table.name): table for table in catalog.tables}
    found = []
    for name in sorted({*audit.tables, *audit.by_row}):
        if name not in known:
            raise BadInput(f"{intent.path or intent.name}: the audited table {qualified(*name)} is not there")
        table = known[name]
        if table.kind in ("table", "partitioned table") and table.schema != audit.schema:
            found.append(table)
    return tuple(found)


def names_of(intent: Intent, audit: AuditIntent) -> Names:
    """What stands in the places of the SQL files; raises BadInput where a name cannot."""
    owner = next((role.name for role in intent.roles if role.kind == "audit owner"), None)
    if owner is None:
        raise BadInput(
            f"{intent.path or intent.name}: tables are audited and no role is of kind 'audit owner': "
            "declare one that nobody logs in as"
        )
    for what, name in (("audit schema", audit.schema), ("audit owner", owner)):
        if set(name) & set("'%\\$"):
            raise BadInput(
                f"{intent.path or intent.name}: the {what} {name!r} has a quote, a percent, a dollar "
                "sign or a backslash in its name: choose a plain one"
            )
    identity = composing.SQL("{}.current_identity()").format(composing.Identifier(intent.schema))
    signature = quoted_name(intent.schema) + ".current_identity()"
    known = composing.SQL("to_regprocedure({}) is not null").format(composing.Literal(signature))
    return {
        "audit": composing.Identifier(audit.schema),
        "audit_namespace": composing.Literal(quoted_name(audit.schema)),
        "owner": composing.Identifier(owner),
        "owner_name": composing.Literal(owner),
        "owner_role": composing.Literal(quoted_name(owner)),
        "identity": identity if intent.identity else composing.SQL("null"),
        "identity_known": known if intent.identity else composing.SQL("false"),
        "entry_hash": fragment("entry_hash.sql"),
        "seal_hash": fragment("seal_hash.sql"),
        "access": composing.Identifier(intent.schema),
        "access_function": composing.Literal(signature),
        **{
            table: composing.Literal(f"{quoted_name(audit.schema)}.{table}")
            for table in ("log", "log_default", "seals", "seal_months", "retired")
        },
    }


def fragment(file: str) -> composing.SQL:
    """The expression in *file*, which the seals and their verification share."""
    return composing.SQL(sql.read(_FOLDER + file).partition("\n")[2].strip())


def script(file: str, names: Names) -> str:
    """The SQL file *file* of the trail with its *names*."""
    return _formatted(sql.read(_FOLDER + file), names)


def _formatted(template: str, names: Names) -> str:
    return text_of(composing.SQL(template).format(**names)).strip()


def _statement(template: str, names: Names) -> str:
    return _formatted(template, names).rstrip(";") + ";" if template else ""


def _objects(intent: Intent, audit: AuditIntent, names: Names) -> Iterator[Part]:
    for file, kind, label, undo, why in _OBJECTS:
        yield Part(
            kind,
            qualified(audit.schema, label) if label else quoted(audit.schema),
            script(file, names),
            _statement(undo, names),
            why,
            mutations=(
                *_object_mutations(file, intent, audit, names),
                *_given_away(file, intent, audit, names),
            ),
        )
    yield Part(
        "audit",
        qualified(audit.schema, "log") + " partitions",
        _statement(_ENSURE, names),
        "",
        "This month and the three after it; ensure_partitions is called again before they are over.",
        spared="an entry of a month without a partition is kept in the default one",
    )
    if intent.identity:
        yield Part(
            "grant",
            qualified(intent.schema, "current_identity"),
            _statement(_MAY_ASK, names),
            _statement(_MAY_NOT_ASK, names),
            "The trail asks whom a signed token proves; a setting alone would be a claim.",
            mutations=(Mutation("not asked", _statement(_MAY_NOT_ASK, names), _statement(_MAY_ASK, names)),),
        )


def _object_mutations(file: str, intent: Intent, audit: AuditIntent, names: Names) -> Iterator[Mutation]:
    mend = script(file, names)
    if file == "020_append_only.sql":
        for name in ("append_only", "append_only_truncate"):
            yield Mutation(
                f"{name} dropped", _statement(f"drop trigger {name} on {{audit}}.log", names), mend
            )
        yield Mutation(
            "append_only disabled",
            _statement("alter table {audit}.log disable trigger append_only", names),
            mend,
        )
        yield Mutation(
            "refuse_change refuses nothing", _idle("refuse_change", names, "coalesce(new, old)"), mend
        )
    elif file in ("040_record_statement.sql", "050_record_row.sql"):
        function = file[4:-4]
        if function == "record_row" and not audit.by_row:
            return
        yield Mutation(f"{function} records nothing", _idle(function, names, "null"), mend)
    elif file == "100_grants.sql":
        for role in intent.roles:
            if role.kind == "login" and role.name not in audit.readers:
                writer = {**names, "writer": composing.Identifier(role.name)}
                yield Mutation(
                    f"log opened to {role.name}", _statement(_OPENED, writer), _statement(_CLOSED, writer)
                )
                break


def _given_away(file: str, intent: Intent, audit: AuditIntent, names: Names) -> Iterator[Mutation]:
    """The object belongs to a login that reads no trail, and so holds no right to it."""
    if file not in _OWNED:
        return
    for role in intent.roles:
        if role.kind == "login" and not {*intent.lineages[role.name]} & {*audit.readers}:
            login = composing.Identifier(role.name)
            change = f"alter {_OWNED[file]} owner to {{to}}"
            usage = "" if file == "005_schema.sql" else "; {do} usage on schema {audit} {way} {login}"
            to = {**names, "to": login, "login": login}
            back = {**names, "to": names["owner"], "login": login}
            give = {"do": composing.SQL("grant"), "way": composing.SQL("to")}
            take = {"do": composing.SQL("revoke"), "way": composing.SQL("from")}
            yield Mutation(
                f"given to {role.name}",
                _statement(change + usage, {**to, **give}),
                _statement(change + usage, {**back, **take}),
                by="superuser",
            )
            break


def _idle(function: str, names: Names, returned: str) -> str:
    """The function with a body that does nothing."""
    row = "if tg_level = 'STATEMENT' then return null; end if; " if returned != "null" else ""
    return _statement(
        f"create or replace function {{audit}}.{function}() returns trigger language plpgsql "
        f"as $body$ begin {row}return {returned}; end $body$",
        names,
    )


def _readers(audit: AuditIntent, names: Names) -> Iterator[Part]:
    for role in audit.readers:
        reader = {**names, "reader": composing.Identifier(role)}
        yield Part(
            "grant",
            qualified(audit.schema, "log"),
            script("110_reader.sql", reader),
            script("110_reader_undo.sql", reader),
            "Declared as a reader of the trail.",
            role=role,
            mutations=(
                Mutation(
                    "nothing to be read",
                    script("110_reader_undo.sql", reader),
                    script("110_reader.sql", reader),
                ),
            ),
        )


def _table_parts(
    intent: Intent, audit: AuditIntent, catalog: Catalog, table: Table, names: Names
) -> Iterator[Part]:
    name: TableName = (table.schema, table.name)
    members = [table, *_partitions(catalog, table)]
    if foreign := [each for each in members if each.kind == "foreign table"]:
        raise BadInput(
            f"{table.qualified} has the partition {foreign[0].qualified} on another server, whose rows no "
            "trigger here can see (CREATE TRIGGER, Notes): take it out, or leave the table out of the audit"
        )
    by_row = is_by_row(audit, catalog, name)
    hidden = hidden_columns(intent, catalog, name)
    watch = watch_statement(table, hidden, by_row=by_row, truncation=audit.truncate, names=names)
    yield Part(
        "trigger",
        table.qualified + " audit",
        watch,
        _statement("call {audit}.unwatch({table})", {**names, "table": composing.Literal(_regclass(table))}),
        "Each event, each partition, TRUNCATE too; ENABLE ALWAYS, for session_replication_role skips others.",
        table=name,
        mutations=tuple(_table_mutations(members, hidden, by_row, watch, names)),
    )


def is_by_row(audit: AuditIntent, catalog: Catalog, name: TableName) -> bool:
    """Whether the table has the row trigger: declared so, or in an inheritance that is not of partitions.

    A statement trigger of an inheritance parent sees the children's rows cut to the parent's columns.
    """
    has_children = any(name in each.inherits for each in catalog.tables)
    return name in audit.by_row or has_children or bool(catalog.table(*name).inherits)


def _partitions(catalog: Catalog, table: Table) -> Iterator[Table]:
    for each in catalog.tables:
        if each.partition_of == (table.schema, table.name):
            yield each
            yield from _partitions(catalog, each)


def _regclass(table: Table) -> str:
    return quoted_name(table.schema) + "." + quoted_name(table.name)


def _array(values: Sequence[str]) -> composing.Composable:
    listed = composing.SQL(", ").join([composing.Literal(each) for each in values])
    return composing.SQL("array[{}]::text[]").format(listed)


def watch_statement(table: Table, hidden: Hidden, *, by_row: bool, truncation: str, names: Names) -> str:
    """The call that puts *table* under audit, or mends its triggers."""
    return _statement(
        "call {audit}.watch({table}, {by_row}, {redacted}, {omitted}, {truncation})",
        {
            **names,
            "table": composing.Literal(_regclass(table)),
            "by_row": composing.Literal(by_row),
            "redacted": _array(hidden.redacted),
            "omitted": _array(hidden.omitted),
            "truncation": composing.Literal(truncation),
        },
    )


def _identifier(table: Table) -> composing.Identifier:
    return composing.Identifier(table.schema, table.name)


def _table_mutations(
    members: Sequence[Table], hidden: Hidden, by_row: bool, watch: str, names: Names
) -> Iterator[Mutation]:
    triggers = ("row",) if by_row else ("insert", "update", "delete")
    for member in members:
        at = {**names, "table": _identifier(member)}
        on = "" if member is members[0] else f" of {member.qualified}"
        own = triggers if member is members[0] or not by_row else ()
        for event in (*own, "truncate"):
            yield Mutation(
                f"{event} trigger{on} dropped",
                _statement(f"drop trigger audit_{event} on {{table}}", at),
                watch,
            )
        for event in own[:1]:
            yield Mutation(
                f"{event} trigger{on} disabled",
                _statement(f"alter table {{table}} disable trigger audit_{event}", at),
                watch,
            )
        for event in own[-1:]:
            yield Mutation(
                f"{event} trigger{on} not always",
                _statement(f"alter table {{table}} enable trigger audit_{event}", at),
                watch,
            )
        if member.partition_of and member.partition_bound:
            parent = {**at, "parent": composing.Identifier(*member.partition_of)}
            yield Mutation(
                f"{member.qualified} detached",
                _statement("alter table {parent} detach partition {table}", parent),
                _statement(
                    "alter table {parent} attach partition {table} {bound}",
                    {**parent, "bound": composing.SQL(member.partition_bound)},
                )
                + "\n"
                + watch,
            )
    if hidden.redacted or hidden.omitted:
        yield Mutation(
            "values not redacted",
            watch_statement(members[0], Hidden(), by_row=by_row, truncation="logged", names=names),
            watch,
        )
