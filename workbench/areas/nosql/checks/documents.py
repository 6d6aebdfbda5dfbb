"""Whole documents: their bytes, their depth, the names in them, and fields whose names are data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Set
from typing import Any

from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.naming import reference_stem, words
from workbench.areas.nosql.checks.tallies import Names, Values
from workbench.catalog.collections import Collection, Operation
from workbench.catalog.shapes import Node, Shape, written
from workbench.documents.mongosh import share, shell, size, spelled
from workbench.proof.findings import Finding, Severity

MB = 2**20
LIMIT_BYTES = 16 * MB  # of a document, by the server
NEAR_LIMIT = 12 * MB
BLOATED = 1 * MB
BLOB_BYTES = 100 * 1024  # of the mean document, where one binary or long text field makes up most of it
BLOB_SHARE = 0.8
WIDE_BYTES = 16 * 1024  # of the mean document, from which on unread bytes are worth a split
READ_SHARE = 0.1
DEEP, VERY_DEEP, DEEPEST = 10, 50, 100  # levels; the last is what the manual allows
KEYS = 20  # different keys from which a `key` node counts as data


def bloated_documents(context: Context) -> Iterator[Finding]:
    """Documents of 1 MB and more, those near 16 MB, and large ones of which the queries read little.

    Source: MongoDB manual, Limits and Thresholds (16 MB) and Bloated Documents; under 1 MB is the rule of
    thumb of MongoDB's own schema design guide.
    """
    for collection, shape in context.shaped():
        if _gridfs_chunks(collection, shape):
            continue
        found = _large(context, shape) or _blob(context, shape) or _little_read(context, collection, shape)
        if found is not None:
            yield found


def _gridfs_chunks(collection: Collection, shape: Shape) -> bool:
    """Whether the collection is the chunks of a GridFS bucket, whose documents hold 255 kB by design."""
    names = {child.name for child in shape.root.children}
    return collection.name.endswith(".chunks") and {"files_id", "n", "data"} <= names


def _large(context: Context, shape: Shape) -> Finding | None:
    largest = shape.sizes.maximum
    if largest < BLOATED:
        return None
    often = shape.sizes.p99 >= BLOATED
    severity: Severity = (
        "error" if largest >= NEAR_LIMIT else "warn" if often or largest >= 2 * BLOATED else "info"
    )
    where = (
        f"1 % of them have {size(shape.sizes.p99)} or more"
        if often
        else f"the largest alone is far above the rest: 99 % have less than {size(shape.sizes.p99)}"
    )
    return _bloated(
        context,
        shape,
        severity,
        title=f"Documents of {shape.collection} take up to {size(largest)}",
        why=f"The largest of {shape.documents:,} documents has {size(largest)} of the 16 MB that the server "
        f"allows; {where}.",
    )


def _blob(context: Context, shape: Shape) -> Finding | None:
    """Where the mean document is mostly one binary value or long text, such as a picture in base64."""
    mean = shape.sizes.mean
    if mean < BLOB_BYTES:
        return None
    names, node, bytes_a_document = next(iter(_heaviest(shape)), ((), shape.root, 0.0))
    if not names or not {"binData", "string"} & set(node.types) or bytes_a_document < BLOB_SHARE * mean:
        return None
    return _bloated(
        context,
        shape,
        "warn",
        title=f"Documents of {shape.collection} are mostly {written(names)}: {size(bytes_a_document)} of "
        f"{size(mean)}",
        why=f"The mean of {shape.documents:,} documents has {size(mean)}, and "
        f"{share(bytes_a_document, mean)} of that is "
        f"{written(names)}.",
    )


def _little_read(context: Context, collection: Collection, shape: Shape) -> Finding | None:
    """Where every query names the fields it wants, and these are a tenth of a large document."""
    mean = shape.sizes.mean
    reads = [each for each in context.operations_on(collection.name) if each.kind == "find"]
    if mean < WIDE_BYTES or not reads or not all(_included(each) for each in reads):
        return None
    wanted = {path.split(".")[0] for each in reads for path in _included(each)}
    read = sum(
        node.mean_bytes * node.count / shape.documents for node in shape.root.children if node.name in wanted
    )
    if read > READ_SHARE * mean:
        return None
    return _bloated(
        context,
        shape,
        "warn",
        title=f"The queries of {shape.collection} read {share(read, mean)} of its documents' bytes",
        why=f"The mean document has {size(mean)}; the {len(reads)} shapes of query on record ask for "
        f"{', '.join(sorted(wanted))}, which are {size(read)} of it. The server reads a document whole.",
    )


def _included(operation: Operation) -> list[str]:
    """The paths that a projection asks for; none where it leaves out, or is not there."""
    projection = operation.projection or {}
    return [path for path, wanted in projection.items() if wanted and path != "_id"]


def _heaviest(shape: Shape) -> list[tuple[Names, Node, float]]:
    """The fields of the first two levels by the bytes that they take in the mean document, the most first.

    A field that is an object gives way to its own fields.
    """
    weights: list[tuple[Names, Node, float]] = []
    for child in shape.root.children:
        fields = [each for each in child.children if each.kind == "field"]
        if child.types.get("object") and fields:
            weights += [
                ((child.name, each.name), each, each.mean_bytes * each.count / shape.documents)
                for each in fields
            ]
        else:
            weights.append(((child.name,), child, child.mean_bytes * child.count / shape.documents))
    return sorted(weights, key=lambda item: -item[2])


def _bloated(context: Context, shape: Shape, severity: Severity, *, title: str, why: str) -> Finding:
    heavy = _heaviest(shape)[:3]
    total = shape.size_bytes / shape.documents
    holders = ", ".join(
        f"{written(names)} {size(weight)} ({share(weight, total)})" for names, _, weight in heavy
    )
    heaviest = heavy[0][0] if heavy else ()
    return context.finding(
        "bloated_documents",
        severity,
        shape.collection,
        (),
        title=title,
        why=f"{why} Where the bytes are, in the mean document: {holders}. Every read, write and replication "
        "moves the "
        "whole document, and so many fewer fit in the cache. Source: MongoDB manual, Bloated Documents.",
        fix=_split(shape.collection, heaviest, bool(heavy) and heavy[0][2] >= total / 2),
        counted={
            "documents": shape.documents,
            "mean_bytes": round(shape.sizes.mean),
            "p99_bytes": shape.sizes.p99,
            "largest_bytes": shape.sizes.maximum,
            "heaviest": {written(names): round(weight) for names, _, weight in heavy},
        },
        verified=context.exact(shape.collection),
    )


def _split(collection: str, heaviest: Names, most: bool) -> str:
    """The commands that move the heaviest field; the design step, where none has most of the bytes."""
    path, target = ".".join(heaviest), f"{collection}_{'_'.join(heaviest)}"
    if not most or any("." in name or name.startswith("$") for name in heaviest):
        return (
            "// keep the fields that most reads want, and move the others to a collection of their own with "
            "the same "
            f"_id (subset pattern): {shell(collection)}.aggregate([{{$project: {{field: 1}}}}, "
            f"{{$merge: {{into: {spelled(collection + '_rest')}}}}}])"
        )
    return (
        f"// {written(heaviest)} goes to a collection of its own, read by the document's _id when it is "
        "wanted "
        "(files of more than a few 100 kB: GridFS or an object store)\n"
        f'{shell(collection)}.aggregate([{{"$project": {{{spelled(path)}: 1}}}}, '
        f'{{"$merge": {{"into": {spelled(target)}}}}}]);\n'
        f'{shell(collection)}.updateMany({{}}, {{"$unset": {{{spelled(path)}: ""}}}});'
    )


# Names


def keys_are_data(context: Context) -> Iterator[Finding]:
    """Objects whose field names are ids, dates or the like: no index reaches them, and they grow.

    Source: MongoDB manual, Attribute Pattern; D56 of names that are array positions.
    """
    for collection, shape in context.shaped():
        for names, node in shape.walk():
            holder = names[:-1]
            if node.kind == "key" and node.keys >= KEYS and holder:
                yield _keys(context, collection, holder, node)
            elif node.kind == "field" and _positions(node):
                yield _position_names(context, collection, names, node)
            elif node.kind == "field" and _numbered(node):
                yield _keys(context, collection, names, node)


def _keys(context: Context, collection: Collection, holder: Names, node: Node) -> Finding:
    folded = node.kind == "key"
    fields = node.count if folded else sum(child.count for child in node.children)
    objects = node.parents if folded else node.types.get("object", 0)
    different = node.keys if folded else len(node.children)
    each = fields / objects if objects else 0.0
    path = written(holder)
    return context.finding(
        "keys_are_data",
        "warn",
        collection.name,
        holder,
        title=f"The field names in {path} of {collection.name} are data: {different:,} different ones",
        why=f"{path} has {each:,.1f} fields in the mean object, {different:,} different names in all. A "
        "value cannot be "
        "searched by its name without knowing it, no index but a wildcard one covers it, a validator cannot "
        "describe "
        "it, and every new name is a new path. Source: MongoDB manual, Attribute Pattern.",
        fix=f"// an array of pairs, and one index for all names\n"
        f'{shell(collection.name)}.updateMany({{{spelled(path)}: {{"$type": "object"}}}}, '
        f'[{{"$set": {{{spelled(path)}: {{"$objectToArray": {spelled("$" + path)}}}}}}}]);\n'
        f"{shell(collection.name)}.createIndex({{{spelled(path + '.k')}: 1, {spelled(path + '.v')}: 1}});",
        counted={
            "different_names": different,
            "objects": objects,
            "fields": fields,
            "types": dict(node.types),
        },
        verified=context.exact(collection.name),
    )


def _positions(node: Node) -> bool:
    """Whether an object's fields are all whole numbers, which a path cannot tell from array positions."""
    fields = [child.name for child in node.children if child.kind == "field"]
    return (
        len(fields) >= 3
        and len(fields) == len(node.children)
        and all(name.isascii() and name.isdigit() for name in fields)
    )


