"""Index advice for operations, seen or declared, by equality, sort and range: as few as serve all of them.

Source: MongoDB manual, "The ESR (Equality, Sort, Range) Guideline".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.catalog.collections import Collection, CollectionIndex, Operation
from workbench.catalog.shapes import Shape, written
from workbench.documents.indexing.needs import ENOUGH, Need, needs_of
from workbench.documents.indexing.selectivity import Fields, Key, same_collation
from workbench.documents.mongosh import key_document, shell, spelled, text
from workbench.documents.source import DocumentSource

FEWEST_DOCUMENTS = 1_000  # below, reading them all is as fast
SELDOM = 10_000  # documents read in an hour by all operations below which an index is hardly worth its writes
MOST_A_COLLECTION = 3


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


def advised(
    source: DocumentSource,
    shapes: Mapping[str, Shape],
    operations: Sequence[Operation],
    *,
    most: int = MOST_A_COLLECTION,
) -> list[IndexAdvice]:
    """The indexes that are worth a try, by collection, at most *most* each, what saves most first."""
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
        needs = needs_of(fields, theirs)
        merged = _merged(source.catalog.database, collection, needs)
        found += sorted(merged, key=lambda each: (-each.saved, each.object))[:most]
    return found


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
    as_little = need.lookup.examined(found) <= max(2 * need.lookup.examined(own), ENOUGH)
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


def is_seldom(advice: IndexAdvice) -> bool:
    """Whether all that the operations read in an hour, where it is declared, is less than an index costs."""
    hourly = [need.now * need.operation.per_hour for need in advice.needs if need.operation.per_hour]
    return len(hourly) == len(advice.needs) and sum(hourly) < SELDOM


def reasons(advice: IndexAdvice, cost: str) -> Iterator[str]:
    """Why the index is advised, a sentence each; *cost* is what its first operation reads without it."""
    first = advice.needs[0]
    yield f"{described_operation(first.operation)}: {cost}."
    yield (
        "The key has the fields that are compared for equality first, then those of the sort, then a range: "
        "so only documents of the result are read, and they come in order (MongoDB manual, ESR guideline)."
    )
    if any(need.alternatives > 1 for need in advice.needs):
        yield "Each alternative of an $or needs an index of its own, or all documents are read."
    if is_seldom(advice):
        yield "They are run so seldom that the index may cost more, with every write, than it saves."
    left_out = sorted({path for need in advice.needs for path in need.left_out})
    if left_out:
        yield (
            f"{', '.join(left_out)} is no part of it: an index cannot have two arrays side by side"
            " (error 171)."
        )
    if advice.extends:
        yield f"It begins with the key of {', '.join(advice.extends)}, which it makes superfluous."


def fix(advice: IndexAdvice) -> str:
    """The statements of mongosh that make the index, and hide those that it makes superfluous."""
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
