"""The patterns run on the built designs, with the same keys, in turn: latency, documents, bytes, updates.

Latency is that of the server and the way to it: replies stay as they come, for what a driver makes of them
is its own affair.
"""

from __future__ import annotations

import statistics as of_runs
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import bson
from bson import Decimal128, ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from workbench.documents.design.build import Losses, object_maker
from workbench.documents.design.model import CollectionDesign, Nested, Place
from workbench.documents.design.patterns import Include
from workbench.documents.design.plans import Change, Match, Plan, Step, array_path
from workbench.documents.design.rows import RowQueries
from workbench.documents.design.sampling import Sample
from workbench.documents.design.statistics import Statistics
from workbench.documents.design.values import value_type

RUNS = 2  # of each key; even, so that every change is taken back
_EXPLAINED = 4
_OPERATORS = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}

Document = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """One pattern on one design. *median_ms* of *runs* with *keys* keys; the rest are means a run.

    *documents_examined* and *keys_examined* as explain counts them, *reply_bytes* of all replies,
    *modified* the documents that were inserted, changed or removed.
    """

    pattern: str
    median_ms: float
    runs: int
    keys: int
    documents_examined: float
    keys_examined: float
    reply_bytes: float
    modified: float
    operations: float
    elapsed_ms: tuple[float, ...] = field(default=(), repr=False)  # of each run, in the order of all designs

    def slower_than(self, other: Measured) -> float:
        """Milliseconds that this takes longer; 0 where the runs, pair by pair, do not tell them apart.

        The median of the differences counts where it is more than three times its standard error and
        more than a twentieth of the whole.
        """
        differences = sorted(a - b for a, b in zip(self.elapsed_ms, other.elapsed_ms, strict=True))
        if len(differences) < 4:
            return 0.0
        quarter = len(differences) // 4
        spread = differences[-1 - quarter] - differences[quarter]
        error = 1.2533 * spread / 1.349 / len(differences) ** 0.5
        median = of_runs.median(differences)
        apart = abs(median) > 3 * error and abs(median) > max(self.median_ms, other.median_ms) / 20
        return median if apart else 0.0


def create_indexes(
    database: Database[Any], names: Mapping[CollectionDesign, str], plans: Iterable[Plan]
) -> dict[CollectionDesign, tuple[tuple[tuple[str, int], ...], ...]]:
    """The indexes that the steps of *plans* need; one that another begins with is left out."""
    wanted: dict[CollectionDesign, set[tuple[tuple[str, int], ...]]] = {}
    for plan in plans:
        for step in plan.steps:
            if step.index:
                wanted.setdefault(step.collection, set()).add(step.index)
    made = {}
    for collection, keys in wanted.items():
        kept = tuple(
            sorted(key for key in keys if not any(other[: len(key)] == key for other in keys if other != key))
        )
        for key in kept:
            database[names[collection]].create_index(list(key))
        made[collection] = kept
    return made


