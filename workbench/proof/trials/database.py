"""A copy with rows to try changes on, and how its rows came there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import rolled_back
from workbench.source import OpenSource

RowsFrom = Literal["own", "generated", "copied"]


@dataclass
class TrialDatabase:
    """A scratch copy that is analysed and vacuumed, with the owner's autocommit *connection*.

    *rows_from* says in words how its rows came there, *settings* are those of the planner and of the memory.
    """

    connection: Connection
    rows_from: str
    engine: str
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@contextmanager
def trial_database(
    opened: OpenSource, rows: RowsFrom = "own", *, settings: Mapping[str, str] | None = None
) -> Iterator[TrialDatabase]:
    """A copy of *opened* with rows, dropped after the block.

    *rows* "own" are those of the example or of a file. *settings* (``work_mem``) hold for the session.
    Raises BadInput where the source has no rows of its own that a copy would have.
    """
    if rows == "own" and opened.read_only:
        raise BadInput(
            f"{opened.source.spec}: the rows of a named database are not copied unasked: "
            'try with rows="generated", or with rows="copied" where its rows may be read'
        )
    with opened.scratch() as conn:
        rows_from = {"own": "the source's own rows"}[rows]
        yield prepared(conn, rows_from, opened.proved_on, settings=settings)


def prepared(
    conn: Connection, rows_from: str, engine: str, *, settings: Mapping[str, str] | None = None
) -> TrialDatabase:
    """The database of *conn*, vacuumed and analysed, its session without JIT and with *settings*."""
    for name, value in {"jit": "off", **(settings or {})}.items():
        conn.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])
    conn.execute("set client_min_messages = error")
    conn.execute("vacuum (analyze)")
    found = {row["name"]: row["setting"] for row in sql.fetch(conn, "proof/trials/settings.sql")}
    with rolled_back(conn):
        (row,) = sql.fetch(conn, "proof/trials/has_rows.sql")
    notes = (
        () if row["tables"] == 0 or row["filled"] else ("no table has a row: nothing here can be told apart",)
    )
    return TrialDatabase(conn, rows_from, engine, found, notes)
