"""Whether a server understands statements: PREPARE resolves names and types, and plans and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.plans import rolled_back, set_local

_AT_ONCE = 100
_PREFIX = "workbench_resolve_"
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

    A hundred are prepared in a round trip and one more is needed for each refusal; nothing is planned,
    run, or left prepared, and locks are held for a round trip. Names without a schema are looked for in
    the statement's search path, or the connection's where it has none. What is in a statement is read
    with standard_conforming_strings on, as pglast has read it.
    """
    found: dict[Key, Resolved | Refusal] = {}
    settings = {"standard_conforming_strings": "on"}
    with rolled_back(conn, settings):
        for path, group in groupby(sorted(set(statements), key=lambda key: key[1]), key=lambda key: key[1]):
            texts = sorted(text for text, _ in group)
            for start in range(0, len(texts), _AT_ONCE):
                conn.execute(_SAVEPOINT)
                _set_search_path(conn, path)
                for text, outcome in _prepared(conn, texts[start : start + _AT_ONCE]):
                    found[text, path] = outcome
                conn.execute(_BACK)
    return found


def _set_search_path(conn: Connection, path: tuple[str, ...]) -> None:
    if path:
        quoted = composed.SQL(", ").join([composed.Identifier(each) for each in path]).as_string(conn)
        set_local(conn, {"search_path": quoted})


def _prepared(conn: Connection, texts: Sequence[str]) -> Iterator[tuple[str, Resolved | Refusal]]:
    """Prepare *texts* together; where one is refused it is left out and the others go on."""
    left = list(texts)
    while left:
        refused = _refused(conn, left)
        good = left if refused is None else left[: refused[0]]
        if refused is None:
            yield from _types(conn, good)
            return
        at, refusal = refused
        if refusal is not None:
            yield left[at], refusal
            del left[at]
            continue
        # the server does not say which: halves tell
        middle = len(left) // 2
        yield from _prepared(conn, left[:middle])
        left = left[middle:]


def _refused(conn: Connection, texts: Sequence[str]) -> tuple[int, Refusal | None] | None:
    """The first of *texts* that is refused, and how unless that is unclear; None where all are prepared."""
    conn.execute("savepoint workbench_batch")
    parts: list[str] = []
    begins: list[int] = []
    length = 0
    for number, text in enumerate(texts):
        head = f"prepare {_PREFIX}{number:06} as "
        begins.append(length + len(head))
        parts.append(head + text)
        length += len(head) + len(text) + len(";\n")
    try:
        conn.execute(composed.SQL(";\n".join(parts)))
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        conn.execute("rollback to savepoint workbench_batch")
        _forget(conn)
        return _place(exc, begins, texts)
    return None


def _place(exc: psycopg2.Error, begins: Sequence[int], texts: Sequence[str]) -> tuple[int, Refusal | None]:
    reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
    if exc.diag.statement_position is None:
        return 0, Refusal(reason, code=exc.diag.sqlstate or "") if len(texts) == 1 else None
    position = int(exc.diag.statement_position) - 1
    at = max((index for index, begin in enumerate(begins) if begin <= position), default=0)
    return at, Refusal(reason, max(position - begins[at], 0), exc.diag.sqlstate or "")


def _types(conn: Connection, texts: Sequence[str]) -> Iterator[tuple[str, Resolved]]:
    conn.execute("savepoint workbench_types")
    set_local(conn, {"search_path": ""})  # so that types bear their schemas
    rows = sql.fetch(conn, "proof/workload/prepared_types.sql", {"prefix": _PREFIX})
    conn.execute("rollback to savepoint workbench_types")
    _forget(conn)
    for text, row in zip(texts, rows, strict=True):
        yield text, Resolved(tuple(row["parameter_types"]))


def _forget(conn: Connection) -> None:
    """A prepared statement outlives a savepoint."""
    rows = sql.fetch(conn, "proof/workload/prepared_types.sql", {"prefix": _PREFIX})
    if rows:
        conn.execute(
            composed.SQL("; ").join(
                [composed.SQL("deallocate {}").format(composed.Identifier(row["name"])) for row in rows]
            )
        )
