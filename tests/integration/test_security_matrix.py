"""The cross product of attacks is green on a right design, and red wherever one is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from workbench.areas.security.attacks.matrix import matrix, matrix_attempts
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.intent.reading import read_intent
from workbench.areas.security.trial.model import Identities, Place, Target
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import EngineError

SCHEMA = """
create schema app;
create table app.customers (customer_id int primary key, name text not null, secret text);
create table app.invoices (
    invoice_id int primary key,
    customer_id int references app.customers,
    status text not null,
    note text,
    doubled int generated always as (invoice_id * 2) stored
);
create table app.invoice_lines (
    invoice_id int not null references app.invoices, line int, quantity int, primary key (invoice_id, line)
);
create table app.products (product_id serial primary key, name text not null);
create table app.keyless (word text, number int);
create table app.diary (diary_id int generated always as identity primary key, words text);
create table app."Odd ""Name" ("The Key" int primary key, "a%b" text);
create table app.empty (empty_id int primary key, word text);
create table app.readings (at date not null, value int, primary key (at)) partition by range (at);
create table app.readings_2025 partition of app.readings for values from ('2025-01-01') to ('2026-01-01');
create table app.readings_2026 partition of app.readings for values from ('2026-01-01') to ('2027-01-01');
create view app.open_invoices with (security_invoker) as
    select * from app.invoices where status = 'open';
create view app.product_names as select name from app.products;
create materialized view app.totals as select count(*) from app.invoices;

create function app.no_change() returns trigger language plpgsql as $$
begin
    raise exception 'the diary is never changed' using errcode = 'insufficient_privilege';
end $$;
create trigger never before update or delete on app.diary for each row execute function app.no_change();

insert into app.customers values (1, 'Ann', 'a'), (2, 'Bob', 'b'), (3, 'Cy', 'c');
insert into app.invoices values
    (10, 1, 'open', 'x'), (11, 1, 'paid', null), (20, 2, 'open', E'tab\\there'), (21, 2, 'paid', ''),
    (30, null, 'open', '');
insert into app.invoice_lines values (10, 1, 5), (20, 1, 6), (20, 2, 7);
insert into app.products (name) values ('pen'), ('ink');
insert into app.keyless values ('one', 1), ('two', 2);
insert into app.diary (words) values ('dear');
insert into app."Odd ""Name" values (1, 'a\\b%s');
insert into app.readings values ('2025-05-05', 1), ('2026-05-05', 2);
refresh materialized view app.totals;
"""

INTENT = """
intent: small
schema: access
identity: {is: app.customers.customer_id, type: integer, token_lifetime: 15 minutes}
roles:
  t_owner: {kind: owner}
  t_reader: {kind: group}
  t_web: {kind: login, identified: token}
  t_clerk: {kind: login, inherits: [t_reader]}
  t_diarist: {kind: login}
owners:
  app.customers: customer_id
  app.invoices: customer_id
  app.invoice_lines: {columns: [invoice_id], of: app.invoices}
labels:
  secret: {columns: {app.customers: [secret]}, seen_by: [t_web]}
rules:
  - {role: t_reader, may: [select], on: [app.products, app.keyless, app.readings, app.customers]}
  - {role: t_reader, may: [select], on: ['app."Odd ""Name"', app.empty]}
  - {role: t_clerk, may: [insert, update], on: [app.products]}
  - {role: t_clerk, may: [select, update, delete], on: [app.invoices], where: status = 'open'}
  - {role: t_clerk, may: [insert, delete], on: ['app."Odd ""Name"']}
  - {role: t_clerk, may: [insert], on: [app.readings]}
  - {role: t_web, may: [select], rows: own, on: [app.customers, app.invoices, app.invoice_lines]}
  - {role: t_web, may: [insert, delete], rows: own, on: [app.invoices]}
  - {role: t_web, may: [update], rows: own, on: [app.invoices], columns: [note], where: status = 'open'}
  - {role: t_web, may: [insert], rows: own, on: [app.invoice_lines]}
  - {role: t_diarist, may: [select, insert, update, delete], on: [app.diary]}
