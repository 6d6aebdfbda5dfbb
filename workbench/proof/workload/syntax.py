"""What a statement is by its syntax tree: its kind, the form that PREPARE takes, its runnable text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import CoercionForm
from pglast.parser import Token, scan
from pglast.visitors import Visitor
from psycopg2 import sql as composed

from workbench.proof.workload.model import Statement, StatementKind
from workbench.proof.workload.written import Parsed, parameter_tokens, parsed_statement

_WRITES: dict[type, StatementKind] = {
    ast.InsertStmt: "insert",
    ast.UpdateStmt: "update",
    ast.DeleteStmt: "delete",
    ast.MergeStmt: "merge",
}
_PLAIN_LITERAL = re.compile(r"'(?:[^'\\]|'')*'|\d+(?:\.\d+)?|null|true|false", re.IGNORECASE)
_SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
_FIELDS = frozenset(("YEAR_P", "MONTH_P", "DAY_P", "HOUR_P", "MINUTE_P", "SECOND_P", "TO"))


class NoQuery(Exception):
    """A statement that has no plan of its own; the message says why."""


def kind_of(tree: Any) -> StatementKind:
    """The kind of the statement *tree*; that of the writing part where a common table expression writes.

    A SELECT that locks rows is "other". Raises NoQuery for what only changes the database's structure or
    settings.
    """
    if type(tree) in _WRITES:
        return _WRITES[type(tree)]
    if not isinstance(tree, ast.SelectStmt):
        raise NoQuery(f"{_command(tree)} is no SELECT, INSERT, UPDATE, DELETE or MERGE")
    found = _Writes()
    found(tree)
    if found.creates_table:
        raise NoQuery("SELECT INTO creates a table")
    if found.kinds:
        return found.kinds[0]
    return "other" if found.locks else "select"


def search_path_of(tree: Any) -> tuple[str, ...] | None:
    """The schemas that ``set search_path`` names, none for its default; None for any other statement."""
    if not isinstance(tree, ast.VariableSetStmt) or (tree.name or "").lower() != "search_path":
        return None
    values = [getattr(each, "val", None) for each in tree.args or ()]
    return tuple(value.sval or "" for value in values if isinstance(value, ast.String))


def reads_system_alone(tree: Any) -> bool:
    """Whether the statement *tree* names no table, or none but the system's."""
    found = _Tables()
    found(tree)
    return not any(
        not (schema in _SYSTEM_SCHEMAS or name.startswith("pg_") or (not schema and name in found.queries))
        for schema, name in found.tables
    )


def prepared_form(parsed: Parsed) -> Parsed:
    """*parsed* in the words that PREPARE takes: ``interval $1`` as ``cast($1 as interval)``.

    pg_stat_statements replaces constants also where the grammar has no parameters: after a type's name,
    and as the field in ``extract($1 from …)``, which is the function pg_catalog.extract.
    """
    found = _AfterTypes()
    found(parsed.tree)
    if not found.casts and not found.extracts:
        return parsed
    text = parsed.sql
    tokens = list(scan(text))
    edits = [
        *(_cast_edit(text, tokens, *each) for each in found.casts),
        *(edit for each in found.extracts for edit in _extract_edits(tokens, each)),
    ]
    for begin, end, replacement in sorted(edits, reverse=True):
        text = text[:begin] + replacement + text[end:]
    return Parsed(text, parsed.parameters, parsed_statement(text).tree)


def runnable(statement: Statement) -> composed.Composable:
    """The text of *statement* with values in the place of its parameters; as it is where none are known.

    Execute it without parameters of the driver's, for percent signs stand for themselves.
    """
    if not statement.values:
        return composed.SQL(statement.sql)
    parts: list[str] = []
    behind = 0
    for number, begin, end in parameter_tokens(statement.sql):
        parts += [statement.sql[behind:begin], _in_place(statement, number, begin, end)]
        behind = end
    return composed.SQL("".join([*parts, statement.sql[behind:]]))


def parameter_count(sql: str) -> int:
    """The number of the last parameter of *sql*, 0 without any."""
    return max((number for number, _, _ in parameter_tokens(sql)), default=0)


