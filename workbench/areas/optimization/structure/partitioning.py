"""Whether partitioning a large table pays for a workload: candidates, and what each trial showed.

A candidate is said only where most of the workload reads few of the partitions and runs no slower. What was
tried in vain is told as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import psycopg2
from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

from workbench.areas.optimization.structure.model import AREA, Limits, Structure, TableFacts
from workbench.areas.optimization.structure.wording import in_bytes, percent
from workbench.proof.findings import Evidence, Finding
from workbench.proof.workload.model import Statement, Workload

PARTITIONING = "partitioning"
_MOMENTS = ("date", "timestamp without time zone", "timestamp with time zone")
_TENANTS = ("smallint", "integer", "bigint", "uuid", "text", "character varying")
_MOST_CANDIDATES = 3
_PRUNED_SHARE = 0.5
# a range also makes old rows cheap to remove, and may cost a little; a hash has nothing but speed to give
_SLOWEST = {"range": 1.1, "hash": 0.7}
Way = Literal["range", "hash"]


@dataclass(frozen=True)
class Candidate:
    """A way to partition a table: by ranges of time, or by the hash of a tenant's key."""

    table: TableFacts
    column: str
    column_title: str
    type: str
    way: Way


@dataclass(frozen=True)
class StatementTrial:
    """A statement on the whole table and on the partitioned one; times are medians in ms.

    *scanned* partitions are those that its plan reads, once it is known which can hold its rows.
    """

    name: str
    weight: float
    scanned: int
    partitions: int
    planning_before_ms: float
    planning_after_ms: float
    execution_before_ms: float | None = None
    execution_after_ms: float | None = None

    @property
    def is_pruned(self) -> bool:
        return self.scanned <= self.partitions / 2


@dataclass(frozen=True)
class PartitionTrial:
    """What became of one candidate; *refused* says why it could not be tried, *untried* which statements."""

    candidate: Candidate
    partitions: int = 0
    rows: int = 0
    statements: Sequence[StatementTrial] = ()
    keys_lost: Sequence[str] = ()
    delete_ms: float | None = None
    delete_wal_bytes: int | None = None
    drop_ms: float | None = None
    drop_wal_bytes: int | None = None
    refused: str = ""
    untried: Sequence[str] = ()
    bounds: Sequence[str] = field(default=(), repr=False)

    @property
    def pruned_share(self) -> float:
        """The share of the workload, by weight, that reads half of the partitions or fewer."""
        weight = sum(each.weight for each in self.statements)
        return sum(each.weight for each in self.statements if each.is_pruned) / weight if weight else 0.0

    def total_ms(self, part: str) -> float | None:
        """The sum of the statements' times, by weight; None where none was run."""
        times = [
            each.weight * value for each in self.statements if (value := getattr(each, part)) is not None
        ]
        return float(sum(times)) if times else None

    @property
    def time_ratio(self) -> float | None:
        """Planning and execution of what was run, after over before; None where nothing was."""
        run = [
            (each.weight, each, each.execution_before_ms, each.execution_after_ms) for each in self.statements
        ]
        before = sum(w * (ms + each.planning_before_ms) for w, each, ms, _ in run if ms is not None)
        after = sum(w * (ms + each.planning_after_ms) for w, each, _, ms in run if ms is not None)
        return after / before if before else None

    @property
    def verdict(self) -> str:
        if self.refused:
            return f"not tried: {self.refused}"
        if self.pruned_share < _PRUNED_SHARE:
            return f"no: {percent(1 - self.pruned_share)} of the workload reads most of the partitions"
        if self.time_ratio is not None and self.time_ratio > _SLOWEST[self.candidate.way]:
            little = ", which is little for what it costs" if self.time_ratio < 1 else ""
            return f"no: the workload takes {self.time_ratio:.2f} times as long{little}"
        if self.time_ratio is not None:
            return "yes"
        if self.candidate.way == "hash":
            return "not known: a hash has nothing but speed to give, and without rows nothing was timed"
        return "perhaps: its rows were not there to run it"

    def as_row(self) -> dict[str, object]:
        return {
            "table": self.candidate.table.title,
            "by": f"{self.candidate.way} ({self.candidate.column_title})",
            "partitions": self.partitions,
            "statements": len(self.statements),
            "pruned_share": self.pruned_share,
            "planning_before_ms": self.total_ms("planning_before_ms"),
            "planning_after_ms": self.total_ms("planning_after_ms"),
            "time_ratio": self.time_ratio,
            "delete_ms": self.delete_ms,
            "drop_ms": self.drop_ms,
            "keys_lost": len(self.keys_lost),
            "verdict": self.verdict,
        }


def candidates(
    structure: Structure, workload: Workload, limits: Limits, volume: float
) -> Iterator[Candidate]:
    """Columns of large, whole tables that the workload names: moments first, then keys compared by ``=``."""
    words = _words(workload.statements)
    for table in structure.tables:
        if (
            table.root is not None
            or table.is_view
            or table.total_bytes * volume < limits.partition_bytes
            or table.name not in words.tables
        ):
            continue
        named = [column for column in table.stored if column.name in words.columns]
        unique = {index.columns[0] for index in table.indexes if index.is_unique and index.key_columns == 1}
        moments = [column for column in named if column.type in _MOMENTS or _is_moment(column.type)]
        tenants = [
            column
            for column in named
            if column.name in words.equal
            and (column.type or "").partition("(")[0] in _TENANTS
            and column.position not in unique
        ]
        ways: list[tuple[Any, Way]] = [
            *((column, "range") for column in moments),
            *((column, "hash") for column in tenants),
        ]
        for column, way in ways[:_MOST_CANDIDATES]:
            yield Candidate(table, column.name, column.title, column.type, way)


