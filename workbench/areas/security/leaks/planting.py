"""The same work done twice, in the naive way and in ours, each with secrets of its own to be looked for."""

from __future__ import annotations

import contextlib
import html
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password
from psycopg2.extras import execute_values

from workbench.areas.security.encryption import BlindIndex, ColumnCipher, Keyring, KeyTable, ValueRefused
from workbench.areas.security.encryption.places import column_bytes
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.leaks.model import Marker
from workbench.areas.security.leaks.postgres import PostgresGround
from workbench.engines.postgres import Connection
from workbench.sql import run

_ROWS = 100
_SORTED_ROWS = 20_000
# where the sealed work must have left its traces, or it was not done where the hunt looked
_OF_CIPHERTEXT = frozenset(
    {
        "dump",
        "write-ahead log",
        "heap files",
        "statistics",
        "server log",
        "audit trail",
    }
)


def planted_word(label: str) -> str:
    """A text that occurs nowhere else, with characters that programs like to escape."""
    return f"{label} {secrets.token_hex(10)} 'Ä\"<\\"


def prepare(ground: PostgresGround) -> None:
    """Make the tables to plant in, and an audit trail that keeps everything."""
    with ground.server.session(ground.database) as conn:
        conn.execute("create extension if not exists pg_stat_statements")
        run(conn, ["security/leaks/naive_audit.sql", "security/leaks/planted_tables.sql"])


@contextlib.contextmanager
def planted_in_clear(ground: PostgresGround) -> Iterator[list[Marker]]:
    """The controls: a value in a plain column and a password set in a statement.

    The block runs while a sort of the value is on disk and its last statement is in pg_stat_activity.
    """
    value, password, setting = planted_word("value"), planted_word("password"), planted_word("setting")
    with _sessions(ground) as (conn, sorting):
        rows = [(number, value) for number in range(_ROWS)]
        with conn.cursor() as cur:
            execute_values(cur, "insert into clear_people (id, ssn) values %s", rows)
        _fails(conn, "insert into clear_people (id, ssn) values (1, %s)", [value])
        conn.execute(
            sql.SQL("do $body$ begin perform {}; end $body$").format(sql.Literal(value))
        )  # a statement whose constants pg_stat_statements keeps
        conn.execute(
            sql.SQL("alter database {} set app.encryption_key = {}").format(
                sql.Identifier(ground.database), sql.Literal(setting)
            )
        )
        _role(conn, "clear_login", password)
        conn.execute(
            sql.SQL("alter role clear_login set app.encryption_key = {}").format(sql.Literal(setting))
        )
        conn.execute("analyze clear_people")
        _sort(sorting, "clear_people", "ssn")
        if ground.report is not None:
            (ground.report / "control.html").write_text(f"<p>{html.escape(value)}</p>", encoding="utf-8")
        conn.execute("select count(*) from clear_people where ssn = %s", [value])
        yield [
            Marker("clear value", value.encode(), "in a plain column", frozenset(_of_value(ground))),
            Marker(
                "clear password",
                password.encode(),
                "alter role … password '…'",
                frozenset({"server log", "pg_stat_statements"}),
            ),
            Marker(
                "key in a setting",
                setting.encode(),
                "alter database, alter role … set app.encryption_key",
                frozenset({"settings", "roles", "dump", "server log", "write-ahead log", "heap files"}),
            ),
        ]


def _of_value(ground: PostgresGround) -> set[str]:
    return set(ground.places()) - {"settings", "roles"}


