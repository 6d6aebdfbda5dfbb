"""What the checks say is possible is done in a copy, as the role for which it is; the fix stops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import sql
from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.intent.reading import read_intent
from workbench.areas.security.posture import (
    prove_findings,
    prove_posture,
    review_connection,
    review_posture,
)
from workbench.areas.security.trial.standing import security_place
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.proof.findings import Evidence, Finding
from workbench.source import Options, open_source

SHOP = """
  create table orders (id int primary key, tenant text not null, total numeric);
  insert into orders select n, 'tenant ' || n % 5, n from generate_series(1, 100) n;
  grant select, delete on orders to app;
"""
HELD = """
  alter table orders enable row level security;
  alter table orders force row level security;
"""
OWN = "create policy own on orders to app using (tenant = 'tenant 1');"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with private_cluster() as (server, _):
        with server.session() as conn:
            conn.execute("create role app login; create role keeper login; create role aaa_first")
        yield server


@pytest.fixture
def conn(cluster: Server) -> Iterator[Connection]:
    with cluster.scratch_database(label="posture") as name, cluster.session(name) as opened:
        opened.execute("grant usage, create on schema public to keeper")
        yield opened


def proved(conn: Connection, check: str) -> Finding:
    """The one finding of *check* after it was tried."""
    seen = review_connection(conn, looked_at_on="here", with_server=False)
    (finding,) = [each for each in prove_findings(conn, seen.findings, "engine") if each.check == check]
    return finding


def attempt_of(finding: Finding) -> Evidence:
    (evidence,) = [each for each in finding.evidence if each.kind == "attempt"]
    return evidence


TRIED = {
    "public_table": "create table t (id int); insert into t values (1); grant select on t to public",
    "public_create": "grant create on schema public to public",
    "public_definer_function": "create function f(a int, b text) returns int language sql security definer"
    " set search_path = '' return 1",
    "rls_not_forced": SHOP + "alter table orders enable row level security;" + OWN
    + "alter table orders owner to keeper",
    "policy_without_rls": SHOP + OWN,
    "definer_view": SHOP + HELD + OWN + "create view v as select * from orders; grant select on v to app",
    "exposed_partition": "create table p (id int) partition by list (id);"
    "create table l partition of p for values in (1, 2); insert into p values (1), (2), (2);" + HELD.replace(
        "orders", "p"
    )
    + "create policy own on p using (id = 1); grant select on p, l to app",
    "exposed_materialized_view": SHOP + HELD + OWN + "create materialized view m as select * from orders;"
    "grant select on m to app",
    "policy_always_true": SHOP + HELD + OWN + "create policy open on orders using (true)",
    "truncate_past_rls": SHOP + HELD + OWN + "grant truncate on orders to app",
    "forgeable_identity": SHOP + HELD
    + "create policy own on orders using (tenant = (select current_setting('app.tenant', true)))",
    "definer_search_path": SHOP
    + "create function f() returns bigint language sql security definer as 'select count(*) from orders'",
}  # fmt: skip


@pytest.mark.parametrize("check", sorted(TRIED))
def test_what_is_found_is_possible_and_the_fix_stops_it(conn: Connection, check: str) -> None:
    """The attempt gets what the finding says; after the fix it does not, and nothing else is found."""
    conn.execute(TRIED[check])

    finding = proved(conn, check)

    assert finding.verified, finding.unverified_because
    assert attempt_of(finding).facts["reached"] is True
    assert attempt_of(finding).facts["reached_after_fix"] is not True
    assert [each.kind for each in finding.evidence] == ["attempt", "fix-closes-finding"]


@pytest.mark.parametrize(
    ("setup", "check", "kinds"),
    [
        ("create table t (id int not null); grant insert on t to public", "public_table", 2),
        ("create table t (id int); grant update on t to public", "public_table", 2),
        ("create table t (id int); grant trigger on t to public", "public_table", 1),
        (SHOP + HELD + OWN + "create policy fill on orders for insert with check (true)",
         "policy_always_true", 1),
    ],
)  # fmt: skip
def test_each_privilege_is_tried_by_its_own_statement(
    conn: Connection, setup: str, check: str, kinds: int
) -> None:
    """INSERT and UPDATE are tried too; what no statement can try rests on the catalog and on the fix."""
    conn.execute(setup)

    finding = proved(conn, check)

    assert finding.verified, finding.unverified_because
    assert len(finding.evidence) == kinds


def test_odd_names_are_read_tried_and_fixed(conn: Connection) -> None:
    """Quotes, capitals, spaces, HTML, per cents and 63 bytes survive in every attempt and every fix."""
    odd, long = 'Odd "name" %s {x} é <b>', "n" * 63
    conn.execute(f"grant create on database {conn.info.dbname} to keeper; set role keeper")
    names = {"odd": '"Odd ""name"" %s {x} é <b>"', "long": long}
    for schema, table in ((names["odd"], names["long"]), (names["long"], names["odd"])):
        conn.execute(f"create schema {schema}; grant create on schema {schema} to public")
        conn.execute(f"create table {schema}.{table} ({table} text)")
        conn.execute(f"insert into {schema}.{table} values ('x'), ('y')")
        conn.execute(f"grant all on {schema}.{table} to public")
        conn.execute(f"alter table {schema}.{table} enable row level security")
        conn.execute(
            f"create policy {table} on {schema}.{table}"
            f" using ({table} = (select current_setting('app.x', true)))"
        )
        conn.execute(f"create view {schema}.v as select * from {schema}.{table}")
        conn.execute(f"grant select on {schema}.v to public")
        conn.execute(
            f"create function {schema}.{table}({table} text) returns bigint language sql security definer"
            f" set search_path = {schema} as $$ select count(*) from {table} $$"
        )
    conn.execute("reset role")
    seen = review_connection(conn, looked_at_on="here", with_server=False)
    tried = prove_findings(conn, seen.findings, "engine")

    assert {each.object for each in tried} > {f'"{odd.replace(chr(34), chr(34) * 2)}"', long}
    assert {each.check for each in tried if each.verified} >= {
        "public_create",
        "public_table",
        "definer_view",
        "definer_search_path",
        "forgeable_identity",
    }
    assert {each.unverified_because for each in tried if not each.verified} <= {""}, [
        (each.check, each.object, each.unverified_because) for each in tried if not each.verified
    ]


def test_nothing_of_an_attempt_stays(conn: Connection) -> None:
    """Rows, roles, schemas and privileges are after all attempts as they were before."""
    conn.execute(TRIED["policy_always_true"] + ";" + TRIED["truncate_past_rls"].split(";")[-1])
    facts = (
        "select (select count(*) from orders), (select count(*) from pg_roles),"
        " (select count(*) from pg_namespace), (select relacl from pg_class where relname = 'orders')"
    )
    before = conn.execute(facts).fetchone()
    proved(conn, "policy_always_true")

    assert conn.execute(facts).fetchone() == before


@pytest.mark.parametrize(
    ("body", "language", "shadowed"),
    [
        ("select count(*) from orders", "sql", "orders"),
        ("begin return (select count(*) from Orders); end", "plpgsql", "orders"),
        ("begin insert into log values (1); return helper(1); end", "plpgsql", "helper"),
        ('begin return (select count(*) from "Odd ""name"""); end', "plpgsql", 'Odd "name"'),
    ],
)
def test_a_function_is_hijacked_by_a_name_of_its_body(
    conn: Connection, body: str, language: str, shadowed: str
) -> None:
    """A table or a function that the body names without a schema is put before it, by a caller's path."""
    conn.execute(
        SHOP + 'create table "Odd ""name""" (id int); create table log (id int);'
        "create function helper(int) returns bigint language sql return 1;"
        f"create function f() returns bigint language {language} security definer as $$ {body} $$"
    )

    finding = proved(conn, "definer_search_path")

    assert finding.verified, finding.unverified_because
    assert attempt_of(finding).facts["shadowed"] == shadowed
    assert attempt_of(finding).facts["temporary"] is False