_PATTERNED, _MOSTLY = 30, 0.9


def _numbered(node: Node) -> bool:
    """Whether the fields are many of one pattern with a number, each in few objects: item_1001, item_1002.

    A block of numbered fields that most objects have (q1 to q40) is a record, and is left alone.
    """
    fields = [child for child in node.children if child.kind == "field"]
    if len(fields) < _PATTERNED or 2 * sum(each.share for each in fields) >= len(fields):
        return False
    patterns = Counter(re.sub(r"\d+", "#", each.name) for each in fields)
    pattern, times = patterns.most_common(1)[0]
    return "#" in pattern and times >= _MOSTLY * len(fields)


def _position_names(context: Context, collection: Collection, names: Names, node: Node) -> Finding:
    fields = [child.name for child in node.children]
    path = written(names)
    return context.finding(
        "keys_are_data",
        "info",
        collection.name,
        names,
        title=f"The fields of {path} in {collection.name} are numbers: {', '.join(fields[:6])}",
        why=f"The path {path}.{fields[0]} could as well be position {fields[0]} of an array, JavaScript puts "
        "such names in "
        "the order of their numbers whatever was written, and the values cannot be searched over the names.",
        fix=f'{shell(collection.name)}.updateMany({{{spelled(path)}: {{"$type": "object"}}}}, '
        f'[{{"$set": {{{spelled(path)}: {{"$objectToArray": {spelled("$" + path)}}}}}}}]);',
        counted={"objects": node.types.get("object", 0), "names": fields[:50]},
        verified=context.exact(collection.name),
    )