@contextlib.contextmanager
def planted_sealed(ground: PostgresGround, keys: Path) -> Iterator[list[Marker]]:
    """The same in our way: value, keys and password must be nowhere. *keys* is a folder for the key file."""
    value, password = planted_word("value"), planted_word("password")
    table = KeyTable(lambda: ground.server.session(ground.database))
    table.make()
    provider = LocalFile(keys / "keys.json")
    keyring = Keyring(table, provider)
    cipher = ColumnCipher(keyring, "public", "sealed_people", "ssn")
    index = BlindIndex(keyring, "public", "sealed_people", "ssn")
    with _sessions(ground) as (conn, sorting):
        stored = cipher.encrypt_many((value, number) for number in range(_ROWS))
        rows = [(number, each or b"", index.of(value) or b"") for number, each in enumerate(stored)]
        with conn.cursor() as cur:
            execute_values(cur, "insert into sealed_people (id, ssn, ssn_index) values %s", rows)
        _fails(conn, "insert into sealed_people (id, ssn) values (1, %s)", [stored[1]])
        keyring.rotate()
        provider.rotate()
        keyring.rewrap()
        conn.execute("update sealed_people set ssn = %s where id = %s", [cipher.encrypt(value, 2), 2])
        _role(conn, "sealed_login", encrypt_password(password, "sealed_login", conn, "scram-sha-256"))
        conn.execute("analyze sealed_people")
        _sort(sorting, "sealed_people", "ssn")
        if ground.report is not None:
            said = _what_a_program_prints(cipher, keyring, stored[3])
            (ground.report / "sealed.json").write_text(json.dumps(said), encoding="utf-8")
        conn.execute("select count(*) from sealed_people where ssn_index = %s", [index.of(value)])
        yield [
            Marker("sealed value", value.encode(), "encrypted by the application"),
            Marker(
                "ciphertext", rows[1][1], "what is stored in its stead", _OF_CIPHERTEXT | {"temporary files"}
            ),
            Marker(
                "blind index", rows[1][2], "beside it", _OF_CIPHERTEXT | {"index files", "pg_stat_activity"}
            ),
            Marker("password", password.encode(), "set as a SCRAM verifier made by the client"),
            *_keys(keyring, provider),
        ]


def _keys(keyring: Keyring, provider: LocalFile) -> Iterator[Marker]:
    column = column_bytes("public", "sealed_people", "ssn")
    for number, stored in enumerate(keyring.all_keys(), 1):
        key = keyring.opening(stored.key_id)
        yield Marker(f"data key {number}", key.material(), f"wrapped, of {stored.purpose}")
        if stored.purpose == "index":
            yield Marker("index key", key.index_key(column, "folded"), "derived for one column")
    for number, key_bytes in enumerate(provider.material().values(), 1):
        yield Marker(f"wrapping key {number}", key_bytes, "in the key file alone")


def _what_a_program_prints(cipher: ColumnCipher, keyring: Keyring, stored: Any) -> list[str]:
    said = [repr(each) for each in (cipher, keyring, keyring.provider, keyring.sealing(), keyring.all_keys())]
    try:
        cipher.decrypt(stored, -1)
    except ValueRefused as exc:
        said.append(f"{exc!r} {exc.__context__!r}")
    return said


@contextlib.contextmanager
def _sessions(ground: PostgresGround) -> Iterator[tuple[Connection, Connection]]:
    """One session that does the work, and one that keeps a sort open."""
    with ground.server.session(ground.database) as conn, ground.server.session(ground.database) as sorting:
        sorting.execute("set work_mem = '64kB'")
        yield conn, sorting


def _sort(conn: Connection, table: str, column: str) -> None:
    """Leave a sort open that does not fit into memory: its temporary file holds the values."""
    conn.execute("begin")
    statement = sql.SQL(
        "declare sorted cursor for select t.{column}, g.n from {table} t cross join "
        "pg_catalog.generate_series(1, {count}) as g (n) order by g.n * 7919 %% 104729, t.{column}"
    ).format(
        column=sql.Identifier(column),
        table=sql.Identifier(table),
        count=sql.Literal(_SORTED_ROWS // _ROWS),
    )
    conn.execute(statement, {})
    conn.execute("fetch 1 from sorted")


def _role(conn: Connection, name: str, password: str) -> None:
    conn.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
    conn.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(name), sql.Literal(password)))


def _fails(conn: Connection, statement: str, parameters: list[Any]) -> None:
    with contextlib.suppress(psycopg2.IntegrityError):
        conn.execute(statement, parameters)
