"""What an index changes for the operations on a copy of a collection: reads, sorts, time, and writes."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.write_concern import WriteConcern

from workbench.areas.optimization.collections.conditions import (
    RANGES,
    Condition,
    conditions,
    is_left_out,
)
from workbench.areas.optimization.collections.slow import said_operation
from workbench.catalog.collections import Collection, Operation
from workbench.documents.indexing.copies import RAW, RUNS, Copy, Wanted, line_of, make_existing
from workbench.errors import EngineError
from workbench.proof.explain_documents import ExecutionStats

ROUNDS = 3  # of runs with and without, in turn
WORSE = 1.2  # as much read as before
UNNOTICED = 100  # documents or keys more that nobody notices
_INSERTED = 500  # documents a round
_INSERT_ROUNDS = 9
_FILLED = 5_000  # documents of the collections that are inserted into
_VALUES = 200  # of a range, from which those are chosen that give what was recorded
_KEEPING = frozenset(["$match", "$sort", "$set", "$addFields", "$project", "$lookup", "$unset"])


@dataclass(frozen=True)
class Case:
    """One execution: an operation with values of a document's."""

    operation: Operation
    find: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """What was measured of one operation without an index (*before*) and with it (*after*).

    Keys, documents and returned are sums over *runs* executions with the same values; times are of one
    execution in ms, from runs with and without in turn; None where they were not taken.
    """

    operation: Operation
    runs: int
    keys_before: int
    keys_after: int
    documents_before: int
    documents_after: int
    returned: int
    sorts_before: int
    sorts_after: int
    before_ms: float | None = None
    after_ms: float | None = None

    @property
    def examined_before(self) -> float:
        """Keys and documents read for each document returned."""
        return (self.keys_before + self.documents_before) / max(self.returned, 1)

    @property
    def examined_after(self) -> float:
        return (self.keys_after + self.documents_after) / max(self.returned, 1)

    @property
    def as_facts(self) -> dict[str, Any]:
        return {
            "operation": said_operation(self.operation),
            "runs": self.runs,
            "keys_examined_before": self.keys_before,
            "keys_examined_after": self.keys_after,
            "documents_examined_before": self.documents_before,
            "documents_examined_after": self.documents_after,
            "returned": self.returned,
            "examined_per_returned_before": round(self.examined_before, 2),
            "examined_per_returned_after": round(self.examined_after, 2),
            "sorted_in_memory_before": self.sorts_before,
            "sorted_in_memory_after": self.sorts_after,
            "before_ms": None if self.before_ms is None else round(self.before_ms, 3),
            "after_ms": None if self.after_ms is None else round(self.after_ms, 3),
        }


def cases_of(
    copy: Copy, operations: Sequence[Operation], *, share: float = 1.0
) -> tuple[list[Case], list[str]]:
    """The *operations* that can be run on *copy*, each with up to three values; and those that fail.

    *copy* has *share* of the documents. Those that ask for nothing an index could serve (no filter, no
    sort) and inserts are left out.
    """
    cases: list[Case] = []
    failures: list[str] = []
    for operation in operations:
        if operation.kind == "insert" or not (operation.filter or operation.sort):
            continue
        if any(
            each.operator == "$where" and is_left_out(each.operand) for each in conditions(operation.filter)
        ):
            failures.append(f"{said_operation(operation)}: its JavaScript is not on record")
            continue
        try:
            theirs, failed = _that_run(
                copy, [Case(operation, find) for find in _finds(copy, operation, share)]
            )
        except EngineError as exc:
            theirs, failed = [], str(exc)
        cases += theirs
        if failed and not theirs:
            failures.append(f"{said_operation(operation)}: {failed}")
    return cases, failures


def _that_run(copy: Copy, cases: Sequence[Case]) -> tuple[list[Case], str]:
    """Those of *cases* that the server runs, and the last reason of those that it does not.

    With another value a partial index of texts or places may not serve, without which there is no plan.
    """
    good, failed = [], ""
    for each in cases:
        try:
            copy.run(each.find)
            good.append(each)
        except EngineError as exc:
            failed = str(exc)
    return good, failed