def test_a_function_is_hijacked_by_an_operator(conn: Connection) -> None:
    """Where every table has its schema, an operator that has none is put before the server's."""
    conn.execute(
        SHOP + "create function f(t text) returns bigint language plpgsql security definer as $$"
        " begin return (select pg_catalog.count(*) from public.orders o where o.tenant = t); end $$"
    )

    finding = proved(conn, "definer_search_path")

    assert finding.verified, finding.unverified_because
    assert attempt_of(finding).facts["shadowed"] == "="


def test_truncate_that_a_foreign_key_stops_was_not_refused(conn: Connection) -> None:
    """A foreign key is no right: who could empty the table but for it holds the privilege."""
    conn.execute(TRIED["truncate_past_rls"] + "; create table lines (id int references orders)")

    finding = proved(conn, "truncate_past_rls")

    assert finding.verified, finding.unverified_because
    assert "foreign key" in attempt_of(finding).summary


def test_the_role_of_the_policy_forges_its_identity(conn: Connection) -> None:
    """A policy for one role is tried as that role, though others are granted the table too."""
    conn.execute(
        SHOP + HELD + "grant select on orders to aaa_first; create policy own on orders to app"
        " using (tenant = current_setting('app.tenant', true))"
    )

    finding = proved(conn, "forgeable_identity")

    assert finding.verified, finding.unverified_because
    assert attempt_of(finding).facts["identities_tried"] == 5


def test_a_path_without_pg_temp_is_hijacked_by_a_temporary_view(conn: Connection) -> None:
    """A fixed path stops the caller's schema, and a temporary view still comes first."""
    conn.execute(
        SHOP + "create function f() returns bigint language sql security definer set search_path = public"
        " as 'select count(*) from orders'"
    )

    finding = proved(conn, "definer_search_path")

    assert finding.verified, finding.unverified_because
    assert attempt_of(finding).facts["temporary"] is True


def test_a_function_whose_names_have_their_schema_is_not_hijacked(conn: Connection) -> None:
    """Near miss: without a path of its own and nothing to put before it, it is found and not verified."""
    conn.execute(
        SHOP + "create function f() returns bigint language sql security definer"
        " as 'select pg_catalog.count(*) from public.orders'"
    )

    finding = proved(conn, "definer_search_path")

    assert not finding.verified
    assert "names nothing without a schema" in finding.unverified_because


