"""Operations as a server's profiler saw them, grouped by shape, their values left out.

A value becomes the name of its type in angle brackets (``"<string>"``), so that two lookups of
different customers are one shape and no customer's data is in a report. What decides how an index can
serve stays: operators, null, the flags of ``$exists``, whether a regular expression is anchored and
its options, and the class of length of an ``$in``.
Source: MongoDB manual, "Database Profiler Output".
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from workbench.catalog.collections import Operation
from workbench.engines.mongo_reading import READER

PROFILER = "profiler"
LISTS = (1, 10, 200)  # up to 200 values of an $in are merged in the order of an index
_KEPT = frozenset(["$exists", "$type", "$size", "$minDistance", "$maxDistance"])
_FLAGS = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"), (re.VERBOSE, "x"))
_JOIN = ("from", "localField", "foreignField", "as")
_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (Int64, "long"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    ((datetime.datetime, DatetimeMS), "date"),
    (ObjectId, "objectId"),
    (uuid.UUID, "uuid"),
    ((Binary, bytes), "binData"),
    ((Decimal128, decimal.Decimal), "decimal"),
    (Timestamp, "timestamp"),
    (MinKey, "minKey"),
    (MaxKey, "maxKey"),
    (Code, "javascript"),
    (DBRef, "object"),
    (Mapping, "object"),
    ((list, tuple), "array"),
)


def shape_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """*query* with each value replaced by its kind; doing it twice changes nothing."""
    return {name: _field_shape(name, value) for name, value in query.items()}


def _field_shape(name: str, value: Any) -> Any:
    if name in ("$and", "$or", "$nor") and isinstance(value, (list, tuple)):
        return [shape_of(each) if isinstance(each, Mapping) else _kind(each) for each in value]
    if name == "$expr":
        return _computed_shape(value)
    if name in _KEPT:
        return value
    if name in ("$in", "$nin", "$all") and isinstance(value, (list, tuple)):
        return _list_shape(value)
    if isinstance(value, Regex | re.Pattern):
        return _expression_shape(value, "")
    if isinstance(value, Mapping) and (name == "$elemMatch" or name == "$not" or _is_operators(value)):
        shape = shape_of({each: value[each] for each in value if each not in ("$regex", "$options")})
        if "$regex" in value:
            shape |= _expression_shape(value["$regex"], value.get("$options"))
        return shape
    return _kind(value)


def _computed_shape(value: Any) -> Any:
    """An expression with its operators, paths and variables, each literal replaced by its kind."""
    if isinstance(value, Mapping):
        if "regex" in value:
            shape = _expression_shape(value["regex"], value.get("options"))
            named = {"regex": shape["$regex"], "options": shape["$options"]}
            rest = {each: value[each] for each in value if each not in named}
            return {**{each: _computed_shape(rest[each]) for each in rest}, **named}
        return {each: _computed_shape(part) for each, part in value.items()}
    if isinstance(value, list | tuple):
        return [_computed_shape(each) for each in value]
    return value if isinstance(value, str) and value.startswith("$") else _kind(value)


def _is_operators(value: Mapping[str, Any]) -> bool:
    return bool(value) and next(iter(value)).startswith("$")


def _list_shape(values: Sequence[Any]) -> list[Any]:
    """The kinds in a list and, for more than one value, the class of its length as a last word."""
    if len(values) > 1 and isinstance(values[-1], str) and values[-1].startswith("… "):
        return list(values)
    kinds: list[Any] = []
    for each in values:
        kind = shape_of(each) if isinstance(each, Mapping) and _is_operators(each) else _field_shape("", each)
        if kind not in kinds:
            kinds.append(kind)
    bound = next((bound for bound in LISTS if len(values) <= bound), None)
    if bound == 1:
        return kinds
    return [*kinds, f"… up to {bound}" if bound else f"… over {LISTS[-1]}"]


def list_length(values: Sequence[Any]) -> int:
    """How many values the list of an ``$in`` has at most; one more than the last class where it has more."""
    if values and isinstance(values[-1], str) and values[-1].startswith("… "):
        words = values[-1].split()
        return int(words[-1]) + (words[1] == "over")
    return len(values)


def _expression_shape(pattern: Any, options: Any) -> dict[str, Any]:
    """A regular expression without its text: whether it is anchored, and its options, are what stays."""
    text = pattern if isinstance(pattern, str) else getattr(pattern, "pattern", "")
    text = text if isinstance(text, str) else ""
    inline = re.match(r"\(\?([imsx]+)\)", text)
    flags = 0 if isinstance(pattern, str) else int(getattr(pattern, "flags", 0))
    letters = {letter for flag, letter in _FLAGS if flags & flag} | set(str(options or ""))
    letters |= set(inline[1]) if inline else set()
    shown = "^<text>" if is_anchored(text[inline.end() :] if inline else text) else "<text>"
    return {"$regex": shown, "$options": "".join(sorted(letters))}


def is_anchored(pattern: str) -> bool:
    """Whether *pattern* fixes the first characters of the text, so that an index narrows it."""
    if not pattern.startswith(("^", r"\A")) or re.search(r"(?<!\\)\|", pattern):
        return False
    begins = pattern.removeprefix("^").removeprefix(r"\A")
    return bool(re.match(r"<text>|[^\W_]|[ _:@/#%&=,;<>~`'\"!-]|\\[^\w\s]", begins)) and not re.match(
        r".[?*{]", begins
    )


def _kind(value: Any) -> Any:
    if value is None or (isinstance(value, str) and value.startswith("<") and value.endswith(">")):
        return value
    return next((f"<{name}>" for kind, name in _TYPES if isinstance(value, kind)), "<value>")


@dataclass
class _Group:
    operation: Operation
    count: int = 0
    elapsed_ms: float = 0.0
    keys: int = 0
    documents: int = 0
    returned: int = 0
    plans: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Mapping[str, Any]) -> None:
        more = entry.get("op") == "getmore"  # it belongs to the operation that opened the cursor
        self.count += 0 if more else 1
        self.elapsed_ms += entry.get("millis") or 0
        self.keys += entry.get("keysExamined") or 0
        self.documents += entry.get("docsExamined") or 0
        self.returned += next(
            (entry[name] for name in ("nreturned", "nMatched", "ndeleted") if name in entry), 0
        )
        plan = str(entry.get("planSummary") or "") + (
            ", sorted in memory" if entry.get("hasSortStage") else ""
        )
        self.plans[plan] = self.plans.get(plan, 0) + 1

    def observed(self, hours: float | None) -> Operation:
        runs = max(self.count, 1)
        return replace(
            self.operation,
            count=runs,
            per_hour=runs / hours if hours else None,
            mean_ms=self.elapsed_ms / runs,
            keys_examined=round(self.keys / runs),
            documents_examined=round(self.documents / runs),
            returned=round(self.returned / runs),
            plan=max(self.plans, key=lambda plan: self.plans[plan]),
        )


def observed_operations(entries: Iterable[Mapping[str, Any]], database: str) -> list[Operation]:
    """The operations in the profiler's *entries* on collections of *database*, the costliest first.

    Figures are means of one execution; *per_hour* is their number over the time between the first and
    the last entry, known only where that is a minute or more. Those that the workbench ran, and those on
    the server's own collections, are no part of it.
    """
    groups: dict[str, _Group] = {}
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    for entry in entries:
        when = entry.get("ts")
        if isinstance(when, datetime.datetime):
            first = when if first is None else min(first, when)
            last = when if last is None else max(last, when)
        for operation in operation_of(entry, database):
            key = shape_key(operation)
            groups.setdefault(key, _Group(operation)).add(entry)
    seconds = (last - first).total_seconds() if first and last else 0.0
    hours = seconds / 3600 if seconds >= 60 else None
    observed = [group.observed(hours) for group in groups.values()]
    return sorted(
        observed, key=lambda each: (-(each.mean_ms or 0) * each.count, each.collection, shape_key(each))
    )


def operation_of(entry: Mapping[str, Any], database: str) -> Iterator[Operation]:
    """The operation of *entry*, if it is one on a collection of the user's that an index could serve."""
    space, _, collection = str(entry.get("ns", "")).partition(".")
    command = entry.get("originatingCommand") or entry.get("command") or {}
    if space != database or not collection or collection.startswith(("system.", "$cmd")):
        return
    if entry.get("appName") == READER or "$truncated" in command or "explain" in command:
        return
    read = _parsed(str(entry.get("op")), command)
    if read is not None:
        yield replace(read, collection=collection, origin=PROFILER)


