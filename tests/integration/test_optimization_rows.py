"""Rows for a schema: generated so that every constraint holds, or copied from a source that allows it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg2 import sql

from workbench.catalog.digest import data_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.rows import Filled, copy_rows, copying, generate_rows, plan_rows, read_statistics


def generated(pg: Connection, ddl: str, *, rows: int = 200, seed: int = 1) -> Filled:
    """What becomes of the tables that *ddl* makes."""
    pg.execute(ddl)
    return generate_rows(pg, plan_rows(reflect(pg), rows=rows, seed=seed))


def counts(filled: Filled) -> dict[str, int]:
    return {table.name: table.rows for table in filled.tables}


def why(filled: Filled, name: str) -> str:
    return next(table.why for table in filled.tables if table.name == name)


def check_anew(pg: Connection) -> int:
    """Declare every check and foreign key anew, which checks all rows; how many there were."""
    found = [
        (table, constraint)
        for table in reflect(pg).base_tables
        for constraint in table.constraints
        if constraint.kind in ("check", "foreign key")
    ]
    for table, constraint in found:
        pg.execute(
            sql.SQL("alter table {t} drop constraint {c}, add constraint {c} {d}").format(
                t=sql.Identifier(table.schema, table.name),
                c=sql.Identifier(constraint.name),
                d=sql.SQL(constraint.definition),
            )
        )
    return len(found)


SHOP = """
create domain code as text check (value ~ '^[A-Z]{2}-[0-9]{4}$');
create type mood as enum ('good', 'bad');
create table "Customers" (
  id int generated always as identity primary key,
  email text not null unique check (email ~ '^[^@]+@[^@]+[.][a-z]+$'),
  "Code" code not null,
  mood mood not null,
  born date check (born between '1900-01-01' and current_date),
  joined timestamptz not null,
  left_at timestamptz check (left_at > joined)
);
create table orders (
  id bigserial primary key,
  customer int not null references "Customers",
  total numeric(8, 2) not null check (total >= 0),
  tax numeric(8, 2) not null check (tax between 0 and 1),
  gross numeric(10, 2) generated always as (total * (1 + tax)) stored,
  tags text[] not null,
  document jsonb not null,
  period tstzrange not null,
  address inet,
  key uuid not null unique,
  raw bytea not null,
  words tsvector
);
create table lines (
  "order" bigint references orders,
  line int,
  quantity int not null check (quantity > 0),
  primary key ("order", line)
);
"""


def test_every_constraint_of_a_filled_schema_holds(pg: Connection) -> None:
    """Checks, domains, foreign keys and unique keys hold of what was made, when they are checked anew."""
    filled = generated(pg, SHOP)

    assert counts(filled) == {"Customers": 50, "orders": 100, "lines": 200}
    assert [table.why for table in filled.tables] == ["", "", ""]
    assert check_anew(pg) >= 7
    (differing,) = pg.execute("select count(distinct customer) from orders").fetchone()
    assert differing > 20


def test_the_seed_decides_every_row(server: Server) -> None:
    """The same seed gives the same rows, another one others."""

    def made(seed: int) -> str:
        with server.scratch_database(label="test") as name, server.session(name) as conn:
            generated(conn, SHOP, rows=40, seed=seed)
            return str(data_digest(conn))

    first = made(1)
    assert first == made(1)
    assert first != made(2)


def test_a_sequence_goes_on_after_the_rows_that_were_made(pg: Connection) -> None:
    """A row inserted afterwards gets a key that is free; a text's sequence is left as it is."""
    text_key = """
    create sequence numbers;
    create table codes (code text primary key default 'X' || nextval('numbers'));
    alter sequence numbers owned by codes.code;
    """
    assert counts(generated(pg, SHOP + text_key, rows=40))["codes"] == 40

    pg.execute(
        'insert into "Customers" (email, "Code", mood, joined)'
        " values ('n@n.de', 'AB-1234', 'good', now()) returning id"
    )
    (order,) = pg.execute("select nextval('orders_id_seq') > (select max(id) from orders)").fetchone()
    assert order is True


