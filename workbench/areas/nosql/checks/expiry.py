"""Documents that should go by themselves: without a TTL index, or with one that passes them over."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.areas.nosql.checks.context import Context, types_of
from workbench.areas.nosql.checks.naming import (
    credentials,
    durable,
    expiry,
    expiry_elsewhere,
    last_used,
    transient,
    words,
)
from workbench.areas.nosql.checks.tallies import Values, ValueTally
from workbench.catalog.collections import Collection, CollectionIndex
from workbench.catalog.shapes import Node, Shape, queried
from workbench.documents.mongosh import key_document, share, shell, spelled
from workbench.proof.findings import Finding

PAST = 0.5  # of the dates, from which the documents are of no more use


def expiry_questions(context: Context) -> Iterator[Values]:
    """What `missing_ttl` counts: the dates of top-level fields that say when a document expires."""
    for collection, shape in context.shaped():
        for node in [*_expiring(collection, shape), *_lingering(collection, shape)]:
            yield Values(collection.name, (node.name,))


def _expiring(collection: Collection, shape: Shape) -> list[Node]:
    """The date fields that say when the document expires, where nothing else removes it."""
    if collection.capped or collection.expire_after_s is not None or collection.kind != "collection":
        return []
    if any(index.expire_after_s is not None for index in collection.indexes):
        return []
    return [
        child
        for child in shape.root.children
        if child.kind == "field" and child.types.get("date") and _says_so(collection, child.name)
    ]


def _lingering(collection: Collection, shape: Shape) -> list[Node]:
    """The last date of use of log-ins, tokens and codes that have no date of expiry, the best first."""
    fields = [child for child in shape.root.children if child.kind == "field"]
    removed = any(index.expire_after_s is not None for index in collection.indexes)
    if (
        collection.capped
        or collection.expire_after_s is not None
        or collection.kind != "collection"
        or removed
    ):
        return []
    if any(expiry(child.name) or expiry_elsewhere(child.name) for child in fields):
        return []
    if not credentials(collection.name, [child.name for child in fields]):
        return []
    dated = [child for child in fields if set(child.types) == {"date"} and last_used(child.name)]
    return sorted(dated, key=lambda child: "create" in child.name.lower())[:1]


def _says_so(collection: Collection, name: str) -> bool:
    return expiry(name) or (expiry_elsewhere(name) and transient(collection.name))


def missing_ttl(context: Context) -> Iterator[Finding]:
    """Fields such as ``expiresAt`` by which nothing removes the documents.

    Of sessions, tokens, carts and the like always; of others where most of the dates are past. Not of
    contracts, cards and whatever else must stay when it is no longer valid.
    Source: MongoDB manual, TTL Indexes.
    """
    for collection, shape in context.shaped():
        for node in _expiring(collection, shape):
            tally = context.answer(Values(collection.name, (node.name,)))
            if tally is None or durable(collection.name):
                continue
            dates = tally.types["date"]
            if transient(collection.name) or (dates and tally.long_past >= PAST * dates):
                yield _never_removed(context, collection, node, tally)
                break
        for node in _lingering(collection, shape):
            tally = context.answer(Values(collection.name, (node.name,)))
            if tally is not None and tally.month_old >= PAST * tally.types["date"]:
                yield _lingers(context, collection, node, tally)


def _lingers(context: Context, collection: Collection, node: Node, tally: ValueTally) -> Finding:
    dates = tally.types["date"]
    return context.finding(
        "missing_ttl",
        "warn",
        collection.name,
        (node.name,),
        title=f"Nothing removes the documents of {collection.name}, which have no date of expiry",
        why=f"{tally.month_old:,} of {dates:,} ({share(tally.month_old, dates)}) have a {node.name} of more "
        f"than 30 days ago, and {collection.name} has neither a TTL index nor a field that says when one "
        "expires: what is of no more use stays, and is read, backed up and indexed with the rest. Source: "
        "MongoDB manual, TTL Indexes.",
        fix=f"{shell(collection.name)}.createIndex({{{spelled(node.name)}: 1}}, "
        '{"expireAfterSeconds": 2592000});  // 30 days: write how long they are good for',
        counted={
            "collection": collection.name,
            "path": node.name,
            "dates": dates,
            "older_than_30_days": tally.month_old,
            "documents": tally.documents,
        },
        verified=context.exact(collection.name),
    )


def _never_removed(context: Context, collection: Collection, node: Node, tally: ValueTally) -> Finding:
    dates = tally.types["date"]
    return context.finding(
        "missing_ttl",
        "warn",
        collection.name,
        (node.name,),
        title=f"Nothing removes the documents of {collection.name} that are past their {node.name}",
        why=f"{tally.past:,} of {dates:,} dates ({share(tally.past, dates)}) are past, {tally.long_past:,} "
        "for more than a day, "
        f"and {collection.name} has no TTL index: what has expired stays, and is read, backed up and indexed "
        "with the rest. A "
        "TTL index removes about once a minute, so queries must still ask for those that are valid. Source: "
        "MongoDB "
        "manual, TTL Indexes.",
        fix=f'{shell(collection.name)}.createIndex({{{spelled(node.name)}: 1}}, {{"expireAfterSeconds": '
        f"0}});",
        counted={
            "collection": collection.name,
            "path": node.name,
            "dates": dates,
            "past": tally.past,
            "past_for_a_day": tally.long_past,
            "documents": tally.documents,
        },
        verified=context.exact(collection.name),
    )


def ttl_on_non_dates(context: Context) -> Iterator[Finding]:
    """TTL indexes on a field that is no date in some documents: these are never removed.

    Null and missing are left alone: that is how one keeps a document. An array counts by its dates. Source:
    MongoDB manual, TTL Indexes, Expiration of Data.
    """
    for collection, shape in context.shaped():
        for index in collection.indexes:
            if index.expire_after_s is None or len(index.key) != 1:
                continue
            found = [(names, node) for names, node in shape.walk() if queried(names) == index.paths[0]]
            fields = [(names, node) for names, node in found if node.kind == "field"]
            meant = _meant(shape, index.paths[0]) if not found and shape.full else None
            if meant is not None:
                yield _absent(context, collection, index, meant)
            if fields and _kept(fields[0][1]):
                yield _passed_over(context, collection, index, *fields[0])


def _meant(shape: Shape, path: str) -> tuple[str, ...] | None:
    """The date that a TTL index on *path*, which no document has, is likely meant for."""
    last = "".join(words(path.split(".")[-1]))
    dates = [names for names, node in shape.walk() if node.types.get("date") and "[]" not in names]
    spelled_alike = [names for names in dates if "".join(words(names[-1])) == last]
    expiring = [names for names in dates if len(names) == 1 and expiry(names[-1])] if expiry(last) else []
    return next(iter([*spelled_alike, *expiring]), None)


def _absent(
    context: Context, collection: Collection, index: CollectionIndex, meant: tuple[str, ...]
) -> Finding:
    path, other = index.paths[0], queried(meant)
    documents = context.shapes[collection.name].documents
    after = index.expire_after_s or 0
    return context.finding(
        "ttl_on_non_dates",
        "error",
        collection.name,
        tuple(path.split(".")),
        title=f"The TTL index {index.name} of {collection.name} removes nothing: no document has {path}",
        why=f"None of {documents:,} documents has {path}, while {other} is there: a document without the "
        "field of the index never expires, without an error. Source: MongoDB manual, TTL Indexes.",
        fix=f"{shell(collection.name)}.dropIndex({spelled(index.name)});\n"
        f"{shell(collection.name)}.createIndex({{{spelled(other)}: 1}}, "
        f'{{"expireAfterSeconds": {after:.0f}}});',
        counted={
            "collection": collection.name,
            "path": path,
            "index": index.name,
            "there_instead": other,
            "documents": documents,
        },
        verified=context.exact(collection.name),
    )


def _kept(node: Node) -> int:
    """How many values are neither a date, null, nor an array with a date."""
    others = sum(
        count for name, count in node.types.items() if name not in ("date", "null", "undefined", "array")
    )
    arrays = node.types.get("array", 0)
    element = next((child for child in node.children if child.kind == "element"), None)
    dated = element is not None and bool(element.types.get("date"))
    return others + (0 if dated else arrays)


def _passed_over(
    context: Context, collection: Collection, index: CollectionIndex, names: tuple[str, ...], node: Node
) -> Finding:
    kept = _kept(node)
    path = queried(names)
    return context.finding(
        "ttl_on_non_dates",
        "error" if kept == sum(node.types.values()) else "warn",
        collection.name,
        names,
        title=f"The TTL index {index.name} of {collection.name} never removes {kept:,} documents: {path} is "
        "no date in them",
        why=f"{path} has {types_of(node)}. The server removes a document by a date alone, or by the earliest "
        "one in an array; "
        "a string or a number keeps it for good, without an error. Source: MongoDB manual, TTL Indexes.",
        fix=f'{shell(collection.name)}.updateMany({{{spelled(path)}: {{"$exists": true, "$not": {{"$type": '
        f'"date"}}}}}}, '
        f'[{{"$set": {{{spelled(path)}: {{"$convert": {{"input": {spelled("$" + path)}, "to": "date", '
        f'"onError": null, "onNull": null}}}}}}}}]);  // whole seconds of the epoch are to be multiplied by '
        "1000 first",
        counted={
            "collection": collection.name,
            "path": path,
            "index": index.name,
            "key": key_document(index.key),
            "types": dict(node.types),
            "never_removed": kept,
        },
        verified=context.exact(collection.name),
    )
