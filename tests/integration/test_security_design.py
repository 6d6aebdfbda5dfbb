"""A design does what its intent says, once or twice applied, and leaves nothing when it is undone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from workbench.areas.security.design import (
    Found,
    TokenKey,
    apply_design,
    design_of,
    install_token_key,
    new_key,
    read_found,
    retire_token_key,
    sign_token,
    undo_design,
)
from workbench.areas.security.design.model import Design
from workbench.areas.security.intent.model import (
    Identity,
    Intent,
    Operation,
    RoleIntent,
    RowOwner,
    Rows,
    Rule,
    TableName,
)
from workbench.areas.security.mutants.proving import snapshot as state
from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import BadInput, NotAuthorized

SCHEMA = Path(__file__).with_name("security_design.sql")
ODD = 'Notes of "' + "é" * 20  # 50 bytes
ALL: tuple[Operation, ...] = ("select", "insert", "update", "delete")


def named(*names: str) -> tuple[TableName, ...]:
    return tuple(("app", name) for name in names)


def rule(role: str, may: tuple[Operation, ...], *tables: str, rows: Rows = "all", **more: Any) -> Rule:
    return Rule(role, named(*tables), may, rows, **more)


def owned(table: str, column: str) -> tuple[TableName, RowOwner]:
    return ("app", table), RowOwner(("app", table), column=column)


def below(table: str, column: str, parent: str) -> tuple[TableName, RowOwner]:
    return ("app", table), RowOwner(
        ("app", table), parent=("app", parent), columns=(column,), parent_columns=(column,)
    )


INTENT = Intent(
    "firm",
    roles=(
        RoleIntent("firm_owner", "owner", "Owns the tables."),
        RoleIntent("firm_reader", "group", "Reads."),
        RoleIntent("firm_writer", "group", "Writes.", inherits=("firm_reader",)),
        RoleIntent("firm_app", "login", "The program.", identified="token", connection_limit=20),
        RoleIntent("firm_clerk", "login", "Writes.", inherits=("firm_writer",)),
        RoleIntent('firm "Guest"', "login", "Reads.", inherits=("firm_reader",)),
    ),
    rules=(
        rule("firm_reader", ("select",), "countries", "tenants"),
        rule("firm_reader", ("select",), "projects", columns=("project_id", "tenant_id", "title")),
        rule("firm_writer", ("insert", "update"), "countries"),
        rule("firm_writer", ("select",), "tasks", where="note <> 'private'"),
        rule("firm_app", ("select",), "tenants", "history", rows="own"),
        rule("firm_app", ("select",), "project_titles"),
        rule("firm_app", ALL, "projects", "tasks", "remarks", "events", rows="own"),
        rule("firm_app", ("select", "insert"), ODD, rows="own"),
    ),
    owners=dict(
        (
            owned("tenants", "tenant_id"),
            owned("projects", "tenant_id"),
            owned("tasks", "tenant_id"),
            owned("events", "tenant_id"),
            owned(ODD, 'Tenant "id"'),
            below("remarks", "task_id", "tasks"),
            below("history", "project_id", "projects"),
        )
    ),
    identity=Identity(("app", "tenants"), "tenant_id", "integer", 60),
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """A cluster whose deployer may make roles and is no superuser."""
    with private_cluster() as (server, _):
        with server.session() as conn:
            conn.execute("create role deployer login createrole nosuperuser")
            conn.execute("create role stranger login")
        yield server


@pytest.fixture
def database(cluster: Server) -> Iterator[str]:
    """A database of the deployer's with two tenants; the roles that a test made are gone after it."""
    with cluster.scratch_database(owner="deployer", label="design") as name:
        with cluster.session(name, user="deployer") as conn:
            conn.execute(SCHEMA.read_text().replace("%ODD%", ODD.replace('"', '""')))
        yield name
    with cluster.session() as conn:
        for (role,) in conn.execute(
            "select rolname from pg_catalog.pg_roles where rolname like 'firm%' or rolname like 'other%'"
        ).fetchall():
            conn.execute(psycopg2.sql.SQL("drop role {}").format(psycopg2.sql.Identifier(role)))


@pytest.fixture
def deployer(cluster: Server, database: str) -> Iterator[Connection]:
    with cluster.session(database, user="deployer") as conn:
        yield conn


