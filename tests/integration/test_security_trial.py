"""The place of the attacks: what is taken over from a source, whose it is, and what nobody may do there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.intent.model import Identity, Intent, RoleIntent, RowOwner, Rule
from workbench.areas.security.intent.reading import example_intent
from workbench.areas.security.trial import found, identities_of, place_copy, security_place, with_surface
from workbench.areas.security.trial.model import Place
from workbench.engines.postgres import Server
from workbench.errors import BadInput
from workbench.source import Options, open_source

NOTES = ('No "Good"', "notes")
SCRIPT = r'''
create role trial_reader;
create role "Trial ""Odd""";
create schema "No ""Good""";
create table "No ""Good""".notes (
    note_id integer primary key,
    tenant text not null,
    body text not null
);
insert into "No ""Good""".notes
values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'b', 'z');
create table "No ""Good""".lines (
    note_id integer not null references "No ""Good""".notes (note_id),
    line text not null
);
insert into "No ""Good""".lines
values (1, 'one'), (2, 'two');
alter table "No ""Good""".notes enable row level security, force row level security;
create policy mine on "No ""Good""".notes to "Trial ""Odd""" using (tenant = 'a');
grant select on "No ""Good""".notes to trial_reader;
create function "No ""Good""".who() returns text language sql as 'select current_user::text';
create materialized view "No ""Good""".whose as select "No ""Good""".who() as who;
'''
EMPTY = """
create table tenants (tenant_id integer primary key, name text not null unique);
create table documents (
    document_id integer primary key,
    tenant_id integer not null references tenants (tenant_id),
    title text not null
);
"""


def intent_of_notes() -> Intent:
    lines = (NOTES[0], "lines")
    return Intent(
        name="notes",
        roles=(RoleIntent("trial_owner", "owner"), RoleIntent("trial_app", "login", identified="token")),
        rules=(Rule("trial_app", (NOTES, lines), ("select",), rows="own"),),
        owners={
            NOTES: RowOwner(NOTES, column="tenant"),
            lines: RowOwner(lines, parent=NOTES, columns=("note_id",), parent_columns=("note_id",)),
        },
        identity=Identity(NOTES, "tenant", "text"),
    )


@contextlib.contextmanager
def place_of(server: Server, folder: Path, script: str, **options: object) -> Iterator[Place]:
    path = folder / "source.sql"
    path.write_text(script)
    with open_source(str(path), server) as opened, security_place(opened, **options) as place:  # type: ignore[arg-type]
        yield place


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Place]:
    with (
        open_source("ecommerce", server, Options(scale=0.01)) as opened,
        security_place(opened) as place,
    ):
        yield place


@pytest.fixture(scope="module")
def notes(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_of(server, tmp_path_factory.mktemp("notes"), SCRIPT) as place:
        yield place


def test_everything_is_the_deployers_who_is_no_superuser(shop: Place) -> None:
    """The deployer owns the database and all tables, may create roles, and is bound by row security."""
    with contextlib.closing(shop.connect(shop.base)) as conn:
        row = conn.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = user"
        ).fetchone()
    assert row == (False, True, False, False)
    assert {table.owner for table in shop.catalog.tables} == {shop.deployer}


def test_example_comes_with_its_rows_without_its_audit_and_with_the_surface(shop: Place) -> None:
    """The built-in audit makes room for the area's own; no trigger of it is left on a table."""
    assert shop.catalog.schemas == ("shop", "shop_api")
    assert not [t.name for table in shop.catalog.tables for t in table.triggers if "audit" in t.function]
    assert shop.rows_from == "the example's generator, scale 0.01, seed 1"
    with contextlib.closing(shop.connect(shop.base)) as conn:
        counted = conn.execute(
            "select (select count(*) from shop.orders), (select count(*) from shop_api.visits)"
        ).fetchone()
    assert counted is not None and min(counted) > 1000


def test_intent_of_the_surface_names_what_is_there(shop: Place) -> None:
    """With the surface the intent says of visits to whom they belong; without, nobody may read them."""
    intent = example_intent(shop.catalog)
    visits = ("shop_api", "visits")
    assert visits not in intent.owners
    assert with_surface(intent).owners[visits].column == "user_id"


def test_a_copy_is_the_bases_and_gone_afterwards(shop: Place) -> None:
    """What is done in a copy stays there, and the copy goes with its block."""
    with place_copy(shop, "test") as name:
        with contextlib.closing(shop.connect(name)) as conn:
            conn.execute("delete from shop_api.visits")
        with contextlib.closing(shop.connect(shop.base)) as conn:
            assert conn.execute("select count(*) > 1000 from shop_api.visits").fetchone() == (True,)
    with shop.server.session() as conn:
        assert conn.execute("select from pg_database where datname = %s", [name]).fetchone() is None


def test_the_place_logs_refused_statements_and_counts_all(shop: Place) -> None:
    """The log holds what was refused; pg_stat_statements is loaded; the WAL is that of a replica."""
    with contextlib.closing(shop.connect(shop.base)) as conn, pytest.raises(psycopg2.Error):
        conn.execute("select 'marker of the trial' from no_such_table")
    assert "marker of the trial" in shop.log.read_text(errors="replace")
    with shop.server.session() as conn:
        settings = conn.execute(
            "select current_setting('pg_stat_statements.track'), current_setting('wal_level')"
        ).fetchone()
    assert settings == ("all", "replica")
    assert (shop.data / "PG_VERSION").exists()


def test_two_identities_own_rows_in_most_tables(shop: Place) -> None:
    """Both identities have rows of their own in every owned table, through parents as well."""
    intent = example_intent(shop.catalog)
    found = identities_of(shop, intent)
    assert found.a != found.b
    with contextlib.closing(shop.connect(shop.base)) as conn:
        for identity in (found.a, found.b):
            row = conn.execute(
                "select count(*) from shop.order_items join shop.orders using (order_id) where user_id = %s",
                [identity],
            ).fetchone()
            assert row is not None and row[0] > 0


def test_a_script_keeps_policies_and_loses_privileges(notes: Place) -> None:
    """Odd names, forced row security, policies and the roles that they name are there; grants are not."""
    table = notes.catalog.table(*NOTES)
    assert (table.row_security, table.row_security_forced) == (True, True)
    assert [policy.roles for policy in table.policies] == [('Trial "Odd"',)]
    with notes.server.session(notes.base) as conn:
        roles = conn.execute(
            "select rolname, rolcanlogin from pg_roles where rolname ilike 'trial%' order by 1"
        ).fetchall()
        granted = conn.execute(
            "select relacl from pg_class where relname = 'notes' and relkind = 'r'"
        ).fetchone()
        rows = conn.execute('select count(*) from "No ""Good""".notes').fetchone()
    assert roles == [('Trial "Odd"', False), ("trial_reader", False)]
    assert granted == (None,)
    assert rows == (3,)


def test_code_of_a_script_never_runs_as_a_superuser(notes: Place) -> None:
    """A function that ran while the copy was made ran as the deployer."""
    with notes.server.session(notes.base) as conn:
        assert conn.execute('select who from "No ""Good""".whose').fetchall() == [(notes.deployer,)]


def test_identities_are_found_behind_forced_row_security_through_a_parent(notes: Place) -> None:
    """Two tenants own notes and, through them, lines."""
    found = identities_of(notes, intent_of_notes())
    assert (found.a, found.b) == ("a", "b")


def test_rows_are_generated_where_there_are_none(server: Server, tmp_path: Path) -> None:
    """A schema without rows gets some of several tenants, and the place says where they come from."""
    with place_of(server, tmp_path, EMPTY) as place:
        assert place.rows_from.startswith("generated from the structure, seed 1")
        with contextlib.closing(place.connect(place.base)) as conn:
            row = conn.execute("select count(*), count(distinct tenant_id) from documents").fetchone()
            may = conn.execute(
                "select has_parameter_privilege(current_user, 'session_replication_role', 'set')"
            ).fetchone()
        assert row is not None and row[0] >= 20 and row[1] >= 2
        assert may == (False,)


def test_rows_are_generated_where_they_are_asked_for(server: Server, tmp_path: Path) -> None:
    """Of a source with rows none is taken over where generated ones are asked for."""
    filled = EMPTY + "insert into tenants values (1000001, 'a real name');"
    with place_of(server, tmp_path, filled, rows="generated") as place:
        assert place.rows_from.startswith("generated")
        with contextlib.closing(place.connect(place.base)) as conn:
            assert conn.execute("select from tenants where name = 'a real name'").fetchone() is None


def test_rows_that_are_not_there_cannot_be_taken(server: Server, tmp_path: Path) -> None:
    """To ask an empty schema for its rows is bad input."""
    with (
        pytest.raises(BadInput, match=r"source\.sql has no rows: let them be generated"),
        place_of(server, tmp_path, EMPTY, rows="as they are"),
    ):
        pass


def test_a_second_identity_is_made_up_where_all_rows_are_of_one(server: Server, tmp_path: Path) -> None:
    """Where all rows belong to one identity there is another for the attacks, and the note says so."""
    script = SCRIPT.replace("(2, 'b', 'y'), (3, 'b', 'z')", "(2, 'a', 'y')")
    with place_of(server, tmp_path, script) as place:
        found = identities_of(place, intent_of_notes())
    assert (found.a, found.b) == ("a", "b")
    assert found.note == '"No ""Good""".notes: rows belong to one identity, so b was made up'


def test_a_design_is_applied_to_the_place(shop: Place) -> None:
    """The deployer's rights are enough for a design, and each identity then sees its own orders alone."""
    with hardened(shop, example_intent(shop.catalog)) as target:
        seen = []
        for identity in (target.identities.a, None):
            with contextlib.closing(target.connect("shop_app", identity)) as conn:
                seen.append(conn.execute("select count(distinct user_id) from shop.orders").fetchone())
    assert seen == [(1,), (0,)]


FOUND = (
    EMPTY
    + """
create role found_owner;
create role found_app;
create role found_report;
insert into tenants values (1, 'one'), (2, 'two');
insert into documents values (1, 1, 'x'), (2, 2, 'y'), (3, 2, 'z');
grant select on documents to found_app, found_report;
grant select (name) on tenants to found_app;
alter table documents enable row level security;
create policy mine on documents to found_app
    using (tenant_id = nullif(current_setting('found.tenant', true), '')::integer);
create function owned() returns integer language sql security definer as 'select 1';
alter function owned() owner to found_owner;
revoke execute on function owned() from public;
"""
)


def intent_of_documents() -> Intent:
    documents = ("public", "documents")
    return Intent(
        name="found",
        roles=(
            RoleIntent("found_owner", "owner"),
            RoleIntent("found_app", "login", identified="token", existing=True),
            RoleIntent("found_report", "login", existing=True),
        ),
        rules=(Rule("found_app", (documents,), ("select",), rows="own"),),
        owners={documents: RowOwner(documents, column="tenant_id")},
        identity=Identity(("public", "tenants"), "tenant_id", "integer"),
    )


def test_what_is_live_today_is_attacked_as_it_is(server: Server, tmp_path: Path) -> None:
    """Roles, owners, grants of tables and columns, revokes and policies of the source are there."""
    with (
        place_of(server, tmp_path, FOUND, as_found=True) as place,
        found(place, intent_of_documents(), setting="found.tenant") as target,
    ):
        seen: list[object] = []
        for role, identity, statement in (
            ("found_app", target.identities.a, "select count(*) from documents"),
            ("found_app", None, "select count(*) from documents"),
            ("found_app", None, "select count(name) from tenants"),
            ("found_app", None, "select count(*) from tenants where tenant_id > 0"),
            ("found_report", None, "select count(*) from documents"),
            ("found_report", None, "select owned()"),
        ):
            with contextlib.closing(target.connect(role, identity)) as conn:
                try:
                    seen.append(conn.execute(statement).fetchone()[0])  # type: ignore[index]
                except psycopg2.Error as exc:
                    seen.append(exc.pgcode)
        with place.server.session(target.database) as conn:
            owner = conn.execute(
                "select proowner::regrole::text from pg_proc where proname = 'owned'"
            ).fetchone()
            superusers = conn.execute("select rolname from pg_roles where rolsuper").fetchall()
    assert target.name == "as found" and target.design is None
    assert (owner, superusers) == (("found_owner",), [(server.user,)])
    assert seen == [1, 0, 2, "42501", 0, "42501"]


def test_without_as_found_nobody_has_a_right(server: Server, tmp_path: Path) -> None:
    """The same source as a place for a new design: its roles are there and may do nothing."""
    with (
        place_of(server, tmp_path, FOUND) as place,
        place.server.session(place.base) as conn,
    ):
        rights = conn.execute(
            "select has_table_privilege('found_app', 'documents', 'select'), "
            "has_function_privilege('found_report', 'owned()', 'execute')"
        ).fetchone()
        assert rights == (False, True)
        assert {table.owner for table in place.catalog.tables} == {place.deployer}


def test_whoever_stayed_connected_does_not_stop_a_copy(notes: Place) -> None:
    """A session that was left open on the base is ended, and the copy made; nobody else's is."""
    with (
        contextlib.closing(notes.connect(notes.base)) as left,
        contextlib.closing(notes.connect("postgres")) as elsewhere,
    ):
        with place_copy(notes, "copied") as name, contextlib.closing(notes.connect(name)) as conn:
            assert conn.execute("select true").fetchone() == (True,)

        with pytest.raises(psycopg2.OperationalError):
            left.execute("select 1")
        assert elsewhere.execute("select true").fetchone() == (True,)
