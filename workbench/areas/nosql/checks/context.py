"""What a check sees: the catalog, the shapes, the operations and what was counted; and how it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workbench.areas.nosql.checks.tallies import Names, Question, Tally
from workbench.catalog.collections import Collection, CollectionCatalog, Operation
from workbench.catalog.shapes import Node, Shape, written
from workbench.proof.findings import Evidence, Finding, Severity

AREA = "nosql"
Existing = Callable[[str, Sequence[Any]], "frozenset[Any] | None"]


def _unknown(collection: str, values: Sequence[Any]) -> frozenset[Any] | None:
    """Nothing can be looked up without the documents."""
    return None


@dataclass(frozen=True)
class Context:
    """A database of collections as the checks see it.

    *answers* hold what one pass over the documents counted for the checks' questions; *existing* tells
    which of some values are the ``_id`` of a document of a collection, None where that is not known.
    *shard_keys* are keys that are planned, beside those that the catalog has.
    """

    catalog: CollectionCatalog
    shapes: Mapping[str, Shape]
    operations: tuple[Operation, ...]
    looked_at_on: str
    now: datetime
    answers: Mapping[Question, Tally] = field(default_factory=dict)
    existing: Existing = _unknown
    shard_keys: Mapping[str, tuple[tuple[str, int | str], ...]] = field(default_factory=dict)

    def stored(self) -> Iterator[tuple[Collection, Shape | None]]:
        """The collections that hold documents of their own, with their shapes: no views, no system's."""
        for collection in self.catalog.collections:
            if collection.kind == "view" or collection.name.startswith("system."):
                continue
            yield collection, self.shapes.get(collection.name)

    def shaped(self) -> Iterator[tuple[Collection, Shape]]:
        """Those of `stored` whose documents were read, and that have some."""
        for collection, shape in self.stored():
            if shape is not None and shape.documents:
                yield collection, shape

    def answer(self, question: Question) -> Any:
        """The tally of *question*, or None where it was not counted or saw no document."""
        tally = self.answers.get(question)
        return tally if tally is not None and tally.documents else None

    def operations_on(self, collection: str) -> list[Operation]:
        return [operation for operation in self.operations if operation.collection == collection]

    def object(self, collection: str, *names: str) -> str:
        """``database.collection[.path]``, as findings name it."""
        return written((self.catalog.database, collection, *names))

    def exact(self, collection: str) -> bool:
        """Whether what was counted in *collection* is true of all its documents."""
        shape = self.shapes.get(collection)
        return shape is not None and shape.full

    def finding(
        self,
        check: str,
        severity: Severity,
        collection: str,
        names: Names,
        *,
        title: str,
        why: str,
        fix: str,
        counted: Mapping[str, Any],
        verified: bool,
        kind: str = "count",
        summary: str = "",
        unverified_because: str = "",
    ) -> Finding:
        """A finding about *names* in *collection*, with what was *counted* as its evidence."""
        return Finding(
            area=AREA,
            check=check,
            severity=severity,
            object=self.object(collection, *names),
            title=title,
            why=why,
            fix=fix,
            verified=verified,
            unverified_because="" if verified else unverified_because or self._sampled(collection),
            evidence=(
                Evidence(kind, summary or self._counted(collection), self.looked_at_on, dict(counted)),
            ),
        )

    def _sampled(self, collection: str) -> str:
        shape = self.shapes.get(collection)
        if shape is None:
            return "the documents were not read"
        if not shape.full:
            of = f" of {shape.of:,}" if shape.of else ""
            return f"the figures are of a sample of {shape.documents:,}{of} documents"
        return "it was read from the catalog and not tried"

    def _counted(self, collection: str) -> str:
        shape = self.shapes.get(collection)
        if shape is None:
            return "Read from the catalog."
        which = "all" if shape.full else "a sample of"
        return f"Counted over {which} {shape.documents:,} documents of {collection}."


def types_of(node: Node) -> str:
    """A node's types with their counts, in words, the most frequent first."""
    ordered = sorted(node.types.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)
