"""Encrypting a column that holds values already, and sealing values anew under another data key.

Both work in batches, each a transaction: whatever ends them, calling them again goes on where they were.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extras import execute_values

from workbench.areas.security.encryption.blind_index import BlindIndex
from workbench.areas.security.encryption.column import ColumnCipher
from workbench.areas.security.encryption.places import RowKey
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.sql import fetch, read

_LONGEST_NAME = 63
_FOLDER = "security/encryption/"
Sealed = tuple[bytes | None, bytes | None]  # of a value: what is stored, and its blind index


@dataclass(frozen=True)
class Encrypted:
    """What was done to *column*: *sealed_rows* were sealed by this call, *dropped* tells whether it is gone.

    *remains* says where its values still stand in clear, and until when, one line each. *gone* are the
    constraints and indexes that went with a dropped column: what they enforced nothing enforces any more.
    """

    column: str
    sealed_rows: int
    dropped: bool
    elapsed_ms: float
    remains: tuple[str, ...]
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Column:
    """A column of a table with a primary key, as the statements need it."""

    schema: str
    table: str
    column: str
    sealed: str
    key: tuple[str, ...]
    indexes: tuple[str, ...]
    columns: tuple[str, ...]
    constraints: tuple[str, ...]
    not_null: bool
    index: str = ""
    identity: str | None = None
    names: dict[str, sql.Composable] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        self.names.update(
            table=sql.Identifier(self.schema, self.table),
            column=sql.Identifier(self.column),
            sealed=sql.Identifier(self.sealed),
            key=sql.SQL(", ").join(map(sql.Identifier, self.key)),
            identity=sql.SQL("{}::text").format(sql.Identifier(self.identity))
            if self.identity
            else sql.SQL("null::text"),
        )

    @property
    def title(self) -> str:
        return qualified(self.schema, self.table, self.column)

    def text(self, name: str, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(read(_FOLDER + name)).format(**{**self.names, **more})


def encrypt_column(
    conn: Connection,
    cipher: ColumnCipher,
    *,
    sealed: str | None = None,
    index: BlindIndex | None = None,
    identity_column: str | None = None,
    drop: bool = False,
    batch: int = 5_000,
) -> Encrypted:
    """Seal the values of *cipher*'s column, as PostgreSQL prints them, into the bytea column *sealed*.

    With *index* their blind index goes into ``<column>_index``, with an index of its own. *identity_column*
    names the identity whose data key seals a row's value. The column in clear is dropped only with *drop*,
    and only when every value was opened again and is the same; nobody can write the table meanwhile.

    *conn* is an autocommit connection to a scratch copy, of the table's owner. Raises BadInput for a table
    without a primary key, a column of it, a view, and where another object needs the column or the login
    may not write.
    """
    began = time.monotonic()
    target = _column(conn, cipher, sealed, index, identity_column)
    try:
        _add_columns(conn, target)
    except (psycopg2.errors.ReadOnlySqlTransaction, psycopg2.errors.InsufficientPrivilege) as exc:
        raise BadInput(
            f"{target.title} cannot be encrypted here ({str(exc).splitlines()[0]}): "
            "give a connection of the table's owner to a scratch copy"
        ) from None
    ciphers = cache(lambda identity: replace(cipher, identity=identity))

    def seal(rows: Sequence[tuple[RowKey, str | None, Any]]) -> list[Sealed]:
        stored: Sequence[bytes | None]
        if identity_column is None:
            stored = cipher.encrypt_many((value, key) for key, _, value in rows)
        else:
            stored = [ciphers(identity or "").encrypt(value, key) for key, identity, value in rows]
        hashes = index.of_many(value for _, _, value in rows) if index else [None] * len(rows)
        return list(zip(stored, hashes, strict=True))

    count = _in_batches(conn, target, "batch_to_seal.sql", seal, batch)
    if index:
        _make_index(conn, target)
    if drop:
        _drop(conn, target, cipher, batch)
    elapsed_ms = 1000 * (time.monotonic() - began)
    gone = (*target.constraints, *(f"index {name}" for name in target.indexes)) if drop else ()
    return Encrypted(target.title, count, drop, elapsed_ms, _remains(target, dropped=drop), gone)


def reencrypt_column(
    conn: Connection, cipher: ColumnCipher, *, sealed: str | None = None, batch: int = 5_000
) -> int:
    """Seal anew, under the active keys, what former data keys have sealed in the column *sealed*; how many.

    Each value stays with its identity's keys. Those of a destroyed key are left: nothing opens them.
    Raises ValueRefused where a value is not authentic, with all former batches done.
    """
    target = _column(conn, cipher, sealed or cipher.column, None, None, existing=True)
    former = {
        each.key_id: each.identity
        for each in cipher.keyring.all_keys()
        if each.purpose == "values" and not each.active and each.wrapped is not None
    }
    ciphers = cache(lambda identity: replace(cipher, identity=identity))

    def seal(rows: Sequence[tuple[RowKey, str | None, Any]]) -> list[Sealed]:
        done: list[Sealed] = []
        for key, _, stored in rows:
            owner = ciphers(former[bytes(stored[2:34])])
            done.append((owner.encrypt(owner.decrypt_bytes(stored, key), key), None))
        return done

    if not former:
        return 0
    known = sql.Literal(list(former))
    return _in_batches(conn, target, "batch_to_reseal.sql", seal, batch, former=known)


def _column(
    conn: Connection,
    cipher: ColumnCipher,
    sealed: str | None,
    index: BlindIndex | None,
    identity: str | None,
    *,
    existing: bool = False,
) -> _Column:
    if not conn.autocommit:
        raise BadInput("encrypting a column needs an autocommit connection: every batch is a transaction")
    title = qualified(cipher.schema, cipher.table, cipher.column)
    name = cipher.column if existing and sealed is None else (sealed if existing else cipher.column)
    rows = fetch(
        conn,
        _FOLDER + "column_facts.sql",
        {"schema": cipher.schema, "table": cipher.table, "column": name},
    )
    if not rows:
        raise BadInput(f"{qualified(cipher.schema, cipher.table, name or '')} is not in this database")
    (facts,) = rows
    _check(facts, title, cipher.column, index, identity)
    if index and (index.schema, index.table, index.column) != (cipher.schema, cipher.table, cipher.column):
        raise BadInput(f"the blind index given is of another column than {title}")
    return _Column(
        cipher.schema,
        cipher.table,
        cipher.column,
        _name(sealed or f"{cipher.column}_sealed"),
        tuple(facts["key_columns"]),
        tuple(facts["indexes"]),
        tuple(facts["columns"]),
        tuple(facts["constraints"]),
        facts["not_null"],
        _name(f"{cipher.column}_index") if index else "",
        identity,
    )


def _check(
    facts: dict[str, Any], title: str, column: str, index: BlindIndex | None, identity: str | None
) -> None:
    if facts["kind"] not in ("r", "p"):
        raise BadInput(f"{title} is not a column of a table: encrypt the column that it shows")
    if not facts["key_columns"]:
        raise BadInput(
            f"the table of {title} has no primary key: a value is bound to its row by it; add one first"
        )
    if column in facts["key_columns"]:
        raise BadInput(
            f"{title} is part of the primary key, to which the values are bound: "
            "give the table a key that says nothing, and encrypt this column then"
        )
    if facts["generated"]:
        raise BadInput(f"{title} is generated from other columns: encrypt those")
    if identity is not None and identity not in facts["columns"]:
        raise BadInput(f"the table of {title} has no column {identity!r} to name the identity")


def _name(name: str) -> str:
    if len(name.encode()) > _LONGEST_NAME:
        raise BadInput(f"the name {name!r} is longer than {_LONGEST_NAME} bytes: give the new column another")
    return name


def _add_columns(conn: Connection, target: _Column) -> None:
    for name in filter(None, (target.sealed, target.index)):
        statement = sql.SQL("alter table {} add column if not exists {} bytea").format(
            target.names["table"], sql.Identifier(name)
        )
        conn.execute(statement)
        (facts,) = fetch(
            conn,
            _FOLDER + "column_facts.sql",
            {"schema": target.schema, "table": target.table, "column": name},
        )
        if facts["type"] != "bytea":
            raise BadInput(
                f"{qualified(target.schema, target.table, name)} is there already, "
                f"of type {facts['type']}: give another name for the sealed column"
            )


def _in_batches(
    conn: Connection,
    target: _Column,
    statement: str,
    seal: Callable[[Sequence[tuple[RowKey, str | None, Any]]], list[Sealed]],
    batch: int,
    **more: sql.Composable,
) -> int:
    if batch < 1:
        raise BadInput(f"a batch of {batch} rows: give 1 or more")
    count, after = 0, None
    while True:
        with _transaction(conn):
            found = conn.execute(
                target.text(statement, **_position(target, after), limit=sql.Literal(batch), **more)
            ).fetchall()
            if not found:
                return count
            width = len(target.key)
            rows = [(_row_key(row[:width]), row[width], row[width + 1]) for row in found]
            _put(conn, target, [row[:width] for row in found], seal(rows))
        count, after = count + len(found), found[-1][:width]


def _position(target: _Column, after: Sequence[Any] | None) -> dict[str, sql.Composable]:
    """Where a batch begins: at the first row, or behind the last one of the batch before."""
    values = [None] * len(target.key) if after is None else after
    return {
        "first": sql.Literal(after is None),
        "after": sql.SQL(", ").join(map(sql.Literal, values)),
    }


def _row_key(values: Sequence[Any]) -> RowKey:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in values)


def _put(conn: Connection, target: _Column, keys: Sequence[Sequence[Any]], values: list[Sealed]) -> None:
    conn.execute(target.text("batch_table.sql"))
    with conn.cursor() as cur:
        execute_values(
            cur,
            "insert into pg_temp.sealed_batch values %s",
            [(*key, *value) for key, value in zip(keys, values, strict=True)],
            page_size=1_000,
        )
    assignments = [sql.SQL("{} = b.sealed_value").format(target.names["sealed"])]
    if target.index:
        assignments.append(sql.SQL("{} = b.sealed_index").format(sql.Identifier(target.index)))
    same_row = sql.SQL(" and ").join(
        sql.SQL("t.{0} = b.{0}").format(sql.Identifier(name)) for name in target.key
    )
    statement = target.text("batch_put.sql", assignments=sql.SQL(", ").join(assignments), same_row=same_row)
    try:
        conn.execute(statement)
    except psycopg2.Error as exc:  # its DETAIL may show the row, in clear
        raise BadInput(
            f"sealed values cannot be written beside {target.title}: {exc.diag.message_primary}"
            f"{_within(exc)}; this batch is undone, those before it are done"
        ) from None


def _within(exc: psycopg2.Error) -> str:
    """Which function raised it: a trigger, most often."""
    last = (exc.diag.context or "").splitlines()[-1:]
    return f" ({last[0]})" if last and last[0].startswith("PL/pgSQL function") else ""


def _make_index(conn: Connection, target: _Column) -> None:
    name = f"{target.table}_{target.index}"
    conn.execute(
        sql.SQL("create index if not exists {} on {} ({})").format(
            sql.Identifier(name if len(name.encode()) <= _LONGEST_NAME else target.index),
            target.names["table"],
            sql.Identifier(target.index),
        )
    )


def _drop(conn: Connection, target: _Column, cipher: ColumnCipher, batch: int) -> None:
    with _transaction(conn):
        conn.execute(sql.SQL("lock table {} in share row exclusive mode").format(target.names["table"]))
        after: Sequence[Any] | None = None
        while rows := conn.execute(
            target.text("batch_to_check.sql", **_position(target, after), limit=sql.Literal(batch))
        ).fetchall():
            for *key, stored, value in rows:
                if stored is None or cipher.decrypt(stored, _row_key(key)) != value:
                    raise BadInput(
                        f"{target.title} was written to after it was sealed: it is kept; have the "
                        "application write the sealed column, null the old ones, and call this again"
                    )
            after = rows[-1][: len(target.key)]
        if target.not_null:
            conn.execute(
                sql.SQL("alter table {} alter column {} set not null").format(
                    target.names["table"], target.names["sealed"]
                )
            )
        try:
            conn.execute(
                sql.SQL("alter table {} drop column {}").format(target.names["table"], target.names["column"])
            )
        except psycopg2.errors.DependentObjectsStillExist as exc:
            needed_by = (exc.diag.message_detail or "").splitlines()[0]
            raise BadInput(f"{target.title} is sealed and was not dropped: {needed_by}") from None


def _remains(target: _Column, *, dropped: bool) -> tuple[str, ...]:
    table = qualified(target.schema, target.table)
    lines = []
    if not dropped:
        lines.append(f"{target.title} itself, and its row in pg_statistic, until it is dropped")
        lines += [f"the index {name}, until it is dropped" for name in target.indexes]
    lines += [
        f"old versions of the rows of {table}, and the bytes of a dropped column: until vacuum full {table}",
        "pg_statistic's own old versions: until vacuum full pg_catalog.pg_statistic",
        "the write-ahead log, its archive, replicas and every backup: until the last of them is gone",
        "the server's log and the audit trail, where they took the values: until they are purged",
    ]
    return tuple(lines)


@contextlib.contextmanager
def _transaction(conn: Connection) -> Iterator[None]:
    """A transaction in which values are printed in one way, whatever the session's settings are."""
    conn.execute("begin")
    try:
        conn.execute("set local datestyle = 'ISO, YMD'")
        conn.execute("set local timezone = 'UTC'")
        conn.execute("set local intervalstyle = 'postgres'")
        yield
    except BaseException:
        with contextlib.suppress(psycopg2.Error):
            conn.execute("rollback")
        raise
    conn.execute("commit")
