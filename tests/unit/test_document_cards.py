"""Pictures of document designs: what is nested is marked, odd names are drawn as they are."""

from __future__ import annotations

from workbench.diagrams.document_design import DocumentCard, DocumentField, document_design


def test_nested_fields_references_and_copies_are_drawn() -> None:
    """A nested array is marked, a reference leads to its collection, the words name what is nested."""
    orders = DocumentCard(
        "orders",
        (
            DocumentField("_id", "uuid", kind="key"),
            DocumentField("user_id", "uuid", refers_to="users"),
            DocumentField("lines", "", kind="array"),
            DocumentField("price", "decimal", 1),
            DocumentField("user", "", kind="object", copied=True),
        ),
        ("4,100 documents",),
    )

    picture = document_design([orders, DocumentCard("users", (DocumentField("_id", "uuid"),))], title="Shop")

    assert picture.title == "Shop: 2 collections"
    assert picture.alt == "Shop: 2 collections. orders holds lines, user; users."
    assert "lines[]" in picture.svg
    assert "n0:f1:e -> n1:head:w" in picture.dot
    assert picture.notes == ()


def test_odd_names_are_drawn_and_do_nothing() -> None:
    """HTML, quotes, backslashes and marks of direction stand in the picture as text."""
    odd = '<script>"\\x\u202e\U0001f418</script>'

    picture = document_design([DocumentCard(odd, (DocumentField(odd, odd),), (odd,))], title=odd)

    assert "<script" not in picture.svg
    assert "\u202e" not in picture.svg


def test_what_does_not_fit_is_counted() -> None:
    """Fields and collections beyond what can be read are counted, and nothing is drawn for none."""
    many = DocumentCard("wide", tuple(DocumentField(f"f{n}", "int") for n in range(60)))

    picture = document_design([many] + [DocumentCard(f"c{n}", ()) for n in range(70)], title="Many")

    assert "15 more" in picture.svg
    assert any("11 further collections" in note for note in picture.notes)
    assert document_design([], title="None").title == "None: 0 collections"