"""

ROLES = """
create role t_owner;
create role t_reader;
create role t_web login;
create role t_clerk login in role t_reader;
create role t_diarist login;
"""

MINE = "customer_id = (select nullif(current_setting('test.identity', true), '')::int)"
MY_LINES = f"exists (select from app.invoices i where i.invoice_id = invoice_lines.invoice_id and i.{MINE})"

DESIGN = f"""
alter schema app owner to t_owner;
do $$
declare each regclass;
begin
    for each in
        select oid from pg_class where relnamespace = 'app'::regnamespace and relkind in ('r', 'p', 'v', 'm')
    loop
        execute format('alter table %s owner to t_owner', each);
    end loop;
end $$;
revoke create on schema public from public;
grant usage on schema app to t_reader, t_web, t_diarist;
grant select on app.products, app.keyless, app.readings, app."Odd ""Name", app.empty to t_reader;
grant select (customer_id, name) on app.customers to t_reader;
grant insert, update on app.products to t_clerk;
grant usage on sequence app.products_product_id_seq to t_clerk;
grant select, update, delete on app.invoices to t_clerk;
grant insert, delete on app."Odd ""Name" to t_clerk;
grant insert on app.readings to t_clerk;
grant select on app.customers, app.invoices, app.invoice_lines to t_web;
grant insert, delete on app.invoices to t_web;
grant update (note) on app.invoices to t_web;
grant insert on app.invoice_lines to t_web;
grant select, insert, update, delete on app.diary to t_diarist;
alter table app.customers enable row level security, force row level security;
alter table app.invoices enable row level security, force row level security;
alter table app.invoice_lines enable row level security, force row level security;
create policy reader on app.customers for select to t_reader using (true);
create policy web on app.customers for select to t_web using ({MINE});
create policy clerk_sees on app.invoices for select to t_clerk using (status = 'open');
create policy clerk_mends on app.invoices for update to t_clerk using (status = 'open');
create policy clerk_removes on app.invoices for delete to t_clerk using (status = 'open');
create policy web_sees on app.invoices for select to t_web using ({MINE});
create policy web_writes on app.invoices for insert to t_web with check ({MINE});
create policy web_removes on app.invoices for delete to t_web using ({MINE});
create policy web_notes on app.invoices for update to t_web using ({MINE} and status = 'open');
create policy web on app.invoice_lines for select to t_web using ({MY_LINES});
create policy web_writes on app.invoice_lines for insert to t_web with check ({MY_LINES});
"""


def _assume(conn: Connection, identity: str | None) -> None:
    conn.execute("select set_config('test.identity', %s, false)", [identity or ""])


@dataclass(frozen=True)
class Trial:
    """A private cluster with the roles, the bare base and the base that has the right design."""

    server: Server
    place: Place
    intent: Intent
    designed: str

    @contextlib.contextmanager
    def target(self, change: str = "", *, undo: str = "", design: bool = True) -> Iterator[Target]:
        """A copy with the right design and *change* to it; *undo* puts back what concerns the cluster."""
        with self.server.scratch_database(template=self.designed, label="target") as name:
            with self.server.session(name) as conn:
                if change:
                    conn.execute(change)
            try:
                yield Target(
                    self.place, name, self.intent, self.intent if design else None,  # type: ignore[arg-type]
                    Identities("1", "2"), _assume, "by hand",
                )  # fmt: skip
            finally:
                if undo:
                    with self.server.session(name) as conn:
                        conn.execute(undo)

    def wrong(self, change: str, *, undo: str = "", design: bool = True) -> list[Attempt]:
        with self.target(change, undo=undo, design=design) as target:
            return [each for each in matrix_attempts(target) if not each.as_declared]


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    with (
        private_cluster() as (server, cluster),
        server.scratch_database(label="base") as base,
        server.scratch_database(label="designed") as designed,
    ):
        with server.session(base) as conn:
            conn.execute("create role t_deployer login createrole")
            conn.execute(ROLES)
            conn.execute(SCHEMA)
            catalog = reflect(conn)
        with server.session(designed) as conn:
            conn.execute(SCHEMA)
            conn.execute(DESIGN)
        place = Place(server, base, "t_deployer", catalog, cluster.log, cluster.data, "by hand", "small")
        yield Trial(server, place, read_intent(INTENT, catalog), designed)


def test_a_right_design_does_all_that_is_declared_and_nothing_else(trial):
    """Of every role, table, operation and kind of row, each attempt ends as the intent says."""
    with trial.target() as target:
        attempts = matrix_attempts(target)

    assert [(each.key, each.detail) for each in attempts if not each.as_declared] == []
    assert len({each.key for each in attempts}) == len(attempts) > 900
    assert {each.operation for each in attempts} >= {
        "select", "insert", "update", "delete", "truncate", "copy to", "copy from", "for update", "merge",
        "returning", "usage", "connect", "set role", "attributes",
    }  # fmt: skip
    assert {each.row for each in attempts if each.table == ("app", "invoices")} == {
        "own", "other", "unowned", "any",
    }  # fmt: skip


NO_CONNECT = """
    do $$ begin execute format('revoke connect on database %I from public', current_database()); end $$
