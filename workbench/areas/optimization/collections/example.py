"""The example's queries run under the profiler, as they are or as if nobody had thought of indexes "
"for them."""

from __future__ import annotations

from pymongo.errors import PyMongoError

from workbench.documents.example.build import sample_queries
from workbench.documents.example.designs import AS_SENT
from workbench.documents.indexing.copies import line_of
from workbench.documents.opening import OpenModel
from workbench.documents.source import scratch_source
from workbench.errors import BadInput, EngineError
from workbench.proof.documents.index_use import command_of


def record_example(opened: OpenModel, *, without_indexes: bool = True, runs: int = 3) -> list[str]:
    """Run each query of the example's design *runs* times under the profiler, in its scratch database.

    With *without_indexes* the indexes that are there for reading alone are dropped there first: unique, TTL,
    text and partial ones stay. The names of those dropped, ``collection.index``. Raises BadInput where
    *opened* is not the example, EngineError.
    """
    database = opened.database
    if database is None:
        raise BadInput(f"{opened.source.spec} is not the example's database, and nothing is run in it")
    queries = sample_queries(database)
    dropped: list[str] = []
    try:
        if without_indexes and opened.collections is not None:
            for collection in opened.collections.catalog.collections:
                for index in collection.indexes:
                    plain = all(way in (1, -1) and "$**" not in path for path, way in index.key)
                    kept = index.unique or index.partial_filter or index.expire_after_s is not None
                    if collection.kind == "collection" and plain and not kept and index.name != "_id_":
                        database[collection.name].drop_index(index.name)
                        dropped.append(f"{collection.name}.{index.name}")
        recording = database.with_options(codec_options=AS_SENT)
        recording.command("profile", 2)
        try:
            for _ in range(runs):
                for query in queries:
                    recording.command(command_of(query.operation, query.collection))
        finally:
            recording.command("profile", 0)
    except PyMongoError as exc:
        raise EngineError(f"the example's queries could not be run: {line_of(exc)}") from exc
    opened.collections = scratch_source(
        database, title=opened.source.title, timeout_s=opened.options.timeout_s
    )
    return dropped


__all__ = ["record_example"]
