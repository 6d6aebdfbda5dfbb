"""The workload that is assumed of a schema file runs on it, and says that it is assumed."""

from __future__ import annotations

from psycopg2 import sql as composed

from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.proof.workload import assumed_workload, runnable, sample_values

SCHEMA = """
create schema "Odd ""schema";
create table "Odd ""schema"."User" (id int primary key, "e mail" text unique, updated_at timestamptz);
create table orders (
  order_id int, line int, "user" int references "Odd ""schema"."User", placed_at timestamptz not null,
  birth_date date, primary key (order_id, line)
) partition by range (order_id);
create table orders_1 partition of orders for values from (1) to (1000);
create table profiles (id int primary key references "Odd ""schema"."User", words text);
create table loose (id int);
create view seen as select * from orders;
"""


def test_statements_come_from_keys(pg: Connection) -> None:
    """Keys, foreign keys in both directions and newest-first lists; nothing for a table without a key."""
    pg.execute(SCHEMA)

    found = assumed_workload(reflect(pg))

    assert [(each.name, each.weight) for each in found.statements] == [
        ('"Odd ""schema"."User" by id', 10),
        ('"Odd ""schema"."User" by e mail', 5),
        ("public.orders by order_id, line", 10),
        ('public.orders of "Odd ""schema"."User" by user', 5),
        ('newest public.orders of "Odd ""schema"."User" by user', 3),
        ('"Odd ""schema"."User" with public.orders by user', 2),
        ("public.profiles by id", 10),
        ('"Odd ""schema"."User" with public.profiles by id', 2),
    ]
    assert all("assumed" in each.where for each in found.statements)
    assert "assumed" in found.origin
    assert any("nobody has declared this workload" in note for note in found.notes)
    assert "order by placed_at desc" in found.statements[4].sql


def test_statements_run(pg: Connection) -> None:
    """Each is planned with values of the tables' statistics."""
    pg.execute(SCHEMA)
    pg.execute(
        """
        insert into "Odd ""schema"."User" select g, 'u' || g from generate_series(1, 100) g;
        insert into orders select g, 1, g % 100 + 1, now(), null from generate_series(1, 900) g;
        insert into profiles select g, 'x' from generate_series(1, 100) g;
        analyze
        """
    )

    found = sample_values(pg, assumed_workload(reflect(pg)).statements)

    assert len(found) == 8
    for each in found:
        assert each.values
        pg.execute(composed.SQL("explain ") + runnable(each))


def test_an_empty_database(pg: Connection) -> None:
    """Without keys nothing is assumed."""
    pg.execute("create table loose (id int)")

    assert assumed_workload(reflect(pg)).statements == ()
