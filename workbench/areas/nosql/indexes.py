"""Index advice for operations, seen or declared, by equality, sort and range.

findings = prove_index_advice(
    advise_indexes(source, shapes, operations), source, engine, shapes=shapes, operations=operations
)
Source: MongoDB manual, "The ESR (Equality, Sort, Range) Guideline".
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.areas.nosql.checks.context import AREA, key_document, shell, spelled, text
from workbench.areas.nosql.index_trials import Trial, Wanted, tried_indexes
from workbench.areas.nosql.selectivity import Fields, Found, Key, Lookup, same_collation
from workbench.catalog.collections import Collection, CollectionIndex, Operation
from workbench.catalog.shapes import Shape, written
from workbench.documents.predicates import MERGED, Predicate, branches_of
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.errors import WorkbenchError
from workbench.proof.findings import Evidence, Finding

CHECK = "missing_index"
PAGE = "docs/checks/nosql_missing_index.md"
FEWEST_DOCUMENTS = 1_000  # below, reading them all is as fast
WORTH_READING = 100  # documents that an operation may read without anybody's noticing
WORTH_SORTING = 1_000
SELDOM = 10_000  # documents read in an hour by all operations below which an index is hardly worth its writes
GAIN = 10.0  # an index must save nine of ten documents read
MOST_A_COLLECTION = 3
_ENOUGH = 2.0  # documents left to be read, at which a key needs no further field
_NOTHING_ASKED = 0.95  # a predicate that so large a share meets narrows nothing


@dataclass(frozen=True)
class Need:
    """One branch of an operation that no index serves well, and the key that would.

    *now* and *then* are documents read by one execution: *now* as observed where it was, else estimated.
    """

    operation: Operation
    lookup: Lookup
    key: Key
    now: float
    then: float
    left_out: tuple[str, ...] = ()  # paths that a compound index cannot have beside the others
    alternatives: int = 1  # branches of the operation's $or, each of which needs an index

    @property
    def saved(self) -> float:
        """Documents that need not be read, in the unit of the operations' frequency."""
        return max(self.now - self.then, 1.0) * frequency(self.operation)


