"""Statements read off text, workloads made smaller, and the form of what statistics normalise."""

from __future__ import annotations

import pytest

from workbench.proof.workload import Observed, Statement, Workload, compress
from workbench.proof.workload.syntax import prepared_form, runnable, with_lists
from workbench.proof.workload.written import Mistake, NotParsed, parsed_statement, written_statements


def text_of(statement: Statement) -> str:
    """The text that is run; identifiers are none of it, so that it needs no connection."""
    return runnable(statement).as_string(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "sql", "parameters"),
    [
        ("select :b, :a, :b", "select $1, $2, $1", ("b", "a")),
        ("select %(a)s%%2, 'x%%'", "select $1%2, 'x%'", ("a",)),
        ("select ?, '?'", "select $1, '?'", ("1",)),
        ("select %s, %s", "select $1, $2", ("1", "2")),
        ("select $2, $1 -- :no", "select $2, $1", ("1", "2")),
        ("select a=? and b<>? from t", "select a=$1 and b<>$2 from t", ("1", "2")),
        ("select ':b' /* :c /* ? */ */ , $q$:d$q$", "select ':b' /* :c /* ? */ */ , $q$:d$q$", ()),
        ('select "a:b"::text at time zone :z', 'select "a:b"::text at time zone $1', ("z",)),
        ("select 1; -- done", "select 1", ()),
        ("select a[:f(b)], c[:d.e], g[h:i] from t", "select a[:f(b)], c[:d.e], g[h:i] from t", ()),
    ],
)  # fmt: skip
def test_placeholders_become_numbers(written: str, sql: str, parameters: tuple[str, ...]) -> None:
    """Whatever the driver's style, equal names are one parameter."""
    found = parsed_statement(written)

    assert (found.sql, found.parameters) == (sql, parameters)


@pytest.mark.parametrize("text", ["select :a, $1", "select %s, :a", "", "select 1; select 2", "select '\0'"])
def test_what_is_not_one_statement(text: str) -> None:
    """Mixed placeholders, nothing, several statements and zero bytes are refused."""
    with pytest.raises(NotParsed):
        parsed_statement(text)


def test_lines_and_comments() -> None:
    """Each statement knows its line; comments inside and before it belong to it, those in strings do not."""
    one, two = written_statements("\n-- a: 1\nselect '-- b: 2',\n  3; select /* c */ 4 -- d: 5\n")

    assert not isinstance(one, Mistake)
    assert not isinstance(two, Mistake)
    assert (one.line, two.line) == (3, 4)
    assert "a: 1" in one.comments
    assert "b: 2" not in one.comments
    assert "d: 5" in two.comments


def test_commands_of_psql_are_told_apart() -> None:
    """A line with a backslash is no SQL, and takes none of the statement behind it along."""
    told, one, two = written_statements("\\set x 5\nselect :x;\nselect E'\n\\\\set';\n")

    assert isinstance(told, Mistake)
    assert (told.line, told.reason.partition(":")[0]) == (1, "psql's own commands are not read")
    assert not isinstance(one, Mistake)
    assert (one.line, one.parsed.parameters) == (2, ("x",))
    assert not isinstance(two, Mistake)


def test_a_file_without_an_end_is_read_to_the_last_statement() -> None:
    """What stands before a quotation that never ends is read."""
    found = list(written_statements("select 1;\nselect 2;\nselect $$3;\nselect 4;"))

    assert [type(each) is Mistake for each in found] == [False, False, True]
    assert isinstance(found[2], Mistake)
    assert found[2].line == 3


@pytest.mark.parametrize(
    ("normalised", "prepared"),
    [
        ("select interval $1", "select cast($1 as interval)"),
        (
            "select 'ü', interval $1 day to hour + $2",
            "select 'ü', cast($1 as interval day to hour) + $2",
        ),
        ("select timestamp with time zone $1", "select cast($1 as timestamp with time zone)"),
        ("select extract($1 from interval $2)", 'select pg_catalog."extract"($1 , cast($2 as interval))'),
        ("select $1::interval, interval '1 day'", "select $1::interval, interval '1 day'"),
    ],
)
def test_parameters_in_the_place_of_constants(normalised: str, prepared: str) -> None:
    """The form that PREPARE takes means the same."""
    assert prepared_form(parsed_statement(normalised), 180_000).sql == prepared


