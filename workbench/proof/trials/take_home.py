"""Statements to take home: an index made and dropped without blocking writes, and its name."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.proof.trials.model import NamedIndex, TakeHome
from workbench.proof.trials.runs import Name, reason
from workbench.proof.whatif.model import IndexDefinition

LONGEST_NAME = 63  # bytes: NAMEDATALEN - 1
_WORD = re.compile(r"\w+")
_LOOK_FOR_INVALID = (
    "if it fails or is cancelled it leaves an invalid index that writes still pay for "
    "(select indexrelid::regclass from pg_index where not indisvalid): drop that one, and run it again"
)
_ALONE = "CONCURRENTLY runs in no transaction block and waits for transactions that are older"
_ON_PARTITIONS = (
    "CONCURRENTLY cannot be used on a partitioned table: its index is made on it alone, on each partition "
    "concurrently, and theirs are attached; it is valid with the last one"
)
_UNDO_ON_PARTITIONS = (
    "a partitioned table's index can only be dropped with an exclusive lock on it and its partitions: "
    "set lock_timeout before"
)
_ANALYZE = "ANALYZE gathers the statistics of the index's expressions, without which it is planned blindly"


@dataclass(frozen=True)
class Built:
    """An index that was made by the statements to take home; times in ms, the size is of the main fork."""

    index: NamedIndex
    take_home: TakeHome
    build_ms: float
    size_bytes: int


@dataclass(frozen=True)
class NotBuilt:
    index: NamedIndex
    why: str


def named(
    definitions: Iterable[IndexDefinition], taken: Collection[tuple[str, str]] = ()
) -> tuple[NamedIndex, ...]:
    """A name for each definition: table_columns_idx as PostgreSQL would say, cut to 63 bytes, each its own.

    *taken* are (schema, name) of relations that there are. The same definitions get the same names.
    """
    used = set(taken)
    found = []
    for definition in definitions:
        name = _name(definition, used)
        used.add((definition.schema, name))
        found.append(NamedIndex(name, definition))
    return tuple(found)


def names_taken(conn: Connection, schemas: Iterable[str]) -> set[tuple[str, str]]:
    """(schema, name) of all relations in *schemas*."""
    rows = sql.fetch(conn, "proof/trials/names_taken.sql", {"schemas": sorted(set(schemas))})
    return {(row["schema"], row["name"]) for row in rows}


def _name(definition: IndexDefinition, used: set[tuple[str, str]]) -> str:
    parts = [definition.table, *(_word(key.text) for key in definition.keys)]
    if definition.predicate:
        parts.append("part")
    ending = "_idx" if definition.method == "btree" else f"_{definition.method}"
    whole = "_".join(parts) + ending
    if len(whole.encode()) <= LONGEST_NAME and (definition.schema, whole) not in used:
        return whole
    for attempt in range(1_000):
        digest = hashlib.sha256(f"{definition!r}{attempt or ''}".encode()).hexdigest()[:8]
        tail = f"_{digest}{ending}"
        name = _cut("_".join(parts), LONGEST_NAME - len(tail)) + tail
        if (definition.schema, name) not in used:
            return name
    raise ValueError(f"no free name was found for an index on {definition.table!r}")


def _word(text: str) -> str:
    """A column's name as it is; of an expression its words."""
    return "_".join(_WORD.findall(text)) or "expr"


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore").rstrip("_")


def creation(conn: Connection, index: NamedIndex) -> TakeHome:
    """The statements that make *index* on a table in use, and those that drop it."""
    definition = index.definition
    table = qualified(definition.schema, definition.table)
    partitions = sql.fetch(conn, "proof/trials/partitions.sql", {"names": [table]})
    partitioned = partitions or _is_partitioned(conn, table)
    name = composed.Identifier(definition.schema, index.name)
    if partitioned:
        statements = _on_partitions(conn, index, partitions)
        undo = composed.SQL("drop index {}").format(name)
        notes = [_ON_PARTITIONS, _LOOK_FOR_INVALID, _UNDO_ON_PARTITIONS]
    else:
        statements = [definition.create(index.name, concurrently=True)]
        undo = composed.SQL("drop index concurrently {}").format(name)
        notes = [_ALONE, _LOOK_FOR_INVALID]
    if any(key.is_expression for key in definition.keys):
        statements.append(
            composed.SQL("analyze {}").format(composed.Identifier(definition.schema, definition.table))
        )
        notes.append(_ANALYZE)
    return TakeHome(_texts(conn, statements), _texts(conn, [undo]), tuple(notes))


