"""A column that holds values already, encrypted in place; and where its plaintext stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.areas.security.encryption import (
    BlindIndex,
    ColumnCipher,
    Keyring,
    KeyTable,
    KeyUnavailable,
    encrypt_column,
    reencrypt_column,
)
from workbench.areas.security.encryption.keyring import Keyring as Opened
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.leaks import Marker, PostgresGround, hunt, hunting_ground
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

PLAIN = b"plaintext-of-long-ago-0123456789"


@pytest.fixture(scope="module")
def ground() -> Iterator[PostgresGround]:
    with hunting_ground() as found:
        yield found


@pytest.fixture
def conn(ground: PostgresGround) -> Iterator[Connection]:
    with (
        ground.server.scratch_database(label="existing") as database,
        ground.server.session(database) as found,
    ):
        yield found


@pytest.fixture
def keyring(conn: Connection, ground: PostgresGround, tmp_path: Path) -> Keyring:
    table = KeyTable(lambda: ground.server.session(conn.info.dbname))
    table.make()
    return Keyring(table, LocalFile(tmp_path / "keys.json"))


def cipher_of(keyring: Keyring, table: str, column: str, schema: str = "public") -> ColumnCipher:
    return ColumnCipher(keyring, schema, table, column)


def opened(conn: Connection, cipher: ColumnCipher, query: str) -> list[Any]:
    return [cipher.decrypt(stored, key) for key, stored in conn.execute(query).fetchall()]


def test_every_value_is_sealed_and_null_stays_null(conn: Connection, keyring: Keyring):
    """In batches, the last one short; the clear column stays until it is asked to go."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute(
        "insert into people "
        "select n, case when n % 5 > 0 then 'ssn ' || n end from generate_series(1, 1003) n"
    )
    cipher = cipher_of(keyring, "people", "ssn")

    done = encrypt_column(conn, cipher, batch=100)

    assert (done.column, done.sealed_rows, done.dropped) == ("public.people.ssn", 803, False)
    assert opened(conn, cipher, "select id, ssn_sealed from people order by id") == [
        None if n % 5 == 0 else f"ssn {n}" for n in range(1, 1004)
    ]
    assert "public.people.ssn itself" in done.remains[0]
    assert encrypt_column(conn, cipher).sealed_rows == 0


def test_the_clear_column_goes_when_asked(conn: Connection, keyring: Keyring):
    """Its not-null constraint moves to the sealed one; the blind index is there and finds."""
    conn.execute("create table people (id uuid primary key default gen_random_uuid(), ssn text not null)")
    conn.execute("insert into people (ssn) select 'ssn ' || n from generate_series(1, 50) n")
    cipher, index = cipher_of(keyring, "people", "ssn"), BlindIndex(keyring, "public", "people", "ssn")

    encrypt_column(conn, cipher, index=index, drop=True)

    columns = conn.execute(
        "select attname, attnotnull from pg_attribute where attrelid = 'people'::regclass and attnum > 0 "
        "and not attisdropped order by attnum"
    ).fetchall()
    assert columns == [("id", True), ("ssn_sealed", True), ("ssn_index", False)]
    found = conn.execute(
        "select id, ssn_sealed from people where ssn_index = %s", [index.of("SSN 7")]
    ).fetchall()
    assert [cipher.decrypt(stored, key) for key, stored in found] == ["ssn 7"]


