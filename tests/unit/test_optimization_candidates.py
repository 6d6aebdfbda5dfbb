"""Sequences of keys for a use of a table, and what is included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from workbench.areas.optimization.advisor.candidates import ColumnFacts, TableFacts, key_candidates
from workbench.areas.optimization.advisor.expressions import conditions
from workbench.areas.optimization.advisor.special import OperatorClass, special_candidates
from workbench.areas.optimization.advisor.uses import Ordering, Use
from workbench.proof.whatif import IndexDefinition

COLUMNS = {
    "a": ColumnFacts("integer", 1000.0, average_width_bytes=4.0),
    "b": ColumnFacts("integer", 10.0, average_width_bytes=4.0),
    "c": ColumnFacts("date", 300.0, average_width_bytes=4.0),
    "flag": ColumnFacts("boolean", 2.0, average_width_bytes=1.0),
    "gone": ColumnFacts("date", 300.0, null_fraction=0.01, average_width_bytes=8.0),
    "word": ColumnFacts("text", 900.0, average_width_bytes=20.0, collates_as_c=False),
    "long": ColumnFacts("text", -1.0, average_width_bytes=200.0),
    "tags": ColumnFacts("text[]", average_width_bytes=40.0),
}
TABLE = TableFacts(100_000, 50 << 20, COLUMNS)
CLASSES = [
    OperatorClass("gin", ("array_ops",), True, "anyarray", frozenset(["&&", "@>"])),
    OperatorClass("gist", ("gist_array",), True, "text[]", frozenset(["&&"])),
]


def use(condition: str = "", **more: object) -> Use:
    found = tuple(conditions(condition)) if condition else ()
    return replace(Use("s", "t", "o", conditions=found), **more)  # type: ignore[arg-type]


def plain(asked: Use) -> set[tuple[str, ...]]:
    return {tuple(key.text for key in each.keys) for each in key_candidates(asked, TABLE)}


def special(asked: Use, *, constants: bool = False) -> set[IndexDefinition]:
    return special_candidates(asked, TABLE, CLASSES, key_candidates(asked, TABLE), constants=constants)


def test_equality_before_a_range() -> None:
    """The column with equality leads, the more selective first; the range follows."""
    found = plain(use("((o.a = 1) AND (o.b = 2) AND (o.c > '2020-01-01'::date))"))

    assert {("a",), ("a", "b"), ("a", "b", "c"), ("b", "a"), ("c",)} <= found
    assert ("c", "a", "b") in found  # as what is checked in the index


def test_nothing_is_asked() -> None:
    """A table that is read as a whole has no candidate."""
    assert plain(use()) == set()


def test_a_column_that_the_table_does_not_have() -> None:
    """What is no column of the table is left out."""
    assert plain(use("(o.nothing = 1)")) == set()


def test_alternatives_have_an_index_each() -> None:
    """Arms of an OR are searched one by one."""
    assert {("a",), ("b",)} <= plain(use("((o.a = 1) OR (o.b = 2))"))


def test_joins_go_with_filters() -> None:
    """A join's column stands alone, behind and before what is compared."""
    found = plain(use("(o.b = 2)", joined={"a": frozenset(["p"])}))

    assert {("a",), ("b", "a"), ("a", "b")} <= found


def test_an_order_is_a_sequence_of_keys() -> None:
    """Equality, then the order; read backwards, a descending order is an ascending index."""
    asked = use("(o.a = 1)", orderings=((Ordering("c", descending=True), Ordering("b")),))
    keys = {each.keys for each in key_candidates(asked, TABLE)}
    (found,) = [each for each in keys if [key.text for key in each] == ["a", "c", "b"] and each[2].descending]

    assert (found[1].descending, found[2].descending) == (False, True)