def made(conn: Connection, intent: Intent = INTENT, **more: Any) -> Design:
    return design_of(intent, reflect(conn), read_found(conn), **more)


def snapshot(conn: Connection) -> tuple[Found, Catalog, list[Any]]:
    """All that a design can change."""
    routines = conn.execute(
        "select p.oid::pg_catalog.regprocedure::text, pg_catalog.pg_get_functiondef(p.oid) "
        "from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname in ('app', 'access') and p.prokind in ('f', 'p') order by 1"
    ).fetchall()
    catalog = reflect(conn)
    tables = tuple(
        replace(
            each,
            constraints=tuple(sorted(each.constraints, key=lambda key: key.name)),
            total_size_bytes=0,
            size_bytes=0,
            indexes=tuple(
                sorted((replace(i, size_bytes=0) for i in each.indexes), key=lambda index: index.name)
            ),
        )
        for each in catalog.tables
    )
    return read_found(conn), replace(catalog, tables=tables), routines


@contextlib.contextmanager
def acting(
    cluster: Server,
    database: str,
    role: str,
    identity: int | None = None,
    key: TokenKey | None = None,
    **more: Any,
) -> Iterator[Connection]:
    """A session of *role* for *identity*."""
    with cluster.session(database, user=role) as conn:
        if identity is not None and key is not None:
            show(
                conn,
                sign_token(
                    key, str(identity), **{"role": role, "database": database, "lifetime_s": 60, **more}
                ),
            )
        yield conn


def show(conn: Connection, token: str) -> None:
    conn.execute("select pg_catalog.set_config('app.token', %s, false)", [token])


def outcome(conn: Connection, statement: str, parameters: Any = None) -> Any:
    """The first value or the count of rows, or the SQLSTATE; rolled back."""
    conn.execute("begin")
    try:
        cur = conn.execute(statement, parameters)
        return cur.fetchone()[0] if cur.description else cur.rowcount  # type: ignore[index]
    except psycopg2.Error as exc:
        return exc.pgcode
    finally:
        conn.execute("rollback")


@pytest.fixture
def key(deployer: Connection) -> TokenKey:
    """The design applied, and the key that its tokens are signed with."""
    apply_design(deployer, made(deployer))
    key = new_key("k1")
    install_token_key(deployer, key, intent=INTENT)
    return key


def test_an_identified_role_reaches_its_own_rows_alone(cluster: Server, database: str, key: TokenKey) -> None:
    """Own rows are read and written; those of another are not seen, taken or made."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        for table, rows in {"tenants": 1, "projects": 2, "tasks": 2, "remarks": 2, "events": 1}.items():
            assert outcome(conn, f"select count(*) from app.{table}") == rows
        assert outcome(conn, "update app.projects set title = 'x' where project_id = 1") == 1
        assert outcome(conn, "update app.projects set title = 'x' where project_id = 3") == 0
        assert outcome(conn, "update app.projects set tenant_id = 2") == "42501"
        assert outcome(conn, "insert into app.projects (tenant_id, title) values (2, 'x')") == "42501"
        assert outcome(conn, "delete from app.tasks where tenant_id = 2") == 0
        assert outcome(conn, f'select count(*) from app."{ODD.replace(chr(34), chr(34) * 2)}"') == 1
        assert outcome(conn, "truncate app.events") == "42501"
        assert outcome(conn, "select count(*) from app.countries") == "42501"


def test_the_operators_of_a_columns_type_are_found(cluster: Server, database: str, key: TokenKey) -> None:
    """An extension's own functions stay PUBLIC's, and its schema can be looked into."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        assert outcome(conn, "select count(*) from app.tenants where name operator(app.=) 'ONE'") == 1


def test_nobody_in_particular_reaches_no_row(cluster: Server, database: str, key: TokenKey) -> None:
    """Without a token, with an empty one and with garbage there are no rows and no errors."""
    with acting(cluster, database, "firm_app") as conn:
        assert outcome(conn, "select count(*) from app.projects") == 0
        assert outcome(conn, "insert into app.projects (tenant_id, title) values (1, 'x')") == "42501"
        zero = "0" * 64
        for garbage in (
            "",
            "1",
            "v1",
            f"v1.k1.31.31.31.1.2.{zero}",
            f"v1.k1.ff.zz.00.1.99999999999.{zero}",
            "é" * 900,
        ):
            show(conn, garbage)
            assert outcome(conn, "select count(*) from app.projects") == 0
            assert outcome(conn, "select access.current_identity()") is None


