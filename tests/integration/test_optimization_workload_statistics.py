"""The workload that pg_stat_statements has counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql as composed

from workbench.engines.postgres import Connection, Server, installed_binaries, private_cluster
from workbench.errors import FeatureUnavailable
from workbench.proof.workload import runnable, sample_values, workload_of_files, workload_of_statistics

SCHEMA = """
create schema "Odd Ext";
create extension pg_stat_statements schema "Odd Ext";
create table orders (order_id int primary key, status text, placed timestamptz);
insert into orders
select g, 'done', now() - g * interval '1 hour' from generate_series(1::int, 1000::int) g;
analyze orders;
create function busy() returns bigint language plpgsql as $$
begin return (select count(*) from orders where status <> 'new'); end $$;
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server of these tests alone: on one that others use, what is counted may be thrown out for theirs."""
    with private_cluster() as (server, _):
        yield server


@pytest.fixture
def empty(own: Server) -> Iterator[Connection]:
    """An empty database."""
    with own.scratch_database(label="test") as name, own.session(name) as conn:
        yield conn


@pytest.fixture
def counted(empty: Connection) -> Connection:
    """A database with the extension in an odd schema."""
    empty.execute(SCHEMA)
    return empty


def test_queries_are_counted_with_their_figures(counted: Connection) -> None:
    """A query has its calls as weight, times and blocks; utility statements and the catalog are left out."""
    for number in range(3):
        counted.execute("select * from orders where order_id = %s", [number])
    counted.execute("vacuum orders")
    counted.execute("select count(*) from pg_catalog.pg_class")

    found = workload_of_statistics(counted)

    (query,) = [each for each in found.statements if each.kind == "select"]
    assert query.sql == "select * from orders where order_id = $1"
    assert (query.weight, query.values, query.where) == (3, None, "pg_stat_statements")
    seen = query.observed
    assert seen is not None
    assert (seen.calls, seen.rows) == (3, 2)
    assert seen.mean_ms == pytest.approx(seen.total_ms / 3)
    assert seen.max_ms is not None
    assert 0 < seen.mean_ms <= seen.max_ms <= seen.total_ms
    assert (seen.blocks_hit or 0) > 0
    assert {each.kind for each in found.statements} == {"select", "insert"}
    assert any("utility statements" in note for note in found.notes)
    times = [each.observed.total_ms for each in found.statements if each.observed]
    assert times == sorted(times, reverse=True)


def test_what_was_normalised_can_be_planned_again(counted: Connection) -> None:
    """Intervals, fields, lists and limits have parameters that PREPARE takes, and values."""
    counted.execute(
        "select * from orders where order_id in (1, 2, 3, 4, 5) and placed > now() - interval '3 days'"
        " and extract(year from placed) = 2024 and status like 'd%' order by placed limit 5"
    )

    counted.execute("select jsonb_build_object('a', status), concat('b', status) from orders")
    found = workload_of_statistics(counted)
    (query,) = [each for each in sample_values(counted, found.statements) if "limit" in each.sql]

    assert not found.unread
    assert query.values is not None
    counted.execute(composed.SQL("explain ") + runnable(query))


def test_tables_of_another_search_path_are_found(counted: Connection) -> None:
    """They are looked for in the path that is set for the database, then in the only schema that has them."""
    counted.execute(
        """
        create schema "The Shop";
        create table "The Shop".carts (id int); create table "The Shop".twice (id int);
        create schema app; create table app.users (id int); create table app.twice (id int);
        """
    )
    counted.execute(
        composed.SQL("alter database {} set search_path = app, public").format(
            composed.Identifier(counted.info.dbname)
        )
    )
    counted.execute('set search_path = app, "The Shop"')
    counted.execute("select * from users, carts")
    counted.execute("set search_path = app")
    counted.execute("select * from users join twice using (id)")
    counted.execute('set search_path = "The Shop"')
    counted.execute("select id from carts join twice using (id)")
    counted.execute("reset search_path")
    counted.execute("set search_path = public")

    found = workload_of_statistics(counted)

    paths = {each.sql: each.search_path for each in found.statements if each.kind == "select"}
    assert paths == {
        "select * from users join twice using (id)": ("app", "public"),
        "select id from carts join twice using (id)": ("The Shop", "public"),
    }
    assert [each.reason for each in found.unread] == ['relation "users" does not exist']
    assert any("they are taken for those of app" in note for note in found.notes)


def test_prepared_statements_and_what_only_looks_like_a_query(counted: Connection) -> None:
    """A statement that was prepared is itself; a savepoint, whose name is a parameter too, is a utility."""
    counted.execute("prepare p(int) as select status from orders where order_id = $1 and status <> 'x'")
    counted.execute("execute p(1)")
    counted.execute("begin; savepoint here; rollback to savepoint here; rollback")

    found = workload_of_statistics(counted)

    assert [each.sql for each in found.statements if each.kind == "select"] == [
        "select status from orders where order_id = $1 and status <> $2"
    ]
    assert not found.unread


def test_what_is_asked_leaves_no_trace(counted: Connection, tmp_path: Path) -> None:
    """The superuser's check of a file's statements is not counted, nor does it give them a text."""
    path = tmp_path / "w.sql"
    path.write_text("select status from orders where order_id = 1")
    workload_of_files(path, counted)
    counted.execute("select status from orders where order_id = 2")

    texts = counted.execute(
        'select s.query from "Odd Ext".pg_stat_statements s join pg_database d on d.oid = s.dbid'
        " where d.datname = current_database()"
    ).fetchall()

    assert ("select status from orders where order_id = $1",) in texts
    assert not any("prepare workbench" in text for (text,) in texts)


def test_another_database_is_not_counted(own: Server, counted: Connection) -> None:
    """Statements of other databases on the same server are none of this one's."""
    counted.execute("select 'here' from orders")
    with own.scratch_database(label="test") as name, own.session(name) as other:
        other.execute("create table elsewhere (id int)")
        other.execute("select 'there' from elsewhere")

        found = workload_of_statistics(counted)

    assert any("from orders" in each.sql for each in found.statements)
    assert not any("elsewhere" in each.sql for each in [*found.statements])
    assert not found.unread


