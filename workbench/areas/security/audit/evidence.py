"""A superuser tampers with the trail of a copy, in every way that the seals and their anchors must show."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql as composing

from workbench import sql
from workbench.areas.security.audit.parts import audited_tables
from workbench.areas.security.audit.sealing import Anchor, Tampering, seal, verify
from workbench.areas.security.intent.model import TableName
from workbench.areas.security.trial import Target, target_copy
from workbench.catalog.model import Table, qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

_FOLDER = "security/audit/tampering"
_ROWS = 3  # that are deleted before each seal
_DELETE = "delete from {table} where ctid in (select ctid from {table} limit {rows})"
_PUT_BACK = """
    insert into {table} ({columns}) overriding system value
    select {columns} from {kept} where ({key}) not in (select {key} from {table}) limit 1
"""


@dataclass(frozen=True)
class Tampered:
    """One way in which a superuser changed the trail, and what was *said* with the anchors, and without.

    *should_be_noticed* is false for the control alone, in which nothing was changed.
    """

    name: str
    how: str
    should_be_noticed: bool
    said: tuple[Tampering, ...]
    without_anchor: tuple[Tampering, ...]

    @property
    def noticed(self) -> bool:
        return bool(self.said)


def prove_evidence(target: Target) -> list[Tampered]:
    """Seal the trail of a copy of *target*, and tamper with it in each way that is known, one after another.

    The first is the control, which must say nothing. Everything is rolled back, and the copy dropped.
    Raises BadInput where no audited table has rows whose deletion could be logged.
    """
    audit = target.intent.audit
    if audit is None:
        raise BadInput(f"intent {target.intent.name} has no audit: there is no trail to tamper with")
    with target_copy(target, "tampered") as name, target.place.server.session(name) as conn:
        anchors = [_sealed(conn, target, audit.schema) for _ in range(2)]
        entry = conn.execute(
            composing.SQL("select max(entry_id) from {}.log").format(composing.Identifier(audit.schema))
        ).fetchone()
        assert entry is not None
        return list(_tampered(conn, audit.schema, anchors, int(entry[0])))


def _sealed(conn: Connection, target: Target, schema: str) -> Anchor:
    """Some rows are deleted, which the trail logs, and the entries sealed."""
    with _own_rules_off(conn):
        for table in _audited(target):
            name = composing.Identifier(table.schema, table.name)
            statement = composing.SQL(_DELETE).format(table=name, rows=composing.Literal(_ROWS))
            deleted = conn.execute(statement)
            if deleted.rowcount:
                return seal(conn, schema=schema)
    raise BadInput(f"{target.intent.name}: no audited table has rows, so there is nothing to seal")


@contextlib.contextmanager
def _own_rules_off(conn: Connection) -> Iterator[None]:
    """Foreign keys and the tables' own triggers rest; the trail's fire always."""
    conn.execute("set session_replication_role = replica")
    try:
        yield
    finally:
        conn.execute("reset session_replication_role")


def _tampered(conn: Connection, schema: str, anchors: list[Anchor], entry: int) -> Iterator[Tampered]:
    def looked_at(name: str, how: str, should_be_noticed: bool) -> Tampered:
        said = tuple(verify(conn, anchors, schema=schema))
        return Tampered(name, how, should_be_noticed, said, tuple(verify(conn, [], schema=schema)))

    yield looked_at("nothing", "the control", False)
    names: dict[str, composing.Composable] = {
        "audit": composing.Identifier(schema),
        "log_name": composing.Literal(composing.Identifier(schema, "log").as_string(conn)),
        "entry_id": composing.Literal(entry),
    }
    off = composing.SQL(sql.read(f"{_FOLDER}/triggers_off.sql")).format(**names)
    for file in sql.files(_FOLDER):
        if not Path(file).name[0].isdigit():
            continue
        ((name, how), *_) = sql.header(file).items()
        statement = composing.SQL(sql.read(file)).format(**names)
        conn.execute("begin")
        try:
            conn.execute(off)
            conn.execute(statement, {"entry_id": entry})
            yield looked_at(name, how, True)
        finally:
            conn.execute("rollback")


@dataclass(frozen=True)
class Travelled:
    """The rows of *table* as of a moment, when *rows* of them were kept aside.

    *found* came back from the trail, *equal* of them as they were, redacted values apart; *changed* had been
    deleted since, and one of those put back.
    """

    table: TableName
    rows: int
    changed: int
    equal: int
    found: int

    @property
    def exact(self) -> bool:
        return self.rows == self.equal == self.found


def prove_time_travel(target: Target) -> list[Travelled]:
    """In a copy of *target*, keep each audited table's rows aside, change some, and ask the trail for them.

    Tables without rows or without a key are left out. Raises BadInput for an intent without an audit.
    """
    if target.intent.audit is None:
        raise BadInput(f"intent {target.intent.name} has no audit: there is no trail to travel in")
    with target_copy(target, "travelled") as name, target.place.server.session(name) as conn:
        conn.execute("create schema workbench_kept")
        with _own_rules_off(conn):
            found = [_travelled(conn, target.intent.audit.schema, table) for table in _audited(target)]
        return [each for each in found if each is not None]


def _travelled(conn: Connection, schema: str, table: Table) -> Travelled | None:
    if table.primary_key is None:
        return None
    names = {
        "audit": composing.Identifier(schema),
        "table": composing.Identifier(table.schema, table.name),
        "kept": composing.Identifier("workbench_kept", f"{table.schema}.{table.name}"[:63]),
        "columns": composing.SQL(", ").join(
            composing.Identifier(each.name) for each in table.columns if not each.generated
        ),
        "rows": composing.Literal(_ROWS),
    }
    names["relation"] = composing.Literal(names["table"].as_string(conn))
    conn.execute(composing.SQL("create table {kept} as select * from {table}").format(**names))
    moment = conn.execute("select pg_catalog.clock_timestamp()").fetchone()
    deleted = conn.execute(composing.SQL(_DELETE).format(**names)).rowcount
    names["key"] = composing.SQL(", ").join(map(composing.Identifier, table.primary_key.columns))
    conn.execute(composing.SQL(_PUT_BACK).format(**names))
    statement = composing.SQL(sql.read("security/audit/travelled.sql")).format(**names)
    key = list(table.primary_key.columns)
    row = conn.execute(statement, {"moment": moment, "key": key}).fetchone()
    assert row is not None
    kept, found, equal = row
    return Travelled((table.schema, table.name), kept, deleted, equal, found) if kept else None


def _audited(target: Target) -> list[Table]:
    return [each for each in audited_tables(target.intent, target.place.catalog) if not each.partition_of]


def evidence_rows(found: list[Tampered]) -> list[dict[str, Any]]:
    """What was done, and what the seals say of it, with the anchors outside and without."""
    return [
        {
            "what a superuser did": each.name,
            "how": each.how,
            "with the anchors": _words(each.said),
            "by the seals alone": _words(each.without_anchor),
            "as it should be": each.noticed == each.should_be_noticed,
        }
        for each in found
    ]


def travel_rows(found: list[Travelled]) -> list[dict[str, Any]]:
    """What was asked of the trail: the rows of each table as of a moment before they were changed."""
    return [
        {
            "table": qualified(*each.table),
            "rows then": each.rows,
            "changed since": each.changed,
            "given back": each.found,
            "equal": each.equal,
        }
        for each in found
    ]


def _words(found: tuple[Tampering, ...]) -> str:
    return ", ".join(f"{each.kind} (seal {each.seal_id})" for each in found) or "nothing"
