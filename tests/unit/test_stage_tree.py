"""The picture of a plan: a row a stage, its figures, the costliest marked, and names that cannot act."""

from __future__ import annotations

from xml.etree import ElementTree

from workbench.diagrams.stage_tree import Stage, StageTree, stage_tree

_SVG = "{http://www.w3.org/2000/svg}"
SCAN = Stage("SORT", 'by {"at": -1}', returned=10, inputs=(Stage("COLLSCAN", documents=5_000, returned=40),))
BY_INDEX = Stage(
    "FETCH", documents=10, returned=10, inputs=(Stage("IXSCAN", '{"at": -1}', keys=10, returned=10),)
)


def words(tree: StageTree) -> list[tuple[str, str]]:
    """The words of the picture with their colours, a line of text each."""
    root = ElementTree.fromstring(tree.svg)
    return [
        ((each.text or "").replace("\xa0", " ").strip(), each.get("fill") or "")
        for each in root.iter(f"{_SVG}text")
    ]


def test_each_stage_is_a_row_and_each_plan_has_its_heading() -> None:
    """Stages with what they read and give, of both plans, are in the picture and in its words."""
    tree = stage_tree("orders by date", {"before": SCAN, "after": BY_INDEX})
    said = [text for text, _ in words(tree)]

    assert tree.stages == 4
    assert said[0] == "orders by date"
    assert {"before", "after", "SORT", "COLLSCAN", "FETCH", "IXSCAN", "5,000"} <= set(said)
    assert tree.alt == (
        "orders by date. before: 0 keys and 5,000 documents for 10 returned   ·   after: 10 keys and "
        "10 documents "
        "for 10 returned."
    )


def test_the_stage_that_reads_most_of_all_plans_is_marked() -> None:
    """One stage has another colour; where nothing is read, none has."""
    colours = dict(words(stage_tree("plan", {"before": SCAN, "after": BY_INDEX})))
    nothing = dict(words(stage_tree("plan", {"plan": Stage("EOF", returned=0)})))

    assert colours["COLLSCAN"] not in (colours["FETCH"], colours["SORT"])
    assert colours["FETCH"] == colours["SORT"] == nothing["EOF"]


def test_names_are_text_and_long_plans_are_cut() -> None:
    """A name with markup is shown as it is written; of 100 stages 60 are drawn and the rest counted."""
    chain = Stage("OR", inputs=tuple(Stage("IXSCAN", f"<b>{n}</b> & \\N", keys=n) for n in range(99)))
    tree = stage_tree('<script>"x"</script>', {"plan": chain})

    assert ("<b>0</b> & \\N") in [text for text, _ in words(tree)]
    assert "<script" not in tree.svg
    assert tree.stages == 60
    assert tree.notes == ("40 stages left out",)
