"""What a review of a server's posture says, as plain facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from workbench.proof.findings import Finding

AREA = "security"
State = Literal["failed", "passed", "not readable", "not applicable", "not checkable"]
STATES: tuple[State, ...] = ("failed", "passed", "not readable", "not applicable", "not checkable")
Scope = Literal["server", "database"]


@dataclass(frozen=True)
class Control:
    """One rule and what became of it.

    *section* and *title* are those of the CIS benchmark in words, or ``own: …`` for a rule of ours.
    *check* is the check that decides it, "" where no statement can. *found* is how many findings it has.
    Of *state* ``not readable`` *helps* is the grant that would make it readable; of ``not checkable`` it
    is what to do by hand. *detail* says why.
    """

    section: str
    title: str
    check: str
    scope: Scope
    state: State
    found: int = 0
    detail: str = ""
    helps: str = ""


@dataclass(frozen=True)
class PostureReview:
    """The findings, the worst first, and every control that was looked at.

    *looked_at_on* is the server, *role* as whom it was read.
    """

    findings: tuple[Finding, ...]
    controls: tuple[Control, ...]
    looked_at_on: str
    role: str

    @property
    def totals(self) -> dict[str, int]:
        """How many controls are in each state; every state is there."""
        counted = Counter(each.state for each in self.controls)
        return {state: counted[state] for state in STATES}