"""

# what is wrong, how it is put back in the cluster, and an attempt that must notice
WRONG = {
    "a policy is missing": (
        "drop policy web on app.customers",
        "",
        "t_web@A/app.customers/select/own",
        "missing",
    ),
    "a policy lets all rows be read": (
        "alter policy web_sees on app.invoices using (true)",
        "",
        "t_web@A/app.invoices/select/other/status = 'open'",
        "leak",
    ),
    "a policy lets all rows be deleted, which none may name": (
        "alter policy web_removes on app.invoices using (true)",
        "",
        "t_web@A/app.invoices/delete/any/all rows",
        "leak",
    ),
    "a policy forgets a condition": (
        f"alter policy web_notes on app.invoices using ({MINE})",
        "",
        "t_web@A/app.invoices/update/any/all rows",
        "leak",
    ),
    "a policy lets rows be changed into others": (
        "alter policy clerk_mends on app.invoices with check (true)",
        "",
        "t_clerk/app.invoices/update/any/all rows into any/not status = 'open'",
        "leak",
    ),
    "a policy checks no new row": (
        "alter policy web_writes on app.invoices with check (true)",
        "",
        "t_web@A/app.invoices/insert/other/status = 'open'",
        "leak",
    ),
    "a policy checks no new row of a child": (
        "alter policy web_writes on app.invoice_lines with check (true)",
        "",
        "t_web@A/app.invoice_lines/insert/other",
        "leak",
    ),
    "row security is off": (
        "alter table app.invoices disable row level security",
        "",
        "t_web/app.invoices/select/any/all rows",
        "leak",
    ),
    "row security is not forced": (
        "alter table app.invoices no force row level security",
        "",
        "t_owner/app.invoices/select/any/all rows",
        "leak",
    ),
    "a privilege too many behind row security": (
        "grant delete on app.customers to t_clerk",
        "",
        "t_clerk/app.customers/delete/any/all rows",
        "leak",
    ),
    "a privilege to truncate": (
        "grant truncate on app.keyless to t_reader",
        "",
        "t_reader/app.keyless/truncate/any",
        "leak",
    ),
    "a privilege to truncate what a key refers to": (
        "grant truncate on app.customers to t_reader",
        "",
        "t_clerk/app.customers/truncate/any",
        "leak",
    ),
    "a privilege too few": (
        "revoke select on app.products from t_reader",
        "",
        "t_clerk/app.products/select/any",
        "missing",
    ),
    "a privilege too few to write": (
        "revoke insert on app.readings from t_clerk",
        "",
        "t_clerk/app.readings/copy from/any",
        "missing",
    ),
    "a column too many to read": (
        "grant select (secret) on app.customers to t_reader",
        "",
        "t_reader/app.customers/select/any/column secret",
        "leak",
    ),
    "a column too many to update": (
        "grant update (status) on app.invoices to t_web",
        "",
        "t_web@A/app.invoices/update/any/column status",
        "leak",
    ),
    "a column of a table that nobody opened": (
        "grant select (word) on app.keyless to t_diarist",
        "",
        "t_diarist/app.keyless/select/any/all rows",
        "leak",
    ),
    "a column that may be inserted": (
        "grant insert (name) on app.customers to t_reader",
        "",
        "t_reader/app.customers/insert/any/any column",
        "leak",
    ),
    "a partition is granted": (
        "grant select on app.readings_2026 to t_reader",
        "",
        "t_reader/app.readings_2026/select/any/all rows",
        "leak",
    ),
    "a view is granted": (
        "grant select on app.product_names to t_diarist",
        "",
        "t_diarist/app.product_names/select/any/all rows",
        "leak",
    ),
    "a view takes writes": (
        "grant delete on app.product_names to t_diarist",
        "",
        "t_diarist/app.product_names/delete/any/all rows",
        "leak",
    ),
    "a materialized view is granted": (
        "grant select on app.totals to t_web",
        "",
        "t_web/app.totals/select/any/all rows",
        "leak",
    ),
    "a sequence shows its state": (
        "grant select on sequence app.products_product_id_seq to t_reader",
        "",
        "t_reader/app.products_product_id_seq/select/any/last value",
        "leak",
    ),
    "a sequence may not be used": (
        "revoke usage on sequence app.products_product_id_seq from t_clerk",
        "",
        "t_clerk/app.products_product_id_seq/usage/any/next value",
        "missing",
    ),
    "a role passes row security": (
        "alter role t_web bypassrls",
        "alter role t_web nobypassrls",
        "t_web@A/app.invoices/select/other/status = 'open'",
        "leak",
    ),
    "a role may make roles": (
        "alter role t_clerk createrole",
        "alter role t_clerk nocreaterole",
        "t_clerk/attributes",
        "leak",
    ),
    "a role is a member too many": (
        "grant t_owner to t_clerk",
        "revoke t_owner from t_clerk",
        "t_clerk/set role/t_owner",
        "leak",
    ),
    "a role is no member": (
        "revoke t_reader from t_clerk",
        "grant t_reader to t_clerk",
        "t_clerk/app.readings/select/any",
        "missing",
    ),
    "a group logs in": (
        "alter role t_reader login",
        "alter role t_reader nologin",
        "t_reader/connect",
        "leak",
    ),
    "a role is not let in": (
        NO_CONNECT,
        "",
        "t_clerk/connect",
        "missing",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_noticed(trial, wrong):
    """One change to a right design, and the attempt that it concerns does not end as declared."""
    change, undo, key, kind = WRONG[wrong]

    found = {each.key: each for each in trial.wrong(change, undo=undo)}

    assert key in found, sorted(found)
    assert (found[key].leak, found[key].missing) == (kind == "leak", kind == "missing")


def test_all_is_right_again_afterwards(trial):
    """What the changes did to the cluster was put back, and no login that was made for a run is left."""
    assert trial.wrong("") == []
    with trial.server.session() as conn:
        assert conn.execute("select rolname from pg_roles where rolname like 'wb_member_%'").fetchall() == []


def test_a_superuser_proves_nothing(trial):
    """Attacks by a superuser are refused before any of them: they would pass whatever the design."""
    change, undo = "alter role t_web superuser", "alter role t_web nosuperuser"

    with (
        trial.target(change, undo=undo) as target,
        pytest.raises(EngineError, match="t_web is a superuser, to whom no right applies"),
    ):
        matrix_attempts(target)


def test_of_a_database_as_found_hidden_rows_are_refusal_enough(trial):
    """A privilege behind row security is too much in a design of ours, and no leak in a given one."""
    assert trial.wrong("grant delete on app.customers to t_clerk", design=False) == []
    assert trial.wrong("grant delete on app.keyless to t_clerk", design=False)


def test_an_error_of_the_application_is_no_refusal(trial):
    """42501 that a trigger raises came after the server's own security had let the statement pass."""
    with trial.target() as target:
        found = {
            each.key: each for each in matrix_attempts(target, only=lambda case: case.role == "t_diarist")
        }

    raised = found["t_diarist/app.diary/update/any"]
    assert (raised.observed, raised.sqlstate, raised.as_declared) == ("stopped", "42501", True)
    assert found["t_diarist/app.keyless/update/any"].observed == "refused"


