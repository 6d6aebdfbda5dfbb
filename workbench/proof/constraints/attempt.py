"""What was tried against a constraint, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["refused", "accepted", "not tried"]
Kind = Literal[
    "primary key",
    "unique",
    "unique index",
    "exclusion",
    "foreign key",
    "check",
    "domain check",
    "not null",
    "domain not null",
    "generated identity",
    "constraint trigger",
]
KINDS: tuple[Kind, ...] = (
    "primary key",
    "unique",
    "unique index",
    "exclusion",
    "foreign key",
    "check",
    "domain check",
    "not null",
    "domain not null",
    "generated identity",
    "constraint trigger",
)


@dataclass(frozen=True)
class Attempt:
    """One constraint, and the statement that should break it.

    *table* is the table, or for a constraint of a domain the domain, that bears the constraint, quoted as
    SQL would where needed. A not null without a name of its own, and an identity, go by their column.
    *outcome* is "refused" only where the server named this very constraint; "accepted" where it took a row
    that violates it. *statement* is what decided, with its values, and before it what had to be changed to
    reach the constraint alone; it is cut where it is long. *reason* says why a constraint was not tried,
    why one was accepted, and what was lifted for one that was refused.
    """

    table: str
    constraint: str
    kind: Kind
    definition: str
    outcome: Outcome
    sqlstate: str | None = None
    constraint_reported: str | None = None
    statement: str = ""
    base_row: Literal["existing", "generated", ""] = ""
    reason: str = ""
    elapsed_ms: float = 0.0


def constraint_summary(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Per kind, in the order of KINDS: how many are declared, were tried, refused, accepted, not tried."""
    counts = Counter((attempt.kind, attempt.outcome) for attempt in attempts)
    rows = []
    for kind in KINDS:
        refused, accepted, untried = (counts[kind, o] for o in ("refused", "accepted", "not tried"))
        if declared := refused + accepted + untried:
            rows.append(
                {
                    "kind": kind,
                    "declared": declared,
                    "tried": refused + accepted,
                    "refused": refused,
                    "accepted": accepted,
                    "not_tried": untried,
                }
            )
    return rows
