"""Where psql ends a statement, and what is a meta-command."""

from __future__ import annotations

import pytest

from workbench.script.lexer import Lexer, MetaCommand, Statement, TextAfterCopy, statements


def texts(script: str) -> list[str]:
    return [statement.text for statement in statements(script)]


def commands(script: str) -> list[str]:
    """All meta-commands, those within statements included."""
    found: list[str] = []
    for item in Lexer(script).items():
        parts = item.parts if isinstance(item, Statement) else (item,)
        found += [part.text for part in parts if isinstance(part, MetaCommand)]
    return found


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select 'a;b'; select 2", ["select 'a;b'", "select 2"]),
        ("select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]),
        (r"select 'a\'; select 2", [r"select 'a\'", "select 2"]),
        (r"select E'a\';'; select 2", [r"select E'a\';'", "select 2"]),
        (r"select e'\\'; select 2", [r"select e'\\'", "select 2"]),
        (r"select somee'a\'; select 2", [r"select somee'a\'", "select 2"]),
        (r"select 1.e'a\'; select 2", [r"select 1.e'a\'", "select 2"]),
        ('select 1 as "a;""b"; select 2', ['select 1 as "a;""b"', "select 2"]),
        (r"select U&'\0041;'; select 2", [r"select U&'\0041;'", "select 2"]),
        ("select $$a;b$$; select 2", ["select $$a;b$$", "select 2"]),
        ("select $a$ $b$; $$ $a$; select 2", ["select $a$ $b$; $$ $a$", "select 2"]),
        ("select a$b$; select 2 as c$b$", ["select a$b$", "select 2 as c$b$"]),
        ("select $1$a$;$a$; select 2", ["select $1$a$;$a$", "select 2"]),
        ("select 1 -- a;b\n; select 2", ["select 1 -- a;b\n", "select 2"]),
        ("select 1 /* a; /* b; */ c; */; select 2", ["select 1 /* a; /* b; */ c; */", "select 2"]),
        ("select 1 @-- a;\n 2; select 3", ["select 1 @-- a;\n 2", "select 3"]),
        ("create rule r as on x to t do (a; b);", ["create rule r as on x to t do (a; b)"]),
        ("select 1 \\; select 2; select 3", ["select 1 \\; select 2", "select 3"]),
        (";;; select 1;;", ["select 1"]),
        ("-- nothing\n/* here */", []),
    ],
)  # fmt: skip
def test_statement_ends_at_a_semicolon_outside_of_quotes(script: str, expected: list[str]) -> None:
    """Quotes, comments, parentheses and dollar quotes hide a semicolon, as in psqlscan.l."""
    assert texts(script) == expected


def test_routine_body_is_one_statement() -> None:
    """BEGIN ATOMIC … END of a routine keeps its semicolons, with CASE … END inside."""
    body = "create or replace function f() returns int begin atomic "
    body += "select case 1 when 1 then 2 end; select 3; end"

    assert texts(f"{body}; select 4") == [body, "select 4"]


def test_begin_of_a_transaction_is_a_statement() -> None:
    """BEGIN outside of CREATE FUNCTION starts a transaction."""
    assert texts("begin; select 1; end;") == ["begin", "select 1", "end"]


def test_lines_are_those_of_the_first_token() -> None:
    """A statement's line is where its first token stands, comments before it not counted."""
    found = statements("\n-- about\nselect\n\n 1;\n/* more */ select 2;")

    assert [(statement.line, statement.end_line) for statement in found] == [(3, 5), (6, 6)]


def test_empty_lines_are_kept_for_the_servers_count() -> None:
    """An empty line in a statement gets a blank; one in a string stays as it is."""
    (statement,) = statements("select\n\n\n'a\n\nb';")

    assert statement.text == "select\n \n \n'a\n\nb'"


def test_copy_data_belong_to_the_statement() -> None:
    r"""The lines up to ``\.`` are data, whatever stands in them."""
    copy, after = statements("copy t from stdin; -- data\n1\t'\n\\! ls;\n\\.\nselect 2;")

    assert copy.data == "1\t'\n\\! ls;\n"
    assert copy.data_line == 2
    assert after.line == 5


def test_copy_to_stdout_has_no_data() -> None:
    """Only COPY … FROM STDIN reads the lines after it."""
    assert texts("copy t to stdout;\nselect 1;") == ["copy t to stdout", "select 1"]


def test_backslash_copy_from_stdin_is_a_copy() -> None:
    r"""``\copy … from stdin`` reads the script's lines as COPY … FROM STDIN does."""
    (copy,) = statements("\\copy t (a) from stdin with (format csv)\n1\n\\.\n")

    assert copy.text == "copy t (a) from stdin with (format csv)"
    assert copy.data == "1\n"


def test_sql_after_copy_on_its_line() -> None:
    """psql would read the data before the rest of the line."""
    with pytest.raises(TextAfterCopy):
        statements("copy t from stdin; select 1;\n1\n\\.\n")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (r"\echo a b", [r"\echo a b"]),
        (r"\echo 'a \! b'", [r"\echo 'a \! b'"]),
        (r"\echo a \! b", [r"\echo a", r"\! b"]),
        (r"\timing \\ \! b", [r"\timing", r"\! b"]),
        (r"\! echo a \\ \echo b", [r"\! echo a \\ \echo b"]),
        (r'\echo "a \! b"', [r'\echo "a \! b"']),
        ("select 1 \\g out\nselect 2", [r"\g out"]),
        ("select (1 \\! a\n)", [r"\! a"]),
        (r"select '\! a'; select $$\! b$$; /* \! c */ -- \! d", []),
        ('select 1 as "\\! a"', []),
        ("select '\n\\! a\n'", []),
        (r"select 1 \; select 2", []),
    ],
)  # fmt: skip
def test_meta_commands_stand_outside_of_quotes(script: str, expected: list[str]) -> None:
    """A backslash is a command outside of quotes alone; it ends at the line or the next backslash."""
    assert commands(script) == expected


def test_old_strings_are_followed() -> None:
    """After standard_conforming_strings = off a backslash escapes the quote."""
    assert texts(r"set standard_conforming_strings = off; select 'a\';'; select 2") == [
        "set standard_conforming_strings = off",
        r"select 'a\';'",
        "select 2",
    ]


def test_what_is_left_open_is_named() -> None:
    """An unclosed quote or comment runs to the end of the file."""
    assert statements("select 'a; select 2;")[0].open == "quote"
    assert statements("select 1 /* a; select 2;")[0].open == "comment"
    assert not statements("select 1")[0].terminated


def test_variables_are_found() -> None:
    """psql's variables are named with their form; a cast and an assignment are none."""
    (statement,) = statements("select :a, :'b', :\"c\", :{?d}, x::text, f(y := 1), ':e'")

    assert [(each.name, each.form) for each in statement.variables] == [
        ("a", "bare"),
        ("b", "quoted"),
        ("c", "quoted"),
        ("d", "test"),
    ]
