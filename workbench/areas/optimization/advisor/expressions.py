"""Conditions as EXPLAIN prints them, taken apart: which column is compared how, and with what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from pglast import ast, parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType, BoolTestType, NullTestType
from pglast.parser import ParseError, scan
from pglast.stream import RawStream

ColumnOf = tuple[str, str]  # alias, column
Comparison = Literal["equal", "range", "prefix", "other"]

_RANGES = frozenset({"<", "<=", ">", ">="})
_PATTERNS = frozenset({"~~", "~~*", "~", "~*"})
_MIRRORED = {
    "=": "=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "<>": "<>",
    "&&": "&&",
    "@>": "<@",
    "<@": "@>",
}
_SUBPLAN = re.compile(r"SubPlan|InitPlan", re.IGNORECASE)


@dataclass(frozen=True)
class Operand:
    """A side of a comparison: the columns in it, and the column that it is, where it is nothing else.

    *text* is the expression without the aliases. *casts* are the types that the bare column is cast to.
    """

    columns: frozenset[ColumnOf]
    column: ColumnOf | None
    text: str
    casts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """One condition that must hold: *left* *operator* *right*, *left* with the columns of one table.

    *text* is the condition without the aliases; *literal* says that *right* is written in the statement and
    no parameter; *pattern* is the text that a LIKE compares with.
    """

    comparison: Comparison
    operator: str
    left: Operand
    right: Operand | None
    text: str
    literal: bool = False
    pattern: str | None = None
    alternatives: bool = False  # one arm of an OR

    @property
    def columns(self) -> frozenset[ColumnOf]:
        return self.left.columns | (self.right.columns if self.right else frozenset())


def conditions(text: str) -> list[Condition]:
    """The conditions whose conjunction *text*, a condition of a plan, is; none where it is unreadable."""
    tree = parsed(text)
    return list(_conjuncts(tree, alternatives=False)) if tree is not None else []


def columns_in(text: str) -> frozenset[ColumnOf]:
    """The columns with an alias in *text*, an expression of a plan."""
    tree = parsed(text)
    return _columns(tree) if tree is not None else frozenset()


def bare_columns_in(text: str) -> frozenset[str]:
    """The columns without an alias in *text*: EXPLAIN leaves it out of the output where one table is read."""
    references: Iterator[Any] = (
        each.fields for each in _walked(parsed(text)) if isinstance(each, ast.ColumnRef)
    )
    return frozenset(
        str(fields[0].sval) for fields in references if len(fields) == 1 and isinstance(fields[0], ast.String)
    )


@lru_cache(maxsize=20_000)
def parsed(text: str) -> Any:
    """The syntax tree of an expression as EXPLAIN prints it, or None where it is none of SQL's."""
    try:
        return _selected(_as_sql(text))
    except (ParseError, IndexError, TypeError):
        return None


def _selected(text: str) -> Any:
    statement: Any = parse_sql("select " + text)[0].stmt
    return statement.targetList[0].val


def _as_sql(text: str) -> str:
    """*text* with the subplans, which EXPLAIN writes in words of its own, as columns named after them."""
    if not _SUBPLAN.search(text):
        return text
    tokens = scan(text)
    encoded = text.encode()
    words = [encoded[token.start : token.end + 1].decode() for token in tokens]
    kept: list[str] = []
    index = 0
    while index < len(words):
        skip = 2 if words[index + 1 : index + 2] == ["hashed"] else 1
        if (
            words[index] == "("
            and words[index + skip : index + skip + 1]
            and words[index + skip] in ("SubPlan", "InitPlan")
        ):
            kept.append(f'"{words[index + skip]} {words[index + skip + 1]}"')
            index += skip + 3
            continue
        before = kept[-1] if kept else "("
        if words[index].lower() in ("any", "all") and before.lower() in ("(", "not", "and", "or"):
            index += 1
            continue
        kept.append(words[index])
        index += 1
    return " ".join(kept)


def _conjuncts(node: Any, *, alternatives: bool) -> Iterator[Condition]:
    boolean = node.boolop if isinstance(node, ast.BoolExpr) else None
    if boolean == BoolExprType.AND_EXPR:
        for each in node.args:
            yield from _conjuncts(each, alternatives=alternatives)
    elif boolean == BoolExprType.OR_EXPR:
        for each in node.args:
            yield from _conjuncts(each, alternatives=True)
    else:
        yield _condition(node, alternatives)


