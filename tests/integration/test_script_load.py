"""Scripts as people have them, loaded on the real engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from workbench.engines.postgres import Connection, Server
from workbench.errors import EngineError, ScriptFailed
from workbench.script import LeftOut, LoadReport, as_loader, loaded_script

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("WORKBENCH_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """A script file with the given text."""

    def write(text: str) -> Path:
        path = tmp_path / "schema.sql"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def left_out(report: LoadReport) -> list[tuple[int, str]]:
    return [(left.line, left.statement) for left in report.left_out]


def scratch(server: Server) -> tuple[set[str], set[str]]:
    """The databases and roles of loads."""
    with server.session() as conn:
        databases = conn.execute(
            "select datname from pg_database where datname like 'wb\\_schema%'"
        ).fetchall()
        roles = conn.execute("select rolname from pg_roles where rolname like 'wb\\_script%'").fetchall()
    return {name for (name,) in databases}, {name for (name,) in roles}


def total_rows(conn: Connection) -> int:
    tables = conn.execute(
        """
        select pg_catalog.format('%I.%I', n.nspname, c.relname)
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
        """
    ).fetchall()
    return sum(conn.execute(f"select count(*) from {table}").fetchone()[0] for (table,) in tables)  # type: ignore[index]


# -- real scripts


@pytest.mark.parametrize(
    ("name", "tables", "rows", "left", "extensions"),
    [
        ("pagila.sql", 22, 46_273, [], []),
        ("chinook.sql", 11, 15_607, [19, 25, 28], []),
        ("northwind.sql", 14, 3_362, [], []),
        ("adventureworks-schema.sql", 68, 4, [2242], ["uuid-ossp"]),
    ],
)
def test_public_schemas_load(
    server: Server, name: str, tables: int, rows: int, left: list[int], extensions: list[str]
) -> None:
    """Public schemas load with all their rows; what was left out or stood in for is listed with its lines."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here: name its folder in WORKBENCH_TEST_DATA")

    with (
        loaded_script(server, path) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        found = conn.execute(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where relkind in ('r', 'p') and nspname !~ '^pg_|^information_schema$'"
        ).fetchone()
        assert found == (tables,)
        assert total_rows(conn) == rows

    assert [each.line for each in report.left_out] == left
    assert [each.extension for each in report.stood_in] == extensions


# -- errors say where


def test_error_is_reported_on_its_line(server: Server, script: Callable[[str], Path]) -> None:
    """The line is the file's, where the server points, however many lines stand before it."""
    lines = ["-- filler", "", "select 1;"] * 400 + ["select", "", "  1,", "  nix", "from", "pg_class;"]
    path = script("\n".join(lines))

    with pytest.raises(ScriptFailed) as raised, loaded_script(server, path):
        pass

    assert str(raised.value) == f'{path}:1204: column "nix" does not exist (select 1, nix from pg_class)'
    assert raised.value.line == 1204


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("select 1; select 2;\nselect\n\n 1 +;", 4, 'syntax error at or near ";"'),
        ("create table t (a int);\ncopy t from stdin;\n1\n2\nx\n4\n\\.\n", 5, "invalid input syntax"),
        ("create table t (a int primary key);\n\ninsert into t\nvalues (1), (1);", 3, "duplicate key"),
        ("do $$ begin\nperform 1/0;\nend $$; select 1;", 1, "PL/pgSQL function inline_code_block line 2"),
        ("select 'never closed;\nselect 2;", 1, "unterminated quoted string"),
        ("select (1;\nselect 2;", 1, "syntax error"),
        ("/* never closed\nselect 1;\n", 1, "comment"),
        ("select 1;\ncreate table t (a nonsense);", 2, 'type "nonsense" does not exist'),
        ("select 1;\nselect nonsense();", 2, "function nonsense() does not exist"),
        ("\\set a 1\n\\if :a\nselect nix;\n\\endif\n", 3, "nix"),
        ("select 1/0 \\gset\n", 1, "division"),
    ],
)  # fmt: skip
def test_errors_name_line_and_statement(
    server: Server, script: Callable[[str], Path], text: str, line: int, message: str
) -> None:
    """Each kind of error gives one line with the place in the file; nothing is left behind."""
    with pytest.raises(ScriptFailed) as raised, loaded_script(server, script(text)):
        pass

    assert message in str(raised.value)
    assert raised.value.line == line, str(raised.value)
    assert "\n" not in str(raised.value)


