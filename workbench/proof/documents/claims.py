"""A claim on a server's behaviour, and what was seen when it was tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.proof.results import Outcome


@dataclass(frozen=True)
class Claim:
    """One claim. *saw* is what happened, in words; *facts* the figures, with their unit in the name.

    *why_not* says why it could not be tried, where it could not.
    """

    claim: str
    holds: bool
    saw: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    why_not: str = ""

    @property
    def outcome(self) -> Outcome:
        if self.why_not:
            return "not proved"
        return "proved" if self.holds else "refuted"

    def row(self) -> dict[str, Any]:
        """The claim as a row of a table."""
        return {"claim": self.claim, "outcome": self.outcome, "saw": self.saw or self.why_not}
