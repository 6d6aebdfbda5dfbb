"""What an expression of the database says of itself: its columns, and the literals to try values around."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

from workbench.proof.constraints.patterns import matching_like, matching_regex

_REGEX = frozenset(("~", "~*", "!~", "!~*"))
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_LIKE = frozenset(("~~", "~~*", "!~~", "!~~*"))


@dataclass
class Literals:
    """The literals of some expressions, and strings that match their patterns, in the order of the text."""

    strings: list[str] = field(default_factory=list)
    numbers: list[Decimal] = field(default_factory=list)


class _Reading(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.literals = Literals()
        self.patterns: set[str] = set()

    def visit_ColumnRef(self, ancestors: Any, node: ast.ColumnRef) -> None:  # noqa: N802  # called by name
        if name := _last_name(node.fields):
            self.names.append(name)

    def visit_A_Expr(self, ancestors: Any, node: ast.A_Expr) -> None:  # noqa: N802  # called by name
        operator = _last_name(node.name)
        if operator not in _REGEX and operator not in _LIKE:
            return
        matching = matching_regex if operator in _REGEX else matching_like
        for pattern in _strings_beneath(node.rexpr):
            self.patterns.add(pattern)
            self.literals.strings += matching(pattern)

    def visit_A_Const(self, ancestors: Any, node: ast.A_Const) -> None:  # noqa: N802  # called by name
        value = node.val
        if isinstance(value, ast.Integer):
            self.literals.numbers.append(Decimal(value.ival or 0))
        elif isinstance(value, ast.Float):
            self.literals.numbers.append(Decimal(value.fval or 0))
        elif isinstance(value, ast.String):
            text = value.sval or ""
            self.literals.strings.append(text)
            if _NUMBER.match(text):  # a negative number is printed as '-5'::integer
                self.literals.numbers.append(Decimal(text))


class _Strings(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def visit_A_Const(self, ancestors: Any, node: ast.A_Const) -> None:  # noqa: N802  # called by name
        if isinstance(node.val, ast.String):
            self.found.append(node.val.sval or "")


def _last_name(names: Any) -> str:
    """The last part of a qualified name; "" where it is a star."""
    last = names[-1] if names else None
    return last.sval or "" if isinstance(last, ast.String) else ""


def _strings_beneath(node: Any) -> list[str]:
    visitor = _Strings()
    visitor(node)
    return visitor.found


def read(expression: str) -> tuple[tuple[str, ...], Literals]:
    """The column names that *expression* mentions, each once, and its literals; none if it does not parse."""
    try:
        tree = parse_sql(f"select {expression}")  # parsed here, never run
    except ParseError:
        return (), Literals()
    reading = _Reading()
    reading(tree)
    strings = [text for text in reading.literals.strings if text not in reading.patterns]
    return tuple(dict.fromkeys(reading.names)), Literals(strings, reading.literals.numbers)


def exclusion_elements(definition: str) -> list[tuple[str, str]]:
    """(column or "", operator) of each element of an exclusion constraint; "" stands for an expression.

    The operator bears its schema where the definition gives it.
    """
    try:
        tree = parse_sql(f"alter table t add {definition}")
    except ParseError:
        return []
    statement: Any = tree[0].stmt
    constraint = statement.cmds[0].def_
    return [
        (element.name or "", ".".join(name.sval for name in names))
        for element, names in constraint.exclusions
    ]
