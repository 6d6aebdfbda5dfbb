"""The checks of sql/security/posture/checks about a database: what each finds, leaves alone, and its fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench.areas.security.posture import PostureReview, review_connection
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.proof.findings import Finding

PAGES = Path(__file__).resolve().parents[2] / "docs" / "checks"
TENANTS = """
  create table tenants (tenant text primary key, secret text);
  alter table tenants enable row level security;
  alter table tenants force row level security;
"""
OWN_ROWS = "create policy own on tenants to app using (tenant = current_user);"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """A cluster of our own, for roles are the whole cluster's."""
    with private_cluster() as (server, _):
        with server.session() as conn:
            conn.execute("""
                create role app login;
                create role support login;
                create role keeper nologin;
                create role deployer login createrole;
            """)
        yield server


@pytest.fixture
def conn(cluster: Server) -> Iterator[Connection]:
    """The superuser in an empty database."""
    with cluster.scratch_database(label="posture") as name, cluster.session(name) as opened:
        yield opened


def review(conn: Connection) -> PostureReview:
    return review_connection(conn, looked_at_on="here", with_server=False)


def found(conn: Connection, check: str) -> list[Finding]:
    """The findings of *check*."""
    return [each for each in review(conn).findings if each.check == check]


@dataclass(frozen=True)
class Case:
    """SQL that *check* finds as *object* with *severity*, and SQL that looks like it and is right."""

    check: str
    object: str
    severity: str
    positive: str
    near_misses: tuple[str, ...]
    closes: bool = True  # whether its fix, run as it is, ends the finding


