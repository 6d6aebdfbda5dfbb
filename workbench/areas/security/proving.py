"""A design proved: attacked, beside a naive one, and broken part by part to see whether that is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.run import run_attacks
from workbench.areas.security.design.model import Design
from workbench.areas.security.ground import Ground
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.live import attack_found, findings_of_found
from workbench.areas.security.mutants import Mutant, MutantRun, prove_mutants
from workbench.areas.security.mutants.attacking import attacks_on
from workbench.areas.security.trial.model import Target
from workbench.catalog.model import qualified, quoted
from workbench.errors import EngineError
from workbench.proof.findings import Evidence, Finding

AREA = "security"
Progress = Callable[[str, int, int], None]  # what is done, how many are done, of how many


@dataclass(frozen=True)
class SecurityProof:
    """What became of an intent: its design, the attacks on it and on a naive one, the mutants.

    *naive* is None where it was not asked for, *mutants* as well, and *found*, the attacks on what is live
    today, also where the source has no role of the intent. *found_findings* say what they found.
    """

    intent: Intent
    intent_from: str
    design: Design
    hardened: AttackRun
    naive: AttackRun | None
    mutants: MutantRun | None
    rows_from: str
    engine: str
    found: AttackRun | None = None
    found_findings: tuple[Finding, ...] = ()

    @property
    def totals(self) -> dict[str, Any]:
        """``attacks`` {run, as_declared}; ``mutants`` {made, killed, survivors}, None where none were.

        Where the live design was attacked, ``found`` {run, as_declared} as well.
        """
        return {
            "attacks": self.hardened.totals,
            "mutants": self.mutants.totals if self.mutants is not None else None,
            **({"found": self.found.totals} if self.found is not None else {}),
        }

    @property
    def runs(self) -> list[AttackRun]:
        """The attack runs: the naive design's, the live one's, the intent's own."""
        return [*filter(None, [self.naive, self.found]), self.hardened]

    @property
    def findings(self) -> list[Finding]:
        """What is not as declared, what was broken without any attack noticing, and what is live today."""
        found = [_of_attempt(each, self.engine) for each in self.hardened.not_as_declared]
        if self.mutants is not None:
            found += [_of_survivor(each, self.engine) for each in self.mutants.survivors]
        return [*found, *self.found_findings]


def prove_design(
    ground: Ground,
    *,
    naive: bool = True,
    mutants: bool = True,
    found: bool = False,
    progress: Progress | None = None,
) -> SecurityProof:
    """Apply the design of the ground's intent, attack it, and break it part by part.

    With *naive* the same attacks are run on the naive design first, where the intent says whose rows are
    whose: it is about nothing else. With *mutants* every part is broken in turn, with *found* what is live
    in the source today is attacked, too. Raises BadInput where the design cannot be applied, EngineError
    where an attacked role would prove nothing.
    """
    tell = progress or _nothing
    target = ground.hardened
    if target.design is None:
        raise EngineError("the copy to be attacked has no design: nothing would be proved")
    naive = naive and bool(ground.intent.owners)
    before = run_attacks(ground.naive, progress=lambda done, of: tell("naive", done, of)) if naive else None
    after = run_attacks(target, progress=lambda done, of: tell("attacks", done, of))
    broken = _broken(target, lambda done, of, name: tell("mutants", done, of)) if mutants else None
    live = ground.found if found else None
    run = attack_found(live, progress=lambda done, of: tell("found", done, of)) if live else None
    return SecurityProof(
        ground.intent,
        ground.intent_from,
        target.design,
        after,
        before,
        broken,
        ground.place.rows_from,
        ground.engine,
        run,
        tuple(findings_of_found(live, run, target.design)) if live and run else (),
    )


def _broken(target: Target, tell: Callable[[int, int, str], None]) -> MutantRun:
    with attacks_on(target) as attack:
        return prove_mutants(target, attack, progress=tell)


def _nothing(what: str, done: int, of: int) -> None:
    """For who does not want to hear of it."""


def _of_attempt(attempt: Attempt, engine: str) -> Finding:
    if attempt.leak:
        check, what = "more_than_declared", "can do what the intent does not allow"
    elif attempt.missing:
        check, what = "less_than_declared", "cannot do what the intent allows"
    else:
        check, what = "attempt_failed", "met an error that says nothing of its rights"
    place = qualified(*attempt.table) if attempt.table else quoted(attempt.role)
    return Finding(
        area=AREA,
        check=check,
        severity="error" if attempt.leak else "warn",
        object=f"{place}.{quoted(attempt.role)}.{attempt.key}" if attempt.table else attempt.key,
        title=f"{attempt.role} {what}: {attempt.name}",
        why=f"Declared: {attempt.declared}; observed: {attempt.observed} "
        f"{attempt.sqlstate} {attempt.detail}".strip(),
        fix=f"-- as {quoted(attempt.role)}, for {attempt.identity or 'nobody'}:\n{attempt.statement}",
        verified=True,
        evidence=(
            Evidence(
                "attempt",
                f"{attempt.name}: {attempt.observed}, declared {attempt.declared}",
                engine,
                {"rows": attempt.rows, "sqlstate": attempt.sqlstate},
            ),
        ),
    )


def _of_survivor(mutant: Mutant, engine: str) -> Finding:
    return Finding(
        area=AREA,
        check="unnoticed_change",
        severity="warn",
        object=f"{mutant.object}.{mutant.mutation}",
        title=f"{mutant.kind} {mutant.object}: {mutant.mutation}, and no attack noticed",
        why="Either the part does nothing, or the attacks miss what it is there for.",
        fix=f"-- look into it: {mutant.kind} {mutant.object}",
        verified=True,
        evidence=(Evidence("mutant", f"{mutant.attempts} attempts, all as declared", engine),),
    )
