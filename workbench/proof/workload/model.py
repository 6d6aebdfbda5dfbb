"""The vocabulary of a workload: statements with their weights, and what could not be read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

StatementKind = Literal["select", "insert", "update", "delete", "merge", "other"]


@dataclass(frozen=True)
class Observed:
    """What a server has measured of a statement; times in ms, blocks of 8 KB, None where it does not say."""

    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float | None = None
    rows: int | None = None
    blocks_hit: int | None = None
    blocks_read: int | None = None
    temp_blocks_written: int | None = None
    wal_bytes: int | None = None
    plan: Mapping[str, object] | None = field(default=None, repr=False)  # auto_explain's, as EXPLAIN's JSON


@dataclass(frozen=True)
class Statement:
    """One statement of a workload.

    *sql* is runnable text without a semicolon; its parameters are ``$1`` …. *values* are SQL literals for
    them (``'abc'``, ``42``), as many as there are parameters; None where none are known, and then the
    statement is planned generically. *weight* is how often it runs against the others (calls, or what
    the file declares). *where* is ``file.sql:12``, ``pg_stat_statements``, or the log's line.
    """

    name: str
    sql: str
    kind: StatementKind
    weight: float = 1.0
    values: tuple[str, ...] | None = ()
    where: str = ""
    search_path: tuple[str, ...] = ()
    observed: Observed | None = None

    @property
    def reads_only(self) -> bool:
        """Whether it is a SELECT that neither locks nor writes (in a CTE); functions are not looked into."""
        return self.kind == "select"


@dataclass(frozen=True)
class Unread:
    """A statement that is not part of the workload: where it stands, and why in one line."""

    name: str
    where: str
    reason: str


@dataclass(frozen=True)
class Workload:
    """Statements in the order of their weight or of the file; *origin* says where they come from."""

    statements: Sequence[Statement]
    unread: Sequence[Unread] = ()
    origin: str = ""
    notes: Sequence[str] = ()
