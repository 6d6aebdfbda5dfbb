"""The $lookup stages of pipelines: what they compare, and whether an index serves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.catalog.collections import Collection


def lookups(pipeline: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """The $lookup stages of a pipeline and of those within it."""
    for stage in pipeline:
        if not isinstance(stage, Mapping):
            continue
        for name, body in stage.items():
            if name == "$lookup" and isinstance(body, Mapping):
                yield body
            if isinstance(body, Mapping):
                inner = body.get("pipeline")
                if isinstance(inner, list | tuple):
                    yield from lookups(inner)
                if name == "$facet":
                    for each in body.values():
                        yield from lookups(each if isinstance(each, list | tuple) else ())


def compared_paths(body: Mapping[str, Any]) -> list[str]:
    """The fields of the other collection that a $lookup compares: foreignField, or those of its pipeline.

    Of a pipeline these are the equalities of its first $match, with a variable of ``let`` or with a value.
    """
    foreign, pipeline = body.get("foreignField"), body.get("pipeline")
    found = [foreign] if isinstance(foreign, str) else []
    first = pipeline[0] if isinstance(pipeline, list | tuple) and pipeline else None
    matched = first.get("$match") if isinstance(first, Mapping) else None
    if not isinstance(matched, Mapping):
        return found
    expression = matched.get("$expr")
    all_of = expression.get("$and", [expression]) if isinstance(expression, Mapping) else []
    for each in all_of:
        sides = each.get("$eq") if isinstance(each, Mapping) else None
        names = [side for side in sides or () if isinstance(side, str) and side[:1] == "$"]
        own = [side[1:] for side in names if side[:2] != "$$"]
        if len(own) == 1 and len(names) == 2:
            found.append(own[0])
    return found + ([path for path in matched if path[:1] != "$"] if found else [])


def begins_an_index(collection: Collection, path: str) -> bool:
    """Whether an index begins with *path* that an equality without a collation of its own may use."""
    if path == "_id":
        return True
    return any(
        not index.hidden
        and index.partial_filter is None
        and (index.paths[:1] == (path,) or index.paths[0] in ("$**", f"{path}.$**"))
        and index.key[0][1] in (1, -1, "hashed")
        for index in collection.indexes
        if index.key
    )
