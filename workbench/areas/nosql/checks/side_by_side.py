"""Parallel arrays: two that no index can hold together, and records that are cut into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from workbench.areas.nosql.checks.arrays import array_pairs
from workbench.areas.nosql.checks.arrays import parallel_arrays as indexed_together
from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.tallies import Document, Names, Question, reached
from workbench.catalog.collections import Collection
from workbench.catalog.shapes import Node, Shape, queried, step, written
from workbench.documents.mongosh import spelled
from workbench.proof.findings import Finding

LENGTHS, ENOUGH = 3, 50  # different lengths, and documents, from which agreement is no chance
AGREE = 0.99  # of the documents in which both have as many elements


@dataclass(frozen=True)
class SameLengths:
    """In how many documents the arrays at *one* and *other* have as many elements."""

    collection: str
    one: Names
    other: Names

    def tally(self, now: datetime) -> SameLengthsTally:
        return SameLengthsTally(self.one, self.other)


@dataclass
class SameLengthsTally:
    one: Names
    other: Names
    documents: int = 0
    both: int = 0
    same: int = 0

    def add(self, document: Document) -> None:
        self.documents += 1
        one = next(reached(document, self.one), None)
        other = next(reached(document, self.other), None)
        if isinstance(one, list) and isinstance(other, list):
            self.both += 1
            self.same += len(one) == len(other)


def questions(context: Context) -> Iterator[Question]:
    yield from array_pairs(context)
    for collection, shape in context.shaped():
        for group in _groups(shape):
            for other in group[1:]:
                yield SameLengths(collection.name, group[0], other)


def parallel_arrays(context: Context) -> Iterator[Finding]:
    """What `arrays.parallel_arrays` finds, and arrays of scalars that belong together by position."""
    yield from indexed_together(context)
    for collection, shape in context.shaped():
        for group in _groups(shape):
            together = [other for other in group[1:] if _agree(context, collection, group[0], other)]
            if together:
                yield _cut(context, collection, [group[0], *together])


def _groups(shape: Shape) -> list[list[Names]]:
    """The arrays of scalars of one object that have the same figures of length, which vary."""
    found: list[list[Names]] = []
    holders = [((), shape.root), *((names, node) for names, node in shape.walk() if "[]" not in names)]
    for names, holder in holders:
        by_figures: dict[tuple[object, ...], list[Names]] = {}
        for child in holder.children:
            lengths = child.lengths
            if child.kind != "field" or lengths is None or not _scalars(child):
                continue
            if lengths.maximum - lengths.minimum + 1 < LENGTHS or lengths.maximum < LENGTHS:
                continue
            figures = (lengths.count, lengths.minimum, lengths.maximum)
            by_figures.setdefault(figures, []).append((*names, step(child)))
        found += [group for group in by_figures.values() if len(group) > 1]
    return found


def _scalars(node: Node) -> bool:
    """Whether the elements are scalars, neither objects nor arrays."""
    element = next((child for child in node.children if child.kind == "element"), None)
    return element is not None and not {"object", "array"} & set(element.types)


def _agree(context: Context, collection: Collection, one: Names, other: Names) -> bool:
    tally = context.answer(SameLengths(collection.name, one, other))
    return tally is not None and tally.both >= ENOUGH and tally.same >= AGREE * tally.both


def _cut(context: Context, collection: Collection, arrays: list[Names]) -> Finding:
    tally = context.answer(SameLengths(collection.name, arrays[0], arrays[1]))
    listed = ", ".join(written(names) for names in arrays)
    holder, shown = arrays[0][:-1], arrays[0][-1]
    target = queried((*holder, f"{shown}_and_others"))
    numbers = f'{{"$range": [0, {{"$size": {spelled("$" + queried(arrays[0]))}}}]}}'
    fields = ", ".join(
        f'{spelled(names[-1])}: {{"$arrayElemAt": [{spelled("$" + queried(names))}, "$$i"]}}'
        for names in arrays
    )
    both = ", ".join(f'{spelled(queried(names))}: {{"$type": "array"}}' for names in arrays)
    return context.finding(
        "parallel_arrays",
        "warn",
        collection.name,
        arrays[0],
        title=f"{listed} of {collection.name} are records cut into arrays",
        why=f"In {tally.same:,} of {tally.both:,} documents {written(arrays[0])} and {written(arrays[1])} "
        "have as many elements, of lengths that vary: what stands at one position belongs together. "
        "No query matches two of them at one position, no index holds both (error 171), $push, $pull and "
        "$sort must hit each alike, and one write that misses one shifts the rest. Source: MongoDB manual, "
        "Embedded Data, $elemMatch; Multikey Indexes.",
        fix=f"// one array of objects\n"
        f"db.getCollection({spelled(collection.name)}).updateMany({{{both}}}, "
        f'[{{"$set": {{{spelled(target)}: {{"$map": {{"input": {numbers}, "as": "i", '
        f'"in": {{{fields}}}}}}}}}}}]);  // then $unset the arrays',
        counted={
            "collection": collection.name,
            "one": queried(arrays[0]),
            "other": queried(arrays[1]),
            "arrays": [queried(names) for names in arrays],
            "documents_with_both": tally.both,
            "of_the_same_length": tally.same,
        },
        verified=context.exact(collection.name),
    )
