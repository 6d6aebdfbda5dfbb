"""An empty schema filled with rows that satisfy its constraints, from the catalog and statistics alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql as composed
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench import sql
from workbench.catalog.model import Catalog, Constraint, Table, qualified, quoted
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.errors import FeatureUnavailable
from workbench.proof.constraints.candidates import ValidLiterals
from workbench.proof.constraints.search import Condition, RowSearch
from workbench.proof.constraints.targets import Setting, read_setting
from workbench.proof.rows.drawing import Unfillable
from workbench.proof.rows.filling import TableFilling
from workbench.proof.rows.model import Filled, FilledTable, RowPlan, TableName
from workbench.proof.rows.parents import KeyTables, null_fraction
from workbench.proof.rows.planning import dependency_order, optional
from workbench.proof.rows.validation import (
    orphans_removed,
    refreshed_views,
    row_counts,
    sequences_set,
)
from workbench.proof.rows.values import chance, seed_of

Progress = Callable[[int, int, str], None]


def generate_rows(target: Connection, plan: RowPlan, *, progress: Progress | None = None) -> Filled:
    """Fill the empty tables of *target*, a scratch database of the role of *target*, as *plan* says.

    Every table is filled by one INSERT … SELECT from generate_series (some more where conditions let few
    rows pass), parents before children, foreign keys drawn from the parents with the child's skew. Triggers
    and foreign keys rest meanwhile; afterwards every foreign key is checked, and rows without their parent
    go. Sequences are set, materialized views refreshed, all is analysed. A table whose constraints could
    not be satisfied stays empty, and so do those that need rows of it: `Filled` says why. A table that has
    rows already is left as it is, what breaks a foreign key that was never validated included. Raises
    FeatureUnavailable where the role may not let triggers rest.
    """
    started = time.monotonic()
    tell = progress or (lambda done, of, what: None)
    catalog = reflect(target)
    notes: list[str] = []
    with resting(target):
        sql.run(target, ["proof/transaction/operators.sql", "proof/valid_literals.sql"])
        had_rows = {name for name, count in row_counts(target, catalog.base_tables).items() if count}
        filled = _fill(target, catalog, plan, had_rows, tell)
        removed = orphans_removed(target, catalog, left=had_rows)
        counts = row_counts(target, catalog.base_tables)
        sequences_set(target, catalog)
        target.execute("drop function pg_temp.workbench_valid_literals(text, text[])")
    notes += refreshed_views(target, catalog)
    target.execute("analyze")
    tables = [
        FilledTable(
            *name,
            wanted,
            counts.get(name, 0),
            "; ".join(filter(None, (why, removed.get(name, "")))),
        )
        for name, (wanted, why) in sorted(filled.items())
    ]
    return Filled(tables, time.monotonic() - started, tuple(notes))


@contextmanager
def resting(conn: Connection) -> Iterator[None]:
    """A transaction in which triggers, rules and foreign keys rest; committed after the block."""
    if not conn.autocommit or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
        raise ValueError("filling needs an autocommit connection outside a transaction")
    conn.execute("begin")
    try:
        try:
            sql.run(conn, ["proof/rows/resting.sql"])
        except psycopg2.errors.InsufficientPrivilege as exc:
            raise FeatureUnavailable(
                "filling tables without firing triggers",
                conn.info.user,
                hint="grant set on parameter session_replication_role to it, or name a superuser",
            ) from exc
        yield
    except BaseException:
        if not conn.closed:
            conn.execute("rollback")
        raise
    conn.execute("commit")


def _fill(
    conn: Connection, catalog: Catalog, plan: RowPlan, has_rows: set[TableName], tell: Progress
) -> dict[TableName, tuple[int, str]]:
    """Of each base table the rows that were wanted, and what stood in their way, "" where nothing did."""
    setting = read_setting(conn, catalog)
    valid = ValidLiterals(conn)
    keys = KeyTables(conn)
    tables = {(table.schema, table.name): table for table in catalog.base_tables}
    order = dependency_order(list(tables.values()))
    found: dict[TableName, tuple[int, str]] = {}
    later: list[tuple[Table, Constraint]] = []
    done: set[TableName] = set(has_rows)
    for number, name in enumerate(order):
        table, wanted = tables[name], plan.rows.get(name, 0)
        tell(number, len(order), f"filling {table.qualified}")
        if name in has_rows:
            found[name] = (wanted, "it had rows already, which were left as they are")
            continue
        if not wanted:
            found[name] = (0, "no rows were asked for")
            continue
        waiting = [key for key in table.foreign_keys if key.references not in done]
        why = _filled(conn, setting, table, valid, keys, plan, waiting)
        found[name] = (wanted, why)
        done.add(name)
        later += [(table, key) for key in waiting]
    for table, key in later:
        name = (table.schema, table.name)
        why = _given_parents(conn, table, key, keys, plan)
        if why:
            found[name] = (found[name][0], "; ".join(filter(None, (found[name][1], why))))
        keys.forget(name)
    return found


def _filled(
    conn: Connection,
    setting: Setting,
    table: Table,
    valid: ValidLiterals,
    keys: KeyTables,
    plan: RowPlan,
    waiting: Sequence[Constraint],
) -> str:
    """Fill one table; why it has no rows, or fewer, or "". What fails leaves it empty."""
    name = (table.schema, table.name)
    conn.execute("savepoint workbench_filled")
    try:
        search = RowSearch(conn, setting, table, valid)
        filling = TableFilling(
            search,
            plan.rows[name],
            plan.statistics.get(name),
            plan.seed,
            keys,
            waiting,
            _leaves(search, table),
        )
        rows = filling.fill()
    except (Unfillable, psycopg2.Error) as exc:
        if conn.closed:
            raise
        conn.execute("rollback to savepoint workbench_filled; release savepoint workbench_filled")
        for stale in list(keys._known):
            keys.forget(stale[0])  # their tables may have gone with the savepoint
        message = exc.diag.message_primary if isinstance(exc, psycopg2.Error) else str(exc)
        return " ".join(str(message or exc).split())
    conn.execute("release savepoint workbench_filled")
    return "" if rows >= plan.rows[name] else "its keys and conditions let no more rows be"


def _leaves(search: RowSearch, table: Table) -> list[Condition]:
    """What the rows of each of the table's leaf partitions satisfy; none where one takes all others."""
    if table.kind != "partitioned table":
        return []
    leaves = [each for each in search.setting.partitions(table) if each.kind != "partitioned table"]
    if not leaves:
        raise Unfillable("it is partitioned and has no partition that would take a row")
    found = [search.setting.partition_conditions.get((each.schema, each.name)) for each in leaves]
    return [search.condition(condition) for condition in found if condition]


