"""Who has which rights, read from a real server, and the intent that is derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from workbench.areas.security.access.model import AccessFacts, Membership, PrivilegeFact
from workbench.areas.security.access.reading import access_facts
from workbench.areas.security.intent.checks import problems_of
from workbench.areas.security.intent.deriving import derive_intent
from workbench.areas.security.intent.model import OPERATIONS, Intent
from workbench.areas.security.intent.permissions import permission
from workbench.areas.security.intent.reading import example_intent, read_intent
from workbench.areas.security.intent.writing import write_intent
from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.engines.cluster import private_cluster
from workbench.engines.postgres import Connection, Server, installed_binaries
from workbench.source import Options, open_source

GRANTED = """
create schema shop;
create table shop.users (user_id bigint primary key, email text not null, password_hash text not null);
create table shop.orders (
    order_id bigint primary key,
    user_id bigint not null references shop.users,
    approved_by bigint references shop.users,
    status text not null
);
create table shop.lines (
    order_id bigint references shop.orders, line int, note text, primary key (order_id, line)
);
create table shop.moves (id int primary key, order_id bigint references shop.orders);
create table shop.docs (doc_id int primary key, author text, body text);
create table shop.odd (id int primary key, x int);
create table shop."My ""Table" ("Id" int primary key, "e Mail" text);
create view shop.seen with (security_barrier) as select order_id from shop.orders;
create function shop.me() returns bigint
language sql stable security definer set search_path = '' as 'select 1';
alter table shop.users enable row level security, force row level security;
alter table shop.orders enable row level security;
alter table shop.lines enable row level security;
alter table shop.docs enable row level security;
alter table shop.odd enable row level security;
create role app login connection limit 5;
create role reports;
create role bob login;
create role "We ""ird" login noinherit;
create role boss login bypassrls;
create role all_reader login;
create role root_too superuser;
create role nobody login;
grant reports to bob with admin option;
grant reports to "We ""ird";
grant pg_read_all_data to all_reader;
grant usage on schema shop to app, reports;
grant select, insert, update, delete on shop.users, shop.orders, shop.lines to app with grant option;
grant select on shop.docs, shop.odd to app;
grant select (order_id, status) on shop.orders to reports;
grant select (doc_id, body), update (body) on shop.docs to "We ""ird";
grant select on shop."My ""Table" to "We ""ird", root_too;
grant truncate on shop.docs to "We ""ird";
grant select on shop.seen to reports;
grant select on shop.odd to public;
grant select on shop.orders to boss;
alter default privileges in schema shop grant select on tables to reports;
select pg_catalog.lo_create(0) from pg_catalog.generate_series(1, 3);
create policy p_users on shop.users
    using (user_id = (select current_setting('app.user')::bigint));
create policy p_orders on shop.orders to app using (user_id = shop.me());
create policy p_reports on shop.orders for select to reports using (status <> 'secret');
create policy p_lines on shop.lines to app
    using (exists (select from shop.orders o where o.order_id = lines.order_id and o.user_id = shop.me()));
