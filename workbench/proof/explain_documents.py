"""The figures of an ``explain`` of a server of collections, whichever of its forms they come in.

A find, an update, a delete, a count and some pipelines are explained with ``queryPlanner`` at the top,
other pipelines as a list of ``stages`` whose first is a ``$cursor`` or a ``$geoNearCursor``; a mongos
adds a level for the shards, and the slot engine keeps the readable plan under ``queryPlan``.
Source: MongoDB manual, "Explain Results".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import EngineError

_BELOW = ("inputStage", "inputStages", "shards", "winningPlan", "queryPlan")
_CURSORS = frozenset(["$cursor", "$geoNearCursor"])
_BY_ID = ("IDHACK", "EXPRESS_IDHACK", "UPDATE_IDHACK")


@dataclass(frozen=True)
class ExecutionStats:
    """What one run of an operation took.

    *stages* are those of the winning plan, the outermost first, a pipeline's own with their dollar;
    *index_names* those that it read, ``_id_`` included. *documents_examined* and *keys_examined* count
    the collections that a ``$lookup`` reads too, unless it took in the ``$unwind`` behind it: for that one
    the server counts nothing. *returned* is what the last stage gave; for an update or
    a delete, the documents it would change. *in_memory_sort* says that a stage sorted what no index gave
    in order. *elapsed_ms* is in whole milliseconds, as the server gives it.
    """

    keys_examined: int
    documents_examined: int
    returned: int
    elapsed_ms: int
    stages: tuple[str, ...]
    index_names: tuple[str, ...]
    in_memory_sort: bool

    @property
    def documents_per_returned(self) -> float:
        """Documents read for each one given; of a result without documents, all that were read."""
        return self.documents_examined / max(self.returned, 1)

    @property
    def keys_per_returned(self) -> float:
        return self.keys_examined / max(self.returned, 1)

    @property
    def collection_scan(self) -> bool:
        """Whether the collection was read from end to end."""
        return "COLLSCAN" in self.stages


def execution_stats(explain: Mapping[str, Any]) -> ExecutionStats:
    """The figures of *explain*, the reply to an ``explain`` command of verbosity ``executionStats``.

    Raises EngineError where the operation failed, or was planned and not run.
    """
    runs = list(_runs(explain))
    pipeline = [stage for part in _parts(explain) for stage in part.get("stages", ())]
    if not runs:
        raise EngineError("the explanation has no executionStats: ask for that verbosity")
    for _, run in runs:
        if run.get("executionSuccess") is False:
            raise EngineError(
                f"the explained operation failed: {run.get('errorMessage') or 'no reason given'}"
            )
    plan = [stage for planner, _ in runs for stage in _plan(planner.get("winningPlan", {}))]
    below = [stage for stage in pipeline if not _CURSORS & stage.keys()]  # a $lookup says itself what it read
    after = tuple(name for stage in reversed(pipeline) for name in _names(stage) if name not in _CURSORS)
    stages = (*after, *(stage["stage"] for stage in plan))
    return ExecutionStats(
        keys_examined=sum(_whole(run, "totalKeysExamined") for _, run in runs)
        + sum(_whole(each, "totalKeysExamined") for each in below),
        documents_examined=sum(_whole(run, "totalDocsExamined") for _, run in runs)
        + sum(_whole(each, "totalDocsExamined") for each in below),
        returned=_returned(explain, runs),
        elapsed_ms=max(_whole(run, "executionTimeMillis") for _, run in runs),
        stages=stages,
        index_names=tuple(dict.fromkeys([*_indexes(plan), *_looked_up(below)])),
        in_memory_sort=any(name in ("SORT", "$sort") for name in stages),
    )


def _parts(explain: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The explanation of each shard; of a server alone, the explanation itself."""
    shards = explain.get("shards")
    return list(shards.values()) if isinstance(shards, Mapping) else [explain]


def _runs(explain: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The planner's and the executor's section of each cursor that the operation opened."""
    for part in _parts(explain):
        stages = part.get("stages", ())
        cursors = [stage[name] for stage in stages for name in _CURSORS & stage.keys()]
        for cursor in (part, *cursors):
            if "executionStats" in cursor:
                yield cursor.get("queryPlanner", {}), cursor["executionStats"]


def _plan(node: Any) -> Iterator[Mapping[str, Any]]:
    """The stages of a winning plan, the outermost first."""
    if isinstance(node, list):
        for each in node:
            yield from _plan(each)
    elif isinstance(node, Mapping):
        if "stage" in node:
            yield node
        for name in _BELOW:
            yield from _plan(node.get(name))


def _names(stage: Mapping[str, Any]) -> list[str]:
    return [name for name in stage if name.startswith("$")]


def _indexes(plan: list[Mapping[str, Any]]) -> Iterator[str]:
    for stage in plan:
        if stage["stage"] in _BY_ID:
            yield "_id_"
        elif stage.get("indexName"):
            yield str(stage["indexName"])


def _looked_up(below: list[Mapping[str, Any]]) -> Iterator[str]:
    for stage in below:
        yield from (str(name) for name in stage.get("indexesUsed", ()))


def _returned(explain: Mapping[str, Any], runs: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> int:
    total = 0
    for part in _parts(explain):
        last = next((stage for stage in reversed(part.get("stages", ())) if "nReturned" in stage), None)
        if last is not None:
            total += _whole(last, "nReturned")
        else:
            total += sum(_changed_or_returned(run) for _, run in _runs({**part, "shards": None}))
    return total


def _changed_or_returned(run: Mapping[str, Any]) -> int:
    """What an update or a delete would change; else what was returned."""
    for stage in _plan(run.get("executionStages", {})):
        if "nMatched" in stage:
            return _whole(stage, "nMatched")
        if "nWouldDelete" in stage:
            return _whole(stage, "nWouldDelete")
        if "nCounted" in stage:
            return _whole(stage, "nCounted")
    return _whole(run, "nReturned")


def _whole(section: Mapping[str, Any], name: str) -> int:
    """A count, whichever of the number types the server wrote it in."""
    return int(section.get(name) or 0)
