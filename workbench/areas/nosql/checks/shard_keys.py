"""Shard keys, in force or planned: too few values, one that most documents have, values that only grow."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.naming import when_made
from workbench.areas.nosql.checks.tallies import Keys, KeyTally
from workbench.catalog.collections import Collection
from workbench.catalog.shapes import Shape, queried
from workbench.documents.mongosh import key_document, share, shell
from workbench.proof.findings import Finding

FEW = 256  # different keys: no more chunks than these can ever be
DOCUMENTS_A_KEY = 10  # from which few keys are not just few documents
FREQUENT = 0.2  # of the documents with one key, which no split takes apart
ENOUGH = 100  # documents from which either counts
RISING = 0.99  # of the documents that come with a key not below that of the one before

Key = tuple[tuple[str, int | str], ...]


def shard_keys(context: Context) -> Iterator[tuple[Collection, Shape, Key]]:
    """The collections with a shard key, in force or planned, whose documents were read."""
    for collection, shape in context.shaped():
        key = context.shard_keys.get(collection.name) or collection.shard_key
        if key:
            yield collection, shape, key


def key_questions(context: Context) -> Iterator[Keys]:
    for collection, _, key in shard_keys(context):
        yield _keys(collection, key)


def _keys(collection: Collection, key: Key) -> Keys:
    return Keys(collection.name, tuple(tuple(path.split(".")) for path, _ in key))


def low_cardinality_shard_key(context: Context) -> Iterator[Finding]:
    """Shard keys of few different values, or with one that a fifth of the documents have; hashed ones too.

    Source: MongoDB manual, Choose a Shard Key, Cardinality and Frequency: the different values are the most
    chunks that there can be, and documents of one value stay together.
    """
    for collection, _, key in shard_keys(context):
        tally = context.answer(_keys(collection, key))
        if tally is None or tally.documents < ENOUGH or not tally.distinct:
            continue
        distinct = len(tally.distinct)
        few = tally.complete and distinct <= FEW and tally.documents >= DOCUMENTS_A_KEY * distinct
        most = max(tally.distinct.values())
        if few or most >= FREQUENT * tally.documents:
            yield _coarse(context, collection, key, tally, few=few)


def _coarse(context: Context, collection: Collection, key: Key, tally: KeyTally, *, few: bool) -> Finding:
    distinct = len(tally.distinct)
    value, most = max(tally.distinct.items(), key=lambda item: (item[1], str(item[0])))
    shown = ", ".join(f"{path}: {part[1]!r}" for (path, _), part in zip(key, value, strict=True))
    many = f"{distinct:,}" if tally.complete else f"more than {distinct:,}"
    reason = (
        f"there can never be more than {distinct:,} chunks, nor be more shards of use"
        if few
        else "no split takes the documents of one value apart"
    )
    further = [] if any(path == "_id" for path, _ in key) else [("_id", 1)]
    refined = [*((path, way) for path, way in key if way != "hashed"), *further]
    return context.finding(
        "low_cardinality_shard_key",
        "error" if few and distinct < 10 else "warn",
        collection.name,
        tuple(path for path, _ in key)[:1],
        title=f"The shard key {key_document(key)} of {collection.name} has {many} values; one is in "
        f"{share(most, tally.documents)}",
        why=f"{tally.documents:,} documents have {many} different keys, and {most:,} of them "
        f"({share(most, tally.documents)}) have "
        f"{shown}: {reason}. Source: MongoDB manual, Choose a Shard Key.",
        fix=f"{shell(collection.name)}.createIndex({key_document(refined)});\n"
        f'db.adminCommand({{"refineCollectionShardKey": "{context.catalog.database}.{collection.name}", '
        f'"key": {key_document(refined)}}});  // or reshardCollection by a field that the queries name',
        counted={
            "documents": tally.documents,
            "different_keys": distinct,
            "all_kept": tally.complete,
            "most_frequent": shown,
            "documents_of_the_most_frequent": most,
        },
        verified=context.exact(collection.name),
    )


def monotonic_shard_key(context: Context) -> Iterator[Finding]:
    """Ranged shard keys whose first field only grows: every insert goes to one shard.

    A hashed first field is left alone. Source: MongoDB manual, Choose a Shard Key, Monotonically Changing
    Shard Keys.
    """
    for collection, shape, key in shard_keys(context):
        tally = context.answer(_keys(collection, key))
        if tally is None or tally.documents < ENOUGH or key[0][1] == "hashed" or collection.clustered:
            continue
        firsts = {value[0] for value in tally.distinct}
        if len(firsts) * 2 < len(tally.distinct) or len(firsts) < ENOUGH / 2:
            continue  # few values repeat: that is the other check's
        in_order = tally.rising >= RISING * (tally.documents - 1) and _may_grow(shape, key[0][0], tally)
        if in_order or _time_of_writing(shape, key[0][0]):
            yield _rising(context, collection, key, tally, in_order=in_order)


def _may_grow(shape: Shape, path: str, tally: KeyTally) -> bool:
    """Whether values in order are more than test data in order: text must be a time or a counter.

    A counter in text has one length and never falls: ORD-000001, but not user9@ and user10@.
    """
    node = next((node for names, node in shape.walk() if queried(names) == path), None)
    if node is None or "string" not in node.types:
        return True
    timed = sum(node.formats.get(each, 0) for each in ("iso date", "iso datetime", "objectId", "integer"))
    lengths = node.string_lengths
    counted = lengths is not None and lengths.minimum == lengths.maximum and not node.formats
    return timed * 10 >= node.tested * 9 or (counted and tally.rising == tally.documents - 1)


def _time_of_writing(shape: Shape, path: str) -> bool:
    """Whether the field at *path* is a date in every document, and by its name the time it was made.

    Restored or migrated documents are not stored in its order, and yet what comes next is always the latest.
    """
    node = next((node for names, node in shape.walk() if queried(names) == path), None)
    return node is not None and set(node.types) == {"date"} and when_made(path)


def _rising(
    context: Context, collection: Collection, key: Key, tally: KeyTally, *, in_order: bool
) -> Finding:
    first = key[0][0]
    hashed = [(first, "hashed"), *key[1:]]
    return context.finding(
        "monotonic_shard_key",
        "warn",
        collection.name,
        (first,),
        title=f"The shard key of {collection.name} begins with {first}, which only grows",
        why=(
            f"{tally.rising:,} of {tally.documents - 1:,} documents have a {first} not below that of the one "
            "before, in the order in which they are stored"
            if in_order
            else f"{first} is a date in all {tally.documents:,} documents and, by its name, the time at "
            "which each was made; new ones have the latest"
        )
        + ": all inserts go to the shard with the highest range. Source: MongoDB manual, "
        "Choose a "
        "Shard Key.",
        fix=f'db.adminCommand({{"reshardCollection": "{context.catalog.database}.{collection.name}", "key": '
        f"{key_document(hashed)}}});  // or begin with a field that the queries name",
        counted={"documents": tally.documents, "not_below_the_one_before": tally.rising},
        verified=in_order and context.exact(collection.name),
        unverified_because=""
        if in_order
        else f"the documents are stored in another order: that {first} only grows is by its name",
    )
