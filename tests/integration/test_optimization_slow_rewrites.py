"""Rewrites: each means the same on the real engine, and what does not is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from workbench.engines.postgres import Connection, Server
from workbench.proof.slow import Rewrite, Structure, read_structure
from workbench.proof.slow.rewrite_proof import rewrites_of
from workbench.proof.workload import Statement

SCHEMA = """
create schema shop;
create table shop.customers (id int primary key, email text not null, city text, referrer int);
insert into shop.customers
select g, 'user' || g, case when g % 11 > 0 then 'city' || g % 50 end, nullif(g % 7, 0)
from generate_series(1, 3000) g;
create table shop.orders (
  id bigint primary key, customer_id int, status text not null, number int,
  at timestamp, seen timestamptz, day date, amount numeric(10, 2), code text
);
insert into shop.orders
select g, case when g % 13 > 0 then 1 + (g * 7919) % 3000 end,
  case when g % 40 = 0 then 'open' else 'done' end, g % 500,
  timestamp '2023-12-30' + g * interval '45 minutes',
  timestamptz '2023-12-30' + g * interval '45 minutes',
  date '2023-12-30' + g / 32, g % 1000, case when g % 5 > 0 then 'c' || g % 200 end
from generate_series(1, 12000) g;
create index on shop.orders (at);
create index on shop.orders (seen);
create index on shop.orders (day);
create index on shop.orders (number);
create index on shop.orders (code);
"""


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Connection]:
    """A shop with rows on both sides of every boundary, and NULLs."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        conn.execute("vacuum (analyze)")
        conn.execute("set max_parallel_workers_per_gather = 0")
        yield conn


structures: dict[str, Structure] = {}


def rewrites(conn: Connection, text: str, **given: object) -> dict[str, Rewrite]:
    """The rewrites of *text* by kind."""
    if conn.info.dbname not in structures:  # what the tests of one database share
        structures[conn.info.dbname] = read_structure(conn)
    structure = structures[conn.info.dbname]
    statement = Statement("q", text, "select", **given)  # type: ignore[arg-type]
    deadline = time.monotonic() + 60
    found = rewrites_of(conn, statement, structure, timeout_s=20, deadline=deadline)
    return {each.kind: each for each in found}


@pytest.mark.parametrize(
    ("condition", "becomes"),
    [
        ("date_trunc('month', at) = '2024-02-01'", "at >= "),
        ("date_trunc('month', at) = '2024-02-15'", "date_trunc('month', CAST('2024-02-15' AS timestamp)) ="),
        ("date_trunc('week', at) = timestamp '2024-02-05'", "at >= "),
        ("date_trunc('quarter', o.at) = '2024-04-01'", "o.at >= "),
        ("at::date = '2024-02-01'", "at >= CAST('2024-02-01' AS date)"),
        ("date(at) = date '2024-02-01'", "at >= "),
        ("extract(year from at) = 2023", "at < CAST('2024-01-01' AS date)"),
        ("date_part('year', day) = 2023", "day < CAST('2024-01-01' AS date)"),
        ("to_char(at, 'YYYY-MM') = '2024-02'", "at >= CAST('2024-02-01' AS date)"),
        ("seen::date = '2024-02-01'", "seen >= "),
        ("date_trunc('day', seen) = '2024-02-01'", "seen >= "),
        ("number + 1 = 8", "number = 7"),
        ("number - 3 = -1", "number = 2"),
        ("number::text = '7'", "number = 7"),
        ("coalesce(code, 'none') = 'c7'", "code = 'c7'"),
        ("coalesce(code, 'c7') = 'c7'", "code IS NULL"),
    ],
)
def test_an_expression_that_stands_for_a_range_becomes_one(
    shop: Connection, condition: str, becomes: str
) -> None:
    """The column itself is compared, and the rows are the same, for other values and NULLs as well."""
    found = rewrites(shop, f"select count(*), sum(id) from shop.orders o where {condition}")[
        "function_to_range"
    ]

    assert becomes in found.sql
    assert found.equal is True
    assert found.verdict in ("accepted", "rejected")  # the latter only for its time
    assert any(each.startswith("with NULLs in") for each in found.compared)