def _finds(copy: Copy, operation: Operation, share: float) -> list[dict[str, Any]]:
    """*operation* with values: where a range is open to one side, those that give as much as was recorded."""
    wanted, opened = _gives(operation), _open_range(operation.filter)
    if wanted is None or opened is None:
        return list(copy.finds(operation))
    by_value = [
        (value, find)
        for find in copy.finds(operation, runs=_VALUES)
        if (value := _value_at(find["filter"], opened)) is not None
    ]
    common = Counter(type(value) for value, _ in by_value).most_common(1)
    if not common:
        return list(copy.finds(operation))
    ordered = sorted(((value, find) for value, find in by_value if type(value) is common[0][0]), key=_first)
    if opened.operator in ("$gt", "$gte"):  # the higher, the fewer
        ordered.reverse()
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        given = _counted(copy, ordered[middle][1])
        low, high = (middle + 1, high) if given < wanted * share else (low, middle)
    begin = min(max(low - 1, 0), max(len(ordered) - RUNS, 0))
    return [find for _, find in ordered[begin : begin + RUNS]]


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def _gives(operation: Operation) -> float | None:
    """How many documents its filter left each time, as far as that is on record."""
    stages = {name for stage in operation.pipeline for name in stage}
    known = operation.kind in ("find", "update", "delete") or (
        operation.kind == "aggregate" and stages <= _KEEPING and len(operation.pipeline) > 0
    )
    return operation.returned if known and not operation.limit else None


def _open_range(query: Mapping[str, Any]) -> Condition | None:
    """The one range of *query* whose value is left out, if it has one side; None where there are several."""
    ranges = [each for each in conditions(query) if each.operator in RANGES]
    alone = len(ranges) == 1 and is_left_out(ranges[0].operand) and not ranges[0].alternative
    return ranges[0] if alone else None


def _value_at(query: Mapping[str, Any], place: Condition) -> Any:
    return next(
        (
            each.operand
            for each in conditions(query)
            if (each.path, each.operator) == (place.path, place.operator)
        ),
        None,
    )


def _counted(copy: Copy, find: Mapping[str, Any]) -> int:
    options = {"collation": find["collation"]} if "collation" in find else {}
    try:
        return copy.target.count_documents(find["filter"], maxTimeMS=60_000, **options)
    except PyMongoError as exc:
        raise EngineError(f"an operation could not be run: {line_of(exc)}") from exc


def runs_of(copy: Copy, cases: Sequence[Case]) -> list[ExecutionStats]:
    return [copy.run(each.find) for each in cases]


def is_worse(now: ExecutionStats, before: ExecutionStats) -> bool:
    """Whether *now* reads a fifth more than *before* that somebody would notice, or sorts what came "
    "in order."""
    more = any(
        new > WORSE * old + UNNOTICED
        for new, old in (
            (now.documents_examined, before.documents_examined),
            (now.documents_examined + now.keys_examined, before.documents_examined + before.keys_examined),
        )
    )
    return more or (now.in_memory_sort and not before.in_memory_sort and now.documents_examined > UNNOTICED)


def effects_of(
    cases: Sequence[Case],
    before: Sequence[ExecutionStats],
    after: Sequence[ExecutionStats],
    times: Mapping[int, tuple[float, float]] | None = None,
) -> tuple[Effect, ...]:
    """What changed a *case*, summed for each operation; *times* are ms before and after by the "
    "operation's id."""
    found: dict[int, list[int]] = {}
    for number, case in enumerate(cases):
        found.setdefault(id(case.operation), []).append(number)
    effects = []
    for identity, numbers in found.items():
        old, new = [before[each] for each in numbers], [after[each] for each in numbers]
        ms = (times or {}).get(identity)
        effects.append(
            Effect(
                cases[numbers[0]].operation,
                len(numbers),
                sum(each.keys_examined for each in old),
                sum(each.keys_examined for each in new),
                sum(each.documents_examined for each in old),
                sum(each.documents_examined for each in new),
                sum(each.returned for each in new),
                sum(each.in_memory_sort for each in old),
                sum(each.in_memory_sort for each in new),
                ms[0] if ms else None,
                ms[1] if ms else None,
            )
        )
    return tuple(effects)


@contextmanager
def hidden(copy: Copy, *indexes: str) -> Iterator[None]:
    """*indexes* hidden from the planner during the block."""
    for each in indexes:
        copy.hide(each)
    try:
        yield
    finally:
        for each in indexes:
            copy.hide(each, hidden=False)