def test_without_rows_nothing_is_claimed(conn: Connection) -> None:
    """An empty table shows no leak: the finding stays, and says why it is not verified."""
    conn.execute(TRIED["definer_view"])
    conn.execute("delete from orders")

    finding = proved(conn, "definer_view")

    assert not finding.verified
    assert "no row" in finding.unverified_because


def test_a_finding_of_the_server_is_not_tried_in_a_copy(conn: Connection) -> None:
    """Settings and pg_hba.conf are those of the named server: the copy says nothing of them."""
    seen = review_connection(conn, looked_at_on="here", with_server=True)
    (finding, *_) = [
        each for each in prove_findings(conn, seen.findings, "engine") if each.check == "hba_trust"
    ]

    assert not finding.verified
    assert "about the server" in finding.unverified_because


def test_a_thousand_tables_are_read_and_proved_by_a_few_statements(conn: Connection) -> None:
    """The findings of one check are tried in one transaction, however many tables there are."""
    conn.execute("""
        do $$ begin
          for n in 1 .. 1000 loop
            execute format('create table t%s (id int)', n);
            execute format('alter table t%s enable row level security', n);
            execute format('grant select on t%s to public', n);
          end loop;
        end $$
    """)
    seen = review_connection(conn, looked_at_on="here", with_server=False)
    assert len(seen.findings) == 3000
    once = prove_findings(conn, [each for each in seen.findings if each.check == "public_table"], "engine")

    assert len(once) == 1000
    assert all(each.verified for each in once)


def test_what_is_not_tried_in_time_says_so(conn: Connection) -> None:
    """With no time for trials every finding stays, and says that it was not tried."""
    conn.execute(TRIED["public_table"])
    seen = review_connection(conn, looked_at_on="here", with_server=False)
    (finding,) = prove_findings(conn, seen.findings, "engine", limit_s=-1)

    assert not finding.verified
    assert "was not tried" in finding.unverified_because


def test_a_named_database_is_copied_with_its_roles_and_rights(cluster: Server) -> None:
    """Of a named database, which is only read, a private copy has the owners, grants and policies."""
    with cluster.scratch_database(label="named") as name:
        with cluster.session(name) as conn:
            conn.execute("grant usage, create on schema public to keeper; set role keeper")
            conn.execute(SHOP + HELD)
            conn.execute("""
                create policy own on orders using (tenant = (select current_setting('app.tenant', true)));
                alter table orders no force row level security;
                create view v as select * from orders;
                grant select on v to app;
                create function f() returns bigint language sql security definer
                  as 'select count(*) from orders';
                alter default privileges in schema public grant select on tables to public;
            """)
            before = conn.execute("select count(*) from pg_roles").fetchone()
        with open_source(cluster.url(name), cluster, Options()) as opened:
            seen = prove_posture(opened)
        with cluster.session() as conn:
            assert conn.execute("select count(*) from pg_roles").fetchone() == before
    tried = {each.check: each for each in seen.findings if each.verified}

    assert {
        "rls_not_forced",
        "definer_view",
        "definer_search_path",
        "public_definer_function",
        "default_privileges",
    } <= tried.keys(), {each.check: each.unverified_because for each in seen.findings}
    assert attempt_of(tried["definer_search_path"]).facts["shadowed"] == "orders"
    assert "its owner saw 200 of 200" in attempt_of(tried["rls_not_forced"]).summary
    server_wide = [each for each in seen.findings if each.check == "hba_trust"]
    assert server_wide
    assert not any(each.verified for each in server_wide)


def test_a_file_is_tried_in_a_place_of_its_own(server: Server, tmp_path: Path) -> None:
    """What a script grants and declares is tried as the roles that it names."""
    file = tmp_path / "shop.sql"
    file.write_text("create role app_of_file;" + (SHOP + HELD + OWN).replace("app;", "app_of_file;").replace(
        "to app using", "to app_of_file using"
    ) + "grant truncate on orders to app_of_file; grant select on orders to public;")  # fmt: skip
    with open_source(str(file), server, Options()) as opened:
        seen = prove_posture(opened)
    tried = {each.check: each.unverified_because for each in seen.findings}

    assert tried == {"public_table": "", "truncate_past_rls": ""}


def test_without_a_finding_nothing_is_copied(server: Server) -> None:
    """The example has no finding of its database, so no cluster is made for it."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened:
        seen = review_posture(opened)
        assert prove_posture(opened, seen) is seen


def test_the_workbenchs_own_design_has_no_finding_of_its_database(server: Server) -> None:
    """What the area generates, audit and token functions among it, passes every check of a database."""
    with (
        open_source("ecommerce", server, Options(scale=0.001)) as opened,
        security_place(opened) as place,
        hardened(
            place,
            read_intent(sql.path("security/intents/ecommerce.yaml"), place.catalog),
        ) as target,
        place.server.session(target.database) as conn,
    ):
        seen = review_connection(conn, looked_at_on="hardened", with_server=False)

    assert [(each.check, each.object) for each in seen.findings] == []