def test_a_range_is_accepted_with_its_figures(shop: Connection) -> None:
    """A range by an index is faster than a scan, and the figures say by how much."""
    text = "select sum(amount) from shop.orders where at::date = '2024-02-01'"
    found = rewrites(shop, text)["function_to_range"]

    assert found.verdict == "accepted"
    assert found.ratio and found.ratio > 1.2
    assert found.runs >= 3
    assert found.after and any("Index" in each.type for each in found.after.nodes)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_days_are_those_of_the_session(shop: Connection, zone: str) -> None:
    """The range of a timestamptz is of the same time zone as the function was."""
    shop.execute(f"set timezone = '{zone}'")
    try:
        for condition in ("seen::date = '2024-03-10'", "date_trunc('month', seen) = '2024-03-01'"):
            found = rewrites(
                shop, f"select count(*), min(seen), max(seen) from shop.orders where {condition}"
            )
            assert found["function_to_range"].equal is True
    finally:
        shop.execute("reset timezone")


@pytest.mark.parametrize(
    "condition",
    [
        "lower(code) = 'c7'",
        "at::date = now()",
        "date_trunc('month', at) > '2024-02-01'",
        "extract(month from at) = 2",
        "extract(year from at) = 2023.5",
        "number * 2 = 8",
        "number + id = 8",
        "at = '2024-02-01'",
        "code = 'at::date = 1'",
        "to_char(at, 'YY') = '24'",
        "to_char(at, 'YYYY-MM') = '2024-13'",
        "coalesce(code, status) = 'c7'",
        "number::text = '07'",
    ],
)
def test_an_expression_that_is_no_range_stays(shop: Connection, condition: str) -> None:
    """What no rule knows to mean the same is left alone."""
    assert "function_to_range" not in rewrites(shop, f"select id from shop.orders where {condition}")


def test_not_in_over_keys_becomes_an_anti_join(shop: Connection) -> None:
    """Where neither side can be NULL, NOT EXISTS asks the same."""
    text = (
        "select count(*) from shop.orders"
        " where id not in (select id from shop.customers where city = 'city7')"
    )
    found = rewrites(shop, text)["not_in_to_not_exists"]

    assert (
        "NOT EXISTS (SELECT 1 FROM shop.customers WHERE city = 'city7' AND customers.id = orders.id)"
        in found.sql
    )
    assert found.equal is True
    assert not found.caveat


@pytest.mark.parametrize("wanted", ["", " where customer_id is not null and number = 7"])
def test_not_in_over_a_nullable_column_is_refused_with_the_caveat(shop: Connection, wanted: str) -> None:
    """NOT EXISTS gives rows where NOT IN gives none: found by the data, or by NULLs that are planted."""
    text = (
        "select count(*) from shop.customers"
        f" where referrer not in (select customer_id from shop.orders{wanted})"
    )
    found = rewrites(shop, text)["not_in_to_not_exists"]

    assert (found.verdict, found.equal) == ("rejected", False)
    assert "NOT IN gives no row at all" in found.why


def test_planted_nulls_refuse_what_the_data_would_let_pass(pg: Connection) -> None:
    """A nullable column without a NULL in it could have one tomorrow."""
    pg.execute(
        "create table a (id int primary key); create table b (a_id int);"
        "insert into a select generate_series(1, 500); insert into b select generate_series(1, 100); analyze"
    )
    found = rewrites(pg, "select count(*) from a where id not in (select a_id from b)")[
        "not_in_to_not_exists"
    ]

    assert found.compared[0] == "the given values: 1 row"
    assert "with NULLs in a_id" in found.why


def test_counting_becomes_exists(shop: Connection) -> None:
    """count(*) > 0 as EXISTS, = 0 as NOT EXISTS."""
    text = (
        "select c.id from shop.customers c where c.id < 30"
        " and (select count(*) from shop.orders o where o.customer_id = c.id) {}"
    )
    some = rewrites(shop, text.format("> 0"))["count_to_exists"]
    none = rewrites(shop, text.format("= 0"))["count_to_exists"]

    assert "AND EXISTS (SELECT 1 FROM shop.orders" in some.sql
    assert "NOT EXISTS (SELECT 1 FROM shop.orders" in none.sql
    assert some.equal is none.equal is True
    assert some.verdict == "accepted"
    assert "count_to_exists" not in rewrites(shop, text.format("> 1"))