def _given_parents(conn: Connection, table: Table, key: Constraint, keys: KeyTables, plan: RowPlan) -> str:
    """Draw the parents of rows that were there before their parents; why not, or "".

    In a table that refers to itself a row's parent stands before it, so that nothing goes round in circles.
    """
    if key.references is None:
        return ""
    own = key.references == (table.schema, table.name)
    keys.forget(key.references)
    parents = keys.of(key.references, key.referenced_columns)
    statistics = plan.statistics.get((table.schema, table.name))
    about = statistics.columns.get(key.columns[0]) if statistics and len(key.columns) == 1 else None
    nulls = null_fraction(table, key, about)
    number = composed.SQL("numbered.n")
    seed = seed_of(plan.seed, table.schema, table.name, key.name)
    place: composed.Composable = composed.SQL("pg_catalog.floor({} * {})::bigint").format(
        chance(number, seed), composed.Literal(parents.count)
    )
    if own:
        place = composed.SQL("pg_catalog.floor({} * greatest(1, own.place))::bigint").format(
            chance(number, seed)
        )
    statement = composed.SQL(
        "with numbered as (select tableoid as t, ctid as c,"
        " pg_catalog.row_number() over (order by tableoid, ctid) as n from {table}),"
        " drawn as (select numbered.t, numbered.c, {place} as place from numbered {own} where {chosen})"
        " update {table} as child set {assigned}"
        " from drawn join {keys} as parent on parent.place = drawn.place"
        " where child.tableoid = drawn.t and child.ctid = drawn.c"
    ).format(
        table=composed.Identifier(table.schema, table.name),
        place=place,
        own=_own_place(table, key, parents.table) if own else composed.SQL(""),
        chosen=composed.SQL("{} >= {}{}").format(
            chance(number, seed ^ 5),
            composed.Literal(nulls),
            composed.SQL(" and own.place > 0" if own and optional(table, key) else ""),
        ),
        assigned=composed.SQL(", ").join(
            composed.SQL("{} = parent.{}").format(composed.Identifier(name), composed.Identifier(f"k{n}"))
            for n, name in enumerate(key.columns)
        ),
        keys=composed.Identifier("pg_temp", parents.table),
    )
    conn.execute("savepoint workbench_later")
    try:
        conn.execute(statement)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        conn.execute("rollback to savepoint workbench_later; release savepoint workbench_later")
        keys.forget(key.references)
        said = " ".join((exc.diag.message_primary or str(exc)).split())
        without = "stay without parents" if optional(table, key) else "cannot have parents, and go"
        return f"the rows of {quoted(key.name)} {without}: {said}"
    conn.execute("release savepoint workbench_later")
    return ""


def _own_place(table: Table, key: Constraint, keys_table: str) -> composed.Composable:
    """The place of each row's own key among the keys of its table."""
    return composed.SQL(
        "join {table} as self on self.tableoid = numbered.t and self.ctid = numbered.c"
        " join {keys} as own on {same}"
    ).format(
        table=composed.Identifier(table.schema, table.name),
        keys=composed.Identifier("pg_temp", keys_table),
        same=composed.SQL(" and ").join(
            composed.SQL("own.{} = self.{}").format(composed.Identifier(f"k{n}"), composed.Identifier(name))
            for n, name in enumerate(key.referenced_columns)
        ),
    )


def described(filled: Filled) -> str:
    """One line: how many tables have rows, and which have none."""
    empty = ", ".join(qualified(each.schema, each.name) for each in filled.empty[:5])
    more = f" and {len(filled.empty) - 5} more" if len(filled.empty) > 5 else ""
    said = f"; without rows: {empty}{more}" if empty else ""
    return f"{len(filled.filled)} of {len(filled.tables)} tables have rows, {filled.rows:,} in all{said}"
