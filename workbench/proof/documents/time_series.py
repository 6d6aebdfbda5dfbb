"""A time series against a plain collection of the same events: bytes, rates, and what it cannot do.

Source: MongoDB manual, "Time Series Collections" and "Time Series Collection Limitations".
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from workbench.catalog.collections import Operation
from workbench.errors import BadInput
from workbench.proof.documents.claims import Claim
from workbench.proof.documents.index_use import command_of

Event = Mapping[str, Any]
Documents = Collection[dict[str, Any]]
_PIECES = 20  # of the insertion, in turns


@dataclass(frozen=True)
class Stored:
    """One way to store the events. Bytes as the server counts them: before and after compression."""

    kind: str
    documents: int
    data_bytes: int
    storage_bytes: int
    index_bytes: int
    inserts_per_s: float
    buckets: int | None = None

    @property
    def total_bytes(self) -> int:
        return self.storage_bytes + self.index_bytes

    @property
    def events_per_bucket(self) -> float | None:
        return self.documents / self.buckets if self.buckets else None

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {
            "kind": self.kind,
            "events": self.documents,
            "data_bytes": self.data_bytes,
            "storage_bytes": self.storage_bytes,
            "index_bytes": self.index_bytes,
            "inserts_per_s": round(self.inserts_per_s),
            "buckets": self.buckets,
            "events_per_bucket": self.events_per_bucket and round(self.events_per_bucket, 1),
        }


@dataclass(frozen=True)
class QueryTimes:
    """One query on both, in turns: medians of *runs*, and whether both gave the same result."""

    query: str
    time_series_ms: float
    plain_ms: float
    runs: int
    same_result: bool

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {
            "query": self.query,
            "time_series_ms": round(self.time_series_ms, 2),
            "plain_ms": round(self.plain_ms, 2),
            "ratio": round(self.plain_ms / self.time_series_ms, 2) if self.time_series_ms else None,
            "runs": self.runs,
            "same_result": self.same_result,
        }


@dataclass(frozen=True)
class TimeSeriesComparison:
    """The same events in a time series and in a plain collection."""

    time_series: Stored
    plain: Stored
    queries: tuple[QueryTimes, ...]

    @property
    def smaller(self) -> float:
        """How many times as many bytes the plain collection takes, indexes included."""
        return self.plain.total_bytes / max(self.time_series.total_bytes, 1)


def compare_time_series(
    database: Database[dict[str, Any]],
    events: Sequence[Event],
    options: Mapping[str, Any],
    *,
    indexes: Sequence[IndexModel] = (),
    plain_indexes: Sequence[IndexModel] = (),
    queries: Sequence[tuple[str, Operation]] = (),
    runs: int = 7,
) -> TimeSeriesComparison:
    """Store *events* as a time series with the ``timeseries`` *options* and plainly, and ask both.

    *plain_indexes* are those that the queries need where there are no buckets. Both are scratch
    collections of *database*; they are filled and asked in turns, so that both meet the same caches and
    neighbours. Raises BadInput without events.
    """
    if not events:
        raise BadInput("there are no events to compare a time series with a plain collection on")
    with _two(database, options) as (series, plain):
        for collection, wanted in ((series, indexes), (plain, plain_indexes)):
            if wanted:
                collection.create_indexes(list(wanted))
        rates = _filled(series, plain, events)
        database.client.admin.command("fsync")  # so that the sizes are those on the disk
        return TimeSeriesComparison(
            _stored("time series", database, series, rates[0]),
            _stored("plain", database, plain, rates[1]),
            tuple(_asked(says, series, plain, operation, runs) for says, operation in queries),
        )


@contextmanager
def _two(
    database: Database[dict[str, Any]], options: Mapping[str, Any]
) -> Iterator[tuple[Documents, Documents]]:
    series, plain = (database[f"workbench_events_{uuid.uuid4().hex[:12]}"] for _ in range(2))
    try:
        database.create_collection(series.name, timeseries=dict(options))
        database.create_collection(plain.name)
        yield series, plain
    finally:
        series.drop()
        plain.drop()


def _filled(series: Documents, plain: Documents, events: Sequence[Event]) -> tuple[float, float]:
    """The events inserted into both in turns; the median rate of each, in events per second."""
    size = max(1, -(-len(events) // _PIECES))
    rates: tuple[list[float], list[float]] = ([], [])
    for number, start in enumerate(range(0, len(events), size)):
        piece = [{"_id": ObjectId(), **each} for each in events[start : start + size]]
        both = [(series, rates[0]), (plain, rates[1])]
        for collection, into in both if number % 2 else both[::-1]:
            started = time.perf_counter()
            collection.insert_many(piece, ordered=False)
            into.append(len(piece) / (time.perf_counter() - started))
    return statistics.median(rates[0]), statistics.median(rates[1])


def _stored(
    kind: str, database: Database[dict[str, Any]], collection: Documents, inserts_per_s: float
) -> Stored:
    found = database.command("collStats", collection.name)
    series = found.get("timeseries", {})
    return Stored(
        kind=kind,
        documents=collection.count_documents({}),
        data_bytes=int(found["size"]),
        storage_bytes=int(found["storageSize"]),
        index_bytes=int(found["totalIndexSize"]),
        inserts_per_s=inserts_per_s,
        buckets=int(series["bucketCount"]) if series else None,
    )


def _asked(says: str, series: Documents, plain: Documents, operation: Operation, runs: int) -> QueryTimes:
    times: dict[str, list[float]] = {series.name: [], plain.name: []}
    results = []
    for run in range(runs + 1):  # the first fills the caches and is not counted
        for collection in (series, plain) if run % 2 else (plain, series):
            started = time.perf_counter()
            found = _result(collection, operation)
            if run:
                times[collection.name].append((time.perf_counter() - started) * 1000)
            else:
                results.append(found)
    return QueryTimes(
        says,
        statistics.median(times[series.name]),
        statistics.median(times[plain.name]),
        runs,
        _as_a_set(results[0]) == _as_a_set(results[1]),
    )


def _result(collection: Documents, operation: Operation) -> list[Any]:
    if operation.kind == "find":
        cursor = collection.find(operation.filter, operation.projection, limit=operation.limit)
        return list(cursor.sort(list(operation.sort)) if operation.sort else cursor)
    return list(collection.aggregate(command_of(operation, collection.name)["pipeline"]))


def _as_a_set(documents: Sequence[Any]) -> list[str]:
    """Documents regardless of their order and of that of their fields."""
    return sorted(repr(_ordered(each)) for each in documents)


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((name, _ordered(below)) for name, below in value.items())
    return [_ordered(each) for each in value] if isinstance(value, list) else value


# What it cannot do


def time_series_limits(database: Database[dict[str, Any]]) -> list[Claim]:
    """What a time series refuses that a plain collection does, each tried; the codes are the server's own.

    A server of another version may do some of it: then that claim does not hold there.
    """
    name = f"workbench_series_{uuid.uuid4().hex[:12]}"
    database.create_collection(name, timeseries={"timeField": "at", "metaField": "source"})
    series = database[name]
    try:
        series.insert_one({"at": datetime.now(UTC), "source": "a", "value": 1, "_id": 1})
        claims = [_refused(says, act, series) for says, act in _LIMITS]
        series.insert_one({"at": datetime.now(UTC), "source": "a", "value": 2, "_id": 1})
        twice = series.count_documents({"_id": 1})
        claims.append(
            Claim(
                "a time series takes the same _id twice: it cannot keep events apart",
                twice == 2,
                f"{twice} documents with one _id",
                {"documents": twice},
            )
        )
        return claims
    finally:
        series.drop()


def _refused(says: str, act: Callable[[Documents], Any], series: Documents) -> Claim:
    claim = f"a time series refuses {says}"
    try:
        act(series)
    except OperationFailure as exc:
        return Claim(claim, True, f"refused with {exc.code}", {"code": exc.code})
    except PyMongoError as exc:
        return Claim(claim, True, f"refused by the driver: {exc}")
    return Claim(claim, False, "this server does it")


def _in_a_transaction(series: Documents) -> None:
    with series.database.client.start_session() as session, session.start_transaction():
        series.insert_one({"at": datetime.now(UTC), "source": "a"}, session=session)


def _change_stream(series: Documents) -> None:
    with series.watch(max_await_time_ms=1) as stream:
        stream.try_next()


_LIMITS: Sequence[tuple[str, Callable[[Documents], Any]]] = (
    ("a unique index", lambda series: series.create_index("source", unique=True)),
    ("a text index", lambda series: series.create_index([("value", "text")])),
    (
        "a validator",
        lambda series: series.database.command(
            "collMod", series.name, validator={"$jsonSchema": {"required": ["value"]}}
        ),
    ),
    (
        "the update of a measurement",
        lambda series: series.update_many({"source": "a"}, {"$set": {"value": 3}}),
    ),
    (
        "the update of one document",
        lambda series: series.update_one({"source": "a"}, {"$set": {"source": "b"}}),
    ),
    (
        "an upsert",
        lambda series: series.update_many({"source": "z"}, {"$set": {"source": "y"}}, upsert=True),
    ),
    ("a change stream", _change_stream),
    ("a write in a transaction", _in_a_transaction),
    ("a find by $near", lambda series: series.find_one({"value": {"$near": [0, 0]}})),
    ("a document without a time", lambda series: series.insert_one({"source": "a"})),
    ("a time that is text", lambda series: series.insert_one({"at": "2024-01-15", "source": "a"})),
)
