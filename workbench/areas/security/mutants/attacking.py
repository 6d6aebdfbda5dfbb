"""The attack run as mutants need it: what concerns the broken part first, and no further than needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from workbench.areas.security.attacks.cases import Case
from workbench.areas.security.attacks.matrix import Matrix, matrix
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes import probe_attempts
from workbench.areas.security.attacks.probes.catalogue import PROBES
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.attacks.uninvited import uninvited_attempts
from workbench.areas.security.design.model import Mutation, Part, PartKind
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.mutants.proving import Attack
from workbench.areas.security.trial.model import Target

Picks = Callable[[Case], bool]
_FIRST: dict[PartKind, tuple[str, ...]] = {
    "membership": ("20",),
    "schema": ("19", "18", "21"),
    "revoke": ("31", "18", "19", "24", "30"),
    "grant": ("19", "21", "23"),
    "default privilege": ("22",),
    "force row security": ("5",),
    "policy": ("2", "3"),
    "tenant key": ("12", "13"),
    "view": ("7",),
    "function": ("18", "19", "36", "30"),
    "token": ("4", "1"),
    "trigger": ("32", "36", "34", "39", "30"),
    "audit": ("30", "36"),
}

_UNINVITED: frozenset[PartKind] = frozenset(
    {"revoke", "default privilege", "token", "function", "schema", "policy"}
)


@contextlib.contextmanager
def attacks_on(target: Target) -> Iterator[Attack]:
    """The cross product and the probes against *target* as `prove_mutants` asks for them.

    What is tried is planned once, on the design as it is whole.
    """
    with matrix(target) as made:

        def attack(part: Part | None, mutation: Mutation | None) -> Iterator[Attempt]:
            del mutation
            if part is None:
                yield from made.attempts()
                yield from probe_attempts(target)
                yield from uninvited_attempts(target)
                return
            with target.place.server.session(target.database) as conn:
                yield from _near_then_far(target, made, part, Scene(target, conn))

        yield attack


def _near_then_far(target: Target, made: Matrix, part: Part, scene: Scene) -> Iterator[Attempt]:
    """The cases of the part's table by the roles concerned, the probes of its kind, then all the others."""
    near, far = _circles(target.intent, part)
    first = _FIRST.get(part.kind, ())
    done: list[Picks] = []
    for wanted in near:
        yield from made.attempts(only=_but(wanted, tuple(done)))
        done.append(wanted)
    if part.kind in _UNINVITED:
        yield from uninvited_attempts(target)
    yield from _probes(scene, first)
    for wanted in far:
        yield from made.attempts(only=_but(wanted, tuple(done)))
        done.append(wanted)
    yield from _probes(scene, tuple(each.number for each in PROBES if each.number not in first))
    if part.kind not in _UNINVITED:
        yield from uninvited_attempts(target)


def _circles(intent: Intent, part: Part) -> tuple[list[Picks], list[Picks]]:
    """Which cases come before the probes and which after them; the last holds all."""
    heirs = frozenset(
        each.name for each in intent.roles if part.role and part.role in intent.lineages[each.name]
    )
    near: list[Picks] = []
    far: list[Picks] = [lambda case: True]
    if part.kind in ("trigger", "audit"):
        return near, far  # the trail's own probes find a gap sooner
    if part.table is not None:
        near = [lambda case: case.table == part.table]
        if heirs:
            near.insert(0, lambda case: case.table == part.table and case.role in heirs)
    elif heirs and part.kind in ("grant", "membership"):
        near = [lambda case: case.role in heirs]
    return near, far


def _but(wanted: Picks, done: Sequence[Picks]) -> Picks:
    return lambda case: wanted(case) and not any(each(case) for each in done)


def _probes(scene: Scene, numbers: Sequence[str]) -> Iterator[Attempt]:
    by_number = {each.number: each for each in PROBES}
    for number in numbers:
        if number in by_number:
            yield from by_number[number].attempts(scene)
