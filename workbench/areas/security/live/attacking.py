"""The attacks that say something of a design nobody declared: the cross product, and some of the probes."""

from __future__ import annotations

from dataclasses import replace

from workbench.areas.security.access.model import PUBLIC, AccessFacts
from workbench.areas.security.attacks.matrix import Progress
from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.run import run_attacks
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.trial.model import Target
from workbench.source import Kind

# The others are about what our own design promises, such as objects made later, what PostgreSQL gives to
# PUBLIC, or the trail; or the cross product finds the same.
PROBES = ("4", "5", "7", "12", "13", "18", "21")
_OF_WHAT_IS_THERE = {
    "4": ("set to the other identity",),
    "5": ("the owner reads",),
    "7": ("a view that is there",),
    "18": (" with the tables that it names shadowed",),
}

_NOBODYS = (
    "probe 5: tables of a superuser, or of whoever runs the script, are here the deployer's: whether row "
    "security binds their owner was not tried"
)


def attack_found(target: Target, *, progress: Progress | None = None) -> AttackRun:
    """What became of the attacks on the design that is live in *target*.

    An error where the intent lets no row through reached none, and is as good as a refusal: a policy may
    cast a setting that is not set. Raises EngineError where a role to be attacked is a superuser.
    """
    run = run_attacks(target, probes=PROBES, progress=progress)
    kept = [each for each in run.attempts if of_what_is_there(each) and each.role != target.place.deployer]
    owned = [each for each in run.attempts if each.number == "5" and each.role == target.place.deployer]
    left_out = (*run.left_out, _NOBODYS) if owned else run.left_out
    return replace(run, attempts=tuple(judged(each) for each in kept), left_out=left_out)


def of_what_is_there(attempt: Attempt) -> bool:
    """Whether it is about what the source has, and not about what its owner might make some day."""
    wanted = _OF_WHAT_IS_THERE.get(attempt.number) if attempt.group == "probe" else None
    return wanted is None or any(each in attempt.name for each in wanted)


def judged(attempt: Attempt) -> Attempt:
    """*attempt*, where an error that let nothing through counts as a refusal."""
    nothing = attempt.declared == "refused" or (attempt.declared_rows == 0 and not attempt.as_declared)
    if attempt.observed == "failed" and nothing and not attempt.as_declared:
        return replace(
            attempt, as_declared=True, detail=f"{attempt.detail}: an error, and no row was reached"
        )
    return attempt


def roles_there(kind: Kind, intent: Intent, facts: AccessFacts) -> frozenset[str]:
    """The roles of *intent* that a source of *kind* has: those of its cluster, or that a script names."""
    if kind == "database":
        names = {each.name for each in facts.roles if not each.predefined}
    else:
        names = {each.grantee for each in facts.privileges} | {each.owner for each in facts.relations}
        names |= {role for each in facts.policies for role in each.roles}
    return frozenset(each.name for each in intent.roles if each.name in names - {PUBLIC})
