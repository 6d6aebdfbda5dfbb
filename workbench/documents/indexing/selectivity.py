"""How many documents of a collection meet a predicate, estimated from its shape, and what an index finds.

Estimates only choose what is worth a try: what is said of an index rests on running it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.catalog.collections import Collection, CollectionIndex
from workbench.catalog.shapes import Node, Shape, queried
from workbench.documents.predicates import MERGED, Branch, Predicate

Key = tuple[tuple[str, int], ...]
Sort = tuple[tuple[str, int], ...]
# of a range whose bounds are not known: of one side, of two, of a text by how it begins
_RANGE_FRACTIONS = {1: 1 / 3, 2: 0.05, 3: 0.01}


@dataclass(frozen=True)
class Fields:
    """The fields of a collection by the path that queries name them by."""

    collection: Collection
    shape: Shape

    @property
    def documents(self) -> int:
        return self.collection.documents or self.shape.of or self.shape.documents

    @cached_property
    def _nodes(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for names, node in self.shape.walk():
            if not any(not name or "." in name or name.startswith("$") or name == "*" for name in names):
                found.setdefault(queried(names), []).append(node)
        return found

    @cached_property
    def _arrays(self) -> frozenset[str]:
        return frozenset(
            path for path, nodes in self._nodes.items() if any(node.types.get("array") for node in nodes)
        )

    def arrays(self, path: str) -> tuple[str, ...]:
        """The arrays that *path* leads through or ends in, the outermost first."""
        parts = path.split(".")
        prefixes = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
        return tuple(prefix for prefix in prefixes if prefix in self._arrays)

    def parallel(self, path: str, others: Sequence[str]) -> bool:
        """Whether an index cannot have *path* beside *others*: two arrays, neither within the other.

        Source: MongoDB manual, "Multikey Indexes", compound multikey indexes; error 171.
        """
        mine = self.arrays(path)
        for theirs in map(self.arrays, others):
            shared = min(len(mine), len(theirs))
            if mine[:shared] != theirs[:shared]:
                return True
        return False

    def holds_text(self, path: str) -> bool:
        return any(node.types.get("string") for node in self._nodes.get(path, ()))

    def fraction(self, predicate: Predicate) -> float | None:
        """The share of the documents that meet *predicate*; None where the shape cannot tell."""
        node = max(self._nodes.get(predicate.path, ()), key=_scalars, default=None)
        documents = self.shape.documents
        if node is None or not documents or predicate.kind == "residual":
            return None
        if predicate.is_null and predicate.kind == "equality":
            return min(1.0, 1 - node.share + node.types.get("null", 0) / documents)
        held = node.count / documents  # above 1 where a document has several
        if predicate.kind == "range":
            return min(1.0, held) * self._range(node, predicate)
        distinct = estimated_distinct(node)
        if not distinct:
            return None
        return min(1.0, held * min(predicate.values, distinct) / distinct)

    @staticmethod
    def _range(node: Node, predicate: Predicate) -> float:
        low, high = _limits(predicate.value)
        if low is None and high is None:
            return _RANGE_FRACTIONS[predicate.bounds]
        share = _between(node.minimum, node.maximum, low, high)
        return _RANGE_FRACTIONS[predicate.bounds] if share is None else share


def _scalars(node: Node) -> int:
    return node.count - node.types.get("array", 0) - node.types.get("object", 0)


def estimated_distinct(node: Node) -> float:
    """How many different values all the values have, if those of the sample are *distinct_in_sample*.

    Of D equally frequent values a sample of s shows D(1 - e^(-s/D)). 0 where nothing was looked into.
    """
    shown, sampled, count = node.distinct_in_sample, node.sampled, _scalars(node)
    if not shown or not sampled:
        return 0.0
    if shown >= sampled:
        return float(count)
    if sampled >= count:
        return float(shown)
    low, high = float(shown), float(count)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * -math.expm1(-sampled / middle) < shown else (low, middle)
    return high


def _limits(value: Any) -> tuple[float | None, float | None]:
    """The bounds that a range is written with, as numbers; None for one that is not known."""
    if not isinstance(value, Mapping):
        return None, None
    numbers = {name: _number(each) for name, each in value.items()}
    low = next((numbers[name] for name in ("$gte", "$gt") if numbers.get(name) is not None), None)
    high = next((numbers[name] for name in ("$lte", "$lt") if numbers.get(name) is not None), None)
    return low, high


def _between(minimum: Any, maximum: Any, low: float | None, high: float | None) -> float | None:
    first, last = _number(minimum), _number(maximum)
    if first is None or last is None or last <= first:
        return None
    begin = first if low is None else min(max(low, first), last)
    end = last if high is None else min(max(high, first), last)
    return max(0.0, (end - begin) / (last - first))


def _number(value: Any) -> float | None:
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


@dataclass(frozen=True)
class Found:
    """What an index, or none, leaves to be read: the share of the documents, and whether they come sorted."""

    fraction: float = 1.0
    in_order: bool = False
    index: str = ""


@dataclass(frozen=True)
class Lookup:
    """A branch of an operation on a collection: what is asked, in which order, and how many are wanted."""

    fields: Fields
    branch: Branch
    sort: Sort = ()
    limit: int = 0
    collation: Mapping[str, Any] | None = None
    _fractions: dict[str, float | None] = field(default_factory=dict, compare=False)

    def fraction(self, predicate: Predicate) -> float:
        """The share that meets *predicate*, 1 where that is not known."""
        known = self.fields.fraction(predicate)
        return 1.0 if known is None else known

    @cached_property
    def total(self) -> float:
        """The share of the documents that the branch returns, as far as its predicates can be looked up."""
        return math.prod(self.fraction(each) for each in self.branch.of("equality", "in", "range"))

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The paths that are equal to one value, by which nothing is left to sort."""
        return frozenset(
            each.path for each in self.branch.of("equality") if not self.fields.arrays(each.path)
        )

    @cached_property
    def order(self) -> Sort:
        """The sort without the paths that are fixed."""
        return tuple((path, way) for path, way in self.sort if path not in self.fixed)

    def examined(self, found: Found) -> float:
        """The documents that are read where *found* is what the index leaves."""
        documents = self.fields.documents * found.fraction
        if self.limit and (found.in_order or not self.order):
            rest = self.total / found.fraction if found.fraction else 1.0
            documents = min(documents, self.limit / max(rest, 1e-9))
        return documents

    def served(self, index: CollectionIndex) -> Found | None:
        """What *index* leaves to be read; None where it cannot be used for the branch."""
        if index.hidden or not self._same_collation(index):
            return None
        if _contradicts(index, self.branch):
            return None
        ways = [way for _, way in index.key]
        if any(isinstance(way, str) and way != "hashed" for way in ways):
            return None
        if "$**" in index.key[0][0]:
            return self._by_wildcard(index)
        return self.by_key(
            [(path, way if isinstance(way, int) else 0) for path, way in index.key], index.name
        )

    def by_key(self, key: Sequence[tuple[str, int]], name: str = "") -> Found | None:
        """What an index of *key* leaves; a direction of 0 is hashed, which neither sorts nor has ranges."""
        fraction = 1.0
        order = list(self.order)
        turned: int | None = None  # 1 where the index is read forwards, -1 backwards
        used = False
        for path, way in key:
            predicate = self.branch.on(path)
            if predicate is not None and predicate.kind == "equality":
                fraction *= self.fraction(predicate)
                used = True
                continue
            if way == 0:
                break
            if predicate is not None and predicate.kind == "in" and self._merges(predicate):
                fraction *= self.fraction(predicate)
                used = True
                order = [each for each in order if each[0] != path]
                continue
            if order and order[0][0] == path and turned in (None, way * order[0][1]):
                turned = way * order[0][1]
                order.pop(0)
                used = True
                if predicate is not None:
                    fraction *= self.fraction(predicate)
                continue
            if predicate is not None:
                fraction *= self.fraction(predicate)
                used = True
            break
        if not used:
            return None
        return Found(fraction, bool(self.order) and not order, name)

    def _merges(self, predicate: Predicate) -> bool:
        return not self.order or predicate.values <= MERGED

    def _by_wildcard(self, index: CollectionIndex) -> Found | None:
        """A wildcard index serves one field: the most selective one below its path."""
        below = index.key[0][0].removesuffix("$**")
        served = [each for each in self.branch.of("equality", "in", "range") if each.path.startswith(below)]
        if not served:
            return None
        return Found(min(self.fraction(each) for each in served), False, index.name)

    def _same_collation(self, index: CollectionIndex) -> bool:
        """Whether *index* orders texts as the operation does, or no text is compared."""
        asked = self.collation or self.fields.collection.collation
        if same_collation(asked, index.collation):
            return True
        paths = {each.path for each in self.branch.predicates} | {path for path, _ in self.sort}
        return not any(self.fields.holds_text(path) for path in paths)