def times_of(copy: Copy, cases: Sequence[Case], indexes: Sequence[str]) -> dict[int, tuple[float, float]]:
    """The ms that an execution of each operation takes without and with *indexes*, in turn, by its id.

    Of each case the best of three rounds, for what disturbs a run only adds to it; of the cases the median.
    """
    without: list[list[float]] = [[] for _ in cases]
    with_it: list[list[float]] = [[] for _ in cases]
    for _ in range(ROUNDS):
        with hidden(copy, *indexes):
            _time(copy, cases, without)
        _time(copy, cases, with_it)
    found: dict[int, tuple[list[float], list[float]]] = {}
    for case, old, new in zip(cases, without, with_it, strict=True):
        olds, news = found.setdefault(id(case.operation), ([], []))
        olds.append(min(old))
        news.append(min(new))
    return {
        identity: (statistics.median(olds), statistics.median(news))
        for identity, (olds, news) in found.items()
    }


def _time(copy: Copy, cases: Sequence[Case], times: Sequence[list[float]]) -> None:
    for case, taken in zip(cases, times, strict=True):
        command = {**case.find, "singleBatch": True, "batchSize": 100_000}
        try:
            for timed in (False, True):  # the first run chooses the plan
                began = time.perf_counter()
                copy.target.database.command(command, codec_options=RAW)
                if timed:
                    taken.append((time.perf_counter() - began) * 1e3)
        except PyMongoError as exc:
            raise EngineError(f"an operation could not be run: {line_of(exc)}") from exc


def insert_times(
    copy: Copy, collection: Collection, indexes: Mapping[str, Wanted]
) -> tuple[float, dict[str, float]]:
    """Microseconds a document inserted: with the indexes that are there, and with each of *indexes* as well.

    Collections of up to 5,000 documents of the copy's, one without and one with each index, are inserted
    into in turn. Medians of nine rounds; an index's is that without it and the median of the differences,
    round by round.
    """
    database = copy.target.database
    raw = copy.target.with_options(codec_options=RAW)
    rows = [bytes(each.raw) for each in raw.find({}, limit=_FILLED)]
    if not rows:
        return 0.0, dict.fromkeys(indexes, 0.0)
    at_once = WriteConcern(w=1)  # not the time of the members' agreement
    targets = {
        name: database.get_collection(f"writes_{number}", codec_options=RAW, write_concern=at_once)
        for number, name in enumerate(("", *indexes))
    }
    for name, target in targets.items():
        target.insert_many([RawBSONDocument(each) for each in rows])
        for index in collection.indexes:
            make_existing(target, index)
        if name:
            wanted = indexes[name]
            options: dict[str, Any] = {"collation": dict(wanted.collation)} if wanted.collation else {}
            target.create_index(list(wanted.key), name=wanted.name, **options)
    times: dict[str, list[float]] = {name: [] for name in targets}
    for turn in range(_INSERT_ROUNDS + 1):  # the first is for warming up
        begin = turn * _INSERTED
        fresh = [_with_new_id(rows[(begin + each) % len(rows)]) for each in range(_INSERTED)]
        for name, target in list(targets.items())[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            try:
                target.insert_many(fresh, ordered=False)
            except BulkWriteError as exc:
                said = exc.details["writeErrors"][0]["errmsg"]
                raise EngineError(f"documents could not be inserted: {said}") from exc
            if turn:
                times[name].append((time.perf_counter() - began) * 1e6 / len(fresh))
    without = times.pop("")
    middle = statistics.median(without)
    return middle, {
        name: middle + statistics.median(new - old for new, old in zip(each, without, strict=True))
        for name, each in times.items()
    }


def _with_new_id(raw: bytes) -> RawBSONDocument:
    """A document to be inserted again, encoded already."""
    document = {**bson.decode(raw, RAW), "_id": ObjectId()}
    return RawBSONDocument(bson.encode(document, codec_options=RAW), RAW)


__all__ = [
    "Case",
    "Effect",
    "cases_of",
    "effects_of",
    "hidden",
    "insert_times",
    "is_worse",
    "runs_of",
    "times_of",
]
