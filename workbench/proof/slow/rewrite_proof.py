"""Rewrites proved on a copy with rows: equal results, also for other values and NULLs, and less time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import psycopg2
from psycopg2 import errors
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import Contender, interleaved
from workbench.proof.slow import ranges, rewriting, subqueries
from workbench.proof.slow.comparing import (
    NOTHING,
    PARTS,
    Case,
    compare,
    compare_in_time,
    constant_at_the_bottom,
    emptied,
    in_parts,
    nulls_planted,
    other_cases,
    with_help,
)
from workbench.proof.slow.diagnosis import current_search_path
from workbench.proof.slow.model import Remedy, Rewrite
from workbench.proof.slow.rewriting import Change, Rule
from workbench.proof.slow.running import (
    explain_text,
    failure,
    limited,
    parse_expression,
    parse_statement,
    printed,
    text_with_values,
)
from workbench.proof.slow.structure import Structure
from workbench.proof.slow.syntax import Scope, all_scopes, function_names
from workbench.proof.slow.tree import Tree, ast
from workbench.proof.workload.model import Statement

NO_ROWS = (
    "the copy of a named database has its structure and no rows: "
    'give rows="generated", or rows="copied" where its rows may be read'
)
_FASTER = 1.2  # times: less can be chance
_RUNS_LEAST, _RUNS_MOST = 3, 15  # the shorter a statement, the more: a busy machine delays some
_TIMING_MS = 1_500
_MUCH_FASTER = 2.0  # than what was waited for


def _implicit_casts(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """Integers compared with 5.0 and the like: with the integer."""
    count = 0
    for place in scopes:

        def change(node: Tree, place: Scope = place) -> Tree | None:
            return ranges.implicit_numeric(node, place)

        count += rewriting.replace_conditions(place, change)
    return Change("the column is compared with a value of its own type") if count else None


RULES: Mapping[str, Rule] = {
    "function_to_range": rewriting.function_to_range,
    "implicit_cast": _implicit_casts,
    "not_in_to_not_exists": rewriting.not_in_to_not_exists,
    "count_to_exists": rewriting.count_to_exists,
    "or_to_union": rewriting.or_to_union,
    "distinct_to_exists": rewriting.distinct_to_exists,
    "distinct_unneeded": rewriting.distinct_unneeded,
    "union_to_union_all": rewriting.union_to_union_all,
    "inline_cte": rewriting.inline_cte,
    "aggregate_once": subqueries.aggregate_once,
}


def rewrites_of(
    conn: Connection,
    statement: Statement,
    structure: Structure,
    *,
    timeout_s: float,
    deadline: float,
    not_here: str = "",
    helping: Sequence[Remedy] = (),
) -> Sequence[Rewrite]:
    """The rewrites of a SELECT that the rules know, each proved on the copy behind *conn*, or refused there.

    With *not_here* nothing is run: the rewrites are listed as not proved, for that reason. *helping* are
    remedies with which a statement that does not end otherwise does.
    """
    if not statement.reads_only:
        return ()
    try:
        text = printed(parse_statement(text_with_values(statement) if statement.values else statement.sql))
    except BadInput:
        return ()
    tree = parse_statement(text)
    if not isinstance(tree, ast.SelectStmt) or _volatile(conn, tree):
        return ()
    path = tuple(statement.search_path or current_search_path(conn))
    found: list[Rewrite] = []
    for kind, rule in RULES.items():
        made = _apply(rule, text, structure, path)
        if made is None:
            continue
        change, after = made
        rewrite = Rewrite(kind, after, change.summary, caveat=change.caveat)
        why = not_here or ("" if statement.values is not None else "no values are known for its parameters")
        if not why and time.monotonic() > deadline:
            why = "the time limit was reached before it was tried"
        if why:
            found.append(replace(rewrite, why=why))
            continue
        again = _again(rule, structure, path)
        found.append(_proved(conn, statement, structure, path, text, rewrite, again, timeout_s, helping))
    if not not_here and statement.values is not None:
        paged = _keyset(conn, statement, structure, path, tree, text, timeout_s)
        found += [paged] if paged else []
    return found


def _apply(rule: Rule, text: str, structure: Structure, path: Sequence[str]) -> tuple[Change, str] | None:
    """*text* changed by *rule*, with what it did; None where it does not apply or cannot be printed."""
    tree = parse_statement(text)
    change = rewriting.rewritten(rule, tree, structure, path)
    if change is None:
        return None
    try:
        after = printed(tree)
    except BadInput:
        return None
    return (change, after) if after != text else None


def _again(rule: Rule, structure: Structure, path: Sequence[str]) -> Callable[[str], str | None]:
    def again(text: str) -> str | None:
        made = _apply(rule, text, structure, path)
        return made[1] if made else None

    return again


def _volatile(conn: Connection, tree: Tree) -> bool:
    """Whether the statement calls a function that may give another answer every time."""
    names = list(function_names(tree))
    return bool(names and sql.fetch(conn, "optimization/slow/volatile_functions.sql", {"names": names}))


# the proof


def _proved(
    conn: Connection,
    statement: Statement,
    structure: Structure,
    path: Sequence[str],
    text: str,
    rewrite: Rewrite,
    again: Callable[[str], str | None],
    timeout_s: float,
    helping: Sequence[Remedy],
) -> Rewrite:
    """The rewrite compared with the statement on the copy, and timed against it where it is equal."""
    compared: list[str] = []
    try:
        with limited(conn, statement, timeout_s):
            tree = parse_statement(text)
            scopes = all_scopes(structure, tree, path)
            given = Case("the given values", text, rewrite.sql)
            try:
                differs = compare(conn, given, compared)
            except errors.QueryCanceled:
                return _on_fewer_rows(conn, rewrite, text, scopes, timeout_s, helping)
            if differs:
                return _unequal(rewrite, compared, differs)
            for case in other_cases(conn, text, again, scopes):
                differs = compare_in_time(conn, case, compared)
                if differs:
                    return _unequal(rewrite, compared, differs)
            for edges in (nulls_planted(conn, scopes), emptied(conn, scopes)):
                with closing(edges):  # what it has prepared is undone before the transaction ends
                    for name in edges:
                        differs = compare_in_time(conn, replace(given, name=name), compared)
                        if differs:
                            return _unequal(rewrite, compared, differs)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(rewrite, verdict="rejected", equal=False, why=f"it cannot be run: {failure(exc)}")
    return _timed(conn, statement, text, replace(rewrite, equal=True, compared=tuple(compared)), timeout_s)


def _unequal(rewrite: Rewrite, compared: Sequence[str], differs: str) -> Rewrite:
    why = f"its result differs: {differs}"
    if rewrite.caveat:
        why += f"; {rewrite.caveat}"
    return replace(rewrite, verdict="rejected", equal=False, compared=tuple(compared), why=why)


# what does not end


def _on_fewer_rows(
    conn: Connection,
    rewrite: Rewrite,
    text: str,
    scopes: Sequence[Scope],
    timeout_s: float,
    helping: Sequence[Remedy],
) -> Rewrite:
    """The rewrite of a statement that does not end: compared where it does, and timed alone.

    It may end with one of the *helping* remedies, which change no result, or on a part of each table.
    """
    compared: list[str] = []
    waits = f"the statement does not end within {timeout_s:g} s"
    differs = with_help(conn, Case("the given values", text, rewrite.sql), helping, compared)
    if differs is None:
        differs = in_parts(conn, rewrite, text, scopes, compared)
    if differs is None:
        return replace(rewrite, why=f"{waits}, not on {PARTS[-1]:,} rows of each table either")
    if differs:
        return _unequal(rewrite, compared, differs)
    if NOTHING in compared[0] or ": 0 rows" in compared[0]:
        return replace(
            rewrite, compared=tuple(compared), why=f"{waits}, and on fewer rows it gives nothing to compare"
        )
    found = replace(rewrite, equal=True, compared=tuple(compared), before_ms=timeout_s * 1000)
    try:
        after = explain_text(conn, rewrite.sql, run=True)
    except errors.QueryCanceled:
        return replace(found, verdict="rejected", why=f"{waits}, nor does the rewrite")
    after_ms = (after.plan.execution_ms or 0.0) + (after.plan.planning_ms or 0.0)
    found = replace(found, after_ms=after_ms, runs=1, after=after)
    if (found.ratio or 0.0) < _MUCH_FASTER:
        return replace(found, verdict="rejected", why=f"{waits}, and the rewrite takes {after_ms:,.0f} ms")
    return replace(found, verdict="accepted", why=f"{waits}; the rewrite takes {after_ms:,.0f} ms")


# the time


def _timed(conn: Connection, statement: Statement, text: str, rewrite: Rewrite, timeout_s: float) -> Rewrite:
    """The rewrite timed against the statement, in turns; accepted where it is faster."""
    try:
        with limited(conn, statement, timeout_s):
            before = explain_text(conn, text, run=True)
            after = explain_text(conn, rewrite.sql, run=True)
            once_ms = (before.plan.execution_ms or 0.0) + (after.plan.execution_ms or 0.0)
            runs = max(_RUNS_LEAST, min(_RUNS_MOST, int(_TIMING_MS / max(once_ms, 1.0))))
            before_ms, after_ms = _medians(conn, text, rewrite.sql, runs)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(rewrite, why=f"it could not be timed: {failure(exc)}")
    made = replace(rewrite, before_ms=before_ms, after_ms=after_ms, runs=runs, before=before, after=after)
    if (made.ratio or 0.0) < _FASTER:
        return replace(
            made,
            verdict="rejected",
            why=f"it is not faster: {after_ms:,.2f} ms against {before_ms:,.2f} ms in {runs} runs",
        )
    return replace(made, verdict="accepted", why=f"{made.ratio:,.1f} times as fast in {runs} runs in turns")


def _medians(conn: Connection, before: str, after: str, runs: int) -> tuple[float, float]:
    """The median times of two statements in ms, run in turns: planning and execution by the server's clock.

    Rows are not sent, which takes the same for both; how long this process waits to be woken does not count.
    """
    times: dict[str, list[float]] = {"before": [], "after": []}

    def contender(name: str, text: str) -> Contender:
        query = composed.SQL("explain (analyze, timing off, buffers off, format json) ") + composed.SQL(text)

        def run(conn: Connection) -> None:
            found = conn.execute(query).fetchone()
            if found:
                times[name].append(found[0][0]["Planning Time"] + found[0][0]["Execution Time"])

        return Contender(run)

    interleaved(
        conn, {name: contender(name, text) for name, text in (("before", before), ("after", after))}, runs
    )
    return statistics.median(times["before"][1:]), statistics.median(times["after"][1:])


# paging


def _keyset(
    conn: Connection,
    statement: Statement,
    structure: Structure,
    path: Sequence[str],
    tree: Tree,
    text: str,
    timeout_s: float,
) -> Rewrite | None:
    """The same page by the last key of the page before it, which the caller has to hand on."""
    scopes = all_scopes(structure, tree, path)
    keys = subqueries.order_keys(tree, scopes)
    offset = constant_at_the_bottom(tree.limitOffset)
    if keys is None or offset is None or not isinstance(offset.val, ast.Integer) or not offset.val.ival:
        return None
    before = parse_statement(text)
    columns = ", ".join(name for name, _ in keys)
    # with names of their own: ORDER BY takes a bare name for that of an output column
    texts = [f"({name})::text as workbench_key_{number}" for number, (name, _) in enumerate(keys)]
    before.targetList = parse_statement(f"select {', '.join(texts)}").targetList
    before.limitCount = parse_expression("1")
    before.limitOffset = parse_expression(str(offset.val.ival - 1))
    try:
        with limited(conn, statement, timeout_s):
            last = conn.execute(composed.SQL(printed(before))).fetchone()
    except (psycopg2.Error, BadInput):
        if conn.closed:
            raise
        return None
    if last is None:
        return None
    values = ", ".join(composed.Literal(value).as_string(conn) for value in last)
    sign = "<" if keys[0][1] else ">"
    made = parse_statement(text)
    made.limitOffset = None
    seek = f"({columns}) {sign} ({values})" if len(keys) > 1 else f"{columns} {sign} {values}"
    rewriting.and_where(made, parse_expression(seek))
    rewrite = Rewrite(
        "offset_to_keyset",
        printed(made),
        "the page begins behind the last key of the page before it, instead of counting to it",
        caveat="it changes the interface: the caller hands on the last key that it saw "
        f"({columns}) instead of a number of rows, and cannot jump to any page",
    )
    compared: list[str] = []
    try:
        with limited(conn, statement, timeout_s):
            differs = compare(conn, Case("this page", text, rewrite.sql), compared)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(rewrite, why=failure(exc))
    if differs:
        return _unequal(rewrite, compared, differs)
    return _timed(conn, statement, text, replace(rewrite, equal=True, compared=tuple(compared)), timeout_s)
