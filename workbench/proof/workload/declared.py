"""What comments declare of the statement behind them: how often it runs, and with which values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError, Token, scan
from pglast.visitors import Visitor

_WEIGHT = re.compile(r"--\s*(weight|per[_ ]hour|frequency per hour):[ \t]*(\S*)", re.IGNORECASE)
_PER_HOUR = re.compile(r"--\s*(per[_ ]hour|frequency per hour):[ \t]*(\S*)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9][0-9_]*(?:\.[0-9]+)?")
_VALUES = re.compile(r"--\s*values:[ \t]*(.*)", re.IGNORECASE)
_FORM = "write -- values: name = 42, other = 'text', with a constant for each parameter"


class NotDeclared(Exception):
    """A declaration that cannot be; the message says which and why."""


def per_hour(comments: str) -> float:
    """What ``-- per_hour: 120`` declares, 1 without. Raises NotDeclared for what is no number above 0."""
    return _number(_PER_HOUR, comments)


def weight(comments: str) -> float:
    """What ``-- weight: 12`` or ``-- per_hour: 120`` declares, 1 without. Raises NotDeclared."""
    return _number(_WEIGHT, comments)


def values(comments: str, parameters: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A set of SQL literals for each ``-- values: name = 42, other = 'text'``, in the order of *parameters*.

    Names may be left out: values are then in the parameters' order. Raises NotDeclared.
    """
    for declared in _VALUES.finditer(comments):
        yield _value_set(declared[1].strip(), parameters)


def _number(pattern: re.Pattern[str], comments: str) -> float:
    declared = pattern.search(comments)
    if declared is None:
        return 1.0
    number = _NUMBER.fullmatch(declared[2])
    found = float(number[0].replace("_", "")) if number else 0.0
    if not 0 < found < math.inf:
        raise NotDeclared(f"{declared[1].lower()} is {declared[2]!r}, not a number above 0")
    return found


def _value_set(text: str, parameters: Sequence[str]) -> tuple[str, ...]:
    named: dict[str, str] = {}
    positional: list[str] = []
    for tokens in _items(text):
        name = _name(text, tokens, parameters)
        if name and len(tokens) < 3:
            raise NotDeclared(f"values has none for {name}: {_FORM}")
        value = text[tokens[2 if name else 0].start : tokens[-1].end + 1]
        _require_constant(value)
        if name:
            named[name] = value
        else:
            positional.append(value)
    if named and positional:
        raise NotDeclared(f"values has some with a name and some without: {text}: {_FORM}")
    if positional:
        named = dict(zip(parameters, positional, strict=False))
    if len(positional) > len(parameters) or set(named) != set(parameters):
        missing = [name for name in parameters if name not in named]
        what = f"lacks {', '.join(missing)}" if missing else f"has more than {len(parameters)}"
        raise NotDeclared(f"values {what}: {_FORM}")
    return tuple(named[name] for name in parameters)


def _items(text: str) -> Iterator[list[Token]]:
    """The tokens between commas outside of brackets; a colon before a name is left out."""
    try:
        tokens = [token for token in scan(text) if token.name not in ("SQL_COMMENT", "C_COMMENT")]
    except ParseError as exc:
        raise NotDeclared(f"values does not parse: {exc.args[0]}: {_FORM}") from exc
    item: list[Token] = []
    depth = 0
    for token in tokens:
        written = text[token.start : token.end + 1]
        depth += (written in ("(", "[")) - (written in (")", "]"))
        if depth < 0:
            raise NotDeclared(f"values closes a bracket that is not open: {text}: {_FORM}")
        if written == "," and depth == 0:
            yield _required(item, text)
            item = []
        elif item or written != ":":
            item.append(token)
    yield _required(item, text)


def _required(item: list[Token], text: str) -> list[Token]:
    if not item:
        raise NotDeclared(f"values lacks one: {text!r}: {_FORM}")
    return item


def _name(text: str, tokens: Sequence[Token], parameters: Sequence[str]) -> str:
    """The parameter that ``name = value`` is for; empty where it is a value alone. Raises NotDeclared."""
    if len(tokens) < 2 or text[tokens[1].start : tokens[1].end + 1] != "=":
        return ""
    name = text[tokens[0].start : tokens[0].end + 1].lstrip("$")
    if name not in parameters:
        known = ", ".join(parameters) or "none"
        raise NotDeclared(f"values names {name}, which is no parameter of the statement: it has {known}")
    return name


class _NotConstant(Visitor):
    def __init__(self) -> None:
        self.found = False

    def visit(self, ancestors: Any, node: Any) -> None:
        if isinstance(node, ast.ColumnRef | ast.ParamRef | ast.SubLink):
            self.found = True


def _require_constant(value: str) -> None:
    """NotDeclared where *value* is no single expression without columns, parameters and queries."""
    try:
        statements = parse_sql(f"select ({value})")
    except ParseError as exc:
        raise NotDeclared(f"the value {value} does not parse: {exc.args[0]}: {_FORM}") from exc
    looked = _NotConstant()
    looked(statements)
    if looked.found or len(statements) > 1:
        raise NotDeclared(f"values holds a column or a query: {value}: {_FORM}")
