"""Indexes proved by the queries that they are for: what a query reads with one, and once it is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from workbench.catalog.collections import Operation
from workbench.errors import BadInput
from workbench.proof.explain_documents import ExecutionStats, execution_stats

_NO_INDEX_FOR_IT = frozenset([27, 291, 2, 17007, 50768, 5626500])  # $text, $near and hint without an index


@dataclass(frozen=True)
class IndexProof:
    """What one query read with an index, and without it. Keys and documents are those examined.

    *used* says that the server chose the index by itself. *without* is None where the index could not be
    hidden or the query is impossible without it, which *without_reason* says; ``indexes_without`` names
    what took its place. Of a time series the documents are buckets.
    """

    collection: str
    index: str
    query: str
    used: bool
    by: ExecutionStats
    without: ExecutionStats | None
    without_reason: str = ""

    @property
    def indexes_used(self) -> tuple[str, ...]:
        return self.by.index_names

    @property
    def indexes_without(self) -> tuple[str, ...]:
        return self.without.index_names if self.without else ()

    @property
    def gains(self) -> bool | None:
        """Whether the query reads less or need not sort thanks to the index; None where that is not known."""
        if self.without is None:
            return True if self.without_reason.startswith("impossible") else None
        if self.without.in_memory_sort and not self.by.in_memory_sort:
            return True
        return _read(self.without) > _read(self.by)

    def row(self) -> dict[str, Any]:
        """The proof as a row of a table."""
        return {
            "collection": self.collection,
            "index": self.index,
            "query": self.query,
            "used": self.used,
            "returned": self.by.returned,
            "keys": self.by.keys_examined,
            "documents": self.by.documents_examined,
            "documents_per_returned": round(self.by.documents_per_returned, 2),
            "in_memory_sort": self.by.in_memory_sort,
            "keys_without": self.without.keys_examined if self.without else None,
            "documents_without": self.without.documents_examined if self.without else None,
            "in_memory_sort_without": self.without.in_memory_sort if self.without else None,
            "instead": ", ".join(self.indexes_without)
            or self.without_reason
            or ("the whole collection" if self.without and self.without.collection_scan else ""),
        }


def _read(stats: ExecutionStats) -> int:
    return stats.keys_examined + stats.documents_examined


def prove_index_use(
    collection: Collection[dict[str, Any]], operation: Operation, index: str, *, says: str = ""
) -> IndexProof:
    """What *operation* reads with *index* and once that is hidden; it is shown again after.

    *collection* is one of a scratch database. Nothing is written: updates and deletes are explained.
    Raises BadInput where the collection has no such index or the operation is an insert.
    """
    if index not in {each["name"] for each in collection.list_indexes()}:
        raise BadInput(f"{collection.name} has no index {index!r}: name one of its own")
    by = explained(collection, operation)
    without, reason = None, ""
    if index == "_id_":
        reason = "the index of _id cannot be hidden"
    else:
        with _hidden(collection, index):
            try:
                without = explained(collection, operation)
            except OperationFailure as exc:
                if exc.code not in _NO_INDEX_FOR_IT:
                    raise
                reason = f"impossible without it ({exc.code})"
    return IndexProof(
        collection.name, index, says or described(operation), index in by.index_names, by, without, reason
    )


def explained(collection: Collection[dict[str, Any]], operation: Operation) -> ExecutionStats:
    """What *operation* takes on *collection*, run by the server under ``explain``."""
    command = command_of(operation, collection.name)
    return execution_stats(collection.database.command("explain", command, verbosity="executionStats"))


def command_of(operation: Operation, collection: str) -> dict[str, Any]:
    """The command of the server that *operation* is. Raises BadInput for an insert, which reads nothing."""
    collation = {"collation": dict(operation.collation)} if operation.collation else {}
    found = dict(operation.filter)
    if operation.kind == "find":
        command = {"find": collection, "filter": found, "limit": operation.limit, **collation}
        if operation.sort:
            command["sort"] = dict(operation.sort)
        if operation.projection is not None:
            command["projection"] = dict(operation.projection)
        return command
    if operation.kind == "aggregate":
        first = [{"$match": found}] if found else []
        pipeline = [*first, *map(dict, operation.pipeline)]
        return {"aggregate": collection, "pipeline": pipeline, "cursor": {}, **collation}
    if operation.kind == "count":
        return {"count": collection, "query": found, **collation}
    if operation.kind == "distinct":
        key = next(iter(operation.projection or {}), "_id")
        return {"distinct": collection, "key": key, "query": found, **collation}
    if operation.kind == "update":
        change = {"q": found, "u": {"$set": {"_workbench": 1}}, "multi": operation.limit != 1, **collation}
        return {"update": collection, "updates": [change]}
    if operation.kind == "delete":
        return {
            "delete": collection,
            "deletes": [{"q": found, "limit": int(operation.limit == 1), **collation}],
        }
    raise BadInput("an insert reads no index: name a query, an update or a delete")


def described(operation: Operation) -> str:
    """The operation in a few words: ``find by status, owner, sorted by at``."""
    text: str = operation.kind
    if fields := _fields(operation.filter):
        text += f" by {', '.join(fields)}"
    elif operation.pipeline and "$match" in operation.pipeline[0]:
        text += f" by {', '.join(_fields(operation.pipeline[0]['$match']))}"
    if operation.sort:
        text += f", sorted by {', '.join(path for path, _ in operation.sort)}"
    return text


def _fields(query: Mapping[str, Any]) -> list[str]:
    return [name for name in query if not name.startswith("$")]


@contextmanager
def _hidden(collection: Collection[dict[str, Any]], index: str) -> Iterator[None]:
    """*index* hidden from the planner for the block."""

    def hide(hidden: bool) -> None:
        collection.database.command("collMod", collection.name, index={"name": index, "hidden": hidden})

    hide(True)
    try:
        yield
    finally:
        hide(False)
