"""The slow statements of a workload: ranked, explained, proved, on sources of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.areas.optimization.slow import (
    reason_table,
    rewrite_table,
    slow_findings,
    slow_picture,
    slow_queries,
    slow_table,
)
from workbench.areas.optimization.slow_findings import SOURCES
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.slow import SlowStatement, explained
from workbench.proof.workload import Observed, Statement, StatementKind, Workload
from workbench.source import OpenSource, Options, open_source

SCRIPT = """
create table public.orders (id int primary key, customer_id int, at timestamp not null, note text);
insert into public.orders
select g, g % 900, timestamp '2024-01-01' + g * interval '10 minutes', repeat('x', 60)
from generate_series(1, 30000) g;
create index on public.orders (at);
create table public.customers (id int primary key, name text);
insert into public.customers select g, 'n' || g from generate_series(1, 900) g;
create function public.counted() returns int language plpgsql as
  'begin insert into public.customers values (-1, ''by a function''); return 1; end';
"""
DAY = "select count(*) from orders where at::date = '2024-02-01'"


@pytest.fixture(scope="module")
def shop(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSource]:
    """A script of someone's, opened as a source."""
    path = tmp_path_factory.mktemp("slow") / "shop.sql"
    path.write_text(SCRIPT)
    with open_source(str(path), server) as opened:
        yield opened


@pytest.fixture
def named(server: Server, database: str) -> Iterator[OpenSource]:
    """The same as a database that was named by its URL."""
    with server.session(database) as conn:
        conn.execute(SCRIPT)
        conn.execute("vacuum (analyze)")
    with open_source(server.url(database), server, Options(timeout_s=20)) as opened:
        yield opened


def workload(*texts: str, kind: StatementKind = "select", weight: float = 1.0) -> Workload:
    return Workload([Statement(f"q{n}", text, kind, weight) for n, text in enumerate(texts)])


def slowest(opened: OpenSource, given: Workload, **options: object) -> SlowStatement:
    return slow_queries(opened, given, **options)[0]  # type: ignore[arg-type]


def test_a_statement_comes_with_its_plan_its_reason_and_a_proved_rewrite(shop: OpenSource) -> None:
    """Where the time goes, why, and what is as good and faster."""
    found = slowest(shop, workload(DAY))

    assert (found.outcome, found.basis, found.share) == ("run", "measured", 1.0)
    assert found.costly and found.costly.label == "Seq Scan on public.orders"
    assert [each.kind for each in found.reasons] == ["non_sargable"]
    assert [(each.kind, each.verdict, each.equal) for each in found.rewrites] == [
        ("function_to_range", "accepted", True)
    ]
    assert found.rows_from == "the source's own rows"


def test_own_times_add_up_to_the_whole(shop: OpenSource) -> None:
    """No time of a plan is counted twice or lost: CTEs, InitPlans, SubPlans, loops, workers."""
    text = """
        with recent as materialized (select * from orders where id > 5000)
        select c.name, (select max(at) from recent r where r.customer_id = c.id), s.n
        from customers c
        left join (select customer_id, count(*) as n from recent group by 1) s on s.customer_id = c.id
        where c.id > (select min(customer_id) from orders) and c.id < 40
        order by s.n"""
    found = slowest(shop, workload(text), timeout_s=60).explained

    assert found and found.ran
    assert sum(each.self_ms or 0.0 for each in found.nodes) == pytest.approx(found.nodes[0].total_ms, rel=0.1)


def test_the_slowest_come_first_by_their_part_of_the_whole(shop: OpenSource) -> None:
    """A quick statement that runs often weighs more than a slow one that runs once."""
    given = Workload(
        [
            Statement("rare", "select * from orders order by note, id", "select", 1.0),
            Statement("frequent", DAY, "select", 10_000.0),
            Statement("nothing", "select 1", "select", 1.0),
        ]
    )
    found = slow_queries(shop, given, most=2)

    assert [each.statement.name for each in found] == ["frequent", "rare"]
    assert found[0].share > 0.9
    assert sum(each.share for each in found) <= 1.0


def test_what_the_server_observed_ranks_before_what_is_measured_here(shop: OpenSource) -> None:
    """Times of the real server decide, with their reads."""
    given = Workload(
        [
            Statement("a", "select 1", "select", 5.0, observed=Observed(5, 5000.0, 1000.0, blocks_read=50)),
            Statement("b", DAY, "select", 5.0, observed=Observed(5, 500.0, 100.0)),
        ]
    )
    found = slow_queries(shop, given)

    assert [(each.statement.name, each.basis, each.mean_ms) for each in found] == [
        ("a", "observed", 1000.0),
        ("b", "observed", 100.0),
    ]
    assert found[0].blocks_read == 10.0


def test_a_statement_that_never_ends_is_listed_with_its_plan(shop: OpenSource) -> None:
    """The time-out is no end of the run: the others follow."""
    endless = "select count(*) from orders a, orders b, orders c where a.note < b.note and b.note < c.note"
    found = slow_queries(shop, workload(endless, DAY), timeout_s=1)

    assert found[0].outcome == "timed out"
    assert found[0].plan and found[0].plan.execution_ms is None
    assert "did not end within 1 s" in found[0].note
    assert found[1].outcome == "run"
    assert "slow_endless" in {each.check for each in slow_findings(found, shop)}


