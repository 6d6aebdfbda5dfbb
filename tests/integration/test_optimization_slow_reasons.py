"""Why a statement is slow: each reason with its near misses, on plans of the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.engines.postgres import Connection, Server
from workbench.proof.slow import Reason, diagnose, explained, read_structure
from workbench.proof.workload import Statement

SCHEMA = """
create schema shop;
create table shop.customers (
  id int primary key, email varchar(80) not null, name text, city text, region text, referrer int
);
insert into shop.customers
select g, 'User' || g || '@example.org', 'n' || g, 'city' || g % 500, 'region' || (g % 500) % 25,
  nullif(g % 7, 0)
from generate_series(1, 20000) g;
create index on shop.customers (email);
create table shop.orders (
  id bigint primary key, customer_id int, code varchar(20), status text not null,
  created_at timestamp not null, amount numeric(10, 2), note text
);
insert into shop.orders
select g, 1 + (g * 7919) % 20000, 'c' || g, case when g % 50 = 0 then 'open' else 'done' end,
  timestamp '2020-01-01' + g * interval '10 minutes', g % 1000, repeat('x', 20)
from generate_series(1, 30000) g;
create index on shop.orders (created_at);
create table shop."Odd ""Table" ("select" int, "Na me" text);
insert into shop."Odd ""Table" select g, 'Value' || g from generate_series(1, 20000) g;
"""


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Connection]:
    """A shop whose orders lie in the order of their time; nothing in it is changed for good."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        conn.execute("vacuum (analyze)")
        conn.execute("set max_parallel_workers_per_gather = 0")
        yield conn


def reasons(conn: Connection, text: str, *, run: bool = True) -> dict[str, Reason]:
    """The reasons of the one statement *text* by kind."""
    statement = Statement("q", text, "select")
    plan = explained(conn, statement, run=run)
    return {each.kind: each for each in diagnose(conn, statement, plan, read_structure(conn))}


def test_a_function_on_a_column_is_named_with_its_column(shop: Connection) -> None:
    """A function on an indexed column in WHERE keeps the index from serving."""
    found = reasons(shop, "select id from shop.customers c where lower(c.email) = 'user77@example.org'")

    assert found["non_sargable"].object == "shop.customers.email"
    assert found["non_sargable"].facts["expression"] == "lower(email)"
    assert found["non_sargable"].fix == "create index concurrently on shop.customers ((lower(email)));"


@pytest.mark.parametrize(
    "text",
    [
        "select lower(email) from shop.customers where id = 7",
        "select id from shop.customers where email = lower('USER77@example.org')",
        "select id from shop.customers where email = 'lower(email) = 1'",
        "select id from shop.customers where lower(email) <> ''",
    ],
)
def test_a_function_elsewhere_is_no_reason(shop: Connection, text: str) -> None:
    """In the select list, on a value, within a string, or where most rows are wanted: nothing is said."""
    assert "non_sargable" not in reasons(shop, text)


def test_an_index_on_the_expression_closes_the_reason(shop: Connection) -> None:
    """Where an index begins with the very expression, the planner had the choice."""
    shop.execute("begin; create index on shop.customers (lower(email)); analyze shop.customers")
    try:
        found = reasons(shop, "select id from shop.customers where lower(email) = 'user77@example.org'")
    finally:
        shop.execute("rollback")

    assert not found


def test_date_functions_and_casts_are_seen_as_well(shop: Connection) -> None:
    """date_trunc and a cast that the author wrote are expressions on a column, too."""
    month = reasons(
        shop, "select count(*) from shop.orders where date_trunc('month', created_at) = '2020-03-01'"
    )
    day = reasons(shop, "select count(*) from shop.orders where created_at::date = '2020-03-01'")

    assert month["non_sargable"].object == day["non_sargable"].object == "shop.orders.created_at"


