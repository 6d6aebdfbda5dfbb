"""Candidates have about the size, the rows and the statistics of the index that would be built."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest

from workbench.engines.postgres import Connection, Server
from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, statistics_clone

EVENTS = """
create table "Ev ents" (id int, at date not null, kind text, who int, tags int[], body text)
partition by range (at);
create table ev_2020 partition of "Ev ents" for values from ('2020-01-01') to ('2021-01-01');
create table "ev ""2021"" b" partition of "Ev ents" for values from ('2021-01-01') to ('2022-01-01');
insert into "Ev ents"
select i, date '2020-01-01' + i / 60, (array['a', 'b', 'c'])[1 + i % 3], (i * 7919::bigint) % 3001,
  array[i % 7, i % 100], 'User ' || md5((i % 9000)::text)
from generate_series(1, 40000) i;
create table flat as select * from "Ev ents";
alter table flat add primary key (id);
create table lines (id int, number int, amount numeric(9, 2), primary key (id, number));
insert into lines select i / 4, i % 4, i % 977 from generate_series(1, 60000) i;
"""
NEAR, ROUGH = 0.2, 0.35  # as a share of the real size


@pytest.fixture(scope="module")
def events(server: Server) -> Iterator[Connection]:
    with server.scratch_database(label="whatif") as name, server.session(name) as conn:
        conn.execute(EVENTS)
        conn.execute("vacuum (analyze)")
        yield conn


@pytest.fixture(scope="module")
def clone(events: Connection, server: Server) -> Iterator[StatisticsClone]:
    """A clone that may sample rows."""
    with statistics_clone(events, server, sample=events) as made:
        yield made


@pytest.fixture(scope="module")
def rowless(events: Connection, server: Server) -> Iterator[StatisticsClone]:
    """A clone from statistics alone."""
    with statistics_clone(events, server) as made:
        yield made


def built_bytes(conn: Connection, definition: IndexDefinition) -> int:
    conn.execute("begin")
    try:
        conn.execute(definition.create("really"))
        (found,) = conn.execute(
            "select pg_relation_size('really') + "
            "coalesce((select sum(pg_relation_size(inhrelid)) from pg_inherits "
            "where inhparent = 'really'::regclass), 0)"
        ).fetchone() or (0,)
        return int(found)
    finally:
        conn.execute("rollback")


def on(table: str, *keys: Key, **more: object) -> IndexDefinition:
    return IndexDefinition("public", table, keys, **more)  # type: ignore[arg-type]


TREES = {
    "duplicates": on("flat", Key("who")),
    "few values": on("flat", Key("kind")),
    "text": on("flat", Key("body")),
    "two columns": on("flat", Key("kind"), Key("who", descending=True)),
    "included": on("flat", Key("who"), included=("body",)),
    "unique": on("flat", Key("id"), Key("kind")),
    "no duplicates are shared among numerics": on("lines", Key("amount")),
    "rows of a key lie together": on("lines", Key("id")),
    "partial": on("flat", Key("id"), predicate="kind = 'a'"),
    "expression": on("flat", Key("lower(body)", is_expression=True)),
    "partitioned": on("Ev ents", Key("who")),
}


def test_btrees_have_the_sizes_that_they_would_have(events: Connection, clone: StatisticsClone) -> None:
    """From a sample, each size is near that of the index that is built, half of them within 5 per cent."""
    added = clone.add(list(TREES.values()))
    errors = {
        name: abs(each.size_bytes / built_bytes(events, each.definition) - 1)
        for name, each in zip(TREES, added.indexes, strict=True)
    }

    assert {name: error for name, error in errors.items() if error > NEAR} == {}
    assert statistics.median(errors.values()) <= 0.05


@pytest.mark.parametrize("name", ["duplicates", "few values", "two columns", "included", "unique", "partial"])
def test_statistics_alone_tell_most_sizes(name: str, events: Connection, rowless: StatisticsClone) -> None:
    """Without a row, the sizes of plain columns are near the real ones."""
    (candidate,) = rowless.add([TREES[name]]).indexes

    assert candidate.size_bytes == pytest.approx(built_bytes(events, TREES[name]), rel=NEAR)


@pytest.mark.parametrize(
    ("method", "key", "tolerance"),
    [
        ("hash", "who", NEAR),
        ("brin", "at", NEAR),
        ("gin", "tags", ROUGH),
        ("spgist", "body", ROUGH),
    ],
)
def test_other_kinds_have_a_size_too(
    method: str, key: str, tolerance: float, events: Connection, clone: StatisticsClone
) -> None:
    """Hash and BRIN are computed, what shares entries is built on the sample."""
    definition = on("flat", Key(key), method=method)
    (candidate,) = clone.add([definition]).indexes

    assert candidate.size_bytes == pytest.approx(built_bytes(events, definition), rel=tolerance)


def test_a_partial_index_has_the_rows_of_its_predicate(clone: StatisticsClone) -> None:
    """The sampled share of the rows; the whole table has them all, a false predicate none."""
    added = clone.add([TREES["partial"], TREES["duplicates"], on("flat", Key("id"), predicate="who < 0")])

    assert [each.rows for each in added.indexes] == pytest.approx([40000 / 3, 40000, 0], rel=0.05, abs=200)


@pytest.mark.parametrize("fixture", ["clone", "rowless"])
def test_an_expression_has_predicted_statistics(
    fixture: str, request: pytest.FixtureRequest, events: Connection
) -> None:
    """A query on an expression costs what it does once its index is built and analysed."""
    made: StatisticsClone = request.getfixturevalue(fixture)
    definition = on("flat", Key("(who % 10)", is_expression=True))
    query = "select count(*) from flat where who % 10 = 3"
    (candidate,) = made.add([definition]).indexes
    with made.having([candidate.oid]):
        predicted = made.cost(query)
    events.execute("begin")
    try:
        events.execute(definition.create("really"))
        events.execute("analyze flat")
        found = events.execute("explain (format json) " + query).fetchone()
    finally:
        events.execute("rollback")
    assert found
    assert predicted.total_cost == pytest.approx(found[0][0]["Plan"]["Total Cost"], rel=0.1)


def test_an_index_on_a_partitioned_table_is_one(clone: StatisticsClone) -> None:
    """It is shown on every partition at once, and a plan that scans two of them names it once."""
    (candidate,) = clone.add([TREES["partitioned"]]).indexes
    found = clone.cost('select * from "Ev ents" where who = 5', indexes=[candidate.oid])

    assert found.indexes == (candidate.oid,)
    assert clone.cost('select * from "Ev ents" where who = 5').indexes == ()