def test_it_goes_on_where_it_was_interrupted(
    conn: Connection, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
):
    """A failure in the third batch leaves two done; the next call seals the rest, and no row twice."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("insert into people select n, 'ssn ' || n from generate_series(1, 50) n")
    cipher = cipher_of(keyring, "people", "ssn")
    original, calls = Opened.sealing, []

    def failing(self: Keyring, identity: str = "", *, count: int = 1) -> Any:
        calls.append(count)
        if len(calls) == 3:
            raise KeyUnavailable("the provider is away")
        return original(self, identity, count=count)

    monkeypatch.setattr(Opened, "sealing", failing)
    with pytest.raises(KeyUnavailable):
        encrypt_column(conn, cipher, batch=10)
    assert conn.execute("select count(ssn_sealed) from people").fetchone() == (20,)

    assert encrypt_column(conn, cipher, batch=10).sealed_rows == 30
    assert opened(conn, cipher, "select id, ssn_sealed from people order by id") == [
        f"ssn {n}" for n in range(1, 51)
    ]


def test_odd_names_keys_of_many_columns_and_partitions(conn: Connection, keyring: Keyring):
    """Quotes, capitals, spaces; a key of date, numeric and bytea; rows in two partitions; a date sealed."""
    conn.execute('create schema "Ödd ""S"')
    conn.execute(
        'create table "Ödd ""S"."T a%b" ("K 1" date, "k""2" numeric, k3 bytea, "Born On" date, '
        'primary key ("K 1", "k""2", k3)) partition by range ("K 1")'
    )
    for year in (2025, 2026):
        conn.execute(
            f'create table "Ödd ""S".p{year} partition of "Ödd ""S"."T a%b" '
            f"for values from ('{year}-01-01') to ('{year + 1}-01-01')"
        )
    conn.execute(
        'insert into "Ödd ""S"."T a%b" select date \'2025-06-01\' + n * 30, n / 4.0, int4send(n), '
        "date '1990-01-01' + n from generate_series(1, 12) n"
    )
    conn.execute("set datestyle = 'German'")
    cipher = cipher_of(keyring, "T a%b", "Born On", 'Ödd "S')

    done = encrypt_column(conn, cipher, sealed="Born %s", drop=True, batch=5)

    conn.execute("reset datestyle")
    rows = conn.execute('select "K 1", "k""2", k3, "Born %s" from "Ödd ""S"."T a%b" order by 1').fetchall()
    assert done.sealed_rows == 12 and done.column == '"Ödd ""S"."T a%b"."Born On"'
    assert [cipher.decrypt(stored, (day, number, bytes(raw))) for day, number, raw, stored in rows] == [
        f"1990-01-{n + 1:02d}" for n in range(1, 13)
    ]


def test_what_goes_with_a_dropped_column_is_told(conn: Connection, keyring: Keyring):
    """A foreign key, a unique constraint with its index, a check; nothing while the column stays."""
    conn.execute("create table kinds (kind text primary key)")
    conn.execute(
        "create table people (id int primary key, kind text unique references kinds check (kind > ''))"
    )
    cipher = cipher_of(keyring, "people", "kind")

    assert encrypt_column(conn, cipher).gone == ()
    assert encrypt_column(conn, cipher, drop=True).gone == (
        "people_kind_check CHECK ((kind > ''::text))",
        "people_kind_fkey FOREIGN KEY (kind) REFERENCES kinds(kind)",
        "people_kind_key UNIQUE (kind)",
        "index people_kind_key",
    )


def test_an_empty_table_is_encrypted(conn: Connection, keyring: Keyring):
    """Nothing to seal; the columns change all the same."""
    conn.execute("create table people (id int primary key, ssn text)")

    assert encrypt_column(conn, cipher_of(keyring, "people", "ssn"), drop=True).sealed_rows == 0


def test_what_cannot_be_bound_is_refused(conn: Connection, keyring: Keyring):
    """No key, the key itself, a view, a generated column, an absent one, a taken name: each named."""
    conn.execute("create table keyless (ssn text)")
    conn.execute(
        "create table keyed "
        "(ssn text primary key, low text generated always as (lower(ssn)) stored, ssn_x int)"
    )
    conn.execute("create view shown as select ssn from keyless")
    cases = [
        ("keyless", "ssn", {}, "no primary key"),
        ("keyed", "ssn", {}, "part of the primary key"),
        ("keyed", "low", {}, "generated"),
        ("shown", "ssn", {}, "not a column of a table"),
        ("keyed", "absent", {}, "not in this database"),
        ("keyed", "ssn_x", {"sealed": "low"}, "is there already, of type text"),
        ("keyed", "ssn_x", {"sealed": "ä" * 32}, "longer than 63"),
        ("keyed", "ssn_x", {"identity_column": "nobody"}, "no column 'nobody'"),
        ("keyed", "ssn_x", {"batch": 0}, "batch of 0"),
    ]

    for table, column, options, words in cases:
        with pytest.raises(BadInput, match=words):
            encrypt_column(conn, cipher_of(keyring, table, column), **options)


def test_a_connection_that_only_reads_changes_nothing(conn: Connection, keyring: Keyring):
    """As of a database that was named: refused with what to give instead."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("set default_transaction_read_only = on")

    with pytest.raises(BadInput, match=r"read-only transaction.*scratch copy"):
        encrypt_column(conn, cipher_of(keyring, "people", "ssn"))


def test_a_rule_that_refuses_the_sealed_value_is_told_without_the_row(conn: Connection, keyring: Keyring):
    """A constraint's DETAIL shows the whole row in clear: the message has the constraint alone."""
    conn.execute("create table people (id int primary key, ssn text, ssn_sealed bytea)")
    conn.execute("insert into people values (1, '123-45-6789')")
    conn.execute("alter table people add constraint short check (octet_length(ssn_sealed) < 50)")

    with pytest.raises(BadInput, match="check constraint") as refused:
        encrypt_column(conn, cipher_of(keyring, "people", "ssn"))
    assert "6789" not in str(refused.value) and refused.value.__cause__ is None


