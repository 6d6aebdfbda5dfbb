"""What a finding says is possible, tried: as the role that it is possible for, in a copy, rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.posture.running import Row
from workbench.engines.postgres import Connection

TRIAL = "security/posture/trial"


@dataclass(frozen=True)
class Outcome:
    """*reached* says whether the attempt got what the finding says; None where nothing could be tried.

    *text* is a sentence for people, *facts* the figures.
    """

    reached: bool | None
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Attempt: TypeAlias = Callable[[Connection, Row, str], Outcome]


@contextmanager
def undone(conn: Connection) -> Iterator[None]:
    """A savepoint of which nothing stays, whatever happened in it."""
    conn.execute("savepoint workbench_attempt")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_attempt")
            conn.execute("release savepoint workbench_attempt")


@contextmanager
def acting_as(conn: Connection, role: str) -> Iterator[None]:
    """In the block the session is *role*'s, as if it had logged in; nothing that is done in it stays."""
    with undone(conn):
        conn.execute(composed.SQL("set local session authorization {}").format(composed.Identifier(role)))
        yield


def _relation(row: Row) -> composed.Composable:
    return composed.Identifier(row["schema"], row["table"])


@dataclass(frozen=True)
class _User:
    """A role that may use a relation, and *title*, what it is called in the evidence."""

    role: str
    title: str


def _user_of(conn: Connection, row: Row, outsider: str, privileges: list[str]) -> _User | None:
    """A role that may use the relation of *row* with one of *privileges*; None where nobody may.

    Where PUBLIC may, it is the outsider, who gets USAGE on the schema and nothing else.
    """
    found = sql.fetch(conn, f"{TRIAL}/grantees.sql", {**row, "privileges": privileges})
    if not found:
        return None
    if role := found[0]["role"]:
        return _User(role, role)
    enter(conn, row["schema"], outsider)
    return _User(outsider, "a role without any grant but USAGE on the schema")


def enter(conn: Connection, schema: str, role: str) -> None:
    """Let *role* use *schema*."""
    conn.execute(
        composed.SQL("grant usage on schema {} to {}").format(
            composed.Identifier(schema), composed.Identifier(role)
        )
    )


def rows_seen(conn: Connection, relation: composed.Composable, role: str | None = None) -> int:
    """How many rows of *relation* the superuser, or *role*, sees."""
    statement = composed.SQL("select pg_catalog.count(*) from {}").format(relation)
    if role is None:
        return _number(conn, statement)
    with acting_as(conn, role):
        return _number(conn, statement)


def _number(conn: Connection, statement: composed.Composable) -> int:
    row = conn.execute(statement).fetchone()
    return int(row[0]) if row else 0


_NOBODY = Outcome(None, "nobody but the owner is granted it")