def test_a_rewrite_of_what_never_ends_is_compared_with_an_index_that_makes_it_end(shop: OpenSource) -> None:
    """With the index that the reason asks for, the statement ends on all rows, and so can be compared."""
    text = (
        "select o.id, (select count(*) from orders i where i.customer_id = o.customer_id) from orders o"
        " where o.id > 3"
    )
    found = slowest(shop, workload(text), timeout_s=1)

    assert found.outcome == "timed out"
    (scan,) = [each for each in found.reasons if each.kind == "discarding_scan"]
    (rewrite,) = [each for each in found.rewrites if each.kind == "aggregate_once"]
    assert scan.object == "public.orders.customer_id"
    assert rewrite.equal is True
    if scan.tried and scan.tried.helped:  # within the second that it was given
        assert rewrite.compared[0].startswith("the given values, with an index: 29,997 rows")


def test_what_cannot_be_planned_is_listed_behind_the_others(shop: OpenSource) -> None:
    """A missing table, bad syntax, no plan: one line each, and the rest goes on."""
    found = slow_queries(
        shop, workload("select nothing from nowhere", "select from where", "vacuum", "select 1 / 0", DAY)
    )
    notes = {each.statement.name: (each.outcome, each.note) for each in found}

    assert notes["q0"] == ("failed", 'it cannot be planned: relation "nowhere" does not exist')
    assert notes["q1"][0] == "failed" and "does not parse" in notes["q1"][1]
    assert notes["q2"] == ("failed", "EXPLAIN takes no such statement: it has no plan")
    assert notes["q4"] == ("run", "")
    assert [each.outcome for each in found][-3:] == ["failed"] * 3 or notes["q3"][0] == "failed"


def test_five_thousand_statements_are_ranked(shop: OpenSource) -> None:
    """All are planned, the costliest are run, and few are looked into."""
    given = Workload(
        [
            Statement(f"q{n}", f"select * from orders where id = {n}", "select", 1.0 + n % 7)
            for n in range(5000)
        ]
    )
    found = slow_queries(shop, given, most=3)

    assert [each.outcome for each in found] == ["run"] * 3
    assert 0 < sum(each.share for each in found) < 0.1


def test_the_time_limit_stops_what_is_left(shop: OpenSource) -> None:
    """After the limit nothing more is run; what is known is told."""
    found = slow_queries(shop, workload(DAY, "select 1"), limit_s=1e-9)

    assert {each.outcome for each in found} == {"failed"}
    assert all("time limit" in each.note for each in found)


def test_an_empty_workload_is_no_error(shop: OpenSource) -> None:
    """Nothing is slow."""
    assert slow_queries(shop, Workload([])) == []


@pytest.mark.parametrize("bad", [{"most": 0}, {"timeout_s": 0}, {"limit_s": -1}])
def test_numbers_that_cannot_be_are_refused(shop: OpenSource, bad: dict[str, int]) -> None:
    """In one clear line."""
    with pytest.raises(BadInput, match="above 0"):
        slow_queries(shop, workload(DAY), **bad)  # type: ignore[arg-type]


def test_writes_are_run_on_a_copy_and_rolled_back(shop: OpenSource) -> None:
    """An update of ours is run, and the source has what it had."""
    before = shop.connection.execute("select count(*), sum(hashtext(o::text)) from orders o").fetchone()
    found = slowest(shop, workload("update orders set note = 'y' where customer_id = 7", kind="update"))

    assert found.outcome == "run"
    assert found.reasons[0].kind == "discarding_scan"
    after = shop.connection.execute("select count(*), sum(hashtext(o::text)) from orders o").fetchone()
    assert after == before


def test_a_named_database_is_only_asked_for_plans(named: OpenSource) -> None:
    """Nothing is run there unasked; reasons come from the plan, and rewrites are said not to be proved."""
    found = slowest(named, workload(DAY))

    assert found.outcome == "planned"
    assert "not run" in found.note
    assert found.basis == "estimated"
    assert [each.kind for each in found.reasons] == ["non_sargable"]
    assert found.reasons[0].tried is None
    assert [(each.verdict, each.before_ms) for each in found.rewrites] == [("not proved", None)]
    assert 'rows="generated"' in found.rewrites[0].why


def test_a_named_databases_statements_are_run_when_asked(named: OpenSource) -> None:
    """With execute, reading statements are run; writes are not, whatever they hide in."""
    update = "update orders set note = 'y' where id = 7"
    hidden = "select counted()"
    given = Workload(
        [
            Statement("read", DAY, "select"),
            Statement("write", update, "update"),
            Statement("hidden", hidden, "select"),
        ]
    )
    found = {each.statement.name: each for each in slow_queries(named, given, execute=True)}

    assert found["read"].outcome == "run"
    assert found["write"].outcome == "planned" and "writes" in found["write"].note
    assert found["hidden"].outcome == "planned" and "read-only transaction" in found["hidden"].note
    rows = named.connection.execute("select count(*) filter (where id = -1) from customers").fetchone()
    assert rows == (0,)
    assert named.connection.execute("select note from orders where id = 7").fetchone() == ("x" * 60,)


