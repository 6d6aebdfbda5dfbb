"""Entity-relationship diagrams, drawn from catalogs that are written down here: no server needed."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from workbench.catalog.model import Catalog, Column, Constraint, Index, Table
from workbench.diagrams import Diagram, entity_relationships, layout, subject_areas
from workbench.diagrams.communities import communities
from workbench.diagrams.relations import Relation, relations
from workbench.errors import BadInput, OutputError, SchemaNotFound

SVG = "{http://www.w3.org/2000/svg}"
ODD_NAMES = [
    "<script>alert(1)</script>",
    'a "quoted" name',
    "it's",
    "{|}",
    "&amp; &eacute; &#60;",
    r"\N \G \L \n",
    "\\",
    "🦊 名前",
    "]]> -->",
    "%s %(x)s {0}",
    "javascript:alert(1)",
    "https://example.org/x.png",
    "node:port -> edge",
    "é" * 31,
]


def column(name: str, type: str = "integer", *, nullable: bool = False) -> Column:
    return Column(name, 1, type, type, nullable)


def primary_key(*columns: str) -> Constraint:
    return Constraint("pk", "primary key", columns, f"PRIMARY KEY ({', '.join(columns)})")


def unique(*columns: str) -> Constraint:
    return Constraint("uk", "unique", columns, f"UNIQUE ({', '.join(columns)})")


def foreign_key(*columns: str, to: str, on: tuple[str, ...] = ("id",), schema: str = "shop") -> Constraint:
    return Constraint(
        f"fk_{'_'.join(columns)}",
        "foreign key",
        columns,
        f"FOREIGN KEY ({', '.join(columns)}) REFERENCES {to}({', '.join(on)})",
        references=(schema, to),
        referenced_columns=on,
        on_delete="no action",
    )


def table(name: str, *parts: Column | Constraint | Index, schema: str = "shop") -> Table:
    columns = tuple(part for part in parts if isinstance(part, Column))
    constraints = tuple(part for part in parts if isinstance(part, Constraint))
    indexes = tuple(part for part in parts if isinstance(part, Index))
    return Table(schema, name, "table", "owner", columns, constraints, indexes)


def catalog(*tables: Table) -> Catalog:
    return Catalog("shop", "PostgreSQL 18.6", 180006, tables=tables)


def users() -> Table:
    return table("users", column("id"), primary_key("id"))


def child(*parts: Column | Constraint | Index, nullable: bool = False) -> Table:
    """A table whose user_id refers to users, with further *parts*."""
    key = foreign_key("user_id", to="users")
    return table("child", column("id"), column("user_id", nullable=nullable), primary_key("id"), key, *parts)


def unique_index(*columns: str | None, predicate: str | None = None, valid: bool = True) -> Index:
    keys = tuple(name or "lower(x)" for name in columns)
    return Index("ux", "btree", keys, columns, (), True, False, valid, predicate, "CREATE UNIQUE INDEX …")


def only_relation(*tables: Table) -> Relation:
    (found,) = relations(catalog(*tables))
    return found


def texts(diagram: Diagram) -> list[str]:
    root = ElementTree.fromstring(diagram.svg)
    return [(element.text or "").strip() for element in root.iter(f"{SVG}text")]


def tooltips(diagram: Diagram) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(diagram.svg).iter(f"{SVG}title")]


def edges(diagram: Diagram) -> list[str]:
    return [line.strip() for line in diagram.dot.splitlines() if " -> " in line and "arrowhead=" in line]


# --- how many belong to how many ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nullable", "parts", "arrows"),
    [
        (False, (), "arrowtail=teetee arrowhead=crowodot"),
        (True, (), "arrowtail=teeodot arrowhead=crowodot"),
        (False, (unique("user_id"),), "arrowtail=teetee arrowhead=teeodot"),
        (True, (unique("user_id"),), "arrowtail=teeodot arrowhead=teeodot"),
    ],
)
def test_line_ends_say_how_many(nullable: bool, parts: tuple[Constraint, ...], arrows: str) -> None:
    """A nullable key makes the parent optional, a unique key makes the child one at most."""
    (edge,) = edges(entity_relationships(catalog(users(), child(*parts, nullable=nullable))))

    assert arrows in edge


@pytest.mark.parametrize(
    ("index", "many"),
    [
        (unique_index("user_id"), False),
        (unique_index("user_id", predicate="(user_id IS NOT NULL)"), False),
        (unique_index("user_id", predicate="(deleted_at IS NULL)"), True),
        (unique_index("user_id", predicate="(id IS NOT NULL)"), True),
        (unique_index("user_id", "id"), True),
        (unique_index(None), True),
        (unique_index("user_id", valid=False), True),
    ],
)
def test_unique_indexes_count_only_where_they_bind_every_child(index: Index, many: bool) -> None:
    """Partial, wider, invalid and expression indexes do not make a child single."""
    assert only_relation(users(), child(index)).child_many is many


def test_key_that_holds_a_unique_part_is_unique() -> None:
    """A composite foreign key whose first column is unique has one child a parent."""
    parent = table("p", column("a"), column("b"), primary_key("a", "b"))
    key = foreign_key("a", "b", to="p", on=("a", "b"))

    assert not only_relation(parent, table("c", column("a"), column("b"), unique("a"), key)).child_many
    assert only_relation(parent, table("c", column("a"), column("b"), unique("b", "x"), key)).child_many


def test_match_full_needs_all_columns_null_to_have_no_parent() -> None:
    """One NOT NULL column makes a MATCH FULL key mandatory, and leaves a MATCH SIMPLE key optional."""
    parent = table("p", column("a"), column("b"), primary_key("a", "b"))
    simple = foreign_key("a", "b", to="p", on=("a", "b"))
    full = replace(simple, definition=simple.definition + " MATCH FULL")
    columns = (column("a"), column("b", nullable=True))

    assert only_relation(parent, table("c", *columns, simple)).parent_optional
    assert not only_relation(parent, table("c", *columns, full)).parent_optional


@pytest.mark.parametrize("weakness", ["validated", "enforced"])
def test_keys_that_do_not_hold_for_every_row_are_dashed(weakness: str) -> None:
    """NOT VALID and NOT ENFORCED keys promise no parent: dashed, optional, and said in the notes."""
    key = replace(foreign_key("user_id", to="users"), **{weakness: False})
    diagram = entity_relationships(catalog(users(), table("child", column("user_id"), key)))

    assert "arrowtail=teeodot" in edges(diagram)[0] and "style=dashed" in edges(diagram)[0]
    assert any(note.startswith("dashed: shop.child (user_id)") for note in diagram.notes)


def test_temporal_key_leans_on_several_versions() -> None:
    """A key with PERIOD is many on both ends; its primary key WITHOUT OVERLAPS is no unique key."""
    period = foreign_key("id", "during", to="p", on=("id", "during"))
    period = replace(period, definition="FOREIGN KEY (id, PERIOD during) REFERENCES p(id, PERIOD during)")
    versions = replace(primary_key("id", "during"), definition="PRIMARY KEY (id, during WITHOUT OVERLAPS)")
    columns = (column("id"), column("during", "daterange"))
    diagram = entity_relationships(
        catalog(table("p", *columns, versions), table("c", *columns, versions, period))
    )

    assert "arrowtail=crowtee arrowhead=crowodot" in edges(diagram)[0]


def test_composite_key_is_one_relation() -> None:
    """A key of three columns is one line, and its number stands on each of its columns."""
    names = ("a", "b", "c")
    parent = table("p", *map(column, names), primary_key(*names))
    diagram = entity_relationships(
        catalog(parent, table("c", *map(column, names), foreign_key(*names, to="p", on=names)))
    )

    assert len(edges(diagram)) == diagram.relations == 1
    assert texts(diagram).count("FK1") == 3
    assert any("shop.c (a, b, c) → shop.p (a, b, c)" in words for words in tooltips(diagram))


def test_composite_unique_key_is_not_shown_as_two() -> None:
    """Columns of one composite key share a number; a key of its own column has no number beside others."""
    both = table("t", column("a"), column("b"), unique("a", "b"))
    single = table("t", column("a"), column("b"), unique("a"))

    assert texts(entity_relationships(catalog(both))).count("U1") == 2
    assert texts(entity_relationships(catalog(single))).count("U") == 1


def test_lines_run_from_column_to_column() -> None:
    """The line leaves the referenced column's right side and ends at the key column's left side."""
    parent = table("p", column("x"), column("id"), primary_key("id"))
    second = table("c", column("id"), column("x"), column("p_id"), foreign_key("p_id", to="p"))
    (edge,) = edges(entity_relationships(catalog(parent, second)))

    assert edge.startswith("n1:r1:e -> n0:l2:w ")


def test_parents_two_kinds_of_line_ends_do_not_overlap() -> None:
    """Where some children need the parent and others do not, each kind leaves from its own port."""
    optional = replace(child(nullable=True), name="optional")
    drawn = edges(entity_relationships(catalog(users(), child(), optional)))

    assert {edge.split(" -> ")[0] for edge in drawn} == {"n2:r0a:e", "n2:r0b:e"}


def test_self_reference_is_one_relation() -> None:
    """A table's key to itself is drawn beside it with both of its ends."""
    category = table(
        "category",
        column("id"),
        column("parent", nullable=True),
        primary_key("id"),
        foreign_key("parent", to="category"),
    )
    diagram = entity_relationships(catalog(category))

    assert diagram.relations == 1
    assert "arrowtail=teeodot" in diagram.dot and "arrowtail=crowodot" in diagram.dot
    assert any("shop.category (parent) → shop.category (id)" in words for words in tooltips(diagram))


