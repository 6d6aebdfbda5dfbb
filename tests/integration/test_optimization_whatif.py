"""The clone plans as its source does, with and without what is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2
import pytest

from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, statistics_clone

SHOP = """
create table customers (id int primary key, country text not null, name varchar(60));
create table orders (
  id int primary key,
  customer_id int not null references customers,
  placed date not null,
  status char(1) not null,
  total numeric(12, 2),
  note text
);
create index orders_placed on orders (placed);
create index "Orders ""by"" Status" on orders (status, placed desc) include (total);
insert into customers
select i, (array['AT', 'BE', 'CH', 'DE'])[1 + i % 4], 'customer ' || i
from generate_series(1, 2000) i;
insert into orders
select i, 1 + (i * 7919) % 2000, date '2020-01-01' + i / 20, (array['N', 'P', 'S'])[1 + (i * 31) % 3],
  i % 997, repeat('x', i % 40)
from generate_series(1, 30000) i;
"""
QUERIES = (
    "select * from orders where id = 17",
    "select * from orders where customer_id = 17",
    "select count(*) from orders where placed between '2021-01-01' and '2021-02-01'",
    "select c.country, sum(o.total) from orders o join customers c on c.id = o.customer_id group by 1",
    "select * from orders where status = 'P' order by placed desc limit 10",
    "select * from orders o where exists "
    "(select from customers c where c.id = o.customer_id and c.country = 'AT')",
)
BY_CUSTOMER = IndexDefinition("public", "orders", (Key("customer_id"),))


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Connection]:
    """A database with rows, analysed, as a source of ours."""
    with server.scratch_database(label="whatif") as name, server.session(name) as conn:
        conn.execute(SHOP)
        conn.execute("vacuum (analyze)")
        yield conn


@pytest.fixture(scope="module")
def clone(shop: Connection, server: Server) -> Iterator[StatisticsClone]:
    with statistics_clone(shop, server) as made:
        yield made


def explained(conn: Connection, query: str) -> object:
    found = conn.execute("explain (verbose, format json) " + query).fetchone()
    assert found
    return found[0][0]["Plan"]


@contextlib.contextmanager
def really(conn: Connection, definition: IndexDefinition) -> Iterator[None]:
    """The index with its rows, for the block."""
    conn.execute(definition.create("really"))
    try:
        yield
    finally:
        conn.execute("drop index really")


@pytest.mark.parametrize("query", QUERIES)
def test_the_clone_plans_as_its_source(query: str, shop: Connection, clone: StatisticsClone) -> None:
    """Each plan is the source's, with every cost and every row count."""
    assert clone.explain(query).root == explained(shop, query)


def test_nothing_of_a_plain_source_is_lost(clone: StatisticsClone) -> None:
    """A source whose statistics can all be read loses nothing."""
    assert clone.lost == ()


def test_a_candidate_is_used_only_where_it_is_asked_for(shop: Connection, clone: StatisticsClone) -> None:
    """A shown candidate gives the plan that a real index gives; before and after, nothing has changed."""
    (candidate,) = clone.add([BY_CUSTOMER]).indexes
    query = QUERIES[1]
    before = clone.cost(query)
    with clone.having([candidate.oid]):
        shown = clone.cost(query)

    assert shown.indexes == (candidate.oid,)
    assert clone.cost(query) == before
    assert before.indexes == ()
    with really(shop, BY_CUSTOMER):
        plan = explained(shop, query)
    assert shown.total_cost == pytest.approx(plan["Total Cost"], rel=0.001)  # type: ignore[index]


def test_an_existing_index_can_be_away(shop: Connection, clone: StatisticsClone) -> None:
    """Without an existing index the plan is that of a source which has it not; the index comes back."""
    placed = next(each for each in clone.existing() if each.name == "orders_placed")
    query = QUERIES[2]
    assert clone.cost(query).indexes == (placed.oid,)
    with clone.having(without=[placed.oid]):
        without = clone.explain(query)
    assert clone.cost(query).indexes == (placed.oid,)
    shop.execute("begin; drop index orders_placed")
    try:
        assert without.root == explained(shop, query)
    finally:
        shop.execute("rollback")


def test_existing_indexes_say_what_stands_on_them(shop: Connection, clone: StatisticsClone) -> None:
    """Primary keys are needed, by their own and by foreign keys; sizes are the source's."""
    found = {each.name: each for each in clone.existing()}

    assert found["customers_pkey"].constraints == ("customers_pkey", "orders_customer_id_fkey")
    assert not found["orders_placed"].needed
    sizes = dict(
        shop.execute("select relname, pg_relation_size(oid) from pg_class where relkind = 'i'").fetchall()
    )
    assert {name: each.size_bytes for name, each in found.items()} == {name: sizes[name] for name in found}


def test_settings_are_part_of_the_question(clone: StatisticsClone) -> None:
    """A setting holds within the block alone."""
    with clone.having(settings={"enable_bitmapscan": "off", "enable_indexscan": "off"}):
        assert clone.cost(QUERIES[0]).indexes == ()
    assert clone.cost(QUERIES[0]).indexes != ()


def test_parameters_have_values_or_any(clone: StatisticsClone) -> None:
    """With values the plan is that of the literals; without, it is the generic one; too few are bad input."""
    statement = "select * from orders where placed > $1 and total <> $2 -- not $3"
    with_literals = statement.replace("$1", "date '2024-01-01'").replace("$2", "(-5)")

    assert clone.explain(statement, ("date '2024-01-01'", "-5")).root == clone.explain(with_literals).root
    assert clone.explain(statement, None).root != clone.explain(with_literals).root
    with pytest.raises(BadInput, match=r"no value for \$2: 1 are given"):
        clone.explain(statement, ("'2024-01-01'",))


def test_a_refused_candidate_is_told_and_the_others_are_made(clone: StatisticsClone) -> None:
    """What the engine does not create is refused with its reason."""
    added = clone.add([IndexDefinition("public", "orders", (Key("nope"),)), BY_CUSTOMER])

    assert [each.reason for each in added.refused] == ['column "nope" does not exist']
    assert len(added.indexes) == 1


def test_a_statement_that_fails_leaves_the_clone_usable(clone: StatisticsClone) -> None:
    """An error is the engine's own, and the next question is answered."""
    (candidate,) = clone.add([BY_CUSTOMER]).indexes
    with clone.having([candidate.oid]):
        with pytest.raises(psycopg2.errors.UndefinedTable):
            clone.cost("select * from nothing_here")
        assert clone.cost(QUERIES[1]).indexes == (candidate.oid,)


def test_the_source_is_only_read(server: Server, shop: Connection) -> None:
    """A connection that may only read is enough, and what it shows stays as it is."""
    shown = "select count(*), sum(oid::bigint) from pg_class"
    before = shop.execute(shown).fetchone()
    with server.session(shop.info.dbname) as reader:
        reader.set_session(readonly=True)
        with statistics_clone(reader, server) as made:
            assert made.explain(QUERIES[0]).root == explained(shop, QUERIES[0])
    assert shop.execute(shown).fetchone() == before
