"""Rewrites proved on a copy with rows: equal results, also for other values and NULLs, and less time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from pglast.visitors import Visitor
from psycopg2 import errors
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Table
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import Contender, interleaved, rolled_back
from workbench.proof.slow import conditions, ranges, rewriting, subqueries
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
from workbench.proof.slow.syntax import Scope, all_scopes, common_tables, function_names
from workbench.proof.slow.tree import Tree, ast
from workbench.proof.workload.model import Statement

NO_ROWS = (
    "the copy of a named database has its structure and no rows: "
    'give rows="generated", or rows="copied" where its rows may be read'
)
_FASTER = 1.2  # times: less can be chance
_RUNS_LEAST, _RUNS_MOST = 3, 15  # the shorter a statement, the more: a busy machine delays some
_TIMING_MS = 1_500
_SAMPLES = 2
_ROWS_LOOKED_AT = 1000
_NULLS = 20
_EMPTIED = 4  # tables at most
_PARTS = (20_000, 2_000, 200)  # rows of each table, where all are too many
_NOTHING = "nothing but NULLs"
_MUCH_FASTER = 2.0  # than what was waited for


def _implicit_casts(tree: Tree, scopes: Sequence[Scope]) -> Change | None:
    """Integers compared with 5.0 and the like: with the integer."""
    count = 0
    for place in scopes:

        def change(node: Tree, place: Scope = place) -> Tree | None:
            return ranges.implicit_numeric(node, place)

        count += rewriting._replace_conditions(place, change)
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


@dataclass(frozen=True)
class _Case:
    """Two texts that should give the same rows, and on what."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class _Digest:
    rows: int
    told: int  # the rows that hold anything but NULLs
    content: tuple[Any, ...]
    order: Any


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
            given = _Case("the given values", text, rewrite.sql)
            try:
                differs = _compare(conn, given, compared)
            except errors.QueryCanceled:
                return _on_fewer_rows(conn, rewrite, text, scopes, timeout_s, helping)
            if differs:
                return _unequal(rewrite, compared, differs)
            for case in _other_cases(conn, text, again, scopes):
                differs = _compare_in_time(conn, case, compared)
                if differs:
                    return _unequal(rewrite, compared, differs)
            for edges in (_nulls_planted(conn, scopes), _emptied(conn, scopes)):
                with closing(edges):  # what it has prepared is undone before the transaction ends
                    for name in edges:
                        differs = _compare_in_time(conn, replace(given, name=name), compared)
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


def _compare(conn: Connection, case: _Case, compared: list[str]) -> str:
    """How the results of a case differ, empty where they do not; it is noted in *compared*."""
    with rolled_back_on_error(conn):
        before, after = _digest(conn, case.before), _digest(conn, case.after)
    if before.content != after.content:
        return f"{case.name}: {before.rows:,} rows and {after.rows:,}" + (
            " of other content" if before.rows == after.rows else ""
        )
    told = ", in the same order" if before.rows > 1 and before.order == after.order else ""
    if before.rows and not before.told:
        told = f" with {_NOTHING}"
    compared.append(f"{case.name}: {before.rows:,} row{'' if before.rows == 1 else 's'}{told}")
    return ""


def _compare_in_time(conn: Connection, case: _Case, compared: list[str]) -> str:
    """As `_compare`; a case that does not end is left out, and said to be."""
    try:
        return _compare(conn, case, compared)
    except errors.QueryCanceled:
        compared.append(f"{case.name}: left out, for it did not end")
        return ""


def _digest(conn: Connection, text: str) -> _Digest:
    """The rows of a query as a multiset and as a sequence, hashed where they are."""
    query = composed.SQL(sql.read("optimization/slow/digest.sql")).format(query=composed.SQL(text))
    rows, told, first, second, order = conn.execute(query).fetchone() or (0, 0, None, None, None)
    return _Digest(rows, told, (rows, first, second), order)


def _other_cases(
    conn: Connection, text: str, again: Callable[[str], str | None], scopes: Sequence[Scope]
) -> Iterator[_Case]:
    """The statement with other values that the data has."""
    for number, other in enumerate(_with_other_values(conn, scopes), start=1):
        made = again(other)
        if made is not None and other != text:
            yield _Case(f"other values {number}", other, made)


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
    differs = _with_help(conn, _Case("the given values", text, rewrite.sql), helping, compared)
    if differs is None:
        differs = _in_parts(conn, rewrite, text, scopes, compared)
    if differs is None:
        return replace(rewrite, why=f"{waits}, not on {_PARTS[-1]:,} rows of each table either")
    if differs:
        return _unequal(rewrite, compared, differs)
    if _NOTHING in compared[0] or ": 0 rows" in compared[0]:
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