def dots_and_dollars(context: Context) -> Iterator[Finding]:
    """Field names with a dot, with a dollar in front, or without a character.

    Source: MongoDB manual, Field Names with Periods and Dollar Signs: they can be stored since 3.6 and
    5.0, and neither indexed nor queried by path nor named in a validator; `$getField` alone reads them.
    """
    for collection, shape in context.shaped():
        odd = [
            (names, node)
            for names, node in shape.walk()
            if node.kind == "field" and ("." in node.name or node.name.startswith("$") or not node.name)
        ]
        odd = [(names, node) for names, node in odd if not _database_reference(names, shape)]
        if not odd:
            continue
        names, node = odd[0]
        listed = ", ".join(written(each) for each, _ in odd[:5]) + (" …" if len(odd) > 5 else "")
        yield context.finding(
            "dots_and_dollars",
            "warn",
            collection.name,
            names,
            title=f"{len(odd)} field {'name' if len(odd) == 1 else 'names'} of {collection.name} cannot be "
            "named in a path",
            why=f"{listed}: {node.count:,} documents or objects have the first of them. A dot in a query "
            "means the field of "
            "an object, a dollar an operator: such a field can be neither indexed nor matched, and drivers "
            "before 5.0 "
            "refuse to write it. Source: MongoDB manual, Field Names with Periods and Dollar Signs.",
            fix=_renamed(collection.name, names, node),
            counted={"names": [written(each) for each, _ in odd[:20]], "count": node.count},
            verified=context.exact(collection.name),
        )


