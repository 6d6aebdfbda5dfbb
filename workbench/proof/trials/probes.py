"""What writing costs with and without a change: rows deleted, inserted again and updated."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import qualified
from workbench.proof.plans import read_plan
from workbench.proof.trials.measure import Clock, OutOfTime
from workbench.proof.trials.model import WriteCost
from workbench.proof.trials.runs import Copy, Visible, reason
from workbench.proof.trials.take_home import Built, index_table

_ROUNDS = 3
_WIDE = 200  # columns: of wider rows fewer are written, for to take one apart costs the square of its columns
_FEWEST_ROWS = 20
_SET_ASIDE = composed.Identifier("pg_temp", "workbench_probe")
_ANALYZE = "analyze, wal, timing off, format json"
# replica: triggers and foreign keys rest; rows are fetched by their places, not by reading the table
_SETTINGS = {
    "session_replication_role": "replica",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
}


@dataclass(frozen=True)
class _Probed:
    """A table to write to: for a partitioned one its largest partition."""

    table: str
    schema: str
    name: str
    rows: float
    columns: tuple[str, ...]
    indexed: str | None  # a column that a new index holds, and no unique one
    free: str | None  # a column that no index reads

    @property
    def identifier(self) -> composed.Identifier:
        return composed.Identifier(self.schema, self.name)


@dataclass
class _Taken:
    """What was measured on one side, a figure a round."""

    us: list[float] = field(default_factory=list)
    wal_bytes: list[float] = field(default_factory=list)
    hot: list[float] = field(default_factory=list)


def write_costs(
    copy: Copy, built: Sequence[Built], without: Visible, with_change: Visible, clock: Clock, rows: int
) -> tuple[list[WriteCost], list[str]]:
    """The cost of a row written, for each table of the new indexes that are seen *with_change*.

    Some *rows* spread over the table are deleted and inserted again, and updated in place, in transactions
    that are rolled back; triggers and foreign keys rest. Inserted rows have the keys that they had, so that
    they go to all parts of an index, as random keys do; keys that only grow cost less. Also what was not
    probed, in words.
    """
    shown = [
        each for each in built if (each.index.definition.schema, each.index.name) not in with_change.hidden
    ]
    costs: list[WriteCost] = []
    left: list[str] = []
    for probed in _tables(copy, shown):
        if probed.rows <= 0:
            left.append(f"writing to {probed.table}: it has no rows")
            continue
        try:
            costs += _probe(copy, probed, without, with_change, clock, rows)
        except OutOfTime as exc:
            left.append(f"writing to {probed.table}: {exc}")
        except psycopg2.Error as exc:
            if copy.conn.closed:
                raise
            left.append(f"writing to {probed.table}: {reason(exc)}")
    return costs, left


def _tables(copy: Copy, built: Sequence[Built]) -> Iterator[_Probed]:
    columns: dict[str, list[str]] = {}
    for each in built:
        keys = [key.text for key in each.index.definition.keys if not key.is_expression]
        columns.setdefault(index_table(each.index), []).extend(keys)
    for row in sql.fetch(copy.conn, "proof/trials/probed_tables.sql", {"names": list(columns)}):
        usable = [name for name in columns[row["given"]] if name not in row["unique_columns"]]
        free = [name for name in row["columns"] if name not in row["indexed_columns"]]
        yield _Probed(
            row["given"],
            row["schema"],
            row["name"],
            row["rows"],
            tuple(row["columns"]),
            next((name for name in usable if name in row["columns"]), None),
            next(iter(free), None),
        )


def _probe(
    copy: Copy, probed: _Probed, without: Visible, with_change: Visible, clock: Clock, rows: int
) -> Iterator[WriteCost]:
    kinds: dict[str, str | None] = {
        "update indexed": probed.indexed,
        "update other": probed.free,
        "delete": "",
        "insert": "",  # of what was deleted
    }
    taken: dict[tuple[str, Visible], _Taken] = {}
    failures: dict[str, str] = {}
    counted = 0
    rows = min(rows, max(_FEWEST_ROWS, int(rows * (_WIDE / len(probed.columns)) ** 2)))
    for number in range(_ROUNDS):
        sides = (without, with_change) if number % 2 else (with_change, without)
        for visible in sides:
            settings = {**_SETTINGS, "statement_timeout": f"{int(clock.statement_s() * 1000)}ms"}
            with copy.hiding(visible, settings):
                counted = _set_aside(copy, probed, rows)
                for kind, column in kinds.items():
                    if column is None or kind in failures or not counted:
                        continue
                    figures = taken.setdefault((kind, visible), _Taken())
                    if failed := _written(copy, probed, kind, column, counted, figures):
                        failures[kind] = failed
    copy.conn.execute(composed.SQL("vacuum {}").format(probed.identifier))
    for kind, column in kinds.items():
        before, after = (taken.get((kind, side), _Taken()) for side in (without, with_change))
        why = failures.get(kind, "")
        if column is None:
            why = (
                "each column of the new indexes is in a unique one, too"
                if kind == "update indexed"
                else "an index reads each column"
            )
        yield _cost(probed, kind, column or "", counted, before, after, why)


def _cost(
    probed: _Probed, kind: str, column: str, rows: int, before: _Taken, after: _Taken, why: str
) -> WriteCost:
    def median(values: list[float]) -> float | None:
        return statistics.median(values) if values and not why else None

    updates = kind.startswith("update")
    return WriteCost(
        qualified(probed.schema, probed.name),
        kind,  # type: ignore[arg-type]
        rows,
        column,
        median(before.us),
        median(after.us),
        median(before.wal_bytes),
        median(after.wal_bytes),
        median(before.hot) if updates else None,
        median(after.hot) if updates else None,
        why,
    )


def _set_aside(copy: Copy, probed: _Probed, rows: int) -> int:
    """Some rows of the table in a temporary one, with their places; how many."""
    percent = min(100.0, 120.0 * rows / probed.rows)
    copy.conn.execute(
        composed.SQL(
            "create temporary table workbench_probe on commit drop as"
            " select t.ctid as place, t as stored from only {} as t tablesample bernoulli ({}) repeatable (1)"
            " limit {}"
        ).format(probed.identifier, composed.Literal(percent), composed.Literal(rows))
    )
    copy.conn.execute(composed.SQL("analyze {}").format(_SET_ASIDE))
    row = copy.conn.execute(composed.SQL("select pg_catalog.count(*) from {}").format(_SET_ASIDE)).fetchone()
    return int(row[0]) if row else 0


def _written(copy: Copy, probed: _Probed, kind: str, column: str, counted: int, figures: _Taken) -> str:
    """One statement measured; why it could not be, or "". Only a deletion stays, for the insertion."""
    copy.conn.execute("savepoint workbench_written")
    try:
        before = copy.counters()
        plan = read_plan(copy.conn, _ANALYZE, _statement(probed, kind, column))
        after = copy.counters()
    except psycopg2.Error as exc:
        if copy.conn.closed or isinstance(exc, psycopg2.errors.QueryCanceled):
            raise
        copy.conn.execute("rollback to savepoint workbench_written; release savepoint workbench_written")
        return reason(exc)
    if kind == "delete":
        copy.conn.execute("release savepoint workbench_written")
    else:
        copy.conn.execute("rollback to savepoint workbench_written; release savepoint workbench_written")
    figures.us.append((plan.execution_ms or 0.0) * 1000 / counted)
    figures.wal_bytes.append(float(plan.root.get("WAL Bytes", 0)) / counted)
    if updated := after[0] - before[0]:
        figures.hot.append((after[1] - before[1]) / updated)
    return ""


def _statement(probed: _Probed, kind: str, column: str) -> composed.Composable:
    names = [composed.Identifier(name) for name in probed.columns]
    parts = {
        "table": probed.identifier,
        "probe": _SET_ASIDE,
        "columns": composed.SQL(", ").join(names),
        "stored": composed.SQL(", ").join(composed.SQL("(stored).{}").format(name) for name in names),
        "column": composed.Identifier(column) if column else composed.SQL(""),
    }
    return composed.SQL(_STATEMENTS[kind]).format(**parts)


_STATEMENTS = {
    "delete": "delete from only {table} where ctid = any (array(select place from {probe}))",
    "insert": "insert into {table} ({columns}) overriding system value select {stored} from {probe}",
    "update other": (
        "update only {table} set {column} = {column} where ctid = any (array(select place from {probe}))"
    ),
    "update indexed": (
        "update only {table} as t set {column} = s.other from ("
        " select place, coalesce(lead((stored).{column}) over w, first_value((stored).{column}) over w)"
        " as other from {probe} window w as (order by place)) as s"
        " where t.ctid = s.place and t.{column} is distinct from s.other"
    ),
}