def _with_help(conn: Connection, case: _Case, helping: Sequence[Remedy], compared: list[str]) -> str | None:
    """How the results differ with an index that makes the statement end; None where none does."""
    for remedy in helping:
        try:
            with _savepoint(conn):
                for each in remedy.statements:
                    conn.execute(each)
                return _compare(conn, replace(case, name=f"{case.name}, with an index"), compared)
        except (errors.QueryCanceled, psycopg2.errors.InsufficientPrivilege):
            continue
    return None


def _in_parts(
    conn: Connection, rewrite: Rewrite, text: str, scopes: Sequence[Scope], compared: list[str]
) -> str | None:
    """How the results differ on a part of each table, the largest on which both end; None where none is."""
    for rows in _PARTS:
        try:
            with _savepoint(conn):
                parts = _in_part(conn, scopes, rows)
                before, after = (_of_parts(each, parts) for each in (text, rewrite.sql))
                case = _Case(f"the first {rows:,} rows of each table", before, after)
                return _compare(conn, case, compared)
        except errors.QueryCanceled:
            continue
    return None


def _in_part(conn: Connection, scopes: Sequence[Scope], rows: int) -> Mapping[tuple[str, str], str]:
    """A temporary table with a part of the rows of each table, by schema and name."""
    found = {}
    for number, table in enumerate(_tables(scopes)):
        name = f"workbench_part_{number}"
        query = composed.SQL("create temporary table {} as select * from {} limit {}").format(
            composed.Identifier(name),
            composed.Identifier(table.schema, table.name),
            composed.Literal(rows),
        )
        conn.execute(query)
        found[table.schema, table.name] = name
    if found:
        names = composed.SQL(", ").join(map(composed.Identifier, found.values()))
        conn.execute(composed.SQL("analyze {}").format(names))
    return found


def _of_parts(text: str, parts: Mapping[tuple[str, str], str]) -> str:
    """The statement with the parts in the place of the tables."""
    tree = parse_statement(text)
    hidden = common_tables(tree)
    by_name = {name: part for (_, name), part in parts.items() if name not in hidden}

    class _Tables(Visitor):
        def visit_RangeVar(self, ancestors: Any, node: Tree) -> None:  # noqa: N802 - pglast's name
            part = parts.get((node.schemaname or "", node.relname))
            if part is None and not node.schemaname:
                part = by_name.get(node.relname)
            if part is not None:
                node.alias = node.alias or ast.Alias(aliasname=node.relname)
                node.schemaname, node.relname = "pg_temp", part

    _Tables()(tree)
    return printed(tree)


# other values


@dataclass(frozen=True)
class _Constant:
    """A constant that is compared with an expression of one table's column."""

    node: Tree
    table: Table
    expression: str


def _constants(scopes: Sequence[Scope]) -> list[_Constant]:
    found: list[_Constant] = []
    for place in scopes:

        def look(node: Tree, place: Scope = place) -> None:
            for side, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
                constant = _bottom(other)
                held = conditions.columns_in(side) if isinstance(side, ast.Node) else []
                named = place.resolve(held[0]) if len(held) == 1 else None
                if constant is not None and named and named[0].table:
                    found.append(_Constant(constant, named[0].table, conditions.without_alias(side)))

        rewriting._replace_conditions(place, look)
    return found


def _bottom(node: Any) -> Tree | None:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return node if isinstance(node, ast.A_Const) and not node.isnull else None


def _with_other_values(conn: Connection, scopes: Sequence[Scope]) -> Iterator[str]:
    """The statement with the values of other rows for its constants: one query a table to find them."""
    wanted = _constants(scopes)
    if not wanted:
        return
    values: dict[int, Sequence[str | None]] = {}
    for table in {each.table.qualified: each.table for each in wanted}.values():
        numbers = [number for number, each in enumerate(wanted) if each.table is table]
        expressions = [composed.SQL("({})::text").format(composed.SQL(wanted[n].expression)) for n in numbers]
        query = composed.SQL(sql.read("optimization/slow/sample_values.sql")).format(
            expressions=composed.SQL(", ").join(expressions),
            table=composed.Identifier(table.schema, table.name),
            looked_at=composed.Literal(_ROWS_LOOKED_AT),
            most=composed.Literal(_SAMPLES),
        )
        try:
            with rolled_back(conn):
                rows = conn.execute(query).fetchall()
        except psycopg2.Error:
            if conn.closed:
                raise
            continue
        for place, number in enumerate(numbers):
            values[number] = [row[0][place] for row in rows]
    originals = [each.node.val for each in wanted]
    for sample in range(_SAMPLES):
        try:
            for number, each in enumerate(wanted):
                found = values.get(number, ())
                text_found = found[sample] if sample < len(found) else None
                each.node.val = _like(originals[number], text_found)
            made = _printed_again(scopes)
        finally:
            for each, original in zip(wanted, originals, strict=True):
                each.node.val = original
        if made is not None:
            yield made


