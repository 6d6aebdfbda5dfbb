"""Plans as pictures: drawn from plain data, without a server."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from workbench.diagrams.plan_tree import PlanNode, plan_tree
from workbench.proof.slow import as_explained
from workbench.proof.slow.timing import label

SCAN = PlanNode(
    1,
    0,
    "Seq Scan",
    10.0,
    target="on public.orders o",
    details=("Filter: (o.status = 'open'::text)",),
    actual=4000.0,
    self_ms=90.0,
    share=0.9,
    notes=("196,000 rows thrown away",),
)
ROOT = PlanNode(0, None, "Aggregate", 1.0, actual=1.0, self_ms=10.0, share=0.1)


def words(svg: str) -> str:
    """The text of a picture, with that of its tooltips."""
    root = ElementTree.fromstring(svg)
    return " ".join(text.replace("\xa0", " ") for text in root.itertext())


def test_a_card_tells_rows_factor_and_time() -> None:
    """A card has the node's type, its table, its condition, its rows, how far they are off, and its time."""
    drawn = words(plan_tree([ROOT, SCAN], title="open orders", costly=1).svg)

    for expected in (
        "Seq Scan",
        "on public.orders o",
        "o.status = 'open'",
        "rows 10 → 4,000",
        "400 times more",
        "90% · 90 ms",
        "196,000 rows thrown away",
        "costliest by time",
    ):
        assert expected in drawn


def test_the_words_for_it_name_the_costly_node() -> None:
    """Who cannot see the picture is told where the time goes."""
    picture = plan_tree([ROOT, SCAN], title="open orders", costly=1)

    assert picture.alt == (
        "open orders: a plan of 2 nodes. The costliest is Seq Scan on public.orders o, with 90% of the time."
    )


def test_no_node_is_marked_unless_asked() -> None:
    """Without a costly node none is marked."""
    assert "costliest" not in words(plan_tree([ROOT, SCAN], title="t").svg)


def test_a_plan_that_was_not_run_shows_costs() -> None:
    """Estimates are told as such."""
    planned = PlanNode(0, None, "Seq Scan", 12345.0, cost=678.0, share=1.0)
    drawn = words(plan_tree([planned], title="t", costly=0).svg)

    assert "12.3k rows estimated" in drawn
    assert "cost 678" in drawn
    assert "costliest by estimated cost" in drawn


@pytest.mark.parametrize(
    "name",
    ['<script>alert(1)</script> "', "x\\N & y", "\u202egnp.exe", "ä" * 63, "'; drop table t", "a\nb\tc"],
)
def test_hostile_names_are_shown_and_do_nothing(name: str) -> None:
    """A name is text, whatever is in it: no element, no entity, no command of Graphviz."""
    node = PlanNode(0, None, name, 1.0, target=name, details=(name,), notes=(name,), subplan=name)
    svg = plan_tree([node], title=name).svg

    assert "<script" not in svg
    assert "\u202e" not in svg
    assert ElementTree.fromstring(svg).get("role") == "img"


