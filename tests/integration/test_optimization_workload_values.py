"""Values for parameters come from the statistics of the columns that they stand for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg2 import sql as composed

from workbench.engines.postgres import Connection, Server
from workbench.proof.workload import Observed, Statement, runnable, sample_values

SCHEMA = r"""
create table customers (customer_id int primary key, email text, "Odd ""name" text);
insert into customers select g, 'User' || g || '@example.org', 'a\b''c' from generate_series(1, 1000) g;
create table orders (
  order_id bigint primary key, customer_id int, status text, placed timestamptz, tags text[], even bool
) partition by range (order_id);
create table orders_1 partition of orders for values from (0) to (5000);
create table orders_2 partition of orders for values from (5000) to (20000);
insert into orders
select g, g % 1000 + 1, case when g % 100 = 0 then 'refused' else 'done' end,
  timestamptz '2024-01-01' + g * interval '1 hour', array['tag' || g % 3], g % 2 = 0
from generate_series(0, 9999) g;
create table untouched (id int, name text);
create view busy as select status || '' as status from orders;
create view addresses (number, address) as select customer_id, email from customers;
create view newest as select a.*, o.placed from addresses a join orders o on o.customer_id = a.number;
analyze customers, orders;
"""


@pytest.fixture(scope="module")
def conn(server: Server) -> Iterator[Connection]:
    """Customers and their orders, analysed; nothing of these tests writes to it."""
    with server.scratch_database(label="test") as name, server.session(name) as session:
        session.execute("set timezone = 'UTC'")
        session.execute(SCHEMA)
        yield session


def of(conn: Connection, sql: str, **more: object) -> tuple[Statement, ...]:
    statement = Statement("s", sql, "select", values=None, **more)  # type: ignore[arg-type]
    return sample_values(conn, [statement])


def values(conn: Connection, sql: str, **more: object) -> tuple[str, ...]:
    """The values of a statement that has one set; it is planned with them."""
    (found,) = of(conn, sql, **more)
    assert found.values is not None, sql
    conn.execute(composed.SQL("explain ") + runnable(found))
    return found.values


def test_an_equality_takes_a_value_of_its_column(conn: Connection) -> None:
    """Through aliases, subqueries, common table expressions, and changes of case."""
    for sql in (
        "select 1 from customers c where c.email = $1",
        "select 1 from customers where $1 = email",
        "select 1 from (select email as address from customers) x where x.address = $1",
        "with x as (table customers) select 1 from x join orders o using (customer_id) where email = $1",
        "select 1 from orders o where exists (select from customers c where c.email = $1)",
        "update orders o set even = true from customers c where c.email = $1",
        "delete from customers where email = $1",
        "select 1 from newest n where n.address = $1",
        "select 1 from addresses as a(x, y) where a.y = $1",
        "select 1 from (select 1 + 2, now(), email from customers) as a(x, y, z) where a.z = $1",
        "with x(a, b) as (table customers) select 1 from x where x.b = $1",
        "select 1 from customers natural join (table customers) as again where email = $1",
    ):
        (value,) = values(conn, sql)
        text = value.removesuffix("::text").strip("'")
        assert conn.execute("select count(*) from customers where email = %s", [text]).fetchone() == (1,), sql


def test_case_is_changed_as_the_statement_does(conn: Connection) -> None:
    """lower(column) = $1 gets small letters, upper(column) capitals."""
    (value,) = values(conn, "select 1 from customers where lower(email) = $1")
    assert value == value.lower()
    (value,) = values(conn, "select 1 from customers where upper(email) = $1")
    assert "@EXAMPLE.ORG" in value


def test_skewed_values_make_two_statements(conn: Connection) -> None:
    """The frequent value has its share of the rows, half of the weight at most; the rare one the rest."""
    frequent, rare = of(conn, "select 1 from orders where status = $1", weight=100.0)

    assert (frequent.values, rare.values) == (("'done'::text",), ("'refused'::text",))
    assert frequent.weight + rare.weight == pytest.approx(100)
    assert frequent.weight == pytest.approx(50)  # though it is 99 % of the rows
    assert (frequent.name, rare.name) == ("s, frequent value", "s, rare value")


def test_values_alike_make_one_statement(conn: Connection) -> None:
    """Two values that are as frequent as each other are not told apart."""
    assert len(of(conn, "select 1 from orders where even = $1")) == 1


def test_ranges_leave_a_tenth(conn: Connection) -> None:
    """A bound, or both, leave a tenth of the rows, whichever way they are written."""
    for sql in (
        "select * from orders where placed > $1",
        "select * from orders where $1 <= placed",
        "select * from orders where placed < $1",
        "select * from orders where placed between $1 and $2",
        "select * from orders where placed >= $1::timestamptz and placed < $2::timestamptz + $3::interval",
        "select * from orders where placed >= $1 and placed < $2",
        "select * from orders o where (o.placed, o.order_id) > ($1, $2)",
    ):
        (found,) = of(conn, sql)
        row = conn.execute(
            composed.SQL("select count(*) from ({}) as found").format(runnable(found))
        ).fetchone()
        assert row is not None
        assert 900 <= row[0] <= 1100, sql


def test_lists_and_arrays(conn: Connection) -> None:
    """A list has different values, an array three, an array's column one of its elements."""
    listed = values(conn, "select 1 from orders where customer_id in ($1, $2, $3)")
    assert len(set(listed)) == 3
    few = values(conn, "select 1 from orders where even in ($1, $2)")
    assert len(set(few)) == 2
    (array,) = values(conn, "select 1 from orders where customer_id = any($1)")
    assert (array.count(","), array.endswith("::integer[]")) == (2, True)
    (element,) = values(conn, "select 1 from orders where $1 = any(tags)")
    assert element.startswith("'tag")
    (held,) = values(conn, "select 1 from orders where tags @> $1")
    assert held.startswith("'{\"tag")