def test_fields_before_version_14() -> None:
    """There extract is no function, and date_part is."""
    found = prepared_form(parsed_statement("select extract($1 from now())"), 130_000)

    assert found.sql == "select pg_catalog.date_part($1 , now())"


def test_lists_of_version_18() -> None:
    """A list that was folded has members again; the same words in a string stay."""
    folded = parsed_statement(
        "select 1 from t where a in ($1 /*, ... */) and b = $2 and c in ($3 /*, ... */)"
    )

    assert with_lists(folded).sql == (
        "select 1 from t where a in ($1, $4, $5) and b = $2 and c in ($3, $6, $7)"
    )
    quoted = parsed_statement("select ' /*, ... */'")
    assert with_lists(quoted) == quoted


@pytest.mark.parametrize(
    ("sql", "values", "text"),
    [
        ("select 3-$1", ("-4",), "select 3-(-4)"),
        ("select $1::text", ("'a''b'",), "select 'a''b'::text"),
        ("select '$1', $1", ("1",), "select '$1', 1"),
        ("select 1 limit$1", ("5",), "select 1 limit$1"),
        ("select $2, $1", ("null", "'x'::text"), "select ('x'::text), null"),
        ("select $1 % 2", ("7",), "select 7 % 2"),
    ],
)
def test_values_take_the_place_of_parameters(sql: str, values: tuple[str, ...], text: str) -> None:
    """Where a literal is more than a word it stands in parentheses; strings are left alone."""
    assert text_of(Statement("s", sql, "select", values=values)) == text


def test_a_statement_without_values_is_as_it_is() -> None:
    """Unknown values leave the parameters; too few are an error."""
    assert text_of(Statement("s", "select $1", "select", values=None)) == "select $1"
    with pytest.raises(ValueError, match=r"\$2 has no value"):
        text_of(Statement("s", "select $1, $2", "select", values=("1",)))


def statements(count: int) -> list[Statement]:
    """Statements of which each pair differs in a constant, the first ones the heaviest."""
    return [
        Statement(f"s{n}", f"select c{n // 2} from t where a = {n}", "select", weight=float(count - n))
        for n in range(count)
    ]


def test_the_heaviest_statements_are_kept() -> None:
    """Statements that differ in constants are one, with the weight of both; the rest is left out by share."""
    found = compress(Workload(statements(8)), most=3)

    assert [(each.name, each.weight) for each in found.statements] == [("s0", 15), ("s2", 11), ("s4", 7)]
    assert found.notes == (
        "8 statements are 4 that differ in more than constants",
        "the 3 of the greatest weight are kept, 91.7 % of all; 1 with 8.3 % are left out",
    )


def test_costs_count() -> None:
    """Weight times cost ranks, and is kept by the one that stands for others."""
    costs = [1.0] * 6 + [100.0, 50.0]

    (kept,) = compress(Workload(statements(8)), most=1, costs=costs).statements

    assert kept.name == "s6"
    assert kept.weight * 100 == pytest.approx(2 * 100 + 1 * 50)


def test_measured_times_count() -> None:
    """Without costs the measured times rank."""
    seen = [
        Statement(each.name, each.sql, "select", each.weight, observed=Observed(1, 1, mean))
        for each, mean in zip(statements(4), (1.0, 1.0, 9.0, 1.0), strict=True)
    ]

    found = compress(Workload(seen), most=1)

    assert [each.name for each in found.statements] == ["s2"]
    assert "of the greatest total time" in found.notes[-1]


def test_a_small_workload_stays() -> None:
    """Nothing is merged or left out where there is room."""
    workload = Workload(statements(8))

    assert compress(workload, most=8) is workload
    assert compress(Workload(()), most=1).statements == ()


def test_costs_are_of_the_statements() -> None:
    """Another number of costs than of statements is a mistake of the caller's."""
    with pytest.raises(ValueError, match="2 costs are given for 8"):
        compress(Workload(statements(8)), most=1, costs=[1, 2])


def test_thousands_of_statements_are_ranked() -> None:
    """5,000 different statements are cut to 100."""
    found = compress(Workload(statements(10_000)), most=100)

    assert len(found.statements) == 100
    assert found.statements[0].name == "s0"