def test_sixty_nodes_are_drawn_each() -> None:
    """A plan of sixty nodes has a card for each, in a picture that fits a page."""
    nodes = [
        PlanNode(n, n // 2 if n else None, "Hash Join", n, target=f"node {n}", actual=n) for n in range(60)
    ]
    nodes[0] = PlanNode(0, None, "Result", 1.0, target="node 0", actual=1.0)
    nodes[1] = PlanNode(1, 0, "Hash Join", 1.0, target="node 1", actual=1.0)
    picture = plan_tree(nodes, title="wide")
    drawn = words(picture.svg)

    assert all(f"node {n}" in drawn for n in range(60))
    assert len(picture.png) < 400_000


def test_a_node_never_reached_says_so() -> None:
    """Zero loops are not zero rows."""
    never = PlanNode(1, 0, "Index Scan", 5.0, actual=0.0, loops=0.0, self_ms=0.0)

    assert "never reached" in words(plan_tree([ROOT, never], title="t").svg)


# where the time goes


def node(
    kind: str, total_ms: float, *plans: dict[str, object], loops: int = 1, **more: object
) -> dict[str, object]:
    return {
        "Node Type": kind,
        "Plan Rows": 1,
        "Total Cost": 1.0,
        "Actual Total Time": total_ms,
        "Actual Rows": 1,
        "Actual Loops": loops,
        "Plans": list(plans),
        **more,
    }


def own_times(root: dict[str, object]) -> dict[str, float]:
    found = as_explained({"Plan": root, "Execution Time": root["Actual Total Time"]})
    return {f"{each.type} {each.number}": round(each.self_ms or 0.0, 6) for each in found.nodes}


def test_a_childs_time_is_taken_from_its_parents() -> None:
    """What loops below counts as often as it ran."""
    inner = node("Index Scan", 0.5, loops=100, **{"Parent Relationship": "Inner"})
    outer = node("Seq Scan", 20.0, **{"Parent Relationship": "Outer"})

    assert own_times(node("Nested Loop", 100.0, outer, inner)) == {
        "Nested Loop 0": 30.0,
        "Seq Scan 1": 20.0,
        "Index Scan 2": 50.0,
    }


def test_workers_side_by_side_count_once() -> None:
    """Three processes of 30 ms each beneath a Gather take 30 ms of the clock."""
    scan = node("Seq Scan", 30.0, loops=3, **{"Parent Relationship": "Outer"})

    assert own_times(node("Gather", 40.0, scan)) == {"Gather 0": 10.0, "Seq Scan 1": 30.0}


def test_a_cte_counts_within_its_first_reader() -> None:
    """The time of a CTE is spent by the scan that reads it, not by the node that EXPLAIN hangs it on."""
    cte = node("Seq Scan", 60.0, **{"Parent Relationship": "InitPlan", "Subplan Name": "CTE x"})
    one = node("CTE Scan", 70.0, **{"CTE Name": "x", "Parent Relationship": "Outer"})
    other = node("CTE Scan", 5.0, **{"CTE Name": "x", "Parent Relationship": "Inner"})

    assert own_times(node("Hash Join", 80.0, cte, one, other)) == {
        "Hash Join 0": 5.0,
        "Seq Scan 1": 60.0,
        "CTE Scan 2": 10.0,
        "CTE Scan 3": 5.0,
    }


def test_an_init_plan_counts_within_the_node_that_asks_for_it() -> None:
    """The value of an InitPlan is made by who needs it first, deep below."""
    value = node("Aggregate", 50.0, **{"Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 1"})
    scan = node("Seq Scan", 55.0, **{"Parent Relationship": "Outer", "Filter": "(t.x > (InitPlan 1).col1)"})

    assert own_times(node("Sort", 60.0, value, scan)) == {
        "Sort 0": 5.0,
        "Aggregate 1": 50.0,
        "Seq Scan 2": 5.0,
    }


def test_a_text_that_looks_like_an_init_plan_is_none() -> None:
    """A string literal in a condition is no use of a value."""
    value = node("Aggregate", 50.0, **{"Parent Relationship": "InitPlan", "Subplan Name": "InitPlan 1"})
    scan = node("Seq Scan", 8.0, **{"Parent Relationship": "Outer", "Filter": "(t.x = '(InitPlan 1).col1')"})

    assert own_times(node("Sort", 60.0, value, scan))["Sort 0"] == 2.0


def test_labels_quote_odd_names() -> None:
    """A label is what one would write in SQL."""
    scan = {
        "Node Type": "Index Scan",
        "Index Name": "I x",
        "Schema": "s",
        "Relation Name": "T",
        "Alias": "t_1",
    }

    assert label(scan) == 'Index Scan using "I x" on s."T" t_1'


def test_the_picture_comes_as_svg_png_and_words() -> None:
    """A notebook shows what it can."""
    shown = plan_tree([ROOT, SCAN], title="t")._repr_mimebundle_()

    assert set(shown) == {"image/svg+xml", "image/png", "text/plain"}
    assert json.dumps(shown)