def test_a_trigger_that_may_not_do_its_work_is_a_refusal(trial):
    """Where a trigger's own statement lacks a privilege, the write that was declared does not work."""
    change = """
        create function app.looks() returns trigger language plpgsql as
        $$ begin perform from app.invoices; return new; end $$;
        create trigger looks before insert on app.readings for each row execute function app.looks();
        revoke select on app.invoices from t_clerk;
    """

    found = {each.key: each for each in trial.wrong(change)}

    refused = found["t_clerk/app.readings/insert/any"]
    assert refused.missing
    assert "app.looks()" in refused.detail


def test_a_trigger_before_row_security_decides_nothing(trial):
    """A trigger that refuses a new row before a policy sees it shows no leak, and is said; one after does."""
    change = """
        create function app.never_two() returns trigger language plpgsql as
        $$ begin if new.customer_id = 2 then raise 'none for Bob'; end if; return new; end $$;
        alter policy web_writes on app.invoices with check (true);
        create trigger never_two {when} insert on app.invoices for each row execute function app.never_two();
        alter table app.invoices drop constraint invoices_pkey cascade;
    """
    key = "t_web@A/app.invoices/insert/other/status = 'open'"
    ends = {}
    for when in ("before", "after"):
        with trial.target(change.format(when=when)) as target:
            place = replace(target.place, catalog=_catalog(trial.server, target.database))
            found = {each.key: each for each in matrix_attempts(replace(target, place=place))}
            ends[when] = found[key]

    assert (ends["before"].observed, ends["before"].as_declared) == ("stopped", True)
    assert "before row security was asked" in ends["before"].detail
    assert (ends["after"].observed, ends["after"].leak) == ("stopped", True)