def _database_reference(names: Names, shape: Shape) -> bool:
    """Whether a name is of a DBRef, which has $ref, $id and $db by the driver's convention."""
    return names[-1] in ("$ref", "$id", "$db")


def _renamed(collection: str, names: Names, node: Node) -> str:
    good = "_".join(words(node.name)) or "unnamed"
    if len(names) > 1:
        return (
            f"// rename {written(names)} to {good} in the application, and rewrite the documents that have it"
        )
    return (
        f'{shell(collection)}.updateMany({{}}, [{{"$replaceWith": {{"$setField": {{"field": {spelled(good)}, '
        '"input": '
        f'{{"$unsetField": {{"field": {{"$literal": {spelled(node.name)}}}, "input": "$$ROOT"}}}}, '
        f'"value": {{"$getField": {{"$literal": {spelled(node.name)}}}}}}}}}}}]);'
    )


def deep_nesting(context: Context) -> Iterator[Finding]:
    """Documents of more than 10 levels of 100. Source: MongoDB manual, Limits and Thresholds."""
    for collection, shape in context.shaped():
        deepest = max((names for names, _ in shape.walk()), key=len, default=())
        levels = len(deepest)
        if levels <= DEEP:
            continue
        yield context.finding(
            "deep_nesting",
            "warn" if levels >= VERY_DEEP else "info",
            collection.name,
            _shown(deepest),
            title=f"Documents of {collection.name} are {levels} levels deep",
            why=f"{written(_shown(deepest))} and below: {levels} levels of objects and arrays. The manual "
            f"allows {DEEPEST}; "
            "each level makes paths longer, updates of one element harder to aim and indexes less likely. "
            "Source: "
            "MongoDB manual, Limits and Thresholds.",
            fix="// keep the tree as documents of their own, with the parent's _id in each (and an index on "
            "it): "
            f"$graphLookup reads a subtree; {shell(collection.name)}.createIndex({{parentId: 1}})",
            counted={"levels": levels},
            verified=context.exact(collection.name),
        )


def _shown(names: Names) -> Names:
    """The start of a long path."""
    return names[:DEEP]


# Rows of attributes

_ATTRIBUTE = frozenset(
    {"attribute", "attr", "property", "prop", "key", "field", "param", "parameter", "characteristic"}
)
_VALUE = frozenset({"value", "val"})
_ENTITY = frozenset({"entity", "object", "item", "product", "subject", "owner", "resource"})