def same_collation(asked: Mapping[str, Any] | None, has: Mapping[str, Any] | None) -> bool:
    """Whether two collations are the same, the rest of a short one being its defaults."""
    asked, has = _written(asked), _written(has)
    if not asked or not has:
        return asked == has
    return all(has.get(name, value) == value for name, value in asked.items()) and (
        asked.get("strength", 3) == has.get("strength", 3)
    )


def _written(collation: Mapping[str, Any] | None) -> dict[str, Any]:
    plain = not collation or collation.get("locale") == "simple"
    return {} if plain or collation is None else dict(collation)


def _contradicts(index: CollectionIndex, branch: Branch) -> bool:
    """Whether *index* lacks documents that the branch may want, so that the server cannot use it.

    A partial filter that cannot be told to be implied, as its value is left out, counts as implied: the
    index may be there for this very operation.
    """
    if index.sparse:
        first = branch.on(index.key[0][0])
        if first is None or first.is_null:
            return True
    for path, wanted in (index.partial_filter or {}).items():
        if path.startswith("$"):
            continue  # alternatives, which are not judged
        predicate = branch.on(path)
        if predicate is None or predicate.is_null:
            return True
        literal = _literal(predicate)
        if literal is not _UNKNOWN and not isinstance(wanted, Mapping) and literal != wanted:
            return True
    return False


_UNKNOWN = object()


def _literal(predicate: Predicate) -> Any:
    value = predicate.value
    if predicate.kind != "equality" or (isinstance(value, str) and value.startswith("<")):
        return _UNKNOWN
    return value
