"""Which set the advisor chooses: weights, writes, the budget, what can go, how far from the best it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from workbench.areas.optimization.advisor.advice import Advice, Droppable
from workbench.areas.optimization.advisor.advise import advise
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.trials import named
from workbench.proof.whatif import IndexDefinition, StatisticsClone, statistics_clone
from workbench.proof.workload import Statement, Workload, workload_of_example
from workbench.source import Options, open_source

SCHEMA = """
create table customers (id int primary key, country char(2) not null, name text not null);
create table orders (
  id int primary key,
  customer_id int not null references customers,
  courier_id int not null references customers,
  placed date not null,
  status char(1) not null,
  total int not null,
  note text not null
);
create table lines (order_id int not null references orders, product int not null, amount int not null);
create index lines_order on lines (order_id);
create index orders_customer on orders (customer_id);
create index orders_customer_again on orders (customer_id);
create index orders_customer_placed on orders (customer_id, placed);
create index orders_courier on orders (courier_id);
create index orders_note on orders (note);
create unique index orders_unique on orders (id, status);
create index orders_id on orders (id);
create index customers_country on customers (country);
insert into customers select i, (array['AT', 'BE', 'CH', 'DE'])[1 + i % 4], 'customer ' || i
from generate_series(1, 2000) i;
insert into orders
select i, 1 + (i * 7919) % 2000, 1 + (i * 31) % 2000, date '2020-01-01' + i / 20,
  (array['N', 'P', 'S'])[1 + i % 3],
  (i * 7) % 9973, md5(i::text)