class Runner:
    """Runs plans on the collections of *database*; what a write changes is taken back, off the clock."""

    def __init__(
        self,
        database: Database[Any],
        names: Mapping[CollectionDesign, str],
        queries: RowQueries,
        statistics: Statistics,
    ) -> None:
        self._database = database
        self._names = names
        self._queries = queries
        self._statistics = statistics
        self._changed: set[tuple[str, str, int, str]] = set()
        self._makers: dict[Place, Callable[[Sequence[str | None]], Document]] = {}

    def compare(self, sample: Sample, plans: Sequence[Plan]) -> list[Measured | None]:
        """The measurements of *plans* of one pattern, in turn key by key; equal plans are measured once.

        None where the rows give no key to try.
        """
        if not sample.keys:
            return [None] * len(plans)
        unique = list(dict.fromkeys(plan.steps for plan in plans))
        elapsed: dict[tuple[Step, ...], list[float]] = {steps: [] for steps in unique}
        modified: dict[tuple[Step, ...], list[int]] = {steps: [] for steps in unique}
        operations: dict[tuple[Step, ...], list[int]] = {steps: [] for steps in unique}
        reading = {steps: self._examined(sample, steps) for steps in unique}
        for run in range(RUNS):
            for number in range(len(sample.keys)):
                turn = (run + number) % len(unique)
                for steps in (*unique[turn:], *unique[:turn]):
                    trial = _Trial(self, sample, number)
                    ms = trial.run(steps)
                    trial.undo()
                    elapsed[steps].append(ms)
                    modified[steps].append(trial.modified)
                    operations[steps].append(trial.operations)
        return [
            Measured(
                pattern=sample.pattern.name,
                median_ms=of_runs.median(elapsed[plan.steps]),
                runs=len(elapsed[plan.steps]),
                keys=len(sample.keys),
                documents_examined=reading[plan.steps][0],
                keys_examined=reading[plan.steps][1],
                reply_bytes=reading[plan.steps][2],
                modified=of_runs.mean(modified[plan.steps]),
                operations=of_runs.mean(operations[plan.steps]),
                elapsed_ms=tuple(elapsed[plan.steps]),
            )
            for plan in plans
        ]

    def _examined(self, sample: Sample, steps: tuple[Step, ...]) -> tuple[float, ...]:
        """Documents and keys examined and bytes of the replies of finds: means over some of the keys."""
        totals = []
        for number in range(min(_EXPLAINED, len(sample.keys))):
            trial = _Trial(self, sample, number)
            totals.append(trial.examine(steps))
        return tuple(of_runs.mean(values) for values in zip(*totals, strict=True))

    def collection(self, design: CollectionDesign) -> Collection[Document]:
        return self._database[self._names[design]]

    def value(self, match: Match) -> Any:
        kind = value_type(self._queries.table(match.table).column(match.column))
        if match.operator == "in":
            return [kind.value(each) for each in match.value]
        return kind.value(match.value)

    def flat(self, place: Place, row: Sequence[str | None]) -> Document:
        """The object of a *row* (texts in the order of the table's columns) at *place*, nothing nested."""
        table = self._queries.table(place.part.table)
        if place not in self._makers:
            self._makers[place] = object_maker(table, place.part, Losses())
        order = {column.name: index for index, column in enumerate(table.columns)}
        return self._makers[place]([row[order[each.column]] for each in place.part.fields])

    def some_rows(self, place: Place, count: int) -> list[Sequence[str | None]]:
        rows = self._statistics.samples.get(place.part.table, ())
        return [rows[n % len(rows)] for n in range(count)] if rows else []

    def children(self, nested: Nested) -> int:
        return max(1, round(self._statistics.fan_out(nested.relationship).mean_of_all))

    def toggle(self, key: tuple[str, str, int, str]) -> bool:
        """Whether the change of *key* is to be made now, or taken back because it was made."""
        if key in self._changed:
            self._changed.remove(key)
            return False
        self._changed.add(key)
        return True


