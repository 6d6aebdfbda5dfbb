"""The attack run as mutants need it: what concerns the broken part first, and no further than needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from workbench.areas.security.attacks.cases import Case
from workbench.areas.security.attacks.matrix import Matrix, matrix
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes import probe_attempts
from workbench.areas.security.attacks.probes.catalogue import PROBES
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.attacks.probes.valid_writes import ValidWrites, valid_writes
from workbench.areas.security.design.model import Mutation, Part, PartKind
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.mutants.proving import Attack
from workbench.areas.security.trial.model import Target

Picks = Callable[[Case], bool]
_WRITES = ("W1", "W2", "W3")
_FIRST: dict[PartKind, tuple[str, ...]] = {
    "role": ("X6", "U1", "5", "20"),
    "membership": ("U8", "20"),
    "schema": ("19", "18", "21", *_WRITES, "31"),
    "revoke": ("U1", "U2", "U3", "U7", "19", "31", "18", "24", "30", "23"),
    "grant": (*_WRITES, "W6", "W5", "W4", "U5", "19", "21", "23", "36"),
    "default privilege": ("U4", "22"),
    "row security": ("16",),
    "force row security": ("5", "16"),
    "policy": (*_WRITES, "U6", "2", "3"),
    "tenant key": ("12", "13"),
    "view": ("7",),
    "function": ("18", *_WRITES, "19", "36", "30", "U3"),
    "token": ("X5", "4", "U5", "1"),
    "trigger": ("32", "36", "34", "39", "30"),
    "audit": ("30", "31", "36", "40"),
}
_TABLE_OPERATIONS = ("select", "insert", "update", "delete", "truncate")
_GIVEN = "given to "
_DEAR = ("40",)  # it copies the database


@contextlib.contextmanager
def attacks_on(target: Target) -> Iterator[Attack]:
    """The cross product and the probes against *target* as `prove_mutants` asks for them.

    What is tried is planned once, on the design as it is whole.
    """
    with matrix(target) as made:

        @cache
        def writes() -> ValidWrites:
            return valid_writes(target)

        def attack(part: Part | None, mutation: Mutation | None) -> Iterator[Attempt]:
            if part is None or mutation is None:
                writes()
                yield from made.attempts()
                yield from probe_attempts(target)
                return
            with target.place.server.session(target.database) as conn:
                scene = Scene(target, conn, known_writes=writes())
                yield from _near_then_far(target, made, part, mutation, scene)

        yield attack


def _near_then_far(
    target: Target, made: Matrix, part: Part, mutation: Mutation, scene: Scene
) -> Iterator[Attempt]:
    """The cases of the part's table by the roles concerned, the probes of its kind, then all the others.

    A probe that copies the database comes last.
    """
    near, far = _circles(target.intent, part, mutation)
    first = _FIRST.get(part.kind, ())
    given = mutation.name.startswith(_GIVEN)
    if given:
        near, first = [], ("U8", *first)
    done: list[Picks] = []
    for wanted in near:
        yield from made.attempts(only=_but(wanted, tuple(done)))
        done.append(wanted)
    if given:
        scene.only_role = mutation.name.removeprefix(_GIVEN)
        yield from _probes(scene, ["U8"])
        scene.only_role = None
    if part.table is not None and not given:  # what hangs on its own writes, then on those of the others
        scene.only_table = part.table
        yield from _probes(scene, [each for each in first if each in _WRITES])
        scene.only_table = None
    yield from _probes(scene, [each for each in first if each not in _DEAR])
    for wanted in far:
        yield from made.attempts(only=_but(wanted, tuple(done)))
        done.append(wanted)
    others = [each.number for each in PROBES if each.number not in first]
    yield from _probes(scene, [each for each in others if each not in _DEAR])
    yield from _probes(scene, _DEAR)


def _circles(intent: Intent, part: Part, mutation: Mutation) -> tuple[list[Picks], list[Picks]]:
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
        operation = mutation.name.partition(" ")[0]
        if heirs and operation in _TABLE_OPERATIONS:
            near.insert(
                0,
                lambda case: case.table == part.table and case.role in heirs and case.operation == operation,
            )
    elif part.kind == "revoke" and mutation.name == "select to PUBLIC":
        near = [lambda case: case.operation == "select" and case.row == "any"]
    elif heirs and part.kind in ("grant", "membership", "role"):
        near = [lambda case: case.role in heirs]
    return near, far


def _but(wanted: Picks, done: Sequence[Picks]) -> Picks:
    return lambda case: wanted(case) and not any(each(case) for each in done)


def _probes(scene: Scene, numbers: Sequence[str]) -> Iterator[Attempt]:
    by_number = {each.number: each for each in PROBES}
    for number in numbers:
        if number in by_number:
            yield from by_number[number].attempts(scene)
