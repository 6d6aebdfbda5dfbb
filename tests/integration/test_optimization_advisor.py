"""Which indexes the advisor finds for which statements: each kind, its near miss, and nothing to gain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.areas.optimization.advisor.advice import Advice
from workbench.areas.optimization.advisor.advise import advise
from workbench.engines.postgres import Connection, Server
from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, statistics_clone
from workbench.proof.workload import Statement, Workload

SCHEMA = """
create collation by_language (provider = libc, locale = 'C.UTF-8');
create table tenants (id int primary key, name text not null, country char(2) not null);
create table events (
  id bigint primary key,
  tenant_id int not null references tenants,
  kind text not null,
  created timestamp not null,
  done timestamp,
  urgent boolean not null,
  payload jsonb not null,
  tags text[] not null,
  body text not null,
  words tsvector not null,
  during tsrange not null,
  low int not null,
  high int not null,
  parent_id bigint,
  token text not null,
  email varchar(80) not null,
  title text collate by_language not null
);
insert into tenants select i, 'tenant ' || i, (array['AT', 'BE', 'CH', 'DE'])[1 + i % 4]
from generate_series(1, 300) i;
insert into events
select i, 1 + (i * 7919) % 300, 'kind ' || (i * 31) % 8,
  timestamp '2020-01-01' + i * interval '7 minutes',
  case when i % 100 > 0 then timestamp '2020-01-02' + i * interval '7 minutes' end, i % 200 = 0,
  jsonb_build_object('code', (i * 7919) % 5000, 'filler', repeat('x', 80)),
  array['tag ' || (i * 31) % 2000, 'tag ' || (i * 17) % 2000],
  'word' || (i * 13) % 3000 || ' text',
  to_tsvector('simple', 'word' || (i * 13) % 3000 || ' text'),
  tsrange(timestamp '2020-01-01' + (i * 7919) % 30000 * interval '7 minutes',
    timestamp '2020-01-01' + ((i * 7919) % 30000 + 3) * interval '7 minutes'),
  i % 1000, case when i % 500 = 0 then -1 else 1000 end, case when i % 50 = 0 then i / 50 end,
  md5(i::text) || md5((-i)::text), 'User' || (i * 7919) % 30000 || '@example.org', 'Title ' || md5(i::text)
