"""Indexes tried on a copy: operations run before and after them, with values taken from the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.catalog.collections import Collection, Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.copies import Wanted, copied
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.proof.explain_documents import ExecutionStats

_GAIN = 10.0
_NEAR_ONE = 1.5  # documents read for each one returned
_SORTED_UNNOTICED = 100


@dataclass(frozen=True)
class Run:
    """One execution of an operation, with the same values before and after the index."""

    before: ExecutionStats
    after: ExecutionStats

    def helped(self, index: str) -> bool:
        """Whether the index was used, and reads next to nothing in vain or a tenth of before, unsorted."""
        reads = max(self.after.documents_examined, 0)
        fewer = (
            self.after.documents_per_returned <= _NEAR_ONE or reads * _GAIN <= self.before.documents_examined
        )
        sorts = self.after.in_memory_sort and reads > _SORTED_UNNOTICED
        return index in self.after.index_names and fewer and not sorts

    @property
    def gained(self) -> bool:
        """Whether it is better than before by what somebody would notice."""
        read_before = max(self.before.documents_examined, self.before.keys_examined)
        read_after = max(self.after.documents_examined, self.after.keys_examined, 1)
        spared_sort = self.before.in_memory_sort and not self.after.in_memory_sort
        return read_before >= _GAIN * read_after or (spared_sort and read_after <= read_before)


@dataclass
class Trial:
    """What came of an index. *failure* says why it could not be tried; else *runs* has its executions."""

    name: str
    documents: int
    whole: bool
    failure: str = ""
    index_bytes: int = 0
    runs: list[Run] = field(default_factory=list)

    @property
    def helps(self) -> bool:
        """Whether most executions were helped: with a frequent value, no index helps."""
        good = [run for run in self.runs if run.helped(self.name) and run.gained]
        return bool(self.runs) and 2 * len(good) > len(self.runs)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "whole_collection": self.whole,
            "executions": len(self.runs),
            "documents_examined_before": sum(run.before.documents_examined for run in self.runs),
            "documents_examined_after": sum(run.after.documents_examined for run in self.runs),
            "keys_examined_before": sum(run.before.keys_examined for run in self.runs),
            "keys_examined_after": sum(run.after.keys_examined for run in self.runs),
            "returned": sum(run.after.returned for run in self.runs),
            "sorted_in_memory_before": sum(run.before.in_memory_sort for run in self.runs),
            "sorted_in_memory_after": sum(run.after.in_memory_sort for run in self.runs),
            "elapsed_ms_before": sum(run.before.elapsed_ms for run in self.runs),
            "elapsed_ms_after": sum(run.after.elapsed_ms for run in self.runs),
            "index_bytes": self.index_bytes,
        }

    @property
    def summary(self) -> str:
        facts = self.facts
        of = "all" if self.whole else "a sample of"
        read = f"{facts['documents_examined_after']:,} instead of {facts['documents_examined_before']:,}"
        sorts = ", and sorted none in memory any more" if facts["sorted_in_memory_before"] else ""
        runs = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
        return (
            f"{runs} on {of} {self.documents:,} documents gave {facts['returned']:,} and read {read}{sorts}."
        )


def tried_indexes(
    source: DocumentSource,
    collection: Collection,
    shape: Shape,
    indexes: Mapping[str, Wanted],
    operations: Mapping[str, Sequence[Operation]],
    engine: MongoServer,
) -> dict[str, Trial]:
    """The *indexes* of *collection* tried with the *operations* that each is for, by the same keys.

    At most 200,000 documents and 200 MB of them are copied, at random where there are more. Raises
    SourceError where they cannot be read, EngineError.
    """
    with copied(source, collection, shape, engine) as copy:
        planned = {
            name: [find for each in of for find in copy.finds(each)] for name, of in operations.items()
        }
        before = {name: [copy.run(find) for find in finds] for name, finds in planned.items()}
        trials = {name: Trial(wanted.name, copy.documents, copy.whole) for name, wanted in indexes.items()}
        for name, wanted in indexes.items():
            trials[name].failure = copy.make(wanted)
        sizes = copy.index_sizes()
        for name, trial in trials.items():
            if trial.failure:
                continue
            trial.index_bytes = sizes.get(trial.name, 0)
            after = [copy.run(find) for find in planned[name]]
            trial.runs = [Run(old, new) for old, new in zip(before[name], after, strict=True)]
            if not trial.runs:
                trial.failure = "no document holds values that its operations could be run with"
        return trials