def _catalog(server, database):
    with server.session(database) as conn:
        return reflect(conn)


def test_rows_that_the_source_lacks_are_made(trial):
    """A kind of row that no table holds is made in the copy; the statements are tried on it."""
    with trial.target() as target, trial.server.session(target.database) as conn:
        kinds = "select distinct customer_id is null, status = 'open' from app.invoices order by 1, 2"
        before = conn.execute(kinds).fetchall()
        attempts = matrix_attempts(target)
        assert (True, False) not in before
        assert (True, False) in conn.execute(kinds).fetchall()

    tried = [each for each in attempts if each.table == ("app", "invoices") and each.row == "unowned"]
    assert any(each.key.endswith("/not status = 'open'") for each in tried)


def test_rows_that_cannot_be_made_are_named(trial):
    """What could not be tried is said, with the reason."""
    change = (
        "alter table app.invoices add constraint only_open check (customer_id is not null or status = 'open')"
    )

    with trial.target(change) as target, matrix(target) as made:
        assert any("no row (unowned" in each and "only_open" in each for each in made.left_out)
        assert "app.empty: holds no row, so only the rights to it were tried" in made.left_out


def test_a_run_changes_nothing(trial):
    """Every attempt is taken back: after a second run the rows are those of before."""
    rows = "select array(select i::text from app.invoices i order by 1), (select count(*) from app.diary)"
    with trial.target() as target, trial.server.session(target.database) as conn:
        with matrix(target):  # makes rows that are missing
            before = conn.execute(rows).fetchall()
        matrix_attempts(target)

        assert conn.execute(rows).fetchall() == before


def test_a_part_of_the_cases_can_be_picked(trial):
    """`only` sees each case before it is tried, and progress hears of those alone."""
    heard = []
    with trial.target() as target, matrix(target) as made:
        attempts = made.attempts(
            only=lambda case: case.table == ("app", "keyless") and case.operation == "truncate",
            progress=lambda done, total: heard.append((done, total)),
        )

    assert {each.operation for each in attempts} == {"truncate"}
    assert heard[-1] == (len(attempts), len(attempts)) == (5, 5)


