"""The vocabulary of trials: a change of indexes, and what was measured of it on a copy with data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workbench.catalog.model import qualified
from workbench.proof.plans import Plan
from workbench.proof.whatif.model import IndexDefinition
from workbench.proof.workload.model import Statement

SLOWER = 1.2  # a statement that takes so many times as long as before speaks against the set

StatementOutcome = Literal[
    "faster",
    "slower",
    "perhaps slower",
    "no difference",
    "same plan",
    "broken",  # it runs without the change, and fails or gives other rows with it
    "timed out",  # on both sides
    "failed",
    "not tried",
]
IndexOutcome = Literal["accepted", "rejected", "not judged"]


@dataclass(frozen=True)
class NamedIndex:
    """An index to create in its table's schema; *name* is unquoted, of at most 63 bytes."""

    name: str
    definition: IndexDefinition

    @property
    def qualified(self) -> str:
        return qualified(self.definition.schema, self.name)


@dataclass(frozen=True)
class Change:
    """What is tried: indexes to create, and existing ones to drop by qualified names, quoted as in SQL."""

    create: Sequence[NamedIndex] = ()
    drop: Sequence[str] = ()


@dataclass(frozen=True)
class Side:
    """One statement's runs with one set of indexes, in the order they were taken.

    *times_ms* are planning and execution as the server measures them, rows not sent; *buffers* are shared
    pages of 8 KB, hit and read, of the last run. *indexes* are those in the plan, by the name of the index
    that was declared. *changed_rows* and *hot_rows* are of the last run of a statement that writes: rows
    updated, and those of them that needed no entry in any index. *wal_bytes* leaves triggers out.
    *over_ms* is the time-out where the statement ran into it.
    """

    times_ms: tuple[float, ...] = ()
    planning_ms: float | None = None
    buffers: int | None = None
    buffers_read: int | None = None
    rows: float | None = None
    indexes: tuple[str, ...] = ()
    wal_bytes: int | None = None
    changed_rows: int | None = None
    hot_rows: int | None = None
    over_ms: float | None = None
    plan: Plan | None = field(default=None, repr=False)

    @property
    def median_ms(self) -> float | None:
        return statistics.median(self.times_ms) if self.times_ms else None

    @property
    def min_ms(self) -> float | None:
        return min(self.times_ms, default=None)


@dataclass(frozen=True)
class Ratio:
    """How many times as long the statement took with the change: the median over the pairs of runs.

    *low* and *high* bound it with the probability *confidence*, by the order of the pairs' ratios alone.
    """

    value: float
    low: float
    high: float
    confidence: float
    pairs: int


ResultsOutcome = Literal["equal", "equal to 12 digits", "left open", "different", "not compared"]


@dataclass(frozen=True)
class Results:
    """Whether both sides gave the same rows: as a multiset, and *in_order* in the same order, too.

    "left open" means that the statement itself does not decide which rows it gives; *why* says how so.
    """

    outcome: ResultsOutcome
    rows: int | None = None
    digest: str = ""
    in_order: bool | None = None
    why: str = ""


@dataclass(frozen=True)
class StatementTrial:
    """One statement with and without the change. *ratio* is None where there are no pairs of runs."""

    statement: Statement
    outcome: StatementOutcome
    why: str = ""
    without: Side = field(default_factory=Side)
    with_change: Side = field(default_factory=Side)
    ratio: Ratio | None = None
    results: Results = field(default_factory=lambda: Results("not compared"))

    @property
    def name(self) -> str:
        return self.statement.name

    @property
    def beyond_noise(self) -> bool:
        """Whether the change makes a difference that the runs' own differences do not explain."""
        if self.without.over_ms is not None or self.with_change.over_ms is not None:
            return self.outcome in ("faster", "slower")
        return self.outcome in ("faster", "slower") or (
            self.ratio is not None
            and self.ratio.pairs > 1
            and self.outcome in ("no difference", "perhaps slower")
            and not self.ratio.low <= 1 <= self.ratio.high
        )

    @property
    def saved_ms(self) -> float | None:
        """The time that one run saves, negative where it costs; 0 where the plan is the same."""
        if self.outcome == "same plan":
            return 0.0
        before, after = self.without.median_ms, self.with_change.median_ms
        before = self.without.over_ms if before is None else before
        after = self.with_change.over_ms if after is None else after
        if before is None or after is None or self.outcome in ("timed out", "broken", "failed", "not tried"):
            return None
        return before - after


@dataclass(frozen=True)
class WriteCost:
    """What writing *rows* rows costs: µs and bytes of WAL a row, and the share of updates within the page.

    *kind* is insert, delete, "update indexed" (a column that a new index holds) or "update other" (one that
    no index holds). The figures are the medians of the runs; None with the reason in *why*.
    """

    table: str
    kind: Literal["insert", "delete", "update indexed", "update other"]
    rows: int
    column: str = ""
    without_us: float | None = None
    with_us: float | None = None
    without_wal_bytes: float | None = None
    with_wal_bytes: float | None = None
    without_hot: float | None = None
    with_hot: float | None = None
    why: str = ""


@dataclass(frozen=True)
class TakeHome:
    """SQL to run, and SQL that undoes it, a statement each; *ran* says that both ran on the copy."""

    do: tuple[str, ...]
    undo: tuple[str, ...]
    notes: tuple[str, ...] = ()
    ran: bool = False
    why_not: str = ""


@dataclass(frozen=True)
class IndexTrial:
    """One index of the change and what became of it.

    *size_bytes* is the main fork's; *saved_ms* is the weighted time that the statements would lose without
    this index alone, measured against the whole set, None where it was not measured. *action* is "create"
    or "drop".
    """

    name: str
    action: Literal["create", "drop"]
    outcome: IndexOutcome
    why: str
    definition: IndexDefinition | None = None
    size_bytes: int | None = None
    build_ms: float | None = None
    used_by: tuple[str, ...] = ()
    saved_ms: float | None = None
    slower: tuple[str, ...] = ()
    take_home: TakeHome | None = None


@dataclass(frozen=True)
class Rejected:
    """A set that was tried and not kept: what was left out of it next, and the figures that said so."""

    indexes: tuple[str, ...]
    left_out: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Trial:
    """A change tried. The statements' figures are those of the set that was kept.

    *accepted* says whether the kept set may be recommended, *why* in a line. *without_ms* and *with_ms* are
    the weighted times of the statements that both sides finished; *size_bytes* the kept new indexes'.
    *not_tried* are the limits that were met, in words.
    """

    accepted: bool
    why: str
    engine: str
    rows_from: str
    kept: Change
    statements: tuple[StatementTrial, ...]
    indexes: tuple[IndexTrial, ...]
    writes: tuple[WriteCost, ...]
    rejected: tuple[Rejected, ...]
    not_tried: tuple[str, ...]
    without_ms: float
    with_ms: float
    size_bytes: int
    elapsed_s: float
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def relative_time(self) -> float | None:
        """The weighted time with the change over that without; None where nothing was measured."""
        return self.with_ms / self.without_ms if self.without_ms else None

    @property
    def slower(self) -> tuple[StatementTrial, ...]:
        """The statements that the kept set makes 1.2 times as slow or more, writes among them."""
        return tuple(each for each in self.statements if each.outcome == "slower")
