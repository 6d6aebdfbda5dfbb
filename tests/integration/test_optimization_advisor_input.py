"""Workloads and sources as they come: what cannot be planned is said, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.areas.optimization.advisor.advice import Advice
from workbench.areas.optimization.advisor.advise import advise
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.trials import named
from workbench.proof.whatif import IndexDefinition, StatisticsClone, statistics_clone
from workbench.proof.workload import Statement, Workload

LONG = "n" * 60 + "ä"  # 62 bytes; with one more letter 63
SCHEMA = f'''
create schema "Odd ""Schema""";
create table "Odd ""Schema"""."My <b>Table</b>" (
  id int primary key, "Customer Id" int, "select" text, "{LONG}x" int, "Is ""Open""" boolean
);
insert into "Odd ""Schema"""."My <b>Table</b>"
select i, (i * 7919) % 5000, 'text ' || (i * 31) % 3000, (i * 17) % 4000, i % 100 = 0
from generate_series(1, 20000) i;
create table measures (at date not null, sensor int not null, value int) partition by range (at);
create table measures_1 partition of measures for values from ('2020-01-01') to ('2020-07-01');
create table measures_2 partition of measures for values from ('2020-07-01') to ('2021-01-01')
  partition by list (sensor);
create table "Measures 2 rest" partition of measures_2 default;
insert into measures select date '2020-01-01' + i % 360, (i * 7919) % 3000, i
from generate_series(1, 30000) i;
create materialized view by_sensor as
  select sensor, at, sum(value) as total from measures group by 1, 2;
create view open_rows as
  select id, "Customer Id" from "Odd ""Schema"""."My <b>Table</b>" where "Is ""Open""";