def test_what_cannot_be_satisfied_is_named_and_its_children_with_it(pg: Connection) -> None:
    """A check that nothing satisfies leaves its table empty, and what needs rows of it."""
    filled = generated(
        pg,
        """
        create table impossible (id int primary key, a int not null constraint never check (a > 1 and a < 1));
        create table child (id int primary key, p int not null references impossible);
        create table free_child (id int primary key, p int references impossible);
        create table apart (id int primary key);
        """,
    )

    assert counts(filled) == {"impossible": 0, "child": 0, "free_child": 200, "apart": 200}
    assert "never" in why(filled, "impossible")
    assert why(filled, "child") == "child_p_fkey needs rows of public.impossible, which has none"
    assert [table.name for table in filled.empty] == ["child", "impossible"]


def test_a_hierarchy_has_no_circles(pg: Connection) -> None:
    """A table that refers to itself gets parents that stand before their children, and roots."""
    filled = generated(
        pg,
        "create table parts (id int primary key, parent int references parts, check (parent <> id))",
        rows=300,
    )
    (reached,) = pg.execute(
        """
        with recursive down as (
          select id from parts where parent is null
          union all
          select p.id from parts p join down d on p.parent = d.id
        )
        select count(*) from down
        """
    ).fetchone()

    assert counts(filled) == {"parts": 300}
    assert reached == 300
    (with_parent,) = pg.execute("select count(parent) from parts").fetchone()
    assert with_parent > 200


def test_a_cycle_of_tables_is_closed(pg: Connection) -> None:
    """Of two tables that refer to each other both are filled, and both foreign keys hold."""
    filled = generated(
        pg,
        """
        create table teams (id int primary key, lead int);
        create table people (id int primary key, team int not null references teams);
        alter table teams add foreign key (lead) references people;
        """,
    )

    assert all(table.rows for table in filled.tables)
    assert check_anew(pg) == 2
    (leads,) = pg.execute("select count(lead) from teams").fetchone()
    assert leads > 0


def test_rows_go_into_partitions_by_range_list_and_hash(pg: Connection) -> None:
    """Keys lie within the bounds that there are; a table without partitions says that it has none."""
    filled = generated(
        pg,
        """
        create table by_range (id int, d date not null, primary key (id, d)) partition by range (d);
        create table r1 partition of by_range for values from ('2024-01-01') to ('2024-02-01');
        create table r2 partition of by_range for values from ('2024-03-01') to ('2024-04-01');
        create table by_list (id int, k text not null) partition by list (k);
        create table l1 partition of by_list for values in ('a', 'b');
        create table by_hash (id int primary key) partition by hash (id);
        create table h0 partition of by_hash for values with (modulus 2, remainder 0);
        create table h1 partition of by_hash for values with (modulus 2, remainder 1);
        create table nowhere (id int) partition by list (id);
        """,
    )

    assert counts(filled) == {"by_range": 200, "by_list": 200, "by_hash": 200, "nowhere": 0}
    assert "no partition" in why(filled, "nowhere")
    (both,) = pg.execute("select count(distinct tableoid) from by_range").fetchone()
    assert both == 2


def test_exclusion_and_expression_keys_are_kept(pg: Connection) -> None:
    """No row is among them that a unique expression or an exclusion constraint would refuse."""
    filled = generated(
        pg,
        """
        create table names (id int primary key, n varchar(3) not null);
        create unique index on names (lower(n));
        create table stays (room int not null, during daterange not null,
          exclude using gist (during with &&));
        """,
    )

    assert counts(filled)["names"] == 200
    assert counts(filled)["stays"] > 0


def test_an_empty_schema_and_tables_with_rows_are_left_alone(pg: Connection) -> None:
    """Nothing is made where there is no table, and a table that has rows keeps them."""
    assert generate_rows(pg, plan_rows(reflect(pg))).tables == []

    filled = generated(pg, "create table kept (id int); insert into kept values (7)")

    assert counts(filled) == {"kept": 1}
    assert "had rows already" in why(filled, "kept")


