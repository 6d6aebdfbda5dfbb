"""Indexes: too many, served by another one as well, not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.areas.nosql.checks.arrays import array_steps
from workbench.areas.nosql.checks.context import Context
from workbench.catalog.collections import Collection, CollectionCatalog, CollectionIndex
from workbench.catalog.shapes import Shape
from workbench.documents.mongosh import key_document, shell, size, spelled, text
from workbench.proof.findings import Finding

MANY, LIMIT = 15, 64  # indexes of a collection; the second is the server's limit
NEAR_LIMIT = 50
UNUSED_DAYS = 7
WIDER = 4  # times as large: then the narrow index is the faster one to read
WORTH_BYTES = 1024 * 1024
_SPECIAL = ("text", "hashed", "2d", "2dsphere", "geoHaystack")


def too_many_indexes(context: Context) -> Iterator[Finding]:
    """Collections of more than 15 indexes of 64. Source: MongoDB manual, Remove Unnecessary Indexes."""
    for collection, _ in context.stored():
        count = len(collection.indexes)
        if count <= MANY:
            continue
        known = [index.size_bytes for index in collection.indexes if index.size_bytes is not None]
        bytes_of_all = sum(known) if known else None
        beside = (
            f" They take {size(bytes_of_all)}, the documents {size(collection.size_bytes)}."
            if bytes_of_all is not None and collection.size_bytes
            else ""
        )
        never = [index.name for index in collection.indexes if _unused(context, collection, index)]
        yield context.finding(
            "too_many_indexes",
            "error" if count >= NEAR_LIMIT else "warn",
            collection.name,
            (),
            title=f"{collection.name} has {count} indexes",
            why=f"{collection.name} has {count} of the {LIMIT} indexes that the server allows.{beside} Each "
            "one is written with "
            "every insert and delete and with every update of its fields, and takes its share of the cache. "
            "Source: "
            "MongoDB manual, Remove Unnecessary Indexes.",
            fix="// hide those that no query of yours needs, watch for a week, then drop them\n"
            + "\n".join(f"{shell(collection.name)}.hideIndex({text(name)});" for name in never[:20])
            if never
            else f'{shell(collection.name)}.aggregate([{{"$indexStats": {{}}}}])  // hide what has few '
            "accesses, then drop it",
            counted={
                "indexes": count,
                "index_bytes": bytes_of_all,
                "document_bytes": collection.size_bytes,
                "without_accesses": len(never),
            },
            verified=True,
            summary="Counted in the catalog.",
        )


def redundant_index(context: Context) -> Iterator[Finding]:
    """Indexes whose key another one begins with, in the same or the opposite direction throughout.

    Source: MongoDB manual, Compound Indexes, Prefixes; Sort Order; Remove Unnecessary Indexes.
    """
    for collection, shape in context.stored():
        ordered = sorted(collection.indexes, key=lambda index: (-len(index.key), index.name))
        dropped: set[str] = set()
        for narrow in sorted(collection.indexes, key=_least_wanted):
            covers = [
                wide
                for wide in ordered
                if wide.name not in dropped and covers_as_well(wide, narrow, collection, shape)
            ]
            if covers:
                dropped.add(narrow.name)
                yield _redundant(context, collection, narrow, covers[0])


def _least_wanted(index: CollectionIndex) -> tuple[Any, ...]:
    """Of two that serve the same the shorter is dropped, then the one used less, then the descending."""
    ways = tuple(-1 if way == -1 else 0 for _, way in index.key)
    return (len(index.key), index.accesses or 0, ways, index.name)


def covers_as_well(
    wide: CollectionIndex, narrow: CollectionIndex, collection: Collection, shape: Shape | None
) -> bool:
    """Whether *wide* serves whatever *narrow* serves, and *narrow* enforces and removes nothing.

    Not where they differ in collation, filter or sparseness, where the wide one is hidden, where its further
    fields are arrays (it then has several entries a document) or where it is much the larger one.
    """
    if wide.name == narrow.name or narrow.name == "_id_" or narrow.hidden or wide.hidden:
        return False
    if narrow.expire_after_s is not None or not _plain(narrow) or not _plain(wide):
        return False
    if not _begins(wide, narrow) or not _same_entries(wide, narrow, collection):
        return False
    if narrow.unique and not (len(wide.key) == len(narrow.key) and (wide.unique or wide.name == "_id_")):
        return False
    if len(wide.key) == len(narrow.key) and wide.expire_after_s is not None and not narrow.unique:
        return True
    if _shard_key(collection, narrow) and not _plainly_begins(wide, narrow):
        return False
    further = wide.paths[len(narrow.key) :]
    if shape is not None and any(array_steps(shape, path) for path in further):
        return False
    return not _much_larger(wide, narrow)


def _plain(index: CollectionIndex) -> bool:
    return all(way in (1, -1) and "$**" not in path for path, way in index.key)


def _begins(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    """Whether the fields are the first ones of the wide key, all in its direction or all against it."""
    if wide.paths[: len(narrow.key)] != narrow.paths:
        return False
    ways = {int(one) * int(other) for (_, one), (_, other) in zip(wide.key, narrow.key, strict=False)}
    return len(ways) == 1


def _plainly_begins(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    return wide.key[: len(narrow.key)] == narrow.key


def _same_entries(wide: CollectionIndex, narrow: CollectionIndex, collection: Collection) -> bool:
    return (
        _collation(wide, collection) == _collation(narrow, collection)
        and (wide.partial_filter or None) == (narrow.partial_filter or None)
        and wide.sparse == narrow.sparse
        and not (wide.sparse and len(wide.key) > len(narrow.key))
    )


def _collation(index: CollectionIndex, collection: Collection) -> Mapping[str, Any] | None:
    """The collation of an index; locale simple is none, and a collection's own is what its indexes have."""
    chosen = index.collation if index.collation is not None else collection.collation
    if not chosen or chosen.get("locale") == "simple":
        return None
    return {name: value for name, value in chosen.items() if name != "version"}