def test_a_column_that_a_view_needs_is_sealed_and_kept(conn: Connection, keyring: Keyring):
    """The message names the view; the values are sealed, and dropped after the view is."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("insert into people values (1, 'a')")
    conn.execute("create view shown as select ssn from people")
    cipher = cipher_of(keyring, "people", "ssn")

    with pytest.raises(BadInput, match="view shown depends"):
        encrypt_column(conn, cipher, drop=True)
    assert conn.execute("select count(ssn), count(ssn_sealed) from people").fetchone() == (1, 1)
    conn.execute("drop view shown")
    assert encrypt_column(conn, cipher, drop=True).dropped


def test_a_value_written_after_it_was_sealed_keeps_the_column(conn: Connection, keyring: Keyring):
    """The clear value and the sealed one differ: nothing is dropped."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("insert into people values (1, 'a')")
    cipher = cipher_of(keyring, "people", "ssn")
    encrypt_column(conn, cipher)
    conn.execute("update people set ssn = 'b'")

    with pytest.raises(BadInput, match="written to after"):
        encrypt_column(conn, cipher, drop=True)
    assert conn.execute("select ssn from people").fetchone() == ("b",)


def test_values_are_sealed_anew_under_the_active_key(conn: Connection, keyring: Keyring):
    """In batches; then the former key can be destroyed and everything still opens."""
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("insert into people select n, 'ssn ' || n from generate_series(1, 25) n")
    cipher = cipher_of(keyring, "people", "ssn")
    encrypt_column(conn, cipher, drop=True)
    former = keyring.sealing().key_id

    assert reencrypt_column(conn, cipher, sealed="ssn_sealed") == 0
    keyring.rotate()
    assert reencrypt_column(conn, cipher, sealed="ssn_sealed", batch=10) == 25
    keyring.destroy(former)
    assert opened(conn, cipher, "select id, ssn_sealed from people order by id") == [
        f"ssn {n}" for n in range(1, 26)
    ]


def test_one_identity_is_shredded_and_the_others_are_sealed_anew(conn: Connection, keyring: Keyring):
    """Each value is sealed for its row's identity, after a rotation too; what was shredded is left."""
    conn.execute("create table people (id int primary key, owner text, ssn text)")
    conn.execute("insert into people select n, 'user ' || n % 3, 'ssn ' || n from generate_series(1, 9) n")
    cipher = cipher_of(keyring, "people", "ssn")
    encrypt_column(conn, cipher, identity_column="owner", drop=True)
    keyring.shred("user 1")
    keyring.rotate("user 2")

    assert reencrypt_column(conn, cipher, sealed="ssn_sealed") == 3
    for number, stored in conn.execute("select id, ssn_sealed from people order by id").fetchall():
        if number % 3 == 1:
            with pytest.raises(KeyUnavailable):
                cipher.decrypt(stored, number)
        else:
            assert cipher.decrypt(stored, number) == f"ssn {number}"


def test_the_plaintext_stays_where_it_is_said_to_stay(
    conn: Connection, keyring: Keyring, ground: PostgresGround
):
    """A dropped column stays in the files of table and statistics and in the log; vacuum full clears two."""
    here = PostgresGround(ground.server, conn.info.dbname, ground.data, ground.log)
    marker = [Marker("old value", PLAIN, "in clear, before the column was encrypted")]
    conn.execute("create table people (id int primary key, ssn text)")
    conn.execute("insert into people select n, %s from generate_series(1, 20) n", [PLAIN.decode()])
    conn.execute("create index on people (ssn)")
    conn.execute("analyze people")

    def seen() -> set[str]:
        return {each.place for each in hunt(here.places(), marker).leaks}

    everywhere = {"dump", "write-ahead log", "heap files", "index files", "statistics", "server log"}
    assert seen() == everywhere
    done = encrypt_column(conn, cipher_of(keyring, "people", "ssn"), drop=True)
    assert seen() == {"write-ahead log", "heap files", "statistics", "server log"}
    conn.execute("vacuum full people")
    conn.execute("vacuum full pg_catalog.pg_statistic")
    assert seen() == {"write-ahead log", "server log"}
    assert [line.partition(":")[0] for line in done.remains] == [
        "old versions of the rows of public.people, and the bytes of a dropped column",
        "pg_statistic's own old versions",
        "the write-ahead log, its archive, replicas and every backup",
        "the server's log and the audit trail, where they took the values",
    ]
