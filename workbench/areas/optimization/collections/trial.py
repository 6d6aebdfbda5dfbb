"""A collection's indexes decided on a copy of it: those to make, those to reject, those to do without.

All candidates are made together. Each, the one that promises least first, is hidden: where its operations
read as little without it, it is rejected, as the planner does not choose it or another one does the same.
Then each index that another one serves, or that nothing reads, is hidden, and every operation is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from workbench.areas.optimization.collections.effects import (
    Case,
    Effect,
    cases_of,
    effects_of,
    hidden,
    insert_times,
    is_worse,
    runs_of,
    times_of,
)
from workbench.areas.optimization.collections.plans import plan_of
from workbench.catalog.collections import Collection, CollectionIndex, Operation
from workbench.catalog.observed_operations import shape_key
from workbench.catalog.shapes import Shape
from workbench.diagrams.stage_tree import Stage
from workbench.documents.indexing.advice import IndexAdvice
from workbench.documents.indexing.copies import Copy, Wanted, copied
from workbench.documents.indexing.needs import frequency
from workbench.documents.indexing.trials import Run
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.proof.explain_documents import ExecutionStats

MOST_OPERATIONS = 40  # of one collection, those that take most time
MOST_OWN = 8  # of those that one index is for, those that it saves most
NOTICED_MS = 5.0  # of one execution: below, a difference is the clock's
_FIFTH = 0.2
DropKind = Literal["duplicate", "redundant", "superseded", "unused"]


@dataclass(frozen=True)
class IndexTrial:
    """An index that was advised and what came of it; *because* gives the reason of the verdict in figures.

    *insert_us* is the time to insert a document in microseconds, without it and with it. *losses* are other
    operations that choose it and read more for it.
    """

    advice: IndexAdvice
    accepted: bool
    because: str
    effects: tuple[Effect, ...] = ()
    documents: int = 0
    whole: bool = False
    index_bytes: int | None = None
    insert_us: tuple[float, float] | None = None
    plans: Mapping[str, Stage] | None = None
    losses: tuple[Effect, ...] = ()

    @property
    def tried(self) -> bool:
        return bool(self.effects)

    @property
    def name(self) -> str:
        return self.advice.hidden or self.advice.name

    @property
    def saved_ms_an_hour(self) -> float | None:
        """What its operations save in an hour, as far as their frequency is known."""
        known = [
            (each.before_ms - each.after_ms) * each.operation.per_hour
            for each in self.effects
            if each.operation.per_hour and each.before_ms is not None and each.after_ms is not None
        ]
        return sum(known) if len(known) == len(self.effects) and known else None

    def speaks_against_it(self, inserts_an_hour: float) -> str:
        """Why it costs more than it saves, as far as that was measured; empty where it does not."""
        slower = [
            each for each in self.effects if _slower_ms(each) > NOTICED_MS + 0.2 * (each.before_ms or 0.0)
        ]
        if len(slower) == len(self.effects) and slower:
            return f"its operations read less with it and take {_slower_ms(slower[0]):,.1f} ms longer"
        gain = -sum(_lost_ms(each) for each in self.effects)
        loss = sum(_lost_ms(each) for each in self.losses)
        if self.losses and loss > max(gain, 0.0):
            first = max(self.losses, key=_lost_ms)
            return (
                f"another operation chooses it and takes {first.after_ms or 0:,.1f} ms instead of "
                f"{first.before_ms or 0:,.1f}: by how often they run, more is lost than gained"
            )
        saved = self.saved_ms_an_hour
        cost = (self.insert_us[1] - self.insert_us[0]) * inserts_an_hour / 1e3 if self.insert_us else 0.0
        if saved is not None and cost > saved:
            return f"it costs inserts {cost:,.0f} ms an hour and saves {saved:,.0f} ms"
        return ""


@dataclass(frozen=True)
class DropTrial:
    """An index that could go: *kept* is the one that serves what it serves.

    *proved* says that it was hidden on a copy and no operation read more for it.
    """

    collection: Collection
    index: CollectionIndex
    kind: DropKind
    kept: str = ""
    proved: bool = False
    because: str = "it was not tried on an engine"
    operations: int = 0
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Decided:
    """What was decided of a collection's indexes.

    *plans* are those of its operations, by `shape_key`;
    *not_run* are operations that failed on the copy, and why."""

    indexes: tuple[IndexTrial, ...] = ()
    drops: tuple[DropTrial, ...] = ()
    plans: Mapping[str, Stage] | None = None
    not_run: tuple[str, ...] = ()


def decide(
    source: DocumentSource,
    collection: Collection,
    shape: Shape,
    engine: MongoServer,
    *,
    advice: Sequence[IndexAdvice],
    drops: Sequence[DropTrial],
    operations: Sequence[Operation],
    inserts_an_hour: float = 0.0,
    most_documents: int | None = None,
) -> Decided:
    """The *advice* and the *drops* of *collection*, tried with *operations* on a copy.

    The copy has at most *most_documents* at random.

    Raises SourceError where the documents cannot be read, EngineError.
    """
    with copied(source, collection, shape, engine, most=most_documents) as copy:
        wanted = {
            each.object: Wanted(each.hidden or each.name, each.key, each.collation, bool(each.hidden))
            for each in advice
        }
        looked_up = [operation for each in advice for operation in each.operations[:MOST_OWN]]
        probes = [probe for each in drops if each.kind != "unused" for probe in _probes(each.index)]
        asked = [*looked_up, *operations[:MOST_OPERATIONS], *probes]
        different = list({id(each): each for each in asked}.values())
        total = collection.documents or shape.of or copy.documents
        cases, failures = cases_of(copy, different, share=copy.documents / max(total, copy.documents, 1))
        trial = _Trial(copy, collection, cases)
        indexes = trial.indexes(advice, wanted, inserts_an_hour)
        accepted = [each for each in indexes if each.accepted]
        dropped = trial.drops([*drops, *_superseded(collection, accepted, drops)])
        return Decided(tuple(indexes), tuple(dropped), trial.plans, tuple(failures))


def _probes(index: CollectionIndex) -> list[Operation]:
    """What the index is good for by its key alone: a lookup by its first field, and its order."""
    key = tuple((path, int(way)) for path, way in index.key if isinstance(way, int))
    base = dict(index.partial_filter or {})
    if not key or index.sparse:
        return []
    first = key[0][0]
    lookup = {**base, first: base.get(first, "<value>")}
    return [Operation("", "find", lookup, sort=key, collation=index.collation, limit=100)]


def _superseded(
    collection: Collection, accepted: Sequence[IndexTrial], drops: Sequence[DropTrial]
) -> list[DropTrial]:
    """The indexes that an accepted one begins with."""
    known = {each.index.name for each in drops}
    by_name = {each.name: each for each in collection.indexes}
    return [
        DropTrial(collection, by_name[name], "superseded", each.name)
        for each in accepted
        for name in each.advice.extends
        if name not in known
    ]


@dataclass
class _Trial:
    copy: Copy
    collection: Collection
    cases: Sequence[Case]
    plans: dict[str, Stage] = field(default_factory=dict)
    original: list[ExecutionStats] = field(default_factory=list)  # what each case took before any was made
    current: list[ExecutionStats] = field(default_factory=list)  # what each takes as the indexes are now

    def indexes(
        self, advice: Sequence[IndexAdvice], wanted: Mapping[str, Wanted], inserts_an_hour: float
    ) -> list[IndexTrial]:
        """What came of the *advice*, in its order; the accepted ones are there afterwards."""
        self._plan()
        self.original = runs_of(self.copy, self.cases)
        failures = {each.object: self.copy.make(wanted[each.object]) for each in advice}
        made = [each for each in advice if not failures[each.object]]
        rejected: dict[str, IndexTrial] = {
            each.object: IndexTrial(each, False, failures[each.object])
            for each in advice
            if failures[each.object]
        }
        self.current = runs_of(self.copy, self.cases)
        for each in sorted(made, key=lambda each: (each.saved, each.object)):
            without = self._without(wanted[each.object].name)
            told = self._rejected(each, wanted[each.object].name, without)
            if told is not None:
                self._hide(wanted[each.object].name, without)
                rejected[each.object] = told
        kept = {each.object: wanted[each.object] for each in made if each.object not in rejected}
        helping = [each for each in made if each.object in kept]
        writes, sizes = self._writes(kept), self.copy.index_sizes()
        slowed = {each.object: self._slowed(each, kept[each.object].name) for each in helping}
        shown = {number for each in helping for number in (*self._own(each), *slowed[each.object])}
        cases = [self.cases[number] for number in sorted(shown)]
        times = times_of(self.copy, cases, [each.name for each in kept.values()]) if kept else {}
        accepted: dict[str, IndexTrial] = {}
        for each in helping:
            name = kept[each.object].name
            trial = self._measured(each, slowed[each.object], times)
            trial = replace(trial, index_bytes=sizes.get(name), insert_us=writes.get(each.object))
            against = trial.speaks_against_it(inserts_an_hour)
            if against:
                self._hide(name, self._without(name))
                trial = replace(trial, accepted=False, because=against)
            accepted[each.object] = trial
        return [(accepted | rejected)[each.object] for each in advice]

    def _without(self, index: str) -> list[ExecutionStats]:
        """What each case takes while *index* is hidden; only what uses it can change."""
        affected = [number for number, run in enumerate(self.current) if index in run.index_names]
        found = list(self.current)
        with hidden(self.copy, index):
            again = runs_of(self.copy, [self.cases[number] for number in affected])
        for number, run in zip(affected, again, strict=True):
            found[number] = run
        return found

    def _hide(self, index: str, without: list[ExecutionStats]) -> None:
        """Leave *index* hidden; *without* is then what each case takes."""
        self.copy.hide(index)
        self.current = without

    def _plan(self) -> None:
        """Keep the plan of each operation's first case, as it is before any index is made."""
        for case in self.cases:
            key = shape_key(case.operation)
            if key not in self.plans:
                self.plans[key] = plan_of(self.copy.explanation(case.find))

    def _own(self, advice: IndexAdvice) -> list[int]:
        """The numbers of the cases that *advice* is for."""
        wanted = {id(each) for each in advice.operations}
        return [number for number, case in enumerate(self.cases) if id(case.operation) in wanted]

    def _rejected(
        self, advice: IndexAdvice, name: str, all_without: Sequence[ExecutionStats]
    ) -> IndexTrial | None:
        """The trial of *advice* if it does not help now, as others are there; None where it does."""
        numbers = self._own(advice)
        own = [self.cases[each] for each in numbers]
        if not own:
            return IndexTrial(advice, False, "no document holds values that its operations could be run with")
        now, without = ([side[each] for each in numbers] for side in (self.current, all_without))
        runs = [Run(old, new) for old, new in zip(without, now, strict=True)]
        good = sum(run.helped(name) and run.gained for run in runs)
        if 2 * good > len(runs):
            return None
        used = sum(name in run.after.index_names for run in runs)
        if not used:
            why = "the planner does not choose it"
        elif any(run.before.index_names for run in runs):
            why = "its operations read about as little by another index"
        else:
            why = "its operations read nearly as much with it"
        after, without_it = (sum(stats.documents_examined for stats in side) for side in (now, without))
        returned = sum(stats.returned for stats in now)
        read = f"{after:,} documents with it and {without_it:,} without, for {returned:,} returned"
        return IndexTrial(
            advice,
            False,
            f"{why}: {read}",
            effects_of(own, without, now),
            self.copy.documents,
            self.copy.whole,
        )

    def _writes(self, wanted: Mapping[str, Wanted]) -> dict[str, tuple[float, float]]:
        new = {
            name: each for name, each in wanted.items() if not each.hidden
        }  # a hidden one is written already
        if not new:
            return {}
        without, with_each = insert_times(self.copy, self.collection, new)
        return {name: (without, us) for name, us in with_each.items()}

    def _slowed(self, advice: IndexAdvice, name: str) -> list[int]:
        """The numbers of the other cases that choose the index *name* and read more for it than before."""
        own = self._own(advice)
        return [
            number
            for number, run in enumerate(self.current)
            if number not in own and name in run.index_names and is_worse(run, self.original[number])
        ]

    def _measured(
        self, advice: IndexAdvice, slowed: Sequence[int], times: Mapping[int, tuple[float, float]]
    ) -> IndexTrial:
        """The trial of an index that helps: its operations before any was made, and as they are now."""
        own = self._own(advice)
        first = self.cases[own[0]]
        effects, losses = (
            effects_of(
                [self.cases[each] for each in numbers],
                [self.original[each] for each in numbers],
                [self.current[each] for each in numbers],
                times,
            )
            for numbers in (own, slowed)
        )
        plans = {
            "before": self.plans[shape_key(first.operation)],
            "after": plan_of(self.copy.explanation(first.find)),
        }
        return IndexTrial(
            advice,
            True,
            _gain(effects),
            effects,
            self.copy.documents,
            self.copy.whole,
            plans=plans,
            losses=losses,
        )

    def drops(self, candidates: Sequence[DropTrial]) -> list[DropTrial]:
        """The *candidates*, each hidden with those before it that were found needless."""
        told = []
        for each in candidates:
            current, now = self.current, self._without(each.index.name)
            used = [number for number, run in enumerate(current) if each.index.name in run.index_names]
            worse = [number for number in used if is_worse(now[number], current[number])]
            shown = worse or used
            effects = effects_of(
                [self.cases[number] for number in shown],
                [current[number] for number in shown],
                [now[number] for number in shown],
            )
            operations = len({id(case.operation) for case in self.cases})
            if not worse:
                self._hide(each.index.name, now)
            told.append(_hidden(each, not worse and bool(self.cases), operations, effects, bool(worse)))
        return told


