"""The digests show every change, and nothing that is none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.sql import SQL, Identifier

from workbench.catalog.digest import activity_counters, catalog_digest, data_digest, structure
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server

SCHEMA = """
create schema other;
create type mood as enum ('sad', 'happy');
create domain amount as int check (value > 0);
create function f() returns trigger language plpgsql as 'begin return new; end';
create table target (id int primary key);
create table t (
  id serial primary key, a int default 1, target int references target, b text, constraint ck check (a > 0)
);
create table parts (id int) partition by range (id);
create table parts_1 partition of parts for values from (1) to (9);
create index by_a on t (a);
create view v as select a from t;
create sequence s;
create policy p on t using (a > 0);
create trigger tr before insert on t for each row execute function f();
create statistics st on id, a from t;
comment on column t.a is 'the a';
insert into t (a) values (1), (2), (2), (null);
"""


@pytest.fixture(scope="module")
def standing(server: Server) -> Iterator[Connection]:
    """A connection to a database with one of everything, for all tests of this module."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        yield conn


@pytest.fixture
def passing(standing: Connection) -> Iterator[Connection]:
    """The same in a transaction that is rolled back."""
    standing.execute("begin")
    yield standing
    standing.execute("rollback")


@pytest.fixture
def conn(pg: Connection) -> Connection:
    """A connection to a database with one of everything."""
    pg.execute(SCHEMA)
    return pg


@pytest.fixture
def second(server: Server) -> Iterator[Connection]:
    """A connection to another empty scratch database."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        yield conn


@pytest.mark.parametrize(
    "change",
    [
        "create schema third",
        "create table new (id int)",
        "drop view v",
        "create or replace view v as select a + 1 as a from t",
        "alter table t add c int",
        "alter table t alter a set default 2",
        "alter table t alter b type varchar(9)",
        "alter table parts alter id set not null",
        "alter table t alter b set storage plain",
        "alter table t alter a set statistics 500",
        "alter table t rename a to c",
        "alter table t drop constraint ck",
        "alter table t set (fillfactor = 50)",
        "alter table t enable row level security",
        "alter table t disable trigger tr",
        "alter table t disable trigger all",
        "alter table t set unlogged",
        "alter table t set schema other",
        "alter table t replica identity full",
        "alter table parts detach partition parts_1",
        "alter index by_a rename to by_b",
        "cluster t using by_a",
        "create index on t (a, id)",
        "alter policy p on t using (a > 1)",
        "create or replace function f() returns trigger language plpgsql as 'begin return null; end'",
        "alter function f() security definer",
        "alter function f() set search_path = ''",
        "alter type mood add value 'ok'",
        "alter domain amount drop constraint amount_check",
        "drop statistics st",
        "comment on column t.a is 'another'",
        "comment on table t is 'the t'",
        "grant select on t to public",
        "grant select (a) on t to public",
        "grant usage on schema other to public",
        "alter default privileges grant select on tables to public",
        "select nextval('s')",
        "create rule r as on delete to t do instead nothing",
        "create extension citext",
        "create publication pub for table t",
    ],
)
def test_every_change_of_structure_shows(passing: Connection, change: str) -> None:
    """One change of any kind gives another digest."""
    before = catalog_digest(passing)

    passing.execute(change)

    assert catalog_digest(passing) != before


def test_what_is_no_change_of_structure_does_not_show(conn: Connection) -> None:
    """Rows, statistics, rewritten files, settings and what was rolled back leave the digest as it was."""
    before = structure(conn)

    conn.execute("insert into t (id, a) values (100, 1); analyze")
    conn.execute("vacuum full t")
    conn.execute("reindex table t; set search_path = other; set timezone = 'Asia/Tokyo'")
    conn.execute("create temporary table passing (id int)")
    conn.execute("begin; drop view public.v; rollback")

    assert structure(conn) == before


def test_two_databases_of_one_schema_have_one_digest(conn: Connection, second: Connection) -> None:
    """Neither oids nor the database's name are in the digests."""
    second.execute("create table so_that_oids_differ (id serial); drop table so_that_oids_differ")
    second.execute(SCHEMA)

    assert structure(second) == structure(conn)
    assert catalog_digest(second) == catalog_digest(conn)
    assert data_digest(second) == data_digest(conn)


def test_an_empty_database(pg: Connection) -> None:
    """An empty database has a digest of its structure, no tables, and no counters."""
    assert len(catalog_digest(pg)) == 64
    assert (data_digest(pg), activity_counters(pg)) == ({}, {})


@pytest.mark.parametrize(
    "change",
    [
        "insert into t values (9, 9)",
        "delete from t where id = 1",
        "update t set a = 7 where id = 1",
        "update t set b = '' where b is null",
        "insert into t (a) select a from t limit 1",
        "update t set a = case id when 1 then 2 when 2 then 1 else a end",
    ],
)
def test_every_change_of_rows_shows(passing: Connection, change: str) -> None:
    """Another row, a row less, another value, a double: only that table's digest changes."""
    before = data_digest(passing)

    passing.execute(change)

    after = data_digest(passing)
    assert {name for name in after if after[name] != before[name]} == {"public.t"}


