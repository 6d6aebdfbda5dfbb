"""Proofs of sources of every kind: few rows, none, odd names, no accounts; nothing found that is not so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.areas.security.attacks.model import AttackRun
from workbench.areas.security.attacks.run import run_attacks
from workbench.areas.security.ground import Ground, security_ground
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
    assert few.place.rows_from == "source.sql, as they are; generated, with seed 1, for 3 tables that had none"


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
