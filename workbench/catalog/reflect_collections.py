"""What a server says of a database of collections, read with a constant number of commands a collection.

``listCollections`` once; for each collection ``$collStats`` and ``$indexStats``, several at a time, as
no supported server answers for all of them at once without rights on the whole cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from workbench.catalog.collections import Collection, CollectionCatalog, CollectionIndex, Operation
from workbench.catalog.observed_operations import observed_operations
from workbench.engines.mongo_reading import ReadOnlyDatabase
from workbench.errors import NotAuthorized, SourceError, SourceTimeout, SourceUnreachable

MOST = 20_000
_AT_ONCE = 8
_PROFILED = 20_000
_INDEX_FIELDS = {
    "unique": "unique",
    "sparse": "sparse",
    "hidden": "hidden",
    "partialFilterExpression": "partial_filter",
    "expireAfterSeconds": "expire_after_s",
    "collation": "collation",
}


@dataclass
class _Measured:
    """A collection and what of it could not be read: the subject, and why."""

    collection: Collection
    problems: list[tuple[str, str]] = field(default_factory=list)


def reflect_collections(database: ReadOnlyDatabase, *, most: int = MOST) -> CollectionCatalog:
    """The collections of *database*, sorted by name, with their indexes, sizes and observed operations.

    The figures of the first *most* collections are read; of the others and of those that the login may
    not read, what is missing is named in *left_out*. Raises SourceUnreachable, SourceTimeout.
    """
    left_out: list[str] = []
    collections = sorted(_listed(database, left_out), key=lambda each: each.name)
    measured, rest = collections[:most], collections[most:]
    if rest:
        left_out.append(
            f"sizes and indexes of {len(rest):,} of {len(collections):,} collections, from {rest[0].name!r} "
            f"on: those of the first {most:,} were read"
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(partial(_measure, database), measured))
        left_out += _summarised(results)
        counted = _with_other_members(database, [result.collection for result in results], pool, left_out)
    found = [*counted, *rest]
    return CollectionCatalog(
        database=database.name,
        server=database.server,
        topology=database.topology,
        collections=tuple(_with_shard_keys(database, found, left_out)),
        operations=tuple(_observed(database, left_out)),
        left_out=tuple(left_out),
    )


def has_collections(database: ReadOnlyDatabase) -> bool:
    """Whether *database* has a collection that `reflect_collections` would find; nothing of it is read."""
    return any(_listed(database, []))


def _listed(database: ReadOnlyDatabase, left_out: list[str]) -> Iterator[Collection]:
    """The collections without figures; those that the server keeps for itself are hidden."""
    command: dict[str, Any] = {"listCollections": 1, "cursor": {}}
    try:
        entries = list(database.documents(command))
    except NotAuthorized:
        narrow = {"nameOnly": True, "authorizedCollections": True}
        entries = list(database.documents({**command, **narrow}))
        left_out.append(
            "the options of collections, such as validators, and those collections that the login may not"
            " read: it may list only its own"
        )
    for entry in entries:
        if not entry["name"].startswith("system."):
            yield listed_collection(entry)


def listed_collection(entry: Mapping[str, Any]) -> Collection:
    """A collection as an entry of ``listCollections`` describes it."""
    options = entry.get("options", {})
    kinds = {"view": "view", "timeseries": "time series"}
    series = options.get("timeseries")
    return Collection(
        name=entry["name"],
        kind=kinds.get(entry.get("type", ""), "collection"),  # type: ignore[arg-type]
        capped=bool(options.get("capped")),
        validator=options.get("validator") or None,
        validation_level=options.get("validationLevel", "strict") if options.get("validator") else "",
        validation_action=options.get("validationAction", "error") if options.get("validator") else "",
        time_series=series,
        expire_after_s=_number(options.get("expireAfterSeconds")),
        collation=options.get("collation"),
        clustered=bool(options.get("clusteredIndex")),
        view_on=options.get("viewOn", ""),
        pipeline=tuple(options.get("pipeline", ())),
    )


def _measure(database: ReadOnlyDatabase, collection: Collection) -> _Measured:
    """*collection* with its figures; those that may not be read stay unknown."""
    measured = _Measured(collection)
    if collection.kind == "view":
        return measured
    storage = _read(measured, "sizes", partial(_storage, database, collection.name))
    used = _read(measured, "use of the indexes", partial(_index_stats, database, collection.name))
    if used is None:
        used = _read(measured, "indexes", partial(_index_list, database, collection.name))
    sizes = _summed(storage or [], "indexSizes")
    indexes = tuple(replace(index, size_bytes=sizes.get(index.name)) for index in used or ())
    measured.collection = replace(collection, **_sizes(collection, storage or []), indexes=indexes)
    return measured


def _read(measured: _Measured, subject: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (SourceUnreachable, SourceTimeout):
        raise
    except NotAuthorized:
        measured.problems.append((subject, "the login may not read it"))
    except SourceError as exc:
        measured.problems.append((subject, str(exc).rpartition(": ")[2]))
    return None


def _storage(database: ReadOnlyDatabase, name: str) -> list[dict[str, Any]]:
    """The storage statistics of the collection, one document a shard."""
    rows = database.aggregate(name, [{"$collStats": {"storageStats": {}}}])
    return [row["storageStats"] for row in rows]


def _sizes(collection: Collection, storage: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not storage:
        return {}
    # a time series is counted in buckets, which are no documents of the user's
    counted = collection.kind == "collection"
    return {
        "documents": sum(int(each.get("count", 0)) for each in storage) if counted else None,
        "size_bytes": sum(int(each.get("size", 0)) for each in storage),
        "storage_bytes": sum(int(each.get("storageSize", 0)) for each in storage),
    }


def _summed(storage: Sequence[Mapping[str, Any]], name: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for each in storage:
        for key, value in each.get(name, {}).items():
            totals[key] = totals.get(key, 0) + int(value)
    return totals


def _index_stats(database: ReadOnlyDatabase, name: str) -> list[CollectionIndex]:
    """The indexes with how often they were used, summed over the shards."""
    found: dict[str, CollectionIndex] = {}
    for row in database.aggregate(name, [{"$indexStats": {}}]):
        index = replace(
            index_of({**row.get("spec", {}), "name": row["name"], "key": row["key"]}),
            accesses=int(row["accesses"]["ops"]),
            accesses_since=row["accesses"]["since"],
        )
        found[index.name] = _together(found.get(index.name), index)
    return list(found.values())


def _together(one: CollectionIndex | None, other: CollectionIndex) -> CollectionIndex:
    """The same index on two servers: used as often as both, counted since the later start of both."""
    if one is None or one.accesses_since is None or other.accesses_since is None:
        return other
    return replace(
        other,
        accesses=(one.accesses or 0) + (other.accesses or 0),
        accesses_since=max(one.accesses_since, other.accesses_since),
    )


def _with_other_members(
    database: ReadOnlyDatabase,
    collections: Sequence[Collection],
    pool: ThreadPoolExecutor,
    left_out: list[str],
) -> Sequence[Collection]:
    """*collections* with the use of their indexes on every member of the replica set.

    Each member counts what it did itself. Where one cannot be asked, an index that the others do not use
    may be used there: whether it is used is then not known.
    """
    if not any(index.accesses is not None for each in collections for index in each.indexes):
        return collections
    unasked = []
    for member in database.others:
        try:
            with database.asking(member):
                collections = list(pool.map(partial(_used_there_too, database), collections))
        except SourceError:
            unasked.append(member)
    if not unasked:
        return collections
    left_out.append(
        f"use of the indexes on {', '.join(unasked)}, which cannot be asked from here: whether those without"
        " an access are used is not known"
    )
    return [replace(each, indexes=tuple(map(_perhaps_used, each.indexes))) for each in collections]


def _perhaps_used(index: CollectionIndex) -> CollectionIndex:
    return replace(index, accesses=index.accesses or None)


def _used_there_too(database: ReadOnlyDatabase, collection: Collection) -> Collection:
    """*collection* with the use of its indexes on the member that is asked now."""
    if all(index.accesses is None for index in collection.indexes):
        return collection
    there = {index.name: index for index in _index_stats(database, collection.name)}
    together = (
        replace(_together(there[index.name], index), size_bytes=index.size_bytes)
        if index.name in there
        else index
        for index in collection.indexes
    )
    return replace(collection, indexes=tuple(together))


def _index_list(database: ReadOnlyDatabase, name: str) -> list[CollectionIndex]:
    specs = database.documents({"listIndexes": name, "cursor": {}}, about=name)
    return [index_of(spec) for spec in specs if not spec.get("clustered")]


def index_of(spec: Mapping[str, Any]) -> CollectionIndex:
    """An index as ``listIndexes`` and the metadata of a dump describe it."""
    known = {field: spec[name] for name, field in _INDEX_FIELDS.items() if name in spec}
    rest = {
        name: value
        for name, value in spec.items()
        if name not in _INDEX_FIELDS and name not in ("v", "key", "name", "ns", "background")
    }
    key = tuple((path, _direction(value)) for path, value in spec["key"].items())
    return CollectionIndex(name=spec["name"], key=key, options=rest, **known)


def _direction(value: Any) -> int | str:
    if isinstance(value, str):
        return value
    return -1 if value < 0 else 1


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _summarised(results: Iterable[_Measured]) -> list[str]:
    """What could not be read, a line for each subject and reason however many collections there are."""
    names: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for problem in result.problems:
            names.setdefault(problem, []).append(result.collection.name)
    return [f"{subject} of {_several(of)}: {reason}" for (subject, reason), of in names.items()]


def _several(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} more collections"


def _with_shard_keys(
    database: ReadOnlyDatabase, collections: Sequence[Collection], left_out: list[str]
) -> Iterable[Collection]:
    """*collections* with the keys that a cluster spreads them by; only a mongos knows them."""
    if database.topology != "mongos":
        return collections
    prefix = f"{database.name}."
    query = {"_id": {"$gte": prefix, "$lt": f"{database.name}/"}}
    try:
        entries = database.documents({"find": "collections", "filter": query}, database="config")
        keys = {each["_id"].removeprefix(prefix): each["key"] for each in entries if "key" in each}
    except NotAuthorized:
        left_out.append("shard keys: the login may not read config.collections")
        return collections
    return [
        replace(each, shard_key=tuple((path, _direction(way)) for path, way in keys[each.name].items()))
        if each.name in keys
        else each
        for each in collections
    ]


def _observed(database: ReadOnlyDatabase, left_out: list[str]) -> list[Operation]:
    """The operations of the profiler, where there are any; the newest 20,000 entries at most."""
    if database.topology == "mongos":
        left_out.append("observed operations: a mongos has no profiler; its shards have one each")
        return []
    newest = {"sort": {"$natural": -1}, "limit": _PROFILED}
    try:
        return observed_operations(database.find("system.profile", {}, **newest), database.name)
    except NotAuthorized:
        left_out.append(
            "observed operations: the login may not read the profiler (system.profile): grant it dbAdmin,"
            " or declare the operations in a file"
        )
        return []


__all__ = ["MOST", "index_of", "listed_collection", "reflect_collections"]