def test_statement_that_never_ends(server: Server, script: Callable[[str], Path]) -> None:
    """The time-out names the statement's line and how to raise it; SET statement_timeout does not lift it."""
    path = script("set statement_timeout = 0;\n\nselect pg_sleep(60);\n")

    with (
        pytest.raises(
            ScriptFailed, match=r":3: the statement ran into the time-out of 0\.3 s: raise --timeout"
        ),
        loaded_script(server, path, timeout_s=0.3),
    ):
        pass


def test_script_that_never_ends(server: Server, script: Callable[[str], Path]) -> None:
    """A script that lifts the time-out by a function is ended by the time for the whole file."""
    path = script("select set_config('statement_timeout', '0', false);\nselect 1;\nselect pg_sleep(60);\n")

    with (
        pytest.raises(ScriptFailed, match=r":3: the file was not loaded in 1 s: raise --timeout"),
        loaded_script(server, path, timeout_s=0.1),
    ):
        pass


def test_connection_that_ends(server: Server, script: Callable[[str], Path]) -> None:
    """A lost connection is the engine's trouble, in one line with the place in the file."""
    path = script("select 1;\nselect pg_terminate_backend(pg_backend_pid());\nselect 2;\n")

    with (
        pytest.raises(EngineError, match=r"schema\.sql:2: terminating connection") as raised,
        loaded_script(server, path),
    ):
        pass
    assert "\n" not in str(raised.value)


def test_passwords_stay_out_of_errors(server: Server, script: Callable[[str], Path]) -> None:
    """An error in a statement with a password does not print it."""
    path = script("create role app password 'hunter2' nonsense;\n")

    with pytest.raises(ScriptFailed) as raised, loaded_script(server, path):
        pass

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, RuntimeError])
def test_nothing_stays_behind(
    server: Server, script: Callable[[str], Path], trouble: type[BaseException]
) -> None:
    """Database and roles go with the block, also when it is interrupted."""
    before = scratch(server)
    path = script("create role shop_owner; create table t (a int);")
    with pytest.raises(trouble), loaded_script(server, path) as (database, report):
        assert database in scratch(server)[0]
        assert report.roles_created == ("shop_owner",)
        raise trouble

    assert scratch(server)[0] <= before[0]
    with server.session() as conn:
        assert not conn.execute("select 1 from pg_roles where rolname = 'shop_owner'").fetchone()


# -- roles


ROLES = """
create role "App Owner" superuser login password 'secret';
create schema shop;
alter schema shop owner to "App Owner";
create table shop.orders (id int primary key);
alter table shop.orders owner to "App Owner";
create table public.notes (id int);
alter table public.notes owner to postgres;
grant select on shop.orders to reader;
alter default privileges for role "App Owner" in schema shop grant select on tables to reader;
alter table shop.orders enable row level security;
create policy mine on shop.orders to reader using (true);
set role "App Owner";
create schema reports;
create table shop.lines (id int references shop.orders);
reset role;
set session authorization 'postgres';
create table public.audit (id int);
insert into public.audit values (1);
reset session authorization;
do $$ begin
  if not exists (select from pg_roles where rolname = 'late') then create role late login; end if;
end $$;
grant usage on schema shop to late;
"""