@dataclass
class _Trial:
    """One run of one pattern with one key."""

    runner: Runner
    sample: Sample
    number: int
    modified: int = 0
    operations: int = 0
    found: list[list[Document]] = field(default_factory=list)
    _undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def key(self) -> Mapping[str, Any]:
        return self.sample.keys[self.number]

    def run(self, steps: Sequence[Step]) -> float:
        """Milliseconds that the operations of *steps* took."""
        elapsed = 0.0
        for step in steps:
            action = self._prepared(step)
            if action is None:
                self.found.append([])
                continue
            started = time.perf_counter()
            raw = action()
            elapsed += time.perf_counter() - started
            self.operations += 1
            self.found.append(self._decoded(step, raw))
        return elapsed * 1000

    def _decoded(self, step: Step, raw: list[bytes]) -> list[Document]:
        options = self.runner.collection(step.collection).codec_options
        return [document for batch in raw for document in bson.decode_all(batch, options)]

    def undo(self) -> None:
        for each in reversed(self._undo):
            each()

    def examine(self, steps: Sequence[Step]) -> tuple[float, float, float]:
        """Documents examined, keys examined, bytes of the replies of the finds among *steps*."""
        documents = keys = size = 0.0
        for step in steps:
            if step.action != "find" or not self._wanted(step):
                self.found.append([])
                continue
            query = self._filter(step)
            if query is None:
                self.found.append([])
                continue
            explained = self._cursor(step, query).explain()["executionStats"]
            documents += explained["totalDocsExamined"]
            keys += explained["totalKeysExamined"]
            raw = list(self._cursor(step, query))
            size += sum(map(len, raw))
            self.found.append(self._decoded(step, raw))
        return documents, keys, size

    def _cursor(self, step: Step, query: Document) -> Any:
        """The replies of *step* as they come."""
        cursor = self.runner.collection(step.collection).find_raw_batches(query, _projection(step))
        if step.sort:
            cursor.sort(list(step.sort))
        if step.limit:
            cursor.limit(step.limit)
        return cursor

    def _wanted(self, step: Step) -> bool:
        """Whether *step* is needed: an overflow is read only where the array is full."""
        if step.when is None:
            return True
        path, bound = step.when
        return any(len(_values(each, path)) >= bound for documents in self.found for each in documents)

    def _prepared(self, step: Step) -> Callable[[], list[bytes]] | None:
        """The operation of *step*, with nothing left to do but to ask the server; None where not needed."""
        if not self._wanted(step):
            return None
        if step.action == "insert":
            return self._insert(step)
        query = self._filter(step)
        if query is None:
            return None
        if step.action == "find":
            return lambda: list(self._cursor(step, query))
        if step.action == "delete":
            return self._delete(step, query)
        return self._update(step, query)

    def _filter(self, step: Step) -> Document | None:
        """The query of *step*; None where an earlier step found nothing to ask for."""
        query: Document = {}
        linked = [each for each in step.match if each.source is not None and each.source.step >= 0]
        for match in step.match:
            if match.source is None:
                _add(query, match.path, match.operator, self.runner.value(match))
            elif match.source.step < 0:
                query[match.path] = self.key.get(match.source.column)
        if linked:
            values = self._linked(linked)
            if not values:
                return None
            if len(linked) == 1:
                only = [each[0] for each in values]
                query[linked[0].path] = only[0] if len(only) == 1 else {"$in": only}
            else:
                pairs = [
                    {match.path: value for match, value in zip(linked, each, strict=True)} for each in values
                ]
                query.update(pairs[0] if len(pairs) == 1 else {"$or": pairs})
        return _of_one_element(query, step.array)

    def _linked(self, linked: Sequence[Match]) -> list[tuple[Any, ...]]:
        """The different values that earlier documents have for *linked*, side by side."""
        found: dict[str, tuple[Any, ...]] = {}
        sources = [match.source for match in linked if match.source is not None]
        for document in self.found[sources[0].step]:
            columns = [_values(document, source.path) for source in sources]
            longest = max(map(len, columns), default=0)
            spread = [each * longest if len(each) == 1 else each for each in columns]
            for values in zip(*spread, strict=False):
                if all(value is not None for value in values):
                    found.setdefault(repr(values), values)
        return list(found.values())

    def _insert(self, step: Step) -> Callable[[], list[bytes]] | None:
        change = step.change
        assert change is not None, "an insert says what"
        place = change.place
        if place.part.table == self.sample.pattern.root:
            documents = [self._whole(place, self.sample.rows[self.number], self.sample.pattern.include)]
        else:
            documents = [self._whole(place, row, ()) for row in self.runner.some_rows(place, change.count)]
        if not documents:
            return None
        collection = self.runner.collection(step.collection)

        def insert() -> list[bytes]:
            if len(documents) == 1:
                collection.insert_one(documents[0])
            else:
                collection.insert_many(documents)
            return []

        self.modified += len(documents)
        self._undo.append(
            lambda: collection.delete_many({"_id": {"$in": [each["_id"] for each in documents]}})
        )
        return insert

    def _whole(self, place: Place, row: Sequence[str | None], includes: Sequence[Include]) -> Document:
        document = {**self.runner.flat(place, row), "_id": ObjectId()}
        for nested in place.part.nested:
            along = any(each.relationship == nested.relationship and not each.to_parent for each in includes)
            if nested.copies or not along:
                if nested.shape == "array":
                    document[nested.name] = []
                continue
            inner = Place(place.collection, (*place.trail, nested))
            rows = self.runner.some_rows(inner, self.runner.children(nested))
            objects = [self.runner.flat(inner, each) for each in rows]
            document[nested.name] = objects if nested.shape == "array" else objects[0]
        return document

    def _delete(self, step: Step, query: Document) -> Callable[[], list[bytes]]:
        collection = self.runner.collection(step.collection)
        before = list(collection.find(query))

        def delete() -> list[bytes]:
            collection.delete_many(query)
            return []

        self.modified += len(before)
        if before:
            self._undo.append(partial(_at_once(collection).insert_many, before))
        return delete

    def _update(self, step: Step, query: Document) -> Callable[[], list[bytes]]:
        change = step.change
        assert change is not None, "an update says what"
        collection = self.runner.collection(step.collection)
        if change.kind == "set":
            return self._set(change, query, collection)
        update, filters = self._written(change)
        newest = change.kind == "push" and step.collection.kind == "buckets"
        before = list(
            collection.find(query).sort("_id.bucket", -1).limit(1) if newest else collection.find(query)
        )
        for document in before:
            self._undo.append(partial(_at_once(collection).replace_one, {"_id": document["_id"]}, document))

        def run() -> list[bytes]:
            if newest:
                self.modified += (
                    collection.find_one_and_update(query, update, sort=[("_id.bucket", -1)]) is not None
                )
            else:
                self.modified += collection.update_many(
                    query, update, array_filters=filters or None
                ).modified_count
            return []

        return run

    def _set(
        self, change: Change, query: Document, collection: Collection[Document]
    ) -> Callable[[], list[bytes]]:
        """The new values of the columns, or the former ones where this was run before."""
        key = (collection.name, self.sample.pattern.name, self.number, ".".join(change.place.names))
        forth = self.runner.toggle(key)
        prefix, filters = _positioned(change, self.key)
        values = {}
        for column in change.columns:
            path = change.place.part.path(column)
            if path is None:
                continue
            former = self.key.get(column)
            values[prefix + ".".join(path)] = _different(former) if forth else former
        wanted = {path: value for path, value in values.items() if value is not None}
        absent = {path: "" for path, value in values.items() if value is None}
        update: Document = {**({"$set": wanted} if wanted else {}), **({"$unset": absent} if absent else {})}

        def run() -> list[bytes]:
            self.modified += collection.update_many(
                query, update, array_filters=filters or None
            ).modified_count
            return []

        return run

    def _written(self, change: Change) -> tuple[Document, list[Document]]:
        """The update document of a push, a pull or a count, and its array filters."""
        place = change.place
        if change.kind == "count":
            assert change.computed is not None, "a count says of what"
            prefix, filters = _positioned(change, self.key)
            return {"$inc": {f"{prefix}{change.computed.name}.count": change.by}}, filters
        if place.collection.kind == "buckets":
            path, filters = "rows", []
        else:
            above, filters = _positioned(Change(change.kind, place.above, elements=change.elements), self.key)
            path = above + place.trail[-1].name
        if change.kind == "pull":
            inside = array_path(place)
            wanted = {
                each.path.removeprefix(inside + "."): self.key.get(each.source.column)
                for each in change.elements
                if each.source is not None
            }
            return {"$pull": {path: wanted}}, filters
        return self._pushed(change, path), filters

    def _pushed(self, change: Change, path: str) -> Document:
        place = change.place
        row = self.runner.flat(place, self.sample.rows[self.number])
        if place.collection.kind == "buckets":
            return {"$push": {path: row}, "$inc": {"count": 1}}
        nested = place.trail[-1]
        if nested.shape == "object":
            return {"$set": {path: row}}
        if change.slice:
            first = {"$position": 0} if nested.order and nested.order[0][1] < 0 else {}
            return {"$push": {path: {"$each": [row], **first, "$slice": change.slice}}}
        return {"$push": {path: row}}


