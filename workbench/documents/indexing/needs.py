"""What an operation lacks: the key by equality, sort and range that would serve it, and what that saves.

Source: MongoDB manual, "The ESR (Equality, Sort, Range) Guideline".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.catalog.collections import Operation
from workbench.documents.indexing.selectivity import Fields, Found, Key, Lookup
from workbench.documents.predicates import MERGED, Predicate, branches_of

WORTH_READING = 100  # documents that an operation may read without anybody's noticing
WORTH_SORTING = 1_000
GAIN = 10.0  # an index must save nine of ten documents read
ENOUGH = 2.0  # documents left to be read, at which a key needs no further field
_NOTHING_ASKED = 0.95  # a predicate that so large a share meets narrows nothing
_NEVER = object()


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


def frequency(operation: Operation) -> float:
    """How often it is run: an hour where that is known, else as often as it was seen, else once."""
    return operation.per_hour or float(operation.count) or 1.0


def needs_of(fields: Fields, operations: Sequence[Operation]) -> list[Need]:
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
        if left <= ENOUGH or lookup.fraction(predicate) > _NOTHING_ASKED:
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
        narrows = left > ENOUGH and lookup.fraction(predicate) <= _NOTHING_ASKED
        if narrows and predicate.path not in taken and fits(predicate.path, list(taken)):
            key.append((predicate.path, 1))
            break
    return tuple(key), tuple(dict.fromkeys(left_out))


def _as_equality(lookup: Lookup, predicate: Predicate) -> bool:
    return not lookup.order or predicate.values <= MERGED
