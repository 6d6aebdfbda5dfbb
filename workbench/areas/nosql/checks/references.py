"""References between collections: without a target, and joined without an index or all the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.naming import last_name, reference_stem, singular, words
from workbench.areas.nosql.checks.tallies import Names, Values, type_family
from workbench.catalog.collections import Collection, Operation
from workbench.catalog.shapes import Node, Shape, queried, written
from workbench.documents.joins import begins_an_index, compared_paths, lookups
from workbench.documents.mongosh import share, shell, spelled
from workbench.proof.findings import Finding

LOOKED_UP = 5_000  # different references of a field
FOUND = 0.5  # of them that must be there for the field to be a reference at all
JOINED_DOCUMENTS = 1_000  # of the joined collection, from which its scan is worth a word
OFTEN_AN_HOUR, OFTEN = 1_000, 100
HALF = 0.5


def reference_questions(context: Context) -> Iterator[Values]:
    for collection, names, _, _ in _references(context):
        yield Values(collection.name, names)


def _references(context: Context) -> Iterator[tuple[Collection, Names, Node, str]]:
    """Fields that name another collection and have the type of its ``_id``."""
    targets: dict[str, list[str]] = defaultdict(list)
    for collection, _ in context.shaped():
        targets[singular("_".join(words(collection.name)))].append(collection.name)
    for collection, shape in context.shaped():
        if collection.kind == "time series":
            continue
        for names, node in shape.walk():
            if node.name == "_id" or not node.count:
                continue
            for target in targets.get(_stem(names, node), ()):
                if _same_type(node, context.shapes[target]):
                    yield collection, names, node, target
                    break


def _stem(names: Names, node: Node) -> str:
    """What the field refers to, in the singular; '' where it has no such name."""
    name = last_name(names)
    stem = reference_stem(name)
    if stem:
        return "_".join([*stem.split("_")[:-1], singular(stem.split("_")[-1])])
    if node.types.get("objectId") or node.types.get("uuid"):
        return singular("_".join(words(name)))
    return ""


def _same_type(node: Node, target: Shape) -> bool:
    identity = next((child for child in target.root.children if child.name == "_id"), None)
    if identity is None:
        return False
    mine = {type_family(name) for name in node.types if name != "null"}
    theirs = {type_family(name) for name in identity.types}
    return bool(mine) and mine <= theirs and not mine & {"object", "array"}


def reference_without_target(context: Context) -> Iterator[Finding]:
    """References of which some are the ``_id`` of no document: at most 5,000 different ones are looked up.

    Where less than half are found the field refers to something else. Source: MongoDB manual, Database
    References: the server enforces none.
    """
    for collection, names, _, target in _references(context):
        tally = context.answer(Values(collection.name, names))
        if tally is None:
            continue
        values = [value for (kind, value) in tally.distinct if kind != "null"][:LOOKED_UP]
        existing = context.existing(target, values) if values else None
        if existing is None:
            continue
        missing = [value for value in values if value not in existing]
        if missing and len(missing) <= (1 - FOUND) * len(values):
            yield _dangling(context, collection, names, target, tally, values, missing)


def _dangling(
    context: Context,
    collection: Collection,
    names: Names,
    target: str,
    tally: Any,
    values: Sequence[Any],
    missing: Sequence[Any],
) -> Finding:
    path = written(names)
    lost = set(missing)
    times = sum(count for (_, value), count in tally.distinct.items() if value in lost)
    complete = tally.complete and len(values) < LOOKED_UP and context.exact(target)
    of = "all" if complete else "a bounded sample of"
    local, plain = queried(names), "[]" not in names and "*" not in names
    return context.finding(
        "reference_without_target",
        "warn",
        collection.name,
        names,
        title=f"{len(missing):,} of {len(values):,} values of {path} in {collection.name} are no document of "
        f"{target}",
        why=f"Of {of} the {len(values):,} different values {len(missing):,} "
        f"({share(len(missing), len(values))}) are the _id of no document "
        f"of {target}; {times:,} occurrences in {collection.name}. The server enforces no reference: a "
        "deletion, or a write in "
        "the wrong order, leaves them. Source: MongoDB manual, Database References.",
        fix=f"{shell(collection.name)}.aggregate(["
        + ("" if plain else "".join(f'{{"$unwind": {spelled("$" + step)}}}, ' for step in _unwound(names)))
        + f'{{"$lookup": {{"from": {spelled(target)}, "localField": {spelled(local)}, "foreignField": "_id", '
        f'"as": "target"}}}}, '
        f'{{"$match": {{"target": [], {spelled(local)}: {{"$ne": null}}}}}}]);  // the documents to correct',
        counted={
            "collection": collection.name,
            "path": local,
            "target": target,
            "different_values": len(values),
            "without_target": len(missing),
            "occurrences": times,
            "examples": [str(value) for value in missing[:5]],
        },
        verified=complete and context.exact(collection.name),
        unverified_because="" if complete else "a sample of the references was looked up",
    )


def _unwound(names: Names) -> list[str]:
    """The arrays on the way, as $unwind names them."""
    return [queried(names[:at]) for at, name in enumerate(names) if name == "[]"]


# Joins


def _joins(context: Context) -> Iterator[tuple[str, Operation | None, Mapping[str, Any]]]:
    """Every $lookup: of an operation, and of a view (without one), with the collection that it begins at."""
    for operation in context.operations:
        for body in lookups(operation.pipeline):
            yield operation.collection, operation, body
    for collection in context.catalog.collections:
        for body in lookups(collection.pipeline):
            yield collection.view_on, None, body


def unindexed_lookup(context: Context) -> Iterator[Finding]:
    """$lookup by a field of the other collection that begins no index: it is scanned for every document.

    Source: MongoDB manual, $lookup, Performance Considerations.
    """
    told = set()
    for origin, _, body in _joins(context):
        target, compared = body.get("from"), compared_paths(body)
        if not isinstance(target, str) or not compared or (target, compared[0]) in told:
            continue
        try:
            collection = context.catalog.collection(target)
        except KeyError:
            continue
        foreign = compared[0]
        if (
            collection.kind == "collection"
            and not any(begins_an_index(collection, path) for path in compared)
            and _worth(context, collection)
        ):
            told.add((target, foreign))
            yield _scanned(context, origin, collection, foreign)


def _worth(context: Context, collection: Collection) -> bool:
    shape = context.shapes.get(collection.name)
    count = collection.documents if collection.documents is not None else shape.documents if shape else None
    return count is None or count >= JOINED_DOCUMENTS


def _scanned(context: Context, origin: str, collection: Collection, foreign: str) -> Finding:
    count = collection.documents
    names = (
        next(
            (names for names, _ in context.shapes[collection.name].walk() if queried(names) == foreign),
            (foreign,),
        )
        if collection.name in context.shapes
        else (foreign,)
    )
    of = f"its {count:,} documents" if count is not None else "all its documents"
    return context.finding(
        "unindexed_lookup",
        "warn",
        collection.name,
        names,
        title=f"$lookup from {origin} finds {collection.name} by {foreign}, which begins no index",
        why=f"For every document of {origin} that reaches the stage, {of} are read, or a hash table of them "
        "is built. Source: MongoDB "
        "manual, $lookup, Performance Considerations.",
        fix=f"{shell(collection.name)}.createIndex({{{spelled(foreign)}: 1}});",
        counted={
            "collection": collection.name,
            "path": foreign,
            "from": origin,
            "documents": count,
            "indexes": [index.name for index in collection.indexes],
        },
        verified=False,
        summary="Read from the catalog and the operations on record.",
        unverified_because="no engine was there on which to count what it reads",
    )


def frequent_lookup(context: Context) -> Iterator[Finding]:
    """$lookup on a hot path: half of the reads of a collection, often. Rare reports are left alone.

    Source: MongoDB manual, Reduce $lookup Operations; the Extended Reference pattern.
    """
    by_collection: dict[str, list[Operation]] = defaultdict(list)
    for operation in context.operations:
        if operation.kind in ("find", "aggregate"):
            by_collection[operation.collection].append(operation)
    for name, operations in sorted(by_collection.items()):
        joined = [each for each in operations if any(True for _ in lookups(each.pipeline))]
        for unit, often in (("per_hour", OFTEN_AN_HOUR), ("count", OFTEN)):
            all_of_them = sum(getattr(each, unit) or 0 for each in operations)
            with_join = sum(getattr(each, unit) or 0 for each in joined)
            if with_join >= often and with_join >= HALF * all_of_them:
                yield _joined(context, name, joined, unit, with_join, all_of_them)
                break


def _joined(
    context: Context, name: str, joined: Sequence[Operation], unit: str, with_join: float, all_of_them: float
) -> Finding:
    targets = sorted({str(body.get("from")) for each in joined for body in lookups(each.pipeline)})
    each_hour = " an hour" if unit == "per_hour" else " on record"
    return context.finding(
        "frequent_lookup",
        "warn",
        name,
        (),
        title=f"{share(with_join, all_of_them)} of the reads of {name} join {', '.join(targets)}",
        why=f"{with_join:,.0f} of {all_of_them:,.0f} reads{each_hour} have a $lookup of "
        f"{', '.join(targets)}. What is always read together "
        "can be kept together: the few fields that are shown, copied into the document, and updated when "
        "they change. "
        "Source: MongoDB manual, Reduce $lookup Operations.",
        fix=f"// extended reference: copy the few fields of {', '.join(targets)} that these reads show "
        f"into {name}, and write them again, in one transaction, when they change:\n"
        f'// {shell(name)}.aggregate([{{"$lookup": {spelled(dict(next(lookups(joined[0].pipeline))))}}}, '
        '{"$project": the fields that are shown}, '
        f'{{"$merge": {{"into": {spelled(name)}}}}}]);',
        counted={"reads": all_of_them, "with_lookup": with_join, "targets": targets, "unit": unit},
        verified=True,
        summary="The operations on record were counted.",
    )
