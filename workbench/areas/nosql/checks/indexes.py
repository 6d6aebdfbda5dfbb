"""Indexes: too many, served by another one as well, not used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.areas.nosql.checks.context import Context
from workbench.catalog.collections import Collection, CollectionIndex
from workbench.documents.indexing.served import aware, is_unused, superfluous_pairs
from workbench.documents.mongosh import key_document, shell, size, spelled, text
from workbench.proof.findings import Finding

MANY, LIMIT = 15, 64  # indexes of a collection; the second is the server's limit
NEAR_LIMIT = 50
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
        never = [index.name for index in collection.indexes if is_unused(collection, index, context.now)]
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
        for narrow, wide in superfluous_pairs(collection, shape):
            yield _redundant(context, collection, narrow, wide)


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
            if is_unused(collection, index, context.now):
                yield _never_read(context, collection, index, busy)


def _never_read(context: Context, collection: Collection, index: CollectionIndex, busy: int) -> Finding:
    since = index.accesses_since
    days = (context.now - aware(since)).days if since else 0
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
