"""Sources: the example, a file, a live database; what each may change, and how each fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from workbench.areas.oltp.examine import break_constraints, review_source
from workbench.catalog.digest import activity_counters, catalog_digest, data_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Server, private_cluster
from workbench.errors import BadInput, ScriptError, SourceError, SourceUnreachable
from workbench.source import Options, open_source, resolve

SECRET = "s3cr3t-Pa55-%/word"  # with characters that a URL must encode


@dataclass(frozen=True)
class Live:
    """Somebody's own server with a password, and a URL of a user who may only read."""

    server: Server
    url: str


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """A live database of a user with a password, with rows, odd names and a trigger."""
    from urllib.parse import quote

    with private_cluster(
        hba=["local all wb_superuser trust", "local all all scram-sha-256"], settings={"autovacuum": "off"}
    ) as (server, _):
        with server.session() as conn:
            conn.execute("create role architect login password %s", [SECRET])
            conn.execute("create database shop")
        with server.session("shop") as conn:
            conn.execute(
                """
                create table customer (id int primary key, email text unique,
                                       "a <b>odd</b> Näme" text not null);
                create table purchase (id int primary key, customer_id int references customer, price float8,
                                       at timestamp not null default now(), check (price >= 0));
                insert into customer select n, n || '@example.org', 'x' from generate_series(1, 500) n;
                insert into purchase select n, n % 500 + 1, n from generate_series(1, 5000) n;
                create sequence loose;
                grant usage on schema public to architect;
                grant select on all tables in schema public to architect;
                grant select on all sequences in schema public to architect;
                analyze;
                """
            )
        login = f"architect:{quote(SECRET, safe='')}@"
        yield Live(server, f"postgresql://{login}/shop?host={quote(server.host, safe='')}&port={server.port}")


def state_of(live: Live) -> tuple[str, dict[str, str], object]:
    with live.server.session("shop") as conn:
        return catalog_digest(conn), data_digest(conn), activity_counters(conn)


def run_cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ},
    )


def test_a_full_run_leaves_a_named_database_as_it_was(live: Live, tmp_path: Path) -> None:
    """Structure, rows and activity counters are the same afterwards, and the password reached no output."""
    before = state_of(live)

    made = run_cli("report", "--source", live.url, "--out", "out", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert state_of(live) == before
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert {finding["check"] for finding in findings} >= {"unindexed_foreign_key", "money_as_floating_point"}
    secrets = [SECRET, live.url.partition("architect:")[2].partition("@")[0]]
    written = [
        made.stdout,
        made.stderr,
        *(
            path.read_bytes().decode(errors="replace")
            for path in (tmp_path / "out").rglob("*")
            if path.is_file()
        ),
    ]
    assert not [text[:200] for text in written for secret in secrets if secret in text]


def test_a_named_database_refuses_to_be_written(live: Live, server: Server) -> None:
    """The connection to a named database is READ ONLY, whatever the role may do."""
    with open_source(live.url, server) as opened:
        assert opened.read_only
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            opened.connection.execute("create table t (id int)")
        timeouts = opened.connection.execute(
            "select current_setting('statement_timeout'), current_setting('lock_timeout')"
        )
        assert timeouts.fetchone() == ("5min", "2s")


def test_the_scratch_copy_of_a_named_database_has_structure_and_no_rows(live: Live, server: Server) -> None:
    """Proofs run on a copy on the engine; the rows stay where they are."""
    with open_source(live.url, server) as opened, opened.scratch() as scratch:
        assert {table.name for table in reflect(scratch).base_tables} == {"customer", "purchase"}
        assert scratch.execute("select count(*) from customer").fetchone() == (0,)
        scratch.execute("drop table purchase")


def test_a_copy_that_cannot_be_made_is_one_line_about_the_database(live: Live, server: Server) -> None:
    """A structure that may not be dumped: the findings stand, and each says why it was not proved."""
    with live.server.session("shop") as conn:
        conn.execute("create table hidden (id int)")
    try:
        with open_source(live.url, server) as opened:
            findings = review_source(opened)
            proofs = break_constraints(opened, reflect(opened.connection))
        assert {finding.object for finding in findings} >= {"public.hidden"}
        assert not any(finding.verified for finding in findings)
        assert {finding.unverified_because for finding in findings} == {proofs.why_none}
        assert "its structure cannot be dumped" in proofs.why_none and "hidden" in proofs.why_none
    finally:
        with live.server.session("shop") as conn:
            conn.execute("drop table hidden")


def test_a_password_is_in_no_representation(live: Live, server: Server) -> None:
    """Neither the source nor its errors show the password."""
    source = resolve(live.url)
    assert SECRET not in repr(source) + source.spec
    wrong = live.url.replace("s3cr3t", "wrong")
    with (
        pytest.raises(SourceUnreachable, match="refuses the user or the password") as refused,
        open_source(wrong, server),
    ):
        pass
    assert "wrong" not in str(refused.value)
    bare = source.spec
    with pytest.raises(SourceUnreachable, match="asks for a password"), open_source(bare, server):
        pass


def test_the_example_is_filled_and_ours_to_change(server: Server) -> None:
    """The example's connection may write; a scratch copy is another database with the same rows."""
    with open_source("ecommerce", server) as opened, opened.scratch() as scratch:
        count = "select count(*) from shop.orders"
        rows = opened.connection.execute(count).fetchone()
        assert rows and rows[0] > 1000
        opened.connection.execute("create table public.mine (id int)")
        scratch.execute("drop table shop.orders cascade")
        assert opened.connection.execute(count).fetchone() == rows


def test_a_file_is_loaded_into_databases_that_are_gone_afterwards(server: Server, tmp_path: Path) -> None:
    """A file's tables are there inside the block, and no database of it after it."""
    (tmp_path / "s.sql").write_text("create table t (id int primary key); insert into t values (1);")
    with open_source(str(tmp_path / "s.sql"), server) as opened:
        names = [opened.base, opened.connection.info.dbname]
        assert opened.connection.execute("select * from t").fetchall() == [(1,)]
        with opened.scratch() as scratch:
            names.append(scratch.info.dbname)
            assert scratch.execute("select * from t").fetchall() == [(1,)]
    with server.session() as conn:
        left = conn.execute("select datname from pg_catalog.pg_database where datname = any(%s)", [names])
        assert left.fetchall() == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "no source is named"),
        ("nowhere.sql", "there is no such file"),
        (".", "is a directory"),
        ("mysql://root@localhost/db", "a mysql:// source is not supported"),
        ("postgresql://[::1/x", "is not a PostgreSQL URL"),
        ("postgresql://me:secr/et@h/db", "must be percent-encoded"),
        ("postgresql://me:secr#et@h/db", "must be percent-encoded"),
    ],
)
def test_a_source_that_cannot_be_is_one_line(spec: str, said: str) -> None:
    """Wrong sources are named before anything starts."""
    with pytest.raises(SourceError, match=said) as refused:
        resolve(spec)
    assert "\n" not in str(refused.value)
    assert "secr" not in str(refused.value)


