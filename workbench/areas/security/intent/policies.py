"""What a row security policy says, where it is simple enough to be said as a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

from workbench.areas.security.intent.conditions import condition_problem
from workbench.areas.security.intent.model import RowOwner, Rows
from workbench.catalog.model import Catalog, Table

_USERS = (
    enums.SQLValueFunctionOp.SVFOP_CURRENT_USER,
    enums.SQLValueFunctionOp.SVFOP_SESSION_USER,
    enums.SQLValueFunctionOp.SVFOP_USER,
    enums.SQLValueFunctionOp.SVFOP_CURRENT_ROLE,
)


@dataclass(frozen=True)
class Reach:
    """The rows that an expression lets through: all, those that meet *where*, or those of *owner*'s identity.

    *where* stands beside an *owner*, too: it is the same as a condition, where that can be said.
    """

    rows: Rows
    where: str | None = None
    owner: RowOwner | None = None


def read_expression(expression: str, table: Table, catalog: Catalog) -> Reach | None:
    """What the policy *expression* of *table* lets through; None where it is not simple."""
    try:
        node = parse_sql(f"select ({expression})")[0].stmt.targetList[0].val  # type: ignore[union-attr]
    except (ParseError, AttributeError, TypeError):
        return None
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean) and node.val.boolval:
        return Reach("all")
    plain = expression if condition_problem(expression, table) is None else None
    owner = _direct(node, table) or _through(node, table, catalog)
    if owner is not None:
        return Reach("own", plain, owner)
    return Reach("all", plain) if plain is not None else None


def _direct(node: Any, table: Table) -> RowOwner | None:
    """``column = whoever asks``."""
    column = _identity_column(node, table, {table.name})
    return RowOwner((table.schema, table.name), column) if column else None


def _identity_column(node: Any, table: Table, names: set[str]) -> str | None:
    for one, other in _sides(node):
        column = _column(one, table, names)
        if column is not None and _is_whoever_asks(other):
            return column
    return None


def _sides(node: Any) -> list[tuple[Any, Any]]:
    equal = isinstance(node, ast.A_Expr) and node.kind == enums.A_Expr_Kind.AEXPR_OP
    if equal and [each.sval for each in node.name][-1:] == ["="]:
        return [(node.lexpr, node.rexpr), (node.rexpr, node.lexpr)]
    return []


def _column(node: Any, table: Table, names: set[str]) -> str | None:
    """The column of *table* that *node* is, cast or not, written bare or behind one of *names*."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    fields: Any = node.fields if isinstance(node, ast.ColumnRef) else ()
    parts = [each.sval for each in fields if isinstance(each, ast.String)]
    if not parts or len(parts) != len(fields) or parts[-1] not in {column.name for column in table.columns}:
        return None
    return parts[-1] if len(parts) == 1 or parts[-2] in names else None


class _Asking(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.columns = False
        self.asks = False

    def visit_ColumnRef(self, _ancestors: Any, _node: ast.ColumnRef) -> None:  # noqa: N802 - pglast's naming
        self.columns = True

    def visit_RangeVar(self, _ancestors: Any, _node: ast.RangeVar) -> None:  # noqa: N802
        self.columns = True

    def visit_SQLValueFunction(self, _ancestors: Any, node: ast.SQLValueFunction) -> None:  # noqa: N802
        self.asks |= node.op in _USERS

    def visit_FuncCall(self, _ancestors: Any, node: Any) -> None:  # noqa: N802
        names = [each.sval for each in node.funcname]
        foreign = len(names) == 2 and names[0] != "pg_catalog" and not node.args
        self.asks |= names[-1] == "current_setting" or foreign


def _is_whoever_asks(node: Any) -> bool:
    """Whether it is the user, a setting or what a function of the database's own says, and no column."""
    found = _Asking()
    found(node)
    return found.asks and not found.columns


def _through(node: Any, table: Table, catalog: Catalog) -> RowOwner | None:
    """``exists (select … from parent where keys are equal and parent.column = whoever asks)``, or ``in``."""
    if not isinstance(node, ast.SubLink) or not isinstance(node.subselect, ast.SelectStmt):
        return None
    select: Any = node.subselect
    parent = _only_table(select, catalog)
    if parent is None or select.whereClause is None:
        return None
    source = select.fromClause[0]
    names = {source.alias.aliasname} if source.alias else {parent.name}
    parts = _conjuncts(select.whereClause)
    pairs = [pair for each in parts if (pair := _pair(each, table, parent, names)) is not None]
    owned = [each for each in parts if _identity_column(each, parent, names)]
    if node.subLinkType == enums.SubLinkType.ANY_SUBLINK and len(select.targetList or ()) == 1:
        mine = _column(node.testexpr, table, {table.name})
        theirs = _column(select.targetList[0].val, parent, names)
        pairs += [(mine, theirs)] if mine and theirs else []
    elif node.subLinkType != enums.SubLinkType.EXISTS_SUBLINK:
        return None
    tests = len(parts) + (node.subLinkType == enums.SubLinkType.ANY_SUBLINK)
    if not pairs or len(owned) != 1 or len(pairs) + len(owned) != tests:
        return None
    return RowOwner(
        (table.schema, table.name),
        None,
        (parent.schema, parent.name),
        tuple(mine for mine, _ in pairs),
        tuple(theirs for _, theirs in pairs),
    )


def _only_table(select: Any, catalog: Catalog) -> Table | None:
    sources: tuple[Any, ...] = select.fromClause or ()
    source: Any = sources[0] if len(sources) == 1 and isinstance(sources[0], ast.RangeVar) else None
    try:
        return catalog.table(source.schemaname, source.relname) if source is not None else None
    except KeyError:
        return None


def _conjuncts(node: Any) -> list[Any]:
    both = isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.AND_EXPR
    if both:
        return [part for each in node.args for part in _conjuncts(each)]
    return [node]


def _pair(node: Any, table: Table, parent: Table, names: set[str]) -> tuple[str, str] | None:
    for one, other in _sides(node):
        mine = _column(one, table, {table.name}) if _has_prefix(one) else None
        theirs = _column(other, parent, names)
        if mine and theirs and not _prefixed_by(one, names):
            return mine, theirs
    return None


def _has_prefix(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.ColumnRef) and len(node.fields or ()) > 1


def _prefixed_by(node: Any, names: set[str]) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return len(node.fields) > 1 and node.fields[-2].sval in names