def test_a_cast_that_the_types_ask_for_is_told_from_one_that_was_written(shop: Connection) -> None:
    """An integer compared with 5.0 is cast to numeric, row by row."""
    asked = reasons(shop, "select * from shop.orders where id = 5.0")
    written = reasons(shop, "select * from shop.orders where id::numeric = 5.0")

    assert asked["implicit_cast"].facts["cast_to"] == "numeric"
    assert "implicit_cast" not in written and "non_sargable" in written


def test_a_cast_that_changes_nothing_is_no_reason(shop: Connection) -> None:
    """A varchar is compared as text, which its index serves all the same."""
    assert not reasons(shop, "select id from shop.customers where email = 'User77@example.org'")


def test_a_join_on_an_expression_reads_all_of_a_table(shop: Connection) -> None:
    """A join by lower() cannot look a few rows up by the column's index."""
    found = reasons(
        shop,
        "select c.id from (values ('user7@example.org'), ('user9@example.org')) v(e)"
        " join shop.customers c on lower(c.email) = v.e",
    )

    assert found["non_sargable"].object == "shop.customers.email"


def test_a_wildcard_in_front_is_told_from_one_behind(shop: Connection) -> None:
    """No B-tree finds a pattern that begins with a wildcard."""
    found = reasons(shop, "select id from shop.orders where code like '%999'")

    assert found["leading_wildcard"].facts["pattern"] == "%999"
    assert "leading_wildcard" not in reasons(shop, "select id from shop.orders where code like '999%'")
    assert "leading_wildcard" not in reasons(shop, "select id from shop.orders where note = '%'")


def test_a_prefix_needs_an_order_of_bytes(shop: Connection) -> None:
    """A prefix is no range of an index in the order of a language; with a pattern class it is one."""
    shop.execute(
        'begin; alter table shop.customers alter column email type varchar(80) collate "und-x-icu"'
        if shop.execute("select 1 from pg_collation where collname = 'und-x-icu'").fetchone()
        else "begin"
    )
    try:
        text = "select id from shop.customers where email like 'User777%'"
        by_bytes = read_structure(shop).sorts_by_bytes(
            read_structure(shop).catalog.table("shop", "customers").column("email")
        )
        found = reasons(shop, text)
        shop.execute("create index on shop.customers (email varchar_pattern_ops)")
        after = reasons(shop, text)
    finally:
        shop.execute("rollback")

    assert ("like_collation" in found) is not by_bytes
    assert "like_collation" not in after


def test_a_scan_that_throws_most_away_names_the_index(shop: Connection) -> None:
    """An equality without an index reads all rows for a few; with the index it is no more a reason."""
    text = "select * from shop.customers where city = 'city7'"
    found = reasons(shop, text)
    shop.execute("begin")
    try:
        shop.execute(found["discarding_scan"].fix.replace("concurrently ", ""))
        after = reasons(shop, text)
    finally:
        shop.execute("rollback")

    assert found["discarding_scan"].fix == "create index concurrently on shop.customers (city);"
    assert found["discarding_scan"].facts["rows_kept"] == 40
    assert "discarding_scan" not in after


def test_a_scan_for_most_rows_is_no_reason(shop: Connection) -> None:
    """Who wants most of a table reads it from end to end, and rightly so."""
    assert "discarding_scan" not in reasons(shop, "select * from shop.orders where status = 'done'")


def test_a_small_table_is_read_through(pg: Connection) -> None:
    """A few pages are read faster than an index."""
    pg.execute("create table few as select g as id, g % 7 as kind from generate_series(1, 1500) g; analyze")

    assert not reasons(pg, "select * from few where kind + 1 = 100")


def test_odd_names_survive_into_the_fix(shop: Connection) -> None:
    """Capitals, quotes, spaces and keywords are quoted in the fix, which runs as it is."""
    found = reasons(shop, 'select 1 from shop."Odd ""Table" where "select" = 7')
    fix = found["discarding_scan"].fix

    assert fix == 'create index concurrently on shop."Odd ""Table" ("select");'
    shop.execute("begin; " + fix.replace("concurrently ", "") + " rollback")