def _parsed(op: str, command: Mapping[str, Any]) -> Operation | None:
    collation = command.get("collation") or None
    if op in ("update", "remove") and "q" in command:
        kind = "update" if op == "update" else "delete"
        return Operation("", kind, shape_of(command["q"]), collation=collation)  # type: ignore[arg-type]
    if "find" in command:
        return Operation(
            "",
            "find",
            shape_of(command.get("filter") or {}),
            sort=ordered(command.get("sort") or {}),
            projection=command.get("projection") or None,
            limit=int(command.get("limit") or 0),
            collation=collation,
        )
    if "aggregate" in command:
        return of_pipeline(command.get("pipeline") or (), collation)
    if "findAndModify" in command or "findandmodify" in command:
        kind = "delete" if command.get("remove") else "update"
        return Operation(
            "",
            kind,  # type: ignore[arg-type]
            shape_of(command.get("query") or {}),
            sort=ordered(command.get("sort") or {}),
            collation=collation,
        )
    for name in ("count", "distinct"):
        if name in command:
            return Operation("", name, shape_of(command.get("query") or {}), collation=collation)
    return Operation("", "insert") if op == "insert" else None


def of_pipeline(
    pipeline: Sequence[Mapping[str, Any]], collation: Mapping[str, Any] | None = None, *, values: bool = False
) -> Operation:
    """A pipeline as what an index can serve of it: its first ``$match``, ``$sort`` and ``$limit``.

    The stages are kept by name, a ``$lookup`` with the collection and the fields that it joins; with
    *values*, as they are.
    """
    query: Mapping[str, Any] = {}
    sort: tuple[tuple[str, int], ...] = ()
    limit = 0
    leading = list(pipeline)
    if leading and "$match" in leading[0]:
        query = leading.pop(0)["$match"]
    if leading and "$sort" in leading[0]:
        sort = ordered(leading.pop(0)["$sort"])
        if leading and "$limit" in leading[0]:
            limit = int(leading[0]["$limit"])
    stages = tuple(pipeline) if values else tuple(_stage_shape(each) for each in pipeline)
    return Operation(
        "",
        "aggregate",
        dict(query) if values else shape_of(query),
        sort=sort,
        limit=limit,
        collation=collation,
        pipeline=stages,
    )