from generate_series(1, 30000::bigint) i;
"""


@pytest.fixture(scope="module")
def source(server: Server) -> Iterator[Connection]:
    with server.scratch_database(label="advisor") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        conn.execute("vacuum (analyze)")
        yield conn


@pytest.fixture(scope="module")
def clone(source: Connection, server: Server) -> Iterator[StatisticsClone]:
    with statistics_clone(source, server, sample=source) as made:
        yield made


def asked(*queries: str, values: tuple[str, ...] | None = ()) -> Workload:
    return Workload([Statement(f"q{n}", each, "select", values=values) for n, each in enumerate(queries)])


def advised(clone: StatisticsClone, *queries: str, values: tuple[str, ...] | None = ()) -> Advice:
    return advise(clone, asked(*queries, values=values), budget_bytes=10**9)


def indexes(advice: Advice) -> list[IndexDefinition]:
    return [each.index.definition for each in advice.recommended]


def the_index(advice: Advice) -> IndexDefinition:
    (found,) = indexes(advice)
    return found


def keys(index: IndexDefinition) -> list[str]:
    return [key.text for key in index.keys]


def test_equality_comes_before_a_range(clone: StatisticsClone) -> None:
    """An index has the column that is compared for equality before the one that is a range."""
    found = the_index(
        advised(
            clone,
            "select id, body from events where created >= '2020-02-01' "
            "and created < '2020-03-01' and tenant_id = 7",
        )
    )

    assert keys(found)[:2] == ["tenant_id", "created"]
    assert found.method == "btree"


def test_columns_that_are_only_read_are_included(clone: StatisticsClone) -> None:
    """Where a statement reads one more column, an index that holds it spares the table."""
    found = the_index(advised(clone, "select sum(low) from events where tenant_id = 7"))

    assert keys(found) == ["tenant_id"]
    assert found.included == ("low",)


def test_a_row_that_is_read_as_a_whole_is_not_covered(clone: StatisticsClone) -> None:
    """A statement that reads all columns gets the keys alone."""
    found = the_index(advised(clone, "select * from events where tenant_id = 7 and kind = 'kind 3'"))

    assert set(keys(found)) == {"tenant_id", "kind"}
    assert found.included == ()


def test_three_keys_and_a_range(clone: StatisticsClone) -> None:
    """An index can be as wide as the conditions call for."""
    found = the_index(
        advised(
            clone,
            "select * from events where tenant_id = 7 and kind = 'kind 3' and low = 12 "
            "and created > '2020-02-01'",
        )
    )

    assert {"tenant_id", "low"} <= set(keys(found))


def test_a_primary_key_needs_no_other_index(clone: StatisticsClone) -> None:
    """Nothing is recommended for what an index that exists already serves."""
    advice = advised(clone, "select * from events where id = 17")

    assert advice.recommended == ()
    assert advice.relative_cost == pytest.approx(1.0)


def test_an_order_with_a_limit_is_read_off_the_index(clone: StatisticsClone) -> None:
    """The latest rows of a tenant come from an index in their order, without a sort."""
    advice = advised(clone, "select * from events where tenant_id = 7 order by created desc limit 5")

    assert keys(the_index(advice)) == ["tenant_id", "created"]
    assert advice.statements[0].ratio < 0.2


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("kind desc, created", ("kind", False, "created", True)),
        ("kind, created desc", ("kind", False, "created", True)),
        ("kind desc, created desc", ("kind", False, "created", False)),
    ],
)
def test_mixed_directions_stay_mixed(
    order: str, wanted: tuple[str, bool, str, bool], clone: StatisticsClone
) -> None:
    """Keys run against each other where the order does; read backwards an index gives the opposite order."""
    (first, second) = the_index(advised(clone, f"select * from events order by {order} limit 10")).keys[:2]

    assert (first.text, first.descending, second.text, second.descending) == wanted


def test_nulls_first_needs_an_index_of_its_own(clone: StatisticsClone) -> None:
    """An order with NULLS FIRST is served by an index that has them first."""
    advice = advised(clone, "select * from events order by done nulls first limit 10")
    (key,) = the_index(advice).keys

    assert (key.text, key.nulls_first) == ("done", True)
    assert advice.relative_cost < 0.01


def test_nulls_last_of_a_descending_order(clone: StatisticsClone) -> None:
    """DESC NULLS LAST is the ascending order read backwards only where nulls come first in it."""
    advice = advised(clone, "select * from events order by done desc nulls last limit 10")
    (key,) = the_index(advice).keys

    assert key.descending != (key.nulls_first is True)
    assert advice.relative_cost < 0.01


def test_an_order_that_an_existing_index_gave_in_part(clone: StatisticsClone) -> None:
    """An index in the order that is asked for is found though another one gives the rows in that order."""
    advice = advised(clone, "select * from events where done is null order by id limit 50")

    found = the_index(advice)
    assert found.predicate
    assert keys(found) == ["id"]


def test_a_queue_gets_a_partial_index(clone: StatisticsClone) -> None:
    """Rows that wait, one in a hundred, are in an index of their own, much smaller than the whole."""
    advice = advised(clone, "select id, created from events where done is null order by created limit 20")

    found = the_index(advice)
    assert found.predicate.lower() == "done is null"
    assert keys(found)[0] == "created"
    assert advice.size_bytes < 50_000


def test_a_flag_gets_a_partial_index(clone: StatisticsClone) -> None:
    """A flag that is rarely set is a condition of the index."""
    found = the_index(advised(clone, "select * from events where urgent and tenant_id = 7"))

    assert found.predicate == "urgent"


def test_the_other_value_of_a_flag_gets_none(clone: StatisticsClone) -> None:
    """A condition that nearly all rows fulfil is no condition of an index."""
    found = indexes(advised(clone, "select * from events where not urgent and tenant_id = 7"))

    assert all(not each.predicate for each in found)


def test_a_literal_is_no_condition_of_an_index(clone: StatisticsClone) -> None:
    """A value in a statement without parameters may be anything next time: the index holds all values."""
    found = indexes(advised(clone, "select * from events where kind = 'kind 3' and low = 17"))

    assert found
    assert all(not each.predicate for each in found)


def test_a_constant_beside_parameters_is_one(clone: StatisticsClone) -> None:
    """Where the values are parameters, a literal is the statement's own and may be a condition."""
    advice = advised(clone, "select * from events where kind = 'kind 3' and tenant_id = $1", values=("7",))
    considered = [*indexes(advice), *(each.definition for each in advice.rejected)]

    assert any("kind 3" in each.predicate for each in considered)