def test_an_or_between_columns_is_told_from_one_of_a_column(shop: Connection) -> None:
    """OR between columns is served only where each has an index."""
    found = reasons(shop, "select * from shop.customers where city = 'city7' or name = 'n9'")
    same = reasons(shop, "select * from shop.customers where city = 'city7' or city = 'city8'")

    assert found["or_across_columns"].facts["arms"] == 2
    assert "or_across_columns" not in same
    assert "or_across_columns" not in reasons(shop, "select * from shop.customers where name = 'a or b'")


def test_an_or_between_tables_is_seen_in_the_join(shop: Connection) -> None:
    """OR between columns of two tables is checked after the join."""
    found = reasons(
        shop,
        "select count(*) from shop.customers c join shop.orders o on o.customer_id = c.id"
        " where c.city = 'city7' or o.code = 'c9'",
    )

    assert found["or_across_tables"].facts["rows_removed"] > 20_000


def test_statistics_that_are_missing_are_named(pg: Connection) -> None:
    """A table never analysed, and a column without statistics; after ANALYZE neither."""
    pg.execute("create table t as select g as id, g % 10 as kind from generate_series(1, 20000) g")
    never = reasons(pg, "select * from t where kind = 3")
    pg.execute("analyze t; alter table t add column later int; update t set later = id")
    later = reasons(pg, "select * from t where later = 3")
    pg.execute("analyze t")

    assert never["missing_statistics"].object == "public.t"
    assert never["missing_statistics"].fix == "analyze public.t;"
    assert later["missing_statistics"].object == "public.t.later"
    assert "missing_statistics" not in reasons(pg, "select * from t where later = 3")


def test_correlated_columns_are_blamed_for_a_misestimate(pg: Connection) -> None:
    """Columns that depend on each other make the estimate wrong; extended statistics mend it."""
    pg.execute(
        "create table t as select g as id, g % 20 as a, g % 20 as b, g % 20 as c"
        " from generate_series(1, 40000) g;"
        "analyze t"
    )
    found = reasons(pg, "select * from t where a = 3 and b = 3 and c = 3")["misestimate"]
    pg.execute(found.fix)

    assert found.facts["rows"] == 2000
    assert found.facts["factor"] > 100
    assert found.fix == "create statistics on a, b, c from public.t;\nanalyze public.t;"
    assert "misestimate" not in reasons(pg, "select * from t where a = 3 and b = 3 and c = 3")


def test_a_scan_that_a_limit_stops_is_no_misestimate(shop: Connection) -> None:
    """Fewer rows than estimated are right where nobody asked for more."""
    assert "misestimate" not in reasons(shop, "select * from shop.orders limit 1")


def test_a_sort_that_goes_to_disk_tells_the_memory_it_needs(shop: Connection) -> None:
    """A sort beyond work_mem writes to disk; with the memory named it does not."""
    text = "select * from shop.orders order by note, code"
    shop.execute("set work_mem = '1MB'")
    try:
        found = reasons(shop, text)["spill"]
        shop.execute(found.fix)
        after = reasons(shop, text)
    finally:
        shop.execute("reset work_mem")

    assert found.facts["disk_kb"] > 1000
    assert "spill" not in after


def test_rows_fetched_by_an_index_only_scan_want_a_vacuum(pg: Connection) -> None:
    """An index-only scan of pages not known to be all visible reads the table, until VACUUM."""
    pg.execute(
        "create table t (id int primary key); insert into t select generate_series(1, 20000); analyze t;"
        "set enable_seqscan = off; set enable_bitmapscan = off"
    )
    text = "select count(*) from t where id > 0"
    found = reasons(pg, text)["heap_fetches"]
    pg.execute(found.fix)

    assert found.facts["heap_fetches"] == 20000
    assert "heap_fetches" not in reasons(pg, text)


