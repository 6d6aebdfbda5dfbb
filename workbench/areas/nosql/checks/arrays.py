"""Arrays: those without a bound, and those that no index can hold together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations, islice
from typing import Any

from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.naming import growing
from workbench.areas.nosql.checks.tallies import ArraysBeside, Lengths, LengthTally, Names
from workbench.catalog.collections import Collection, CollectionIndex
from workbench.catalog.shapes import Node, Shape, queried, written
from workbench.documents.mongosh import key_document, share, shell, size, text
from workbench.proof.findings import Finding

LONG = 200  # elements from which an array is looked at for its length alone
LONG_IF_GROWING = 100  # the same where its name or the ages of the documents say that it grows
TAIL = 5  # how many times longer than the median the longest is
WIDE = 1_000  # from here on a range of lengths is enough, whatever the median
CORRELATED = 0.5  # Spearman's rank correlation of age and length
KEPT = 20  # elements that the fix leaves in place
PAIRS = 100  # documents from which the correlation counts
_GEOMETRY = frozenset({"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"})


def array_lengths(context: Context) -> Iterator[Lengths]:
    """What `unbounded_array` counts: the arrays that are long somewhere."""
    for collection, shape in context.shaped():
        for names, node in shape.walk():
            if node.lengths is not None and node.lengths.maximum >= LONG_IF_GROWING:
                yield Lengths(collection.name, names)


def unbounded_array(context: Context) -> Iterator[Finding]:
    """Arrays that grow with no limit: a long tail of lengths, or lengths that rise with the document's age.

    Source: MongoDB manual, Avoid Unbounded Arrays; the Atlas schema suggestion of the same name. Neither
    gives a figure; the limits are the constants above.
    """
    for collection, shape in context.shaped():
        if collection.capped:
            continue
        for names, node in shape.walk():
            tally = context.answer(Lengths(collection.name, names))
            if tally is None or not tally.lengths:
                continue
            if _geometry(shape, names) or declared_maximum(collection, names) is not None:
                continue
            found = _unbounded(context, shape, names, node, tally)
            if found is not None:
                yield found


def _unbounded(
    context: Context, shape: Shape, names: Names, node: Node, tally: LengthTally
) -> Finding | None:
    lengths = tally.lengths
    arrays, longest = lengths.total(), max(lengths)
    median = _quantile(lengths, 0.5)
    age = _rank_correlation(tally.pairs) if len(tally.pairs) >= PAIRS else None
    grows = age is not None and age <= -CORRELATED  # made earlier, longer
    if not _long(tally, median, named=growing(names), older_longer=grows) or capped(lengths):
        return None
    collection, element = shape.collection, _element(node)
    facts: dict[str, Any] = {
        "arrays": arrays,
        "median_length": median,
        "p99_length": _quantile(lengths, 0.99),
        "longest": longest,
        "arrays_at_least_half_as_long": sum(n for length, n in lengths.items() if length * 2 >= longest),
        "age_rank_correlation": None if age is None else round(-age, 2),
    }
    bytes_each = element.mean_bytes if element else 0.0
    growth = (
        f" The older the document, the longer it is (rank correlation {-age:.2f} over {len(tally.pairs):,})."
        if grows and age is not None
        else ""
    )
    weight = (
        f" An element takes {bytes_each:.0f} bytes, the longest {size(bytes_each * longest)}."
        if bytes_each
        else ""
    )
    return context.finding(
        "unbounded_array",
        "warn",
        collection,
        names,
        title=f"{written(names)} of {collection} has no limit: {median:,.0f} elements in the median, "
        f"{longest:,} at most",
        why=f"Of {arrays:,} arrays the median has {median:,.0f} elements, 1 % have "
        f"{facts['p99_length']:,.0f} or more, "
        f"the longest has {longest:,}, and no length at which they stop.{growth}{weight} A document is read, "
        "logged and replicated whole, an index on the array has an entry for each element, and at 16 MB "
        "every "
        "further write fails. Source: MongoDB manual, Avoid Unbounded Arrays.",
        fix=_own_collection(collection, names),
        counted=facts,
        verified=context.exact(collection),
    )


def _long(tally: LengthTally, median: float, *, named: bool, older_longer: bool) -> bool:
    """Whether the lengths speak of growth: a long tail, or a wide range, and more of it for numbers."""
    lengths = tally.lengths
    longest, shortest = max(lengths), min(lengths)
    tail = longest >= TAIL * max(median, 1)
    wide = shortest * 4 <= longest
    if (older_longer and wide) or (named and tail):
        return longest >= LONG_IF_GROWING
    if tally.numbers_only * 2 > lengths.total():
        return longest >= LONG and (tail or (wide and longest >= WIDE))
    if longest >= WIDE and len(lengths) >= min(10, lengths.total() / 2):
        return True
    return longest >= LONG and (tail or wide)


def capped(lengths: Mapping[int, int]) -> bool:
    """Whether the lengths pile up at the longest, as those of a bucket or of $push with $slice do.

    So many are exactly that long that it is a limit, and there are some on the way to it. A few that are
    all of one great length with nothing between are no limit, but outliers.
    """
    arrays = sum(lengths.values())
    longest = max(lengths)
    at_most = lengths[longest]
    if at_most == arrays:
        return True
    if at_most < 3 or at_most < 0.05 * arrays:
        return False
    on_the_way = any(longest / 2 < length < longest for length in lengths)
    return on_the_way or at_most >= 0.5 * arrays


def declared_maximum(collection: Collection, names: Names) -> int | None:
    """What the validator allows at most, by ``maxItems`` at *names*; None where it does not say."""
    schema: Any = (collection.validator or {}).get("$jsonSchema")
    if collection.validation_level == "off" or collection.validation_action == "warn":
        return None
    for name in names:
        if not isinstance(schema, Mapping):
            return None
        schema = schema.get("items") if name == "[]" else (schema.get("properties") or {}).get(name)
    maximum = schema.get("maxItems") if isinstance(schema, Mapping) else None
    return int(maximum) if isinstance(maximum, int | float) else None


def _geometry(shape: Shape, names: Names) -> bool:
    """Whether the array is the coordinates of a GeoJSON geometry, or a list of points."""
    element = _element(shape.node(*names))
    point = element.lengths if element is not None and set(element.types) == {"array"} else None
    if point is not None and point.minimum >= 2 and point.maximum <= 4:
        return True
    if "coordinates" not in names:
        return False
    holder = names[: names.index("coordinates")]
    node = shape.node(*holder) if holder else shape.root
    kinds = next((child for child in node.children if child.name == "type"), None)
    values = {value for value in (kinds.values or ()) if isinstance(value, str)} if kinds else set()
    return bool(values) and values <= _GEOMETRY


def _element(node: Node) -> Node | None:
    return next((child for child in node.children if child.kind == "element"), None)


def _own_collection(collection: str, names: Names) -> str:
    """The design step, with the commands that move the elements and bound what stays."""
    plain = [name for name in names if name not in ("[]", "*")]
    target = f"{collection}_{'_'.join(plain)}".replace(".", "_").replace("$", "")
    path = queried(names)
    if "[]" in names or "*" in names or any("." in name or name.startswith("$") for name in plain):
        return (
            f"// give the elements of {written(names)} a collection of their own, {target}, a document each "
            "with the "
            f"_id of its parent, and keep the latest few in place (subset pattern, $push with $slice)"
        )
    kept = f'{{"$slice": ["${path}", -{KEPT}]}}'
    return (
        f"// a document per element, and the latest {KEPT} stay in place (subset pattern)\n"
        f'{shell(collection)}.aggregate([{{"$unwind": "${path}"}}, '
        f'{{"$project": {{"_id": 0, "parentId": "$_id", "element": "${path}"}}}}, '
        f'{{"$merge": {{"into": {text(target)}}}}}]);\n'
        f'{shell(target)}.createIndex({{"parentId": 1, "_id": -1}});\n'
        f'{shell(collection)}.updateMany({{{text(path)}: {{"$type": "array"}}}}, '
        f'[{{"$set": {{{text(path)}: {kept}}}}}]);\n'
        f'// then, with every write: {{"$push": {{{text(path)}: {{"$each": [element], "$slice": -{KEPT}}}}}}}'
    )


def _quantile(lengths: Counter[int], part: float) -> float:
    """The smallest length that at least *part* of the arrays do not exceed."""
    wanted, seen = part * lengths.total(), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= wanted:
            return float(length)
    return 0.0


def _rank_correlation(pairs: list[tuple[float, int]]) -> float | None:
    """Spearman's rho with ranks averaged over ties; None where one side does not vary."""
    ones, others = _ranks([one for one, _ in pairs]), _ranks([float(other) for _, other in pairs])
    mean = (len(pairs) + 1) / 2
    across = sum((one - mean) * (other - mean) for one, other in zip(ones, others, strict=True))
    spread = sum((one - mean) ** 2 for one in ones) * sum((other - mean) ** 2 for other in others)
    return across / spread**0.5 if spread else None