def _is_partitioned(conn: Connection, table: str) -> bool:
    row = conn.execute(
        "select relkind = 'p' from pg_catalog.pg_class where oid = pg_catalog.to_regclass(%s)", [table]
    ).fetchone()
    return bool(row and row[0])


def _on_partitions(
    conn: Connection, index: NamedIndex, partitions: Sequence[dict[str, object]]
) -> list[composed.Composed]:
    """The index on the parent alone, then on each partition from the top down, attached to the one above."""
    root = index.definition
    schemas = [root.schema, *(str(row["schema"]) for row in partitions)]
    used = names_taken(conn, schemas) | {(root.schema, index.name)}
    made: dict[tuple[str, str], Name] = {(root.schema, root.table): (root.schema, index.name)}
    statements = [root.create(index.name, only=True)]
    attached: list[composed.Composed] = []
    for row in partitions:
        part = replace(root, schema=str(row["schema"]), table=str(row["name"]))
        name = _name(part, used)
        used.add((part.schema, name))
        made[part.schema, part.table] = (part.schema, name)
        nested = bool(row["partitioned"])
        statements.append(part.create(name, only=nested, concurrently=not nested))
        above = made[str(row["parent_schema"]), str(row["parent_name"])]
        attached.append(
            composed.SQL("alter index {} attach partition {}").format(
                composed.Identifier(*above), composed.Identifier(part.schema, name)
            )
        )
    return [*statements, *attached]


def removal(conn: Connection, row: dict[str, object]) -> TakeHome:
    """The statements that drop an existing index, and those that make it again; *row* is of resolved.sql."""
    name = composed.Identifier(str(row["schema"]), str(row["name"]))
    definition = str(row["definition"])
    if row["partitioned"]:
        undo = definition.replace(" ON ONLY ", " ON ", 1)
        statement = composed.SQL("drop index {}").format(name)
        notes: tuple[str, ...] = (
            _UNDO_ON_PARTITIONS,
            "made again like this it blocks writes; see the recipe of CREATE INDEX for partitioned tables",
        )
    else:
        undo = definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
        statement = composed.SQL("drop index concurrently {}").format(name)
        notes = (_ALONE, _LOOK_FOR_INVALID)
    return TakeHome(_texts(conn, [statement]), (undo,), notes)


def _texts(conn: Connection, statements: Iterable[composed.Composable]) -> tuple[str, ...]:
    return tuple(statement.as_string(conn) for statement in statements)


def build(conn: Connection, index: NamedIndex, *, timeout_s: float) -> Built | NotBuilt:
    """Make *index* on the copy by the very statements to take home; what could not be made leaves nothing."""
    take_home = creation(conn, index)
    started = time.perf_counter()
    try:
        for statement in take_home.do:
            run_alone(conn, statement, timeout_s=timeout_s)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        _sweep(conn, index)
        return NotBuilt(index, reason(exc))
    elapsed_ms = (time.perf_counter() - started) * 1000
    (row,) = sql.fetch(conn, "proof/trials/resolved.sql", {"names": [index.qualified]})
    if not row["valid"]:
        _sweep(conn, index)
        return NotBuilt(index, "it does not become valid: a partition cannot have its part of it")
    return Built(index, take_home, elapsed_ms, int(row["size_bytes"]))


def _sweep(conn: Connection, index: NamedIndex) -> None:
    """Drop what a failed CREATE INDEX has left: the invalid index, and parts that were not attached."""
    names = sql.fetch(
        conn, "proof/trials/invalid_parts.sql", {"table": index_table(index), "name": index.name}
    )
    for row in names:
        conn.execute(
            composed.SQL("drop index if exists {}").format(composed.Identifier(row["schema"], row["name"]))
        )


def index_table(index: NamedIndex) -> str:
    return qualified(index.definition.schema, index.definition.table)


def run_alone(conn: Connection, statement: str, *, timeout_s: float) -> None:
    """One statement outside any transaction, given up after *timeout_s*."""
    conn.execute(
        "select pg_catalog.set_config('statement_timeout', %s, false)", [f"{max(1, int(timeout_s * 1000))}ms"]
    )
    try:
        conn.execute(composed.SQL(statement))
    finally:
        if not conn.closed:
            conn.execute("reset statement_timeout")