def _condition(node: Any, alternatives: bool) -> Condition:
    if isinstance(node, ast.A_Expr) and node.name and node.lexpr is not None and node.rexpr is not None:
        return _comparison(node, alternatives)
    if isinstance(node, ast.ColumnRef):
        return Condition("equal", "=", operand(node), _TRUE, unaliased(node), True, alternatives=alternatives)
    negated: Any = (
        node.args[0]  # type: ignore[index]
        if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.NOT_EXPR
        else None
    )
    if isinstance(negated, ast.ColumnRef):
        left = operand(negated)
        return Condition("equal", "=", left, _FALSE, unaliased(node), True, alternatives=alternatives)
    if isinstance(node, ast.NullTest) and node.nulltesttype == NullTestType.IS_NULL:
        return Condition(
            "equal", "is null", operand(node.arg), None, unaliased(node), True, None, alternatives
        )
    if isinstance(node, ast.NullTest):
        left = operand(node.arg)
        return Condition("other", "is not null", left, None, unaliased(node), True, None, alternatives)
    if isinstance(node, ast.BooleanTest) and node.booltesttype in (
        BoolTestType.IS_TRUE,
        BoolTestType.IS_FALSE,
    ):
        return Condition("other", "is", operand(node.arg), None, unaliased(node), True, None, alternatives)
    return Condition("other", "", operand(node), None, unaliased(node), False, None, alternatives)


_TRUE = Operand(frozenset(), None, "true")
_FALSE = Operand(frozenset(), None, "false")


def _comparison(node: Any, alternatives: bool) -> Condition:
    name = node.name[-1].sval
    left, right = operand(node.lexpr), operand(node.rexpr)
    if not left.columns and right.columns and name in _MIRRORED:
        name, left, right = _MIRRORED[name], right, left
        literal_node = node.lexpr
    else:
        literal_node = node.rexpr
    pattern = _pattern(node.rexpr) if name in _PATTERNS else None
    comparison: Comparison = "other"
    if node.kind == A_Expr_Kind.AEXPR_OP_ANY:
        comparison = "equal" if name == "=" else "other"
    elif node.kind == A_Expr_Kind.AEXPR_OP and name == "=":
        comparison = "equal"
    elif node.kind == A_Expr_Kind.AEXPR_OP and name in _RANGES:
        comparison = "range"
    elif name in ("~~", "~") and pattern and _has_prefix(name, pattern):
        comparison = "prefix"
    return Condition(
        comparison, name, left, right, unaliased(node), _is_literal(literal_node), pattern, alternatives
    )


def _has_prefix(operator: str, pattern: str) -> bool:
    if operator == "~":
        return bool(re.match(r"\^[\w /-]", pattern))
    return pattern[:1] not in ("%", "_", "")


def _pattern(node: Any) -> str | None:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        return str(node.val.sval)
    return None


def _is_literal(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const)


def operand(node: Any) -> Operand:
    columns = _columns(node)
    casts: list[str] = []
    inner: Any = node
    while isinstance(inner, ast.TypeCast):
        kind: Any = inner.typeName
        casts.append(".".join(part.sval for part in kind.names if part.sval != "pg_catalog"))
        inner = inner.arg
    if isinstance(inner, ast.CollateClause):
        inner = inner.arg
    column = next(iter(columns)) if isinstance(inner, ast.ColumnRef) and len(columns) == 1 else None
    return Operand(columns, column, unaliased(node), tuple(casts) if column else ())


def _walked(node: Any) -> Iterator[Any]:
    """*node* and all nodes beneath it."""
    if isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _walked(getattr(node, name))
    elif isinstance(node, tuple):
        for each in node:
            yield from _walked(each)


def _columns(node: Any) -> frozenset[ColumnOf]:
    references: Iterator[Any] = (each.fields for each in _walked(node) if isinstance(each, ast.ColumnRef))
    return frozenset(
        (str(fields[0].sval), str(fields[1].sval))
        for fields in references
        if len(fields) == 2 and all(isinstance(part, ast.String) for part in fields)
    )


def unaliased(node: Any) -> str:
    """*node* as SQL in which columns stand without the alias of their table."""
    references: list[Any] = [each for each in _walked(node) if isinstance(each, ast.ColumnRef)]
    fields = [each.fields for each in references]
    for each in references:
        each.fields = each.fields[-1:]
    try:
        return str(RawStream()(node))
    finally:
        for each, whole in zip(references, fields, strict=True):
            each.fields = whole