create policy p_docs on shop.docs using (author = current_user);
create policy p_odd on shop.odd for select to app using (x in (select 1));
"""


@dataclass(frozen=True)
class Found:
    server: Server
    database: str
    catalog: Catalog
    facts: AccessFacts
    intent: Intent


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with private_cluster() as (server, _):
        yield server


@pytest.fixture(scope="module")
def found(cluster: Server) -> Iterator[Found]:
    with cluster.scratch_database(label="granted") as name:
        with cluster.session(name) as conn:
            conn.execute(GRANTED)
            catalog, facts = reflect(conn), access_facts(conn)
        yield Found(cluster, name, catalog, facts, derive_intent(catalog, facts))


def grants(found: Found, role: str, table: str, operation: str) -> object:
    may = permission(found.intent, found.catalog, role, ("shop", table), operation)  # type: ignore[arg-type]
    return may and may.grants


def test_every_privilege_is_told_from_what_the_server_gives_by_itself(found: Found):
    """A grant with its grantor and option; the owner's own and PUBLIC's built-in ones are implicit."""
    by_app = [each for each in found.facts.granted if each.grantee == "app" and each.name == "users"]
    execute = [each for each in found.facts.privileges if (each.kind, each.name) == ("routine", "me")]

    assert [each.privilege for each in by_app] == ["delete", "insert", "select", "update"]
    assert all(each.grantable and not each.implicit for each in by_app)
    assert {(each.grantee, each.implicit) for each in execute} == {
        ("public", True),
        (each_owner(execute), True),
    }
    assert [
        (each.part, each.privilege)
        for each in found.facts.privileges
        if each.kind == "column" and each.name == "docs"
    ] == [("body", "select"), ("body", "update"), ("doc_id", "select")]


def each_owner(facts: list[PrivilegeFact]) -> str:
    return facts[0].owner


def test_what_else_decides_who_may_what_is_read(found: Found):
    """Memberships with options, attributes, row security, view options, definers, defaults."""
    roles = found.facts.roles_by_name
    relations = found.facts.relations_by_name
    (definer,) = found.facts.routines

    assert (
        Membership("reports", "bob", found.facts.database_owner, True, True, True) in found.facts.memberships
    )
    assert roles["app"].connection_limit == 5 and roles["boss"].bypass_row_security
    assert roles["root_too"].superuser and roles["pg_read_all_data"].predefined
    assert relations["shop", "users"].forced and not relations["shop", "orders"].forced
    assert relations["shop", "seen"].security_barrier and not relations["shop", "seen"].security_invoker
    assert definer.security_definer and definer.settings == ('search_path=""',)
    assert ("shop", "tables", "reports", "select") in {
        (each.schema, each.objects, each.grantee, each.privilege) for each in found.facts.default_privileges
    }
    assert {each.objects for each in found.facts.large_objects} == {3}
    assert [each.name for each in found.facts.policies] == [
        "p_docs", "p_lines", "p_odd", "p_orders", "p_reports", "p_users"
    ]  # fmt: skip


def test_a_role_without_rights_reads_the_same(found: Found):
    """The facts need no right but to connect, and a read-only session."""
    with found.server.connect(found.database, user="nobody") as conn:
        conn.execute("set default_transaction_read_only = on")
        facts = access_facts(conn)

    assert facts.privileges == found.facts.privileges
    assert facts.policies == found.facts.policies
    assert not facts.superuser and facts.reader == "nobody"


def test_roles_come_from_grants_and_memberships(found: Found):
    """Members of grantees are roles as well; a superuser, an owner and who has nothing are not."""
    roles = {each.name: each for each in found.intent.roles}

    assert {"app", "reports", "bob", "boss", "all_reader", 'We "ird'} < set(roles)
    assert not {"root_too", "nobody", "pg_read_all_data"} & set(roles)
    assert roles["bob"].inherits == ("reports",) and roles["reports"].kind == "group"
    assert roles['We "ird'].inherits == ()  # it is noinherit
    assert roles["app"].identified == "token" and roles["app"].connection_limit == 5


def test_own_rows_come_from_policies(found: Found):
    """A comparison with a setting in a subquery, with a function, and through exists over a foreign key."""
    owners = found.intent.owners

    assert found.intent.identity is not None and found.intent.identity.table == ("shop", "users")
    assert owners["shop", "users"].column == "user_id" and owners["shop", "orders"].column == "user_id"
    assert owners["shop", "lines"].parent == ("shop", "orders")
    assert ("shop", "moves") not in owners  # its key may be null
    for table in ("users", "orders", "lines"):
        for operation in OPERATIONS:
            assert [each[:2] for each in grants(found, "app", table, operation)] == [("own", None)]  # type: ignore[attr-defined]


def test_rules_are_no_wider_than_the_grants(found: Found):
    """The columns granted, the policy's condition, and no rule where no policy is simple."""
    assert grants(found, "reports", "orders", "select") == (
        ("all", "(status <> 'secret'::text)", ("order_id", "status")),
    )
    assert grants(found, 'We "ird', "docs", "update") == (("all", "(author = CURRENT_USER)", ("body",)),)
    assert grants(found, "app", "odd", "select") is None
    assert grants(found, "all_reader", "orders", "select") is None
    assert grants(found, "boss", "orders", "select") == (
        ("all", None, ("order_id", "user_id", "approved_by", "status")),
    )


def test_what_an_intent_cannot_say_is_told(found: Found):
    """TRUNCATE, PUBLIC, a view, a superuser, BYPASSRLS, a policy that is not simple: as comments."""
    text = " ".join(write_intent(found.intent).replace("#", " ").split())

    for said in (
        '"We ""ird" may truncate shop.docs, which no intent allows',
        "PUBLIC, which is everybody, may select shop.odd: say who needs it",
        "reports may select shop.seen, no table of its own",
        "root_too is a superuser",
        "take BYPASSRLS from it",
        "app may select shop.odd by grant, and a policy is not simple (p_odd)",
        "all_reader may select shop.lines, shop.odd, shop.orders by grant, and no policy lets it",
        "Guessed: policy p_lines.",
    ):
        assert said in text


def test_what_is_written_is_read_equal(found: Found):
    """Names with quotes and blanks, conditions and column lists survive, and nothing contradicts itself."""
    assert read_intent(write_intent(found.intent), found.catalog) == found.intent