def test_or_becomes_a_union_that_gives_no_row_twice(shop: Connection) -> None:
    """Rows for which both arms hold come once, and those that are alike all the same."""
    text = (
        "select status, amount from shop.orders where number = 7 or code = 'c7'"
        " order by amount, status limit 20"
    )
    found = rewrites(shop, text)["or_to_union"]

    assert "(number = 7) IS NOT TRUE" in found.sql or "number = 7 IS NOT TRUE" in found.sql
    assert found.equal is True
    assert found.compared[0] == "the given values: 20 rows, in the same order"


@pytest.mark.parametrize(
    "text",
    [
        "select id from shop.orders where number = 7 or number = 8",
        "select count(*) from shop.orders where number = 7 or code = 'c7'",
        "select distinct status from shop.orders where number = 7 or code = 'c7'",
        "select id from shop.orders where number = 7 or code = 'c7' order by amount",
        "select id from shop.orders where code = 'a or b'",
    ],
)
def test_or_that_a_union_would_not_keep_stays(shop: Connection, text: str) -> None:
    """One column, aggregates, DISTINCT, an order by what is not shown, a word in a text."""
    assert "or_to_union" not in rewrites(shop, text)


def test_distinct_over_a_join_becomes_exists(shop: Connection) -> None:
    """A join that only multiplies becomes EXISTS; DISTINCT goes where a key tells the rows apart."""
    text = (
        "select distinct {} from shop.customers c join shop.orders o on o.customer_id = c.id"
        " where o.amount > 10 and c.city = 'city7'"
    )
    keyed = rewrites(shop, text.format("c.id, c.email"))["distinct_to_exists"]
    other = rewrites(shop, text.format("c.city"))["distinct_to_exists"]

    assert keyed.sql.startswith("SELECT c.id") and "EXISTS" in keyed.sql
    assert other.sql.startswith("SELECT DISTINCT c.city")
    assert keyed.equal is other.equal is True
    assert "distinct_to_exists" not in rewrites(shop, text.format("c.id, o.status"))


def test_a_left_join_is_left_alone(shop: Connection) -> None:
    """EXISTS would take away the rows without a partner."""
    text = "select distinct c.id from shop.customers c left join shop.orders o on o.customer_id = c.id"

    assert "distinct_to_exists" not in rewrites(shop, text)


def test_distinct_of_a_key_is_not_needed(shop: Connection) -> None:
    """A key among the columns makes DISTINCT say nothing; without it, it says something."""
    found = rewrites(shop, "select distinct id, status from shop.orders")["distinct_unneeded"]

    assert (found.sql, found.equal) == ("SELECT id, status FROM shop.orders", True)
    assert "distinct_unneeded" not in rewrites(shop, "select distinct number, status from shop.orders")


def test_a_union_of_what_differs_is_one_of_all(shop: Connection) -> None:
    """Arms that differ in a constant and hold a key have no row in common; others may."""
    text = "select id, {} as kind from shop.customers union select id, {} from shop.orders"
    found = rewrites(shop, text.format("'c'", "'o'"))["union_to_union_all"]

    assert "UNION ALL" in found.sql
    assert found.equal is True
    assert "union_to_union_all" not in rewrites(shop, text.format("'c'", "'c'"))
    assert "union_to_union_all" not in rewrites(
        shop, "select city, 1 from shop.customers union select code, 2 from shop.orders"
    )


def test_a_materialized_cte_is_opened(shop: Connection) -> None:
    """NOT MATERIALIZED lets the condition in; a recursive one has to stay."""
    text = "with x as materialized (select * from shop.orders) select * from x where id = 77"
    recursive = (
        "with recursive x as (select 1 as n union all select n + 1 from x where n < 5) select * from x a, x b"
    )

    assert rewrites(shop, text)["inline_cte"].verdict == "accepted"
    assert "inline_cte" not in rewrites(shop, recursive)