def test_many_columns_and_odd_names_are_filled(pg: Connection) -> None:
    """A table of a thousand columns and names with quotes, dots and per cent signs are no obstacle."""
    pg.execute(
        sql.SQL("create table wide ({})").format(
            sql.SQL(", ").join(sql.SQL("{} int").format(sql.Identifier(f"c{n}")) for n in range(1_000))
        )
    )
    filled = generated(
        pg,
        """
        create schema "a.b";
        create table "a.b"."t""%s" ("x%" int primary key, "y""z" text not null check ("y""z" <> '%s'));
        """,
        rows=20,
    )

    assert counts(filled) == {"wide": 20, 't"%s': 20}


def test_statistics_decide_counts_nulls_common_values_and_skew(server: Server) -> None:
    """Rows made from a source's statistics have its row count, nulls, common values and the child's skew."""
    ddl = """
    create table parents (id int primary key, kind text);
    create table children (id int primary key, p int not null references parents, note int, amount numeric);
    """
    with (
        server.scratch_database(label="test") as one,
        server.session(one) as source,
        server.scratch_database(label="test") as two,
        server.session(two) as target,
    ):
        source.execute(ddl)
        source.execute(
            """
            insert into parents select n, case when n % 10 = 0 then 'rare' else 'usual' end
            from generate_series(1, 500) n;
            insert into children select n, case when n % 2 = 0 then 1 else n % 500 + 1 end,
              case when n % 4 = 0 then n end, n % 1000 from generate_series(1, 10000) n;
            analyze;
            """
        )
        target.execute(ddl)
        plan = plan_rows(reflect(target), statistics=read_statistics(source), scale=0.5)
        filled = generate_rows(target, plan)
        found = target.execute(
            """
            select (select count(*) filter (where kind = 'rare')::float8 / count(*) from parents),
              count(note)::float8 / count(*),
              (select max(c) from (select count(*) as c from children group by p) s)::float8 / count(*),
              min(amount), max(amount)
            from children
            """
        ).fetchone()

    assert counts(filled) == {"parents": 250, "children": 5_000}
    rare, with_note, largest, least, most = found
    assert 0.04 < rare < 0.2
    assert 0.2 < with_note < 0.3
    assert 0.35 < largest < 0.65
    assert 0 <= least < 50 and 950 < most <= 1000


def test_values_by_statistics_satisfy_the_checks(server: Server) -> None:
    """Texts of a pattern and amounts within bounds keep their number of different values."""
    ddl = """
    create table users (id uuid primary key,
      email text not null unique check (email ~ '^[a-z0-9]+@[a-z]+[.]de$'),
      age int check (age between 18 and 99),
      amount numeric not null check (scale(amount) <= 2 and amount >= 0));
    """
    with (
        server.scratch_database(label="test") as one,
        server.session(one) as source,
        server.scratch_database(label="test") as two,
        server.session(two) as target,
    ):
        source.execute(ddl)
        source.execute(
            """
            insert into users select gen_random_uuid(), 'user' || n || '@example.de', 18 + n % 40,
              round((n % 700) / 100.0, 2) from generate_series(1, 3000) n;
            analyze;
            """
        )
        target.execute(ddl)
        filled = generate_rows(target, plan_rows(reflect(target), statistics=read_statistics(source)))
        ages, amounts = target.execute(
            "select count(distinct age), count(distinct amount) from users"
        ).fetchone()

        assert counts(filled) == {"users": 3_000}
        assert 35 <= ages <= 45 and 350 <= amounts <= 750
        assert check_anew(target) == 3


def test_a_scale_and_a_count_that_cannot_be_are_refused(pg: Connection) -> None:
    """No rows, too many of them, and a scale of nothing are bad input."""
    catalog = reflect(pg)
    for wrong in ({"rows": 0}, {"rows": 10**9}, {"scale": 0.0}, {"scale": float("nan")}):
        with pytest.raises(BadInput):
            plan_rows(catalog, **wrong)


@contextmanager
def two(server: Server, ddl: str, rows: str) -> Iterator[tuple[Connection, Connection]]:
    """A source with *ddl* and *rows*, and a target with *ddl* alone."""
    with (
        server.scratch_database(label="test") as one,
        server.session(one) as source,
        server.scratch_database(label="test") as other,
        server.session(other) as target,
    ):
        source.execute(ddl + rows)
        source.execute("set default_transaction_read_only = on")
        target.execute(ddl)
        yield source, target