# --- partitions, views, selections -------------------------------------------------------------------------


def partitioned(*, covered: int, of: int = 3, inherited: bool = False) -> list[Table]:
    """A partitioned table of *of* partitions, of which *covered* have a key to users."""
    columns = (column("id"), column("user_id"))
    key = replace(foreign_key("user_id", to="users"), inherited=inherited)
    root = replace(table("payment", *columns, *([key] if inherited else [])), kind="partitioned table")
    parts = [
        replace(
            table(f"payment_{n}", *columns, *([key] if n < covered else [])), partition_of=("shop", "payment")
        )
        for n in range(of)
    ]
    return [users(), root, *parts]


def test_partitions_are_folded_into_their_root() -> None:
    """Three partitions with copies of the root's key are one table with one certain line."""
    diagram = entity_relationships(catalog(*partitioned(covered=3, inherited=True)))

    assert (diagram.tables, diagram.relations) == (2, 1)
    assert "payment_0" not in diagram.svg and "style=dashed" not in diagram.dot
    assert "3 partitions drawn as part of the partitioned table" in diagram.notes


@pytest.mark.parametrize(("covered", "certain"), [(3, True), (2, False)])
def test_key_on_partitions_alone_is_certain_only_if_all_have_it(covered: int, certain: bool) -> None:
    """A key on every partition holds for the root; on two of three it is dashed, and the note says so."""
    diagram = entity_relationships(catalog(*partitioned(covered=covered)))

    assert diagram.relations == 1
    assert ("style=dashed" not in diagram.dot) is certain
    assert any("declared on 2 of 3 partitions only" in note for note in diagram.notes) is not certain