@pytest.mark.parametrize("value", ["count(*)", "sum(o.amount)", "0.5 * max(o.amount)", "avg(o.amount)"])
def test_a_correlated_aggregate_is_made_once(shop: Connection, value: str) -> None:
    """An aggregate for each row becomes a join to one by key; customers without orders keep their value."""
    text = (
        f"select c.id, (select {value} from shop.orders o where o.customer_id = c.id and o.status = 'open')"
        " from shop.customers c where c.id < 80"
    )
    found = rewrites(shop, text)["aggregate_once"]

    assert "GROUP BY o.customer_id" in found.sql
    assert found.equal is True
    assert found.verdict == "accepted"


def test_a_correlated_aggregate_in_a_condition_is_made_once(shop: Connection) -> None:
    """A row compared with the average of its group."""
    text = (
        "select sum(o.amount) from shop.orders o, shop.customers c"
        " where c.id = o.customer_id and c.city = 'city7'"
        " and o.amount < (select 0.2 * avg(amount) from shop.orders where customer_id = c.id)"
    )
    found = rewrites(shop, text)["aggregate_once"]

    assert "o.amount < by_key.value" in found.sql
    assert found.equal is True


@pytest.mark.parametrize(
    "inner",
    [
        "select coalesce(sum(amount), 0) from shop.orders o where o.customer_id = c.id",
        "select count(*) + 1 from shop.orders o where o.customer_id = c.id",
        "select sum(amount) from shop.orders o where o.customer_id < c.id",
        "select amount from shop.orders o where o.id = c.id",
        "select sum(amount) from shop.orders o where o.customer_id = c.id limit 1",
        "select sum(amount + c.id) from shop.orders o where o.customer_id = c.id",
    ],
)
def test_a_subquery_that_a_join_would_change_stays(shop: Connection, inner: str) -> None:
    """What is not NULL over nothing, not by equality, not an aggregate, or asks more of the outer row."""
    assert "aggregate_once" not in rewrites(
        shop, f"select c.id, ({inner}) from shop.customers c where c.id < 9"
    )


def test_a_star_does_not_take_the_columns_of_what_is_joined(shop: Connection) -> None:
    """* stays what it was when the aggregate is joined; where USING merges columns, nothing is done."""
    text = (
        "select * from shop.customers c"
        " where c.id > (select avg(o.id) from shop.orders o where o.customer_id = c.id)"
    )
    found = rewrites(shop, text)["aggregate_once"]
    merged = text.replace("customers c where", "customers c join shop.customers d using (id) where")

    assert found.sql.startswith("SELECT c.* FROM")
    assert found.equal is True
    assert "aggregate_once" not in rewrites(shop, merged)


def test_what_does_not_end_is_compared_on_fewer_rows(pg: Connection) -> None:
    """30,000 scans of 30,000 rows do not end in a second; those of a part of the rows do."""
    pg.execute(
        "create table a (id int primary key, b_id int);"
        "insert into a select g, g % 900 from generate_series(1, 30000) g;"
        "create table b (b_id int, n int);"
        "insert into b select g % 900, g from generate_series(1, 30000) g; analyze"
    )
    text = "select a.id, (select sum(b.n) from b where b.b_id = a.b_id) from a where a.id > 3"
    statement = Statement("q", text, "select")
    found = rewrites_of(pg, statement, read_structure(pg), timeout_s=1, deadline=time.monotonic() + 60)
    (rewrite,) = [each for each in found if each.kind == "aggregate_once"]

    assert rewrite.equal is True
    assert rewrite.compared[0].startswith("the first 2")
    assert "does not end within 1 s" in rewrite.why


def test_a_key_says_nothing_of_tables_that_inherit(pg: Connection) -> None:
    """The rows of an heir may repeat the key, and may be NULL where the parent's may not."""
    pg.execute(
        "create table a (id int primary key); create table b () inherits (a);"
        "insert into a values (1); insert into b values (1); analyze"
    )

    assert "distinct_unneeded" not in rewrites(pg, "select distinct id from a")