def test_a_named_databases_rewrites_are_proved_on_a_copy_when_asked(named: OpenSource) -> None:
    """With rows copied, where that is allowed, the proof is made on the copy."""
    found = slowest(named, workload(DAY), rows="copied")

    assert found.outcome == "planned"
    assert found.rewrites[0].verdict == "accepted"
    assert found.rows_from.startswith("rows copied from the source")


def test_unknown_values_are_planned_for_any(shop: OpenSource) -> None:
    """A statement of pg_stat_statements without values has a generic plan, and no proof."""
    given = Workload([Statement("q", "select * from orders where customer_id = $1", "select", values=None)])
    found = slowest(shop, given)

    assert found.outcome == "planned"
    assert "planned for any" in found.note
    assert [each.kind for each in found.reasons] == ["discarding_scan"]
    assert found.reasons[0].tried is None


def test_values_take_the_place_of_parameters(shop: OpenSource) -> None:
    """A statement with values is run with them."""
    given = Workload([Statement("q", "select * from orders where customer_id = $1", "select", values=("7",))])

    assert slowest(shop, given).reasons[0].facts["rows_kept"] == 34


def test_a_remedy_that_does_not_help_is_refuted_with_its_figures(shop: OpenSource) -> None:
    """An index that the planner does not take is no fix, and the scan no reason."""
    text = (
        "select count(*) from orders a, orders b"
        " where a.note || 'n' <> 'y' and a.customer_id = b.customer_id and b.id < 900"
    )
    found = slowest(shop, workload(text))
    refuted = [each for each in found.refuted if each.kind == "discarding_scan"]

    assert all(each.tried and not each.tried.helped and not each.fix for each in refuted)
    assert all(each.tried.facts["after_ms"] > 0 for each in refuted if each.tried)


def test_the_plan_of_a_log_is_taken_for_a_named_database(named: OpenSource) -> None:
    """auto_explain's plan has the times of the real run."""
    plan = explained(named.connection, Statement("q", DAY, "select"), run=True).plan
    observed = Observed(3, 90.0, 30.0, plan={"Plan": plan.root})
    found = slowest(named, Workload([Statement("q", DAY, "select", observed=observed)]))

    assert found.explained and found.explained.ran
    assert found.costly and found.costly.share and found.costly.share > 0.5


def test_findings_are_verified_only_by_what_was_tried(shop: OpenSource, named: OpenSource) -> None:
    """The same statement on a source of ours and on a named database."""
    (proved,) = slow_findings(slow_queries(shop, workload(DAY)), shop)
    (told,) = slow_findings(slow_queries(named, workload(DAY)), named)

    assert (
        (proved.check, proved.object)
        == (told.check, told.object)
        == ("slow_non_sargable", "public.orders.at")
    )
    assert proved.verified and not told.verified
    assert told.unverified_because
    assert proved.fix.startswith("SELECT count(*) FROM orders WHERE at >= ")
    assert proved.evidence[0].facts["plan_before"][1].startswith("  Seq Scan on public.orders")
    assert proved.evidence[0].facts["plan_after"]


def test_tables_and_pictures_are_made_of_everything(shop: OpenSource) -> None:
    """A row a statement, a reason, a rewrite; a picture where there is a plan."""
    found = slow_queries(shop, workload(DAY, "select nothing from nowhere"))

    assert [row["outcome"] for row in slow_table(found)] == ["run", "failed"]
    assert [row["reason"] for row in reason_table(found)] == ["non sargable"]
    assert [row["verdict"] for row in rewrite_table(found)] == ["accepted"]
    pictures = [slow_picture(each) for each in found]
    assert pictures[0] and "Seq Scan on public.orders" in pictures[0].alt
    assert pictures[1] is None


def test_names_are_looked_up_on_the_statements_own_path(server: Server, pg: Connection) -> None:
    """The same name in two schemas is two tables."""
    pg.execute(
        "create schema one; create schema two;"
        "create table one.t as select g as id from generate_series(1, 20000) g;"
        "create table two.t as select g as id, now() as at from generate_series(1, 20000) g; analyze"
    )
    with open_source(server.url(pg.info.dbname), server) as opened:
        given = [
            Statement(name, "select * from t where id = 7", "select", search_path=(name,))
            for name in ("one", "two")
        ]
        found = slow_queries(opened, Workload(given))

    assert {each.reasons[0].object for each in found} == {"one.t.id", "two.t.id"}


def test_every_check_has_its_page() -> None:
    """A page for each check, and a check for each page."""
    folder = Path(__file__).parents[2] / "docs" / "checks"
    pages = {each.stem.removeprefix("optimization_slow_") for each in folder.glob("optimization_slow_*.md")}

    assert pages == set(SOURCES)