def test_what_is_counted_needs_no_right_to_read(trial):
    """A role that may delete rows that it may not read: how many it reaches is known all the same."""
    text = INTENT.replace(
        "rules:", "rules:\n  - {role: t_diarist, may: [delete], on: [app.keyless], where: number = 1}"
    )
    change = """
        grant delete on app.keyless to t_diarist;
        alter table app.keyless enable row level security, force row level security;
        create policy reads on app.keyless for select to t_reader using (true);
        create policy removes on app.keyless for delete to t_diarist using (number = 1);
    """
    right = Trial(trial.server, trial.place, read_intent(text, trial.place.catalog), trial.designed)

    with right.target(change) as target:
        found = {each.key: each for each in matrix_attempts(target)}

    counted = found["t_diarist/app.keyless/delete/any/all rows"]
    assert (counted.rows, counted.declared_rows, counted.as_declared) == (1, 1, True)
    assert right.wrong(change + "alter policy removes on app.keyless using (true)")[0].key == counted.key


def test_odd_tables_are_tried_as_others_are(trial):
    """Foreign tables, tables without columns or with types of every kind, names of 63 bytes and of HTML."""
    long = "x" * 63
    schema = f"""
        create extension file_fdw;
        create server files foreign data wrapper file_fdw;
        create schema odd;
        create domain odd.short as text not null check (length(value) < 9);
        create type odd.pair as (a int, b text);
        create type odd.mood as enum ('glad', 'sad');
        create foreign table odd.outside (word text) server files options (filename 'PG_VERSION');
        create table odd.bare ();
        create table odd.{long} (id uuid primary key default gen_random_uuid(), "<b>" text unique);
        create table odd.kinds (
            id bytea primary key, s odd.short, p odd.pair, m odd.mood, j jsonb, js json, a int[], r int4range,
            d timestamptz, f float8, n numeric, i interval, b bit(3), t time, point point,
            g int generated by default as identity, v text generated always as ('v') stored
        );
        insert into odd.{long} ("<b>") values ('it''s 100%');
        insert into odd.kinds values (
            '\\x00ff', 'ok', '(1,"a,b")', 'sad', '{{"a": "\\\\"}}', '{{}}', '{{1,null}}', '[1,5)',
            '2026-01-01', 'NaN', 1.50, '1 day', b'101', '12:00', '(1,2)'
        );
    """
    tables = [f"odd.{long}", "odd.kinds"]
    text = f"""
intent: odd
schema: access
roles:
  t_owner: {{kind: owner}}
  t_clerk: {{kind: login}}
  t_diarist: {{kind: login}}
rules:
  - {{role: t_clerk, may: [select], on: [{", ".join(tables)}]}}
  - {{role: t_clerk, may: [insert, update, delete], on: [{", ".join(tables)}]}}
"""
    grants = f"""
        grant usage on schema odd to t_clerk; grant usage on type odd.pair, odd.mood to t_clerk;
        grant select on {", ".join(tables)} to t_clerk;
        grant insert, update, delete on {", ".join(tables)} to t_clerk;
    """
    with trial.server.scratch_database(label="odd") as name:
        with trial.server.session(name) as conn:
            conn.execute(schema + grants)
            catalog = reflect(conn)
        place = Place(
            trial.server, name, "t_deployer", catalog, trial.place.log, trial.place.data, "by hand", "odd"
        )
        target = Target(place, name, read_intent(text, catalog), None, Identities("", ""), _assume, "by hand")
        attempts = matrix_attempts(target)

    assert [(each.key, each.detail) for each in attempts if not each.as_declared] == []
    kinds = {each.key: each.observed for each in attempts if each.role == "t_clerk"}
    keyed = [kinds[f"t_clerk/odd.kinds/{each}/any"] for each in ("select", "update", "merge", "delete")]
    assert keyed == ["reached"] * 4
    assert kinds["t_clerk/odd.kinds/insert/any"] == "stopped"
    assert kinds["t_clerk/odd.outside/select/any/all rows"] == "refused"