def test_a_not_null_that_was_not_validated_is_no_promise(pg: Connection) -> None:
    """From PostgreSQL 18 on NOT NULL can be declared for new rows alone."""
    if pg.server_version < 180000:
        pytest.skip("NOT NULL NOT VALID needs PostgreSQL 18")
    pg.execute(
        "create table a (id int primary key); create table b (a_id int);"
        "insert into a select generate_series(1, 100); insert into b values (1), (null);"
        "alter table b add constraint known not null a_id not valid; analyze"
    )
    found = rewrites(pg, "select count(*) from a where id not in (select a_id from b)")[
        "not_in_to_not_exists"
    ]

    assert (found.verdict, found.equal) == ("rejected", False)
    assert "NOT IN gives no row at all" in found.caveat


def test_paging_by_key_says_that_it_changes_the_interface(shop: Connection) -> None:
    """The page is the same, and what the caller has to hand on is said."""
    found = rewrites(shop, "select id, code from shop.orders order by id desc limit 10 offset 10000")[
        "offset_to_keyset"
    ]

    assert found.verdict == "accepted"
    assert found.compared == ("this page: 10 rows, in the same order",)
    assert found.caveat.startswith("it changes the interface")


@pytest.mark.parametrize("order", ["status", "at, id", "id, status desc", "id + 1", "id nulls first"])
def test_paging_that_no_key_decides_stays(shop: Connection, order: str) -> None:
    """An order with ties, by a nullable column, in two directions, by an expression."""
    assert "offset_to_keyset" not in rewrites(
        shop, f"select id from shop.orders order by {order} limit 10 offset 10000"
    )


def test_an_integer_compared_with_a_fraction_that_is_none(shop: Connection) -> None:
    """5.0 is 5; 5.5 is no integer and stays."""
    found = rewrites(shop, "select * from shop.orders where id = 5.0")["implicit_cast"]

    assert found.sql == "SELECT * FROM shop.orders WHERE id = 5"
    assert found.verdict == "accepted"
    assert "implicit_cast" not in rewrites(shop, "select * from shop.orders where id = 5.5")


def test_values_are_put_in_place_before_a_rewrite(shop: Connection) -> None:
    """A statement with parameters is proved with its values; without any it is listed, not proved."""
    text = "select count(*) from shop.orders where at::date = $1"
    known = rewrites(shop, text, values=("'2024-02-01'",))["function_to_range"]

    assert "CAST('2024-02-01' AS date)" in known.sql
    assert known.equal is True
    unknown = rewrites(shop, "select id from shop.orders where number + 1 = 3 and code = $1", values=None)
    assert unknown["function_to_range"].verdict == "not proved"
    assert unknown["function_to_range"].why == "no values are known for its parameters"


def test_a_volatile_function_forbids_all(shop: Connection) -> None:
    """Two runs of a statement that throws dice cannot be compared."""
    assert not rewrites(shop, "select distinct id from shop.orders where random() < 0.5")


def test_nothing_is_left_behind(shop: Connection) -> None:
    """What a proof plants, empties and creates is undone."""
    before = shop.execute(
        "select count(*), count(customer_id), sum(hashtext(o::text)) from shop.orders o"
    ).fetchone()
    rewrites(
        shop,
        "select count(*) from shop.customers where referrer not in (select customer_id from shop.orders)",
    )
    rewrites(
        shop,
        "select c.id, (select count(*) from shop.orders o where o.customer_id = c.id)"
        " from shop.customers c where c.id < 50",
    )

    assert (
        shop.execute(
            "select count(*), count(customer_id), sum(hashtext(o::text)) from shop.orders o"
        ).fetchone()
        == before
    )


def test_odd_names_come_through(pg: Connection) -> None:
    """Names with quotes, capitals and spaces are quoted in the rewrite."""
    pg.execute(
        'create table "Odd ""T" ("select" int primary key, "At x" timestamp);'
        "insert into \"Odd \"\"T\" select g, timestamp '2024-01-01' + g * interval '1 hour'"
        " from generate_series(1, 500) g"
    )
    found = rewrites(pg, 'select * from "Odd ""T" where "At x"::date = \'2024-01-05\'')["function_to_range"]

    assert found.equal is True
    assert '"At x" >= ' in found.sql