from generate_series(1, 20000) i;
insert into lines select 1 + (i * 7919) % 20000, i % 500, i % 13 from generate_series(1, 40000) i;
"""
BY_TOTAL = Statement("by total", "select * from orders where total = 17", "select")
BY_PLACED = Statement("by placed", "select * from orders where placed = '2020-02-03'", "select")
OF_PRODUCT = Statement("of product", "select sum(amount) from lines where product = 7", "select")
NEW_ORDER = Statement(
    "new order", "insert into orders values (0, 1, 1, '2020-01-01', 'N', 17, 'note')", "insert"
)
OF_COUNTRY = Statement("of country", "select count(*) from customers where country = 'AT'", "select")
MANY = 10**9


@pytest.fixture(scope="module")
def source(server: Server) -> Iterator[Connection]:
    with server.scratch_database(label="sets") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        conn.execute("vacuum (analyze)")
        yield conn


@pytest.fixture(scope="module")
def clone(source: Connection, server: Server) -> Iterator[StatisticsClone]:
    with statistics_clone(source, server, sample=source) as made:
        yield made


def weighted(statement: Statement, weight: float) -> Statement:
    return Statement(statement.name, statement.sql, statement.kind, weight=weight, values=statement.values)


def leading(advice: Advice) -> set[str]:
    return {each.index.definition.keys[0].text for each in advice.recommended}


def gone(advice: Advice) -> dict[str, Droppable]:
    return {each.index.name: each for each in advice.droppable}


def cost(clone: StatisticsClone, workload: Workload, indexes: list[int]) -> float:
    return sum(
        each.weight * clone.cost(each.sql, each.values, indexes=indexes).total_cost
        for each in workload.statements
    )


@pytest.mark.parametrize("frequent", [BY_TOTAL, BY_PLACED])
def test_the_frequent_statement_wins_the_budget(frequent: Statement, clone: StatisticsClone) -> None:
    """Where one index fits, it is that of the statement that runs a thousand times as often."""
    statements = [weighted(each, 1000 if each is frequent else 1) for each in (BY_TOTAL, BY_PLACED)]
    both = advise(clone, Workload(statements), budget_bytes=MANY)
    (one, other) = sorted(each.index.size_bytes for each in both.recommended)
    advice = advise(clone, Workload(statements), budget_bytes=max(one, other))

    assert leading(both) == {"total", "placed"}
    assert len(advice.recommended) == 1
    assert advice.recommended[0].statements == (frequent.name,)
    assert {each.definition.keys[0].text for each in advice.rejected} >= leading(both) - leading(advice)


def test_an_index_whose_upkeep_exceeds_its_gain_is_not_chosen(clone: StatisticsClone) -> None:
    """A table with many inserts gets no index for a statement that seldom runs, and the advice says why."""
    read = weighted(BY_TOTAL, 1)
    few = advise(clone, Workload([read, weighted(NEW_ORDER, 1)]), budget_bytes=MANY)
    many = advise(clone, Workload([read, weighted(NEW_ORDER, 100_000)]), budget_bytes=MANY)

    assert leading(few) == {"total"}
    assert many.recommended == ()
    assert any("upkeep" in each.reason for each in many.rejected)


def test_an_index_within_another_one_is_not_built_for_a_trifle(clone: StatisticsClone) -> None:
    """Of two indexes with the same keys the smaller one is left out, unless it is worth its place."""
    reads = [
        Statement("few", "select courier_id from orders where total = 17", "select", weight=5),
        Statement("more", "select customer_id, placed, courier_id from orders where total = 18", "select"),
        Statement("dear", "select sum(amount) from lines", "select", weight=3),
    ]
    advice = advise(clone, Workload(reads), budget_bytes=MANY)
    found = [each.index.definition for each in advice.recommended if each.index.definition.table == "orders"]

    assert [(each.keys[0].text, "courier_id" in each.included) for each in found] == [("total", True)]


def test_an_update_of_other_columns_is_no_upkeep(clone: StatisticsClone) -> None:
    """An update that leaves the columns of an index alone does not keep it from being chosen."""
    update = Statement("u", "update orders set status = 'X' where id = 7", "update", weight=100_000)
    mine = Statement("m", "update orders set total = 7 where id = 7", "update", weight=100_000)

    assert leading(advise(clone, Workload([BY_TOTAL, update]), budget_bytes=MANY, gap=0)) == {"total"}
    assert advise(clone, Workload([BY_TOTAL, mine]), budget_bytes=MANY).recommended == ()


def test_what_can_go_says_why(clone: StatisticsClone) -> None:
    """A duplicate, the beginning of another index, and an unused one are three kinds; the rest stays."""
    read = Statement(
        "of customer", "select * from orders where customer_id = 7 and placed > '2020-02-01'", "select"
    )
    advice = advise(clone, Workload([read]), budget_bytes=0)
    found = gone(advice)

    assert {name: (each.kind, each.redundant_with) for name, each in found.items()} == {
        "orders_customer": ("prefix", "public.orders_customer_placed"),
        "orders_customer_again": ("prefix", "public.orders_customer_placed"),
        "orders_id": ("duplicate", "public.orders_pkey"),
        "orders_note": ("unused", ""),
    }
    assert "no statement of the workload uses it" in found["orders_note"].reason
    assert not any("could not be planned" in note for note in advice.notes)

    missing = Statement("missing", "select * from nowhere", "select")
    assert any(
        "could not be planned" in note
        for note in advise(clone, Workload([read, missing]), budget_bytes=0).notes
    )


def test_of_two_that_are_alike_one_goes(server: Server) -> None:
    """Of two indexes with the same definition one goes, and names the other one; another order stays."""
    with server.scratch_database(label="alike") as name, server.session(name) as conn:
        conn.execute(
            "create table t as select i as a, i % 100 as b from generate_series(1, 10000) i;"
            "create index one on t (a); create index two on t (a); create index other on t (b, a);"
            "create index part on t (a) where b = 7; create index more on t (b) include (a); analyze"
        )
        with statistics_clone(conn, server) as clone:
            query = Statement("q", "select * from t where a = 7", "select")
            advice = advise(clone, Workload([query]), budget_bytes=0)

    found = gone(advice)
    assert [
        (each.index.name, each.redundant_with) for each in advice.droppable if each.kind == "duplicate"
    ] == [("two", "public.one")]
    assert found["part"].kind == "unused"
    assert "one" not in found


def test_an_index_of_a_foreign_key_stays(clone: StatisticsClone) -> None:
    """What no statement uses stays where a delete of the parent needs it, with the key's name."""
    advice = advise(clone, Workload([BY_TOTAL]), budget_bytes=0)

    assert "orders_courier" not in gone(advice)
    assert [each.index.name for each in advice.kept if "orders_courier_id_fkey" in each.reason] == [
        "orders_courier"
    ]