def test_users_are_added_up_and_may_be_hidden(own: Server, counted: Connection) -> None:
    """One statement of two users is one; who may not read the other's is told what to grant."""
    role = f"reader_{counted.info.backend_pid}"
    counted.execute(composed.SQL("create role {} login").format(composed.Identifier(role)))
    try:
        counted.execute(composed.SQL("grant select on orders to {}").format(composed.Identifier(role)))
        counted.execute(
            composed.SQL('grant usage on schema "Odd Ext" to {}').format(composed.Identifier(role))
        )
        counted.execute("select status from orders where order_id = 1")
        with own.session(counted.info.dbname, user=role) as reader:
            with pytest.raises(FeatureUnavailable, match=f"grant pg_read_all_stats to {role}"):
                workload_of_statistics(reader)
            reader.execute("select status from orders where order_id = 2")
            (mine,) = workload_of_statistics(reader).statements
            notes = workload_of_statistics(reader).notes
        (both,) = [each for each in workload_of_statistics(counted).statements if "select status" in each.sql]
    finally:
        counted.execute(composed.SQL("drop owned by {}").format(composed.Identifier(role)))
        counted.execute(composed.SQL("drop role {}").format(composed.Identifier(role)))

    assert (mine.weight, both.weight) == (1, 2)
    assert any("are hidden: grant pg_read_all_stats" in note for note in notes)


def test_statements_in_functions_are_named_as_such(counted: Connection) -> None:
    """Where the server counts inside functions their statements are there, with a note on their time."""
    counted.execute("set pg_stat_statements.track = 'all'")
    counted.execute("select busy()")

    found = workload_of_statistics(counted)

    (inner,) = [each for each in found.statements if "status <>" in each.sql]
    assert inner.name.endswith(", in a function")
    assert any("in their callers' as well" in note for note in found.notes)


def test_the_greatest_are_taken(counted: Connection) -> None:
    """At most so many by total and by mean time, and the share of the time that they are is told."""
    for column in ("order_id", "status", "placed", "count(*)", "max(status)", "min(placed)"):
        counted.execute(composed.SQL("select {} from orders").format(composed.SQL(column)))

    found = workload_of_statistics(counted, most=2)

    assert 2 <= len(found.statements) <= 4
    assert any("statements are taken, those of the greatest" in note for note in found.notes)


def test_what_to_switch_on_is_told(empty: Connection) -> None:
    """Without the extension, with nothing counted, or with counting off, the hint says what to do."""
    with pytest.raises(FeatureUnavailable, match="create extension pg_stat_statements"):
        workload_of_statistics(empty)
    empty.execute("create extension pg_stat_statements")
    with pytest.raises(FeatureUnavailable, match="let the application run"):
        workload_of_statistics(empty)
    empty.execute("set pg_stat_statements.track = 'none'")
    with pytest.raises(FeatureUnavailable, match=r"pg_stat_statements\.track = 'top'"):
        workload_of_statistics(empty)
    empty.execute("reset pg_stat_statements.track")
    empty.execute("set compute_query_id = off")
    with pytest.raises(FeatureUnavailable, match="compute_query_id = 'auto'"):
        workload_of_statistics(empty)


def test_a_library_that_is_not_loaded() -> None:
    """Without shared_preload_libraries the hint names it, and the restart."""
    with private_cluster(settings={"shared_preload_libraries": ""}) as (server, _), server.session() as conn:
        with pytest.raises(
            FeatureUnavailable, match=r"shared_preload_libraries .* restart .* create extension"
        ):
            workload_of_statistics(conn)
        conn.execute("create extension pg_stat_statements")
        with pytest.raises(FeatureUnavailable, match=r"shared_preload_libraries .* restart the server$"):
            workload_of_statistics(conn)


@pytest.fixture(scope="module")
def older() -> Iterator[Connection]:
    """An installed PostgreSQL of another version."""
    found = installed_binaries()
    if not found:
        pytest.skip("no other PostgreSQL is installed")
    with private_cluster(binaries=found[0]) as (server, _), server.session() as conn:
        yield conn


def test_older_versions_of_the_extension(older: Connection) -> None:
    """The oldest version of the extension that the server has calls its columns otherwise."""
    older.execute("create extension pg_stat_statements version '1.4'")
    older.execute("create table t (id int)")
    for version in ("1.4", "1.8", "1.9"):
        older.execute("select pg_stat_statements_reset()")
        if version != "1.4":
            older.execute(
                composed.SQL("alter extension pg_stat_statements update to {}").format(
                    composed.Literal(version)
                )
            )
        older.execute("select * from t where id = 1")

        (found,) = workload_of_statistics(older).statements

        assert (found.weight, found.observed and found.observed.calls) == (1, 1)