@pytest.mark.parametrize("spec", ["mongodb://me:secret@h/shop", "orders.bson"])
def test_a_source_of_collections_is_not_opened_as_sql(spec: str, server: Server, tmp_path: Path) -> None:
    """What reads SQL says which command reads collections."""
    (tmp_path / "orders.bson").write_bytes(b"")
    named = spec if "://" in spec else str(tmp_path / spec)
    with (
        pytest.raises(SourceError, match=r"holds collections.*workbench nosql review --source") as refused,
        open_source(named, server),
    ):
        pass
    assert "secret" not in str(refused.value)


def test_an_unreachable_server_is_one_line(server: Server) -> None:
    """Nobody listens there: the URL and what to check."""
    with (
        pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1:1/shop: .*is the server up") as refused,
        open_source("postgresql://architect:secret@127.0.0.1:1/shop", server),
    ):
        pass
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


EVIL = """
create function run() returns trigger language plpgsql as $$
begin
    copy (select 1) to program 'touch {file}';
    return new;
end $$;
create function holds(int) returns boolean language plpgsql as $$
begin
    copy (select 1) to program 'touch {file}';
    return $1 > 0;
exception when insufficient_privilege then
    return $1 > 0;
end $$;
create table t (id int primary key, n int check (holds(n)), m int references t);
create trigger run before insert or update on t for each row execute function run();
alter table t enable always trigger run;
"""


def test_code_of_a_file_never_runs_as_a_superuser(server: Server, tmp_path: Path) -> None:
    """Triggers and checks of a file that reach for the shell do so in vain, in the proofs as well."""
    file = Path("/tmp") / f"workbench-test-{os.getpid()}-pwned"
    (tmp_path / "s.sql").write_text(EVIL.replace("{file}", str(file)))
    with open_source(str(tmp_path / "s.sql"), server) as opened:
        attempts = break_constraints(opened, reflect(opened.connection)).attempts
        review_source(opened)
        for conn in (opened.connection, psycopg2.connect(opened.sql_url)):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), conn.cursor() as cur:
                cur.execute("insert into t values (1, 1)")
    assert {attempt.constraint: attempt.outcome for attempt in attempts}["t_n_check"] == "refused"
    assert not file.exists()


@pytest.mark.parametrize("script", ["create schema x;", "create extension ltree;", "select 1;"])
def test_a_source_without_tables_is_one_line(script: str, server: Server, tmp_path: Path) -> None:
    """No table and no view: there is nothing to look at, and the line says so."""
    (tmp_path / "s.sql").write_text(script)
    with (
        pytest.raises(SourceError, match="no table and no view"),
        open_source(str(tmp_path / "s.sql"), server),
    ):
        pass


def test_a_view_alone_is_something_to_look_at(server: Server, tmp_path: Path) -> None:
    """The near miss of a source without tables."""
    (tmp_path / "s.sql").write_text("create view v as select 1 as n;")
    with open_source(str(tmp_path / "s.sql"), server) as opened:
        assert [table.name for table in reflect(opened.connection).tables] == ["v"]


def test_a_time_out_that_cannot_be_is_refused() -> None:
    """The statement time-out is more than 0 and at most a day."""
    with pytest.raises(BadInput, match="time-out"):
        Options(timeout_s=0)


def test_a_failing_file_names_its_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """An error on line 1,204 is reported as that line; no database stays."""
    (tmp_path / "s.sql").write_text("-- comment\n" * 1203 + "create tabel t (id int);\n")
    ours = "select datname from pg_catalog.pg_database where datname like %s"
    with (
        pytest.raises(ScriptError, match=r"s\.sql:1204: syntax error"),
        open_source(str(tmp_path / "s.sql"), server),
    ):
        pass
    with server.session() as conn:
        assert conn.execute(ours, [f"wb\\_%\\_{os.getpid()}\\_%"]).fetchall() == []