def test_roles_exist_and_own_what_the_script_says(server: Server, script: Callable[[str], Path]) -> None:
    """Roles that the cluster lacks are made without rights; owners, grants and policies are the script's."""
    with loaded_script(server, script(ROLES)) as (database, report), server.session(database) as conn:
        assert set(report.roles_created) == {"App Owner", "postgres", "reader", "late"}
        assert report.left_out == ()
        owners = conn.execute(
            "select c.relname, pg_get_userbyid(c.relowner)::text from pg_class c where c.relkind = 'r' "
            "and c.relnamespace::regnamespace::text in ('shop', 'public') order by 1"
        ).fetchall()
        assert owners == [
            ("audit", "postgres"), ("lines", "App Owner"), ("notes", "postgres"), ("orders", "App Owner")
        ]  # fmt: skip
        attributes = conn.execute(
            "select distinct rolsuper, rolcanlogin from pg_roles where rolname = any(%s)",
            [list(report.roles_created)],
        ).fetchall()
        assert attributes == [(False, False)]
        assert conn.execute("select polroles::regrole[]::text from pg_policy").fetchone() == ("{reader}",)
        schemas = conn.execute(
            "select nspacl::text from pg_namespace where nspname in ('shop', 'public', 'reports')"
        ).fetchall()
        assert not any("creators" in (acl or "") for (acl,) in schemas)
    with server.session() as conn:
        names = ["App Owner", "postgres", "reader", "late"]
        assert conn.execute("select rolname from pg_roles where rolname = any(%s)", [names]).fetchall() == []


def test_two_loads_share_a_role(server: Server, script: Callable[[str], Path]) -> None:
    """A role that two loads name lives until the last of them ends."""
    path = script("create table t (a int); alter table t owner to shared_owner;")

    def exists() -> bool:
        with server.session() as conn:
            return bool(conn.execute("select 1 from pg_roles where rolname = 'shared_owner'").fetchone())

    with loaded_script(server, path):
        with loaded_script(server, path) as (_, second):
            assert second.roles_created == ()
        assert exists()
    assert not exists()


def test_parallel_loads_of_the_same_roles(server: Server, script: Callable[[str], Path]) -> None:
    """Loads at the same time that name the same roles neither fail nor leave one behind."""
    path = script("create role racer; create table t (a int); alter table t owner to racer;")

    def load(_: int) -> tuple[LeftOut, ...]:
        with loaded_script(server, path) as (_, report):
            return report.left_out

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, range(12))) == [()] * 12
    with server.session() as conn:
        assert not conn.execute("select 1 from pg_roles where rolname = 'racer'").fetchone()


def test_somebody_elses_role_is_left_alone(server: Server, script: Callable[[str], Path]) -> None:
    """A role that was there before is neither joined nor dropped; what would give objects to it is listed."""
    with server.session() as conn:
        conn.execute("create role wb_test_stranger")
        try:
            text = (
                "create table t (a int);\ngrant select on t to wb_test_stranger;\n"
                "alter table t owner to wb_test_stranger;"
            )
            with loaded_script(server, script(text)) as (_, report):
                assert left_out(report) == [(3, "alter table t owner to wb_test_stranger")]
                assert report.roles_created == ()
            assert conn.execute("select 1 from pg_roles where rolname = 'wb_test_stranger'").fetchone()
        finally:
            conn.execute("drop role wb_test_stranger")


def test_replication_role_may_be_set(server: Server, script: Callable[[str], Path]) -> None:
    """Data scripts that turn off foreign keys by session_replication_role load."""
    text = (
        "create table a (id int primary key); create table b (id int references a);\n"
        "set session_replication_role = replica;\ninsert into b values (1);\ninsert into a values (1);\n"
        "set session_replication_role = origin;\n"
    )
    with loaded_script(server, script(text)) as (_, report):
        assert report.left_out == ()


# -- psql's own ways


def test_psql_variables_conditions_and_answers(server: Server, script: Callable[[str], Path]) -> None:
    r"""\set, \if, \gset, \gexec, \bind and \copy from stdin work as in psql."""
    text = r"""\set app shop
\set wanted true
create schema :app;
create table :"app".t (a text, b int);
\if :wanted
insert into shop.t values (:'app', 1);
\if false
insert into shop.t values ('never', 0);
select nonsense;
\elif true
insert into shop.t values ('elif', 2);
\else
insert into shop.t values ('never', 0);
\endif
\else
\echo 'never'
insert into shop.t values ('never', 0);
\endif
select count(*) as found from shop.t \gset
insert into shop.t values ('found', :'found');
select format('create table shop.%I (a int)', 'made_' || n), null from generate_series(1, 2) n \gexec
insert into shop.t values ($1, $2) \bind 'bound' 4 \g
\copy shop.t (a, b) from stdin with (format csv)
"copied; \! not",5
\.
select 1 \; select 2;
insert into shop.t values ('last', 6)
"""
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert conn.execute("select a, b from shop.t order by b, a").fetchall() == [
            ("shop", 1), ("elif", 2), ("found", 2), ("bound", 4), ("copied; \\! not", 5), ("last", 6)
        ]  # fmt: skip
        assert conn.execute("select count(*) from pg_class where relname like 'made%'").fetchone() == (2,)
        assert report.left_out == ()


