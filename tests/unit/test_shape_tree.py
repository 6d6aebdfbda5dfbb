"""The picture of a shape: a row a field, what the bars say, what is folded, and names that cannot act."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import bson
from bson import Int64

from workbench.catalog.shapes import Shape
from workbench.diagrams import layout
from workbench.diagrams.shape_tree import ShapeTree, shape_tree
from workbench.documents.shape import infer

_SVG = "{http://www.w3.org/2000/svg}"
_SHARE = "#475569"


def shape_of(documents: Iterable[dict[str, Any]], **options: Any) -> Shape:
    return infer("things", [b"".join(map(bson.encode, documents))], **options)


def words(tree: ShapeTree) -> list[str]:
    """The words of the picture, a line of text each."""
    root = ElementTree.fromstring(tree.svg)
    return [(each.text or "").replace("\xa0", " ").strip() for each in root.iter(f"{_SVG}text")]


def widths(tree: ShapeTree, colour: str) -> list[float]:
    """The widths of the rectangles of *colour*, from top to bottom."""
    found = []
    for each in ElementTree.fromstring(tree.svg).iter(f"{_SVG}polygon"):
        if each.get("fill") == colour:
            across = [float(point.split(",")[0]) for point in (each.get("points") or "").split()]
            found.append(round(max(across) - min(across), 1))
    return found


ORDERS = [
    {
        "_id": number,
        "price": [1, Int64(1), 1.5, 2.5][number % 4],
        "lines": [{"sku": "a" * 30, "at": "2024-01-02"}] * (number % 5),
        **({"rare": True} if number % 10 == 0 else {}),
    }
    for number in range(40)
]


def test_every_field_is_a_row_with_its_figures() -> None:
    """Names, shares, types with formats, array lengths and bytes are in the picture."""
    tree = shape_tree(shape_of(ORDERS, of=40))

    said = words(tree)
    assert tree.fields == 6
    assert said[0] == "things: the shape of all 40 documents"
    assert {"_id", "price", "lines[]", "sku", "at", "rare"} <= set(said)
    assert {"100%", "10%", "2, 4", "string · like an iso date", "double 50%, int 25%, long 25%"} <= set(said)
    assert not tree.notes
    assert "Heaviest: lines (" in tree.alt


def test_bars_are_as_long_as_the_shares() -> None:
    """The bar of a field in a tenth of the documents is a tenth of a full one."""
    documents = [{"a": 1, **({"b": 1} if number % 10 == 0 else {})} for number in range(100)]

    bars = widths(shape_tree(shape_of(documents)), _SHARE)

    full, tenth = bars[0], bars[2]
    assert full == 44
    assert tenth == 4
    assert bars[1] == 64 and bars[3] == 6  # of the bytes: a is the heaviest, b a tenth of it


def test_lighter_fields_are_folded_and_counted() -> None:
    """Of a hundred fields the heaviest are drawn, within what they are in; the others are counted."""
    document = {f"f{number}": "x" * number for number in range(100)} | {"deep": {"a": "y" * 500, "b": 1}}

    tree = shape_tree(shape_of([document]), most=5)

    said = words(tree)
    assert tree.fields == 5
    assert {"deep", "a", "f99", "f98", "f97"} <= set(said)
    assert "and 97 more: f0, f1, f2 …" in said
    assert "and 1 more: b" in said
    assert tree.notes == ("98 lighter fields left out",)


def test_names_cannot_act() -> None:
    """Markup, quotes, backslashes, controls and emoji in names are text; long names are cut."""
    names = [
        '<b>"x"</b>',
        "\\N\\G",
        "<script>alert(1)</script>",
        "a&amp;b",
        "\x07\u202e",
        "😀",
        "",
        "]]>",
        "n" * 900,
    ]

    tree = shape_tree(shape_of([dict.fromkeys(names, 1)]))

    assert tree.fields == len(names)
    said = words(tree)
    assert {'<b>"x"</b>', "\\N\\G", "<script>alert(1)</script>", "a&amp;b", "😀", '""', "]]>"} <= set(said)
    assert "\\x07\\u202e" in said
    assert "n" * 35 + "…" in said
    assert "<script" not in tree.svg


def test_arrays_of_several_kinds_show_each_element() -> None:
    """A field that is an array at times has a row for its elements; arrays of arrays are one row."""
    tree = shape_tree(shape_of([{"m": [1]}, {"m": "x"}, {"grid": [[1, 2], [3]]}]))

    said = words(tree)
    assert {"m", "each element", "grid[][]", "2, 2 / 1, 2"} <= set(said)


def test_keys_that_are_data_are_one_row() -> None:
    """An object keyed by dates shows how many keys an object has and how many there are."""
    documents = [{"by": {f"2024-01-{(number + n) % 28 + 1:02}": 1 for n in range(4)}} for number in range(60)]

    said = words(shape_tree(shape_of(documents)))

    assert {"any key", "4 of 28 keys"} <= set(said)


def test_a_sample_and_nothing_at_all() -> None:
    """The heading says what was read; an empty collection has a picture that says so."""
    sampled = words(shape_tree(shape_of([{"a": 1}] * 3, full=False, of=900)))
    empty = shape_tree(infer("none", []))

    assert sampled[0] == "things: the shape of 3 documents of 900"
    assert "no documents: there is nothing to draw" in words(empty)
    assert (empty.fields, empty.notes) == (0, ())


def test_very_deep_and_very_wide_documents_can_be_drawn() -> None:
    """200 levels and 5,000 fields are drawn in part, and the picture stays of a page's size."""
    deep: Any = {"x": 1}
    for _ in range(199):
        deep = {"a": deep}

    tree = shape_tree(shape_of([deep]))
    wide = shape_tree(shape_of([{f"f{number}": number for number in range(5_000)}]))

    assert tree.fields == 14
    assert "and 1 more: a" in words(tree)
    assert wide.fields == 60 and wide.notes == ("4,940 lighter fields left out",)
    for picture in (tree, wide):
        assert max(layout.size_pt(picture.svg.encode())) < 1_600


def test_what_jupyterlab_is_given() -> None:
    """The picture comes as SVG as wide as its column, as PNG and as words."""
    bundle = shape_tree(shape_of(ORDERS))._repr_mimebundle_()

    assert re.search(r'<svg width="100%"', bundle["image/svg+xml"])
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
