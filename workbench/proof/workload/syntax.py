"""What a statement is by its syntax tree: its kind, the form that PREPARE takes, its runnable text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import CoercionForm
from pglast.parser import Token, scan
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
_CALCULATIONS = frozenset(("+", "-", "*", "/", "%"))
_WITH_EXTRACT = 140_000  # the function; before, the grammar alone had it
_FOLDED = "/*, ... */"
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
    kind: StatementKind = "select"
    for node in nodes(tree):
        if isinstance(node, ast.IntoClause):
            raise NoQuery("SELECT INTO creates a table")
        if isinstance(node, ast.LockingClause) and kind == "select":
            kind = "other"
        if type(node) in _WRITES and kind in ("select", "other"):
            kind = _WRITES[type(node)]
    return kind


def search_path_of(tree: Any) -> tuple[str, ...] | None:
    """The schemas that ``set search_path`` names, none for its default; None for any other statement."""
    if not isinstance(tree, ast.VariableSetStmt) or (tree.name or "").lower() != "search_path":
        return None
    values = [getattr(each, "val", None) for each in tree.args or ()]
    return tuple(value.sval or "" for value in values if isinstance(value, ast.String))


def reads_system_alone(tree: Any) -> bool:
    """Whether the statement *tree* names no table, or none but the system's."""
    tables: list[tuple[str, str]] = []
    queries: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.RangeVar):
            tables.append((node.schemaname or "", node.relname or ""))
        elif isinstance(node, ast.CommonTableExpr):
            queries.add(node.ctename or "")
    return all(
        schema in _SYSTEM_SCHEMAS or name.startswith("pg_") or (not schema and name in queries)
        for schema, name in tables
    )


def prepared_form(parsed: Parsed, server_version: int) -> Parsed:
    """*parsed* in the words that PREPARE takes: ``interval $1`` as ``cast($1 as interval)``.

    pg_stat_statements replaces constants also where the grammar has no parameters: after a type's name,
    and as the field in ``extract($1 from …)``, which is the function pg_catalog.extract, or date_part
    before version 14 (140000).
    """
    if not parsed.parameters:
        return parsed
    text = parsed.sql
    tokens = list(scan(text))
    edits: list[tuple[int, int, str]] = []
    for node in nodes(parsed.tree):
        if isinstance(node, ast.TypeCast) and isinstance(node.arg, ast.ParamRef):
            begin, parameter = getattr(node.typeName, "location", None) or 0, node.arg.location or 0
            if begin < parameter:
                edits.append(_cast_edit(text, tokens, begin, parameter))
        elif isinstance(node, ast.FuncCall) and _extracts_parameter(node):
            edits += _extract_edits(tokens, node.location or 0, server_version)
    if not edits:
        return parsed
    for begin, end, replacement in sorted(edits, reverse=True):
        text = text[:begin] + replacement + text[end:]
    return Parsed(text, parsed.parameters, parsed_statement(text).tree)


def with_numbers(parsed: Parsed) -> Parsed:
    """*parsed* with a type for parameters that have lost it: what is calculated with each other is numeric.

    Between two parameters an operator is ambiguous, and a sum of parameters is none of texts.
    """
    edits: dict[int, tuple[int, str]] = {}
    for node in nodes(parsed.tree):
        for each, kind in _without_type(node):
            end = (each.location or 0) + len(f"${each.number}")
            edits[each.location or 0] = end, f"cast(${each.number} as {kind})"
    text = parsed.sql
    for begin, (end, replacement) in sorted(edits.items(), reverse=True):
        text = text[:begin] + replacement + text[end:]
    return parsed_statement(text) if edits else parsed


def _without_type(node: Any) -> Iterator[tuple[Any, str]]:
    """The parameters below *node* that only each other could give a type, and one that fits."""
    if isinstance(node, ast.A_Expr):
        operands: tuple[Any, ...] = (node.lexpr, node.rexpr)
        told = (node.name or ())[-1].sval in _CALCULATIONS
        if told and all(isinstance(each, ast.ParamRef) for each in operands):
            yield from ((each, "numeric") for each in operands)
    elif isinstance(node, ast.FuncCall) and node.args:
        name = (node.funcname or ())[-1].sval
        if name in ("sum", "avg"):
            yield from ((each, "numeric") for each in _results(node.args[0]))
        elif name == "generate_series":
            yield from ((each, "integer") for each in node.args if isinstance(each, ast.ParamRef))


