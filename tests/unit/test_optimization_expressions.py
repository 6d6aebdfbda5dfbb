"""Conditions as plans print them are taken apart."""

from __future__ import annotations

import pytest

from workbench.areas.optimization.advisor.expressions import (
    bare_columns_in,
    columns_in,
    conditions,
    parsed,
)


@pytest.mark.parametrize(
    ("text", "comparison", "operator", "column"),
    [
        ("(o.a = 7)", "equal", "=", "a"),
        ("(7 = o.a)", "equal", "=", "a"),
        ("(7 < o.a)", "range", ">", "a"),
        ("(o.a >= '2020-01-01'::date)", "range", ">=", "a"),
        ("(o.a = ANY ('{1,2}'::integer[]))", "equal", "=", "a"),
        ("(o.a IS NULL)", "equal", "is null", "a"),
        ("(o.a IS NOT NULL)", "other", "is not null", "a"),
        ("o.a", "equal", "=", "a"),
        ("(NOT o.a)", "equal", "=", "a"),
        ("(o.a ~~ 'abc%'::text)", "prefix", "~~", "a"),
        ("(o.a ~ '^abc'::text)", "prefix", "~", "a"),
        ("(o.a ~~ '%abc'::text)", "other", "~~", "a"),
        ("(o.a ~~ '_bc'::text)", "other", "~~", "a"),
        ("(o.a ~~* 'abc%'::text)", "other", "~~*", "a"),
        ("(o.a <> 7)", "other", "<>", "a"),
        ("(o.a @> '{\"k\": 1}'::jsonb)", "other", "@>", "a"),
        ("('{1}'::integer[] <@ o.a)", "other", "@>", "a"),
        ("(o.a = $1)", "equal", "=", "a"),
        ('(o."My ""odd"" <b>" = 7)', "equal", "=", 'My "odd" <b>'),
    ],
)
def test_a_comparison_is_told(text: str, comparison: str, operator: str, column: str) -> None:
    """The column stands on the left, the operator turned round where it stood on the right."""
    (found,) = conditions(text)

    assert (found.comparison, found.operator) == (comparison, operator)
    assert found.left.column == ("o", column)


def test_a_conjunction_is_its_parts() -> None:
    """AND makes several conditions, OR makes alternatives of its arms."""
    plain, one, other = conditions("((o.a = 1) AND ((o.b = 2) OR (o.c = 3)))")

    assert (plain.alternatives, one.alternatives, other.alternatives) == (False, True, True)


def test_a_parameter_is_no_literal() -> None:
    """Only what is written in the statement is a literal."""
    assert [conditions(text)[0].literal for text in ("(o.a = 7)", "(o.a = '7'::text)", "(o.a = $1)")] == [
        True,
        True,
        False,
    ]


def test_an_expression_is_no_column() -> None:
    """What is compared is the expression, without the alias, with the columns in it."""
    (found,) = conditions("(lower((o.email)::text) = 'a'::text)")

    assert found.left.column is None
    assert found.left.columns == {("o", "email")}
    assert found.left.text == "lower(CAST(email AS text))"


def test_columns_within_a_row() -> None:
    """The text of a condition on two columns of one table stands without aliases."""
    (found,) = conditions("(o.a < o.b)")

    assert found.text == "a < b"
    assert found.columns == {("o", "a"), ("o", "b")}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("(o.a = (SubPlan 1))", {("o", "a")}),
        ("(o.a = (InitPlan 1).col1)", {("o", "a")}),
        ("(NOT (ANY (o.a = (hashed SubPlan 1).col1)))", {("o", "a")}),
        ("(ANY (o.a = (hashed SubPlan 2).col1))", {("o", "a")}),
        ("(o.a > (SubPlan 1)) AND (o.b = 3)", {("o", "a"), ("o", "b")}),
        ("CASE WHEN (o.a > 1) THEN o.b ELSE NULL::integer END", {("o", "a"), ("o", "b")}),
        ("(ROW(o.a, o.b) > ROW(1, 2))", {("o", "a"), ("o", "b")}),
        ("(array_agg(o.a ORDER BY o.b))[1:2]", {("o", "a"), ("o", "b")}),
        ("(o.a = 'and (SubPlan 1) or o.z = 1'::text)", {("o", "a")}),
    ],
)
def test_the_columns_of_any_text_of_a_plan(text: str, columns: set[tuple[str, str]]) -> None:
    """Subplans, rows, slices, CASE and words in a text's constant do not hide the columns."""
    assert {each for each in columns_in(text) if each[0] == "o"} == columns


@pytest.mark.parametrize("text", ["", "(", "rank() OVER w1 )", "o.a = = 7", "\x00"])
def test_what_is_no_sql_has_no_conditions(text: str) -> None:
    """What cannot be read is nothing, not a failure."""
    assert parsed(text) is None
    assert conditions(text) == []
    assert columns_in(text) == frozenset()


def test_columns_without_an_alias() -> None:
    """The output of a query on one table names its columns alone."""
    assert bare_columns_in('sum("My total")') == {"My total"}
    assert bare_columns_in("o.a") == frozenset()
    assert columns_in("a") == frozenset()