def test_strings_arrive_as_written(server: Server, script: Callable[[str], Path]) -> None:
    """Empty lines, backslashes, tabs and emoji in strings, bodies and names are not touched."""
    content = "a\n\n\nb\\ \t :x 'quoted' 🐘 <b>%s</b>"
    text = f"""create table "Odd ""Name"" 🐘 <b>" (a text);
insert into "Odd ""Name"" 🐘 <b>" values ('{content.replace("'", "''")}'), ($$
{content}

$$);
"""
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert conn.execute('select a from "Odd ""Name"" 🐘 <b>"').fetchall() == [
            (content,),
            (f"\n{content}\n\n",),
        ]


def test_latin1_file_arrives_as_text(server: Server, tmp_path: Path) -> None:
    """A file that declares LATIN1 is read as such."""
    path = tmp_path / "schema.sql"
    path.write_bytes(
        "SET client_encoding = 'LATIN1';\ncreate table t (a text);\ninsert into t values ('ü');".encode(
            "latin1"
        )
    )

    with (
        loaded_script(server, path) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert conn.execute("select a from t").fetchone() == ("ü",)


def test_environment_does_not_matter(
    server: Server, script: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither .psqlrc nor PG variables of the caller reach psql."""
    (tmp_path / ".psqlrc").write_text("\\set ON_ERROR_STOP off\ncreate table from_psqlrc (a int);\n")
    settings = {"HOME": tmp_path, "PSQLRC": tmp_path / ".psqlrc", "PGHOST": "nowhere",
                "PGDATABASE": "nothing",
                "PGOPTIONS": "-c search_path=nowhere", "PGUSER": "nobody"}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))

    with (
        loaded_script(server, script("create table t (a int);")) as (database, _),
        server.session(database) as conn,
    ):
        tables = conn.execute(
            "select relname from pg_class where relkind = 'r' and relname in ('t', 'from_psqlrc')"
        )
        assert tables.fetchall() == [("t",)]


def test_report_travels_as_json(server: Server, script: Callable[[str], Path]) -> None:
    """What became of the script can be handed to another process; the password is in no representation."""
    with loaded_script(server, script('create database x;\ncreate extension "uuid-ossp";')) as (_, report):
        assert LoadReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report
        assert report.password not in repr(report)


# -- extensions


def test_trusted_and_safe_extensions_are_real(server: Server, script: Callable[[str], Path]) -> None:
    """Extensions of the engine that reach nothing outside are created, in the schema that the script says."""
    text = """create schema ext;
create extension citext with schema ext version '1.0';
create extension if not exists earthdistance with schema ext cascade;
create extension cube with schema ext;
comment on extension citext is 'case';
comment on extension earthdistance is 'earth';
create extension if not exists plpgsql with schema pg_catalog;
create table t (a ext.citext);
"""
    with loaded_script(server, script(text)) as (database, report), server.session(database) as conn:
        names = conn.execute("select extname from pg_extension order by extname").fetchall()
        assert names == [("citext",), ("cube",), ("earthdistance",), ("plpgsql",)]
        assert report.stood_in == ()
        assert report.left_out == ()


def test_uuid_ossp_and_pgcrypto_compute(server: Server, script: Callable[[str], Path]) -> None:
    """Where the engine lacks them, core functions give what the extensions would."""
    if {"uuid-ossp", "pgcrypto"} & server.extension_names:
        pytest.skip("this engine has the real extensions")
    text = """create schema ext;
create extension if not exists "uuid-ossp" with schema ext;
create extension pgcrypto with schema ext;
create table t (id uuid primary key default ext.uuid_generate_v4(),
  other uuid default ext.uuid_generate_v1());
insert into t default values;
insert into t default values;
"""
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        # RFC 4231, test case 2; FIPS 180-4 "abc"; the UUIDs are those of Python's uuid module
        assert conn.execute(
            """select ext.uuid_generate_v3(ext.uuid_ns_dns(), 'python.org')::text,
              encode(ext.hmac('what do ya want for nothing?', 'Jefe', 'sha256'), 'hex'),
              encode(ext.digest('abc', 'sha224'), 'hex'), length(ext.gen_random_bytes(33)),
              (select count(distinct id) + count(distinct other) from t)"""
        ).fetchone() == (
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            33,
            4,
        )
        with pytest.raises(psycopg2.Error, match="needs SHA-1"):
            conn.execute("select ext.uuid_generate_v5(ext.uuid_ns_dns(), 'x')")
        found = {each.extension: (each.how, each.lines) for each in report.stood_in}
        assert found == {"uuid-ossp": ("core functions", (2,)), "pgcrypto": ("core functions", (3,))}


def test_what_pgcrypto_encrypts_is_declared_and_refuses(
    server: Server, script: Callable[[str], Path]
) -> None:
    """A table whose default or view encrypts can be looked at; a call says what the engine lacks."""
    if "pgcrypto" in server.extension_names:
        pytest.skip("this engine has the real extension")
    text = """create extension pgcrypto;
create table t (id int primary key, secret bytea default pgp_sym_encrypt('x', 'key'));
create view plain as select pgp_sym_decrypt(secret, 'key', 'cipher-algo=aes256') from t;
create function kept() returns bytea language sql as $$ select encrypt('x', 'k', 'aes') $$;
"""
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert report.left_out == ()
        with pytest.raises(psycopg2.Error, match="pgp_sym_encrypt needs the extension pgcrypto"):
            conn.execute("insert into t (id) values (1)")


POSTGIS = """create extension postgis;
create extension if not exists timescaledb cascade;
create extension hstore;
create table places (
  id int primary key,
  at geometry(Point, 4326) not null,
  area public.geography,
  near geometry generated always as (st_buffer(at, 10)) stored,
  check (st_isvalid(at))
);
create index places_at on places using gist (at);
create index places_id on places (id);
select create_hypertable('places', 'id');
create view distances as
select a.id, st_distance(a.at, b.at) as far
from places a, places b
where st_dwithin(a.at, b.at, 5);
create table plain (id int primary key, place int references places);
insert into places (id, at) values (1, 'POINT(1 2)');
insert into plain values (1, null);
comment on extension postgis is 'maps';
"""


def test_missing_extension_is_stood_in_for(server: Server, script: Callable[[str], Path]) -> None:
    """The structure that needs an unknown extension can be looked at; what cannot be is listed."""
    if {"postgis", "timescaledb"} & server.extension_names:
        pytest.skip("this engine has the real extensions")
    with (
        loaded_script(server, script(POSTGIS)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        columns = conn.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = 'places'::regclass and attnum > 0 order by attnum"
        ).fetchall()
        assert columns == [("id", "integer"), ("at", "geometry"), ("area", "geography"), ("near", "geometry")]
        assert conn.execute(
            "select count(*) from pg_index where indrelid = 'places'::regclass"
        ).fetchone() == (2,)
        assert conn.execute("select count(*) from plain").fetchone() == (1,)
        assert conn.execute("select to_regclass('distances') is not null").fetchone() == (True,)
        with pytest.raises(psycopg2.Error, match="belongs to an extension that this engine lacks"):
            conn.execute("select * from (values ('a'::geometry)) v (g) where st_isvalid(g)")

    assert [each.extension for each in report.stood_in] == ["postgis", "timescaledb"]
    assert report.stood_in[0].lines == (1,)
    assert {"type geometry", "type geography", "function st_isvalid"} <= set(report.stood_in[0].objects)
    assert [left.line for left in report.left_out] == [11, 13, 19]
    assert "gist" in report.left_out[0].reason


def test_foreign_data_wrappers_are_declared(server: Server, script: Callable[[str], Path]) -> None:
    """A foreign table can be looked at and reads nothing."""
    text = """create extension postgres_fdw;
create server other foreign data wrapper postgres_fdw options (host 'localhost', dbname 'postgres');
create user mapping for current_user server other options (user 'x', password 'hunter2');
create foreign table far (id int) server other options (table_name 'pg_authid');
"""
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert report.left_out == ()
        assert report.stood_in[0].objects == ("foreign-data wrapper postgres_fdw",)
        with pytest.raises(psycopg2.Error, match="has no handler"):
            conn.execute("select * from far")


def test_function_in_a_missing_language_keeps_its_signature(
    server: Server, script: Callable[[str], Path]
) -> None:
    """The trigger stays on its table; the body says what it would need."""
    text = """create extension plpython3u;
create function py(a int, b text default 'x') returns setof text stable language plpython3u as $$
return []
$$;
create function note() returns trigger as 'return None' language plpython3u;
create table t (a int);
create trigger noted after insert on t for each row execute function note();
"""
    if "plpython3u" in server.extension_names:
        pytest.skip("this engine has PL/Python")
    with (
        loaded_script(server, script(text)) as (database, report),
        as_loader(server, report).session(database) as conn,
    ):
        assert conn.execute("select pg_get_function_arguments('py'::regproc)").fetchone() == (
            "a integer, b text DEFAULT 'x'::text",
        )
        assert conn.execute("select tgname from pg_trigger").fetchall() == [("noted",)]
        assert [left.line for left in report.left_out] == [2, 5]


def test_own_mistakes_stay_errors_beside_a_missing_extension(
    server: Server, script: Callable[[str], Path]
) -> None:
    """A table that the script itself makes too late is its own error, not the extension's."""
    text = "create extension timescaledb;\ncreate view v as select * from late;\ncreate table late (a int);\n"

    with (
        pytest.raises(ScriptFailed, match=r':2: relation "late" does not exist'),
        loaded_script(server, script(text)),
    ):
        pass


def test_rows_that_break_a_foreign_key(server: Server, script: Callable[[str], Path]) -> None:
    """The key is kept as NOT VALID and listed, so that the structure is whole."""
    text = """create table a (id int primary key);
create table b (id int);
insert into b values (1);
alter table b add constraint b_a foreign key (id) references a; -- no a
"""
    with loaded_script(server, script(text)) as (database, report), server.session(database) as conn:
        assert conn.execute("select convalidated from pg_constraint where conname = 'b_a'").fetchone() == (
            False,
        )
        assert [(left.line, left.reason) for left in report.left_out] == [
            (
                4,
                "added as NOT VALID, since rows of the file break it:"
                ' Key (id)=(1) is not present in table "a".',
            )
        ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('select 1;\ncreate extension "uuid-ossp";', 2, "the extension uuid-ossp is not on this engine"),
        ("select 1;\n\ncreate database x;", 3, "create database x would be left out"),
        ("select 1;\nselect pg_read_file('/etc/passwd');", 2, "permission denied"),
    ],
)
def test_strict_makes_it_an_error(
    server: Server, script: Callable[[str], Path], text: str, line: int, message: str
) -> None:
    """With strict nothing is stood in for or left out: the first such line is named."""
    with (
        pytest.raises(ScriptFailed, match=message) as raised,
        loaded_script(server, script(text), strict=True),
    ):
        pass
    assert raised.value.line == line


def test_strict_lets_a_plain_script_pass(server: Server, script: Callable[[str], Path]) -> None:
    """Roles, meta-commands that show things, and the engine's own extensions are no reason to refuse."""
    text = "\\pset pager off\ncreate role x;\ncreate extension citext;\n"
    text += "create table t (a citext);\nalter table t owner to x;"

    with loaded_script(server, script(text), strict=True) as (_, report):
        assert report.left_out == ()
