"""The conditions of a plan's nodes as syntax: which columns they compare, bare or within an expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pglast.enums import A_Expr_Kind, BoolExprType
from pglast.stream import RawStream
from pglast.visitors import Visitor

from workbench.catalog.model import Column, Table
from workbench.errors import BadInput
from workbench.proof.plans import Node
from workbench.proof.slow.running import parse_expression, without_places
from workbench.proof.slow.structure import Structure
from workbench.proof.slow.tree import Tree, ast

_SUBPLAN = re.compile(r"'(?:[^']|'')*'|\((?:hashed )?(?:SubPlan|InitPlan) \d+\)(?:\.col\d+)?")
_FOR_EACH_ROW = "workbench_subplan"
OPERATOR = A_Expr_Kind.AEXPR_OP
_COMPARED = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_LIKE, A_Expr_Kind.AEXPR_ILIKE)
_TYPE_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "bool": "boolean",
}


@dataclass(frozen=True)
class Found:
    """A column that a condition compares: *side* is the expression that holds it, *other* the other side."""

    table: Table
    column: Column
    operator: str
    condition: Tree
    side: Tree
    other: Tree


class _Columns(Visitor):
    def __init__(self) -> None:
        self.found: list[Tree] = []

    def visit_ColumnRef(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
        self.found.append(node)


def columns_in(tree: Tree) -> list[Tree]:
    """The references to columns in a syntax tree."""
    visitor = _Columns()
    visitor(tree)
    return visitor.found


@cache
def condition(text: str) -> Tree | None:
    """A condition as EXPLAIN prints it, parsed; None where it has a notation that is no SQL."""
    plain = _SUBPLAN.sub(_in_sql, text)
    try:
        return parse_expression(plain)
    except BadInput:
        return None


def _in_sql(found: re.Match[str]) -> str:
    """A string as it is; the value of an InitPlan is a constant, that of a SubPlan another for each row."""
    if found[0].startswith("'"):
        return found[0]
    return "null" if "InitPlan" in found[0] else f"{_FOR_EACH_ROW}()"


def conjuncts(tree: Tree | None) -> Iterator[Tree]:
    """The conditions that must all hold."""
    if tree is None:
        return
    if isinstance(tree, ast.BoolExpr) and tree.boolop == BoolExprType.AND_EXPR:
        for each in tree.args:
            yield from conjuncts(each)
    else:
        yield tree


def alternatives(tree: Tree) -> Sequence[Tree]:
    """The arms of an OR; of anything else none."""
    if isinstance(tree, ast.BoolExpr) and tree.boolop == BoolExprType.OR_EXPR:
        return tuple(tree.args)
    return ()


def operator(node: Tree) -> str:
    return str(node.name[-1].sval)


def aliases(root: Node, structure: Structure) -> Mapping[str, Table]:
    """The tables of a plan by the alias that its conditions use; of a partition its partitioned table."""
    found: dict[str, Table] = {}

    def visit(node: Node) -> None:
        if "Relation Name" in node:
            table = structure.table(node.get("Schema", ""), node["Relation Name"])
            if table:
                found[node.get("Alias", node["Relation Name"])] = structure.root(table)
        for child in node.get("Plans", ()):
            visit(child)

    visit(root)
    return found


def resolved(
    reference: Tree, known: Mapping[str, Table], alone: Table | None = None
) -> tuple[Table, Column] | None:
    """The table and column that a condition of a plan refers to; *alone* where it names no alias."""
    names = [each.sval if isinstance(each, ast.String) else None for each in reference.fields]
    table = known.get(names[-2] or "") if len(names) > 1 else alone
    if table is None or names[-1] is None:
        return None
    try:
        return table, table.column(names[-1])
    except KeyError:
        return None


def comparisons(tree: Tree, known: Mapping[str, Table], alone: Table | None = None) -> Iterator[Found]:
    """The columns that the condition *tree* compares with something else, from either side."""
    if not isinstance(tree, ast.A_Expr) or tree.kind not in _COMPARED or tree.lexpr is None:
        return
    if _FOR_EACH_ROW in printed_plainly(tree):
        return  # what it is compared with is known only when the row is read
    turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    name = operator(tree)
    for side, other, meaning in (
        (tree.lexpr, tree.rexpr, name),
        (tree.rexpr, tree.lexpr, turned.get(name, name)),
    ):
        if side is None or isinstance(side, tuple) or isinstance(other, tuple):
            continue
        held = columns_in(side)
        if len({without_alias(each) for each in held}) != 1:
            continue
        if {printed_plainly(each) for each in held} & {printed_plainly(each) for each in columns_in(other)}:
            continue
        named = resolved(held[0], known, alone)
        if named:
            yield Found(*named, meaning, tree, side, other)


def unwrapped(side: Tree, column: Column, structure: Structure) -> Tree:
    """*side* without the casts that change nothing."""
    while isinstance(side, ast.TypeCast) and structure.casts_plainly(column, type_name(side.typeName)):
        side = side.arg
    while isinstance(side, ast.CollateClause):
        side = side.arg
    return side


def type_name(given: Tree) -> str:
    """The name of a type as ``format_type`` has it, without modifiers."""
    names = [each.sval for each in given.names if each.sval != "pg_catalog"]
    name = _TYPE_NAMES.get(names[-1], names[-1]) if len(names) == 1 else ".".join(names)
    return name + ("[]" if given.arrayBounds else "")


def bare(side: Tree) -> bool:
    return isinstance(side, ast.ColumnRef)


def without_alias(tree: Tree) -> str:
    """The text of an expression of one table, with its columns unqualified: as an index would hold it."""
    copied = parse_expression(printed_plainly(tree))
    for each in columns_in(copied):
        each.fields = each.fields[-1:]
    return printed_plainly(copied)


class _PlainCasts(Visitor):
    """Takes away the casts that the server adds: of literals to text, of a column to what it is anyway."""

    def __init__(self, column: Column, structure: Structure) -> None:
        self._column, self._structure = column, structure

    def visit_TypeCast(self, ancestors: Any, node: Tree) -> Any:  # noqa: N802 - pglast's name
        target = type_name(node.typeName)
        if isinstance(node.arg, ast.A_Const) and isinstance(node.arg.val, ast.String):
            return node.arg if target == "text" else None
        if isinstance(node.arg, ast.ColumnRef) and self._structure.casts_plainly(self._column, target):
            return node.arg
        return None


def in_short(side: Tree, column: Column, structure: Structure) -> str:
    """An expression of *column* as its author would have written it, without the table's alias."""
    holder = ast.ResTarget(val=parse_expression(without_alias(side)))
    _PlainCasts(column, structure)(holder)
    return printed_plainly(holder.val)


def same_expression(one: Tree, other: Tree) -> bool:
    """Whether two expressions of one table are the same but for aliases."""
    return bool(
        without_places(parse_expression(without_alias(one)))
        == without_places(parse_expression(without_alias(other)))
    )


def printed_plainly(tree: Tree) -> str:
    return str(RawStream()(tree))


def constant_text(tree: Tree) -> str | None:
    """The text of a string literal, beneath its casts; None for anything else."""
    while isinstance(tree, ast.TypeCast):
        tree = tree.arg
    if isinstance(tree, ast.A_Const) and isinstance(tree.val, ast.String):
        return str(tree.val.sval)
    return None