def _ranks(values: list[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0.0] * len(values), 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for position in range(start, end + 1):
            ranks[order[position]] = (start + end) / 2 + 1
        start = end + 1
    return ranks


# Parallel arrays


def array_pairs(context: Context) -> Iterator[ArraysBeside]:
    """What `parallel_arrays` counts: for every index and query on two array paths, where both are arrays."""
    for collection, shape in context.shaped():
        for paths in _path_sets(context, collection):
            for one, other in _parallel(collection, shape, paths):
                yield ArraysBeside(collection.name, one, other)


def parallel_arrays(context: Context) -> Iterator[Finding]:
    """Indexes over two arrays, and queries on two that no index can serve together.

    The server refuses such an entry with error 171, when the index is built or, later, when a document
    comes in whose second field has become an array. Source: MongoDB manual, Multikey Indexes, Limitations.
    """
    for collection, shape in context.stored():
        told = set()
        for index in collection.indexes:
            pairs = list(_parallel(collection, shape, _indexed(index)))
            if pairs:
                told.add(frozenset(index.paths))
                yield _refused(context, collection, index, *pairs[0])
        for paths in _queried_together(context, collection.name):
            pairs = list(_parallel(collection, shape, paths))
            served = {index.paths[0] for index in collection.indexes if index.key} & set(paths)
            if pairs and not served and not any(set(paths) <= indexed for indexed in told):
                told.add(frozenset(paths))
                yield _unserved(context, collection, paths, *pairs[0])


def _path_sets(context: Context, collection: Collection) -> Iterator[tuple[str, ...]]:
    yield from (_indexed(index) for index in collection.indexes)
    yield from _queried_together(context, collection.name)


def _indexed(index: CollectionIndex) -> tuple[str, ...]:
    """The paths of a plain index; none of a partial one, whose filter may keep such documents out."""
    if index.partial_filter is not None or any("$**" in path for path in index.paths):
        return ()
    return tuple(path for path, way in index.key if way in (1, -1))


def _queried_together(context: Context, collection: str) -> Iterator[tuple[str, ...]]:
    """The paths that each operation compares together, in the order of their names."""
    seen = set()
    for operation in context.operations_on(collection):
        paths = tuple(sorted(path for path in operation.filter if not path.startswith("$")))
        if len(paths) > 1 and paths not in seen:
            seen.add(paths)
            yield paths


def _parallel(
    collection: Collection, shape: Shape | None, paths: tuple[str, ...]
) -> Iterator[tuple[Names, Names]]:
    """The pairs of arrays below *paths* neither of which holds the other, by documents or validator."""
    arrays = [array_steps(shape, path) or declared_arrays(collection, path) for path in paths]
    for (one, ones), (other, others) in islice(combinations(zip(paths, arrays, strict=True), 2), 1_000):
        apart = [names for names in ones if not _leads(names, other)]
        beside = [names for names in others if not _leads(names, one)]
        if apart and beside:
            yield apart[0], beside[0]


def _leads(names: Names, path: str) -> bool:
    """Whether the queried *path* passes through the array at *names*."""
    text = queried(names)
    return path == text or path.startswith(text + ".")


def declared_arrays(collection: Collection, path: str) -> list[Names]:
    """The arrays that the queried *path* passes through or ends at by the validator, outermost first."""
    found: list[Names] = []
    names: Names = ()
    schema: Any = (collection.validator or {}).get("$jsonSchema")
    for name in path.split("."):
        schema = (schema.get("properties") or {}).get(name) if isinstance(schema, Mapping) else None
        names = (*names, name)
        while isinstance(schema, Mapping) and _declares_array(schema):
            found.append(names)
            names, schema = (*names, "[]"), schema.get("items")
    return found


def _declares_array(schema: Mapping[str, Any]) -> bool:
    types = schema.get("bsonType", schema.get("type"))
    return types == "array" or (isinstance(types, list) and "array" in types)


def array_steps(shape: Shape | None, path: str) -> list[Names]:
    """The array nodes that the queried *path* passes through or ends at, outermost first."""
    found: list[Names] = []
    if shape is None:
        return found

    def below(node: Node, names: Names, rest: tuple[str, ...]) -> None:
        if node.types.get("array"):
            found.append(names)
            element = _element(node)
            if element is not None:
                below(element, (*names, "[]"), rest)
        if rest:
            child = next(
                (each for each in node.children if each.kind == "field" and each.name == rest[0]), None
            )
            if child is not None:
                below(child, (*names, child.name), rest[1:])

    below(shape.root, (), tuple(path.split(".")))
    return found


def _refused(
    context: Context, collection: Collection, index: CollectionIndex, one: Names, other: Names
) -> Finding:
    counted = context.answer(ArraysBeside(collection.name, one, other))
    ones, others, both = (counted.ones, counted.others, counted.both) if counted else (None, None, None)
    figures = (
        f"{written(one)} is an array in {ones:,} documents, {written(other)} in {others:,}, both in "
        f"{both:,}. "
        if counted
        else ""
    )
    return context.finding(
        "parallel_arrays",
        "error" if both else "warn",
        collection.name,
        (index.name,),
        title=f"The index {index.name} of {collection.name} covers two arrays: {written(one)} and "
        f"{written(other)}",
        why=f"{figures}An index takes no document in which both are arrays: such a write, or the building of "
        "the "
        "index, fails with error 171, cannot index parallel arrays. Source: MongoDB manual, Multikey "
        "Indexes.",
        fix=f"{shell(collection.name)}.dropIndex({text(index.name)});\n"
        + "\n".join(
            f"{shell(collection.name)}.createIndex({key_document([(path, 1)])});" for path in index.paths[:2]
        ),
        counted={
            "collection": collection.name,
            "index": index.name,
            "one": queried(one),
            "other": queried(other),
            "documents_one_is_array": ones,
            "documents_other_is_array": others,
            "documents_both_are_arrays": both,
        },
        verified=False,
        unverified_because="no document was tried against the index",
    )


def _unserved(
    context: Context, collection: Collection, paths: tuple[str, ...], one: Names, other: Names
) -> Finding:
    counted = context.answer(ArraysBeside(collection.name, one, other))
    both = counted.both if counted else None
    figures = (
        f" Both are arrays in {both:,} documents ({share(both, counted.documents)})."
        if both is not None
        else ""
    )
    return context.finding(
        "parallel_arrays",
        "warn" if both else "info",
        collection.name,
        one,
        title=f"No index of {collection.name} can serve {written(one)} and {written(other)} together",
        why=f"A query compares {' and '.join(paths)}, and both lead into arrays.{figures} An index over both "
        "is refused "
        "with error 171, cannot index parallel arrays. Source: MongoDB manual, Multikey Indexes.",
        fix=f"{shell(collection.name)}.createIndex({key_document([(queried(one), 1)])});\n"
        f"// the more selective of the two alone; or one array of {{kind, value}} pairs, and an index on "
        "both of its fields",
        counted={
            "collection": collection.name,
            "one": queried(one),
            "other": queried(other),
            "documents_both_are_arrays": both,
            "queried_together": list(paths),
        },
        verified=False,
        unverified_because="no index was tried",
    )
