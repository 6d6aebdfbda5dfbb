"""Conditions of policies, read as trees: which calls are made for every row though one would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import SubLinkType
from pglast.parser import ParseError
from pglast.stream import RawStream
from pglast.visitors import Skip, Visitor
from psycopg2.extensions import quote_ident

# so cheap that nothing is gained, or of another value each time, so that once is something else
_LEFT_ALONE = frozenset(
    ["now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday", "random"]
) | {"gen_random_uuid", "uuidv4", "uuidv7", "nextval", "row", "pg_has_role"}


def evaluated_per_row(policy: Mapping[str, Any], conn: Any) -> str | None:
    """The statement that puts each such call of *policy* into a scalar subquery; None where there is none.

    *policy* has ``schema``, ``table``, ``policy``, ``qual`` and ``check``, as the server prints them.
    """
    parts = []
    for clause, condition in (("using", policy["qual"]), ("with check", policy["check"])):
        rewritten = _called_once(condition) if condition else None
        if rewritten:
            parts.append(f"{clause} ({rewritten})")
    if not parts:
        return None
    name, schema, table = (quote_ident(policy[each], conn) for each in ("policy", "schema", "table"))
    return f"alter policy {name} on {schema}.{table} {' '.join(parts)};"


def _called_once(condition: str) -> str | None:
    """*condition* with each call that does not depend on the row in a subquery; None where it has none."""
    try:
        statement: Any = parse_sql(f"select {condition}")
    except ParseError:  # of a newer grammar than the parser's
        return None
    calls = _Calls()
    calls(statement)
    return RawStream()(statement[0].stmt.targetList[0].val) if calls.wrapped else None


class _Calls(Visitor):
    wrapped = 0

    def visit_SubLink(self, _ancestors: Any, _node: Any) -> Any:  # noqa: N802 - pglast's naming
        return Skip

    def visit_FuncCall(self, _ancestors: Any, node: Any) -> Any:  # noqa: N802 - pglast's naming
        if node.funcname[-1].sval in _LEFT_ALONE or _depends_on_row(node):
            return None
        self.wrapped += 1
        chosen = ast.SelectStmt(targetList=(ast.ResTarget(val=node),))
        return ast.SubLink(subLinkType=SubLinkType.EXPR_SUBLINK, subselect=chosen)


class _Columns(Visitor):
    found = False

    def visit_ColumnRef(self, _ancestors: Any, _node: Any) -> None:  # noqa: N802 - pglast's naming
        self.found = True


def _depends_on_row(node: Any) -> bool:
    columns = _Columns()
    columns(node)
    return columns.found