def _shard_key(collection: Collection, index: CollectionIndex) -> bool:
    return bool(collection.shard_key) and index.key[: len(collection.shard_key)] == collection.shard_key


def _much_larger(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    if wide.size_bytes is None or narrow.size_bytes is None:
        return False
    return wide.size_bytes >= WORTH_BYTES and wide.size_bytes >= WIDER * narrow.size_bytes


def _redundant(
    context: Context, collection: Collection, narrow: CollectionIndex, wide: CollectionIndex
) -> Finding:
    same = len(wide.key) == len(narrow.key)
    how = "has the same fields" if same else "begins with the same fields"
    saved = f" It takes {size(narrow.size_bytes)}." if narrow.size_bytes else ""
    return context.finding(
        "redundant_index",
        "warn",
        collection.name,
        (narrow.name,),
        title=f"The index {narrow.name} of {collection.name} is served by {wide.name} as well",
        why=f"{wide.name} {key_document(wide.key)} {how} as {narrow.name} {key_document(narrow.key)}, and "
        "has the same "
        f"collation and filter.{saved} Every insert and delete writes both. A hint that names {narrow.name} "
        "must be "
        "changed first. Source: MongoDB manual, Compound Indexes, Prefixes.",
        fix=f"{shell(collection.name)}.hideIndex({text(narrow.name)});  // undone at once by unhideIndex\n"
        f"{shell(collection.name)}.dropIndex({text(narrow.name)});",
        counted={
            "collection": collection.name,
            "index": narrow.name,
            "key": [list(part) for part in narrow.key],
            "kept": wide.name,
            "kept_key": [list(part) for part in wide.key],
            "collation": dict(narrow.collation) if narrow.collation else None,
            "partial_filter": spelled(narrow.partial_filter) if narrow.partial_filter else None,
            "sparse": narrow.sparse,
            "size_bytes": narrow.size_bytes,
            "accesses": narrow.accesses,
        },
        verified=False,
        summary="Read from the catalog.",
        unverified_because="no engine was there on which to try the queries without it",
    )


def unused_index(context: Context) -> Iterator[Finding]:
    """Indexes that no operation used in the seven days and more that the member has counted.

    Source: MongoDB manual, $indexStats: counts are of one member since its start. Those that enforce or
    remove (unique, TTL, the shard key's) work without being read, and are left out.
    """
    answered = sum(operation.count for operation in context.catalog.operations)
    busy = answered + sum(
        index.accesses or 0 for collection, _ in context.stored() for index in collection.indexes
    )
    if not busy:
        return  # a member that answers nobody
    for collection, _ in context.stored():
        for index in collection.indexes:
            if _unused(context, collection, index):
                yield _never_read(context, collection, index, busy)


def unused_so_far(catalog: CollectionCatalog, now: datetime) -> list[str]:
    """``collection.index`` of those without an access in statistics that are too young to say more."""
    return [
        f"{collection.name}.{index.name}"
        for collection in catalog.collections
        for index in collection.indexes
        if index.accesses == 0
        and index.accesses_since is not None
        and now - _aware(index.accesses_since) < timedelta(days=UNUSED_DAYS)
        and index.name != "_id_"
        and not (index.unique or index.hidden or _shard_key(collection, index))
        and index.expire_after_s is None
    ]


def _unused(context: Context, collection: Collection, index: CollectionIndex) -> bool:
    if index.name == "_id_" or index.unique or index.expire_after_s is not None or index.hidden:
        return False
    if index.accesses != 0 or index.accesses_since is None or _shard_key(collection, index):
        return False
    return context.now - _aware(index.accesses_since) >= timedelta(days=UNUSED_DAYS)


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _never_read(context: Context, collection: Collection, index: CollectionIndex, busy: int) -> Finding:
    since = index.accesses_since
    days = (context.now - _aware(since)).days if since else 0
    others = _accesses(collection.indexes)
    takes = f" It takes {size(index.size_bytes)}." if index.size_bytes else ""
    return context.finding(
        "unused_index",
        "warn",
        collection.name,
        (index.name,),
        title=f"No operation used the index {index.name} of {collection.name} in {days} days",
        why=f"Since {since:%Y-%m-%d} the member that was asked counted no access of {index.name} "
        f"{key_document(index.key)}, "
        f"{others:,} of the collection's others and {busy:,} in the database.{takes} Other members count for "
        "themselves: ask "
        "each that serves reads, and wait for what runs once a month. Source: MongoDB manual, $indexStats.",
        fix=f'{shell(collection.name)}.aggregate([{{"$indexStats": {{}}}}]);  // on each member\n'
        f"{shell(collection.name)}.hideIndex({text(index.name)});\n{shell(collection.name)}.dropIndex({text(index.name)});",
        counted={
            "accesses": 0,
            "days": days,
            "since": f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else None,
            "accesses_of_the_others": others,
            "accesses_in_the_database": busy,
            "size_bytes": index.size_bytes,
        },
        verified=True,
        summary="Counted by the server, on the member that was asked.",
    )


def _accesses(indexes: Sequence[CollectionIndex]) -> int:
    return sum(index.accesses or 0 for index in indexes)