def test_views_are_left_out_and_counted() -> None:
    """A view has no keys: it is not drawn, and the notes say that it was left out."""
    view = replace(table("v", column("x")), kind="view")
    diagram = entity_relationships(catalog(users(), view))

    assert diagram.tables == 1
    assert "1 view left out: a view has no keys" in diagram.notes


def test_selection_shows_what_it_refers_to_by_name() -> None:
    """A selected table keeps the lines that lead out of the selection, to a dashed frame with a name."""
    whole = catalog(users(), child())
    diagram = entity_relationships(whole, tables=[("shop", "child")])
    other = entity_relationships(whole, tables=[whole.table("shop", "users")])

    assert (diagram.tables, diagram.relations) == (1, 1)
    assert "shop.users" in texts(diagram)
    assert "1 relation from tables outside this selection left out" in other.notes


def test_schemas_are_grouped_and_coloured() -> None:
    """Two schemas stand on grounds of their own, unless asked otherwise; then names carry the schema."""
    two = catalog(users(), table("log", column("id"), schema="audit"))

    assert {"shop", "audit", "users", "log"} <= set(texts(entity_relationships(two)))
    assert {"shop.users", "audit.log"} <= set(texts(entity_relationships(two, group_by_schema=False)))


def test_unknown_schema_table_and_detail_are_refused() -> None:
    """Each is one line that names what there is."""
    with pytest.raises(SchemaNotFound, match="schema 'x' is not in database 'shop': it has shop"):
        entity_relationships(catalog(users()), schemas=["x"])
    with pytest.raises(BadInput, match=r"table shop\.x is not in database 'shop'"):
        entity_relationships(catalog(users()), tables=[("shop", "x")])
    with pytest.raises(BadInput, match="not one of auto, full, keys, names"):
        entity_relationships(catalog(users()), detail="all")  # type: ignore[arg-type]


def test_empty_catalog_says_that_there_are_no_tables() -> None:
    """Nothing to draw is a picture and an alternative text that say so, and no subject area."""
    diagram = entity_relationships(catalog())

    assert "shop: no tables" in texts(diagram)
    assert diagram.alt == "Entity-relationship diagram of shop: no tables."
    assert subject_areas(catalog()) == []


# --- names, types, safety ----------------------------------------------------------------------------------


