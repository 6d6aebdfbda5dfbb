"""Whether a server understands statements: PREPARE resolves names and types, and plans and runs nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back, set_local

_AT_ONCE = 100
_PREFIX = "workbench_resolve_"
_SEPARATOR = ";\n"
_SAVEPOINT = "savepoint workbench_resolve"
_BACK = "rollback to savepoint workbench_resolve"


@dataclass(frozen=True)
class Resolved:
    """A statement that the server understands; its parameters' types, qualified but for the system's."""

    parameter_types: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A statement that the server refuses: why in one line, and at which character where it says so."""

    reason: str
    at: int | None = None
    code: str = ""


Key = tuple[str, tuple[str, ...]]  # a statement's text and its search path


def resolve(conn: Connection, statements: Sequence[Key]) -> dict[Key, Resolved | Refusal]:
    """What the server says of each of *statements*, one statement each.

    A hundred are prepared at once, and each refusal takes a few more round trips; nothing is planned, run,
    or left prepared, and locks are held no longer. Names without a schema are looked for in the statement's
    search path, or the connection's where it has none. What is in a statement is read with
    standard_conforming_strings on, as pglast has read it. Where the role may say so pg_stat_statements
    does not hear of it; else it may keep a statement's text with ``prepare`` before it.
    """
    found: dict[Key, Resolved | Refusal] = {}
    settings = {"standard_conforming_strings": "on"}
    with rolled_back(conn, settings):
        sql.fetch(conn, "proof/workload/uncounted.sql")
        for path, group in groupby(sorted(set(statements), key=lambda key: key[1]), key=lambda key: key[1]):
            texts = sorted(text for text, _ in group)
            _set_search_path(conn, path)
            conn.execute(_SAVEPOINT)
            for start in range(0, len(texts), _AT_ONCE):
                for text, outcome in _prepared(conn, texts[start : start + _AT_ONCE]):
                    found[text, path] = outcome
                conn.execute(_BACK)
    return found


def _set_search_path(conn: Connection, path: tuple[str, ...]) -> None:
    if path:
        quoted = composed.SQL(", ").join([composed.Identifier(each) for each in path]).as_string(conn)
        set_local(conn, {"search_path": quoted})


def _prepared(conn: Connection, texts: Sequence[str]) -> Iterator[tuple[str, Resolved | Refusal]]:
    """Prepare *texts* together; where one is refused, those before it stay prepared, and the rest goes on.

    A mistake of grammar is found before the first is prepared.
    """
    left = list(texts)
    while left:
        error = _prepare_all(conn, left)
        prepared = _prepared_types(conn)
        yield from zip(left, prepared, strict=False)
        if error is None:
            return
        at, refusal = _refusal(error, left, len(prepared))
        yield left[at], refusal
        left = left[len(prepared) : at] + left[at + 1 :]


def _prepare_all(conn: Connection, texts: Sequence[str]) -> psycopg2.Error | None:
    """The error of the first of *texts* that is refused; those before it are prepared."""
    try:
        conn.execute(composed.SQL(_SEPARATOR.join(map(_prepare, range(len(texts)), texts))))
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        conn.execute(_BACK)
        return exc
    return None


def _prepare(number: int, text: str) -> str:
    return f"prepare {_PREFIX}{number:06} as {text}"


def _refusal(error: psycopg2.Error, texts: Sequence[str], prepared: int) -> tuple[int, Refusal]:
    """Which of *texts*, sent together, *error* is about: by its position, or the first not *prepared*."""
    reason = (error.diag.message_primary or str(error)).strip().splitlines()[0]
    code = error.diag.sqlstate or ""
    if error.diag.statement_position is None:
        return prepared, Refusal(reason, code=code)
    position = int(error.diag.statement_position) - 1
    sent = [len(_prepare(number, text)) + len(_SEPARATOR) for number, text in enumerate(texts)]
    ends = list(accumulate(sent))
    at = min(bisect_right(ends, position), len(texts) - 1)
    begin = ends[at] - sent[at] + len(_prepare(at, ""))
    return at, Refusal(reason, max(position - begin, 0), code)


def _prepared_types(conn: Connection) -> list[Resolved]:
    """The types of what is prepared, in that order, named with their schemas; nothing stays prepared."""
    rows = sql.fetch(conn, "proof/workload/prepared_types.sql", {"prefix": _PREFIX})
    if rows:  # a prepared statement outlives its transaction
        names = [composed.SQL("deallocate {}").format(composed.Identifier(row["name"])) for row in rows]
        conn.execute(composed.SQL("; ").join(names))
    return [Resolved(tuple(row["parameter_types"])) for row in rows]