def _public_table(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads or changes the table as a role that was granted nothing."""
    enter(conn, row["schema"], outsider)
    for privilege, statement in _uses(conn, row):
        if privilege not in row["privileges"]:
            continue
        try:
            with acting_as(conn, outsider):
                count = conn.execute(statement).rowcount
        except psycopg2.IntegrityError:  # it may, and a constraint has another opinion of the row
            count = 0
        return Outcome(
            True,
            f"a role without any grant but USAGE on the schema ran {privilege} on it ({count} rows)",
            {"privilege": privilege, "rows": count},
        )
    return Outcome(None, "")


def _uses(conn: Connection, row: Row) -> Iterator[tuple[str, composed.Composable]]:
    """The statements for which the privileges on a relation are, none of which changes a row."""
    relation = _relation(row)
    columns = [composed.Identifier(each) for each in row["columns"] or ()]
    shown: composed.Composable = composed.SQL(", ").join(columns) if columns else composed.SQL("*")
    yield "SELECT", composed.SQL("select {} from {}").format(shown, relation)
    yield "TRUNCATE", composed.SQL("truncate {}").format(relation)
    yield "DELETE", composed.SQL("delete from {} where false").format(relation)
    first = columns or [
        composed.Identifier(each["name"]) for each in sql.fetch(conn, f"{TRIAL}/first_column.sql", row)
    ]
    if first:
        yield "UPDATE", composed.SQL("update {} set {} = default where false").format(relation, first[0])
    yield "INSERT", composed.SQL("insert into {} default values").format(relation)


def _public_create(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Creates a table in the schema as a role that was granted nothing."""
    with acting_as(conn, outsider):
        conn.execute(
            composed.SQL("create table {} ()").format(composed.Identifier(row["schema"], "wb_planted"))
        )
    return Outcome(True, "a role without any grant created a table there")


def _not_forced(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads the table as its owner, and again once row security is forced."""
    relation = _relation(row)
    seen = rows_seen(conn, relation, row["owner"])
    with undone(conn):
        conn.execute(composed.SQL("alter table {} force row level security").format(relation))
        forced = rows_seen(conn, relation, row["owner"])
    return _compared(rows_seen(conn, relation), seen, forced, "its owner", "with row security forced")


def _policy_without_rls(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads the table as a role that is granted it, and again once row security is on."""
    user = _user_of(conn, row, outsider, ["SELECT"])
    if user is None:
        return _NOBODY
    relation = _relation(row)
    seen = rows_seen(conn, relation, user.role)
    with undone(conn):
        conn.execute(composed.SQL("alter table {} enable row level security").format(relation))
        held = rows_seen(conn, relation, user.role)
    return _compared(rows_seen(conn, relation), seen, held, user.title, "with row security on")


def _compared(total: int, seen: int, held: int, who: str, how: str) -> Outcome:
    facts = {"rows": total, "rows_seen": seen, "rows_due": held}
    if total == 0:
        return Outcome(None, "the copy has no row to be seen", facts)
    return Outcome(seen > held, f"{who} saw {seen} of {total} rows, and {held} {how}", facts)


def _definer_view(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads the view as a role that is granted it, and again with that role's own rights."""
    user = _user_of(conn, row, outsider, ["SELECT"])
    if user is None:
        return _NOBODY
    view = _relation(row)
    seen = rows_seen(conn, view, user.role)
    with undone(conn):
        conn.execute(composed.SQL("alter view {} set (security_invoker = true)").format(view))
        conn.execute(
            composed.SQL("grant pg_read_all_data to {}").format(composed.Identifier(user.role))
        )  # so that policies alone decide what is seen
        held = rows_seen(conn, view, user.role)
    return _compared(rows_seen(conn, view), seen, held, user.title, "where the policies hold for it")


def _partition(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads the partition by its own name, and through its parent."""
    user = _user_of(conn, row, outsider, ["SELECT"])
    if user is None:
        return _NOBODY
    leaf, root = _relation(row), composed.Identifier(row["root_schema"], row["root"])
    seen = rows_seen(conn, leaf, user.role)
    with acting_as(conn, user.role):
        try:
            held = _number(
                conn,
                composed.SQL(
                    "select pg_catalog.count(*) from {} as root where root.tableoid = {}::pg_catalog.regclass"
                ).format(root, composed.Literal(leaf.as_string(conn))),
            )
        except psycopg2.errors.InsufficientPrivilege:
            held = 0
    return _compared(rows_seen(conn, leaf), seen, held, user.title, f"through {row['root']}")


def _materialized_view(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Reads the materialized view as a role that is granted it."""
    user = _user_of(conn, row, outsider, ["SELECT"])
    if user is None:
        return _NOBODY
    seen, total = rows_seen(conn, _relation(row), user.role), rows_seen(conn, _relation(row))
    if total == 0:
        return Outcome(None, "the copy has no row to be seen", {"rows": 0})
    return Outcome(
        seen == total,
        f"{user.title} saw all {seen} rows, whosever they are",
        {"rows_seen": seen},
    )


def _always_true(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Deletes every row as a role that may delete; of other commands the policy says it itself."""
    if row["command"] not in ("*", "d"):
        return Outcome(None, "")
    user = _user_of(conn, row, outsider, ["DELETE"])
    if user is None:
        return _NOBODY
    relation = _relation(row)
    total = rows_seen(conn, relation)
    with acting_as(conn, user.role):
        gone = conn.execute(composed.SQL("delete from {}").format(relation)).rowcount
    if total == 0:
        return Outcome(None, "the copy has no row to be changed", {"rows": 0})
    return Outcome(
        gone == total, f"{user.title} deleted {gone} of {total} rows", {"deleted": gone, "rows": total}
    )


def _truncate(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Empties the table as a role that is granted TRUNCATE."""
    user = _user_of(conn, row, outsider, ["TRUNCATE"])
    if user is None:
        return Outcome(None, "TRUNCATE is not among the privileges")
    try:
        with acting_as(conn, user.role):
            conn.execute(composed.SQL("truncate {}").format(_relation(row)))
    except psycopg2.errors.FeatureNotSupported:  # which comes after the privileges were looked at
        return Outcome(True, f"{user.title} was stopped by a foreign key, and by no right and no policy")
    return Outcome(True, f"{user.title} emptied the table whatever the policies say")


_VALUES_TRIED = 20


def _forged(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Sets the setting to values that stand in the table, as a role that is granted it."""
    user = _user_of(conn, row, outsider, ["SELECT"])
    if row["roles"]:  # it may read through a group that the table is granted to
        user = _User(row["roles"][0], row["roles"][0])
    if user is None:
        return _NOBODY
    relation = _relation(row)
    shown: dict[str, int] = {}
    for column in sql.fetch(conn, f"{TRIAL}/policy_columns.sql", row):
        values = conn.execute(  # a name may hold a %, so that no parameter can go with it
            composed.SQL(
                "select distinct {0}::text from {1} where {0} is not null order by 1 limit {2}"
            ).format(composed.Identifier(column["name"]), relation, composed.Literal(_VALUES_TRIED))
        ).fetchall()
        for (value,) in values:
            with acting_as(conn, user.role):
                conn.execute("select pg_catalog.set_config(%s, %s, true)", [row["setting"], value])
                count = _number(conn, composed.SQL("select pg_catalog.count(*) from {}").format(relation))
            if count:
                shown[value] = count
    total = sum(shown.values())
    facts = {"identities_tried": len(shown), "rows_seen": total}
    if len(shown) < 2:
        return Outcome(None, "the copy has no rows of two identities that the setting tells apart", facts)
    return Outcome(
        True,
        f"{user.title} set {row['setting']} to {len(shown)} identities in turn and saw {total} rows",
        facts,
    )


def _call_definer(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Calls the function as a role without any grant."""
    (function,) = sql.fetch(conn, f"{TRIAL}/function.sql", {"function": row["oid"]})
    enter(conn, row["schema"], outsider)
    with acting_as(conn, outsider):
        allowed = conn.execute(
            "select pg_catalog.has_function_privilege(%s::oid, 'execute')", [row["oid"]]
        ).fetchone()
        if not (allowed and allowed[0]):
            return Outcome(False, "the role may not call it")
        try:
            conn.execute(call_of(function))
            said = "ran to its end"
        except psycopg2.Error as exc:
            said = f"began, and ended with {(exc.diag.message_primary or str(exc)).strip()!r}"
    return Outcome(True, f"a role without any grant but USAGE on the schema called it, and it {said}")


def call_of(function: Row) -> composed.Composable:
    """The statement that calls *function* with harmless values."""
    how = "call {}({})" if function["kind"] == "p" else "select * from {}({})"
    return composed.SQL(how).format(  # the arguments were printed by the server
        composed.Identifier(function["schema"], function["name"]), composed.SQL(function["arguments"] or "")
    )


ATTEMPTS: dict[str, Attempt] = {
    "public_table": _public_table,
    "public_create": _public_create,
    "public_definer_function": _call_definer,
    "rls_not_forced": _not_forced,
    "policy_without_rls": _policy_without_rls,
    "definer_view": _definer_view,
    "exposed_partition": _partition,
    "exposed_materialized_view": _materialized_view,
    "policy_always_true": _always_true,
    "truncate_past_rls": _truncate,
    "forgeable_identity": _forged,
}
