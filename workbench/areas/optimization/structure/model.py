"""What is known of how a database lies on disk and what was done to it: plain, frozen facts.

Sizes are in bytes of the main fork unless a name says more, row counts the planner's estimate, ages in
transactions. What a version or a login does not show is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from workbench.proof.findings import Finding

AREA = "optimization"
PAGE_HEADER_BYTES = 24
LINE_POINTER_BYTES = 4
How = Literal["pgstattuple", "estimate", "not known"]


@dataclass(frozen=True)
class Limits:
    """From where on something is worth saying; all of them the caller's to change.

    *age_days* is how old the counters must be before "never" means anything. A bloat is said from
    *bloat_bytes* and *bloat_share* of the relation on, a padding from *padding_bytes* and *padding_share*
    of the heap on. *lag* is how many times a table's own threshold its dead or changed rows must be, and
    *lag_rows* how many at the least. *held_s* is for how long vacuum must be held back.

    What takes time: *exact_s* is for pgstattuple, *column_check_s* for counting a table's columns (ten times
    that for all tables), *partition_s* for each way of partitioning (a tenth of it for a statement).
    """

    age_days: float = 7.0
    bloat_bytes: int = 10_000_000
    bloat_share: float = 0.3
    index_bloat_share: float = 0.4
    index_bytes: int = 10_000_000
    padding_bytes: int = 10_000_000
    padding_share: float = 0.05
    lag: float = 1.5
    lag_rows: int = 10_000
    big_table_rows: float = 10_000_000
    held_s: float = 3_600.0
    updates: int = 10_000
    hot_share: float = 0.5
    toast_bytes: int = 50_000_000
    column_check_s: float = 10.0
    column_rows: int = 1_000
    partition_bytes: int = 20_000_000_000
    partition_s: float = 60.0
    exact_s: float = 120.0


@dataclass(frozen=True)
class ServerFacts:
    """The server's part: *counted_since* is the latest moment at which counting can have begun."""

    version: int
    page_bytes: int
    asked_at: datetime
    reset_at: datetime | None
    started_at: datetime
    is_replica: bool
    replicas: int
    sees_all_sessions: bool
    settings: Mapping[str, str]
    has_lz4: bool

    @property
    def counted_days(self) -> float:
        """How many days the counters cover at the least."""
        since = self.reset_at or self.started_at
        return (self.asked_at - since).total_seconds() / 86_400

    @property
    def counted(self) -> str:
        """The same in words."""
        days = self.counted_days
        lasted = f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"
        if self.reset_at is None:
            return f"at least {lasted} (never reset; the server started then)"
        return f"{lasted} (since the reset of {self.reset_at:%Y-%m-%d %H:%M})"


@dataclass(frozen=True)
class ColumnFacts:
    """A column as it lies in a row; *name* is None for a dropped one, which rows hold a null for.

    *length* is the type's bytes, below 0 where values differ; *average_bytes* is that of the stored values
    that are not null, headers and TOAST pointers as they are.
    """

    position: int
    name: str | None
    title: str
    type: str | None
    category: str | None
    length: int
    alignment: Literal["c", "s", "i", "d"]
    storage: str
    compression: str
    not_null: bool
    generated: str
    identity: str
    dropped: bool
    readable: bool
    null_fraction: float | None
    average_bytes: int | None
    distinct: float | None

    @property
    def varies(self) -> bool:
        """Whether stored values differ in length, as far as the statistics tell."""
        return self.length < 0 and self.distinct != 1

    @property
    def is_stored(self) -> bool:
        return not self.dropped and self.generated != "v"

    @property
    def has_statistics(self) -> bool:
        return self.null_fraction is not None


@dataclass(frozen=True)
class IndexFacts:
    """An index with pages; *root* is the partitioned index that it is a part of, or itself."""

    oid: int
    table_oid: int
    schema: str
    name: str
    method: str
    title: str
    root: int
    root_schema: str
    root_name: str
    root_title: str
    columns: tuple[int, ...]  # positions, 0 for an expression; the keys first, then what is included
    key_columns: int
    has_expressions: bool
    is_partial: bool
    is_unique: bool
    is_needed: bool
    is_valid: bool
    supports_key: bool
    size_bytes: int
    rows: float | None
    pages: int
    fill_percent: int
    deduplicates: bool
    scans: int
    definition: str


@dataclass(frozen=True)
class TableFacts:
    """A table, a partition or a materialized view: its place, its size, its options, its activity."""

    oid: int
    schema: str
    name: str
    title: str
    is_view: bool
    is_unlogged: bool
    root: int | None
    root_name: str
    root_title: str  # the partitioned table that it belongs to, or itself
    pages: int  # as of the last VACUUM or ANALYZE
    rows: float | None
    toast_oid: int
    heap_bytes: int
    toast_bytes: int
    index_bytes: int
    total_bytes: int
    options: Mapping[str, str]
    xid_age: int
    multixact_age: int
    toast_xid_age: int | None
    live: int
    dead: int
    changed_since_analyze: int
    inserted_since_vacuum: int
    inserted: int
    updated: int
    deleted: int
    hot_updated: int
    newpage_updated: int | None
    table_scans: int
    index_scans: int
    vacuumed_at: datetime | None
    analyzed_at: datetime | None
    columns: tuple[ColumnFacts, ...] = ()
    indexes: tuple[IndexFacts, ...] = field(default=(), repr=False)

    @property
    def fill_percent(self) -> int:
        return int(self.options.get("fillfactor", 100))

    @property
    def stored(self) -> tuple[ColumnFacts, ...]:
        return tuple(column for column in self.columns if column.is_stored)

    @cached_property
    def names(self) -> dict[int, str]:
        """The columns' names by position."""
        return {column.position: column.name for column in self.columns if column.name is not None}


@dataclass(frozen=True)
class Structure:
    """All facts of one source, read in a handful of queries; *is_live* is false for what we loaded."""

    server: ServerFacts
    tables: Sequence[TableFacts]
    is_live: bool

    def by_root(self) -> dict[str, list[TableFacts]]:
        """The tables with pages by the table that people know: partitions stand under their parent."""
        grouped: dict[str, list[TableFacts]] = {}
        for table in self.tables:
            grouped.setdefault(table.root_title, []).append(table)
        return grouped


@dataclass(frozen=True)
class Bloat:
    """How much of a relation its live rows would not need, and how that is known.

    *wasted_bytes* is what a rewrite at the same fill factor would give back; None where it is not known,
    with *because*. *error_share* bounds an estimate: with 95 % of the tables that it was measured on, the
    wasted share was off by no more.
    """

    oid: int
    size_bytes: int
    how: How
    wasted_bytes: int | None = None
    dead_bytes: int | None = None
    free_bytes: int | None = None
    error_share: float | None = None
    because: str = ""

    @property
    def share(self) -> float | None:
        if self.wasted_bytes is None:
            return None
        return self.wasted_bytes / self.size_bytes if self.size_bytes else 0.0


@dataclass(frozen=True)
class StructureReview:
    """What was found, and what stands behind it.

    *tables* has a row a table with its sizes, *columns* one for each column that was counted in full,
    *partitioning* one for each way of partitioning that was tried, the useless ones too. *not_judged*
    says what could not be told and why, a line each.
    """

    findings: Sequence[Finding]
    tables: Sequence[Mapping[str, object]]
    not_judged: Sequence[str] = ()
    columns: Sequence[Mapping[str, object]] = ()
    partitioning: Sequence[Mapping[str, object]] = ()