def _in_place(statement: Statement, number: int, begin: int, end: int) -> str:
    """A literal for the characters from *begin* to *end*; what is more than a word is put in parentheses."""
    values = statement.values or ()
    if not 0 < number <= len(values):
        raise ValueError(f"{statement.name}: ${number} has no value: {len(values)} are given")
    value = values[number - 1]
    if _PLAIN_LITERAL.fullmatch(value):
        before = (
            " " if begin and (statement.sql[begin - 1].isalnum() or statement.sql[begin - 1] == "_") else ""
        )
        after = " " if statement.sql[end : end + 1].isalnum() else ""
        return before + value + after
    return f"({value})"


class _Writes(Visitor):
    """What of a statement writes, locks or creates, wherever it stands in it."""

    def __init__(self) -> None:
        self.kinds: list[StatementKind] = []
        self.locks = False
        self.creates_table = False

    def visit(self, ancestors: Any, node: Any) -> None:
        if type(node) in _WRITES:
            self.kinds.append(_WRITES[type(node)])
        elif isinstance(node, ast.LockingClause):
            self.locks = True
        elif isinstance(node, ast.IntoClause):
            self.creates_table = True


class _Tables(Visitor):
    """The tables that are named, by schema and name, and the names of common table expressions."""

    def __init__(self) -> None:
        self.tables: list[tuple[str | None, str]] = []
        self.queries: set[str] = set()

    def visit(self, ancestors: Any, node: Any) -> None:
        if isinstance(node, ast.RangeVar):
            self.tables.append((node.schemaname, node.relname or ""))
        elif isinstance(node, ast.CommonTableExpr):
            self.queries.add(node.ctename or "")


class _AfterTypes(Visitor):
    """The parameters in places where PostgreSQL's own grammar wants a constant."""

    def __init__(self) -> None:
        self.casts: list[tuple[int, int]] = []  # where the type begins, where the parameter does
        self.extracts: list[int] = []  # where the call begins

    def visit_TypeCast(self, ancestors: Any, node: Any) -> None:  # noqa: N802 - pglast's naming
        begin, parameter = node.typeName.location, getattr(node.arg, "location", None)
        if isinstance(node.arg, ast.ParamRef) and parameter is not None and -1 < begin < parameter:
            self.casts.append((begin, parameter))

    def visit_FuncCall(self, ancestors: Any, node: Any) -> None:  # noqa: N802
        sql_syntax = node.funcformat == CoercionForm.COERCE_SQL_SYNTAX
        if sql_syntax and node.funcname[-1].sval == "extract" and isinstance(node.args[0], ast.ParamRef):
            self.extracts.append(node.location)


def _cast_edit(text: str, tokens: list[Token], begin: int, parameter: int) -> tuple[int, int, str]:
    """``interval $1 day`` → ``cast($1 as interval day)``."""
    at = next(index for index, token in enumerate(tokens) if token.start == parameter)
    end = tokens[at].end + 1
    fields = ""
    if tokens[[token.start for token in tokens].index(begin)].name == "INTERVAL":
        for token in _while_fields(tokens[at + 1 :]):
            end = token.end + 1
        fields = text[tokens[at].end + 1 : end]
    type_name = text[begin:parameter].strip()
    return begin, end, f"cast({text[tokens[at].start : tokens[at].end + 1]} as {type_name}{fields})"


def _while_fields(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.name not in _FIELDS:
            return
        yield token


def _extract_edits(tokens: list[Token], begin: int) -> Iterator[tuple[int, int, str]]:
    """``extract($1 from x)`` → ``pg_catalog."extract"($1 , x)``, as the grammar itself reads it."""
    at = next(index for index, token in enumerate(tokens) if token.start == begin)
    yield tokens[at].start, tokens[at].end + 1, 'pg_catalog."extract"'
    source = next(token for token in tokens[at:] if token.name == "FROM")
    yield source.start, source.end + 1, ","


def _command(tree: Any) -> str:
    """The statement's first words, as near as the tree's name comes to them."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(tree).__name__.removesuffix("Stmt"))
    return words.upper()