def test_an_index_scan_that_fetches_for_nothing_is_told(pg: Connection) -> None:
    """An index that finds a thousand times what is wanted is no good one."""
    pg.execute(
        "create table t as select g as id, g % 2 as kind, g as code, repeat('x', 100) as filler"
        " from generate_series(1, 20000) g; create index on t (kind); analyze t; set enable_seqscan = off"
    )
    found = reasons(pg, "select * from t where kind = 1 and code = 7")["filtering_index_scan"]

    assert found.facts["rows_removed"] == 9999
    assert "filtering_index_scan" not in reasons(pg, "select * from t where kind = 1")


def test_paging_by_offset_is_told_by_the_rows_it_skips(shop: Connection) -> None:
    """OFFSET reads what it skips; a first page does not, nor a limit alone."""
    found = reasons(shop, "select * from shop.orders order by created_at limit 10 offset 20000")

    assert found["offset_paging"].facts["rows_skipped"] == 20000
    assert "offset_paging" not in reasons(
        shop, "select * from shop.orders order by created_at limit 10 offset 0"
    )
    assert "offset_paging" not in reasons(shop, "select 'limit 10 offset 20000' from shop.orders limit 10")


def test_not_in_is_told_where_a_null_can_be(shop: Connection) -> None:
    """NOT IN over a nullable column has the caveat; over a key, or with IS NOT NULL, it has none."""
    nullable = "select id from shop.customers where id not in (select customer_id from shop.orders)"
    declared = "select id from shop.orders where id not in (select id from shop.customers)"
    asked = (
        "select id from shop.customers c where c.id not in"
        " (select customer_id from shop.orders o where o.customer_id is not null)"
    )
    text = "select id from shop.customers where name = 'not in (select customer_id from shop.orders)'"

    assert "customer_id of the subquery" in reasons(shop, nullable)["not_in_nullable"].summary
    for each in (declared, asked, text):
        assert "not_in_nullable" not in reasons(shop, each)


def test_a_missing_join_condition_is_told_from_a_cross_join(shop: Connection) -> None:
    """A comma without a condition multiplies; CROSS JOIN, USING, NATURAL and ON do what they say."""
    missing = (
        "select count(*) from shop.customers c, shop.customers d where c.city = 'city7' and d.city = 'city8'"
    )
    found = reasons(shop, missing)

    assert found["cartesian_product"].facts["rows"] == 1600
    for text in (
        "select count(*) from shop.customers c cross join shop.customers d"
        " where c.city = 'city7' and d.city = 'city8'",
        "select count(*) from shop.customers c join shop.orders o using (id)",
        "select count(*) from shop.customers conversion"
        " join shop.orders reason on conversion.id = reason.customer_id",
        "select count(*) from shop.customers c, shop.orders o where o.customer_id = c.id",
        "select count(*) from shop.customers c, (select max(id) as top from shop.orders) m"
        " where c.city = 'city7'",
        "select count(*) from shop.customers c, lateral (select 1 from shop.orders o where o.id = c.id) s",
        "select count(*) from shop.customers c, generate_series(1, 3) g where c.city = 'city7'",
    ):
        assert "cartesian_product" not in reasons(shop, text), text


def test_a_subquery_run_for_each_row_is_counted(shop: Connection) -> None:
    """A correlated subquery runs as often as there are rows; one that is not correlated runs once."""
    found = reasons(
        shop,
        "select (select count(*) from shop.orders o where o.customer_id = c.id)"
        " from shop.customers c where c.id <= 120",
    )
    once = reasons(shop, "select id, (select count(*) from shop.orders) from shop.customers")

    assert found["correlated_subquery"].facts["runs"] == 120
    assert "correlated_subquery" not in once


def test_counting_to_know_whether_there_is_one(shop: Connection) -> None:
    """count(*) > 0 is a question of existence; count(*) > 1 is not, nor is a count that is shown."""
    asked = (
        "select c.id from shop.customers c"
        " where c.id < 9 and (select count(*) from shop.orders o where o.id = c.id) > {}"
    )

    assert "count_for_existence" in reasons(shop, asked.format(0))
    assert "count_for_existence" not in reasons(shop, asked.format(1))
    assert "count_for_existence" not in reasons(shop, "select count(*) from shop.orders")