def _results(node: Any) -> list[Any]:
    """The parameters that *node* comes to, itself or by a CASE; none where another result has a type."""
    if isinstance(node, ast.ParamRef):
        return [node]
    if not isinstance(node, ast.CaseExpr):
        return []
    results: list[Any] = [*(each.result for each in node.args or ()), node.defresult]
    return results if all(isinstance(each, ast.ParamRef) for each in results) else []


def with_lists(parsed: Parsed, length: int = 3) -> Parsed:
    """*parsed* with lists of *length* for what pg_stat_statements writes as ``$1 /*, ... */`` from 18 on.

    The further members get the numbers behind the last parameter's.
    """
    text, last = parsed.sql, len(parsed.parameters)
    parts: list[str] = []
    behind = 0
    for token in scan(text):
        if token.name == "C_COMMENT" and text[token.start : token.end + 1] == _FOLDED:
            more = range(last + 1, last + length)
            parts += [text[behind : token.start].rstrip(), *(f", ${number}" for number in more)]
            behind, last = token.end + 1, last + len(more)
    return parsed_statement("".join([*parts, text[behind:]])) if parts else parsed


def runnable(statement: Statement) -> composed.Composable:
    """The text of *statement* with values in the place of its parameters; as it is where none are known.

    Execute it without parameters of the driver's, for percent signs stand for themselves.
    """
    if not statement.values:
        return composed.SQL(statement.sql)
    parts: list[str] = []
    behind = 0
    for number, begin, end in parameter_tokens(statement.sql):
        parts += [statement.sql[behind:begin], _in_place(statement, number, end)]
        behind = end
    return composed.SQL("".join([*parts, statement.sql[behind:]]))


def parameter_count(sql: str) -> int:
    """The number of the last parameter of *sql*, 0 without any."""
    return max((number for number, _, _ in parameter_tokens(sql)), default=0)


def _in_place(statement: Statement, number: int, end: int) -> str:
    """A literal for the parameter that ends at *end*; what is more than a word is put in parentheses."""
    values = statement.values or ()
    if not 0 < number <= len(values):
        raise ValueError(f"{statement.name}: ${number} has no value: {len(values)} are given")
    value = values[number - 1]
    if _PLAIN_LITERAL.fullmatch(value):
        after = " " if statement.sql[end : end + 1].isalnum() else ""
        return value + after
    return f"({value})"


def nodes(tree: Any) -> Iterator[Any]:
    """All nodes of *tree*, from the root down."""
    if isinstance(tree, tuple | list):
        for each in tree:
            yield from nodes(each)
    elif isinstance(tree, ast.Node):
        yield tree
        for each in children(tree):
            yield from nodes(each)


def children(node: ast.Node) -> Iterator[Any]:
    """The nodes, and the lists of some, right below *node*."""
    for name in node:
        value = getattr(node, name)
        if isinstance(value, ast.Node | tuple):
            yield value


def _extracts_parameter(node: Any) -> bool:
    return bool(
        node.funcformat == CoercionForm.COERCE_SQL_SYNTAX
        and node.funcname[-1].sval == "extract"
        and isinstance(node.args[0], ast.ParamRef)
    )


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


def _extract_edits(tokens: list[Token], begin: int, server_version: int) -> Iterator[tuple[int, int, str]]:
    """``extract($1 from x)`` → ``pg_catalog."extract"($1 , x)``, as the grammar itself reads it."""
    at = next(index for index, token in enumerate(tokens) if token.start == begin)
    function = 'pg_catalog."extract"' if server_version >= _WITH_EXTRACT else "pg_catalog.date_part"
    yield tokens[at].start, tokens[at].end + 1, function
    source = next(token for token in tokens[at:] if token.name == "FROM")
    yield source.start, source.end + 1, ","


def _command(tree: Any) -> str:
    """The statement's first words, as near as the tree's name comes to them."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(tree).__name__.removesuffix("Stmt"))
    return words.upper()
