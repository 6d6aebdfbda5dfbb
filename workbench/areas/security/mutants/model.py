"""What became of each broken part, as plain facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.design.model import PartKind
from workbench.areas.security.intent.model import TableName


@dataclass(frozen=True)
class Mutant:
    """A design with one part broken by *mutation*; *killed* where an attempt was not as declared any more.

    *killed_by* is the first such attempt, *attempts* how many it took. Of a mutant that the server refused
    to make, *made* is false and *problem* its words; of one that could not be mended, *problem* says what is
    left of it.
    """

    kind: PartKind
    object: str
    mutation: str
    role: str | None
    table: TableName | None
    made: bool
    killed_by: Attempt | None
    attempts: int
    problem: str = ""

    @property
    def killed(self) -> bool:
        return self.killed_by is not None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.object}: {self.mutation}"


@dataclass(frozen=True)
class MutantRun:
    """All mutants of one design. *unreliable* are attempts that were not as declared before any was made.

    Those cannot kill. *untried* are the parts that no mutation is known of, ``kind object`` each, *spared*
    those that have none for a reason, which follows the object.
    """

    engine: str
    mutants: tuple[Mutant, ...]
    unreliable: tuple[Attempt, ...]
    untried: tuple[str, ...]
    elapsed_s: float
    spared: tuple[str, ...] = ()

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        return tuple(each for each in self.mutants if each.made and not each.killed)

    @property
    def problems(self) -> tuple[Mutant, ...]:
        """The mutants that could not be made, or not be mended."""
        return tuple(each for each in self.mutants if each.problem)

    @property
    def totals(self) -> dict[str, int]:
        """``made``, ``killed`` and ``survivors``."""
        made = [each for each in self.mutants if each.made]
        killed = sum(each.killed for each in made)
        return {"made": len(made), "killed": killed, "survivors": len(made) - killed}

    def by_kind(self) -> dict[PartKind, tuple[int, int]]:
        """For each kind of part how many mutants were made and how many of them killed."""
        made = Counter(each.kind for each in self.mutants if each.made)
        killed = Counter(each.kind for each in self.mutants if each.killed)
        return {kind: (made[kind], killed[kind]) for kind in sorted(made)}