def _like(original: Tree, value: str | None) -> Tree:
    """*value* as a constant of the kind of *original*; the original where it is none."""
    if value is None:
        return original
    if isinstance(original, ast.String):
        return ast.String(sval=value)
    try:
        made = parse_expression(value)
    except BadInput:
        return original
    val = getattr(made, "val", None)
    return val if isinstance(val, ast.Integer | ast.Float) else original


def _printed_again(scopes: Sequence[Scope]) -> str | None:
    try:
        return printed(scopes[0].query)
    except BadInput:
        return None


# edge cases


def _tables(scopes: Sequence[Scope]) -> list[Table]:
    found = {
        entry.table.qualified: entry.table
        for place in scopes
        for entry in place.entries
        if entry.table and entry.table.kind in ("table", "partitioned table")
    }
    return list(found.values())


def _nulls_planted(conn: Connection, scopes: Sequence[Scope]) -> Generator[str]:
    """Once with NULL in the nullable columns that the statement names, in some rows of each table."""
    used: dict[str, set[str]] = {}
    for place in scopes:
        for reference in conditions.columns_in(place.query):
            named = place.resolve(reference)
            if named and named[1].nullable and not named[1].generated and named[0].table:
                used.setdefault(named[0].table.qualified, set()).add(named[1].name)
    planted: list[str] = []
    with _savepoint(conn):
        _without_triggers(conn)
        for table in _tables(scopes):
            columns = sorted(used.get(table.qualified, ()))
            planted += [name for name in columns if _plant(conn, table, name)]
        if planted:
            yield f"with NULLs in {', '.join(sorted(set(planted)))}"


def _plant(conn: Connection, table: Table, column: str) -> bool:
    query = composed.SQL(sql.read("optimization/slow/plant_nulls.sql")).format(
        table=composed.Identifier(table.schema, table.name),
        column=composed.Identifier(column),
        looked_at=composed.Literal(_ROWS_LOOKED_AT),
        most=composed.Literal(_NULLS),
    )
    try:
        with rolled_back_on_error(conn):
            conn.execute(query)
    except psycopg2.Error:
        if conn.closed:
            raise
        return False  # a constraint or a trigger keeps it from being null
    return True


def _emptied(conn: Connection, scopes: Sequence[Scope]) -> Generator[str]:
    """Each table of the statement without rows, one after the other."""
    tables = _tables(scopes)
    for table in tables[:_EMPTIED] if len(scopes) > 1 or len(tables) > 1 else []:
        with _savepoint(conn):
            try:
                with rolled_back_on_error(conn):
                    name = composed.Identifier(table.schema, table.name)
                    conn.execute(composed.SQL("truncate table {} cascade").format(name))
            except psycopg2.Error:
                if conn.closed:
                    raise
                continue
            yield f"with {table.qualified} empty"


@contextmanager
def _savepoint(conn: Connection) -> Iterator[None]:
    conn.execute("savepoint workbench_edge")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_edge; release savepoint workbench_edge")


@contextmanager
def rolled_back_on_error(conn: Connection) -> Iterator[None]:
    """A savepoint that keeps what was done unless it failed."""
    conn.execute("savepoint workbench_try")
    try:
        yield
    except BaseException:
        if not conn.closed:
            conn.execute("rollback to savepoint workbench_try; release savepoint workbench_try")
        raise
    conn.execute("release savepoint workbench_try")


def _without_triggers(conn: Connection) -> None:
    """Triggers rest, where this role may say so: what they would refuse is no question here."""
    try:
        with rolled_back_on_error(conn):
            conn.execute("set local session_replication_role = replica")
    except psycopg2.errors.InsufficientPrivilege:
        pass


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
    offset = _bottom(tree.limitOffset)
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
    rewriting._and_where(made, parse_expression(seek))
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
            differs = _compare(conn, _Case("this page", text, rewrite.sql), compared)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(rewrite, why=failure(exc))
    if differs:
        return _unequal(rewrite, compared, differs)
    return _timed(conn, statement, text, replace(rewrite, equal=True, compared=tuple(compared)), timeout_s)