def test_the_order_of_rows_and_the_settings_do_not_show(pg: Connection) -> None:
    """The same rows in another order under other settings have the same digest."""
    pg.execute("create table t (t timestamptz, f float8, i interval, b bytea)")
    pg.execute(
        "insert into t"
        " select '2024-01-01'::timestamptz + n * interval '1 day', n / 3.0, n * interval '1 h', '!'"
        " from generate_series(1, 50) n"
    )
    before = data_digest(pg)

    pg.execute("create table copy as select * from t; truncate t")
    pg.execute("insert into t select * from copy order by f desc; drop table copy")
    pg.execute("set timezone = 'Asia/Tokyo'; set datestyle = 'SQL, DMY'; set extra_float_digits = -5")
    pg.execute("set intervalstyle = 'iso_8601'; set bytea_output = 'escape'")

    assert data_digest(pg) == before
    assert before["public.t"].startswith("50:")


def test_rows_are_counted_where_they_are(conn: Connection) -> None:
    """Partitions and children hold their own rows; parents, views and foreign tables have none to count."""
    conn.execute("create table child () inherits (target); insert into child values (1)")
    conn.execute("insert into parts values (1), (2)")
    conn.execute(
        "create materialized view m as select a from t; create materialized view e as select 1 with no data"
    )

    counts = {name: digest.partition(":")[0] for name, digest in data_digest(conn).items()}

    assert counts == {
        "public.child": "1",
        "public.m": "4",
        "public.parts_1": "2",
        "public.t": "4",
        "public.target": "0",
    }


def test_odd_names_and_many_tables(pg: Connection) -> None:
    """Any name, and more tables than one statement takes."""
    for name in ('"', "'", "%s", "{x}", "Ü 🐘", *(f"t{number}" for number in range(120))):
        pg.execute(SQL("create table {} (t int, {} int)").format(Identifier(name), Identifier(name + "!")))

    digests = data_digest(pg)

    assert len(digests) == 125
    assert {'public.""""', 'public."\'"', 'public."%s"', 'public."{x}"', 'public."Ü 🐘"'} <= set(digests)
    assert set(digests.values()) == {"0:0"}


def test_hidden_rows_are_an_error(conn: Connection, server: Server) -> None:
    """A role from which a policy hides rows gets an error instead of a digest of the rest."""
    role = Identifier("workbench test digest")
    conn.execute(SQL("create role {}").format(role))
    try:
        conn.execute(SQL("grant select on all tables in schema public to {}").format(role))
        conn.execute(SQL("alter table t enable row level security; set role {}").format(role))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            data_digest(conn)
    finally:
        conn.execute(SQL("reset role; drop owned by {0}; drop role {0}").format(role))


def test_activity_is_counted(conn: Connection, server: Server, database: str) -> None:
    """Inserts, updates, deletes, vacuum and analyze each move their counter; reading moves none."""
    before = activity_counters(conn)["public.target"]
    with server.session(database) as other:
        other.execute("insert into target select generate_series(1, 5)")
        other.execute("update target set id = 9 where id = 5")
        other.execute("delete from target where id < 3")
        other.execute("vacuum target")
        other.execute("analyze target")
        _flush(other)
    after = activity_counters(conn)["public.target"]

    assert before == {"inserted": 0, "updated": 0, "deleted": 0, "vacuums": 0, "analyzes": 0}
    assert after == {"inserted": 5, "updated": 1, "deleted": 2, "vacuums": 1, "analyzes": 1}


def test_reading_leaves_no_trace(conn: Connection, server: Server, database: str) -> None:
    """The catalog and both digests leave structure, rows and counters as they were, the system's own too."""
    _flush(conn)
    with server.session(database) as watching:
        before = _state(watching)
        with server.session(database) as reading:
            reflect(reading)
            catalog_digest(reading)
            data_digest(reading)
            _flush(reading)

        assert _state(watching) == before


def test_a_temporary_table_leaves_a_trace(conn: Connection, server: Server, database: str) -> None:
    """What is gone again has still been written: the counters of the system's tables show it."""
    _flush(conn)
    before = _state(conn)
    with server.session(database) as other:
        other.execute("create temporary table passing (id int)")
        _flush(other)

    changed = [now != then for now, then in zip(_state(conn), before, strict=True)]
    assert changed == [False, False, False, True]


def _flush(conn: Connection) -> None:
    """Have the session's work counted now, rather than up to a second after it ends."""
    if conn.info.server_version < 150000:
        time.sleep(1.5)
    else:
        conn.execute("select pg_stat_force_next_flush()")


def _state(conn: Connection) -> tuple[object, ...]:
    return (
        catalog_digest(conn),
        data_digest(conn),
        activity_counters(conn),
        activity_counters(conn, system=True),
    )
