"""The SQL conditions of rules, parsed as PostgreSQL parses them."""

from __future__ import annotations

from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

from workbench.catalog.model import Table
from workbench.errors import printable


class _Reading(Visitor):
    """What a condition refers to, and what it holds that no rule can."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[tuple[str, ...]] = []
        self.refused: list[str] = []

    def visit_ColumnRef(self, _ancestors: Any, node: ast.ColumnRef) -> None:  # noqa: N802 - pglast's naming
        parts = [each.sval if isinstance(each, ast.String) else "*" for each in node.fields or ()]
        self.columns.append(tuple(part or "" for part in parts))

    def visit_SubLink(self, _ancestors: Any, _node: ast.SubLink) -> None:  # noqa: N802
        self.refused.append(
            "a subquery, which is under the rules of its own tables: say under owners whose rows they are"
        )

    def visit_ParamRef(self, _ancestors: Any, _node: ast.ParamRef) -> None:  # noqa: N802
        self.refused.append("a parameter, for which there is no value: write the value")

    def visit_FuncCall(self, _ancestors: Any, node: ast.FuncCall) -> None:  # noqa: N802
        if node.over or node.agg_star or node.agg_distinct or node.agg_filter or node.agg_order:
            self.refused.append("an aggregate or a window function: a rule looks at one row at a time")


def condition_problem(where: str, table: Table) -> str | None:
    """Why *where* cannot be the condition of a rule about *table*, or None."""
    try:
        reading = _read(where)
    except ParseError as exc:
        said = str(exc.args[0]) if exc.args else "it cannot be parsed"
        return f"where {_shown(where)} is no SQL condition ({said}): mend it"
    if reading is None:
        return f"where {_shown(where)} is more than one condition: write one, without select and semicolon"
    if reading.refused:
        return f"where {_shown(where)} holds {reading.refused[0]}"
    names = [column.name for column in table.columns]
    for parts in reading.columns:
        if parts[-1] not in names or parts[:-1] not in ((), (table.name,), (table.schema, table.name)):
            known = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            return (
                f"where {_shown(where)} uses {printable('.'.join(parts))}, which is no column of "
                f"{table.qualified}: it has {known}"
            )
    return None


def _read(where: str) -> _Reading | None:
    """None where it is not one expression; parsed bare as well, so that no bracket of it closes ours."""
    parse_sql(f"select {where}")
    statements = parse_sql(f"select ({where})")
    statement = statements[0].stmt if len(statements) == 1 else None
    if (
        not isinstance(statement, ast.SelectStmt)
        or not statement.targetList
        or len(statement.targetList) != 1
    ):
        return None
    beyond = (statement.fromClause, statement.whereClause, statement.groupClause, statement.sortClause)
    if any(beyond) or isinstance(statement.targetList[0].val, ast.RowExpr):
        return None
    reading = _Reading()
    reading(statement.targetList[0].val)
    return reading


def _shown(where: str) -> str:
    text = " ".join(where.split())
    return printable(text if len(text) <= 60 else text[:57] + "…")