def test_a_token_is_for_one_role_one_database_and_a_time(
    cluster: Server, database: str, key: TokenKey
) -> None:
    """Another role's, another database's, one of tomorrow, an expired and a changed one prove nothing."""
    good = {"role": "firm_app", "database": database, "lifetime_s": 60}
    now = datetime.now(UTC)
    with acting(cluster, database, "firm_app") as conn:
        show(conn, sign_token(key, "1", **good))
        assert outcome(conn, "select access.current_identity()") == 1
        for wrong in (
            {"role": "firm_clerk"},
            {"database": "another"},
            {"now": now - timedelta(seconds=61)},
            {"now": now + timedelta(hours=1)},
        ):
            show(conn, sign_token(key, "1", **{**good, **wrong}))
            assert outcome(conn, "select access.current_identity()") is None
        parts = sign_token(key, "1", **good).split(".")
        show(conn, ".".join([*parts[:2], b"2".hex(), *parts[3:]]))
        assert outcome(conn, "select access.current_identity()") is None
        show(conn, sign_token(new_key("k1"), "1", **good))
        assert outcome(conn, "select access.current_identity()") is None
        show(conn, sign_token(key, "not a number", **good))
        assert outcome(conn, "select access.current_identity()") is None


def test_two_keys_are_valid_until_one_is_retired(
    cluster: Server, database: str, deployer: Connection, key: TokenKey
) -> None:
    """Tokens of the old key and of the new one are accepted, until the old key ends."""
    second = new_key("k2")
    install_token_key(deployer, second, intent=INTENT)
    for each in (key, second):
        with acting(cluster, database, "firm_app", 1, each) as conn:
            assert outcome(conn, "select count(*) from app.projects") == 2

    retire_token_key(deployer, "k1", intent=INTENT)

    for each, rows in ((key, 0), (second, 2)):
        with acting(cluster, database, "firm_app", 1, each) as conn:
            assert outcome(conn, "select count(*) from app.projects") == rows
    with pytest.raises(BadInput, match="no key k9"):
        retire_token_key(deployer, "k9", intent=INTENT)
    with pytest.raises(BadInput, match="installed already"):
        install_token_key(deployer, new_key("k2"), intent=INTENT)


def test_the_keys_are_read_by_nobody(cluster: Server, database: str, key: TokenKey) -> None:
    """Neither a role of the intent nor the deployer, once the design is applied, reads the keys."""
    for role in ("firm_app", "firm_clerk", "deployer"):
        with acting(cluster, database, role) as conn:
            assert outcome(conn, "select count(*) from access.token_keys") == "42501"


def test_a_group_reads_its_columns_and_rows(cluster: Server, database: str, key: TokenKey) -> None:
    """Columns left out are refused, rows are those of the condition, and what is inherited is had."""
    with acting(cluster, database, 'firm "Guest"') as conn:
        assert outcome(conn, "select count(title) from app.projects") == 3
        assert outcome(conn, "select count(secret) from app.projects") == "42501"
        assert outcome(conn, "select count(*) from app.tasks") == "42501"
        assert outcome(conn, "update app.countries set name = 'x'") == "42501"
    with acting(cluster, database, "firm_clerk") as conn:
        assert outcome(conn, "select count(*) from app.tasks") == 2
        assert outcome(conn, "insert into app.countries values ('de', 'Germany')") == 1
        assert outcome(conn, "insert into app.countries values ('DE', 'Germany')") == "23514"
        assert outcome(conn, "select count(title) from app.projects") == 3
        assert outcome(conn, "set role firm_reader") == "42501"


def test_triggers_write_what_their_caller_may_not(cluster: Server, database: str, key: TokenKey) -> None:
    """The history is written by the trigger, and by nobody's hand."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        conn.execute("begin")
        conn.execute("insert into app.projects (tenant_id, title) values (1, 'new')")
        assert conn.execute("select count(*) from app.history").fetchone() == (3,)
        conn.execute("rollback")
        assert outcome(conn, "insert into app.history values (1, 'forged')") == "42501"
        assert outcome(conn, "select app.secrets()") == "42501"


def test_a_parent_of_somebody_else_cannot_be_told_from_none(
    cluster: Server, database: str, key: TokenKey
) -> None:
    """Through a foreign key nobody learns whether another's row exists."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        task = "insert into app.tasks (tenant_id, project_id, note) values (1, %s, 'x')"
        assert outcome(conn, task, [1]) == 1
        assert outcome(conn, task, [3]) == outcome(conn, task, [999]) == "23503"
        remark = "insert into app.remarks (task_id, body) values (%s, 'x')"
        assert outcome(conn, remark, [1]) == 1
        assert outcome(conn, remark, [3]) == outcome(conn, remark, [999]) == "42501"


