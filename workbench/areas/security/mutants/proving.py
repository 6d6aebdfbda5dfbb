"""A part is broken, the attacks are run until one is not as declared, the part is mended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator

import psycopg2

from workbench import sql
from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.mutants.model import Mutant, MutantRun
from workbench.areas.security.trial.model import Target
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, EngineError

Attack = Callable[[Part | None, Mutation | None], Iterable[Attempt]]
Progress = Callable[[int, int, str], None]
_SNAPSHOT = "security/mutants/snapshot.sql"
_SHOWN = 3
_JOINS = "deployer joins the owners"


def prove_mutants(
    target: Target,
    attack: Attack,
    *,
    only: Callable[[Part, Mutation], bool] | None = None,
    progress: Progress | None = None,
) -> MutantRun:
    """Every mutation of *target*'s design, one at a time, attacked until one attempt is not as declared.

    *attack* gives the attempts against the target, those that concern the broken part first; it is asked
    for all of them on the whole design before (with None), and what is not as declared there kills nobody.
    A lazy iterable is not driven further than the first that kills. Mutations are made and mended by the
    deployer; that the mended database is the one before is checked by a snapshot of its catalogs.
    Raises BadInput for a target without a design, EngineError where neither the mend nor the design
    brings the database back.
    """
    if target.design is None:
        raise BadInput(f"the {target.name} design has no parts to break: mutants need a generated design")
    began = time.monotonic()
    with (
        contextlib.closing(target.place.connect(target.database)) as deployer,
        target.place.server.session(target.database) as superuser,
    ):
        unreliable = tuple(each for each in attack(None, None) if not each.as_declared)
        ignored = frozenset(each.key for each in unreliable)
        chosen = [
            (part, mutation)
            for part in target.design.parts
            for mutation in part.mutations
            if only is None or only(part, mutation)
        ]
        bench = _Bench(target, deployer, superuser, attack, ignored)
        mutants = []
        for number, (part, mutation) in enumerate(chosen):
            if progress:
                progress(number, len(chosen), f"{part.kind} {part.object}: {mutation.name}")
            mutants.append(bench.tried(part, mutation))
    return MutantRun(
        engine=target.place.server.description,
        mutants=tuple(mutants),
        unreliable=unreliable,
        untried=tuple(
            f"{part.kind} {part.object}"
            for part in target.design.parts
            if not part.mutations and not part.spared
        ),
        spared=tuple(
            f"{part.kind} {part.object}: {part.spared}"
            for part in target.design.parts
            if not part.mutations and part.spared
        ),
        elapsed_s=time.monotonic() - began,
    )


class _Bench:
    """Where one mutant after the other is tried; what the database was before is read once."""

    def __init__(
        self,
        target: Target,
        deployer: Connection,
        superuser: Connection,
        attack: Attack,
        ignored: frozenset[str],
    ) -> None:
        self.target, self.deployer, self.superuser = target, deployer, superuser
        self.attack, self.ignored = attack, ignored
        self.join, self.leave = _as_owner(target)
        self.before = snapshot(superuser)

    def tried(self, part: Part, mutation: Mutation) -> Mutant:
        """*mutation* made, attacked and mended."""
        killed_by, attempts, problem = None, 0, ""
        made = True
        try:
            self._run(mutation, mutation.break_it)
        except psycopg2.Error as exc:
            made, problem = False, f"cannot be made: {_words(exc)}"
        if made:
            killed_by, attempts = self._killer(part, mutation)
            if killed_by is None and snapshot(self.superuser) == self.before:  # else it has changed something
                made, problem = False, "cannot be made: it changes nothing"
        problem = "; ".join(filter(None, (problem, self._mended(mutation))))
        return Mutant(
            part.kind,
            part.object,
            mutation.name,
            part.role,
            part.table,
            made,
            killed_by,
            attempts,
            problem,
        )

    def _run(self, mutation: Mutation, statements: str) -> None:
        """As whom *mutation* says; of the owners as the design's script does it, who joins them meanwhile."""
        if mutation.by == "owners":
            _run(self.deployer, f"{self.join}\n{statements}\n{self.leave}")
        else:
            _run(self.superuser if mutation.by == "superuser" else self.deployer, statements)

    def _killer(self, part: Part, mutation: Mutation) -> tuple[Attempt | None, int]:
        """The first attempt that is not as declared, and how many were made until then."""
        attempts = 0
        tried = self.attack(part, mutation)
        try:
            for each in tried:
                attempts += 1
                if not each.as_declared and each.key not in self.ignored:
                    return each, attempts
        except (psycopg2.Error, EngineError) as exc:
            return _stopped(part, " ".join(str(exc).split())), attempts + 1
        finally:
            if isinstance(tried, Generator):
                tried.close()  # before the part is mended: its sessions may hold locks
        return None, attempts

    def _mended(self, mutation: Mutation) -> str:
        """What was wrong with the mend; nothing where the database is the one before."""
        try:
            self._run(mutation, mutation.mend)
            left = differences(self.before, snapshot(self.superuser))
        except psycopg2.Error as exc:
            left = [_words(exc)]
        if not left:
            return ""
        assert self.target.design is not None
        try:
            _run(self.deployer, self.target.design.script)
        except psycopg2.Error as exc:
            raise EngineError(f"{mutation.name} can be mended by nothing: {_words(exc)}") from exc
        still = differences(self.before, snapshot(self.superuser))
        if still:
            raise EngineError(f"{mutation.name} can be mended by nothing: {'; '.join(still[:_SHOWN])}")
        return f"not mended, the whole design was applied again: {'; '.join(left[:_SHOWN])}"


def _stopped(part: Part, words: str) -> Attempt:
    """The attack itself came to a halt: it ran to its end on the whole design, so the mutant is noticed."""
    return Attempt(
        key="the attack run",
        group="probe",
        number="",
        name="the attack run came to a halt",
        role=part.role or "",
        identity="",
        statement="",
        declared="allowed",
        observed="failed",
        as_declared=False,
        table=part.table,
        detail=words,
    )


def _as_owner(target: Target) -> tuple[str, str]:
    """The design's statements by which the deployer joins the owning roles, and leaves them."""
    parts = target.design.parts if target.design else ()
    joins = [each for each in parts if each.kind == "membership" and each.object == _JOINS]
    return (joins[0].apply, joins[0].undo) if joins else ("", "")


State = dict[str, str]


def snapshot(conn: Connection) -> State:
    """Everything that decides who may do what in the database behind *conn*, a line an object."""
    return {row["object"]: row["state"] for row in sql.fetch(conn, _SNAPSHOT)}


def differences(before: State, after: State) -> list[str]:
    """What *after* has that *before* had not, and the other way round; one line each."""
    return list(_differences(before, after))


def _differences(before: State, after: State) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name}: {_brief(before.get(name))} became {_brief(after.get(name))}"


def _brief(state: str | None) -> str:
    if state is None:
        return "nothing"
    words = " ".join(state.split())
    return words if len(words) <= 120 else words[:120] + "…"


def _run(conn: Connection, statements: str) -> None:
    """As one message: what fails in it leaves nothing of it."""
    try:
        conn.execute(statements)
    except psycopg2.Error:
        if not conn.closed:
            conn.execute("rollback")
        raise


def _words(exc: psycopg2.Error) -> str:
    return " ".join((exc.diag.message_primary or str(exc)).split())