def test_an_unused_index_goes_where_another_one_serves_its_key(server: Server) -> None:
    """Of two indexes that support a foreign key, in other directions, the unused one goes."""
    with server.scratch_database(label="keys") as name, server.session(name) as conn:
        conn.execute(
            "create table p (id int primary key); insert into p select generate_series(1, 500);"
            "create table c (p int references p, a int, b int);"
            "insert into c select 1 + i % 500, i % 300, i from generate_series(1, 10000) i;"
            "create index c_down on c (p, b desc); create index c_up on c (p, a); analyze"
        )
        with statistics_clone(conn, server) as clone:
            query = Statement("q", "select b from c where p = 7 and a = 3", "select")
            advice = advise(clone, Workload([query]), budget_bytes=0)

    assert {name: each.kind for name, each in gone(advice).items()} == {"c_down": "unused"}
    assert advice.kept == ()


def test_a_table_that_the_workload_does_not_touch_is_left_alone(clone: StatisticsClone) -> None:
    """Of a table without a statement nothing is known: its index stays."""
    assert "customers_country" not in gone(advise(clone, Workload([BY_TOTAL]), budget_bytes=0))
    assert "customers_country" in gone(
        advise(
            clone,
            Workload([Statement("n", "select * from customers where name = 'x'", "select")]),
            budget_bytes=0,
        )
    )


def test_an_index_in_use_stays(clone: StatisticsClone) -> None:
    """What a statement's plan uses is not dropped."""
    advice = advise(clone, Workload([OF_COUNTRY]), budget_bytes=MANY)

    assert "customers_country" not in gone(advice)
    assert advice.recommended == ()


def test_constraints_and_unique_indexes_are_not_touched(clone: StatisticsClone) -> None:
    """Primary keys and unique indexes never go, whatever is written."""
    advice = advise(clone, Workload([weighted(NEW_ORDER, 1000), BY_TOTAL]), budget_bytes=MANY)

    assert not {"orders_pkey", "orders_unique", "customers_pkey"} & set(gone(advice))


def test_an_index_that_costs_more_than_it_saves_can_go(clone: StatisticsClone) -> None:
    """Where writes are all there is, an index that no key needs is told with its upkeep."""
    advice = advise(clone, Workload([weighted(NEW_ORDER, 1000)]), budget_bytes=0)

    assert gone(advice)["orders_note"].upkeep > 0
    assert advice.relative_cost < 1


def test_no_statement_gets_dearer(clone: StatisticsClone) -> None:
    """With the chosen set and without what can go, each statement costs no more than before."""
    workload = Workload([BY_TOTAL, BY_PLACED, OF_PRODUCT, OF_COUNTRY, NEW_ORDER])
    advice = advise(clone, workload, budget_bytes=MANY)

    assert len(advice.statements) == 5
    assert all(each.after <= each.before * 1.02 for each in advice.statements)


def test_the_costs_are_those_of_indexes_that_are_built(
    clone: StatisticsClone, server: Server, source: Connection
) -> None:
    """A copy with the chosen indexes plans each statement at the cost that was predicted."""
    advice = advise(clone, Workload([BY_TOTAL, BY_PLACED, OF_PRODUCT]), budget_bytes=MANY)
    with server.scratch_database(label="built") as name, server.session(name) as conn:
        conn.execute(SCHEMA)
        for each in named([each.index.definition for each in advice.recommended]):
            conn.execute(each.definition.create(each.name))
        conn.execute("vacuum (analyze)")
        for statement in advice.statements:
            row = conn.execute("explain (format json) " + statement.statement.sql).fetchone()
            assert row
            assert row[0][0]["Plan"]["Total Cost"] == pytest.approx(statement.after, rel=0.05)


@pytest.mark.parametrize("part", [0.3, 0.6, 1.0])
def test_the_set_is_the_best_and_the_bound_holds(part: float, clone: StatisticsClone) -> None:
    """Of all sets of candidates within the budget none is cheaper than the bound, and none beats the set."""
    workload = Workload([BY_TOTAL, weighted(BY_PLACED, 3), OF_PRODUCT])
    whole = advise(clone, workload, budget_bytes=MANY, gap=0.0)
    budget = int(whole.size_bytes * part)
    advice = advise(clone, workload, budget_bytes=budget, gap=0.0)
    added = clone.add(
        sorted(
            {
                *(each.index.definition for each in advice.recommended),
                *(each.definition for each in advice.rejected),
            }
        )
    ).indexes
    assert len(added) <= 12
    before = cost(clone, workload, [])
    best = min(
        cost(clone, workload, [each.oid for each in chosen])
        for count in range(len(added) + 1)
        for chosen in itertools.combinations(added, count)
        if sum(each.size_bytes for each in chosen) <= budget
    )

    assert advice.finished
    assert advice.bound <= best / before + 1e-6
    assert advice.relative_cost == pytest.approx(best / before, rel=0.002)