def test_an_installed_older_server_says_the_same():
    """Before PostgreSQL 16 inheritance is the member's attribute; the intent is the same."""
    older = [each for each in installed_binaries() if int(each.version.split(".")[0]) < 16]
    if not older:
        pytest.skip("needs an installed PostgreSQL before 16")
    with (
        private_cluster(binaries=older[0]) as (server, _),
        server.scratch_database(label="older") as name,
        server.session(name) as conn,
    ):
        conn.execute(GRANTED)
        catalog, facts = reflect(conn), access_facts(conn)
    intent = derive_intent(catalog, facts)

    assert {(each.member, each.inherits) for each in facts.memberships if each.role == "reports"} == {
        ("bob", True),
        ('We "ird', False),
    }
    assert read_intent(write_intent(intent), catalog) == intent
    assert intent.owners["shop", "lines"].parent == ("shop", "orders")


def test_the_example_is_covered(server: Server):
    """Its intent has no problem, every tenant table has an owner, the app can place an order."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened:
        catalog, facts = reflect(opened.connection), access_facts(opened.connection)
    intent = example_intent(catalog)

    assert problems_of(intent, catalog) == []
    led = {
        (table.schema, table.name)
        for table in catalog.base_tables
        for key in table.foreign_keys
        if key.references in intent.owners and not any(table.column(each).nullable for each in key.columns)
    }
    assert led <= set(intent.owners)
    for table, operation in (
        ("orders", "insert"),
        ("order_items", "insert"),
        ("orders", "update"),
        ("users", "insert"),
    ):
        assert permission(intent, catalog, "shop_app", ("shop", table), operation)  # type: ignore[arg-type]

    derived = derive_intent(catalog, facts)
    assert {name: each.column for name, each in derived.owners.items()} == {
        name: each.column for name, each in intent.owners.items()
    }
    assert read_intent(write_intent(derived), catalog) == derived
    assert read_intent(write_intent(intent), catalog) == intent


def derived(conn: Connection) -> tuple[Intent, Catalog]:
    catalog = reflect(conn)
    return derive_intent(catalog, access_facts(conn)), catalog


def test_without_accounts_there_is_no_identity(pg: Connection):
    """The proposal says so, and the application is a writer; an empty database gives roles without rules."""
    nothing, catalog = derived(pg)
    assert nothing.rules == () and read_intent(write_intent(nothing), catalog) == nothing

    pg.execute("create table measures (id int primary key, value numeric)")
    intent, catalog = derived(pg)

    assert intent.identity is None and intent.owners == {}
    assert "No table looks like accounts" in write_intent(intent)
    assert [each.inherits for each in intent.roles if each.name.endswith("_app")] == [
        tuple(each.name for each in intent.roles if each.name.endswith("_writer"))
    ]
    assert read_intent(write_intent(intent), catalog) == intent


def test_labels_are_guessed_from_names_and_comments(pg: Connection):
    """Secrets, means of payment and data about persons; not a type, a flag, a key, or the name of a thing."""
    pg.execute(
        """
        create table customers (
            id int primary key, name text, email text, email_verified bool, address_type text, iban text,
            password_hash text not null, birth_date date, remark text, phone_id int
        );
        comment on column customers.remark is 'May hold a phone number.';
        create table film_makers (id int primary key, first_name text, last_name text);
        create table phones (
            customer_id int references customers, phone text, primary key (customer_id, phone)
        )
        """
    )
    intent, catalog = derived(pg)
    labels = {each.name: {column[2] for column in each.columns} for each in intent.labels}

    assert labels == {
        "payment": {"iban"},
        "personal": {"name", "email", "birth_date", "remark"},
        "personal_in_key": {"phone"},
        "secret": {"password_hash"},
    }
    assert read_intent(write_intent(intent), catalog) == intent


def test_a_thousand_tables_and_partitions(pg: Connection):
    """Owners are found through keys that only the partitions have, and nothing is contradictory."""
    pg.execute(
        """
        create table users (id bigint primary key, email text);
        create table events (at date, user_id bigint not null, what text) partition by range (at);
        create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
        alter table events_1 add foreign key (user_id) references users;
        do $$ begin
            for i in 1..1000 loop
                execute format(
                    'create table %I (id bigint primary key, user_id bigint references users, phone text)',
                    'T ' || i
                );
            end loop;
        end $$
        """
    )
    intent, catalog = derived(pg)

    assert intent.owners["public", "events"].column == "user_id"
    assert len(intent.owners) == 1002
    assert read_intent(write_intent(intent), catalog) == intent