def _stage_shape(stage: Mapping[str, Any]) -> dict[str, Any]:
    joined = stage.get("$lookup")
    if isinstance(joined, Mapping):
        shape = {name: joined[name] for name in _JOIN if isinstance(joined.get(name), str)}
        inner = joined.get("pipeline")
        if isinstance(inner, list | tuple) and inner:
            shape["pipeline"] = [_inner_shape(each) for each in inner if isinstance(each, Mapping)]
        return {"$lookup": shape}
    return dict.fromkeys(stage, "<stage>")


def _inner_shape(stage: Mapping[str, Any]) -> dict[str, Any]:
    matched = stage.get("$match")
    return {"$match": shape_of(matched)} if isinstance(matched, Mapping) else _stage_shape(stage)


def ordered(sort: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """A sort document as pairs; empty where it sorts by something that no index has, such as a text score."""
    if not all(isinstance(direction, (int, float)) for direction in sort.values()):
        return ()
    return tuple((path, -1 if direction < 0 else 1) for path, direction in sort.items())


def shape_key(operation: Operation) -> str:
    """The same text for operations of one shape, whichever way they name their fields round."""
    return json.dumps(
        [
            operation.collection,
            operation.kind,
            _sorted_shape(operation.filter),
            operation.sort,
            operation.projection,
            bool(operation.limit),
            operation.collation,
            operation.pipeline,
        ],
        default=str,
        ensure_ascii=False,
    )


def _sorted_shape(value: Any) -> Any:
    """A query is the same in whichever order it names its fields."""
    if isinstance(value, Mapping):
        return {name: _sorted_shape(value[name]) for name in sorted(value)}
    return [_sorted_shape(each) for each in value] if isinstance(value, list) else value
