"""Access paths are proved by plans: which index finds a key, and whether a declared query uses its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from psycopg2 import sql

from workbench.catalog.digest import data_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server
from workbench.proof.access_paths import AccessPath, prove_access_paths, prove_workload
from workbench.proof.plans import Contender, explain, generic_plan, interleaved


def paths(pg: Connection, ddl: str) -> dict[tuple[str, str], AccessPath]:
    """The access paths of the tables that *ddl* makes, by constraint and kind."""
    pg.execute(ddl)
    return {(one.constraint, one.kind): one for one in prove_access_paths(pg, reflect(pg))}


SHOP = """
create table parents (id int primary key, code text constraint parents_code unique);
create table children (id int primary key, p int constraint child_key references parents, note text);
insert into parents select n, 'c' || n from generate_series(1, 5000) n;
insert into children select n, n % 5000 + 1, repeat('x', 100) from generate_series(1, 20000) n;
"""


def test_keys_are_served_by_their_indexes(pg: Connection) -> None:
    """A look-up by a primary key, a unique key and a foreign key's target is served by the key's index."""
    found = paths(pg, SHOP)

    for key, index in {
        ("parents_pkey", "primary key"): "public.parents_pkey",
        ("parents_code", "unique key"): "public.parents_code",
        ("child_key", "referenced row"): "public.parents_pkey",
    }.items():
        path = found[key]
        assert (path.verdict, path.indexes, path.key, path.actual_rows) == ("index", (index,), "sampled", 1)
        assert path.buffers and path.elapsed_ms is not None and path.total_cost


def test_a_foreign_key_without_an_index_is_served_by_none(pg: Connection) -> None:
    """No index finds the referencing rows, until there is one that begins with the key."""
    before = paths(pg, SHOP)["child_key", "referencing rows"]
    after = paths(pg, "create index by_parent on children (p, note)")["child_key", "referencing rows"]

    assert (before.verdict, before.indexes) == ("no index", ())
    assert "the whole table is read" in before.explanation
    assert (after.verdict, after.indexes) == ("index", ("public.by_parent",))


def test_an_index_that_does_not_begin_with_the_key_does_not_find_it(pg: Connection) -> None:
    """A composite index whose leading column is another one is read through at best."""
    found = paths(pg, SHOP + "create index second on children (note, id, p)")["child_key", "referencing rows"]

    assert found.verdict in ("no index", "index read through")
    assert "does not begin with" in found.explanation


def test_a_partial_index_is_no_access_path(pg: Connection) -> None:
    """An index on some of the rows does not serve a look-up of any."""
    found = paths(pg, SHOP + "create index few on children (p) where note is null")

    assert found["child_key", "referencing rows"].verdict == "no index"


def test_a_small_table_is_scanned_though_an_index_would_serve(pg: Connection) -> None:
    """On a page or two the planner scans; without sequential scans it shows that the index serves."""
    found = paths(pg, "create table t (id int primary key); insert into t values (1), (2)")[
        "t_pkey", "primary key"
    ]

    assert (found.verdict, found.indexes, found.pages) == ("small table", ("public.t_pkey",), 1)
    assert "the table is small (1 page), and public.t_pkey would serve it" in found.explanation


def test_a_key_on_most_rows_is_the_planners_choice(pg: Connection) -> None:
    """Where a key is on most of the rows, the planner scans a large table in spite of an index."""
    found = paths(
        pg,
        "create table p (id int primary key); insert into p values (1), (2);"
        "create table t (id int primary key, p int constraint k references p);"
        "insert into t select n, 1 from generate_series(1, 20000) n; create index t_p on t (p)",
    )["k", "referencing rows"]

    assert (found.verdict, found.indexes) == ("planner's choice", ("public.t_p",))


def test_empty_tables_are_planned_for_any_key(pg: Connection) -> None:
    """Without rows the plan is generic, and an analysed empty table is planned like a new one."""
    found = paths(pg, "create table t (a int, b text, primary key (a, b)); create index i on t (b); analyze")

    path = found["t_pkey", "primary key"]
    assert (path.key, path.verdict, path.indexes) == ("generic", "index", ("public.t_pkey",))
    assert path.actual_rows is None and path.elapsed_ms is None


def test_partitions_are_seen_through_their_parent(pg: Connection) -> None:
    """A partitioned table's look-up names the parent's index, with rows and without."""
    ddl = "create table t (d date primary key) partition by range (d);" + "".join(
        f"create table t{year} partition of t for values from ('{year}-01-01') to ('{year + 1}-01-01');"
        for year in (2030, 2031)
    )
    empty = paths(pg, ddl)
    full = paths(pg, "insert into t select '2030-01-01'::date + n from generate_series(1, 700) n")

    for found in (empty, full):
        assert set(found) == {("t_pkey", "primary key")}
        assert found["t_pkey", "primary key"].indexes == ("public.t_pkey",)
    assert full["t_pkey", "primary key"].key == "sampled"


def test_keys_of_extension_types_and_odd_names_are_looked_up(pg: Connection) -> None:
    """The equality of a type in a schema of its own is found, and names are quoted wherever they appear."""
    found = paths(
        pg,
        """
        create schema "E x%"; create extension citext schema "E x%";
        create table "E x%"."t""<b>" ("a %s" "E x%".citext constraint "k'ey" primary key);
        insert into "E x%"."t""<b>" select 'A' || n from generate_series(1, 5000) n
        """,
    )["k'ey", "primary key"]

    assert (found.verdict, found.indexes, found.table) == ("index", ('"E x%"."k\'ey"',), '"E x%"."t""<b>"')


def test_rows_are_left_as_they_were(pg: Connection) -> None:
    """Looking up keys changes no row, and what the planner was told of empty tables is undone."""
    pg.execute(SHOP + "create table empty_one (id int primary key); analyze")
    before = data_digest(pg)

    prove_access_paths(pg, reflect(pg))

    assert data_digest(pg) == before
    assert pg.execute("select reltuples from pg_class where relname = 'empty_one'").fetchone() == (0,)


def test_the_owner_of_the_tables_can_prove_them(server: Server, database: str, pg: Connection) -> None:
    """No right of a superuser is needed, for empty tables either."""
    role = f"wb_owner_{database[-8:]}"
    pg.execute(f"create role {role} login; create schema s authorization {role}")
    try:
        with server.session(database, user=role) as conn:
            conn.execute("set search_path to s")
            found = paths(conn, SHOP + "create table empty_one (id int primary key); analyze empty_one")
        assert {one.verdict for one in found.values()} == {"index", "no index"}
        assert found["empty_one_pkey", "primary key"].verdict == "index"
    finally:
        pg.execute(f"drop owned by {role} cascade; drop role {role}")


def test_the_limit_names_the_rest(pg: Connection) -> None:
    """Look-ups for which there was no time are named as not tried."""
    pg.execute("create table t (id int primary key)")

    (found,) = prove_access_paths(pg, reflect(pg), limit_s=0)

    assert (found.verdict, found.explanation) == ("not tried", "the limit of 0 s was reached before it")


def test_an_empty_database_has_no_access_paths(pg: Connection) -> None:
    """Without tables there is nothing to look up."""
    assert prove_access_paths(pg, reflect(pg)) == []
    assert prove_workload(pg, []) == []


@dataclass(frozen=True)
class Query:
    name: str
    sql: str
    index: str
    parameters: dict[str, str] = field(default_factory=dict)
    answers: str = ""
    frequency_per_hour: int = 3600


def test_a_declared_query_is_held_against_its_index(pg: Connection) -> None:
    """A query uses its declared index, another, or none; without a value or with an error it is not tried."""
    pg.execute(
        SHOP + "create index by_p on children (p); create table small (id int primary key);"
        "insert into small values (1)"
    )
    code = {"code": "select code from parents order by id limit 1"}
    queries = [
        Query("declared", "select * from parents where code = %(code)s;", "public.parents_code", code),
        Query("other", "select * from parents where code = %(code)s", "public.parents_pkey", code),
        Query("cannot", "select * from parents where length(code) = 2", "public.parents_code"),
        Query("most rows", "select * from children where p %% 2 = 1 and p > 0", "public.by_p"),
        Query("small", "select * from small where id = 1", "public.small_pkey"),
        Query("no value", "select %(v)s", "public.parents_pkey", {"v": "select 1 where false"}),
        Query("broken", "select * from nowhere", "public.parents_pkey"),
        Query("writes", "delete from children where id = 1 returning 1", "public.children_pkey"),
    ]
    before = data_digest(pg)

    found = {one.name: one for one in prove_workload(pg, queries)}

    assert {name: one.verdict for name, one in found.items()} == {
        "declared": "index",
        "other": "no index",
        "cannot": "no index",
        "most rows": "planner's choice",
        "small": "small table",
        "no value": "not tried",
        "broken": "not tried",
        "writes": "index",
    }
    declared = found["declared"]
    assert (declared.parameters, declared.actual_rows) == ({"code": "c1"}, 1)
    assert declared.load_percent == pytest.approx((declared.elapsed_ms or 0) / 10)
    assert found["other"].indexes == ("public.parents_code",)
    assert "nowhere" in found["broken"].explanation
    assert found["no value"].explanation == "there is no sample value for v"
    assert data_digest(pg) == before


def test_a_plan_tells_its_nodes_indexes_and_scans(pg: Connection) -> None:
    """A plan names the indexes with their schema, the sequential scans, and where it was run the pages."""
    pg.execute(SHOP + "analyze; create index on children using hash (p)")
    query = "select count(*) from children c join parents p on p.id = c.p where p.code = %s"

    plan = explain(pg, query, ["c7"], analyze=True)
    scanned = explain(pg, query, ["c7"], settings={"enable_indexscan": "off", "enable_bitmapscan": "off"})

    assert plan.uses_index("public.parents_code") and plan.uses_index("parents_code")
    assert not plan.uses_index("other.parents_code")
    assert plan.actual_rows == 1 and plan.buffers and plan.execution_ms is not None
    assert scanned.scans_sequentially("public.children") and not scanned.indexes_used()
    assert scanned.actual_rows is None and scanned.buffers is None
    assert scanned.total_cost > plan.total_cost
    assert "Aggregate" in plan.node_types
    assert pg.execute("show enable_indexscan").fetchone() == ("on",)


def test_explaining_a_write_writes_nothing(pg: Connection) -> None:
    """EXPLAIN ANALYZE of a statement that writes is rolled back, in a transaction of the caller's, too."""
    pg.execute("create table t (a int)")

    explain(pg, "insert into t values (1)", analyze=True)
    pg.execute("begin; insert into t values (2)")
    explain(pg, "insert into t values (3)", analyze=True)
    pg.execute("commit")

    assert pg.execute("select a from t").fetchall() == [(2,)]


