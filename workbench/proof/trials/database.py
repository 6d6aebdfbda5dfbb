"""A copy with rows to try changes on, and how its rows came there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import psycopg2

from workbench import sql
from workbench.catalog.model import qualified
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.rows import Filled, copy_rows, described, generate_rows, plan_rows, read_statistics
from workbench.proof.rows.generate import Progress
from workbench.proof.rows.validation import row_counts
from workbench.proof.trials.runs import reason
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
    opened: OpenSource,
    rows: RowsFrom = "own",
    *,
    settings: Mapping[str, str] | None = None,
    rows_each: int = 10_000,
    scale: float = 1.0,
    limit_rows: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> Iterator[TrialDatabase]:
    """A copy of *opened* with rows, dropped after the block.

    *rows* "own" are those of the example or of a file; "copied" are read from a named database, which its
    owner must allow, at most *limit_rows* of a table with what they refer to; "generated" are made from the
    catalog and from the source's statistics times *scale*, *rows_each* for a table that has none. *settings*
    (``work_mem``) hold for the session; the planner's own are those of the source, where it is a named one.
    Raises BadInput where the source has no rows of its own that a copy would have, or has some where they
    are to be generated.
    """
    if rows == "own" and opened.read_only:
        raise BadInput(
            f"{opened.source.spec}: the rows of a named database are not copied unasked: "
            'try with rows="generated", or with rows="copied" where its rows may be read'
        )
    if rows == "copied" and not opened.read_only:
        raise BadInput(f'{opened.source.spec}: its copy has its rows already: try with rows="own"')
    with opened.scratch() as conn:
        notes: tuple[str, ...] = ()
        rows_from = "the source's own rows"
        if rows == "copied":
            filled = copy_rows(opened.connection, conn, limit_rows=limit_rows, seed=seed, progress=progress)
            rows_from, notes = _copied(filled, limit_rows)
        elif rows == "generated":
            filled = _generated(opened, conn, rows_each, scale, seed, progress)
            rows_from, notes = f"rows made with seed {seed}: {described(filled)}", _shortfalls(filled)
        elif rows != "own":
            raise BadInput(f"rows {rows!r} are none of own, generated, copied")
        taken = {**_planner_settings(opened), **(settings or {})}
        yield prepared(conn, rows_from, opened.proved_on, settings=taken, notes=notes)


def _generated(
    opened: OpenSource, conn: Connection, rows_each: int, scale: float, seed: int, progress: Progress | None
) -> Filled:
    catalog = reflect(conn)
    with_rows = [name for name, count in row_counts(conn, catalog.base_tables).items() if count]
    if with_rows:
        raise BadInput(
            f"{opened.source.spec} has rows of its own, in {qualified(*with_rows[0])} for one: "
            'try with rows="own"'
        )
    statistics = read_statistics(opened.connection) if opened.read_only else None
    plan = plan_rows(catalog, statistics=statistics, scale=scale, rows=rows_each, seed=seed)
    return generate_rows(conn, plan, progress=progress)


def _copied(filled: Filled, limit_rows: int | None) -> tuple[str, tuple[str, ...]]:
    limit = f", at most {limit_rows:,} of a table and what they refer to" if limit_rows else ""
    return f"rows copied from the source{limit}: {filled.rows:,}", _shortfalls(filled)


def _shortfalls(filled: Filled) -> tuple[str, ...]:
    found = (f"{table.qualified}: {table.why}" for table in filled.tables if table.why and not table.rows)
    return (*found, *filled.notes)


def _planner_settings(opened: OpenSource) -> dict[str, str]:
    """The settings of a named source that decide plans and that any session may set."""
    if not opened.read_only:
        return {}
    rows = sql.fetch(opened.connection, "proof/trials/planner_settings.sql")
    return {row["name"]: row["setting"] for row in rows}


def prepared(
    conn: Connection,
    rows_from: str,
    engine: str,
    *,
    settings: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> TrialDatabase:
    """The database of *conn*, vacuumed and analysed, its session without JIT and with *settings*.

    Raises BadInput for a setting that the server refuses.
    """
    for name, value in {"jit": "off", **(settings or {})}.items():
        try:
            conn.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])
        except psycopg2.Error as exc:
            raise BadInput(f"the setting {name} cannot be {value!r}: {reason(exc)}") from exc
    conn.execute("set client_min_messages = error")
    conn.execute("vacuum (analyze)")
    found = {row["name"]: row["setting"] for row in sql.fetch(conn, "proof/trials/settings.sql")}
    (row,) = sql.fetch(conn, "proof/trials/has_rows.sql")
    notes = (
        () if row["tables"] == 0 or row["filled"] else ("no table has a row: nothing here can be told apart",)
    )
    if not row["filled"]:
        notes = (*notes, "no table has a row: nothing that is measured here means anything")
    return TrialDatabase(conn, rows_from, engine, found, notes)
