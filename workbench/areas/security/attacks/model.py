"""Attempts and what became of them, as plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.areas.security.intent.model import TableName

Group = Literal["matrix", "probe"]
Declared = Literal["allowed", "refused", "residual"]
Observed = Literal["reached", "nothing", "refused", "stopped", "failed"]


@dataclass(frozen=True)
class Attempt:
    """One thing that was tried by *role* for *identity* (``A``, ``B``, or "" for nobody), and its end.

    *key* is unique within a run and the same from run to run. *table* and *operation* are those of the
    matrix, *row* whose row it was after (``own``, ``other``, ``unowned``, ``any``). *statement* is what
    was sent. *declared* comes from the intent or, of a probe, from the attack matrix; ``residual`` is a
    leak that PostgreSQL cannot close, which is listed and never counted as a failure.

    *observed* is ``reached`` where rows were seen or changed, ``nothing`` where none were, ``refused``
    where the server refused by privilege or policy (*sqlstate* 42501 and its like), ``stopped`` where
    the attempt passed security and a constraint or another rule ended it, ``failed`` for what was not
    expected to happen at all. *detail* is the server's own words or a count. *declared_rows* is how many
    rows the intent lets the statement reach, where that was counted.
    """

    key: str
    group: Group
    number: str
    name: str
    role: str
    identity: str
    statement: str
    declared: Declared
    observed: Observed
    as_declared: bool
    table: TableName | None = None
    operation: str = ""
    row: str = ""
    sqlstate: str = ""
    rows: int | None = None
    detail: str = ""
    declared_rows: int | None = None

    @property
    def leak(self) -> bool:
        """Whether more was possible than is declared."""
        if self.as_declared or self.observed == "failed":
            return False
        return self.declared == "refused" or (self.rows or 0) > (self.declared_rows or 0)

    @property
    def missing(self) -> bool:
        """Whether less was possible than is declared."""
        return not self.as_declared and self.observed != "failed" and not self.leak


@dataclass(frozen=True)
class AttackRun:
    """All attempts against one design; *design* is ``naive``, ``as found`` or ``hardened``.

    *left_out* says what could not be tried and why, one line each.
    """

    design: str
    engine: str
    attempts: tuple[Attempt, ...]
    elapsed_s: float
    left_out: tuple[str, ...] = ()

    @property
    def not_as_declared(self) -> tuple[Attempt, ...]:
        return tuple(each for each in self.attempts if not each.as_declared)

    @property
    def totals(self) -> dict[str, int]:
        """``run`` and ``as_declared``."""
        return {"run": len(self.attempts), "as_declared": sum(each.as_declared for each in self.attempts)}
