"""Proofs of sources of every kind: few rows, none, odd names, no accounts; nothing found that is not so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from workbench.areas.security.attacks.model import AttackRun
from workbench.areas.security.attacks.probes import probe_attempts
from workbench.areas.security.attacks.run import leaks, run_attacks
from workbench.areas.security.ground import Ground, security_ground
from workbench.areas.security.proving import prove_design
from workbench.areas.security.subject import open_subject, review_subject
from workbench.areas.security.telling import proof_in_words, residual_rows
from workbench.engines.mongo import private_mongod
from workbench.engines.postgres import Server
from workbench.source import open_source

FEW_ROWS = """
create table customers (customer_id integer primary key, name text not null);
create table orders (
    order_id integer primary key,
    customer_id integer not null references customers (customer_id),
    ordered_at timestamp not null default now(),
    due_at timestamp not null,
    constraint due_later check (due_at >= ordered_at)
);
create table credentials (
    credential_id integer primary key,
    password_hash text not null,
    password_salt text not null,
    changed_at timestamp not null default now()
);
create table pictures (picture_id integer primary key, diagram xml, changed_at timestamp not null);
create table reviews (review_id integer primary key, customer_id integer not null, words text not null);
insert into reviews values (1, 709, 'good'), (2, 937, 'bad');
insert into pictures values (1, null, '2020-01-01');
alter table reviews add constraint of_customer
    foreign key (customer_id) references customers (customer_id) not valid;
"""

ODD = """
create schema "100% <b>";
create table "100% <b>"."Users" ("User Id" int generated always as identity primary key, "50%s" text);
create table "100% <b>"."order" (
    "select" bigserial primary key,
    "User Id" int not null references "100% <b>"."Users",
    "from %(x)s {y}" text not null
);
create table pets (
    pet_id int primary key,
    owner_id int not null references "100% <b>"."Users",
    name text not null
);
create table dogs (bark text, primary key (pet_id)) inherits (pets);
create table unkeyed ("User Id" int not null references "100% <b>"."Users", what text);
create function doubled(x int) returns int language sql immutable strict as 'select x * 2';
create view "My % Orders" as select "select", "from %(x)s {y}" from "100% <b>"."order";
insert into "100% <b>"."Users" ("50%s") values ('a name'), ('b name'), ('c name');
insert into pets values (1, 1, 'one'), (2, 2, 'two');
insert into dogs values (1, 2, 'two''s', 'wau'), (2, 1, 'one''s', 'wau'), (3, 1, 'only', 'wau');
"""
CROSSED = """
create table users (user_id int primary key, name text not null);
create table folders (
    folder_id int primary key,
    user_id int not null references users,
    above_id int not null references folders
);
create table notes (
    note_id int primary key,
    user_id int not null references users,
    folder_id int not null references folders,
    copied_from int references notes,
    shared_with int references users
);
"""
IMPOSSIBLE = """
create table users (user_id int primary key check (user_id > 10 and user_id < 5), name text);
create table posts (post_id int primary key, user_id int not null references users);
create table labels (label_id int primary key, label text);
"""


@contextlib.contextmanager
def ground_of(server: Server, folder: Path, script: str) -> Iterator[Ground]:
    path = folder / "source.sql"
    path.write_text(script)
    with open_source(str(path), server) as opened, security_ground(opened) as ground:
        yield ground


@pytest.fixture(scope="module")
def few(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground_of(server, tmp_path_factory.mktemp("few"), FEW_ROWS) as ground:
        yield ground


@pytest.fixture(scope="module")
def few_run(few: Ground) -> AttackRun:
    return run_attacks(few.hardened)


def test_tables_without_rows_are_filled_beside_those_that_have_some(few: Ground) -> None:
    """The source's rows stay, those that break a key never validated too; the other tables get some."""
    with few.place.server.session(few.place.base) as conn:
        reviews = conn.execute("select customer_id from public.reviews order by 1").fetchall()
        others = conn.execute(
            "select (select count(distinct customer_id) > 1 from public.orders),"
            " exists (select from public.credentials)"
        ).fetchone()
    assert reviews == [(709,), (937,)] and others == (True, True)
    assert (
        few.place.rows_from == "source.sql, as they are; generated, with seed 1, for 3 tables that had none"
    )


def test_the_design_of_a_source_with_few_rows_holds(few_run: AttackRun) -> None:
    """Nothing is found that is not so: no check of a table is taken for a leak."""
    assert few_run.not_as_declared == ()
    assert len(few_run.attempts) > 500


def test_a_row_with_a_hidden_key_satisfies_the_checks_of_its_table(few_run: AttackRun) -> None:
    """What a check compares with a copied value is copied along, so that the key is reached."""
    tried = [each for each in few_run.attempts if each.number == "11" and each.table == ("public", "orders")]
    assert tried and not [each for each in tried if each.sqlstate == "23514"]