def test_a_generic_plan_leaves_no_statement_behind(pg: Connection) -> None:
    """A plan for any value comes from a prepared statement, which is gone afterwards."""
    pg.execute(SHOP + "analyze")

    plan = generic_plan(pg, sql.SQL("select * from parents where code = $1"), 1)

    assert plan.uses_index("public.parents_code")
    assert pg.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_contenders_are_timed_in_turn(pg: Connection) -> None:
    """Each contender runs once untimed, then *runs* times in an order that shifts; set-up is not timed."""
    order: list[str] = []
    contenders = {
        "a": lambda conn: order.append("a"),
        "b": Contender(lambda conn: order.append("b"), before=lambda conn: order.append("set up")),
        "c": "select pg_catalog.pg_sleep(0.002)",
    }

    found = interleaved(pg, contenders, runs=3)

    assert [name for name in order if name != "set up"] == ["a", "b", "b", "a", "a", "b", "a", "b"]
    assert order.count("set up") == 4 and order[order.index("b") - 1] == "set up"
    assert {name: one.runs for name, one in found.items()} == {"a": 3, "b": 3, "c": 3}
    assert 2 <= found["c"].min_ms <= found["c"].median_ms <= found["c"].max_ms


def test_timing_nothing_is_refused(pg: Connection) -> None:
    """Timing needs a contender and a run."""
    with pytest.raises(ValueError, match="at least one contender and one run"):
        interleaved(pg, {})