def _at_once(collection: Collection[Document]) -> Collection[Document]:
    """*collection* written without waiting for the journal, for what is taken back."""
    return collection.with_options(write_concern=WriteConcern(1))


def _projection(step: Step) -> Document | None:
    return dict.fromkeys(step.left_out, 0) or None


def _add(query: Document, path: str, operator: str, value: Any) -> None:
    """Add a comparison to *query*, beside others of the same field."""
    if operator == "=":
        query[path] = value
    elif operator == "in":
        query[path] = {"$in": value}
    elif operator == "!=":
        query.setdefault(path, {}).setdefault("$nin", []).append(value)
    else:
        query.setdefault(path, {})[_OPERATORS[operator]] = value


def _of_one_element(query: Document, array: str) -> Document:
    """*query* with its comparisons within *array* as those of one element, for an index to take together."""
    inside = {path: value for path, value in query.items() if array and path.startswith(f"{array}.")}
    if len(inside) < 2:
        return query
    outside = {path: value for path, value in query.items() if path not in inside}
    element = {path.removeprefix(f"{array}."): value for path, value in inside.items()}
    return {**outside, array: {"$elemMatch": element}}


def _values(document: Any, path: str) -> list[Any]:
    """The values at the dotted *path*, those of all elements where arrays are on the way."""
    here: list[Any] = [document]
    for name in path.split("."):
        below: list[Any] = []
        for each in here:
            if isinstance(each, list):
                below += [item[name] for item in each if isinstance(item, dict) and name in item]
            elif isinstance(each, dict) and name in each:
                below.append(each[name])
        here = below
    flat: list[Any] = []
    for each in here:
        flat += each if isinstance(each, list) else [each]
    return flat