def _slower_ms(effect: Effect) -> float:
    """What one execution takes longer with an index."""
    return (effect.after_ms or 0.0) - (effect.before_ms or 0.0)


def _lost_ms(effect: Effect) -> float:
    """What an operation loses by an index, by how often it is run."""
    return _slower_ms(effect) * frequency(effect.operation)


def _gain(effects: Sequence[Effect]) -> str:
    read = sum(each.documents_after + each.keys_after for each in effects)
    before = sum(each.documents_before + each.keys_before for each in effects)
    returned = max(sum(each.returned for each in effects), 1)
    sorts = sum(each.sorts_before for each in effects) > sum(each.sorts_after for each in effects)
    return (
        f"its operations read {read / returned:,.1f} keys and documents for each one returned instead of "
        f"{before / returned:,.1f}{', and come in order without a sort' if sorts else ''}"
    )


def _hidden(
    drop: DropTrial, proved: bool, operations: int, effects: tuple[Effect, ...], worse: bool
) -> DropTrial:
    if worse:
        first = effects[0]
        because = (
            f"with it hidden an operation reads {first.documents_after:,} documents instead of "
            f"{first.documents_before:,}"
        )
    elif not operations:
        because = "no operation is on record that could be run without it"
    else:
        because = f"with it hidden none of {operations:,} operations reads more"
    return replace(drop, proved=proved, because=because, operations=operations, effects=effects)


__all__ = ["Decided", "DropKind", "DropTrial", "IndexTrial", "decide"]
