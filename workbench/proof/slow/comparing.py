"""The results of two statements compared on a copy with rows: for other values, NULLs, fewer rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from workbench.proof.plans import rolled_back
from workbench.proof.slow import conditions, rewriting
from workbench.proof.slow.model import Remedy, Rewrite
from workbench.proof.slow.running import parse_expression, parse_statement, printed
from workbench.proof.slow.syntax import Scope, common_tables
from workbench.proof.slow.tree import Tree, ast

PARTS = (20_000, 2_000, 200)  # rows of each table, where all are too many
NOTHING = "nothing but NULLs"
_SAMPLES = 2
_ROWS_LOOKED_AT = 1000
_NULLS = 20
_EMPTIED = 4  # tables at most


@dataclass(frozen=True)
class Case:
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


def compare(conn: Connection, case: Case, compared: list[str]) -> str:
    """How the results of a case differ, empty where they do not; it is noted in *compared*."""
    with rolled_back_on_error(conn):
        before, after = _digest(conn, case.before), _digest(conn, case.after)
    if before.content != after.content:
        return f"{case.name}: {before.rows:,} rows and {after.rows:,}" + (
            " of other content" if before.rows == after.rows else ""
        )
    told = ", in the same order" if before.rows > 1 and before.order == after.order else ""
    if before.rows and not before.told:
        told = f" with {NOTHING}"
    compared.append(f"{case.name}: {before.rows:,} row{'' if before.rows == 1 else 's'}{told}")
    return ""


def compare_in_time(conn: Connection, case: Case, compared: list[str]) -> str:
    """As `compare`; a case that does not end is left out, and said to be."""
    try:
        return compare(conn, case, compared)
    except errors.QueryCanceled:
        compared.append(f"{case.name}: left out, for it did not end")
        return ""


def _digest(conn: Connection, text: str) -> _Digest:
    """The rows of a query as a multiset and as a sequence, hashed where they are."""
    query = composed.SQL(sql.read("optimization/slow/digest.sql")).format(query=composed.SQL(text))
    rows, told, first, second, order = conn.execute(query).fetchone() or (0, 0, None, None, None)
    return _Digest(rows, told, (rows, first, second), order)


# other values


def other_cases(
    conn: Connection, text: str, again: Callable[[str], str | None], scopes: Sequence[Scope]
) -> Iterator[Case]:
    """The statement with other values that the data has."""
    for number, other in enumerate(_with_other_values(conn, scopes), start=1):
        made = again(other)
        if made is not None and other != text:
            yield Case(f"other values {number}", other, made)


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
                constant = constant_at_the_bottom(other)
                held = conditions.columns_in(side) if isinstance(side, ast.Node) else []
                named = place.resolve(held[0]) if len(held) == 1 else None
                if constant is not None and named and named[0].table:
                    found.append(_Constant(constant, named[0].table, conditions.without_alias(side)))

        rewriting.replace_conditions(place, look)
    return found


def constant_at_the_bottom(node: Any) -> Tree | None:
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


def nulls_planted(conn: Connection, scopes: Sequence[Scope]) -> Generator[str]:
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


def emptied(conn: Connection, scopes: Sequence[Scope]) -> Generator[str]:
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


# what does not end


def with_help(conn: Connection, case: Case, helping: Sequence[Remedy], compared: list[str]) -> str | None:
    """How the results differ with an index that makes the statement end; None where none does."""
    for remedy in helping:
        try:
            with _savepoint(conn):
                for each in remedy.statements:
                    conn.execute(each)
                return compare(conn, replace(case, name=f"{case.name}, with an index"), compared)
        except (errors.QueryCanceled, psycopg2.errors.InsufficientPrivilege):
            continue
    return None


def in_parts(
    conn: Connection, rewrite: Rewrite, text: str, scopes: Sequence[Scope], compared: list[str]
) -> str | None:
    """How the results differ on a part of each table, the largest on which both end; None where none is."""
    for rows in PARTS:
        try:
            with _savepoint(conn):
                parts = _in_part(conn, scopes, rows)
                before, after = (_of_parts(each, parts) for each in (text, rewrite.sql))
                case = Case(f"the first {rows:,} rows of each table", before, after)
                return compare(conn, case, compared)
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