def _positioned(change: Change, key: Mapping[str, Any]) -> tuple[str, list[Document]]:
    """The path to the object of *change*'s place, by its array's element, and that element's filter."""
    place = change.place
    inside = array_path(place)
    names: list[str] = ["rows"] if place.collection.kind == "buckets" else []
    shapes = ["array"] if names else []
    for nested in place.trail:
        names.append(nested.name)
        shapes.append(nested.shape)
    wanted = {
        each.path.removeprefix(inside + "."): key.get(each.source.column)
        for each in change.elements
        if each.source is not None
    }
    last = max((n for n, shape in enumerate(shapes) if shape == "array"), default=-1)
    written = []
    for n, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        written.append(name)
        if shape == "array":
            written.append("$[e]" if n == last and wanted else "$[]")
    filters = [{f"e.{path}": value for path, value in wanted.items()}] if wanted and last >= 0 else []
    return "".join(f"{name}." for name in written), filters


def _different(value: Any) -> Any:
    """A value of the same type and about the same size that is not *value*."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return type(value)(value - 1)
    if isinstance(value, float):
        return value + 1.5 if value == value else 1.5
    if isinstance(value, str):
        return value[:-1] + ("~" if not value.endswith("~") else "-") if value else "~"
    if isinstance(value, datetime):
        return value - timedelta(milliseconds=1)
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        return (
            Decimal128(number + 1)
            if number.is_finite() and abs(number) < Decimal(10) ** 30
            else Decimal128("1")
        )
    return "~"


def total_ms(measured: Sequence[Measured | None], samples: Sequence[Sample]) -> float:
    """Milliseconds an hour: the medians times the frequencies."""
    return sum(
        found.median_ms * sample.pattern.per_hour
        for found, sample in zip(measured, samples, strict=True)
        if found is not None
    )