def test_a_change_for_the_trail_is_one_that_the_trail_speaks_of(few_run: AttackRun) -> None:
    """An empty value is not set to nothing again, nor a secret changed that the trail leaves out."""
    changed = {
        each.table: each.rows
        for each in few_run.attempts
        if each.number == "36" and each.name == "UPDATE of a row"
    }
    assert changed["public", "pictures"] == 1 and changed["public", "credentials"] == 1


def test_odd_names_and_tables_that_inherit_are_attacked(server: Server, tmp_path: Path) -> None:
    """Percent signs reach the server as they are; a key that a child has too is not another's row.

    A column that nobody may write is no failure of an attempt to write it, and a strict function that is
    not called at all is no leak.
    """
    with ground_of(server, tmp_path, ODD) as ground:
        proof = prove_design(ground, mutants=False)
    tried = [each for each in proof.hardened.attempts if each.table == ("100% <b>", "order")]
    assert proof.findings == [] and len(tried) > 50
    assert proof.naive is not None and leaks(proof.naive)
    assert any("public.unkeyed: it has no primary key" in each for each in proof.hardened.left_out)


def test_generated_rows_agree_with_what_the_design_asks_of_references(server: Server, tmp_path: Path) -> None:
    """Rows refer to rows of the same owner, by their own table too; one to accounts may name others."""
    with ground_of(server, tmp_path, CROSSED) as ground:
        run = run_attacks(ground.hardened)
        with ground.place.server.session(ground.place.base) as conn:
            crossing = conn.execute(
                "select count(*), count(*) filter (where f.user_id <> n.user_id) from notes n join folders f"
                " using (folder_id)"
            ).fetchone()
    assert run.not_as_declared == ()
    assert crossing is not None and crossing[0] > 20 and crossing[1] == 0
    named = {each.declared for each in run.attempts if each.number == "12" and "shared_with" in each.name}
    within = {each.declared for each in run.attempts if each.number == "12" and "copied_from" in each.name}
    assert (named, within) == ({"residual"}, {"refused"})


def test_tables_that_take_no_row_are_told_and_the_rest_is_attacked(server: Server, tmp_path: Path) -> None:
    """Identities are made up where there are none, and each reason for what was not tried is on one line."""
    with ground_of(server, tmp_path, IMPOSSIBLE) as ground:
        run = run_attacks(ground.hardened)
        assert "without rows: public.posts, public.users" in ground.place.rows_from
    assert run.not_as_declared == () and len(run.attempts) > 300
    assert "public.users: rows belong to no identity, so 30001 and 30002 were made up" in run.left_out
    assert [each for each in run.left_out if each.startswith("probes 1 to 17, X1")]


def test_a_source_of_which_no_row_belongs_to_anybody_is_proved(server: Server, tmp_path: Path) -> None:
    """Without accounts there is no naive design to compare with, and the proof says so; views alone do."""
    with ground_of(server, tmp_path, "create view only_this as select 1 as x;") as ground:
        proof = prove_design(ground, mutants=False)
    assert proof.naive is None and proof.findings == [] and proof.rows_from == "none, for there are no tables"
    assert any("no row security to get around" in each for each in proof_in_words(proof))


def test_a_token_is_tried_where_it_makes_a_difference(server: Server, tmp_path: Path) -> None:
    """A program that reads all accounts and its own orders: tokens of others are tried on the orders."""
    script = """
        create role app login;
        create table users (user_id int primary key, name text);
        create table orders (order_id int primary key, user_id int not null references users);
        insert into users select g, 'user ' || g from generate_series(1, 5) g;
        insert into orders select g, 1 + g % 5 from generate_series(1, 50) g;
        alter table orders enable row level security;
        create policy own on orders for select to app
            using (user_id = nullif(current_setting('app.user_id', true), '')::int);
        grant select on users, orders to app;
    """
    with ground_of(server, tmp_path, script) as ground:
        found = probe_attempts(ground.hardened, only={"U5"})

    assert {each.table for each in found} == {("public", "orders")}
    assert {each.observed for each in found} == {"reached", "nothing"}
    assert all(each.as_declared for each in found)


def test_leaks_that_stay_are_one_row_a_way(few_run: AttackRun) -> None:
    """What is the same on several tables is one row with their names, the numbered probes first."""
    rows = residual_rows(few_run)
    ways = [(each["probe"], each["leak"], each["role"]) for each in rows]
    assert len(set(ways)) == len(ways) and rows[0]["probe"]
    assert "public.orders, public.reviews" in [each["object"] for each in rows if not each["probe"]]


def test_the_posture_of_a_mongodb_that_asks_for_a_password_is_read() -> None:
    """The password of the URL reaches the server, and is in nothing that is shown."""
    with private_mongod(replica_set=False) as (server, _), server.client() as client:
        client["shop"]["orders"].insert_one({"total": 1})
        client["admin"].command(
            "createUser", "looker", pwd="only-looks", roles=[{"role": "read", "db": "shop"}]
        )
        url = f"mongodb://looker:only-looks@{quote_plus(server.hosts[0])}/shop?authSource=admin"
        with open_subject(url) as subject:
            review = review_subject(subject)
            assert "only-looks" not in repr(subject)
    assert review.controls and "only-looks" not in repr(review)
