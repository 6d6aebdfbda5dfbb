"""Recorded operations by their shape: how often, how long, what they read for what they gave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from workbench.areas.optimization.collections.recorded import Recorded
from workbench.catalog.collections import Operation
from workbench.catalog.observed_operations import of_pipeline, operation_of, shape_key, shape_of
from workbench.documents.indexing.advice import described_operation
from workbench.documents.joins import lookups

_JAVASCRIPT = frozenset(["$where", "$function", "$accumulator"])
_MONITORING = frozenset(["$collStats", "$indexStats", "$planCacheStats", "$currentOp", "$changeStream"])
_GIVEN = ("nreturned", "nMatched", "ndeleted")


@dataclass(frozen=True)
class SlowOperation:
    """An operation of one shape, its values left out, with what the server counted in all *calls* together.

    Times in ms. *share* is its part of the time of all that was recorded. *returned* are documents given,
    or matched by an update or a delete. *plans* counts the plans by their summary. *skipped* is the most
    that one call skipped.
    """

    operation: Operation
    origin: str
    calls: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    share: float = 0.0
    keys_examined: int = 0
    documents_examined: int = 0
    returned: int = 0
    plans: Mapping[str, int] = field(default_factory=dict)
    sorted_in_memory: int = 0
    used_disk: int = 0
    yields: int = 0
    replanned: int = 0
    write_conflicts: int = 0
    response_bytes: int = 0
    skipped: int = 0
    javascript: tuple[str, ...] = ()
    query_hashes: tuple[str, ...] = ()
    plan_cache_keys: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return shape_key(self.operation)

    @property
    def mean_ms(self) -> float:
        return self.total_ms / self.calls if self.calls else 0.0

    @property
    def examined(self) -> float:
        """Documents or, where there are more, keys that one call read."""
        return max(self.documents_examined, self.keys_examined) / max(self.calls, 1)

    @property
    def documents_per_returned(self) -> float:
        return self.documents_examined / max(self.returned, 1)

    @property
    def keys_per_returned(self) -> float:
        return self.keys_examined / max(self.returned, 1)

    @property
    def plan(self) -> str:
        """The plan that was used most."""
        return max(self.plans, key=lambda plan: (self.plans[plan], plan), default="")

    @property
    def stages(self) -> frozenset[str]:
        """The stages at the leaves of its plans, as the summaries name them: ``COLLSCAN``, ``IXSCAN`` …"""
        return frozenset(
            part.split(None, 1)[0] for plan in self.plans for part in _summary_parts(plan) if part.strip()
        )


def _summary_parts(summary: str) -> Iterator[str]:
    """``IXSCAN { a: 1 }, IXSCAN { b: 1 }`` by stage; a comma within braces parts nothing."""
    depth = begin = 0
    for at, letter in enumerate(summary):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and not depth:
            yield summary[begin:at]
            begin = at + 1
    yield summary[begin:]


@dataclass
class _Sum:
    operation: Operation
    origin: str
    calls: int = 0
    times: list[float] = field(default_factory=list)
    plans: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    javascript: set[str] = field(default_factory=set)
    hashes: set[str] = field(default_factory=set)
    cache_keys: set[str] = field(default_factory=set)

    def add(self, entry: Mapping[str, Any]) -> None:
        command = entry.get("originatingCommand") or entry.get("command") or {}
        self.calls += entry.get("op") != "getmore"  # that belongs to the call that opened the cursor
        self.times.append(float(entry.get("millis") or 0))
        if entry.get("planSummary"):
            self.plans[str(entry["planSummary"])] += 1
        for name in ("keysExamined", "docsExamined", "numYield", "writeConflicts", "responseLength"):
            self.counts[name] += int(entry.get(name) or 0)
        for name in ("hasSortStage", "usedDisk", "replanned"):
            self.counts[name] += bool(entry.get(name))
        self.counts["returned"] += int(next((entry[name] for name in _GIVEN if name in entry), 0) or 0)
        self.skipped = max(self.skipped, _skipped(command))
        self.javascript |= _names(command) & _JAVASCRIPT
        self.hashes |= {str(entry[name]) for name in ("queryHash", "queryShapeHash") if entry.get(name)}
        self.cache_keys |= {str(entry["planCacheKey"])} if entry.get("planCacheKey") else set()

    def told(self, all_ms: float, hours: float | None) -> SlowOperation:
        calls, total = max(self.calls, 1), math.fsum(self.times)
        counts = self.counts
        operation = replace(
            self.operation,
            origin=self.origin,
            count=calls,
            per_hour=calls / hours if hours else None,
            mean_ms=total / calls,
            keys_examined=round(counts["keysExamined"] / calls),
            documents_examined=round(counts["docsExamined"] / calls),
            returned=round(counts["returned"] / calls),
            plan=max(self.plans, key=lambda plan: (self.plans[plan], plan), default=""),
        )
        return SlowOperation(
            operation,
            self.origin,
            calls,
            total,
            max(self.times, default=0.0),
            total / all_ms if all_ms else 0.0,
            counts["keysExamined"],
            counts["docsExamined"],
            counts["returned"],
            dict(self.plans),
            counts["hasSortStage"],
            counts["usedDisk"],
            counts["numYield"],
            counts["replanned"],
            counts["writeConflicts"],
            counts["responseLength"],
            self.skipped,
            tuple(sorted(self.javascript)),
            tuple(sorted(self.hashes)),
            tuple(sorted(self.cache_keys)),
        )


def said_operation(operation: Operation) -> str:
    """An operation in one line that tells it from others: its filter, what it shows, its further stages."""
    said = described_operation(operation)
    if operation.projection:
        said += f", shows {', '.join(list(operation.projection)[:4])}"
    names = [next(iter(stage), "") for stage in operation.pipeline]
    while names and names[0] in ("$match", "$sort", "$limit"):
        names.pop(0)
    targets = [str(body["from"]) for body in lookups(operation.pipeline) if "from" in body]
    joined = f" ({', '.join(dict.fromkeys(targets))})" if targets else ""
    return said + (f", then {', '.join(names)}{joined}" if names else "")


def slow_operations(recorded: Recorded, database: str) -> list[SlowOperation]:
    """The operations in *recorded* on collections of *database* by shape, the most time in all first.

    Those of the workbench itself, on the server's own collections, and what a monitor asks of statistics are
    no part of it.
    """
    sums: dict[str, _Sum] = {}
    for entry in recorded.entries:
        for operation in operation_of(entry, database):
            if operation.pipeline and _MONITORING & operation.pipeline[0].keys():
                continue
            sums.setdefault(shape_key(operation), _Sum(operation, recorded.origin)).add(entry)
    hours = _hours(recorded.window)
    all_ms = math.fsum(time for each in sums.values() for time in each.times)
    told = [each.told(all_ms, hours) for each in sums.values()]
    return sorted(told, key=lambda each: (-each.total_ms, -each.documents_examined, each.key))


def with_declared(slow: Sequence[SlowOperation], declared: Iterable[Operation]) -> list[SlowOperation]:
    """*slow* and the *declared* operations that were not recorded, of whose time nothing is known.

    One that was recorded too keeps its figures and takes the frequency that is declared.
    """
    hourly: dict[str, float] = {}
    known = {each.key for each in slow}
    further = []
    for each in declared:
        key = shape_key(_shape(each))
        if key in known:
            hourly[key] = hourly.get(key, 0.0) + (each.per_hour or 0.0)
        else:
            names = tuple(sorted(_names([each.filter, *each.pipeline]) & _JAVASCRIPT))
            further.append(SlowOperation(each, each.origin or "declared", javascript=names))
    recorded = [
        replace(each, operation=replace(each.operation, per_hour=hourly[each.key]))
        if hourly.get(each.key)
        else each
        for each in slow
    ]
    return [*recorded, *further]


def _shape(operation: Operation) -> Operation:
    """*operation* as the record would have it, its values left out."""
    if operation.kind == "aggregate":
        return replace(of_pipeline(operation.pipeline, operation.collation), collection=operation.collection)
    return replace(operation, filter=shape_of(operation.filter))


def _hours(window: tuple[datetime, datetime] | None) -> float | None:
    seconds = (window[1] - window[0]).total_seconds() if window else 0.0
    return seconds / 3600 if seconds >= 60 else None


def _skipped(command: Mapping[str, Any]) -> int:
    """What a find or a pipeline skips."""
    stages = command.get("pipeline") or ()
    skips = [command.get("skip"), *(stage.get("$skip") for stage in stages if isinstance(stage, Mapping))]
    return max((int(each) for each in skips if isinstance(each, int | float)), default=0)


def _names(part: Any) -> set[str]:
    """Every field name in *part*, however deep; what stands in a value's text is none."""
    if isinstance(part, Mapping):
        return set(part) | {name for value in part.values() for name in _names(value)}
    if isinstance(part, list | tuple):
        return {name for each in part for name in _names(each)}
    return set()


__all__ = ["SlowOperation", "said_operation", "slow_operations", "with_declared"]