TREE = """
create table regions (id int primary key, above int references regions);
create table people (id int generated always as identity primary key, region int references regions,
  name text, twice text generated always as (name || name) stored);
create table visits (id bigserial primary key, person int not null references people, at timestamptz);
create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
create trigger no before insert on visits for each row execute function refuse();
alter table visits disable trigger no;
"""
TREE_ROWS = """
insert into regions select n, nullif(n / 2, 0) from generate_series(1, 1000) n;
insert into people (region, name)
select n % 1000 + 1, e'tab\\t"quote'' \\\\ ' || n from generate_series(1, 2000) n;
insert into visits (person, at) select n % 2000 + 1, now() from generate_series(1, 5000) n;
"""


def test_all_rows_are_copied_as_they_are(server: Server) -> None:
    """A copy has the same rows and goes on with the same sequences, and the source was only read."""
    with two(server, TREE, TREE_ROWS) as (source, target):
        target.execute("alter table visits enable trigger no")
        before = data_digest(source)
        filled = copy_rows(source, target)

        assert counts(filled) == {"people": 2000, "regions": 1000, "visits": 5000}
        assert data_digest(target) == before == data_digest(source)
        assert target.execute("select nextval('visits_id_seq')").fetchone() == (5001,)
        assert check_anew(target) == 3


def test_some_rows_come_with_all_that_they_refer_to(server: Server) -> None:
    """With a limit the copy is closed: every parent is there, up to the root of a hierarchy."""
    with two(server, TREE, TREE_ROWS + "analyze;") as (source, target):
        filled = copy_rows(source, target, limit_rows=50)

        assert counts(filled)["visits"] == 50
        assert 50 <= counts(filled)["people"] <= 100
        assert counts(filled)["regions"] < 1000
        assert check_anew(target) == 3


def test_a_table_that_may_not_be_read_is_named_and_its_children_go(server: Server, database: str) -> None:
    """Without the right to read a table its copy is empty, and rows that need it are removed and counted."""
    with two(server, TREE, TREE_ROWS) as (source, target):
        source.execute("set default_transaction_read_only = off")
        source.execute(
            "create role wb_test_reader; grant select on all tables in schema public to wb_test_reader"
        )
        try:
            source.execute("revoke select on people from wb_test_reader; set role wb_test_reader")
            filled = copy_rows(source, target)
        finally:
            source.execute("reset role; drop owned by wb_test_reader; drop role wb_test_reader")

        assert counts(filled) == {"people": 0, "regions": 1000, "visits": 0}
        assert "permission denied" in why(filled, "people")
        assert "5,000 rows without their parent" in why(filled, "visits")


def test_rows_that_violate_a_check_not_validated_are_copied(server: Server) -> None:
    """A check declared NOT VALID does not hold of old rows; it is there again afterwards."""
    ddl = "create table t (a int);"
    late = "alter table t add constraint positive check (a > 0) not valid;"
    with two(server, ddl, "insert into t values (-1);" + late) as (source, target):
        target.execute(late)
        filled = copy_rows(source, target)

        assert counts(filled) == {"t": 1}
        (constraint,) = reflect(target).table("public", "t").constraints
        assert (constraint.name, constraint.validated) == ("positive", False)


def test_a_limit_that_cannot_be_is_refused(pg: Connection) -> None:
    """A limit of no rows is bad input."""
    with pytest.raises(BadInput, match="a limit of 0 rows"):
        copy_rows(pg, pg, limit_rows=0)


def test_an_interrupt_ends_a_copy_and_is_no_reason_of_a_table(server: Server) -> None:
    """Ctrl-C while rows are read is not taken for an error of one table; both connections go on."""
    with (
        server.scratch_database(label="read") as name,
        server.session(name) as source,
        server.session(name) as target,
        server.session(name) as holder,
    ):
        source.execute("create table t (a int); create table copied (a int); insert into t values (1)")
        holder.execute("begin; lock t")
        source.execute("set lock_timeout = '5s'")
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()

        with pytest.raises(KeyboardInterrupt):
            copying._pipe(source, sql.SQL("copy t to stdout"), target, sql.SQL("copy copied from stdin"))

        assert source.execute("select 1").fetchone() == (1,)
        assert target.execute("select count(*) from copied").fetchone() == (0,)