def test_deleting_an_own_row_takes_no_row_of_somebody_else(
    cluster: Server, database: str, key: TokenKey
) -> None:
    """A cascade works within the identity's rows."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        assert outcome(conn, "delete from app.projects where project_id = 1") == 1


def test_partitions_views_and_the_owner_are_bound(cluster: Server, database: str, key: TokenKey) -> None:
    """A leaf is granted to nobody, a view reads as who asks, and the owner sees no row."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        assert outcome(conn, "select count(*) from app.events_2026") == "42501"
        assert outcome(conn, "select count(*) from app.project_titles") == 2
    with cluster.session(database) as conn:
        conn.execute("set role firm_owner")
        assert outcome(conn, "select count(*) from app.projects") == 0
        assert outcome(conn, "select count(*) from app.events_2026") == 0


def test_public_is_left_with_nothing(
    cluster: Server, database: str, deployer: Connection, key: TokenKey
) -> None:
    """No temporary tables, no functions, no sequences' values, no connection of a stranger."""
    with acting(cluster, database, "firm_app", 1, key) as conn:
        assert outcome(conn, "create temporary table t (a integer)") == "42501"
        assert outcome(conn, "create table app.t (a integer)") == "42501"
        assert outcome(conn, "create table public.t (a integer)") == "42501"
        assert outcome(conn, "select last_value from app.projects_project_id_seq") == "42501"
    with cluster.session(database) as conn:
        conn.execute("set role firm_owner")
        conn.execute("create function app.later() returns integer language sql return 1")
        conn.execute("reset role")
    with acting(cluster, database, "firm_app") as conn:
        assert outcome(conn, "select app.later()") == "42501"
    with pytest.raises(psycopg2.Error, match="CONNECT"):
        cluster.connect_once(database, user="stranger")


def test_a_definer_function_finds_no_object_of_its_caller(database: str, deployer: Connection) -> None:
    """A path that was unsafe is set, and one that was safe stays."""
    apply_design(deployer, made(deployer))

    paths = {each.name: each.search_path for each in read_found(deployer).routines if each.security_definer}
    assert paths["secrets"] == "pg_catalog, app, pg_temp"
    assert paths["unsafe"] == "pg_catalog, app, pg_temp"
    assert paths["record_project"] == '""'


def test_the_second_run_changes_nothing(deployer: Connection) -> None:
    """The design, and one made from the database that has it, may be applied again."""
    design = made(deployer)
    apply_design(deployer, design)
    once = snapshot(deployer)

    apply_design(deployer, design)
    assert snapshot(deployer) == once
    again = made(deployer)
    apply_design(deployer, again)

    assert snapshot(deployer) == once
    assert any("in place already" in each for each in again.remarks)


def test_undo_restores_what_was_there(deployer: Connection) -> None:
    """Owners, privileges, flags, policies, constraints, functions and roles are what they were."""
    deployer.execute("grant select, insert (title) on app.projects to public")
    deployer.execute("alter default privileges in schema app grant select on tables to public")
    deployer.execute("alter table app.tasks enable row level security")
    before = snapshot(deployer)
    design = made(deployer)
    apply_design(deployer, design)
    assert snapshot(deployer) != before

    undo_design(deployer, design)

    assert snapshot(deployer) == before


def test_psql_runs_the_scripts_as_they_are(cluster: Server, database: str, deployer: Connection) -> None:
    """psql stops at no error and has nothing to say, and the undo script restores what was there."""
    before = snapshot(deployer)
    design = made(deployer)

    for script in (design.script, design.script, design.undo_script):
        assert psql(cluster, database, script) == (0, "", "")

    assert snapshot(deployer) == before