CASES = [
    Case(
        "public_create",
        "public",
        "warn",
        "grant create on schema public to public",
        ("grant usage on schema public to public", "grant create on schema public to app"),
    ),
    Case(
        "public_table",
        "public.t",
        "warn",
        "create table t (id int); grant select on t to public",
        (
            "create table t (id int); grant select on t to app",
            "create temporary table t (id int); grant select on t to public",
            "create extension pg_stat_statements",
        ),
    ),
    Case(
        "public_table",
        "public.t",
        "error",
        "create table t (id int, kept int); grant update (id) on t to public",
        ("create table t (id int, kept int); grant update (id) on t to app",),
    ),
    Case(
        "public_definer_function",
        "public.f()",
        "warn",
        "create function f() returns int language sql security definer set search_path = '' return 1",
        (
            "create function f() returns int language sql return 1",
            "create function f() returns int language sql security definer set search_path = '' return 1;"
            "revoke execute on function f from public; grant execute on function f to app",
            "create function f() returns trigger language plpgsql security definer set search_path = ''"
            " as 'begin return new; end'",
        ),
    ),
    Case(
        "definer_search_path",
        "public.f()",
        "error",
        "create function f() returns bigint language sql security definer as 'select count(*) from pg_class'",
        (
            "create function f() returns bigint language sql as 'select count(*) from pg_class'",
            "create function f() returns int language sql security definer set search_path = ''"
            " as 'select 1'",
            "create function f() returns int language sql security definer"
            " set search_path = public, pg_temp as 'select 1'",
            "create function f() returns int language sql security definer return 1",
        ),
    ),
    Case(
        "definer_search_path",
        "public.f()",
        "warn",
        "create function f() returns int language sql security definer set search_path = public"
        " as 'select 1'",
        (),
    ),
    Case(
        "definer_search_path",
        "public.f()",
        "error",
        "grant create on schema public to public; create function f() returns int language sql"
        " security definer set search_path = public, pg_temp as 'select 1'",
        (),
    ),
    Case(
        "leakproof_function",
        "public.f(integer)",
        "warn",
        "create function f(int) returns bool language sql leakproof return true",
        ("create function f(int) returns bool language sql return true", "create extension citext"),
    ),
    Case(
        "untrusted_language",
        "powerful",
        "warn",
        "create language powerful handler plpgsql_call_handler",
        ("create trusted language tame handler plpgsql_call_handler",),
    ),
    Case(
        "reaching_extension",
        "dblink",
        "info",
        "create extension dblink",
        ("create extension citext", "create extension pg_trgm"),
        closes=False,
    ),
    Case(
        "default_privileges",
        "wb_superuser.public.tables",
        "warn",
        "alter default privileges in schema public grant select on tables to public",
        (
            "alter default privileges in schema public grant select on tables to app",
            "alter default privileges revoke execute on functions from app",
        ),
    ),
    Case(
        "server_function_granted",
        "pg_read_file(text).app",
        "error",
        "grant execute on function pg_read_file(text) to app",
        ("grant execute on function pg_read_file(text) to wb_superuser",),
    ),
    Case(
        "event_trigger",
        "watch",
        "error",
        "create function w() returns event_trigger language plpgsql as 'begin end';"
        "create event trigger watch on ddl_command_end execute function w();"
        "grant create on schema public to app; alter function w() owner to app",
        (
            "create function w() returns event_trigger language plpgsql as 'begin end';"
            "create event trigger watch on ddl_command_end execute function w()",
        ),
    ),
    Case(
        "event_trigger",
        "watch",
        "warn",
        "create function w() returns event_trigger language plpgsql as 'begin end';"
        "create event trigger watch on ddl_command_end execute function w();"
        "alter event trigger watch disable",
        (),
    ),
    Case(
        "rls_not_forced",
        "public.t",
        "warn",
        "create table t (id int); alter table t enable row level security",
        (TENANTS, "create table t (id int)"),
    ),
    Case(
        "rls_not_forced",
        "public.t",
        "info",
        "create table t (id int); alter table t enable row level security; alter table t owner to keeper",
        (),
    ),
    Case(
        "rls_without_policy",
        "public.tenants",
        "info",
        TENANTS,
        (
            TENANTS + OWN_ROWS,
            "create table p (id int) partition by list (id); create table l partition of p for values in (1);"
            "alter table l enable row level security",
        ),
    ),
    Case(
        "policy_without_rls",
        "public.t",
        "error",
        "create table t (id int); create policy own on t using (id = 1)",
        (TENANTS + OWN_ROWS, "create table t (id int)"),
    ),
    Case(
        "policy_always_true",
        "public.tenants.open",
        "warn",
        TENANTS + OWN_ROWS + "create policy open on tenants using (true)",
        (
            TENANTS + "create policy open on tenants for select using (true)",
            TENANTS + "create policy open on tenants to keeper using (true)",
            TENANTS + OWN_ROWS + "create policy open on tenants as restrictive using (true)",
            TENANTS + "create policy open on tenants using (true);"
            "create policy bound on tenants as restrictive using (tenant = current_user)",
            TENANTS + "create policy open on tenants using (true) with check (tenant = current_user)",
        ),
    ),
    Case(
        "policy_always_true",
        "public.tenants.fill",
        "warn",
        TENANTS + OWN_ROWS + "create policy fill on tenants for insert with check (true)",
        (),
    ),
    Case(
        "forgeable_identity",
        "public.tenants.own",
        "warn",
        TENANTS + "create policy own on tenants using (tenant = current_setting('app.tenant', true))",
        (
            TENANTS + OWN_ROWS,
            TENANTS + "create policy own on tenants using (tenant = current_setting('role'))",
            "create function who() returns text language plpgsql stable as $$begin return case when"
            " encode(sha256(current_setting('app.token')::bytea), 'hex') = 'x' then 'a' end; end$$;"
            + TENANTS
            + "create policy own on tenants using (tenant = (select who()))",
        ),
    ),
    Case(
        "forgeable_identity",
        "public.tenants.own",
        "info",
        "create function who() returns text language sql stable as $$select current_setting('app.who')$$;"
        + TENANTS
        + "create policy own on tenants using (tenant = (select who()))",
        (),
    ),
    Case(
        "policy_evaluated_per_row",
        "public.tenants.own",
        "info",
        TENANTS + "create policy own on tenants using (tenant = current_setting('app.tenant', true))",
        (
            TENANTS + "create policy own on tenants using (tenant = (select current_setting('app.t', true)))",
            TENANTS + "create policy own on tenants using (lower(tenant) = current_user)",
            TENANTS + "create policy own on tenants using (tenant > now()::text)",
        ),
    ),
    Case(
        "definer_view",
        "public.v",
        "error",
        TENANTS + OWN_ROWS + "create view v as select * from tenants; grant select on v to app",
        (
            TENANTS + OWN_ROWS + "create view v as select * from tenants",
            TENANTS
            + OWN_ROWS
            + "create view v with (security_invoker) as select * from tenants; grant select on v to app",
            "create table t (id int); create view v as select * from t; grant select on v to app",
            TENANTS
            + OWN_ROWS
            + "grant create on schema public to keeper; alter table tenants owner to keeper;"
            "create view v as select * from tenants; alter view v owner to keeper; grant select on v to app",
        ),
    ),
    Case(
        "definer_view",
        "public.outer_view",
        "error",
        TENANTS
        + OWN_ROWS
        + "create view v as select * from tenants; create view outer_view as select * from v;"
        + "grant select on outer_view to app",
        (),
    ),
    Case(
        "exposed_materialized_view",
        "public.m",
        "warn",
        TENANTS + OWN_ROWS + "create materialized view m as select * from tenants; grant select on m to app",
        (
            TENANTS + OWN_ROWS + "create materialized view m as select * from tenants",
            "create table t (id int); create materialized view m as select * from t;grant select on m to app",
        ),
    ),
    Case(
        "exposed_foreign_table",
        "public.f",
        "info",
        "create extension file_fdw; create server files foreign data wrapper file_fdw;"
        "create foreign table f (line text) server files options (filename '/dev/null');"
        "grant select on f to app",
        (
            "create extension file_fdw; create server files foreign data wrapper file_fdw;"
            "create foreign table f (line text) server files options (filename '/dev/null')",
        ),
    ),
    Case(
        "exposed_partition",
        "public.l",
        "error",
        "create table p (id int) partition by list (id); create table l partition of p for values in (1);"
        "alter table p enable row level security; alter table p force row level security;"
        "create policy own on p using (id = 1); grant select on p, l to app",
        (
            "create table p (id int) partition by list (id); create table l partition of p for values in (1);"
            "alter table p enable row level security; grant select on p to app",
            "create table p (id int) partition by list (id); create table l partition of p for values in (1);"
            "grant select on p, l to app",
            "create table p (id int) partition by list (id); create table l partition of p for values in (1);"
            "alter table p enable row level security; alter table l enable row level security;"
            "grant select on p, l to app",
        ),
    ),
    Case(
        "truncate_past_rls",
        "public.tenants",
        "warn",
        TENANTS + OWN_ROWS + "grant all on tenants to app",
        (
            TENANTS + OWN_ROWS + "grant select, insert, update, delete on tenants to app",
            "create table t (id int); grant truncate on t to app",
        ),
    ),
]
NEAR_MISSES = [(case.check, sql_text) for case in CASES for sql_text in case.near_misses]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.severity}")
def test_check_finds_its_case_and_its_fix_ends_it(conn: Connection, case: Case) -> None:
    """Each check finds what it is for, under its name and severity, and its fix ends it."""
    conn.execute(case.positive)

    (finding,) = [each for each in found(conn, case.check) if each.object == case.object]

    assert finding.severity == case.severity
    assert finding.fix
    conn.execute(finding.fix)
    assert (case.object not in [each.object for each in found(conn, case.check)]) is case.closes


@pytest.mark.parametrize(("check", "text"), NEAR_MISSES)
def test_check_leaves_a_near_miss_alone(conn: Connection, check: str, text: str) -> None:
    """What looks like a finding of the check and is right is not reported."""
    conn.execute(text)

    assert found(conn, check) == []


def test_an_empty_database_has_no_finding(conn: Connection) -> None:
    """Without tables nothing is found, and every check of a database could be run."""
    seen = review(conn)

    assert seen.findings == ()
    assert {each.state for each in seen.controls} == {"passed"}
    assert {each.scope for each in seen.controls} == {"database"}