def attribute_questions(context: Context) -> Iterator[Values]:
    """What `entity_attribute_value` counts: entities and attributes, where there may be rows of them."""
    for collection, shape in context.shaped():
        roles = _roles(shape)
        if roles is not None:
            entity, attribute, _ = roles
            yield Values(collection.name, (entity,))
            yield Values(collection.name, (attribute,))


def entity_attribute_value(context: Context) -> Iterator[Finding]:
    """Collections of one document an attribute: an entity, the attribute's name, its value.

    Source: MongoDB manual, Attribute Pattern, which keeps the pairs in an array of the entity's own document.
    """
    for collection, shape in context.shaped():
        roles = _roles(shape)
        if roles is None:
            continue
        entity, attribute, value = roles
        entities = context.answer(Values(collection.name, (entity,)))
        attributes = context.answer(Values(collection.name, (attribute,)))
        if not entities or not attributes or not attributes.complete:
            continue
        different, names = len(entities.distinct), len(attributes.distinct)
        if different < 2 or shape.documents < 2.5 * different or names > max(200, shape.documents / 20):
            continue
        yield _rows(context, collection, (entity, attribute, value), different, names, shape.documents)


def _roles(shape: Shape) -> tuple[str, str, str] | None:
    """The fields that name an entity, an attribute and a value; None beside a time or much else."""
    fields = {
        child.name: child for child in shape.root.children if child.kind == "field" and child.name != "_id"
    }
    if not 3 <= len(fields) <= 8 or any(child.types.get("date") for child in fields.values()):
        return None
    value = [name for name in fields if words(name) and words(name)[-1] in _VALUE]
    beside = {words(name)[:-1] for name in value}
    attribute = [
        name for name, child in fields.items() if child.types.get("string") and _is_attribute(name, beside)
    ]
    entity = [
        name
        for name in fields
        if name not in attribute + value and (reference_stem(name) or set(words(name)) & _ENTITY)
    ]
    if len(attribute) == 1 and value and entity:
        return entity[0], attribute[0], value[0]
    return None


def _is_attribute(name: str, beside: Set[tuple[str, ...]]) -> bool:
    """Whether the name is that of an attribute's name: key, attribute_name, meta_key *beside* meta_value."""
    own = tuple(word for word in words(name) if word != "name")
    return bool(own) and own[-1] in _ATTRIBUTE and (len(own) == 1 or own[:-1] in beside)


def _rows(
    context: Context,
    collection: Collection,
    roles: tuple[str, str, str],
    entities: int,
    names: int,
    rows: int,
) -> Finding:
    entity, attribute, value = roles
    facts: dict[str, Any] = {"documents": rows, "entities": entities, "attributes": names}
    return context.finding(
        "entity_attribute_value",
        "warn",
        collection.name,
        (),
        title=f"{collection.name} has a document for each attribute of an entity: {rows:,} for {entities:,}",
        why=f"{rows:,} documents hold {names:,} attributes ({attribute}, {value}) of {entities:,} entities "
        f"({entity}). To read "
        f"one entity takes {rows / entities:.1f} documents and their index entries, and a search on two "
        "attributes "
        "takes a join with itself. Source: MongoDB manual, Attribute Pattern.",
        fix=f'{shell(collection.name)}.aggregate([{{"$group": {{"_id": {spelled("$" + entity)}, '
        '"attributes": '
        f'{{"$push": {{"k": {spelled("$" + attribute)}, "v": {spelled("$" + value)}}}}}}}}}, '
        f'{{"$merge": {{"into": {spelled(collection.name + "_by_entity")}}}}}]);\n'
        f'{shell(collection.name + "_by_entity")}.createIndex({{"attributes.k": 1, "attributes.v": 1}});',
        counted=facts,
        verified=context.exact(collection.name),
    )