def test_patterns(conn: Connection) -> None:
    """A pattern begins with letters of a value; what is put between percent signs is a piece of one."""
    assert values(conn, "select 1 from customers where email like $1") == ("'User%'::text",)
    (piece,) = values(conn, "select 1 from customers where email ilike '%' || $1 || '%'")
    assert "%" not in piece


def test_a_padded_type_keeps_its_length(conn: Connection) -> None:
    """A value of character(n) is not cut to one letter."""
    conn.execute(
        "create table padded (code character(5)); insert into padded values ('abc'), ('abc'), ('def')"
    )
    conn.execute("analyze padded")

    (found,) = of(conn, "select count(*) from padded where code = $1")

    assert conn.execute(runnable(found)).fetchone() == (2,)


def test_quotes_and_backslashes_survive(conn: Connection) -> None:
    """A value with a quotation mark and a backslash finds its rows."""
    (found,) = of(conn, 'select count(*) from customers where "Odd ""name" = $1')

    assert conn.execute(runnable(found)).fetchone() == (1000,)


def test_limits_are_those_observed(conn: Connection) -> None:
    """LIMIT is the rows that came back on average, ten where nothing says."""
    sql = "select * from customers order by email limit $1 offset $2"
    seen = Observed(calls=4, total_ms=1, mean_ms=0.25, rows=90)

    assert values(conn, sql) == ("'10'::bigint", "'0'::bigint")
    assert values(conn, sql, observed=seen)[0] == "'23'::bigint"


def test_parameters_that_no_column_tells(conn: Connection) -> None:
    """What is given out, written, or a span of time has a value of its type."""
    assert values(conn, "select coalesce(email, $1) from customers where customer_id = 3") == ("'x'::text",)
    assert values(conn, "select date_trunc($1, placed), count(*) from orders group by 1") == ("'day'::text",)
    assert values(conn, "select 1 from orders where placed > now() - $1::interval") == ("'7 days'::interval",)
    assert len(values(conn, "insert into untouched (name, id) values ($1, $2), ($3, $4)")) == 4


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 from untouched where id = $1",
        "select 1 from busy where status = $1",
        "select 1 from customers where customer_id * $1 > 5",
        "select 1 from customers where email = $1 and customer_id % $2 = 3",
    ],
)
def test_what_nothing_is_known_of_is_left_to_a_generic_plan(conn: Connection, sql: str) -> None:
    """A parameter without statistics, or in a calculation, leaves the statement without values."""
    assert [each.values for each in of(conn, sql)] == [None]


def test_given_values_stay(conn: Connection) -> None:
    """Statements that have values, or no parameters, are as they were and in their order."""
    statements = [
        Statement("a", "select 1 from customers where email = $1", "select", values=("'x'",)),
        Statement("b", "select 1 from customers where email = $1", "select", values=None),
        Statement("c", "select 2", "select"),
    ]

    found = sample_values(conn, statements)

    assert [each.name for each in found] == ["a", "b", "c"]
    assert (found[0], found[2]) == (statements[0], statements[2])


def test_names_are_looked_for_in_the_search_path(conn: Connection) -> None:
    """A statement's own search path decides which table is meant."""
    conn.execute("create schema other; create table other.customers (email text)")
    conn.execute("insert into other.customers select 'only' from generate_series(1, 10)")
    conn.execute("analyze other.customers")

    assert values(conn, "select 1 from customers where email = $1", search_path=("other",)) == (
        "'only'::text",
    )
