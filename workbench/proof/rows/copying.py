"""Rows copied from a source that allows it: all of them, or some with all the rows that they refer to."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Catalog, Constraint, Table, quoted
from workbench.catalog.reflect import one_snapshot, reflect
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.rows.generate import resting
from workbench.proof.rows.model import MAXIMUM_ROWS, Filled, FilledTable, TableName
from workbench.proof.rows.planning import dependency_order, read_statistics
from workbench.proof.rows.validation import orphans_removed, refreshed_views, row_counts

_KEYS_AT_ONCE = 10_000
_ROUNDS = 100  # of a hierarchy that refers to itself: so many levels
_SPARSE = 4.0  # a table of so many times the limit is sampled instead of read from its beginning
_READ_WHOLE = 1_000_000.0  # rows: up to so many single rows are sampled, above it pages

Progress = Callable[[int, int, str], None]


def copy_rows(
    source: Connection,
    target: Connection,
    *,
    limit_rows: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> Filled:
    """Copy the rows of *source* into the empty tables of *target*, a scratch copy of its structure.

    *source* is read in one READ ONLY, repeatable-read transaction and nothing else happens there; call this
    only where its owner allows its rows to leave it. Rows are streamed by COPY, a table at a time, while
    triggers and foreign keys of the target rest; then foreign keys are checked, indexes built anew, sequences
    set as the source has them, all is analysed. With *limit_rows* so many rows of each table are taken, from
    random pages where a table is much larger, and all rows that they refer to. A table that could not be
    read or written is empty, and `Filled` says why. Raises BadInput for a limit that cannot be.
    """
    if limit_rows is not None and not 0 < limit_rows <= MAXIMUM_ROWS:
        raise BadInput(f"a limit of {limit_rows} rows cannot be: give 1 to {MAXIMUM_ROWS:,}")
    started = time.monotonic()
    tell = progress or (lambda done, of, what: None)
    catalog = reflect(target)
    with one_snapshot(source), resting(target):
        unchecked = _unvalidated(catalog)
        _alter(target, unchecked, "drop constraint {name}")
        filled = _copied(source, target, catalog, limit_rows, seed, tell)
        _alter(target, unchecked, "add constraint {name} {definition}")
        removed = orphans_removed(target, catalog)
        counts = row_counts(target, catalog.base_tables)
        _set_sequences(source, target)
    notes = _rebuilt(target, catalog, counts)
    notes += refreshed_views(target, catalog)
    target.execute("analyze")
    tables = [
        FilledTable(
            *name,
            max(counts.get(name, 0), 1 if why else 0),
            counts.get(name, 0),
            "; ".join(filter(None, (why, removed.get(name, "")))),
        )
        for name, why in sorted(filled.items())
    ]
    return Filled(tables, time.monotonic() - started, tuple(notes))


def _unvalidated(catalog: Catalog) -> list[tuple[Table, Constraint]]:
    """The checks that rows of the source may violate: declared NOT VALID, they hold for new rows alone."""
    return [
        (table, constraint)
        for table in catalog.base_tables
        for constraint in table.constraints
        if constraint.kind == "check" and not constraint.validated and not constraint.inherited
    ]


def _alter(target: Connection, checks: Sequence[tuple[Table, Constraint]], action: str) -> None:
    for table, constraint in checks:
        target.execute(
            composed.SQL("alter table {} ").format(composed.Identifier(table.schema, table.name))
            + composed.SQL(action).format(
                name=composed.Identifier(constraint.name), definition=composed.SQL(constraint.definition)
            )
        )


def _copied(
    source: Connection,
    target: Connection,
    catalog: Catalog,
    limit_rows: int | None,
    seed: int,
    tell: Progress,
) -> dict[TableName, str]:
    """Copy table by table, then the parents that are missing; what failed, by table."""
    tables = {(table.schema, table.name): table for table in catalog.base_tables}
    order = dependency_order(list(tables.values()))[::-1]
    sizes = read_statistics(source) if limit_rows else {}
    failures = dict.fromkeys(tables, "")
    for number, name in enumerate(order):
        tell(number, len(order), f"copying {tables[name].qualified}")
        known = sizes.get(name)
        rows = known.rows if known else None
        failures[name] = _streamed(
            source, target, tables[name], _chosen(tables[name], limit_rows, rows, seed)
        )
    if limit_rows:
        _complete(source, target, tables, failures)
    return failures


def _chosen(table: Table, limit_rows: int | None, rows: float | None, seed: int) -> composed.Composable:
    """The query for the rows of *table*: all, the first so many, or some of random pages."""
    name = composed.Identifier(table.schema, table.name)
    only = composed.SQL("" if table.kind == "partitioned table" else "only ")
    query = composed.SQL("select {} from {}{}").format(_columns(table), only, name)
    if limit_rows is None:
        return query
    if rows and rows > _SPARSE * limit_rows:
        percent = min(100.0, 150.0 * limit_rows / rows + 10_000 / rows)
        query += composed.SQL(" tablesample {} ({}) repeatable ({})").format(
            composed.SQL("system" if rows > _READ_WHOLE else "bernoulli"),
            composed.Literal(percent),
            composed.Literal(seed),
        )
    return query + composed.SQL(" limit {}").format(composed.Literal(limit_rows))


def _columns(table: Table) -> composed.Composable:
    return composed.SQL(", ").join(
        composed.Identifier(column.name) for column in table.columns if not column.generated
    )


def _streamed(source: Connection, target: Connection, table: Table, query: composed.Composable) -> str:
    """Stream what *query* gives from the source into *table*; why it failed, or ""."""
    target.execute("savepoint workbench_copied")
    source.execute("savepoint workbench_read")
    try:
        _pipe(
            source,
            composed.SQL("copy ({}) to stdout").format(query),
            target,
            composed.SQL("copy {} ({}) from stdin").format(
                composed.Identifier(table.schema, table.name), _columns(table)
            ),
        )
    except psycopg2.Error as exc:
        if target.closed or source.closed:
            raise
        target.execute("rollback to savepoint workbench_copied")
        source.execute("rollback to savepoint workbench_read")
        return " ".join((exc.diag.message_primary or str(exc)).split())
    finally:
        for conn, name in ((target, "workbench_copied"), (source, "workbench_read")):
            if not conn.closed:
                conn.execute(f"release savepoint {name}")
    return ""


def _pipe(
    source: Connection, read: composed.Composable, target: Connection, write: composed.Composable
) -> None:
    """COPY from one connection to the other through a pipe; the reader's error comes before the writer's.

    Both run in threads of their own: an interrupt that Python raises inside of COPY's file psycopg2 would
    take for an error of the file, and the run would go on.
    """
    reading, writing = os.pipe()

    def send() -> None:
        with outgoing, source.cursor() as cur:
            cur.copy_expert(read, outgoing)

    def receive() -> None:
        with target.cursor() as cur:
            try:
                cur.copy_expert(write, incoming)
            finally:
                while incoming.read(1 << 16):
                    pass  # let the sender finish, so that the source's connection can be used again

    with (
        os.fdopen(reading, "rb") as incoming,
        os.fdopen(writing, "wb") as outgoing,
        ThreadPoolExecutor(2) as threads,
    ):
        try:
            received, sent = threads.submit(receive), threads.submit(send)
            wait([received, sent])
        except BaseException:
            source.cancel()
            target.cancel()
            with contextlib.suppress(OSError, ValueError):
                outgoing.close()  # the receiver waits for its end
            raise
    sent.result()
    received.result()


def _complete(
    source: Connection,
    target: Connection,
    tables: dict[TableName, Table],
    failures: dict[TableName, str],
) -> None:
    """Fetch the parents that copied rows name and that are not there yet, and theirs, until there are all."""
    keys = [
        (table, key)
        for table in tables.values()
        for key in table.foreign_keys
        if key.references in tables and not failures.get(key.references)
    ]
    for _ in range(_ROUNDS):
        fetched = 0
        for table, key in keys:
            fetched += _fetch_parents(source, target, tables, table, key, failures)
        if not fetched:
            return


def _fetch_parents(
    source: Connection,
    target: Connection,
    tables: dict[TableName, Table],
    table: Table,
    key: Constraint,
    failures: dict[TableName, str],
) -> int:
    """Fetch the parents that rows of *table* miss by *key*, some keys a query; how many keys were missing."""
    parent = tables[key.references or ("", "")]
    if failures[parent.schema, parent.name]:
        return 0
    missing = _missing_keys(target, table, key)
    for start in range(0, len(missing), _KEYS_AT_ONCE):
        part = missing[start : start + _KEYS_AT_ONCE]
        same = composed.SQL(" and ").join(
            composed.SQL("t.{} = wanted.{}::{}").format(
                composed.Identifier(name),
                composed.Identifier(f"k{n}"),
                composed.SQL(parent.column(name).type),
            )
            for n, name in enumerate(key.referenced_columns)
        )
        arrays = composed.SQL(", ").join(
            composed.SQL("{}::text[]").format(composed.Literal([row[n] for row in part]))
            for n in range(len(key.columns))
        )
        names = composed.SQL(", ").join(composed.Identifier(f"k{n}") for n in range(len(key.columns)))
        query = composed.SQL(
            "select {columns} from {table} as t where exists"
            " (select from pg_catalog.unnest({arrays}) as wanted({names}) where {same})"
        ).format(
            columns=_columns(parent),
            table=composed.Identifier(parent.schema, parent.name),
            arrays=arrays,
            names=names,
            same=same,
        )
        if why := _streamed(source, target, parent, query):
            failures[parent.schema, parent.name] = f"parents by {quoted(key.name)}: {why}"
            return 0
    return len(missing)


def _missing_keys(target: Connection, table: Table, key: Constraint) -> Sequence[tuple[str, ...]]:
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    query = composed.SQL(
        "select distinct {texts} from {table} as child where {complete}"
        " and not exists (select from {parent} as parent where {same})"
    ).format(
        texts=composed.SQL(", ").join(
            composed.SQL("child.{}::text").format(composed.Identifier(here)) for here, _ in pairs
        ),
        table=composed.Identifier(table.schema, table.name),
        complete=composed.SQL(" and ").join(
            composed.SQL("child.{} is not null").format(composed.Identifier(here)) for here, _ in pairs
        ),
        parent=composed.Identifier(*(key.references or ())),
        same=composed.SQL(" and ").join(
            composed.SQL("parent.{} = child.{}").format(*map(composed.Identifier, (there, here)))
            for here, there in pairs
        ),
    )
    return target.execute(query).fetchall()


def _set_sequences(source: Connection, target: Connection) -> None:
    """Let the target's sequences go on where the source's are, as far as those may be read."""
    found = [row for row in sql.fetch(source, "proof/rows/sequence_values.sql") if row["last_value"]]
    sql.fetch(
        target,
        "proof/rows/set_sequences.sql",
        {
            "schemas": [row["schema"] for row in found],
            "names": [row["name"] for row in found],
            "last_values": [row["last_value"] for row in found],
        },
    )


def _rebuilt(target: Connection, catalog: Catalog, counts: dict[TableName, int]) -> list[str]:
    """Build the indexes anew, as packed as a restored dump's; what failed, in words."""
    notes = []
    for table in catalog.base_tables:
        if not counts.get((table.schema, table.name)) or not table.indexes:
            continue
        try:
            target.execute(
                composed.SQL("reindex table {}").format(composed.Identifier(table.schema, table.name))
            )
        except psycopg2.Error as exc:
            if target.closed:
                raise
            said = " ".join((exc.diag.message_primary or str(exc)).split())
            notes.append(f"the indexes of {table.qualified} were not built anew: {said}")
    return notes
