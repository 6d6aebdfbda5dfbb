"""How operations match text: without regard to case, by patterns that no index can narrow."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from bson.regex import Regex

from workbench.areas.nosql.checks.context import Context
from workbench.areas.nosql.checks.tallies import Names, Values
from workbench.catalog.collections import Collection, Operation
from workbench.catalog.shapes import Node, Shape, queried, written
from workbench.documents.mongosh import share, shell, spelled
from workbench.proof.findings import Finding

FEW_VALUES = 100  # different values up to which a field is a choice, not a text
LARGE = 1_000  # documents from which a scan is worth a word


def patterns(operation: Operation) -> Iterator[tuple[str, str, bool]]:
    """Each regular expression of an operation: the path, the pattern, and whether without regard to case."""
    yield from _patterns(operation.filter, "")
    for stage in operation.pipeline:
        matched = stage.get("$match") if isinstance(stage, Mapping) else None
        if isinstance(matched, Mapping):
            yield from _patterns(matched, "")


def _patterns(part: Any, path: str) -> Iterator[tuple[str, str, bool]]:
    if isinstance(part, Regex | re.Pattern):
        pattern = part.pattern if isinstance(part.pattern, str) else part.pattern.decode("utf-8", "replace")
        yield path, pattern, bool(part.flags & re.IGNORECASE) or _inline(pattern)
    elif isinstance(part, Mapping):
        if "$regex" in part:
            options = str(part.get("$options", ""))
            for _, pattern, folded in _patterns(_expression(part["$regex"]), path):
                yield path, pattern, folded or "i" in options
        for name, value in part.items():
            if name == "$expr":
                yield from _computed(value)
            elif name not in ("$regex", "$options"):
                yield from _patterns(value, path if name.startswith("$") else f"{path}.{name}".lstrip("."))
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _patterns(each, path)


_FOLDING = ("$toLower", "$toUpper", "$strcasecmp")


def _computed(part: Any) -> Iterator[tuple[str, str, bool]]:
    """The same of an expression: text that is compared in lower case has no pattern, "" stands for it."""
    if isinstance(part, list | tuple):
        for each in part:
            yield from _computed(each)
    if not isinstance(part, Mapping):
        return
    for name, value in part.items():
        if name in _FOLDING:
            paths = value if isinstance(value, list | tuple) else [value]
            yield from ((path, "", True) for path in map(_field, paths) if path)
        elif name in ("$regexMatch", "$regexFind") and isinstance(value, Mapping):
            path, options = _field(value.get("input")), str(value.get("options", ""))
            for _, pattern, folded in _patterns(_expression(value.get("regex")), path):
                yield path, pattern, folded or "i" in options
        else:
            yield from _computed(value)


def _field(value: Any) -> str:
    """The path that an expression names (``$address.city``), "" where it names none."""
    return value[1:] if isinstance(value, str) and value[:1] == "$" and value[:2] != "$$" else ""


def _expression(value: Any) -> Any:
    return Regex(value) if isinstance(value, str) else value


def _inline(pattern: str) -> bool:
    found = re.match(r"\(\?([a-z]+)\)", pattern)
    return bool(found) and "i" in found[1] if found else False


def anchored(pattern: str) -> bool:
    """Whether the pattern is bound to the start of the text, so that an index narrows it."""
    bare = re.sub(r"\A\(\?[a-z]+\)", "", pattern)
    return bare.startswith(("^", "\\A")) and "|" not in re.sub(r"\(.*?\)|\[.*?\]", "", bare)


def _matched(context: Context, collection: str) -> dict[str, list[tuple[str, bool, Operation]]]:
    """The patterns that the operations match each path of *collection* with."""
    by_path: dict[str, list[tuple[str, bool, Operation]]] = defaultdict(list)
    for operation in context.operations_on(collection):
        for path, pattern, folded in patterns(operation):
            if path:
                by_path[path].append((pattern, folded, operation))
    return by_path


def case_questions(context: Context) -> Iterator[Values]:
    """What the checks of this module count: text fields of few values, and those matched by patterns."""
    for collection, shape in context.shaped():
        matched = _matched(context, collection.name)
        for names, node in shape.walk():
            if node.types.get("string") and (queried(names) in matched or _choice(node)):
                yield Values(collection.name, names)


def _choice(node: Node) -> bool:
    """Whether a field of text has few different values, with letters in both cases among them."""
    return (
        node.kind != "key"
        and node.values is not None
        and 1 < len(node.values) <= FEW_VALUES
        and _variants([value for value in node.values if isinstance(value, str)]) != {}
    )


def _variants(values: list[str]) -> dict[str, list[str]]:
    """The values that differ in case alone, by what they have in common; of three letters and more."""
    same: dict[str, list[str]] = defaultdict(list)
    for value in values:
        if len(value) > 2:
            same[value.casefold()].append(value)
    return {folded: sorted(each) for folded, each in same.items() if len(each) > 1}


def case_insensitive_match_without_collation(context: Context) -> Iterator[Finding]:
    """Patterns without regard to case, where no index has a collation that has none either.

    Source: MongoDB manual, $regex, Index Use: such a pattern cannot use an index well; Case-Insensitive
    Indexes; the Atlas schema suggestion of the same name.
    """
    for collection, shape in context.stored():
        for path, uses in sorted(_matched(context, collection.name).items()):
            folded = [(pattern, operation) for pattern, without_case, operation in uses if without_case]
            if folded and not _folding(collection, path):
                yield _insensitive(context, collection, shape, path, folded)


def _folding(collection: Collection, path: str) -> bool:
    """Whether an index on *path* first, or the collection, compares without regard to case."""
    collations = [index.collation for index in collection.indexes if index.paths[:1] == (path,)]
    return any(
        each and each.get("strength", 3) in (1, 2) and not each.get("caseLevel")
        for each in (*collations, collection.collation)
    )


def _node(shape: Shape | None, path: str) -> tuple[Names, Node] | None:
    if shape is None:
        return None
    return next(((names, node) for names, node in shape.walk() if queried(names) == path), None)


def _insensitive(
    context: Context,
    collection: Collection,
    shape: Shape | None,
    path: str,
    folded: list[tuple[str, Operation]],
) -> Finding:
    found = _node(shape, path)
    tally = context.answer(Values(collection.name, found[0])) if found else None
    texts = [value for kind, value in tally.distinct if kind == "string"] if tally else []
    variants = _variants(texts)
    pairs = " / ".join(next(iter(variants.values()))) if variants else ""
    spellings = (
        f" {len(variants):,} values are written in more than one way, such as {pairs}."
        if variants
        else f" None of the {len(texts):,} different values is written in two ways."
        if texts
        else ""
    )
    times = sum(operation.count for _, operation in folded)
    return context.finding(
        "case_insensitive_match_without_collation",
        "warn",
        collection.name,
        found[0] if found else (path,),
        title=f"{path} of {collection.name} is matched without regard to case, and no index is",
        why=f"{len(folded)} {'shape' if len(folded) == 1 else 'shapes'} of operation"
        f"{f' ({times:,} times on record)' if times else ''} match {path} {_how(folded)}. "
        f"It reads every key of an index, or every document.{spellings} Source: MongoDB manual, $regex, "
        "Index Use; Case-Insensitive Indexes.",
        fix=f"{shell(collection.name)}.createIndex({{{spelled(path)}: 1}}, "
        '{"name": ' + spelled(f"{path}_without_case") + ', "collation": {"locale": "en", "strength": 2}});\n'
        f'{shell(collection.name)}.find({{{spelled(path)}: "<value>"}})'
        '.collation({"locale": "en", "strength": 2});',
        counted={
            "collection": collection.name,
            "path": path,
            "operations": len(folded),
            "times": times,
            "documents": collection.documents,
            "written_in_several_ways": len(variants),
        },
        verified=False,
        summary="The operations on record were read.",
        unverified_because="no engine was there on which to compare the two",
    )


def _how(folded: list[tuple[str, Operation]]) -> str:
    pattern = next((pattern for pattern, _ in folded if pattern), "")
    if pattern:
        return f"by a pattern with the option i, such as /{pattern}/i"
    return "by an expression that changes its case first"


def unanchored_regex(context: Context) -> Iterator[Finding]:
    """Patterns that may match anywhere in a text: each reads all keys or all documents.

    Source: MongoDB manual, $regex, Index Use; the Atlas schema suggestion about text queries.
    """
    for collection, shape in context.stored():
        count = shape.of or shape.documents if shape is not None else collection.documents
        if count is not None and count < LARGE:
            continue
        for path, uses in sorted(_matched(context, collection.name).items()):
            loose = [
                (pattern, operation) for pattern, _, operation in uses if pattern and not anchored(pattern)
            ]
            found = _node(shape, path)
            few = found is not None and 0 < found[1].distinct_in_sample <= FEW_VALUES
            if loose and not (few and all(folded for _, folded, _ in uses)):
                yield _loose(context, collection, found[0] if found else (path,), path, loose, count)


def _loose(
    context: Context,
    collection: Collection,
    names: Names,
    path: str,
    loose: list[tuple[str, Operation]],
    count: int | None,
) -> Finding:
    times = sum(operation.count for _, operation in loose)
    searched = f'{shell(collection.name)}.find({{"$text": {{"$search": "<words>"}}}});'
    there = next((index for index in collection.indexes if any(way == "text" for _, way in index.key)), None)
    of = f"all {count:,} documents" if count else "every document"
    return context.finding(
        "unanchored_regex",
        "warn",
        collection.name,
        names,
        title=f"{path} of {collection.name} is searched by a pattern that may match anywhere",
        why=f"{len(loose)} {'shape' if len(loose) == 1 else 'shapes'} of operation"
        f"{f' ({times:,} times on record)' if times else ''} search {path} by /{loose[0][0]}/, which is "
        "bound to no start: it "
        f"reads {of} or their index keys each time. Source: MongoDB manual, $regex, Index Use.",
        fix=(
            f'{shell(collection.name)}.createIndex({{{spelled(path)}: "text"}});'
            if there is None
            else f"// {there.name} is the one text index that a collection can have: it must cover {path}"
        )
        + f"\n{searched}  // whole words; a search index for parts of them",
        counted={
            "collection": collection.name,
            "path": path,
            "operations": len(loose),
            "times": times,
            "documents": count,
        },
        verified=False,
        summary="The operations on record were read.",
        unverified_because="no engine was there on which to count what it reads",
    )


def case_variants(context: Context) -> Iterator[Finding]:
    """Values of a field of few values that differ in case alone, such as Active and active.

    Left alone where an index or the collection compares without regard to case, and free text.
    """
    for collection, shape in context.shaped():
        matched = {
            path for path, uses in _matched(context, collection.name).items() if any(use[1] for use in uses)
        }
        for names, node in shape.walk():
            path = queried(names)
            if path in matched or _folding(collection, path) or not _choice(node):
                continue  # `case_insensitive_match_without_collation` tells of the first
            tally = context.answer(Values(collection.name, names))
            if tally is None or any(each.collation for each in context.operations_on(collection.name)):
                continue
            texts = {value: count for (kind, value), count in tally.distinct.items() if kind == "string"}
            variants = _variants(list(texts))
            if variants and len(texts) <= FEW_VALUES:
                yield _written_variously(context, collection, names, texts, variants)


def _most_frequent(spellings: list[str], counts: Mapping[str, int]) -> str:
    return max(spellings, key=lambda each: counts[each])


def _written_variously(
    context: Context,
    collection: Collection,
    names: Names,
    texts: Mapping[str, int],
    variants: Mapping[str, list[str]],
) -> Finding:
    path = queried(names)
    rarer = sum(
        sum(texts[each] for each in spellings) - max(texts[each] for each in spellings)
        for spellings in variants.values()
    )
    spellings = next(iter(variants.values()))
    counts = ", ".join(f"{texts[each]:,} {each}" for each in spellings)
    branches = [
        {"case": {"$in": ["$" + path, each]}, "then": _most_frequent(each, texts)}
        for each in variants.values()
    ]
    return context.finding(
        "case_variants",
        "info",
        collection.name,
        names,
        title=f"{len(variants)} of {len(texts)} values of {written(names)} in {collection.name} are written "
        "in several ways",
        why=f"{counts}: they differ in case alone. A query for one spelling passes over the others, "
        f"{rarer:,} values ({share(rarer, sum(texts.values()))}) if it is the most frequent. Source: MongoDB "
        "manual, Collation.",
        fix=f'{shell(collection.name)}.updateMany({{}}, [{{"$set": {{{spelled(path)}: {{"$switch": '
        f"{spelled({'branches': branches, 'default': '$' + path})}}}}}}}]);"
        if "[]" not in names
        else f"// write each {written(names)} in one way, and keep it so by an enum in the validator",
        counted={"values": dict(texts), "written_in_several_ways": dict(variants), "rarer_spellings": rarer},
        verified=context.exact(collection.name),
    )