def test_distinct_over_a_join_that_multiplies(shop: Connection) -> None:
    """DISTINCT of one table's columns over a join is told; not where the other table is asked for."""
    text = "select distinct {} from shop.customers c join shop.orders o on o.customer_id % 100 = c.id"
    found = reasons(shop, text.format("c.id, c.email"))

    assert found["distinct_over_join"].facts["joined"] == ["o"]
    assert "distinct_over_join" not in reasons(shop, text.format("c.id, o.code"))
    assert "distinct_over_join" not in reasons(shop, "select distinct city from shop.customers")


def test_wide_rows_are_told_only_for_a_star_at_the_top(pg: Connection) -> None:
    """SELECT * of wide rows sends megabytes; count(*), a narrow table and named columns do not."""
    pg.execute(
        "create table wide as select g as id, repeat('x', 1500) as body from generate_series(1, 3000) g;"
        "create table narrow as select g as id, 1 as one from generate_series(1, 3000) g; analyze"
    )

    assert reasons(pg, "select  * from wide")["select_star"].facts["widest"][0] == "body"
    assert "select_star" in reasons(pg, "select w.* from wide w")
    for text in (
        "select count(*) from wide",
        "select id from wide",
        "select * from narrow",
        "select id from wide w where exists (select * from narrow n where n.id = w.id)",
        "select 'select * from wide' from narrow",
    ):
        assert "select_star" not in reasons(pg, text), text


def test_a_materialized_cte_keeps_the_condition_out(shop: Connection) -> None:
    """AS MATERIALIZED is a barrier; without it, or read as a whole, it is none."""
    barrier = "with x as materialized (select * from shop.orders) select * from x where id = 77"

    assert "materialized_cte" in reasons(shop, barrier)
    assert "materialized_cte" not in reasons(shop, barrier.replace("materialized ", ""))
    assert "materialized_cte" not in reasons(shop, barrier.replace("where id = 77", "where id > 0"))


def test_partitions_are_pruned_by_the_key_alone(pg: Connection) -> None:
    """A function on the partition key reads all partitions; the key itself, or no key, is no reason."""
    pg.execute(
        "create table log (at date not null, note text) partition by range (at);"
        "create table log_1 partition of log for values from ('2024-01-01') to ('2024-02-01');"
        "create table log_2 partition of log for values from ('2024-02-01') to ('2024-03-01');"
        "create table log_3 partition of log for values from ('2024-03-01') to ('2024-04-01');"
        "insert into log select date '2024-01-01' + g % 90, 'n' from generate_series(1, 9000) g; analyze"
    )
    found = reasons(pg, "select count(*) from log where date_trunc('month', at) = '2024-02-01'")

    assert found["no_pruning"].object == "public.log"
    assert "no_pruning" not in reasons(pg, "select count(*) from log where at = '2024-02-01'")
    assert "no_pruning" not in reasons(pg, "select count(*) from log where note = 'm'")
    assert "no_pruning" not in reasons(pg, "select count(*) from log where at > '2023-01-01'")


def test_the_scans_of_all_partitions_are_one_reason(pg: Connection) -> None:
    """An index is proposed for the partitioned table, not for one of its partitions."""
    pg.execute(
        "create table log (at date not null, kind int) partition by range (at);"
        "create table log_1 partition of log for values from ('2024-01-01') to ('2024-02-01');"
        "create table log_2 partition of log for values from ('2024-02-01') to ('2024-03-01');"
        "insert into log select date '2024-01-01' + g % 60, g from generate_series(1, 20000) g; analyze"
    )
    found = reasons(pg, "select count(*) from log where kind = 7")["discarding_scan"]
    pg.execute(found.fix)

    assert found.object == "public.log.kind"
    assert (found.facts["rows_read"], found.facts["rows_kept"]) == (20000, 1)
    assert found.fix == "create index on public.log (kind);"
    assert "discarding_scan" not in reasons(pg, "select count(*) from log where kind = 7")