def odd_catalog() -> Catalog:
    tables = [
        replace(
            table(
                name,
                column("id"),
                column(name, name),
                primary_key("id"),
                foreign_key(name, to="users"),
                schema=name,
            ),
            comment=name,
        )
        for name in ODD_NAMES
    ]
    return replace(catalog(users(), *tables), database='<b>"&\\N')


@pytest.mark.parametrize("detail", ["full", "keys", "names"])
def test_odd_names_are_shown_as_they_are(detail: str) -> None:
    """Markup, quotes, backslashes, braces and emoji stand in the picture letter by letter."""
    shown = texts(entity_relationships(odd_catalog(), detail=detail))  # type: ignore[arg-type]

    assert {name.strip() for name in ODD_NAMES} <= set(shown)
    assert any(text.startswith('<b>"&\\N: ') for text in shown)


def test_svg_neither_acts_nor_loads() -> None:
    """No element of the picture can run, link or load, whatever the names are."""
    svg = entity_relationships(odd_catalog()).svg
    root = ElementTree.fromstring(svg)

    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text"
    }  # fmt: skip
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {
        name for name in attributes if "href" in name or name.startswith("on") or name in ("id", "src")
    }
    assert "url(" not in svg and "<!" not in svg
    assert re.findall(r'xmlns(?::\w+)?="([^"]*)"', svg) == ["http://www.w3.org/2000/svg"]


def test_controls_and_direction_marks_are_made_visible() -> None:
    """Characters that XML forbids or that turn the text are shown as escapes; spaces at the ends too."""
    shown = texts(entity_relationships(catalog(table("a\tb\x01\u202ec", column("\ufffe"), column("  ")))))

    assert {r"a\tb\x01\u202ec", r"\ufffe", "␣␣"} <= set(shown)


def test_domains_enums_and_long_types_are_readable() -> None:
    """Types go by short names; a domain shows what lies beneath, an enum how many labels it has."""
    columns = [
        column("a", "timestamp(3) with time zone"),
        column("b", "character varying(255)"),
        replace(column("c", "public.year"), domain="public.year", base_type="integer"),
        replace(column("d", "rating"), enum_labels=("G", "PG")),
    ]
    shown = texts(entity_relationships(catalog(table("t", *columns))))

    assert {"timestamptz(3)", "varchar(255)", "year · integer", "rating · enum of 2"} <= set(shown)


def test_nullability_and_keys_are_marked() -> None:
    """A full dot is NOT NULL, a ring may be null; PK, FK and U stand beside their columns."""
    shown = texts(entity_relationships(catalog(users(), child(unique("user_id"), nullable=True))))

    assert shown.count("●") == 2 and shown.count("○") == 1
    assert shown.count("PK") == 2 and shown.count("FK U") == 1


# --- size --------------------------------------------------------------------------------------------------


def test_table_of_1600_columns_is_cut_with_its_keys_kept() -> None:
    """The card shows 30 columns, the key among them, and counts the rest; the notes name the table."""
    wide = table("wide", *(column(f"c{n}") for n in range(1600)), primary_key("c900"))
    diagram = entity_relationships(catalog(wide))

    assert "c900" in texts(diagram) and "… 1,570 more" in texts(diagram)
    assert any("shop.wide" in note for note in diagram.notes)


def chain(length: int, *, schema: str = "shop") -> list[Table]:
    """Tables of which each refers to the one before."""
    return [
        table(
            f"t{n:04}", column("id"), column("before"), column("note", "text"), primary_key("id"),
            *([foreign_key("before", to=f"t{n - 1:04}", schema=schema)] if n else []), schema=schema,
        )
        for n in range(length)
    ]  # fmt: skip


@pytest.mark.parametrize(("tables", "level"), [(25, "full"), (70, "keys"), (100, "names")])
def test_detail_shrinks_as_tables_grow(tables: int, level: str) -> None:
    """All columns up to 25 tables, keys up to 80, then names: what was left out is noted."""
    diagram = entity_relationships(catalog(*chain(tables)))
    shown = texts(diagram)

    assert ("note" in shown) is (level == "full")
    assert ("before" in shown) is (level in ("full", "keys"))
    assert any("left out" in note for note in diagram.notes) is (level != "full")