@dataclass(frozen=True)
class IndexAdvice:
    """An index for *needs*, the most important first; *extends* are the indexes that are its prefixes."""

    database: str
    collection: Collection
    key: Key
    collation: Mapping[str, Any] | None
    needs: tuple[Need, ...]
    extends: tuple[str, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple({id(need.operation): need.operation for need in self.needs}.values())

    @property
    def saved(self) -> float:
        return sum(need.saved for need in self.needs)

    @property
    def hidden(self) -> str:
        """The name of the same index where it is there and hidden: it need only be shown again."""
        return next(
            (
                index.name
                for index in self.collection.indexes
                if index.hidden
                and index.key == self.key
                and not (index.sparse or index.partial_filter)
                and same_collation(self.collation, index.collation)
            ),
            "",
        )

    @property
    def usual_name(self) -> str:
        """The name that the server gives."""
        return "_".join(f"{path}_{way}" for path, way in self.key)

    @property
    def name(self) -> str:
        """The usual name or, where another index of the same fields has it, that with a number."""
        taken = {index.name for index in self.collection.indexes}
        numbered = (f"{self.usual_name}_{number}" for number in itertools.count(2))
        return next(each for each in itertools.chain([self.usual_name], numbered) if each not in taken)

    @property
    def paths(self) -> str:
        return ", ".join(
            written(tuple(path.split("."))) + (" desc" if way < 0 else "") for path, way in self.key
        )

    @property
    def object(self) -> str:
        """``database.collection (path, path desc)``, which is different for each index."""
        return f"{written((self.database, self.collection.name))} ({self.paths})"


def frequency(operation: Operation) -> float:
    """How often it is run: an hour where that is known, else as often as it was seen, else once."""
    return operation.per_hour or float(operation.count) or 1.0


def advise_indexes(
    source: DocumentSource, shapes: Mapping[str, Shape], operations: Sequence[Operation]
) -> list[Finding]:
    """The indexes that operations lack, not yet tried; at most three a collection, what saves most first.

    *operations* are taken with those that the catalog has. Those on views, time series and collections
    without a shape are not judged, nor those that an index would narrow too little. Nothing is read but
    what is given.
    """
    return [_finding(each, source) for each in advised(source, shapes, operations)]


def prove_index_advice(
    findings: Sequence[Finding],
    source: DocumentSource,
    engine: MongoServer,
    *,
    shapes: Mapping[str, Shape],
    operations: Sequence[Operation],
) -> list[Finding]:
    """The *findings* of `advise_indexes`, each tried in a scratch database of *engine*.

    A sample of the documents and the existing indexes are copied there; each operation is run with values
    of documents before and after the index is made. Advice that does not help is dropped. What could not
    be tried stays unverified and says why.
    """
    wanted = {finding.id for finding in findings}
    advice = [each for each in advised(source, shapes, operations) if _finding(each, source).id in wanted]
    by_collection: dict[str, list[IndexAdvice]] = {}
    for each in advice:
        by_collection.setdefault(each.collection.name, []).append(each)
    proved: dict[str, Finding | None] = {}
    for name, group in by_collection.items():
        proved |= _proved(source, shapes[name], group, engine)
    results = (proved.get(finding.id, finding) for finding in findings)
    return [finding for finding in results if finding is not None]


def _proved(
    source: DocumentSource, shape: Shape, group: Sequence[IndexAdvice], engine: MongoServer
) -> dict[str, Finding | None]:
    """The finding of each advice by id; None where the index does not help."""
    found = {each.object: _finding(each, source) for each in group}
    indexes = {
        each.object: Wanted(each.hidden or each.name, each.key, each.collation, bool(each.hidden))
        for each in group
    }
    operations = {each.object: each.operations for each in group}
    try:
        trials = tried_indexes(source, group[0].collection, shape, indexes, operations, engine)
    except WorkbenchError as exc:
        return {
            finding.id: replace(finding, unverified_because=f"it could not be tried: {exc}")
            for finding in found.values()
        }
    return {found[name].id: _judged(found[name], trial, engine) for name, trial in trials.items()}


def _judged(finding: Finding, trial: Trial, engine: MongoServer) -> Finding | None:
    """*finding* with what the trial showed; None where the index does not help."""
    if trial.failure:
        return replace(finding, unverified_because=trial.failure)
    if not trial.helps:
        return None
    evidence = Evidence("plan", trial.summary, engine.description, trial.facts)
    return replace(finding, verified=True, unverified_because="", evidence=(*finding.evidence, evidence))


def advised(
    source: DocumentSource, shapes: Mapping[str, Shape], operations: Sequence[Operation]
) -> list[IndexAdvice]:
    """The indexes that are worth a try, by collection, at most three each, what saves most first."""
    by_collection: dict[str, list[Operation]] = {}
    known = {id(each): each for each in (*source.catalog.operations, *operations)}.values()
    for operation in known:
        by_collection.setdefault(operation.collection, []).append(operation)
    found: list[IndexAdvice] = []
    for collection in source.catalog.collections:
        shape = shapes.get(collection.name)
        theirs = by_collection.get(collection.name, [])
        if shape is None or collection.kind != "collection" or not theirs:
            continue
        fields = Fields(collection, shape)
        if fields.documents < FEWEST_DOCUMENTS:
            continue
        needs = _needs(fields, theirs)
        merged = _merged(source.catalog.database, collection, needs)
        found += sorted(merged, key=lambda each: (-each.saved, each.object))[:MOST_A_COLLECTION]
    return found


def _needs(fields: Fields, operations: Sequence[Operation]) -> list[Need]:
    """What the operations lack, branch by branch; the most wanted fields come first in each key."""
    popular: defaultdict[str, float] = defaultdict(float)
    lookups: list[tuple[Operation, list[Lookup]]] = []
    for operation in operations:
        branches = branches_of(operation.filter) if operation.kind != "insert" else None
        if branches is None:
            continue
        made = [
            Lookup(fields, branch, operation.sort, operation.limit, operation.collation)
            for branch in branches
        ]
        lookups.append((operation, made))
        for lookup in made:
            for predicate in lookup.branch.of("equality"):
                popular[predicate.path] += 1 + frequency(operation) / 1e6
    needs: list[Need] = []
    for operation, made in lookups:
        found = [_need(operation, lookup, popular, alternatives=len(made)) for lookup in made]
        if all(each is not _NEVER for each in found):  # one alternative without an index reads everything
            needs += [each for each in found if isinstance(each, Need)]
    return needs


_NEVER = object()


def _need(operation: Operation, lookup: Lookup, popular: Mapping[str, float], *, alternatives: int) -> Any:
    """The need of one branch; None where it is served, `_NEVER` where no index can."""
    asked = lookup.branch.of("equality", "in", "range")
    if any(each.path == "_id" for each in asked):
        return None
    if not asked and not (lookup.order and lookup.limit):
        return _NEVER
    key, left_out = _key(lookup, popular)
    ideal = lookup.by_key(key)
    if not key or ideal is None:
        return _NEVER
    best = _best(lookup)
    then = max(lookup.examined(ideal), 1.0)
    if _served_as_well(lookup, best, ideal, then):
        return None
    now = lookup.examined(best)
    if alternatives == 1 and operation.documents_examined is not None:
        # as it was seen; and an index leads to what was returned alone, if it can look up all that is asked
        now = float(max(operation.documents_examined, operation.keys_examined or 0))
        if operation.returned is not None and not lookup.branch.of("residual"):
            then = max(float(operation.returned), 1.0)
    sorts = bool(lookup.order) and not best.in_order and ideal.in_order
    worth = now >= WORTH_READING and now >= GAIN * then
    few = bool(lookup.limit) or then <= lookup.fields.documents / GAIN
    if not worth and not (sorts and now >= WORTH_SORTING and few):
        return None
    return Need(operation, lookup, key, now, then, left_out, alternatives)


def _best(lookup: Lookup) -> Found:
    """What is left to read with the best of the existing indexes, or with none."""
    choices = [Found(), *(lookup.served(index) for index in lookup.fields.collection.indexes)]
    usable = [each for each in choices if each is not None]
    return min(usable, key=lambda each: (lookup.examined(each), not each.in_order))


def _served_as_well(lookup: Lookup, best: Found, ideal: Found, then: float) -> bool:
    """Whether an existing index leaves about as little to read, and sorts as well where much is sorted."""
    if not best.index or lookup.examined(best) > max(2 * then, WORTH_READING):
        return False
    return best.in_order or not ideal.in_order or lookup.examined(best) <= WORTH_READING


def _key(lookup: Lookup, popular: Mapping[str, float]) -> tuple[Key, tuple[str, ...]]:
    """The key by equality, sort, range; and the paths that arrays keep out of it.

    Fields are taken until next to nothing is left to read, so that a unique one stays alone. An ``$in``
    of up to 200 values is merged in the order of the sort, so it stands with the equalities.
    """
    fields = lookup.fields
    left_out: list[str] = []
    chosen: list[Predicate] = []
    left = float(fields.documents)

    def fits(path: str, beside: Sequence[str]) -> bool:
        if not fields.parallel(path, beside):
            return True
        left_out.append(path)
        return False

    exact = [
        *lookup.branch.of("equality"),
        *(each for each in lookup.branch.of("in") if _as_equality(lookup, each)),
    ]
    for predicate in sorted(exact, key=lambda each: (lookup.fraction(each), each.path)):
        if left <= _ENOUGH or lookup.fraction(predicate) > _NOTHING_ASKED:
            break
        if fits(predicate.path, [each.path for each in chosen]):
            chosen.append(predicate)
            left *= lookup.fraction(predicate)
    chosen.sort(
        key=lambda each: (each.kind == "in", -popular.get(each.path, 0), lookup.fraction(each), each.path)
    )
    key = [(each.path, 1) for each in chosen]
    taken = {path for path, _ in key}
    order = [(path, way) for path, way in lookup.order if path not in taken]
    if order and not any(
        fields.parallel(path, [*taken, *(other for other, _ in order)]) for path, _ in order
    ):
        key += order
    taken = {path for path, _ in key}
    ranges = [*lookup.branch.of("range"), *(each for each in lookup.branch.of("in") if each not in exact)]
    for predicate in sorted(ranges, key=lambda each: (lookup.fraction(each), each.path)):
        narrows = left > _ENOUGH and lookup.fraction(predicate) <= _NOTHING_ASKED
        if narrows and predicate.path not in taken and fits(predicate.path, list(taken)):
            key.append((predicate.path, 1))
            break
    return tuple(key), tuple(dict.fromkeys(left_out))


def _as_equality(lookup: Lookup, predicate: Predicate) -> bool:
    return not lookup.order or predicate.values <= MERGED


def _merged(database: str, collection: Collection, needs: Sequence[Need]) -> list[IndexAdvice]:
    """As few indexes as serve the *needs*: the longest first, each for all that it serves as well."""
    advice: list[IndexAdvice] = []
    rest = sorted(needs, key=lambda need: (-len(need.key), -need.saved, need.key))
    while rest:
        key, collation = rest[0].key, rest[0].lookup.collation or collection.collation
        served = [need for need in rest if need is rest[0] or _serves(key, collation, need, collection)]
        rest = [need for need in rest if not any(need is each for each in served)]
        fields = served[0].lookup.fields
        served.sort(key=lambda need: -need.saved)
        advice.append(
            IndexAdvice(
                database, collection, key, collation, tuple(served), _prefixes(fields, key, collation)
            )
        )
    return advice


def _serves(key: Key, collation: Mapping[str, Any] | None, need: Need, collection: Collection) -> bool:
    """Whether an index of *key* does for *need* what its own would."""
    if not same_collation(need.lookup.collation or collection.collation, collation):
        return False
    found, own = need.lookup.by_key(key), need.lookup.by_key(need.key)
    if found is None or own is None:
        return False
    as_little = need.lookup.examined(found) <= max(2 * need.lookup.examined(own), _ENOUGH)
    return as_little and (found.in_order or not own.in_order)


def _prefixes(fields: Fields, key: Key, collation: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The plain indexes that the new one makes superfluous: those it begins with.

    A further field that is an array gives the new one several entries a document: then none is.
    """

    def superfluous(index: CollectionIndex) -> bool:
        return (
            index.key == key[: len(index.key)]
            and index.name != "_id_"
            and not (index.unique or index.sparse or index.hidden or index.partial_filter)
            and index.expire_after_s is None
            and same_collation(collation, index.collation)
            and not any(fields.arrays(path) for path, _ in key[len(index.key) :])
        )

    return tuple(index.name for index in fields.collection.indexes if superfluous(index))


def described_operation(operation: Operation) -> str:
    """An operation in one line, as mongosh would be given it, its values left out."""
    parts = [f"{operation.kind} {spelled(operation.filter)}"]
    if operation.sort:
        parts.append(f"sort {key_document(operation.sort)}")
    if operation.limit:
        parts.append(f"limit {operation.limit}")
    if operation.collation:
        parts.append(f"collation {spelled(operation.collation)}")
    return ", ".join(parts)


def _finding(advice: IndexAdvice, source: DocumentSource) -> Finding:
    first = advice.needs[0]
    count = len(advice.operations)
    which = "1 operation" if count == 1 else f"{count} operations"
    read = "reads" if count == 1 else "the costliest reads"
    seen = first.operation.documents_examined is not None
    how = "as the profiler saw" if seen else "by an estimate"
    return Finding(
        area=AREA,
        check=CHECK,
        severity="info" if _seldom(advice) else "warn",
        object=advice.object,
        title=f"{advice.collection.name} lacks an index for {which}: {advice.paths}",
        why=" ".join(_reasons(advice, f"{read} {first.now:,.0f} documents of it each time {how}")),
        fix=_fix(advice),
        verified=False,
        unverified_because="it was not tried on an engine",
        evidence=(
            Evidence(
                "operations",
                f"{which}, the first of which {described_operation(first.operation)}",
                source.looked_at_on,
                {
                    "operations": [described_operation(each) for each in advice.operations],
                    "origins": sorted({each.origin for each in advice.operations if each.origin}),
                    "documents_read_now": round(first.now),
                    "documents_read_then_estimated": round(first.then),
                    "observed": seen,
                },
            ),
        ),
    )


def _seldom(advice: IndexAdvice) -> bool:
    """Whether all that the operations read in an hour, where it is declared, is less than an index costs."""
    hourly = [need.now * need.operation.per_hour for need in advice.needs if need.operation.per_hour]
    return len(hourly) == len(advice.needs) and sum(hourly) < SELDOM


def _reasons(advice: IndexAdvice, cost: str) -> Iterator[str]:
    first = advice.needs[0]
    yield f"{described_operation(first.operation)}: {cost}."
    yield (
        "The key has the fields that are compared for equality first, then those of the sort, then a range: "
        "so only documents of the result are read, and they come in order (MongoDB manual, ESR guideline)."
    )
    if any(need.alternatives > 1 for need in advice.needs):
        yield "Each alternative of an $or needs an index of its own, or all documents are read."
    if _seldom(advice):
        yield "They are run so seldom that the index may cost more, with every write, than it saves."
    left_out = sorted({path for need in advice.needs for path in need.left_out})
    if left_out:
        yield (
            f"{', '.join(left_out)} is no part of it: an index cannot have two arrays side by side"
            " (error 171)."
        )
    if advice.extends:
        yield f"It begins with the key of {', '.join(advice.extends)}, which it makes superfluous."


def _fix(advice: IndexAdvice) -> str:
    target = shell(advice.collection.name)
    if advice.hidden:
        return f"{target}.unhideIndex({text(advice.hidden)})"
    options = [f"name: {text(advice.name)}"] if advice.name != advice.usual_name else []
    options += [f"collation: {spelled(advice.collation)}"] if _explicit(advice) else []
    written_options = f", {{{', '.join(options)}}}" if options else ""
    made = f"{target}.createIndex({key_document(advice.key)}{written_options})"
    hidden = [
        f"{target}.hideIndex({text(name)})  // drop it when nothing has become slower"
        for name in advice.extends
    ]
    return "\n".join([made, *hidden])


def _explicit(advice: IndexAdvice) -> bool:
    """Whether the index must name its collation, as it is not the collection's own."""
    return bool(advice.collation) and not same_collation(advice.collation, advice.collection.collation)


__all__ = [
    "CHECK",
    "IndexAdvice",
    "Need",
    "advise_indexes",
    "advised",
    "described_operation",
    "prove_index_advice",
]
