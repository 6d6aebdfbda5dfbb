"""The benchmark of the index advisor measures what it says, at a tiny scale; no time is asserted."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput, EngineError, FeatureUnavailable
from workbench.proof.whatif import IndexDefinition, Key, statistics_clone
from workbench.proof.workload import Statement, Workload

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # the benchmarks are files, not a package

import _optimization_built as built_sets
import _optimization_fidelity as fidelity
import _optimization_others as others
import _optimization_peer as peer
import _optimization_runtime as runtime
import _optimization_sets as sets
import _optimization_tpch as tpch
import optimization

SCALE = 0.01
MB = 1_000_000
needs_generator = pytest.mark.skipif(
    not (shutil.which("tpchgen-cli") or (Path(sys.executable).parent / "tpchgen-cli").exists()),
    reason="tpchgen-cli is not installed: pip install tpchgen-cli",
)


def silent(doing: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def orders(server: Server) -> Iterator[Connection]:
    """A table in which one column is worth an index and another is not."""
    with server.scratch_database(label="test") as name, server.session(name) as conn:
        conn.execute("create table orders (id integer, customer integer, kind integer, note text)")
        conn.execute(
            "insert into orders select i, i % 5000, i % 2, repeat('x', 50) from generate_series(1, 20000) i"
        )
        conn.execute("vacuum (analyze)")
        yield conn


BY_CUSTOMER = IndexDefinition("public", "orders", (Key("customer"),))
BY_KIND = IndexDefinition("public", "orders", (Key("kind"),))
ASKS = [
    Statement("by customer", "select id from orders where customer = 42", "select"),
    Statement("by kind", "select count(note) from orders where kind >= 0", "select"),
    Statement("writes", "update orders set note = '' where customer = 43", "update"),
]


def test_a_set_is_planned_with_where_it_is_shown_and_not_where_it_is_not(orders: Connection) -> None:
    """Built indexes are hidden until a set shows them, for that set alone; sizes are of the main fork."""
    built = built_sets.Built(orders)
    index = built.build(BY_CUSTOMER)
    built.build(BY_KIND)
    built.settle()

    (with_it,) = built.plans(ASKS[:1], [BY_CUSTOMER])
    (without,) = built.plans(ASKS[:1], [])
    (with_the_other,) = built.plans(ASKS[:1], [BY_KIND])

    assert with_it.uses_index(index.name)
    assert not without.indexes_used() and not with_the_other.indexes_used()
    assert with_it.total_cost < without.total_cost
    size = orders.execute("select pg_relation_size(%s::oid)", [index.oid]).fetchone()
    assert size == (built.size_bytes([BY_CUSTOMER]),)
    built.drop()
    assert orders.execute("select count(*) from pg_indexes where tablename = 'orders'").fetchone() == (0,)


def test_run_times_are_of_the_set_and_a_statement_that_writes_is_not_run(orders: Connection) -> None:
    """Statements that read are timed, equal plans once for both sets; nothing is written."""
    built = built_sets.Built(orders)
    built.build(BY_CUSTOMER)
    built.settle()
    before = orders.execute("select md5(string_agg(t::text, ',' order by id)) from orders t").fetchone()

    timed = runtime.measure(
        built, ASKS, {"without": (), "with": [BY_CUSTOMER], "peer": ()}, {}, rounds=1, say=silent
    )

    assert [each.statement.name for each in timed] == ["by customer", "by kind"]
    assert timed[0].median_ms["without"] == timed[0].median_ms["peer"] > 0
    assert timed[1].median_ms["without"] == timed[1].median_ms["with"]
    assert not any(each.unfinished for each in timed)
    after = orders.execute("select md5(string_agg(t::text, ',' order by id)) from orders t").fetchone()
    assert after == before
    built.drop()


def test_a_statement_that_does_not_end_is_told_as_unfinished(orders: Connection) -> None:
    """At the limit a statement is stopped, counts as the limit, and the rows name it."""
    endless = [Statement("endless", "select pg_sleep(60) from orders where id = 1", "select")]

    timed = runtime.measure(
        built_sets.Built(orders),
        endless,
        {"without": (), "with": (), "peer": ()},
        {},
        limit_s=0.2,
        rounds=3,
        say=silent,
    )

    assert timed[0].unfinished == ("without", "with", "peer")
    assert timed[0].median_ms["with"] == 200
    assert "stopped at the limit: endless without" in runtime.rows("it", timed, limit=100)[0]["benchmark"]


def test_relative_cost_is_of_weighted_sums_or_the_mean_of_ratios() -> None:
    """A statement of weight 3 counts three times, in either objective."""
    assert built_sets.relative([100, 100], [50, 100], [1, 3], "total") == pytest.approx(350 / 400)
    assert built_sets.relative([100, 100], [50, 100], [1, 3], "ratio") == pytest.approx(0.5**0.25)


def test_the_peer_takes_the_column_that_pays_and_stays_within_its_budget(
    server: Server, orders: Connection
) -> None:
    """It indexes what a statement asks for and gains by; without room for it, nothing."""
    with statistics_clone(orders, server, sample=orders) as clone:
        chooses = peer.SingleColumns(clone, Workload(ASKS[:2]), "total")

        assert chooses.within(10 * MB) == (BY_CUSTOMER,)
        assert chooses.within(8192) == ()


def test_a_broken_limit_shows_in_its_row() -> None:
    """A value above its limit is not ok; at the limit or without one it is."""
    assert not sets.row("it", 60.1, "%", 60.0)["ok"]
    assert sets.row("it", 60.0, "%", 60.0)["ok"] and sets.row("it", 1e9, "%", None)["ok"]


def test_workloads_of_the_other_databases_are_understood_whole(server: Server, pg: Connection) -> None:
    """The rental shop's sets are chosen, built and run, each row with a figure of its own."""
    others.fill_rentals(pg, 2_000)

    rows = others._figures(server, pg, "rental shop", "rental.sql", (20.0,), 0.01, sets.Effort(2.0), silent)

    named = {row["benchmark"].split(": ")[1].split(",")[0].split(" with ")[0]: row for row in rows}
    assert 0 < named["cost"]["value"] < 100
    assert named["cost"]["peer_value"] is not None
    assert {"built size over the budget", "distance to the bound", "run time"} <= named.keys()