def test_a_prefix_has_an_operator_class_where_a_language_sorts() -> None:
    """text_pattern_ops for a text that is not sorted by bytes."""
    (found,) = {each.keys for each in key_candidates(use("(o.word ~~ 'ab%'::text)"), TABLE)}

    assert found[0].operator_class == ("text_pattern_ops",)


def test_what_is_read_is_included() -> None:
    """The other columns that a statement reads stand beside the keys."""
    found = key_candidates(use("(o.a = 1)", needed=frozenset({"a", "b", "c"})), TABLE)

    assert {each.included for each in found} == {(), ("b", "c")}


@pytest.mark.parametrize(
    "needed",
    [frozenset(COLUMNS), frozenset({"a", "b", "c", "long"}), frozenset({"a", "unknown"})],
    ids=["the whole row", "most of the row", "not a column"],
)
def test_no_copy_of_the_table(needed: frozenset[str]) -> None:
    """An index that would be as large as the table is no candidate."""
    found = key_candidates(use("(o.a = 1)", needed=needed), TABLE)

    assert {each.included for each in found} == {()}


def test_a_narrow_table_may_be_covered() -> None:
    """Two more columns are included even where the table has no others."""
    narrow = TableFacts(1000, 1 << 20, {name: COLUMNS[name] for name in "abc"})
    found = key_candidates(use("(o.a = 1)", needed=frozenset("abc")), narrow)

    assert ("b", "c") in {each.included for each in found}


@pytest.mark.parametrize(
    ("condition", "constants", "predicates"),
    [
        ("((o.a = 1) AND o.flag)", False, {"flag"}),
        ("((o.a = 1) AND (NOT o.flag))", False, {"NOT flag"}),
        ("((o.a = 1) AND (o.b = 2))", False, set()),
        ("((o.a = 1) AND (o.b = 2))", True, {"b = 2"}),
        ("((o.a = $1) AND (o.b = $2))", True, set()),
        ("((o.a = 1) AND (o.gone IS NULL))", False, {"gone IS NULL"}),
        ("((o.a = 1) AND (o.gone IS NOT NULL))", False, set()),
        ("((o.a = 1) OR o.flag)", False, set()),
        ("((o.a = 1) AND (o.c < o.gone))", False, {"c < gone"}),
    ],
)
def test_conditions_of_partial_indexes(condition: str, constants: bool, predicates: set[str]) -> None:
    """A rare null, a flag, what is compared within a row; a constant only where the statement declares it."""
    found = {each.predicate for each in special(use(condition), constants=constants)} - {""}

    assert found == predicates


def test_gin_is_preferred_to_gist() -> None:
    """Where GIN searches by the operator, GiST is no candidate."""
    found = special(use("(o.tags && '{x}'::text[])"))

    assert {each.method for each in found} == {"gin"}


@pytest.mark.parametrize(
    ("condition", "methods"),
    [
        ("(o.long = 'x'::text)", {"hash"}),
        ("(o.a = 1)", set()),
        ("(o.long > 'x'::text)", set()),
    ],
)
def test_a_hash_for_long_values(condition: str, methods: set[str]) -> None:
    """Equality on a long value may be hashed; a short one, or a range, not."""
    assert {each.method for each in special(use(condition))} - {"btree"} == methods


@pytest.mark.parametrize(
    ("correlation", "size_bytes", "found"),
    [(0.99, 50 << 20, True), (-0.99, 50 << 20, True), (0.3, 50 << 20, False), (0.99, 1 << 20, False)],
)
def test_block_ranges_for_large_tables_in_order(correlation: float, size_bytes: int, found: bool) -> None:
    """BRIN is for large tables whose rows lie in the order of the column, either way."""
    columns: Mapping[str, ColumnFacts] = {"c": replace(COLUMNS["c"], correlation=correlation)}
    table = TableFacts(100_000, size_bytes, columns)
    candidates = special_candidates(use("(o.c > '2020-01-01'::date)"), table, [], [], constants=False)

    assert any(each.method == "brin" for each in candidates) is found