def test_the_bound_is_below_the_cost(clone: StatisticsClone) -> None:
    """The bound is a bound, the gap is at least 0, and no more than what was asked for where it ended."""
    for budget in (0, 300_000, MANY):
        advice = advise(clone, Workload([BY_TOTAL, BY_PLACED, OF_PRODUCT]), budget_bytes=budget)

        assert advice.bound <= advice.relative_cost + 1e-9
        assert 0 <= advice.gap <= 0.02
        assert advice.size_bytes <= budget


def test_the_same_question_has_the_same_answer(clone: StatisticsClone) -> None:
    """Asked twice, the advice has the same indexes, costs and reasons."""
    workload = Workload([BY_TOTAL, BY_PLACED, OF_PRODUCT, NEW_ORDER])
    one, other = (advise(clone, workload, budget_bytes=700_000) for _ in range(2))

    assert [each.index.definition for each in one.recommended] == [
        each.index.definition for each in other.recommended
    ]
    assert one.relative_cost == other.relative_cost
    assert [each.index.name for each in one.droppable] == [each.index.name for each in other.droppable]


def test_a_search_that_is_stopped_gives_a_valid_set(clone: StatisticsClone) -> None:
    """After a few calls, or at once, what was found keeps to the budget and its bound is below it."""
    workload = Workload([BY_TOTAL, BY_PLACED, OF_PRODUCT])
    for advice in (
        advise(clone, workload, budget_bytes=500_000, most_calls=1),
        advise(clone, workload, budget_bytes=500_000, deadline_s=0.001),
    ):
        assert advice.size_bytes <= 500_000
        assert advice.bound <= advice.relative_cost <= 1.0 + 1e-9


def test_each_statement_counts_alike_by_ratio(clone: StatisticsClone) -> None:
    """By ratio the cheap statement's index is worth as much as the dear one's."""
    cheap = Statement("cheap", "select * from customers where name = 'customer 7'", "select")
    dear = weighted(BY_TOTAL, 1)
    advice = advise(clone, Workload([cheap, dear]), budget_bytes=MANY, objective="ratio")

    assert leading(advice) == {"name", "total"}
    assert advice.relative_cost == pytest.approx(
        (advice.statements[0].ratio * advice.statements[1].ratio) ** 0.5, rel=0.01
    )


def test_a_budget_of_nothing_recommends_nothing(clone: StatisticsClone) -> None:
    """Without a byte there is no index, and that is the best set."""
    advice = advise(clone, Workload([BY_TOTAL]), budget_bytes=0)

    assert advice.recommended == ()
    assert advice.size_bytes == 0


@pytest.mark.parametrize(("budget", "deadline"), [(-1, 1.0), (1, 0.0), (1, -2.0)])
def test_a_budget_or_deadline_that_cannot_be(budget: int, deadline: float, clone: StatisticsClone) -> None:
    """A negative budget or no time at all is refused in one line."""
    with pytest.raises(BadInput, match="cannot be"):
        advise(clone, Workload([BY_TOTAL]), budget_bytes=budget, deadline_s=deadline)


def test_the_built_set_keeps_to_the_budget(server: Server) -> None:
    """On the example, the indexes that are really built take what was predicted, within 2 % of the budget."""
    with open_source("ecommerce", server, Options(scale=0.05)) as example, example.scratch() as conn:
        conn.execute("vacuum (analyze)")
        workload = workload_of_example(conn)
        with statistics_clone(conn, server, sample=conn) as clone:
            for budget in (1_000_000, 3_000_000):
                advice = advise(clone, workload, budget_bytes=budget, deadline_s=20)
                assert advice.recommended
                assert (
                    _built_bytes(conn, [each.index.definition for each in advice.recommended])
                    <= budget * 1.02
                )


def _built_bytes(conn: Connection, definitions: list[IndexDefinition]) -> int:
    size = 0
    for number, definition in enumerate(definitions):
        conn.execute(definition.create(f"built_{number}"))
        row = conn.execute(
            "select pg_relation_size(pg_catalog.format('%%I.%%I', %s::text, %s::text)::regclass)",
            [definition.schema, f"built_{number}"],
        ).fetchone()
        assert row
        size += int(row[0])
    for number, definition in enumerate(definitions):
        conn.execute(f"drop index {definition.schema}.built_{number}")
    return size