def test_columns_compared_within_a_row_are_a_condition(clone: StatisticsClone) -> None:
    """No search finds rows whose columns compare so; an index of only such rows has them."""
    advice = advised(clone, "select count(*) from events where high < low")

    assert "high < low" in the_index(advice).predicate
    assert advice.relative_cost < 0.9


def test_a_mostly_empty_reference_is_indexed_without_its_nulls(clone: StatisticsClone) -> None:
    """A foreign key that one row in fifty has is indexed for those rows alone."""
    found = the_index(advised(clone, "select * from events where parent_id = 7"))

    assert keys(found) == ["parent_id"]
    assert found.predicate.lower() == '"parent_id" is not null'


def test_an_expression_is_indexed_as_it_is_asked(clone: StatisticsClone) -> None:
    """lower(email) is found by an index on lower(email)."""
    advice = advised(clone, "select * from events where lower(email) = $1", values=("'user7@example.org'",))
    (key,) = the_index(advice).keys

    assert key.is_expression
    assert key.text.startswith("lower(")
    assert advice.relative_cost < 0.05


def test_a_cast_of_varchar_is_no_expression(clone: StatisticsClone) -> None:
    """The planner compares varchar as text: the index is on the column itself."""
    assert the_index(advised(clone, "select * from events where email = 'User7@example.org'")).keys == (
        Key("email"),
    )


def test_an_expression_that_may_change_is_said(clone: StatisticsClone) -> None:
    """What depends on the session's time zone cannot be indexed: the advice says so."""
    advice = advised(clone, "select * from events where (created at time zone 'UTC')::date = '2020-02-02'")

    assert advice.recommended == ()
    assert any("IMMUTABLE" in note for note in advice.notes)


@pytest.mark.parametrize(
    ("condition", "method", "column"),
    [
        ("payload @> '{\"code\": 17}'", "gin", "payload"),
        ("tags && array['tag 17']", "gin", "tags"),
        ("tags @> array['tag 17']", "gin", "tags"),
        ("words @@ to_tsquery('simple', 'word17')", "gin", "words"),
        ("during && tsrange('2020-02-01', '2020-02-01 01:00')", "gist", "during"),
        ("during @> timestamp '2020-02-01'", "gist", "during"),
    ],
)
def test_an_operator_calls_for_its_method(
    condition: str, method: str, column: str, clone: StatisticsClone
) -> None:
    """What a B-tree cannot search is searched by the method whose operators can."""
    advice = advised(clone, f"select id from events where {condition}")
    found = the_index(advice)

    assert (found.method, keys(found)) in ((method, [column]), ("spgist", [column]))
    assert advice.relative_cost < 0.8


def test_a_document_is_indexed_as_an_expression(clone: StatisticsClone) -> None:
    """A search in to_tsvector('simple', body) is indexed as that."""
    found = the_index(
        advised(
            clone, "select id from events where to_tsvector('simple', body) @@ to_tsquery('simple', 'word17')"
        )
    )

    assert found.method in ("gin", "gist")
    assert found.keys[0].is_expression


def test_a_key_of_a_document_is_indexed_as_an_expression(clone: StatisticsClone) -> None:
    """payload ->> 'code' = '17' is found by an index on payload ->> 'code'."""
    found = the_index(advised(clone, "select id from events where payload ->> 'code' = '17'"))

    assert found.keys[0].is_expression
    assert "payload ->> " in found.keys[0].text