create function some_rows(int) returns setof int language sql as 'select generate_series(1, $1)';
create foreign data wrapper nowhere;
create server far foreign data wrapper nowhere;
create foreign table far_away (id int, name text) server far;
create table never (a int, b int) with (autovacuum_enabled = off);
insert into never select i, i % 7 from generate_series(1, 20000) i;
create table wide ({", ".join(f"c{n} int" for n in range(1, 1600))}, c1600 int);
insert into wide (c1, c7, c1600) select i, i % 5000, i % 3000 from generate_series(1, 8000) i;
'''
ODD = '"Odd ""Schema"""."My <b>Table</b>"'


@pytest.fixture(scope="module")
def source(server: Server) -> Iterator[Connection]:
    with server.scratch_database(label="input") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        conn.execute('vacuum (analyze) "Odd ""Schema"""."My <b>Table</b>", measures, by_sensor, wide')
        yield conn


@pytest.fixture(scope="module")
def clone(source: Connection, server: Server) -> Iterator[StatisticsClone]:
    with statistics_clone(source, server, sample=source) as made:
        yield made


def advised(clone: StatisticsClone, *queries: str, values: tuple[str, ...] | None = ()) -> Advice:
    statements = [Statement(f"q{n}", each, "select", values=values) for n, each in enumerate(queries)]
    return advise(clone, Workload(statements), budget_bytes=10**9)


def indexes(advice: Advice) -> list[IndexDefinition]:
    return [each.index.definition for each in advice.recommended]


def test_an_empty_workload_is_refused(clone: StatisticsClone) -> None:
    """Without a statement there is nothing to advise."""
    with pytest.raises(BadInput, match="it holds none"):
        advised(clone)


def test_a_workload_that_cannot_be_planned_is_refused_with_its_reason(clone: StatisticsClone) -> None:
    """Where no statement can be planned, the first reason is told."""
    with pytest.raises(BadInput, match='"nowhere" does not exist'):
        advised(clone, "select * from nowhere", "this is no SQL")


def test_what_cannot_be_planned_is_told_and_the_rest_goes_on(clone: StatisticsClone) -> None:
    """A missing table, a mistake and a missing value are unread; the good statement gets its index."""
    good = f'select * from {ODD} where "Customer Id" = 7'
    advice = advised(
        clone,
        good,
        "select * from nowhere",
        "selekt 1",
        "select 1 / 0",
        "select * from measures where sensor = $1",
    )

    assert [each.name for each in advice.unread] == ["q1", "q2", "q3", "q4"]
    assert all("\n" not in each.reason for each in advice.unread)
    assert [each.keys[0].text for each in indexes(advice)] == ["Customer Id"]


def test_parameters_without_values_are_planned_for_any(clone: StatisticsClone) -> None:
    """Where no value is known, the statement is planned generically."""
    advice = advised(clone, f'select * from {ODD} where "Customer Id" = $1 limit $2', values=None)

    assert [each.keys[0].text for each in indexes(advice)] == ["Customer Id"]


@pytest.mark.parametrize(
    ("condition", "column"),
    [
        ('"Customer Id" = 7', "Customer Id"),
        ("\"select\" = 'text 7'", "select"),
        (f'"{LONG}x" = 7', f"{LONG}x"),
    ],
)
def test_odd_names(condition: str, column: str, clone: StatisticsClone, source: Connection) -> None:
    """Capitals, spaces, quotes, tags, keywords and 63 bytes are names like others; the statement runs."""
    advice = advised(clone, f"select * from {ODD} where {condition}")
    (found,) = indexes(advice)
    (index,) = named([found])

    assert found.keys[0].text == column
    source.execute("begin")
    source.execute(index.definition.create(index.name))
    source.execute("rollback")


def test_an_odd_flag_is_a_condition(clone: StatisticsClone, source: Connection) -> None:
    """A partial index on a flag with quotes in its name can be created."""
    advice = advised(clone, f'select * from {ODD} where "Is ""Open""" and "Customer Id" = 7')
    considered = [*indexes(advice), *(each.definition for each in advice.rejected)]
    partial = [each for each in considered if each.predicate]

    assert {each.predicate for each in partial} == {'"Is ""Open"""'}
    source.execute("begin")
    for each in named(partial):
        source.execute(each.definition.create(each.name))
    source.execute("rollback")


def test_a_partitioned_table_gets_its_index_as_a_whole(clone: StatisticsClone) -> None:
    """The index is recommended on the parent, with the size of all its parts."""
    advice = advised(clone, "select * from measures where sensor = 17")
    (found,) = advice.recommended

    assert (found.index.definition.table, found.index.definition.keys[0].text) == ("measures", "sensor")
    assert found.index.size_bytes > 300_000
    assert advice.relative_cost < 0.3


def test_a_statement_on_a_partition_asks_for_the_parents_index(clone: StatisticsClone) -> None:
    """Asked of a single partition, the index is still the parent's."""
    (found,) = indexes(advised(clone, "select * from measures_1 where sensor = 17"))

    assert found.table == "measures"


def test_a_materialized_view_can_have_an_index(clone: StatisticsClone) -> None:
    """It holds rows like a table."""
    (found,) = indexes(advised(clone, "select * from by_sensor where sensor = 17"))

    assert found.table == "by_sensor"


def test_a_view_is_looked_through(clone: StatisticsClone) -> None:
    """The index is on the table behind the view."""
    (found,) = indexes(advised(clone, 'select * from open_rows where "Customer Id" = 7'))

    assert found.table == "My <b>Table</b>"


@pytest.mark.parametrize(
    "query",
    [
        "select * from some_rows(1000) r where r = 7",
        "select relname from pg_catalog.pg_class where relkind = 'r'",
        "select * from information_schema.columns where table_name = 'x'",
        "select * from (values (1, 2), (3, 4)) v(a, b) where a = 1",
        "select 1",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 10) "
        "select * from r where n = 3",
    ],
)
def test_what_can_have_no_index_gets_none(query: str, clone: StatisticsClone) -> None:
    """Functions, catalogs, lists of values and recursion are planned and left alone."""
    advice = advised(clone, query)

    assert advice.recommended == ()
    assert len(advice.statements) == 1


def test_a_foreign_table_gets_none(clone: StatisticsClone) -> None:
    """A foreign table without a way to be planned is unread or left alone; the rest goes on."""
    advice = advised(clone, "select * from far_away where id = 7", "select * from measures where sensor = 17")

    assert [each.table for each in indexes(advice)] == ["measures"]


def test_a_table_that_was_never_analysed_is_told(clone: StatisticsClone) -> None:
    """Of a table without statistics nothing is advised, and a note says what to do."""
    advice = advised(clone, "select * from never where a = 7")

    assert advice.recommended == ()
    assert any("public.never" in note and "ANALYZE" in note for note in advice.notes)


@pytest.mark.parametrize(
    "query",
    [
        "select * from measures m where value > "
        "(select avg(value) from measures x where x.sensor = m.sensor) and at = '2020-02-01'",
        "select * from measures where (sensor, at) > (17, date '2020-02-01') order by sensor, at limit 5",
        "select * from measures where row(sensor, value) = row(17, 3)",
        "select case when sensor = 17 then at end from measures "
        "where case when value > 3 then sensor end = 17",
        "select * from measures where sensor not in (select id from open_rows)",
        "select * from measures where sensor = any(array(select id from open_rows limit 3))",
        "select (array_agg(value order by at))[1:2] from measures where sensor = 17",
        "select sum(value) over w from measures where sensor = 17 window w as (partition by at)",
        "select * from measures where sensor between symmetric 17 and 12 and value is distinct from 3",
        "select * from measures tablesample system (10) where sensor = 17",
        "select grouping(sensor), count(*) from measures where at = '2020-02-01' group by rollup (sensor)",
        "select * from measures where sensor::text || ') and SubPlan 1 (' = '17) and SubPlan 1 ('",
        "select * from measures where (value, sensor) in ((1, 2), (3, 4)) for update",
        "select m.* from measures m "
        "left join lateral (select max(value) v from measures where sensor = m.sensor) x "
        "on true where m.at = '2020-02-01' and x.v is null",
        "merge into measures m using by_sensor b on m.sensor = b.sensor and m.at = b.at "
        "when matched then update set value = b.total",
    ],
)
def test_no_plan_is_too_odd(query: str, clone: StatisticsClone) -> None:
    """Whatever a plan says of its conditions, the statement is planned and gets no dearer."""
    advice = advised(clone, query)

    assert advice.unread == ()
    assert advice.statements[0].after <= advice.statements[0].before * 1.001


def test_a_table_of_1600_columns(clone: StatisticsClone) -> None:
    """A query that reads all of 1,600 columns gets its keys, one that reads some is covered."""
    advice = advised(
        clone, "select * from wide where c7 = 17", "select c1600 from wide where c1600 = 17 and c1 > 3"
    )

    assert {each.keys[0].text for each in indexes(advice)} == {"c7", "c1600"}
    assert all(len(each.included) <= 8 for each in indexes(advice))


def test_columns_without_statistics(server: Server) -> None:
    """Rows are counted, columns were never analysed: the advice says that the planner guesses."""
    with server.scratch_database(label="norights") as name, server.session(name) as conn:
        conn.execute("create table t as select i as a, i % 100 as b from generate_series(1, 20000) i")
        conn.execute("vacuum t")
        with statistics_clone(conn, server) as clone:
            advice = advise(
                clone, Workload([Statement("q", "select * from t where a = 7", "select")]), budget_bytes=10**9
            )

    assert any("public.t" in note and "guesses" in note for note in advice.notes)


def test_thousands_of_statements(clone: StatisticsClone) -> None:
    """Of very many statements those that cost the most are searched, and what is left out is said."""
    columns = [f"c{n}" for n in range(1, 301)]
    statements = [
        Statement(f"q{n}", f"select {name} from measures, wide where sensor = {n} and c7 = {n}", "select")
        for n, name in enumerate(columns)
    ] + [Statement("odd", f'select * from {ODD} where "Customer Id" = 7', "select", weight=1000)]
    advice = advise(clone, Workload(statements), budget_bytes=10**9, deadline_s=20)

    assert len(advice.statements) == 301
    assert {"measures", "My <b>Table</b>"} <= {each.table for each in indexes(advice)}
    assert any("left out" in note for note in advice.notes)


def test_statements_that_differ_in_constants_are_searched_as_one(clone: StatisticsClone) -> None:
    """Hundreds of statements of one form are worth an index as one of their whole weight."""
    statements = [
        Statement(f"q{n}", f"select * from measures where sensor = {n}", "select") for n in range(400)
    ]
    advice = advise(clone, Workload(statements), budget_bytes=10**9)

    assert [each.keys[0].text for each in indexes(advice)] == ["sensor"]
    assert len(advice.statements) == 400
    assert all(each.ratio < 0.5 for each in advice.statements)
    assert any("differ in more than constants" in note for note in advice.notes)


def test_parameters_whose_types_only_their_values_tell(clone: StatisticsClone) -> None:
    """A statement that cannot be planned for any value is planned for the ones that are given."""
    advice = advised(clone, "select $1 || $1, * from measures where sensor = $2", values=("'a'", "7"))

    assert advice.unread == ()
    assert [each.keys[0].text for each in indexes(advice)] == ["sensor"]


def test_a_thousand_tables(server: Server) -> None:
    """Where there are 1,000 tables, those that the workload reads get their indexes."""
    with server.scratch_database(label="many") as name, server.session(name) as conn:
        conn.execute(
            "do $$begin for n in 1..1000 loop "
            "execute format('create table t%s (a int, b int)', n); end loop; end$$;"
            "insert into t7 select i, i % 100 from generate_series(1, 20000) i; analyze t7"
        )
        with statistics_clone(conn, server) as clone:
            queries = ["select * from t7 where a = 7", "select * from t8, t9 where t8.a = t9.a"]
            advice = advise(
                clone, Workload([Statement(each, each, "select") for each in queries]), budget_bytes=10**9
            )

    assert [each.table for each in indexes(advice)] == ["t7"]
    assert any("public.t8" in note for note in advice.notes)