def _is_moment(type_name: str | None) -> bool:
    return (type_name or "").startswith("timestamp")


@dataclass
class _Words(Visitor):
    """The names of tables and columns in statements; *equal* are the columns compared by ``=``."""

    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    equal: set[str] = field(default_factory=set)

    def visit_RangeVar(self, ancestors: Any, node: Any) -> None:  # noqa: N802 - pglast's naming
        self.tables.add(str(node.relname))

    def visit_ColumnRef(self, ancestors: Any, node: Any) -> None:  # noqa: N802
        self.columns |= _named(node)

    def visit_A_Expr(self, ancestors: Any, node: Any) -> None:  # noqa: N802
        if node.name and getattr(node.name[-1], "sval", "") == "=":
            self.equal |= _named(node.lexpr) | _named(node.rexpr)


def _named(node: Any) -> set[str]:
    """The column that *node* names, without its table."""
    last = node.fields[-1] if isinstance(node, ast.ColumnRef) and node.fields else None
    return {str(last.sval)} if isinstance(last, ast.String) else set()


def _words(statements: Sequence[Statement]) -> _Words:
    words = _Words()
    for statement in statements:
        with suppress(ParseError):  # of a newer grammar than pglast's: it names nothing for us
            words(parse_sql(statement.sql))
    return words


def partition_finding(trial: PartitionTrial, engine: str, volume: float) -> Finding | None:
    """The advice of a trial that pays; None for one that does not."""
    if not trial.verdict.startswith(("yes", "perhaps")):
        return None
    candidate = trial.candidate
    title = candidate.table.title
    size = candidate.table.total_bytes * volume
    scanned = max(each.scanned for each in trial.statements if each.is_pruned)
    lost = "; ".join(trial.keys_lost) or "none"
    facts = {
        **{name: value for name, value in trial.as_row().items() if name != "table"},
        "rows": trial.rows,
        "delete_wal_bytes": trial.delete_wal_bytes,
        "drop_wal_bytes": trial.drop_wal_bytes,
        "keys_lost_names": list(trial.keys_lost),
        "statements_not_tried": list(trial.untried),
        "statements_tried": [
            {
                "name": each.name,
                "weight": each.weight,
                "scanned": each.scanned,
                "planning_before_ms": each.planning_before_ms,
                "planning_after_ms": each.planning_after_ms,
                "execution_before_ms": each.execution_before_ms,
                "execution_after_ms": each.execution_after_ms,
            }
            for each in trial.statements
        ],
    }
    finding = Finding(
        AREA,
        PARTITIONING,
        "info",
        title,
        f"{title} ({in_bytes(size)}): by {candidate.way} of {candidate.column_title}, "
        f"{percent(trial.pruned_share)} of the workload reads at most {scanned} of {trial.partitions} "
        f"partitions",
        "A query that names the partition key reads only the partitions that can hold its rows, and a "
        "partition that is no longer needed is dropped at once. Every other query is planned for each "
        "partition, and a unique key must hold the partition key. Keys that cannot stay as they are: "
        f"{lost}. Source: PostgreSQL manual, 5.12 Table Partitioning.",
        f"-- a new table, filled and swapped in; its keys need {candidate.column_title}:\n"
        f"-- create table ... (like {title} including defaults including constraints including generated)\n"
        f"--   partition by {candidate.way} ({candidate.column_title});",
        evidence=(Evidence("partition-trial", _summary(trial), engine, facts),),
    )
    if trial.time_ratio is None:
        return replace(
            finding,
            unverified_because="pruning and planning were tried on a copy without rows: no query was timed",
        )
    return replace(finding, verified=True)


def _summary(trial: PartitionTrial) -> str:
    planning = (
        f"planning {trial.total_ms('planning_before_ms'):.2f} ms before, "
        f"{trial.total_ms('planning_after_ms'):.2f} ms after"
    )
    parts = [f"{len(trial.statements)} statements (by weight): {planning}"]
    if trial.time_ratio is not None:
        parts.append(
            f"execution {trial.total_ms('execution_before_ms'):.2f} ms before, "
            f"{trial.total_ms('execution_after_ms'):.2f} ms after, run in turns on {trial.rows} rows"
        )
    if trial.delete_ms is not None and trial.drop_ms is not None:
        parts.append(
            f"to be rid of the oldest part: DELETE {trial.delete_ms:.1f} ms and "
            f"{in_bytes(trial.delete_wal_bytes or 0)} of WAL, DROP {trial.drop_ms:.1f} ms and "
            f"{in_bytes(trial.drop_wal_bytes or 0)}"
        )
    if trial.untried:
        parts.append(f"not tried: {', '.join(trial.untried[:3])}")
    return "; ".join(parts) + "."


def refused(candidate: Candidate, exc: psycopg2.Error) -> PartitionTrial:
    """A trial that PostgreSQL refused, in one line."""
    reason = (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
    return PartitionTrial(candidate, refused=reason)
