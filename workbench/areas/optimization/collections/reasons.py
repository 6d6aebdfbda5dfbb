"""Why an operation is slow: from what the server counted, its plan, and its filter taken apart.

Nothing is told from a text that merely contains a word: a filter is read as the document that it is.
Source: MongoDB manual, "Query Optimization", "The ESR (Equality, Sort, Range) Guideline", "Multikey Index
Bounds", "$regex", "$expr", "$lookup, Performance Considerations", "Covered Query", "cursor.skip()".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson.regex import Regex

from workbench.areas.optimization.collections.conditions import RANGES, Condition, conditions
from workbench.areas.optimization.collections.slow import SlowOperation
from workbench.catalog.collections import Collection, CollectionCatalog, Operation
from workbench.catalog.observed_operations import list_length
from workbench.catalog.shapes import Shape
from workbench.diagrams.stage_tree import Stage
from workbench.documents.indexing.needs import GAIN, WORTH_READING, WORTH_SORTING
from workbench.documents.indexing.selectivity import Fields, Lookup
from workbench.documents.joins import begins_an_index, compared_paths, lookups
from workbench.documents.predicates import MERGED, branches_of

SKIPS = 1_000  # documents passed over in one call
COVERS = 1_000  # documents fetched in one call, from which it is worth not to fetch them
JOINED = 100  # documents of the other collection, from which a join without an index is worth a word
_NEGATIONS = frozenset(["$ne", "$nin", "$not"])
GROUPING = frozenset(["$group", "$count", "$bucket", "$bucketAuto", "$sortByCount", "$facet"])
_SORTS = frozenset(["SORT", "$sort"])
_COMPARISONS = frozenset(["$eq", "$gt", "$gte", "$lt", "$lte"])


@dataclass(frozen=True)
class Reason:
    """One reason: *kind* is its name, *says* what was seen, *remedy* what helps."""

    kind: str
    says: str
    remedy: str


def reasons_of(
    slow: SlowOperation, catalog: CollectionCatalog, shapes: Mapping[str, Shape], *, plan: Stage | None = None
) -> list[Reason]:
    """Why *slow* takes its time, each kind once; empty where nothing is to be held against it.

    *plan* is its plan on a copy, for an operation that was declared and not recorded.
    """
    operation = slow.operation
    collection = _collection(catalog, operation.collection)
    shape = shapes.get(operation.collection)
    fields = Fields(collection, shape) if collection and shape and shape.documents else None
    told = [*_by_its_figures(slow, plan, fields), *_by_its_work(slow)]
    if collection is not None and operation.kind != "insert" and not _gives_what_it_reads(slow):
        told += _by_its_filter(operation, collection, fields)
    told += _by_its_joins(operation, catalog)
    return list({each.kind: each for each in reversed(told)}.values())[::-1]


def _collection(catalog: CollectionCatalog, name: str) -> Collection | None:
    return next((each for each in catalog.collections if each.name == name), None)


# by what the server counted


def _by_its_figures(slow: SlowOperation, plan: Stage | None, fields: Fields | None) -> Iterator[Reason]:
    stages = _stages(slow, plan)
    planned = sum(each.documents or 0 for _, each in plan.walk()) if plan else 0
    examined = slow.examined if slow.calls else float(planned)
    if examined >= WORTH_READING and _wants_few(slow, fields):
        if "COLLSCAN" in stages:
            yield Reason(
                "collection_scan",
                f"each call reads the collection, {examined:,.0f} documents of it",
                "an index whose first field the filter or the sort names"
                if _can_be_looked_up(slow.operation)
                else "none by an index: nothing of it can be looked up as it is written",
            )
        elif slow.calls and slow.skipped < SKIPS and not _gives_one_for_many(slow.operation):
            yield Reason(
                "reads_in_vain",
                f"it reads {slow.documents_per_returned:,.1f} documents and "
                f"{slow.keys_per_returned:,.1f} keys "
                "for each one it gives",
                "an index by all fields of the filter: equality, then the sort, then the range",
            )
    sorts = bool(slow.sorted_in_memory) if slow.calls else bool(stages & _SORTS)
    if sorts and slow.operation.sort and (examined >= WORTH_SORTING or slow.used_disk):
        spilled = f", in {slow.used_disk:,} calls on the disk" if slow.used_disk else ""
        yield Reason(
            "sort_in_memory",
            f"the {examined:,.0f} that a call reads are sorted in memory{spilled}",
            "an index with the fields of the sort behind those that are compared for equality",
        )


def _stages(slow: SlowOperation, plan: Stage | None) -> frozenset[str]:
    """The stages that were recorded; of an operation that was declared only, those of its plan on a copy."""
    if slow.plans:
        return slow.stages
    return frozenset(stage.name for _, stage in plan.walk()) if plan else frozenset()


def _wants_few(slow: SlowOperation, fields: Fields | None) -> bool:
    """Whether it gives less than a tenth of what it reads: who wants more is served best by reading all.

    By what was counted; of a group, a count and what was not run by the share that its filter leaves.
    """
    if slow.calls and not _gives_one_for_many(slow.operation):
        return not _gives_what_it_reads(slow)
    if slow.operation.limit and not slow.operation.filter:
        return True
    return fields is not None and _share(slow.operation, fields) * GAIN <= 1


def _gives_what_it_reads(slow: SlowOperation) -> bool:
    """Whether it was seen to give a tenth and more of what it read: then its filter costs nothing."""
    if not slow.calls or _gives_one_for_many(slow.operation):
        return False
    return slow.examined * slow.calls < GAIN * max(slow.returned, 1)


def _can_be_looked_up(operation: Operation) -> bool:
    """Whether every alternative of the filter has something that an index finds, or the sort has a limit."""
    branches = branches_of(operation.filter) or []
    found = bool(branches) and all(branch.of("equality", "in", "range") for branch in branches)
    return found or bool(operation.sort and operation.limit)


def _gives_one_for_many(operation: Operation) -> bool:
    """Whether what it gives says nothing of how much it had to read: a count, a group, a join."""
    stages = {name for stage in operation.pipeline for name in stage}
    return (
        operation.kind in ("count", "distinct") or bool(stages & GROUPING) or any(lookups(operation.pipeline))
    )


def _share(operation: Operation, fields: Fields) -> float:
    """The share of the documents that the filter leaves, as far as its predicates can be looked up."""
    branches = branches_of(operation.filter) or []
    shares = [Lookup(fields, branch, operation.sort, operation.limit).total for branch in branches]
    return min(sum(shares), 1.0) if shares else 1.0


def _by_its_work(slow: SlowOperation) -> Iterator[Reason]:
    if slow.javascript:
        yield Reason(
            "javascript",
            f"{', '.join(slow.javascript)} runs JavaScript for each document",
            "operators of the query language, or $expr: no index serves JavaScript",
        )
    if slow.skipped >= SKIPS:
        yield Reason(
            "skip",
            f"a call passes over {slow.skipped:,} documents, which are read all the same",
            "page by the last value seen: {field: {$gt: last}} with the same sort and a limit",
        )
    if slow.replanned and 10 * slow.replanned >= slow.calls:
        yield Reason(
            "replanned",
            f"{slow.replanned:,} of {slow.calls:,} calls were planned anew: the plan that was kept read "
            "more than "
            "it had on trial",
            "an index that serves all values alike, or one operation a case",
        )
    if slow.write_conflicts and slow.write_conflicts >= slow.calls:
        yield Reason(
            "write_conflicts",
            f"{slow.write_conflicts:,} write conflicts in {slow.calls:,} calls: several write the same "
            "documents",
            "spread the writes over several documents, or write less often",
        )


# by its filter


def _by_its_filter(operation: Operation, collection: Collection, fields: Fields | None) -> Iterator[Reason]:
    asked = list(conditions(operation.filter))
    size = fields.documents if fields else (collection.documents or 0)
    if size < WORTH_READING:
        return
    narrow = fields is not None and _is_narrow(operation, fields)
    yield from _expressions(asked, narrow)
    yield from _negations(asked, narrow)
    yield from _long_lists(asked)
    yield from _computed(asked, narrow)
    if fields is not None:
        yield from _one_sided(asked, fields)
        yield from _alternative_without_index(operation, fields)
        yield from _not_covered(operation, fields)


def _is_narrow(operation: Operation, fields: Fields) -> bool:
    """Whether the predicates that an index can look up leave a hundredth of the documents, or few."""
    branches = branches_of(operation.filter) or []
    looked_up = bool(branches) and all(branch.of("equality", "in", "range") for branch in branches)
    return looked_up and _share(operation, fields) * fields.documents <= max(
        WORTH_READING, fields.documents / 100
    )


def _expressions(asked: Sequence[Condition], narrow: bool) -> Iterator[Reason]:
    """Patterns that no index narrows; one beside a selective predicate is checked on few documents."""
    loose = [] if narrow else [each.path for each in asked if _is_loose(each)]
    if loose:
        yield Reason(
            "loose_pattern",
            f"the pattern on {', '.join(loose)} is bound to no start or does not mind case: every key "
            "is compared",
            "bind it to the start (^), compare under a collation of strength 2, or search by a text index",
        )


def _is_loose(asked: Condition) -> bool:
    """Whether it is a regular expression that is bound to no start, or does not mind case."""
    if asked.operator == "$regex":
        query: Any = {
            name: asked.operators[name] for name in ("$regex", "$options") if name in asked.operators
        }
    elif asked.operator == "$eq" and isinstance(asked.operand, Regex | re.Pattern):
        query = asked.operand
    else:
        return False
    branches = branches_of({asked.path: query}) or []
    return any(each.kind == "residual" for branch in branches for each in branch.predicates)


def _negations(asked: Sequence[Condition], narrow: bool) -> Iterator[Reason]:
    if narrow:
        return
    paths = [
        f"{each.path} {each.operator}"
        for each in asked
        if each.path
        and (each.operator in _NEGATIONS or (each.operator == "$exists" and each.operand is False))
        and not (each.operator == "$ne" and each.operand is None)
    ]
    if paths:
        yield Reason(
            "negation",
            f"{', '.join(paths)} leaves all but some values, which no index narrows much",
            "name the values that are wanted ($in), or a partial index on them",
        )


def _long_lists(asked: Sequence[Condition]) -> Iterator[Reason]:
    for each in asked:
        if (
            each.operator == "$in"
            and isinstance(each.operand, list | tuple)
            and list_length(each.operand) > MERGED
        ):
            yield Reason(
                "long_list",
                f"$in on {each.path} has more than {MERGED} values: each is looked up, and no sort is merged",
                "a range, a join, or a field that says the same of them",
            )


def _one_sided(asked: Sequence[Condition], fields: Fields) -> Iterator[Reason]:
    """A range with two sides over an array: an index is read by one side, the other is checked afterwards."""
    sides: dict[str, set[str]] = {}
    for each in asked:
        if each.operator in RANGES and not each.in_element:
            sides.setdefault(each.path, set()).add("low" if each.operator.startswith("$g") else "high")
    for path, found in sides.items():
        indexed = any(path in index.paths for index in fields.collection.indexes)
        if len(found) == 2 and indexed and fields.arrays(path):
            yield Reason(
                "multikey_bounds",
                f"{path} leads through an array: of the two sides of its range one bounds the index, "
                "and different "
                "elements may meet them",
                '{"$elemMatch": {"$gte": …, "$lt": …}}, if one element is meant to meet both',
            )


def _alternative_without_index(operation: Operation, fields: Fields) -> Iterator[Reason]:
    branches = branches_of(operation.filter)
    if branches is None or len(branches) < 2:
        return
    served, lacking = 0, []
    for branch in branches:
        lookup = Lookup(fields, branch, operation.sort, operation.limit, operation.collation)
        by_id = any(each.path == "_id" for each in branch.of("equality", "in", "range"))
        if by_id or any(lookup.served(index) is not None for index in fields.collection.indexes):
            served += 1
        else:
            lacking.append(", ".join(each.path for each in branch.predicates) or "everything")
    if served and lacking:
        yield Reason(
            "alternative_without_index",
            f"of the alternatives of the $or {served} may use an index, that by {lacking[0]} has none: "
            "so all "
            "documents are read",
            f"an index for each alternative, here by {lacking[0]}",
        )


def _not_covered(operation: Operation, fields: Fields) -> Iterator[Reason]:
    """A projection of a few fields that an index could give without the documents."""
    shown = operation.projection
    if operation.kind != "find" or not shown or shown.get("_id", 1) not in (0, False):
        return
    wanted = [name for name in shown if name != "_id"]
    plain = all(shown[name] in (1, True) and "$" not in name for name in wanted)
    paths = {
        *wanted,
        *(each.path for each in conditions(operation.filter)),
        *(path for path, _ in operation.sort),
    }
    examined = operation.documents_examined or 0
    if not (wanted and plain and "" not in paths and len(paths) <= 6 and examined >= COVERS):
        return
    if not any(fields.arrays(path) for path in paths):
        yield Reason(
            "not_covered",
            f"it shows {', '.join(wanted)} alone and fetches {examined:,} documents for them",
            f"an index that has {', '.join(wanted)} behind the fields of the filter: then no document "
            "is fetched",
        )


def _computed(asked: Sequence[Condition], narrow: bool) -> Iterator[Reason]:
    if narrow:
        return
    for each in asked:
        if each.operator == "$expr" and not any(_is_looked_up(part) for part in _all_of(each.operand)):
            yield Reason(
                "computed",
                "$expr compares what is computed or two fields: no index serves it",
                "store what is computed as a field and compare that, or write the comparison without $expr",
            )


def _all_of(expression: Any) -> list[Any]:
    inner = expression.get("$and") if isinstance(expression, Mapping) else None
    return list(inner) if isinstance(inner, list | tuple) else [expression]


def _is_looked_up(part: Any) -> bool:
    """Whether it compares a field with a constant, which an index serves since 5.0."""
    if not isinstance(part, Mapping) or len(part) != 1:
        return False
    operator, sides = next(iter(part.items()))
    if operator not in _COMPARISONS or not isinstance(sides, list | tuple) or len(sides) != 2:
        return False
    fields = [side for side in sides if isinstance(side, str) and side[:1] == "$" and side[:2] != "$$"]
    others = [side for side in sides if side not in fields]
    return len(fields) == 1 and not any(
        isinstance(side, Mapping) and "$literal" not in side for side in others
    )


# by its joins


def _by_its_joins(operation: Operation, catalog: CollectionCatalog) -> Iterator[Reason]:
    for body in lookups(operation.pipeline):
        target = _collection(catalog, str(body.get("from")))
        compared = compared_paths(body)
        if target is None or target.kind != "collection" or not compared:
            continue
        few = target.documents is not None and target.documents < JOINED
        if not few and not any(begins_an_index(target, path) for path in compared):
            yield Reason(
                "join_without_index",
                f"$lookup finds {target.name} by {compared[0]}, which begins no index: {target.name} is "
                "read for "
                "each document, or once into a hash table",
                f"an index of {target.name} that begins with {compared[0]}",
            )


__all__ = ["GROUPING", "Reason", "reasons_of"]
