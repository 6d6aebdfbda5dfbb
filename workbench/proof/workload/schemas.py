"""Which schemas statements without schemas mean, where the session that ran them is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pglast import ast
from psycopg2.errorcodes import UNDEFINED_TABLE

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.workload.resolve import Key, Refusal, Resolved, resolve
from workbench.proof.workload.syntax import nodes, search_path_of
from workbench.proof.workload.written import NotParsed, parsed_statement


def search_paths_found(
    conn: Connection, texts: Sequence[str], outcomes: Mapping[Key, Resolved | Refusal]
) -> dict[str, tuple[str, ...]]:
    """A search path for each of *texts* whose tables were not found in the connection's, where one is clear.

    Those that are set for the database and its roles are tried, then the one schema that has all of the
    tables that the statement names without one.
    """
    lost = [text for text in dict.fromkeys(texts) if _is_lost(outcomes.get((text, ())))]
    if not lost:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for path in _configured(conn):
        asked = [(text, path) for text in lost if text not in found]
        answers = resolve(conn, asked)
        found |= {text: path for text, _ in asked if isinstance(answers[text, path], Resolved)}
    asked = _by_names(conn, [text for text in lost if text not in found])
    answers = resolve(conn, asked)
    return found | {text: path for text, path in asked if isinstance(answers[text, path], Resolved)}


def _is_lost(outcome: Resolved | Refusal | None) -> bool:
    return isinstance(outcome, Refusal) and outcome.code == UNDEFINED_TABLE


def _configured(conn: Connection) -> list[tuple[str, ...]]:
    found = []
    for row in sql.fetch(conn, "proof/workload/search_paths.sql"):
        try:
            path = search_path_of(parsed_statement("set search_path = " + row["setting"]).tree)
        except NotParsed:
            continue
        if path:
            found.append(path)
    return list(dict.fromkeys(found))


def _by_names(conn: Connection, texts: Sequence[str]) -> list[Key]:
    names = {text: _unqualified(parsed_statement(text).tree) for text in texts}
    wanted = sorted({name for each in names.values() for name in each})
    if not wanted:
        return []
    rows = sql.fetch(conn, "proof/workload/schemas_of_names.sql", {"names": wanted})
    schemas = {row["name"]: set(row["schemas"]) for row in rows}
    behind = tuple(conn.execute("select pg_catalog.current_schemas(false)::text[]").fetchone()[0])  # type: ignore[index]
    asked = []
    for text, needed in names.items():
        holding = set.intersection(*(schemas.get(name, set()) for name in needed)) if needed else set()
        if len(holding) == 1:
            asked.append((text, (*holding, *behind)))
    return asked


def _unqualified(tree: Any) -> set[str]:
    """The tables that are named without a schema and are no common table expressions."""
    tables: set[str] = set()
    queries: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.RangeVar) and not node.schemaname:
            tables.add(node.relname or "")
        elif isinstance(node, ast.CommonTableExpr):
            queries.add(node.ctename or "")
    return tables - queries
