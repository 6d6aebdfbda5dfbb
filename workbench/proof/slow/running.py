"""Statements explained: planned, or run in a transaction that is rolled back, within a time limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from pglast import parse_sql
from pglast.parser import ParseError
from pglast.stream import RawStream
from psycopg2 import sql as composed
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import Plan, rolled_back
from workbench.proof.slow.model import Explained
from workbench.proof.slow.timing import node_times
from workbench.proof.slow.tree import Tree, ast
from workbench.proof.workload.model import Statement
from workbench.proof.workload.syntax import parameter_count, runnable

_SERIALIZES = 170_000  # EXPLAIN's option serialize
_GENERIC = 160_000  # EXPLAIN's option generic_plan
_EXPLAINED = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)


def parse_statement(text: str) -> Tree:
    """The syntax tree of the one statement in *text*; raises BadInput."""
    try:
        parsed = parse_sql(text)
    except ParseError as exc:
        raise BadInput(f"it does not parse: {exc.args[0]}") from exc
    if len(parsed) != 1:
        raise BadInput(f"one statement is wanted, and there are {len(parsed)}")
    statement: Tree = parsed[0].stmt
    return statement


def parse_expression(text: str) -> Tree:
    """The syntax tree of one expression; raises BadInput."""
    parsed = parse_statement(f"select {text}")
    targets: Sequence[Tree] = (parsed.targetList or ()) if isinstance(parsed, ast.SelectStmt) else ()
    if len(targets) != 1 or targets[0].name is not None:
        raise BadInput(f"{text!r} is not one expression")
    return targets[0].val


def text_with_values(statement: Statement) -> str:
    """The statement's text with its values in place, as its author wrote it; raises BadInput.

    Where no values are known the parameters stay.
    """
    try:
        text = runnable(statement)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    if not isinstance(parse_statement(statement.sql), _EXPLAINED):
        raise BadInput("EXPLAIN takes no such statement: it has no plan")
    return str(text.string) if isinstance(text, composed.SQL) else ""


def printed(tree: Tree) -> str:
    """A syntax tree as one line of SQL.

    Raises BadInput where the text would not mean the same: pglast's printer is asked to prove itself.
    """
    text: str = RawStream()(tree)
    if without_places(parse_statement(text)) != without_places(tree):
        raise BadInput("its text cannot be made from its syntax tree")
    return text


def without_places(tree: Tree) -> Any:
    """A syntax tree as plain data, without where its parts stood in the text."""
    return _plain(tree(skip_none=True))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _plain(each)
            for key, each in value.items()
            # what is 0 or false is not always written out in a tree that was made by hand
            if each and key not in ("location", "rexpr_list_start", "rexpr_list_end")
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def explained(
    conn: Connection,
    statement: Statement,
    *,
    run: bool = False,
    timeout_s: float = 30,
    settings: Mapping[str, str] | None = None,
) -> Explained:
    """The plan of *statement*; with *run* it is executed, and whatever it does is rolled back.

    Without values for its parameters it is planned for any. Raises BadInput and psycopg2's errors.
    """
    text = text_with_values(statement)
    if statement.values is not None and not (run or settings or statement.search_path) and _idle(conn):
        return explain_text(conn, text, run=False)  # nothing to set, nothing to roll back: one question
    with limited(conn, statement, timeout_s, settings):
        if statement.values is None:
            return _generic(conn, statement)
        return explain_text(conn, text, run=run)


def _idle(conn: Connection) -> bool:
    return bool(conn.autocommit) and conn.info.transaction_status == TRANSACTION_STATUS_IDLE


@contextmanager
def limited(
    conn: Connection,
    statement: Statement,
    timeout_s: float,
    settings: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """A transaction to roll back, under the statement's search path and time limit."""
    given = {"statement_timeout": f"{max(int(timeout_s * 1000), 1)}ms", **(settings or {})}
    with rolled_back(conn, given):
        if statement.search_path:
            sql.fetch(conn, "optimization/slow/search_path.sql", {"names": list(statement.search_path)})
        yield


def explain_text(conn: Connection, text: str, *, run: bool) -> Explained:
    """The plan of the statement *text* in the transaction that is there."""
    options = ["verbose", "settings", "format json"]
    if run:
        options += ["analyze", "buffers"]
        if conn.server_version >= _SERIALIZES:
            options.append("serialize text")
    return _read(conn, ", ".join(options), composed.SQL(text))


def _generic(conn: Connection, statement: Statement) -> Explained:
    """The plan for any values of the parameters."""
    if conn.server_version >= _GENERIC:
        return _read(conn, "verbose, settings, format json, generic_plan", composed.SQL(statement.sql))
    number = parameter_count(statement.sql)
    nothing = composed.SQL(", ").join([composed.SQL("null")] * number)
    sql.fetch(
        conn,
        "proof/transaction/set_local.sql",
        {"names": ["plan_cache_mode"], "settings": ["force_generic_plan"]},
    )
    conn.execute(composed.SQL("prepare workbench_slow as ") + composed.SQL(statement.sql))
    try:
        execute = composed.SQL("execute workbench_slow({})" if number else "execute workbench_slow")
        return _read(conn, "verbose, settings, format json", execute.format(nothing))
    finally:
        conn.execute("deallocate workbench_slow")


def _read(conn: Connection, options: str, statement: composed.Composable) -> Explained:
    # without parameters, so that a % in the statement stands for itself
    row = conn.execute(composed.SQL("explain ({}) ").format(composed.SQL(options)) + statement).fetchone()
    if row is None:
        raise BadInput("EXPLAIN gave no plan: a rule rewrites the statement to nothing")
    return as_explained(row[0][0])


def as_explained(document: Mapping[str, Any]) -> Explained:
    """What EXPLAIN's JSON holds, also that of a log."""
    if "Plan" not in document:
        raise BadInput("this is no plan of EXPLAIN in JSON: it has no Plan")
    root = document["Plan"]
    out = document.get("Serialization", {})
    return Explained(
        # a log's plan has no time of its own: that of the root is all but the output
        Plan(
            root, document.get("Planning Time"), document.get("Execution Time", root.get("Actual Total Time"))
        ),
        node_times(root),
        jit_ms=float(document.get("JIT", {}).get("Timing", {}).get("Total", 0.0)),
        triggers=tuple(document.get("Triggers", ())),
        output_ms=out.get("Time"),
        output_bytes=int(out["Output Volume"]) * 1024 if "Output Volume" in out else None,
        settings=document.get("Settings", {}),
    )


def failure(exc: psycopg2.Error) -> str:
    """The server's own words in one line."""
    return " ".join((exc.diag.message_primary or str(exc) or type(exc).__name__).split())