def test_a_prefix_is_searched_in_the_order_of_bytes(clone: StatisticsClone) -> None:
    """LIKE 'abc%' on a text that a language sorts needs text_pattern_ops."""
    advice = advised(clone, "select id from events where title like 'Title abc%'")

    assert the_index(advice).keys[0].operator_class == ("text_pattern_ops",)
    assert advice.relative_cost < 0.1


def test_a_text_within_names_the_extension(clone: StatisticsClone) -> None:
    """LIKE '%abc%' is searched by pg_trgm only: where it is missing a note says so."""
    advice = advised(clone, "select id from events where title like '%abcdef%'")

    assert all(each.method == "btree" for each in indexes(advice))
    assert any("pg_trgm" in note and "title" in note for note in advice.notes)


def test_a_long_value_may_be_hashed(clone: StatisticsClone) -> None:
    """For equality on long values a hash is considered, and B-tree and hash are not both built."""
    advice = advised(clone, "select * from events where token = 'abc'")
    considered = [*indexes(advice), *(each.definition for each in advice.rejected)]

    assert len(advice.recommended) == 1
    assert any(each.method == "hash" for each in considered)


def test_rows_in_the_order_of_time_may_have_a_brin(clone: StatisticsClone) -> None:
    """Of a large table in the order of a column, the ranges of its blocks are an index of few pages."""
    advice = advise(
        clone,
        asked("select * from events where created >= '2020-02-01' and created < '2020-02-11'"),
        budget_bytes=60_000,
    )

    assert [(each.method, keys(each)) for each in indexes(advice)] == [("brin", ["created"])]


def test_a_join_of_keys_and_a_filter(clone: StatisticsClone) -> None:
    """A join from a few tenants to their events is served by an index on the reference."""
    advice = advised(
        clone,
        "select t.name, e.created from tenants t join events e on e.tenant_id = t.id "
        "where t.name = 'tenant 9' and e.kind = 'kind 3'",
    )

    assert any(keys(each)[0] in ("tenant_id", "kind") and each.table == "events" for each in indexes(advice))
    assert advice.relative_cost < 0.5


@pytest.mark.parametrize(
    "query",
    [
        "select max(created) from events where tenant_id = 7",
        "select distinct on (tenant_id) tenant_id, created from events where kind = 'kind 3' "
        "order by tenant_id, created desc",
        "select t.id, e.created from tenants t cross join lateral "
        "(select created from events where tenant_id = t.id order by created desc limit 1) e",
        "select id from tenants t where exists (select from events e where e.tenant_id = t.id and e.urgent)",
        "select id from tenants t where not exists (select from events e where e.tenant_id = t.id)",
        "select a.id from events a join events b on b.parent_id = a.id and b.kind = 'kind 3' where a.low = 3",
        "with recent as (select * from events where created > '2020-05-20') select count(*) from recent",
        "select id from events where tenant_id in (7, 8) or low = 3",
        "select rank() over (partition by tenant_id order by created) from events where tenant_id = 7",
        "delete from events where tenant_id = 7 and kind = 'kind 3'",
        "update events set low = 1 where parent_id = 12",
    ],
)
def test_a_shape_of_statement_is_helped(query: str, clone: StatisticsClone) -> None:
    """Whatever the statement looks like, an index makes it cheaper, and none is repeated."""
    advice = advised(clone, query)

    assert advice.recommended
    assert advice.relative_cost < 0.95
    assert len({(each.keys, each.predicate) for each in indexes(advice)}) == len(advice.recommended)


def test_a_text_within_is_searched_by_trigrams(server: Server) -> None:
    """Where the source has pg_trgm, LIKE '%abc%' gets its GIN index, in the schema of the extension."""
    with server.scratch_database(label="trigrams") as name, server.session(name) as conn:
        conn.execute(
            'create schema "My extensions"; create extension pg_trgm schema "My extensions";'
            "create table t as select i as id, md5(i::text) as word from generate_series(1, 20000) i; analyze"
        )
        with statistics_clone(conn, server, sample=conn) as clone:
            advice = advised(clone, "select id from t where word like '%abcdef%'")

    found = the_index(advice)
    assert found.method == "gin"
    assert found.keys[0].operator_class == ("My extensions", "gin_trgm_ops")
    assert advice.notes == ()
