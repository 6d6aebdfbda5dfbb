"""Which existing indexes can go: what another one says as well, what no statement of the workload uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from workbench import sql
from workbench.areas.optimization.advisor.advice import DropKind, Droppable, KeptIndex
from workbench.engines.postgres import Connection
from workbench.proof.whatif import ExistingIndex, IndexDefinition, PlanCost

_AS_CHEAP = 1.02  # a longer index that does the work of a shorter one costs a little more to read
_ELSEWHERE = "look at its scans in pg_stat_user_indexes first, on the replicas as well"

Ask = Callable[[int, Collection[int]], PlanCost]


@dataclass(frozen=True)
class Standing:
    """What keeps an index: *protected* says why it cannot go; *foreign_keys* are those that it supports."""

    protected: str = ""
    foreign_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Redundant:
    """An index says nothing beyond *other*; *same* where they are alike, else it is the beginning of it."""

    other: int
    same: bool


def standing_of(conn: Connection, oids: Collection[int]) -> dict[int, Standing]:
    """By oid, what keeps each of the indexes *oids*."""
    rows = sql.fetch(conn, "optimization/advisor/standing.sql", {"indexes": sorted(oids)})
    return {row["oid"]: Standing(_protection(row), tuple(row["foreign_keys"])) for row in rows}


def _protection(row: Mapping[str, object]) -> str:
    for name, reason in (
        ("has_constraint", "a constraint stands on it"),
        ("is_unique", "it is unique, which is a rule on the data"),
        ("is_replica_identity", "it is the replica identity of its table"),
        ("is_of_partition", "it is on a partition alone"),
    ):
        if row[name]:
            return reason
    return ""


def redundancies(conn: Connection, oids: Collection[int]) -> dict[int, list[Redundant]]:
    """By oid, the indexes among *oids* that say all that it says; those that are alike come first."""
    found: dict[int, list[Redundant]] = {}
    for row in sql.fetch(conn, "optimization/advisor/redundant.sql", {"indexes": sorted(oids)}):
        found.setdefault(row["oid"], []).append(Redundant(row["other"], row["is_same"]))
    return found


def needed_by_keys(
    standing: Mapping[int, Standing], redundant: Mapping[int, Sequence[Redundant]]
) -> frozenset[int]:
    """The oids of indexes that are protected, or alone in supporting a foreign key."""
    return frozenset(
        oid
        for oid, each in standing.items()
        if each.protected
        or (each.foreign_keys and not any(other.other in standing for other in redundant.get(oid, ())))
    )


@dataclass
class Drops:
    """*ask* gives a statement's cost where the existing indexes of some oids are hidden as well.

    *before* are the costs of the statements and their indexes as things are, *standing* is that of the
    existing and of the new indexes, *chosen* are the new ones by oid, *upkeep* is what each existing one
    costs, *touched* are the tables that the workload reads or writes.
    """

    ask: Ask
    before: Sequence[PlanCost]
    existing: Sequence[ExistingIndex]
    standing: Mapping[int, Standing]
    redundant: Mapping[int, Sequence[Redundant]]
    chosen: Mapping[int, IndexDefinition]
    upkeep: Mapping[int, float]
    touched: Collection[tuple[str, str]]
    hidden: set[int] = field(default_factory=set)
    now: list[PlanCost] = field(default_factory=list)
    droppable: list[Droppable] = field(default_factory=list)
    kept: list[KeptIndex] = field(default_factory=list)

    def decide(self, gone: Collection[int]) -> None:
        """Fill *droppable*, *kept*, *hidden* (the oids that go) and *now* (the costs without them).

        *gone* are the oids that the search left out.
        """
        self.hidden = {oid for oid in gone if self.upkeep.get(oid)}
        self.now = [self.ask(each, self.hidden) for each in range(len(self.before))]
        self._restore()
        # the dearest first; of two that are alike the younger one
        ranked = sorted(self.existing, key=lambda each: (-self.upkeep.get(each.oid, 0.0), -each.oid))
        free = [
            each for each in ranked if each.is_valid and not self.standing.get(each.oid, Standing()).protected
        ]
        redundant = {each.oid for each in free if self._is_redundant(each)}
        for index in free:
            if index.oid not in redundant:
                self._decide_one(index)
        self.droppable.sort(key=lambda each: (each.index.schema, each.index.table, each.index.name))
        self.kept.sort(key=lambda each: (each.index.schema, each.index.table, each.index.name))

    def _restore(self) -> None:
        """What the search left out stays where a statement would be dearer than it is."""
        needed: set[int] = set()
        for place, before in enumerate(self.before):
            if self.hidden and self.now[place].total_cost > before.total_cost * _AS_CHEAP:
                needed |= self.hidden & set(self.ask(place, ()).indexes)
        if needed:
            self.hidden -= needed
            self.now = [self.ask(each, self.hidden) for each in range(len(self.before))]

    def _is_redundant(self, index: ExistingIndex) -> bool:
        other = self._stands_in(index)
        if other:
            of = self._told(other.other)
            kind: DropKind = "duplicate" if other.same else "prefix"
            words = f"duplicate of {of}" if other.same else f"{of} has its keys first, in the same order"
            self._drop(index, kind, words, of, needs_new=other.other in self.chosen)
        return other is not None

    def _decide_one(self, index: ExistingIndex) -> None:
        if (index.schema, index.table) not in self.touched or self._users(self.now, index.oid):
            return
        if index.oid in self.hidden and self._users(self.before, index.oid):
            self._drop(index, "dearer", "its upkeep costs more than it saves")
        elif alone := self._alone_in_supporting(index):
            keys = ", ".join(alone)
            reason = f"no statement uses it, but a delete or a change of key looks for rows by it: {keys}"
            self.kept.append(KeptIndex(index, reason))
        elif self._users(self.before, index.oid):
            reason = "no statement uses it any more where the recommended ones are there"
            self._drop(index, "unused", reason, needs_new=True)
        else:
            self._drop(index, "unused", f"no statement of the workload uses it; {_ELSEWHERE}")

    def _users(self, costs: Sequence[PlanCost], oid: int) -> list[int]:
        return [place for place, cost in enumerate(costs) if oid in cost.indexes]

    def _alone_in_supporting(self, index: ExistingIndex) -> list[str]:
        """The foreign keys that no other index supports that stays."""
        others = {
            key
            for oid, each in self.standing.items()
            if oid != index.oid and oid not in self.hidden
            for key in each.foreign_keys
        }
        return [key for key in self.standing[index.oid].foreign_keys if key not in others]

    def _stands_in(self, index: ExistingIndex) -> Redundant | None:
        """Another index that stays and does the work as cheaply, if there is one."""
        dropped = {each.index.oid for each in self.droppable}
        for each in sorted(self.redundant.get(index.oid, ()), key=self._may_go):
            if each.other in dropped:  # what the search alone left out may still be told apart
                continue
            without = {
                place: self.ask(place, self.hidden | {index.oid})
                for place in self._users(self.now, index.oid)
            }
            if all(
                cost.total_cost <= self.now[place].total_cost * _AS_CHEAP for place, cost in without.items()
            ):
                for place, cost in without.items():
                    self.now[place] = cost
                return each
        return None

    def _may_go(self, redundant: Redundant) -> tuple[bool, bool]:
        """Those that stay come before those that may go themselves, and the alike before the longer ones."""
        other = redundant.other
        stays = other in self.chosen or bool(self.standing.get(other, Standing()).protected)
        longer = [each for each in self.redundant.get(other, ()) if not each.same]
        return not stays and bool(longer), not redundant.same

    def _drop(
        self, index: ExistingIndex, kind: DropKind, reason: str, other: str = "", needs_new: bool = False
    ) -> None:
        self.hidden.add(index.oid)
        self.droppable.append(
            Droppable(index, self.upkeep.get(index.oid, 0.0), kind, reason, other, needs_new)
        )

    def _told(self, oid: int) -> str:
        if oid in self.chosen:
            chosen = self.chosen[oid]
            return f"the recommended index on {', '.join(key.text for key in chosen.keys)}"
        return next(each.qualified for each in self.existing if each.oid == oid)
