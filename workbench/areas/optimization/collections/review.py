"""Operations on collections reviewed: which are slow and why, which indexes they need, which they do not."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from workbench.areas.optimization.collections.reasons import Reason, reasons_of
from workbench.areas.optimization.collections.recorded import (
    Recorded,
    recorded_by_log,
    recorded_by_profiler,
)
from workbench.areas.optimization.collections.slow import (
    SlowOperation,
    said_operation,
    slow_operations,
    with_declared,
)
from workbench.areas.optimization.collections.trial import Decided, DropTrial, IndexTrial, decide
from workbench.catalog.collections import Collection, Operation
from workbench.catalog.shapes import Shape
from workbench.diagrams.stage_tree import Stage, StageTree, stage_tree
from workbench.documents.indexing.advice import IndexAdvice, advised
from workbench.documents.indexing.served import UNUSED_DAYS, is_unused, superfluous_pairs, unused_so_far
from workbench.documents.joins import begins_an_index, compared_paths, lookups
from workbench.documents.opening import OpenModel, declared_operations, require_collections, shapes_of
from workbench.documents.source import DocumentSource
from workbench.errors import BadInput, FeatureUnavailable, WorkbenchError

SAMPLE = 10_000  # documents of each collection whose fields are looked into
MOST_ADVICE = 8  # indexes of one collection that are tried


@dataclass(frozen=True)
class Reviewed:
    """An operation with the reasons of its slowness, and its plan on a copy where it was run there."""

    slow: SlowOperation
    reasons: tuple[Reason, ...]
    plan: Stage | None = None


@dataclass(frozen=True)
class OperationsReview:
    """What came of the operations of a source.

    *operations* by the time they take, *indexes* accepted and rejected, *drops* proved and not. *tried_on*
    is the engine of the proofs, empty where there was none, and *why_not_tried* then says why. *missing*
    says what to switch on where no operation is on record.
    """

    source: str
    database: str
    looked_at_on: str
    recorded: Recorded
    operations: tuple[Reviewed, ...]
    indexes: tuple[IndexTrial, ...]
    drops: tuple[DropTrial, ...]
    tried_on: str = ""
    why_not_tried: str = ""
    notes: tuple[str, ...] = ()
    missing: FeatureUnavailable | None = field(default=None, compare=False)

    @property
    def accepted(self) -> list[IndexTrial]:
        return [each for each in self.indexes if each.accepted]

    @property
    def rejected(self) -> list[IndexTrial]:
        return [each for each in self.indexes if not each.accepted]


def review_operations(
    opened: OpenModel,
    *,
    operations: Path | str | None = None,
    log: Path | str | None = None,
    sample: int = SAMPLE,
    most_documents: int | None = None,
    tried: bool = True,
    deadline_s: float | None = None,
) -> OperationsReview:
    """The operations of *opened* that are on record or declared, and what indexes would do for them.

    *operations* is a file of operations with their frequencies, *log* a log of mongod; without a log the
    profiler is read. *sample* documents of each collection are looked into for how selective fields are (0
    for all), and at most *most_documents* of each are copied to our engine, where indexes are tried: nothing
    is made in the source. With *tried* False nothing is copied, and nothing is proved; nor is what
    is not begun after *deadline_s* seconds. Raises SourceError
    where there are no collections, BadInput.
    """
    if sample < 0 or (most_documents is not None and most_documents < 1):
        raise BadInput(
            "the documents to be read are 0 for all or a number above, those to be copied 1 or more"
        )
    until = math.inf if deadline_s is None else time.monotonic() + deadline_s
    source = require_collections(opened)
    recorded = _recorded(source, log)
    declared = declared_operations(opened, operations) if operations or not recorded.entries else []
    slow = with_declared(slow_operations(recorded, source.catalog.database), declared)
    asked = [_of_its_own(each) for each in _known([each.operation for each in slow], source)]
    shapes = shapes_of(source, sample=sample)
    asked_in_all = [*asked, *_joined(asked, source)]
    advice, untried = _promising(advised(_without_operations(source), shapes, asked_in_all, most=sys.maxsize))
    drops = drop_candidates(source, shapes, datetime.now(UTC))
    # of a database of our own it is known why the profiler is off and its statistics are young
    caveats = () if opened.database is not None and log is None else (*recorded.notes, *_young(source))
    decided, failures = _decided(
        opened, source, shapes, advice, drops, asked, slow, most_documents, tried=tried, until=until
    )
    plans = {key: plan for each in decided for key, plan in (each.plans or {}).items()}
    reviewed = [
        Reviewed(
            each,
            tuple(reasons_of(each, source.catalog, shapes, plan=plans.get(each.key))),
            plans.get(each.key),
        )
        for each in slow
    ]
    why_not = (
        "" if opened.server is not None and tried else opened.why_no_server or "it was asked not to be tried"
    )
    return OperationsReview(
        source=opened.source.title,
        database=source.catalog.database,
        looked_at_on=source.looked_at_on,
        recorded=recorded,
        operations=tuple(reviewed),
        indexes=tuple(trial for each in decided for trial in each.indexes),
        drops=tuple(drop for each in decided for drop in each.drops),
        tried_on=opened.server.description if opened.server is not None and tried else "",
        why_not_tried=why_not,
        notes=(*caveats, *untried, *failures, *_left_out(source)),
        missing=recorded.missing if not slow else None,
    )


def _recorded(source: DocumentSource, log: Path | str | None) -> Recorded:
    if log is None:
        return recorded_by_profiler(source)
    return recorded_by_log(log, source.catalog.database)


def _without_operations(source: DocumentSource) -> DocumentSource:
    """*source* without the operations of its catalog: those on record are given by themselves."""
    return replace(source, catalog=replace(source.catalog, operations=()))


def _known(operations: Sequence[Operation], source: DocumentSource) -> list[Operation]:
    """Those on collections that are there still."""
    names = {each.name for each in source.catalog.collections}
    return [each for each in operations if each.collection in names]


def _of_its_own(operation: Operation) -> Operation:
    """*operation* without the counts that its joins add to: they say nothing of its own collection."""
    if not any(True for _ in lookups(operation.pipeline)):
        return operation
    return replace(operation, documents_examined=None, keys_examined=None)


def _joined(operations: Sequence[Operation], source: DocumentSource) -> list[Operation]:
    """The lookups that the joins of *operations* make in other collections, where no index serves them."""
    collections = {each.name: each for each in source.catalog.collections}
    found: dict[tuple[str, str], Operation] = {}
    for operation in operations:
        for body in lookups(operation.pipeline):
            target, compared = collections.get(str(body.get("from"))), compared_paths(body)
            if target is None or not compared or any(begins_an_index(target, path) for path in compared):
                continue
            known = found.get((target.name, compared[0]))
            found[target.name, compared[0]] = Operation(
                target.name,
                "find",
                {compared[0]: "<value>"},
                count=operation.count + (known.count if known else 0),
                origin=f"$lookup of {operation.collection}",
            )
    return list(found.values())


def _promising(advice: Sequence[IndexAdvice]) -> tuple[list[IndexAdvice], list[str]]:
    """The most promising of each collection, which are tried; and how many are not, a line a collection."""
    by_collection: dict[str, list[IndexAdvice]] = {}
    for each in advice:
        by_collection.setdefault(each.collection.name, []).append(each)
    tried = [each for theirs in by_collection.values() for each in theirs[:MOST_ADVICE]]
    notes = [
        f"{name}: {len(theirs) - MOST_ADVICE:,} further indexes that promise less were not tried"
        for name, theirs in by_collection.items()
        if len(theirs) > MOST_ADVICE
    ]
    return tried, notes


def drop_candidates(
    source: DocumentSource, shapes: Mapping[str, Shape], now: datetime
) -> dict[str, list[DropTrial]]:
    """The indexes by collection that another one serves as well, or that nothing read in seven days and more.

    Those that enforce or remove (unique, TTL, the shard key's) work without being read, and are none. An
    index that nothing reads is told only where the members did read others.
    """
    busy = any(index.accesses for each in source.catalog.collections for index in each.indexes)
    found: dict[str, list[DropTrial]] = {}
    for collection in source.catalog.collections:
        if collection.kind == "view" or collection.name.startswith("system."):
            continue
        pairs = list(superfluous_pairs(collection, shapes.get(collection.name)))
        trials = [
            DropTrial(
                collection,
                narrow,
                "duplicate" if len(narrow.key) == len(wide.key) else "redundant",
                wide.name,
            )
            for narrow, wide in pairs
        ]
        served = {narrow.name for narrow, _ in pairs}
        trials += [
            DropTrial(collection, index, "unused")
            for index in collection.indexes
            if busy and index.name not in served and is_unused(collection, index, now)
        ]
        if trials:
            found[collection.name] = trials
    return found


def _decided(
    opened: OpenModel,
    source: DocumentSource,
    shapes: Mapping[str, Shape],
    advice: Sequence[IndexAdvice],
    drops: Mapping[str, Sequence[DropTrial]],
    asked: Sequence[Operation],
    slow: Sequence[SlowOperation],
    most_documents: int | None,
    *,
    tried: bool,
    until: float,
) -> tuple[list[Decided], list[str]]:
    """What was decided, a collection each, and what could not be tried."""
    decided, failures = [], []
    for collection in source.catalog.collections:
        wanted = [each for each in advice if each.collection.name == collection.name]
        needless = list(drops.get(collection.name, ()))
        theirs = [each for each in asked if each.collection == collection.name]
        shape = shapes.get(collection.name)
        curious = any(
            each.operation.collection == collection.name
            and (not each.calls or reasons_of(each, source.catalog, shapes))
            for each in slow
        )
        if collection.kind != "collection" or shape is None or not (wanted or needless or curious):
            continue
        if opened.server is None or not tried:
            why = f": {opened.why_no_server}" if opened.server is None else ""
            decided.append(_untried(wanted, needless, f"it was not tried on an engine{why}"))
            continue
        if time.monotonic() >= until:
            decided.append(_untried(wanted, needless, "the deadline was reached before"))
            failures.append(f"{collection.name}: indexes were not tried: the deadline was reached before")
            continue
        try:
            made = decide(
                source,
                collection,
                shape,
                opened.server,
                advice=wanted,
                drops=needless,
                operations=theirs,
                inserts_an_hour=_inserts(slow, collection),
                most_documents=most_documents,
            )
            decided.append(made)
            failures += [f"{collection.name}: not tried: {each}" for each in made.not_run]
        except WorkbenchError as exc:
            failures.append(f"{collection.name}: indexes could not be tried: {exc}")
            decided.append(_untried(wanted, needless, f"it could not be tried: {exc}"))
    return decided, failures


def _untried(advice: Sequence[IndexAdvice], drops: Sequence[DropTrial], because: str) -> Decided:
    return Decided(
        tuple(IndexTrial(each, False, f"not proved: {because}") for each in advice),
        tuple(replace(each, because=because) for each in drops),
    )


def _inserts(slow: Sequence[SlowOperation], collection: Collection) -> float:
    """Inserts into *collection* in an hour, as far as they are on record or declared."""
    return sum(
        each.operation.per_hour or 0.0
        for each in slow
        if each.operation.kind == "insert" and each.operation.collection == collection.name
    )


def _young(source: DocumentSource) -> list[str]:
    young = unused_so_far(source.catalog, datetime.now(UTC))
    if not young:
        return []
    listed = ", ".join(young[:10]) + (f" and {len(young) - 10:,} more" if len(young) > 10 else "")
    return [f"without an access so far, in statistics younger than {UNUSED_DAYS} days: {listed}"]


def _left_out(source: DocumentSource) -> list[str]:
    """What could not be read of the source; that the profiler could not is told elsewhere."""
    return [each for each in source.catalog.left_out if not each.startswith("observed operations")]


def pictures(review: OperationsReview, *, most: int = 12) -> dict[str, StageTree]:
    """The plans as pictures by the file's name: before and after each accepted index, then the "
    "slowest others."""
    drawn: dict[str, StageTree] = {}
    shown = set()
    for trial in review.accepted:
        if len(drawn) < most and trial.plans:
            operation = trial.effects[0].operation
            shown.add(id(operation))
            title = f"{trial.advice.collection.name}: {said_operation(operation)}"
            drawn[f"plan-{len(drawn) + 1}-{trial.advice.collection.name}"] = stage_tree(title, trial.plans)
    for each in review.operations:
        operation = each.slow.operation
        if len(drawn) < most and each.plan is not None and each.reasons and id(operation) not in shown:
            title = f"{operation.collection}: {said_operation(operation)}"
            drawn[f"plan-{len(drawn) + 1}-{operation.collection}"] = stage_tree(title, {"plan": each.plan})
    return drawn


def require_recorded(review: OperationsReview) -> OperationsReview:
    """*review* if it saw any operation. Raises FeatureUnavailable, which says what to switch on."""
    if review.missing is not None:
        raise review.missing
    return review


__all__ = [
    "SAMPLE",
    "OperationsReview",
    "Reviewed",
    "drop_candidates",
    "pictures",
    "require_recorded",
    "review_operations",
]