@needs_generator
def test_tpch_is_filled_and_its_22_queries_run(pg: Connection) -> None:
    """The rows of the generator, the keys, and 22 queries of which most find something at a tiny scale."""
    tpch.load(pg, SCALE)
    tpch.add_keys(pg)

    statements = tpch.queries(pg).statements
    found = [len(pg.execute(built_sets.text(each)).fetchall()) for each in statements]

    assert pg.execute("select count(*) from orders").fetchone() == (round(1_500_000 * SCALE),)
    assert len(statements) == 22 and found[0] == 4
    assert sum(count > 0 for count in found) >= 18


@needs_generator
def test_plans_of_the_clone_stand_beside_those_of_built_indexes(server: Server, pg: Connection) -> None:
    """With true sizes every plan is the same; no index is left in the database."""
    tpch.load(pg, SCALE)
    plain, partial = fidelity.plain_definitions()[:4], fidelity.special_definitions()[1:12:5]

    found = fidelity.measure(
        server, pg, tpch.queries(pg).statements[:6], silent, plain=plain, partial=partial
    )

    assert len(found.true) == len(found.predicted) == 4 * 6
    assert all(each.equal_shape and each.cost_error < 1e-6 for each in found.true)
    assert len(found.size_errors) == 4 + len(partial)
    assert any(each.used for each in found.special)
    assert pg.execute("select count(*) from pg_indexes where schemaname = 'public'").fetchone() == (0,)
    assert [row["limit"] for row in fidelity.rows(found)] == [99.0, 0.1, 99.0, 0.1, 5.0, 5.0, 25.0]


@needs_generator
def test_setting_a_is_measured_on_built_indexes(server: Server, pg: Connection) -> None:
    """A chosen set is built, within its budget, and its real cost is near what was predicted."""
    tpch.load(pg, SCALE)
    setting = sets.Setting(
        "A",
        tpch.queries(pg, without=("02", "17", "20")),
        "total",
        {6.0: None},
        {"work_mem": "4MB"},
        effort=sets.Effort(6.0),
        has_peer=False,
    )

    chosen = sets.choose(server, pg, setting, silent)
    built = sets.build_all(pg, chosen, silent)
    (judged,) = sets.judge(built, setting, chosen)

    assert chosen[0].indexes
    assert 0 < judged.size_bytes <= 6 * MB * 1.1
    assert judged.relative_cost < 1
    assert judged.relative_cost == pytest.approx(chosen[0].advice.relative_cost, abs=0.15)
    (cost, *_) = sets.rows(setting, [judged])
    assert cost["value"] == pytest.approx(100 * judged.relative_cost, abs=0.01)


def test_a_missing_generator_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tpchgen-cli the error says how to get it."""
    monkeypatch.setattr(tpch, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(tpch.shutil, "which", lambda name, path=None: None)

    with pytest.raises(FeatureUnavailable, match="pip install tpchgen-cli"):
        tpch.rows_as_text(SCALE)


def test_a_disk_too_small_and_a_scale_that_is_none_are_said() -> None:
    """Nothing is begun that cannot end; a scale that is no number is bad input."""
    with pytest.raises(EngineError, match="free some"):
        tpch.require_space(1e9)
    with pytest.raises(BadInput, match="the scale 'huge' is none"):
        optimization._scale("huge")