def test_thousand_tables_give_an_overview() -> None:
    """No picture of 1,000 tables: boxes of subject areas, with counts, and a picture an area."""
    big = catalog(*chain(600), *chain(400, schema="stock"))
    diagram = entity_relationships(big)
    areas = subject_areas(big)

    assert (diagram.tables, diagram.relations) == (1000, 998)
    assert diagram.title.endswith(f"{len(areas)} subject areas")
    assert any("too many for one picture" in note for note in diagram.notes)
    assert any(re.fullmatch(r"\d+ tables, \d+ relations", text) for text in texts(diagram))
    assert sorted(t.qualified for area in areas for t in area.tables) == sorted(
        t.qualified for t in big.tables
    )
    assert max(len(area.tables) for area in areas) <= 25
    assert {len({t.schema for t in area.tables}) for area in areas} == {1}
    assert len({area.name for area in areas}) == len(areas)
    assert areas[0].diagram.tables == len(areas[0].tables)


def test_small_schema_is_one_area() -> None:
    """A schema of up to 25 tables is one subject area under its own name."""
    (area,) = subject_areas(catalog(*chain(25)))

    assert (area.name, len(area.tables), area.relations) == ("shop", 25, 24)


def test_communities_follow_the_keys() -> None:
    """Two groups joined by one key are parted at that key; tables without keys come last."""
    left, right = [("s", f"a{n}") for n in range(5)], [("s", f"b{n}") for n in range(5)]
    pairs = [(x, y) for group in (left, right) for x in group for y in group if x < y] + [(left[0], right[0])]
    found = [Relation("fk", x, ("c",), y, ("id",), True, False) for x, y in pairs]

    assert communities([*left, *right, ("s", "z")], found) == [left, right, [("s", "z")]]
    assert communities([], []) == []


# --- the diagram as an object ------------------------------------------------------------------------------


def test_same_catalog_gives_the_same_bytes() -> None:
    """SVG and PNG are byte-identical from run to run, whatever the order of the tables."""
    forwards, backwards = [users(), child(), *chain(30)], [*reversed(chain(30)), child(), users()]
    first, second = entity_relationships(catalog(*forwards)), entity_relationships(catalog(*backwards))

    assert first.svg == second.svg
    assert first.png == second.png


def test_notebook_gets_svg_and_a_modest_png() -> None:
    """The bundle is JSON: an SVG that fits its column as an image, too, a PNG below 300 kB, and words."""
    bundle = json.loads(json.dumps(entity_relationships(catalog(*chain(70)))._repr_mimebundle_()))
    png = base64.b64decode(bundle["image/png"])

    assert png.startswith(b"\x89PNG") and len(png) <= 300_000
    assert re.match(r'<svg width="100%" viewBox="[^"]*" style="max-width:[\d.]+pt;', bundle["image/svg+xml"])
    assert bundle["text/plain"].startswith("Entity-relationship diagram of shop: 70 tables, 69 relations.")


def test_drawing_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither Graphviz nor fontconfig writes to the user's terminal."""
    assert entity_relationships(catalog(users())).png

    assert capfd.readouterr() == ("", "")


def test_diagram_is_saved_by_its_ending(tmp_path: Path) -> None:
    """SVG, PNG and DOT are written; another ending or a missing folder is one clear line."""
    diagram = entity_relationships(catalog(users()))

    assert diagram.save(tmp_path / "a.svg").read_text(encoding="utf-8") == diagram.svg
    assert diagram.save(tmp_path / "a.PNG").read_bytes() == diagram.png
    assert diagram.save(tmp_path / "a.dot").read_text(encoding="utf-8") == diagram.dot
    with pytest.raises(BadInput, match=r"saved as \.svg, \.png or \.dot"):
        diagram.save(tmp_path / "a.pdf")
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        diagram.save(tmp_path / "none" / "a.svg")


def test_a_label_that_graphviz_rejects_is_an_error() -> None:
    """Graphviz goes on after a broken label, with an empty node: here it raises, and so does broken DOT."""
    with pytest.raises(layout.DrawingFailed, match="Graphviz could not draw the picture: Error: "):
        layout.draw(["digraph { n [label=<<table><tr></td></table>>] }"], "svg")
    with pytest.raises(layout.DrawingFailed, match=r"Graphviz could not draw the picture: .*Invalid Input"):
        layout.draw(["digraph {"], "svg")


def test_a_drawing_has_a_time_limit() -> None:
    """A drawing that takes too long is stopped with advice."""
    with pytest.raises(layout.DrawingFailed, match=r"not drawn within 0\.001 s: draw fewer tables"):
        layout.draw(["digraph { a -> b }"], "svg", timeout_s=0.001)


def test_an_unwritable_cache_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder for fontconfig's cache the picture is the same."""
    usual = entity_relationships(catalog(users())).svg
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("HOME", str(blocked))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))

    assert entity_relationships(catalog(users())).svg == usual