def psql(cluster: Server, database: str, script: str) -> tuple[int, str, str]:
    done = subprocess.run(
        _psql(cluster, database), input=script, capture_output=True, text=True, env=_environment(cluster)
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def _psql(cluster: Server, database: str) -> list[str]:
    url = cluster.url(database, user="deployer")
    return [str(cluster.binaries.path("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]


def _environment(cluster: Server) -> dict[str, str]:
    return {**os.environ, **cluster.binaries.environment()}


@contextlib.contextmanager
def in_the_way(cluster: Server, database: str) -> Iterator[Connection]:
    """A lock that the design comes to when half of it is done; gives the connection that holds it."""
    with cluster.session(database) as conn:
        conn.execute("begin")
        conn.execute("lock table app.tasks in access share mode")
        yield conn
        conn.execute("rollback")


def waiting(conn: Connection) -> int:
    """The process that waits for the lock, once it does."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = conn.execute(
            "select pid from pg_catalog.pg_locks where not granted and relation = 'app.tasks'::regclass"
        ).fetchone()
        if found:
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("nobody came to the lock")


def test_a_server_process_that_is_ended_midway_leaves_nothing(
    cluster: Server, database: str, deployer: Connection
) -> None:
    """pg_terminate_backend half-way: the database and the roles are as before."""
    before = snapshot(deployer)
    design = made(deployer)
    failed: list[BaseException] = []

    def apply() -> None:
        with cluster.session(database, user="deployer") as conn:
            try:
                apply_design(conn, design)
            except Exception as exc:
                failed.append(exc)

    with in_the_way(cluster, database) as conn:
        thread = threading.Thread(target=apply)
        thread.start()
        conn.execute("select pg_catalog.pg_terminate_backend(%s)", [waiting(conn)])
        thread.join()

    assert "nothing of it is left" in str(failed[0])
    assert snapshot(deployer) == before


def test_a_client_that_is_killed_midway_leaves_nothing(
    cluster: Server, database: str, deployer: Connection
) -> None:
    """kill -9 of the program that applies it: the database and the roles are as before."""
    before = snapshot(deployer)
    design = made(deployer)
    with in_the_way(cluster, database) as conn:
        client = subprocess.Popen(
            [*_psql(cluster, database), "-f", "-"],
            stdin=subprocess.PIPE,
            text=True,
            env=_environment(cluster),
        )
        assert client.stdin is not None
        client.stdin.write(design.script)
        client.stdin.close()
        pid = waiting(conn)
        client.kill()
        client.wait()
    deadline = time.monotonic() + 30
    while (
        time.monotonic() < deadline
        and deployer.execute("select from pg_catalog.pg_stat_activity where pid = %s", [pid]).fetchone()
        is not None
    ):
        time.sleep(0.02)

    assert snapshot(deployer) == before


def test_a_role_that_is_somebody_elses_is_named(cluster: Server, deployer: Connection) -> None:
    """A role of the name that the design did not make is refused, when it is made and when it is applied."""
    design = made(deployer)
    with cluster.session() as conn:
        conn.execute("create role firm_reader")

    with pytest.raises(BadInput, match=r"role firm_reader is in the cluster already .* existing: true"):
        made(deployer)
    with pytest.raises(BadInput, match="role firm_reader is there already"):
        apply_design(deployer, design)


def test_a_role_that_exists_is_used_where_the_intent_says_so(cluster: Server, deployer: Connection) -> None:
    """An existing role gets its privileges and loses what is beyond them, which the undo gives back."""
    deployer.execute("create role firm_reader")
    deployer.execute("grant select, delete on app.tasks to firm_reader")
    roles = tuple(replace(each, existing=each.name == "firm_reader") for each in INTENT.roles)
    before = snapshot(deployer)
    design = made(deployer, replace(INTENT, roles=roles))
    apply_design(deployer, design)
    held = {
        (each.name, each.privilege)
        for each in read_found(deployer).privileges
        if each.grantee == "firm_reader"
    }
    assert ("tasks", "delete") not in held
    assert ("countries", "select") in held

    undo_design(deployer, design)

    assert snapshot(deployer) == before
    absent = tuple(replace(each, existing=True) for each in INTENT.roles)
    with pytest.raises(BadInput, match="firm_owner is said to exist and does not"):
        made(deployer, replace(INTENT, roles=absent))


def test_who_may_not_make_roles_is_told_what_to_ask_for(cluster: Server, database: str) -> None:
    """A login without CREATEROLE learns the right that is missing and the command that gives it."""
    with (
        cluster.session(database, user="stranger") as conn,
        pytest.raises(BadInput, match=r'stranger may not create roles: .* alter role "stranger" createrole'),
    ):
        made(conn)


def test_a_database_of_somebody_else_is_left_alone(cluster: Server, database: str) -> None:
    """A login that may make roles and owns nothing here is refused, and no role is left."""
    with cluster.session(database) as conn:
        conn.execute("create role other_deployer login createrole")
    with cluster.session(database, user="other_deployer") as conn:
        design = made(conn)
        with pytest.raises(NotAuthorized, match="nothing of it is left"):
            apply_design(conn, design)
        assert "firm_owner" not in read_found(conn).roles


def test_policies_that_are_there_are_named_and_replaced_when_asked(deployer: Connection) -> None:
    """They are never dropped unasked, and the undo makes them again."""
    deployer.execute("create policy everything on app.tasks as restrictive for update to public using (true)")
    before = snapshot(deployer)

    with pytest.raises(BadInput, match=r"app.tasks has policies already \(everything\)"):
        made(deployer)
    design = made(deployer, replace=True)
    apply_design(deployer, design)
    assert "everything" not in {each.name for each in reflect(deployer).table("app", "tasks").policies}
    undo_design(deployer, design)

    assert snapshot(deployer) == before


def test_rows_that_cross_are_counted(deployer: Connection) -> None:
    """A reference to a row of somebody else is not made valid: the count is named and nothing applied."""
    deployer.execute("insert into app.tasks (tenant_id, project_id, note) values (1, 3, 'crossing')")
    before = snapshot(deployer)

    with pytest.raises(
        BadInput, match=r"1 rows of .*tasks.* refer to a row of app.projects that belongs to somebody else"
    ):
        apply_design(deployer, made(deployer))

    assert snapshot(deployer) == before


def test_a_schema_of_the_designs_name_is_left_alone(deployer: Connection) -> None:
    """The schema for the design's functions must be new."""
    deployer.execute("create schema access")

    with pytest.raises(BadInput, match=r"schema access is there already .* name another schema"):
        apply_design(deployer, made(deployer))


def test_a_role_that_another_database_needs_is_kept(
    cluster: Server, database: str, deployer: Connection
) -> None:
    """Undone in one database, the design still holds in the other."""
    with (
        cluster.scratch_database(owner="deployer", label="other") as other,
        cluster.session(other, user="deployer") as there,
    ):
        there.execute(SCHEMA.read_text().replace("%ODD%", ODD.replace('"', '""')))
        first, second = made(deployer), made(there)
        apply_design(deployer, first)
        apply_design(there, second)

        undo_design(deployer, first)

        with cluster.session(other, user="firm_clerk") as clerk:
            assert outcome(clerk, "select count(*) from app.countries") == 1
        undo_design(there, second)
        assert "firm_clerk" not in read_found(there).roles


def test_long_names_are_cut_without_a_clash(deployer: Connection) -> None:
    """Two roles whose names differ in their last byte get policies of their own."""
    long = "firm_" + "x" * 57
    more = (RoleIntent(long + "a", "login"), RoleIntent(long + "b", "login"))
    rules = tuple(rule(each.name, ("select", "update"), "tasks", where="note <> ''") for each in more)
    apply_design(
        deployer, made(deployer, replace(INTENT, roles=(*INTENT.roles, *more), rules=(*INTENT.rules, *rules)))
    )

    policies = reflect(deployer).table("app", "tasks").policies
    assert sum(each.roles[0].startswith(long) for each in policies) == 4


def test_every_mutation_breaks_something_and_is_mended(deployer: Connection) -> None:
    """After each one the database differs, and after its mending it is what it was."""
    design = made(deployer)
    apply_design(deployer, design)
    sound = state(deployer)
    chosen = [each for part in design.parts for each in part.mutations if each.by != "superuser"]
    assert len(chosen) > 100

    for mutation in chosen[::4]:
        deployer.execute(mutation.break_it)
        assert state(deployer) != sound, mutation.name
        deployer.execute(mutation.mend)
        assert state(deployer) == sound, mutation.name


def test_an_open_transaction_is_not_ended(deployer: Connection) -> None:
    """What the caller has begun is neither committed nor rolled back."""
    design = made(deployer)
    deployer.execute("begin")

    with pytest.raises(BadInput, match="a transaction is open"):
        apply_design(deployer, design)

    deployer.execute("rollback")