def test_a_value_that_each_row_decides_needs_no_index(shop: Connection) -> None:
    """What is compared with a correlated subquery cannot be looked up."""
    found = reasons(
        shop,
        "select c.id from shop.customers c"
        " where c.city = (select max('city' || d.id) from shop.customers d where d.id = c.referrer)",
    )

    assert "discarding_scan" not in found


def test_a_table_of_1600_columns_is_looked_at(pg: Connection) -> None:
    """The widest table there can be, with a condition on its last column."""
    columns = ", ".join(f"c{n} int" for n in range(1600))
    pg.execute(f"create table wide ({columns})")
    pg.execute("insert into wide (c0, c1599) select g, g from generate_series(1, 5000) g; analyze wide")
    found = reasons(pg, "select * from wide where c1599 = 7")

    assert found["discarding_scan"].fix == "create index concurrently on public.wide (c1599);"


def test_a_function_that_is_not_parallel_safe_keeps_a_scan_in_one_process(pg: Connection) -> None:
    """Functions are PARALLEL UNSAFE unless they say otherwise; a safe one is no reason."""
    pg.execute(
        "create table t as select g as id, repeat('x', 300) as filler from generate_series(1, 40000) g;"
        "analyze t;"
        "create function plain(int) returns int language plpgsql as 'begin return $1; end';"
        "create function safe(int) returns int language plpgsql parallel safe as 'begin return $1; end'"
    )
    found = reasons(pg, "select count(*) from t where plain(id) = 5")

    assert found["not_parallel"].facts["functions"] == ["public.plain(integer)"]
    assert "not_parallel" not in reasons(pg, "select count(*) from t where safe(id) = 5")


def test_a_nested_loop_over_much_tells_the_pairs(shop: Connection) -> None:
    """A join by anything but an equality compares every pair."""
    found = reasons(
        shop,
        "select count(*) from shop.customers c join shop.customers d on d.id between c.id and c.id + 1"
        " where c.id % 100 = 0 and d.city > ''",
    )

    assert "large_nested_loop" not in found  # an index finds the few
    shop.execute("set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
    try:
        found = reasons(
            shop,
            "select count(*) from shop.customers c join shop.customers d on d.referrer < c.referrer - 4"
            " where c.id % 100 = 0",
        )
    finally:
        shop.execute("reset all; set max_parallel_workers_per_gather = 0")

    assert found["large_nested_loop"].facts["pairs"] > 1_000_000


def test_compiling_that_takes_longer_than_it_saves(shop: Connection) -> None:
    """JIT is told where it takes a good part of the time, and not where it is off."""
    text = "select sum(amount * 2 + 1) from shop.orders where amount between 1 and 900 and status <> ''"
    shop.execute(
        "set jit = on; set jit_above_cost = 0; set jit_inline_above_cost = 0; set jit_optimize_above_cost = 0"
    )
    try:
        statement = Statement("q", text, "select")
        plan = explained(shop, statement, run=True)
        found = {each.kind for each in diagnose(shop, statement, plan, read_structure(shop))}
    finally:
        shop.execute("reset all; set max_parallel_workers_per_gather = 0")

    expected = plan.jit_ms >= 50 and plan.jit_ms >= 0.2 * (plan.plan.execution_ms or 0)
    assert ("jit_time" in found) is expected
    assert "jit_time" not in reasons(shop, text)


def test_a_plan_that_was_not_run_gives_reasons_by_its_estimates(shop: Connection) -> None:
    """What the conditions show is told without a run; what only a run shows is not."""
    found = reasons(shop, "select * from shop.customers where lower(email) = 'user7@example.org'", run=False)

    assert set(found) == {"non_sargable"}
    assert "self_ms" not in found["non_sargable"].facts


def test_an_empty_table_gives_no_reason(pg: Connection) -> None:
    """Nothing is slow where there is nothing."""
    pg.execute("create table t (id int, at timestamp)")

    assert not reasons(
        pg, "select * from t where at::date = '2024-01-01' and id + 1 = 2 order by id offset 5"
    )
